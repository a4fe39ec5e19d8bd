//! `windrow lake`

mod check;
mod record;
mod show;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use tokio::sync::mpsc;
use windrow_lake::{Done, Expired, Lake, LakeError, Run, table_names};

use super::{Invocation, Out};
use crate::clock::Clock;
use crate::config::{Need, checked};
use crate::datadir::{DataDir, Purpose};
use crate::exit::{Code, UsageError};
use crate::output::{Cell, Column, RowsOutput, Table, thousands};
use crate::{folder, lake_place, retention};

/// Look after the lake: what it has, what goes when, and its files
///
/// A running service does all of this by itself, ten minutes after its start and every six hours. Everything here may
/// run beside it, and beside queries.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake show
  windrow lake expire --dry-run
  windrow lake compact
  windrow lake files events --absolute            for readers of plain Parquet")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(ShowArgs),
    Compact(CompactArgs),
    Expire(ExpireArgs),
    Vacuum(VacuumArgs),
    Check(CheckArgs),
    Files(FilesArgs),
}

/// Show every table: rows, bytes, dates, and what of it goes when
///
/// What is kept how long is said by [lake.retention] in windrow.toml, what is held beyond that by [lake.hold.NAME].
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake show
  windrow lake show --output json | jq '.[] | select(.keeps != \"forever\")'")]
struct ShowArgs {
    #[command(flatten)]
    output: RowsOutput,
}

/// Merge the small files of days that are over, as few as their sizes allow
///
/// A day is merged that has eight of them: fewer are left as they are, so that late events do not have it written anew each time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake compact")]
struct CompactArgs {}

/// Take out what is kept no longer, as [lake.retention] says
///
/// Files of dates that are over go whole; others are written again without the rows and texts that are over. What went
/// cannot be asked for any more at once, and is gone from the disk a day later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake expire --dry-run                   what would go
  windrow lake expire")]
struct ExpireArgs {
    /// Say what would go, and take nothing out
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    output: RowsOutput,
}

/// Remove files from the disk that were replaced, or left behind by a crash, more than a day ago
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake vacuum")]
struct VacuumArgs {}

/// Read every data file of every table, and name those that are damaged or gone
///
/// Answers lack what of such a file cannot be read, and say so. Best is a copy of the file, put in its place under its
/// name. Without one, --take-out has the table forget it, and puts it on record. What a hold may be of stays in its table, and
/// so does what the disk cannot read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake check
  windrow lake check --take-out                   when there is no copy")]
struct CheckArgs {
    /// Take damaged files out of their tables; the files stay on the disk for a day
    #[arg(long)]
    take_out: bool,

    #[command(flatten)]
    output: RowsOutput,
}

/// Name the data files of which a table consists now, one a line
///
/// A folder also has files that were merged or thinned out and are still there for whoever is reading them: a reader
/// that takes them all counts rows twice.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow lake files
  windrow lake files iis --absolute")]
struct FilesArgs {
    /// The table
    #[arg(default_value = "events", value_name = "TABLE")]
    table: String,

    /// Paths from the root instead of from the table's folder
    #[arg(long)]
    absolute: bool,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let now = Timestamp::now();
    let today = Offset::UTC.to_datetime(now).date();
    super::runtime()?.block_on(async {
        match &args.verb {
            Verb::Show(args) => {
                let found = to_read(&config).await?.overview().await;
                let table = show::table(&found.done, &retention::of(&config.lake), today);
                let format = args.output.format(&invocation.terminal);
                table.write(out, format, &invocation.terminal)?;
                after(found.failed, out)
            }
            Verb::Compact(_) => {
                let Done { done, failed } = to_write(&config).await?.keep_up(now).await;
                let (merged, days) = (thousands(done.merged), thousands(done.days));
                writeln!(out, "merged {merged} files of {days} days")?;
                after(failed, out)
            }
            Verb::Expire(args) => expire(&config, args, today, invocation, out).await,
            Verb::Vacuum(_) => {
                let Done { done, failed } = to_write(&config).await?.vacuum(now).await;
                writeln!(out, "removed {} files", thousands(done))?;
                after(failed, out)
            }
            Verb::Check(args) => check::run(args, &config, invocation, out).await,
            Verb::Files(args) => files(&config, args, out).await,
        }
    })
}

/// What was done is told, and then what failed.
fn after(failed: Option<LakeError>, out: &mut Out<'_>) -> anyhow::Result<Code> {
    out.flush()?;
    failed.map_or(Ok(Code::Ok), |error| Err(error.into()))
}

async fn to_read(config: &checked::Config) -> anyhow::Result<Lake> {
    let data_dir = folder::open(&config.data_dir)?;
    Ok(Lake::open_to_read(lake_place::of(&config.lake, &data_dir)?).await?)
}

/// To be there it has to be: nobody compacts a lake that nobody filled.
async fn to_write(config: &checked::Config) -> anyhow::Result<Lake> {
    folder::open(&config.data_dir)?;
    let data_dir = DataDir::open(&config.data_dir, Purpose::Write)?;
    Ok(Lake::open(lake_place::of(&config.lake, &data_dir)?).await?)
}

async fn expire(
    config: &checked::Config,
    args: &ExpireArgs,
    today: Date,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    if !config.lake.expire {
        let why = "this collector takes nothing out of the lake: `[lake] expire` is false, and another one does";
        return Err(UsageError(why.to_owned()).into());
    }
    let held = retention::of(&config.lake);
    let format = args.output.format(&invocation.terminal);
    let terminal = &invocation.terminal;
    if args.dry_run {
        let gone = to_read(config)
            .await?
            .expire(&held, today, Run::Dry)
            .await?;
        expired(&gone).write(out, format, terminal)?;
        return Ok(Code::Ok);
    }
    let lake = to_write(config).await?;
    // Whoever does this by hand says that the clock is right.
    Clock::of(&folder::open(&config.data_dir)?.lake()).trust()?;
    let (told, gone) = mpsc::channel(record::TOLD_AHEAD);
    let expiring = async move { lake.expire_and_tell(&held, today, &told).await };
    let (expiry, recorded) = tokio::join!(expiring, record::all(config, gone));
    expired(&expiry.done).write(out, format, terminal)?;
    recorded?;
    after(expiry.failed, out)
}

fn expired(gone: &[(&'static str, Expired)]) -> Table {
    let columns = [
        Column::Left("table"),
        Column::Right("rows"),
        Column::Right("texts"),
        Column::Right("files_removed"),
        Column::Right("files_rewritten"),
    ];
    let mut table = Table::new(columns);
    for (name, gone) in gone {
        table.push([
            Cell::from(*name),
            gone.rows.into(),
            gone.texts.into(),
            gone.removed.into(),
            gone.rewritten.into(),
        ]);
    }
    table
}

async fn files(
    config: &checked::Config,
    args: &FilesArgs,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    if !table_names().any(|name| name == args.table) {
        let known: Vec<&str> = table_names().collect();
        let message = format!(
            "there is no table {:?}; there are {}",
            args.table,
            known.join(", ")
        );
        return Err(UsageError(message).into());
    }
    let Some((folder, files)) = to_read(config).await?.live_files(&args.table).await? else {
        writeln!(
            std::io::stderr(),
            "nothing was written to {} yet",
            args.table
        )?;
        return Ok(Code::Negative);
    };
    for file in files {
        let path = match args.absolute {
            true => folder.join(file),
            false => PathBuf::from(file),
        };
        writeln!(out, "{}", path.display())?;
    }
    Ok(Code::Ok)
}
