//! Any text as a file of counters, its lines split as files are read.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::counters::{Counter, Header};

fuzz_target!(|text: &str| {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    black_box(Counter::read(first));
    let Ok(header) = Header::read(first) else {
        return;
    };
    for line in lines {
        if let Ok(Some(sample)) = header.sample(line) {
            assert_eq!(sample.values.len(), header.counters.len());
        }
    }
});
