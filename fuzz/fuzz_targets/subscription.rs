//! Any file as a subscription: what is read is written as a file that says the same, its query can
//! be read, and holding back the past of its channels changes nothing twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::wef::query::{bookmarked_channels, channels, with_history_suppressed};
use windrow_formats::wef::subscription_xml::{Document, read, write};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        let _ = bookmarked_channels(text);
    }
    let Ok(reading) = read(data) else {
        return;
    };
    let query = match &reading.document {
        Document::Subscription(subscription) => {
            let _ = subscription.machines();
            // Control characters cannot be written as XML; a second writing has none left.
            if let Ok(once) = read(write(subscription).as_bytes())
                && let Document::Subscription(once) = once.document
            {
                let again = read(write(&once).as_bytes()).expect("what was read is written");
                assert_eq!(again.document, Document::Subscription(once));
            }
            &subscription.query
        }
        Document::QueryList(query) => query,
    };
    let selected = channels(query).expect("a query that was read");
    let selected: Vec<&str> = selected.iter().map(String::as_str).collect();
    let since = jiff::Timestamp::UNIX_EPOCH;
    if let Ok(once) = with_history_suppressed(query, &selected, since) {
        let again = with_history_suppressed(&once, &selected, since);
        assert_eq!(again.as_ref(), Ok(&once));
    }
});
