//! Any text as an Event: the index holds what was read, survives encoding, and every value it
//! points to can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::identity;
use windrow_fuzz::read_everything;

fuzz_target!(|text: &str| {
    let mut index = Index::new();
    let result = parse(text, &mut index);
    let event = Event::new(text, &index);
    read_everything(event);
    if let Err(error) = result {
        assert!(
            error.offset <= text.len(),
            "the place of the fault lies in the text"
        );
    }

    let mut encoded = Vec::new();
    index.encode(&mut encoded);
    let mut decoded = Index::new();
    decoded
        .decode(&encoded, text)
        .expect("an index that was just made");
    let again = Event::new(text, &decoded);
    assert_eq!(again.status(), event.status());
    assert_eq!(again.record_id(), event.record_id());
    assert!(
        again
            .data()
            .map(|item| item.value)
            .eq(event.data().map(|item| item.value))
    );
    assert_eq!(identity("a", again), identity("a", event));
});
