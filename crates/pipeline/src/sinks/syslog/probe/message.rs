//! The marked message of a test.

use jiff::Timestamp;
use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::own::{OwnEvent, OwnEventId, OwnLevel};
use windrow_formats::syslog::Encoder;

use super::super::destination::Destination;
use super::super::sender::format;

/// A message that can be told from all others.
#[derive(Debug)]
pub(super) struct Message {
    /// What to look for at the receiver.
    pub(super) marker: String,
    /// As it leaves, framing included.
    pub(super) frame: Vec<u8>,
}

/// One of our own events in the destination's format, with a marker of random digits.
pub(super) fn marked(destination: &Destination, computer: &str) -> Message {
    let marker = format!("windrow-test-{:016x}", rand::random::<u64>());
    let now = Timestamp::now();
    let xml = OwnEvent {
        id: OwnEventId::SyslogTest,
        level: OwnLevel::Information,
        time: now,
        computer,
        message: &format!(
            "test of the syslog destination {}: {marker}",
            destination.name
        ),
        data: &[("Destination", &destination.name), ("Marker", &marker)],
    }
    .to_xml();
    let header = Header {
        kind: Kind::Own,
        source: computer.to_owned(),
        address: None,
        subscription: None,
        received_at: now,
    };
    let mut index = Index::default();
    // Our own text is well-formed; were it not, what can be found of it would be sent.
    let _ = event::parse(&xml, &mut index);
    let mut frame = Vec::new();
    let mut encoder = Encoder::new(format(destination));
    if encoder
        .encode(Event::new(&xml, &index), &header, &mut frame)
        .is_err()
    {
        // A name of the destination that is longer than a message: the marker alone is enough.
        frame = format!("{marker}\n").into_bytes();
    }
    Message { marker, frame }
}
