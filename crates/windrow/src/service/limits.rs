//! What the service allows those who ask.

use std::time::Duration;

/// Machines that the status lists, of all sources together; all are counted. Some 250 bytes each, of an answer of 16 MiB at most.
pub(super) const MACHINES_SHOWN_MAX: usize = 20_000;
/// How often it is looked whether certificates, keys, keytabs and lists of revoked certificates have changed.
pub(super) const FILES_LOOK: Duration = Duration::from_secs(20);
/// Verbs of `windrow syslog` that are being done, or wait for their turn; a test takes a minute and a half at most.
pub(super) const ASKED_AT_ONCE: usize = 16;
/// Looks at all machines at the same time; others wait. Each copies what is known of them.
pub(super) const SURVEYS_AT_ONCE: usize = 1;
/// Queries that run at the same time; others wait.
pub(super) const QUERIES_AT_ONCE: usize = 4;
/// How long a query waits for its turn.
pub(super) const QUERY_WAIT: Duration = Duration::from_secs(30);
/// Memory of one query, in bytes, for sorting, grouping and joining. All of them together have to fit beside the
/// collector: the unit for systemd allows 1 GiB for everything.
pub(super) const QUERY_MEMORY_BYTES: usize = 128 << 20;
/// Time a query may take, its reader's included.
pub(super) const QUERY_TIME: Duration = Duration::from_secs(300);
/// Pieces of an answer that wait for a slow reader.
pub(super) const PIECES_AHEAD: usize = 2;
/// Threads that queries and commits to the lake share; as many as there are cores, and two at least, so that a query
/// and a commit do not wait for each other.
pub(super) const LAKE_THREADS: std::ops::RangeInclusive<usize> = 2..=4;
/// Threads of theirs that may wait for the disk.
pub(super) const LAKE_BLOCKING_THREADS: usize = 16;
/// How old what the metrics say of lag may be.
pub(super) const LAG_GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a start waits for the first look at a lake in the network, before it goes on without.
pub(super) const LAKE_FIRST_LOOK: Duration = Duration::from_secs(10);
/// Commits that took something out of the lake and wait to be put on record.
pub(super) const TOLD_AHEAD: usize = 16;
/// Memory of rows of files that wait to be committed to a table of the lake, in bytes.
pub(super) const FILE_TAIL_BYTES_MAX: usize = 32 << 20;
/// How long a query waits to see the rows of files that were acknowledged before it.
pub(super) const FILES_SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of a manifest of a provider of events: the longest of Windows has some millions.
pub(super) const MANIFEST_BYTES_MAX: u64 = 32 << 20;
