//! A client's side: a ticket from the KDC, a token for the service, and the session that comes of it.
//! For simulated machines and for tests.

mod kdc;
mod ticket;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::crypto::{CryptoError, Etype, Key, usage};
use super::keytab::Keytab;
use super::wire;
use super::wire::Malformed;
use super::wire::kdc::{Answer, Body, Content, EtypeInfo, KrbError, Service, code, pa};
use super::wire::limits::STRING_TO_KEY_ROUNDS_MAX;
use super::wire::messages::Encrypted;
use super::wire::principal::{Name, Principal, kind};

pub use self::kdc::Kdc;
pub use self::ticket::{Initiation, Ticket};

/// How long a ticket is asked for, in seconds.
const TICKET_SECONDS: i64 = 10 * 3600;

/// What a client proves with who it is.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Its keys.
    Keytab(Keytab),
    /// Its password.
    Password(SecretString),
}

/// Why a client has no ticket or no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The KDC cannot be reached, or does not answer.
    #[error("the KDC at {kdc} does not answer")]
    Unreachable {
        /// Where.
        kdc: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The KDC refuses.
    #[error("the KDC refuses {principal}: {reason}")]
    Refused {
        /// For whom.
        principal: String,
        /// The code of RFC 4120 7.5.9.
        code: i64,
        /// What it means.
        reason: String,
    },
    /// There is no key of this principal that the KDC takes.
    #[error("there is no key of {principal} for an encryption that the KDC takes")]
    NoKey {
        /// Whose.
        principal: String,
    },
    /// The KDC answers in another key than the client's, which it does where it asks for no proof.
    #[error("password or key of {principal} is wrong")]
    WrongSecret {
        /// Whose.
        principal: String,
    },
    /// An answer cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An answer does not belong to what was asked.
    #[error("the answer of {whom} is not to what was asked")]
    Mismatch {
        /// Whose.
        whom: &'static str,
    },
    /// An answer was not encrypted by whom it should come from.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Asks the KDC for the ticket that all others are asked for with.
///
/// # Errors
///
/// [`ClientError`].
pub async fn log_in(
    kdc: &Kdc,
    client: &Principal,
    secret: &Secret,
    now: Timestamp,
) -> Result<Ticket, ClientError> {
    let service = Principal {
        name: Name {
            kind: kind::SERVICE,
            components: vec!["krbtgt".to_owned(), client.realm.clone()],
        },
        realm: client.realm.clone(),
    };
    let etypes: Vec<i64> = Etype::ALL.iter().map(|etype| etype.number()).collect();
    let nonce = nonce()?;
    let body = Body {
        client: Some(&client.name),
        realm: &client.realm,
        service: &service.name,
        till: now.as_second() + TICKET_SECONDS,
        nonce,
        etypes: &etypes,
    };
    let body = body.encode();
    let first = kdc
        .ask(&wire::kdc::request(Service::Authentication, &[], &body))
        .await?;
    let infos = match Answer::parse(&first, Service::Authentication)? {
        Answer::Ticket(_) => None,
        Answer::Error(error) if error.code == code::PREAUTH_REQUIRED => Some(error.data),
        Answer::Error(error) => return Err(refused(client, &error)),
    };
    let answer = match infos {
        None => first,
        Some(infos) => {
            let (key, _) = secret.key(client, &infos)?;
            let (seconds, micros) = seconds_and_micros(now);
            let time = wire::kdc::timestamp(seconds, micros);
            let cipher = key.encrypt(usage::TIMESTAMP, &time)?;
            let time = wire::kdc::encrypted(&Encrypted {
                etype: key.etype().number(),
                kvno: None,
                cipher: &cipher,
            });
            let data: [(i64, &[u8]); 1] = [(pa::ENC_TIMESTAMP, &time)];
            kdc.ask(&wire::kdc::request(Service::Authentication, &data, &body))
                .await?
        }
    };
    let reply = match Answer::parse(&answer, Service::Authentication)? {
        Answer::Ticket(reply) => reply,
        Answer::Error(error) => return Err(refused(client, &error)),
    };
    let mut infos = reply.data;
    infos.retain(|info| info.etype == reply.encrypted.etype);
    if infos.is_empty() {
        infos.push(EtypeInfo {
            etype: reply.encrypted.etype,
            salt: None,
            rounds: None,
        });
    }
    let (key, _) = secret.key(client, &infos)?;
    let content = key.decrypt(usage::AS_REP, reply.encrypted.cipher);
    let content = content.map_err(|_| ClientError::WrongSecret {
        principal: client.to_string(),
    })?;
    let content = Content::parse(&content, Service::Authentication)?;
    Ticket::new(reply.client, client, content, reply.ticket, nonce, &service)
}

impl Secret {
    /// The key that fits one of these, the first first.
    fn key(&self, client: &Principal, infos: &[EtypeInfo]) -> Result<(Key, Etype), ClientError> {
        for info in infos {
            let Some(etype) = Etype::from_number(info.etype) else {
                continue;
            };
            match self {
                Secret::Keytab(keytab) => {
                    if let Some(found) = keytab.candidates(client, etype, None).first() {
                        return Ok((found.key.clone(), etype));
                    }
                }
                Secret::Password(password) => {
                    if info
                        .rounds
                        .is_some_and(|rounds| rounds > STRING_TO_KEY_ROUNDS_MAX)
                    {
                        return Err(CryptoError::Rounds.into());
                    }
                    let salt = match &info.salt {
                        Some(salt) => salt.clone(),
                        None => [&client.realm, &client.name.components.concat()]
                            .map(|part| part.as_bytes())
                            .concat(),
                    };
                    let password = password.expose_secret().as_bytes();
                    let key = etype.key_of_password(password, &salt, info.rounds)?;
                    return Ok((key, etype));
                }
            }
        }
        Err(ClientError::NoKey {
            principal: client.to_string(),
        })
    }
}

fn refused(principal: &Principal, error: &KrbError<'_>) -> ClientError {
    let reason = match error.code {
        code::CLIENT_UNKNOWN => "it does not know the client".to_owned(),
        code::SERVICE_UNKNOWN => "it does not know the service".to_owned(),
        code::PREAUTH_FAILED => "password or key is wrong".to_owned(),
        code::SKEW => format!(
            "the clocks differ; it has {}",
            wire::time::format(error.time)
        ),
        code => match error.text {
            Some(text) => format!("error {code} ({})", text.escape_ascii()),
            None => format!("error {code}"),
        },
    };
    ClientError::Refused {
        principal: principal.to_string(),
        code: error.code,
        reason,
    }
}

fn nonce() -> Result<u32, CryptoError> {
    let mut nonce = [0; 4];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| CryptoError::Random)?;
    Ok(u32::from_be_bytes(nonce) >> 2)
}

fn seconds_and_micros(now: Timestamp) -> (i64, i64) {
    (now.as_second(), i64::from(now.subsec_nanosecond() / 1_000))
}
