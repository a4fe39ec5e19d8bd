//! The writer's side of the journal, without threads: one group in, one frame and one sync out.
//!
//! Invariants: a frame is written only after the one before it is durable, so a valid frame
//! proves that its predecessors were acknowledged; after a failed sync the file is never
//! written again; nothing is published before it is durable.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;

use super::catalog::{Phase, Segment, lock};
use super::frame::{self, Header, Kind, Origin, StateChange};
use super::limits::{COMMIT_ATTEMPTS, STATE_WARN_PERCENT};
use super::loss::Loss;
use super::mark::Mark;
use super::merkle::Tree;
use super::pack::{Active, Counts, Packer, Progress};
use super::quota::Ballast;
use super::reader::to_frame;
use super::segment::{Previous, SEGMENT_HEADER_BYTES, Seal, SealedBy, SegmentHeader, file_name};
use super::shared::Shared;
use super::slots::Slots;
use super::storage::{DiskFile, Open, is_full};
use super::{Entry, Seq};

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
    /// The next segment's file, made before it is needed.
    pub(super) spare: Option<(u64, Arc<dyn DiskFile>)>,
    pub(super) next_number: u64,
    pub(super) next_seq: Seq,
    /// What the next segment's header will say.
    pub(super) previous: Previous,
    pub(super) mark: Arc<Mutex<Slots>>,
    pub(super) packer: Packer,
    pub(super) ballast: Ballast,
    /// Bytes of the states when they were last written to a segment's start, and of that start.
    pub(super) snapshot: (u64, u64),
    /// Records that are on disk in [`super::loss::ASIDE_FILE`] and in no segment yet.
    pub(super) aside: Vec<Loss>,
    /// That file; `None` if there was no room for it.
    pub(super) aside_file: Option<Slots>,
    /// The states are near their limit, and that was told.
    pub(super) warned_of_states: bool,
    /// An append was refused for want of room, and nothing says that there is room again.
    pub(super) refused: bool,
}

/// What went wrong with a segment, and what that means for its file.
pub(super) enum Trouble {
    /// No room: what was written beyond the durable end is cut off; the file stays good.
    Full,
    /// The file is not to be written again.
    Broken(io::Error),
}

