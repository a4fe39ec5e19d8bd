//! `windrow simulate`

mod domain;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Invocation, Out};
use crate::config::checked::{Log, LogFormat};
use crate::exit::{Code, UsageError};
use crate::logging;
use crate::output::{SummaryFormat, SummaryOutput, Terminal, escape, progress, thousands};
use crate::pki::{Authority, Issued, Store};
use crate::simulate::events::{Hostility, MixError};
use crate::simulate::{self, Logs, Machines, Options, Outcome, Progress, Rate};

/// Be a fleet of Windows machines that send events to a collector
///
/// The machines speak Windows Event Forwarding as Windows does: over mutual TLS, or as members of a domain with Kerberos.
/// What they send is made up, realistic and the same for the same seed. Works against any collector.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow simulate https://localhost:5986/wsman/SubscriptionManager/WEC \\
      --machines 50 --rate 20 --for 60s \\
      --ca try/ca.pem --issuer try/ca.pem --issuer-key try/ca.key
  windrow simulate https://wec.example:5986/wsman/SubscriptionManager/WEC \\
      --rate max --events 10000 \\
      --ca collector-ca.pem --clients certificates --ledger sent.ndjson
  windrow simulate http://wec.ad.example:5985/wsman/SubscriptionManager/WEC \\
      --kerberos --kdc dc.ad.example:88 --realm AD.EXAMPLE \\
      --service HTTP/wec.ad.example --keytab machines.keytab --for 60s

`windrow pki try` makes the authority of the first one.")]
pub(super) struct Args {
    /// The subscription manager, as in the group policy's Server= setting
    #[arg(value_name = "URL")]
    pub(super) collector: String,

    /// How many machines
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        conflicts_with_all = ["clients", "kerberos"]
    )]
    pub(super) machines: u32,

    /// Events a second of each machine, or "max": as many as the collector acknowledges
    #[arg(long, value_name = "N", default_value = "10", value_parser = rate)]
    pub(super) rate: Rate,

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
    #[arg(long, value_name = "FILE", required_unless_present = "kerberos")]
    pub(super) ca: Option<PathBuf>,

    /// The authority that issues the machines' certificates
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["clients", "kerberos"]
    )]
    pub(super) issuer: Option<PathBuf>,

    /// Its private key
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["clients", "kerberos"]
    )]
    pub(super) issuer_key: Option<PathBuf>,

    /// Instead of an issuer: a folder of the machines' certificates, NAME.pem beside NAME.key; NAME is the machine
    #[arg(long, value_name = "DIR", conflicts_with_all = ["issuer", "issuer_key"])]
    pub(super) clients: Option<PathBuf>,

    #[command(flatten)]
    domain: domain::Domain,

    #[command(flatten)]
    pub(super) behaviour: Behaviour,

    #[command(flatten)]
    pub(super) output: SummaryOutput,
}

/// How the machines differ from usual ones.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Behaviour of the machines")]
pub(super) struct Behaviour {
    /// Put control characters, separators, long and odd values into the texts of every fourth event
    #[arg(long)]
    hostile: bool,

    /// Most events of a delivery, where the subscription allows more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// Events in each log from before, for subscriptions that want those
    #[arg(long, value_name = "N", default_value_t = 0)]
    existing: u64,

    /// Set the machines' clocks ahead by this, or back: 1d, -1d
    #[arg(long, value_name = "SPAN", value_parser = ahead, allow_hyphen_values = true)]
    clock: Option<SignedDuration>,

    /// Make the machines' logs anew: a place from an earlier run that the collector names is not in them, which a machine
    /// says with an event 111, and sends what it has
    #[arg(long)]
    new_logs: bool,

    /// Compress nothing, even if the subscription asks for it
    #[arg(long)]
    no_compression: bool,

    /// Take only the subscription of this name
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,

    /// How often each machine asks for its subscriptions, as the group policy's Refresh= setting
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = super::time::span)]
    refresh: Duration,

    /// Longest pause before a delivery is tried again [default: as the subscription says]
    #[arg(long, value_name = "SPAN", value_parser = super::time::span)]
    retry_at_most: Option<Duration>,

    /// How long the machines may go on sending when their time is over
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = super::time::span)]
    drain: Duration,

    /// How many machines are switched on in a second
    #[arg(long, value_name = "N", default_value_t = 100.0)]
    starts: f64,

    /// Connect to this address and port, whatever the URLs name
    #[arg(long, value_name = "ADDRESS")]
    connect_to: Option<SocketAddr>,
}

/// Below this part of what was asked for, the summary says so.
const SHORTFALL: f64 = 0.9;

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Unlimited);
    }
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(Rate::PerMachine(rate)),
        _ => Err("a number above zero, or \"max\"".to_owned()),
    }
}

