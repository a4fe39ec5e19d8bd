//! Any bytes as lines of IIS's own format and of NCSA's, and as the name of a log file.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::iis::{DayOrder, LogFile, native, ncsa};
use windrow_formats::w3c::Field;

fuzz_target!(|data: &[u8]| {
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        for read in [
            native(line, DayOrder::MonthFirst),
            native(line, DayOrder::DayFirst),
            ncsa(line),
        ] {
            if let Ok(Some(entry)) = read {
                assert!(entry.number(Field::Status).is_some());
                black_box((entry.moment, entry.get(Field::UriStem)));
            }
        }
        if let Ok(name) = std::str::from_utf8(line) {
            black_box(LogFile::read(name));
        }
    }
});
