//! Any bytes as a trace: every buffer, event, schema and value of it, and each event as one of Windows.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::etl::{Body, Reader, Schemas, sid_text, to_xml};
use windrow_formats::event::{self, Index};

fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::open(data) else {
        return;
    };
    let mut schemas = Schemas::default();
    let mut index = Index::default();
    let mut buffers = 0_usize;
    loop {
        match reader.next_buffer() {
            Ok(Some(buffer)) => {
                for event in buffer.events().flatten() {
                    let _ = black_box(schemas.learn(&event));
                    black_box(event.extended.sid.and_then(sid_text));
                    let decoded = schemas.decode(&event);
                    let text = to_xml(&event, &decoded, "web1");
                    let _ = black_box(event::parse(&text, &mut index));
                    if let Body::Fields(read) = decoded.body {
                        for field in read.fields {
                            black_box(field.value.to_string());
                        }
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                black_box(error.to_string());
            }
        }
        buffers += 1;
        assert!(buffers <= data.len(), "a buffer has bytes");
    }
    black_box(reader.counts());
});
