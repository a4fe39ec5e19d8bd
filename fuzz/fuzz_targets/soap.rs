//! Any body as a WS-Management message, in every charset: it is read or refused, what it
//! carries can be parsed further, and it can be answered.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::wsman::client::parse_reply;
use windrow_formats::wsman::reply::{FaultCode, ack, fault};
use windrow_formats::wsman::{self, Body, Charset, Text};
use windrow_fuzz::read_everything;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else {
        return;
    };
    let declared = match choice % 3 {
        0 => None,
        1 => Charset::from_content_type("application/soap+xml;charset=UTF-16"),
        _ => Charset::from_content_type("application/soap+xml;charset=UTF-8"),
    };
    let mut text = Text::new();
    text.decode(body, declared);
    let Ok(message) = wsman::parse(&text) else {
        black_box(parse_reply(&text).is_ok());
        return;
    };
    black_box(message.header.action());
    if let Some(bookmark) = message.header.bookmark {
        black_box(wsman::check_bookmark(bookmark).is_ok());
    }
    black_box(ack(&message.header, "uuid:1"));
    let fault = fault(&message.header, "uuid:1", FaultCode::InternalError, "no");
    let mut reread = Text::new();
    reread.decode(fault.as_bytes(), None);
    assert!(
        parse_reply(&reread).is_ok(),
        "our own answer is well-formed: {fault}"
    );
    if let Body::Events { events, .. } = &message.body {
        let mut index = Index::new();
        for event in events {
            let _ = parse(&event.text, &mut index);
            read_everything(Event::new(&event.text, &index));
        }
    }
});
