//! `windrow query`

use std::io::Write;

use jiff::Timestamp;
use windrow_lake::{Layout, Period, QueryError, QueryLimits, QueryOutput};

use super::time::{Range, TimeArgs};
use super::{Invocation, Out};
use crate::client::{Client, Refused};
use crate::config::Need;
use crate::exit::{Code, UsageError};
use crate::folder::{self, Folder};
use crate::output::RowsOutput;

/// Ask everything that was collected, in SQL
///
/// There is one table, `events`. Its columns: `windrow query "describe events"`. The answer holds what was acknowledged
/// up to two seconds ago, with the service running or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow query \"describe events\"
  windrow query --from 24h \"select target_user, count(*) n from events where event_id = 4625 group by 1 order by n desc\"
  windrow query --output csv \"select time, computer, event_data['ServiceName'] from events where event_id = 7045\"
  windrow query --tz Europe/Berlin \"select time, message from events order by time desc limit 5\"")]
pub(super) struct Args {
    /// The question
    sql: String,

    #[command(flatten)]
    time: TimeArgs,

    /// Print at most so many rows
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,

    #[command(flatten)]
    output: RowsOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let range = args.time.range(Timestamp::now())?;
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let format = args.output.format(&invocation.terminal);
    let layout = Layout {
        zone: args.time.tz.clone(),
        width: invocation
            .terminal
            .stdout_is_terminal
            .then_some(invocation.terminal.width),
    };
    super::runtime()?.block_on(async {
        let answer = ask(&config.data_dir, args, range).await.map_err(usage)?;
        let written = answer
            .write(format.into(), &layout, out)
            .await
            .map_err(|error| usage(error.into()))?;
        if written.truncated {
            writeln!(
                std::io::stderr(),
                "only the first {} rows (--max-rows)",
                written.rows
            )?;
        }
        Ok(Code::Ok)
    })
}

/// Asks the service, or the data folder when none runs.
async fn ask(data_dir: &std::path::Path, args: &Args, range: Range) -> anyhow::Result<QueryOutput> {
    if let Some(mut service) = Client::connect(&crate::datadir::socket(data_dir)).await? {
        let frames = service.post(&path(args, range), args.sql.clone()).await?;
        return Ok(QueryOutput::from_ipc(frames).await?);
    }
    let folder = Folder::open(&folder::open(data_dir)?).await?;
    folder.warn_if_cut();
    let limits = QueryLimits {
        rows: args.max_rows,
        period: Period {
            from: range.from,
            to: range.to,
        },
        ..QueryLimits::default()
    };
    let answer = folder.lake.query(&args.sql, folder.tail, limits).await;
    Ok(answer?)
}

/// The service's path, with everything that is not the question itself.
fn path(args: &Args, range: Range) -> String {
    let microseconds = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    let parameters = [
        (
            "max_rows",
            args.max_rows.and_then(|rows| i64::try_from(rows).ok()),
        ),
        ("from_us", microseconds(range.from)),
        ("to_us", microseconds(range.to)),
    ];
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
    format!("/v1/query?{}", given.collect::<Vec<_>>().join("&"))
}

/// A question that cannot be asked so is wrong usage; the rest is not the asker's doing.
fn usage(error: anyhow::Error) -> anyhow::Error {
    let refused_here = matches!(error.downcast_ref(), Some(QueryError::Refused { .. }));
    let refused_there = error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| refused.by_asker);
    if refused_here || refused_there {
        return UsageError(error.to_string()).into();
    }
    error.context("the query failed")
}
