//! What is at a path: which files, and of what kind they are.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::SourceError;
use crate::limits::{SOURCE_DEPTH, SOURCE_FILES};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache Parquet.
    Parquet,
    /// A Delta table: a folder with a log that says which of its Parquet files count.
    Delta,
    /// A Windows event log file.
    Evtx,
    /// A W3C extended log, as IIS writes them.
    W3c,
    /// JSON, one object a line.
    Ndjson,
    /// CSV with a header line.
    Csv,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Parquet => "Parquet",
            Kind::Delta => "a Delta table",
            Kind::Evtx => "EVTX",
            Kind::W3c => "a W3C log",
            Kind::Ndjson => "JSON lines",
            Kind::Csv => "CSV",
        })
    }
}

/// What was found at a path.
#[derive(Debug)]
pub(super) struct Found {
    /// Where.
    pub(super) path: PathBuf,
    /// What all of its files are.
    pub(super) kind: Kind,
    /// The files, in the order of their names.
    pub(super) files: Vec<PathBuf>,
}

/// Looks what is there. In a folder, files whose names begin with a point or a low line do not count.
pub(super) fn find(path: &Path) -> Result<Found, SourceError> {
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    let path = path.canonicalize().map_err(failed)?;
    if !path.is_dir() {
        let kind = kind_of(&path)?;
        return Ok(Found {
            kind,
            files: vec![path.clone()],
            path,
        });
    }
    if path.join("_delta_log").is_dir() {
        return Ok(Found {
            kind: Kind::Delta,
            files: Vec::new(),
            path,
        });
    }
    let mut files = Vec::new();
    collect(&path, &path, SOURCE_DEPTH, &mut files)?;
    files.sort_unstable();
    let mut kinds = files.iter().map(|file| Ok((file, kind_of(file)?)));
    let Some(first) = kinds.next() else {
        return Err(SourceError::Empty(path));
    };
    let (first, kind) = first?;
    for other in kinds {
        let (second, other) = other?;
        if other != kind {
            return Err(SourceError::Mixed {
                first: first.clone(),
                one: kind,
                second: second.clone(),
                other,
            });
        }
    }
    Ok(Found { path, kind, files })
}

fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
) -> Result<(), SourceError> {
    let failed = |source| SourceError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        let path = entry.path();
        match entry.file_type().map_err(failed)? {
            kind if kind.is_dir() && depth > 0 => collect(root, &path, depth - 1, files)?,
            kind if kind.is_file() || kind.is_symlink() && path.is_file() => files.push(path),
            _ => {}
        }
        if files.len() > SOURCE_FILES {
            return Err(SourceError::TooMany {
                path: root.to_owned(),
                most: SOURCE_FILES,
            });
        }
    }
    Ok(())
}

/// Whether a file begins as a W3C extended log does. One that cannot be read is none.
#[must_use]
pub fn is_w3c_log(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    read.is_ok() && begins_as_w3c(text.trim_ascii_start())
}

fn begins_as_w3c(text: &[u8]) -> bool {
    ["#Software", "#Fields", "#Version", "#Date"]
        .iter()
        .any(|directive| text.starts_with(directive.as_bytes()))
}

/// What a file is, by what it begins with, and where that says nothing by its name.
fn kind_of(path: &Path) -> Result<Kind, SourceError> {
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    let mut head = Vec::new();
    let file = File::open(path).map_err(failed)?;
    match file.take(4096).read_to_end(&mut head) {
        Err(error) if error.kind() != ErrorKind::Interrupted => return Err(failed(error)),
        _ => {}
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let text = text.trim_ascii_start();
    let is_w3c = begins_as_w3c(text);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase);
    Ok(match extension.as_deref() {
        _ if head.starts_with(b"PAR1") => Kind::Parquet,
        _ if head.starts_with(b"ElfFile\0") => Kind::Evtx,
        _ if is_w3c => Kind::W3c,
        _ if text.starts_with(b"{") => Kind::Ndjson,
        // What is empty, or damaged at its begin, is still named.
        Some("parquet") => Kind::Parquet,
        Some("evtx") => Kind::Evtx,
        Some("log") => Kind::W3c,
        Some("ndjson" | "jsonl" | "json") => Kind::Ndjson,
        Some("csv" | "tsv") => Kind::Csv,
        _ => return Err(SourceError::Unknown(path.to_owned())),
    })
}
