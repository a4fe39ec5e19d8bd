//! `windrow setup wef client`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::{Invocation, Out};
use crate::config::checked::WefAuthentication;
use crate::config::{Need, checked};
use crate::exit::{Code, Hint as _, UsageError};
use crate::output::{SummaryFormat, SummaryOutput, escape, escape_json};
use crate::pki::{AUTHORITY, CLIENTS, Store};
use crate::setup::clients;
use crate::setup::files::{self, Existing, WriteError};
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

    /// Where the files go [default: for-the-machines/certificates/clients beside the folder of the authority]
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
    let made = make(args, invocation)?;
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
            let import = "Import-ClientCertificate.ps1 and authority.cer";
            writeln!(
                out,
                "\nTo each machine its own two, with {import}; then delete them here."
            )?;
        }
    }
    Ok(Code::Ok)
}

fn make(args: &Args, invocation: &Invocation) -> anyhow::Result<Vec<Made>> {
    let pki = match &args.pki {
        Some(pki) => std::path::absolute(pki)?,
        None => folder_of_the_authority(&invocation.loader.load(Need::File)?)?,
    };
    let beside = pki.parent().unwrap_or(Path::new("/"));
    let beside = beside
        .join("for-the-machines")
        .join(CERTIFICATES)
        .join(CLIENTS);
    let folder = args
        .folder
        .as_deref()
        .map_or(Ok(beside), std::path::absolute)?;
    let Some(authority) = Store::at(&pki).kept_authority()? else {
        let message = format!(
            "{} holds no authority that can issue certificates",
            pki.display()
        );
        return Err(anyhow::anyhow!(message)).hint(
            "`windrow setup wef --make-ca` makes one; where another authority issues them, it has to issue these too",
        );
    };
    let mut all = Vec::new();
    let mut made = Vec::new();
    for name in &args.names {
        let files = clients::files(&authority, name, &folder, &pki.join(CLIENTS))?;
        made.push(Made {
            machine: name.clone(),
            pfx: files[0].path.display().to_string(),
            password_file: files[1].path.display().to_string(),
        });
        all.extend(files);
    }
    // Each has a new key, so one that is there always differs.
    let exist = all.iter().map(|file| &file.path);
    let exist: Vec<PathBuf> = exist.filter(|path| path.exists()).cloned().collect();
    if !args.replace && !exist.is_empty() {
        return Err(WriteError::Exist(exist)).hint("nothing was written; --replace makes new ones");
    }
    // What is replaced is a key that nobody is to have any more.
    files::write(&all, Existing::Overwrite)?;
    Ok(made)
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
