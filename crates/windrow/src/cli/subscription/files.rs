//! Files with subscriptions: found in folders, and read with every fault and note at its place.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use windrow_formats::limits::SUBSCRIPTION_XML_BYTES_MAX;
use windrow_formats::wef::Place;
use windrow_formats::wef::subscription_xml::{self, Document, Note as Told, Noted};

use super::windows::{self, Whom};
use crate::admin::SubscriptionKeys;
use crate::exit::UsageError;

/// Files of one import.
const FILES_MAX: usize = 1_024;
/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 16;

/// Why a file is not taken that does not say whom it is for.
pub(super) const WHOM_FAULT: &str =
    "names groups or accounts of a domain that only its directory knows";
/// What helps.
pub(super) const WHOM_HINT: &str = "say which machines it is for: --machines NAMES or --group NAMES; --machines '*' is every machine";

/// A file that was read.
pub(super) struct ReadFile {
    /// What it calls itself; none where it is a query alone.
    pub(super) name: Option<String>,
    /// What it says.
    pub(super) keys: SubscriptionKeys,
    /// Whether it says whom it is for.
    pub(super) whom: Whom,
    /// What is to be known of it.
    pub(super) notes: Vec<Note>,
}

/// What is to be known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Note {
    /// From 1; none where it is about the whole file.
    pub(super) line: Option<usize>,
    /// From 1.
    pub(super) column: Option<usize>,
    /// In words.
    pub(super) note: String,
    /// The same for every file that has it.
    #[serde(skip)]
    pub(super) kind: String,
    /// What the kind does not say.
    #[serde(skip)]
    pub(super) of: Option<String>,
    /// Whether it is about whom the subscription is for.
    #[serde(skip)]
    pub(super) is_of_whom: bool,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where; none where it is about the whole file.
    pub(super) at: Option<Place>,
    /// In words.
    pub(super) reason: String,
}

impl Fault {
    fn whole(reason: impl Into<String>) -> Fault {
        Fault {
            at: None,
            reason: reason.into(),
        }
    }

    /// `FILE:3:12: what is wrong`
    pub(super) fn said(&self, file: &Path) -> String {
        match self.at {
            Some(at) => format!(
                "{}:{}:{}: {}",
                file.display(),
                at.line,
                at.column,
                self.reason
            ),
            None => format!("{}: {}", file.display(), self.reason),
        }
    }
}

impl Note {
    fn of_windows(noted: &Noted) -> Note {
        let note = noted.note.to_string();
        let nothing = |what: &str| format!("{what} means nothing here: see docs/subscriptions.md");
        let (kind, of) = match &noted.note {
            Told::LogFile(log) => (
                nothing("LogFile, a log of the collector,"),
                Some(log.clone()),
            ),
            Told::Publisher(_) => (nothing("PublisherName"), None),
            Told::Transport(_) => (nothing("TransportName"), None),
            _ => (note.clone(), None),
        };
        Note {
            line: Some(noted.at.line),
            column: Some(noted.at.column),
            note,
            kind,
            of,
            is_of_whom: matches!(
                noted.note,
                Told::NoMachines | Told::BadSddl | Told::HalfDomain(_) | Told::Trustee(_)
            ),
        }
    }

    /// Of the whole file.
    pub(super) fn of_us(note: String) -> Note {
        Note {
            line: None,
            column: None,
            kind: note.clone(),
            note,
            of: None,
            is_of_whom: false,
        }
    }

    /// `FILE:3:12: what is to be known`
    pub(super) fn said(&self, file: &Path) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                format!("{}:{line}:{column}: {}", file.display(), self.note)
            }
            _ => format!("{}: {}", file.display(), self.note),
        }
    }
}

/// Reads one file.
///
/// # Errors
/// It cannot be used.
pub(super) fn read(path: &Path) -> Result<ReadFile, Fault> {
    let bytes = bytes(path)?;
    let reading = subscription_xml::read(&bytes).map_err(|error| Fault {
        at: Some(error.at),
        reason: error.fault.to_string(),
    })?;
    let mut notes: Vec<Note> = reading.notes.iter().map(Note::of_windows).collect();
    let read = match reading.document {
        Document::QueryList(query) => ReadFile {
            name: None,
            keys: SubscriptionKeys {
                query: Some(query),
                ..SubscriptionKeys::default()
            },
            whom: Whom::Said,
            notes,
        },
        Document::Subscription(windows) => {
            let taken = windows::keys(&windows);
            notes.extend(taken.changed.into_iter().map(Note::of_us));
            ReadFile {
                name: Some(windows.name),
                keys: taken.keys,
                whom: taken.whom,
                notes,
            }
        }
    };
    Ok(read)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let cannot = |error: std::io::Error| Fault::whole(format!("cannot be read: {}", error.kind()));
    let file = fs_err::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    let most = SUBSCRIPTION_XML_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Files as they are named, folders for every `.xml` file in them and below, in the order of their names.
///
/// # Errors
/// A path that is not there, or nothing found at all: the command line is wrong.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, UsageError> {
    let mut files = Vec::new();
    for path in paths {
        let found = fs_err::metadata(path).map_err(|error| UsageError(error.to_string()))?;
        match found.is_dir() {
            true => walk(path, 0, &mut files)?,
            false => files.push(path.clone()),
        }
        if files.len() > FILES_MAX {
            return Err(UsageError(format!("more than {FILES_MAX} files at a time")));
        }
    }
    if files.is_empty() {
        let paths: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let message = format!("there are no .xml files in {}", paths.join(", "));
        return Err(UsageError(message));
    }
    Ok(files)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), UsageError> {
    let entries = fs_err::read_dir(folder).map_err(|error| UsageError(error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let is_folder =
        |path: &PathBuf| fs_err::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let (folders, found): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_folder);
    // What is no file would keep the others waiting for somebody to write into it.
    let xml = |path: &PathBuf| {
        let extension = path.extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case(OsStr::new("xml")))
            && fs_err::metadata(path).is_ok_and(|found| found.is_file())
    };
    files.extend(found.into_iter().filter(xml));
    if files.len() > FILES_MAX || depth == DEPTH_MAX {
        return Ok(());
    }
    for folder in folders {
        walk(&folder, depth + 1, files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_in_the_order_of_names() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        fs_err::create_dir_all(at("b/deep")).unwrap();
        for name in ["z.xml", "a.XML", "b/deep/c.xml", "notes.txt", "query"] {
            fs_err::write(at(name), "").unwrap();
        }
        #[cfg(unix)]
        drop(std::os::unix::net::UnixListener::bind(at("socket.xml")).unwrap());
        let found = find(&[at("query"), temp.path().to_owned()]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|file| file.strip_prefix(temp.path()).unwrap())
            .collect();
        assert_eq!(
            names,
            ["query", "a.XML", "z.xml", "b/deep/c.xml"].map(Path::new)
        );
        assert!(find(&[at("b/deep/none")]).is_err());
        assert!(find(&[at("b/deep"), at("nothing")]).is_err());
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("q.xml");
        fs_err::write(
            &file,
            "<QueryList>\n<Query><Select Path='Security'>[x]</Select></Query></QueryList>",
        )
        .unwrap();
        let fault = read(&file).err().unwrap();
        let said = fault.said(Path::new("q.xml"));
        assert!(said.starts_with("q.xml:2:"), "{said}");
        let absent = read(&temp.path().join("none.xml")).err().unwrap();
        assert_eq!(absent.at, None);
    }
}
