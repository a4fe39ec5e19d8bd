//! A file of events that is read once it has settled: a log of Windows (EVTX), or a trace (ETL).

use std::fs::File;
use std::io::{self, BufReader, Seek as _};

use jiff::Timestamp;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::etl::{self, Schemas};
use windrow_formats::event::Index;

use super::super::evtx::{self, EvtxFile};
use super::super::pack::{EncodedBatch, Packer};
use super::{EventForm, Watch};

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

/// A file that is being read.
pub(super) struct EventFile {
    reader: Reader,
    /// The source's name.
    source: String,
    /// Events that were taken before: the journal has them.
    skip: u64,
    index: Index,
    damage: Damage,
}

enum Reader {
    Evtx(Box<EvtxFile<File>>),
    Etl(Box<Trace>),
}

/// A trace, and what its events say they mean.
struct Trace {
    reader: etl::Reader<BufReader<File>>,
    schemas: Schemas,
    machine: String,
    source: String,
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
    /// Opens a file of this machine, of which so many events were taken before.
    pub(super) fn open(
        form: EventForm,
        file: File,
        watch: &Watch,
        machine: String,
        taken: u64,
    ) -> Result<EventFile, OpenError> {
        let mut damage = Damage::default();
        let reader = match form {
            EventForm::Evtx => {
                let file = EvtxFile::from_reader(file).map_err(|error| match error {
                    evtx::OpenError::Io(error) => OpenError::Io(error),
                    other => OpenError::Other(other.to_string()),
                });
                Reader::Evtx(Box::new(file?))
            }
            EventForm::Etl => {
                let trace = Trace::open(file, watch, machine, &mut damage)?;
                Reader::Etl(Box::new(trace))
            }
        };
        Ok(EventFile {
            reader,
            source: watch.name.clone(),
            skip: taken,
            index: Index::default(),
            damage,
        })
    }

    /// The next events as batches, none where all of these were taken before; `None` at the end.
    pub(super) fn next(&mut self, now: Timestamp) -> io::Result<Option<Vec<EncodedBatch>>> {
        let (skip, index) = (&mut self.skip, &mut self.index);
        match &mut self.reader {
            Reader::Evtx(file) => {
                let Some(chunk) = file.next_chunk()? else {
                    return Ok(None);
                };
                let header = Header {
                    subscription: Some(self.source.clone()),
                    ..evtx::header(now)
                };
                let mut packer = Packer::new(&header);
                for record in chunk.records() {
                    match skip.checked_sub(1) {
                        Some(rest) => *skip = rest,
                        None => packer.push(record.text, index),
                    }
                }
                Ok(Some(packer.finish()))
            }
            Reader::Etl(trace) => trace.next(skip, index, &mut self.damage, now),
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

impl Trace {
    /// Reads a trace once for what its events mean, which is often said at its end, and begins it again.
    fn open(
        file: File,
        watch: &Watch,
        machine: String,
        damage: &mut Damage,
    ) -> Result<Trace, OpenError> {
        let mut schemas = Schemas::default();
        for manifest in watch.manifests.iter() {
            // Whoever names it has had it checked.
            let _ = schemas.add(manifest);
        }
        let mut learning = begin(&file)?;
        loop {
            match learning.next_buffer() {
                Ok(Some(buffer)) => {
                    for event in buffer.events().flatten() {
                        if let Err(error) = schemas.learn(&event) {
                            damage.note(error);
                        }
                    }
                }
                Ok(None) => break,
                Err(etl::ReadError::Read(error)) => return Err(error.into()),
                // It is told when it is read for its events.
                Err(etl::ReadError::Buffer { .. }) => {}
            }
        }
        Ok(Trace {
            reader: begin(&file)?,
            schemas,
            machine,
            source: watch.name.clone(),
        })
    }

    fn next(
        &mut self,
        skip: &mut u64,
        index: &mut Index,
        damage: &mut Damage,
        now: Timestamp,
    ) -> io::Result<Option<Vec<EncodedBatch>>> {
        let header = Header {
            kind: Kind::Etl,
            source: self.machine.clone(),
            address: None,
            subscription: Some(self.source.clone()),
            received_at: now,
        };
        let mut packer = Packer::new(&header);
        let buffer = match self.reader.next_buffer() {
            Ok(Some(buffer)) => buffer,
            Ok(None) => return Ok(None),
            Err(etl::ReadError::Read(error)) => return Err(error),
            Err(error @ etl::ReadError::Buffer { .. }) => {
                damage.note(error);
                return Ok(Some(Vec::new()));
            }
        };
        for event in buffer.events() {
            let event = match event {
                Ok(event) if Schemas::is_manifest(&event) => continue,
                Ok(event) => event,
                Err(error) => {
                    damage.note(format!("buffer {}: {error}", buffer.number));
                    continue;
                }
            };
            match skip.checked_sub(1) {
                Some(rest) => *skip = rest,
                None => {
                    let decoded = self.schemas.decode(&event);
                    packer.push(&etl::to_xml(&event, &decoded, &self.machine), index);
                }
            }
        }
        Ok(Some(packer.finish()))
    }
}

fn begin(file: &File) -> Result<etl::Reader<BufReader<File>>, OpenError> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    etl::Reader::open(BufReader::new(file)).map_err(|error| match error {
        etl::OpenError::Read(error) => OpenError::Io(error),
        etl::OpenError::Trace(error) => OpenError::Other(format!("no trace: {error}")),
    })
}
