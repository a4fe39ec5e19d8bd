//! windrow's own records: what happened to the events on their way, as events.
//!
//! They go through the journal, where room is reserved for them, and leave through every sink:
//! a loss that only the log of the machine knows is no record.

use jiff::Timestamp;
use windrow_formats::batch::{Encoder, Flags, Header, Kind};
use windrow_formats::event::{self, Index};
use windrow_formats::own::{OwnEvent, OwnEventId, OwnLevel};
use windrow_pipeline::journal::{Entry, Journal, Pressure, Seal, StateChange};

/// The authenticated source of our own records.
const SOURCE: &str = "windrow";

/// Writes own records into the journal.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    journal: Journal,
    computer: String,
}

impl Recorder {
    /// Records of the machine `computer` into this journal.
    pub(crate) fn new(journal: Journal, computer: String) -> Recorder {
        Recorder { journal, computer }
    }

    /// Makes one record durable. A journal that cannot take it is logged: there is nowhere else to go.
    pub(crate) async fn record(
        &self,
        id: OwnEventId,
        level: OwnLevel,
        message: &str,
        data: &[(&str, &str)],
    ) {
        self.record_with(id, level, message, data, None).await;
    }

    /// The same, with a change of state in the same frame; whether it is durable.
    pub(crate) async fn record_with(
        &self,
        id: OwnEventId,
        level: OwnLevel,
        message: &str,
        data: &[(&str, &str)],
        state: Option<StateChange>,
    ) -> bool {
        let time = Timestamp::now();
        let event = OwnEvent {
            id,
            level,
            time,
            computer: &self.computer,
            message,
            data,
        };
        let text = event.to_xml();
        let mut index = Index::default();
        // Our own text parses; if it did not, it would be kept as malformed like any other.
        let _ = event::parse(&text, &mut index);
        let header = Header {
            kind: Kind::Own,
            source: SOURCE.to_owned(),
            address: None,
            subscription: None,
            received_at: time,
        };
        let mut batch = Encoder::new(&header);
        batch.push(&text, Flags::of(&index), &index);
        let entry = Entry {
            events: batch.events(),
            body: batch.finish(),
            state,
        };
        let kept = self.journal.append_own(entry).await;
        if let Err(error) = &kept {
            tracing::error!(%error, record = message, "a record of our own could not be kept");
        }
        kept.is_ok()
    }

    /// A sealed segment's root, so that it also lies where an attacker on this machine cannot change it.
    pub(crate) async fn sealed(&self, seal: &Seal) {
        let [segment, first, last] =
            [seal.segment, seal.first_seq, seal.end_seq.saturating_sub(1)].map(|n| n.to_string());
        let root = hex(&seal.root);
        let message =
            format!("journal segment {segment} was sealed: events {first} to {last}, root {root}");
        let data = [
            ("Journal", &*hex(&seal.journal_id)),
            ("Segment", &segment),
            ("FirstSequence", &first),
            ("LastSequence", &last),
            ("Root", &root),
            ("PreviousRoot", &hex(&seal.previous_root)),
            ("PublicKey", &hex(&seal.public_key.0)),
            ("Signature", &hex(&seal.signature.0)),
        ];
        self.record(
            OwnEventId::SegmentSealed,
            OwnLevel::Information,
            &message,
            &data,
        )
        .await;
    }

    /// The journal's pressure changed; whether the record of it is durable.
    pub(crate) async fn pressure(&self, pressure: Pressure) -> bool {
        let (level, message) = match pressure {
            Pressure::Normal => (OwnLevel::Information, "the journal has room again"),
            Pressure::Warn => (
                OwnLevel::Warning,
                "the journal is at 80 % of its quota: a sink is behind, or the quota is small",
            ),
            Pressure::Slow => (
                OwnLevel::Warning,
                "the journal is at 95 % of its quota: sources are answered late",
            ),
            Pressure::Full => (
                OwnLevel::Error,
                "the journal is full: sources are refused and keep their events",
            ),
        };
        match pressure {
            Pressure::Normal => tracing::info!("{message}"),
            Pressure::Warn | Pressure::Slow => tracing::warn!("{message}"),
            Pressure::Full => tracing::error!("{message}"),
        }
        let data = [("Pressure", &*format!("{pressure:?}"))];
        self.record_with(OwnEventId::JournalPressure, level, message, &data, None)
            .await
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
