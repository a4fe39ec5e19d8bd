//! What the benchmarks of this crate share: what a process used, and events of their own making.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod mix;

/// User and system time of all threads, those that ended too, to a hundredth. (A crate that reads the clock itself would
/// switch on features under DataFusion, and have all of it built again for this.)
pub(crate) fn cpu_seconds() -> f64 {
    ticks(11)
}

/// The same of the processes that were waited for.
pub(crate) fn children_cpu_seconds() -> f64 {
    ticks(13)
}

fn ticks(place: usize) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let numbers = after_name.split_whitespace().skip(place).take(2);
    let ticks: u64 = numbers.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// The most memory that this process had at once, in MiB.
pub(crate) fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() / 1024
}

/// CPU seconds of one time of what is done: the least of so many rounds. What is short is done ten times a round, since
/// the clock has hundredths.
pub(crate) async fn least_seconds(rounds: usize, mut what: impl AsyncFnMut()) -> f64 {
    let start = cpu_seconds();
    what().await;
    let times = if cpu_seconds() - start > 0.2 { 1 } else { 10 };
    let mut least = f64::MAX;
    for _ in 0..rounds {
        let start = cpu_seconds();
        for _ in 0..times {
            what().await;
        }
        least = least.min((cpu_seconds() - start) / f64::from(times));
    }
    least
}

/// The word after `--python`, and the other words.
pub(crate) fn arguments() -> (Option<String>, Vec<String>) {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let Some(place) = words.iter().position(|word| word == "--python") else {
        return (None, words);
    };
    let mut taken = words.drain(place..=place + 1);
    let python = taken.nth(1);
    drop(taken);
    (python, words)
}
