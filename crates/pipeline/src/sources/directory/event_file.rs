//! A file of events that is read once it has settled: a log of Windows (EVTX), or a trace (ETL).
//!
//! It may grow after it was read, and Windows writes its beginning anew then. So where it was left is known by a mark of the
//! last event that was taken, and not by a place in the file: of an EVTX record what it says, since a log that is full loses
//! its oldest records; of a trace's event what it and all before it say.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::etl::{self, Schemas};
use windrow_formats::event::Index;

use super::super::evtx::{self, EvtxFile};
use super::super::pack::{EncodedBatch, Packer};
use super::{EventForm, Watch};
use crate::limits::{TRACE_UNPACKED_BYTES_MIN, TRACE_UNPACKED_RATIO_MAX};

/// Why a file has no events.
pub(super) enum OpenError {
    /// It cannot be read.
    Io(io::Error),
    /// It is none; in words.
    Other(String),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        OpenError::Io(error)
    }
}

/// Why a file cannot be read on.
pub(super) enum NextError {
    /// It cannot be read.
    Io(io::Error),
    /// What was taken before is not in it: it is another file by now.
    Another,
}

impl From<io::Error> for NextError {
    fn from(error: io::Error) -> NextError {
        NextError::Io(error)
    }
}

/// By what an event is known again.
pub(super) type Mark = [u8; 32];

/// Events that were taken before: the journal has them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    /// How many.
    pub(super) events: u64,
    /// Of the last of them. Without it they are counted.
    pub(super) mark: Option<Mark>,
}

/// A batch of a file.
pub(super) struct Marked {
    pub(super) batch: EncodedBatch,
    /// Of its last event.
    pub(super) mark: Mark,
}

/// What reading on gave.
#[derive(Default)]
pub(super) struct Step {
    /// The next events; none where these were taken before, or where the file says what its events mean.
    pub(super) batches: Vec<Marked>,
    /// Bytes that were gone through for it, unpacked.
    pub(super) bytes: u64,
}

/// A file that is being read.
pub(super) struct EventFile {
    reader: Reader,
    /// The source's name.
    source: String,
    sieve: Sieve,
    index: Index,
    damage: Damage,
}

/// Lets through what was not taken before.
struct Sieve {
    before: Before,
    /// Of the last event that came by.
    mark: Mark,
    /// Of those that were let through in this step.
    passed: Vec<Mark>,
}

impl Sieve {
    fn new(before: Before) -> Sieve {
        Sieve {
            before,
            mark: Mark::default(),
            passed: Vec::new(),
        }
    }

    /// Whether an event of this mark is to be taken.
    fn passes(&mut self, mark: Mark) -> bool {
        self.mark = mark;
        if let Some(last) = self.before.mark {
            if last == mark {
                self.before = Before::default();
            }
            return false;
        }
        if self.before.events > 0 {
            self.before.events -= 1;
            return false;
        }
        self.passed.push(mark);
        true
    }

    /// Batches of the events that were let through, each with the mark of its last.
    fn marked(&mut self, batches: Vec<EncodedBatch>) -> Vec<Marked> {
        let mut end = 0;
        let marked = batches.into_iter().map(|batch| {
            end += batch.events as usize;
            let mark = self.passed.get(end - 1).copied().unwrap_or_default();
            Marked { batch, mark }
        });
        let marked = marked.collect();
        self.passed.clear();
        marked
    }

    /// At the end of the file: whether all that was taken before came by.
    fn is_through(&self) -> bool {
        self.before.mark.is_none()
    }
}

fn mark(parts: &[&[u8]]) -> Mark {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(part);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(hash.finish().as_ref());
    mark
}

enum Reader {
    Evtx(Box<EvtxFile<File>>),
    Etl(Box<Trace>),
}

/// A trace, and what its events say they mean.
struct Trace {
    file: File,
    reader: etl::Reader<BufReader<File>>,
    pass: Pass,
    schemas: Schemas,
    machine: String,
    source: String,
    /// Bytes that it may still be unpacked to.
    left: u64,
}

