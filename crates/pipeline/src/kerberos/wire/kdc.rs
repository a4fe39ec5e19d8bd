//! What a client and a KDC say to each other (RFC 4120 5.4, 5.9).

use super::Malformed;
use super::der::{Reader, Writer, tag};
use super::limits::MECHANISMS_MAX;
use super::messages::{Encrypted, SessionKey, VERSION, expect, read_name, read_realm, read_time};
use super::principal::{Name, Principal};
use super::time;

/// Kinds of pre-authentication data.
pub mod pa {
    /// An AP-REQ for the ticket-granting service.
    pub const TGS_REQ: i64 = 1;
    /// The encrypted time.
    pub const ENC_TIMESTAMP: i64 = 2;
    /// How keys are made of passwords.
    pub const ETYPE_INFO2: i64 = 19;
}

/// Codes of errors that a caller decides upon.
pub mod code {
    /// The principal is not known.
    pub const CLIENT_UNKNOWN: i64 = 6;
    /// The service is not known.
    pub const SERVICE_UNKNOWN: i64 = 7;
    /// The password or key is wrong.
    pub const PREAUTH_FAILED: i64 = 24;
    /// The time has to be encrypted first.
    pub const PREAUTH_REQUIRED: i64 = 25;
    /// The clocks differ.
    pub const SKEW: i64 = 37;
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Who asks; not said to the ticket-granting service, which sees the ticket.
    pub client: Option<&'a Name>,
    /// The realm that is asked.
    pub realm: &'a str,
    /// The service.
    pub service: &'a Name,
    /// Until when, in seconds since 1970.
    pub till: i64,
    /// Comes back.
    pub nonce: u32,
    /// Encryptions, the best first.
    pub etypes: &'a [i64],
}

impl Body<'_> {
    /// Writes a KDC-REQ-BODY.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(tag::SEQUENCE, |body| {
            body.flags_field(0, 0);
            if let Some(client) = self.client {
                body.nest(tag::context(1), |field| client.write(field));
            }
            body.field(2, tag::STRING, self.realm.as_bytes());
            body.nest(tag::context(3), |field| self.service.write(field));
            body.field(5, tag::TIME, time::format(self.till).as_bytes());
            body.int_field(7, i64::from(self.nonce));
            body.nest(tag::context(8), |field| {
                field.nest(tag::SEQUENCE, |list| {
                    self.etypes.iter().for_each(|etype| list.int(*etype));
                });
            });
        })
    }
}

/// Which of the two services of a KDC is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// For the first ticket.
    Authentication,
    /// For every other.
    TicketGranting,
}

impl Service {
    fn request(self) -> u8 {
        match self {
            Service::Authentication => 10,
            Service::TicketGranting => 12,
        }
    }

    fn answer(self) -> u8 {
        self.request() + 1
    }

    /// EncASRepPart or EncTGSRepPart. Some KDCs write the first for both.
    fn is_content(self, found: u8) -> bool {
        [tag::application(25), tag::application(26)].contains(&found)
    }
}

/// Writes a KDC-REQ. `body` is encoded, `data` are kinds and contents.
#[must_use]
pub fn request(service: Service, data: &[(i64, &[u8])], body: &[u8]) -> Vec<u8> {
    Writer::build(tag::application(service.request()), |message| {
        message.nest(tag::SEQUENCE, |sequence| {
            sequence.int_field(1, VERSION);
            sequence.int_field(2, i64::from(service.request()));
            if !data.is_empty() {
                sequence.nest(tag::context(3), |field| {
                    field.nest(tag::SEQUENCE, |list| {
                        for (kind, content) in data {
                            list.nest(tag::SEQUENCE, |item| {
                                item.int_field(1, *kind);
                                item.field(2, tag::OCTET_STRING, content);
                            });
                        }
                    });
                });
            }
            sequence.raw_field(4, body);
        });
    })
}

/// Writes the time that a client encrypts to show that it has its key.
#[must_use]
pub fn timestamp(time: i64, micros: i64) -> Vec<u8> {
    Writer::build(tag::SEQUENCE, |sequence| {
        sequence.field(0, tag::TIME, time::format(time).as_bytes());
        sequence.int_field(1, micros);
    })
}

/// Writes EncryptedData by itself.
#[must_use]
pub fn encrypted(encrypted: &Encrypted<'_>) -> Vec<u8> {
    let mut writer = Writer::default();
    encrypted.write(&mut writer);
    writer.into_bytes()
}

/// What a KDC answered.
#[derive(Debug)]
pub enum Answer<'a> {
    /// A ticket.
    Ticket(Reply<'a>),
    /// None.
    Error(KrbError<'a>),
}

/// KDC-REP.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Whose it is.
    pub client: Principal,
    /// The ticket, encoded.
    pub ticket: &'a [u8],
    /// A [`Content`].
    pub encrypted: Encrypted<'a>,
    /// How the key that it is encrypted in was made of a password, for its encryption.
    pub data: Vec<EtypeInfo>,
}

/// KRB-ERROR.
#[derive(Debug)]
pub struct KrbError<'a> {
    /// Why.
    pub code: i64,
    /// The time there, in seconds since 1970.
    pub time: i64,
    /// Why, in words.
    pub text: Option<&'a [u8]>,
    /// How keys are made of passwords, if that was said.
    pub data: Vec<EtypeInfo>,
}

/// How a key of one encryption is made of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtypeInfo {
    /// For which encryption.
    pub etype: i64,
    /// What goes into it beside the password.
    pub salt: Option<Vec<u8>>,
    /// How often it is turned.
    pub rounds: Option<u32>,
}

