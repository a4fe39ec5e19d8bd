//! Writes the values of a piece of a log of performance counters.

use windrow_formats::azure::{Batch, BatchError, Entity, Operation};
use windrow_formats::batch::Header;
use windrow_formats::batch::file::{Content, FileReference};
use windrow_formats::counters::{self, Specifier};
use windrow_formats::lines::Unit;
use windrow_formats::wad::rows::{self, Counter, Measured, Origin, Partition};

use super::super::piece::{self, SendError};
use super::limits::REFUSED_IN_A_ROW_MAX;
use super::transfer::{Progress, Transfer};
use super::{PartitionBy, Tables, wanted};
use crate::journal::Seq;

const TABLE: &str = rows::PERFORMANCE_COUNTERS;

/// A piece of a file, by its place in the journal.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) seq: Seq,
    pub(super) header: &'a Header,
    pub(super) reference: &'a FileReference,
}

/// How many rows a request has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Together {
    /// As many as it may.
    Many,
    /// One, to find those that the service refuses.
    One,
}

/// What became of some rows.
enum Sent {
    Written,
    /// They, or some of them, are refused; in words.
    Refused(String),
}

/// Rows of one partition that are sent together.
struct Open {
    partition: Partition,
    batch: Batch,
    rows: u64,
}

impl Open {
    fn new(tables: &impl Tables, partition: Partition) -> Open {
        Open {
            partition,
            batch: tables.new_batch(TABLE),
            rows: 0,
        }
    }

    fn push(&mut self, row: &Entity<'_>) -> Result<(), BatchError> {
        self.batch.push(Operation::InsertOrReplace, row)?;
        self.rows += 1;
        Ok(())
    }
}

/// What of a piece is in no table.
#[derive(Default)]
struct LeftOut {
    /// Lines that are no values, and values that are refused.
    count: u64,
    /// The first of them, and why.
    first: Option<(String, Vec<u8>)>,
}

impl LeftOut {
    fn note(&mut self, reason: String, line: &[u8]) {
        self.count += 1;
        self.first.get_or_insert_with(|| (reason, line.to_vec()));
    }
}

impl<T: Tables> Transfer<T> {
    /// Writes the values of a piece, where the sink is to have them.
    ///
    /// # Errors
    /// Something that may pass: the piece is to be written again, which puts each row in its own place.
    pub(super) async fn counters(
        &mut self,
        piece: Piece<'_>,
        progress: &mut Progress,
    ) -> Result<(), SendError> {
        let Content::Kept(kept) = piece.reference.content else {
            return Ok(());
        };
        let is_wanted = wanted::keeps_file(&self.sink, piece.header, piece.reference);
        if !is_wanted || progress.is_done(piece.seq) {
            return Ok(());
        }
        let mut left_out = LeftOut::default();
        match piece::read(&self.sink.counters.spool, kept).await? {
            Ok(bytes) => {
                let many = self.rows(piece, &bytes, Together::Many, &mut left_out);
                if let Sent::Refused(_) = many.await? {
                    left_out = LeftOut::default();
                    let one = self.rows(piece, &bytes, Together::One, &mut left_out);
                    one.await?;
                }
            }
            Err(reason) => left_out.note(reason, &[]),
        }
        progress.has_done(piece.seq);
        if let Some((reason, line)) = left_out.first {
            let reason = format!("{}: {reason}", piece.reference.path);
            self.reporter.skipped(piece.seq, left_out.count, &reason);
            let place = (piece.seq, 1);
            self.keep(Some(piece.header), place, &reason, &line).await;
        }
        Ok(())
    }

