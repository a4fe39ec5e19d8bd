//! Takes rows of a table: in order up to where it is closed, early behind that.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use windrow_formats::azure::Entity;
use windrow_formats::batch::{Encoder, Flags, Header};
use windrow_formats::event::{Index, parse};
use windrow_formats::wad::rows::{Minutes, RowKeys, SHARDS, event_xml, key_of};

use super::super::evtx;
use super::place::{PartPlace, TablePlace, hash_of, part_of};
use super::{Asked, LookError, Rows};
use crate::journal::{Entry, Journal, StateChange};
use crate::limits::{
    FILE_BATCH_BYTES_MAX, FILE_BATCH_EVENTS_MAX, WAD_LOOK_ROWS_MAX, WAD_SEEN_ALL_ROWS_MAX,
    WAD_SEEN_ROWS_MAX,
};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// How often it is looked whether rows of shards have come.
const SHARDS_INTERVAL: SignedDuration = SignedDuration::from_mins(10);

/// A look at one table.
pub(super) struct Look<'a, R> {
    pub(super) asked: &'a Asked,
    pub(super) rows: &'a R,
    pub(super) journal: &'a Journal,
    pub(super) now: Timestamp,
    pub(super) taken: u64,
    pub(super) unread: u64,
    pub(super) more: bool,
}

