//! `windrow check`: what would keep the service from working, each with its cure.
//!
//! Nothing is changed, and nothing is sent to a destination beyond a handshake.

mod certificates;
mod finding;
mod host;
mod network;

#[cfg(test)]
mod tests;

use self::finding::{Finding, Outcome, Report};
use super::{Invocation, Out};
use crate::config::{Need, checked};
use crate::exit::Code;
use crate::output::SummaryOutput;

/// Say what would keep the service from working, and what would cure it
///
/// Looks at the configuration, the data folder, ports, certificates, disk room and destinations. Exit code 1 when
/// anything fails; what only deserves a look does not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow check --config windrow.toml
  windrow check --offline                        connects to no destination")]
pub(super) struct Args {
    /// Open no connection to destinations
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let config = invocation.loader.load(Need::File)?;
    let mut report = Report::default();
    report.push(configuration(&config));
    report.extend(host::check(&config));
    let service_runs = host::service_runs(&config.data_dir);
    report.extend(network::ports(&config, service_runs));
    report.extend(certificates::check(&config));
    report.extend(certificates::group_policies(&config));
    report.extend(network::filters(&config));
    if !args.offline {
        report.extend(super::runtime()?.block_on(network::destinations(&config)));
    }
    report.write(out, args.output.output, &invocation.terminal)?;
    Ok(if report.failed() > 0 {
        Code::Negative
    } else {
        Code::Ok
    })
}

fn configuration(config: &checked::Config) -> Finding {
    let file = config
        .file
        .as_deref()
        .map_or_else(String::new, |file| file.display().to_string());
    let counts = format!(
        "{file}: {}, {}, {}",
        count(config.source.wef.len(), "source"),
        count(config.subscription.len(), "subscription"),
        count(config.sink.syslog.len(), "syslog sink"),
    );
    if config.source.wef.is_empty() {
        let cure = "add [source.wef.main]; `windrow config example` shows how";
        return Finding::new(
            "configuration",
            Outcome::Warning,
            format!("{counts}: nothing would come in"),
        )
        .cure(cure);
    }
    if !config.subscription.values().any(|of| of.enabled) {
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
