//! `windrow verify`

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use windrow_formats::text::hex;
use windrow_pipeline::journal::offline::{self, Report};
use windrow_pipeline::journal::{GapReason, PublicKey};

use super::{Invocation, Out};
use crate::config::Need;
use crate::exit::{Code, Hint as _};
use crate::folder;
use crate::output::{SummaryFormat, SummaryOutput, Terminal, thousands};

/// Prove that the journal is whole, or name what was altered
///
/// Every frame carries the hash of the one before it, every sealed segment a signed root. What does not fit is named,
/// first things first, and the exit code is 1.
///
/// The proof is only as good as the key it is made against: who could change the journal could also have signed it
/// anew with the key beside it. Keep the key that this prints on another machine and give it with --public-key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow verify
  windrow verify --data-dir /mnt/backup/windrow --output json
  windrow verify --public-key \\
      3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")]
pub(super) struct Args {
    /// The key that seals have to be signed with [default: the one in the journal's own folder]
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    public_key: Option<PublicKey>,

    #[command(flatten)]
    output: SummaryOutput,
}

const BEGINS: &str = "a journal is made when `windrow run` starts for the first time";

/// Whether nothing was ever written there: an import goes to the lake and makes no journal.
fn is_empty(journal: &Path) -> bool {
    fs_err::read_dir(journal).is_ok_and(|mut entries| entries.next().is_none())
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    text.parse()
        .map_err(|_| "not a public key: 64 hexadecimal digits".to_owned())
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let journal = folder::open(&config.data_dir)?.journal();
    if is_empty(&journal) {
        let message = format!("{} holds no journal yet", journal.display());
        return Err(anyhow::anyhow!(message)).hint(BEGINS);
    }
    let report = match args.public_key {
        Some(key) => offline::verify_with(&journal, key),
        None => offline::verify(&journal),
    };
    let report = report
        .with_context(|| format!("cannot prove {}", journal.display()))
        .hint(BEGINS)?;
    match args.output.output {
        SummaryFormat::Table => write_text(&report, args.public_key, out, &invocation.terminal)?,
        SummaryFormat::Json => {
            writeln!(out, "{}", serde_json::to_string_pretty(&Json::of(&report))?)?
        }
    }
    Ok(if report.is_intact() {
        Code::Ok
    } else {
        Code::Negative
    })
}

fn write_text(
    report: &Report,
    trusted: Option<PublicKey>,
    out: &mut dyn Write,
    terminal: &Terminal,
) -> io::Result<()> {
    let paint = terminal.paint();
    let sealed = report
        .segments
        .iter()
        .filter(|segment| segment.seal.is_some())
        .count();
    writeln!(
        out,
        "segments  {}, {sealed} of them sealed",
        report.segments.len()
    )?;
    let ends = report.segments.first().zip(report.segments.last());
    if let Some((first, last)) = ends.filter(|(first, last)| first.first_seq < last.end_seq) {
        writeln!(
            out,
            "events    {} to {}",
            thousands(first.first_seq),
            thousands(last.end_seq - 1)
        )?;
    }
    if let Some(key) = report.public_key {
        let whose = if trusted.is_some() {
            "yours"
        } else {
            "from the journal's own folder"
        };
        writeln!(out, "key       {key} ({whose})")?;
    }
    for loss in losses(report) {
        let (first, last) = (thousands(loss.first_seq), thousands(loss.last_seq));
        writeln!(
            out,
            "on record events {first} to {last} are gone: {}",
            loss.reason
        )?;
    }
    writeln!(out)?;
    if report.is_intact() {
        return writeln!(out, "{}", paint.green("the journal is whole"));
    }
    for problem in &report.problems {
        writeln!(out, "{problem}")?;
    }
    writeln!(out, "\n{}", paint.red("the journal is not whole"))
}

/// Losses that are on record. What every sink had is not lost.
fn losses(report: &Report) -> impl Iterator<Item = LossJson> {
    report.losses.iter().filter_map(|loss| {
        let reason = match loss.gap.reason {
            GapReason::Delivered => return None,
            GapReason::Damaged => "damaged",
            GapReason::Dropped => "dropped by the quota",
            GapReason::Missing => "missing",
        };
        Some(LossJson {
            first_seq: loss.gap.first_seq,
            last_seq: loss.gap.last_seq,
            reason,
        })
    })
}

#[derive(Serialize)]
struct Json {
    intact: bool,
    public_key: Option<String>,
    segments: Vec<SegmentJson>,
    problems: Vec<ProblemJson>,
    losses: Vec<LossJson>,
}

#[derive(Serialize)]
struct SegmentJson {
    segment: u64,
    first_seq: u64,
    end_seq: u64,
    frames: u64,
    sealed: bool,
    /// As event 10 has it.
    root: Option<String>,
}

#[derive(Serialize)]
struct ProblemJson {
    segment: u64,
    frame: Option<u64>,
    first_byte: u64,
    end_byte: u64,
    first_seq: u64,
    end_seq: u64,
    what: String,
}

#[derive(Serialize)]
struct LossJson {
    first_seq: u64,
    last_seq: u64,
    reason: &'static str,
}

impl Json {
    fn of(report: &Report) -> Json {
        let segments = report.segments.iter().map(|segment| SegmentJson {
            segment: segment.number,
            first_seq: segment.first_seq,
            end_seq: segment.end_seq,
            frames: segment.frames,
            sealed: segment.seal.is_some(),
            root: segment.seal.as_ref().map(|seal| hex(&seal.root)),
        });
        let problems = report.problems.iter().map(|problem| ProblemJson {
            segment: problem.segment,
            frame: problem.frame,
            first_byte: problem.bytes.0,
            end_byte: problem.bytes.1,
            first_seq: problem.sequences.0,
            end_seq: problem.sequences.1,
            what: problem.what.to_string(),
        });
        Json {
            intact: report.is_intact(),
            public_key: report.public_key.map(|key| key.to_string()),
            segments: segments.collect(),
            problems: problems.collect(),
            losses: losses(report).collect(),
        }
    }
}
