//! Real event log files: everything that can be read arrives, once, and what cannot is named.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Scratch;
use crate::support::program::{Finished, command, run};

/// The real event logs, where they are there. Says so when not.
pub(crate) fn corpus(folder: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or(default, PathBuf::from);
    let folder = corpus.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no event logs at {} (set WINDROW_CORPUS)",
        folder.display()
    );
    None
}

fn import(scratch: &Scratch, code: i32, path: &Path) -> Value {
    let path = path.to_str().unwrap();
    let finished = run(
        scratch,
        &["import", "--data-dir", "data", "--output", "json", path],
    )
    .expect(code);
    serde_json::from_str(&finished.stdout).unwrap()
}

fn query(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let fixed = ["query", "--data-dir", "data"];
    let arguments: Vec<&str> = fixed.iter().chain(arguments).copied().collect();
    run(scratch, &arguments)
}

fn number(scratch: &Scratch, arguments: &[&str]) -> u64 {
    let arguments: Vec<&str> = ["--output", "csv"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let answer = query(scratch, &arguments).expect(0).stdout;
    answer.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_folder_of_logs_is_taken_once() {
    let Some(logs) = corpus("evtx") else { return };
    let scratch = Scratch::new();
    let first = import(&scratch, 3, &logs);
    let (events, new) = (
        first["events"].as_u64().unwrap(),
        first["new"].as_u64().unwrap(),
    );
    assert!(events > 20_000, "{events} events");
    assert_eq!(new + first["known"].as_u64().unwrap(), events);
    assert_eq!(number(&scratch, &["select count(*) from events"]), new);
    assert_eq!(
        number(&scratch, &["select count(distinct event_key) from events"]),
        new
    );

    let again = import(&scratch, 3, &logs);
    assert_eq!(
        (again["events"].as_u64(), again["new"].as_u64()),
        (Some(events), Some(0))
    );
    assert_eq!(again["damages"], first["damages"]);
    // The same files by another way: other groups, the same events.
    let some = std::fs::read_dir(&logs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .min()
        .unwrap();
    assert_eq!(import(&scratch, 3, &some)["new"], 0);
    assert_eq!(number(&scratch, &["select count(*) from events"]), new);
}

#[test]
fn questions_keep_to_their_time() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let summary = import(&scratch, 0, &logs.join("00-intact.evtx"));
    let all = summary["events"].as_u64().unwrap();
    let sql = "select count(*) from events";
    let at = "2016-07-08T22:00:00Z";
    let before = number(&scratch, &["--to", at, sql]);
    let after = number(&scratch, &["--from", at, sql]);
    assert_eq!((before > 0, after > 0, before + after), (true, true, all));
    let between = number(&scratch, &["--from", "2016-07-08", "--to", at, sql]);
    assert_eq!(between, before);
    // The same moment in another zone's words.
    let berlin = ["--tz", "Europe/Berlin", "--to", "2016-07-09T00:00:00", sql];
    assert_eq!(number(&scratch, &berlin), before);

    let report = [
        "report",
        "distribution",
        "--data-dir",
        "data",
        "--bucket",
        "1d",
        "--output",
        "csv",
    ];
    let report = run(&scratch, &report).expect(0).stdout;
    assert_eq!(
        report,
        format!("start,channel,events\r\n2016-07-08T00:00:00Z,Security,{all}\r\n")
    );
    let none = [
        "report",
        "distribution",
        "--data-dir",
        "data",
        "--from",
        "2030-01-01",
    ];
    run(&scratch, &none).expect(1);
}

/// What a summary says of times is what a query answers: to the microsecond.
#[test]
fn times_are_the_same_wherever_they_are_told() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let summary = import(&scratch, 0, &logs.join("00-intact.evtx"));
    let sql = "select min(time) as first, max(time) as last from events";
    let answer = query(&scratch, &["--output", "ndjson", sql])
        .expect(0)
        .stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["first"], &answer["last"]),
        (&summary["first"], &summary["last"])
    );
}

#[test]
fn an_answer_that_is_cut_or_cannot_be_written_says_so() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let summary = import(&scratch, 0, &logs.join("00-intact.evtx"));
    let all = summary["events"].as_u64().unwrap();
    let said = |arguments: &[&str]| query(&scratch, arguments).expect(0).stderr;
    let sql = "select seq from events";
    // As many as were asked for is what was asked for; that there are more is worth a word.
    assert_eq!(
        said(&["--max-rows", "7", sql]),
        "only the first 7 rows (--max-rows)\n"
    );
    assert_eq!(said(&["--max-rows", &all.to_string(), sql]), "");
    // Nothing else cuts an answer.
    let answer = query(&scratch, &["--output", "ndjson", sql]).expect(0);
    assert_eq!(answer.stdout.lines().count() as u64, all);

    for sql in ["", "-- nothing", "select 1; select 2"] {
        query(&scratch, &[sql]).expect(2);
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    let ended = command(&scratch)
        .args(["query", "--data-dir", "data", sql])
        .stdout(full.unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
}

#[test]
fn every_damage_is_named_and_costs_no_more_than_it_must() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let of = |name: &str, code| {
        let summary = import(&scratch, code, &logs.join(name));
        let damages = summary["damages"].as_array().unwrap().len();
        (summary["events"].as_u64().unwrap(), damages > 0)
    };
    assert_eq!(of("00-intact.evtx", 0), (349, false));
    assert_eq!(of("06-zeroed-file-header.evtx", 0), (349, true));
    assert_eq!(of("11-record-size-huge.evtx", 0), (349, true));
    assert_eq!(of("08-chunk1-zeroed.evtx", 3), (263, true));
    assert_eq!(of("05-not-evtx.evtx", 3), (0, true));
    // Damaged copies of one log hold the same events.
    assert_eq!(number(&scratch, &["select count(*) from events"]), 349);
}

