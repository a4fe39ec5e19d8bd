//! `windrow setup wef`

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde::Serialize;
use windrow_formats::wef::baseline::{BASELINES, Baseline};

use super::super::{Invocation, Out};
use super::ask::{Person, Question, is_there};
use super::client;
use crate::config::checked::Delivery;
use crate::exit::{Code, Hint as _, UsageError};
use crate::output::{SummaryFormat, SummaryOutput, Terminal, escape, escape_json};
use crate::setup::configuration::Wanted;
use crate::setup::files::{self, Existing, Fate, WriteError};
use crate::setup::plan::{self, Answers, CertificatesFrom, Domain, Plan, WithCertificates};
use crate::setup::{Places, REFRESH_SECONDS};

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
    #[arg(long, value_name = "FILE", requires = "domain")]
    keytab: Option<PathBuf>,

    /// The port for machines with tickets
    #[arg(long, value_name = "PORT", default_value_t = 5985)]
    kerberos_port: u16,

    /// The port for machines with certificates
    #[arg(long, value_name = "PORT", default_value_t = 5986)]
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
    let plan = plan::plan(&answers, &invocation.loader)?;
    let fates = match set.dry_run {
        true => files::fates(&plan.files),
        false => write(&plan, set.replace)?,
    };
    let outcome = Outcome::of(set, &answers, &plan, &fates);
    match set.output.output {
        SummaryFormat::Table => outcome.write_text(out, &invocation.terminal)?,
        SummaryFormat::Json => {
            let json = serde_json::to_string_pretty(&outcome)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
    }
    Ok(Code::Ok)
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
        let domain = realm.map(|realm| Domain {
            realm,
            port: self.kerberos_port,
            keytab: self.keytab(&places),
        });
        let from = self.certificates_from(domain.is_some())?;
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

    fn places(&self, invocation: &Invocation) -> anyhow::Result<Places> {
        let config = std::path::absolute(invocation.loader.file_to_write()?)?;
        let beside = config.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = self
            .folder
            .as_deref()
            .map_or(Ok(beside), std::path::absolute)?;
        let data_dir = invocation.loader.data_dir_argument();
        Ok(Places {
            pki: folder.join("pki"),
            machines: folder.join("for-the-machines"),
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

fn collector_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
    };
    if text.len() <= 64 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no name that is put into a certificate: letters, digits, hyphens and dots, 64 at most"
    ))
}

fn realm(text: &str) -> Result<String, String> {
    match collector_name(text) {
        Ok(realm) => Ok(realm.to_uppercase()),
        Err(_) => Err(format!("{text:?} is no realm, such as CORP.EXAMPLE")),
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (name, machines) = text.split_once('=').unwrap_or((text, ""));
    if Baseline::named(name).is_none() {
        let names: Vec<_> = BASELINES.iter().map(|baseline| baseline.name).collect();
        return Err(format!("{name:?} is none of {}", names.join(", ")));
    }
    let machines = machines.split(',').map(str::trim);
    let machines = machines.filter(|pattern| !pattern.is_empty());
    Ok(Wanted {
        baseline: name.to_owned(),
        machines: machines.map(str::to_owned).collect(),
    })
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    dry_run: bool,
    files: Vec<Written>,
    /// What machines are told, as group policy has it.
    subscription_managers: Vec<String>,
    warnings: Vec<String>,
    next: Vec<String>,
    /// What windrow.toml says.
    configuration: &'a str,
}

#[derive(Debug, Serialize)]
struct Written {
    path: String,
    fate: &'static str,
    private: bool,
}

impl<'a> Outcome<'a> {
    fn of(set: &Set, answers: &Answers, plan: &'a Plan, fates: &[Fate]) -> Outcome<'a> {
        let files = plan.files.iter().zip(fates).map(|(file, fate)| Written {
            path: file.path.display().to_string(),
            fate: match fate {
                Fate::New => "new",
                Fate::Same => "as it was",
                Fate::Differs => "replaced",
            },
            private: file.secrecy == files::Secrecy::Private,
        });
        let values = [
            plan.collector.kerberos_value(),
            plan.collector.certificate_value(),
        ];
        Outcome {
            dry_run: set.dry_run,
            files: files.collect(),
            subscription_managers: values.into_iter().flatten().collect(),
            warnings: warnings(set, answers, plan),
            next: next(answers, plan),
            configuration: &plan.configuration,
        }
    }

    fn write_text(&self, out: &mut Out<'_>, terminal: &Terminal) -> io::Result<()> {
        let paint = terminal.paint();
        let verb = match self.dry_run {
            true => "Would be written",
            false => "Written",
        };
        writeln!(out, "{}", paint.bold(verb))?;
        for file in &self.files {
            let secret = if file.private { ", 0600" } else { "" };
            writeln!(out, "  {} ({}{secret})", escape(&file.path), file.fate)?;
        }
        if self.dry_run {
            writeln!(out, "\n{}", paint.bold("The configuration"))?;
            for line in self.configuration.lines() {
                writeln!(out, "  {}", escape(line))?;
            }
        }
        writeln!(out, "\n{}", paint.bold("What machines are told"))?;
        for value in &self.subscription_managers {
            writeln!(out, "  {}", escape(value))?;
        }
        for warning in &self.warnings {
            writeln!(out, "\n{} {}", paint.yellow("!"), escape(warning))?;
        }
        writeln!(out, "\n{}", paint.bold("Next"))?;
        for (number, step) in (1..).zip(&self.next) {
            writeln!(out, "  {number}. {}", escape(step))?;
        }
        Ok(())
    }
}

fn warnings(set: &Set, answers: &Answers, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    if answers.listen.is_loopback() && answers.name != "localhost" {
        warnings.push(format!(
            "it will listen at {} alone, which no machine reaches: --listen 0.0.0.0 is every address of this one",
            answers.listen
        ));
    }
    if !answers.name.contains('.') && answers.name != "localhost" {
        warnings.push(format!(
            "{} is no full name: machines look it up in their own domain, and certificates and tickets are for the full one",
            answers.name
        ));
    }
    if set.dry_run && plan.has_new_authority {
        warnings.push(
            "the authority is made when it is written, and its thumbprint (IssuerCA) is another one then".to_owned(),
        );
    }
    warnings
}

fn next(answers: &Answers, plan: &Plan) -> Vec<String> {
    let places = &answers.places;
    let mut next = plan.missing.clone();
    for missing in &mut next {
        missing.insert_str(0, "get ");
    }
    let config = places.config.display();
    let keys = plan.files.iter();
    let keys = keys.filter(|file| file.secrecy == files::Secrecy::Private);
    if keys.count() > 0 {
        let pki = places.pki.display();
        next.push(format!(
            "where windrow runs as another user than this one: chgrp windrow {pki} {pki}/collector.key; chmod 750 {pki}; \
             chmod 640 {pki}/collector.key. ca.key is nobody's but yours"
        ));
    }
    next.push(format!("windrow check --config {config}"));
    next.push(format!(
        "windrow run --config {config}, or the service: systemctl enable --now windrow"
    ));
    let machines = places.machines.display();
    next.push(format!("the machines: {machines}/README.md"));
    next.push(format!("windrow check --live --wait --config {config}"));
    next
}
