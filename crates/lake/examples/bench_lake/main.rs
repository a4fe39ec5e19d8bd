//! What events cost on their way into the lake, how much room they take there, what questions about them cost, and how
//! all of it grows with their number.
//!
//! ```sh
//! cargo run --release -p windrow-lake --example bench_lake [EVENTS…]
//! ```
//!
//! The events are of its own making (`common/mix.rs`), as Windows forwards them, with rendered text. They are made before
//! they are measured; reading them, making rows of them, and writing the rows are told apart. After each day its files are
//! merged, and those that are not needed any more removed, as the service does. 25,000,000 events need 5 GB of disk.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::large_futures)]

#[path = "../common/mod.rs"]
mod common;
mod room;

use std::collections::HashMap;
use std::io;

use common::cpu_seconds;
use common::mix::{DAYS, FIRST_SECOND, Made, Mix};
use jiff::{SignedDuration, Timestamp};
use room::Room;
use windrow_formats::batch::{Flags, Header, Kind};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::{Identity, identity};
use windrow_lake::{Format, Lake, Layout, QueryLimits, RowBuilder, Tail};

const SIZES: [usize; 2] = [1_000_000, 5_000_000];
const ROUNDS: usize = 3;
/// Events of a commit: a hundredth of all, within bounds.
const COMMIT: (usize, usize) = (5_000, 50_000);

/// A question, and what it may cost of so many events.
struct Question {
    what: &'static str,
    sql: &'static str,
    aim: Option<(usize, f64)>,
}

const QUESTIONS: [Question; 7] = [
    Question {
        what: "failed logons an account and hour, by the view",
        sql: "SELECT account, date_trunc('hour', time) AS hour, count(*) AS n FROM failed_logons \
              GROUP BY 1, 2 HAVING count(*) >= 5 ORDER BY n DESC, 1, 2",
        aim: Some((5_000_000, 0.2)),
    },
    Question {
        what: "the same from the map",
        sql: "SELECT event_data['TargetUserName'] AS account, date_trunc('hour', time) AS hour, count(*) AS n \
              FROM events WHERE event_id = 4625 GROUP BY 1, 2 HAVING count(*) >= 5 ORDER BY n DESC, 1, 2",
        aim: None,
    },
    Question {
        what: "distribution by hour and id",
        sql: "SELECT date_trunc('hour', time) AS hour, event_id, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1, 2",
        aim: Some((25_000_000, 1.5)),
    },
    Question {
        what: "one account on one day",
        sql: "SELECT event_id, count(*) AS n FROM events WHERE target_user = 'user0042' AND date = '2025-11-05' \
              GROUP BY 1 ORDER BY 1",
        aim: Some((25_000_000, 0.2)),
    },
    Question {
        what: "one account in an hour, by time alone",
        sql: "SELECT event_id, count(*) AS n FROM events WHERE subject_user = 'user0042' \
              AND time >= '2025-11-05T10:00:00Z' AND time < '2025-11-05T11:00:00Z' GROUP BY 1 ORDER BY 1",
        aim: None,
    },
    Question {
        what: "two searches in the message",
        sql: "SELECT count(*) AS n, min(time) AS first_seen FROM events \
              WHERE message LIKE '%powershell.exe%' AND message LIKE '%user0042%'",
        aim: None,
    },
    Question {
        what: "events and computers per id",
        sql: "SELECT event_id, count(*) AS n, count(DISTINCT computer) AS computers FROM events \
              GROUP BY 1 ORDER BY n DESC, 1",
        aim: None,
    },
];

/// CPU seconds of each part.
#[derive(Default)]
struct Spent {
    reading: f64,
    rows: f64,
    writing: f64,
    merging: f64,
}

/// What so many events came to.
struct Measured {
    events: usize,
    text_bytes: usize,
    spent: Spent,
    room: Room,
    commits: u64,
    files: u64,
    questions: Vec<f64>,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|count| count.parse().unwrap())
        .collect();
    let sizes = if sizes.is_empty() { &SIZES[..] } else { &sizes };
    let mut all = Vec::new();
    for events in sizes {
        all.push(measure(*events).await);
    }
    print_costs(&all);
    print_room(&all);
    print_questions(&all);
    println!("\nmost memory: {} MiB", common::peak_mib());
}

async fn measure(events: usize) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let (spent, text_bytes) = fill(&lake, events).await;
    let extent = lake.extent().await.unwrap();
    assert_eq!(extent.rows, events as u64);
    let mut questions = Vec::new();
    for question in &QUESTIONS {
        let ask = common::least_seconds(ROUNDS, async || ask(&lake, question.sql).await);
        questions.push(ask.await);
    }
    Measured {
        events,
        text_bytes: text_bytes / events,
        spent,
        room: room::measure(lake.folder(), extent.rows),
        commits: extent.version,
        files: extent.files,
        questions,
    }
}

/// An event that was made, and how it came.
struct Arrived<'a> {
    text: String,
    header: &'a Header,
}

async fn fill(lake: &Lake, events: usize) -> (Spent, usize) {
    let (mut mix, mut made) = (Mix::new(events), Made::default());
    let commit = (events / 100).clamp(COMMIT.0, COMMIT.1);
    let (mut spent, mut bytes) = (Spent::default(), 0);
    let mut builder = RowBuilder::new();
    let mut day = 0;
    for first in (0..events).step_by(commit) {
        let headers = headers(FIRST_SECOND + (first * DAYS * 86_400 / events) as i64);
        let arrived: Vec<Arrived<'_>> = (first..events.min(first + commit))
            .map(|_| {
                mix.next(&mut made);
                let mut text = String::new();
                made.xml(&mut text);
                let header = &headers[&made.computer];
                Arrived { text, header }
            })
            .collect();
        bytes += arrived.iter().map(|event| event.text.len()).sum::<usize>();
        commit_of(lake, &mut builder, first, &arrived, &mut spent).await;
        if made.day > day || first + commit >= events {
            day = made.day;
            let start = cpu_seconds();
            // Two days later nobody reads what was replaced.
            let later = Timestamp::now() + SignedDuration::from_hours(49);
            lake.keep_up(later).await.whole().unwrap();
            spent.merging += cpu_seconds() - start;
        }
    }
    assert_eq!(day + 1, DAYS);
    (spent, bytes)
}

