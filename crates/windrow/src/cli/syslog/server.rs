//! `windrow syslog server`

use std::path::PathBuf;

use clap::Subcommand;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;

use super::super::remote::Asked;
use super::super::{Invocation, Out};
use super::done;
use super::filter::Which as Events;
use crate::admin::{Request, ServerGet, ServerName, ServerSet};
use crate::config::checked::{CefVersion, Confirmation, Framing, Prefix, Product, Profile};
use crate::exit::{Code, UsageError};
use crate::output::SummaryOutput;

/// Where events go: one destination, or several with names of their own
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server set --server-name siem.example.com
  windrow syslog server get --output json")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Set(Box<Set>),
    Get(Get),
    Enable(Enable),
    Disable(Disable),
    Remove(Remove),
}

/// Set a destination, all of it: what is not said has its default
///
/// What it had and is not said again is warned of, with both values.
///
/// TCP with TLS 1.2 or higher and a check of the receiver's certificate and name is the default. Weaker ways exist for
/// tests, and are warned of each time. Best first: mutual TLS (`windrow syslog client
/// set`), TLS, --skip-cn-check, --skip-certificate-check, --no-encryption, --use-udp.
///
/// Within a second it is in force in the running service: the old connection is ended in good order, and the new one goes
/// on where it stopped. What cannot be used is refused, and the old setting stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server set --server-name siem.example.com
  windrow syslog server set --server-name siem.example.com \\
      --server-port 10514 --ca-file siem-ca.pem
  windrow syslog server set --server-name 192.0.2.7 \\
      --ca-file siem-ca.pem --skip-cn-check
  windrow syslog server set --name second --server-name siem2 --no-encryption
  windrow syslog server set --server-name siem.example.com --use-udp
  windrow syslog server set --server-name siem.example.com \\
      --output-severity default --exclude-channels '*/Debug'
  windrow syslog server set --server-name siem.example.com \\
      --query 'Security!*[System[EventID=4624 or EventID=4625]]'

Then: windrow syslog server get")]
struct Set {
    /// Name or address of the receiver; over TLS its certificate has to carry it
    #[arg(long, value_name = "HOST")]
    server_name: String,

    /// Its port [default: 6514 for TCP with and without TLS, 514 for UDP]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    server_port: Option<u16>,

    /// Which destination, where there are several
    #[arg(long, default_value = crate::admin::DEFAULT_NAME)]
    name: String,

    /// TCP in the clear: anybody on the way can read and change events, and whoever answers gets them
    #[arg(long)]
    no_encryption: bool,

    /// UDP, always in the clear: as --no-encryption, and what is lost is lost unseen
    #[arg(long)]
    use_udp: bool,

    /// Do not look at the name in the receiver's certificate, when --server-name is an address, say: any server
    /// with a certificate of the authority is taken for the receiver
    #[arg(long)]
    skip_cn_check: bool,

    /// Look at nothing in the receiver's certificate: whoever answers gets the events. For tests; --fingerprint is as
    /// easy, and safe
    #[arg(long)]
    skip_certificate_check: bool,

    /// The SHA-256 of the receiver's certificate, which may be self-signed: it has to be that one and valid. As
    /// `openssl x509 -fingerprint -sha256` prints it
    #[arg(long, value_name = "SHA256")]
    fingerprint: Option<String>,

    /// The authorities that the receiver's certificate may come from, in PEM, readable by the service
    /// [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Which fields of an event go where: azure-stack, standard
    #[arg(long, value_parser = word::<Profile>, help_heading = "Messages")]
    profile: Option<Profile>,

    /// The device product of profile azure-stack: "Microsoft Azure Stack" (the default), "Microsoft Azure Stack Hub",
    /// "Microsoft Azure Local"
    #[arg(long, value_parser = word::<Product>, help_heading = "Messages")]
    product: Option<Product>,

    /// What stands before the CEF message: rfc3164, rfc3164-iso, rfc5424, none
    #[arg(long, value_parser = word::<Prefix>, help_heading = "Messages")]
    prefix: Option<Prefix>,

    /// The number after `CEF:`: 0, 1, or 0.0 as Azure Stack's documentation prints it
    #[arg(long, value_parser = word::<CefVersion>, value_name = "VERSION", help_heading = "Messages")]
    cef_version: Option<CefVersion>,

