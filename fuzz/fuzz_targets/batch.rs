//! Any bytes as a stored batch: decoding refuses it, or every record can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::batch::Batch;
use windrow_formats::event::{Event, Index};
use windrow_fuzz::read_everything;

fuzz_target!(|data: &[u8]| {
    let Ok(batch) = Batch::decode(data) else {
        return;
    };
    let mut index = Index::new();
    for record in batch.records() {
        let Ok(record) = record else {
            return;
        };
        if record.read_index(&mut index).is_ok() {
            read_everything(Event::new(record.text, &index));
        }
    }
});
