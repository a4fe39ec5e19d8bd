//! How many simulated bursts are found, by four kinds of noise.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use windrow_detect::spikes::{Budget, Direction, Flag, Fleet, Series, Step, Width};

/// Noise, what it is called, and the share of bursts that is to be found in it.
const NOISES: [(&str, &str, f64); 4] = [
    ("nb", "negative-binomial", 0.78),
    ("lognormal", "lognormal", 0.70),
    ("ar", "autocorrelated", 0.47),
    ("poisson", "Poisson", 0.93),
];
const WIDTH: Width = Width::FiveMinutes;
/// A Monday, in buckets since 1970.
const MONDAY: i64 = 4 * 288;
const TEST_DAYS: usize = 14;
/// Buckets of a burst.
const BURST: usize = 3;

/// Series with bursts in them.
struct Simulated {
    counts: Vec<Vec<u64>>,
    /// Series and first bucket of each.
    bursts: Vec<(usize, usize)>,
    /// Where a burst is, or was a moment ago.
    near: Vec<Vec<bool>>,
    /// First bucket that is tested.
    tested: usize,
}

/// What our detector found with the threshold that it chose itself.
struct Chosen {
    found: f64,
    false_a_day: f64,
}

pub(crate) fn measure(python: &str, seeds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series");
    // By score, the recalls by noise and seed; ours are the first two.
    let mut scores: Vec<(String, [Vec<f64>; NOISES.len()])> = Vec::new();
    let mut alarms: [Vec<f64>; NOISES.len()] = Default::default();
    for (place, (noise, ..)) in NOISES.iter().enumerate() {
        for seed in 1..=seeds {
            let said = simulate(python, noise, seed, &path);
            let simulated = Simulated::read(&path);
            let chosen = simulated.chosen();
            alarms[place].push(chosen.false_a_day);
            let ours = [
                ("windrow".to_owned(), simulated.recall()),
                ("windrow, by its own threshold".to_owned(), chosen.found),
            ];
            let others = said.lines().map(|line| {
                let (name, recall) = line.split_once('\t').unwrap();
                (name.to_owned(), recall.parse().unwrap())
            });
            for (name, recall) in ours.into_iter().chain(others) {
                let known = scores.iter().position(|score| score.0 == name);
                let known = known.unwrap_or_else(|| {
                    scores.push((name, Default::default()));
                    scores.len() - 1
                });
                scores[known].1[place].push(recall);
            }
        }
    }
    print(seeds, &scores, &alarms);
}

