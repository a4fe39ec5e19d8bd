//! Frames collected for the next write, and what is in them.

use windrow_formats::batch::{Batch, Header, Record};
use windrow_formats::cef;
use windrow_formats::event::{self, Event, Index};
use windrow_formats::selection::Selection;
use windrow_formats::syslog::{Encoder, Outcome};

use super::choice::Choice;
use super::limits::FILTERED_RUN_MAX;
use super::shared::{Made, Messages};

use crate::journal::{FrameEntry, Seq};

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
    /// Events that the destination does not get.
    filtered: u64,
    /// Those of them that were not passed before.
    pub(super) filtered_new: u64,
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
        self.filtered = 0;
        self.filtered_new = 0;
        self.seq = None;
    }

    /// What was packed is out again; what was left out is not.
    pub(super) fn unpack(&mut self) {
        self.bytes.clear();
        self.events = 0;
        self.resent = 0;
        self.truncated = 0;
    }

    /// Everything up to `seq` is dealt with, and what is new of it is nothing to send.
    pub(super) fn pass(&mut self, seq: Seq) {
        self.seq = Some(seq);
    }

    /// Whether what is in it is to be written: it is enough, or has waited for more while many
    /// events went by that the destination does not get.
    pub(super) fn is_due(&self, batch_bytes: usize) -> bool {
        let len = self.bytes.len();
        len >= batch_bytes || (len > 0 && self.filtered >= FILTERED_RUN_MAX)
    }
}

/// Turns journal records into frames in an outbox.
#[derive(Debug)]
pub(super) struct Packer {
    encoder: Encoder,
    choice: Choice,
    /// That of the event chosen last.
    index: Index,
    /// The last event ever dealt with, to tell what is dealt with again.
    highest_done: Seq,
}

impl Packer {
    pub(super) fn new(encoder: Encoder, selection: Selection) -> Packer {
        Packer {
            encoder,
            choice: Choice::new(selection),
            index: Index::default(),
            highest_done: 0,
        }
    }

    pub(super) fn message_bytes_max(&self) -> usize {
        self.encoder.message_bytes_max()
    }

    /// Goes on with frames of another look.
    pub(super) fn replace_encoder(&mut self, encoder: Encoder) {
        self.encoder = encoder;
    }

    /// Everything up to `seq` was written or passed.
    pub(super) fn done(&mut self, seq: Seq) {
        self.highest_done = self.highest_done.max(seq);
    }

    /// Reads an event, for [`Packer::pack`], and says whether the destination gets it. One that
    /// it does not get counts in `outbox` and costs nothing more.
    pub(super) fn chooses(
        &mut self,
        seq: Seq,
        header: &Header,
        record: &Record<'_>,
        outbox: &mut Outbox,
    ) -> bool {
        self.read(record);
        let event = Event::new(record.text, &self.index);
        if self.choice.keeps(event, header) {
            return true;
        }
        outbox.seq = Some(seq);
        outbox.filtered += 1;
        outbox.filtered_new += u64::from(seq > self.highest_done);
        false
    }

    /// The messages of a whole batch, for others too; none unless all of it can be read and sent.
    pub(super) fn make(&mut self, entry: &FrameEntry) -> Option<Messages> {
        let batch = Batch::decode(&entry.body).ok()?;
        let mut messages = Messages {
            bytes: Vec::with_capacity(entry.body.len()),
            made: Vec::new(),
        };
        for record in batch.records() {
            let record = record.ok()?;
            self.read(&record);
            let event = Event::new(record.text, &self.index);
            let made = if self.choice.keeps(event, &batch.header) {
                let bytes = &mut messages.bytes;
                match self.encoder.encode(event, &batch.header, bytes).ok()? {
                    Outcome::Whole => Made::Whole(messages.bytes.len()),
                    Outcome::Cut(_) => Made::Cut(messages.bytes.len()),
                }
            } else {
                Made::LeftOut
            };
            messages.made.push(made);
        }
        // They are kept for a while: a batch of which little is sent must not hold room for all of it.
        messages.bytes.shrink_to_fit();
        messages.made.shrink_to_fit();
        Some(messages)
    }

    /// Adds the message of an event that was made before, if there is one.
    pub(super) fn copy(&mut self, seq: Seq, made: Made, message: &[u8], outbox: &mut Outbox) {
        outbox.seq = Some(seq);
        if made == Made::LeftOut {
            outbox.filtered += 1;
            outbox.filtered_new += u64::from(seq > self.highest_done);
            return;
        }
        outbox.bytes.extend_from_slice(message);
        outbox.events += 1;
        outbox.resent += u64::from(seq <= self.highest_done);
        outbox.truncated += u64::from(matches!(made, Made::Cut(_)));
    }

    fn read(&mut self, record: &Record<'_>) {
        if record.read_index(&mut self.index).is_err() {
            // The text is what counts; where its values lie can be found again.
            let _ = event::parse(record.text, &mut self.index);
        }
    }

    /// Adds the event chosen last, which is `record`, to `outbox`. One that cannot be encoded is
    /// left out, for the caller to put aside: a single poisonous event must not stop the stream.
    pub(super) fn pack(
        &mut self,
        seq: Seq,
        header: &Header,
        record: &Record<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), cef::TooLong> {
        outbox.seq = Some(seq);
        let event = Event::new(record.text, &self.index);
        let outcome = self.encoder.encode(event, header, &mut outbox.bytes)?;
        outbox.events += 1;
        outbox.resent += u64::from(seq <= self.highest_done);
        outbox.truncated += u64::from(outcome != Outcome::Whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_waits_for_more_and_not_for_ever() {
        let mut outbox = Outbox {
            filtered: FILTERED_RUN_MAX * 2,
            ..Outbox::default()
        };
        assert!(!outbox.is_due(100), "there is nothing to write");
        outbox.bytes.resize(99, 0);
        outbox.filtered = FILTERED_RUN_MAX - 1;
        assert!(!outbox.is_due(100));
        assert!(outbox.is_due(99));
        outbox.filtered += 1;
        assert!(outbox.is_due(100));
    }
}
