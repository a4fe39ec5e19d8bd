//! `cargo xtask bench`: every benchmark of the project, and one table from what they say.
//!
//! A benchmark is an example of its crate. It measures CPU seconds of its own process, never
//! wall time, and says each result in a line of the form
//!
//! ```text
//!   1.234 s per million  what was done
//! ```
//!
//! so that it can be run and read by itself too. What counts and not seconds it measures, it says as a Markdown table
//! of its own, and then everything it prints stands below the seconds.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// An example that measures.
#[derive(Debug, Clone, Copy)]
pub struct Bench {
    pub package: &'static str,
    pub example: &'static str,
}

/// What a path may cost, in CPU seconds per million events.
struct Target {
    example: &'static str,
    /// The start of what the benchmark says it did.
    what: &'static str,
    seconds: f64,
}

pub const BENCHES: [Bench; 9] = [
    Bench {
        package: "windrow-formats",
        example: "bench_event",
    },
    Bench {
        package: "windrow-formats",
        example: "bench_xpath",
    },
    Bench {
        package: "windrow-pipeline",
        example: "bench_evtx",
    },
    Bench {
        package: "windrow-pipeline",
        example: "bench_journal",
    },
    Bench {
        package: "windrow-pipeline",
        example: "bench_wef",
    },
    Bench {
        package: "windrow-pipeline",
        example: "bench_syslog",
    },
    Bench {
        package: "windrow-pipeline",
        example: "measure_delivery",
    },
    Bench {
        package: "windrow-lake",
        example: "bench_lake",
    },
    Bench {
        package: "windrow",
        example: "bench_import",
    },
];

const TARGETS: [Target; 5] = [
    Target {
        example: "bench_xpath",
        what: "50 queries as a set",
        seconds: 1.0,
    },
    Target {
        example: "bench_wef",
        what: "wef to durable",
        seconds: 17.0,
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
}

/// Builds and runs the benchmarks whose name contains one of `chosen` (all when it is empty),
/// each in a release build, and answers with the table.
pub fn run(root: &Path, chosen: &[String]) -> Result<String> {
    let (mut measured, mut tables) = (Vec::new(), String::new());
    for bench in BENCHES {
        let named = |name: &String| bench.example.contains(name.as_str());
        if !chosen.is_empty() && !chosen.iter().any(named) {
            continue;
        }
        let source = format!(
            "crates/{}/examples/{}.rs",
            bench.package.trim_start_matches("windrow-"),
            bench.example
        );
        if !root.join(&source).is_file() {
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
    Ok(format!("{}\n{seconds}{tables}", machine()))
}

fn run_one(root: &Path, bench: Bench) -> Result<String> {
    let output = Command::new("cargo")
        .args(["run", "--release", "--locked", "--quiet"])
        .args(["--package", bench.package, "--example", bench.example])
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
        let what = what.trim();
        found.push(Measured {
            example: example.to_owned(),
            what: if subject.is_empty() {
                what.to_owned()
            } else {
                format!("{subject}: {what}")
            },
            seconds,
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

fn table(measured: &[Measured]) -> String {
    let mut out = String::from(
        "| benchmark | what | CPU s per million events | target |\n|---|---|---:|---:|\n",
    );
    for Measured {
        example,
        what,
        seconds,
    } in measured
    {
        let target = TARGETS
            .iter()
            .find(|target| target.example == example && what.to_lowercase().contains(target.what))
            .map_or(String::new(), |target| {
                let mark = if *seconds <= target.seconds {
                    ""
                } else {
                    " (missed)"
                };
                format!("≤ {:.1}{mark}", target.seconds)
            });
        let _ = writeln!(out, "| {example} | {what} | {seconds:.3} | {target} |");
    }
    out
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
         - CPU seconds of the measuring process, user and system; the best of its rounds\n"
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
                seconds: 0.912
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
    fn a_missed_target_is_marked() {
        let measured = |what: &str, seconds| Measured {
            example: "bench_syslog".to_owned(),
            what: what.to_owned(),
            seconds,
        };
        let table = table(&[
            measured("journal to CEF to TCP", 1.5),
            measured("journal to CEF to TLS", 2.5),
            measured("encode", 0.5),
        ]);
        assert!(
            table.contains("| journal to CEF to TCP | 1.500 | ≤ 2.0 |"),
            "{table}"
        );
        assert!(table.contains("| 2.500 | ≤ 2.2 (missed) |"), "{table}");
        assert!(table.contains("| encode | 0.500 |  |"), "{table}");
    }
}
