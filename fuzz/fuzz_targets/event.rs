//! Any text as an Event: the index holds what was read, survives encoding, and every value it
//! points to can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Event, Index, ParseStatus, parse};
use windrow_formats::identity::identity;
use windrow_fuzz::read_everything;

fuzz_target!(|text: &str| {
    let mut index = Index::new();
    let result = parse(text, &mut index);
    let event = Event::new(text, &index);
    read_everything(event);
    let is_malformed = matches!(index.status(), ParseStatus::Malformed(_));
    assert_eq!(result.is_err(), is_malformed);
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
    assert_eq!(decoded, index);
    let again = Event::new(text, &decoded);
    assert_eq!(identity("a", again), identity("a", event));
});
