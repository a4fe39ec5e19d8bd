//! What of files could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::MET_FILES;

/// What of one file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub file: PathBuf,
    /// Lines or records, as far as it was read; 0 where the file is damaged and nobody can tell.
    pub count: u64,
    /// The first place: a line, a record. Nothing where the file is damaged.
    pub place: String,
    /// Why the first could not be read.
    pub reason: String,
}

/// What could not be read, by file. A file that is read twice for a query counts once.
#[derive(Debug, Default)]
pub struct Tally {
    files: Mutex<BTreeMap<PathBuf, Unread>>,
    /// Bytes read of all files.
    bytes: AtomicU64,
    /// What people are told before the locations that stores have for files: where they begin.
    root: String,
    /// What else the answer lacks, in a sentence each.
    notes: Mutex<BTreeSet<&'static str>>,
    /// Who keeps it in mind beyond the query.
    met: Option<Arc<Met>>,
}

/// Damaged files that queries have met.
#[derive(Debug, Default)]
pub(crate) struct Met(Mutex<BTreeSet<PathBuf>>);

impl Met {
    /// How many those are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it is met for the first time.
    fn meet(&self, file: &Path) -> bool {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.len() < MET_FILES && met.insert(file.to_owned())
    }
}

impl Tally {
    /// Of a query about a table whose files begin there, and whose damaged ones are to be kept in mind.
    pub(crate) fn noting(root: &str, met: Option<Arc<Met>>) -> Tally {
        Tally {
            root: root.to_owned(),
            met,
            ..Tally::default()
        }
    }

    /// What people are told of a file at this location of its store. Those have no sign before them.
    pub(crate) fn file(&self, location: &object_store::path::Path) -> PathBuf {
        PathBuf::from(format!("{}/{location}", self.root))
    }

    /// What could not be read so far, by file.
    pub fn all(&self) -> Vec<Unread> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().cloned().collect()
    }

    /// What the answer lacks beside what could not be read, in a sentence each.
    pub fn notes(&self) -> Vec<&'static str> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().copied().collect()
    }

    /// Notes that the answer lacks something.
    pub(crate) fn note(&self, sentence: &'static str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.insert(sentence) {
            tracing::warn!("{sentence}");
        }
    }

    /// Notes a damaged file. What of it could be read is in the answer.
    pub(crate) fn damaged(&self, file: &Path, reason: String) {
        if self.met.as_ref().is_some_and(|met| met.meet(file)) {
            tracing::error!(file = %file.display(), reason, "a file of the lake is damaged: answers lack what of it cannot be read; `windrow lake check` says what to do");
        }
        self.add(Unread {
            file: file.to_owned(),
            count: 0,
            place: String::new(),
            reason,
        });
    }

    /// Adds what somebody else found.
    pub(crate) fn add(&self, unread: Unread) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(unread.file.clone()).or_insert(unread);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What could not be read of the file that is being read. Told when it is dropped, so that a query that ends early tells
/// what it met.
pub(super) struct Bad<'a> {
    tally: &'a Tally,
    unread: Unread,
}

impl<'a> Bad<'a> {
    pub(super) fn new(tally: &'a Tally, file: &Path) -> Bad<'a> {
        let unread = Unread {
            file: file.to_owned(),
            count: 0,
            place: String::new(),
            reason: String::new(),
        };
        Bad { tally, unread }
    }

    /// Counts one more. The words are made for the first one alone.
    pub(super) fn add(&mut self, place: impl FnOnce() -> String, why: impl FnOnce() -> String) {
        if self.unread.count == 0 {
            self.unread.place = place();
            self.unread.reason = why();
        }
        self.unread.count += 1;
    }

    /// Counts bytes that were read, for whoever waits.
    pub(super) fn read(&self, bytes: usize) {
        self.tally.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The same as [`Bad::add`] of a line.
    pub(super) fn add_line(&mut self, line: u64, why: impl FnOnce() -> String) {
        self.add(|| format!("line {line}"), why);
    }
}

impl Drop for Bad<'_> {
    fn drop(&mut self) {
        if self.unread.count == 0 {
            return;
        }
        let mut files = self
            .tally
            .files
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = files.get(&self.unread.file).map_or(0, |known| known.count);
        if self.unread.count > known {
            files.insert(self.unread.file.clone(), self.unread.clone());
        }
    }
}
