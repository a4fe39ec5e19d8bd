//! The week of events as Parquet in folders named after the days.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::common::mix::{DAYS, Made, Mix};

const GROUP_ROWS: usize = 65_536;

/// Writes so many events, a file a day. Returns their bytes.
pub(crate) fn write(folder: &Path, events: usize) -> u64 {
    let (mut mix, mut event) = (Mix::new(events), Made::default());
    let mut bytes = 0;
    let mut left = events;
    mix.next(&mut event);
    for day in 0..DAYS {
        let part = folder.join(format!("date=2025-11-{:02}", 3 + day));
        std::fs::create_dir_all(&part).unwrap();
        let path = part.join("part-0.parquet");
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema(), Some(properties())).unwrap();
        let mut columns = Columns::new();
        while left > 0 && event.day == day {
            columns.push(&event);
            if columns.rows == GROUP_ROWS {
                writer.write(&columns.finish()).unwrap();
            }
            left -= 1;
            mix.next(&mut event);
        }
        writer.write(&columns.finish()).unwrap();
        writer.close().unwrap();
        bytes += path.metadata().unwrap().len();
    }
    bytes
}

fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for column in ["time", "record_id"] {
        let path = ColumnPath::from(column);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties
        .set_column_dictionary_enabled(ColumnPath::from("message"), false)
        .build()
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let long = |name: &str| Field::new(name, DataType::Int64, true);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let entry = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ];
    let entry = Field::new("key_value", DataType::Struct(entry.into()), false);
    let map = DataType::Map(Arc::new(entry), false);
    Arc::new(Schema::new(vec![
        Field::new("time", time, true),
        text("computer"),
        text("channel"),
        text("provider"),
        int("event_id"),
        int("level"),
        long("record_id"),
        int("task"),
        long("keywords"),
        text("user_sid"),
        text("message"),
        Field::new("event_data", map, true),
    ]))
}

struct Columns {
    time: TimestampMicrosecondBuilder,
    /// computer, channel, provider, user_sid, message.
    texts: [StringBuilder; 5],
    /// event_id, level, task.
    ints: [Int32Builder; 3],
    /// record_id, keywords.
    longs: [Int64Builder; 2],
    data: MapBuilder<StringBuilder, StringBuilder>,
    rows: usize,
}

impl Columns {
    fn new() -> Columns {
        let names = MapFieldNames {
            entry: "key_value".into(),
            key: "key".into(),
            value: "value".into(),
        };
        Columns {
            time: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            texts: Default::default(),
            ints: Default::default(),
            longs: Default::default(),
            data: MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new()),
            rows: 0,
        }
    }

    fn push(&mut self, event: &Made) {
        self.time.append_value(event.time_us);
        let texts = [
            Some(event.computer.as_str()),
            Some(event.channel),
            Some(event.provider),
            event.user_sid.as_deref(),
            Some(event.message.as_str()),
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.append_option(text);
        }
        let ints = [event.event_id, event.level, event.task];
        for (column, int) in self.ints.iter_mut().zip(ints) {
            column.append_value(int);
        }
        for (column, long) in self.longs.iter_mut().zip([event.record_id, event.keywords]) {
            column.append_value(long);
        }
        for (name, value) in &event.data {
            self.data.keys().append_value(name);
            self.data.values().append_value(value);
        }
        self.data.append(true).unwrap();
        self.rows += 1;
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let [computer, channel, provider, user, message] = &mut self.texts;
        let [id, level, task] = &mut self.ints;
        let [record, keywords] = &mut self.longs;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(computer.finish()),
            Arc::new(channel.finish()),
            Arc::new(provider.finish()),
            Arc::new(id.finish()),
            Arc::new(level.finish()),
            Arc::new(record.finish()),
            Arc::new(task.finish()),
            Arc::new(keywords.finish()),
            Arc::new(user.finish()),
            Arc::new(message.finish()),
            Arc::new(self.data.finish()),
        ];
        RecordBatch::try_new(schema(), columns).unwrap()
    }
}
