//! `windrow diagnostics set`, `remove` and `rollback`

use std::path::PathBuf;

use clap::ValueEnum;
use windrow_formats::wad::Severity;

use super::super::{Invocation, Out};
use super::change::{self, Confirm, KeyArgs};
use super::files;
use crate::admin::{
    DiagnosticsRemove, DiagnosticsRollback, DiagnosticsSet, Hidden, How, Mode, Request,
};
use crate::exit::{Code, UsageError};

/// Put a configuration in force, for all machines or for some
///
/// What it means becomes settings of windrow: a subscription that asks machines for the events, and sinks that write the
/// rows. What that changes is shown first, and you are asked. Several can be in force at once, one a service, role or
/// group. What you do not say of machines, account and key stays as it is in force under the name.
///
/// In the tables, DeploymentId is --deployment-id or the name, Role is --role or IaaS, and RoleInstance is an underscore and
/// the machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics set shop.wadcfgx --name shop --group web --key-file shop.key
  windrow diagnostics set firewall.xml --name shop --merge --yes
  windrow diagnostics set web.wadcfgx --name web --files /srv/arrived
  windrow diagnostics set shop.wadcfgx --name shop --dry-run
  windrow diagnostics get --name shop

The key is kept in the data folder, readable by its owner only, and shown nowhere.")]
pub(super) struct Set {
    /// The file, in any form
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The name it is in force under
    #[arg(long, value_name = "NAME")]
    name: String,

    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    storage: Storage,

    /// The folder beside the service in which files of the machines arrive: iis-logs/MACHINE, failed-requests/MACHINE,
    /// crash-dumps/MACHINE, and directories/CONTAINER/MACHINE
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,

    /// Merge it into the one in force, which it replaces otherwise
    #[arg(long)]
    merge: bool,

    /// Who is right where both contradict each other
    #[arg(long, value_enum, value_name = "WHO", requires = "merge")]
    prefer: Option<Prefer>,

    #[command(flatten)]
    confirm: Confirm,
}

/// Whom it is for.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Machines")]
struct Whom {
    /// Groups of machines it is for (windrow subscription group)
    #[arg(
        long,
        visible_alias = "machines",
        value_name = "GROUP",
        value_delimiter = ','
    )]
    group: Vec<String>,

    /// Machines it is for, with * and ?
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    machine: Vec<String>,

    /// It is for every machine
    #[arg(long, conflicts_with_all = ["group", "machine"])]
    every_machine: bool,

    /// What stands for the deployment in the tables [default: NAME]
    #[arg(long, value_name = "ID")]
    deployment_id: Option<String>,

    /// What stands for the role of the machines in the tables [default: IaaS]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

/// Where it writes to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Storage")]
struct Storage {
    /// The storage account, in the place of the file's
    #[arg(long, value_name = "ACCOUNT")]
    storage_account: Option<String>,

    /// Where its tables are [default: https://ACCOUNT.table.core.windows.net]
    #[arg(long, value_name = "URL")]
    table_endpoint: Option<String>,

    /// Where its blobs are [default: https://ACCOUNT.blob.core.windows.net]
    #[arg(long, value_name = "URL")]
    blob_endpoint: Option<String>,

    /// The authority of the service's certificate, a file beside the service
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Prefer {
    /// What is merged
    New,
    /// What is in force
    Current,
}

impl Set {
    fn how(&self) -> How {
        match (self.merge, self.prefer) {
            (false, _) => How::Replace,
            (true, None) => How::Merge,
            (true, Some(Prefer::New)) => How::MergePreferNew,
            (true, Some(Prefer::Current)) => How::MergePreferCurrent,
        }
    }
}

impl Whom {
    /// Machines and groups, where something is said of them.
    fn lists(&self) -> (Option<Vec<String>>, Option<Vec<String>>) {
        if self.every_machine {
            return (Some(Vec::new()), Some(Vec::new()));
        }
        let said = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        (said(&self.machine), said(&self.group))
    }
}

pub(super) fn set(args: &Set, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    // Its faults are told with their places before anybody is asked.
    let (_, reading) = files::read_sound(&args.file)?;
    for finding in &reading.findings {
        if finding.severity() == Severity::Warning {
            files::note(&files::said(&args.file, finding));
        }
    }
    let text = String::from_utf8(files::bytes(&args.file)?);
    let text = text.map_err(|_| UsageError(format!("{} is not UTF-8", args.file.display())))?;
    let (machines, machine_groups) = args.whom.lists();
    let set = DiagnosticsSet {
        name: args.name.clone(),
        configuration: Hidden::new(text),
        how: args.how(),
        machines,
        machine_groups,
        storage_account: args.storage.storage_account.clone(),
        table_endpoint: args.storage.table_endpoint.clone(),
        blob_endpoint: args.storage.blob_endpoint.clone(),
        files: args.files.clone(),
        ca_file: args.storage.ca_file.clone(),
        key: args.storage.key.read()?,
        deployment_id: args.whom.deployment_id.clone(),
        role: args.whom.role.clone(),
        mode: Mode::Tell,
        seen: None,
    };
    let change = |mode, seen| {
        let set = DiagnosticsSet {
            mode,
            seen,
            ..set.clone()
        };
        Request::DiagnosticsSet(Box::new(set))
    };
    change::run(
        &change,
        &args.confirm,
        Some(&args.storage.key),
        invocation,
        out,
    )
}

/// Take a configuration out of force, with the settings that it means
///
/// Rows that are written stay. What it was is kept: `rollback` brings it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics remove --name shop
  windrow diagnostics remove --name shop --yes")]
pub(super) struct Remove {
    /// Its name
    #[arg(long, value_name = "NAME")]
    name: String,

    #[command(flatten)]
    confirm: Confirm,
}

pub(super) fn remove(
    args: &Remove,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let change = |mode, seen| {
        let name = args.name.clone();
        Request::DiagnosticsRemove(DiagnosticsRemove { name, mode, seen })
    };
    change::run(&change, &args.confirm, None, invocation, out)
}

/// Put an earlier revision of a configuration in force again
///
/// `get` lists what is kept. Keys of earlier revisions are not: where the account is another, say its key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics rollback --name shop
  windrow diagnostics rollback --name shop --to 3 --yes")]
pub(super) struct Rollback {
    /// Its name
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The revision [default: the one before that in force]
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    confirm: Confirm,
}

pub(super) fn roll_back(
    args: &Rollback,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let key = args.key.read()?;
    let change = |mode, seen| {
        Request::DiagnosticsRollback(Box::new(DiagnosticsRollback {
            name: args.name.clone(),
            to: args.to,
            key: key.clone(),
            mode,
            seen,
        }))
    };
    change::run(&change, &args.confirm, Some(&args.key), invocation, out)
}
