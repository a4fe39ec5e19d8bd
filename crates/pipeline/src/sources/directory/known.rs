//! How far a file was taken, and how it is known again.
//!
//! A file is known by device and inode. An inode is given again, and a file can be cut short and written anew, so that
//! it has to begin as it began and to have before the place where it was left what it had there.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use aws_lc_rs::digest::{Context, SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windrow_formats::batch::file::FileId;

use super::scan::{Place, Stamp};
use crate::journal::StateChange;
use crate::limits::DIRECTORY_PROBE_BYTES;

/// Of the stored form. A newer one is refused.
const VERSION: u32 = 1;

/// How far a file was taken; this is the journal's state of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Taken {
    version: u32,
    /// This taking of it.
    #[serde(with = "bytes")]
    file: [u8; 16],
    /// Where it was last.
    pub(super) path: String,
    /// Of the next byte.
    pub(super) offset: u64,
    head: Probe,
    tail: Probe,
    /// Number of the next line, or of the one that `offset` is in; of the next event, of a file of events.
    pub(super) line: u64,
    /// Of a file of events, by what the last one that was taken is known again.
    #[serde(with = "bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) mark: Vec<u8>,
    /// Lines that hold for those to come.
    #[serde(with = "bytes")]
    pub(super) directives: Vec<u8>,
    /// What a file that is taken whole was when that began.
    begun: Option<Begun>,
    /// All of it is taken.
    pub(super) is_finished: bool,
}

/// Length and hash of some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Probe {
    bytes: u32,
    #[serde(with = "bytes")]
    sum: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: Option<(i64, i32)>,
}

/// A hash that is being made.
#[derive(Clone)]
pub(super) struct Hash(pub(super) Context);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

/// A file that was seen, in memory.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) taken: Taken,
    /// Whether the journal has a state of it.
    pub(super) is_stored: bool,
    /// What it was when all was taken that could be, or when it was seen first; and since when.
    pub(super) seen: Option<(Stamp, Timestamp)>,
    /// Nothing is to be done until it changes.
    pub(super) rests: bool,
    /// Bytes that wait in it.
    pub(super) waiting: u64,
    /// Hash of what was taken of it so far.
    pub(super) hash: Option<Hash>,
    /// Whole looks in a row that did not find it.
    pub(super) missed: u32,
}

impl Known {
    pub(super) fn new(path: &str) -> Known {
        Known {
            taken: Taken::new(path),
            is_stored: false,
            seen: None,
            rests: false,
            waiting: 0,
            hash: None,
            missed: 0,
        }
    }

    /// As it comes from the journal.
    pub(super) fn stored(taken: Taken) -> Known {
        Known {
            is_stored: true,
            ..Known::new("").with(taken)
        }
    }

    fn with(self, taken: Taken) -> Known {
        Known { taken, ..self }
    }

    /// Begins anew with what is another file by now.
    pub(super) fn begin_anew(&mut self, path: &str) {
        self.taken = Taken::new(path);
        self.hash = None;
    }
}

impl Taken {
    fn new(path: &str) -> Taken {
        Taken {
            version: VERSION,
            file: Uuid::new_v4().into_bytes(),
            path: path.to_owned(),
            offset: 0,
            head: Probe::default(),
            tail: Probe::default(),
            line: 1,
            mark: Vec::new(),
            directives: Vec::new(),
            begun: None,
            is_finished: false,
        }
    }

    pub(super) fn file(&self) -> FileId {
        FileId(self.file)
    }

    /// Reads a state of the journal.
    ///
    /// # Errors
    /// It is of a newer version, or damaged.
    pub(super) fn decode(value: &[u8]) -> Result<Taken, String> {
        let taken: Taken = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        match taken.version {
            VERSION => Ok(taken),
            version => Err(format!(
                "it has version {version}, this program reads {VERSION}"
            )),
        }
    }

    pub(super) fn change(&self, key: String) -> StateChange {
        StateChange {
            key,
            // Its keys are names and its values texts and numbers: that has a JSON.
            value: serde_json::to_vec(self).ok(),
        }
    }

