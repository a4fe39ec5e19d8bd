//! What was written and is not confirmed yet.
//!
//! Events that are not written (left out, or impossible to send) need no confirmation of their
//! own. Invariant: they count with the last write before them, and at once when nothing before
//! them waits; so the cursor follows through any run of them, and never passes a written event
//! that is not confirmed.

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
    /// A write of `events` events has ended at `end`; everything up to `seq` is written or passed.
    pub(super) fn push(&mut self, end: u64, seq: Seq, events: u64, now: Instant) {
        self.since.get_or_insert(now);
        self.events += events;
        self.writes.push_back(Write { end, seq, events });
    }

    /// Everything up to `seq` is written or passed, without a write since the last one. What has
    /// become confirmed by that, if nothing waits.
    #[must_use]
    pub(super) fn pass(&mut self, seq: Seq) -> Option<Confirmed> {
        match self.writes.back_mut() {
            Some(last) => {
                last.seq = seq;
                None
            }
            None => Some(Confirmed { seq, events: 0 }),
        }
    }

    /// When the oldest write was made.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Events in it.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Whether that would confirm anything.
    pub(super) fn confirms(&self, offset: u64) -> bool {
        self.writes.front().is_some_and(|write| write.end <= offset)
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
    use proptest::prelude::*;

    use super::super::outbox::Outbox;
    use super::*;

    #[test]
    fn a_write_is_confirmed_by_its_last_byte_and_not_before() {
        let now = Instant::now();
        let mut window = Window::default();
        window.push(100, 3, 3, now);
        window.push(250, 5, 2, now);
        assert_eq!(window.pass(6), None);
        assert_eq!((window.confirms(99), window.confirms(100)), (false, true));
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

    #[test]
    fn what_is_passed_counts_at_once_when_nothing_waits_and_with_what_waits_otherwise() {
        let now = Instant::now();
        let mut window = Window::default();
        let passed = |seq| Some(Confirmed { seq, events: 0 });
        assert_eq!(window.pass(1_000), passed(1_000));
        assert_eq!(window.since(), None, "nothing is to be proven");
        window.push(10, 1_001, 1, now);
        assert_eq!(window.pass(9_000), None);
        assert_eq!(
            window.confirm_to(10, now),
            Some(Confirmed {
                seq: 9_000,
                events: 1
            })
        );
        assert_eq!(window.pass(9_001), passed(9_001));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// So many events in a row that are not sent.
        Pass(u64),
        /// An event is packed.
        Pack,
        /// What is packed is written, or passed if nothing is.
        Account,
        /// The peer confirms this share of the bytes that it has not confirmed, in percent.
        Confirm(u64),
        /// The connection breaks: everything after the cursor comes again.
        Break,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1_u64..2_000).prop_map(Step::Pass),
            4 => Just(Step::Pack),
            4 => Just(Step::Account),
            3 => (0_u64..=100).prop_map(Step::Confirm),
            1 => Just(Step::Break),
        ]
    }

    /// A sender as simple as can be, which knows of every event what became of it.
    #[derive(Default)]
    struct Model {
        window: Window,
        outbox: Outbox,
        cursor: Seq,
        next: Seq,
        /// Bytes written on the connection, and confirmed by the peer.
        written: u64,
        confirmed: u64,
        /// Events sent and not confirmed, with the end of their write; packed ones have none yet.
        open: VecDeque<(Seq, Option<u64>)>,
        /// The last event of each accounting, and the end of its write if it was one.
        accounted: VecDeque<(Seq, Option<u64>)>,
    }

    impl Model {
        fn account(&mut self) {
            let Some(seq) = self.outbox.seq else { return };
            let events = self.outbox.events;
            self.written += events * 100;
            let end = (events > 0).then_some(self.written);
            self.accounted.push_back((seq, end));
            for (_, end) in self.open.iter_mut().filter(|(_, end)| end.is_none()) {
                *end = Some(self.written);
            }
            if events > 0 {
                self.window.push(self.written, seq, events, Instant::now());
            } else if let Some(passed) = self.window.pass(seq) {
                self.advance(passed.seq);
            }
            self.outbox.clear();
        }

        fn advance(&mut self, seq: Seq) {
            assert!(seq > self.cursor, "a cursor goes forward");
            self.cursor = seq;
        }

        fn confirm(&mut self, percent: u64) {
            self.confirmed += (self.written - self.confirmed) * percent / 100;
            let confirmed = self.confirmed;
            let is_open = |end: &Option<u64>| end.is_none_or(|end| end > confirmed);
            self.open.retain(|(_, end)| is_open(end));
            if let Some(confirmed) = self.window.confirm_to(self.confirmed, Instant::now()) {
                self.advance(confirmed.seq);
            }
        }

        fn step(&mut self, step: Step) {
            match step {
                Step::Pass(run) => {
                    self.next += run;
                    self.outbox.seq = Some(self.next);
                }
                Step::Pack => {
                    self.next += 1;
                    self.outbox.seq = Some(self.next);
                    self.outbox.events += 1;
                    self.open.push_back((self.next, None));
                }
                Step::Account => self.account(),
                Step::Confirm(percent) => self.confirm(percent),
                Step::Break => {
                    let (cursor, next) = (self.cursor, self.cursor);
                    *self = Model {
                        cursor,
                        next,
                        ..Model::default()
                    };
                }
            }
        }

        /// The last event that can be done with: before the first that is sent and not confirmed,
        /// as far as writes tell events apart.
        fn best(&self) -> Option<Seq> {
            let is_done = |end: &Option<u64>| end.is_none_or(|end| end <= self.confirmed);
            let done = self.accounted.iter().take_while(|(_, end)| is_done(end));
            done.last().map(|(seq, _)| *seq)
        }
    }

    proptest! {
        #[test]
        fn the_cursor_follows_what_is_passed_and_never_passes_what_is_not_confirmed(
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut model = Model::default();
            for step in steps {
                model.step(step);
                if let Some((first, _)) = model.open.front() {
                    prop_assert!(model.cursor < *first, "{step:?}");
                }
                if let Some(best) = model.best() {
                    prop_assert_eq!(model.cursor, best, "{:?}", step);
                }
                prop_assert_eq!(model.window.since().is_some(), model.window.events() > 0);
            }
        }
    }
}
