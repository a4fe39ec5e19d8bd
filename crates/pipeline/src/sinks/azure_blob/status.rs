//! What a blob sink is doing, for whoever asks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::azure_table::{Failure, State};
use super::metrics::Counters;
use crate::journal::{Gap, GapReason, Seq};

/// The state of a blob sink at a moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The sink's name.
    pub name: String,
    /// The storage account.
    pub account: String,
    /// What it is doing.
    pub state: State,
    /// The last thing that went wrong.
    pub last_error: Option<Failure>,
    /// Bytes put into containers since the start.
    pub bytes: u64,
    /// Files begun or put there since the start.
    pub files: u64,
    /// Pieces that are in no container, since the start.
    pub skipped: u64,
    /// Everything up to this sequence is written, or passed over.
    pub written_seq: Seq,
    /// When something was written last.
    pub written_at: Option<Timestamp>,
}

impl Status {
    /// The status of a sink that has not started.
    #[must_use]
    pub fn new(name: &str, account: &str) -> Status {
        Status {
            name: name.to_owned(),
            account: account.to_owned(),
            state: State::Idle,
            last_error: None,
            bytes: 0,
            files: 0,
            skipped: 0,
            written_seq: 0,
            written_at: None,
        }
    }
}

/// Keeps the status and the counters up to date, and the log.
pub(super) struct Reporter {
    status: watch::Sender<Status>,
    counters: Counters,
    /// The last sequence that was told to be gone: a chunk is looked at again after a failure.
    gone_to: Seq,
}

impl Reporter {
    pub(super) fn new(status: watch::Sender<Status>, counters: Counters) -> Reporter {
        Reporter {
            status,
            counters,
            gone_to: 0,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    pub(super) fn begins_after(&self, position: Seq) {
        self.change(|status| status.written_seq = position);
    }

    pub(super) fn writing(&self) {
        self.change(|status| status.state = State::Writing);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.counters.bytes.inc_by(bytes);
        self.counters.requests.inc();
        self.change(|status| status.bytes += bytes);
    }

    pub(super) fn file(&self) {
        self.counters.files.inc();
        self.change(|status| status.files += 1);
    }

    pub(super) fn written(&self, to: Seq) {
        self.change(|status| {
            status.state = State::Idle;
            status.written_seq = to;
            status.written_at = Some(Timestamp::now());
        });
    }

    pub(super) fn resting(&self, due: Instant) {
        let until = later(due.saturating_duration_since(Instant::now()));
        self.change(|status| status.state = State::Resting { until });
    }

    /// A further piece of a file of which it was told why it is left out.
    pub(super) fn left_out(&self) {
        self.counters.skipped.inc();
        self.change(|status| status.skipped += 1);
    }

    pub(super) fn skipped(&self, machine: &str, path: &str, offset: u64, reason: &str) {
        self.counters.skipped.inc();
        self.change(|status| status.skipped += 1);
        let name = self.status.borrow().name.clone();
        tracing::error!(
            sink = name,
            machine,
            path,
            offset,
            reason,
            "a piece of a file is in no container"
        );
    }

    pub(super) fn gone(&mut self, gap: &Gap) {
        if gap.reason == GapReason::Delivered || gap.last_seq <= self.gone_to {
            return;
        }
        self.gone_to = gap.last_seq;
        let events = gap.last_seq + 1 - gap.first_seq;
        self.counters.gone.inc_by(events);
    }

    pub(super) fn failed(&self, reason: &str, wait: Duration, attempts: u32) {
        self.counters.failures.inc();
        let name = self.status.borrow().name.clone();
        tracing::warn!(
            sink = name,
            error = reason,
            retry_in = ?wait,
            "cannot put files into containers; the spool keeps them"
        );
        let now = Timestamp::now();
        self.change(|status| {
            status.state = State::Waiting {
                until: later(wait),
                attempts,
            };
            status.last_error = Some(Failure {
                at: now,
                text: reason.to_owned(),
            });
        });
    }

    pub(super) fn stopped(&self) {
        self.change(|status| status.state = State::Stopped);
    }
}

fn later(wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    Timestamp::now()
        .saturating_add(wait)
        .unwrap_or(Timestamp::MAX)
}
