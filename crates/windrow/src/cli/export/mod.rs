//! `windrow export`: rows of a table in Azure's storage, as the old agent or windrow wrote them.

mod file;
mod pages;
mod plan;
mod rows;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use windrow_pipeline::azure::Client;

use super::time::TimeArgs;
use super::{Invocation, Out, runtime};
use crate::config::Need;
use crate::config::checked::AccountCredential;
use crate::exit::{Code, UsageError};
use crate::output::{escape, progress, thousands};
use crate::service::{AccountPlace, account_client, account_of_sink};

use file::{Part, Place, Sink};
use pages::{End, Pages};
use plan::Plan;
use rows::Writer;

/// Write the rows of a table in Azure's storage to a file or to stdout
///
/// Tables of Azure Diagnostics, whoever wrote them, and any other. --from and --to are about the minute in a row's PartitionKey,
/// which is what the service finds rows by: that in which the event happened in tables of the old agent, that in which it came in
/// in windrow's. Without them all rows come, in the order of their keys. Nothing in the account is changed; a signature that may
/// only read is enough.
///
/// Into a file, what was interrupted goes on with --resume, every row once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow export WADWindowsEventLogsTable --storage-account acmelogs \\
      --key-file acmelogs.key --from 2026-01-01 --to 2026-02-01 \\
      --output-file january.ndjson
  windrow export WADWindowsEventLogsTable --sink wad --from 24h --output csv
  windrow query --from old=january.ndjson \\
      \"select EventId, count(*) from old group by 1\"")]
pub(super) struct Args {
    /// The table
    #[arg(value_name = "TABLE")]
    table: String,

    #[command(flatten)]
    account: AccountArgs,

    #[command(flatten)]
    time: TimeArgs,

    /// The form [default: ndjson]
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "ndjson",
        hide_default_value = true
    )]
    output: Form,

    /// Only these columns, in this order; the keys are columns too
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,

    /// A file, which has its name when all rows are in it
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,

    /// Go on with the file of that name that was not finished
    #[arg(long, requires = "output_file")]
    resume: bool,
}

/// Where the table is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Storage")]
struct AccountArgs {
    /// The account of this sink, [sink.azure_table.NAME]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["storage_account", "table_endpoint", "key_file", "sas_file", "ca_file"])]
    sink: Option<String>,

    /// The storage account
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "sink")]
    storage_account: Option<String>,

    /// Where its tables are [default: https://ACCOUNT.table.core.windows.net]
    #[arg(long, value_name = "URL")]
    table_endpoint: Option<String>,

    /// A file with a key of the account, readable by its owner only
    #[arg(long, value_name = "FILE", conflicts_with = "sas_file")]
    key_file: Option<PathBuf>,

    /// A file with a shared access signature of it, readable by its owner only
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,

    /// The authority of the service's certificate
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// One JSON object a line
    Ndjson,
    /// RFC 4180, with a header line: the columns of the first page, and `more` for what a later row has beside them
    Csv,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let client = client(&args.account, invocation)?;
    invocation.start_log();
    let range = args.time.range(Timestamp::now())?;
    let plan = Plan {
        account: client.account().name().to_owned(),
        table: args.table.clone(),
        from: range.from,
        to: range.to,
    };
    let (plan, place) = match &args.output_file {
        Some(path) if args.resume => Part::read(path, &plan, args)?,
        _ => (plan, Place::new()),
    };
    let writer = Writer::new(
        args.output,
        place.columns.clone().or_else(|| said(&args.columns)),
    );
    let mut sink = match &args.output_file {
        None => Sink::Out(out),
        Some(path) => Sink::Part(Box::new(Part::open(path, &plan, args, &place)?)),
    };
    let bar = progress::spinner(&invocation.terminal);
    let pages = Pages::new(&client, &plan, &args.columns);
    let ended = runtime()?.block_on(pages.write(place, writer, &mut sink, |rows, at| {
        bar.set_message(format!("{} rows, up to {at}", thousands(rows)));
    }));
    bar.finish_and_clear();
    let End {
        rows,
        unread,
        interrupted,
    } = ended?;
    if interrupted {
        if matches!(sink, Sink::Part(_)) {
            tell(&format!(
                "{} rows so far: --resume goes on",
                thousands(rows)
            ))?;
        }
        return Ok(Code::Interrupted);
    }
    sink.end()?;
    if let Some(path) = &args.output_file {
        let path = path.display().to_string();
        tell(&format!("{} rows in {path}", thousands(rows)))?;
    }
    if unread > 0 {
        let unread = thousands(unread);
        tell(&format!("{unread} rows could not be read and are left out"))?;
        return Ok(Code::Partial);
    }
    Ok(Code::Ok)
}

/// Beside the rows, on stderr.
fn tell(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{}", escape(line))
}

fn said(columns: &[String]) -> Option<Vec<String>> {
    (!columns.is_empty()).then(|| columns.to_vec())
}

fn client(args: &AccountArgs, invocation: &Invocation) -> anyhow::Result<Client> {
    if let Some(name) = &args.sink {
        let config = invocation.loader.load(Need::Defaults)?;
        let Some(sink) = config.sink.azure_table.get(name) else {
            let known: Vec<&str> = config.sink.azure_table.keys().map(String::as_str).collect();
            let there = match known.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there are {}", known.join(", ")),
            };
            let message = format!("there is no [sink.azure_table.{name}]; {there}");
            return Err(UsageError(message).into());
        };
        return account_of_sink(name, sink);
    }
    let credential = match (&args.key_file, &args.sas_file) {
        (Some(file), _) => AccountCredential::KeyFile(file.clone()),
        (None, Some(file)) => AccountCredential::SasFile(file.clone()),
        (None, None) => {
            let message = "nothing is said that opens the account: --key-file or --sas-file names a file with a key or a signature of it";
            return Err(UsageError(message.to_owned()).into());
        }
    };
    account_client(AccountPlace {
        table: "export",
        account: args.storage_account.as_deref().unwrap_or_default(),
        endpoint: args.table_endpoint.clone(),
        blob_endpoint: None,
        credential: &credential,
        ca_file: args.ca_file.as_deref(),
    })
}
