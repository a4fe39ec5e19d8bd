//! `windrow check`: what would keep the service from working, each with its cure.
//!
//! Nothing is changed, and nothing is sent to a destination beyond a handshake.

mod certificates;
mod directories;
mod finding;
mod host;
mod live;
mod network;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

use self::finding::{Finding, Outcome, Report, Summary};
use super::{Invocation, Out};
use crate::config::{Need, checked};
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput, escape_json};

/// Say what would keep the service from working, and what would cure it
///
/// Looks at the configuration, the data folder, ports, certificates, disk room and destinations. Exit code 1 when
/// anything fails; what only deserves a look does not count. With --live, the running service says too how far machines
/// have come: connected, asked for subscriptions, sent events. Exit code 1 until all of that has happened.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow check --config windrow.toml
  windrow check --offline                        connects to no destination
  windrow check --live --wait 10m                until the first events come")]
pub(super) struct Args {
    /// Open no connection to destinations
    #[arg(long)]
    offline: bool,

    /// Say too, from the running service, which steps from the machines to their first events are done
    #[arg(long)]
    live: bool,

    /// With --live: wait until all are done, at most so long
    #[arg(long, value_name = "SPAN", value_parser = super::time::span, num_args = 0..=1, default_missing_value = "10m", requires = "live")]
    wait: Option<Duration>,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::File)?;
    let mut report = Report::default();
    report.push(configuration(&config));
    report.extend(host::check(&config));
    report.extend(directories::check(&config));
    let service_runs = host::service_runs(&config.data_dir);
    report.extend(network::ports(&config, service_runs));
    report.extend(certificates::check(&config));
    report.extend(certificates::group_policies(&config));
    report.extend(network::filters(&config));
    if !args.offline {
        let runtime = super::runtime()?;
        report.extend(runtime.block_on(network::destinations(&config)));
        report.extend(runtime.block_on(network::storage(&config)));
        report.extend(runtime.block_on(network::tables(&config)));
        report.extend(runtime.block_on(network::blobs(&config)));
        report.extend(runtime.block_on(network::wad_storage(&config)));
    }
    let format = args.output.output;
    if !args.live {
        report.write(out, format, &invocation.terminal)?;
        return Ok(code(report.failed() == 0));
    }
    if format == SummaryFormat::Table {
        // What is wrong here is worth reading while the rest is waited for.
        report.write(out, format, &invocation.terminal)?;
        out.flush()?;
    }
    let live = live::check(&config, args.wait, &invocation.terminal);
    let steps = super::runtime()?.block_on(live)?;
    let is_done = live::is_done(&steps) && report.failed() == 0;
    match format {
        SummaryFormat::Table => live::write(&steps, out, &invocation.terminal)?,
        SummaryFormat::Json => {
            let live = Live {
                summary: report.summary(),
                done: live::is_done(&steps),
                live: &steps,
            };
            let json = serde_json::to_string_pretty(&live)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
    }
    Ok(code(is_done))
}

/// What is found, and how far the machines are.
#[derive(Serialize)]
struct Live<'a, S: Serialize> {
    #[serde(flatten)]
    summary: Summary<'a>,
    done: bool,
    live: S,
}

fn code(is_well: bool) -> Code {
    match is_well {
        true => Code::Ok,
        false => Code::Negative,
    }
}

fn configuration(config: &checked::Config) -> Finding {
    let file = config
        .file
        .as_deref()
        .map_or_else(String::new, |file| file.display().to_string());
    let mut counts = format!(
        "{file}: {}, {}, {}",
        count(config.source.count(), "source"),
        count(config.subscription.len(), "subscription"),
        count(config.sink.syslog.len(), "syslog sink"),
    );
    if !config.sink.azure_table.is_empty() {
        counts += &format!(", {}", count(config.sink.azure_table.len(), "table sink"));
    }
    if !config.sink.azure_blob.is_empty() {
        counts += &format!(", {}", count(config.sink.azure_blob.len(), "blob sink"));
    }
    if config.source.count() == 0 {
        let cure = "add [source.wef.main]; `windrow config example` shows how";
        return Finding::new(
            "configuration",
            Outcome::Warning,
            format!("{counts}: nothing would come in"),
        )
        .cure(cure);
    }
    if !config.source.wef.is_empty() && !config.subscription.values().any(|of| of.enabled) {
        let cure =
            "`windrow subscription add base --baseline essential`, or a table [subscription.base]";
        let what = format!("{counts}: machines are asked for nothing");
        return Finding::new("configuration", Outcome::Warning, what).cure(cure);
    }
    Finding::new("configuration", Outcome::Ok, counts)
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
