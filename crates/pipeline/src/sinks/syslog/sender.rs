//! What all transports have in common: the cursor, the packer, and what counts as confirmed.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use windrow_formats::batch::{Header, Record};
use windrow_formats::syslog::{Encoder, Framing, Settings};

use super::destination::{Confirmation, Destination, Transport};
use super::error::LinkError;
use super::metrics::DropReason;
use super::outbox::{Outbox, Packer};
use super::shared::{Member, Messages};
use super::status::Reporter;
use super::window::{Confirmed, Window};
use crate::journal::{Cursor, FrameEntry, Seq};
use crate::limits::QUARANTINE_ENTRY_BYTES_MAX;
use crate::quarantine::Finding;

/// Why a connection was ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The sink is told to stop, or the journal is closed and everything in it was written.
    Stopped,
    /// To have the receiver prove what it has read.
    TurnedOver,
    /// Something went wrong.
    Failed(LinkError),
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Ended {
        Ended::Failed(error)
    }
}

#[derive(Debug)]
pub(super) struct Sender {
    pub(super) destination: Destination,
    pub(super) cursor: Cursor,
    pub(super) packer: Packer,
    pub(super) reporter: Reporter,
    /// Those that send alike, where messages do not depend on the way.
    member: Option<Member>,
    /// Events confirmed over the present connection.
    pub(super) confirmed: u64,
}

/// Events that a destination can never get.
#[derive(Debug)]
pub(super) struct Poison<'a> {
    /// The first of them.
    pub(super) seq: Seq,
    /// How many.
    pub(super) events: u64,
    /// What kind of reason that is.
    pub(super) kind: DropReason,
    /// Why.
    pub(super) reason: String,
    /// What they came with, if that much can be read.
    pub(super) header: Option<Header>,
    /// The event's text, or the batch as it lies in the journal.
    pub(super) content: &'a [u8],
}

impl Sender {
    pub(super) fn new(destination: Destination, cursor: Cursor, reporter: Reporter) -> Sender {
        let format = format(&destination);
        let is_stream = !matches!(destination.transport, Transport::Udp);
        let member = is_stream.then(|| destination.shared.join(&format, &destination.selection));
        let encoder = Encoder::new(format);
        let selection = destination.selection.clone();
        Sender {
            destination,
            cursor,
            packer: Packer::new(encoder, selection),
            reporter,
            member,
            confirmed: 0,
        }
    }

    /// The messages of an entry, if others send the same and are close.
    pub(super) async fn shared(&mut self, entry: &FrameEntry) -> Option<Arc<Messages>> {
        let packer = &mut self.packer;
        let member = self.member.as_ref()?;
        member.messages(entry, || packer.make(entry)).await
    }

    /// What the outbox dealt with has left and ends at `end`, or was passed.
    pub(super) fn account(&mut self, end: u64, outbox: &mut Outbox, window: &mut Window) {
        let Some(seq) = outbox.seq else { return };
        if outbox.events > 0 {
            return wrote(end, outbox, window, &mut self.packer, &self.reporter);
        }
        let passed = window.pass(seq);
        self.packer.done(seq);
        self.reporter.sent(outbox, seq, window.events());
        outbox.clear();
        self.take(passed, window);
    }

    /// Moves the cursor past all writes that end before `offset`.
    pub(super) fn confirm_to(&mut self, offset: u64, window: &mut Window) {
        let confirmed = window.confirm_to(offset, Instant::now());
        self.take(confirmed, window);
    }

    fn take(&mut self, confirmed: Option<Confirmed>, window: &Window) {
        if let Some(confirmed) = confirmed {
            self.cursor.advance(confirmed.seq);
            self.confirmed += confirmed.events;
            self.reporter.confirmed(confirmed, window.events());
        }
    }

    /// Passes over events that this destination can never get: they are counted, named and kept for a look, and
    /// the cursor goes on. One that was passed over before, on a connection that broke, is not counted again.
    pub(super) async fn skip(&mut self, poison: Poison<'_>, outbox: &mut Outbox) {
        let (seq, events) = (poison.seq, poison.events);
        outbox.seq = Some(seq + events - 1);
        let is_new = self
            .reporter
            .skipped(seq, events, poison.kind, poison.reason.clone());
        let Some(quarantine) = self.destination.quarantine.clone().filter(|_| is_new) else {
            return;
        };
        let content =
            poison.content[..poison.content.len().min(QUARANTINE_ENTRY_BYTES_MAX)].to_vec();
        let (header, reason) = (poison.header, poison.reason);
        let kept = tokio::task::spawn_blocking(move || {
            let header = header.as_ref();
            let finding = Finding {
                room: "syslog",
                reason: &reason,
                source: header.map(|header| header.source.as_str()),
                address: header.and_then(|header| header.address),
                received_at: header.map_or_else(Timestamp::now, |header| header.received_at),
                events: Some((seq, events)),
            };
            quarantine.keep(&finding, &content)
        });
        match kept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot write to the quarantine"),
            Err(error) => tracing::warn!(%error, "cannot write to the quarantine"),
        }
    }
}

/// What is in the outbox has left and ends at `end`.
pub(super) fn wrote(
    end: u64,
    outbox: &mut Outbox,
    window: &mut Window,
    packer: &mut Packer,
    reporter: &Reporter,
) {
    let Some(seq) = outbox.seq else { return };
    window.push(end, seq, outbox.events, Instant::now());
    packer.done(seq);
    reporter.sent(outbox, seq, window.events());
    outbox.clear();
}

impl<'a> Poison<'a> {
    /// One event of which no message can be made that is small enough.
    pub(super) fn event(
        seq: Seq,
        error: &impl ToString,
        header: &Header,
        record: &Record<'a>,
    ) -> Poison<'a> {
        Poison {
            seq,
            events: 1,
            kind: DropReason::TooLong,
            reason: error.to_string(),
            header: Some(header.clone()),
            content: record.text.as_bytes(),
        }
    }
}

/// How frames look: over UDP the framing is always the datagram.
pub(super) fn format(destination: &Destination) -> Settings {
    let mut settings = destination.format.clone();
    if matches!(destination.transport, Transport::Udp) {
        settings.framing = Framing::Datagram;
    }
    settings
}

/// The confirmation that a transport can give at best.
pub(super) fn confirmation(destination: &Destination) -> Confirmation {
    match destination.transport {
        Transport::Udp => Confirmation::Sent,
        Transport::Tcp | Transport::Tls(_) => destination.confirmation,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::journal::{Entry, Journal, JournalOptions};
    use crate::sinks::syslog::SyslogMetrics;
    use crate::sinks::syslog::status::Status;

    impl Sender {
        /// One whose status nobody reads.
        pub(in crate::sinks::syslog) fn quiet(destination: Destination, cursor: Cursor) -> Sender {
            let (status, _) = watch::channel(Status::new(&destination));
            let counters = SyslogMetrics::default().of("siem");
            let reporter = Reporter::new("siem".to_owned(), status, counters);
            Sender::new(destination, cursor, reporter)
        }
    }

    /// A journal with an event in it.
    pub(in crate::sinks::syslog) async fn store() -> (tempfile::TempDir, Journal) {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new(dir.path().join("journal"));
        let (journal, _) = Journal::open(options).unwrap();
        let entry = Entry {
            events: 1,
            body: b"event".to_vec(),
            state: None,
        };
        journal.append(entry).await.unwrap();
        (dir, journal)
    }
}
