//! `windrow report`: what each says of events and requests made for it.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::support::Scratch;
use crate::support::program::{Finished, run};

/// An event of a report's table, a line of JSON.
struct Event<'a> {
    /// Where none is said, it came at 06:00 of `date`.
    time: Option<&'a str>,
    date: &'a str,
    id: u32,
    computer: &'a str,
    account: &'a str,
    address: &'a str,
}

impl Event<'_> {
    fn push(&self, lines: &mut String) {
        let event = serde_json::json!({
            "date": self.date, "time": self.time, "received_at": format!("{}T06:00:00Z", self.date),
            "channel": "Security", "event_id": self.id, "computer": self.computer,
            "target_user": self.account, "subject_user": "SYSTEM", "ip_address": self.address,
            "process_name": "C:\\Windows\\lsass.exe",
        });
        writeln!(lines, "{event}").unwrap();
    }
}

/// A file of these events, as an export of the table is.
fn parquet(scratch: &Scratch, lines: &str) -> PathBuf {
    scratch.write("events.ndjson", lines);
    let time = "'Timestamp(Microsecond, Some(\"UTC\"))'";
    let sql = format!(
        "select * replace (cast(event_id as int) as event_id, arrow_cast(time, {time}) as time, \
         arrow_cast(received_at, {time}) as received_at) from e"
    );
    let arguments = ["query", "--from", "e=events.ndjson"];
    let made = ["--output-file", "events.parquet", &sql];
    run(scratch, &[&arguments[..], &made].concat()).expect(0);
    scratch.join("events.parquet")
}

fn report(scratch: &Scratch, arguments: &[&str]) -> Finished {
    run(scratch, &[&["report"], arguments].concat())
}

const LOGON: Event<'_> = Event {
    time: Some("2026-11-20T10:00:00Z"),
    date: "2026-11-20",
    id: 4624,
    computer: "DC1",
    account: "ann",
    address: "10.0.0.1",
};

#[test]
fn a_distribution_counts_every_event_and_says_which_have_no_time() {
    let scratch = Scratch::new();
    let mut lines = String::new();
    for (time, account) in [
        (Some("2026-11-20T10:00:00Z"), "ann"),
        (Some("2026-11-20T10:59:59.999999Z"), "bob\u{1b}[2J"),
        (Some("2026-11-20T13:30:00Z"), "ann"),
        (Some("1601-01-01T00:00:00Z"), "ann"),
        (None, "bob\u{1b}[2J"),
    ] {
        let event = Event {
            time,
            account,
            ..LOGON
        };
        event.push(&mut lines);
    }
    parquet(&scratch, &lines);
    let of = |arguments: &[&str]| {
        let fixed = ["distribution", "--from", "events=events.parquet"];
        report(&scratch, &[&fixed, arguments].concat())
    };
    let drawn = of(&["--by", "account", "--bucket", "1h", "--output", "table"]).expect(0);
    insta::assert_snapshot!(drawn.stdout, @r"
    Events by account, a line = 1h

    2026-11-20T06:00:00Z  2  ███████████████████████████▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓
    2026-11-20T07:00:00Z  0
    2026-11-20T08:00:00Z  0
    2026-11-20T09:00:00Z  0
    2026-11-20T10:00:00Z  2  ███████████████████████████▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓
    2026-11-20T11:00:00Z  0
    2026-11-20T12:00:00Z  0
    2026-11-20T13:00:00Z  1  ███████████████████████████

    █ 3  ann
    ▓ 2  bob\u{1b}[2J
    ");
    insta::assert_snapshot!(drawn.stderr, @"counted when they came, since they say no time, or one far from this: 2 events");
    // Not of whole five minutes: from the events themselves, and the same.
    let odd = of(&[
        "--by",
        "id",
        "--bucket",
        "7m",
        "--to",
        "2026-11-20T13:30:00.5Z",
        "--output",
        "csv",
    ]);
    insta::assert_snapshot!(odd.expect(0).stdout.replace("\r\n", "\n"), @r"
    start,event_id,events
    2026-11-20T05:59:00Z,4624,2
    2026-11-20T09:57:00Z,4624,1
    2026-11-20T10:53:00Z,4624,1
    2026-11-20T13:27:00Z,4624,1
    ");
    let early = of(&[
        "--from",
        "2026-11-20T10:00:00Z",
        "--to",
        "2026-11-20T10:30:00Z",
    ])
    .expect(0);
    assert_eq!(early.stderr, "");
    insta::assert_snapshot!(early.stdout, @r#"{"start":"2026-11-20T10:00:00Z","channel":"Security","events":1}"#);
    let none = of(&["--to", "2020-01-01"]).expect(1);
    insta::assert_snapshot!(none.stderr, @"there are no events in this time");
}
