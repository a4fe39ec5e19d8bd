//! A client's side: a ticket from the KDC, a token for the service, and the session that comes of it.
//! For simulated machines and for tests.

mod kdc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::crypto::{CryptoError, Etype, Key, usage};
use super::keytab::{Keytab, KeytabKey};
use super::server::Scheme;
use super::session::{Role, Session};
use super::wire::Malformed;
use super::wire::gss::{self, wants};
use super::wire::kdc::{Answer, Body, Content, EtypeInfo, KrbError, Service, code, pa};
use super::wire::limits::STRING_TO_KEY_ROUNDS_MAX;
use super::wire::messages::{
    self, ApReq, Authenticator, EncApRepPart, EncTicketPart, Encrypted, MUTUAL_REQUIRED,
    SessionKey, parse_ap_rep,
};
use super::wire::principal::{Name, Principal, kind};
use super::wire::spnego;
use super::wire::{self};

pub use self::kdc::Kdc;

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

/// A ticket, and its session key.
#[derive(Debug, Clone)]
pub struct Ticket {
    client: Principal,
    service: Principal,
    /// As it came.
    ticket: Vec<u8>,
    key: Key,
    /// Until when it is valid.
    pub ends_at: Timestamp,
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
                    if let Some(found) = keytab.find(client, etype, None) {
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

impl Ticket {
    /// What came of a request, where it belongs to it.
    fn new(
        named: Principal,
        client: &Principal,
        content: Content,
        ticket: &[u8],
        nonce: u32,
        service: &Principal,
    ) -> Result<Ticket, ClientError> {
        if content.nonce != nonce || !named.is(client) || !content.service.is(service) {
            return Err(ClientError::Mismatch { whom: "the KDC" });
        }
        let etype = Etype::from_number(content.key.etype);
        let etype = etype.ok_or(ClientError::Mismatch { whom: "the KDC" })?;
        Ok(Ticket {
            client: named,
            service: content.service,
            ticket: ticket.to_vec(),
            key: Key::new(etype, &content.key.key)?,
            ends_at: Timestamp::from_second(content.ends_at).unwrap_or(Timestamp::MAX),
        })
    }

    /// A ticket of nobody's KDC, made with the service's own key: for trying a collector out where
    /// there is no realm.
    ///
    /// # Errors
    ///
    /// [`ClientError::Crypto`].
    pub fn made_with(
        service: &KeytabKey,
        client: &Principal,
        now: Timestamp,
    ) -> Result<Ticket, ClientError> {
        let key = Key::random(service.key.etype())?;
        let (starts_at, ends_at) = (now.as_second(), now.as_second() + TICKET_SECONDS);
        let content = EncTicketPart {
            flags: 0,
            key: SessionKey {
                etype: key.etype().number(),
                key: key.bytes().to_vec().into(),
            },
            client: client.clone(),
            starts_at,
            ends_at,
        };
        let cipher = service.key.encrypt(usage::TICKET, &content.encode())?;
        let ticket = messages::Ticket {
            service: service.principal.clone(),
            encrypted: Encrypted {
                etype: service.key.etype().number(),
                kvno: Some(service.kvno),
                cipher: &cipher,
            },
        };
        Ok(Ticket {
            client: client.clone(),
            service: service.principal.clone(),
            ticket: ticket.encode(),
            key,
            ends_at: Timestamp::from_second(ends_at).unwrap_or(Timestamp::MAX),
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn client(&self) -> &Principal {
        &self.client
    }

    /// For whom it is.
    #[must_use]
    pub fn service(&self) -> &Principal {
        &self.service
    }

    /// Asks for a ticket to a service of the same realm, in the best of these encryptions that it has
    /// a key for; the session key is of the first of them.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn for_service(
        &self,
        kdc: &Kdc,
        service: &Name,
        etypes: &[Etype],
        now: Timestamp,
    ) -> Result<Ticket, ClientError> {
        let etypes: Vec<i64> = etypes.iter().map(|etype| etype.number()).collect();
        let nonce = nonce()?;
        let realm = &self.service.realm;
        let body = Body {
            client: None,
            realm,
            service,
            till: now.as_second() + TICKET_SECONDS,
            nonce,
            etypes: &etypes,
        };
        let body = body.encode();
        let checksum = self.key.checksum(usage::TGS_REQ_CHECKSUM, &body)?;
        let kind = self.key.etype().checksum_number();
        let proof = Proof {
            checksum: (kind, &checksum),
            subkey: None,
            sequence: None,
            usage: usage::TGS_REQ_AUTHENTICATOR,
            options: 0,
        };
        let request = self.show(&proof, now)?;
        let data: [(i64, &[u8]); 1] = [(pa::TGS_REQ, &request)];
        let request = wire::kdc::request(Service::TicketGranting, &data, &body);
        let answer = kdc.ask(&request).await?;
        let wanted = Principal {
            name: service.clone(),
            realm: realm.clone(),
        };
        let reply = match Answer::parse(&answer, Service::TicketGranting)? {
            Answer::Ticket(reply) => reply,
            Answer::Error(error) => return Err(refused(&wanted, &error)),
        };
        let content = self.key.decrypt(usage::TGS_REP, reply.encrypted.cipher)?;
        let content = Content::parse(&content, Service::TicketGranting)?;
        Ticket::new(
            reply.client,
            &self.client,
            content,
            reply.ticket,
            nonce,
            &wanted,
        )
    }

    /// An AP-REQ with this ticket.
    fn show(&self, proof: &Proof<'_>, now: Timestamp) -> Result<Vec<u8>, ClientError> {
        let (time, micros) = seconds_and_micros(now);
        let authenticator = Authenticator {
            client: self.client.clone(),
            checksum: Some(proof.checksum),
            time,
            micros,
            subkey: proof.subkey.clone(),
            sequence: proof.sequence,
        };
        let cipher = self.key.encrypt(proof.usage, &authenticator.encode())?;
        let encrypted = Encrypted {
            etype: self.key.etype().number(),
            kvno: None,
            cipher: &cipher,
        };
        Ok(ApReq::encode(proof.options, &self.ticket, &encrypted))
    }

    /// Begins a session with the service.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn initiate(&self, scheme: Scheme, now: Timestamp) -> Result<Initiation, ClientError> {
        let everything = wants::MUTUAL
            | wants::REPLAY
            | wants::SEQUENCE
            | wants::CONFIDENTIALITY
            | wants::INTEGRITY;
        self.initiate_wanting(scheme, everything, now)
    }

    /// Begins a session that is to be like this: [`wants`].
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn initiate_wanting(
        &self,
        scheme: Scheme,
        wanted: u32,
        now: Timestamp,
    ) -> Result<Initiation, ClientError> {
        let subkey = Key::random(self.key.etype())?;
        let sequence = nonce()?;
        let (kind, checksum) = gss::checksum(wanted);
        let options = match wanted & wants::MUTUAL {
            0 => 0,
            _ => MUTUAL_REQUIRED,
        };
        let proof = Proof {
            checksum: (kind, &checksum),
            subkey: Some(SessionKey {
                etype: subkey.etype().number(),
                key: subkey.bytes().to_vec().into(),
            }),
            sequence: Some(sequence),
            usage: usage::AUTHENTICATOR,
            options,
        };
        let request = gss::wrap(gss::AP_REQ, &self.show(&proof, now)?);
        let token = match scheme {
            Scheme::Kerberos => request,
            Scheme::Negotiate => spnego::offer(&request),
        };
        Ok(Initiation {
            token,
            scheme,
            key: self.key.clone(),
            subkey,
            sequence,
            time: seconds_and_micros(now),
        })
    }
}

fn seconds_and_micros(now: Timestamp) -> (i64, i64) {
    (now.as_second(), i64::from(now.subsec_nanosecond() / 1_000))
}

/// What an authenticator says beside who and when.
struct Proof<'a> {
    checksum: (i64, &'a [u8]),
    subkey: Option<SessionKey>,
    sequence: Option<u32>,
    usage: u32,
    options: u32,
}

/// A session that the service has yet to agree to.
#[derive(Debug)]
pub struct Initiation {
    /// What is to be sent.
    pub token: Vec<u8>,
    scheme: Scheme,
    key: Key,
    subkey: Key,
    sequence: u32,
    /// What the service has to repeat.
    time: (i64, i64),
}

impl Initiation {
    /// The session, by what the service answered.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: above all when the service has not proved who it is.
    pub fn finish(self, answer: &[u8]) -> Result<Session, ClientError> {
        let token = match self.scheme {
            Scheme::Kerberos => answer,
            Scheme::Negotiate => spnego::read_answer(answer)?,
        };
        let encrypted = parse_ap_rep(gss::unwrap(gss::AP_REP, token)?)?;
        let content = self.key.decrypt(usage::AP_REP, encrypted.cipher)?;
        let content = EncApRepPart::parse(&content)?;
        let mismatch = ClientError::Mismatch {
            whom: "the service",
        };
        if (content.time, content.micros) != self.time {
            return Err(mismatch);
        }
        let key = match content.subkey {
            None => None,
            Some(subkey) => {
                let etype = Etype::from_number(subkey.etype).ok_or(mismatch)?;
                Some(Key::new(etype, &subkey.key)?)
            }
        };
        let subkey = key.is_some();
        let key = key.unwrap_or(self.subkey);
        Ok(Session::new(Role::Client, &key, subkey, self.sequence)?)
    }
}
