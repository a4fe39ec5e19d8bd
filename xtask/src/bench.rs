//! `cargo xtask bench`: every benchmark of the project, and one table from what they say.
//!
//! A benchmark is an example of its crate. It measures CPU seconds of its own process, never
//! wall time, and says each result in a line of the form
//!
//! ```text
//!   1.234 s per million  what was done
//! ```
//!
//! so that it can be run and read by itself too. One that says a median has the lowest and the
//! highest after it: `(1.200 to 1.310 in 5 runs)`. What counts and not seconds it measures, it
//! says as a Markdown table of its own, and then everything it prints stands below the seconds.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::json;

mod python;

/// An example that measures.
#[derive(Debug, Clone, Copy)]
pub struct Bench {
    pub package: &'static str,
    pub example: &'static str,
    /// Packages of PyPI with which it measures others beside us. It is given a Python that has them.
    pub python: &'static [&'static str],
}

impl Bench {
    /// Whether its name contains this, in which hyphens may stand for underscores.
    fn is_named(&self, part: &str) -> bool {
        self.example.contains(&part.replace('-', "_"))
    }
}

/// What a path may cost, in CPU seconds per million events.
struct Target {
    example: &'static str,
    /// The start of what the benchmark says it did.
    what: &'static str,
    seconds: f64,
}

pub const BENCHES: [Bench; 14] = [
    of("windrow-formats", "bench_event"),
    of("windrow-formats", "bench_xpath"),
    of("windrow-formats", "bench_sldc"),
    of("windrow-pipeline", "bench_evtx"),
    of("windrow-pipeline", "bench_journal"),
    of("windrow-pipeline", "bench_wef"),
    of("windrow-pipeline", "bench_syslog"),
    of("windrow-pipeline", "measure_delivery"),
    of("windrow-pipeline", "bench_forward"),
    of("windrow-lake", "bench_lake"),
    Bench {
        python: &["duckdb==2.0.0"],
        ..of("windrow-lake", "bench_lake_queries")
    },
    of("windrow-lake", "bench_iis"),
    Bench {
        python: &["numpy==2.4.6", "scipy==1.17.1"],
        ..of("windrow-detect", "bench_spikes")
    },
    of("windrow", "bench_import"),
];

const fn of(package: &'static str, example: &'static str) -> Bench {
    Bench {
        package,
        example,
        python: &[],
    }
}

const TARGETS: [Target; 9] = [
    Target {
        example: "bench_xpath",
        what: "50 queries as a set",
        seconds: 1.0,
    },
    Target {
        example: "bench_wef",
        what: "wef to durable",
        seconds: 12.0,
    },
    Target {
        example: "bench_wef",
        what: "wef, 5 events a batch",
        seconds: 30.0,
    },
    Target {
        example: "bench_wef",
        what: "wef by kerberos, one machine",
        seconds: 15.0,
    },
    Target {
        example: "bench_syslog",
        what: "journal to cef to tcp",
        seconds: 2.0,
    },
    Target {
        example: "bench_syslog",
        what: "journal to cef to tls",
        seconds: 2.2,
    },
    Target {
        example: "bench_forward",
        what: "journal to cef to tcp",
        seconds: 2.0,
    },
    Target {
        example: "bench_forward",
        what: "journal to cef to tls",
        seconds: 2.2,
    },
    Target {
        example: "bench_import",
        what: "evtx to lake",
        seconds: 8.0,
    },
];

/// One measured path.
#[derive(Debug, PartialEq)]
struct Measured {
    example: String,
    what: String,
    seconds: f64,
    /// Lowest and highest, of a median.
    range: Option<(f64, f64)>,
}

impl Measured {
    fn target(&self) -> Option<f64> {
        let what = self.what.to_lowercase();
        TARGETS
            .iter()
            .find(|target| target.example == self.example && what.contains(target.what))
            .map(|target| target.seconds)
    }
}

/// How the figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Markdown: what they were taken on, and a table.
    Table,
    /// An object with the same.
    Json,
}

/// Reads what follows `cargo xtask bench`: parts of benchmarks' names, and `--output json`.
pub fn arguments(mut words: impl Iterator<Item = String>) -> Result<(Vec<String>, Output)> {
    let (mut chosen, mut output) = (Vec::new(), Output::Table);
    while let Some(word) = words.next() {
        if word == "--output" {
            output = match words.next().as_deref() {
                Some("json") => Output::Json,
                Some("table") => Output::Table,
                other => bail!("--output is table or json, not {other:?}"),
            };
        } else {
            chosen.push(word);
        }
    }
    Ok((chosen, output))
}