/// A span with a sign.
fn ahead(text: &str) -> Result<SignedDuration, String> {
    let (is_behind, span) = match text.strip_prefix('-') {
        Some(span) => (true, span),
        None => (false, text),
    };
    let span = SignedDuration::try_from(super::time::span(span)?);
    let span = span.map_err(|error| error.to_string())?;
    Ok(if is_behind { -span } else { span })
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let level = Log {
        level: invocation.log_level.clone(),
        format: LogFormat::Auto,
    };
    logging::start(&level, &invocation.terminal);
    let (outcome, ending) =
        super::runtime()?.block_on(send(options(args)?, &invocation.terminal))?;
    match args.output.output {
        SummaryFormat::Table => {
            write_text(&outcome.summary, out)?;
            write_shortfall(args, &outcome.summary, out)?;
        }
        SummaryFormat::Json => {
            serde_json::to_writer(&mut *out, &outcome.summary)?;
            writeln!(out)?;
        }
    }
    let summary = &outcome.summary;
    // A fleet that never got a word out has made no events either.
    let is_heard = summary.subscribed > 0 || summary.machines == 0;
    let is_whole = is_heard && summary.acknowledged >= summary.generated;
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
    let trust = match &args.ca {
        Some(ca) => fs_err::read_to_string(ca)?,
        None => String::new(),
    };
    let mut options = Options::new(args.collector.clone(), trust, machines(args)?);
    options.rate = args.rate;
    options.events = args.events;
    options.duration = args.duration;
    options.seed = args.seed;
    options.ledger.clone_from(&args.ledger);
    if let Some(mix) = &args.mix {
        options.mix = mix
            .parse()
            .map_err(|error: MixError| UsageError(format!("--mix: {error}")))?;
    }
    let behaviour = &args.behaviour;
    if behaviour.hostile {
        options.hostility = Hostility::Hostile;
    }
    options.batch_events = behaviour.batch.map(usize::try_from).transpose()?;
    options.existing = behaviour.existing;
    options.clock_ahead = behaviour.clock.unwrap_or_default();
    if behaviour.new_logs {
        options.logs = Logs::Anew;
    }
    options.never_compress = behaviour.no_compression;
    options.subscription.clone_from(&behaviour.subscription);
    options.refresh = behaviour.refresh;
    options.retry_at_most = behaviour.retry_at_most;
    options.drain = behaviour.drain;
    options.starts_per_second = behaviour.starts;
    options.connect_to = behaviour.connect_to;
    Ok(options)
}

fn machines(args: &Args) -> anyhow::Result<Machines> {
    if let Some(domain) = args.domain.read()? {
        return Ok(Machines::Members(domain));
    }
    if let Some(folder) = &args.clients {
        let given = Store::open(folder)?.pairs()?;
        if given.is_empty() {
            let folder = folder.display();
            return Err(UsageError(format!("--clients: {folder} holds no certificate")).into());
        }
        return Ok(Machines::Given(given));
    }
    let (Some(certificate), Some(key)) = (&args.issuer, &args.issuer_key) else {
        return Err(UsageError("--issuer and --issuer-key are needed".to_owned()).into());
    };
    let issuer = Issued {
        certificate_pem: fs_err::read_to_string(certificate)?,
        key_pem: fs_err::read_to_string(key)?,
    };
    let authority = Authority::from_pem(issuer).with_context(|| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("{certificate} and {key} are not an authority's certificate and key")
    })?;
    Ok(Machines::Made {
        count: usize::try_from(args.machines)?,
        authority: Arc::new(authority),
    })
}

/// Runs the fleet until it is done or Ctrl-C; what waits then is still sent.
async fn send(options: Options, terminal: &Terminal) -> anyhow::Result<(Outcome, Ending)> {
    let (sender, mut receiver) = watch::channel(Progress::default());
    let shutdown = CancellationToken::new();
    let fleet = simulate::run(options, sender, shutdown.clone());
    tokio::pin!(fleet);
    let bar = progress::spinner(terminal);
    let mut ending = Ending::ByItself;
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    loop {
        tokio::select! {
            outcome = &mut fleet => {
                bar.finish_and_clear();
                return Ok((outcome?, ending));
            }
            interrupted = &mut interrupt, if !shutdown.is_cancelled() => {
                interrupted?;
                ending = Ending::Interrupted;
                shutdown.cancel();
            }
            Ok(()) = receiver.changed() => bar.set_message(one_line(&receiver.borrow_and_update())),
        }
    }
}

fn one_line(progress: &Progress) -> String {
    format!(
        "{} of {} machines, {} events acknowledged, {} waiting, {:.0} a second",
        progress.subscribed,
        progress.machines,
        thousands(progress.acknowledged),
        thousands(progress.generated.saturating_sub(progress.acknowledged)),
        progress.events_per_second(),
    )
}

/// Says when clearly fewer events were made than asked for: what was measured then is not what was meant.
fn write_shortfall(args: &Args, summary: &Progress, out: &mut Out<'_>) -> std::io::Result<()> {
    let (Rate::PerMachine(rate), Some(duration), None) = (args.rate, args.duration, args.events)
    else {
        return Ok(());
    };
    let asked = rate * summary.machines as f64 * duration.as_secs_f64();
    if summary.generated as f64 >= SHORTFALL * asked {
        return Ok(());
    }
    writeln!(
        out,
        "{} events were asked for: machines that began late, a slow collector or a busy computer made fewer",
        thousands(asked as u64),
    )
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
        "{} machines, {} of them with a subscription; {} deliveries, {} events sent again",
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
