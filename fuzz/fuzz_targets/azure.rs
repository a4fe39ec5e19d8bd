//! Any bytes as what Azure's table storage answers: a page, a refusal, the answer to a batch.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::azure::{answered, read_page, refusal};

fuzz_target!(|bytes: &[u8]| {
    black_box(refusal(500, bytes));
    let kind = "multipart/mixed; boundary=b";
    black_box(answered(kind, bytes, 2)).ok();
    let Ok(page) = read_page(bytes) else {
        return;
    };
    // What is an entity is written and read again as one.
    for entity in page.entities {
        let mut again = b"{\"value\":[".to_vec();
        entity.write_json(&mut again);
        again.extend_from_slice(b"]}");
        let again = read_page(&again).expect("what was written is a page");
        assert_eq!(again.entities.len(), 1);
    }
});
