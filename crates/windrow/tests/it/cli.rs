//! The surface: exit codes, messages, and that nothing is printed where it does not belong.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::support::Scratch;
use crate::support::program::{Finished, run};

/// What a person saw: exit code, stdout, stderr, with the test's folder left out.
fn seen(scratch: &Scratch, arguments: &[&str]) -> String {
    let Finished {
        code,
        stdout,
        stderr,
    } = run(scratch, arguments);
    let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = format!("exit code: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
    text.replace(&scratch.path().display().to_string(), "HOME")
}

#[test]
fn a_wrong_configuration_is_shown_where_it_is_wrong() {
    let scratch = Scratch::new();
    scratch.write(
        "windrow.toml",
        "[sink.syslog.siem]\nserver_nam = \"siem\"\n",
    );
    insta::assert_snapshot!(seen(&scratch, &["run", "--config", "windrow.toml"]), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: unknown key `server_nam`
     --> windrow.toml:2:1
      |
    2 | server_nam = "siem"
      | ^^^^^^^^^^
      = expected one of enabled, server_name, port, transport, ca_file, client_certificate, client_key, skip_name_check, skip_certificate_check, fingerprint, framing, prefix, profile, product, cef_version, max_message_bytes, confirmation, output_severity, filter
    hint: did you mean `server_name`?
    "#);
}

#[test]
fn examples_stand_apart_from_what_they_do() {
    let scratch = Scratch::new();
    let help = run(&scratch, &["--help"]).expect(0).stdout;
    let mut columns: Vec<_> = help
        .lines()
        .filter(|line| line.starts_with("  windrow ") && !line.contains('"'))
        .map(|line| {
            let end = line[2..].find("  ").map(|at| at + 2);
            end.map(|end| end + line[end..].find(|c| c != ' ').unwrap())
        })
        .collect();
    assert!(columns.len() >= 3, "{help}");
    columns.dedup();
    assert_eq!(columns.len(), 1, "{help}");
    assert!(columns[0].is_some(), "{help}");
}

#[test]
fn a_configuration_of_another_encoding_is_named_with_its_line() {
    let scratch = Scratch::new();
    std::fs::write(scratch.join("windrow.toml"), b"# one\n# M\xfcller\n").unwrap();
    insta::assert_snapshot!(seen(&scratch, &["check", "--config", "windrow.toml"]), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: windrow.toml:2: this line is not UTF-8
    hint: save the file as UTF-8 without a byte order mark
    ");
}

#[test]
fn what_only_imports_have_filled_has_no_journal_to_prove() {
    let scratch = Scratch::new();
    scratch.write("data/VERSION", "1\n");
    let data = scratch.join("data");
    std::fs::create_dir(data.join("journal")).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    insta::assert_snapshot!(seen(&scratch, &["verify", "--data-dir", "data"]), @r"
    exit code: 1
    --- stdout
    --- stderr
    error: data/journal holds no journal yet
    hint: a journal is made when `windrow run` starts for the first time
    ");
}

#[test]
fn a_file_is_no_data_folder() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    let arguments = ["query", "--data-dir", "file", "select 1"];
    insta::assert_snapshot!(seen(&scratch, &arguments), @r"
    exit code: 1
    --- stdout
    --- stderr
    error: file is a file, and no folder
    ");
}

#[test]
fn wrong_usage_names_the_right_word() {
    let scratch = Scratch::new();
    insta::assert_snapshot!(seen(&scratch, &["improt", "a.evtx"]), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'improt'

      tip: a similar subcommand exists: 'import'

    Usage: windrow [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(seen(&scratch, &["query", "--from", "yesterday", "select 1"]), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: --from yesterday: expected a time such as 2026-11-21T08:00:00Z, a date such as 2026-11-21, or a span such as 24h
    ");
    run(&scratch, &["report", "distribution", "--bucket", "0s"]).expect(2);
}

#[test]
fn without_a_configuration_the_service_says_how_to_begin() {
    let scratch = Scratch::new();
    let text = seen(&scratch, &["run"]);
    assert!(text.contains("exit code: 2"), "{text}");
    assert!(text.contains("hint: name one with --config"), "{text}");
}

#[test]
fn the_example_is_a_configuration() {
    let scratch = Scratch::new();
    let example = run(&scratch, &["config", "example"]).expect(0).stdout;
    scratch.write("windrow.toml", &example);
    let shown = run(&scratch, &["config", "show", "--config", "windrow.toml"]).expect(0);
    assert!(
        shown
            .stdout
            .contains("hostname = \"collector.example.com\""),
        "{}",
        shown.stdout
    );
}

#[test]
fn check_names_what_is_wrong_with_its_cure() {
    let scratch = Scratch::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!(
        "data_dir = \"data\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n[journal]\nquota = \"64 MiB\"\n"
    );
    scratch.write("windrow.toml", &text);
    let finished = run(
        &scratch,
        &["check", "--config", "windrow.toml", "--output", "json"],
    )
    .expect(1);
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["failed"], 1, "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let web = checks
        .iter()
        .find(|check| check["what"] == "web port")
        .unwrap();
    assert_eq!(web["outcome"], "failed");
    assert!(
        web["cure"]
            .as_str()
            .unwrap()
            .contains("choose another port"),
        "{web}"
    );

    drop(taken);
    run(&scratch, &["check", "--config", "windrow.toml"]).expect(0);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scratch = Scratch::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .args(["completions", "bash"])
        .env("HOME", scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn completions_and_manual_pages_are_made_for_every_shell_and_command() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&scratch, &["completions", shell]).expect(0).stdout;
        assert!(script.contains("distribution"), "{shell}");
    }
    let page = run(&scratch, &["man"]).expect(0).stdout;
    assert!(page.starts_with(".ie"), "{}", &page[..80]);
    run(&scratch, &["man", "pages"]).expect(0);
    let pages = std::fs::read_dir(scratch.join("pages")).unwrap();
    let mut pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    assert!(pages.all(|page| !page.contains("help")));
    for page in [
        "windrow.1",
        "windrow-import.1",
        "windrow-report-distribution.1",
    ] {
        assert!(scratch.join("pages").join(page).is_file(), "{page}");
    }
}

#[test]
fn colours_are_for_who_asks() {
    let scratch = Scratch::new();
    let plain = run(&scratch, &["query", "--from", "yesterday", "select 1"]).stderr;
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn a_data_folder_of_a_later_program_is_refused() {
    let scratch = Scratch::new();
    scratch.write("data/VERSION", "99\n");
    let data = scratch.join("data");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    insta::assert_snapshot!(seen(&scratch, &["verify", "--data-dir", "data"]), @r"
    exit code: 1
    --- stdout
    --- stderr
    error: data has layout version 99, and this windrow knows none after 1: use the windrow that wrote it, or a later one
    ");
}

#[test]
fn a_service_that_cannot_start_says_so_in_one_line() {
    let scratch = Scratch::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("data_dir = \"data\"\n[web]\nlisten = \"{address}\"\n");
    scratch.write("windrow.toml", &text);
    let finished = run(&scratch, &["run", "--config", "windrow.toml"]).expect(1);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    let last = finished.stderr.lines().last().unwrap();
    assert!(
        last.starts_with(&format!("error: [web] cannot listen at {address}")),
        "{last}"
    );
}
