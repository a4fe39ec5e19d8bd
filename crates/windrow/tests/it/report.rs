//! `windrow report`: what each says of events and requests made for it.

use std::fmt::Write as _;
use std::path::PathBuf;

use xtask::project::root;

use crate::docs::arguments;
use crate::import::corpus;
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
            "provider": "Microsoft-Windows-Security-Auditing",
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

/// Hours of counts from 2025-11-03, a Monday, on: logons all the time, failed ones with a burst in the night of the 24th,
/// and the share's audit until it stops in the morning of that day.
fn counts(scratch: &Scratch, days: u32) {
    let mut lines = String::new();
    for day in 0..days {
        for hour in 0..24 {
            let usual = if (7..18).contains(&hour) { 60 } else { 20 } + (day * 7 + hour * 3) % 5;
            let is_last = day == 21;
            let failed = if is_last && hour == 3 {
                400
            } else {
                usual / 10
            };
            let shared = if is_last && hour >= 8 { 0 } else { usual };
            for (id, account, events) in [
                (4624, "ann", usual),
                (4625, "bob\u{1b}[2J", failed),
                (5140, "ann", shared),
            ] {
                let date = format!("2025-11-{:02}", day + 3);
                let row = serde_json::json!({
                    "date": date, "bucket": format!("{date}T{hour:02}:05:00Z"), "channel": "Security",
                    "event_id": id, "computer": "DC1", "account": account, "events": events,
                });
                if events > 0 {
                    writeln!(lines, "{row}").unwrap();
                }
            }
        }
    }
    scratch.write("counts.ndjson", &lines);
    let sql = "select * replace (cast(event_id as int) as event_id, \
               arrow_cast(bucket, 'Timestamp(Microsecond, Some(\"UTC\"))') as bucket) from c";
    let from = ["query", "--from", "c=counts.ndjson"];
    run(
        scratch,
        &[&from[..], &["--output-file", "counts.parquet", sql]].concat(),
    )
    .expect(0);
}

fn spikes(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let fixed = [
        "spikes",
        "--from",
        "event_counts=counts.parquet",
        "--buckets",
        "1h",
    ];
    report(scratch, &[&fixed, arguments].concat())
}

