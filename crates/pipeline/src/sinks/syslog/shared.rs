//! Messages that several destinations send alike, made once.
//!
//! Destinations whose messages look the same and who get the same events share a room: whoever
//! comes to a batch first makes its messages, the others copy them. Invariants: nobody waits for
//! a destination, only for one that is just making messages, which is work for the processor
//! alone, some milliseconds of it at most, and holds no thread meanwhile; what is kept is bounded; a destination that is behind what is kept, or alone, makes
//! its messages itself, and is never in the way of those in front.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use windrow_formats::selection::Selection;
use windrow_formats::syslog::Settings;

use super::limits::{SHARED_BATCH_BYTES_MAX, SHARED_BATCH_COST_BYTES, SHARED_BYTES_MAX};
use crate::journal::{FrameEntry, Seq};

/// Where destinations find others that send alike. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct SharedMessages {
    rooms: Arc<Mutex<Vec<Weak<Room>>>>,
}

/// What destinations that send alike have in common.
#[derive(Debug)]
struct Room {
    format: Settings,
    selection: Selection,
    recent: Mutex<Recent>,
}

/// The messages of batches, oldest first.
#[derive(Debug, Default)]
struct Recent {
    batches: VecDeque<Batch>,
    bytes: usize,
}

#[derive(Debug)]
struct Batch {
    first_seq: Seq,
    messages: Slot,
    /// What of it is in [`Recent::bytes`]: nothing until it is made.
    bytes: usize,
}

/// A destination's place in its room.
#[derive(Debug)]
pub(super) struct Member {
    room: Arc<Room>,
}

/// The messages of a batch.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) bytes: Vec<u8>,
    /// One for each event.
    pub(super) made: Vec<Made>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Its message ends there.
    Whole(usize),
    /// The same, and it was cut.
    Cut(usize),
    /// It is not sent.
    LeftOut,
}

/// A batch's messages once they are made; locked while they are being made.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Messages>>>>;

impl SharedMessages {
    /// The room of those that send alike, made for the first.
    pub(super) fn join(&self, format: &Settings, selection: &Selection) -> Member {
        let mut rooms = lock(&self.rooms);
        rooms.retain(|room| room.strong_count() > 0);
        let alike = |room: &Arc<Room>| room.format == *format && room.selection == *selection;
        let room = rooms.iter().filter_map(Weak::upgrade).find(alike);
        let room = room.unwrap_or_else(|| {
            let room = Arc::new(Room {
                format: format.clone(),
                selection: selection.clone(),
                recent: Mutex::default(),
            });
            rooms.push(Arc::downgrade(&room));
            room
        });
        Member { room }
    }
}

impl Member {
    /// The messages of a batch, made by `make` if nobody has come to it before; none if the
    /// destination is alone, or behind what is kept, or the batch is not fit to be shared:
    /// `make` says that by making nothing.
    pub(super) async fn messages(
        &self,
        entry: &FrameEntry,
        make: impl FnOnce() -> Option<Messages>,
    ) -> Option<Arc<Messages>> {
        // A room that is used elsewhere too is held there.
        if Arc::strong_count(&self.room) < 2 || entry.body.len() > SHARED_BATCH_BYTES_MAX {
            return None;
        }
        let slot = lock(&self.room.recent).slot(entry.first_seq)?;
        let mut slot = slot.lock().await;
        let messages = match &*slot {
            Some(messages) => Arc::clone(messages),
            None => {
                let messages = Arc::new(make().unwrap_or_default());
                *slot = Some(Arc::clone(&messages));
                drop(slot);
                lock(&self.room.recent).made(entry.first_seq, messages.bytes());
                messages
            }
        };
        (messages.made.len() == entry.events as usize).then_some(messages)
    }
}

impl Drop for Member {
    /// Whoever is left may be far behind whoever was in front, and begins anew.
    fn drop(&mut self) {
        *lock(&self.room.recent) = Recent::default();
    }
}

impl Recent {
    /// The place of a batch, if it is kept or newer than what is.
    fn slot(&mut self, first_seq: Seq) -> Option<Slot> {
        match self.find(first_seq) {
            Ok(at) => self
                .batches
                .get(at)
                .map(|batch| Arc::clone(&batch.messages)),
            Err(at) if at == self.batches.len() => {
                let messages = Slot::default();
                self.batches.push_back(Batch {
                    first_seq,
                    messages: Arc::clone(&messages),
                    bytes: 0,
                });
                Some(messages)
            }
            Err(_) => None,
        }
    }

    fn find(&self, first_seq: Seq) -> Result<usize, usize> {
        self.batches
            .binary_search_by_key(&first_seq, |batch| batch.first_seq)
    }

    /// A batch is made. Lets go of the oldest until the rest is few enough bytes.
    fn made(&mut self, first_seq: Seq, bytes: usize) {
        let found = self.find(first_seq).ok();
        if let Some(batch) = found.and_then(|at| self.batches.get_mut(at)) {
            // Twice, when the room began anew meanwhile and another one made it again.
            self.bytes = self.bytes - batch.bytes + bytes;
            batch.bytes = bytes;
        }
        while self.bytes > SHARED_BYTES_MAX {
            let Some(oldest) = self.batches.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
        }
    }
}

