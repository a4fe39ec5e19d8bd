//! `windrow sources`

mod forget;
mod show;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::reach::{Aim, Reached, reach};
use super::{Invocation, Out};
use crate::client::Client;
use crate::config::checked;
use crate::datadir::{DataDir, DataDirError, Purpose};
use crate::exit::{Code, UsageError};
use crate::fleet::{Ask, Expected, LIMIT_MAX, Machine, Report, Verdict, at_rest};
use crate::output::{Format, RowsOutput};

/// Machines of a table where it is not said how many.
const TABLE_LIMIT: u64 = 50;

/// Say of each machine whether its events come, and if not, why
///
/// A line a machine, the worst first: failing, never (expected and never heard of), silent, late, alive. One machine
/// by its name is shown with everything that is known of it. Without a running service it says when each was heard of
/// last, and the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow sources
  windrow sources ws01
  windrow sources \"dc*\" --silent --late
  windrow sources --output csv > machines.csv
  windrow sources forget ws01")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// A machine, by its whole name, its account, or what people call it; or a pattern with * and ?
    #[arg(value_name = "NAME")]
    machine: Option<String>,

    /// Those that try and do not come through
    #[arg(long, help_heading = "Only some of them")]
    failing: bool,

    /// Those that are expected ([fleet] in the configuration) and were never heard of
    #[arg(long, help_heading = "Only some of them")]
    never: bool,

    /// Those of which nothing was heard for a long time
    #[arg(long, help_heading = "Only some of them")]
    silent: bool,

    /// Those that should have been heard of by now
    #[arg(long, help_heading = "Only some of them")]
    late: bool,

    /// Those that are well
    #[arg(long, help_heading = "Only some of them")]
    alive: bool,

    /// Show at most so many, 0 for all [default: 50 in a table, all elsewhere]
    #[arg(long, value_name = "N", help_heading = "Output")]
    limit: Option<u64>,

    #[command(flatten)]
    output: RowsOutput,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Forget(forget::Args),
}

impl Args {
    fn verdicts(&self) -> Vec<Verdict> {
        let chosen = [
            (self.failing, Verdict::Failing),
            (self.never, Verdict::Never),
            (self.silent, Verdict::Silent),
            (self.late, Verdict::Late),
            (self.alive, Verdict::Alive),
        ];
        let chosen = chosen.into_iter().filter(|(is_chosen, _)| *is_chosen);
        chosen.map(|(_, verdict)| verdict).collect()
    }

    fn limit(&self, format: Format) -> usize {
        let usual = match format {
            Format::Table => TABLE_LIMIT,
            Format::Json | Format::Ndjson | Format::Csv => 0,
        };
        match self.limit.unwrap_or(usual) {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    if let Some(Verb::Forget(verb)) = &args.verb {
        if args.machine.is_some() || !args.verdicts().is_empty() {
            let wrong = "what is forgotten is named behind `forget`, and nothing before it";
            return Err(UsageError(wrong.to_owned()).into());
        }
        return forget::run(verb, invocation, out);
    }
    let target = invocation.remote.target(invocation.loader.environment())?;
    invocation.start_log();
    let format = args.output.format(&invocation.terminal);
    let (report, code) = super::runtime()?.block_on(async {
        let mut service = match target {
            Some(target) => Client::connect_to(&target).await?,
            None => match reach(invocation, Aim::Ask).await? {
                Reached::Service(service) => service,
                Reached::AtRest(config) => {
                    let report = rest(args, args.limit(format), &config)?;
                    return Ok((report, Code::Negative));
                }
            },
        };
        let report = asked(args, args.limit(format), &mut service).await?;
        anyhow::Ok((report, Code::Ok))
    })?;
    let is_found = args.machine.is_none() || report.found > 0 || !report.strangers.is_empty();
    let asked = args.machine.as_deref();
    show::write(&report, asked, format, &invocation.terminal, out)?;
    if report.found == 0 && format != Format::Table {
        say(&show::nobody(&report, asked));
    }
    if format != Format::Table && !report.strangers.is_empty() {
        let count = report.strangers.len();
        say(&format!(
            "beside them {count} were refused whose names are not known: --output table shows them"
        ));
    }
    Ok(match is_found {
        true => code,
        false => Code::Negative,
    })
}

/// Beside rows that are none, where a program reads them.
#[expect(
    clippy::print_stderr,
    reason = "stdout is for rows, and who reads none wants to know why"
)]
fn say(sentence: &str) {
    eprintln!("{sentence}");
}

/// What the service says, page by page.
async fn asked(args: &Args, limit: usize, service: &mut Client) -> anyhow::Result<Report> {
    let mut ask = Ask {
        machine: args.machine.clone(),
        verdicts: args.verdicts(),
        offset: 0,
        limit: Some(limit.min(LIMIT_MAX)),
    };
    let mut report = page(&ask, service).await?;
    loop {
        let have = report.machines.len();
        if have >= limit || have as u64 >= report.found {
            return Ok(report);
        }
        ask.offset = have;
        ask.limit = Some((limit - have).min(LIMIT_MAX));
        let more = page(&ask, service).await?;
        // Between two pages a machine may have become better or worse.
        let names = report.machines.iter().map(|one| one.name.clone());
        let known: BTreeSet<String> = names.collect();
        let new = |one: &Machine| !known.contains(&one.name);
        report
            .machines
            .extend(more.machines.into_iter().filter(new));
        if report.machines.len() == have {
            return Ok(report);
        }
    }
}

async fn page(ask: &Ask, service: &mut Client) -> anyhow::Result<Report> {
    let json = service.get(&ask.path()).await;
    let json = json.map_err(super::verbs::refused_there)?;
    Ok(serde_json::from_slice(&json)?)
}

/// What the data folder knows.
fn rest(args: &Args, limit: usize, config: &checked::Config) -> anyhow::Result<Report> {
    if !args.verdicts().is_empty() {
        anyhow::bail!(
            "no service runs, and how a machine is nobody knows without one: ask for all of them"
        );
    }
    let ask = Ask {
        machine: args.machine.clone(),
        limit: Some(limit),
        ..Ask::default()
    };
    let expected = Expected::new(config.fleet.names());
    let journal = match DataDir::open(&config.data_dir, Purpose::Read) {
        Ok(data_dir) => data_dir.journal(),
        Err(DataDirError::Absent(path)) => path,
        Err(error) => return Err(error.into()),
    };
    Ok(at_rest(&journal, &expected, &ask, Timestamp::now())?)
}
