//! Data files of one date into one.
//!
//! Row groups that are large enough already are taken over as they are: to make them anew would cost twice what reading
//! them does, for the same bytes. They are read once whole all the same, since damage in one of them would
//! be in the way of all others once they share a file. What is small is encoded again, together.

use std::collections::BTreeSet;
use std::fs::File;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::writer::SerializedFileWriter;

use super::{DataFile, Statistics, fitted, textless, told_textless, writer_properties};
use crate::footer;
use crate::limits::{COPIED_GROUP_ROWS, MERGE_BATCH_ROWS, MERGE_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::schema::Definition;

/// Writes the rows of these data files of one date, in this order, as one. Some rows of one of them and a row group of
/// the new one are in memory.
pub(crate) fn merge(
    definition: &Definition,
    date: &str,
    parts: impl Iterator<Item = std::io::Result<File>>,
    into: File,
) -> Result<(DataFile, File), ParquetError> {
    footer::decoded(|| {
        let mut merged = Merged::new(definition, into)?;
        for part in parts {
            merged.take(&part?)?;
        }
        let (statistics, file) = merged.finish()?;
        Ok((DataFile::new(date, &statistics), file))
    })
}

/// The new file.
struct Merged {
    schema: SchemaRef,
    writer: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    /// The row group that is being made, and its rows.
    making: Option<(Vec<ArrowColumnWriter>, usize)>,
    statistics: Statistics,
    without_text: Option<BTreeSet<Option<String>>>,
}

impl Merged {
    fn new(definition: &Definition, into: File) -> Result<Merged, ParquetError> {
        let properties = writer_properties(definition, MERGE_GROUP_BYTES)?;
        let schema = definition.file_schema();
        let writer = ArrowWriter::try_new(into, SchemaRef::clone(&schema), Some(properties))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        Ok(Merged {
            schema,
            writer,
            factory,
            making: None,
            statistics: Statistics::new(definition),
            without_text: None,
        })
    }

    /// Takes the rows of a part.
    fn take(&mut self, part: &File) -> Result<(), ParquetError> {
        let reader = footer::reader(part.try_clone()?)?;
        let metadata = reader.metadata().clone();
        let told = textless(metadata.file_metadata().key_value_metadata());
        // Of a channel that several files have, all must be without text.
        self.without_text = Some(match self.without_text.take() {
            Some(known) if known == told => known,
            Some(_) => BTreeSet::new(),
            None => told,
        });
        let stays = self.stays(&metadata);
        for batch in reader.with_batch_size(MERGE_BATCH_ROWS).build()? {
            let batch = fitted(&batch?, &self.schema)?;
            self.statistics.cover(&batch);
            if !stays {
                self.encode(&batch)?;
            }
        }
        if !stays {
            return Ok(());
        }
        self.end_group()?;
        let mut groups = metadata.row_groups().iter();
        groups.try_for_each(|group| self.copy(part, group))
    }

    /// Whether the row groups of this file can be taken over as they are.
    fn stays(&self, metadata: &ParquetMetaData) -> bool {
        let file = metadata.file_metadata();
        let rows = usize::try_from(file.num_rows()).unwrap_or(0);
        let is_large = rows >= COPIED_GROUP_ROWS * metadata.num_row_groups().max(1);
        is_large && file.schema_descr().columns() == self.writer.schema_descr().columns()
    }

    fn copy(&mut self, part: &File, group: &RowGroupMetaData) -> Result<(), ParquetError> {
        let mut copied = self.writer.next_row_group()?;
        for column in group.columns() {
            let as_it_is = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
                rows_written: u64::try_from(group.num_rows()).unwrap_or(0),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            copied.append_column(part, as_it_is)?;
        }
        copied.close()?;
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let number = self.writer.flushed_row_groups().len();
        let (columns, rows) = match &mut self.making {
            Some(making) => making,
            none => none.insert((self.factory.create_column_writers(number)?, 0)),
        };
        let mut writers = columns.iter_mut();
        for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
            for (leaf, writer) in compute_leaves(field, array)?.iter().zip(&mut writers) {
                writer.write(leaf)?;
            }
        }
        *rows += batch.num_rows();
        let bytes = columns.iter().map(ArrowColumnWriter::memory_size);
        if *rows + MERGE_BATCH_ROWS > ROW_GROUP_ROWS || bytes.sum::<usize>() >= MERGE_GROUP_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    /// Writes the row group that is being made.
    fn end_group(&mut self) -> Result<(), ParquetError> {
        let Some((columns, _)) = self.making.take() else {
            return Ok(());
        };
        let mut group = self.writer.next_row_group()?;
        for column in columns {
            column.close()?.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    fn finish(mut self) -> Result<(Statistics, File), ParquetError> {
        self.end_group()?;
        let told = told_textless(&self.without_text.unwrap_or_default());
        told.into_iter()
            .for_each(|told| self.writer.append_key_value_metadata(told));
        Ok((self.statistics, self.writer.into_inner()?))
    }
}

#[cfg(test)]
mod tests;
