//! Turns what the journal reports about itself into records of our own.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_pipeline::journal::{Gap, GapReason, Journal, Loss, Pressure, StateChange, ToldLosses};

use super::own::Recorder;

/// How often losses are looked for, and what could not be recorded is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A journal that comes and goes at a line says so once in this time for each of its pressures.
const PRESSURE_EVERY: Duration = Duration::from_secs(60);
/// State of the journal: the losses that have a record of ours.
const TOLD_LOSSES: &str = "own/told-losses";

/// Watches until `shutdown`.
///
/// A segment is sealed after `seal_interval` although it is not full, so that what an attacker could rewrite unnoticed
/// is at most that old.
pub(crate) async fn run(
    journal: Journal,
    recorder: Recorder,
    seal_interval: Duration,
    shutdown: CancellationToken,
) {
    let mut roots = journal.roots();
    // What an earlier run sealed last has not left yet.
    roots.mark_changed();
    let mut pressure = journal.pressure();
    let mut pressures = Pressures::new(Instant::now());
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut seal = tokio::time::interval(seal_interval);
    seal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seal.reset();
    let mut sealed_to = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = roots.changed() => {
                if changed.is_err() { break }
                roots.mark_unchanged();
                recorder.roots().await;
            }
            _ = seal.tick() => {
                // The record of the last root is no reason for another one.
                if *journal.durable().borrow() > sealed_to {
                    journal.seal().await;
                    roots.mark_unchanged();
                    recorder.roots().await;
                    sealed_to = *journal.durable().borrow();
                }
            }
            changed = pressure.changed() => {
                if changed.is_err() { break }
                let now = *pressure.borrow_and_update();
                pressures.tell(now, &recorder).await;
            }
            _ = look.tick() => {
                let now = *pressure.borrow();
                pressures.tell(now, &recorder).await;
                if now == Pressure::Full {
                    journal.look_for_room();
                }
                tell_losses(&journal, &recorder).await;
            }
        }
    }
}

/// Which pressures were told of, and when: our own records fill the journal too, and must not
/// bring about the next one.
struct Pressures {
    told: Pressure,
    tried: [Option<Instant>; 4],
}

impl Pressures {
    /// Nothing is said of a journal that has room, as it has at most starts.
    fn new(now: Instant) -> Pressures {
        let mut pressures = Pressures {
            told: Pressure::Normal,
            tried: [None; 4],
        };
        pressures.tried[Pressure::Normal as usize] = Some(now);
        pressures
    }

    /// Whether it is new and was not tried too lately; then it counts as tried.
    fn is_due(&mut self, pressure: Pressure, now: Instant) -> bool {
        let tried = &mut self.tried[pressure as usize];
        let rests = tried.is_some_and(|tried| now.duration_since(tried) < PRESSURE_EVERY);
        if pressure == self.told || rests {
            return false;
        }
        *tried = Some(now);
        true
    }

    async fn tell(&mut self, pressure: Pressure, recorder: &Recorder) {
        if self.is_due(pressure, Instant::now()) && recorder.pressure(pressure).await {
            self.told = pressure;
        }
    }
}

/// Records what was not told of the journal's losses, also of those that an earlier run met. What
/// cannot be recorded now is found again the next time.
async fn tell_losses(journal: &Journal, recorder: &Recorder) {
    let losses = journal.losses();
    if losses.is_empty() {
        return;
    }
    let mut told = journal
        .state(TOLD_LOSSES)
        .map(|value| ToldLosses::decode(&value))
        .unwrap_or_default();
    for gap in told.news(&losses) {
        told.add(gap);
        // Of one that spans more, what was not told before may be sequences that are there.
        let spans_more = |loss: &Loss| loss.spans_more && loss.gap.holds(&gap);
        let extent = match losses.iter().any(spans_more) {
            true => Extent::AtMost,
            false => Extent::All,
        };
        if !record_loss(recorder, gap, extent, &told).await {
            return;
        }
    }
}

/// How much of a range is gone.
#[derive(Clone, Copy)]
enum Extent {
    All,
    AtMost,
}

async fn record_loss(recorder: &Recorder, gap: Gap, extent: Extent, told: &ToldLosses) -> bool {
    let (id, what) = match gap.reason {
        GapReason::Dropped => (
            OwnEventId::EventsDropped,
            "were dropped because the journal was full",
        ),
        GapReason::Damaged => (
            OwnEventId::JournalDamaged,
            "could not be read from the journal: their bytes are damaged",
        ),
        GapReason::Missing => (OwnEventId::JournalDamaged, "are missing from the journal"),
        GapReason::Delivered => return true,
    };
    let [first, last] = [gap.first_seq, gap.last_seq].map(|n| n.to_string());
    let (up_to, extent) = match extent {
        Extent::All => ("", "all"),
        Extent::AtMost => ("up to all of the ", "at-most"),
    };
    let message = format!("{up_to}events {first} to {last} {what}");
    let data = [
        ("FirstSequence", &*first),
        ("LastSequence", &*last),
        ("Reason", &format!("{:?}", gap.reason)),
        ("Extent", extent),
    ];
    tracing::error!(
        first_seq = gap.first_seq,
        last_seq = gap.last_seq,
        "{message}"
    );
    let told = StateChange {
        key: TOLD_LOSSES.to_owned(),
        value: Some(told.encode()),
    };
    recorder
        .record_with(id, OwnLevel::Error, &message, &data, Some(told))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pressure_is_told_once_a_minute() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pressures = Pressures::new(start);
        assert!(!pressures.is_due(Pressure::Normal, start));
        assert!(pressures.is_due(Pressure::Full, after(1)));
        pressures.told = Pressure::Full;
        // It swings to and fro: once each, then not for a while.
        assert!(pressures.is_due(Pressure::Slow, after(2)));
        pressures.told = Pressure::Slow;
        for second in 3..60 {
            assert!(!pressures.is_due(Pressure::Full, after(second)));
            assert!(!pressures.is_due(Pressure::Slow, after(second)));
        }
        assert!(pressures.is_due(Pressure::Full, after(61)));
    }
}