    /// Whether this is the file that was taken so far.
    pub(super) fn is_of(&self, file: &File, stamp: Stamp) -> io::Result<bool> {
        if stamp.bytes < self.offset {
            return Ok(false);
        }
        let tail = self.offset - u64::from(self.tail.bytes).min(self.offset);
        Ok(self.head.holds(file, 0)? && self.tail.holds(file, tail)?)
    }

    /// Whether it still is what it was when its taking began.
    pub(super) fn is_as_begun(&self, stamp: Stamp) -> bool {
        let now = Begun::of(stamp);
        self.begun.as_ref().is_none_or(|begun| *begun == now)
    }

    /// Goes on with a file that is another one than when its taking began.
    pub(super) fn go_on(&mut self) {
        self.begun = None;
        self.is_finished = false;
    }

    /// Notes what it is, where its taking begins.
    pub(super) fn begin(&mut self, stamp: Stamp) {
        self.begun.get_or_insert_with(|| Begun::of(stamp));
    }

    /// Notes its end as what is known of it, where its events are counted and not its bytes.
    pub(super) fn end_at(&mut self, file: &File, stamp: Stamp) -> io::Result<()> {
        self.offset = stamp.bytes;
        let probe = stamp.bytes.min(u64::from(DIRECTORY_PROBE_BYTES));
        self.head = Probe::of(file, 0, probe as u32)?;
        self.tail = Probe::of(file, stamp.bytes - probe, probe as u32)?;
        Ok(())
    }

    /// Goes on behind some bytes that were read from the file.
    pub(super) fn advance(&mut self, file: &File, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        let probe = (self.offset).min(u64::from(DIRECTORY_PROBE_BYTES));
        if u64::from(self.head.bytes) < probe {
            self.head = Probe::of(file, 0, probe as u32)?;
        }
        let tail = probe as usize;
        self.tail = match bytes.len().checked_sub(tail) {
            Some(from) => Probe::sum(&bytes[from..]),
            None => Probe::of(file, self.offset - probe, probe as u32)?,
        };
        Ok(())
    }
}

impl Begun {
    fn of(stamp: Stamp) -> Begun {
        Begun {
            bytes: stamp.bytes,
            modified: stamp
                .modified_at
                .map(|at| (at.as_second(), at.subsec_nanosecond())),
        }
    }
}

impl Probe {
    fn sum(bytes: &[u8]) -> Probe {
        Probe {
            bytes: bytes.len() as u32,
            sum: digest(&SHA256, bytes).as_ref().to_vec(),
        }
    }

    fn of(file: &File, offset: u64, bytes: u32) -> io::Result<Probe> {
        let mut buffer = vec![0; bytes as usize];
        let read = read(file, &mut buffer, offset)?;
        buffer.truncate(read);
        Ok(Probe::sum(&buffer))
    }

    fn holds(&self, file: &File, offset: u64) -> io::Result<bool> {
        let bytes = self.bytes.min(DIRECTORY_PROBE_BYTES);
        Ok(bytes == 0 || Probe::of(file, offset, bytes)? == *self)
    }
}

/// Reads as much as fits or is there.
pub(super) fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// What the states of a source begin with.
pub(super) fn prefix(source: &str) -> String {
    format!("dir/{source}/")
}

pub(super) fn key(source: &str, place: Place) -> String {
    format!("{}{:x}-{:x}", prefix(source), place.device, place.inode)
}

/// Which file a state is of.
pub(super) fn place(source: &str, key: &str) -> Option<Place> {
    let (device, inode) = key.strip_prefix(&prefix(source))?.split_once('-')?;
    Some(Place {
        device: u64::from_str_radix(device, 16).ok()?,
        inode: u64::from_str_radix(inode, 16).ok()?,
    })
}

/// Bytes in JSON.
mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        T::try_from(bytes).map_err(|_| de::Error::custom("it has another length"))
    }
}
