//! Room: the quota and its policies, what may be removed, and what is put on record before.

use std::io;

use super::catalog::{Phase, Segment, lock};
use super::frame::{self, HEADER_BYTES, Origin, StateChange};
use super::limits::{BALLAST_BYTES, PROBE_BYTES};
use super::log::{CommitError, Log};
use super::loss::{self, Gap, GapReason, Loss};
use super::pack::Counts;
use super::segment::{SEGMENT_HEADER_BYTES, SealedBy, file_name};
use super::shared::Shared;
use super::storage::Open;
use super::{Pressure, WhenFull};

/// Blocks kept so that a full disk still takes the records that say so.
const BALLAST_FILE: &str = "ballast";
/// Written and removed again to see whether a disk that was full has room.
const PROBE_FILE: &str = "probe";

/// The ballast file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ballast {
    /// Its blocks are there.
    Held,
    /// It was given up, or there was no room for it.
    Gone,
}

impl Ballast {
    /// Makes the file, if the disk has room for it.
    pub(super) fn hold(shared: &Shared) -> Ballast {
        let bytes = BALLAST_BYTES.min(shared.options.reserved_bytes);
        match write_zeros(shared, BALLAST_FILE, bytes) {
            Ok(()) => Ballast::Held,
            Err(error) => {
                tracing::debug!(%error, "no room for the journal's ballast");
                let _ = shared.disk.remove(&shared.dir().join(BALLAST_FILE));
                Ballast::Gone
            }
        }
    }

    /// Gives the blocks back to the disk; `false` if there were none.
    pub(super) fn release(&mut self, shared: &Shared) -> bool {
        if *self == Ballast::Gone {
            return false;
        }
        *self = Ballast::Gone;
        let removed = shared.disk.remove(&shared.dir().join(BALLAST_FILE));
        removed.is_ok()
    }
}

fn write_zeros(shared: &Shared, name: &str, bytes: u64) -> io::Result<()> {
    let file = shared.disk.open(&shared.dir().join(name), Open::Create)?;
    if file.bytes()? == bytes {
        return Ok(());
    }
    file.set_len(0)?;
    let zeros = vec![0; 64 << 10];
    let mut at = 0;
    while at < bytes {
        let part = (bytes - at).min(zeros.len() as u64);
        file.write_all_at(&zeros[..part as usize], at)?;
        at += part;
    }
    file.sync_data()
}

impl Log {
    /// Bytes of all segments on disk.
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
    pub(super) fn make_room(
        &mut self,
        bytes: u64,
        origin: Origin,
        at_us: i64,
    ) -> Result<(), CommitError> {
        let wanted = bytes + HEADER_BYTES as u64 + self.start_bytes();
        let limit = self.limit(origin);
        if self.used() + wanted <= limit {
            return Ok(());
        }
        self.retire(at_us)?;
        // Dropping writes a record each time: more rounds than segments lead nowhere.
        let mut rounds = lock(&self.shared.catalog).segments.len() + 2;
        while self.used() + wanted > limit {
            rounds -= 1;
            let may_drop = self.shared.options.when_full == WhenFull::DropOldest && rounds > 0;
            if !may_drop || !self.drop_oldest(at_us)? {
                return Err(CommitError::Full);
            }
        }
        Ok(())
    }

    /// Bytes that a new segment begins with, if the next frame needs one: as many as the last one
    /// began with, and more by as much as the states have grown.
    fn start_bytes(&self) -> u64 {
        if !self.needs_segment() {
            return 0;
        }
        let state_bytes = lock(&self.shared.state).bytes() as u64;
        let (then, stored) = self.snapshot;
        stored.max(SEGMENT_HEADER_BYTES as u64) + state_bytes.saturating_sub(then)
    }

    /// After the disk itself was full: makes room if it can, and says whether another try makes sense.
    pub(super) fn free_disk(&mut self, origin: Origin, at_us: i64) -> bool {
        // What every sink has goes first, also what is kept while there is room.
        matches!(self.retire_but(0, at_us), Ok(true))
            || (origin == Origin::Own && self.ballast.release(&self.shared))
            || (self.shared.options.when_full == WhenFull::DropOldest
                && matches!(self.drop_oldest(at_us), Ok(true)))
    }

    /// Removes closed segments that every sink is done with, all but the newest few; whether it did.
    pub(super) fn retire(&mut self, at_us: i64) -> Result<bool, CommitError> {
        self.retire_but(self.shared.options.keep_segments, at_us)
    }

