//! Options of commands that ask the service of another machine.

use std::io::Read as _;
use std::path::PathBuf;

use secrecy::SecretString;
use windrow_pipeline::tls::{Fingerprint, IdentityFiles, Roots, ServerCheck};
use zeroize::Zeroizing;

use crate::client::endpoint::{Place, Target};
use crate::config::Environment;
use crate::exit::UsageError;

/// Bytes of a token file.
const TOKEN_FILE_BYTES_MAX: u64 = 4 << 10;

/// The endpoint of another machine: before the command, since it says where the command is done.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "remote")]
#[command(next_help_heading = "From another machine (subscription, syslog, status, sources)")]
pub(crate) struct Args {
    /// Ask the windrow whose privileged endpoint this is, https://HOST:PORT, and not the one of this machine
    /// [default: WINDROW_ENDPOINT]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// A file with the token that stands for you there, readable by its owner only [default: WINDROW_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The authorities that the endpoint's certificate may come from, in PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    endpoint_ca: Option<PathBuf>,

    /// The SHA-256 of the endpoint's certificate, which may be self-signed: it has to be that one and valid
    #[arg(long, value_name = "SHA256")]
    endpoint_fingerprint: Option<String>,

    /// A certificate that stands for you there, in PEM, with those between it and its root
    #[arg(long, value_name = "FILE", requires = "endpoint_key")]
    endpoint_certificate: Option<PathBuf>,

    /// Its private key, readable by its owner only
    #[arg(long, value_name = "FILE", requires = "endpoint_certificate")]
    endpoint_key: Option<PathBuf>,
}

/// Which machine's service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// This one's.
    This,
    /// One that files of this one mean nothing to.
    Another,
}

impl Args {
    /// Whether any of them is given.
    pub(crate) fn is_given(&self) -> bool {
        let files = [
            &self.token_file,
            &self.endpoint_ca,
            &self.endpoint_certificate,
            &self.endpoint_key,
        ];
        let texts = [&self.endpoint, &self.endpoint_fingerprint];
        files.iter().any(|file| file.is_some()) || texts.iter().any(|text| text.is_some())
    }

    /// Which machine's service is asked.
    pub(crate) fn asked(&self, environment: &Environment) -> Asked {
        match self.endpoint.is_some() || environment.endpoint.is_some() {
            true => Asked::Another,
            false => Asked::This,
        }
    }

    /// The endpoint to ask; none for this machine.
    ///
    /// # Errors
    /// Options that make no sense, or a token that cannot be read.
    pub(crate) fn target(&self, environment: &Environment) -> anyhow::Result<Option<Target>> {
        let Some(url) = self.endpoint.as_ref().or(environment.endpoint.as_ref()) else {
            if self.is_given() {
                let message = "there is no --endpoint that this is for";
                return Err(UsageError(message.to_owned()).into());
            }
            return Ok(None);
        };
        let check = match &self.endpoint_fingerprint {
            None => ServerCheck::Full,
            Some(text) => {
                let pin: Result<Fingerprint, _> = text.parse();
                ServerCheck::Pinned(
                    pin.map_err(|error| UsageError(format!("--endpoint-fingerprint: {error}")))?,
                )
            }
        };
        let identity = self
            .endpoint_certificate
            .as_ref()
            .zip(self.endpoint_key.as_ref());
        let identity = identity.map(|(certificate, key)| IdentityFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
        let token_file = self.token_file.as_ref().or(environment.token_file.as_ref());
        // Whoever names a certificate means that, whatever the environment says.
        let token_file = match (&identity, &self.token_file) {
            (Some(_), None) => None,
            _ => token_file,
        };
        if identity.is_none() && token_file.is_none() {
            let message = "the endpoint wants to know who asks: give --token-file, or --endpoint-certificate and --endpoint-key";
            return Err(UsageError(message.to_owned()).into());
        }
        Ok(Some(Target {
            place: Place::of_url(url)?,
            roots: self.endpoint_ca.clone().map_or(Roots::System, Roots::File),
            check,
            identity,
            token: token_file.map(token).transpose()?,
        }))
    }
}

/// The token in a file, up to the end of the first line.
fn token(path: &PathBuf) -> anyhow::Result<SecretString> {
    let usage = |message: String| anyhow::Error::new(UsageError(message));
    let file = fs_err::File::open(path).map_err(|error| usage(error.to_string()))?;
    check_mode(path, file.file())?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| usage(error.to_string()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err(usage(format!("{} holds no token", path.display())));
    }
    Ok(SecretString::from(token))
}

/// A token that others can read stands for them too. A pipe is nobody's file.
#[cfg(unix)]
fn check_mode(path: &std::path::Path, file: &std::fs::File) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let message = format!(
            "{} can be read by others (mode {mode:04o}): chmod 600 it, and have its token renewed",
            path.display()
        );
        return Err(UsageError(message).into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &std::path::Path, _file: &std::fs::File) -> anyhow::Result<()> {
    Ok(())
}
