//! CPU of receiving: from TLS or Kerberos to the acknowledgement of a batch that is on disk, what of it
//! goes where, and what a large fleet takes.
//!
//! ```text
//! cargo run --release -p windrow-pipeline --example bench_wef
//! ```
//!
//! Machines send batches of events of about 1.4 kB as Windows does: UTF-16, SLDC, over mutual TLS with a
//! certificate each, or sealed by Kerberos, one batch at a time. Each run is a collector in a process of
//! its own, and the machines in another one, so that time and memory are those of the collector alone.
//! Its time counts from before the first connection. Every machine comes from an address on loopback
//! that few share, so that the usual limits hold.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod collector;
mod events;
mod machines;
mod pki;
mod stages;

use std::path::Path;
use std::process::Command;

use rustix::time::{ClockId, clock_gettime};

/// Events of a batch, unless a case says otherwise.
const BATCH: usize = 50;

/// Runs of each case; the best of them counts.
const RUNS: usize = 3;

/// The largest fleet.
const MACHINES_MAX: usize = 2_000;

/// How machines prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Certificates,
    Tickets,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Certificates => "certificates",
            Way::Tickets => "tickets",
        }
    }

    fn named(name: &str) -> Way {
        match name {
            "certificates" => Way::Certificates,
            _ => Way::Tickets,
        }
    }
}

/// A fleet, and what it sends.
#[derive(Debug, Clone, Copy)]
struct Case {
    what: &'static str,
    way: Way,
    machines: usize,
    /// Events of a batch.
    batch: usize,
    /// Batches of each machine.
    batches: usize,
}

const fn case(what: &'static str, way: Way, machines: usize, batch: usize, batches: usize) -> Case {
    Case {
        what,
        way,
        machines,
        batch,
        batches,
    }
}

const CASES: [Case; 6] = [
    case(
        "wef to durable acknowledgement, 50 machines",
        Way::Certificates,
        50,
        BATCH,
        60,
    ),
    case(
        "wef, 5 events a batch, 50 machines",
        Way::Certificates,
        50,
        5,
        600,
    ),
    case("wef by Kerberos, 50 machines", Way::Tickets, 50, BATCH, 60),
    case(
        "wef by Kerberos, one machine",
        Way::Tickets,
        1,
        BATCH,
        3_000,
    ),
    case("wef, 500 machines", Way::Certificates, 500, BATCH, 12),
    case(
        "wef, 2,000 machines",
        Way::Certificates,
        MACHINES_MAX,
        BATCH,
        6,
    ),
];

impl Case {
    fn events(&self) -> usize {
        self.machines * self.batch * self.batches
    }

    /// As arguments of a process.
    fn words(&self) -> [String; 4] {
        let [machines, batch, batches] = [self.machines, self.batch, self.batches];
        let way = self.way.name().to_owned();
        [
            way,
            machines.to_string(),
            batch.to_string(),
            batches.to_string(),
        ]
    }

    fn of_words(words: &[String]) -> Case {
        let number = |place: usize| words[place].parse().unwrap();
        case("", Way::named(&words[0]), number(1), number(2), number(3))
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    /// CPU of the collector.
    cpu_seconds: f64,
    /// From the first batch to the last acknowledgement.
    seconds: f64,
    /// Answers that were no acknowledgement.
    refused: u64,
    /// Events that came again.
    twice: u64,
    /// Memory when all are connected and nothing was sent, and the most of all.
    connected_kib: u64,
    peak_kib: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [role, folder, address, words @ ..] if role == "machines" => {
            let address = address.parse().unwrap();
            machines::run(address, Path::new(folder), Case::of_words(words));
        }
        [role, folder, words @ ..] if role == "collector" => {
            let outcome = collector::run(Path::new(folder), Case::of_words(words));
            println!("{}", outcome.to_line());
        }
        chosen => measure(chosen),
    }
}

/// Runs all cases, or those whose name contains one of `chosen`, and says what they come to.
fn measure(chosen: &[String]) {
    let clear = events::bodies(1, BATCH);
    let compressed = events::bodies_sldc(1, BATCH);
    println!(
        "{BATCH} events a batch, {} bytes an event, {} as UTF-16, {} as SLDC",
        clear[0].0 / BATCH,
        clear[0].1.len() / BATCH,
        compressed[0].len() / BATCH
    );
    if chosen.is_empty() {
        stages::stages(&compressed[0]);
        stages::unsealing(&compressed[0]);
    }
    let folder = tempfile::tempdir().unwrap();
    pki::make_pki(folder.path(), MACHINES_MAX);
    pki::make_keytab(&folder.path().join("keytab"));
    let is_chosen = |case: &&Case| {
        chosen.is_empty() || chosen.iter().any(|part| case.what.contains(part.as_str()))
    };
    let mut rows = Vec::new();
    for case in CASES.iter().filter(is_chosen) {
        let runs: Vec<Outcome> = (0..RUNS).map(|_| collect(folder.path(), *case)).collect();
        let best = runs
            .iter()
            .map(|run| run.cpu_seconds)
            .fold(f64::MAX, f64::min);
        let seconds = best * 1e6 / case.events() as f64;
        println!("  {seconds:6.3} s per million  {}", case.what);
        rows.push(row(case, &runs));
    }
    println!(
        "\n| fleet | acknowledgements/s | not acknowledged | events twice | MiB connected | MiB at most |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    rows.iter().for_each(|row| println!("{row}"));
}

/// The most of the runs, but of the acknowledgements the best.
fn row(case: &Case, runs: &[Outcome]) -> String {
    let most = |of: fn(&Outcome) -> u64| runs.iter().map(of).max().unwrap_or(0);
    let fastest = runs.iter().map(|run| run.seconds).fold(f64::MAX, f64::min);
    let rate = (case.machines * case.batches) as f64 / fastest;
    format!(
        "| {}, {} a batch | {rate:.0} | {} | {} | {} | {} |",
        case.what,
        case.batch,
        most(|run| run.refused),
        most(|run| run.twice),
        most(|run| run.connected_kib) >> 10,
        most(|run| run.peak_kib) >> 10,
    )
}

/// One run, in a process of its own.
fn collect(folder: &Path, case: Case) -> Outcome {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("collector")
        .arg(folder)
        .args(case.words())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Outcome::of_line(&String::from_utf8(output.stdout).unwrap())
}

impl Outcome {
    fn to_line(self) -> String {
        let Outcome {
            cpu_seconds,
            seconds,
            refused,
            twice,
            connected_kib,
            peak_kib,
        } = self;
        format!("{cpu_seconds} {seconds} {refused} {twice} {connected_kib} {peak_kib}")
    }

    fn of_line(line: &str) -> Outcome {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |place: usize| words[place].parse().unwrap();
        Outcome {
            cpu_seconds: words[0].parse().unwrap(),
            seconds: words[1].parse().unwrap(),
            refused: number(2),
            twice: number(3),
            connected_kib: number(4),
            peak_kib: number(5),
        }
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
