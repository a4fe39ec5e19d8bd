use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use windrow_formats::batch::file::{Content, FileClass, FileId, FileReference};
use windrow_formats::batch::{Encoder, Flags, Header, Kind};
use windrow_formats::event::{self, Index};
use windrow_formats::own::{OwnEvent, OwnEventId, OwnLevel};

use super::*;
use crate::journal::storage::Os;
use crate::journal::{Entry, Journal, JournalOptions, Start};
use crate::quarantine::QuarantineLimits;

mod counters;

/// What the service of a test says to a batch: rows by their RowKey's last digits and their `EventId`.
type Says = dyn Fn(&[Row]) -> Result<(), AzureError> + Send + Sync;

type Place = (String, String, String);

/// A row as it came.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    partition: String,
    key: String,
    properties: Json,
}

impl Row {
    fn event_id(&self) -> i64 {
        self.properties["EventId"].as_i64().unwrap()
    }
}

/// Tables that remember what was written to them.
#[derive(Clone)]
struct FakeTables {
    /// By table, PartitionKey and RowKey.
    rows: Arc<Mutex<BTreeMap<Place, Json>>>,
    tables: Arc<Mutex<BTreeSet<String>>>,
    says: Arc<Mutex<Box<Says>>>,
    /// Rows of each batch that was written.
    batches: Arc<Mutex<Vec<usize>>>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl FakeTables {
    fn new() -> FakeTables {
        FakeTables {
            rows: Arc::default(),
            tables: Arc::default(),
            says: Arc::new(Mutex::new(Box::new(|_: &[Row]| Ok(())))),
            batches: Arc::default(),
        }
    }

    fn say(&self, says: impl Fn(&[Row]) -> Result<(), AzureError> + Send + Sync + 'static) {
        *lock(&self.says) = Box::new(says);
    }

    fn count(&self) -> usize {
        lock(&self.rows).len()
    }

    /// Ids of the events in it.
    fn ids(&self) -> BTreeSet<i64> {
        let rows = lock(&self.rows);
        rows.values()
            .map(|row| row["EventId"].as_i64().unwrap())
            .collect()
    }
}

fn rows_of(batch: &Batch) -> Vec<Row> {
    let body = String::from_utf8(batch.body()).unwrap();
    let operations = body.split("\r\n").filter(|line| line.starts_with('{'));
    operations
        .map(|line| {
            let properties: Json = serde_json::from_str(line).unwrap();
            let text = |name: &str| properties[name].as_str().unwrap().to_owned();
            Row {
                partition: text("PartitionKey"),
                key: text("RowKey"),
                properties,
            }
        })
        .collect()
}

impl Tables for FakeTables {
    fn new_batch(&self, table: &str) -> Batch {
        Batch::new(
            &format!("https://acme.table.core.windows.net/{table}"),
            "mark",
        )
    }

    async fn create(&self, table: &str) -> Result<(), AzureError> {
        lock(&self.tables).insert(table.to_owned());
        Ok(())
    }

    async fn write(&self, table: &str, batch: &Batch) -> Result<(), AzureError> {
        if !lock(&self.tables).contains(table) {
            return Err(AzureError::refused(404, "TableNotFound", None));
        }
        let rows = rows_of(batch);
        assert_eq!(rows.len(), batch.len());
        lock(&self.says)(&rows)?;
        lock(&self.batches).push(rows.len());
        let mut kept = lock(&self.rows);
        for row in rows {
            kept.insert((table.to_owned(), row.partition, row.key), row.properties);
        }
        Ok(())
    }
}

/// A journal, and tables.
struct Bench {
    journal: Journal,
    spool: Spool,
    tables: FakeTables,
    metrics: AzureTableMetrics,
    folder: TempDir,
}

/// A sink at work.
struct Runs {
    status: watch::Receiver<Status>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Runs {
    async fn until(&mut self, what: &str, holds: impl FnMut(&Status) -> bool) {
        let waited =
            tokio::time::timeout(Duration::from_secs(60), self.status.wait_for(holds)).await;
        assert!(waited.is_ok(), "{what}: not within 60 s");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
        assert_eq!(self.status.borrow().state, State::Stopped);
    }
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions::new(folder.path().join("journal"));
        let spool = folder.path().join("spool");
        let spool = Spool::open(Arc::new(Os), spool, 1 << 30, 0, || Ok(BTreeMap::new()));
        Bench {
            spool: spool.unwrap(),
            journal: Journal::open(options).unwrap().0,
            tables: FakeTables::new(),
            metrics: AzureTableMetrics::default(),
            folder,
        }
    }

