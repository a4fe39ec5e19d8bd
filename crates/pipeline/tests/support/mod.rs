//! What the tests of the syslog sink stand on: a filled journal, receivers that behave and
//! misbehave, certificates, and a proxy that breaks what passes through it.

pub mod openssl;
pub mod pki;
pub mod proxy;
pub mod receiver;
pub mod rig;
pub mod rsyslog;
pub mod unruly;

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::file::{Content, FileClass, FileId, FileReference};
use windrow_formats::batch::{self, Flags, Header, Kind};
use windrow_formats::event::{self, Index};
use windrow_formats::syslog::Framing;
use windrow_pipeline::journal::{Entry, Journal, JournalOptions, Start};
use windrow_pipeline::sinks::syslog::{
    self, Destination, Limits, Status, SyslogMetrics, Transport,
};

/// Longest that anything here may take before the test is called hung.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A logon event whose record id tells it from all others.
pub fn event(record_id: u64) -> String {
    format!(
        concat!(
            r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>"#,
            r#"<Provider Name="Microsoft-Windows-Security-Auditing" Guid="{{54849625-5478-4994-A5BA-3E3B0328C30D}}"/>"#,
            "<EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>",
            "<Keywords>0x8020000000000000</Keywords>",
            r#"<TimeCreated SystemTime="2026-11-21T08:09:10.1234567Z"/><EventRecordID>{}</EventRecordID>"#,
            r#"<Correlation/><Execution ProcessID="704" ThreadID="3912"/><Channel>Security</Channel>"#,
            "<Computer>ws-0042.corp.example.com</Computer><Security/></System><EventData>",
            r#"<Data Name="SubjectUserSid">S-1-5-18</Data><Data Name="SubjectUserName">WS-0042$</Data>"#,
            r#"<Data Name="TargetUserName">j.doe</Data><Data Name="LogonType">3</Data>"#,
            r#"<Data Name="IpAddress">10.20.30.40</Data><Data Name="ProcessName">C:\Windows\System32\svchost.exe</Data>"#,
            "</EventData></Event>"
        ),
        record_id
    )
}

pub fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "ws-0042.corp.example.com".to_owned(),
        address: None,
        subscription: None,
        received_at: "2026-11-21T08:09:11Z".parse().unwrap(),
    }
}

/// One delivery of the events `ids`.
pub fn entry(ids: impl IntoIterator<Item = u64>) -> Entry {
    let mut encoder = batch::Encoder::new(&header());
    let mut index = Index::default();
    for id in ids {
        let text = event(id);
        event::parse(&text, &mut index).unwrap();
        encoder.push(&text, Flags::NONE, &index);
    }
    Entry {
        events: encoder.events(),
        body: encoder.finish(),
        state: None,
    }
}

/// A journal in a folder that goes when this goes.
pub struct Store {
    pub journal: Journal,
    _dir: Option<tempfile::TempDir>,
}

impl Store {
    pub fn new() -> Store {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        Store {
            _dir: Some(dir),
            ..Store::open(&path)
        }
    }

    /// A journal in a folder that stays.
    pub fn open(folder: &std::path::Path) -> Store {
        let (journal, _) = Journal::open(JournalOptions::new(folder.join("journal"))).unwrap();
        Store::of(journal)
    }

    /// A journal that is open.
    pub fn of(journal: Journal) -> Store {
        Store {
            journal,
            _dir: None,
        }
    }

    /// Appends the events `ids`, 50 a delivery.
    pub async fn append(&self, ids: std::ops::RangeInclusive<u64>) {
        let mut first = *ids.start();
        while first <= *ids.end() {
            let last = (first + 49).min(*ids.end());
            self.journal.append(entry(first..=last)).await.unwrap();
            first = last + 1;
        }
    }

