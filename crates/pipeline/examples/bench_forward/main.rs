//! CPU seconds per million messages of what forwards them, side by side in one run: windrow,
//! rsyslog, syslog-ng, and the socket alone.
//!
//! ```sh
//! cargo run --release -p windrow-pipeline --example bench_forward [EVENTS [ROUNDS]]
//! ```
//!
//! Each forwarder is a process of its own, and so is the receiver, which counts lines and is not
//! measured. windrow reads its journal and makes the messages; the others read a file of the
//! messages that windrow would send and pass them on as they are, which is less than what they
//! do by default. All of them send lines over one connection.
//!
//! What counts is user and system time of the forwarder's process with its threads, from the
//! first byte that arrives to the last. The forwarders take turns, and the median of the rounds
//! is said.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod forwarders;
mod input;
/// The tests of the program start it with the same command.
#[path = "../../../windrow/tests/it/support/syslog_ng/installed.rs"]
#[expect(clippy::disallowed_methods, reason = "where ./test unpacks it")]
mod installed;
mod peers;
mod receiver;

use std::path::Path;

use forwarders::{Forwarder, Transport};
use receiver::Receiver;

const EVENTS: u64 = 300_000;
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["receive", lines, folder, transport] => {
            receiver::receive(lines.parse().unwrap(), Path::new(folder), transport.into());
        }
        ["windrow", folder, port, transport, profile, name] => forwarders::windrow(
            Path::new(folder),
            port.parse().unwrap(),
            transport.into(),
            profile,
            name,
        ),
        ["socket", folder, port, transport, lines] => forwarders::socket(
            Path::new(folder),
            port.parse().unwrap(),
            transport.into(),
            lines.parse().unwrap(),
        ),
        _ => {
            let number = |place: usize| words.get(place).map(|word| word.parse().unwrap());
            measure(
                number(0).unwrap_or(EVENTS),
                number(1).map_or(ROUNDS, |rounds| rounds as usize),
            );
        }
    }
}

fn measure(events: u64, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let made = input::make(folder.path(), events);
    println!(
        "forward: {events} logons of {} bytes, {} bytes as a message of azure-stack, {} of standard, {rounds} rounds",
        made.event_bytes, made.azure_stack_bytes, made.standard_bytes
    );
    let mut measured: Vec<(Forwarder, Transport, Vec<f64>)> = Vec::new();
    for transport in [Transport::Tcp, Transport::Tls] {
        for forwarder in Forwarder::all() {
            measured.push((forwarder, transport, Vec::new()));
        }
    }
    for round in 0..rounds {
        for (forwarder, transport, seconds) in &mut measured {
            let run = format!("{round}-{forwarder:?}-{transport:?}");
            seconds.push(once(*forwarder, *transport, folder.path(), events, &run));
        }
    }
    for (forwarder, transport, seconds) in &measured {
        let ours = measured
            .iter()
            .find(|(other, over, _)| *other == Forwarder::AzureStack && over == transport);
        let ratios = ours.map_or_else(Vec::new, |(_, _, ours)| {
            seconds
                .iter()
                .zip(ours)
                .map(|(one, ours)| one / ours)
                .collect()
        });
        say(
            &format!("{} to {transport:?}", forwarder.name()),
            seconds,
            &ratios,
        );
    }
}

fn say(what: &str, seconds: &[f64], ratios: &[f64]) {
    let what = what.to_lowercase();
    let low = seconds.iter().copied().fold(f64::MAX, f64::min);
    let high = seconds.iter().copied().fold(0.0, f64::max);
    let rounds = seconds.len();
    println!(
        "  {:6.3} s per million  {what} ({low:.3} to {high:.3} in {rounds} runs)",
        median(seconds)
    );
    println!("    {:.2} times windrow, azure-stack", median(ratios));
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// One forwarder's run; CPU seconds for a million messages.
fn once(forwarder: Forwarder, transport: Transport, folder: &Path, events: u64, run: &str) -> f64 {
    let mut receiver = Receiver::start(events, folder, transport);
    let own = folder.join(run);
    std::fs::create_dir(&own).unwrap();
    let mut command = forwarder.command(transport, receiver.port, folder, &own, events);
    let log = std::fs::File::create(own.join("log")).unwrap();
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let ended = || {
        let log = std::fs::read_to_string(own.join("log")).unwrap_or_default();
        panic!("{run}: not all messages arrived: {log}");
    };
    let begun = receiver.begun().then(|| cpu_seconds(child.id()));
    let arrived = receiver.arrived().then(|| cpu_seconds(child.id()));
    let _ = child.kill();
    let _ = child.wait();
    match (begun, arrived) {
        (Some(begun), Some(arrived)) => (arrived - begun) * 1e6 / events as f64,
        _ => ended(),
    }
}

/// User and system time of a process, its threads included (proc(5), `/proc/pid/stat`).
fn cpu_seconds(process: u32) -> f64 {
    // Linux counts them in hundredths of a second for programs, whatever its own clock.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name may hold spaces and ends with the last bracket; the third field follows.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let mut times = fields
        .split(' ')
        .skip(11)
        .map(|field| field.parse::<f64>().unwrap());
    (times.next().unwrap() + times.next().unwrap()) / TICKS
}
