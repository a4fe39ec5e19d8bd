//! How much is in hand at once, and how long is waited, each with its reason.

use std::time::Duration;

/// First and longest wait after a failure. The service asks for growing ones when it has too much to do.
pub(super) const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Files of which it is remembered where their blob ends. Of others that is asked anew.
pub(super) const PLACES_MAX: usize = 10_000;

/// Blocks of one blob that is appended to, some below the service's limit of 50,000.
pub(super) const BLOCKS_MAX: u32 = 49_900;

/// Parts that a file is looked for in: a log of a minute's blocks fills one in five weeks.
pub(super) const PARTS_MAX: u32 = 1_000;
