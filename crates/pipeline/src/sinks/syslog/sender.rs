//! What all transports have in common: the cursor, the packer, and what counts as confirmed.

use tokio::time::Instant;
use windrow_formats::syslog::{Encoder, Framing, Settings};

use super::destination::{Confirmation, Destination, Transport};
use super::error::LinkError;
use super::outbox::{Outbox, Packer};
use super::status::Reporter;
use super::window::Window;
use crate::journal::{Cursor, Seq};

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
    /// Events confirmed over the present connection.
    pub(super) confirmed: u64,
}

impl Sender {
    pub(super) fn new(destination: Destination, cursor: Cursor, reporter: Reporter) -> Sender {
        let encoder = Encoder::new(format(&destination));
        Sender {
            destination,
            cursor,
            packer: Packer::new(encoder),
            reporter,
            confirmed: 0,
        }
    }

    /// Moves the cursor past all writes that end before `offset`.
    pub(super) fn confirm_to(&mut self, offset: u64, window: &mut Window) {
        if let Some(confirmed) = window.confirm_to(offset, Instant::now()) {
            self.cursor.advance(confirmed.seq);
            self.confirmed += confirmed.events;
            self.reporter.confirmed(confirmed, window.events());
        }
    }

    /// Passes over `events` events from `seq` on that do not decode.
    pub(super) fn skip(&self, seq: Seq, events: u64, reason: String, outbox: &mut Outbox) {
        outbox.seq = Some(seq + events - 1);
        self.reporter.skipped(seq, events, reason);
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
