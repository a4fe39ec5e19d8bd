//! Which segments there are and how far each is committed. Readers believe this and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Seq;
use super::loss::Gap;

/// Whether a segment is still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The writer may append.
    Open,
    /// It is never written again.
    Closed,
}

/// One segment as far as it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its number.
    pub number: u64,
    /// Its random number; unknown if its header is lost.
    pub id: Option<u64>,
    /// Sequence of its first event.
    pub first_seq: Seq,
    /// The sequence after its last event.
    pub end_seq: Seq,
    /// The byte after its last committed frame.
    pub end: u64,
    /// Bytes it occupies on disk.
    pub allocated: u64,
    /// Whether it is still written.
    pub phase: Phase,
}

/// All segments, by number.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// The segments.
    pub segments: BTreeMap<u64, Segment>,
    /// What is on record as gone.
    pub gaps: Vec<Gap>,
}

impl Catalog {
    /// The first segment that holds or will hold a sequence, or what comes after it.
    pub(super) fn holding(&self, seq: Seq) -> Option<&Segment> {
        self.segments
            .values()
            .find(|s| s.end_seq > seq || s.phase == Phase::Open)
    }

    /// The segment after one.
    pub(super) fn after(&self, number: u64) -> Option<&Segment> {
        self.segments.range(number + 1..).next().map(|(_, s)| s)
    }

    /// The oldest sequence that is there or to come.
    pub(super) fn oldest_seq(&self, next_seq: Seq) -> Seq {
        self.segments
            .values()
            .find(|s| s.end_seq > s.first_seq)
            .map_or(next_seq, |s| s.first_seq)
    }

    /// Bytes of all segments on disk.
    pub(super) fn allocated(&self) -> u64 {
        self.segments.values().map(|s| s.allocated).sum()
    }
}

/// Locks; a panic of another thread does not make the data worse.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
