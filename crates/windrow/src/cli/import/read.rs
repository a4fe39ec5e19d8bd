//! Reads the files, one after the other, on a thread of its own: counts what is in them and makes rows of it.

use std::path::Path;

use indicatif::ProgressBar;
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{Flags, Header, Kind};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::identity;
use windrow_lake::{RequestBuilder, RequestFile, RowBuilder, Rows, is_w3c_log};
use windrow_pipeline::sources::evtx::{Chunk, EncodedBatch, EvtxFile, OpenError, SOURCE, batches};

use super::files::{Files, Found};
use super::summary::{Damage, Summary};
use crate::exit::chain;
use crate::output::{progress, thousands};

/// Rows of one commit, near enough.
const COMMIT_ROWS: usize = 50_000;
/// The same of requests, which are smaller.
const COMMIT_REQUESTS: usize = 200_000;
/// Memory of the rows of one commit, near enough.
const COMMIT_BYTES: usize = 128 << 20;

/// Rows that go into the lake as one commit.
pub(super) struct Group {
    /// Which table they are of.
    pub(super) table: Into,
    /// The rows.
    pub(super) rows: Rows,
    /// The same events as batches for the journal, if they are to be forwarded.
    pub(super) batches: Vec<EncodedBatch>,
}

/// A table that is imported into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    /// `events`
    Events,
    /// `iis`
    Requests,
}

/// Whether batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forward {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// What is done with what is read.
#[derive(Debug, Clone)]
pub(super) struct How {
    pub(super) forward: Forward,
    /// Whose logs of web servers these are, where that is said.
    pub(super) machine: Option<String>,
}

/// Reads what was found.
pub(super) struct Reader {
    progress: ProgressBar,
    stop: CancellationToken,
    groups: Sender<Group>,
    how: How,
    batches: Vec<EncodedBatch>,
    header: Header,
    index: Index,
    rows: RowBuilder,
    requests: RequestBuilder,
    summary: Summary,
}

/// Nobody takes the rows any more.
struct Gone;

impl Reader {
    pub(super) fn new(
        progress: ProgressBar,
        stop: CancellationToken,
        groups: Sender<Group>,
        how: How,
    ) -> Reader {
        let header = Header {
            kind: Kind::Evtx,
            source: SOURCE.to_owned(),
            address: None,
            subscription: None,
            received_at: Timestamp::now(),
        };
        let requests = RequestBuilder::new(header.received_at);
        Reader {
            requests,
            progress,
            stop,
            groups,
            how,
            batches: Vec::new(),
            header,
            index: Index::default(),
            rows: RowBuilder::new(),
            summary: Summary::default(),
        }
    }

    /// Reads everything, or until it is told to stop.
    pub(super) fn run(mut self, files: &Files) -> Summary {
        for (path, reason) in &files.unreadable {
            self.summary.damage(whole_file(path, reason.clone()));
        }
        let mut begun_bytes = 0;
        for (number, file) in files.files.iter().enumerate() {
            self.progress.set_position(begun_bytes);
            self.progress.set_message(format!(
                "file {} of {}, {} events",
                number + 1,
                files.files.len(),
                thousands(self.summary.events())
            ));
            let read = match self.stop.is_cancelled() {
                true => Err(Gone),
                false if is_w3c_log(&file.path) => self.read_log(file, begun_bytes),
                false => self.read_file(file, begun_bytes),
            };
            if read.is_err() || self.stop.is_cancelled() {
                self.summary.unread = (files.files.len() - number) as u64;
                break;
            }
            begun_bytes += file.bytes;
        }
        let _ = self.hand_over();
        let _ = self.hand_over_requests();
        self.summary
    }

    /// A log of a web server.
    fn read_log(&mut self, found: &Found, begun_bytes: u64) -> Result<(), Gone> {
        let name = found.path.display().to_string();
        let opened = RequestFile::open(&found.path);
        let mut file = match (opened, &self.how.machine) {
            (Ok(file), Some(machine)) => file.of_machine(machine),
            (Ok(file), None) => file,
            (Err(error), _) => {
                self.summary
                    .damage(whole_file(&found.path, error.to_string()));
                return Ok(());
            }
        };
        self.summary.files += 1;
        self.summary.bytes += found.bytes;
        let mut read_bytes = 0;
        while !self.stop.is_cancelled() {
            let summary = &mut self.summary;
            let mut made = 0;
            let read = file.read(
                &mut self.requests,
                |_| made += 1,
                |line, reason| summary.damage(bad_line(&name, line, reason)),
            );
            self.summary.requests.read += made;
            match read {
                Ok(Some(bytes)) => read_bytes += bytes as u64,
                Ok(None) => break,
                Err(error) => {
                    let reason = format!("cannot be read to its end: {error}");
                    self.summary.damage(whole_file(&found.path, reason));
                    break;
                }
            }
            if self.requests.len() >= COMMIT_REQUESTS || self.requests.bytes() >= COMMIT_BYTES {
                self.hand_over_requests()?;
            }
            self.progress
                .set_position(begun_bytes + read_bytes.min(found.bytes));
        }
        Ok(())
    }

