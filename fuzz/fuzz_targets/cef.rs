//! Any text as an Event, sent on in either profile: one event is one frame, within its size, on
//! one line, and its framing says so. Half of the inputs bring an index of their own, as a
//! damaged journal would: it may be of another text.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::cef;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::syslog::{Encoder, Framing, Prefix, Settings};
use windrow_fuzz::{halves, header};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let (text, stored) = match choice & 0x80 {
        0 => (data, None),
        _ => {
            let (text, stored) = halves(data);
            (text, Some(stored))
        }
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut index = Index::new();
    match stored {
        None => {
            let _ = parse(text, &mut index);
        }
        Some(stored) if index.decode(stored, text).is_err() => return,
        Some(_) => {}
    }
    let kind = [Kind::Wef, Kind::Own][usize::from(choice >> 4 & 1)];
    let header = Header { kind, ..header() };
    let mut encoder = Encoder::new(settings(choice));
    let mut out = b"before".to_vec();
    if encoder
        .encode(Event::new(text, &index), &header, &mut out)
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
            Prefix::LegacyAzureStack,
        ][usize::from(choice & 7) % 5],
        framing: [Framing::LineFeed, Framing::OctetCounting, Framing::Datagram]
            [usize::from(choice >> 3 & 3) % 3],
        zone: TimeZone::UTC,
        cef: cef::Settings {
            profile: if choice & 0x20 == 0 {
                cef::Profile::AzureStack
            } else {
                cef::Profile::Standard
            },
            product: cef::Product::StackHub,
            ..cef::Settings::default()
        },
        message_bytes_max: if choice & 0x40 == 0 { 1024 } else { 8192 },
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