    fn sink(&self) -> AzureTable {
        let quarantine = self.folder.path().join("quarantine");
        AzureTable {
            name: "wad".to_owned(),
            journal: self.journal.id(),
            deployment_id: "deployment".to_owned(),
            role: "IaaS".to_owned(),
            volume: EventVolume::Small,
            partition_by: PartitionBy::Arrival,
            period: Duration::ZERO,
            tables: BTreeSet::from([
                Table::WindowsEventLogs,
                Table::InfrastructureLogs,
                Table::PerformanceCounters,
                Table::EventTraces,
            ]),
            counters: Counters {
                spool: self.spool.clone(),
                folders: BTreeSet::new(),
                specifiers: Vec::new(),
            },
            traces: Traces::default(),
            own_level: LogLevel::Undefined,
            subscription: None,
            machines: None,
            selection: Selection::default(),
            quarantine: Some(Quarantine::open(&quarantine, QuarantineLimits::default()).unwrap()),
        }
    }

    fn run(&self, period: Duration) -> Runs {
        let sink = self.sink();
        self.run_as(AzureTable { period, ..sink })
    }

    fn run_as(&self, sink: AzureTable) -> Runs {
        let cursor = self.journal.cursor("wad", Start::Oldest).unwrap();
        let (sender, status) = watch::channel(Status::new("wad", "acme"));
        let shutdown = CancellationToken::new();
        let (tables, durable) = (self.tables.clone(), self.journal.durable());
        let (metrics, token) = (self.metrics.clone(), shutdown.clone());
        let task = tokio::spawn(async move {
            run(sink, tables, cursor, durable, &metrics, sender, token).await;
        });
        Runs {
            status,
            shutdown,
            task,
        }
    }

    /// Adds an event of each of these ids; the last sequence.
    async fn add(&self, kind: Kind, ids: impl Iterator<Item = u32>) -> Seq {
        let mut encoder = Encoder::new(&Header {
            kind,
            source: "srv0001.corp.example".to_owned(),
            address: None,
            subscription: (kind == Kind::Wef).then(|| "base".to_owned()),
            received_at: received_at(),
        });
        let mut index = Index::default();
        for id in ids {
            let text = text(id);
            event::parse(&text, &mut index).unwrap();
            encoder.push(&text, Flags::NONE, &index);
        }
        self.append(encoder.events(), encoder.finish()).await
    }

    /// Adds an event of our own.
    async fn add_own(&self, level: OwnLevel) -> Seq {
        let own = OwnEvent {
            id: OwnEventId::ServiceStarted,
            level,
            time: received_at(),
            computer: "collector",
            message: "windrow runs",
            data: &[],
        };
        let text = own.to_xml();
        let mut encoder = Encoder::new(&Header {
            kind: Kind::Own,
            source: "windrow".to_owned(),
            address: None,
            subscription: None,
            received_at: received_at(),
        });
        let mut index = Index::default();
        event::parse(&text, &mut index).unwrap();
        encoder.push(&text, Flags::NONE, &index);
        self.append(1, encoder.finish()).await
    }

    async fn append(&self, events: u32, body: Vec<u8>) -> Seq {
        let state = None;
        let entry = Entry {
            body,
            events,
            state,
        };
        self.journal.append(entry).await.unwrap();
        *self.journal.durable().borrow()
    }

