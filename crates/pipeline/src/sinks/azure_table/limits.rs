//! How much is in hand at once, and how long is waited, each with its reason.

use std::time::Duration;

/// First and longest wait after a failure. The service asks for growing ones when it has too much to do.
pub(super) const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Partitions that are filled at a time. By arrival there are as many as shards; by event, as many as minutes come mixed.
pub(super) const PARTITIONS_OPEN_MAX: usize = 256;

/// Rows that may be refused one after the other, none written in between, before that is taken for something else than the
/// rows' fault.
pub(super) const REFUSED_IN_A_ROW_MAX: usize = 100;
