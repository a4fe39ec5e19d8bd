//! Frames collected for the next write, and what is in them.

use windrow_formats::batch::{Header, Record};
use windrow_formats::cef;
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Encoder, Outcome};

use crate::journal::Seq;

/// Frames that are encoded and not written yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) bytes: Vec<u8>,
    /// Events in `bytes`.
    pub(super) events: u64,
    /// Those of them that were written before.
    pub(super) resent: u64,
    /// Those of them that were cut.
    pub(super) truncated: u64,
    /// The last event that `bytes` deals with, if only by leaving it out.
    pub(super) seq: Option<Seq>,
}

impl Outbox {
    /// Nothing is in it, the space stays.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.events = 0;
        self.resent = 0;
        self.truncated = 0;
        self.seq = None;
    }
}

/// Turns journal records into frames in an outbox.
#[derive(Debug)]
pub(super) struct Packer {
    encoder: Encoder,
    index: Index,
    /// The last event ever written, to tell what is written again.
    highest_sent: Seq,
}

impl Packer {
    pub(super) fn new(encoder: Encoder) -> Packer {
        Packer {
            encoder,
            index: Index::default(),
            highest_sent: 0,
        }
    }

    pub(super) fn message_bytes_max(&self) -> usize {
        self.encoder.message_bytes_max()
    }

    /// Goes on with frames of another look.
    pub(super) fn replace_encoder(&mut self, encoder: Encoder) {
        self.encoder = encoder;
    }

    /// Everything up to `seq` was written.
    pub(super) fn written(&mut self, seq: Seq) {
        self.highest_sent = self.highest_sent.max(seq);
    }

    /// Adds `record` to `outbox`. One that cannot be encoded is left out, for the caller to
    /// put aside: a single poisonous event must not stop the stream.
    pub(super) fn pack(
        &mut self,
        seq: Seq,
        header: &Header,
        record: &Record<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), cef::TooLong> {
        outbox.seq = Some(seq);
        if record.read_index(&mut self.index).is_err() {
            // The text is what counts; where its values lie can be found again.
            let _ = event::parse(record.text, &mut self.index);
        }
        let event = Event::new(record.text, &self.index);
        let outcome = self.encoder.encode(event, header, &mut outbox.bytes)?;
        outbox.events += 1;
        outbox.resent += u64::from(seq <= self.highest_sent);
        outbox.truncated += u64::from(outcome != Outcome::Whole);
        Ok(())
    }
}
