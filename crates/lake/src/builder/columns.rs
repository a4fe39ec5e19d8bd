//! The columns of the batch being built.
//!
//! Most columns are empty in most rows. So a column is touched only where an event has a value; the
//! nulls before it are made up for then, or when the batch ends.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, MapBuilder,
    MapFieldNames, StringArray, StringBuilder, TimestampMicrosecondBuilder,
};

use crate::schema::{EVENTS, Kind};

/// Columns by type; the place of each among those of its type is [`crate::schema::slot`].
pub(super) struct Columns {
    /// Rows begun.
    rows: usize,
    texts: Vec<StringBuilder>,
    ints: Vec<Int32Builder>,
    longs: Vec<Int64Builder>,
    times: Vec<TimestampMicrosecondBuilder>,
    pub(super) keys: BinaryBuilder,
    pub(super) data: MapBuilder<StringBuilder, StringBuilder>,
    /// What each text column of the batch before had.
    before: Vec<Size>,
}

/// Values and bytes of a text column.
#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    bytes: usize,
}

/// Appends to a column by slot, after the nulls of the rows that had no value.
macro_rules! appends {
    ($($name:ident: $columns:ident, $value:ty;)*) => {
        $(pub(super) fn $name(&mut self, slot: usize, value: Option<$value>) {
            if let Some(value) = value {
                let column = &mut self.$columns[slot];
                let missing = (self.rows - 1).saturating_sub(column.len());
                if missing > 0 {
                    column.append_nulls(missing);
                }
                column.append_value(value);
            }
        })*
    };
}

impl Columns {
    pub(super) fn new() -> Columns {
        let count = |kind| {
            EVENTS
                .columns
                .iter()
                .filter(|column| column.kind == kind)
                .count()
        };
        let texts = count(Kind::Text);
        let time = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        Columns {
            rows: 0,
            texts: (0..texts).map(|_| StringBuilder::new()).collect(),
            ints: (0..count(Kind::Int)).map(|_| Int32Builder::new()).collect(),
            longs: (0..count(Kind::Long))
                .map(|_| Int64Builder::new())
                .collect(),
            times: (0..count(Kind::Time)).map(|_| time()).collect(),
            keys: BinaryBuilder::new(),
            data: map(Size::default(), Size::default()),
            before: vec![Size::default(); texts + MAP_TEXTS],
        }
    }

    /// Begins a row. Each column then gets one value at most.
    pub(super) fn begin(&mut self) {
        if self.rows == 0 {
            self.reserve();
        }
        self.rows += 1;
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    appends! {
        int: ints, i32;
        long: longs, i64;
        time: times, i64;
    }

    pub(super) fn text(&mut self, slot: usize, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            let column = &mut self.texts[slot];
            let missing = (self.rows - 1).saturating_sub(column.len());
            if missing > 0 {
                column.append_nulls(missing);
            }
            column.append_value(value);
        }
    }

    /// Every column in the order of the table, each with every row; none are begun then.
    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(&mut self.rows);
        self.remember();
        // Of the texts, which are two thirds of all columns, those without any value share one.
        let empty: ArrayRef = Arc::new(StringArray::new_null(rows));
        let (mut texts, mut ints) = (self.texts.iter_mut(), self.ints.iter_mut());
        let (mut longs, mut times) = (self.longs.iter_mut(), self.times.iter_mut());
        let columns: Option<Vec<ArrayRef>> = EVENTS
            .columns
            .iter()
            .map(|column| {
                Some(match column.kind {
                    Kind::Text => match texts.next()? {
                        text if text.is_empty() => Arc::clone(&empty),
                        text => {
                            text.append_nulls(rows - text.len());
                            fitted(text.finish())
                        }
                    },
                    Kind::Int => {
                        let int = ints.next()?;
                        int.append_nulls(rows - int.len());
                        fitted(int.finish())
                    }
                    Kind::Long => {
                        let long = longs.next()?;
                        long.append_nulls(rows - long.len());
                        fitted(long.finish())
                    }
                    Kind::Time => {
                        let time = times.next()?;
                        time.append_nulls(rows - time.len());
                        fitted(time.finish())
                    }
                    // No event has a number with a fraction.
                    Kind::Double => return None,
                    Kind::Bytes => fitted(self.keys.finish()),
                    Kind::Map => fitted(self.data.finish()),
                })
            })
            .collect();
        columns.unwrap_or_default()
    }

    /// Notes how much the text columns have.
    fn remember(&mut self) {
        let (keys, values) = self.data.entries();
        let texts = self.texts.iter().chain([&*keys, &*values]);
        for (before, text) in self.before.iter_mut().zip(texts) {
            *before = Size {
                values: text.len(),
                bytes: text.values_slice().len(),
            };
        }
    }

    /// Makes room for as much as the batch before had: growing a column step by step copies it each time.
    fn reserve(&mut self) {
        let (texts, of_map) = self.before.split_at(self.texts.len());
        for (text, before) in self.texts.iter_mut().zip(texts) {
            if before.values > 0 {
                *text = before.builder();
            }
        }
        if let [keys, values] = *of_map
            && keys.values > 0
        {
            self.data = map(keys, values);
        }
    }
}

/// Text columns in the map.
const MAP_TEXTS: usize = 2;

impl Size {
    fn builder(self) -> StringBuilder {
        StringBuilder::with_capacity(self.values, self.bytes + self.bytes / 16)
    }
}

fn map(keys: Size, values: Size) -> MapBuilder<StringBuilder, StringBuilder> {
    let names = MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    };
    MapBuilder::new(Some(names), keys.builder(), values.builder())
}

/// A column without the room that its builder had left: rows may wait in memory for minutes, and
/// few at a time they would take twice their size.
fn fitted(mut column: impl Array + 'static) -> ArrayRef {
    column.shrink_to_fit();
    Arc::new(column)
}