/// A trace is read twice: what its events mean is often said at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Learning,
    Events,
}

/// What of a file could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Damage {
    /// Places.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Option<String>,
}

impl Damage {
    fn note(&mut self, what: impl ToString) {
        self.count += 1;
        self.first.get_or_insert_with(|| what.to_string());
    }
}

impl EventFile {
    /// Opens a file of this machine, of which these events were taken before.
    pub(super) fn open(
        form: EventForm,
        file: File,
        watch: &Watch,
        machine: String,
        before: Before,
    ) -> Result<EventFile, OpenError> {
        let reader = match form {
            EventForm::Evtx => {
                let file = EvtxFile::from_reader(file).map_err(|error| match error {
                    evtx::OpenError::Io(error) => OpenError::Io(error),
                    other => OpenError::Other(other.to_string()),
                });
                Reader::Evtx(Box::new(file?))
            }
            EventForm::Etl => Reader::Etl(Box::new(Trace::open(file, watch, machine)?)),
        };
        Ok(EventFile {
            reader,
            source: watch.name.clone(),
            sieve: Sieve::new(before),
            index: Index::default(),
            damage: Damage::default(),
        })
    }

    /// Reads on, a chunk or a buffer; `None` at the end.
    ///
    /// # Errors
    /// It cannot be read, or is not what it was.
    pub(super) fn next(&mut self, now: Timestamp) -> Result<Option<Step>, NextError> {
        let step = match &mut self.reader {
            Reader::Evtx(file) => {
                records(file, &self.source, &mut self.sieve, &mut self.index, now)?
            }
            Reader::Etl(trace) => {
                trace.next(&mut self.sieve, &mut self.index, &mut self.damage, now)?
            }
        };
        match step {
            None if !self.sieve.is_through() => Err(NextError::Another),
            step => Ok(step),
        }
    }

    /// What could not be read of it; all when it is read to its end.
    pub(super) fn damage(&self) -> Damage {
        match &self.reader {
            Reader::Evtx(file) => Damage {
                count: file.damage().len() as u64 + file.damage_omitted(),
                first: file.damage().first().map(ToString::to_string),
            },
            Reader::Etl(trace) => {
                let counts = trace.reader.counts();
                let mut damage = self.damage.clone();
                if counts.skipped > 0 {
                    damage.count += counts.skipped;
                    let skipped = || format!("{} buffers cannot be unpacked", counts.skipped);
                    damage.first.get_or_insert_with(skipped);
                }
                damage
            }
        }
    }
}

/// The records of the next chunk of a log.
fn records(
    file: &mut EvtxFile<File>,
    source: &str,
    sieve: &mut Sieve,
    index: &mut Index,
    now: Timestamp,
) -> io::Result<Option<Step>> {
    let Some(chunk) = file.next_chunk()? else {
        return Ok(None);
    };
    let header = Header {
        subscription: Some(source.to_owned()),
        ..evtx::header(now)
    };
    let mut packer = Packer::new(&header);
    for record in chunk.records() {
        if sieve.passes(mark(&[record.text.as_bytes()])) {
            packer.push(record.text, index);
        }
    }
    Ok(Some(Step {
        batches: sieve.marked(packer.finish()),
        bytes: evtx::CHUNK_BYTES as u64,
    }))
}

impl Trace {
    fn open(file: File, watch: &Watch, machine: String) -> Result<Trace, OpenError> {
        let mut schemas = Schemas::default();
        for manifest in watch.manifests.iter() {
            // Whoever names it has had it checked.
            let _ = schemas.add(manifest);
        }
        let stored = file.metadata()?.len();
        Ok(Trace {
            reader: begin(&file)?,
            pass: Pass::Learning,
            schemas,
            machine,
            source: watch.name.clone(),
            left: (stored.saturating_mul(TRACE_UNPACKED_RATIO_MAX)).max(TRACE_UNPACKED_BYTES_MIN),
            file,
        })
    }