/// By machine: what comes with its events, which arrive as they happen.
fn headers(second: i64) -> HashMap<String, Header> {
    let machines = (0..300).map(|machine| format!("srv{machine:03}.corp.contoso.example"));
    let header = |source: String| Header {
        kind: Kind::Wef,
        source,
        address: Some([10, 0, 0, 7].into()),
        subscription: Some("main".to_owned()),
        received_at: Timestamp::from_second(second).unwrap(),
    };
    machines
        .map(|machine| (machine.clone(), header(machine)))
        .collect()
}

async fn commit_of(
    lake: &Lake,
    builder: &mut RowBuilder,
    first: usize,
    arrived: &[Arrived<'_>],
    spent: &mut Spent,
) {
    let start = cpu_seconds();
    let parsed = arrived.iter().map(|event| {
        let mut index = Index::new();
        parse(&event.text, &mut index).unwrap();
        let key = identity(&event.header.source, Event::new(&event.text, &index));
        (index, key)
    });
    let parsed: Vec<(Index, Identity)> = parsed.collect();
    let read = cpu_seconds();
    spent.reading += read - start;
    for (seq, (event, (index, key))) in (first as u64 + 1..).zip(arrived.iter().zip(&parsed)) {
        let text = Event::new(&event.text, index);
        builder.push(Some(seq), event.header, Flags::NONE, text, *key);
    }
    let rows = builder.finish();
    let built = cpu_seconds();
    spent.rows += built - read;
    let last = i64::try_from(first + arrived.len()).unwrap();
    lake.append(rows, Some(("bench", last))).await.unwrap();
    spent.writing += cpu_seconds() - built;
}

async fn ask(lake: &Lake, sql: &str) {
    let output = lake.query(sql, Tail::default(), QueryLimits::default());
    let output = output.await.unwrap();
    let (layout, mut nowhere) = (Layout::default(), io::sink());
    let written = output.write(Format::Csv, &layout, &mut nowhere);
    written.await.unwrap();
}

fn print_head(first: &str, all: &[Measured]) {
    let sizes = all
        .iter()
        .map(|of| format!("{} million", of.events as f64 / 1e6));
    let sizes = sizes.collect::<Vec<_>>().join(" | ");
    println!("\n| {first} | {sizes} | meant at most |");
    println!("|---|{}---:|", "---:|".repeat(all.len()));
}

fn print_row(what: &str, all: &[Measured], cell: impl Fn(&Measured) -> String, aim: &str) {
    let cells: Vec<String> = all.iter().map(cell).collect();
    println!("| {what} | {} | {aim} |", cells.join(" | "));
}

fn print_costs(all: &[Measured]) {
    println!("lake: events of {} bytes of text", all[0].text_bytes);
    print_head("CPU µs an event, of a lake that grows to", all);
    let row = |what: &str, seconds: &dyn Fn(&Measured) -> f64, aim: &str| {
        let each = |of: &Measured| format!("{:.2}", seconds(of) * 1e6 / of.events as f64);
        print_row(what, all, each, aim);
    };
    let text = |of: &Measured| of.room.text_seconds * of.events as f64;
    let encoded = |of: &Measured| of.spent.writing - text(of);
    row("parse and identify", &|of| of.spent.reading, "");
    row("rows", &|of| of.spent.rows, "");
    row("encode and commit", &|of| of.spent.writing, "");
    row("of that the Event's text, encoded alone", &text, "");
    row("encode and commit, but the Event's text", &encoded, "4");
    row("merge and remove", &|of| of.spent.merging, "");
    // The text is decoded and encoded again there: no less is spared by leaving it out.
    let both = |of: &Measured| encoded(of) + of.spent.merging - text(of);
    row("encode, commit and merge, but the Event's text", &both, "6");
}

fn print_room(all: &[Measured]) {
    print_head("bytes an event, of a lake of", all);
    let row = |what: &str, bytes: &dyn Fn(&Room) -> f64, aim: &str| {
        print_row(what, all, |of| format!("{:.1}", bytes(&of.room)), aim);
    };
    row("everything", &|room| room.all(), "");
    row(
        "but the Event's text",
        &|room| room.all() - room.of("event_xml"),
        "66",
    );
    let bare = |room: &Room| room.all() - room.of("event_xml") - room.of("message");
    row("but the Event's text and the message", &bare, "43");
    for (column, _) in all[0].room.columns.iter().take(16) {
        row(&format!("`{column}`"), &|room| room.of(column), "");
    }
    print_row("commits", all, |of| of.commits.to_string(), "");
    print_row("data files", all, |of| of.files.to_string(), "");
}

fn print_questions(all: &[Measured]) {
    print_head("CPU s a question, of events", all);
    for (place, question) in QUESTIONS.iter().enumerate() {
        let aim = question.aim.map_or(String::new(), |(events, seconds)| {
            format!("{seconds} of {} million", events / 1_000_000)
        });
        let seconds = |of: &Measured| format!("{:.3}", of.questions[place]);
        print_row(question.what, all, seconds, &aim);
    }
}
