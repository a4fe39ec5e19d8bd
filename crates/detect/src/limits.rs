//! Every limit on what is kept, in one place.

/// Series that one [`Fleet`](crate::spikes::Fleet) follows, some 2 kB each. What would be one more is counted
/// and left out.
pub const SERIES_MAX: usize = 200_000;