    /// How messages are told apart in a stream: octet-counting (default over TLS), lf (default over TCP)
    #[arg(long, value_parser = word::<Framing>, help_heading = "Messages")]
    framing: Option<Framing>,

    /// Longer messages have their values cut [default: 8096, over UDP 2048]
    #[arg(long, value_name = "BYTES", help_heading = "Messages")]
    max_message_bytes: Option<u32>,

    /// When an event counts as delivered: peer-read (default over TCP and TLS), tcp-acked, sent
    #[arg(long, value_parser = word::<Confirmation>, value_name = "LEVEL", help_heading = "Messages")]
    confirmation: Option<Confirmation>,

    #[command(flatten)]
    events: Events,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Show destinations: how each is set, what it does, what is weak about it
///
/// Counters begin when the service starts, or when the destination is set. Nothing secret is shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server get
  windrow syslog server get --output json | jq .servers[0].now.lag_events")]
struct Get {
    /// This destination alone
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Switch a destination on again: it goes on where it was switched off
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server enable")]
struct Enable {
    #[command(flatten)]
    which: Which,
}

/// Switch a destination off: nothing is sent, and it keeps its place
///
/// The journal keeps what comes meanwhile, as far as its quota allows ([journal] quota and when_full).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server disable
  windrow syslog server disable --name second")]
struct Disable {
    #[command(flatten)]
    which: Which,
}

/// Take a destination away, and with it what was not sent to it yet
///
/// Says how many events that were at most, and puts it on record. To keep them, `disable` it instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog server remove
  windrow syslog server remove --name second")]
struct Remove {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Which destination [default: the only one, or `default`]
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let asked = invocation.remote.asked(invocation.loader.environment());
    let (request, output) = request(&args.verb, asked)?;
    done(request, output.output, invocation, out)
}

fn request(verb: &Verb, asked: Asked) -> anyhow::Result<(Request, SummaryOutput)> {
    let named = |which: &Which| ServerName {
        name: which.name.clone(),
    };
    Ok(match verb {
        Verb::Set(set) => (
            Request::ServerSet(Box::new(set.request(asked)?)),
            set.output,
        ),
        Verb::Get(get) => {
            let name = get.name.clone();
            (Request::ServerGet(ServerGet { name }), get.output)
        }
        Verb::Enable(Enable { which }) => (Request::ServerEnable(named(which)), which.output),
        Verb::Disable(Disable { which }) => (Request::ServerDisable(named(which)), which.output),
        Verb::Remove(Remove { which }) => (Request::ServerRemove(named(which)), which.output),
    })
}

impl Set {
    fn request(&self, asked: Asked) -> anyhow::Result<ServerSet> {
        let ca_file = match (&self.ca_file, asked) {
            (Some(file), Asked::Another) if file.is_relative() => {
                let message =
                    "--ca-file is a file beside the service, on its machine: name it from / on";
                return Err(UsageError(message.to_owned()).into());
            }
            // The service has another working directory.
            (file, _) => file.as_ref().map(std::path::absolute).transpose()?,
        };
        Ok(ServerSet {
            name: Some(self.name.clone()),
            server_name: self.server_name.clone(),
            server_port: self.server_port,
            no_encryption: self.no_encryption,
            use_udp: self.use_udp,
            skip_certificate_check: self.skip_certificate_check,
            skip_name_check: self.skip_cn_check,
            fingerprint: self.fingerprint.clone(),
            ca_file,
            framing: self.framing,
            prefix: self.prefix,
            profile: self.profile,
            product: self.product,
            cef_version: self.cef_version,
            max_message_bytes: self.max_message_bytes,
            confirmation: self.confirmation,
            output_severity: self.events.output_severity(),
            filter: self.events.filter()?,
        })
    }
}

/// A word that windrow.toml knows.
pub(super) fn word<'de, T: Deserialize<'de>>(text: &str) -> Result<T, String> {
    let text = text.to_owned();
    let found: Result<T, Unknown> = T::deserialize(text.into_deserializer());
    found.map_err(|error| error.to_string().replace('`', ""))
}