    /// Writes the rows of a piece; up to the first that are refused together.
    async fn rows(
        &mut self,
        piece: Piece<'_>,
        bytes: &[u8],
        together: Together,
        left_out: &mut LeftOut,
    ) -> Result<Sent, SendError> {
        let instance = format!("_{}", piece.header.source);
        let mut log = counters::Piece::of(piece.reference);
        let mut open = None;
        let mut number = 0;
        let mut paths = None;
        for line in Unit::Line.split(bytes) {
            let (header, sample) = match log.line(line) {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err((line_number, error)) => {
                    left_out.note(format!("line {line_number}: {error}"), line);
                    continue;
                }
            };
            let paths = paths.get_or_insert_with(|| names(&self.sink.counters.specifiers, header));
            for (path, value) in paths.iter().zip(&sample.values) {
                let Some(value) = *value else { continue };
                let Some(counter) = path else {
                    self.reporter.filtered();
                    continue;
                };
                let at = sample.time;
                let measured = Measured {
                    counter,
                    at,
                    value,
                    number,
                };
                number += 1;
                let full = self.row(piece, &instance, &measured, &mut open, together);
                let sent = match full {
                    Ok(None) => Sent::Written,
                    Ok(Some(full)) => self.send_open(full).await?,
                    Err(error) => {
                        // A time that no table can have. The others are none the worse for it.
                        left_out.note(error.to_string(), line);
                        continue;
                    }
                };
                match sent {
                    Sent::Refused(reason) if together == Together::One => {
                        left_out.note(reason, line);
                    }
                    refused @ Sent::Refused(_) => return Ok(refused),
                    Sent::Written => {}
                }
            }
        }
        match open {
            None => Ok(Sent::Written),
            Some(rest) => self.send_open(rest).await,
        }
    }

    /// Adds the row of a value to those that are sent together. Returns some that are to be sent now.
    ///
    /// # Errors
    /// No table takes such a row.
    fn row(
        &self,
        piece: Piece<'_>,
        role_instance: &str,
        measured: &Measured<'_>,
        open: &mut Option<Open>,
        together: Together,
    ) -> Result<Option<Open>, BatchError> {
        let sink = &self.sink;
        let origin = Origin {
            deployment_id: &sink.deployment_id,
            role: &sink.role,
            role_instance,
        };
        let minute = match sink.partition_by {
            PartitionBy::Arrival => piece.header.received_at,
            PartitionBy::Event => measured.at,
        };
        let partition = Partition::new(minute, sink.volume, &origin);
        let counter = Counter::new(sink.journal.into_bytes(), piece.seq);
        let row = rows::performance_counter(measured, &origin, &partition, counter);
        let begun = open.as_mut().filter(|open| open.partition == partition);
        if let Some(begun) = begun {
            match begun.push(&row) {
                Ok(()) => return Ok(None),
                Err(error @ BatchError::Entity(_)) => return Err(error),
                Err(BatchError::Full | BatchError::Again | BatchError::OtherPartition) => {}
            }
        }
        let mut fresh = Open::new(&self.tables, partition);
        fresh.push(&row)?;
        match together {
            Together::Many => Ok(open.replace(fresh)),
            Together::One => Ok(Some(fresh)),
        }
    }

    async fn send_open(&mut self, open: Open) -> Result<Sent, SendError> {
        self.make(TABLE).await?;
        let Err(error) = self.tables.write(TABLE, &open.batch).await else {
            self.refused_in_a_row = 0;
            self.reporter.rows(open.rows);
            return Ok(Sent::Written);
        };
        if !self.is_of_rows(TABLE, &error) {
            return Err(error.into());
        }
        if open.rows == 1 {
            self.refused_in_a_row += 1;
            if self.refused_in_a_row > REFUSED_IN_A_ROW_MAX {
                // The fault is not the rows'.
                return Err(error.into());
            }
        }
        Ok(Sent::Refused(error.to_string()))
    }
}

/// What each of the counters is called in the table, where it is wanted there.
fn names(specifiers: &[Specifier], header: &counters::Header) -> Vec<Option<String>> {
    let is_wanted = |counter: &counters::Counter| {
        specifiers.is_empty() || specifiers.iter().any(|specifier| specifier.means(counter))
    };
    let all = header.counters.iter();
    all.map(|counter| is_wanted(counter).then(|| counter.local_path()))
        .collect()
}