impl Log {
    /// Writes a group as one frame and returns when it is durable: the first sequence.
    pub(super) fn commit(&mut self, group: &[Item<'_>], at_us: i64) -> Result<Seq, CommitError> {
        let mut raw = Vec::with_capacity(group.iter().map(|(entry, _)| entry.bytes()).sum());
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
        let origin = if own { Origin::Own } else { Origin::Source };
        let counts = Counts {
            events,
            entries: group.len() as u32,
        };
        let changes = || group.iter().filter_map(|(entry, _)| entry.state.as_ref());
        let outcome = self.commit_with_room(&mut raw, counts, changes, origin, at_us);
        match &outcome {
            // One of our own proves nothing: it may have taken the reserved room.
            Ok(_) if origin == Origin::Source => self.refused = false,
            Err(CommitError::Full) => self.refused = true,
            _ => {}
        }
        self.publish_pressure();
        outcome
    }

    /// Commits an encoded body, and makes room for it as far as the policy allows.
    fn commit_with_room<'a, C: Iterator<Item = &'a StateChange>>(
        &mut self,
        raw: &mut Vec<u8>,
        counts: Counts,
        changes: impl Fn() -> C,
        origin: Origin,
        at_us: i64,
    ) -> Result<Seq, CommitError> {
        self.make_room(raw.len() as u64, origin, at_us)?;
        loop {
            match self.commit_raw(raw, counts, changes(), at_us) {
                Err(CommitError::Full) if self.free_disk(origin, at_us) => {}
                outcome => return outcome,
            }
        }
    }

    /// Commits an encoded body; takes it only on success.
    pub(super) fn commit_raw<'a>(
        &mut self,
        raw: &mut Vec<u8>,
        counts: Counts,
        changes: impl Iterator<Item = &'a StateChange>,
        at_us: i64,
    ) -> Result<Seq, CommitError> {
        let mut last = None;
        for _ in 0..COMMIT_ATTEMPTS {
            match self.try_commit(raw, counts, at_us) {
                Ok(()) => {
                    let first_seq = self.next_seq;
                    self.publish(std::mem::take(raw), counts, changes, at_us);
                    return Ok(first_seq);
                }
                Err(Trouble::Full) => return Err(CommitError::Full),
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

    fn try_commit(&mut self, raw: &[u8], counts: Counts, at_us: i64) -> Result<(), Trouble> {
        if self.needs_segment() {
            self.seal(SealedBy::Writer, at_us)?;
            self.begin_segment(at_us)?;
        }
        let draft = self
            .packer
            .pack(Kind::Entries, raw, self.next_seq, counts, at_us)
            .map_err(Trouble::Broken)?;
        let Some(active) = &mut self.active else {
            return Err(Trouble::Full);
        };
        let written = active.write(&draft, &mut self.packer);
        self.settle(written)?;
        self.sync()
    }

    /// Whether the next frame begins a segment.
    pub(super) fn needs_segment(&self) -> bool {
        let segment_bytes = self.shared.options.segment_bytes;
        self.active
            .as_ref()
            .is_none_or(|active| active.is_done(segment_bytes))
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
        if let Err(error) = active.file.set_len(active.durable.end) {
            tracing::warn!(%error, "journal segment could not be cut back after the disk was full");
        }
        if active.durable.end == 0
            && let Some(active) = self.active.take()
        {
            // Nothing in it is durable: its file waits for the next try.
            self.spare = Some((active.number, active.file));
        }
        Err(Trouble::Full)
    }

    /// Gives the active segment up without another write to its file.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else {
            return;
        };
        if active.durable.end > 0 {
            self.close_segment(&active);
            return;
        }
        self.remove_unused(active.number);
    }

    /// Removes a segment in which nothing was committed; what stays is removed at the next start.
    fn remove_unused(&self, number: u64) {
        let path = self.shared.dir().join(file_name(number));
        if let Err(error) = self.shared.disk.remove(&path) {
            tracing::warn!(%error, segment = number, "unused journal segment could not be removed");
        }
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
            .allocated(active.number)
            .unwrap_or(active.durable.end);
        if let Some(segment) = lock(&self.shared.catalog).segments.get_mut(&active.number) {
            segment.end = active.durable.end;
            segment.phase = Phase::Closed;
            segment.allocated = allocated;
        }
    }

    /// Writes the active segment's signed footer and closes it.
    pub(super) fn seal(&mut self, by: SealedBy, at_us: i64) -> Result<(), Trouble> {
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
            by,
            root: active.durable.tree.root(),
            previous_root: self.previous.root,
            ..Seal::default()
        }
        .sign(&self.shared.signer);
        let draft = self.packer.pack_seal(&seal, at_us);
        let written = active.write(&draft, &mut self.packer);
        self.settle(written)?;
        self.sync()?;
        if let Some(active) = self.active.take() {
            self.close_segment(&active);
        }
        self.previous.root = seal.root;
        self.shared.sealed.send_replace(Some(seal));
        Ok(())
    }

    /// Seals what a run left that died; without a seal it is closed all the same.
    pub(super) fn seal_recovered(&mut self, active: Active, at_us: i64) {
        let number = active.number;
        self.active = Some(active);
        if self.seal(SealedBy::Recovery, at_us).is_err() {
            tracing::warn!(
                segment = number,
                "journal segment of the last run could not be sealed"
            );
            self.abandon();
        }
    }

    /// Makes the next segment's file, and the ballast, before they are needed.
    pub(super) fn prepare(&mut self) {
        if self.spare.is_some() {
            return;
        }
        if let Err(error) = self.create_spare() {
            tracing::debug!(%error, "next journal segment could not be created yet");
        } else if self.ballast == Ballast::Gone {
            self.ballast = Ballast::hold(&self.shared);
        }
    }

    fn create_spare(&mut self) -> io::Result<()> {
        let number = self.next_number;
        // The number is spent whatever happens: the name may be there although the call failed.
        self.next_number += 1;
        let file = self
            .shared
            .disk
            .open(&self.shared.dir().join(file_name(number)), Open::CreateNew)?;
        match file
            .sync_data()
            .and_then(|()| self.shared.disk.sync_dir(self.shared.dir()))
        {
            Ok(()) => {
                self.spare = Some((number, file));
                Ok(())
            }
            Err(error) => {
                self.remove_unused(number);
                Err(error)
            }
        }
    }

