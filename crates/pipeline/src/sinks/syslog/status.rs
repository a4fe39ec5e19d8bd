//! What a destination is doing, for whoever asks.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::destination::{Confirmation, Destination, Warning};
use super::error::LinkError;
use super::limits::SKIPPED_REMEMBERED;
use super::metrics::{Counters, DropReason};
use super::outbox::Outbox;
use super::window::Confirmed;
use crate::journal::{Gap, Seq};

/// The state of one destination at a moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The destination's name.
    pub name: String,
    /// Its host and port as configured.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// What it is doing.
    pub state: State,
    /// When an event counts as delivered.
    pub confirmation: Confirmation,
    /// The last thing that went wrong.
    pub last_error: Option<Failure>,
    /// Events written since start, those written again included.
    pub sent: u64,
    /// Events that became confirmed since start.
    pub confirmed: u64,
    /// Events written again after a broken connection.
    pub resent: u64,
    /// Events that had to be cut.
    pub truncated: u64,
    /// Events that the destination does not get, as its selection has it; each counts once.
    pub filtered: u64,
    /// Events that could not be encoded; each counts once, however often it is passed.
    pub skipped: u64,
    /// The last of these, oldest first.
    pub skipped_last: VecDeque<Skipped>,
    /// The last event written or passed.
    pub sent_seq: Seq,
    /// The last event confirmed, or passed with nothing unconfirmed before it: the destination's
    /// lag is the journal's last minus this.
    pub confirmed_seq: Seq,
    /// Events written and not confirmed yet.
    pub unconfirmed: u64,
    /// Weak settings, and a receiver that does not do what they need.
    pub warnings: Vec<Warning>,
}

/// What a destination is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Resolving, connecting or shaking hands.
    Connecting,
    /// Writing, or waiting for events to write.
    Connected {
        /// Since when.
        since: Timestamp,
        /// The receiver's address.
        peer: SocketAddr,
        /// The protocol as spoken.
        protocol: String,
    },
    /// Waiting before the next attempt.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// Failures since the last success.
        attempts: u32,
    },
    /// Stopped, since the sink was.
    Stopped,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// [`LinkError::kind`].
    pub kind: &'static str,
    /// The error and what caused it.
    pub text: String,
}

/// An event that could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its sequence in the journal.
    pub seq: Seq,
    /// How many from there on.
    pub events: u64,
    /// Why.
    pub reason: String,
}

impl Status {
    /// The status of a destination that has not started.
    #[must_use]
    pub fn new(destination: &Destination) -> Status {
        Status {
            name: destination.name.clone(),
            address: format!("{}:{}", destination.host, destination.port),
            transport: destination.transport.to_string(),
            state: State::Connecting,
            confirmation: super::sender::confirmation(destination),
            last_error: None,
            sent: 0,
            confirmed: 0,
            resent: 0,
            truncated: 0,
            filtered: 0,
            skipped: 0,
            skipped_last: VecDeque::new(),
            sent_seq: 0,
            confirmed_seq: 0,
            unconfirmed: 0,
            warnings: destination.warnings(),
        }
    }
}

/// Keeps status, metrics and log of one destination in step. State changes are logged once,
/// so that a receiver that is down for a night does not fill the log.
#[derive(Debug)]
pub(super) struct Reporter {
    name: String,
    status: watch::Sender<Status>,
    counters: Counters,
    failing: bool,
}

impl Reporter {
    pub(super) fn new(name: String, status: watch::Sender<Status>, counters: Counters) -> Reporter {
        Reporter {
            name,
            status,
            counters,
            failing: false,
        }
    }

    pub(super) fn starting(&self, position: Seq) {
        let warnings = self.status.borrow().warnings.clone();
        for warning in warnings {
            tracing::warn!(sink = self.name, "{warning}");
        }
        self.status
            .send_modify(|status| status.confirmed_seq = position);
        self.begins_after(position);
    }

    pub(super) fn connecting(&self) {
        self.status
            .send_modify(|status| status.state = State::Connecting);
    }

    /// What is not confirmed is read again: it waits, and is no longer on its way.
    pub(super) fn begins_after(&self, position: Seq) {
        self.counters.unconfirmed_events.set(0);
        self.status.send_modify(|status| {
            status.sent_seq = position;
            status.unconfirmed = 0;
        });
    }

    pub(super) fn connected(&mut self, peer: SocketAddr, protocol: String) {
        self.counters.connections.inc();
        self.counters.connected.set(1);
        tracing::debug!(sink = self.name, %peer, protocol, "connected");
        let since = Timestamp::now();
        self.status.send_modify(|status| {
            status.state = State::Connected {
                since,
                peer,
                protocol,
            };
        });
    }

