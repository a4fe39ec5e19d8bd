//! `windrow simulate`

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Invocation, Out};
use crate::config::checked::{Log, LogFormat};
use crate::exit::{Code, UsageError};
use crate::logging;
use crate::output::{SummaryFormat, SummaryOutput, escape, thousands};
use crate::pki::{Authority, Issued};
use crate::simulate::events::MixError;
use crate::simulate::{self, Machines, Options, Outcome, Progress, Rate};

/// Be a fleet of Windows machines that send events to a collector
///
/// The machines speak Windows Event Forwarding over mutual TLS, as Windows does. What they send is made up, realistic
/// and the same for the same seed. Works against any collector.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow simulate https://collector.example.com:5986/wsman/SubscriptionManager/WEC \\
      --ca collector-ca.pem --issuer machines-ca.pem --issuer-key machines-ca.key
  windrow simulate https://127.0.0.1:5986/wsman/SubscriptionManager/WEC --machines 50 --rate 20 --for 60s \\
      --ca ca.pem --issuer ca.pem --issuer-key ca.key")]
pub(super) struct Args {
    /// The subscription manager, as in the group policy's Server= setting
    #[arg(value_name = "URL")]
    pub(super) collector: String,

    /// How many machines
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) machines: u32,

    /// Events a second of each machine
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub(super) rate: f64,

    /// Events of each machine, then it stops
    #[arg(long, value_name = "N")]
    pub(super) events: Option<u64>,

    /// Stop after this time
    #[arg(long = "for", value_name = "SPAN", value_parser = super::time::span)]
    pub(super) duration: Option<Duration>,

    /// Write down what was made and what was acknowledged, by machine, channel and record id: one JSON object a line,
    /// every second and at the end
    #[arg(long, value_name = "FILE")]
    pub(super) ledger: Option<PathBuf>,

    /// Which events, by weight: 4624=30,4625=3,4688=15 … [default: as on a busy domain]
    #[arg(long, value_name = "ID=WEIGHT,…")]
    pub(super) mix: Option<String>,

    /// The same seed makes the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// The authority of the collector's certificate
    #[arg(long, value_name = "FILE")]
    pub(super) ca: PathBuf,

    /// The authority that issues the machines' certificates
    #[arg(long, value_name = "FILE")]
    pub(super) issuer: PathBuf,

    /// Its private key
    #[arg(long, value_name = "FILE")]
    pub(super) issuer_key: PathBuf,

    #[command(flatten)]
    pub(super) output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let level = Log {
        level: invocation.log_level.clone(),
        format: LogFormat::Auto,
    };
    logging::start(&level, &invocation.terminal);
    let (outcome, ending) = super::runtime()?.block_on(send(options(args)?))?;
    match args.output.output {
        SummaryFormat::Table => write_text(&outcome.summary, out)?,
        SummaryFormat::Json => {
            serde_json::to_writer(&mut *out, &outcome.summary)?;
            writeln!(out)?;
        }
    }
    let is_whole = outcome.summary.acknowledged >= outcome.summary.generated;
    Ok(match ending {
        Ending::Interrupted => Code::Interrupted,
        Ending::ByItself if is_whole => Code::Ok,
        Ending::ByItself => Code::Negative,
    })
}

/// What ended the fleet.
#[derive(Clone, Copy)]
enum Ending {
    ByItself,
    Interrupted,
}

fn options(args: &Args) -> anyhow::Result<Options> {
    let issuer = Issued {
        certificate_pem: fs_err::read_to_string(&args.issuer)?,
        key_pem: fs_err::read_to_string(&args.issuer_key)?,
    };
    let authority = Authority::from_pem(issuer).with_context(|| {
        let (certificate, key) = (args.issuer.display(), args.issuer_key.display());
        format!("{certificate} and {key} are not an authority's certificate and key")
    })?;
    let machines = Machines::Made {
        count: usize::try_from(args.machines)?,
        authority: Arc::new(authority),
    };
    let trust = fs_err::read_to_string(&args.ca)?;
    let mut options = Options::new(args.collector.clone(), trust, machines);
    options.rate = Rate::PerMachine(args.rate);
    options.events = args.events;
    options.duration = args.duration;
    options.seed = args.seed;
    options.ledger.clone_from(&args.ledger);
    if let Some(mix) = &args.mix {
        options.mix = mix
            .parse()
            .map_err(|error: MixError| UsageError(format!("--mix: {error}")))?;
    }
    Ok(options)
}

/// Runs the fleet until it is done or Ctrl-C; what waits then is still sent.
async fn send(options: Options) -> anyhow::Result<(Outcome, Ending)> {
    let (sender, _progress) = watch::channel(Progress::default());
    let shutdown = CancellationToken::new();
    let fleet = simulate::run(options, sender, shutdown.clone());
    tokio::pin!(fleet);
    tokio::select! {
        outcome = &mut fleet => Ok((outcome?, Ending::ByItself)),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            shutdown.cancel();
            Ok((fleet.await?, Ending::Interrupted))
        }
    }
}

fn write_text(summary: &Progress, out: &mut Out<'_>) -> std::io::Result<()> {
    writeln!(
        out,
        "{} of {} events acknowledged in {:.1} s: {:.0} a second",
        thousands(summary.acknowledged),
        thousands(summary.generated),
        summary.seconds,
        summary.events_per_second(),
    )?;
    writeln!(
        out,
        "{} machines, {} subscriptions, {} deliveries, {} events sent again",
        summary.machines,
        summary.subscribed,
        thousands(summary.deliveries),
        thousands(summary.resent),
    )?;
    writeln!(
        out,
        "acknowledged after {:.1} ms (median), {:.1} ms (slowest hundredth)",
        summary.ack_p50_ms, summary.ack_p99_ms,
    )?;
    for (kind, times) in &summary.faults {
        writeln!(out, "{}: {} times", escape(kind), thousands(*times))?;
    }
    Ok(())
}
