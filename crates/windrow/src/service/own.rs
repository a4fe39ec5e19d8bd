//! windrow's own records: what happened to the events on their way, as events.
//!
//! They go through the journal, where room is reserved for them, and leave through every sink:
//! a loss that only the log of the machine knows is no record.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;
use windrow_formats::batch::{Encoder, Flags, Header, Kind};
use windrow_formats::event::{self, Index};
use windrow_formats::own::{EndpointEvent, OwnEvent, OwnEventId, OwnLevel};
use windrow_formats::text::hex;
use windrow_pipeline::journal::{Entry, Journal, Pressure, Seal, StateChange};

/// The authenticated source of our own records.
const SOURCE: &str = "windrow";
/// State of the journal: the number of the last segment whose root is on record.
const LAST_ROOT: &str = "own/last-root";
/// State of the journal: the generation of the settings up to which each change is on record.
const SETTINGS: &str = "own/settings";

/// Writes own records into the journal.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    journal: Journal,
    computer: String,
    /// Held while roots are recorded, each of them once.
    recording_roots: Arc<Mutex<()>>,
}

impl Recorder {
    /// Records of the machine `computer` into this journal.
    pub(crate) fn new(journal: Journal, computer: String) -> Recorder {
        Recorder {
            journal,
            computer,
            recording_roots: Arc::default(),
        }
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
        self.keep(&event.to_xml(), message, time, state).await
    }

    /// A use of the privileged endpoint, as Azure Stack Hub has it on record.
    pub(crate) async fn endpoint(&self, used: &EndpointEvent<'_>) {
        let task = used.action.task_name();
        self.keep(&used.to_xml(&self.computer), task, used.time, None)
            .await;
    }

    /// An account of the endpoint was made, changed or taken away.
    pub(crate) async fn account_changed(&self, message: &str, data: &[(&str, &str)]) {
        let (id, level) = (OwnEventId::SettingChanged, OwnLevel::Information);
        self.record(id, level, message, data).await;
    }

    async fn keep(
        &self,
        text: &str,
        message: &str,
        time: Timestamp,
        state: Option<StateChange>,
    ) -> bool {
        let mut index = Index::default();
        // Our own text parses; if it did not, it would be kept as malformed like any other.
        let _ = event::parse(text, &mut index);
        let header = Header {
            kind: Kind::Own,
            source: SOURCE.to_owned(),
            address: None,
            subscription: None,
            received_at: time,
        };
        let mut batch = Encoder::new(&header);
        batch.push(text, Flags::of(&index), &index);
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

    /// Makes a change of state durable that needs no record; whether it is. One that cannot be is made at the next start.
    pub(crate) async fn keep_state(&self, change: StateChange) -> bool {
        let entry = Entry {
            body: Vec::new(),
            events: 0,
            state: Some(change),
        };
        let kept = self.journal.append_own(entry).await;
        if let Err(error) = &kept {
            tracing::error!(%error, "a state of our own could not be kept");
        }
        kept.is_ok()
    }

    /// Records the roots of all segments sealed since the last one on record, also of earlier runs.
    pub(crate) async fn roots(&self) {
        let _turn = self.recording_roots.lock().await;
        let last = self.journal.state(LAST_ROOT).and_then(|number| {
            let number = <[u8; 8]>::try_from(number).ok()?;
            Some(u64::from_le_bytes(number))
        });
        let journal = self.journal.clone();
        let seals =
            tokio::task::spawn_blocking(move || journal.seals_after(last.unwrap_or(0))).await;
        for seal in seals.unwrap_or_default() {
            if !self.sealed(&seal).await {
                // In order, or the ones in between would be forgotten.
                return;
            }
        }
    }

    /// A sealed segment's root, so that it also lies where an attacker on this machine cannot change it.
    async fn sealed(&self, seal: &Seal) -> bool {
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
        let on_record = StateChange {
            key: LAST_ROOT.to_owned(),
            value: Some(seal.segment.to_le_bytes().to_vec()),
        };
        self.record_with(
            OwnEventId::SegmentSealed,
            OwnLevel::Information,
            &message,
            &data,
            Some(on_record),
        )
        .await
    }

    /// A setting was changed by command; `generation` is that of the settings after it.
    pub(crate) async fn setting_changed(
        &self,
        generation: u64,
        message: &str,
        data: &[(&str, &str)],
    ) -> bool {
        let (id, level) = (OwnEventId::SettingChanged, OwnLevel::Information);
        let on_record = StateChange {
            key: SETTINGS.to_owned(),
            value: Some(generation.to_le_bytes().to_vec()),
        };
        self.record_with(id, level, message, data, Some(on_record))
            .await
    }

    /// A change of a setting was refused.
    pub(crate) async fn setting_refused(&self, message: &str, data: &[(&str, &str)]) {
        let (id, level) = (OwnEventId::SettingRefused, OwnLevel::Warning);
        self.record(id, level, message, data).await;
    }

    /// A destination was tested.
    pub(crate) async fn destination_tested(&self, message: &str, data: &[(&str, &str)]) {
        let (id, level) = (OwnEventId::DestinationTested, OwnLevel::Information);
        self.record(id, level, message, data).await;
    }

    /// The settings have this generation at a start. A change that was written right before the program was killed is
    /// put on record now, as far as it is known.
    pub(crate) async fn settings_found(&self, generation: u64) {
        let told = self
            .journal
            .state(SETTINGS)
            .and_then(|number| Some(u64::from_le_bytes(number.try_into().ok()?)))
            .unwrap_or(0);
        if generation == told {
            return;
        }
        let (now, before) = (generation.to_string(), told.to_string());
        let message = format!(
            "the settings made by command have generation {now}, and the changes on record end at {before}"
        );
        tracing::warn!("{message}");
        let data = [
            ("Object", "conf.d"),
            ("Verb", "found"),
            ("Who", "unknown"),
            ("From", "unknown"),
            ("Old", &*format!("generation={before}")),
            ("New", &*format!("generation={now}")),
        ];
        self.setting_changed(generation, &message, &data).await;
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
