//! The writer's side of the journal, without threads: one group in, one frame and one sync out.
//!
//! Invariants: a frame is written only after the one before it is durable, so a valid frame
//! proves that its predecessors were acknowledged; after a failed sync the file is never
//! written again; nothing is published before it is durable.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::catalog::{Phase, Segment, lock};
use super::frame::{self, Encoding, HEADER_BYTES, Hash, Header, Kind, Origin, StateChange};
use super::limits::COMMIT_ATTEMPTS;
use super::loss::{self, Gap, GapReason};
use super::merkle::Tree;
use super::reader::to_frame;
use super::segment::{
    Previous, SEAL_BYTES, SEGMENT_HEADER_BYTES, Seal, SealedBy, SegmentHeader, file_name,
};
use super::shared::Shared;
use super::slots::Slots;
use super::storage::{DiskFile, Open, is_full};
use super::{Entry, Pressure, Seq, WhenFull};

/// Why a group was not committed. Nothing of it is in the journal, now or after a restart,
/// unless the disk kept bytes it said it had not.
#[derive(Debug)]
pub(super) enum CommitError {
    /// No room by quota or on the disk.
    Full,
    /// The disk failed in every attempt.
    Failed(io::Error),
}

/// An entry and where it came from.
pub(super) type Item<'a> = (&'a Entry, Origin);

/// The writing half.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) shared: Arc<Shared>,
    pub(super) active: Option<Active>,
    pub(super) spare: Option<(u64, Arc<dyn DiskFile>)>,
    pub(super) next_number: u64,
    pub(super) next_seq: Seq,
    /// What the next segment's header will say.
    pub(super) previous: Previous,
    pub(super) mark: Slots,
    pub(super) packer: Packer,
}

/// The segment being written.
#[derive(Debug)]
pub(super) struct Active {
    number: u64,
    id: u64,
    file: Arc<dyn DiskFile>,
    first_seq: Seq,
    durable: Progress,
    written: Progress,
}

/// How far a segment is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub end: u64,
    pub tip: Hash,
    pub tree: Tree,
    pub first_at_us: i64,
    pub last_at_us: i64,
}

/// Buffers that live from frame to frame.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    /// Header room and stored body, contiguous for one write.
    out: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

/// A frame whose body is packed; the header's place in the chain is still open.
struct Draft {
    kind: Kind,
    encoding: Encoding,
    raw_bytes: u32,
    first_seq: Seq,
    events: u32,
    entries: u32,
    at_us: i64,
    body_crc: u32,
}

impl Packer {
    pub(super) fn new() -> io::Result<Packer> {
        // Level 1: ten to one on event XML; higher levels cost twice the CPU for nothing (docs/adr/0001-journal.md).
        Ok(Packer {
            compressor: zstd::bulk::Compressor::new(1)?,
            out: Vec::new(),
        })
    }

    /// Packs a body behind room for its header.
    fn pack(
        &mut self,
        kind: Kind,
        raw: &[u8],
        first_seq: Seq,
        counts: (u32, u32),
        at_us: i64,
    ) -> io::Result<Draft> {
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        self.out.resize(HEADER_BYTES + bound, 0);
        let stored = self
            .compressor
            .compress_to_buffer(raw, &mut self.out[HEADER_BYTES..])?;
        let encoding = if stored < raw.len() {
            self.out.truncate(HEADER_BYTES + stored);
            Encoding::Zstd
        } else {
            self.out.truncate(HEADER_BYTES);
            self.out.extend_from_slice(raw);
            Encoding::Plain
        };
        let (events, entries) = counts;
        let body_crc = crc32c::crc32c(&self.out[HEADER_BYTES..]);
        Ok(Draft {
            kind,
            encoding,
            raw_bytes: raw.len() as u32,
            first_seq,
            events,
            entries,
            at_us,
            body_crc,
        })
    }
}

