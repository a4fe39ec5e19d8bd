use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tempfile::TempDir;
use windrow_formats::azure::{Entity, Value};
use windrow_formats::batch::Batch;
use windrow_formats::wad::rows::{Minutes, RowKeys, key_of};

use super::*;
use crate::azure::AzureError;
use crate::journal::JournalOptions;

const TABLE: &str = "WADWindowsEventLogsTable";

/// A table in memory.
#[derive(Clone, Debug, Default)]
struct Fake {
    rows: Arc<Mutex<BTreeMap<(String, String), String>>>,
    questions: Arc<Mutex<u64>>,
}

impl Fake {
    fn write(&self, part: u64, at: Timestamp, row: &str, text: &str) {
        let key = (key_of(part, at), row.to_owned());
        self.rows.lock().unwrap().insert(key, text.to_owned());
    }
}

impl Rows for Fake {
    async fn rows(
        &self,
        _: &str,
        part: u64,
        minutes: Minutes,
        after: Option<&RowKeys>,
    ) -> Result<RowPage, AzureError> {
        *self.questions.lock().unwrap() += 1;
        let rows = self.rows.lock().unwrap();
        let (low, high) = minutes.bounds(part).unwrap();
        let mut found = rows.iter().filter(|((partition, row), _)| {
            let is_after =
                after.is_none_or(|after| (partition, row) > (&after.partition, &after.row));
            (&low..&high).contains(&partition) && is_after
        });
        let page = found
            .by_ref()
            .take(3)
            .map(|((partition, row), text)| Entity {
                partition_key: partition.clone().into(),
                row_key: row.clone().into(),
                properties: vec![("RawXml".into(), Value::Text(text.clone().into()))],
            });
        Ok(RowPage {
            rows: page.collect(),
            unread: 0,
            more: found.next().is_some(),
        })
    }

    async fn has_shards(&self, _: &str) -> Result<bool, AzureError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.keys().any(|(partition, _)| partition.contains("___")))
    }
}

/// A table, the journal, and what reads the one into the other.
struct Bench {
    folder: TempDir,
    asked: Asked,
    table: Fake,
    source: Option<WadStorage<Fake>>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn event(name: &str) -> String {
    format!("<Event><System><Provider Name='{name}'/></System></Event>")
}

impl Bench {
    fn new() -> Bench {
        Bench {
            folder: tempfile::tempdir().unwrap(),
            asked: Asked {
                name: "old".to_owned(),
                tables: vec![TABLE.to_owned()],
                from: None,
                late: SignedDuration::from_mins(10),
            },
            table: Fake::default(),
            source: None,
        }
    }

    fn source(&mut self) -> &mut WadStorage<Fake> {
        let (folder, asked, table) = (self.folder.path(), &self.asked, &self.table);
        self.source.get_or_insert_with(|| {
            let options = JournalOptions::new(folder.join("journal"));
            let (journal, _) = Journal::open(options).unwrap();
            WadStorage::open(asked.clone(), table.clone(), journal).unwrap()
        })
    }

    async fn look(&mut self, seconds: i64) -> Round {
        let mut round = self.source().look(at(seconds)).await;
        while round.more {
            round = self.source().look(at(seconds)).await;
        }
        round
    }

    async fn restart(&mut self) {
        if let Some(source) = self.source.take() {
            source.journal.close().await;
        }
    }

    /// Providers of the events in the journal, in order.
    fn got(&mut self) -> Vec<String> {
        let mut got = Vec::new();
        for frame in self.source().journal.read_after(0) {
            for entry in frame.unwrap().entries {
                let batch = Batch::decode(&entry.body).unwrap();
                for record in batch.records() {
                    let text = record.unwrap().text.to_owned();
                    got.push(text.split('\'').nth(1).unwrap().to_owned());
                }
            }
        }
        got
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_soon_and_late_ones_as_well() {
    let mut bench = Bench::new();
    for number in 0..7 {
        let name = format!("old{number}");
        bench
            .table
            .write(0, at(-7_200 + number), &name, &event(&name));
    }
    bench.table.write(0, at(0), "b", &event("b"));
    bench.look(5).await;
    assert_eq!(bench.got().len(), 8);
    // In the order of keys it is before what was taken.
    bench.table.write(0, at(0), "a", &event("a"));
    bench.look(10).await;
    assert_eq!(bench.got().last().unwrap(), "a");
    bench.table.write(0, at(0), "c", &event("c"));
    bench.look(14 * 60).await;
    bench.restart().await;
    bench.look(30 * 60).await;
    let got = bench.got();
    assert_eq!(got.len(), 10, "{got:?}");
    assert_eq!(got.last().unwrap(), "c");
    assert_eq!(bench.source().journal.states("wad_storage/old/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_shards_are_taken_once_there_are_any() {
    let mut bench = Bench::new();
    bench.table.write(0, at(0), "a", &event("a"));
    bench.look(5).await;
    bench.table.write(8, at(0), "b", &event("b"));
    bench.look(601).await;
    bench.restart().await;
    bench.look(10_000).await;
    assert_eq!(bench.got(), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_before_the_first_minute_is_left() {
    let mut bench = Bench::new();
    bench.asked.from = Some(at(0));
    bench.table.write(0, at(-120), "a", &event("a"));
    bench.table.write(0, at(0), "b", &event("b"));
    bench.look(5).await;
    bench.look(6_000).await;
    assert_eq!(bench.got(), ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_table_is_asked_little() {
    let mut bench = Bench::new();
    bench.look(0).await;
    let before = *bench.table.questions.lock().unwrap();
    for minute in 1..=60 {
        bench.look(minute * 60).await;
    }
    let asked = *bench.table.questions.lock().unwrap() - before;
    // The newest minutes, some older ones, and what is closed.
    assert!(asked <= 60 * 6, "{asked}");
}

/// What happens to a table.
#[derive(Clone, Debug)]
enum Step {
    /// A row of a minute some minutes ago.
    Write {
        part: u64,
        minutes_ago: i64,
    },
    Wait(i64),
    Look,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop_oneof![4 => Just(0), 1 => Just(3u64)], 0..8i64)
            .prop_map(|(part, minutes_ago)| Step::Write { part, minutes_ago }),
        3 => (1..400i64).prop_map(Step::Wait),
        3 => Just(Step::Look),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// However late rows are, up to what was said, and whenever it is looked, each is taken once.
    #[test]
    fn every_row_is_taken_once(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new();
            let (mut now, mut written) = (0, 0);
            for step in steps {
                match step {
                    Step::Write { part, minutes_ago } => {
                        // Rows of a minute do not come in the order of keys.
                        let name = format!("{:03}-{written}", (written * 37) % 101);
                        bench.table.write(part, at(now - minutes_ago * 60), &name, &event(&name));
                        written += 1;
                    }
                    Step::Wait(seconds) => now += seconds,
                    Step::Look => drop(bench.look(now).await),
                    Step::Restart => bench.restart().await,
                }
            }
            bench.look(now).await;
            bench.look(now + 700).await;
            bench.look(now + 1_400).await;
            let got = bench.got();
            assert_eq!(got.len(), written, "{got:?}");
            assert_eq!(got.into_iter().collect::<BTreeSet<_>>().len(), written);
        });
    }
}
