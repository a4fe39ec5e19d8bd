//! `windrow diagnostics validate`

use std::path::{Path, PathBuf};

use windrow_formats::wad::{self, Finding, GivenSchema, Reading, Severity};

use super::super::{Invocation, Out};
use super::files;
use crate::exit::{Code, UsageError};
use crate::output::{Cell, Column, Format, RowsOutput, Table, Terminal, escape};

/// Check configurations: every fault with its line and column, what is allowed, and the nearest right word
///
/// An error is what the agent of Azure Diagnostics refuses or cannot do, a warning what it accepts and is most likely not
/// meant, a note what is worth knowing. What a schema cannot see is checked too: event queries, levels that are not
/// cumulative, periods that are rounded, sinks and containers, keys in the public part.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics validate diagnostics.wadcfgx
  windrow diagnostics validate *.wadcfgx --no-notes
  windrow diagnostics validate diagnostics.wadcfgx --xsd WadConfig.xsd
  windrow diagnostics validate settings.json --output json | jq '.[].message'

The exit code is 0 when no file has errors, and 1 when one has.")]
pub(super) struct Args {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Check with this schema (XSD) too: what it refuses is an error. Microsoft's file is repaired where it is not valid
    #[arg(long, value_name = "FILE")]
    xsd: Option<PathBuf>,

    /// Leave notes out
    #[arg(long)]
    no_notes: bool,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let terminal = &invocation.terminal;
    let format = args.output.format(terminal);
    let least = if args.no_notes {
        Severity::Warning
    } else {
        Severity::Note
    };
    let mut table = Table::new(vec![
        Column::Left("file"),
        Column::Right("line"),
        Column::Right("column"),
        Column::Right("xml_line"),
        Column::Right("xml_column"),
        Column::Left("severity"),
        Column::Left("message"),
    ]);
    let mut code = Code::Ok;
    let schema = args.xsd.as_deref().map(given_schema).transpose()?;
    for path in &args.files {
        let file = files::bytes(path)?;
        let mut reading = wad::read(&file);
        if let Some(schema) = &schema {
            reading.findings.extend(schema.check(&file));
            reading.findings.sort_by_key(|finding| finding.at);
        }
        if is_wrong(&reading) {
            code = Code::Negative;
        }
        let told: Vec<&Finding> = reading
            .findings
            .iter()
            .filter(|of| of.severity() <= least)
            .collect();
        match format {
            Format::Table => people(path, &reading, &told, terminal, out)?,
            Format::Json | Format::Ndjson | Format::Csv => {
                for finding in told {
                    table.push(row(path, finding));
                }
            }
        }
    }
    if format != Format::Table {
        table.write(out, format, terminal)?;
    }
    Ok(code)
}

/// Loads a schema, and tells on stderr what was repaired in it or is not checked.
fn given_schema(path: &Path) -> anyhow::Result<GivenSchema> {
    let schema = GivenSchema::load(&files::bytes(path)?)
        .map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    for note in &schema.notes {
        let at = note.at;
        files::note(&format!(
            "{}:{}:{}: {}",
            path.display(),
            at.line,
            at.column,
            note.what
        ));
    }
    Ok(schema)
}

fn is_wrong(reading: &Reading) -> bool {
    let mut findings = reading.findings.iter();
    findings.any(|finding| finding.severity() == Severity::Error)
}

fn people(
    path: &Path,
    reading: &Reading,
    told: &[&Finding],
    terminal: &Terminal,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let paint = terminal.paint();
    for finding in told {
        let said = files::said(path, finding);
        let said = escape(&said);
        match finding.severity() {
            Severity::Error => writeln!(out, "{}", paint.red(&said))?,
            Severity::Warning => writeln!(out, "{}", paint.yellow(&said))?,
            Severity::Note => writeln!(out, "{said}")?,
        }
    }
    let count = |severity| {
        reading
            .findings
            .iter()
            .filter(|of| of.severity() == severity)
            .count()
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| count(*severity) > 0)
        .map(|severity| match count(severity) {
            1 => format!("1 {}", severity.as_str()),
            many => format!("{many} {}s", severity.as_str()),
        })
        .collect();
    let form = reading.source.map_or("unknown", |source| source.as_str());
    let verdict = match is_wrong(reading) {
        false => "can be used",
        true => "cannot be used",
    };
    let path = path.display().to_string();
    let counts = if counts.is_empty() {
        "nothing to be said".to_owned()
    } else {
        counts.join(", ")
    };
    writeln!(out, "{}: {verdict} ({form}; {counts})", escape(&path))?;
    Ok(())
}

fn row(path: &Path, finding: &Finding) -> Vec<Cell> {
    let number = |number: usize| Cell::from(number as u64);
    vec![
        path.display().to_string().into(),
        number(finding.at.line),
        number(finding.at.column),
        finding.inside.map_or(Cell::None, |at| number(at.line)),
        finding.inside.map_or(Cell::None, |at| number(at.column)),
        finding.severity().as_str().into(),
        finding.fault.to_string().into(),
    ]
}
