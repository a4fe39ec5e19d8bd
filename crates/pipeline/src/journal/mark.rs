//! How far the journal is durable, in two slots: the line between a torn tail and damage.

use std::io;
use std::path::Path;

use super::Seq;
use super::frame::{Get, Put};
use super::limits::MAX_NUMBER;
use super::slots::Slots;
use super::storage::Disk;

/// Name of the mark's file.
pub(super) const MARK_FILE: &str = "mark";

/// How far data was durable when the mark was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the segment.
    pub segment: u64,
    /// Its random number.
    pub id: u64,
    /// The byte after the last durable frame.
    pub end: u64,
    /// The sequence to come.
    pub next_seq: Seq,
}

impl Mark {
    /// The slot's value.
    pub(super) fn encode(&self) -> [u8; 32] {
        let mut out = [0; 32];
        let mut put = Put {
            out: &mut out,
            at: 0,
        };
        for field in [self.segment, self.id, self.end, self.next_seq] {
            put.bytes(&field.to_le_bytes());
        }
        out
    }

    /// Reads a slot's value.
    pub(super) fn decode(bytes: &[u8]) -> Option<Mark> {
        let mut get = Get::new(bytes);
        let mark = Mark {
            segment: get.u64()?,
            id: get.u64()?,
            end: get.u64()?,
            next_seq: get.u64()?,
        };
        let is_sane =
            (1..=MAX_NUMBER).contains(&mark.segment) && (1..=MAX_NUMBER).contains(&mark.next_seq);
        is_sane.then_some(mark)
    }
}

/// Reads the mark of a folder that another process may be writing.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Mark>> {
    match Slots::read(disk, &dir.join(MARK_FILE)) {
        Ok(value) => Ok(value.as_deref().and_then(Mark::decode)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
