//! What configurations were before: `diagnostics/NAME` in the data folder.
//!
//! ```text
//! diagnostics/NAME/000003.toml    the object of conf.d as it was in its third revision
//! diagnostics/NAME/000004.key     what opens the account of the fourth, readable by its owner only
//! ```
//!
//! A revision is written here before its successor is in force. Keys of earlier revisions are not kept.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::refusal::{Refusal, RefusalKind};
use crate::config::limits::{MAX_OBJECT_BYTES, MAX_REVISIONS};
use crate::datadir::{self, WholeFiles};

/// The folder of all of them, in the data folder.
const FOLDER: &str = "diagnostics";

/// A configuration as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Which.
    pub revision: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// Who had set it.
    pub set_by: String,
}

/// What is told of a revision by its own text.
#[derive(Deserialize)]
struct Head {
    revision: u64,
    set_at: Timestamp,
    set_by: String,
}

/// The earlier revisions of one name.
#[derive(Debug)]
pub(super) struct History {
    data_dir: PathBuf,
    folder: PathBuf,
}

impl History {
    /// Those of a name that is one ([`crate::config::diagnostics::is_name`]).
    pub(super) fn of(data_dir: &Path, name: &str) -> History {
        History {
            data_dir: data_dir.to_owned(),
            folder: data_dir.join(FOLDER).join(name),
        }
    }

    /// All that are kept, the latest first. One that cannot be read is left out.
    pub(super) fn list(&self) -> Vec<Revision> {
        let numbers = self.numbers();
        let heads = numbers.into_iter().rev().filter_map(|number| {
            let text = self.text(number).ok()?;
            let head: Head = toml::from_str(&text).ok()?;
            (head.revision == number).then_some(Revision {
                revision: number,
                set_at: head.set_at,
                set_by: head.set_by,
            })
        });
        heads.collect()
    }

    /// Numbers of what is kept, the least first.
    fn numbers(&self) -> Vec<u64> {
        let entries = fs_err::read_dir(&self.folder);
        let names = entries.into_iter().flatten().flatten();
        let numbers = names.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".toml")?.parse().ok()
        });
        let mut numbers: Vec<u64> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }

    /// The number of the next revision, where `current` is in force.
    pub(super) fn next(&self, current: Option<u64>) -> u64 {
        let last = self.numbers().into_iter().chain(current).max();
        last.unwrap_or(0) + 1
    }

    /// The text of a revision.
    ///
    /// # Errors
    /// It is not kept, or cannot be read.
    pub(super) fn text(&self, revision: u64) -> Result<String, Refusal> {
        use std::io::Read as _;
        let file = match fs_err::File::open(self.folder.join(text_file(revision))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let kept = self
                    .numbers()
                    .iter()
                    .map(u64::to_string)
                    .collect::<Vec<_>>();
                let refusal = Refusal::new(
                    RefusalKind::NotFound,
                    format!("revision {revision} is not kept"),
                );
                return Err(match kept.is_empty() {
                    true => refusal,
                    false => refusal.hint(format!("kept are {}", kept.join(", "))),
                });
            }
            other => other.map_err(failed)?,
        };
        let mut text = String::new();
        (file.take(MAX_OBJECT_BYTES))
            .read_to_string(&mut text)
            .map_err(failed)?;
        Ok(text)
    }

    /// Keeps the text of a revision that is to be replaced.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn keep(&self, revision: u64, text: &str) -> Result<(), Refusal> {
        self.make().map_err(failed)?;
        let files = WholeFiles::in_folder(self.folder.clone());
        let kept = files.replace(&text_file(revision), text.as_bytes());
        kept.map(drop).map_err(failed)
    }

    /// The file of what opens the account of a revision, relative to the data folder.
    pub(super) fn key_path(&self, revision: u64) -> PathBuf {
        let path = self.folder.join(key_file(revision));
        let inside = path.strip_prefix(&self.data_dir);
        inside.unwrap_or(&path).to_owned()
    }

    /// Writes what opens the account of a revision.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write_key(&self, revision: u64, key: &str) -> Result<(), Refusal> {
        let path = self.folder.join(key_file(revision));
        let write = || {
            self.make()?;
            // One that a change left behind which was never in force.
            match fs_err::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            datadir::write_private(&path, key.as_bytes())?;
            datadir::sync_folder(&self.folder)
        };
        write().map_err(failed)
    }

    fn make(&self) -> io::Result<()> {
        datadir::create_private(&self.data_dir.join(FOLDER))?;
        datadir::create_private(&self.folder)
    }

    /// Takes keys away that `current` does not name, and what is older than what is kept.
    pub(super) fn tidy(&self, current: Option<&Path>) {
        let entries = fs_err::read_dir(&self.folder);
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            let is_key = path.extension().is_some_and(|extension| extension == "key");
            if is_key && Some(&*path) != current {
                remove(&path);
            }
        }
        let numbers = self.numbers();
        let old = numbers.len().saturating_sub(MAX_REVISIONS);
        for number in &numbers[..old] {
            remove(&self.folder.join(text_file(*number)));
        }
    }
}

fn text_file(revision: u64) -> String {
    format!("{revision:06}.toml")
}

fn key_file(revision: u64) -> String {
    format!("{revision:06}.key")
}

fn remove(path: &Path) {
    if let Err(error) = fs_err::remove_file(path) {
        tracing::warn!(%error, "a file that is not used any more stays behind");
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it")]
fn failed(error: io::Error) -> Refusal {
    Refusal::new(RefusalKind::Failed, error.to_string())
}
