//! Tickets, and the sessions that begin with them.

use jiff::Timestamp;

use super::{ClientError, Kdc, TICKET_SECONDS, nonce, refused, seconds_and_micros};
use crate::kerberos::crypto::{Etype, Key, usage};
use crate::kerberos::keytab::KeytabKey;
use crate::kerberos::server::Scheme;
use crate::kerberos::session::{Role, Session};
use crate::kerberos::wire::gss::{self, wants};
use crate::kerberos::wire::kdc::{Answer, Body, Content, Service, pa};
use crate::kerberos::wire::messages::{
    self, ApReq, Authenticator, EncApRepPart, EncTicketPart, Encrypted, MUTUAL_REQUIRED,
    SessionKey, parse_ap_rep,
};
use crate::kerberos::wire::principal::{Name, Principal};
use crate::kerberos::wire::{self, spnego};

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

impl Ticket {
    /// What came of a request, where it belongs to it.
    pub(super) fn new(
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
