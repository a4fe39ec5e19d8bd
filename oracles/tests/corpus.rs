//! Real events, from XML and from EVTX files, in both profiles: Vector's parser must read back
//! what the event says.

use windrow_formats::cef::{self, Profile};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Framing, Settings};
use windrow_oracles::corpus::{self, Found};
use windrow_oracles::{Parser, encode, fields};

fn settings(profile: Profile) -> Settings {
    Settings {
        framing: Framing::Datagram,
        message_bytes_max: 1 << 24,
        cef: cef::Settings {
            profile,
            ..cef::Settings::default()
        },
        ..Settings::default()
    }
}

/// Both profiles of each event, each field against the event.
fn check(events: &[Found]) {
    let (parser, mut index) = (Parser::cef(), Index::default());
    for Found { place, xml } in events {
        let _ = event::parse(xml, &mut index);
        for profile in [Profile::AzureStack, Profile::Standard] {
            let (line, outcome) = encode(&settings(profile), xml);
            let read = parser
                .parse(&line)
                .unwrap_or_else(|error| panic!("{place}: {error}: {line}"));
            fields::check(Event::new(xml, &index), profile, &outcome, &read, place);
        }
    }
}

#[test]
fn vector_reads_every_event_that_came_as_xml() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let events = corpus::as_xml(&folder);
    assert!(!events.is_empty());
    check(&events);
}

#[test]
fn vector_reads_every_event_of_the_logs() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let events = corpus::of_logs(&folder);
    println!("{} events", events.len());
    assert!(events.len() > 10_000);
    check(&events);
}
