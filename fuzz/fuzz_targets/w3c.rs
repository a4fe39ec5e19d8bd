//! Any bytes as a W3C log, its lines split as files are read: every value of every request, by its place and by its field.
//! The units of a block, lines and records of CSV alike, are the block.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::lines::{Unit, count};
use windrow_formats::w3c::{Field, Line, Parser};

fuzz_target!(|data: &[u8]| {
    for unit in [Unit::Line, Unit::Record] {
        let parts: Vec<&[u8]> = unit.split(data).collect();
        assert_eq!(parts.concat(), data);
        assert!(parts.iter().all(|part| !part.is_empty()));
        let whole = unit.whole(data);
        assert_eq!(
            unit.whole(&data[..whole]),
            whole,
            "units that are whole stay so"
        );
    }
    black_box(count(data));
    let mut parser = Parser::default();
    for line in Unit::Line.split(data) {
        if let Line::Row(row) = parser.line(line) {
            let fields = row.fields();
            assert_eq!(fields.names().count(), fields.len());
            for place in 0..=fields.len() {
                if let Some(value) = row.at(place) {
                    black_box(windrow_formats::w3c::number(value));
                }
            }
            black_box((row.time(), row.realigned(), row.line()));
            black_box((row.get(Field::UriStem), row.number(Field::Status)));
        }
    }
    black_box(parser.software());
});
