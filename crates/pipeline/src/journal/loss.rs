//! Signed records of what is gone: dropped by policy, or found damaged.
//!
//! They are states of the journal's own, so that they live in every snapshot as long as the
//! journal does; each bears a signature, so that a loss by policy and one by hand differ.

use std::io;
use std::path::Path;

use super::Seq;
use super::frame::StateChange;
use super::frame::{Get, Put};
use super::keys::{PublicKey, SIGNATURE_BYTES, Signature, Signer};
use super::limits::{MAX_LOSSES, MAX_NUMBER};
use super::slots::{MAX_VALUE_BYTES, Slots};
use super::state::State;
use super::storage::Disk;

const DOMAIN: &[u8] = b"windrow-journal-loss-v1\0";
/// Keys of loss records begin with this.
pub(super) const KEY_PREFIX: &str = "\0loss/";
const BYTES: usize = 1 + 7 + 8 + 8 + 8 + 8 + 16 + 32 + SIGNATURE_BYTES;

/// Why sequences are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// The bytes were there but fail their checksums.
    Damaged,
    /// Dropped because the journal was full and its policy is to drop the oldest.
    Dropped,
    /// Not there, and nothing says why.
    Missing,
    /// Removed after every cursor had passed it: retention, not a loss.
    Delivered,
}

impl GapReason {
    pub(super) fn code(self) -> u8 {
        match self {
            GapReason::Damaged => 1,
            GapReason::Dropped => 2,
            GapReason::Missing => 3,
            GapReason::Delivered => 4,
        }
    }
}

/// Sequences that a reader will never see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first missing sequence.
    pub first_seq: Seq,
    /// The last missing sequence.
    pub last_seq: Seq,
    /// Why.
    pub reason: GapReason,
}

/// A signed record of a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What is missing.
    pub gap: Gap,
    /// Set when records were too many to keep apart: some sequences of the gap are missing, and
    /// some need not be.
    pub spans_more: bool,
    /// When the first part of it was noticed, microseconds since 1970.
    pub first_at_us: i64,
    /// When the last part of it was noticed, microseconds since 1970.
    pub last_at_us: i64,
    /// The journal it belongs to.
    pub journal_id: [u8; 16],
    /// Whose signature it is.
    pub public_key: PublicKey,
    /// Ed25519 over all of the above.
    pub signature: Signature,
}

impl Loss {
    /// A new record.
    pub fn new(gap: Gap, at_us: i64, journal_id: [u8; 16], signer: &Signer) -> Loss {
        Loss {
            gap,
            spans_more: false,
            first_at_us: at_us,
            last_at_us: at_us,
            journal_id,
            public_key: signer.public_key(),
            signature: Signature([0; SIGNATURE_BYTES]),
        }
        .sign(signer)
    }

    /// Becomes one record with `other`.
    fn take_in(&mut self, other: &Loss) {
        self.gap.first_seq = self.gap.first_seq.min(other.gap.first_seq);
        self.gap.last_seq = self.gap.last_seq.max(other.gap.last_seq);
        self.spans_more |= other.spans_more;
        self.first_at_us = self.first_at_us.min(other.first_at_us);
        self.last_at_us = self.last_at_us.max(other.last_at_us);
    }

    fn sign(mut self, signer: &Signer) -> Loss {
        self.public_key = signer.public_key();
        self.signature = signer.sign(&signed_part(&self.encode()));
        self
    }

    /// Whether the signature is that of the key named in the record.
    pub fn is_signed(&self) -> bool {
        self.public_key
            .verify(&signed_part(&self.encode()), &self.signature)
    }

    /// The key of the record's state.
    pub fn key(&self) -> String {
        format!(
            "{KEY_PREFIX}{}/{:016x}",
            self.gap.reason.code(),
            self.gap.first_seq
        )
    }

