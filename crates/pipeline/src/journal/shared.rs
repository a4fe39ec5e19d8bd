//! What the writer, the cursors and the callers share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::catalog::{Catalog, lock};
use super::cursor::{CursorFile, LostCursor};
use super::keys::Signer;
use super::limits::{HOT_BYTES, MAX_DAMAGED_BYTES, MAX_LOSSES, MAX_STATE_BYTES, MAX_STATE_SHARE};
use super::loss::{self, Gap};
use super::metrics::{CursorLabel, JournalMetrics};
use super::reader::BadRange;
use super::scan::Bad;
use super::segment::{Seal, file_name};
use super::state::State;
use super::storage::{Disk, Open};
use super::{Frame, JournalOptions, Pressure, Seq};

/// Folder of the cursors' files.
pub(super) const CURSORS_DIR: &str = "cursors";
/// Folder of the copies of damaged ranges.
pub(super) const DAMAGED_DIR: &str = "damaged";
/// Folder of the signing key.
pub(super) const KEYS_DIR: &str = "keys";

/// Shared by everything that belongs to one open journal.
#[derive(Debug)]
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub options: JournalOptions,
    pub journal_id: [u8; 16],
    pub signer: Signer,
    pub catalog: Arc<Mutex<Catalog>>,
    pub state: Mutex<State>,
    pub cursors: Mutex<BTreeMap<String, Arc<CursorFile>>>,
    /// Damaged cursors not opened since: nothing is removed while there is one.
    pub lost_cursors: Mutex<BTreeSet<LostCursor>>,
    /// Last durable sequence.
    pub durable: watch::Sender<Seq>,
    pub pressure: watch::Sender<Pressure>,
    /// The last sealed segment's seal.
    pub sealed: watch::Sender<Option<Seal>>,
    pub hot: Mutex<Hot>,
    pub closed: AtomicBool,
    /// Gaps that readers met and that are not on record yet.
    pub(super) noticed: Mutex<Vec<Gap>>,
    /// Ranges already reported.
    pub reported: Mutex<BTreeMap<(u64, u64), u64>>,
    pub metrics: JournalMetrics,
}

impl Shared {
    pub(super) fn dir(&self) -> &PathBuf {
        &self.options.dir
    }

    /// Bytes that all keys and values may be together.
    pub(super) fn state_limit(&self) -> usize {
        let share = self.options.quota_bytes / MAX_STATE_SHARE;
        usize::try_from(share).map_or(MAX_STATE_BYTES, |share| share.min(MAX_STATE_BYTES))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The last sequence every sink is done with; `None` without any cursor.
    pub(super) fn floor(&self) -> Option<Seq> {
        if !lock(&self.lost_cursors).is_empty() {
            return Some(0);
        }
        lock(&self.cursors)
            .values()
            .map(|c| c.synced_position())
            .min()
    }

    /// Bytes a segment occupies on disk.
    pub(super) fn allocated(&self, number: u64) -> io::Result<u64> {
        self.disk.allocated(&self.dir().join(file_name(number)))
    }

    /// Tells readers what is on record as gone.
    pub(super) fn list_gaps(&self) {
        let gaps = loss::all(&lock(&self.state))
            .into_iter()
            .map(|loss| loss.gap)
            .collect();
        lock(&self.catalog).gaps = gaps;
    }

    /// Notes a gap that a reader met, unless it is on record.
    pub(super) fn notice(&self, gap: Gap) {
        let on_record = lock(&self.catalog)
            .gaps
            .iter()
            .any(|g| g.first_seq <= gap.first_seq && gap.last_seq <= g.last_seq);
        let mut noticed = lock(&self.noticed);
        if !on_record && !noticed.contains(&gap) && noticed.len() < MAX_LOSSES {
            noticed.push(gap);
        }
    }

    /// Brings the gauges of every cursor up to date, while none of them can be removed.
    pub(super) fn publish_lag(&self) {
        let durable = *self.durable.borrow();
        for (sink, cursor) in lock(&self.cursors).iter() {
            let lag = durable.saturating_sub(cursor.position());
            self.metrics
                .cursor_lag
                .get_or_create(&CursorLabel { sink: sink.clone() })
                .set(lag as i64);
        }
    }

    /// Counts a bad range once, however many sinks meet it, and copies its bytes aside.
    pub(super) fn report(&self, range: &BadRange) -> Option<PathBuf> {
        let key = (range.segment, range.bad.from);
        if lock(&self.reported).insert(key, range.bad.to).is_some() {
            return None;
        }
        self.metrics.damaged_ranges.inc();
        let copy = self.copy_aside(range.segment, &range.bad);
        tracing::error!(
            segment = range.segment,
            from = range.bad.from,
            to = range.bad.to,
            "journal segment has damaged bytes; they are skipped and copied to {DAMAGED_DIR}/"
        );
        copy
    }

    fn copy_aside(&self, segment: u64, bad: &Bad) -> Option<PathBuf> {
        let dir = self.dir().join(DAMAGED_DIR);
        let kept: u64 = self
            .disk
            .list(&dir)
            .ok()?
            .iter()
            .filter_map(|name| self.disk.allocated(&dir.join(name)).ok())
            .sum();
        if kept + (bad.to - bad.from) > MAX_DAMAGED_BYTES {
            tracing::warn!(segment, "no room in {DAMAGED_DIR}/ for another copy");
            return None;
        }
        let path = dir.join(format!("{segment:016x}-{:08x}.bin", bad.from));
        let from = self
            .disk
            .open(&self.dir().join(file_name(segment)), Open::Read)
            .ok()?;
        let mut bytes = vec![0; usize::try_from(bad.to - bad.from).ok()?];
        let read = from.read_at(&mut bytes, bad.from).ok()?;
        let to = self.disk.open(&path, Open::Create).ok()?;
        to.write_all_at(&bytes[..read], 0).ok()?;
        to.sync_data().ok()?;
        self.disk.sync_dir(&dir).ok()?;
        Some(path)
    }
}

/// The newest frames, decoded, for sinks that are close to the head.
#[derive(Debug, Default)]
pub(super) struct Hot {
    frames: VecDeque<(Frame, usize)>,
    bytes: usize,
}

impl Hot {
    /// Adds the newest frame.
    pub(super) fn push(&mut self, frame: Frame, bytes: usize) {
        self.frames.push_back((frame, bytes));
        self.bytes += bytes;
        while self.bytes > HOT_BYTES {
            let Some((_, bytes)) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= bytes;
        }
    }

    /// The frame that begins with a sequence.
    pub(super) fn get(&self, first_seq: Seq) -> Option<Frame> {
        let at = self
            .frames
            .binary_search_by_key(&first_seq, |(frame, _)| frame.first_seq)
            .ok()?;
        self.frames.get(at).map(|(frame, _)| frame.clone())
    }

    /// When the frame was committed that holds a sequence.
    pub(super) fn committed_at(&self, seq: Seq) -> Option<jiff::Timestamp> {
        let after = self
            .frames
            .partition_point(|(frame, _)| frame.first_seq <= seq);
        let (frame, _) = self.frames.get(after.checked_sub(1)?)?;
        (seq < frame.end_seq).then_some(frame.committed_at)
    }
}