impl Active {
    /// Writes the packed frame behind the last one; not yet durable.
    fn write(&mut self, draft: &Draft, out: &mut [u8]) -> io::Result<()> {
        let header = Header {
            kind: draft.kind,
            encoding: draft.encoding,
            stored_bytes: (out.len() - HEADER_BYTES) as u32,
            raw_bytes: draft.raw_bytes,
            first_seq: draft.first_seq,
            events: draft.events,
            entries: draft.entries,
            committed_at_us: draft.at_us,
            segment_id: self.id,
            index: self.written.tree.leaves() as u32,
            body_crc: draft.body_crc,
            previous_hash: self.written.tip,
        }
        .encode();
        out[..HEADER_BYTES].copy_from_slice(&header);
        self.file.write_all_at(out, self.written.end)?;
        let hash = frame::hash(&header, &out[HEADER_BYTES..]);
        if self.written.tree.leaves() == 0 {
            self.written.first_at_us = draft.at_us;
        }
        self.written.tree.push(&hash);
        self.written.tip = hash;
        self.written.end += out.len() as u64;
        self.written.last_at_us = draft.at_us;
        Ok(())
    }
}

/// What went wrong with a segment, and what that means for its file.
enum Trouble {
    /// No room: what was written beyond the durable end is cut off; the file stays good.
    Full,
    /// The file is not to be written again.
    Broken(io::Error),
}

impl Log {
    /// Writes a group as one frame and returns when it is durable: the first sequence.
    pub(super) fn commit(&mut self, group: &[Item<'_>], at_us: i64) -> Result<Seq, CommitError> {
        let mut raw = Vec::with_capacity(group.iter().map(|(e, _)| e.body.len() + 64).sum());
        let mut events = 0;
        for (entry, origin) in group {
            frame::encode_entry(
                &mut raw,
                &entry.body,
                entry.events,
                *origin,
                entry.state.as_ref(),
            );
            events += entry.events;
        }
        let own = group.iter().all(|(_, origin)| *origin == Origin::Own);
        self.make_room(
            raw.len() as u64,
            if own { Origin::Own } else { Origin::Source },
            at_us,
        )?;
        let changes = group.iter().filter_map(|(entry, _)| entry.state.as_ref());
        self.commit_raw(raw, (events, group.len() as u32), changes, at_us)
    }

    fn commit_raw<'a>(
        &mut self,
        raw: Vec<u8>,
        counts: (u32, u32),
        changes: impl Iterator<Item = &'a StateChange>,
        at_us: i64,
    ) -> Result<Seq, CommitError> {
        let mut last = None;
        for _ in 0..COMMIT_ATTEMPTS {
            match self.try_commit(&raw, counts, at_us) {
                Ok(()) => {
                    let first_seq = self.next_seq;
                    self.publish(raw, counts, changes, at_us);
                    return Ok(first_seq);
                }
                Err(Trouble::Full) => {
                    self.shared.pressure.send_replace(Pressure::Full);
                    return Err(CommitError::Full);
                }
                Err(Trouble::Broken(error)) => {
                    tracing::error!(%error, "journal segment given up after a failed write; the frame goes to a new one");
                    self.shared.metrics.poisoned_segments.inc();
                    last = Some(error);
                }
            }
        }
        Err(CommitError::Failed(
            last.unwrap_or_else(|| io::ErrorKind::Other.into()),
        ))
    }

    fn try_commit(&mut self, raw: &[u8], counts: (u32, u32), at_us: i64) -> Result<(), Trouble> {
        let is_full_segment = self
            .active
            .as_ref()
            .is_none_or(|a| a.durable.end >= self.shared.options.segment_bytes);
        if is_full_segment {
            self.seal(at_us)?;
            self.begin_segment(at_us)?;
        }
        let packer = &mut self.packer;
        let draft = packer
            .pack(Kind::Entries, raw, self.next_seq, counts, at_us)
            .map_err(Trouble::Broken)?;
        let Some(active) = &mut self.active else {
            return Err(Trouble::Full);
        };
        let written = active.write(&draft, &mut packer.out);
        self.settle(written)?;
        self.sync()
    }

