//! Any bytes as the index of any text: decoding refuses it, or every value can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Event, Index};
use windrow_fuzz::{halves, read_everything};

fuzz_target!(|data: &[u8]| {
    let (text, bytes) = halves(data);
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut index = Index::new();
    if index.decode(bytes, text).is_ok() {
        read_everything(Event::new(text, &index));
    }
});
