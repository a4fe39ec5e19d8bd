//! CPU seconds per million Events for the whole of `windrow import`: EVTX files read, turned into XML, parsed, made
//! rows, looked up, written as Parquet and committed.
//!
//! ```sh
//! cargo run --release -p windrow --example bench_import [PATH…]
//! ```
//!
//! Without paths it takes the EVTX files of the corpus (`WINDROW_CORPUS`), if that is at hand. Each round is an import
//! into a lake of its own, so opening a lake and starting a runtime are in the figure: few Events cost more each. So do
//! many days, since each is a file of the lake.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use clap::Parser as _;
use windrow::cli::{self, Cli};
use windrow::config::Environment;
use windrow::exit::Code;
use windrow_lake::Lake;

const ROUNDS: usize = 5;

fn main() {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.extend(corpus());
    }
    if paths.is_empty() {
        println!("no EVTX files given, no import measured");
        return;
    }
    let mut rounds: Vec<(f64, u64, u64)> = (0..ROUNDS).map(|_| import(&paths)).collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (seconds, events, files) = rounds[ROUNDS / 2];
    let per_million = seconds * 1e6 / events as f64;
    println!("{per_million:6.3} s per million  evtx to lake ({events} events, {files} days)");
}

/// CPU seconds of an import into a new lake, the Events in it, and its data files: one a day, or a few.
fn import(paths: &[PathBuf]) -> (f64, u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("windrow.toml");
    let data = dir.path().join("data");
    std::fs::write(&config, format!("data_dir = {:?}\n", data.display())).unwrap();
    let mut words = vec!["windrow".into(), "--config".into(), config.into_os_string()];
    words.push("import".into());
    words.extend(paths.iter().map(|path| path.clone().into_os_string()));
    let cli = Cli::try_parse_from(words).unwrap();
    let start = cpu_seconds();
    let ended = cli::run(cli, Environment::read());
    assert!(matches!(ended, Code::Ok | Code::Partial), "{ended:?}");
    let took = cpu_seconds() - start;
    let extent = async { Lake::open(&data.join("lake")).await?.extent().await };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let extent = runtime.block_on(extent).unwrap();
    (took, extent.rows, extent.files)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn corpus() -> Option<PathBuf> {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    Some(root.join("evtx")).filter(|folder| folder.is_dir())
}

/// User and system time of all threads, to a hundredth.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum::<u64>() as f64
        / 100.0
}
