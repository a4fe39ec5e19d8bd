//! `windrow setup wef`

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use windrow_formats::wef::baseline::BASELINES;

use super::super::{Invocation, Out};
use super::ask::{Person, Question, is_there};
use super::client;
use super::outcome::{Done, Outcome};
use super::words::{collector_name, is_address, realm, wanted};
use crate::config::checked::Delivery;
use crate::exit::{Code, Hint as _, UsageError};
use crate::output::{SummaryFormat, SummaryOutput, escape_json};
use crate::setup::configuration::Wanted;
use crate::setup::files::{self, Existing, Fate, WriteError};
use crate::setup::lock::Lock;
use crate::setup::plan::{self, Answers, CertificatesFrom, Domain, Plan, WithCertificates};
use crate::setup::{FOR_THE_MACHINES, Places, REFRESH_SECONDS};

/// Set up collecting over Windows Event Forwarding
///
/// Writes the configuration with subscriptions, certificates, and a folder for-the-machines/ with everything that has to be
/// set on Windows: group policy, registry, scripts, tests, each with where it goes and how to undo it. On a terminal it asks
/// for what was not given. It writes over nothing.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  windrow setup wef                               asks for what it needs
  windrow setup wef --name wec.corp.example --domain CORP.EXAMPLE \\
      --baseline domain-controller=dc* --baseline server=srv* \\
      --baseline workstation --listen 0.0.0.0
  windrow setup wef --name wec.example.com --no-domain --baseline essential \\
      --listen 0.0.0.0 --dry-run
  windrow setup wef client ws01.example.com       a certificate for a machine"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    set: Set,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Client(client::Args),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The name that machines reach the collector by, such as wec.corp.example
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The Kerberos realm of the machines' domain: they come with tickets, to port 5985
    #[arg(long, value_name = "REALM", conflicts_with = "no_domain")]
    domain: Option<String>,

    /// The machines are in no domain: they come with certificates, to port 5986
    #[arg(long)]
    no_domain: bool,

    /// What machines are asked for, and which of them: NAME or NAME=PATTERN,…; one without patterns is for those that no
    /// other one names [names: essential, domain-controller, server, workstation, exercises]
    #[arg(long, value_name = "NAME[=PATTERN,…]")]
    baseline: Vec<String>,

    /// The address to listen at; 0.0.0.0 for all [default: 127.0.0.1, which no machine reaches]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,

    /// How soon events come [default: a batch every 30 seconds]
    #[arg(long, value_name = "HOW", value_parser = delivery)]
    delivery: Option<Delivery>,

    /// How often machines ask for their subscriptions, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = REFRESH_SECONDS, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    refresh: u32,

    /// A machine that events are expected of; `windrow sources` says if it never came
    #[arg(long, value_name = "MACHINE")]
    expect: Vec<String>,

    #[command(flatten)]
    certificates: Certificates,

    /// The keytab of the collector's accounts [default: windrow.keytab beside the configuration]
    #[arg(long, value_name = "FILE", conflicts_with = "no_domain")]
    keytab: Option<PathBuf>,

    /// The port for machines with tickets
    #[arg(long, value_name = "PORT", default_value_t = 5985, value_parser = clap::value_parser!(u16).range(1..))]
    kerberos_port: u16,

    /// The port for machines with certificates
    #[arg(long, value_name = "PORT", default_value_t = 5986, value_parser = clap::value_parser!(u16).range(1..))]
    tls_port: u16,

    /// The folder for pki/ and for-the-machines/ [default: that of the configuration]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Write over what is there; it is kept beside, as NAME.bak
    #[arg(long)]
    replace: bool,

    /// Ask nothing
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Beside --domain each of these adds port 5986 for machines that are not in it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Certificates")]
struct Certificates {
    /// Make an authority, or take the one that was made; what --no-domain does by itself
    #[arg(long, conflicts_with_all = ["adcs", "cert_file", "key_file"])]
    make_ca: bool,

    /// The authority that issues the machines' certificates, in PEM or DER
    #[arg(long, value_name = "FILE", conflicts_with = "make_ca")]
    ca_file: Option<PathBuf>,

    /// The collector's certificate in PEM, and those between it and its root, with the root where machines do not trust it
    #[arg(long, value_name = "FILE", requires_all = ["ca_file", "key_file"])]
    cert_file: Option<PathBuf>,

    /// Its private key
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    /// Active Directory Certificate Services issue them: writes a request and the steps
    #[arg(long, requires = "ca_file", conflicts_with = "cert_file")]
    adcs: bool,
}

