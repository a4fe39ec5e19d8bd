//! `windrow subscription list`

use super::super::verbs::Verbs;
use super::super::{Invocation, Out, runtime};
use super::get;
use super::show::pace;
use crate::admin::{Subscription, Verb};
use crate::exit::Code;
use crate::output::{Cell, Column, Format, RowsOutput, Table, escape};

/// Show all subscriptions, one a line
///
/// `asked` counts the machines that were offered it when they asked last, since the service started; `have it` those of
/// them that have sent something for it as it is now, be it a sign of life. The revision is another if and only if machines see a change.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription list
  windrow subscription list --output json | jq '.[] | select(.warnings > 0) .name'")]
pub(super) struct Args {
    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let found = runtime()?.block_on(async {
        let mut verbs = Verbs::open(invocation, Verb::SubscriptionGet).await?;
        get(&mut verbs, None).await
    })?;
    let terminal = &invocation.terminal;
    let format = args.output.format(terminal);
    if format == Format::Table && found.subscriptions.is_empty() {
        let words = "there is no subscription: machines send nothing; `windrow subscription add NAME --baseline essential` makes one";
        writeln!(out, "{words}")?;
        return Ok(Code::Ok);
    }
    let mut table = match format {
        Format::Table => people(),
        Format::Json | Format::Ndjson | Format::Csv => programs(),
    };
    for subscription in &found.subscriptions {
        table.push(match format {
            Format::Table => person_row(subscription),
            Format::Json | Format::Ndjson | Format::Csv => program_row(subscription),
        });
    }
    table.write(out, format, terminal)?;
    if format == Format::Table {
        let doubtful = found.subscriptions.iter();
        let doubtful = doubtful.filter(|of| !of.warnings.is_empty()).count();
        if doubtful > 0 {
            writeln!(
                out,
                "\n{doubtful} with warnings (!): `windrow subscription show NAME` has them"
            )?;
        }
        let mut nobody = found
            .subscriptions
            .iter()
            .filter_map(|of| of.nobody.as_ref());
        if let Some(why) = nobody.next() {
            let count = 1 + nobody.count();
            writeln!(out, "\n{count} offered to nobody: {}", escape(why))?;
        }
        if !found.running {
            let words = "the service does not run: who has them is not known";
            writeln!(out, "\n{words}")?;
        }
    }
    Ok(Code::Ok)
}

/// Machines in the table's column, in characters.
const WHOM_CHARS: usize = 40;

fn people() -> Table {
    Table::new(vec![
        Column::Left("name"),
        Column::Left("is"),
        Column::Left("for"),
        Column::Right("channels"),
        Column::Right("queries"),
        Column::Left("revision"),
        Column::Left("delivery"),
        Column::Right("asked"),
        Column::Right("have it"),
    ])
}

fn person_row(of: &Subscription) -> Vec<Cell> {
    let mark = if of.warnings.is_empty() { "" } else { " !" };
    let mut whom: String = of.whom.chars().take(WHOM_CHARS).collect();
    if whom.len() < of.whom.len() {
        whom.push('…');
    }
    let now = of.now.as_ref();
    vec![
        format!("{}{mark}", of.name).into(),
        if of.enabled { "on" } else { "off" }.into(),
        whom.into(),
        (of.channels.len() as u64).into(),
        of.queries.into(),
        of.revision.clone().into(),
        pace(of).into(),
        now.map(|now| now.machines).into(),
        now.map(|now| now.taken_up).into(),
    ]
}

fn programs() -> Table {
    Table::new(vec![
        Column::Left("name"),
        Column::Left("enabled"),
        Column::Left("for"),
        Column::Right("channels"),
        Column::Right("queries"),
        Column::Left("revision"),
        Column::Left("delivery"),
        Column::Right("machines"),
        Column::Right("machines_current"),
        Column::Right("machines_taken_up"),
        Column::Right("events"),
        Column::Left("last_events"),
        Column::Left("by_command"),
        Column::Right("warnings"),
        Column::Left("description"),
    ])
}

fn program_row(of: &Subscription) -> Vec<Cell> {
    let now = of.now.as_ref();
    vec![
        of.name.clone().into(),
        of.enabled.into(),
        of.whom.clone().into(),
        (of.channels.len() as u64).into(),
        of.queries.into(),
        of.revision.clone().into(),
        pace(of).into(),
        now.map(|now| now.machines).into(),
        now.map(|now| now.current).into(),
        now.map(|now| now.taken_up).into(),
        now.map(|now| now.events).into(),
        now.and_then(|now| now.last_events)
            .map(|at| at.to_string())
            .into(),
        of.by_command.into(),
        (of.warnings.len() as u64).into(),
        of.description.clone().into(),
    ]
}
