//! Any text as a failed request, and its events as events.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Index, parse};
use windrow_formats::freb::FailedRequest;

fuzz_target!(|text: &str| {
    let Ok(request) = FailedRequest::read(text) else {
        return;
    };
    assert_eq!(request.events(text).count(), request.event_count());
    let mut index = Index::new();
    for event in request.events(text) {
        let _ = black_box(parse(event, &mut index));
    }
});
