//! `windrow query`: files asked by name, what it says when it cannot, and how it ends.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use xtask::docs;
use xtask::project::{Project, root};

use crate::docs::arguments;
use crate::import::corpus;
use crate::support::program::{Finished, Program, run};
use crate::support::{Scratch, wait_until};

const IIS: &str = "\
#Fields: date time cs-method cs-uri-stem c-ip sc-status
2026-11-21 10:00:01 GET /a 10.0.0.1 200
2026-11-21 10:00:02 GET /b 192.0.2.7 500
2026-11-21 10:00:03
";

fn query(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let arguments: Vec<&str> = ["query"].iter().chain(arguments).copied().collect();
    run(scratch, &arguments)
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn every_command_of_the_page_runs() {
    let (Some(evtx), Some(iis)) = (corpus("evtx"), corpus("iis")) else {
        return;
    };
    let scratch = Scratch::new();
    let logs = |begin: &str| {
        let entries = fs::read_dir(&evtx)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(begin)
            })
            .collect::<Vec<_>>()
    };
    copy(
        &logs("smb-password-guessing")[0],
        &scratch.join("Security.evtx"),
    );
    for log in logs("T1").iter().take(3) {
        copy(
            log,
            &scratch.join("exported").join(log.file_name().unwrap()),
        );
    }
    copy(&iis.join("W3SVC2"), &scratch.join("logs/W3SVC2"));
    scratch.write("indicators.csv", "network,why\n0.0.0.0/1,seen before\n");
    scratch.write(
        "signins.ndjson",
        "{\"user\":\"ann\",\"ok\":true}\n{\"user\":\"bob\"}\n",
    );
    run(&scratch, &["import", "Security.evtx"]).expect(0);
    let commands = docs::commands(&Project::load(&root()).unwrap());
    let page = commands
        .iter()
        .filter(|command| command.path == "docs/querying.md");
    let mut ran = 0;
    for command in page {
        let arguments = arguments(&command.text).unwrap();
        let finished = run(&scratch, &arguments);
        // A report of the last day has nothing to tell here, and says so.
        let is_report = arguments[0] == "report" && finished.stderr.starts_with("there are no ");
        let expected = if is_report { 1 } else { 0 };
        assert_eq!(
            finished.code,
            Some(expected),
            "{}\n{}",
            command.text,
            finished.stderr
        );
        ran += 1;
    }
    assert!(ran > 20, "only {ran} commands");
}

#[test]
fn views_and_functions_are_listed_as_the_page_has_them() {
    let scratch = Scratch::new();
    let page = fs::read_to_string(root().join("docs/querying.md")).unwrap();
    let listed = query(&scratch, &["--list", "--output", "ndjson"])
        .expect(0)
        .stdout;
    for line in listed.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap();
        if text("kind") != "table" {
            let line = format!("| `{}` | {} |\n", text("name"), text("what"));
            assert!(page.contains(&line), "docs/querying.md lacks {line}");
        }
    }
    assert!(
        query(&scratch, &["--list", "--output", "table"])
            .expect(0)
            .stdout
            .contains("cidr_match(network, address)")
    );
}