    fn retire_but(&mut self, keep: usize, at_us: i64) -> Result<bool, CommitError> {
        let Some(floor) = self.shared.floor() else {
            return Ok(false);
        };
        let done: Vec<Segment> = {
            let catalog = lock(&self.shared.catalog);
            let closed: Vec<&Segment> = catalog
                .segments
                .values()
                .filter(|s| s.phase == Phase::Closed)
                .collect();
            // The newest segment holds the states.
            let is_newest = closed.len() == catalog.segments.len();
            let most = closed
                .len()
                .saturating_sub(keep.max(usize::from(is_newest)));
            closed
                .into_iter()
                .take(most)
                .take_while(|s| s.end_seq <= floor + 1)
                .cloned()
                .collect()
        };
        let last_end = done.iter().map(|s| s.end_seq).max();
        let (Some(first), Some(last_end)) = (done.first(), last_end) else {
            return Ok(false);
        };
        let gap = Gap {
            first_seq: first.first_seq,
            last_seq: last_end - 1,
            reason: GapReason::Delivered,
        };
        if gap.first_seq <= gap.last_seq {
            self.record(gap, at_us)?;
        }
        let any = self.unlink(&done);
        self.publish_pressure();
        Ok(any)
    }

    /// Drops the oldest closed segment, on record; `false` if there is none.
    fn drop_oldest(&mut self, at_us: i64) -> Result<bool, CommitError> {
        let oldest = lock(&self.shared.catalog).segments.values().next().cloned();
        let oldest = match oldest {
            Some(segment) if segment.phase == Phase::Closed => segment,
            // Only the open segment is left: it becomes droppable by being closed.
            Some(segment) if segment.end_seq > segment.first_seq => {
                return Ok(self.seal(SealedBy::Writer, at_us).is_ok());
            }
            _ => return Ok(false),
        };
        let delivered_to = self.shared.floor().unwrap_or(0);
        let first_lost = oldest.first_seq.max(delivered_to + 1);
        if oldest.first_seq < first_lost.min(oldest.end_seq) {
            let last_seq = first_lost.min(oldest.end_seq) - 1;
            self.record(
                Gap {
                    first_seq: oldest.first_seq,
                    last_seq,
                    reason: GapReason::Delivered,
                },
                at_us,
            )?;
        }
        if first_lost < oldest.end_seq {
            let gap = Gap {
                first_seq: first_lost,
                last_seq: oldest.end_seq - 1,
                reason: GapReason::Dropped,
            };
            self.record(gap, at_us)?;
        }
        let dropped = oldest.end_seq.saturating_sub(first_lost);
        if !self.unlink(&[oldest]) {
            return Ok(false);
        }
        if dropped > 0 {
            self.shared.metrics.dropped_events.inc_by(dropped);
            let last = first_lost + dropped - 1;
            tracing::warn!(
                first = first_lost,
                last,
                "journal full: oldest events dropped"
            );
        }
        Ok(true)
    }

    /// Puts gaps that readers met on signed record; those that find no room wait for the next time.
    pub(super) fn record_noticed(&mut self, at_us: i64) {
        let noticed = std::mem::take(&mut *lock(&self.shared.noticed));
        let mut left = noticed.into_iter();
        while let Some(gap) = left.next() {
            if self.record(gap, at_us).is_err() {
                tracing::warn!(
                    first = gap.first_seq,
                    last = gap.last_seq,
                    "loss could not be put on record yet"
                );
                let mut waiting: Vec<Gap> = std::iter::once(gap).chain(left).collect();
                let mut noticed = lock(&self.shared.noticed);
                noticed.retain(|newer| !waiting.contains(newer));
                waiting.append(&mut noticed);
                *noticed = waiting;
                return;
            }
            let events = gap.last_seq - gap.first_seq + 1;
            self.shared.metrics.damaged_events.inc_by(events);
        }
    }

