//! A folder that is watched: what is new in its files goes into the journal as references, its bytes into the spool.
//!
//! Files of lines are taken as they grow, up to the last end of a line; other files once they have not changed for a
//! while. How far each was taken is a state of the journal, changed in one record with the batch that refers to what was
//! taken: a crash takes nothing twice and leaves nothing out.
//!
//! [`Directory::look`] is one round. It knows no clock and no thread and takes a bounded number of bytes, so that it is
//! called again and again. Nothing in the folder is written to or removed.

mod event_file;
mod known;
mod metrics;
mod scan;
mod take;
mod take_events;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use windrow_formats::batch::file::FileClass;
use windrow_formats::text::{Chain, fold, glob};

use self::known::{Known, Taken};
pub use self::metrics::DirectoryMetrics;
use self::scan::{Place, Root, Scan};
use self::take::{TakeError, Taker};
use self::take_events::Reading;
use crate::limits::{
    DIRECTORY_ABSENCES_MIN, DIRECTORY_PATTERN_BYTES_MAX, DIRECTORY_ROUND_BYTES_MAX,
    DIRECTORY_ROUND_READ_BYTES_MAX,
};
use crate::spool::Keeper;

/// What is watched, and how.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The source's name, in states and as the subscription of its batches.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// Whether folders in it are watched too.
    pub below: Below,
    /// Names of files that are taken; all where there is none.
    pub names: Vec<NamePattern>,
    /// When a file is taken.
    pub taking: Taking,
    /// What the files are.
    pub class: FileClass,
    /// Whose they are.
    pub machine: Machine,
    /// Manifests of providers of whose events traces do not say themselves what they are.
    pub manifests: Arc<[String]>,
}

/// Which folders are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// The one that is named.
    Here,
    /// All in it as well.
    Everything,
}

/// When a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// As it grows, line by line.
    Lines,
    /// As one, when it has not changed for so long.
    Whole {
        /// How long.
        settled: SignedDuration,
    },
    /// Its events, when it has not changed for so long.
    Events {
        /// What it is.
        form: EventForm,
        /// How long.
        settled: SignedDuration,
    },
}

/// What a file of events is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventForm {
    /// A log of Windows.
    Evtx,
    /// A trace.
    Etl,
}

impl Taking {
    /// How long a file has to rest before it is taken; none where it is taken as it grows.
    fn settled(self) -> Option<SignedDuration> {
        match self {
            Taking::Lines => None,
            Taking::Whole { settled } | Taking::Events { settled, .. } => Some(settled),
        }
    }
}

/// Whose files they are: the source of their batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machine {
    /// One machine's.
    Named(String),
    /// That of which the folder right below the watched one has the name; of what lies in the watched folder itself,
    /// this machine's.
    Folder(String),
}

/// Names of files: `*` is any characters, `?` is one, and case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    folded: String,
}

/// Why something is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// It is empty, or longer than any name.
    #[error("a pattern of file names has 1 to {DIRECTORY_PATTERN_BYTES_MAX} bytes")]
    Length,
    /// It has a `/`.
    #[error("a pattern is of file names and has no '/'")]
    Folder,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn new(text: &str) -> Result<NamePattern, PatternError> {
        if text.is_empty() || text.len() > DIRECTORY_PATTERN_BYTES_MAX {
            return Err(PatternError::Length);
        }
        if text.contains('/') {
            return Err(PatternError::Folder);
        }
        let folded = text.chars().map(fold).collect();
        Ok(NamePattern { folded })
    }

    /// Whether it means a name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(&self.folded, name)
    }
}

impl Watch {
    fn takes(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|pattern| pattern.matches(name))
    }
}

/// Why a folder cannot be watched.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// Its states say nothing: what was taken is not known.
    #[error("the journal's state {key:?} cannot be read: {reason}")]
    State {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
}

/// What a look found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Files there that are to be taken.
    pub files: u64,
    /// Pieces taken.
    pub pieces: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Events taken of files of events.
    pub events: u64,
    /// Bytes of such files that were gone through for them, unpacked.
    pub read: u64,
    /// Places in such files that could not be read.
    pub damaged: u64,
    /// Bytes seen that are not taken: unfinished lines, files that still change, and what comes with the next looks.
    pub waiting_bytes: u64,
    /// Files that were cut short or replaced by others, and began anew.
    pub replaced: u64,
    /// Lines that were longer than any may be, and were taken in parts.
    pub long_lines: u64,
    /// Entries passed over: links, and what has a name that is too long, too deep or no UTF-8.
    pub skipped: u64,
    /// Files that could not be read.
    pub failed: u64,
    /// Why nothing more is taken for now: there is no room.
    pub full: Option<String>,
    /// The last that went wrong.
    pub last_error: Option<String>,
    /// Whether there is more to take at once.
    pub rest: Rest,
}

/// What a look left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rest {
    /// All was taken that could be.
    #[default]
    None,
    /// It ended where a look has to end.
    More,
}

/// What there is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Files that would be taken.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Entries that would be passed over.
    pub skipped: u64,
}

/// Looks at a folder once and takes nothing.
///
/// # Errors
/// It, or a folder in it, cannot be read.
pub fn survey(watch: &Watch) -> io::Result<Survey> {
    let scan = Root::open(&watch.root)?.scan(watch)?;
    match scan.gap {
        Some(gap) => Err(io::Error::other(gap)),
        None => Ok(Survey {
            files: scan.files.len() as u64,
            bytes: scan.files.iter().map(|found| found.stamp.bytes).sum(),
            skipped: scan.skipped,
        }),
    }
}