    /// Writes the new segment's header and the snapshot of all states.
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
            start: 0,
            durable: start.clone(),
            written: start,
        };
        let outcome = self.write_start(&mut active, &header, at_us);
        self.active = Some(active);
        self.settle(outcome)?;
        // Synced on its own, so that a whole frame always stands behind a durable start.
        self.sync()?;
        // Its snapshot holds what was kept aside.
        self.aside.clear();
        self.list_active();
        Ok(())
    }

    fn write_start(
        &mut self,
        active: &mut Active,
        header: &SegmentHeader,
        at_us: i64,
    ) -> io::Result<()> {
        active.file.write_all_at(&header.encode(), 0)?;
        active.written.end = SEGMENT_HEADER_BYTES as u64;
        let (parts, state_bytes) = {
            let state = lock(&self.shared.state);
            (state.snapshot(), state.bytes() as u64)
        };
        let count = parts.len();
        for (i, (body, pairs)) in parts.into_iter().enumerate() {
            let kind = Kind::Snapshot {
                last: i + 1 == count,
            };
            let counts = Counts {
                events: 0,
                entries: pairs,
            };
            let draft = self
                .packer
                .pack(kind, &body, self.next_seq, counts, at_us)?;
            active.write(&draft, &mut self.packer)?;
        }
        active.start = active.written.end;
        self.snapshot = (state_bytes, active.start);
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

    /// Shows the durable frame to everybody.
    fn publish<'a>(
        &mut self,
        raw: Vec<u8>,
        counts: Counts,
        changes: impl Iterator<Item = &'a StateChange>,
        at_us: i64,
    ) {
        let first_seq = self.next_seq;
        self.next_seq += Seq::from(counts.events);
        let metrics = &self.shared.metrics;
        metrics.frames.inc();
        metrics.events.inc_by(u64::from(counts.events));
        metrics.bytes.inc_by(self.packer.packed_bytes());
        metrics.raw_bytes.inc_by(raw.len() as u64);
        metrics.durable_sequence.set((self.next_seq - 1) as i64);
        self.change_states(changes);
        self.list_active();
        self.write_mark();
        if counts.events > 0 && !lock(&self.shared.cursors).is_empty() {
            self.keep_hot(raw, first_seq, counts, at_us);
        }
        self.shared.durable.send_replace(self.next_seq - 1);
    }

    fn change_states<'a>(&mut self, changes: impl Iterator<Item = &'a StateChange>) {
        let bytes = {
            let mut state = lock(&self.shared.state);
            changes.for_each(|change| state.apply(change));
            state.bytes()
        };
        self.shared.metrics.state_bytes.set(bytes as i64);
        let limit_bytes = self.shared.state_limit();
        let is_much = bytes > limit_bytes / 100 * STATE_WARN_PERCENT;
        if is_much && !self.warned_of_states {
            tracing::warn!(
                bytes,
                limit_bytes,
                "the journal's states come near their limit; new sources will be refused beyond it"
            );
        }
        self.warned_of_states = is_much;
    }

    fn keep_hot(&self, raw: Vec<u8>, first_seq: Seq, counts: Counts, at_us: i64) {
        let header = Header::of_decoded(first_seq, counts.events, counts.entries, at_us);
        let bytes = raw.capacity();
        if let Ok(entries) = frame::decode_entries(&header, Bytes::from(raw)) {
            lock(&self.shared.hot).push(to_frame(&header, entries, first_seq, None), bytes);
        }
    }

    /// Notes how far data is durable: for a reader in another process at once, after a power
    /// cut as far as the keeper synced it. It never runs ahead of the data.
    fn write_mark(&mut self) {
        let Some(active) = &self.active else { return };
        let (segment, id, end) = (active.number, active.id, active.durable.end);
        self.set_mark(Mark {
            segment,
            id,
            end,
            next_seq: self.next_seq,
        });
    }

    /// Notes that everything the last run left is durable.
    pub(super) fn mark_recovered(&mut self) {
        let Previous {
            number: segment,
            id,
            end,
            ..
        } = self.previous;
        if segment > 0 {
            self.set_mark(Mark {
                segment,
                id,
                end,
                next_seq: self.next_seq,
            });
        }
    }

    fn set_mark(&mut self, mark: Mark) {
        if let Err(error) = lock(&self.mark).write(&mark.encode()) {
            tracing::warn!(%error, "journal's durable mark could not be written");
        }
    }

    /// Seals what is open and syncs the mark. The journal can be opened again without it.
    pub(super) fn close(&mut self, at_us: i64) {
        for _ in 0..COMMIT_ATTEMPTS {
            match self.seal(SealedBy::Writer, at_us) {
                Ok(()) => break,
                Err(Trouble::Full) => {
                    tracing::warn!(
                        "no room for the last segment's seal; it is sealed at the next start"
                    );
                    break;
                }
                Err(Trouble::Broken(error)) => {
                    tracing::warn!(%error, "last journal segment could not be sealed");
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
        if let Err(error) = Slots::sync(&self.mark) {
            tracing::warn!(%error, "journal's durable mark could not be synced");
        }
    }
}
