//! What the running service says of itself: `windrow status`, `windrow top` and the dashboard
//! read this and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fleet::Totals;

/// The whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When the service started.
    pub started_at: Timestamp,
    /// When this was written.
    pub now: Timestamp,
    /// The configuration in force.
    pub configuration: Configuration,
    /// Where events wait.
    pub journal: Journal,
    /// Where they come from, by `kind.name`.
    pub sources: BTreeMap<String, Source>,
    /// The folders that are watched, by `kind.name`.
    #[serde(default)]
    pub directories: BTreeMap<String, Directory>,
    /// The tables in Azure's storage that are read, by `kind.name`.
    #[serde(default)]
    pub wad_storage: BTreeMap<String, WadStorage>,
    /// How many machines there are of each verdict; `windrow sources` says which and why.
    #[serde(default)]
    pub machines: Option<Totals>,
    /// Where they go, by `kind.name`.
    pub sinks: BTreeMap<String, Sink>,
    /// Where the privileged endpoint listens, if it is open.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Where SQL looks.
    pub lake: Option<Lake>,
}

/// The configuration in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// Its file.
    pub file: Option<String>,
    /// How often a configuration was taken up since the start; the first is 1.
    pub generation: u64,
    /// When it was taken up.
    pub loaded_at: Timestamp,
    /// Whether the file on disk was changed since.
    pub changed_on_disk: bool,
    /// The last reload, if it was refused.
    #[serde(default)]
    pub refused: Option<Refused>,
    /// Which generation of the settings made by command is in force.
    #[serde(default)]
    pub settings: u64,
    /// Which one is on disk; none when that cannot be read.
    #[serde(default)]
    pub settings_on_disk: Option<u64>,
}

/// A configuration that was not taken up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// What is wrong with it.
    pub reason: String,
}

/// The journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Journal {
    /// The last sequence that is on disk.
    pub durable_seq: u64,
    /// The oldest that is there: those before it are with every sink, or were dropped.
    #[serde(default)]
    pub oldest_seq: u64,
    /// Bytes it occupies.
    pub bytes: u64,
    /// Bytes it may occupy.
    pub quota_bytes: u64,
    /// `normal`, `warn`, `slow` or `full`.
    pub pressure: String,
    /// The folder whose disk has no room, where that is why it is full.
    #[serde(default)]
    pub full_disk: Option<String>,
    /// Frames that could not be read since the start.
    pub damaged_frames: u64,
    /// Events dropped by the quota since the start.
    pub dropped_events: u64,
}

impl Machine {
    /// When it last said anything.
    pub(crate) fn last_heard(&self) -> Option<Timestamp> {
        self.last_enumerate
            .max(self.last_heartbeat)
            .max(self.last_event)
    }
}

/// A source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Where it listens.
    pub listen: String,
    /// Machines heard of since the start.
    pub machines: u64,
    /// Connections open now.
    pub connections: u64,
    /// Events acknowledged since the start.
    pub events: u64,
    /// Batches acknowledged since the start.
    pub batches: u64,
    /// Connections and requests refused since the start.
    pub refused: u64,
    /// The same by reason.
    pub refused_by_reason: BTreeMap<String, u64>,
    /// Each machine, as far as asked for.
    pub by_machine: Vec<Machine>,
}

/// A folder that is watched. Counts are since it was begun to be watched.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    /// The folder.
    pub path: String,
    /// Files in it that are to be taken.
    pub files: u64,
    /// Bytes seen that are not taken yet.
    pub waiting_bytes: u64,
    /// Pieces of files taken.
    pub pieces: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were cut short or replaced, and began anew.
    pub replaced: u64,
    /// Entries passed over: links, and names that are too long, too deep or no UTF-8.
    pub skipped: u64,
    /// Times that a file or the folder could not be read.
    pub failed: u64,
    /// Why nothing is taken for want of room.
    pub full: Option<String>,
    /// What went wrong with the last look.
    pub trouble: Option<String>,
    /// When it was looked at last.
    pub looked_at: Option<Timestamp>,
    /// When something was taken last.
    pub taken_at: Option<Timestamp>,
}

/// Tables in Azure's storage that are read. Counts are since it was begun to read them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WadStorage {
    /// The account.
    pub account: String,
    /// Each table.
    pub tables: Vec<WadTable>,
    /// Rows that were taken as events.
    pub rows: u64,
    /// Rows that could not be read.
    pub unread: u64,
    /// Why nothing is taken for want of room.
    pub full: Option<String>,
    /// When it was looked last.
    pub looked_at: Option<Timestamp>,
    /// When something was taken last.
    pub taken_at: Option<Timestamp>,
}

/// A table that is read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WadTable {
    /// Its name.
    pub table: String,
    /// Rows that were taken.
    pub rows: u64,
    /// Whether it is there.
    pub is_there: bool,
    /// Rows of minutes before this one are not expected any more.
    pub closed: Option<Timestamp>,
    /// What went wrong with the last look.
    pub trouble: Option<String>,
}

/// A machine at a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its authenticated name.
    pub name: String,
    /// Its address when last seen.
    pub address: Option<String>,
    /// When it last asked for its subscriptions.
    pub last_enumerate: Option<Timestamp>,
    /// When it last said that it lives.
    pub last_heartbeat: Option<Timestamp>,
    /// When its last events came.
    pub last_event: Option<Timestamp>,
    /// Events since the start.
    pub events: u64,
}

/// A sink.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sink {
    /// `connected`, `connecting`, `waiting`, `disabled`, or what it is doing.
    pub state: String,
    /// Where to.
    pub destination: String,
    /// Since when it is connected.
    pub connected_since: Option<Timestamp>,
    /// The last sequence that is confirmed.
    pub confirmed_seq: u64,
    /// When an event counts as delivered: `sent`, `tcp-acked` or `peer-read`.
    #[serde(default)]
    pub confirmation: String,
    /// Events that were not sent to it yet.
    pub lag_events: u64,
    /// Events that it did not get and that the journal has dropped since; once it goes on it no longer waits for them.
    #[serde(default)]
    pub dropped: u64,
    /// For how many seconds the oldest event waits that was not sent or is not confirmed; none when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// Events that were sent and are not confirmed yet: they are sent again if the connection breaks.
    pub unconfirmed_events: u64,
    /// Messages sent since the start, those sent again included.
    pub sent: u64,
    /// Events that became confirmed since the start.
    #[serde(default)]
    pub confirmed: u64,
    /// Messages sent again since the start.
    pub resent: u64,
    /// Messages whose values were cut since the start.
    pub truncated: u64,
    /// Events that the destination does not get, as it is set, since the start.
    #[serde(default)]
    pub filtered: u64,
    /// Events that cannot be sent and were left out since the start.
    #[serde(default)]
    pub skipped: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
    /// Weak settings, and what the receiver does not do that they need.
    pub warnings: Vec<String>,
}

/// The lake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lake {
    /// The last sequence that is in it.
    pub position: u64,
    /// Events that queries see and the lake does not have yet.
    pub tail_events: u64,
    /// The last sequence that queries see.
    pub visible_seq: u64,
    /// What is held up and why; it is tried again.
    pub degraded: Option<String>,
    /// Whether it was not in reach since the start: queries are refused until it is.
    #[serde(default)]
    pub away: bool,
    /// Events committed since the start.
    pub events: u64,
    /// Commits since the start.
    pub commits: u64,
}