impl<R: Rows> Look<'_, R> {
    pub(super) async fn table(&mut self, place: &mut TablePlace) -> Result<(), LookError> {
        self.find_shards(place).await?;
        let edge = floor(self.now - self.asked.late);
        let parts: Vec<u64> = place.parts.keys().copied().collect();
        for part in parts {
            if !self.in_order(place, part, edge).await? {
                self.more = true;
                return Ok(());
            }
            self.early(place, part, edge).await?;
        }
        Ok(())
    }

    /// Shards are asked for once there is one: each of them is a question of its own.
    async fn find_shards(&self, place: &mut TablePlace) -> Result<(), LookError> {
        let is_due = (place.shards_looked_at)
            .is_none_or(|at| self.now.duration_since(at) >= SHARDS_INTERVAL);
        if place.parts.len() == 1 && is_due {
            if self.rows.has_shards(&place.table).await? {
                for part in 1..=SHARDS {
                    place.parts.entry(part).or_default();
                }
            }
            place.shards_looked_at = Some(self.now);
        }
        Ok(())
    }

    /// Takes what is before the edge, in the order of keys; whether that was all of it.
    async fn in_order(
        &mut self,
        place: &mut TablePlace,
        part: u64,
        edge: Timestamp,
    ) -> Result<bool, LookError> {
        let known = place.parts.entry(part).or_default();
        if known.closed.is_some_and(|closed| closed >= edge) {
            return Ok(true);
        }
        let minutes = Minutes {
            from: self.asked.from,
            to: Some(edge),
        };
        // Nothing is before the first minute that is asked for.
        while self.asked.from.is_none_or(|from| from < edge) {
            if self.taken >= WAD_LOOK_ROWS_MAX {
                return Ok(false);
            }
            let after = place.parts.get(&part).and_then(|known| known.after.clone());
            let page = self
                .rows
                .rows(&place.table, part, minutes, after.as_ref())
                .await?;
            self.unread += page.unread;
            self.take_in_order(place, part, &page.rows).await?;
            if !page.more {
                break;
            }
        }
        self.close(place, part, edge).await?;
        Ok(true)
    }

    /// Notes that all before the edge is taken, and forgets what was taken early of it.
    async fn close(
        &self,
        place: &mut TablePlace,
        part: u64,
        edge: Timestamp,
    ) -> Result<(), LookError> {
        let behind = key_of(part, edge);
        let known = place.parts.entry(part).or_default();
        let stale: Vec<String> = (known.early.range::<String, _>(..&behind))
            .map(|(partition, _)| partition.clone())
            .collect();
        if !stale.is_empty() {
            let after = RowKeys {
                partition: behind,
                row: String::new(),
            };
            // Before they are forgotten: a crash in between must not take them again.
            self.journal.change(place.at(part, &after)).await?;
            for partition in &stale {
                self.journal.forget(&place.early_key(partition)).await?;
            }
            let known = place.parts.entry(part).or_default();
            known.after = Some(after);
            for partition in &stale {
                known.early.remove(partition);
            }
        }
        let known = place.parts.entry(part).or_default();
        known.closed = Some(edge);
        known.read = known.read.split_off(&edge);
        Ok(())
    }

    async fn take_in_order(
        &mut self,
        place: &mut TablePlace,
        part: u64,
        rows: &[Entity<'static>],
    ) -> Result<(), LookError> {
        let mut batch = self.batch();
        for (number, row) in rows.iter().enumerate() {
            let known = place.parts.entry(part).or_default();
            let is_new = !known.has(row);
            if is_new {
                batch.push(&place.table, row);
            }
            if batch.is_full() || number + 1 == rows.len() {
                let after = RowKeys {
                    partition: row.partition_key.clone().into_owned(),
                    row: row.row_key.clone().into_owned(),
                };
                let full = std::mem::replace(&mut batch, self.batch());
                self.put(full, place.at(part, &after)).await?;
                place.parts.entry(part).or_default().after = Some(after);
            }
        }
        Ok(())
    }

    /// Takes what has come of the minutes behind the edge that it is time to read.
    async fn early(
        &mut self,
        place: &mut TablePlace,
        part: u64,
        edge: Timestamp,
    ) -> Result<(), LookError> {
        let from = self.asked.from.map_or(edge, |from| floor(from).max(edge));
        let known = place.parts.entry(part).or_default();
        for (begin, end) in due(known, from, self.now) {
            let minutes = Minutes {
                from: Some(begin),
                to: Some(end),
            };
            let mut after = None;
            loop {
                if self.taken >= WAD_LOOK_ROWS_MAX {
                    self.more = true;
                    return Ok(());
                }
                let page = self
                    .rows
                    .rows(&place.table, part, minutes, after.as_ref())
                    .await?;
                self.take_early(place, part, &page.rows).await?;
                let Some(last) = page.rows.last().filter(|_| page.more) else {
                    break;
                };
                after = Some(RowKeys {
                    partition: last.partition_key.clone().into_owned(),
                    row: last.row_key.clone().into_owned(),
                });
            }
            let read = &mut place.parts.entry(part).or_default().read;
            let mut minute = begin;
            while minute < end {
                read.insert(minute, self.now);
                minute += MINUTE;
            }
        }
        Ok(())
    }

    async fn take_early(
        &mut self,
        place: &mut TablePlace,
        part: u64,
        rows: &[Entity<'static>],
    ) -> Result<(), LookError> {
        for partition in rows.chunk_by(|a, b| a.partition_key == b.partition_key) {
            let Some(first) = partition.first() else {
                continue;
            };
            // A key that the agent did not make is met again in order.
            if part_of(&first.partition_key) == Some(part) {
                self.take_partition(place, part, partition).await?;
            }
        }
        Ok(())
    }

    async fn take_partition(
        &mut self,
        place: &mut TablePlace,
        part: u64,
        rows: &[Entity<'static>],
    ) -> Result<(), LookError> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let key = first.partition_key.as_ref();
        let all = place.seen();
        let known = place.parts.entry(part).or_default();
        let mut hashes = known.early.get(key).cloned().unwrap_or_default();
        let room = WAD_SEEN_ROWS_MAX
            .saturating_sub(hashes.len())
            .min(WAD_SEEN_ALL_ROWS_MAX.saturating_sub(all));
        let new: Vec<&Entity<'static>> = (rows.iter())
            .filter(|row| !hashes.contains(&hash_of(&row.row_key)))
            .take(room)
            .collect();
        let mut batch = self.batch();
        for (number, row) in new.iter().enumerate() {
            batch.push(&place.table, row);
            hashes.insert(hash_of(&row.row_key));
            if batch.is_full() || number + 1 == new.len() {
                let full = std::mem::replace(&mut batch, self.batch());
                self.put(full, place.early(key, &hashes)).await?;
                let known = place.parts.entry(part).or_default();
                known.early.insert(key.to_owned(), hashes.clone());
            }
        }
        Ok(())
    }

    fn batch(&self) -> Batch {
        let header = Header {
            // By which the lake tells it from what was imported, and is there already.
            subscription: Some(self.asked.name.clone()),
            ..evtx::header(self.now)
        };
        Batch {
            encoder: Encoder::new(&header),
            index: Index::default(),
        }
    }

    /// Puts events into the journal, with how far that is; without events, how far it is alone.
    async fn put(&mut self, batch: Batch, state: StateChange) -> Result<(), LookError> {
        let events = batch.encoder.events();
        if events == 0 {
            return Ok(self.journal.change(state).await?);
        }
        let entry = Entry {
            body: batch.encoder.finish(),
            events,
            state: Some(state),
        };
        self.journal.append(entry).await?;
        self.taken += u64::from(events);
        Ok(())
    }
}

impl PartPlace {
    fn has(&self, row: &Entity<'_>) -> bool {
        let early = self.early.get(row.partition_key.as_ref());
        early.is_some_and(|early: &HashSet<u64>| early.contains(&hash_of(&row.row_key)))
    }
}

/// Events on their way into the journal.
struct Batch {
    encoder: Encoder,
    index: Index,
}

impl Batch {
    fn push(&mut self, table: &str, row: &Entity<'_>) {
        let text = event_xml(table, row);
        // What is wrong with an Event is in its flags.
        let _ = parse(&text, &mut self.index);
        let flags = Flags::of(&self.index);
        self.encoder.push(&text, flags, &self.index);
    }

    fn is_full(&self) -> bool {
        self.encoder.events() >= FILE_BATCH_EVENTS_MAX
            || self.encoder.bytes() >= FILE_BATCH_BYTES_MAX
    }
}

/// Minutes from `from` up to now that it is time to read, those in a row together: new ones at each look, older ones when
/// they are twice as old as when they were read last.
fn due(known: &PartPlace, from: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut minute = from;
    while minute <= now {
        let end = minute + MINUTE;
        let age = |at: Timestamp| at.duration_since(end);
        let is_due = known.read.get(&minute).is_none_or(|read| {
            let then = age(*read);
            then < MINUTE || age(now) >= then * 2
        });
        if is_due {
            match spans.last_mut() {
                Some(span) if span.1 == minute => span.1 = end,
                _ => spans.push((minute, end)),
            }
        }
        minute = end;
    }
    spans
}

/// The beginning of a moment's minute.
fn floor(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(60)).unwrap_or(at)
}
