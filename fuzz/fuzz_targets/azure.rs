//! Any bytes as what Azure's storage answers: a page, an entity, names of tables, blobs, a refusal, the answer to a batch.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::azure::{
    answered, read_blobs, read_entity, read_page, read_table_names, refusal,
};

fuzz_target!(|bytes: &[u8]| {
    black_box(refusal(500, bytes));
    black_box(read_blobs(bytes)).ok();
    black_box(read_entity(bytes)).ok();
    black_box(read_table_names(bytes)).ok();
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