/// Builds and runs the benchmarks whose name contains one of `chosen` (all when it is empty),
/// each in a release build, and answers with their figures.
pub fn run(root: &Path, chosen: &[String], output: Output) -> Result<String> {
    let (mut measured, mut tables) = (Vec::new(), String::new());
    for bench in BENCHES {
        if !chosen.is_empty() && !chosen.iter().any(|name| bench.is_named(name)) {
            continue;
        }
        let folder = bench.package.trim_start_matches("windrow-");
        let source = format!("crates/{folder}/examples/{}", bench.example);
        let is_here = |rest: &str| root.join(format!("{source}{rest}")).is_file();
        if !is_here(".rs") && !is_here("/main.rs") {
            bail!("{source} is not here");
        }
        let said = run_one(root, bench)?;
        measured.extend(results(bench.example, &said));
        tables.push_str(&own_table(&said));
    }
    let seconds = match measured.is_empty() {
        true => String::new(),
        false => table(&measured),
    };
    Ok(match output {
        Output::Table => format!("{}\n{seconds}{tables}", machine()),
        Output::Json => json(&measured, &tables),
    })
}

fn run_one(root: &Path, bench: Bench) -> Result<String> {
    let mut command = Command::new("cargo");
    command
        .args(["run", "--release", "--locked", "--quiet"])
        .args(["--package", bench.package, "--example", bench.example]);
    if !bench.python.is_empty() {
        command.args(["--", "--python"]);
        command.arg(python::with(bench.python)?);
    }
    let output = command
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    if !output.status.success() {
        bail!("{} ended with {}", bench.example, output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines of the form `1.234 s per million  what`. A line without a number, indented less,
/// names what those below it are of.
fn results(example: &str, said: &str) -> Vec<Measured> {
    let mut found = Vec::new();
    let mut subject = String::new();
    for line in said.lines() {
        let Some((seconds, what)) = line.split_once(" s per million  ") else {
            if !line.starts_with(' ') {
                subject = line.split(':').next().unwrap_or_default().to_owned();
            }
            continue;
        };
        let Ok(seconds) = seconds.trim().parse() else {
            continue;
        };
        let (what, range) = match what.trim().split_once(" (") {
            Some((before, range)) if range.ends_with(" runs)") => (before, range_of(range)),
            _ => (what.trim(), None),
        };
        found.push(Measured {
            example: example.to_owned(),
            what: if subject.is_empty() {
                what.to_owned()
            } else {
                format!("{subject}: {what}")
            },
            seconds,
            range,
        });
    }
    found
}

/// All that a benchmark says, if there is a table of its own in it.
fn own_table(said: &str) -> String {
    if said.lines().any(|line| line.starts_with('|')) {
        format!("\n{said}")
    } else {
        String::new()
    }
}

/// `1.200 to 1.310 in 5 runs)`.
fn range_of(text: &str) -> Option<(f64, f64)> {
    let (low, rest) = text.split_once(" to ")?;
    let (high, _) = rest.split_once(" in ")?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

fn table(measured: &[Measured]) -> String {
    let mut out = String::from(
        "| benchmark | what | CPU s per million events | lowest to highest | target |\n\
         |---|---|---:|---:|---:|\n",
    );
    for one in measured {
        let target = one.target().map_or(String::new(), |target| {
            let mark = if one.seconds <= target {
                ""
            } else {
                " (missed)"
            };
            format!("≤ {target:.1}{mark}")
        });
        let range = one.range.map_or(String::new(), |(low, high)| {
            format!("{low:.2} to {high:.2}")
        });
        let Measured {
            example,
            what,
            seconds,
            ..
        } = one;
        let _ = writeln!(
            out,
            "| {example} | {what} | {seconds:.3} | {range} | {target} |"
        );
    }
    out
}

fn json(measured: &[Measured], tables: &str) -> String {
    let figures: Vec<_> = measured
        .iter()
        .map(|one| {
            json!({
                "benchmark": one.example,
                "what": one.what,
                "cpu_seconds_per_million": one.seconds,
                "lowest": one.range.map(|(low, _)| low),
                "highest": one.range.map(|(_, high)| high),
                "target": one.target(),
            })
        })
        .collect();
    let machine: Vec<_> = machine()
        .lines()
        .map(|line| line.trim_start_matches("- ").to_owned())
        .collect();
    format!(
        "{:#}\n",
        json!({ "machine": machine, "figures": figures, "tables": tables })
    )
}

/// What the figures were taken on, a Markdown list.
fn machine() -> String {
    let cpu = first_line_after("/proc/cpuinfo", "model name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let rustc = said_by("rustc", &["--version"]);
    let kernel = said_by("uname", &["-sr"]);
    let commit = said_by("git", &["rev-parse", "--short", "HEAD"]);
    let date = said_by("date", &["-u", "+%Y-%m-%d"]);
    format!(
        "- {date}, commit {commit}, {rustc}, release build\n\
         - {cpu}, {cores} cores, {kernel}, load {load} when this was written\n\
         - CPU seconds of the measured process, user and system; the best of its rounds, or the \
         median where there is a range\n"
    )
}

fn first_line_after(path: &str, key: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(": "));
    value.map_or("unknown processor".to_owned(), |(_, value)| {
        value.to_owned()
    })
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_benchmarks_say() {
        let said = "logon 4624: 1 events, 1700 bytes on average\n  index: 90 bytes\n   \
                    0.912 s per million  parse\n  x s per million  y\n";
        let found = results("bench_event", said);
        assert_eq!(
            found,
            [Measured {
                example: "bench_event".to_owned(),
                what: "logon 4624: parse".to_owned(),
                seconds: 0.912,
                range: None,
            }]
        );
    }

    #[test]
    fn a_table_of_its_own_is_kept() {
        let said = "2 rounds a cell\n| failure | sent |\n|---|---|\n";
        assert_eq!(own_table(said), format!("\n{said}"));
        assert_eq!(own_table("  0.912 s per million  parse\n"), "");
    }

    #[test]
    fn a_median_has_its_range_in_both_outputs() {
        let said = "  2.100 s per million  a peer, ready lines to tcp (2.000 to 2.34 in 5 runs)\n";
        let found = results("bench_forward", said);
        assert_eq!(found[0].range, Some((2.0, 2.34)));
        assert_eq!(found[0].what, "a peer, ready lines to tcp");
        let table = table(&found);
        assert!(table.contains("| 2.100 | 2.00 to 2.34 |  |"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&json(&found, "")).unwrap();
        assert_eq!(json["figures"][0]["highest"], 2.34);
        assert!(json["figures"][0]["target"].is_null());
    }

    #[test]
    fn a_benchmark_is_found_by_its_name_with_hyphens() {
        let root = crate::project::root();
        let is_there = |bench: &Bench| {
            let folder = bench.package.trim_start_matches("windrow-");
            let source = root.join(format!("crates/{folder}/examples/{}", bench.example));
            source.join("main.rs").is_file() || source.with_extension("rs").is_file()
        };
        for bench in &BENCHES {
            assert!(is_there(bench), "{bench:?}");
        }
        let found = BENCHES
            .iter()
            .filter(|bench| bench.is_named("bench-spikes"));
        let found: Vec<_> = found.map(|bench| bench.example).collect();
        assert_eq!(found, ["bench_spikes"]);
    }

    #[test]
    fn words_are_names_but_for_the_output() {
        let read = |words: &str| arguments(words.split(' ').map(str::to_owned));
        assert_eq!(
            read("forward --output json").unwrap(),
            (vec!["forward".to_owned()], Output::Json)
        );
        assert!(read("forward --output xml").is_err());
    }

    #[test]
    fn a_missed_target_is_marked() {
        let measured = |what: &str, seconds| Measured {
            example: "bench_syslog".to_owned(),
            what: what.to_owned(),
            seconds,
            range: None,
        };
        let table = table(&[
            measured("journal to CEF to TCP", 1.5),
            measured("journal to CEF to TLS", 2.5),
            measured("encode", 0.5),
        ]);
        assert!(
            table.contains("| journal to CEF to TCP | 1.500 |  | ≤ 2.0 |"),
            "{table}"
        );
        assert!(table.contains("| 2.500 |  | ≤ 2.2 (missed) |"), "{table}");
        assert!(table.contains("| encode | 0.500 |  |  |"), "{table}");
    }
}