    /// The value of the record's state.
    pub fn encode(&self) -> [u8; BYTES] {
        let mut out = [0; BYTES];
        let mut put = Put {
            out: &mut out,
            at: 0,
        };
        let spans_more = u8::from(self.spans_more);
        put.bytes(&[self.gap.reason.code(), spans_more, 0, 0, 0, 0, 0, 0]);
        put.bytes(&self.gap.first_seq.to_le_bytes());
        put.bytes(&self.gap.last_seq.to_le_bytes());
        put.bytes(&self.first_at_us.to_le_bytes());
        put.bytes(&self.last_at_us.to_le_bytes());
        put.bytes(&self.journal_id);
        put.bytes(&self.public_key.0);
        put.bytes(&self.signature.0);
        out
    }

    /// Reads the value of a record's state.
    pub fn decode(bytes: &[u8]) -> Option<Loss> {
        if bytes.len() != BYTES {
            return None;
        }
        let mut get = Get::new(bytes);
        let [reason, spans_more, ..] = get.array::<8>()?;
        let reason = match reason {
            1 => GapReason::Damaged,
            2 => GapReason::Dropped,
            3 => GapReason::Missing,
            4 => GapReason::Delivered,
            _ => return None,
        };
        let loss = Loss {
            gap: Gap {
                first_seq: get.u64()?,
                last_seq: get.u64()?,
                reason,
            },
            spans_more: spans_more != 0,
            first_at_us: get.u64()? as i64,
            last_at_us: get.u64()? as i64,
            journal_id: get.array()?,
            public_key: PublicKey(get.array()?),
            signature: Signature(get.array()?),
        };
        let Gap {
            first_seq,
            last_seq,
            ..
        } = loss.gap;
        (1 <= first_seq && first_seq <= last_seq && last_seq <= MAX_NUMBER).then_some(loss)
    }
}

fn signed_part(bytes: &[u8; BYTES]) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    message.extend_from_slice(&bytes[..BYTES - SIGNATURE_BYTES]);
    message
}

/// The loss records in a state, by first sequence.
pub(super) fn all(state: &State) -> Vec<Loss> {
    state
        .with_prefix(KEY_PREFIX)
        .filter_map(|(_, value)| Loss::decode(value))
        .collect()
}

/// File of records that found no room in a segment.
pub(super) const ASIDE_FILE: &str = "losses";
/// Most records it holds.
pub(super) const ASIDE_RECORDS: usize = 3;
const _: () = assert!(ASIDE_RECORDS * BYTES <= MAX_VALUE_BYTES);

/// The value of the file of records.
pub(super) fn encode_aside(losses: &[Loss]) -> Vec<u8> {
    losses.iter().flat_map(Loss::encode).collect()
}

/// Reads that value; what is no record is left out.
pub(super) fn decode_aside(value: &[u8]) -> Vec<Loss> {
    let (records, _) = value.as_chunks::<BYTES>();
    records
        .iter()
        .filter_map(|record| Loss::decode(record))
        .take(ASIDE_RECORDS)
        .collect()
}

