//! `windrow syslog client`

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::SecretString;
use windrow_pipeline::tls::pfx;
use zeroize::Zeroizing;

use super::super::{Invocation, Out};
use super::{done, prompt};
use crate::admin::{ClientSet, Request};
use crate::exit::{Code, UsageError};
use crate::output::SummaryOutput;

/// Bytes of a password that is read.
const PASSWORD_BYTES_MAX: u64 = 4 << 10;

/// The certificate that this side shows to receivers that ask for one (mutual TLS)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog client set --pfx windrow.pfx
  windrow syslog client get")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Set(Set),
    Get(Get),
    Remove(Remove),
}

/// Take certificate and private key out of a PFX file (PKCS #12)
///
/// The certificate has to lead to the root that the deployment trusts ([tls] deployment_root in windrow.toml). It is shown
/// to every TLS destination that names none of its own, within a second. The password is asked for, and is never an
/// argument, where others could read it. The key lies in the data folder, readable by its owner only, and not encrypted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog client set --pfx windrow.pfx
  windrow syslog client set --pfx windrow.pfx --password-file /run/password
  windrow syslog client set --pfx - --password-file password.txt < windrow.pfx")]
struct Set {
    /// The PFX file; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pfx: PathBuf,

    /// Read the password from standard input, up to its first line's end
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,

    /// Read the password from a file, up to its first line's end
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Show the certificate: whose, by whom, until when, and its key's kind; never the key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog client get
  windrow syslog client get --output json | jq .certificate.not_after")]
struct Get {
    #[command(flatten)]
    output: SummaryOutput,
}

/// Take the certificate and its key away
///
/// Receivers that ask for one then refuse the connection; events wait in the journal.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow syslog client remove")]
struct Remove {
    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let (request, output) = match &args.verb {
        Verb::Set(set) => (Request::ClientSet(set.request()?), set.output),
        Verb::Get(get) => (Request::ClientGet, get.output),
        Verb::Remove(remove) => (Request::ClientRemove, remove.output),
    };
    done(request, output.output, invocation, out)
}

impl Set {
    fn request(&self) -> anyhow::Result<ClientSet> {
        let from_stdin = self.pfx == Path::new("-");
        if from_stdin && self.password_stdin {
            let message =
                "standard input holds the PFX or the password, not both: use --password-file";
            return Err(UsageError(message.to_owned()).into());
        }
        let pfx = if from_stdin {
            pfx::take(io::stdin().lock()).context("cannot read the PFX from standard input")?
        } else {
            let file =
                fs_err::File::open(&self.pfx).map_err(|error| UsageError(error.to_string()))?;
            pfx::take(file)?
        };
        if pfx.len() as u64 > pfx::PFX_BYTES_MAX {
            let message = format!(
                "{} is over {} bytes, which is no PFX",
                self.pfx.display(),
                pfx::PFX_BYTES_MAX
            );
            return Err(UsageError(message).into());
        }
        Ok(ClientSet::new(&pfx, self.password()?))
    }

    fn password(&self) -> anyhow::Result<SecretString> {
        if let Some(file) = &self.password_file {
            let opened = fs_err::File::open(file).map_err(|error| UsageError(error.to_string()))?;
            return first_line(opened);
        }
        if self.password_stdin {
            return first_line(io::stdin().lock());
        }
        prompt::password("password of the PFX: ")
    }
}

/// A password, up to the end of the first line.
fn first_line(source: impl io::Read) -> anyhow::Result<SecretString> {
    let room = usize::try_from(PASSWORD_BYTES_MAX + 1).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source
        .take(PASSWORD_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    prompt::to_password(&bytes)
}
