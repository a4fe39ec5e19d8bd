//! A machine's event logs: which records there are and when each was written.
//!
//! Invariant: no event is kept, only how many were written when; see [`super::events`]. Like a
//! real log it has room for so much, and what is older is gone.

use std::collections::VecDeque;

use super::events::{Catalogue, Channel, EventKey, Machine, TICKS_PER_SECOND};
use super::random::{Random, below, derive};

/// Most spans of records that a channel remembers.
const SPANS_MAX: usize = 1024;

/// How far back the records lie that were there before the fleet started.
const EXISTING_TICKS: u64 = 24 * 3600 * TICKS_PER_SECOND;

/// The number of a machine's draws for the first record ids.
const DRAW_FIRST: u64 = 50;

/// A record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The log.
    pub channel: Channel,
    /// The record id.
    pub id: u64,
    /// When it was written, in 100-nanosecond ticks since 1970.
    pub ticks: u64,
}

impl Record {
    /// The event in `machine`'s log.
    pub(super) fn key<'a>(&self, machine: &'a Machine) -> EventKey<'a> {
        EventKey {
            machine,
            channel: self.channel,
            record: self.id,
            ticks: self.ticks,
        }
    }
}

/// The logs of one machine.
#[derive(Debug)]
pub(super) struct Logs {
    channels: [ChannelLog; 3],
    random: Random,
    written: u64,
}

#[derive(Debug)]
struct ChannelLog {
    /// The id that the next record gets.
    next: u64,
    spans: VecDeque<Span>,
}

/// Records written at even distances.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    count: u64,
    start_ticks: u64,
    step_ticks: u64,
}

impl Span {
    fn ticks(&self, id: u64) -> u64 {
        self.start_ticks + (id - self.first) * self.step_ticks
    }

    fn first_since(&self, ticks: u64) -> Option<u64> {
        let before = match ticks.saturating_sub(self.start_ticks) {
            0 => 0,
            _ if self.step_ticks == 0 => return None,
            late => late.div_ceil(self.step_ticks),
        };
        (before < self.count).then(|| self.first + before)
    }
}

/// Where a reader stands: the next record of each channel, or `None` where it reads nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    next: [Option<u64>; 3],
}

impl Position {
    /// The next record of `channel`.
    pub(super) fn next(&self, channel: Channel) -> Option<u64> {
        self.next[channel.index()]
    }

    /// The place where the next record of `channel` is `id`.
    pub(super) fn with(mut self, channel: Channel, id: u64) -> Position {
        self.next[channel.index()] = Some(id);
        self
    }

    /// Goes on behind `record`.
    pub(super) fn pass(&mut self, record: &Record) {
        self.next[record.channel.index()] = Some(record.id + 1);
    }
}

impl Logs {
    /// The logs of `machine`, each with `existing` records from the day before `now_ticks`.
    pub(super) fn new(machine: &Machine, existing: u64, now_ticks: u64) -> Logs {
        let channel = |channel: Channel| {
            let seed = derive(machine.seed(), DRAW_FIRST + channel as u64);
            let first = 1 + below(seed, 1_000_000);
            let mut log = ChannelLog {
                next: first,
                spans: VecDeque::new(),
            };
            log.write(
                existing,
                now_ticks.saturating_sub(EXISTING_TICKS),
                now_ticks,
            );
            log
        };
        let random = Random::new(derive(machine.seed(), DRAW_FIRST - 1));
        Logs {
            channels: Channel::ALL.map(channel),
            random,
            written: 0,
        }
    }

    /// How many records were written since the start.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes `count` records between the two times.
    pub(super) fn write(
        &mut self,
        catalogue: &Catalogue,
        count: u64,
        from_ticks: u64,
        to_ticks: u64,
    ) {
        let mut counts = [0; 3];
        for _ in 0..count {
            counts[catalogue.channel(self.random.draw()).index()] += 1;
        }
        for (channel, count) in self.channels.iter_mut().zip(counts) {
            channel.write(count, from_ticks, to_ticks);
        }
        self.written += count;
    }