    /// Makes what was written durable. A failure ends the segment, whatever the error: the
    /// kernel may have dropped the pages and would call the next sync a success.
    fn sync(&mut self) -> Result<(), Trouble> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let begun = Instant::now();
        let outcome = active.file.sync_data();
        self.shared.metrics.fsyncs.inc();
        self.shared
            .metrics
            .fsync_seconds
            .observe(begun.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => {
                active.durable = active.written.clone();
                Ok(())
            }
            Err(error) => {
                self.abandon();
                Err(Trouble::Broken(error))
            }
        }
    }

    /// Sorts a failed write: no room leaves the file good, anything else ends it.
    fn settle(&mut self, outcome: io::Result<()>) -> Result<(), Trouble> {
        let Err(error) = outcome else { return Ok(()) };
        if !is_full(&error) {
            self.abandon();
            return Err(Trouble::Broken(error));
        }
        let Some(active) = &mut self.active else {
            return Err(Trouble::Full);
        };
        active.written = active.durable.clone();
        if active.durable.end == 0 {
            // Nothing in it is durable: its file waits for the next try.
            let cut = active.file.set_len(0);
            if let (Ok(()), Some(active)) = (cut, self.active.take()) {
                self.spare = Some((active.number, active.file));
            }
        } else if let Err(error) = active.file.set_len(active.durable.end) {
            tracing::warn!(%error, "journal segment could not be cut back after the disk was full");
        }
        Err(Trouble::Full)
    }

    /// Gives the active segment up without another write to its file.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else {
            return;
        };
        if active.durable.end == 0 {
            let path = self.shared.dir().join(file_name(active.number));
            if let Err(error) = self.shared.disk.remove(&path) {
                tracing::warn!(%error, segment = active.number, "unused journal segment could not be removed");
            }
            return;
        }
        self.close_segment(&active);
    }

    fn close_segment(&mut self, active: &Active) {
        self.previous = Previous {
            number: active.number,
            id: active.id,
            end: active.durable.end,
            hash: active.durable.tip,
            root: self.previous.root,
        };
        let allocated = self
            .shared
            .disk
            .allocated(&self.shared.dir().join(file_name(active.number)));
        let mut catalog = lock(&self.shared.catalog);
        if let Some(segment) = catalog.segments.get_mut(&active.number) {
            segment.end = active.durable.end;
            segment.phase = Phase::Closed;
            segment.allocated = allocated.unwrap_or(active.durable.end);
        }
    }

    /// Writes the active segment's signed footer and closes it.
    fn seal(&mut self, at_us: i64) -> Result<(), Trouble> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let seal = Seal {
            segment: active.number,
            segment_id: active.id,
            journal_id: self.shared.journal_id,
            first_seq: active.first_seq,
            end_seq: self.next_seq,
            frames: active.durable.tree.leaves(),
            first_at_us: active.durable.first_at_us,
            last_at_us: active.durable.last_at_us,
            by: SealedBy::Writer,
            root: active.durable.tree.root(),
            previous_root: self.previous.root,
            public_key: self.shared.signer.public_key(),
            signature: super::keys::Signature([0; super::keys::SIGNATURE_BYTES]),
        }
        .sign(&self.shared.signer);
        let packer = &mut self.packer;
        packer.out.clear();
        packer.out.resize(HEADER_BYTES, 0);
        packer.out.extend_from_slice(&seal.encode());
        let draft = Draft {
            kind: Kind::Seal,
            encoding: Encoding::Plain,
            raw_bytes: SEAL_BYTES as u32,
            first_seq: self.next_seq,
            events: 0,
            entries: 0,
            at_us,
            body_crc: crc32c::crc32c(&packer.out[HEADER_BYTES..]),
        };
        let written = active.write(&draft, &mut packer.out);
        self.settle(written)?;
        self.sync()?;
        if let Some(active) = self.active.take() {
            self.close_segment(&active);
        }
        self.previous.root = seal.root;
        self.shared.sealed.send_replace(Some(seal));
        Ok(())
    }

    /// Makes the next segment's file ready before it is needed.
    pub(super) fn prepare_spare(&mut self) {
        if self.spare.is_none()
            && let Err(error) = self.create_spare()
        {
            tracing::debug!(%error, "next journal segment could not be created yet");
        }
    }

    fn create_spare(&mut self) -> io::Result<()> {
        let number = self.next_number;
        let file = self
            .shared
            .disk
            .open(&self.shared.dir().join(file_name(number)), Open::CreateNew)?;
        self.next_number += 1;
        file.sync_data()?;
        self.shared.disk.sync_dir(self.shared.dir())?;
        self.spare = Some((number, file));
        Ok(())
    }

    /// Writes the new segment's header and the snapshot of all states; durable with the first frame.
    fn begin_segment(&mut self, at_us: i64) -> Result<(), Trouble> {
        if self.spare.is_none() {
            self.create_spare().map_err(|e| {
                if is_full(&e) {
                    Trouble::Full
                } else {
                    Trouble::Broken(e)
                }
            })?;
        }
        let Some((number, file)) = self.spare.take() else {
            return Err(Trouble::Full);
        };
        let id = rand::random();
        let header = SegmentHeader {
            number,
            id,
            journal_id: self.shared.journal_id,
            first_seq: self.next_seq,
            created_at_us: at_us,
            previous: self.previous,
        };
        let start = Progress {
            end: 0,
            tip: self.previous.hash,
            tree: Tree::default(),
            first_at_us: at_us,
            last_at_us: at_us,
        };
        let mut active = Active {
            number,
            id,
            file,
            first_seq: self.next_seq,
            durable: start.clone(),
            written: start,
        };
        let outcome = self.write_start(&mut active, &header, at_us);
        self.active = Some(active);
        self.settle(outcome)?;
        // Synced on its own, so that a whole frame always stands behind a durable start.
        self.sync()?;
        self.list_active();
        Ok(())
    }

    /// Enters the active segment into the catalogue as far as it is durable.
    fn list_active(&self) {
        let Some(active) = &self.active else { return };
        let segment = Segment {
            number: active.number,
            id: Some(active.id),
            first_seq: active.first_seq,
            end_seq: self.next_seq,
            end: active.durable.end,
            allocated: active.durable.end.next_multiple_of(4096),
            phase: Phase::Open,
        };
        lock(&self.shared.catalog)
            .segments
            .insert(active.number, segment);
    }

    fn write_start(
        &mut self,
        active: &mut Active,
        header: &SegmentHeader,
        at_us: i64,
    ) -> io::Result<()> {
        active.file.write_all_at(&header.encode(), 0)?;
        active.written.end = SEGMENT_HEADER_BYTES as u64;
        let parts = lock(&self.shared.state).snapshot();
        let count = parts.len();
        for (i, (body, pairs)) in parts.into_iter().enumerate() {
            let kind = Kind::Snapshot {
                last: i + 1 == count,
            };
            let draft = self
                .packer
                .pack(kind, &body, self.next_seq, (0, pairs), at_us)?;
            active.write(&draft, &mut self.packer.out)?;
        }
        Ok(())
    }

    /// Shows the durable frame to everybody.
    fn publish<'a>(
        &mut self,
        raw: Vec<u8>,
        counts: (u32, u32),
        changes: impl Iterator<Item = &'a StateChange>,
        at_us: i64,
    ) {
        let (events, entries) = counts;
        let first_seq = self.next_seq;
        self.next_seq += Seq::from(events);
        let metrics = self.shared.metrics.clone();
        metrics.frames.inc();
        metrics.events.inc_by(u64::from(events));
        metrics.bytes.inc_by(self.packer.out.len() as u64);
        metrics.raw_bytes.inc_by(raw.len() as u64);
        {
            let mut state = lock(&self.shared.state);
            changes.for_each(|change| state.apply(change));
        }
        self.list_active();
        self.write_mark();
        if events > 0 && !lock(&self.shared.cursors).is_empty() {
            self.keep_hot(raw, first_seq, (events, entries), at_us);
        }
        metrics.durable_sequence.set((self.next_seq - 1) as i64);
        self.shared.durable.send_replace(self.next_seq - 1);
        self.publish_pressure();
    }

    fn keep_hot(&self, raw: Vec<u8>, first_seq: Seq, (events, entries): (u32, u32), at_us: i64) {
        let header = Header {
            kind: Kind::Entries,
            encoding: Encoding::Plain,
            stored_bytes: raw.len() as u32,
            raw_bytes: raw.len() as u32,
            first_seq,
            events,
            entries,
            committed_at_us: at_us,
            segment_id: 0,
            index: 0,
            body_crc: 0,
            previous_hash: [0; 32],
        };
        let bytes = raw.capacity();
        if let Ok(entries) = frame::decode_entries(&header, Bytes::from(raw)) {
            lock(&self.shared.hot).push(to_frame(&header, entries, first_seq, None), bytes);
        }
    }

    /// Notes how far data is durable: for a reader in another process at once, after a power
    /// cut as far as it was synced ([`Log::sync_mark`]). It never runs ahead of the data.
    fn write_mark(&mut self) {
        let Some(active) = &self.active else { return };
        let mark = Mark {
            segment: active.number,
            id: active.id,
            end: active.durable.end,
            next_seq: self.next_seq,
        };
        if let Err(error) = self.mark.write(&mark.encode()) {
            tracing::warn!(%error, "journal's durable mark could not be written");
        }
    }

    /// The file of the durable mark, to sync from another thread.
    pub(super) fn mark_file(&self) -> Arc<dyn DiskFile> {
        self.mark.file()
    }

    /// Seals what is open and syncs the mark. The journal can be opened again without it.
    pub(super) fn close(&mut self, at_us: i64) {
        for _ in 0..COMMIT_ATTEMPTS {
            match self.seal(at_us) {
                Ok(()) => break,
                Err(Trouble::Full) => {
                    tracing::warn!(
                        "no room for the last segment's seal; it is sealed at the next start"
                    );
                    break;
                }
                Err(Trouble::Broken(error)) => {
                    tracing::warn!(%error, "last journal segment could not be sealed")
                }
            }
        }
        if let Some((number, file)) = self.spare.take() {
            drop(file);
            let _ = self
                .shared
                .disk
                .remove(&self.shared.dir().join(file_name(number)));
        }
        if let Err(error) = self.mark.sync() {
            tracing::warn!(%error, "journal's durable mark could not be synced");
        }
    }

    fn used(&self) -> u64 {
        lock(&self.shared.catalog).allocated()
    }

    fn limit(&self, origin: Origin) -> u64 {
        let options = &self.shared.options;
        match origin {
            Origin::Own => options.quota_bytes,
            Origin::Source => options.quota_bytes - options.reserved_bytes,
        }
    }

    /// Makes sure a frame of at most this size fits under the quota.
    fn make_room(&mut self, bytes: u64, origin: Origin, at_us: i64) -> Result<(), CommitError> {
        let wanted = bytes + HEADER_BYTES as u64;
        let limit = self.limit(origin);
        if self.used() + wanted <= limit {
            return Ok(());
        }
        self.retire(at_us)?;
        while self.used() + wanted > limit {
            if self.shared.options.when_full == WhenFull::Block || !self.drop_oldest(at_us)? {
                self.shared.pressure.send_replace(Pressure::Full);
                return Err(CommitError::Full);
            }
        }
        Ok(())
    }

    /// Removes closed segments that every sink is done with, all but the newest few.
    pub(super) fn retire(&mut self, at_us: i64) -> Result<(), CommitError> {
        let Some(floor) = self.shared.floor() else {
            return Ok(());
        };
        let done: Vec<Segment> = {
            let catalog = lock(&self.shared.catalog);
            let closed: Vec<&Segment> = catalog
                .segments
                .values()
                .filter(|s| s.phase == Phase::Closed)
                .collect();
            let most = closed
                .len()
                .saturating_sub(self.shared.options.keep_segments);
            closed
                .into_iter()
                .take(most)
                .take_while(|s| s.end_seq <= floor + 1)
                .cloned()
                .collect()
        };
        let (Some(first), Some(last)) = (done.first(), done.last()) else {
            return Ok(());
        };
        let gap = Gap {
            first_seq: first.first_seq,
            last_seq: last.end_seq.saturating_sub(1),
            reason: GapReason::Delivered,
        };
        if gap.last_seq >= gap.first_seq {
            self.record(gap, at_us)?;
        }
        self.unlink(&done);
        self.publish_pressure();
        Ok(())
    }

    /// Drops the oldest closed segment, on record; `false` if there is none.
    fn drop_oldest(&mut self, at_us: i64) -> Result<bool, CommitError> {
        let oldest = lock(&self.shared.catalog).segments.values().next().cloned();
        let oldest = match oldest {
            Some(segment) if segment.phase == Phase::Closed => segment,
            Some(_) => {
                // Only the open segment is left: it becomes droppable by being closed.
                let sealed = self.seal(at_us);
                return Ok(sealed.is_ok());
            }
            None => return Ok(false),
        };
        let delivered_to = self.shared.floor().unwrap_or(0);
        let first_lost = oldest.first_seq.max(delivered_to + 1);
        if first_lost < oldest.end_seq {
            let gap = Gap {
                first_seq: first_lost,
                last_seq: oldest.end_seq - 1,
                reason: GapReason::Dropped,
            };
            self.record(gap, at_us)?;
            self.shared
                .metrics
                .dropped_events
                .inc_by(oldest.end_seq - first_lost);
            tracing::warn!(
                first = gap.first_seq,
                last = gap.last_seq,
                "journal full: oldest events dropped"
            );
            lock(&self.shared.catalog).dropped_to = gap.last_seq;
        }
        self.unlink(&[oldest]);
        Ok(true)
    }

    /// Puts a gap on signed record before anything is removed.
    fn record(&mut self, gap: Gap, at_us: i64) -> Result<(), CommitError> {
        let changes: Vec<StateChange> = {
            let state = lock(&self.shared.state);
            loss::record(
                &state,
                gap,
                at_us,
                self.shared.journal_id,
                &self.shared.signer,
            )
            .into_iter()
            .map(|(key, value)| StateChange { key, value })
            .collect()
        };
        let mut raw = Vec::new();
        for change in &changes {
            frame::encode_entry(&mut raw, &[], 0, Origin::Own, Some(change));
        }
        self.commit_raw(raw, (0, changes.len() as u32), changes.iter(), at_us)?;
        Ok(())
    }

    fn unlink(&mut self, segments: &[Segment]) {
        let dir = self.shared.dir().clone();
        for segment in segments {
            lock(&self.shared.catalog).segments.remove(&segment.number);
            // One folder sync each: after a crash the oldest are gone first, never one from the middle.
            let outcome = self
                .shared
                .disk
                .remove(&dir.join(file_name(segment.number)))
                .and_then(|()| self.shared.disk.sync_dir(&dir));
            if let Err(error) = outcome {
                tracing::warn!(%error, segment = segment.number, "journal segment could not be removed");
            }
        }
    }

    fn publish_pressure(&self) {
        let used = self.used();
        let limit = self.limit(Origin::Source);
        let metrics = &self.shared.metrics;
        metrics.used_bytes.set(used as i64);
        metrics
            .quota_bytes
            .set(self.shared.options.quota_bytes as i64);
        let pressure = Pressure::of(used, limit);
        self.shared.pressure.send_if_modified(|old| {
            let changed = *old != pressure;
            *old = pressure;
            changed
        });
    }
}

/// How far data was durable when the mark was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the segment.
    pub segment: u64,
    /// Its random number.
    pub id: u64,
    /// The byte after the last durable frame.
    pub end: u64,
    /// The sequence to come.
    pub next_seq: Seq,
}

impl Mark {
    /// The slot's value.
    pub(super) fn encode(&self) -> [u8; 32] {
        let mut out = [0; 32];
        let mut put = frame::Put {
            out: &mut out,
            at: 0,
        };
        for field in [self.segment, self.id, self.end, self.next_seq] {
            put.bytes(&field.to_le_bytes());
        }
        out
    }

    /// Reads a slot's value.
    pub(super) fn decode(bytes: &[u8]) -> Option<Mark> {
        let mut get = frame::Get::new(bytes);
        Some(Mark {
            segment: get.u64()?,
            id: get.u64()?,
            end: get.u64()?,
            next_seq: get.u64()?,
        })
    }
}
