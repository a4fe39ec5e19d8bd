//! Machines of a domain: each has an account, and gets a ticket to the collector from the domain's
//! controller, which it shows instead of a certificate.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;
use windrow_pipeline::kerberos::client::{ClientError, Kdc, Secret, Ticket, log_in};
use windrow_pipeline::kerberos::crypto::Etype;
use windrow_pipeline::kerberos::{Keytab, Name, NotPrincipal, Principal, Scheme};

/// A ticket that ends within this time is not begun with any more.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// A domain, and the machines in it.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its controller.
    pub kdc: Kdc,
    /// The collector, as tickets are asked for: `HTTP/collector.corp.example`.
    pub service: Name,
    /// How a ticket is shown.
    pub scheme: Scheme,
    /// The machines.
    pub accounts: Vec<Account>,
}

/// The account of a machine.
#[derive(Clone, Debug)]
pub struct Account {
    principal: Principal,
    secret: Secret,
}

impl Account {
    /// The accounts in a keytab that are machines' and of this realm, each once.
    pub fn of_keytab(keytab: &Keytab, realm: &str) -> Vec<Account> {
        let mut accounts: Vec<Account> = Vec::new();
        for key in keytab.keys() {
            let principal = &key.principal;
            let is_ours = principal.realm.eq_ignore_ascii_case(realm)
                && matches!(&principal.name.components[..], [account] if account.ends_with('$'));
            if is_ours && !accounts.iter().any(|known| known.principal.is(principal)) {
                accounts.push(Account {
                    principal: principal.clone(),
                    secret: Secret::Keytab(keytab.clone()),
                });
            }
        }
        accounts
    }

    /// An account with a password.
    pub fn with_password(
        account: &str,
        realm: &str,
        password: SecretString,
    ) -> Result<Account, NotPrincipal> {
        Ok(Account {
            principal: Principal::parse(&format!("{account}@{realm}"))?,
            secret: Secret::Password(password),
        })
    }

    /// The machine's fully qualified name: `ws1.corp.example` of `WS1$@CORP.EXAMPLE`.
    pub(super) fn machine_name(&self) -> String {
        let account = self.principal.name.components.join(".");
        let realm = &self.principal.realm;
        format!("{}.{realm}", account.trim_end_matches('$')).to_lowercase()
    }
}

/// What a machine shows who it is with: a ticket, which is got when it is needed and kept while it is
/// good.
#[derive(Debug)]
pub(super) struct Tickets {
    kdc: Kdc,
    service: Name,
    pub(super) scheme: Scheme,
    account: Account,
    clock_ahead: SignedDuration,
    held: Mutex<Option<Ticket>>,
}

impl Tickets {
    /// None yet. The machine's clock is ahead of ours by `clock_ahead`.
    pub(super) fn new(domain: &Domain, index: usize, clock_ahead: SignedDuration) -> Tickets {
        Tickets {
            kdc: domain.kdc.clone(),
            service: domain.service.clone(),
            scheme: domain.scheme,
            account: domain.accounts[index].clone(),
            clock_ahead,
            held: Mutex::default(),
        }
    }

    /// The time by the machine's clock.
    pub(super) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.clock_ahead).unwrap_or(now)
    }

    /// A ticket that is good for a while.
    pub(super) async fn get(&self) -> Result<Ticket, ClientError> {
        let (mut held, now) = (self.held.lock().await, self.now());
        let good = |ticket: &&Ticket| ticket.ends_at.duration_since(now) > RENEWED_BEFORE;
        if let Some(ticket) = held.as_ref().filter(good) {
            return Ok(ticket.clone());
        }
        let Account { principal, secret } = &self.account;
        let first = log_in(&self.kdc, principal, secret, now).await?;
        let ticket = first.for_service(&self.kdc, &self.service, &Etype::ALL, now);
        let ticket = ticket.await?;
        *held = Some(ticket.clone());
        Ok(ticket)
    }

    /// Forgets a ticket that the collector would not take: its key may be another one by now.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

/// What went wrong, the same words for every machine.
pub(super) fn in_words(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { .. } => "the domain controller does not answer".to_owned(),
        ClientError::Refused { reason, .. } => format!("the domain controller refuses: {reason}"),
        ClientError::NoKey { .. } => "no key that the domain controller takes".to_owned(),
        ClientError::WrongSecret { .. } => "password or key is wrong".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_called_as_its_account_is() {
        let password = SecretString::from("secret");
        let account = Account::with_password("WS00001$", "CORP.EXAMPLE", password).unwrap();
        assert_eq!(account.machine_name(), "ws00001.corp.example");
        let password = SecretString::from("secret");
        assert!(Account::with_password("a@b", "CORP.EXAMPLE", password).is_err());
    }
}
