//! What could not be read of a file, why, and what can be done about it.

use std::fmt;
use std::ops::RangeInclusive;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The chunk, the first is 0; `None` when it is the file as a whole.
    pub chunk: Option<u64>,
    /// The records concerned, as far as their ids are known.
    pub records: Option<RangeInclusive<u64>>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file's header is not one; the chunks were found without it.
    FileHeader,
    /// The file ends before its last chunks: all of them are missing that its header announces beyond those that are there.
    Ends {
        /// Chunks that the file's header announces.
        announced: u64,
        /// Chunks, whole or not, that are there.
        there: u64,
    },
    /// The chunk does not begin as one; the rest of its header is right.
    ChunkMagic,
    /// The chunk's header is not what it should be; its records were found without it, and
    /// whether there were more cannot be told.
    ChunkHeader,
    /// The record's header is not what it should be; it was found by the size at its end.
    RecordHeader,
    /// The chunk is that of an earlier number again, byte for byte.
    Duplicate {
        /// The earlier number.
        of: u64,
    },
    /// Fewer bytes than a chunk has follow the last one, and no record is in them.
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// No record was found where a chunk should be.
    NotAChunk,
    /// These records lay in a chunk that is empty or not one.
    ChunkLost,
    /// The file ends inside the chunk.
    CutOff {
        /// How many bytes of the chunk are missing.
        missing: usize,
    },
    /// The record is there and cannot be read.
    Record {
        /// Where in its chunk, when the record's id is not known.
        offset: Option<u64>,
        /// What the reader says.
        detail: String,
    },
    /// The record's text is longer than [`crate::limits::EVTX_RECORD_TEXT_BYTES_MAX`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The chunk's header announces these records and they are not there.
    NotFound,
}

impl Damage {
    pub(super) fn of_file(reason: Reason) -> Self {
        Self {
            chunk: None,
            records: None,
            reason,
        }
    }

    pub(super) fn of_chunk(chunk: u64, reason: Reason) -> Self {
        Self {
            chunk: Some(chunk),
            records: None,
            reason,
        }
    }

    pub(super) fn of_records(chunk: u64, records: RangeInclusive<u64>, reason: Reason) -> Self {
        Self {
            chunk: Some(chunk),
            records: Some(records),
            reason,
        }
    }

    /// Whether records are lost, or may be; otherwise all that is there was read.
    pub fn is_loss(&self) -> bool {
        match self.reason {
            Reason::FileHeader
            | Reason::ChunkMagic
            | Reason::RecordHeader
            | Reason::Duplicate { .. }
            | Reason::TrailingBytes { .. } => false,
            Reason::ChunkHeader
            | Reason::NotAChunk
            | Reason::ChunkLost
            | Reason::CutOff { .. }
            | Reason::Ends { .. }
            | Reason::Record { .. }
            | Reason::TooLong { .. }
            | Reason::NotFound => true,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self.reason {
            Reason::Duplicate { .. } => "nothing: it was read once",
            Reason::FileHeader
            | Reason::ChunkMagic
            | Reason::RecordHeader
            | Reason::TrailingBytes { .. } => "nothing: all records that are there were read",
            Reason::CutOff { .. } | Reason::Ends { .. } => {
                "copy the file again: this copy is incomplete"
            }
            Reason::ChunkHeader
            | Reason::NotAChunk
            | Reason::ChunkLost
            | Reason::Record { .. }
            | Reason::NotFound => {
                "export the log again (wevtutil epl) while the machine still has these records"
            }
            Reason::TooLong { .. } => "look at the record with Event Viewer",
        }
    }
}

/// `chunk 3, records 178-260: …`; the file's name is the caller's to put before it.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(chunk) = self.chunk {
            write!(f, "chunk {chunk}")?;
            match &self.records {
                Some(ids) if ids.start() == ids.end() => write!(f, ", record {}", ids.start())?,
                Some(ids) => write!(f, ", records {}-{}", ids.start(), ids.end())?,
                None => {}
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileHeader => f.write_str("file header is damaged, chunks were found without it"),
            Self::Ends { announced, there } => write!(
                f,
                "the file ends after {there} chunks, and its header announces {announced}"
            ),
            Self::ChunkMagic => f.write_str("chunk does not begin as one, but is"),
            Self::ChunkHeader => {
                f.write_str("chunk header is damaged, records were found without it")
            }
            Self::RecordHeader => {
                f.write_str("record header is damaged, the record was found by its end")
            }
            Self::Duplicate { of } => write!(f, "the same as chunk {of}"),
            Self::TrailingBytes { bytes } => {
                write!(f, "{bytes} bytes without records after the last chunk")
            }
            Self::NotAChunk => f.write_str("no records found where a chunk should be"),
            Self::ChunkLost => f.write_str("lost with the chunk"),
            Self::CutOff { missing } => {
                write!(f, "the file ends {missing} bytes before the chunk does")
            }
            Self::Record {
                offset: Some(offset),
                detail,
            } => {
                write!(f, "cannot be read at offset {offset:#x}: {detail}")
            }
            Self::Record {
                offset: None,
                detail,
            } => write!(f, "cannot be read: {detail}"),
            Self::TooLong { bytes } => write!(f, "text of {bytes} bytes is longer than is taken"),
            Self::NotFound => f.write_str("announced by the chunk header and not there"),
        }
    }
}
