//! What lies below a folder, without following a link.
//!
//! Whoever may write there may put links there, to files that are none of theirs. So each folder is opened within the
//! one above it, and nothing that is a link; only the folder that the administrator named may be one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, open, openat, statat};

use super::{Below, Watch};
use crate::limits::{DIRECTORY_DEPTH_MAX, DIRECTORY_ENTRIES_MAX, DIRECTORY_PATH_BYTES_MAX};

/// What a file is to its file system, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// Length and time of the last change: as long as both stay, nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) modified_at: Option<Timestamp>,
}

/// A file.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// From the watched folder, with `/`.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) stamp: Stamp,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// By path; each file once.
    pub(super) files: Vec<Found>,
    /// On which devices something was found: what is not found of another one may lie on a share that is away.
    pub(super) devices: BTreeSet<u64>,
    /// Entries passed over: links, and names that are too long, too deep or no UTF-8.
    pub(super) skipped: u64,
    /// Why not everything was seen.
    pub(super) gap: Option<String>,
    entries: usize,
}

/// The watched folder, open.
pub(super) struct Root(OwnedFd);

impl Stamp {
    fn of(stat: &Stat) -> Stamp {
        let nanosecond = i32::try_from(stat.st_mtime_nsec).ok();
        Stamp {
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified_at: nanosecond.and_then(|part| Timestamp::new(stat.st_mtime, part).ok()),
        }
    }
}

impl Place {
    fn of(stat: &Stat) -> Place {
        Place {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Root(open(path, flags, Mode::empty())?))
    }

    /// Everything of a watch.
    pub(super) fn scan(&self, watch: &Watch) -> io::Result<Scan> {
        let mut scan = Scan::default();
        scan.walk(self.0.as_fd(), watch, &mut String::new(), 0)?;
        scan.files.sort_by(|a, b| a.path.cmp(&b.path));
        // A file that has two names is taken under the first.
        let mut places = BTreeSet::new();
        scan.files.retain(|found| places.insert(found.place));
        Ok(scan)
    }

    /// Opens a file that was found, and what it is now; none where it is another one by now.
    pub(super) fn open_file(&self, found: &Found) -> io::Result<Option<(File, Stamp)>> {
        let (folders, name) = match found.path.rsplit_once('/') {
            Some((folders, name)) => (Some(folders), name),
            None => (None, found.path.as_str()),
        };
        let mut inner: Option<OwnedFd> = None;
        for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
            let outer = inner.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
            inner = Some(open_folder(outer, folder)?);
        }
        let folder = inner.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
        // A pipe must not hold it up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(folder, name, flags | OFlags::NOCTTY, Mode::empty())?;
        let stat = fstat(&file)?;
        let is_it =
            FileType::from_raw_mode(stat.st_mode).is_file() && Place::of(&stat) == found.place;
        Ok(is_it.then(|| (File::from(file), Stamp::of(&stat))))
    }
}

/// What a file is now.
pub(super) fn stamp(file: &File) -> io::Result<Stamp> {
    Ok(Stamp::of(&fstat(file)?))
}

fn open_folder(outer: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(outer, name, flags, Mode::empty())?)
}

impl Scan {
    /// Adds what lies in a folder, whose path with a `/` behind it is `path`.
    fn walk(
        &mut self,
        folder: BorrowedFd<'_>,
        watch: &Watch,
        path: &mut String,
        depth: usize,
    ) -> io::Result<()> {
        self.devices.insert(fstat(folder)?.st_dev);
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > DIRECTORY_ENTRIES_MAX {
                self.gap = Some(format!("more than {DIRECTORY_ENTRIES_MAX} entries"));
                return Ok(());
            }
            let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // It was just removed.
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => {
                    self.gap = Some(io::Error::from(error).to_string());
                    continue;
                }
            };
            let Some(name) = (name.to_str().ok())
                .filter(|name| path.len() + name.len() < DIRECTORY_PATH_BYTES_MAX)
            else {
                self.skipped += 1;
                continue;
            };
            let length = path.len();
            path.push_str(name);
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => self.file(watch, path, name, &stat),
                FileType::Directory if watch.below == Below::Everything => {
                    path.push('/');
                    self.inner(folder, name, watch, path, depth + 1);
                }
                FileType::Directory => {}
                _ => self.skipped += 1,
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn file(&mut self, watch: &Watch, path: &str, name: &str, stat: &Stat) {
        if watch.takes(name) {
            self.devices.insert(stat.st_dev);
            self.files.push(Found {
                path: path.to_owned(),
                place: Place::of(stat),
                stamp: Stamp::of(stat),
            });
        }
    }

    /// A folder that cannot be read does not hide the others.
    fn inner(
        &mut self,
        outer: BorrowedFd<'_>,
        name: &str,
        watch: &Watch,
        path: &mut String,
        depth: usize,
    ) {
        if depth > DIRECTORY_DEPTH_MAX {
            self.skipped += 1;
            return;
        }
        let walked = open_folder(outer, name)
            .and_then(|folder| self.walk(folder.as_fd(), watch, path, depth));
        if let Err(error) = walked {
            self.gap = Some(format!("{path}: {error}"));
        }
    }
}
