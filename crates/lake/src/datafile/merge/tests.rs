use std::fs::{self, OpenOptions};
use std::path::Path;

use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ArrowReaderBuilder;
use parquet::file::metadata::ColumnChunkMetaData;

use super::*;
use crate::datafile::encode;
use crate::schema::EVENTS;
use crate::testing::{logon, rows};

/// A data file of so many events.
fn part(dir: &Path, name: &str, records: std::ops::Range<u64>) -> std::path::PathBuf {
    let first = records.start + 1;
    let texts: Vec<String> = records
        .map(|record| logon(1, record, i64::try_from(record).unwrap() % 86_400))
        .collect();
    let (_, bytes) = encode(&EVENTS, "2025-11-05", &rows(&texts, Some(first))).unwrap();
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn new_file(dir: &Path) -> File {
    let mut options = OpenOptions::new();
    let path = dir.join("merged");
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap()
}

fn all(file: &Path) -> (RecordBatch, Vec<i64>) {
    let builder = ArrowReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let groups = builder.metadata().row_groups().iter();
    let groups = groups.map(RowGroupMetaData::num_rows).collect();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    (
        concat_batches(&batches[0].schema(), &batches).unwrap(),
        groups,
    )
}

#[test]
fn large_row_groups_are_taken_over_and_small_ones_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let large = COPIED_GROUP_ROWS as u64;
    let sizes = [10, 20, large, large + 5, 30];
    let mut first = 0;
    let parts: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(number, rows)| {
            first += rows;
            part(dir.path(), &number.to_string(), first - rows..first)
        })
        .collect();
    let files = parts.iter().map(File::open);
    let (file, _) = merge(&EVENTS, "2025-11-05", files, new_file(dir.path())).unwrap();
    let (merged, groups) = all(&dir.path().join("merged"));
    assert_eq!(groups, [30, large as i64, large as i64 + 5, 30]);
    let before: Vec<RecordBatch> = parts.iter().map(|part| all(part).0).collect();
    assert_eq!(merged, concat_batches(&merged.schema(), &before).unwrap());
    let add = file.add(
        1,
        jiff::Timestamp::UNIX_EPOCH,
        crate::datafile::Change::Layout,
    );
    let told: serde_json::Value = serde_json::from_str(&add.stats.unwrap()).unwrap();
    assert_eq!(told["numRecords"], first);
    assert_eq!(told["minValues"]["record_id"], 0);
    assert_eq!(told["maxValues"]["record_id"], first - 1);
}

#[test]
fn damage_in_a_large_row_group_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let large = COPIED_GROUP_ROWS as u64;
    let parts = [
        part(dir.path(), "0", 0..large),
        part(dir.path(), "1", large..2 * large),
    ];
    let mut bytes = fs::read(&parts[1]).unwrap();
    let file = File::open(&parts[1]).unwrap();
    let metadata = footer::reader(file).unwrap();
    let mut columns = metadata.metadata().row_group(0).columns().iter();
    let is_text = |column: &&ColumnChunkMetaData| column.column_path().string() == "event_xml";
    let text = columns.find(is_text).unwrap().byte_range();
    let middle = usize::try_from(text.0 + text.1 / 2).unwrap();
    bytes[middle..middle + 64].fill(0xa5);
    fs::write(&parts[1], bytes).unwrap();
    let merged = merge(
        &EVENTS,
        "2025-11-05",
        parts.iter().map(File::open),
        new_file(dir.path()),
    );
    assert!(merged.is_err());
}