    pub(super) fn failed(&mut self, error: &LinkError, wait: Duration, attempts: u32) {
        self.counters.connected.set(0);
        self.counters.failed(error.kind());
        let text = chain(error);
        if self.failing {
            tracing::debug!(
                sink = self.name,
                error = text,
                ?wait,
                "receiver still fails"
            );
        } else {
            tracing::warn!(sink = self.name, error = text, "receiver fails; trying on");
        }
        self.failing = true;
        let at = Timestamp::now();
        let until = at.saturating_add(wait).unwrap_or(at);
        self.status.send_modify(|status| {
            status.state = State::Waiting { until, attempts };
            status.last_error = Some(Failure {
                at,
                kind: error.kind(),
                text,
            });
        });
    }

    pub(super) fn sent(&self, outbox: &Outbox, seq: Seq, unconfirmed: u64) {
        self.counters.sent_events.inc_by(outbox.events);
        self.counters.sent_bytes.inc_by(outbox.bytes.len() as u64);
        self.counters.resent_events.inc_by(outbox.resent);
        self.counters.truncated_events.inc_by(outbox.truncated);
        self.counters.filtered_events.inc_by(outbox.filtered_new);
        self.counters.unconfirmed_events.set(count(unconfirmed));
        self.status.send_modify(|status| {
            status.sent += outbox.events;
            status.resent += outbox.resent;
            status.truncated += outbox.truncated;
            status.filtered += outbox.filtered_new;
            status.sent_seq = seq;
            status.unconfirmed = unconfirmed;
        });
    }

    pub(super) fn confirmed(&mut self, confirmed: Confirmed, unconfirmed: u64) {
        if self.failing && confirmed.events > 0 {
            tracing::info!(sink = self.name, "receiver works again");
            self.failing = false;
        }
        self.counters.confirmed_events.inc_by(confirmed.events);
        self.counters.unconfirmed_events.set(count(unconfirmed));
        self.status.send_modify(|status| {
            status.confirmed += confirmed.events;
            status.confirmed_seq = status.confirmed_seq.max(confirmed.seq);
            status.unconfirmed = unconfirmed;
        });
    }

    /// `events` events from `seq` on cannot be encoded and are left out. What is read again, over another connection or
    /// by another sender, was counted before: whether there is anything new among them.
    pub(super) fn skipped(&self, seq: Seq, events: u64, kind: DropReason, reason: String) -> bool {
        let end = seq.saturating_add(events);
        let seq = self.counters.new_skipped(seq, end - 1);
        let events = end.saturating_sub(seq);
        if events == 0 {
            return false;
        }
        self.counters.skipped_events.inc_by(events);
        self.counters.dropped(kind, events);
        tracing::error!(sink = self.name, seq, events, reason, "events left out");
        self.status.send_modify(|status| {
            status.skipped += events;
            if status.skipped_last.len() >= SKIPPED_REMEMBERED {
                status.skipped_last.pop_front();
            }
            status.skipped_last.push_back(Skipped {
                seq,
                events,
                reason,
            });
        });
        true
    }

    /// Events are not in the journal any more. A gap that is met again was counted before.
    pub(super) fn gone(&self, gap: Gap) {
        let first = self.counters.new_gone(gap.first_seq, gap.last_seq);
        let events = (gap.last_seq.saturating_add(1)).saturating_sub(first);
        if let Some(reason) = DropReason::of(gap.reason) {
            self.counters.dropped(reason, events);
        }
    }

    /// The way to the receiver takes no larger messages than this.
    pub(super) fn shrunk(&self, message_bytes_max: usize) {
        tracing::warn!(
            sink = self.name,
            message_bytes_max,
            "message was too large to send"
        );
    }

    /// The receiver has proven what it has read.
    pub(super) fn proven(&self) {
        self.counters.never_proves.set(0);
        let warned = |status: &Status| status.warnings.contains(&Warning::NeverProves);
        if warned(&self.status.borrow()) {
            tracing::info!(sink = self.name, "receiver confirms what it reads again");
            self.status.send_modify(|status| {
                status
                    .warnings
                    .retain(|warning| *warning != Warning::NeverProves);
            });
        }
    }

    /// The receiver takes everything and never proves that it reads it.
    pub(super) fn never_proves(&self) {
        self.counters.never_proves.set(1);
        self.warn(Warning::NeverProves);
    }

    /// Something that was found out about the receiver.
    pub(super) fn warn(&self, warning: Warning) {
        if !self.status.borrow().warnings.contains(&warning) {
            tracing::warn!(sink = self.name, "{warning}");
            self.status
                .send_modify(|status| status.warnings.push(warning));
        }
    }

    pub(super) fn stopped(&self) {
        self.counters.connected.set(0);
        self.status
            .send_modify(|status| status.state = State::Stopped);
    }
}

fn count(events: u64) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}

/// An error with everything that caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
