//! The end of a Parquet file, looked at before anything is made of it.
//!
//! The reader of the format makes room for as many row groups as the footer says there are, before it has read one: a few
//! damaged bytes would ask for hundreds of gigabytes, and the process would end. So the lists of a footer are first
//! counted out here (Thrift's compact protocol), and what a file cannot be is told apart from what cannot be read now.

use std::any::Any;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::limits::{FOOTER_BYTES, FOOTER_DEPTH, FOOTER_LIST};
use crate::store::site::Scratch;

/// Bytes after the footer: its length, and the name of the format.
pub(crate) const TRAILER_BYTES: u64 = 8;

const MAGIC: &[u8] = b"PAR1";

/// The name of the format at both ends, and the length between.
const LEAST_BYTES: u64 = 12;

/// How long the footer is that this trailer of a file of so many bytes tells of.
pub(crate) fn length(trailer: &[u8], file: u64) -> Result<u64, String> {
    if file < LEAST_BYTES {
        return Err(format!("it has {file} bytes, which is no Parquet file"));
    }
    let Some((length, MAGIC)) = trailer.split_first_chunk::<4>() else {
        return Err("it does not end as a Parquet file does".to_owned());
    };
    let length = u64::from(u32::from_le_bytes(*length));
    if length > file - LEAST_BYTES {
        return Err(format!(
            "it has {file} bytes, and says that {length} of them are its footer"
        ));
    }
    if length > FOOTER_BYTES {
        return Err(format!(
            "its footer has {length} bytes, more than {FOOTER_BYTES}"
        ));
    }
    Ok(length)
}

/// Whether the lists in a footer are as long as they say, and none is longer than in any file.
pub(crate) fn check(footer: &[u8]) -> Result<(), String> {
    let mut rest = Rest(footer);
    match rest.skip(STRUCT, FOOTER_DEPTH) {
        Some(()) => Ok(()),
        None => Err("its footer is damaged".to_owned()),
    }
}

/// A reader of this file, once its footer was looked at.
pub(crate) fn reader(
    mut file: File,
) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    look(&mut file)?;
    ParquetRecordBatchReaderBuilder::try_new(file)
}

/// Looks at the footer of this file, wherever it stands.
pub(crate) fn look(file: &mut File) -> Result<(), ParquetError> {
    let damaged = ParquetError::General;
    let bytes = file.metadata()?.len();
    let mut trailer = [0; TRAILER_BYTES as usize];
    if bytes >= LEAST_BYTES {
        file.seek(SeekFrom::Start(bytes - TRAILER_BYTES))?;
        file.read_exact(&mut trailer)?;
    }
    let length = length(&trailer, bytes).map_err(damaged)?;
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(bytes - TRAILER_BYTES - length))?;
    file.take(length).read_to_end(&mut footer)?;
    check(&footer).map_err(damaged)
}

/// Does work that decodes a file. Decoders give up on some damage by a panic, which is then an error like others.
pub(crate) fn decoded<T>(
    work: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    let gave_up = |panic: Box<dyn Any + Send>| ParquetError::General(gave_up(panic.as_ref()));
    catch_unwind(AssertUnwindSafe(work)).map_err(gave_up)?
}

/// What is said of a decoder that panicked, with its own words: they tell a fault of the program from one of the file.
pub(crate) fn gave_up(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) => format!("whoever decodes it gave up: {text}"),
        None => "whoever decodes it gave up".to_owned(),
    }
}

/// Whether an error says that a file is not what was written: reading it again gives no other answer. Everything else,
/// from a store that does not answer to too many open files, may pass.
pub(crate) fn is_damage(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            return is_of_place(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.get_ref().is_some_and(|inner| inner.is::<Scratch>()) {
                return false;
            }
            // What a store refused comes as one of these too.
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref());
            return refused.map_or_else(|| is_of_content(error), is_of_place);
        }
        if let Some(ParquetError::External(inner)) = error.downcast_ref::<ParquetError>() {
            next = Some(&**inner);
            continue;
        }
        next = error.source();
    }
    true
}

/// Whether a disk could not read what was written, of which nobody knows whether it is there still.
pub(crate) fn is_of_disk(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.raw_os_error() == Some(UNREADABLE) {
                return true;
            }
            // The disk that a file was being fetched to.
            if error.get_ref().is_some_and(|inner| inner.is::<Scratch>()) {
                return false;
            }
            // Its source is that of what it holds, and not that itself.
            next = error.get_ref().map(|inner| inner as _);
            continue;
        }
        if let Some(ParquetError::External(inner)) = error.downcast_ref::<ParquetError>() {
            next = Some(&**inner);
            continue;
        }
        next = error.source();
    }
    false
}

/// Of what a store says that a file is not there, or that its place on the disk cannot be read.
pub(crate) fn is_of_place(error: &object_store::Error) -> bool {
    if let object_store::Error::NotFound { .. } = error {
        return true;
    }
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(UNREADABLE);
        }
        source = error.source();
    }
    false
}

/// EIO of every system.
const UNREADABLE: i32 = 5;

/// What has no number of the system's comes from whoever decodes, but that a file is not there, or that its place on the
/// disk cannot be read.
fn is_of_content(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // One of our limits, which says nothing of what is in the file.
        None if error.kind() == io::ErrorKind::FileTooLarge => false,
        None => true,
        Some(number) => number == UNREADABLE || error.kind() == io::ErrorKind::NotFound,
    }
}

/// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const INTEGERS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LISTS: std::ops::RangeInclusive<u8> = 9..=10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// What of a footer was not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Passes over a value of this type; none where it does not fit.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // A truth value of a field is in its type.
            TRUE | FALSE => Some(()),
            BYTE => self.pass(1),
            kind if INTEGERS.contains(&kind) => self.number().map(|_| ()),
            DOUBLE => self.pass(8),
            BINARY => {
                let bytes = self.number()?;
                self.pass(bytes)
            }
            kind if LISTS.contains(&kind) => self.skip_list(depth),
            MAP => self.skip_map(depth),
            STRUCT => self.skip_struct(depth),
            UUID => self.pass(16),
            _ => None,
        }
    }

    fn skip_struct(&mut self, depth: usize) -> Option<()> {
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            // Four bits of how much greater the field's number is, or none and the number itself.
            if head >> 4 == 0 {
                self.number()?;
            }
            self.skip(head & 0x0f, depth)?;
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.number()?,
            few => u64::from(few),
        };
        // The reader makes room for that many, each larger than what is written of it.
        if count > FOOTER_LIST {
            return None;
        }
        self.room_for(count)?;
        let kind = head & 0x0f;
        (0..count).try_for_each(|_| self.skip_element(kind, depth))
    }

    /// A value of a list or a map, which has a byte at least: there are no more rounds than bytes.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            0 => None,
            TRUE | FALSE => self.pass(1),
            kind => self.skip(kind, depth),
        }
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let count = self.number()?;
        if count == 0 {
            return Some(());
        }
        self.room_for(count)?;
        let kinds = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip_element(kinds >> 4, depth)?;
            self.skip_element(kinds & 0x0f, depth)
        })
    }

    /// Whether there is room for so many values: each has a byte at least.
    fn room_for(&self, count: u64) -> Option<()> {
        (count <= self.0.len() as u64).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