#[test]
fn a_wrong_path_is_wrong_usage() {
    let scratch = Scratch::new();
    let finished = run(&scratch, &["import", "nope.evtx"]).expect(2);
    assert!(finished.stderr.contains("nope.evtx"), "{}", finished.stderr);
    assert!(!scratch.join(".local").exists(), "nothing was begun");
}

#[test]
fn forwarding_needs_somewhere_to_forward_to() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let log = logs.join("00-intact.evtx");
    let arguments = [
        "import",
        "--data-dir",
        "data",
        "--forward",
        log.to_str().unwrap(),
    ];
    let finished = run(&scratch, &arguments).expect(2);
    assert!(
        finished.stderr.contains("[sink.syslog"),
        "{}",
        finished.stderr
    );
}

/// A receiver that counts lines.
fn receiver() -> (u16, std::sync::mpsc::Receiver<usize>) {
    use std::io::{BufRead as _, BufReader};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (lines, counts) = std::sync::mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let count = BufReader::new(stream.unwrap())
                .lines()
                .map_while(Result::ok)
                .count();
            if lines.send(count).is_err() {
                return;
            }
        }
    });
    (port, counts)
}

#[test]
fn forwarded_events_reach_the_receiver() {
    let Some(logs) = corpus("evtx-damaged") else {
        return;
    };
    let scratch = Scratch::new();
    let (port, counts) = receiver();
    let config = format!(
        "data_dir = \"data\"\n[sink.syslog.siem]\nserver_name = \"127.0.0.1\"\ntransport = \"tcp\"\nport = {port}\n"
    );
    scratch.write("windrow.toml", &config);
    let log = logs.join("00-intact.evtx");
    let arguments = [
        "import",
        "--config",
        "windrow.toml",
        "--forward",
        "--output",
        "json",
        log.to_str().unwrap(),
    ];
    let finished = run(&scratch, &arguments).expect(0);
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(summary["forwarded"], "delivered");
    // The service's own start and stop travel with them.
    let lines: usize = counts.try_iter().sum();
    assert!((349..=353).contains(&lines), "{lines} lines");
    // They are in the lake once.
    let security = "select count(*) from events where channel = 'Security'";
    assert_eq!(
        number(&scratch, &["--config", "windrow.toml", security]),
        349
    );
}

#[test]
fn logs_of_web_servers_become_requests() {
    let scratch = Scratch::new();
    let site = scratch.join("LogFiles/W3SVC7");
    std::fs::create_dir_all(&site).unwrap();
    let log = "#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken\r\n\
        2026-11-20 10:00:00 192.0.2.1 GET /a 500 12\r\n\
        2026-11-20 10:00:00 192.0.2.1 GET /a 500 12\r\n\
        2026-11-20 10:05:00 192.0.2.2 GET /b 200\r\n";
    std::fs::write(site.join("u_ex261120.log"), log).unwrap();
    std::fs::write(site.join("notes.log"), "no log of a server\n").unwrap();
    let first = import(&scratch, 3, &scratch.join("LogFiles"));
    assert_eq!(first["requests"]["new"], 2);
    assert_eq!(
        (&first["damages"][0]["line"], &first["damaged"]),
        (&4.into(), &1.into())
    );
    let ended = log.replace("/b 200\r\n", "/b 200 7\r\n");
    std::fs::write(site.join("u_ex261120.log"), ended).unwrap();
    let second = import(&scratch, 0, &scratch.join("LogFiles"));
    assert_eq!(
        (&second["requests"]["new"], &second["requests"]["known"]),
        (&1.into(), &2.into())
    );
    let sql = "select s_sitename, sc_status, count(*) as n from iis group by all order by n desc";
    let answer = query(&scratch, &["--output", "csv", sql]).expect(0).stdout;
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(
        lines,
        ["s_sitename,sc_status,n", "W3SVC7,500,2", "W3SVC7,200,1"]
    );
    let shown = run(
        &scratch,
        &["lake", "show", "--data-dir", "data", "--output", "csv"],
    )
    .expect(0);
    assert!(shown.stdout.contains("iis,rows,3,"), "{}", shown.stdout);
}
