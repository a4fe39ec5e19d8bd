//! Any bytes as a minidump.
#![no_main]

use std::hint::black_box;
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use windrow_formats::minidump::Minidump;

fuzz_target!(|data: &[u8]| {
    let Ok(dump) = Minidump::read(Cursor::new(data)) else {
        return;
    };
    for module in &dump.modules {
        black_box(module.code_id());
    }
    for fault in &dump.faults {
        black_box(fault.to_string());
    }
    black_box(dump.failing_module());
});
