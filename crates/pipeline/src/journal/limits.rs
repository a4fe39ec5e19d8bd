//! Every limit the journal enforces, by name.

use std::time::Duration;

/// Largest sequence and largest segment number: arithmetic on what a file claims stays far from its end.
pub const MAX_NUMBER: u64 = 1 << 62;
/// Largest decoded body of one frame.
pub const MAX_FRAME_RAW_BYTES: usize = 16 << 20;
/// Largest stored body of one frame (zstd never grows it: a body that does not shrink is stored as it is).
pub const MAX_FRAME_STORED_BYTES: usize = MAX_FRAME_RAW_BYTES;
/// Largest body of one entry, state included.
pub const MAX_ENTRY_BYTES: usize = 15 << 20;
/// Most events one frame may hold.
pub const MAX_FRAME_EVENTS: u32 = 1 << 24;
/// Most entries of one frame.
pub const MAX_FRAME_ENTRIES: u32 = 4096;
/// The writer stops gathering entries for a frame at this many bytes.
pub const GROUP_BYTES: usize = 4 << 20;
/// Longest key of a state.
pub const MAX_STATE_KEY_BYTES: usize = 1024;
/// Longest value of a state.
pub const MAX_STATE_VALUE_BYTES: usize = 1 << 20;
/// Bytes that a disk which was full must take before the journal says that it has room.
pub const PROBE_BYTES: u64 = 1 << 20;
/// Keys that have a value may exceed the limit of all states by this part of it; new ones may not.
pub const KNOWN_STATE_SHARE: usize = 4;
/// All keys and values of the state together; less where [`MAX_STATE_SHARE`] of the quota is less.
pub const MAX_STATE_BYTES: usize = 64 << 20;
/// The states are at most this part of the quota: every segment begins with all of them.
pub const MAX_STATE_SHARE: u64 = 8;
/// Percent of what the states may be from which it is told.
pub const STATE_WARN_PERCENT: usize = 80;
/// Raw bytes of one part of a state snapshot.
pub const SNAPSHOT_PART_BYTES: usize = 4 << 20;
/// Longest name of a cursor.
pub const MAX_CURSOR_NAME_BYTES: usize = 255;
/// Most cursors of one journal.
pub const MAX_CURSORS: usize = 1024;
/// Most signed loss records of one reason kept; beyond it the two that lie closest become one.
pub const MAX_LOSSES: usize = 1024;
/// How often the bytes of a damaged range are copied aside at most, by size of all copies.
pub const MAX_DAMAGED_BYTES: u64 = 64 << 20;
/// Longest time a cursor's move stays in memory only.
pub const CURSOR_SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// How often a refused write of one group is tried in a fresh segment.
pub const COMMIT_ATTEMPTS: usize = 3;
/// How often a failing or mismatching read is repeated before the range counts as damaged.
pub const READ_ATTEMPTS: usize = 3;
/// Decoded frames kept in memory for sinks that are close to the head.
pub const HOT_BYTES: usize = 8 << 20;
/// Blocks held back on disk for records that say that it is full.
pub const BALLAST_BYTES: u64 = 1 << 20;
/// Smallest segment, so that a tiny quota does not make a file per frame.
pub const MIN_SEGMENT_BYTES: u64 = 4 << 10;
/// Smallest quota.
pub const MIN_QUOTA_BYTES: u64 = 64 << 10;

/// Seals read from disk at a time.
pub const MAX_SEALS_READ: usize = 1_024;