    /// Appends a reference to a piece of a file; its sequence.
    pub async fn append_file(&self) -> u64 {
        let reference = FileReference {
            class: FileClass::IisLog,
            site: None,
            path: "u_ex.log".into(),
            file: FileId([1; 16]),
            offset: 0,
            content: Content::Dropped { bytes: 9 },
            lines: None,
            whole: None,
            modified_at: None,
        };
        let header = Header {
            kind: Kind::File,
            source: "web".into(),
            address: None,
            subscription: None,
            received_at: Timestamp::UNIX_EPOCH,
        };
        let entry = Entry {
            body: reference.encode(&header),
            events: 1,
            state: None,
        };
        self.journal.append(entry).await.unwrap().start
    }
}

/// Limits with waits fit for a test.
pub fn limits() -> Limits {
    Limits {
        connect_timeout: Duration::from_secs(5),
        handshake_timeout: Duration::from_secs(5),
        acceptance_timeout: Duration::from_millis(300),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(200),
        close_timeout: Duration::from_secs(20),
        window_time: Duration::from_millis(200),
        window_bytes: 256 * 1024,
        ..Limits::default()
    }
}

pub fn destination(port: u16, transport: Transport) -> Destination {
    let mut destination =
        Destination::new("siem".to_owned(), "localhost".to_owned(), port, transport);
    destination.limits = limits();
    // The receiver here reads lines; rsyslog reads both.
    destination.format.framing = Framing::LineFeed;
    destination
}

/// A sink that is running.
pub struct Sink {
    pub status: watch::Receiver<Status>,
    metrics: SyslogMetrics,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Sink {
    pub fn start(store: &Store, destination: Destination) -> Sink {
        Sink::start_as("siem", store, destination)
    }

    /// The same with a place of its own in the journal.
    pub fn start_as(name: &str, store: &Store, destination: Destination) -> Sink {
        Sink::start_counting(name, store, destination, SyslogMetrics::default())
    }

    /// Another sender for the same destination, after this one ended: the program's metrics go on.
    pub fn start_again(metrics: SyslogMetrics, store: &Store, destination: Destination) -> Sink {
        Sink::start_counting("siem", store, destination, metrics)
    }

    fn start_counting(
        name: &str,
        store: &Store,
        destination: Destination,
        metrics: SyslogMetrics,
    ) -> Sink {
        let cursor = store.journal.cursor(name, Start::Oldest).unwrap();
        let (sender, status) = watch::channel(Status::new(&destination));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let counted = metrics.clone();
        let task = tokio::spawn(async move {
            syslog::run(destination, cursor, &counted, sender, stop).await;
        });
        Sink {
            status,
            metrics,
            shutdown,
            task,
        }
    }

    /// What it counts with.
    pub fn metrics(&self) -> SyslogMetrics {
        self.metrics.clone()
    }

    /// Waits until the status satisfies `condition`.
    pub async fn until(&mut self, condition: impl FnMut(&Status) -> bool) -> Status {
        let reached = self.status.wait_for(condition);
        if let Ok(status) = tokio::time::timeout(PATIENCE, reached).await {
            return status.unwrap().clone();
        }
        panic!("never: {:?}", self.status.borrow());
    }

    /// Waits until everything up to `seq` is confirmed.
    pub async fn confirmed(&mut self, seq: u64) -> Status {
        self.until(|status| status.confirmed_seq >= seq).await
    }

    /// Events that it never gets, by reason, where there are any.
    pub fn dropped(&self) -> Vec<String> {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.metrics.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let name = "windrow_syslog_dropped_events_total{sink=\"siem\",reason=";
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let mut drops: Vec<String> = lines
            .filter(|line| !line.ends_with(" 0"))
            .map(|line| line.replace(['"', '}'], ""))
            .collect();
        drops.sort_unstable();
        drops
    }

    /// Stops it in order.
    pub async fn stop(self) -> Status {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the sink stops")
            .unwrap();
        self.status.borrow().clone()
    }

    /// Ends it as a crash would: nothing more is sent, nothing is closed in order.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Fails with what is missing or foreign, unless `ids` are at least once each of `wanted`.
pub fn assert_all(ids: &[u64], wanted: std::ops::RangeInclusive<u64>) {
    let seen: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
    let missing: Vec<u64> = wanted.clone().filter(|id| !seen.contains(id)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} missing, the first {:?}",
        missing.len(),
        wanted.count(),
        &missing[..missing.len().min(5)]
    );
}
