//! `windrow setup wef client`

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::{Invocation, Out};
use crate::config::checked::WefAuthentication;
use crate::config::{Need, checked};
use crate::exit::{Code, Hint as _, UsageError};
use crate::output::{SummaryFormat, SummaryOutput, escape, escape_json};
use crate::pki::{AUTHORITY, CLIENTS, Store, check_common_name};
use crate::setup::FOR_THE_MACHINES;
use crate::setup::clients::{self, PASSWORD, PFX};
use crate::setup::files::{self, Existing, WriteError};
use crate::setup::lock::Lock;
use crate::setup::machines::CERTIFICATES;

/// Most machines at once.
const MACHINES_MAX: usize = 10_000;

/// Make certificates for machines without a domain
///
/// For each machine a PFX file and its password, for Import-ClientCertificate.ps1 there. The authority is the one that
/// `windrow setup wef` has made. Take the two to the machine by different ways, and delete them here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow setup wef client ws01.example.com ws02.example.com
  windrow setup wef client ws01.example.com --replace    a new one for it")]
pub(super) struct Args {
    /// The machines' full names: the collector knows them by these
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// The folder of the authority [default: that of the collector's `client_ca`]
    #[arg(long, value_name = "DIR")]
    pki: Option<PathBuf>,

    /// Where the files go [default: for-the-machines/certificates/clients beside the configuration]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Make new ones for machines that have one; the old ones stay good until they end
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

#[derive(Debug, Serialize)]
struct Made {
    machine: String,
    pfx: String,
    password_file: String,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    if args.names.len() > MACHINES_MAX {
        return Err(UsageError(format!("{MACHINES_MAX} names at most, at once")).into());
    }
    let (machines, again) = once(&args.names)?;
    let made = make(args, &machines, invocation)?;
    match args.output.output {
        SummaryFormat::Json => {
            let json = serde_json::to_string_pretty(&made)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
        SummaryFormat::Table => {
            for made in &made {
                writeln!(
                    out,
                    "{}\n{}",
                    escape(&made.pfx),
                    escape(&made.password_file)
                )?;
            }
            if !again.is_empty() {
                let again = again.join(", ");
                writeln!(
                    out,
                    "\nNamed more than once, and made once: {}",
                    escape(&again)
                )?;
            }
            let import = "Import-ClientCertificate.ps1 and authority.cer";
            writeln!(
                out,
                "\nTo each machine its own two, with {import}; then delete them here."
            )?;
        }
    }
    Ok(Code::Ok)
}

fn make(args: &Args, machines: &[&str], invocation: &Invocation) -> anyhow::Result<Vec<Made>> {
    let pki = match &args.pki {
        Some(pki) => std::path::absolute(pki)?,
        None => folder_of_the_authority(&invocation.loader.load(Need::File)?)?,
    };
    let folder = match &args.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => folder_for(
            &pki,
            &std::path::absolute(invocation.loader.file_to_write()?)?,
        ),
    };
    let Some(authority) = Store::at(&pki).kept_authority()? else {
        let message = format!(
            "{} holds no authority that can issue certificates",
            pki.display()
        );
        return Err(anyhow::anyhow!(message)).hint(
            "`windrow setup wef --make-ca` makes one; where another authority issues them, it has to issue these too",
        );
    };
    let _lock = Lock::take(&[&pki]).hint("nothing was written")?;
    free(args, machines, &folder)?;
    let mut all = Vec::new();
    let mut made = Vec::new();
    for machine in machines {
        let files = clients::files(&authority, machine, &folder, &pki.join(CLIENTS))?;
        made.push(Made {
            machine: (*machine).to_owned(),
            pfx: files[0].path.display().to_string(),
            password_file: files[1].path.display().to_string(),
        });
        all.extend(files);
    }
    // What is replaced is a key that nobody is to have any more.
    files::write(&all, Existing::Overwrite)?;
    Ok(made)
}

/// Each machine once, in the order in which they were named, and those that were named again: Windows and the collector
/// take no notice of case.
fn once(names: &[String]) -> Result<(Vec<&str>, Vec<&str>), UsageError> {
    let (mut machines, mut again) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    for name in names {
        check_common_name(name).map_err(|wrong| UsageError(wrong.to_string()))?;
        match known.insert(name.to_ascii_lowercase()) {
            true => machines.push(name.as_str()),
            false => again.push(name.as_str()),
        }
    }
    Ok((machines, again))
}

/// That these machines have no certificate here yet, or are to have new ones.
fn free(args: &Args, machines: &[&str], folder: &Path) -> anyhow::Result<()> {
    let wanted: HashMap<String, &str> = machines
        .iter()
        .map(|machine| (machine.to_ascii_lowercase(), *machine))
        .collect();
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let mut exist = Vec::new();
    for entry in entries.into_iter().flatten() {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let Some(stem) = name
            .strip_suffix(PFX)
            .or_else(|| name.strip_suffix(PASSWORD))
        else {
            continue;
        };
        match wanted.get(&stem.to_ascii_lowercase()) {
            Some(machine) if args.replace && *machine != stem => {
                let message = format!(
                    "{machine} has a certificate as {stem}: name it so, or delete {stem}{PFX} and {stem}{PASSWORD}"
                );
                return Err(UsageError(message).into());
            }
            Some(_) => exist.push(path),
            None => {}
        }
    }
    if args.replace || exist.is_empty() {
        return Ok(());
    }
    exist.sort_unstable();
    Err(WriteError::Exist(exist)).hint("nothing was written; --replace makes new ones")
}

/// Where the set-up has put what is for the machines: beside the configuration, or beside the authority where it was told
/// another folder than the configuration's.
fn folder_for(pki: &Path, config: &Path) -> PathBuf {
    let beside = |file: &Path| {
        file.parent()
            .unwrap_or(Path::new("/"))
            .join(FOR_THE_MACHINES)
    };
    let (config, authority) = (beside(config), beside(pki));
    let folder = match !config.exists() && authority.exists() {
        true => authority,
        false => config,
    };
    folder.join(CERTIFICATES).join(CLIENTS)
}

/// Where the authority of the machines' certificates is kept, if it is windrow's own.
fn folder_of_the_authority(config: &checked::Config) -> anyhow::Result<PathBuf> {
    let files = config
        .source
        .wef
        .values()
        .filter_map(|source| match &source.authentication {
            WefAuthentication::Tls(files) => Some(&files.client_ca),
            WefAuthentication::Kerberos(_) => None,
        });
    let name = format!("{AUTHORITY}.key");
    let folder = files.filter_map(|file| {
        let folder = file.parent()?;
        folder.join(&name).exists().then(|| folder.to_owned())
    });
    let message =
        "no authority of windrow's own stands in the configuration: name its folder with --pki";
    let mut folder = folder;
    folder
        .next()
        .ok_or_else(|| UsageError(message.to_owned()).into())
}