    fn read_file(&mut self, found: &Found, begun_bytes: u64) -> Result<(), Gone> {
        let mut file = match EvtxFile::open(&found.path) {
            Ok(file) => file,
            Err(error) => {
                self.summary
                    .damage(whole_file(&found.path, open_error(&error)));
                return Ok(());
            }
        };
        self.summary.files += 1;
        self.summary.bytes += file.bytes();
        let mut io_error = None;
        while !self.stop.is_cancelled() {
            let chunk = match file.next_chunk() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => {
                    io_error = Some(error);
                    break;
                }
            };
            self.take(chunk);
            if self.rows.len() >= COMMIT_ROWS || self.rows.bytes() >= COMMIT_BYTES {
                self.hand_over()?;
            }
            let (done, all) = file.progress();
            let share = file.bytes() * done as u64 / (all as u64).max(1);
            self.progress.set_position(begun_bytes + share);
        }
        let name = found.path.display().to_string();
        for damage in file.damage() {
            self.summary.damage(Damage {
                file: name.clone(),
                line: None,
                chunk: damage.chunk,
                records: damage
                    .records
                    .as_ref()
                    .map(|ids| (*ids.start(), *ids.end())),
                reason: damage.reason.to_string(),
                lost: damage.is_loss(),
            });
        }
        self.summary.more_damage(file.damage_omitted());
        if let Some(error) = io_error {
            self.summary.damage(whole_file(
                &found.path,
                format!("cannot be read to its end: {error}"),
            ));
        }
        Ok(())
    }

    /// Counts the events of a chunk and adds them to the rows in hand.
    fn take(&mut self, chunk: Chunk<'_>) {
        for record in chunk.records() {
            // What is wrong with an event is in its flags.
            let _ = parse(record.text, &mut self.index);
            let flags = Flags::of(&self.index);
            let event = Event::new(record.text, &self.index);
            self.summary.count(event);
            let identity = identity(SOURCE, event);
            self.rows.push(None, &self.header, flags, event, identity);
        }
        if self.how.forward == Forward::Yes {
            let received_at = self.header.received_at;
            let batches = batches(&chunk, received_at, &mut self.index);
            self.batches.extend(batches);
        }
    }

    /// Gives the rows in hand away, to be committed while the next are read.
    fn hand_over(&mut self) -> Result<(), Gone> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let group = Group {
            table: Into::Events,
            rows: self.rows.finish(),
            batches: std::mem::take(&mut self.batches),
        };
        self.groups.blocking_send(group).map_err(|_| Gone)
    }

    /// The same for requests.
    fn hand_over_requests(&mut self) -> Result<(), Gone> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let group = Group {
            table: Into::Requests,
            rows: self.requests.finish(),
            batches: Vec::new(),
        };
        self.groups.blocking_send(group).map_err(|_| Gone)
    }
}

fn bad_line(file: &str, line: u64, reason: String) -> Damage {
    Damage {
        file: file.to_owned(),
        line: Some(line),
        chunk: None,
        records: None,
        reason,
        lost: true,
    }
}

fn whole_file(path: &Path, reason: String) -> Damage {
    Damage {
        file: path.display().to_string(),
        line: None,
        chunk: None,
        records: None,
        reason,
        lost: true,
    }
}

/// Why a file is not read at all, without its name, which stands beside it.
fn open_error(error: &OpenError) -> String {
    match error {
        OpenError::Io(error) => error.to_string(),
        other => chain(other),
    }
}

/// A bar over all bytes of the files.
pub(super) fn bar(files: &Files, terminal: &crate::output::Terminal) -> ProgressBar {
    progress::bytes(terminal, files.files.iter().map(|file| file.bytes).sum())
}
