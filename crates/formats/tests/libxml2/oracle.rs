//! Asking libxml2, through Python's lxml.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use windrow_formats::event::{Event, Index, parse};
use windrow_formats::xpath::Expression;

/// A query as it was written, and as we read it.
pub(crate) type Query = (String, Expression);

/// What the script takes for now.
const NOW: &str = "2026-03-14T14:00:00Z";

fn script() -> Command {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", include_str!("answer.py")]);
    python
}

/// Whether libxml2 can be asked; says so when not.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
#[expect(
    clippy::disallowed_methods,
    reason = "where the tests run is said by a variable"
)]
pub(crate) fn is_here() -> bool {
    let mut python = Command::new("/usr/bin/python3");
    let found = python.args(["-c", "import lxml.etree"]).output();
    let is_here = found.is_ok_and(|output| output.status.success());
    // In CI everything is installed first, and a skipped test would look like a passed one.
    assert!(
        is_here || std::env::var_os("CI").is_none(),
        "/usr/bin/python3 has no lxml"
    );
    if !is_here {
        eprintln!("skipped: no lxml for /usr/bin/python3 (Debian: python3-lxml)");
    }
    is_here
}

/// The XML files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A line for each query, a character for each event.
fn answers(queries: &[Query], events: &[String]) -> Vec<String> {
    let mut input = queries.len().to_string();
    for (query, expression) in queries {
        input.push_str(&format!("\0{query}\u{1}{expression}"));
    }
    for event in events {
        input.push('\0');
        input.push_str(&event.replace('\0', ""));
    }
    let mut child = script()
        .arg("answer")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The script reads everything before it writes anything.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// Compares every query on every event; how many answers were compared, and how many of them
/// were yes.
pub(crate) fn compare(queries: &[Query], events: &[String]) -> (usize, usize) {
    let now = NOW.parse().unwrap();
    let mut indexes = vec![Index::new(); events.len()];
    for (event, index) in events.iter().zip(&mut indexes) {
        let _ = parse(event, index);
    }
    let (mut compared, mut selected) = (0, 0);
    let mut differences = Vec::new();
    let answers = answers(queries, events);
    assert_eq!(answers.len(), queries.len());
    for ((query, expression), answers) in queries.iter().zip(answers) {
        assert_ne!(answers, "!", "libxml2 does not take {expression}");
        for ((event, index), answer) in events.iter().zip(&indexes).zip(answers.chars()) {
            let ours = expression.matches(Event::new(event, index), now);
            match answer {
                'x' => continue,
                answer if ours != (answer == '1') => differences.push((query, event, ours)),
                _ => {}
            }
            compared += 1;
            selected += usize::from(ours);
        }
    }
    let first: Vec<_> = differences.iter().take(5).collect();
    assert!(
        differences.is_empty(),
        "{} differences: {first:#?}",
        differences.len()
    );
    (compared, selected)
}

/// The Selects and Suppresses of published subscriptions and query lists.
pub(crate) fn published(lists: &[PathBuf]) -> Vec<Query> {
    let output = script().arg("queries").args(lists).output().unwrap();
    assert!(output.status.success());
    let texts = String::from_utf8(output.stdout).unwrap();
    let texts: Vec<_> = texts.split('\0').collect();
    let queries: Vec<_> = texts
        .iter()
        .filter_map(|text| Some(((*text).to_owned(), Expression::compile(text).ok()?)))
        .collect();
    // One is broken where it was published: `[System[…]]` without the star.
    assert_eq!(queries.len() + 1, texts.len());
    queries
}