fn delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "normal" => Ok(Delivery::Normal),
        "minimize-bandwidth" => Ok(Delivery::MinimizeBandwidth),
        "minimize-latency" => Ok(Delivery::MinimizeLatency),
        _ => Err("normal, minimize-bandwidth or minimize-latency".to_owned()),
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    invocation.start_log();
    if let Some(Action::Client(args)) = &args.action {
        return client::run(args, invocation, out);
    }
    let set = &args.set;
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    let mut answers = stdin.lock();
    let mut person = match is_there() && !set.yes {
        true => Person::There(&mut answers, &mut stderr),
        false => Person::Absent,
    };
    let answers = set.answers(invocation, &mut person)?;
    // From the first look at what is there to the last file, nobody else sets up the same place.
    let lock = match set.dry_run {
        true => None,
        false => Some(lock(&answers.places)?),
    };
    let plan = plan::plan(&answers, &invocation.loader)?;
    let fates = match set.dry_run {
        true => files::fates(&plan.files),
        false => write(&plan, set.replace)?,
    };
    drop(lock);
    let done = match set.dry_run {
        true => Done::NotYet,
        false => Done::Written,
    };
    let outcome = Outcome::of(done, &answers, &plan, &fates);
    match set.output.output {
        SummaryFormat::Table => outcome.write_text(out, &invocation.terminal)?,
        SummaryFormat::Json => {
            let json = serde_json::to_string_pretty(&outcome)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
    }
    Ok(Code::Ok)
}

fn lock(places: &Places) -> anyhow::Result<Lock> {
    let beside = places.pki.parent().unwrap_or(Path::new("/"));
    let config = places.config.parent().unwrap_or(Path::new("/"));
    Lock::take(&[config, beside]).hint("nothing was written")
}

fn write(plan: &Plan, replace: bool) -> anyhow::Result<Vec<Fate>> {
    let existing = match replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let written = files::write(&plan.files, existing);
    match written {
        Err(error @ WriteError::Exist(_)) => Err(error).hint(REPLACE),
        other => Ok(other?),
    }
}

/// What helps where files are there.
const REPLACE: &str = "nothing was written; --replace writes over them and keeps them as NAME.bak, --config and --folder \
                       take other places, --dry-run shows what would be written";

/// That a file can be where an option has it.
fn check_place(option: &str, file: &Path, cure: &str) -> Result<(), UsageError> {
    let checked = files::check_place(file);
    checked.map_err(|wrong| UsageError(format!("{option}: {wrong}: {cure}")))
}

impl Set {
    fn answers(&self, invocation: &Invocation, person: &mut Person<'_>) -> anyhow::Result<Answers> {
        let places = self.places(invocation)?;
        if places.config.exists() && !self.replace && !self.dry_run {
            // Before anybody answers questions in vain.
            let exist = WriteError::Exist(vec![places.config]);
            return Err(exist).hint(REPLACE);
        }
        let name = match &self.name {
            Some(name) => {
                collector_name(name).map_err(|wrong| UsageError(format!("--name: {wrong}")))?
            }
            None => {
                let question = Question {
                    words: "The name that machines reach this collector by, such as wec.corp.example",
                    default: None,
                    option: "--name NAME",
                };
                person.ask(question, collector_name)?
            }
        };
        let realm = self.realm(person)?;
        self.check_domain(&name, realm.as_deref())?;
        let domain = realm.map(|realm| Domain {
            realm,
            port: self.kerberos_port,
            keytab: self.keytab(&places),
        });
        let from = self.certificates_from(domain.is_some())?;
        if domain.is_some() && from.is_some() && self.kerberos_port == self.tls_port {
            let message = format!(
                "--kerberos-port and --tls-port are both {}: take two",
                self.tls_port
            );
            return Err(UsageError(message).into());
        }
        let certificates = from.map(|from| WithCertificates {
            port: self.tls_port,
            from,
        });
        Ok(Answers {
            name,
            domain,
            certificates,
            baselines: self.baselines(person)?,
            listen: self.listen(person)?,
            delivery: self.delivery,
            refresh_seconds: self.refresh,
            expected: self.expect.clone(),
            places,
        })
    }

