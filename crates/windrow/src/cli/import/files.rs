//! Which files an import is about.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use windrow_lake::is_w3c_log;

use crate::exit::UsageError;

/// Files of one import.
const FILES_MAX: usize = 1_000_000;
/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 64;

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Found {
    /// Where it is, as a person would write it.
    pub(in crate::cli) path: PathBuf,
    /// Its length.
    pub(super) bytes: u64,
}

/// Which files of folders are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) enum Wanted {
    /// Windows event logs.
    #[default]
    EventLogs,
    /// The logs of web servers too.
    AllLogs,
}

impl Wanted {
    fn has(self, path: &Path) -> bool {
        let is_log = || has_extension(path, "log") && is_w3c_log(path);
        has_extension(path, "evtx") || self == Wanted::AllLogs && is_log()
    }
}

/// What was found at the paths given.
#[derive(Debug, Default)]
pub(in crate::cli) struct Files {
    wanted: Wanted,
    /// The files, in the order of the paths given, those of a folder in the order of their names; each once.
    pub(in crate::cli) files: Vec<Found>,
    /// Folders and files that could not be looked at, and why.
    pub(in crate::cli) unreadable: Vec<(PathBuf, String)>,
    known: BTreeSet<PathBuf>,
}

/// Looks at paths: files as they are, folders for every `.evtx` file in them and below, and where they are wanted every
/// `.log` file that begins as a W3C log does. Links inside folders are
/// followed to files and not to folders, so that the search ends.
///
/// # Errors
/// A path that is not there, or nothing found at all: the command line is wrong.
pub(in crate::cli) fn find(paths: &[PathBuf], wanted: Wanted) -> Result<Files, UsageError> {
    let mut files = Files {
        wanted,
        ..Files::default()
    };
    for path in paths {
        let found = fs_err::metadata(path).map_err(|error| not_there(path, &error))?;
        if found.is_dir() {
            files.walk(path);
        } else if found.is_file() {
            files.add(path.clone(), found.len());
        } else {
            // A pipe cannot be read twice, and a device has no end.
            let reason = "neither a file nor a folder".to_owned();
            files.unreadable.push((path.clone(), reason));
        }
    }
    if files.files.is_empty() && files.unreadable.is_empty() {
        let paths: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let kinds = match wanted {
            Wanted::EventLogs => ".evtx files",
            Wanted::AllLogs => ".evtx files and no W3C logs",
        };
        let message = format!("there are no {kinds} in {}", paths.join(", "));
        return Err(UsageError(message));
    }
    Ok(files)
}

fn not_there(path: &Path, error: &std::io::Error) -> UsageError {
    UsageError(match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file or folder {}", path.display()),
        _ => error.to_string(),
    })
}

impl Files {
    fn walk(&mut self, folder: &Path) {
        let mut open = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let entries = match fs_err::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable.push((folder, error.to_string()));
                    continue;
                }
            };
            let mut paths: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            paths.sort();
            let (folders, files): (Vec<_>, Vec<_>) =
                paths.into_iter().partition(|path| is_folder(path));
            let wanted = self.wanted;
            for path in files.into_iter().filter(|path| wanted.has(path)) {
                match fs_err::metadata(&path) {
                    Ok(found) if found.is_file() => self.add(path, found.len()),
                    Ok(_) => {}
                    Err(error) => self.unreadable.push((path, error.to_string())),
                }
            }
            if depth < DEPTH_MAX {
                // The last one pushed is looked at first.
                open.extend(folders.into_iter().rev().map(|folder| (folder, depth + 1)));
            }
        }
    }

    fn add(&mut self, path: PathBuf, bytes: u64) {
        let canonical = fs_err::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if self.files.len() == FILES_MAX {
            self.unreadable
                .push((path, format!("more than {FILES_MAX} files at a time")));
        } else if self.known.insert(canonical) {
            self.files.push(Found { path, bytes });
        }
    }
}

fn is_folder(path: &Path) -> bool {
    fs_err::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(OsStr::new(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_in_a_fixed_order_and_files_come_once() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(at("b/deep")).unwrap();
        for name in [
            "z.evtx",
            "a.EVTX",
            "b/deep/c.evtx",
            "b/d.evtx",
            "notes.txt",
            "backup.old",
        ] {
            std::fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(temp.path(), at("b/again")).unwrap();
        std::os::unix::fs::symlink(at("z.evtx"), at("b/link.evtx")).unwrap();
        let found = find(
            &[at("backup.old"), temp.path().to_owned(), at("z.evtx")],
            Wanted::EventLogs,
        )
        .unwrap();
        let names: Vec<_> = found
            .files
            .iter()
            .map(|file| file.path.strip_prefix(temp.path()).unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "backup.old",
                "a.EVTX",
                "z.evtx",
                "b/d.evtx",
                "b/deep/c.evtx"
            ]
            .map(Path::new)
        );
        assert_eq!(found.files[0].bytes, 10);
    }

    #[test]
    fn logs_of_web_servers_are_known_by_what_they_begin_with() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::write(at("u_ex261121.log"), "#Software: IIS\n").unwrap();
        std::fs::write(at("cbs.log"), "2026-11-21, Info CBS\n").unwrap();
        std::fs::write(at("notes.txt"), "#Fields: date\n").unwrap();
        let found = |wanted| find(&[temp.path().to_owned()], wanted).map(|files| files.files);
        assert_eq!(
            found(Wanted::AllLogs).unwrap()[0].path,
            at("u_ex261121.log")
        );
        assert_eq!(found(Wanted::AllLogs).unwrap().len(), 1);
        assert!(found(Wanted::EventLogs).is_err());
    }

    #[test]
    fn a_wrong_path_is_wrong_usage() {
        let temp = tempfile::tempdir().unwrap();
        assert!(find(&[temp.path().join("nope.evtx")], Wanted::AllLogs).is_err());
        assert!(find(&[temp.path().to_owned()], Wanted::AllLogs).is_err());
    }
}