    /// The oldest record that there is, or that will come next.
    pub(super) fn oldest(&self, channel: Channel) -> u64 {
        let log = &self.channels[channel.index()];
        log.spans.front().map_or(log.next, |span| span.first)
    }

    /// The first record of `channel` that was not written before `ticks`, or the one that will come next.
    pub(super) fn first_since(&self, channel: Channel, ticks: u64) -> u64 {
        let log = &self.channels[channel.index()];
        let first = log.spans.iter().find_map(|span| span.first_since(ticks));
        first.unwrap_or(log.next)
    }

    /// The id that the next record of `channel` gets.
    pub(super) fn next(&self, channel: Channel) -> u64 {
        self.channels[channel.index()].next
    }

    /// Whether `next` is a record of `channel` or the one that will come next, so that a reader who
    /// has all before it misses nothing.
    pub(super) fn has_place(&self, channel: Channel, next: u64) -> bool {
        (self.oldest(channel)..=self.next(channel)).contains(&next)
    }

    /// Makes the log as if records up to `id` had been written once and are gone: somebody knows
    /// them from an earlier run of the fleet.
    pub(super) fn skip_past(&mut self, channel: Channel, id: u64) {
        let log = &mut self.channels[channel.index()];
        if id >= log.next {
            log.next = id.saturating_add(1);
            log.spans.clear();
        }
    }

    /// How many records wait behind `position`.
    pub(super) fn waiting(&self, position: &Position) -> u64 {
        let waits = |channel: Channel| {
            let next = position.next(channel)?;
            Some(self.next(channel).saturating_sub(next))
        };
        Channel::ALL.into_iter().filter_map(waits).sum()
    }

    /// The records behind `position` in the order of their times, at most `limit`.
    pub(super) fn read(&self, position: &Position, limit: usize) -> Vec<Record> {
        let mut position = position.clone();
        let mut records = Vec::new();
        while records.len() < limit {
            let next = |channel: Channel| self.at_or_after(channel, position.next(channel)?);
            let Some(record) = Channel::ALL
                .into_iter()
                .filter_map(next)
                .min_by_key(|r| r.ticks)
            else {
                break;
            };
            position.pass(&record);
            records.push(record);
        }
        records
    }

    fn at_or_after(&self, channel: Channel, id: u64) -> Option<Record> {
        let log = &self.channels[channel.index()];
        // Readers stand near the end.
        let end = |span: &Span| span.first + span.count;
        let behind = log
            .spans
            .iter()
            .rev()
            .take_while(|span| end(span) > id)
            .count();
        let span = log.spans.get(log.spans.len().checked_sub(behind)?)?;
        let id = id.max(span.first);
        Some(Record {
            channel,
            id,
            ticks: span.ticks(id),
        })
    }
}