    fn kept_aside(&self) -> usize {
        let index = self.folder.path().join("quarantine/index.ndjson");
        fs_err::read_to_string(index).map_or(0, |text| text.lines().count())
    }
}

fn received_at() -> Timestamp {
    "2026-11-23T09:30:41.5Z".parse().unwrap()
}

/// Every event has the same record id.
fn text(id: u32) -> String {
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='P'/><EventID>{id}</EventID>\
         <TimeCreated SystemTime='2026-11-23T09:29:59.1234567Z'/><EventRecordID>7</EventRecordID>\
         <Channel>C{}</Channel><Computer>claimed</Computer></System></Event>",
        id % 2
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_becomes_its_own_row_and_stays_it() {
    let bench = Bench::new();
    let last = bench.add(Kind::Wef, 0..250).await;
    let mut runs = bench.run(Duration::ZERO);
    runs.until("all written", |status| status.written_seq == last)
        .await;
    assert_eq!(runs.status.borrow().rows, 250);
    runs.stop().await;
    let before = lock(&bench.tables.rows).clone();
    assert_eq!(
        before.len(),
        250,
        "alike in all but the id, and no row less"
    );
    assert_eq!(*lock(&bench.tables.batches), [100, 100, 50]);
    let ((table, partition, key), row) = before.first_key_value().unwrap();
    assert_eq!(table, "WADWindowsEventLogsTable");
    assert_eq!(partition, "0639310230000000000");
    assert!(key.starts_with("deployment___IaaS____srv0001.corp.example___"));
    assert_eq!(row["PreciseTimeStamp"], "2026-11-23T09:29:59.1234567Z");

    // As after a crash that took the place of the cursor with it.
    bench.journal.remove_cursor("wad").unwrap();
    let mut runs = bench.run(Duration::ZERO);
    runs.until("all written again", |status| status.rows == 250)
        .await;
    runs.stop().await;
    assert_eq!(*lock(&bench.tables.rows), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_events_are_of_the_infrastructure() {
    let bench = Bench::new();
    let last = bench.add_own(OwnLevel::Information).await;
    let mut runs = bench.run(Duration::ZERO);
    runs.until("written", |status| status.written_seq == last)
        .await;
    runs.stop().await;
    let rows = lock(&bench.tables.rows);
    let ((table, _, _), row) = rows.first_key_value().unwrap();
    assert_eq!(table, "WADDiagnosticInfrastructureLogsTable");
    assert_eq!(row["RoleInstance"], "_collector");
    assert_eq!(row["Message"], "windrow runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_service_gets_all_when_it_has_time() {
    let bench = Bench::new();
    let last = bench.add(Kind::Wef, 0..250).await;
    // It takes the first batch, and then none.
    let is_busy = Arc::new(Mutex::new(true));
    let busy = is_busy.clone();
    bench.tables.say(move |rows| {
        let is_first = rows.iter().any(|row| row.event_id() == 0);
        match *lock(&busy) && !is_first {
            true => Err(AzureError::busy()),
            false => Ok(()),
        }
    });
    let mut runs = bench.run(Duration::ZERO);
    runs.until("a word about it", |status| {
        matches!(&status.state, State::Waiting { .. }) && status.last_error.is_some()
    })
    .await;
    assert_eq!(
        bench.journal.cursors().first().map(|(_, at)| *at),
        Some(0),
        "the cursor stays before what is not written"
    );
    *lock(&is_busy) = false;
    runs.until("all written", |status| status.written_seq == last)
        .await;
    runs.stop().await;
    assert_eq!(bench.tables.count(), 250);
    assert_eq!(
        *lock(&bench.tables.batches),
        [100, 100, 50],
        "what was written was not written again"
    );
}

/// The service names the row, or does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_refused_holds_up_none_but_itself() {
    for tells in [true, false] {
        let bench = Bench::new();
        let last = bench.add(Kind::Wef, 0..250).await;
        bench.tables.say(move |rows| {
            let bad = |row: &Row| [7, 42, 130].contains(&row.event_id());
            match rows.iter().position(bad) {
                None => Ok(()),
                Some(place) => {
                    let place = tells.then_some(place);
                    Err(AzureError::refused(400, "PropertyValueTooLarge", place))
                }
            }
        });
        let mut runs = bench.run(Duration::ZERO);
        runs.until("all dealt with", |status| status.written_seq == last)
            .await;
        assert_eq!(runs.status.borrow().skipped, 3);
        runs.stop().await;
        let wanted = (0..250).filter(|id| ![7, 42, 130].contains(id));
        assert_eq!(bench.tables.ids(), wanted.collect());
        assert_eq!(bench.kept_aside(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_every_row_gets_none_passed_over() {
    let bench = Bench::new();
    let last = bench.add(Kind::Wef, 0..250).await;
    let refuses = Arc::new(Mutex::new(true));
    let refusing = refuses.clone();
    bench.tables.say(move |_| match *lock(&refusing) {
        true => Err(AzureError::refused(400, "InvalidInput", None)),
        false => Ok(()),
    });
    let mut runs = bench.run(Duration::ZERO);
    runs.until("a word about it", |status| status.last_error.is_some())
        .await;
    assert_eq!((runs.status.borrow().skipped, bench.kept_aside()), (0, 0));
    *lock(&refuses) = false;
    runs.until("all dealt with", |status| status.written_seq == last)
        .await;
    runs.stop().await;
    assert_eq!((bench.tables.count(), bench.kept_aside()), (250, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_taken_away_is_made_again() {
    let bench = Bench::new();
    let first = bench.add(Kind::Wef, 0..1).await;
    let mut runs = bench.run(Duration::ZERO);
    runs.until("written", |status| status.written_seq == first)
        .await;
    lock(&bench.tables.tables).clear();
    let last = bench.add(Kind::Wef, 1..2).await;
    runs.until("written again", |status| status.written_seq == last)
        .await;
    runs.stop().await;
    assert_eq!(bench.tables.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_aside_and_passed() {
    let bench = Bench::new();
    bench.append(3, b"no batch".to_vec()).await;
    let last = bench.add(Kind::Wef, 0..2).await;
    let mut runs = bench.run(Duration::ZERO);
    runs.until("all dealt with", |status| status.written_seq == last)
        .await;
    assert_eq!(runs.status.borrow().skipped, 3);
    runs.stop().await;
    assert_eq!((bench.tables.count(), bench.kept_aside()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn references_to_files_are_passed_over() {
    let bench = Bench::new();
    let reference = FileReference {
        class: FileClass::Other,
        site: None,
        path: "a.dmp".to_owned(),
        file: FileId([1; 16]),
        offset: 0,
        content: Content::Dropped { bytes: 1 },
        lines: None,
        whole: None,
        modified_at: None,
    };
    let header = Header {
        kind: Kind::File,
        source: "srv0001".to_owned(),
        address: None,
        subscription: None,
        received_at: received_at(),
    };
    bench.append(1, reference.encode(&header)).await;
    bench.add(Kind::Wef, 0..2).await;
    let last = bench.append(1, reference.encode(&header)).await;
    let mut runs = bench.run(Duration::ZERO);
    runs.until("all dealt with", |status| status.written_seq == last)
        .await;
    runs.stop().await;
    assert_eq!((bench.tables.count(), bench.kept_aside()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_written_at_once_and_the_rest_on_the_period() {
    const PERIOD: Duration = Duration::from_secs(2);
    let bench = Bench::new();
    let first = bench.add(Kind::Wef, 0..1).await;
    let begun = Instant::now();
    let mut runs = bench.run(PERIOD);
    runs.until("the first written", |status| {
        status.written_seq == first && matches!(status.state, State::Resting { .. })
    })
    .await;
    let last = bench.add(Kind::Wef, 1..2).await;
    runs.until("the second written", |status| status.written_seq == last)
        .await;
    assert!(begun.elapsed() >= PERIOD, "not before the period is over");
    runs.stop().await;
    assert_eq!(bench.tables.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_is_passed_over() {
    let bench = Bench::new();
    let last = bench.add(Kind::Wef, 0..10).await;
    let sink = AzureTable {
        volume: EventVolume::Large,
        partition_by: PartitionBy::Event,
        selection: Selection {
            channels: windrow_formats::selection::Choice {
                only: windrow_formats::selection::Names::new(["C1"]).unwrap(),
                except: Default::default(),
            },
            ..Selection::default()
        },
        ..bench.sink()
    };
    let cursor = bench.journal.cursor("wad", Start::Oldest).unwrap();
    let (sender, mut status) = watch::channel(Status::new("wad", "acme"));
    let shutdown = CancellationToken::new();
    let (tables, durable) = (bench.tables.clone(), bench.journal.durable());
    let work = run(
        sink,
        tables,
        cursor,
        durable,
        &bench.metrics,
        sender,
        shutdown.clone(),
    );
    let look = async {
        status
            .wait_for(|status| status.written_seq == last)
            .await
            .unwrap();
        shutdown.cancel();
    };
    tokio::join!(work, look);
    assert_eq!(bench.tables.ids(), BTreeSet::from([1, 3, 5, 7, 9]));
    let rows = lock(&bench.tables.rows);
    let (_, partition, _) = rows.first_key_value().unwrap().0;
    assert!(
        partition.ends_with("___0639310229400000000"),
        "a shard, and the event's own minute: {partition}"
    );
}

/// The machines of a pattern.
fn of(machine: &str) -> Option<Audience> {
    use windrow_formats::wef::audience::Pattern;
    let pattern = Pattern::compile(machine).unwrap();
    Some(Audience::new(vec![pattern], Vec::new()).unwrap())
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_writes_one_table_of_some_machines_where_it_is_told_so() {
    let bench = Bench::new();
    let levels = [OwnLevel::Critical, OwnLevel::Warning, OwnLevel::Information];
    for level in levels {
        bench.add_own(level).await;
    }
    // The sender is srv0001.corp.example; a file's events are of the computer they name.
    bench.add(Kind::Wef, 1..4).await;
    let last = bench.add(Kind::Evtx, 7..9).await;
    let written = async |sink: AzureTable| {
        lock(&bench.tables.rows).clear();
        let mut runs = bench.run_as(sink);
        runs.until("all seen", |status| status.written_seq == last)
            .await;
        runs.stop().await;
        bench.journal.remove_cursor("wad").unwrap();
        let rows = lock(&bench.tables.rows);
        let rows = rows.iter().map(|((table, ..), row)| {
            let (id, level) = (row["EventId"].as_i64(), row["Level"].as_i64());
            match table.as_str() {
                "WADWindowsEventLogsTable" => format!("event {}", id.unwrap()),
                _ => format!("own {}", level.unwrap()),
            }
        });
        rows.collect::<BTreeSet<_>>()
    };
    let own = AzureTable {
        tables: BTreeSet::from([Table::InfrastructureLogs]),
        own_level: LogLevel::Warning,
        ..bench.sink()
    };
    assert_eq!(written(own).await, set(&["own 1", "own 3"]));
    let fleet = AzureTable {
        tables: BTreeSet::from([Table::WindowsEventLogs]),
        machines: of("srv*"),
        ..bench.sink()
    };
    assert_eq!(
        written(fleet).await,
        set(&["event 1", "event 2", "event 3"])
    );
    let of_another = AzureTable {
        tables: BTreeSet::from([Table::WindowsEventLogs]),
        subscription: Some("another".to_owned()),
        ..bench.sink()
    };
    let of_files = set(&["event 7", "event 8"]);
    assert_eq!(written(of_another.clone()).await, of_files);
    let of_this = AzureTable {
        subscription: Some("base".to_owned()),
        ..of_another
    };
    assert_eq!(
        written(of_this).await.len(),
        5,
        "three of machines, two of a file"
    );
    let named = AzureTable {
        machines: of("claimed"),
        ..bench.sink()
    };
    let all_own = ["own 1", "own 3", "own 4"];
    let own_and_file: Vec<&str> = ["event 7", "event 8"].into_iter().chain(all_own).collect();
    assert_eq!(written(named).await, set(&own_and_file));
}