    fn next(
        &mut self,
        sieve: &mut Sieve,
        index: &mut Index,
        damage: &mut Damage,
        now: Timestamp,
    ) -> Result<Option<Step>, NextError> {
        let buffer = match self.reader.next_buffer() {
            Ok(Some(buffer)) => buffer,
            Ok(None) if self.pass == Pass::Learning => return self.turn().map(Some),
            Ok(None) => return Ok(None),
            Err(etl::ReadError::Read(error)) => return Err(error.into()),
            Err(error @ etl::ReadError::Buffer { .. }) => {
                // Of what is read twice, the damage is told once.
                if self.pass == Pass::Events {
                    damage.note(error);
                }
                return Ok(Some(Step::default()));
            }
        };
        let bytes = u64::from(buffer.header.filled.max(buffer.header.stored));
        let Some(left) = self.left.checked_sub(bytes) else {
            if self.pass == Pass::Learning {
                return self.turn().map(Some);
            }
            damage.note(format!(
                "buffer {}: it and what comes after it are left out, since the trace unpacks to more than {TRACE_UNPACKED_RATIO_MAX} times its size",
                buffer.number
            ));
            return Ok(None);
        };
        self.left = left;
        if self.pass == Pass::Learning {
            for event in buffer.events().flatten() {
                if let Err(error) = self.schemas.learn(&event) {
                    damage.note(error);
                }
            }
            return Ok(Some(Step {
                batches: Vec::new(),
                bytes,
            }));
        }
        let of = (&*self.machine, &*self.source);
        let batches = events(&buffer, &self.schemas, of, (sieve, index), damage, now);
        Ok(Some(Step { batches, bytes }))
    }

    /// From what its events mean to the events.
    fn turn(&mut self) -> Result<Step, NextError> {
        self.reader = match begin(&self.file) {
            Ok(reader) => reader,
            Err(OpenError::Io(error)) => return Err(error.into()),
            // It was one a moment ago.
            Err(OpenError::Other(_)) => return Err(NextError::Another),
        };
        self.pass = Pass::Events;
        let stored = self.file.metadata()?.len();
        self.left = (stored.saturating_mul(TRACE_UNPACKED_RATIO_MAX)).max(TRACE_UNPACKED_BYTES_MIN);
        Ok(Step::default())
    }
}

/// The events of a buffer that are to be taken.
fn events(
    buffer: &etl::Buffer<'_>,
    schemas: &Schemas,
    (machine, source): (&str, &str),
    (sieve, index): (&mut Sieve, &mut Index),
    damage: &mut Damage,
    now: Timestamp,
) -> Vec<Marked> {
    let header = Header {
        kind: Kind::Etl,
        source: machine.to_owned(),
        address: None,
        subscription: Some(source.to_owned()),
        received_at: now,
    };
    let mut packer = Packer::new(&header);
    for event in buffer.events() {
        let event = match event {
            Ok(event) if Schemas::is_manifest(&event) => continue,
            Ok(event) => event,
            Err(error) => {
                damage.note(format!("buffer {}: {error}", buffer.number));
                continue;
            }
        };
        let time = event.time.map_or(0, |time| time.as_nanosecond());
        let mark = mark(&[
            &sieve.mark,
            &time.to_le_bytes(),
            &event.id.to_le_bytes(),
            &event.thread.unwrap_or_default().to_le_bytes(),
            event.payload,
        ]);
        if sieve.passes(mark) {
            let decoded = schemas.decode(&event);
            packer.push(&etl::to_xml(&event, &decoded, machine), index);
        }
    }
    sieve.marked(packer.finish())
}

fn begin(file: &File) -> Result<etl::Reader<BufReader<File>>, OpenError> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    etl::Reader::open(BufReader::new(file)).map_err(|error| match error {
        etl::OpenError::Read(error) => OpenError::Io(error),
        etl::OpenError::Trace(error) => OpenError::Other(format!("no trace: {error}")),
    })
}
