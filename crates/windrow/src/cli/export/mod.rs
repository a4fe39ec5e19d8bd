//! `windrow export`: rows of a table in Azure's storage, as the old agent or windrow wrote them; and files of a container.

mod blobs;
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

use super::storage::{self, AccountArgs, Kind};
use super::time::TimeArgs;
use super::{Invocation, Out, runtime};
use crate::exit::Code;
use crate::output::{escape, progress, thousands};

use file::{Part, Place, Sink};
use pages::{End, Pages};
use plan::Plan;
use rows::Writer;

/// Write the rows of a table in Azure's storage to a file or to stdout, or a container's blobs to files
///
/// Tables of Azure Diagnostics, whoever wrote them, and any other. --from and --to are about the minute in a row's PartitionKey,
/// which is what the service finds rows by: that in which the event happened in tables of the old agent, that in which it came in
/// in windrow's. Without them all rows come, in the order of their keys. Nothing in the account is changed; a signature that may
/// only read is enough.
///
/// Into a file, what was interrupted goes on with --resume, every row once.
///
/// With --blobs the blobs of a container become files of a folder, byte for byte, under their names: logs of IIS, crash dumps. --from
/// and --to are then about when they were written last. Asked again, it fetches what is new or was not finished.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow export WADWindowsEventLogsTable --storage-account acmelogs \\
      --key-file acmelogs.key --from 2026-01-01 --to 2026-02-01 \\
      --output-file january.ndjson
  windrow export WADWindowsEventLogsTable --sink wad --from 24h --output csv
  windrow query --from old=january.ndjson \\
      \"select EventId, count(*) from old group by 1\"
  windrow export --blobs wad-iis-logfiles --storage-account acmelogs \\
      --key-file acmelogs.key --output-folder logs")]
pub(super) struct Args {
    /// The table
    #[arg(value_name = "TABLE", required_unless_present = "blobs")]
    table: Option<String>,

    /// The container whose blobs become files
    #[arg(long, value_name = "CONTAINER", requires = "output_folder", conflicts_with_all = ["table", "output_file", "columns"])]
    blobs: Option<String>,

    /// Only blobs whose names begin like this
    #[arg(
        long,
        value_name = "TEXT",
        requires = "blobs",
        default_value = "",
        hide_default_value = true
    )]
    prefix: String,

    /// The folder for files of blobs; it is made if it is not there
    #[arg(long, value_name = "FOLDER", requires = "blobs")]
    output_folder: Option<PathBuf>,

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

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// One JSON object a line
    Ndjson,
    /// RFC 4180, with a header line: the columns of the first page, and `more` for what a later row has beside them
    Csv,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let range = args.time.range(Timestamp::now())?;
    let (Some(table), None) = (&args.table, &args.blobs) else {
        return blobs::run(args, range, invocation, out);
    };
    let client = storage::client("export", Kind::Tables, &args.account, invocation)?;
    invocation.start_log();
    let plan = Plan {
        account: client.account().name().to_owned(),
        table: table.clone(),
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
