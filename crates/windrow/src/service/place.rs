//! Whether the journal lies where it lay, or is a copy that was put back.
//!
//! A copy may be older than what machines were told. One that goes on running keeps its own place
//! in its log: what was acknowledged after the copy was made it would never send again, and its
//! next delivery would bring a bookmark beyond it. So the copy gets an epoch of its own, and
//! subscriptions that take deliveries at an address made of it: what goes to the old address is
//! refused, and the machines subscribe anew from the bookmarks that the copy has.
//!
//! The lake can be a copy too, older than the journal: it gets again what the journal still has.
//!
//! A copy of the journal is known by the file that names the journal. It is written once, and no copy has both
//! its number and the time at which that was given. What rolls back the whole file system shows
//! nothing of this; to touch that file then says it.

use std::path::Path;

use uuid::Uuid;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_pipeline::journal::{Journal, Seq, StateChange};

use super::lake_room::LAKE_CURSOR;
use super::own::Recorder;

/// State of the journal: where it lay, and its epoch.
const STATE: &str = "own/place";
const STATE_VERSION: u8 = 1;
/// Version, inode, seconds, nanoseconds, epoch.
const STATE_BYTES: usize = 1 + 3 * 8 + 16;

/// A file as the file system knows it, and no copy of it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    inode: u64,
    changed_s: i64,
    changed_ns: i64,
}

/// Where a journal lay when it was last opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lay {
    place: Place,
    /// Of the last copy that was put back; nil when there was none.
    epoch: Uuid,
}

/// The epoch of the journal in `folder`: a new one, put on record, when it lies elsewhere than
/// before; none as long as it was never put back.
pub(crate) async fn epoch(journal: &Journal, folder: &Path, recorder: &Recorder) -> Option<Uuid> {
    let place = match Place::of(&folder.join("VERSION")) {
        Ok(place) => place?,
        Err(error) => {
            tracing::warn!(%error, "cannot tell whether the journal was put back from a copy");
            return None;
        }
    };
    let known = journal.state(STATE).and_then(|value| Lay::decode(&value));
    let epoch = match known {
        Some(lay) if lay.place == place => lay.epoch,
        Some(_) => put_back(journal, place, recorder).await,
        None => {
            let epoch = Uuid::nil();
            recorder.keep_state(Lay { place, epoch }.change()).await;
            epoch
        }
    };
    (!epoch.is_nil()).then_some(epoch)
}

/// A record that is not durable is made again at the next start, with another epoch: the machines
/// subscribe once more.
async fn put_back(journal: &Journal, place: Place, recorder: &Recorder) -> Uuid {
    let epoch = Uuid::new_v4();
    let last = journal.durable().borrow().to_string();
    let message = format!(
        "the journal was moved, or put back from a copy, and ends at event {last}: machines subscribe anew from the bookmarks it has"
    );
    tracing::warn!(durable_seq = last, "{message}");
    let change = Lay { place, epoch }.change();
    recorder
        .record_with(
            OwnEventId::JournalPutBack,
            OwnLevel::Warning,
            &message,
            &[("DurableSequence", &*last)],
            Some(change),
        )
        .await;
    epoch
}

/// Whether the lake, which has events up to `position`, is older than the journal: it lacks what it
/// told the journal that it has, or has nothing, as one in another place. The journal may not have that any more either, so
/// it is put on record.
pub(crate) async fn lacks(position: Seq, journal: &Journal, recorder: &Recorder) -> bool {
    let cursors = journal.cursors();
    let told = cursors.iter().find(|(name, _)| name == LAKE_CURSOR);
    let Some(&(_, told)) = told.filter(|(_, told)| (0..*told).contains(&position)) else {
        return false;
    };
    let [first, last] = [position + 1, told].map(|seq| seq.to_string());
    let message = format!(
        "the lake is another one, or was put back from a copy older than the journal, and lacks events {first} to {last}: those come again that the journal still has"
    );
    tracing::error!(first_seq = first, last_seq = last, "{message}");
    let (id, level) = (OwnEventId::LakePutBack, OwnLevel::Error);
    let data = [("FirstSequence", &*first), ("LastSequence", &*last)];
    recorder.record(id, level, &message, &data).await;
    true
}

impl Place {
    #[cfg(unix)]
    fn of(file: &Path) -> std::io::Result<Option<Place>> {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs_err::metadata(file)?;
        Ok(Some(Place {
            inode: found.ino(),
            changed_s: found.ctime(),
            changed_ns: found.ctime_nsec(),
        }))
    }

    #[cfg(not(unix))]
    fn of(_file: &Path) -> std::io::Result<Option<Place>> {
        Ok(None)
    }
}

impl Lay {
    fn change(self) -> StateChange {
        StateChange {
            key: STATE.to_owned(),
            value: Some(self.encode()),
        }
    }

    fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(STATE_BYTES);
        value.push(STATE_VERSION);
        value.extend(self.place.inode.to_le_bytes());
        value.extend(self.place.changed_s.to_le_bytes());
        value.extend(self.place.changed_ns.to_le_bytes());
        value.extend(self.epoch.as_bytes());
        value
    }

    /// What is not of this version says nothing: the place is taken for the first.
    fn decode(value: &[u8]) -> Option<Lay> {
        let value: &[u8; STATE_BYTES] = value.try_into().ok()?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&value[at..at + 8]);
            bytes
        };
        let mut epoch = [0; 16];
        epoch.copy_from_slice(&value[25..]);
        (value[0] == STATE_VERSION).then(|| Lay {
            place: Place {
                inode: u64::from_le_bytes(number(1)),
                changed_s: i64::from_le_bytes(number(9)),
                changed_ns: i64::from_le_bytes(number(17)),
            },
            epoch: Uuid::from_bytes(epoch),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lay_comes_back_as_it_was_written() {
        let lay = Lay {
            place: Place {
                inode: u64::MAX,
                changed_s: -1,
                changed_ns: 999_999_999,
            },
            epoch: Uuid::from_u128(7),
        };
        let value = lay.encode();
        assert_eq!(Lay::decode(&value), Some(lay));
        assert_eq!(Lay::decode(&value[1..]), None);
        assert_eq!(Lay::decode(&[2; STATE_BYTES]), None);
    }

    #[test]
    fn a_copy_lies_elsewhere_and_what_was_only_renamed_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let [first, copy] = ["first", "copy"].map(|name| temp.path().join(name));
        std::fs::create_dir(&first).unwrap();
        std::fs::create_dir(&copy).unwrap();
        std::fs::write(first.join("VERSION"), "x").unwrap();
        let place = Place::of(&first.join("VERSION")).unwrap();
        std::fs::copy(first.join("VERSION"), copy.join("VERSION")).unwrap();
        assert_ne!(Place::of(&copy.join("VERSION")).unwrap(), place);
        let moved = temp.path().join("moved");
        std::fs::rename(&first, &moved).unwrap();
        assert_eq!(Place::of(&moved.join("VERSION")).unwrap(), place);
    }
}
