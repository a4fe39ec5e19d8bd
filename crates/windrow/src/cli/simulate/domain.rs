//! The machines of a domain, as the command line names them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;
use windrow_pipeline::kerberos::client::Kdc;
use windrow_pipeline::kerberos::{Keytab, Principal, Scheme};
use zeroize::Zeroizing;

use crate::exit::UsageError;
use crate::simulate::domain::{self, Account};

/// Most bytes of a file of passwords: ten thousand machines with long ones.
const PASSWORDS_BYTES_MAX: u64 = 1 << 20;

/// Which scheme of HTTP shows a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shown {
    /// The ticket alone
    Kerberos,
    /// Within SPNEGO, as a client in `TrustedHosts` has it
    Negotiate,
}

/// Where machines get the tickets that they show in the place of certificates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Machines of a domain")]
pub(super) struct Domain {
    /// Prove by Kerberos who the machines are
    #[arg(
        long,
        value_name = "SCHEME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "kerberos",
        requires_all = ["kdc", "realm", "service", "secrets"],
        conflicts_with_all = ["clients", "issuer", "issuer_key"]
    )]
    kerberos: Option<Shown>,

    /// The domain controller
    #[arg(long, value_name = "HOST:PORT", requires = "kerberos")]
    kdc: Option<String>,

    /// The domain, in capitals
    #[arg(long, value_name = "REALM", requires = "kerberos")]
    realm: Option<String>,

    /// The collector, as machines ask the domain for a ticket to it: HTTP/wec.corp.example
    #[arg(long, value_name = "NAME", requires = "kerberos")]
    service: Option<String>,

    /// The machines' keys: every account in it that ends in $ is a machine
    #[arg(long, value_name = "FILE", requires = "kerberos", group = "secrets")]
    keytab: Option<PathBuf>,

    /// Or their passwords: a line for each machine, its account and its password, such as "WS1$ secret"
    #[arg(long, value_name = "FILE", requires = "kerberos", group = "secrets")]
    passwords: Option<PathBuf>,
}

impl Domain {
    /// The domain, if the machines are of one.
    pub(super) fn read(&self) -> anyhow::Result<Option<domain::Domain>> {
        let (Some(shown), Some(kdc), Some(realm), Some(service)) =
            (self.kerberos, &self.kdc, &self.realm, &self.service)
        else {
            return Ok(None);
        };
        let service = Principal::parse(&format!("{service}@{realm}"))
            .map_err(|error| UsageError(format!("--service: {error}")))?;
        let (accounts, file) = match (&self.keytab, &self.passwords) {
            (Some(file), _) => (Account::of_keytab(&Keytab::load(file)?, realm), file),
            (None, Some(file)) => (passwords(file, realm)?, file),
            (None, None) => return Ok(None),
        };
        if accounts.is_empty() {
            let file = file.display();
            let message = format!("{file} holds no account of a machine in {realm}");
            return Err(UsageError(message).into());
        }
        Ok(Some(domain::Domain {
            kdc: Kdc::new(kdc),
            service: service.name,
            scheme: match shown {
                Shown::Kerberos => Scheme::Kerberos,
                Shown::Negotiate => Scheme::Negotiate,
            },
            accounts,
        }))
    }
}

/// Reads lines of an account and a password. Empty lines are none.
fn passwords(file: &Path, realm: &str) -> anyhow::Result<Vec<Account>> {
    let bytes = fs_err::metadata(file)?.len();
    if bytes > PASSWORDS_BYTES_MAX {
        let file = file.display();
        return Err(UsageError(format!("{file} is over {PASSWORDS_BYTES_MAX} bytes")).into());
    }
    let text = Zeroizing::new(fs_err::read_to_string(file)?);
    let mut accounts = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{}:{number}", file.display());
        let Some((account, password)) = line.trim().split_once(' ') else {
            let message = format!("{}: an account, a space and a password are wanted", place());
            return Err(UsageError(message).into());
        };
        let password = SecretString::from(password.trim());
        accounts.push(Account::with_password(account, realm, password).with_context(place)?);
    }
    Ok(accounts)
}