/// All records of a folder that another process may be writing.
pub(super) fn all_with_aside(disk: &dyn Disk, dir: &Path, state: &State) -> io::Result<Vec<Loss>> {
    let mut losses = all(state);
    let aside = match Slots::read(disk, &dir.join(ASIDE_FILE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        other => other?,
    };
    for loss in aside.as_deref().map(decode_aside).unwrap_or_default() {
        if !losses.iter().any(|known| known.gap.holds(&loss.gap)) {
            losses.push(loss);
        }
    }
    Ok(losses)
}

/// What to write so that a gap is on record: neighbours of the same reason become one, so
/// that a journal which drops for years keeps few records. Above the limit the two that lie
/// closest become one, which says that it spans more than what was lost.
pub(super) fn record(
    state: &State,
    gap: Gap,
    at_us: i64,
    journal_id: [u8; 16],
    signer: &Signer,
) -> Vec<StateChange> {
    let mut losses = all(state);
    losses.retain(|loss| loss.gap.reason == gap.reason);
    let mut new = Loss::new(gap, at_us, journal_id, signer);
    let mut gone: Vec<String> = Vec::new();
    losses.retain(|old| {
        let touches = old.gap.touches(&new.gap);
        if touches {
            gone.push(old.key());
            new.take_in(old);
        }
        !touches
    });
    let mut written = vec![new];
    if losses.len() >= MAX_LOSSES {
        written = join_closest(losses, written, &mut gone);
    }
    let keys: Vec<String> = written.iter().map(Loss::key).collect();
    gone.retain(|key| !keys.contains(key));
    let removed = gone.into_iter().map(|key| StateChange { key, value: None });
    let kept = written.into_iter().map(|loss| StateChange {
        key: loss.key(),
        value: Some(loss.sign(signer).encode().to_vec()),
    });
    removed.chain(kept).collect()
}

/// What to write instead of `new` when there are as many `losses` as may be.
fn join_closest(mut losses: Vec<Loss>, mut new: Vec<Loss>, gone: &mut Vec<String>) -> Vec<Loss> {
    losses.append(&mut new.clone());
    losses.sort_by_key(|loss| loss.gap.first_seq);
    let between = |pair: &&[Loss]| {
        let end = pair[0].gap.last_seq;
        pair[1].gap.first_seq.saturating_sub(end)
    };
    let Some([first, second]) = losses.windows(2).min_by_key(between) else {
        return new;
    };
    let mut both = first.clone();
    both.take_in(second);
    both.spans_more = true;
    let is_stored = |loss: &&Loss| !new.contains(loss);
    gone.extend([first, second].into_iter().filter(is_stored).map(Loss::key));
    new.retain(|loss| !both.gap.holds(&loss.gap));
    new.push(both);
    new
}

impl Gap {
    /// Whether another gap lies in this one, for the same reason.
    #[must_use]
    pub fn holds(&self, other: &Gap) -> bool {
        self.reason == other.reason
            && self.first_seq <= other.first_seq
            && other.last_seq <= self.last_seq
    }

    pub(super) fn touches(&self, other: &Gap) -> bool {
        self.first_seq <= other.last_seq.saturating_add(1)
            && other.first_seq <= self.last_seq.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::Memory;
    use super::*;

    fn dropped(first_seq: Seq, last_seq: Seq) -> Gap {
        Gap {
            first_seq,
            last_seq,
            reason: GapReason::Dropped,
        }
    }

    #[test]
    fn of_too_many_records_the_closest_become_one_that_says_so() {
        let disk: std::sync::Arc<dyn Disk> = std::sync::Arc::new(Memory::default());
        let signer = Signer::open(&*disk, Path::new("keys"), None).unwrap();
        let mut state = State::default();
        let put = |state: &mut State, gap| {
            for change in record(state, gap, 1, [7; 16], &signer) {
                state.apply(&change);
            }
        };
        let many = MAX_LOSSES as u64;
        // Ten apart, but for one pair that is five apart.
        for number in 1..many {
            put(&mut state, dropped(number * 10, number * 10));
        }
        put(&mut state, dropped(605, 605));
        assert!(all(&state).iter().all(|loss| !loss.spans_more));
        assert_eq!(all(&state).len(), MAX_LOSSES);
        // Far above all of them, and in between.
        put(&mut state, dropped(1_000_000, 1_000_010));
        put(&mut state, dropped(303, 304));
        let losses = all(&state);
        assert_eq!(losses.len(), MAX_LOSSES);
        let joined: Vec<Gap> = losses
            .iter()
            .filter(|loss| loss.spans_more)
            .map(|loss| loss.gap)
            .collect();
        assert_eq!(joined, [dropped(300, 304), dropped(600, 605)]);
        assert!(
            losses
                .iter()
                .any(|loss| loss.gap == dropped(1_000_000, 1_000_010))
        );
        assert!(losses.iter().all(Loss::is_signed));
        // It stays so when it grows.
        put(&mut state, dropped(606, 606));
        let grown = all(&state)
            .into_iter()
            .find(|loss| loss.gap == dropped(600, 606));
        assert!(grown.unwrap().spans_more);
    }
}
