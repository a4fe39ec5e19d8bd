//! Subscriptions that people have published, where a folder of them is at hand; and the page that
//! tells what was found in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;

const PAGE: &str = include_str!("../../../../../../docs/subscriptions.md");

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn folder() -> PathBuf {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    root.join("wef-subscriptions")
}

/// Files below a folder, as `folder/name`.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root).into_iter().flatten() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push((name.to_owned(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// What was found, what follows from it, and where: file and line.
type Findings = BTreeMap<String, (String, Vec<(String, usize)>)>;

/// A finding for the page, its particulars aside, and what follows from it; none where the file
/// merely says something that has its home elsewhere here.
fn finding(note: &Note) -> Option<(String, &'static str)> {
    let (found, follows) = match note {
        Note::Query(Doubt::Capitals) => ("an operator in capitals", "taken; write it small"),
        Note::Query(doubt) => return Some((doubt.to_string(), "taken")),
        Note::DirectChannel(channel) => {
            let found = format!("`{channel}`, a channel that Windows does not forward");
            return Some((found, "taken; it brings nothing, the rest comes"));
        }
        Note::SmallBatches(1) => (
            "each event alone (`MaxItems` 1)",
            "taken; a request for each event",
        ),
        Note::SmallBatches(_) => (
            "few events a batch (`MaxItems` below 10)",
            "taken; many requests",
        ),
        Note::FrequentHeartbeat(_) => ("a heartbeat of less than a minute", "taken"),
        Note::NoMachines => (
            "no machines are named",
            "for every machine, unless you say which",
        ),
        Note::LogFile(_) | Note::Publisher(_) | Note::Transport(_) => return None,
        other => return Some((other.to_string(), "noted")),
    };
    Some((found.to_owned(), follows))
}

/// Few places one by one, many by folder.
fn places(places: &[(String, usize)]) -> String {
    if places.len() <= 4 {
        let each = places
            .iter()
            .map(|(file, line)| format!("{file} line {line}"));
        return each.collect::<Vec<_>>().join(", ");
    }
    let mut folders = BTreeMap::new();
    for (file, _) in places {
        *folders.entry(file.split('/').next().unwrap()).or_insert(0) += 1;
    }
    let each = folders
        .iter()
        .map(|(folder, count)| format!("{count} files of {folder}"));
    each.collect::<Vec<_>>().join(", ")
}

fn table(findings: &Findings) -> String {
    let mut table = String::from("| what | where | what happens |\n|---|---|---|\n");
    for (found, (follows, at)) in findings {
        writeln!(table, "| {found} | {} | {follows} |", places(at)).unwrap();
    }
    table
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn published_subscriptions_are_read_or_their_fault_is_named() {
    let files = files(&folder());
    if files.is_empty() {
        eprintln!("skipped: no corpus at {}", folder().display());
        return;
    }
    let (mut subscriptions, mut query_lists, mut faults) = (0, 0, BTreeMap::new());
    let mut findings = Findings::new();
    let mut add = |found: String, follows: &str, file: &str, line| {
        let finding = findings
            .entry(found)
            .or_insert((follows.to_owned(), Vec::new()));
        finding.1.push((file.to_owned(), line));
    };
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".xml")) {
        match read(bytes) {
            Ok(reading) => {
                match &reading.document {
                    Document::Subscription(subscription) => {
                        subscriptions += 1;
                        assert_ne!(subscription.machines().include, Include::Unknown, "{name}");
                        let again = read(write(subscription).as_bytes()).unwrap();
                        assert_eq!(again.document, reading.document, "{name}");
                    }
                    Document::QueryList(_) => query_lists += 1,
                }
                for noted in &reading.notes {
                    if let Some((found, follows)) = finding(&noted.note) {
                        add(found, follows, name, noted.at.line);
                    }
                }
            }
            Err(error) => {
                *faults.entry(error.fault.to_string()).or_insert(0) += 1;
                add(
                    format!("**{}**", error.fault),
                    "refused",
                    name,
                    error.at.line,
                );
            }
        }
    }
    assert_eq!((subscriptions, query_lists), (60, 5));
    let lone = "in the query: brackets stand behind * or a name: write *[…] or Event[…]";
    assert_eq!(faults, BTreeMap::from([(lone.to_owned(), 1)]));
    let table = table(&findings);
    assert!(
        PAGE.contains(&table),
        "docs/subscriptions.md has to have:\n{table}"
    );
}
