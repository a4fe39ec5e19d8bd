//! How often a machine has to be heard of.

use std::time::Duration;

use jiff::SignedDuration;
use windrow_pipeline::sources::wef::{Asked, Offered};

/// What is reckoned with where nothing is asked of a machine.
const USUAL: SignedDuration = SignedDuration::from_mins(15);
/// What a machine may be late at least: a batch under way, a busy network.
pub(super) const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What a machine was told of a subscription, as far as it says when something comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Longest time between two signs of life.
    pub heartbeat: Duration,
    /// Longest wait for a batch to fill.
    pub max_time: Duration,
}

impl From<&Asked> for Beat {
    fn from(asked: &Asked) -> Beat {
        Beat {
            heartbeat: asked.heartbeat,
            max_time: asked.max_time,
        }
    }
}

impl From<&Offered> for Beat {
    fn from(offered: &Offered) -> Beat {
        Beat {
            heartbeat: offered.heartbeat,
            max_time: offered.max_time,
        }
    }
}

/// Of one machine, by the subscriptions that it was told.
///
/// A machine sends a batch after `max_latency` at the latest, and where there is no event a sign of life
/// every `heartbeat`. So it is heard of within the longer of the two; of several subscriptions the
/// quickest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Within this time something comes.
    pub every: SignedDuration,
    /// Within this time a batch comes that has waited.
    pub batch: SignedDuration,
}

impl Pace {
    /// By what it was told.
    pub fn of(told: impl IntoIterator<Item = impl Into<Beat>>) -> Pace {
        let signed = |span| SignedDuration::try_from(span).unwrap_or(USUAL);
        let mut pace: Option<Pace> = None;
        for one in told {
            let one: Beat = one.into();
            let (batch, heartbeat) = (signed(one.max_time), signed(one.heartbeat));
            let every = heartbeat.max(batch);
            pace = Some(match pace {
                None => Pace { every, batch },
                Some(pace) => Pace {
                    every: pace.every.min(every),
                    batch: pace.batch.min(batch),
                },
            });
        }
        pace.unwrap_or(Pace {
            every: USUAL,
            batch: USUAL,
        })
    }

    /// From then on it is late: a quarter more than it has, a minute at least.
    #[must_use]
    pub fn late(self) -> SignedDuration {
        self.every.saturating_add((self.every / 4).max(SLACK))
    }

    /// From then on it is silent: three times what it has, and a minute.
    #[must_use]
    pub fn silent(self) -> SignedDuration {
        self.every.saturating_mul(3).saturating_add(SLACK)
    }

    /// The same for a machine that may not know yet what is asked of it now.
    #[must_use]
    pub(super) fn unsure(self) -> Pace {
        Pace {
            every: self.every.max(USUAL),
            batch: self.batch.max(USUAL),
        }
    }

    /// In this time two batches come, where there are events.
    #[must_use]
    pub(super) fn two_batches(self) -> SignedDuration {
        self.batch.saturating_mul(2).saturating_add(SLACK)
    }

    /// How long after its first offer a machine may take until it sends anything.
    #[must_use]
    pub fn first(self) -> SignedDuration {
        self.two_batches().min(self.late())
    }
}
