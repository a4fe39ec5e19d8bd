//! Takes care of the lake while the service runs: what is kept no longer goes, and its files are kept few.
//!
//! What goes is decided by the clock, and a clock that is wrong by a year would take a year of records. So where it is ahead
//! of the time that has passed since the last look, nothing goes for a day, and it is said. A clock that was wrong when
//! the service began is believed.

use std::time::Duration;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windrow_formats::text::Chain;
use windrow_lake::{Lake, Retention, Run};

use super::own::Recorder;

/// From one time to the next.
const EVERY: Duration = Duration::from_secs(6 * 3_600);

/// How far the clock may be ahead of the time that has passed, and how long it is not believed then.
const DOUBT: Duration = Duration::from_secs(24 * 3_600);

/// When it was looked at the clock.
#[derive(Clone, Copy, Debug)]
struct Look {
    clock: Timestamp,
    steady: Instant,
}

/// Whether the clock is believed.
#[derive(Debug, Default)]
struct Belief {
    last: Option<Look>,
    /// Since when it is not, and how far it was ahead.
    doubted: Option<(Instant, SignedDuration)>,
}

impl Belief {
    /// How far the clock is ahead of the time that has passed, where that is too much, for a day from then on.
    fn doubt(&mut self, now: Look) -> Option<SignedDuration> {
        let last = self.last.replace(now)?;
        let passed = SignedDuration::try_from(now.steady - last.steady).ok()?;
        let ahead = now.clock.duration_since(last.clock) - passed;
        if ahead.unsigned_abs() > DOUBT && ahead.is_positive() {
            self.doubted = Some((now.steady, ahead));
        }
        let doubted = self
            .doubted
            .filter(|(since, _)| now.steady - *since < DOUBT);
        doubted.map(|(_, ahead)| ahead)
    }
}

/// Runs until `shutdown`, for the first time after `first`, and when another retention holds. What it was doing then is
/// done again the next time.
pub(super) async fn run(
    lake: Lake,
    first: Duration,
    mut retention: watch::Receiver<Retention>,
    merged: Counter,
    recorder: Recorder,
    shutdown: CancellationToken,
) {
    let mut pause = first;
    let mut belief = Belief::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            Ok(()) = retention.changed() => {}
        }
        let held = retention.borrow_and_update().clone();
        let mut changed = retention.clone();
        let look = Look {
            clock: Timestamp::now(),
            steady: Instant::now(),
        };
        let doubt = belief.doubt(look);
        let done = async {
            if let Some(ahead) = doubt {
                let days = ahead.as_hours() / 24;
                tracing::warn!(
                    days,
                    "the clock has jumped ahead; for a day nothing is taken out of the lake and no file of it removed, since their age would be wrong: see that the clock is right"
                );
                return;
            }
            expire(&lake, &held, &recorder).await;
            merge(&lake, &merged).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            // What another retention holds is held from now on: it begins again.
            Ok(()) = changed.changed() => pause = Duration::ZERO,
            () = done => pause = EVERY,
        }
    }
}

/// Before merging: what goes needs no merging.
async fn expire(lake: &Lake, retention: &Retention, recorder: &Recorder) {
    let today = Offset::UTC.to_datetime(Timestamp::now()).date();
    match lake.expire(retention, today, Run::Real).await {
        Ok(all) => {
            for (table, gone) in all.iter().filter(|(_, gone)| gone.rows + gone.texts > 0) {
                tracing::info!(
                    table,
                    rows = gone.rows,
                    texts = gone.texts,
                    files = gone.removed + gone.rewritten,
                    "the lake's retention took out what is kept no longer"
                );
                recorder.expired(table, gone).await;
            }
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "cannot take out of the lake what is kept no longer; it is tried again");
        }
    }
}

async fn merge(lake: &Lake, merged: &Counter) {
    match lake.keep_up(Timestamp::now()).await {
        Ok(done) if done.merged + done.removed > 0 => {
            merged.inc_by(done.merged);
            tracing::info!(
                days = done.days,
                merged = done.merged,
                removed = done.removed,
                "the lake's files were merged"
            );
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "cannot merge the lake's files; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_that_jumps_is_not_believed_for_a_day() {
        let begin = Look {
            clock: "2026-11-23T00:00:00Z".parse().unwrap(),
            steady: Instant::now(),
        };
        let at = |hours: u64, ahead_days: i64| Look {
            clock: begin.clock
                + SignedDuration::from_hours(i64::try_from(hours).unwrap() + 24 * ahead_days),
            steady: begin.steady + Duration::from_secs(3_600 * hours),
        };
        let mut belief = Belief::default();
        assert_eq!(belief.doubt(at(0, 0)), None);
        assert_eq!(belief.doubt(at(6, 0)), None);
        // Put right by a few minutes, or back by a year: nothing goes too early.
        assert_eq!(belief.doubt(at(12, -365)), None);
        assert_eq!(belief.doubt(at(18, -365)), None);
        // Right again, which looks like a jump.
        let year = SignedDuration::from_hours(365 * 24);
        assert_eq!(belief.doubt(at(24, 0)), Some(year));
        assert_eq!(belief.doubt(at(30, 0)), Some(year));
        assert_eq!(belief.doubt(at(47, 0)), Some(year));
        assert_eq!(belief.doubt(at(48, 0)), None);
    }
}
