//! Takes what is new in one file.

use std::fs::File;
use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use thiserror::Error;
use windrow_formats::batch::file::{
    Content, FileClass, FileLines, FileReference, Sha256, WholeFile, is_site,
};
use windrow_formats::batch::{Header, Kind};
use windrow_formats::limits::{FILE_DIRECTIVES_BYTES_MAX, W3C_DIRECTIVE_BYTES_MAX};
use windrow_formats::lines;

use super::known::{self, Hash, Known, Taken, read};
use super::scan::{self, Found, Root, Stamp};
use super::take_events::Reading;
use super::{Machine, Round, Taking, Watch};
use crate::limits::{
    COUNTERS_PIECE_BYTES_MAX, DIRECTORY_LINE_BYTES_MAX, DIRECTORY_ROUND_BYTES_MAX,
};
use crate::spool::{KeepError, Keeper};

/// Directives of W3C logs that hold for the lines after them.
const DIRECTIVES: [&[u8]; 3] = [b"#Software:", b"#Date:", b"#Fields:"];

/// Why nothing more is taken of a file.
#[derive(Debug, Error)]
pub(super) enum TakeError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// Takes files in one look.
pub(super) struct Taker<'a> {
    pub(super) watch: &'a Watch,
    pub(super) keeper: &'a Keeper,
    pub(super) now: Timestamp,
    pub(super) round: &'a mut Round,
    pub(super) reading: &'a mut Option<Reading>,
}

/// What is about to be kept of a file.
struct Part<'a> {
    bytes: &'a [u8],
    lines: Option<FileLines>,
    whole: Option<WholeFile>,
}

