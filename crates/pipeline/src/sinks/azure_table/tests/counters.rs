//! Values of performance counters.

use windrow_formats::batch::file::FileLines;
use windrow_formats::counters::Specifier;

use super::*;

const TABLE: &str = "WADPerformanceCountersTable";

const FIRST: &str = "\"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)\",\"\\\\SRV1\\Processor(_Total)\\% Processor Time\",\"\\\\SRV1\\Memory\\Available MBytes\"\r\n";

/// Line `number` of a log, from 1: a sample each minute.
fn line(number: u32) -> String {
    let (hour, minute) = (number / 60, number % 60);
    format!("\"11/20/2026 {hour:02}:{minute:02}:00.000\",\"{number}\",\"0.5\"\r\n")
}

impl Bench {
    /// Adds a piece of a log whose first line has this number.
    async fn add_counters(&self, text: &str, first: u64, directives: &str) -> Seq {
        let piece = self.spool.put(text.as_bytes()).unwrap();
        let reference = FileReference {
            class: FileClass::Counters,
            site: None,
            path: "srv1/perf.csv".to_owned(),
            file: FileId([1; 16]),
            offset: 0,
            content: Content::Kept(piece),
            lines: Some(FileLines {
                first,
                directives: directives.as_bytes().to_vec(),
            }),
            whole: None,
            modified_at: None,
        };
        let header = Header {
            kind: Kind::File,
            source: "srv1".to_owned(),
            address: None,
            subscription: Some("perf".to_owned()),
            received_at: received_at(),
        };
        self.append(1, reference.encode(&header)).await
    }

    /// What is in the table: partition, name and value of each.
    fn counters(&self) -> Vec<String> {
        let rows = lock(&self.tables.rows);
        let of = rows.iter().filter(|((table, ..), _)| table == TABLE);
        of.map(|((_, partition, _), row)| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let (at, value) = (text("PreciseTimeStamp"), &row["CounterValue"]);
            format!("{partition} {} {at} {value}", text("CounterName"))
        })
        .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_log_become_rows_in_the_place_that_stays_theirs() {
    let bench = Bench::new();
    bench.add(Kind::Wef, 0..2).await;
    let pieces = [
        (format!("{FIRST}{}", line(1)), 1, ""),
        (format!("{}{}", line(2), "\"half\r\n"), 3, FIRST),
    ];
    let mut last = 0;
    for (text, first, directives) in &pieces {
        last = bench.add_counters(text, *first, directives).await;
    }
    for _ in 0..2 {
        let mut runs = bench.run(Duration::ZERO);
        runs.until("all dealt with", |status| status.written_seq == last)
            .await;
        assert_eq!(
            runs.status.borrow().skipped,
            1,
            "a line that is no sample, told once"
        );
        runs.stop().await;
        // From the beginning once more: the same rows.
        bench.journal.remove_cursor("wad").unwrap();
    }
    insta::assert_snapshot!(bench.counters().join("\n"), @r#"
    0639310230000000000 \Processor(_Total)\% Processor Time 2026-11-19T23:01:00.0000000Z 1.0
    0639310230000000000 \Memory\Available MBytes 2026-11-19T23:01:00.0000000Z 0.5
    0639310230000000000 \Processor(_Total)\% Processor Time 2026-11-19T23:02:00.0000000Z 2.0
    0639310230000000000 \Memory\Available MBytes 2026-11-19T23:02:00.0000000Z 0.5
    "#);
    assert_eq!(bench.tables.count(), 6, "and two events");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_values_go_together_and_one_that_is_refused_alone() {
    let bench = Bench::new();
    let lines: String = (1..=130).map(line).collect();
    let last = bench.add_counters(&format!("{FIRST}{lines}"), 1, "").await;
    bench.tables.say(|rows| {
        let bad = |row: &Row| row.properties["CounterValue"] == 7.0;
        match rows.iter().any(bad) {
            true => Err(AzureError::refused(400, "PropertyValueTooLarge", None)),
            false => Ok(()),
        }
    });
    let mut runs = bench.run(Duration::ZERO);
    runs.until("all dealt with", |status| status.written_seq == last)
        .await;
    assert_eq!(runs.status.borrow().skipped, 1);
    runs.stop().await;
    assert_eq!((bench.counters().len(), bench.kept_aside()), (259, 1));
    bench.tables.say(|_| Ok(()));
    let second = bench.add_counters(&lines, 132, FIRST).await;
    lock(&bench.tables.batches).clear();
    let mut runs = bench.run(Duration::ZERO);
    runs.until("the second piece", |status| status.written_seq == second)
        .await;
    runs.stop().await;
    assert_eq!(*lock(&bench.tables.batches), [100, 100, 60]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_every_value_gets_none_passed_over() {
    let bench = Bench::new();
    let lines: String = (1..=130).map(line).collect();
    bench.add_counters(&format!("{FIRST}{lines}"), 1, "").await;
    bench
        .tables
        .say(|_| Err(AzureError::refused(400, "InvalidInput", None)));
    let mut runs = bench.run(Duration::ZERO);
    runs.until("a failure", |status| status.last_error.is_some())
        .await;
    let now = runs.status.borrow().clone();
    assert_eq!((now.written_seq, now.skipped), (0, 0));
    runs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_event_each_minute_is_a_partition_and_what_is_not_wanted_is_passed_over() {
    let bench = Bench::new();
    let text = format!("{FIRST}{}{}", line(1), line(2));
    let last = bench.add_counters(&text, 1, "").await;
    let sink = bench.sink();
    let written = async |sink: AzureTable| {
        lock(&bench.tables.rows).clear();
        bench.journal.remove_cursor("wad").unwrap();
        let mut runs = bench.run_as(sink);
        runs.until("all dealt with", |status| status.written_seq == last)
            .await;
        let filtered = runs.status.borrow().filtered;
        runs.stop().await;
        (bench.counters().len(), filtered)
    };
    let specifiers = vec![Specifier::read(r"\processor(*)\% processor time").unwrap()];
    let some = AzureTable {
        partition_by: PartitionBy::Event,
        counters: Counters {
            specifiers,
            ..sink.counters.clone()
        },
        ..sink.clone()
    };
    assert_eq!(written(some).await, (2, 2));
    insta::assert_snapshot!(bench.counters().join("\n"), @r#"
    0639307260600000000 \Processor(_Total)\% Processor Time 2026-11-19T23:01:00.0000000Z 1.0
    0639307261200000000 \Processor(_Total)\% Processor Time 2026-11-19T23:02:00.0000000Z 2.0
    "#);
    let of_another = AzureTable {
        counters: Counters {
            folders: BTreeSet::from(["another".to_owned()]),
            ..sink.counters.clone()
        },
        ..sink.clone()
    };
    assert_eq!(written(of_another).await, (0, 0));
    let of_others = AzureTable {
        machines: of("web*"),
        ..sink.clone()
    };
    assert_eq!(written(of_others).await, (0, 0));
    let other_table = AzureTable {
        tables: BTreeSet::from([Table::WindowsEventLogs]),
        ..sink
    };
    assert_eq!(written(other_table).await, (0, 0));
}