fn simulate(python: &str, noise: &str, seed: u64, path: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bench_spikes/simulation.py");
    let mut command = Command::new(python);
    command.arg(script).arg(noise).arg(seed.to_string());
    let output = command.arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn print(
    seeds: u64,
    scores: &[(String, [Vec<f64>; NOISES.len()])],
    alarms: &[Vec<f64>; NOISES.len()],
) {
    println!(
        "\nShare of bursts that are found at one false alarm a day of 200 series together, mean and standard deviation of \
         {seeds} seeds. Each score has the threshold that gives just so many on the series themselves; the second row \
         has the one that the detector chose while it ran, before it could know.\n"
    );
    let names = NOISES.map(|noise| noise.1).join(" | ");
    println!("| noise | {names} |\n|---|---:|---:|---:|---:|");
    for (name, recalls) in scores {
        let cells = recalls.iter().map(|of| {
            let (mean, deviation) = mean(of);
            format!("{mean:.2} ± {deviation:.2}")
        });
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    let ours = scores.iter().find(|score| score.0 == "windrow").unwrap();
    let aims = NOISES.iter().zip(&ours.1).map(|((_, _, aim), of)| {
        let missed = if mean(of).0 >= *aim { "" } else { " (missed)" };
        format!("{aim:.2}{missed}")
    });
    let aims = aims.collect::<Vec<_>>().join(" | ");
    println!("| windrow is meant to find at least | {aims} |");
    let alarms = alarms.iter().map(|of| format!("{:.2}", mean(of).0));
    let alarms = alarms.collect::<Vec<_>>().join(" | ");
    println!("| false alarms a day by its own threshold | {alarms} |");
}

/// Mean and standard deviation.
fn mean(of: &[f64]) -> (f64, f64) {
    let count = of.len().max(1) as f64;
    let mean = of.iter().sum::<f64>() / count;
    let variance = of.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

impl Simulated {
    fn read(path: &Path) -> Simulated {
        let bytes = std::fs::read(path).unwrap();
        let (words, _) = bytes.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word) as usize);
        let mut next = || words.next().unwrap();
        let (series, buckets, bursts) = (next(), next(), next());
        let counts: Vec<Vec<u64>> = (0..series)
            .map(|_| (0..buckets).map(|_| next() as u64).collect())
            .collect();
        let bursts: Vec<(usize, usize)> = (0..bursts)
            .map(|_| {
                let burst = (next(), next());
                next();
                burst
            })
            .collect();
        let mut near = vec![vec![false; buckets]; series];
        for (series, begin) in &bursts {
            let end = (begin + 6).min(buckets);
            near[*series][begin - 1..end].fill(true);
        }
        Simulated {
            counts,
            bursts,
            near,
            tested: buckets - TEST_DAYS * 288,
        }
    }

    /// The share found with the threshold that gives one false alarm a day.
    fn recall(&self) -> f64 {
        let scores: Vec<Vec<f64>> = self.counts.iter().map(|counts| scores(counts)).collect();
        let mut quiet: Vec<f64> = scores
            .iter()
            .zip(&self.near)
            .flat_map(|(scores, near)| scores.iter().zip(near).skip(self.tested))
            .filter(|(_, near)| !**near)
            .map(|(score, _)| *score)
            .collect();
        quiet.sort_unstable_by(|a, b| b.total_cmp(a));
        let threshold = quiet[TEST_DAYS];
        let is_found = |burst: &&(usize, usize)| {
            let scores = &scores[burst.0][burst.1..burst.1 + BURST];
            scores.iter().any(|score| *score > threshold)
        };
        let found = self.bursts.iter().filter(is_found).count();
        found as f64 / self.bursts.len() as f64
    }

    /// What is told while the series run, all together.
    fn chosen(&self) -> Chosen {
        let mut fleet = Fleet::new(WIDTH, Budget::per_day(1.0));
        let mut is_found = vec![false; self.bursts.len()];
        let mut wrong = 0_u32;
        for bucket in 0..self.counts[0].len() {
            let counts = self.counts.iter().map(|counts| counts[bucket]);
            let counts: HashMap<usize, u64> = counts.enumerate().filter(|of| of.1 > 0).collect();
            for alarm in fleet.pass(MONDAY + bucket as i64, &counts).alarms {
                let is_told = matches!(alarm.step, Step::Opened | Step::Worsened);
                if !is_told || alarm.flag != Flag::Spike || bucket < self.tested {
                    continue;
                }
                for (burst, is_found) in self.bursts.iter().zip(&mut is_found) {
                    let buckets = burst.1..burst.1 + BURST;
                    *is_found |= burst.0 == alarm.key && buckets.contains(&bucket);
                }
                wrong += u32::from(!self.near[alarm.key][bucket]);
            }
        }
        let found = is_found.iter().filter(|is_found| **is_found).count();
        Chosen {
            found: found as f64 / self.bursts.len() as f64,
            false_a_day: f64::from(wrong) / TEST_DAYS as f64,
        }
    }
}

/// What the detector says of each bucket of a series.
fn scores(counts: &[u64]) -> Vec<f64> {
    let mut series = Series::default();
    let buckets = MONDAY..;
    let scores = buckets.zip(counts).map(|(bucket, count)| {
        let reading = series.observe(bucket, WIDTH, *count).unwrap();
        match reading.direction {
            Direction::Up => reading.score,
            Direction::Down => 0.0,
        }
    });
    scores.collect()
}