#[test]
fn files_are_asked_without_a_data_folder() {
    let scratch = Scratch::new();
    scratch.write("iis/u_ex1.log", IIS);
    scratch.write("nets.csv", "net,name\n192.0.2.0/24,test\n");
    let asked = query(
        &scratch,
        &[
            "--from",
            "iis=iis",
            "--from",
            "nets=nets.csv",
            "--output",
            "csv",
            "select c_ip, name, sc_status from iis join nets on cidr_match(net, c_ip)",
        ],
    )
    .expect(3);
    insta::assert_snapshot!(asked.stdout, @r"
    c_ip,name,sc_status
    192.0.2.7,test,500
    ");
    let said = asked.stderr.replace(
        &scratch.path().canonicalize().unwrap().display().to_string(),
        ".",
    );
    insta::assert_snapshot!(said, @"./iis/u_ex1.log: 1 could not be read and are not in the answer, the first at line 4: 2 values where #Fields names 6");
    let listed = query(
        &scratch,
        &["--from", "iis=iis", "--list", "--output", "csv"],
    )
    .expect(0)
    .stdout;
    assert!(
        listed.contains("table,iis,\"a W3C log, 1 file\"") && !listed.contains("view,"),
        "{listed}"
    );
    let later = query(
        &scratch,
        &[
            "--from",
            "iis=iis",
            "--from",
            "2026-11-21T10:00:02Z",
            "select count(*) n from iis",
        ],
    );
    insta::assert_snapshot!(later.expect(3).stdout, @r#"{"n":1}"#);
    assert!(!scratch.join(".local").exists(), "no data folder is made");
}

#[test]
fn what_cannot_be_answered_says_why_by_its_code() {
    let scratch = Scratch::new();
    scratch.write("a.log", IIS);
    let mut said = String::new();
    for (code, arguments) in [
        (2, &["--from", "iis=a.log", "select c_pi from iis"][..]),
        (2, &["--from", "iis=a.log", "select * from isi"]),
        (2, &["--from", "iis=a.log", "select *\nfrom iis were 1"]),
        (
            2,
            &["--from", "iis=a.log", "--output", "parquet", "select 1"],
        ),
        (2, &["--from", "a-b=a.log", "select 1"]),
        (1, &["--from", "iis=absent", "select 1"]),
        (
            1,
            &["--from", "iis=a.log", "select cast(c_ip as int) from iis"],
        ),
        (2, &["--output", "csv"]),
    ] {
        let finished = query(&scratch, arguments).expect(code);
        said.push_str(finished.stderr.lines().next().unwrap_or_default());
        said.push('\n');
    }
    insta::assert_snapshot!(said, @r#"
        error: there is no column "c_pi" (line 1, column 8); there are time, cs_method, cs_uri_stem, c_ip, sc_status
        error: there is no table "isi" (line 1, column 15); there are iis
        error: this is not SQL that can be read: Expected: end of statement, found: 1 (line 2, column 15, at "1")
        error: --output parquet is for a file: name it with --output-file
        error: --from a-b=a.log: expected NAME=PATH, the name of letters, digits and low lines
        error: cannot read absent: No such file or directory (os error 2)
        error: Cast error: Cannot cast string '10.0.0.1' to value of Int32 type
        error: the following required arguments were not provided:
        "#);
}

#[test]
fn a_query_ends_by_time_memory_and_interrupt() {
    let scratch = Scratch::new();
    scratch.write("a.log", IIS);
    // One row at a time, and without end.
    let endless =
        "with recursive t(n) as (select 1 union all select n % 7 from t) select max(n) from t";
    let timed = query(
        &scratch,
        &["--from", "iis=a.log", "--timeout", "200ms", endless],
    )
    .expect(1);
    assert!(
        timed.stderr.contains("longer than its 200ms"),
        "{}",
        timed.stderr
    );
    let eaten = query(
        &scratch,
        &["--from", "iis=a.log", "--max-memory", "8MiB", endless],
    )
    .expect(1);
    assert!(
        eaten.stderr.contains("more than 8 MiB (--max-memory)"),
        "{}",
        eaten.stderr
    );
    let mut running = Program::start(
        &scratch,
        "endless",
        &[
            "query",
            "--from",
            "iis=a.log",
            "--output-file",
            "out.csv",
            endless,
        ],
    );
    // The file without its name is there when signals are taken.
    wait_until("the query to begin", || {
        fs::read_dir(scratch.path()).unwrap().any(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(".tmp")
        })
    });
    assert!(running.is_running());
    running.signal(Signal::INT);
    running.finish().expect(130);
    let left: Vec<_> = fs::read_dir(scratch.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with(".tmp"))
        .collect();
    assert!(
        left.is_empty() && !scratch.join("out.csv").exists(),
        "{left:?}"
    );
}

#[test]
fn an_answer_is_a_file_when_it_is_whole() {
    let scratch = Scratch::new();
    scratch.write("a.log", IIS);
    scratch.write("out.parquet", "there already");
    query(
        &scratch,
        &[
            "--from",
            "iis=a.log",
            "--output-file",
            "out.parquet",
            "select cast(c_ip as int) from iis",
        ],
    )
    .expect(1);
    assert_eq!(
        fs::read_to_string(scratch.join("out.parquet")).unwrap(),
        "there already"
    );
    query(
        &scratch,
        &[
            "--from",
            "iis=a.log",
            "--output-file",
            "out.parquet",
            "select *, sc_status + 1 from iis",
        ],
    )
    .expect(3);
    let again = query(
        &scratch,
        &[
            "--from",
            "p=out.parquet",
            "select * from p where sc_status = 500",
        ],
    )
    .expect(0);
    insta::assert_snapshot!(again.stdout, @r#"{"time":"2026-11-21T10:00:02Z","cs_method":"GET","cs_uri_stem":"/b","c_ip":"192.0.2.7","sc_status":500,"sc_status + 1":501}"#);
    let plan = query(
        &scratch,
        &[
            "--from",
            "p=out.parquet",
            "--explain",
            "--output",
            "table",
            "select c_ip from p",
        ],
    )
    .expect(0);
    assert!(
        plan.stdout
            .starts_with("logical_plan\n  TableScan: p projection=[c_ip]\nphysical_plan\n"),
        "{}",
        plan.stdout
    );
}
