//! Any text as an Event, sent on: one event is one frame, within its size, on one line, and
//! its framing says so.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use windrow_formats::cef;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::syslog::{Encoder, Framing, Prefix, Settings};
use windrow_fuzz::header;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut index = Index::new();
    let _ = parse(text, &mut index);
    let mut encoder = Encoder::new(settings(choice));
    let mut out = b"before".to_vec();
    if encoder
        .encode(Event::new(text, &index), &header(), &mut out)
        .is_err()
    {
        assert_eq!(out, b"before", "what cannot be sent leaves nothing behind");
        return;
    }
    let frame = std::str::from_utf8(&out["before".len()..]).expect("UTF-8");
    let message = match settings(choice).framing {
        Framing::LineFeed => frame.strip_suffix('\n').expect("a line"),
        Framing::OctetCounting => {
            let (length, message) = frame.split_once(' ').expect("a length");
            assert_eq!(length.parse(), Ok(message.len()));
            message
        }
        Framing::Datagram => frame,
    };
    assert!(message.len() <= encoder.message_bytes_max());
    assert!(
        !message.contains(|c: char| c.is_ascii_control()),
        "one line: {message:?}"
    );
    let cef = &message[message.find("CEF:").expect("a payload")..];
    assert!(unescaped_pipes(cef) >= 7, "a whole header: {cef:?}");
});

fn settings(choice: u8) -> Settings {
    Settings {
        prefix: [
            Prefix::Rfc3164,
            Prefix::Rfc3164Iso,
            Prefix::Rfc5424,
            Prefix::None,
        ][usize::from(choice & 3)],
        framing: [Framing::LineFeed, Framing::OctetCounting, Framing::Datagram]
            [usize::from(choice >> 2 & 3) % 3],
        zone: TimeZone::UTC,
        cef: cef::Settings::default(),
        message_bytes_max: if choice & 0x10 == 0 { 1024 } else { 8192 },
    }
}

fn unescaped_pipes(text: &str) -> usize {
    let mut escaped = false;
    let mut pipes = 0;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '|' => pipes += 1,
            _ => {}
        }
    }
    pipes
}