    /// What has to be so for machines of a domain, and for them alone.
    fn check_domain(&self, name: &str, realm: Option<&str>) -> Result<(), UsageError> {
        match realm {
            Some(_) if is_address(name) => Err(UsageError(format!(
                "--name: {name} is an address, and tickets are for names: give the collector's full name, such as \
                 wec.corp.example, which the domain's DNS leads to it, or --no-domain"
            ))),
            None if self.keytab.is_some() => Err(UsageError(
                "--keytab is for machines of a domain, and there is none: give --domain REALM, or leave it out".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    fn places(&self, invocation: &Invocation) -> anyhow::Result<Places> {
        let config = std::path::absolute(invocation.loader.file_to_write()?)?;
        let beside = config.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = self
            .folder
            .as_deref()
            .map_or(Ok(beside), std::path::absolute)?;
        check_place(
            "--config",
            &config,
            "name the file in it, such as windrow.toml",
        )?;
        check_place("--folder", &folder.join("pki/ca.key"), "name a folder")?;
        let data_dir = invocation.loader.data_dir_argument();
        Ok(Places {
            pki: folder.join("pki"),
            machines: folder.join(FOR_THE_MACHINES),
            data_dir: data_dir.map(std::path::absolute).transpose()?,
            config,
        })
    }

    fn keytab(&self, places: &Places) -> PathBuf {
        let beside = || places.config.with_file_name("windrow.keytab");
        let given = self
            .keytab
            .as_deref()
            .and_then(|keytab| std::path::absolute(keytab).ok());
        given.unwrap_or_else(beside)
    }

    fn realm(&self, person: &mut Person<'_>) -> anyhow::Result<Option<String>> {
        match (&self.domain, self.no_domain) {
            (Some(realm), _) => {
                let wrong = |wrong| UsageError(format!("--domain: {wrong}"));
                Ok(Some(self::realm(realm).map_err(wrong)?))
            }
            (None, true) => Ok(None),
            (None, false) => {
                let question = Question {
                    words: "The Kerberos realm of the machines' domain, such as CORP.EXAMPLE, or - where there is none",
                    default: None,
                    option: "--domain REALM or --no-domain",
                };
                person.ask(question, |answer| match answer {
                    "-" => Ok(None),
                    answer => self::realm(answer).map(Some),
                })
            }
        }
    }

    fn certificates_from(&self, has_domain: bool) -> anyhow::Result<Option<CertificatesFrom>> {
        let given = &self.certificates;
        let absolute = |file: &PathBuf| std::path::absolute(file);
        let ca = given.ca_file.as_ref().map(absolute).transpose()?;
        Ok(match (ca, &given.cert_file, &given.key_file) {
            (Some(ca), Some(certificate), Some(key)) => Some(CertificatesFrom::Files {
                ca,
                certificate: absolute(certificate)?,
                key: absolute(key)?,
            }),
            (Some(ca), ..) if given.adcs => Some(CertificatesFrom::Adcs { ca }),
            (Some(_), ..) => {
                let message = "--ca-file goes with --cert-file and --key-file, or with --adcs";
                return Err(UsageError(message.to_owned()).into());
            }
            (None, ..) if given.make_ca || !has_domain => Some(CertificatesFrom::Own),
            (None, ..) => None,
        })
    }

    fn baselines(&self, person: &mut Person<'_>) -> anyhow::Result<Vec<Wanted>> {
        let names: Vec<_> = BASELINES.iter().map(|baseline| baseline.name).collect();
        let wanted = if self.baseline.is_empty() {
            let words = format!("What machines are asked for ({})", names.join(", "));
            let question = Question {
                words: &words,
                default: Some("essential"),
                option: "--baseline NAME",
            };
            person.ask(question, |answer| {
                answer
                    .split_whitespace()
                    .map(wanted)
                    .collect::<Result<Vec<_>, _>>()
            })?
        } else {
            let wanted: Result<Vec<_>, _> = self.baseline.iter().map(|text| wanted(text)).collect();
            wanted.map_err(|wrong| UsageError(format!("--baseline: {wrong}")))?
        };
        let for_the_rest = wanted.iter().filter(|wanted| wanted.machines.is_empty());
        if for_the_rest.count() > 1 {
            let message = "--baseline: two are for the same machines, which would send what both ask for twice; say whom one \
                           is for, as in domain-controller=dc*";
            return Err(UsageError(message.to_owned()).into());
        }
        for (at, one) in wanted.iter().enumerate() {
            if wanted[..at]
                .iter()
                .any(|other| other.baseline == one.baseline)
            {
                let message = format!("--baseline: {} is there twice", one.baseline);
                return Err(UsageError(message).into());
            }
        }
        Ok(wanted)
    }

    fn listen(&self, person: &mut Person<'_>) -> anyhow::Result<IpAddr> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        match (self.listen, &person) {
            (Some(address), _) => Ok(address),
            (None, Person::Absent) => Ok(loopback),
            (None, Person::There(..)) => {
                let question = Question {
                    words: "The address to listen at; 0.0.0.0 is all of this machine's, 127.0.0.1 is reached by no other",
                    default: Some("0.0.0.0"),
                    option: "--listen ADDRESS",
                };
                person.ask(question, |answer| {
                    answer
                        .parse()
                        .map_err(|_| "an IP address, such as 0.0.0.0".to_owned())
                })
            }
        }
    }
}