impl ChannelLog {
    fn write(&mut self, count: u64, from_ticks: u64, to_ticks: u64) {
        if count == 0 {
            return;
        }
        if self.spans.len() >= SPANS_MAX {
            self.spans.pop_front();
        }
        let step_ticks = to_ticks.saturating_sub(from_ticks) / count;
        self.spans.push_back(Span {
            first: self.next,
            count,
            start_ticks: from_ticks,
            step_ticks,
        });
        self.next += count;
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::{Fleet, Hostility, Mix};
    use super::*;

    const NOW: u64 = 17_952_912_000_000_000;

    fn logs(existing: u64) -> (Logs, Catalogue) {
        let fleet = Fleet::new(1, 1);
        let catalogue = Catalogue::new(&Mix::default(), Hostility::Plain);
        (Logs::new(&fleet.machines()[0], existing, NOW), catalogue)
    }

    fn all(place: impl Fn(Channel) -> u64) -> Position {
        Channel::ALL
            .into_iter()
            .fold(Position::default(), |p, channel| {
                p.with(channel, place(channel))
            })
    }

    #[test]
    fn a_reader_gets_every_record_once_in_order_of_time() {
        let (mut logs, catalogue) = logs(0);
        let mut position = all(|channel| logs.next(channel));
        let mut read = Vec::new();
        for round in 0..30 {
            logs.write(&catalogue, 7, NOW + round * 1000, NOW + (round + 1) * 1000);
            if round % 3 == 0 {
                for record in logs.read(&position, 11) {
                    position.pass(&record);
                    read.push(record);
                }
            }
        }
        assert_eq!(logs.waiting(&position), 210 - read.len() as u64);
        read.extend(logs.read(&position, 1000));
        assert_eq!(read.len(), 210);
        for channel in Channel::ALL {
            let of: Vec<_> = read
                .iter()
                .filter(|record| record.channel == channel)
                .collect();
            assert!(of.windows(2).all(|pair| pair[0].id + 1 == pair[1].id));
            assert!(of.windows(2).all(|pair| pair[0].ticks <= pair[1].ticks));
        }
        assert!(read.windows(2).all(|pair| pair[0].ticks <= pair[1].ticks));
    }

    #[test]
    fn a_record_read_again_has_the_same_time() {
        let (mut logs, catalogue) = logs(5);
        let position = all(|channel| logs.oldest(channel));
        let first = logs.read(&position, 15);
        assert_eq!(first.len(), 15);
        assert!(first.iter().all(|record| record.ticks < NOW));
        logs.write(&catalogue, 50, NOW, NOW + 1000);
        assert_eq!(logs.read(&position, 15), first);
    }

    #[test]
    fn a_log_has_room_for_so_much() {
        let (mut logs, catalogue) = logs(0);
        let start = logs.oldest(Channel::Security);
        for round in 0..3 * SPANS_MAX as u64 {
            logs.write(&catalogue, 1, NOW + round, NOW + round + 1);
        }
        let oldest = logs.oldest(Channel::Security);
        assert!(oldest > start);
        let position = Position::default().with(Channel::Security, start);
        assert_eq!(logs.read(&position, 1)[0].id, oldest);
    }

    #[test]
    fn records_are_found_by_their_time() {
        let (mut logs, catalogue) = logs(24);
        let first = logs.oldest(Channel::System);
        let hour = 3600 * TICKS_PER_SECOND;
        for (ticks, expected) in [
            (0, first),
            (NOW - 24 * hour, first),
            (NOW - 24 * hour + 1, first + 1),
            (NOW - hour, first + 23),
            (NOW - hour + 1, first + 24),
            (u64::MAX, first + 24),
        ] {
            assert_eq!(
                logs.first_since(Channel::System, ticks),
                expected,
                "{ticks}"
            );
        }
        // All at one moment.
        logs.write(&catalogue, 100, NOW, NOW);
        assert_eq!(logs.first_since(Channel::System, NOW), first + 24);
        assert_eq!(
            logs.first_since(Channel::System, NOW + 1),
            logs.next(Channel::System)
        );
    }

    #[test]
    fn a_place_is_in_the_log_or_right_behind_it() {
        let (logs, _) = logs(3);
        let next = logs.next(Channel::Security);
        for (place, expected) in [
            (next - 4, false),
            (next - 3, true),
            (next, true),
            (next + 1, false),
        ] {
            assert_eq!(logs.has_place(Channel::Security, place), expected);
        }
    }

    #[test]
    fn what_an_earlier_run_sent_is_not_written_again() {
        let (mut logs, catalogue) = logs(3);
        let id = logs.next(Channel::Security) + 100;
        logs.skip_past(Channel::Security, id);
        logs.skip_past(Channel::Security, 1);
        assert_eq!(
            (logs.oldest(Channel::Security), logs.next(Channel::Security)),
            (id + 1, id + 1)
        );
        logs.write(&catalogue, 10, NOW, NOW + 10);
        let position = Position::default().with(Channel::Security, id + 1);
        assert_eq!(logs.read(&position, 1)[0].id, id + 1);
    }
}
