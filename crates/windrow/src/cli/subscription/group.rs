//! `windrow subscription group`

use clap::Subcommand;

use super::super::{Invocation, Out};
use super::done;
use crate::admin::{Group, GroupSet, Named, Request, Verb as Asks};
use crate::exit::Code;
use crate::output::{Cell, Column, RowsOutput, SummaryOutput, Table};

/// Name machines together, for subscriptions to name the group
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription group set servers 'srv*' FILE01$@EXAMPLE.COM
  windrow subscription set base --group servers
  windrow subscription group list")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set a group, all of it
    #[command(after_help = "\
Examples:
  windrow subscription group set servers 'srv*' FILE01$@EXAMPLE.COM")]
    Set {
        /// Its name: a-z, 0-9, - and _
        #[arg(value_name = "NAME")]
        name: String,

        /// Names of machines; * and ? stand for anything
        #[arg(required = true, value_name = "MACHINE")]
        members: Vec<String>,

        #[command(flatten)]
        output: SummaryOutput,
    },
    /// Take a group away that no subscription names
    #[command(after_help = "\
Examples:
  windrow subscription group remove servers")]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,

        #[command(flatten)]
        output: SummaryOutput,
    },
    /// Show all groups
    #[command(after_help = "\
Examples:
  windrow subscription group list --output json")]
    List {
        #[command(flatten)]
        output: RowsOutput,
    },
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.verb {
        Verb::Set {
            name,
            members,
            output,
        } => {
            let set = GroupSet {
                name: name.clone(),
                members: members.clone(),
            };
            done(Request::GroupSet(set), output.output, invocation, out)
        }
        Verb::Remove { name, output } => {
            let named = Named { name: name.clone() };
            done(Request::GroupRemove(named), output.output, invocation, out)
        }
        Verb::List { output } => list(*output, invocation, out),
    }
}

fn list(output: RowsOutput, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let found = super::super::runtime()?.block_on(async {
        let mut verbs = super::super::verbs::Verbs::open(invocation, Asks::SubscriptionGet).await?;
        super::get(&mut verbs, None).await
    })?;
    let columns = ["name", "machines", "subscriptions", "file"].map(Column::Left);
    let mut table = Table::new(columns.to_vec());
    for group in &found.groups {
        let row: [Cell; 4] = row(group);
        table.push(row.to_vec());
    }
    let terminal = &invocation.terminal;
    table.write(out, output.format(terminal), terminal)?;
    Ok(Code::Ok)
}

fn row(group: &Group) -> [Cell; 4] {
    [
        group.name.clone().into(),
        group.members.join(", ").into(),
        group.subscriptions.join(", ").into(),
        group.file.display().to_string().into(),
    ]
}