/// A folder that is watched.
#[derive(Debug)]
pub struct Directory {
    watch: Watch,
    keeper: Keeper,
    known: BTreeMap<Place, Known>,
    /// The file after which the next look begins, so that each has its turn.
    after: String,
    /// A file of events that is read in several looks: the next one goes on with it.
    reading: Option<Reading>,
}

impl Directory {
    /// Goes on where the journal says that it was left.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn open(watch: Watch, keeper: Keeper) -> Result<Directory, DirectoryError> {
        let mut known = BTreeMap::new();
        for (key, value) in keeper.journal().states(&known::prefix(&watch.name)) {
            let Some(place) = known::place(&watch.name, &key) else {
                continue;
            };
            let taken = Taken::decode(&value);
            let taken = taken.map_err(|reason| DirectoryError::State { key, reason })?;
            known.insert(place, Known::stored(taken));
        }
        Ok(Directory {
            watch,
            keeper,
            known,
            after: String::new(),
            reading: None,
        })
    }

    /// What it watches.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes what is new, up to [`DIRECTORY_ROUND_BYTES_MAX`] or so. Reads and writes on the caller's thread.
    pub async fn look(&mut self, now: Timestamp) -> Round {
        self.keeper.sweep();
        let mut round = Round::default();
        let found = Root::open(&self.watch.root).and_then(|root| {
            let scan = root.scan(&self.watch)?;
            Ok((root, scan))
        });
        let (root, scan) = match found {
            Ok(found) => found,
            Err(error) => {
                round.failed(&self.watch, ".", &error);
                return round;
            }
        };
        round.files = scan.files.len() as u64;
        round.skipped = scan.skipped;
        if let Some(gap) = &scan.gap {
            tracing::warn!(
                source = self.watch.name,
                gap,
                "the watched folder is not seen as a whole"
            );
            round.last_error = Some(gap.clone());
        }
        self.take(&root, &scan, now, &mut round).await;
        if scan.gap.is_none() {
            self.forget(&scan, &mut round).await;
        }
        let waiting = self.known.values().map(|known| known.waiting);
        round.waiting_bytes = waiting.sum();
        round
    }

    /// Takes files in turn until there is no room or it is enough.
    async fn take(&mut self, root: &Root, scan: &Scan, now: Timestamp, round: &mut Round) {
        let first = (scan.files).partition_point(|found| found.path <= self.after);
        let (before, from) = scan.files.split_at(first);
        let reading = self.reading.as_ref().map(|reading| reading.place);
        let begun = (scan.files.iter()).filter(|found| Some(found.place) == reading);
        for found in begun.chain(from).chain(before) {
            let known = (self.known)
                .entry(found.place)
                .or_insert_with(|| Known::new(&found.path));
            known.missed = 0;
            let mut taker = Taker {
                watch: &self.watch,
                keeper: &self.keeper,
                now,
                round,
                reading: &mut self.reading,
            };
            let outcome = taker.file(root, found, known).await;
            self.after.clone_from(&found.path);
            match outcome {
                Ok(()) => {}
                Err(TakeError::Keep(error)) => {
                    let reason = Chain(&error).to_string();
                    tracing::error!(
                        source = self.watch.name,
                        reason,
                        "nothing more is taken from the watched folder until this is over"
                    );
                    round.last_error = Some(reason.clone());
                    round.full = error.is_full().then_some(reason);
                    break;
                }
                Err(TakeError::Io(error)) => round.failed(&self.watch, &found.path, &error),
            }
            if round.is_enough() {
                round.rest = Rest::More;
                break;
            }
        }
    }

    /// Forgets files that are gone: not found by several looks at everything, on devices on which those found something.
    async fn forget(&mut self, scan: &Scan, round: &mut Round) {
        let here: BTreeSet<Place> = scan.files.iter().map(|found| found.place).collect();
        let mut gone = Vec::new();
        for (place, known) in &mut self.known {
            if here.contains(place) || !scan.devices.contains(&place.device) {
                continue;
            }
            // A file that is renamed while a look goes by may be missed by it.
            known.missed += 1;
            if known.missed >= DIRECTORY_ABSENCES_MIN {
                gone.push(*place);
            }
        }
        for place in gone {
            let Some(known) = self.known.get(&place) else {
                continue;
            };
            if known.is_stored
                && let Err(error) = (self.keeper.journal())
                    .forget(&known::key(&self.watch.name, place))
                    .await
            {
                round.last_error = Some(Chain(&error).to_string());
                return;
            }
            if known.waiting > 0 {
                tracing::warn!(
                    source = self.watch.name,
                    path = known.taken.path,
                    bytes = known.waiting,
                    "a file is gone, and its last bytes were not taken"
                );
            }
            self.known.remove(&place);
        }
    }
}

impl Round {
    /// Whether other work has its turn.
    fn is_enough(&self) -> bool {
        self.bytes >= DIRECTORY_ROUND_BYTES_MAX || self.read >= DIRECTORY_ROUND_READ_BYTES_MAX
    }

    fn failed(&mut self, watch: &Watch, path: &str, error: &io::Error) {
        self.failed += 1;
        if path == "." {
            let folder = watch.root.display();
            tracing::warn!(source = watch.name, %folder, %error, "a watched folder cannot be read");
            self.last_error = Some(format!("{folder}: {error}"));
            return;
        }
        tracing::warn!(source = watch.name, path, %error, "a watched file cannot be read");
        self.last_error = Some(format!("{path}: {error}"));
    }
}