impl Messages {
    /// What became of each event from the `skip`th on, with its message.
    pub(super) fn after(&self, skip: usize) -> impl Iterator<Item = (Made, &[u8])> {
        let mut end = 0;
        let messages = self.made.iter().map(move |made| {
            let start = end;
            if let Made::Whole(at) | Made::Cut(at) = *made {
                end = at;
            }
            (*made, self.bytes.get(start..end).unwrap_or_default())
        });
        messages.skip(skip)
    }

    /// What they take in memory, kept in a room; never nothing, so that what is kept is bounded in number too.
    fn bytes(&self) -> usize {
        SHARED_BATCH_COST_BYTES + self.bytes.capacity() + self.made.capacity() * size_of::<Made>()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::journal::Origin;

    fn entry(first_seq: Seq, events: u32) -> FrameEntry {
        FrameEntry {
            first_seq,
            events,
            body: Bytes::from_static(b"batch"),
            origin: Origin::Source,
        }
    }

    fn made(bytes: usize) -> Option<Messages> {
        Some(Messages {
            bytes: vec![b'x'; bytes],
            made: vec![Made::Whole(bytes)],
        })
    }

    fn room() -> (SharedMessages, Member, Member) {
        let shared = SharedMessages::default();
        let join = || shared.join(&Settings::default(), &Selection::default());
        let (one, two) = (join(), join());
        (shared, one, two)
    }

    fn not_again() -> Option<Messages> {
        panic!("made twice")
    }

    #[tokio::test]
    async fn what_one_has_made_the_other_gets() {
        let (_shared, one, two) = room();
        assert!(one.messages(&entry(1, 1), || made(10)).await.is_some());
        assert!(one.messages(&entry(2, 1), || made(20)).await.is_some());
        for (seq, bytes) in [(1, 10), (2, 20)] {
            let messages = two.messages(&entry(seq, 1), not_again).await.unwrap();
            assert_eq!(messages.bytes.len(), bytes);
        }
    }

    #[tokio::test]
    async fn who_is_alone_or_sends_otherwise_makes_its_own() {
        let shared = SharedMessages::default();
        let one = shared.join(&Settings::default(), &Selection::default());
        let longer = Settings {
            message_bytes_max: 100_000,
            ..Settings::default()
        };
        let other = shared.join(&longer, &Selection::default());
        assert!(one.messages(&entry(1, 1), not_again).await.is_none());
        assert!(other.messages(&entry(1, 1), not_again).await.is_none());
        let alike = shared.join(&Settings::default(), &Selection::default());
        assert!(one.messages(&entry(1, 1), || made(10)).await.is_some());
        drop(alike);
        assert!(one.messages(&entry(2, 1), not_again).await.is_none());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_who_is_behind_it_makes_its_own() {
        let (_shared, front, behind) = room();
        for seq in 1..=100 {
            let share = SHARED_BYTES_MAX / 10;
            assert!(
                front
                    .messages(&entry(seq, 1), || made(share))
                    .await
                    .is_some()
            );
            let recent = lock(&front.room.recent);
            assert!(recent.bytes <= SHARED_BYTES_MAX);
            let kept = recent.batches.iter().map(|batch| batch.bytes);
            assert_eq!(recent.bytes, kept.sum::<usize>());
        }
        assert!(behind.messages(&entry(1, 1), not_again).await.is_none());
        assert!(behind.messages(&entry(100, 1), not_again).await.is_some());
        let huge = FrameEntry {
            body: Bytes::from(vec![0; SHARED_BATCH_BYTES_MAX + 1]),
            ..entry(101, 1)
        };
        assert!(front.messages(&huge, not_again).await.is_none());
    }

    /// Of what a destination does not get nothing is sent, and it may be all there is.
    #[tokio::test]
    async fn batches_of_nothing_are_bounded_too() {
        let (_shared, front, _behind) = room();
        let most = SHARED_BYTES_MAX / SHARED_BATCH_COST_BYTES;
        let left_out = || Messages {
            bytes: Vec::new(),
            made: vec![Made::LeftOut],
        };
        for seq in 1..=3 * most as u64 {
            let events = 1 + u32::from(seq % 3 == 0);
            // Every third cannot be shared.
            front
                .messages(&entry(seq, events), || (events == 1).then(left_out))
                .await;
        }
        assert!(lock(&front.room.recent).batches.len() <= most);
    }

    #[tokio::test]
    async fn a_batch_that_cannot_be_made_whole_is_for_each_to_make() {
        let (_shared, one, two) = room();
        assert!(one.messages(&entry(1, 2), || None).await.is_none());
        assert!(two.messages(&entry(1, 2), not_again).await.is_none());
        assert!(one.messages(&entry(3, 2), || made(5)).await.is_none());
    }

    #[test]
    fn messages_are_told_apart_and_some_can_be_skipped() {
        let messages = Messages {
            bytes: b"abcde".to_vec(),
            made: vec![Made::Whole(2), Made::LeftOut, Made::Cut(5)],
        };
        let all: Vec<_> = messages.after(0).collect();
        assert_eq!(
            all,
            [
                (Made::Whole(2), &b"ab"[..]),
                (Made::LeftOut, b""),
                (Made::Cut(5), b"cde")
            ]
        );
        assert_eq!(messages.after(2).collect::<Vec<_>>(), all[2..]);
        assert_eq!(messages.after(9).count(), 0);
    }
}
