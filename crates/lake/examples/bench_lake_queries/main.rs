//! CPU seconds of six queries over five million events in Parquet, of this engine and of DuckDB, side by side in one run.
//!
//! ```sh
//! cargo run --release -p windrow-lake --example bench_lake_queries [--python PYTHON] [EVENTS | FOLDER]
//! ```
//!
//! The events are of its own making (`common/mix.rs`), or what FOLDER has. The files are asked directly, as `windrow query
//! --from events=FOLDER` does. Each engine is a process of its own, which is asked each query once before it is measured, so
//! that neither its start nor the disk counts; the two take turns, and the least of the rounds is told. Both write their
//! answers as CSV, and the answers must be the same. PYTHON needs DuckDB from PyPI; without one, DuckDB is left out.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::large_futures
)]

#[path = "../common/mod.rs"]
mod common;
mod data;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use windrow_lake::{EventFiles, Files, Format, Given, Layout, QueryLimits, Source};

const EVENTS: usize = 5_000_000;
const ROUNDS: usize = 3;
const QUERIES: &str = include_str!("queries.sql");
/// What our CPU may be at most, as a multiple of the peer's: of all queries together, and of each that is no trifle.
const IN_SUM: f64 = 1.1;
const OF_EACH: f64 = 1.6;
const TRIFLE_S: f64 = 0.05;
const MEMORY_MIB: u64 = 250;

/// There is no EVTX here.
#[derive(Debug)]
struct NoEvents;

impl EventFiles for NoEvents {
    fn read(&self, _: &Path, _: &mut Given<'_, '_>) -> io::Result<()> {
        Ok(())
    }
}

/// What one engine said.
#[derive(Default)]
struct Said {
    /// By query: name, CPU seconds, rows.
    queries: Vec<(String, f64, u64)>,
    memory_mib: u64,
    version: String,
}

fn main() {
    let (python, words) = common::arguments();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["ours", folder, answers] => ask(Path::new(folder), Path::new(answers)),
        [folder] if Path::new(folder).is_dir() => compare(Path::new(folder), python.as_deref()),
        _ => {
            let events = words.first().map_or(EVENTS, |count| count.parse().unwrap());
            let folder = tempfile::tempdir().unwrap();
            let start = common::cpu_seconds();
            let bytes = data::write(folder.path(), events);
            println!(
                "lake queries: {events} events, {:.1} bytes each, made and written at {:.1} s a million",
                bytes as f64 / events as f64,
                (common::cpu_seconds() - start) * 1e6 / events as f64
            );
            compare(folder.path(), python.as_deref());
        }
    }
}

fn queries() -> impl Iterator<Item = (&'static str, &'static str)> {
    QUERIES.split("-- ").skip(1).map(|part| {
        let (title, sql) = part.split_once('\n').unwrap();
        (title, sql)
    })
}

/// The process that is measured.
#[tokio::main(flavor = "multi_thread")]
async fn ask(folder: &Path, answers: &Path) {
    let source = Source {
        name: "events".to_owned(),
        path: folder.to_owned(),
    };
    let files = Files::find(&[source], Arc::new(NoEvents)).unwrap();
    for (title, sql) in queries() {
        let name = title.split(' ').next().unwrap();
        let mut file = std::fs::File::create(answers.join(format!("{name}.csv"))).unwrap();
        let written = answer(&files, sql, &mut file).await;
        let seconds = common::least_seconds(1, async || {
            answer(&files, sql, &mut io::sink()).await;
        });
        println!("{name}\t{:.4}\t{written}", seconds.await);
    }
    println!("memory\t{}\t", common::peak_mib());
}

async fn answer(files: &Files, sql: &str, into: &mut (dyn io::Write + Send)) -> u64 {
    let output = files.query(sql, QueryLimits::default()).await.unwrap();
    let layout = Layout::default();
    output.write(Format::Csv, &layout, into).await.unwrap().rows
}

fn compare(folder: &Path, python: Option<&str>) {
    let answers = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bench_lake_queries");
    let (mut ours, mut peer) = (Said::default(), None);
    for _ in 0..ROUNDS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("ours").arg(folder).arg(answers.path());
        ours.take(&said_by(&mut command));
        let Some(python) = python else {
            continue;
        };
        let mut command = Command::new(python);
        command.arg(here.join("peer.py")).arg(folder);
        command.arg(here.join("queries.sql")).arg(answers.path());
        peer.get_or_insert_with(Said::default)
            .take(&said_by(&mut command));
    }
    match peer {
        Some(peer) => print_both(&ours, &peer),
        None => {
            eprintln!("no --python: DuckDB is left out");
            print_ours(&ours);
        }
    }
    io::stdout().flush().unwrap();
}

fn said_by(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

impl Said {
    /// Takes over what is less than in the rounds before, and of memory what is more.
    fn take(&mut self, lines: &str) {
        for line in lines.lines() {
            let mut words = line.split('\t');
            let (name, value) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap();
            if name == "memory" {
                self.memory_mib = self.memory_mib.max(value.parse().unwrap());
                self.version = rest.to_owned();
                continue;
            }
            assert_ne!(words.next(), Some("differs"), "{name} has another answer");
            let (seconds, rows) = (value.parse().unwrap(), rest.parse().unwrap());
            match self.queries.iter_mut().find(|query| query.0 == name) {
                Some(known) => known.1 = known.1.min(seconds),
                None => self.queries.push((name.to_owned(), seconds, rows)),
            }
        }
    }

    fn sum(&self) -> f64 {
        self.queries.iter().map(|query| query.1).sum()
    }
}

fn print_both(ours: &Said, peer: &Said) {
    let held = |is_held: bool| if is_held { "" } else { " (missed)" };
    println!(
        "\n| query | rows | windrow, CPU s | DuckDB {}, CPU s | ratio | meant at most |\n|---|---:|---:|---:|---:|---:|",
        peer.version
    );
    let both = ours.queries.iter().zip(&peer.queries);
    for (((name, mine, rows), (_, other, other_rows)), (title, _)) in both.zip(queries()) {
        assert_eq!(rows, other_rows, "{name}");
        let ratio = mine / other;
        let aim = match *other > TRIFLE_S || *mine > TRIFLE_S {
            true => format!("{OF_EACH}{}", held(ratio <= OF_EACH)),
            false => String::new(),
        };
        println!("| {title} | {rows} | {mine:.3} | {other:.3} | {ratio:.2} | {aim} |");
    }
    let (mine, other) = (ours.sum(), peer.sum());
    let ratio = mine / other;
    println!(
        "| all six | | {mine:.2} | {other:.2} | {ratio:.2} | {IN_SUM}{} |",
        held(ratio <= IN_SUM)
    );
    println!(
        "| most memory, MiB | | {} | {} | | {MEMORY_MIB}{} |",
        ours.memory_mib,
        peer.memory_mib,
        held(ours.memory_mib <= MEMORY_MIB)
    );
}

fn print_ours(ours: &Said) {
    println!("\n| query | rows | windrow, CPU s |\n|---|---:|---:|");
    for ((_, seconds, rows), (title, _)) in ours.queries.iter().zip(queries()) {
        println!("| {title} | {rows} | {seconds:.3} |");
    }
    println!("| all six | | {:.2} |", ours.sum());
    println!("| most memory, MiB | | {} |", ours.memory_mib);
}
