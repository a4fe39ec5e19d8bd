//! Which losses were told of, so that each is told once, across restarts and however records merge.
//!
//! Whoever tells keeps this as a state of the journal, written in the frame of what it tells: both
//! are there after a crash, or neither. Ranges and not records are remembered, because records of
//! neighbouring losses become one.

use super::frame::Get;
use super::limits::{MAX_LOSSES, MAX_NUMBER};
use super::loss::{Gap, GapReason, Loss};

const RANGE_BYTES: usize = 17;
const REASONS: [GapReason; 3] = [GapReason::Damaged, GapReason::Dropped, GapReason::Missing];

/// The losses told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldLosses {
    /// By reason and sequence; those of one reason do not touch.
    ranges: Vec<Gap>,
}

impl ToldLosses {
    /// Reads a state's value; what is none is left out.
    pub fn decode(value: &[u8]) -> ToldLosses {
        let mut told = ToldLosses::default();
        let (ranges, _) = value.as_chunks::<RANGE_BYTES>();
        for range in ranges.iter().take(REASONS.len() * MAX_LOSSES) {
            if let Some(gap) = decode_range(range) {
                told.add(gap);
            }
        }
        told
    }

    /// The state's value: u8 reason, u64 first and u64 last sequence of each range.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.ranges.len() * RANGE_BYTES);
        for gap in &self.ranges {
            value.push(gap.reason.code());
            value.extend_from_slice(&gap.first_seq.to_le_bytes());
            value.extend_from_slice(&gap.last_seq.to_le_bytes());
        }
        value
    }

    /// What was not told of these losses, by reason and sequence.
    pub fn news(&self, losses: &[Loss]) -> Vec<Gap> {
        let mut news = Vec::new();
        for loss in losses
            .iter()
            .filter(|loss| REASONS.contains(&loss.gap.reason))
        {
            let Gap {
                first_seq,
                last_seq,
                reason,
            } = loss.gap;
            let mut from = first_seq;
            let told = self.ranges.iter().filter(|told| told.reason == reason);
            for told in told.filter(|t| t.first_seq <= last_seq && first_seq <= t.last_seq) {
                if from < told.first_seq {
                    news.push(Gap {
                        first_seq: from,
                        last_seq: told.first_seq - 1,
                        reason,
                    });
                }
                from = from.max(told.last_seq + 1);
            }
            if from <= last_seq {
                news.push(Gap {
                    first_seq: from,
                    last_seq,
                    reason,
                });
            }
        }
        news
    }

    /// Remembers a range; those that it touches become one with it, as the records do.
    pub fn add(&mut self, mut gap: Gap) {
        self.ranges.retain(|old| {
            let joins = old.reason == gap.reason && old.touches(&gap);
            if joins {
                gap.first_seq = gap.first_seq.min(old.first_seq);
                gap.last_seq = gap.last_seq.max(old.last_seq);
            }
            !joins
        });
        let key = |gap: &Gap| (gap.reason.code(), gap.first_seq);
        let at = self.ranges.partition_point(|old| key(old) < key(&gap));
        self.ranges.insert(at, gap);
    }
}

fn decode_range(range: &[u8; RANGE_BYTES]) -> Option<Gap> {
    let mut get = Get::new(range);
    let code = get.u8()?;
    let gap = Gap {
        reason: REASONS.into_iter().find(|reason| reason.code() == code)?,
        first_seq: get.u64()?,
        last_seq: get.u64()?,
    };
    (1 <= gap.first_seq && gap.first_seq <= gap.last_seq && gap.last_seq <= MAX_NUMBER)
        .then_some(gap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::keys::{PublicKey, SIGNATURE_BYTES, Signature};
    use super::*;

    fn gap(reason: GapReason, first_seq: u64, last_seq: u64) -> Gap {
        Gap {
            first_seq,
            last_seq,
            reason,
        }
    }

    fn loss(gap: Gap) -> Loss {
        Loss {
            gap,
            spans_more: false,
            first_at_us: 1,
            last_at_us: 1,
            journal_id: [0; 16],
            public_key: PublicKey([0; 32]),
            signature: Signature([0; SIGNATURE_BYTES]),
        }
    }

    fn any_gap() -> impl Strategy<Value = Gap> {
        let reason = prop::sample::select(REASONS.to_vec());
        (reason, 1..200_u64, 0..30_u64)
            .prop_map(|(reason, first, more)| gap(reason, first, first + more))
    }

    #[test]
    fn of_a_grown_record_only_the_growth_is_told() {
        let mut told = ToldLosses::default();
        told.add(gap(GapReason::Dropped, 1, 100));
        told.add(gap(GapReason::Damaged, 150, 150));
        let grown = [loss(gap(GapReason::Dropped, 1, 250))];
        assert_eq!(told.news(&grown), [gap(GapReason::Dropped, 101, 250)]);
        let delivered = [loss(gap(GapReason::Delivered, 1, 100))];
        assert_eq!(told.news(&delivered), []);
    }

    proptest! {
        #[test]
        fn every_sequence_is_told_once(gaps in prop::collection::vec(any_gap(), 0..12)) {
            let mut told = ToldLosses::default();
            let mut counted = std::collections::BTreeMap::new();
            for gap in &gaps {
                for new in told.news(&[loss(*gap)]) {
                    for seq in new.first_seq..=new.last_seq {
                        *counted.entry((new.reason.code(), seq)).or_insert(0) += 1;
                    }
                    told.add(new);
                }
                told = ToldLosses::decode(&told.encode());
            }
            prop_assert!(counted.values().all(|times| *times == 1));
            let lost: std::collections::BTreeSet<_> = gaps
                .iter()
                .flat_map(|gap| (gap.first_seq..=gap.last_seq).map(|seq| (gap.reason.code(), seq)))
                .collect();
            prop_assert_eq!(counted.into_keys().collect::<std::collections::BTreeSet<_>>(), lost);
        }

        #[test]
        fn any_value_is_read(value in prop::collection::vec(any::<u8>(), 0..100)) {
            let told = ToldLosses::decode(&value);
            prop_assert_eq!(ToldLosses::decode(&told.encode()), told);
        }
    }
}
