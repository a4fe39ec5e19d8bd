//! How much room the columns of the table take, and what the Event's text costs to encode.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::common::cpu_seconds;

/// Rows of which the text is encoded again.
const TEXTS: usize = 200_000;

pub(crate) struct Room {
    /// Bytes an event, the largest first.
    pub(crate) columns: Vec<(String, f64)>,
    /// CPU seconds that the text of one event takes to encode.
    pub(crate) text_seconds: f64,
}

impl Room {
    pub(crate) fn all(&self) -> f64 {
        self.columns.iter().map(|column| column.1).sum()
    }

    pub(crate) fn of(&self, name: &str) -> f64 {
        let column = self.columns.iter().find(|column| column.0 == name);
        column.map_or(0.0, |column| column.1)
    }
}

/// Of a table without files that no version needs.
pub(crate) fn measure(table: &Path, rows: u64) -> Room {
    let files = files(table);
    let mut sizes = BTreeMap::<String, i64>::new();
    for file in &files {
        let file = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
        for group in file.metadata().row_groups() {
            for column in group.columns() {
                let path = column.column_path().string();
                *sizes.entry(path).or_default() += column.compressed_size();
            }
        }
    }
    let each = |(name, bytes)| (name, bytes as f64 / rows as f64);
    let mut columns: Vec<(String, f64)> = sizes.into_iter().map(each).collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    Room {
        columns,
        text_seconds: text_seconds(&files),
    }
}

fn files(table: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(table).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let of_days = folders.filter(|path| path.to_string_lossy().contains("date="));
    let files = of_days.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.map(|entry| entry.unwrap().path()).collect()
}

/// The column alone, with the table's compression.
fn text_seconds(files: &[PathBuf]) -> f64 {
    let mut batches = Vec::new();
    let mut rows = 0;
    for file in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
        let text = ProjectionMask::columns(reader.parquet_schema(), ["event_xml"]);
        for batch in reader.with_projection(text).build().unwrap() {
            let batch = batch.unwrap();
            rows += batch.num_rows();
            batches.push(batch);
            if rows >= TEXTS {
                break;
            }
        }
        if rows >= TEXTS {
            break;
        }
    }
    let level = ZstdLevel::try_new(1).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .build();
    let start = cpu_seconds();
    let schema = batches[0].schema();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
    (cpu_seconds() - start) / rows as f64
}