impl Taker<'_> {
    /// Takes what is new, where there is something to take now.
    pub(super) async fn file(
        &mut self,
        root: &Root,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), TakeError> {
        let since = match known.seen {
            Some((stamp, _)) if stamp == found.stamp && known.rests => return Ok(()),
            Some((stamp, since)) if stamp == found.stamp && since <= self.now => since,
            // It is another one, or was seen by a clock that was ahead.
            _ => {
                known.seen = Some((found.stamp, self.now));
                known.rests = false;
                self.now
            }
        };
        if let Some(settled) = self.watch.taking.settled() {
            let age = self.now.duration_since(since);
            if age < settled && !self.is_known_end(found.stamp, known) {
                known.waiting = found.stamp.bytes;
                return Ok(());
            }
        }
        let Some((file, stamp)) = root.open_file(found)? else {
            return Ok(());
        };
        if stamp != found.stamp && self.watch.taking.settled().is_some() {
            // It has not settled.
            known.seen = None;
            return Ok(());
        }
        self.see(&file, stamp, found, known)?;
        known.taken.path.clone_from(&found.path);
        match self.watch.taking {
            Taking::Lines => self.lines(&file, stamp, found, known).await?,
            Taking::Whole { .. } => self.whole(&file, stamp, found, known).await?,
            Taking::Events { form, .. } => {
                self.events(form, file, stamp, found, known).await?;
            }
        }
        known.waiting = match (known.taken.is_finished, self.watch.taking) {
            (true, _) => 0,
            (false, Taking::Events { .. }) if known.rests => 0,
            (false, Taking::Events { .. }) => stamp.bytes,
            (false, _) => stamp.bytes.saturating_sub(known.taken.offset),
        };
        Ok(())
    }

    /// Whether all of a file was taken before, and it is still what it was then.
    fn is_known_end(&self, stamp: Stamp, known: &Known) -> bool {
        known.taken.is_finished && known.taken.is_as_begun(stamp)
    }

    /// Begins anew where this is not what was taken so far.
    fn see(
        &mut self,
        file: &File,
        stamp: Stamp,
        found: &Found,
        known: &mut Known,
    ) -> io::Result<()> {
        if known.taken.is_of(file, stamp)? && known.taken.is_as_begun(stamp) {
            return Ok(());
        }
        if matches!(self.watch.taking, Taking::Events { .. }) && !known.taken.is_as_begun(stamp) {
            // Where it was left is found by the last event that was taken, or is not there.
            known.taken.go_on();
            self.drop_reading(known);
            return Ok(());
        }
        self.begin_anew(found, known, stamp);
        Ok(())
    }

    /// From its beginning, since it is another one.
    pub(super) fn begin_anew(&mut self, found: &Found, known: &mut Known, stamp: Stamp) {
        tracing::warn!(
            source = self.watch.name,
            path = found.path,
            taken_bytes = known.taken.offset,
            bytes = stamp.bytes,
            "a watched file was cut short or replaced: it is taken from its beginning"
        );
        self.round.replaced += 1;
        self.drop_reading(known);
        known.begin_anew(&found.path);
    }

    fn drop_reading(&mut self, known: &Known) {
        let is_its = |reading: &mut Reading| reading.is_of(known);
        self.reading.take_if(is_its);
    }

    /// Takes lines that have an end.
    async fn lines(
        &mut self,
        file: &File,
        stamp: Stamp,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), TakeError> {
        let piece_bytes_max = match self.watch.class {
            // Of a byte of such a file much more memory can become than of one of another.
            FileClass::Counters => COUNTERS_PIECE_BYTES_MAX,
            _ => usize::MAX,
        };
        let mut buffer = vec![0; self.keeper.spool().piece_bytes_max().min(piece_bytes_max)];
        let line_bytes_max = buffer.len().min(DIRECTORY_LINE_BYTES_MAX);
        while self.round.bytes < DIRECTORY_ROUND_BYTES_MAX {
            let read = read(file, &mut buffer, known.taken.offset)?;
            let end = buffer[..read].iter().rposition(|byte| *byte == b'\n');
            let bytes = match end {
                Some(end) => &buffer[..=end],
                None if read >= line_bytes_max => {
                    self.long_line(found, known);
                    &buffer[..line_bytes_max]
                }
                None => {
                    known.rests = true;
                    return Ok(());
                }
            };
            let mut next = known.taken.clone();
            let lines = FileLines {
                first: next.line,
                directives: match self.watch.class {
                    FileClass::Counters if next.offset > 0 => first_line(file)?,
                    _ => next.directives.clone(),
                },
            };
            next.line += lines::count(bytes);
            if self.watch.class == FileClass::IisLog {
                keep_directives(&mut next.directives, bytes);
            }
            next.advance(file, bytes)?;
            let part = Part {
                bytes,
                lines: Some(lines),
                whole: None,
            };
            self.keep(part, next, stamp, found, known).await?;
            if read < buffer.len() {
                // Whatever comes after changes its length.
                known.rests = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn long_line(&mut self, found: &Found, known: &Known) {
        tracing::warn!(
            source = self.watch.name,
            path = found.path,
            line = known.taken.line,
            "a line is longer than any may be, and is taken in parts"
        );
        self.round.long_lines += 1;
    }

    /// Takes a file that does not change any more.
    async fn whole(
        &mut self,
        file: &File,
        stamp: Stamp,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), TakeError> {
        if known.taken.is_finished {
            known.rests = true;
            return Ok(());
        }
        let mut buffer = vec![0; self.keeper.spool().piece_bytes_max()];
        let mut hash = match known.hash.take() {
            Some(Hash(hash)) => hash,
            None => hash_to(file, known.taken.offset, &mut buffer)?,
        };
        while self.round.bytes < DIRECTORY_ROUND_BYTES_MAX {
            let read = read(file, &mut buffer, known.taken.offset)?;
            let bytes = &buffer[..read];
            let mut next = known.taken.clone();
            next.begin(stamp);
            next.advance(file, bytes)?;
            let is_end = next.offset >= stamp.bytes;
            let is_other = scan::stamp(file)? != stamp || (!is_end && read < buffer.len());
            if is_other || next.offset > stamp.bytes {
                // It is seen as another one with the next look, which waits until it has settled.
                known.seen = None;
                return Ok(());
            }
            hash.update(bytes);
            let whole = is_end.then(|| WholeFile {
                bytes: next.offset,
                sha256: sum(hash.clone()),
            });
            next.is_finished = is_end;
            let part = Part {
                bytes,
                lines: None,
                whole,
            };
            // On an error the hash is gone, and made again from what was taken.
            self.keep(part, next, stamp, found, known).await?;
            if is_end {
                known.rests = true;
                return Ok(());
            }
        }
        known.hash = Some(Hash(hash));
        Ok(())
    }

    /// Keeps a part, and that the file is taken so far.
    async fn keep(
        &mut self,
        part: Part<'_>,
        next: Taken,
        stamp: Stamp,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), KeepError> {
        let folders: Vec<&str> = found.path.split('/').collect();
        let (_, folders) = folders.split_last().unwrap_or((&"", &[]));
        let header = Header {
            kind: Kind::File,
            source: self.machine(found),
            address: None,
            subscription: Some(self.watch.name.clone()),
            received_at: self.now,
        };
        let site = folders.iter().rev().find(|name| is_site(name));
        let mut reference = FileReference {
            class: self.watch.class,
            site: site.map(|&name| name.to_owned()),
            path: found.path.clone(),
            file: next.file(),
            offset: known.taken.offset,
            content: Content::Dropped { bytes: 0 },
            lines: part.lines,
            whole: part.whole,
            modified_at: stamp.modified_at,
        };
        let state = next.change(known::key(&self.watch.name, found.place));
        (self.keeper)
            .keep(&header, &mut reference, part.bytes, state)
            .await?;
        known.taken = next;
        known.is_stored = true;
        self.round.pieces += 1;
        self.round.bytes += part.bytes.len() as u64;
        Ok(())
    }

    /// Whose a file is.
    pub(super) fn machine(&self, found: &Found) -> String {
        match &self.watch.machine {
            Machine::Named(name) => name.clone(),
            Machine::Folder(own) => match found.path.split_once('/') {
                Some((folder, _)) => folder.to_owned(),
                None => own.clone(),
            },
        }
    }
}

/// Brings the directives in force up to what lines say. The last of each kind holds.
fn keep_directives(directives: &mut Vec<u8>, lines: &[u8]) {
    let mut found: [Option<&[u8]>; DIRECTIVES.len()] = [None; DIRECTIVES.len()];
    let before = std::mem::take(directives);
    for line in lines::Unit::Line
        .split(&before)
        .chain(lines::Unit::Line.split(lines))
    {
        let kind = DIRECTIVES.iter().position(|kind| {
            (line.get(..kind.len())).is_some_and(|start| start.eq_ignore_ascii_case(kind))
        });
        if let Some(kind) = kind {
            found[kind] = Some(line).filter(|line| line.len() <= W3C_DIRECTIVE_BYTES_MAX);
        }
    }
    *directives = found.into_iter().flatten().flatten().copied().collect();
}

/// The first line of a file; none where it is longer than what travels with a piece. A log of counters has their names there,
/// which are too many to be kept of each file.
fn first_line(file: &File) -> io::Result<Vec<u8>> {
    let mut line = vec![0; FILE_DIRECTIVES_BYTES_MAX];
    let read = read(file, &mut line, 0)?;
    let end = line[..read].iter().position(|byte| *byte == b'\n');
    line.truncate(end.map_or(0, |end| end + 1));
    Ok(line)
}

/// The hash of what was taken of a file before.
fn hash_to(file: &File, end: u64, buffer: &mut [u8]) -> io::Result<Context> {
    let mut hash = Context::new(&SHA256);
    let mut offset = 0;
    while offset < end {
        let want =
            usize::try_from(end - offset).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let bytes = read(file, &mut buffer[..want], offset)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(&buffer[..bytes]);
        offset += bytes as u64;
    }
    Ok(hash)
}

fn sum(hash: Context) -> Sha256 {
    let mut sum = [0; 32];
    sum.copy_from_slice(hash.finish().as_ref());
    sum
}
