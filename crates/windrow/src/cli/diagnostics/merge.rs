//! `windrow diagnostics merge`

use std::path::PathBuf;

use clap::ValueEnum;
use windrow_formats::wad::{self, Change, Configuration, Conflict, Merged, Source};

use super::super::{Invocation, Out};
use super::{Form, Keys, files};
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table, Terminal, escape};

/// Merge a configuration into another, and show what that changes
///
/// What only one of them says is kept. Items of a list are the same by what they are about: a DataSource by its query, a
/// counter by its path, a sink by its name. Where both say something different of the same, that is a conflict: it is
/// named, and nothing is written until --prefer says who is right. Merging the same again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics merge logons.xml --into diagnostics.wadcfgx
  windrow diagnostics merge logons.xml --into diagnostics.wadcfgx \\
      --with-keys --write diagnostics.wadcfgx
  windrow diagnostics merge quota.json --into settings.json --prefer new

The exit code is 0 when they merge, and 1 when they are in conflict.")]
pub(super) struct Args {
    /// What is new
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// What it is merged into; this file stays as it is, unless --write names it
    #[arg(long, value_name = "CURRENT")]
    into: PathBuf,

    /// Who is right where they are in conflict
    #[arg(long, value_enum, value_name = "WHO")]
    prefer: Option<Prefer>,

    /// Write both in one here, whole; one that is there is written over
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// The form that it is written in [default: that of CURRENT]
    #[arg(long, value_enum, value_name = "FORM", requires = "write")]
    to: Option<Form>,

    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Prefer {
    /// What is merged
    New,
    /// What it is merged into
    Current,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let (new, _) = files::read_sound(&args.new)?;
    let (current, reading) = files::read_sound(&args.into)?;
    let prefer = match args.prefer {
        Some(Prefer::Current) => wad::Prefer::Current,
        Some(Prefer::New) | None => wad::Prefer::New,
    };
    let merged = wad::merge(&new, &current, prefer);
    let is_open = !merged.conflicts.is_empty() && args.prefer.is_none();
    let terminal = &invocation.terminal;
    match args.output.format(terminal) {
        Format::Table => people(&merged, args, terminal, out)?,
        format => table(&merged).write(out, format, terminal)?,
    }
    if is_open || !merged.faults.is_empty() {
        return Ok(Code::Negative);
    }
    if let Some(file) = &args.write {
        let form = args
            .to
            .map_or_else(|| usual(&reading.source, &merged.configuration), Into::into);
        args.keys.tell(&merged.configuration, form);
        let text = wad::print(&merged.configuration, form, args.keys.secrets());
        files::write(file, &text)?;
    }
    Ok(Code::Ok)
}

/// The form of the file that was merged into, as far as it holds all.
fn usual(source: &Option<Source>, merged: &Configuration) -> wad::Form {
    match source {
        Some(Source::Json) => wad::Form::Json,
        Some(Source::Base64) => wad::Form::Base64,
        _ if merged.private.is_none() && merged.is_enabled.is_none() => wad::Form::Xml,
        _ => wad::Form::XmlFull,
    }
}

fn people(
    merged: &Merged,
    args: &Args,
    terminal: &Terminal,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let paint = terminal.paint();
    for Conflict { at, current, new } in &merged.conflicts {
        let line = format!("conflict: {at} is {current}, and {new} in what is new");
        writeln!(out, "{}", paint.yellow(&escape(&line)))?;
    }
    for fault in &merged.faults {
        let line = format!("error: both in one: {fault}");
        writeln!(out, "{}", paint.red(&escape(&line)))?;
    }
    if !merged.conflicts.is_empty() && args.prefer.is_none() {
        let line = "nothing is written: --prefer new or --prefer current says who is right";
        return Ok(writeln!(out, "{line}")?);
    }
    for change in &merged.changes {
        writeln!(out, "{}", escape(&line(change)))?;
    }
    if merged.changes.is_empty() {
        writeln!(out, "nothing changes: all of it is there")?;
    }
    Ok(())
}

/// `+ where = what`, `~ where = what, was that`
fn line(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("~ {} = {to}, was {from}", change.at),
        (_, Some(to)) => format!("+ {} = {to}", change.at),
        (_, None) => format!("+ {}", change.at),
    }
}

fn table(merged: &Merged) -> Table {
    let mut table = Table::new(vec![
        Column::Left("kind"),
        Column::Left("at"),
        Column::Left("current"),
        Column::Left("new"),
    ]);
    for Conflict { at, current, new } in &merged.conflicts {
        let texts = [at, current, new].map(|text| Cell::from(text.clone()));
        table.push(
            std::iter::once("conflict".into())
                .chain(texts)
                .collect::<Vec<_>>(),
        );
    }
    for change in &merged.changes {
        table.push(vec![
            "change".into(),
            change.at.clone().into(),
            change.from.clone().into(),
            change.to.clone().into(),
        ]);
    }
    for fault in &merged.faults {
        table.push(vec!["error".into(), fault.to_string().into()]);
    }
    table
}