#[test]
fn spikes_are_told_with_what_explains_them() {
    let scratch = Scratch::new();
    counts(&scratch, 22);
    let told = spikes(&scratch, &["--output", "table"]).expect(0);
    insta::assert_snapshot!(told.stdout, @r"
    begin                 lasted  what     observed  expected  chance  series         event                   the same of
    2025-11-24T03:00:00Z  1h      burst         400       2.0  1e-223  Security 4625  logon failed            computer=DC1, account=bob\u{1b}[2J
    2025-11-24T08:00:00Z  16h +   silence         0       524  1e-127  Security 5140  network share accessed  computer=DC1, account=ann

    9 series, learnt from 2025-11-03T00:00:00Z to 2025-11-25T00:00:00Z (22d)
    hours of the week stand on their own after four weeks: until then they lean on the same hour of other days, and more false alarms are to be expected
    ");
    let explained = ["--by", "account", "--explain", "--output", "table"];
    insta::assert_snapshot!(spikes(&scratch, &explained).expect(0).stdout, @r"
    begin                 lasted  what     observed  expected  chance  series                              event                   the same of
    2025-11-24T03:00:00Z  1h      burst         400       2.0  1e-223  Security 4625 account=bob\u{1b}[2J  logon failed
    2025-11-24T08:00:00Z  16h +   silence         0       524  1e-127  Security 5140 account=ann           network share accessed

    2025-11-24T03:00:00Z burst: Security 4625 account=bob\u{1b}[2J
      at its worst, up to 2025-11-24T04:00:00Z: in 1h 400 came where 2.0 were expected
      expected of 1h: 2.0, by 2.9 weeks of this hour of the week; the day before went at 1.00 times what is usual
      chance of it: 1e-223, with counts that scatter as they do (dispersion 0.17); told below 1e-2

    2025-11-24T08:00:00Z silence: Security 5140 account=ann
      at its worst, up to 2025-11-25T00:00:00Z: in 16h nothing came
      expected of 1h: 6.9, by 2.9 weeks of this hour of the week; the day before went at 0.30 times what is usual
      chance of it: 1e-127, with counts that scatter as they do (dispersion 0.05)

    3 series, learnt from 2025-11-03T00:00:00Z to 2025-11-25T00:00:00Z (22d)
    hours of the week stand on their own after four weeks: until then they lean on the same hour of other days, and more false alarms are to be expected
    ");
    let rows = spikes(
        &scratch,
        &["--by", "all", "--id", "4625", "--output", "ndjson"],
    )
    .expect(0);
    let burst: serde_json::Value =
        serde_json::from_str(rows.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (
            &burst["what"],
            &burst["event_id"],
            &burst["of"],
            &burst["observed"],
            &burst["flag"]
        ),
        (
            &"burst".into(),
            &4625.into(),
            &"all".into(),
            &400.into(),
            &1.0.into()
        )
    );
    for number in [
        "expected",
        "score",
        "baseline",
        "p",
        "threshold",
        "dispersion",
        "level",
        "weeks",
    ] {
        assert!(
            burst[number].as_f64().is_some_and(|number| number > 0.0),
            "{number}: {burst}"
        );
    }
    let buckets = spikes(
        &scratch,
        &[
            "--by",
            "all",
            "--id",
            "4625",
            "--explain",
            "--output",
            "csv",
        ],
    );
    let buckets = buckets.expect(0).stdout;
    assert!(buckets.lines().count() > 3, "{buckets}");
    let before = spikes(&scratch, &["--to", "2025-11-24", "--output", "table"]).expect(0);
    assert!(
        before.stdout.starts_with("nothing unusual\n"),
        "{}",
        before.stdout
    );
}

#[test]
fn a_series_is_drawn_with_what_was_expected_of_it() {
    let scratch = Scratch::new();
    counts(&scratch, 22);
    let series = [
        "--series",
        "Security 5140 computer=DC1",
        "--from",
        "2025-11-24T05:00:00Z",
    ];
    let drawn = spikes(
        &scratch,
        &[
            &series[..],
            &["--to", "2025-11-24T14:00:00Z", "--output", "table"],
        ]
        .concat(),
    );
    insta::assert_snapshot!(drawn.expect(0).stdout, @r"
    Security 5140 computer=DC1, a line = 1h

    time                  observed  expected
    2025-11-24T05:00:00Z        22        22  █████████ ┃
    2025-11-24T06:00:00Z        20        22  █████████ ┃
    2025-11-24T07:00:00Z        63        62  ███████████████████████████┃
    2025-11-24T08:00:00Z         0        63                             ┃ silence
    2025-11-24T09:00:00Z         0        61                            ┃  silence
    2025-11-24T10:00:00Z         0        58                           ┃   silence
    2025-11-24T11:00:00Z         0        54                         ┃     silence
    2025-11-24T12:00:00Z         0        50                       ┃       silence
    2025-11-24T13:00:00Z         0        47                      ┃        silence

    █ observed  ┃ expected

    9 series, learnt from 2025-11-03T00:00:00Z to 2025-11-24T14:00:00Z (21d 14h)
    hours of the week stand on their own after four weeks: until then they lean on the same hour of other days, and more false alarms are to be expected
    ");
    let rows = spikes(&scratch, &[&series[..], &["--output", "ndjson"]].concat())
        .expect(0)
        .stdout;
    let silent: Vec<serde_json::Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .filter(|row: &serde_json::Value| row["flag"] == -1.0)
        .collect();
    assert!(silent[0]["score"].as_f64().unwrap() <= -6.0, "{rows}");
    let unknown = spikes(&scratch, &["--series", "security 5140"]).expect(2);
    insta::assert_snapshot!(unknown.stderr, @"error: --series security 5140: there is no such series; there are Security 5140, Security 5140 account=ann, Security 5140 computer=DC1");
}

/// Addresses are counted from the events themselves: one a quarter of an hour, and then a hundred.
#[test]
fn an_address_is_a_series_too() {
    let scratch = Scratch::new();
    let mut lines = String::new();
    for day in 1..=4 {
        for minute in (0..24 * 60).step_by(15) {
            let date = format!("2025-11-{day:02}");
            let time = format!("{date}T{:02}:{:02}:30Z", minute / 60, minute % 60);
            let is_burst = day == 4 && minute == 12 * 60;
            for (address, count) in [
                ("10.0.0.1", 1),
                ("192.0.2.66", if is_burst { 100 } else { 1 }),
            ] {
                let event = Event {
                    time: Some(&time),
                    date: &date,
                    id: 4625,
                    address,
                    ..LOGON
                };
                (0..count).for_each(|_| event.push(&mut lines));
            }
        }
    }
    parquet(&scratch, &lines);
    let asked = [
        "spikes",
        "--from",
        "events=events.parquet",
        "--by",
        "all,address",
    ];
    let rows = report(&scratch, &[&asked[..], &["--output", "ndjson"]].concat())
        .expect(0)
        .stdout;
    let bursts: Vec<serde_json::Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .filter(|row: &serde_json::Value| row["what"] == "burst")
        .collect();
    let of = |series: &str| bursts.iter().find(|burst| burst["series"] == series);
    let (all, address) = (of("Security 4625"), of("Security 4625 address=192.0.2.66"));
    assert_eq!(all.unwrap()["observed"], 101, "{rows}");
    assert_eq!(address.unwrap()["begin"], "2025-11-04T12:00:00Z", "{rows}");
    assert!(of("Security 4625 address=10.0.0.1").is_none(), "{rows}");
}

#[test]
fn little_history_is_said_to_be_little() {
    let scratch = Scratch::new();
    counts(&scratch, 5);
    let told = spikes(&scratch, &["--output", "table"]).expect(0);
    insta::assert_snapshot!(told.stdout, @r"
    nothing unusual

    9 series, learnt from 2025-11-03T00:00:00Z to 2025-11-08T00:00:00Z (5d)
    bursts can be told from each series' second day on; drops and silence cannot yet: they need the same hour of two weeks. Four weeks know each hour of the week by itself
    ");
    insta::assert_snapshot!(spikes(&scratch, &["--id", "1"]).expect(1).stderr, @"there are no such events in this time");
    spikes(&scratch, &["--budget", "0"]).expect(2);
}

const IIS: &str = "\
#Fields: date time s-sitename cs-method cs-uri-stem c-ip sc-status
2026-11-21 10:00:01 W3SVC1 GET / 10.0.0.1 200
2026-11-21 10:00:02 W3SVC1 GET /Home/StatusCode500 192.0.2.7 500
2026-11-21 10:40:02 W3SVC1 GET /Home/StatusCode500 192.0.2.7 500
2026-11-21 12:00:02 W3SVC2 GET /a\u{1b}[2J 192.0.2.8 500
2026-11-21 12:00:03 W3SVC2 GET /b 192.0.2.8 503
2026-11-21 13:00:04 W3SVC2 GET /none 192.0.2.8 404
#Fields: date time cs-method cs-uri-stem c-ip sc-status
2026-11-21 12:00:05 GET /c 192.0.2.9 500
";

#[test]
fn statuses_of_a_web_server_are_drawn_over_time() {
    let scratch = Scratch::new();
    scratch.write("logs/W3SVC1/u_ex1.log", IIS);
    let of = |arguments: &[&str]| {
        let fixed = ["iis-status", "--from", "iis=logs"];
        report(&scratch, &[&fixed, arguments].concat())
    };
    let drawn = of(&["--by", "path", "--bucket", "1h", "--output", "table"]).expect(0);
    insta::assert_snapshot!(drawn.stdout, @r"
    Requests with status 500 by path, a line = 1h

    2026-11-21T10:00:00Z  2  ██████████████████████████████████████████████████████
    2026-11-21T11:00:00Z  0
    2026-11-21T12:00:00Z  2  ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒

    █ 2  /Home/StatusCode500
    ▓ 1  /a\u{1b}[2J
    ▒ 1  /c
    ");
    let sites = of(&[
        "--by", "site", "--status", "5xx", "--bucket", "1d", "--output", "csv",
    ]);
    insta::assert_snapshot!(sites.expect(0).stdout.replace("\r\n", "\n"), @r"
    start,site,requests
    2026-11-21T00:00:00Z,,1
    2026-11-21T00:00:00Z,W3SVC1,2
    2026-11-21T00:00:00Z,W3SVC2,2
    ");
    let some = of(&[
        "--status",
        "404,503",
        "--from",
        "2026-11-21T12:00:00Z",
        "--bucket",
        "30m",
    ]);
    insta::assert_snapshot!(some.expect(0).stdout, @r#"
    {"start":"2026-11-21T12:00:00Z","status":503,"requests":1}
    {"start":"2026-11-21T13:00:00Z","status":404,"requests":1}
    "#);
    let all = of(&["--status", "all", "--by", "client", "--bucket", "1d"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 4, "{}", all.stdout);
    let none = of(&["--to", "2026-11-20"]).expect(1);
    insta::assert_snapshot!(none.stderr, @"there are no requests with status 500 in this time");
    scratch.write("a.csv", "time,status\n2026-11-21T10:00:00Z,500\n");
    let other = report(&scratch, &["iis-status", "--from", "iis=a.csv"]).expect(2);
    insta::assert_snapshot!(other.stderr, @"error: `iis` has no column sc_status, so that it says nothing of statuses over time; there are time, status");
    let named = report(&scratch, &["iis-status", "--from", "web=logs"]).expect(1);
    insta::assert_snapshot!(named.stderr, @r"
    error: there is no table `iis`
    hint: log files are asked with --from iis=PATH, a file or a folder
    ");
}

#[test]
fn the_most_frequent_are_told_with_their_share() {
    let scratch = Scratch::new();
    let mut lines = String::new();
    for (time, account, address) in [
        (Some("2026-11-20T10:00:00Z"), "ann", "10.0.0.1"),
        (Some("2026-11-20T10:05:00.5Z"), "ann", "10.0.0.1"),
        (Some("2026-11-20T10:10:00Z"), "bob\u{1b}[2J", "10.0.0.1"),
        (None, "ann", "10.0.0.2"),
    ] {
        let event = Event {
            time,
            id: 4625,
            account,
            address,
            ..LOGON
        };
        event.push(&mut lines);
    }
    LOGON.push(&mut lines);
    parquet(&scratch, &lines);
    let of = |arguments: &[&str]| {
        let fixed = ["top", "--from", "events=events.parquet"];
        report(&scratch, &[&fixed, arguments].concat())
    };
    insta::assert_snapshot!(of(&["--output", "table"]).expect(0).stdout, @r"
    events   share  event_id  name          first                 last
         4  80.0 %  4625      logon failed  2026-11-20T06:00:00Z  2026-11-20T10:10:00Z
         1  20.0 %  4624      logon         2026-11-20T10:00:00Z  2026-11-20T10:00:00Z

    2 of 2, of 5 events in all
    ");
    let by = [
        "--by",
        "account",
        "--id",
        "4625",
        "--address",
        "10.0.0.1",
        "--output",
        "table",
    ];
    insta::assert_snapshot!(of(&by).expect(0).stdout, @r"
    events   share  account       first                 last
         2  66.7 %  ann           2026-11-20T10:00:00Z  2026-11-20T10:05:00.5Z
         1  33.3 %  bob\u{1b}[2J  2026-11-20T10:10:00Z  2026-11-20T10:10:00Z

    2 of 2, of 3 events in all
    ");
    let one = of(&["--by", "address", "--account", "ANN", "--max-rows", "1"]).expect(0);
    insta::assert_snapshot!(one.stdout, @r#"{"events":3,"share":0.75,"address":"10.0.0.1","first":"2026-11-20T10:00:00Z","last":"2026-11-20T10:05:00.5Z"}"#);
    let tz = [
        "--tz",
        "Europe/Berlin",
        "--from",
        "2026-11-20T11:05:00",
        "--output",
        "csv",
    ];
    insta::assert_snapshot!(of(&tz).expect(0).stdout.replace("\r\n", "\n"), @r"
    events,share,event_id,name,first,last
    2,1,4625,logon failed,2026-11-20T11:05:00.5+01:00,2026-11-20T11:10:00+01:00
    ");
    insta::assert_snapshot!(of(&["--computer", "other"]).expect(1).stderr, @"there are no such events in this time");
}

/// The questions of docs/analysis.md over real logs: each has an answer, with the columns that the page names.
#[test]
fn every_question_of_the_analysis_is_answered() {
    let (Some(evtx), Some(iis)) = (corpus("evtx"), corpus("iis")) else {
        return;
    };
    let scratch = Scratch::new();
    run(&scratch, &["import", evtx.to_str().unwrap()]).expect(3);
    std::os::unix::fs::symlink(
        iis.join("W3SVC1").canonicalize().unwrap(),
        scratch.join("logs"),
    )
    .unwrap();
    let page = std::fs::read_to_string(root().join("docs/analysis.md")).unwrap();
    let mut command = None;
    let (mut answered, mut questions) = (0, 0);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        questions += usize::from(line.starts_with("## "));
        if let Some(text) = line.strip_prefix("$ ") {
            command = Some(text);
        }
        let Some(columns) = line.strip_prefix("Answer: ") else {
            continue;
        };
        let mut columns = columns.to_owned();
        while !columns.ends_with('.') {
            columns.push_str(lines.next().unwrap());
        }
        let named: Vec<&str> = columns.split('`').skip(1).step_by(2).collect();
        let command = command.take().unwrap();
        let mut arguments = arguments(command).unwrap();
        arguments.extend(["--output", "csv"].map(str::to_owned));
        let told = run(&scratch, &arguments).expect(0).stdout;
        let mut told = told.lines();
        assert_eq!(told.next().unwrap(), named.join(","), "{command}");
        assert!(told.next().is_some(), "no answer to {command}");
        answered += 1;
    }
    assert_eq!((questions, answered), (10, 13));
}
