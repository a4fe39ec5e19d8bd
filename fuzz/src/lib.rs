//! What several targets do with what they parsed.

/// The journal's own sources: through their crate the fuzz build would take its network along.
#[allow(dead_code, clippy::all)]
#[path = "../../crates/pipeline/src/journal/mod.rs"]
pub mod journal;

/// What lies in PFX files, for the same reason.
#[allow(dead_code, unused_imports, clippy::all)]
#[path = "../../crates/pipeline/src/tls/pfx/archive/mod.rs"]
pub mod pfx;

/// The messages of Kerberos, for the same reason.
#[allow(dead_code, clippy::all)]
#[path = "../../crates/pipeline/src/kerberos/wire/mod.rs"]
pub mod kerberos;

use std::hint::black_box;

use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::Event;

/// The folder of the journal that is fuzzed, and its version file: an identity that inputs can
/// share.
pub const DIR: &str = "/j";
/// See [`DIR`].
pub const VERSION: &[u8] = b"windrow-journal 1\nid 00000000-0000-0000-0000-000000000000\n";

/// Reads every value of an event, so that a span that lies wrong is met.
pub fn read_everything(event: Event<'_>) {
    black_box((
        event.provider_name(),
        event.provider_guid(),
        event.event_source_name(),
        event.channel(),
        event.computer(),
        event.user_sid(),
        event.activity_id(),
        event.related_activity_id(),
    ));
    black_box((
        event.event_id(),
        event.qualifiers(),
        event.version(),
        event.level(),
        event.task(),
        event.opcode(),
        event.keywords(),
        event.time_created(),
        event.record_id(),
    ));
    for item in event.data() {
        black_box((item.name, item.value, item.kind));
    }
    for leaf in event.user_data() {
        black_box((leaf.path.to_string(), leaf.value));
    }
    if let Some(rendering) = event.rendering() {
        black_box((rendering.message(), rendering.level(), rendering.task()));
        rendering
            .keywords()
            .for_each(|keyword| drop(black_box(keyword)));
    }
}

/// A header as a delivery over WEF has it.
#[must_use]
pub fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "host.example".to_owned(),
        address: None,
        subscription: Some("base".to_owned()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// Splits an input in two at the first NUL after its front.
#[must_use]
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
