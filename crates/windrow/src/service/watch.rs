//! Turns what the journal reports about itself into records of our own.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_pipeline::journal::{GapReason, Journal, Loss};

use super::own::Recorder;

/// How often the list of losses is looked at.
const LOSSES_EVERY: Duration = Duration::from_secs(2);

/// Watches until `shutdown`.
///
/// `started` tells losses of this run from those whose records left with an earlier one.
pub(crate) async fn run(
    journal: Journal,
    recorder: Recorder,
    started: Timestamp,
    shutdown: CancellationToken,
) {
    let mut roots = journal.roots();
    roots.mark_unchanged();
    let mut pressure = journal.pressure();
    let mut look = tokio::time::interval(LOSSES_EVERY);
    let earlier = |loss: &Loss| loss.last_at_us < started.as_microsecond();
    let mut known: BTreeSet<(u64, u64)> = journal
        .losses()
        .iter()
        .filter(|loss| earlier(loss))
        .map(range)
        .collect();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = roots.changed() => {
                if changed.is_err() { break }
                let seal = roots.borrow_and_update().clone();
                if let Some(seal) = seal { recorder.sealed(&seal).await; }
            }
            changed = pressure.changed() => {
                if changed.is_err() { break }
                let now = *pressure.borrow_and_update();
                recorder.pressure(now).await;
            }
            _ = look.tick() => {
                for loss in journal.losses() {
                    if known.insert(range(&loss)) {
                        record_loss(&recorder, &loss).await;
                    }
                }
            }
        }
    }
}

fn range(loss: &Loss) -> (u64, u64) {
    (loss.gap.first_seq, loss.gap.last_seq)
}

async fn record_loss(recorder: &Recorder, loss: &Loss) {
    let (id, what) = match loss.gap.reason {
        GapReason::Dropped => (
            OwnEventId::EventsDropped,
            "were dropped because the journal was full",
        ),
        GapReason::Damaged => (
            OwnEventId::JournalDamaged,
            "could not be read from the journal: their bytes are damaged",
        ),
        GapReason::Missing => (OwnEventId::JournalDamaged, "are missing from the journal"),
        GapReason::Delivered => return,
    };
    let [first, last] = [loss.gap.first_seq, loss.gap.last_seq].map(|n| n.to_string());
    let message = format!("events {first} to {last} {what}");
    let data = [
        ("FirstSequence", &*first),
        ("LastSequence", &*last),
        ("Reason", &format!("{:?}", loss.gap.reason)),
    ];
    tracing::error!(
        first_seq = loss.gap.first_seq,
        last_seq = loss.gap.last_seq,
        "{message}"
    );
    recorder.record(id, OwnLevel::Error, &message, &data).await;
}