/// What is encrypted in an answer.
#[derive(Debug)]
pub struct Content {
    /// The session key.
    pub key: SessionKey,
    /// That of the request.
    pub nonce: u32,
    /// Until when, in seconds since 1970.
    pub ends_at: i64,
    /// The service.
    pub service: Principal,
}

impl<'a> Answer<'a> {
    /// Reads what a KDC answered.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &'a [u8], service: Service) -> Result<Answer<'a>, Malformed> {
        let mut reader = Reader::new(bytes, "answer of the KDC");
        match reader.any()? {
            (found, content) if found == tag::application(30) => {
                Ok(Answer::Error(KrbError::read(content)?))
            }
            (found, content) if found == tag::application(service.answer()) => {
                Ok(Answer::Ticket(Reply::read(content, service)?))
            }
            _ => Err(reader.malformed()),
        }
    }
}

impl<'a> Reply<'a> {
    fn read(bytes: &'a [u8], service: Service) -> Result<Reply<'a>, Malformed> {
        let mut sequence = Reader::new(bytes, "answer of the KDC").inner(tag::SEQUENCE)?;
        expect(
            &mut sequence,
            [(0, VERSION), (1, i64::from(service.answer()))],
        )?;
        let data = match sequence.optional(tag::context(2))? {
            Some(field) => read_data(field)?,
            None => Vec::new(),
        };
        let realm = read_realm(&mut sequence, 3)?;
        let name = read_name(&mut sequence, 4)?;
        Ok(Reply {
            client: Principal { name, realm },
            ticket: sequence.value(tag::context(5))?,
            encrypted: Encrypted::read(&mut sequence.inner(tag::context(6))?)?,
            data,
        })
    }
}

impl<'a> KrbError<'a> {
    /// Reads what is in a KRB-ERROR.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<KrbError<'a>, Malformed> {
        let mut sequence = Reader::new(bytes, "KRB-ERROR").inner(tag::SEQUENCE)?;
        expect(&mut sequence, [(0, VERSION), (1, 30)])?;
        sequence.optional(tag::context(2))?;
        sequence.optional(tag::context(3))?;
        let time = read_time(&mut sequence, 4)?;
        sequence.int_field(5)?;
        let code = sequence.int_field(6)?;
        for skipped in 7..=10 {
            sequence.optional(tag::context(skipped))?;
        }
        let text = match sequence.optional(tag::context(11))? {
            Some(mut field) => Some(field.value(tag::STRING)?),
            None => None,
        };
        let data = match sequence.optional(tag::context(12))? {
            // What is in it depends on the error: it need not be pre-authentication data.
            Some(mut field) => {
                let content = Reader::new(field.value(tag::OCTET_STRING)?, "KRB-ERROR");
                read_data(content).unwrap_or_default()
            }
            None => Vec::new(),
        };
        Ok(KrbError {
            code,
            time,
            text,
            data,
        })
    }
}

/// Reads a list of pre-authentication data, of which only [`pa::ETYPE_INFO2`] matters.
fn read_data(mut field: Reader<'_>) -> Result<Vec<EtypeInfo>, Malformed> {
    let mut list = field.inner(tag::SEQUENCE)?;
    let mut infos = Vec::new();
    while !list.is_empty() {
        let mut item = list.inner(tag::SEQUENCE)?;
        let kind = item.int_field(1)?;
        let content = item.field(2, tag::OCTET_STRING)?;
        if kind == pa::ETYPE_INFO2 {
            infos = read_etype_infos(content)?;
        }
    }
    Ok(infos)
}

fn read_etype_infos(content: &[u8]) -> Result<Vec<EtypeInfo>, Malformed> {
    let mut list = Reader::new(content, "ETYPE-INFO2").inner(tag::SEQUENCE)?;
    let mut infos = Vec::new();
    while !list.is_empty() && infos.len() < MECHANISMS_MAX {
        let mut item = list.inner(tag::SEQUENCE)?;
        let etype = item.int_field(0)?;
        let salt = match item.optional(tag::context(1))? {
            Some(mut field) => Some(field.value(tag::STRING)?.to_vec()),
            None => None,
        };
        let rounds = match item.optional(tag::context(2))? {
            Some(mut field) => {
                let rounds = field.value(tag::OCTET_STRING)?;
                Some(u32::from_be_bytes(
                    rounds.try_into().map_err(|_| item.malformed())?,
                ))
            }
            None => None,
        };
        infos.push(EtypeInfo {
            etype,
            salt,
            rounds,
        });
    }
    Ok(infos)
}

impl Content {
    /// Reads what was encrypted in an answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &[u8], service: Service) -> Result<Content, Malformed> {
        let mut reader = Reader::new(bytes, "content of the KDC's answer");
        let (found, content) = reader.any()?;
        if !service.is_content(found) {
            return Err(reader.malformed());
        }
        let mut sequence =
            Reader::new(content, "content of the KDC's answer").inner(tag::SEQUENCE)?;
        let key = SessionKey::read(&mut sequence.inner(tag::context(0))?)?;
        sequence.inner(tag::context(1))?; // last-req
        let nonce = sequence.int_field(2)? as u32;
        sequence.optional(tag::context(3))?;
        sequence.inner(tag::context(4))?; // flags
        sequence.inner(tag::context(5))?; // authtime
        sequence.optional(tag::context(6))?;
        let ends_at = read_time(&mut sequence, 7)?;
        sequence.optional(tag::context(8))?;
        let realm = read_realm(&mut sequence, 9)?;
        let name = read_name(&mut sequence, 10)?;
        Ok(Content {
            key,
            nonce,
            ends_at,
            service: Principal { name, realm },
        })
    }
}
