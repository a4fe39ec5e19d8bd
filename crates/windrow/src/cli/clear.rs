//! `windrow clear`: what is older than it is to be kept is taken out of Azure's storage.

use std::io::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use windrow_pipeline::azure::{Cleared, Client, Work};

use super::storage::{self, AccountArgs, Kind};
use super::{Invocation, Out, runtime};
use crate::config::units::Age;
use crate::exit::{Code, UsageError};
use crate::output::{about, escape, progress, thousands, time};

/// Take rows of a table, or blobs of a container, that are older than so long out of Azure's storage
///
/// Azure keeps what Azure Diagnostics wrote for ever. Of a table the rows of minutes before that go, by their PartitionKey; of
/// a container the blobs that were written last before that. Rows with keys that Azure Diagnostics does not make stay. Without
/// --yes it is only said what would go. What was interrupted goes on with the same command.
///
/// windrow does the same by itself every day where a sink says how long it keeps them: `keep = \"90d\"`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow clear WADWindowsEventLogsTable --older-than 90d --sink wad
  windrow clear WADWindowsEventLogsTable --older-than 90d --sink wad --yes
  windrow clear --blobs wad-iis-logfiles --older-than 365d \\
      --storage-account acmelogs --key-file acmelogs.key")]
pub(super) struct Args {
    /// The table
    #[arg(value_name = "TABLE", required_unless_present = "blobs")]
    table: Option<String>,

    /// The container
    #[arg(long, value_name = "CONTAINER", conflicts_with = "table")]
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

    /// How long is kept: whole days, such as 90d
    #[arg(long, value_name = "AGE")]
    older_than: Age,

    /// Take them away
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    account: AccountArgs,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let kind = match args.blobs {
        None => Kind::Tables,
        Some(_) => Kind::Blobs,
    };
    let client = storage::client("clear", kind, &args.account, invocation)?;
    invocation.start_log();
    let Age(Some(days)) = args.older_than else {
        let message = "--older-than has to say how long, such as 90d";
        return Err(UsageError(message.to_owned()).into());
    };
    let before = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * i64::from(days)))?;
    let work = match args.yes {
        true => Work::Remove,
        false => Work::Look,
    };
    let bar = progress::spinner(&invocation.terminal);
    let told = |cleared: &Cleared| bar.set_message(thousands(cleared.count));
    let ended = runtime()?.block_on(async {
        tokio::select! {
            ended = clear(args, &client, before, work, told) => ended.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    });
    bar.finish_and_clear();
    let Some(cleared) = ended? else {
        writeln!(std::io::stderr(), "interrupted: the same command goes on")?;
        return Ok(Code::Interrupted);
    };
    show(args, &cleared, out)?;
    for named in &cleared.named {
        writeln!(std::io::stderr(), "{}", escape(named))?;
    }
    Ok(match cleared.refused {
        0 => Code::Ok,
        _ => Code::Partial,
    })
}

async fn clear(
    args: &Args,
    client: &Client,
    before: Timestamp,
    work: Work,
    told: impl Fn(&Cleared),
) -> anyhow::Result<Cleared> {
    Ok(match (&args.table, &args.blobs) {
        (Some(table), _) => client.clear_table(table, before, work, told).await?,
        (None, container) => {
            let place = (
                container.as_deref().unwrap_or_default(),
                args.prefix.as_str(),
            );
            client.clear_container(place, before, work, told).await?
        }
    })
}

fn show(args: &Args, cleared: &Cleared, out: &mut Out<'_>) -> anyhow::Result<()> {
    let what = match &args.table {
        Some(table) => format!("{} rows of {table}", thousands(cleared.count)),
        None => {
            let container = args.blobs.as_deref().unwrap_or_default();
            let (count, bytes) = (thousands(cleared.count), about(cleared.bytes));
            format!("{count} blobs of {container}, {bytes},")
        }
    };
    let span = match (cleared.oldest, cleared.newest) {
        (Some(oldest), Some(newest)) => {
            let shown = |at| time(at, &TimeZone::UTC);
            format!(", from {} to {}", shown(oldest), shown(newest))
        }
        _ => String::new(),
    };
    let line = match args.yes {
        true => format!("took away {what}{span}"),
        false => format!("would take away {what}{span}; nothing is done without --yes"),
    };
    writeln!(
        out,
        "{}",
        escape(&line.replace(",,", ",").replace(",;", ";"))
    )?;
    if cleared.refused > 0 {
        let refused = thousands(cleared.refused);
        writeln!(out, "{refused} more were refused, see stderr")?;
    }
    Ok(())
}
