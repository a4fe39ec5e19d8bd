//! What was written and is not confirmed yet.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::journal::Seq;

/// The end of one write: where it lies in the stream and the last event in it.
#[derive(Clone, Copy, Debug)]
struct Write {
    end: u64,
    seq: Seq,
    events: u64,
}

/// Writes in the order of the stream. Offsets count bytes as they went out, under TLS those
/// of the ciphertext, since that is what the peer's TCP acknowledges.
#[derive(Debug, Default)]
pub(super) struct Window {
    writes: VecDeque<Write>,
    events: u64,
    since: Option<Instant>,
}

/// Events that have become confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// The last of them.
    pub(super) seq: Seq,
    /// How many.
    pub(super) events: u64,
}

impl Window {
    /// A write of `events` events up to `seq` has ended at `end`.
    pub(super) fn push(&mut self, end: u64, seq: Seq, events: u64, now: Instant) {
        self.since.get_or_insert(now);
        self.events += events;
        self.writes.push_back(Write { end, seq, events });
    }

    /// When the oldest write was made.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Events in it.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Everything before `offset` has arrived.
    pub(super) fn confirm_to(&mut self, offset: u64, now: Instant) -> Option<Confirmed> {
        let mut confirmed = None;
        while let Some(&write) = self.writes.front().filter(|write| write.end <= offset) {
            let before = confirmed.map_or(0, |confirmed: Confirmed| confirmed.events);
            confirmed = Some(Confirmed {
                seq: write.seq,
                events: before + write.events,
            });
            self.events -= write.events;
            self.writes.pop_front();
        }
        if confirmed.is_some() {
            // Later writes are at most this old; what matters is that somebody still waits.
            self.since = (!self.writes.is_empty()).then_some(now);
        }
        confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_confirmed_by_its_last_byte_and_not_before() {
        let now = Instant::now();
        let mut window = Window::default();
        window.push(100, 3, 3, now);
        window.push(250, 5, 2, now);
        window.push(250, 6, 0, now);
        assert_eq!(window.confirm_to(99, now), None);
        assert_eq!(
            window.confirm_to(249, now),
            Some(Confirmed { seq: 3, events: 3 })
        );
        assert_eq!(window.events(), 2);
        assert_eq!(
            window.confirm_to(250, now),
            Some(Confirmed { seq: 6, events: 2 })
        );
        assert_eq!(window.since(), None);
    }
}