    /// Puts a gap on signed record before anything is removed, unless it is.
    fn record(&mut self, gap: Gap, at_us: i64) -> Result<(), CommitError> {
        let known = lock(&self.shared.catalog)
            .gaps
            .iter()
            .any(|g| g.holds(&gap));
        if known {
            return Ok(());
        }
        let changes: Vec<StateChange> = {
            let state = lock(&self.shared.state);
            loss::record(
                &state,
                gap,
                at_us,
                self.shared.journal_id,
                &self.shared.signer,
            )
        };
        match self.commit_changes(&changes, at_us) {
            Err(CommitError::Full) => {
                // That room is for records that make room.
                let frees = matches!(gap.reason, GapReason::Delivered | GapReason::Dropped);
                if !frees || !self.record_aside(&changes) {
                    if !self.ballast.release(&self.shared) {
                        return Err(CommitError::Full);
                    }
                    self.commit_changes(&changes, at_us)?;
                }
            }
            outcome => drop(outcome?),
        }
        self.shared.list_gaps();
        Ok(())
    }

    fn commit_changes(&mut self, changes: &[StateChange], at_us: i64) -> Result<(), CommitError> {
        let mut raw = Vec::new();
        for change in changes {
            frame::encode_entry(&mut raw, &[], 0, Origin::Own, Some(change));
        }
        let counts = Counts {
            events: 0,
            entries: changes.len() as u32,
        };
        self.commit_raw(&mut raw, counts, changes.iter(), at_us)?;
        Ok(())
    }

    /// Puts a record where its blocks are kept ready: whoever makes room must say what it costs
    /// before there is any. The next segment's snapshot takes it in; `false` if it is not there.
    fn record_aside(&mut self, changes: &[StateChange]) -> bool {
        let new = changes
            .iter()
            .find_map(|change| Loss::decode(change.value.as_deref()?));
        let (Some(new), Some(file)) = (new, &mut self.aside_file) else {
            return false;
        };
        // The newest segment holds the states: without another one it has to stay.
        if lock(&self.shared.catalog).segments.len() < 2 {
            return false;
        }
        let mut aside = self.aside.clone();
        aside.retain(|old| !new.gap.holds(&old.gap));
        aside.push(new);
        if aside.len() > loss::ASIDE_RECORDS {
            return false;
        }
        if let Err(error) = file.store(&loss::encode_aside(&aside)) {
            tracing::warn!(%error, "record of a loss could not be written");
            return false;
        }
        self.aside = aside;
        let mut state = lock(&self.shared.state);
        changes.iter().for_each(|change| state.apply(change));
        true
    }

    /// Removes segments, oldest first; whether any is gone. One that cannot be removed stays
    /// listed, so that it counts and is tried again, and ends the round: a gap in the middle
    /// would look like a theft.
    fn unlink(&mut self, segments: &[Segment]) -> bool {
        let dir = self.shared.dir().clone();
        let mut any = false;
        for segment in segments {
            // Out of the list first: a reader that finds it there opens it.
            lock(&self.shared.catalog).segments.remove(&segment.number);
            // One folder sync each: after a crash the oldest are gone first, never one from the middle.
            let path = dir.join(file_name(segment.number));
            if let Err(error) = self.shared.disk.remove(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, segment = segment.number, "journal segment could not be removed yet");
                let mut catalog = lock(&self.shared.catalog);
                catalog.segments.insert(segment.number, segment.clone());
                break;
            }
            any = true;
            self.refused = false;
            if let Err(error) = self.shared.disk.sync_dir(&dir) {
                tracing::warn!(%error, segment = segment.number, "removal of a journal segment may not outlast a crash");
            }
        }
        any
    }

    /// After an append was refused because the disk was full: looks whether it still is, so that
    /// whoever goes by what the journal says of itself comes back.
    pub(super) fn look_for_room(&mut self) {
        if !self.refused || self.used() + PROBE_BYTES > self.limit(Origin::Source) {
            return;
        }
        let probed = write_zeros(&self.shared, PROBE_FILE, PROBE_BYTES);
        let removed = self.shared.disk.remove(&self.shared.dir().join(PROBE_FILE));
        if probed.is_ok() && removed.is_ok() {
            self.refused = false;
            self.publish_pressure();
        }
    }

    /// Tells how full the journal is.
    pub(super) fn publish_pressure(&self) {
        let used = self.used();
        let metrics = &self.shared.metrics;
        metrics.used_bytes.set(used as i64);
        metrics
            .quota_bytes
            .set(self.shared.options.quota_bytes as i64);
        let limit = self.limit(Origin::Source);
        self.shared.pressure.send_if_modified(|old| {
            let new = match self.refused {
                true => Pressure::Full,
                false => old.then(used, limit),
            };
            std::mem::replace(old, new) != new
        });
    }
}
