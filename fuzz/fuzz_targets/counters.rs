//! Any text as a file of counters, its lines split as files are read.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::counters::{Counter, Header, Specifier};

fuzz_target!(|text: &str| {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if let (Some(counter), Some(specifier)) = (Counter::read(first), Specifier::read(first)) {
        let own = Counter::read(&counter.local_path());
        assert!(own.is_none_or(|own| own.object == counter.object));
        black_box(specifier.means(&counter));
    }
    let Ok(header) = Header::read(first) else {
        return;
    };
    for line in lines {
        if let Ok(Some(sample)) = header.sample(line) {
            assert_eq!(sample.values.len(), header.counters.len());
        }
    }
});
