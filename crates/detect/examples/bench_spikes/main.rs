//! How well spikes are found, beside plain detectors, and what following 50,000 series costs.
//!
//! ```sh
//! cargo run --release -p windrow-detect --example bench_spikes [--python PYTHON] [SEEDS]
//! ```
//!
//! PYTHON needs numpy and scipy, with which `simulation.py` makes the series and scores them by detectors that are widely
//! used; without one only the cost is measured. The series of the Numenta benchmark are scored too where they are at hand
//! (`WINDROW_CORPUS`).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

mod cost;
mod nab;
mod recall;

const SEEDS: u64 = 6;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let place = words.iter().position(|word| word == "--python");
    let python = place.map(|place| words.drain(place..=place + 1).nth(1).unwrap());
    let seeds = words.first().map_or(SEEDS, |seeds| seeds.parse().unwrap());
    cost::measure();
    match python {
        Some(python) => recall::measure(&python, seeds),
        None => eprintln!("no --python: nothing is simulated"),
    }
    nab::measure();
}
