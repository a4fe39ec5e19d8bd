//! A bounded folder for what came in and could not be read, so that it can be looked at.
//!
//! A file is named by a counter and the hash of its content; nothing of what a network said goes
//! into a name. What is known about it is a line of JSON in `index.ndjson`. Both are private to the
//! owner.
//!
//! Invariants: the folder never holds more files or bytes than [`QuarantineLimits`] allows; the
//! oldest goes first. The same content is kept once. An error here is an inconvenience and never
//! stops a source.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fs_err as fs;
use serde::Serialize;
use windrow_formats::text::hex;

use crate::journal::Seq;
use crate::limits::{QUARANTINE_ENTRY_BYTES_MAX, QUARANTINE_INDEX_LINES_MAX};

const INDEX: &str = "index.ndjson";

/// Hexadecimal digits of the hash in a file's name.
const NAME_DIGITS: usize = 16;

/// How much a quarantine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// Most files.
    pub files: usize,
    /// Most bytes of all files together.
    pub bytes: u64,
}

impl Default for QuarantineLimits {
    fn default() -> QuarantineLimits {
        QuarantineLimits {
            files: 1_000,
            bytes: 256 * 1024 * 1024,
        }
    }
}

/// What is known about something that is put aside.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// What could not deal with it: `wef`, `syslog`.
    pub room: &'a str,
    /// Why it was not understood.
    pub reason: &'a str,
    /// The authenticated source.
    pub source: Option<&'a str>,
    /// The sender's address.
    pub address: Option<IpAddr>,
    /// When it came.
    pub received_at: jiff::Timestamp,
    /// Its sequence in the journal, and how many events from there on.
    pub events: Option<(Seq, u64)>,
}

/// A line of the index.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: &'a str,
    room: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// Bytes that came; the file holds the first of them when it is shorter.
    bytes: usize,
    sha256: String,
}

/// The folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Quarantine {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limits: QuarantineLimits,
    /// Oldest first.
    files: VecDeque<Kept>,
    bytes: u64,
    next: u64,
    index_lines: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Kept {
    name: String,
    bytes: u64,
}

impl Kept {
    fn hash(&self) -> &str {
        self.name
            .split_once('-')
            .map_or("", |(_, rest)| rest.trim_end_matches(".bin"))
    }
}

impl Quarantine {
    /// Opens the folder, made if needed, and brings it within its limits.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, listed or cut down.
    pub fn open(folder: &Path, limits: QuarantineLimits) -> io::Result<Quarantine> {
        make_folder(folder)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let (Some(name), true) = (name.to_str(), entry.file_type()?.is_file()) else {
                continue;
            };
            if let Some(number) = number_of(name) {
                let bytes = entry.metadata()?.len();
                files.push((
                    number,
                    Kept {
                        name: name.to_owned(),
                        bytes,
                    },
                ));
            }
        }
        files.sort_by_key(|(number, _)| *number);
        let next = files.last().map_or(1, |(number, _)| number + 1);
        let files: VecDeque<Kept> = files.into_iter().map(|(_, kept)| kept).collect();
        let mut inner = Inner {
            folder: folder.to_owned(),
            limits,
            bytes: files.iter().map(|kept| kept.bytes).sum(),
            files,
            next,
            index_lines: count_lines(&folder.join(INDEX))?,
        };
        inner.make_room(0, 0)?;
        Ok(Quarantine {
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// Puts `content` aside, its first mebibyte at most, and returns the file's name; `None` when
    /// the same is there already. Writes to disk, so call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn keep(&self, finding: &Finding<'_>, content: &[u8]) -> io::Result<Option<String>> {
        self.lock().keep(finding, content)
    }

    /// Files in it.
    #[must_use]
    pub fn files(&self) -> usize {
        self.lock().files.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, finding: &Finding<'_>, content: &[u8]) -> io::Result<Option<String>> {
        let sha256 = hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content).as_ref());
        let short = &sha256[..NAME_DIGITS];
        if self.files.iter().any(|kept| kept.hash() == short) {
            return Ok(None);
        }
        let kept = &content[..content.len().min(QUARANTINE_ENTRY_BYTES_MAX)];
        self.make_room(1, kept.len() as u64)?;
        let name = format!("{:08}-{short}.bin", self.next);
        write_new(&self.folder.join(&name), kept)?;
        self.next += 1;
        self.bytes += kept.len() as u64;
        self.files.push_back(Kept {
            name: name.clone(),
            bytes: kept.len() as u64,
        });
        self.note(&Line {
            file: &name,
            room: finding.room,
            reason: finding.reason,
            source: finding.source,
            address: finding.address,
            received_at: finding.received_at.to_string(),
            first_seq: finding.events.map(|(seq, _)| seq),
            events: finding.events.map(|(_, events)| events),
            bytes: content.len(),
            sha256,
        })?;
        Ok(Some(name))
    }

    /// Removes the oldest files until so many files and bytes more fit.
    fn make_room(&mut self, files: usize, bytes: u64) -> io::Result<()> {
        while self.files.len() + files > self.limits.files.max(1)
            || self.bytes + bytes > self.limits.bytes
        {
            let Some(oldest) = self.files.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
            match fs::remove_file(self.folder.join(&oldest.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, line: &Line<'_>) -> io::Result<()> {
        let path = self.folder.join(INDEX);
        if self.index_lines >= QUARANTINE_INDEX_LINES_MAX {
            // The previous index stays beside it, so that what is there is at most twice the limit.
            fs::rename(&path, self.folder.join("index.1.ndjson"))?;
            self.index_lines = 0;
        }
        let mut text = serde_json::to_string(line).map_err(io::Error::other)?;
        text.push('\n');
        let mut options = fs::OpenOptions::new();
        options.append(true).create(true);
        private(&mut options);
        options.open(&path)?.write_all(text.as_bytes())?;
        self.index_lines += 1;
        Ok(())
    }
}

/// The number at the start of a name that this module gave: eight digits or more, a dash, a hash.
fn number_of(name: &str) -> Option<u64> {
    let (number, hash) = name.strip_suffix(".bin")?.split_once('-')?;
    let good = hash.len() == NAME_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !good || number.len() < 8 {
        return None;
    }
    number.parse().ok()
}

fn count_lines(path: &Path) -> io::Result<usize> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes.iter().filter(|byte| **byte == b'\n').count()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path)?.write_all(content)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn private(options: &mut fs::OpenOptions) {
    use fs_err::os::unix::fs::OpenOptionsExt;

    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut fs::OpenOptions) {}

#[cfg(test)]
mod tests;
