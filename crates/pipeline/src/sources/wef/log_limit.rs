//! Log lines that a source can bring about at will: one a minute of each kind, with the number of
//! those left out. Everything is counted in the metrics and in the status of its source all the same.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Least time between two lines of a kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// Every kind.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    pub(super) quarantined: Line,
    pub(super) quarantine_failed: Line,
    pub(super) begun_anew: Line,
    pub(super) subscription_ended: Line,
}

/// A kind of line.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Line {
    /// Whether it may be written now, and then how many were left out since the last one.
    pub(super) fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now < last + INTERVAL) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_one_line_a_minute_is_written_with_what_was_left_out() {
        let (line, start) = (Line::default(), Instant::now());
        let due: Vec<(u64, u64)> = (0..=180)
            .filter_map(|second| {
                let now = start + Duration::from_secs(second);
                line.due(now).map(|left_out| (second, left_out))
            })
            .collect();
        assert_eq!(due, [(0, 0), (60, 59), (120, 59), (180, 59)]);
    }
}
