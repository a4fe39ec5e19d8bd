//! An answer as a Parquet file.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{QueryOutput, Written, unique_names};
use crate::error::{LakeError, QueryError};
use crate::limits::{MERGE_GROUP_BYTES, ROW_GROUP_ROWS};

impl QueryOutput {
    /// Writes all rows as Parquet. Columns have the names that the query gives them, made different where two are the same.
    ///
    /// # Errors
    /// The query fails, or `out` does, or a column has a type that Parquet has not.
    pub async fn write_parquet(
        mut self,
        out: &mut (dyn Write + Send),
    ) -> Result<Written, QueryError> {
        let failed = |error| QueryError::Lake(LakeError::Encode(error));
        let names = unique_names(&self.schema);
        let fields = self.schema.fields().iter().zip(names);
        // The engine is not always of one mind about what may be null.
        let fields =
            fields.map(|(field, name)| Field::new(name, in_parquet(field.data_type()), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(&mut *out, Arc::clone(&schema), options)
            .map_err(failed)?;
        let mut rows = 0;
        while let Some(batch) = self.next().await? {
            rows += batch.num_rows() as u64;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns.map(|(column, field)| cast(column, field.data_type()));
            let columns = columns.collect::<Result<_, _>>();
            let columns = columns.map_err(|error| failed(error.into()))?;
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options);
            let batch = batch.map_err(|error| failed(error.into()))?;
            writer.write(&batch).map_err(failed)?;
            if writer.in_progress_size() > MERGE_GROUP_BYTES {
                writer.flush().map_err(failed)?;
            }
        }
        writer.close().map_err(failed)?;
        out.flush()?;
        Ok(Written {
            rows,
            truncated: self.truncated,
        })
    }
}

/// The type that a column has in the file. Parquet knows no times of whole seconds: they would be numbers there.
fn in_parquet(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        other => other.clone(),
    }
}
