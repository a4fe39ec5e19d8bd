//! `windrow simulate`

use std::path::PathBuf;
use std::time::Duration;

use super::{Invocation, Out};
use crate::exit::Code;
use crate::output::SummaryOutput;

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

pub(super) fn run(
    _args: &Args,
    _invocation: &Invocation,
    _out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    anyhow::bail!("simulate is not wired yet")
}
