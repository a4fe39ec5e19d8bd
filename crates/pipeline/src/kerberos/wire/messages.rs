//! What a client shows to a service, and what that answers (RFC 4120 5.3, 5.5).

use zeroize::Zeroizing;

use super::Malformed;
use super::der::{Reader, Writer, tag};
use super::principal::{Name, Principal, text};
use super::time;

/// The version of the protocol, in every message.
pub const VERSION: i64 = 5;

/// ap-options: the client wants an answer that proves who the service is.
pub const MUTUAL_REQUIRED: u32 = 1 << 29;
/// ap-options: the ticket is encrypted in the session key of another one.
pub const USE_SESSION_KEY: u32 = 1 << 30;
/// Flag of a ticket that may not be used yet.
pub const TICKET_INVALID: u32 = 1 << 24;

/// EncryptedData.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encrypted<'a> {
    /// How.
    pub etype: i64,
    /// With which version of the key, if it is a key with versions.
    pub kvno: Option<u32>,
    /// What.
    pub cipher: &'a [u8],
}

/// EncryptionKey.
#[derive(Clone)]
pub struct SessionKey {
    /// For which encryption.
    pub etype: i64,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({})", self.etype)
    }
}

/// Ticket: for whom it is can be seen by everybody.
#[derive(Debug, Clone)]
pub struct Ticket<'a> {
    /// The service.
    pub service: Principal,
    /// An [`EncTicketPart`], for the service.
    pub encrypted: Encrypted<'a>,
}

/// AP-REQ.
#[derive(Debug, Clone)]
pub struct ApReq<'a> {
    /// [`MUTUAL_REQUIRED`], [`USE_SESSION_KEY`].
    pub options: u32,
    /// The ticket.
    pub ticket: Ticket<'a>,
    /// An [`Authenticator`], in the ticket's session key.
    pub authenticator: Encrypted<'a>,
}

/// EncTicketPart, as far as it matters here. What Active Directory says of the client's groups is
/// left alone: nothing is decided by it.
#[derive(Debug, Clone)]
pub struct EncTicketPart {
    /// [`TICKET_INVALID`] and others.
    pub flags: u32,
    /// The session key.
    pub key: SessionKey,
    /// Whose it is.
    pub client: Principal,
    /// From when on, in seconds since 1970.
    pub starts_at: i64,
    /// Until when.
    pub ends_at: i64,
}

/// Authenticator: proves that the client has the session key, now.
#[derive(Debug, Clone)]
pub struct Authenticator<'a> {
    /// Who the client is.
    pub client: Principal,
    /// Kind and content of the checksum.
    pub checksum: Option<(i64, &'a [u8])>,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// Microseconds of it.
    pub micros: i64,
    /// A key for what follows.
    pub subkey: Option<SessionKey>,
    /// Number of the first message that follows.
    pub sequence: Option<u32>,
}

/// EncAPRepPart.
#[derive(Debug, Clone)]
pub struct EncApRepPart {
    /// The authenticator's.
    pub time: i64,
    /// The authenticator's.
    pub micros: i64,
    /// The service's key for what follows.
    pub subkey: Option<SessionKey>,
    /// Number of the service's first message.
    pub sequence: Option<u32>,
}

impl<'a> Encrypted<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Encrypted<'a>, Malformed> {
        let mut sequence = reader.inner(tag::SEQUENCE)?;
        Ok(Encrypted {
            etype: sequence.int_field(0)?,
            // Some write it as a signed number of 32 bits.
            kvno: sequence.optional_int(1)?.map(|kvno| kvno as u32),
            cipher: sequence.field(2, tag::OCTET_STRING)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.nest(tag::SEQUENCE, |sequence| {
            sequence.int_field(0, self.etype);
            if let Some(kvno) = self.kvno {
                sequence.int_field(1, i64::from(kvno));
            }
            sequence.field(2, tag::OCTET_STRING, self.cipher);
        });
    }
}

impl SessionKey {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<SessionKey, Malformed> {
        let mut sequence = reader.inner(tag::SEQUENCE)?;
        Ok(SessionKey {
            etype: sequence.int_field(0)?,
            key: Zeroizing::new(sequence.field(1, tag::OCTET_STRING)?.to_vec()),
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.nest(tag::SEQUENCE, |sequence| {
            sequence.int_field(0, self.etype);
            sequence.field(1, tag::OCTET_STRING, &self.key);
        });
    }
}

pub(crate) fn read_realm(reader: &mut Reader<'_>, number: u8) -> Result<String, Malformed> {
    let realm = reader.field(number, tag::STRING)?;
    text(realm).ok_or(reader.malformed())
}

pub(crate) fn read_name(reader: &mut Reader<'_>, number: u8) -> Result<Name, Malformed> {
    Name::read(&mut reader.inner(tag::context(number))?)
}

pub(crate) fn read_time(reader: &mut Reader<'_>, number: u8) -> Result<i64, Malformed> {
    let value = reader.field(number, tag::TIME)?;
    time::parse(value).ok_or(reader.malformed())
}

/// Versions and kinds of messages, which have to be the known ones.
pub(crate) fn expect(
    reader: &mut Reader<'_>,
    fields: impl IntoIterator<Item = (u8, i64)>,
) -> Result<(), Malformed> {
    for (number, expected) in fields {
        if reader.int_field(number)? != expected {
            return Err(reader.malformed());
        }
    }
    Ok(())
}

impl<'a> Ticket<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Ticket<'a>, Malformed> {
        let mut sequence = reader.inner(tag::application(1))?.inner(tag::SEQUENCE)?;
        expect(&mut sequence, [(0, VERSION)])?;
        let realm = read_realm(&mut sequence, 1)?;
        let name = read_name(&mut sequence, 2)?;
        Ok(Ticket {
            service: Principal { name, realm },
            encrypted: Encrypted::read(&mut sequence.inner(tag::context(3))?)?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(tag::application(1), |message| {
            message.nest(tag::SEQUENCE, |sequence| {
                sequence.int_field(0, VERSION);
                sequence.field(1, tag::STRING, self.service.realm.as_bytes());
                sequence.nest(tag::context(2), |field| self.service.name.write(field));
                sequence.nest(tag::context(3), |field| self.encrypted.write(field));
            });
        })
    }
}

impl<'a> ApReq<'a> {
    /// Reads an AP-REQ.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<ApReq<'a>, Malformed> {
        let mut reader = Reader::new(bytes, "AP-REQ");
        let mut sequence = reader.inner(tag::application(14))?.inner(tag::SEQUENCE)?;
        expect(&mut sequence, [(0, VERSION), (1, 14)])?;
        Ok(ApReq {
            options: sequence.inner(tag::context(2))?.flags()?,
            ticket: Ticket::read(&mut sequence.inner(tag::context(3))?)?,
            authenticator: Encrypted::read(&mut sequence.inner(tag::context(4))?)?,
        })
    }

    /// Writes one. `ticket` is encoded already, as the KDC gave it.
    #[must_use]
    pub fn encode(options: u32, ticket: &[u8], authenticator: &Encrypted<'_>) -> Vec<u8> {
        Writer::build(tag::application(14), |message| {
            message.nest(tag::SEQUENCE, |sequence| {
                sequence.int_field(0, VERSION);
                sequence.int_field(1, 14);
                sequence.flags_field(2, options);
                sequence.raw_field(3, ticket);
                sequence.nest(tag::context(4), |field| authenticator.write(field));
            });
        })
    }
}

impl EncTicketPart {
    /// Reads what was in a ticket.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<EncTicketPart, Malformed> {
        let mut reader = Reader::new(bytes, "content of the ticket");
        let mut sequence = reader.inner(tag::application(3))?.inner(tag::SEQUENCE)?;
        let flags = sequence.inner(tag::context(0))?.flags()?;
        let key = SessionKey::read(&mut sequence.inner(tag::context(1))?)?;
        let realm = read_realm(&mut sequence, 2)?;
        let name = read_name(&mut sequence, 3)?;
        sequence.inner(tag::context(4))?; // transited: who trusts which realms is the KDC's to say
        let authenticated_at = read_time(&mut sequence, 5)?;
        let starts_at = match sequence.optional(tag::context(6))? {
            None => authenticated_at,
            Some(mut field) => {
                let value = field.value(tag::TIME)?;
                time::parse(value).ok_or(field.malformed())?
            }
        };
        Ok(EncTicketPart {
            flags,
            key,
            client: Principal { name, realm },
            starts_at,
            ends_at: read_time(&mut sequence, 7)?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(tag::application(3), |message| {
            message.nest(tag::SEQUENCE, |sequence| {
                sequence.flags_field(0, self.flags);
                sequence.nest(tag::context(1), |field| self.key.write(field));
                sequence.field(2, tag::STRING, self.client.realm.as_bytes());
                sequence.nest(tag::context(3), |field| self.client.name.write(field));
                sequence.nest(tag::context(4), |field| {
                    field.nest(tag::SEQUENCE, |transited| {
                        transited.int_field(0, 0);
                        transited.field(1, tag::OCTET_STRING, b"");
                    });
                });
                sequence.field(5, tag::TIME, time::format(self.starts_at).as_bytes());
                sequence.field(7, tag::TIME, time::format(self.ends_at).as_bytes());
            });
        }))
    }
}

impl<'a> Authenticator<'a> {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Authenticator<'a>, Malformed> {
        let mut reader = Reader::new(bytes, "authenticator");
        let mut sequence = reader.inner(tag::application(2))?.inner(tag::SEQUENCE)?;
        expect(&mut sequence, [(0, VERSION)])?;
        let realm = read_realm(&mut sequence, 1)?;
        let name = read_name(&mut sequence, 2)?;
        let checksum = match sequence.optional(tag::context(3))? {
            None => None,
            Some(mut field) => {
                let mut checksum = field.inner(tag::SEQUENCE)?;
                Some((
                    checksum.int_field(0)?,
                    checksum.field(1, tag::OCTET_STRING)?,
                ))
            }
        };
        let micros = sequence.int_field(4)?;
        let time = read_time(&mut sequence, 5)?;
        let (subkey, sequence) = keys(&mut sequence, [6, 7])?;
        Ok(Authenticator {
            client: Principal { name, realm },
            checksum,
            time,
            micros,
            subkey,
            sequence,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(tag::application(2), |message| {
            message.nest(tag::SEQUENCE, |sequence| {
                sequence.int_field(0, VERSION);
                sequence.field(1, tag::STRING, self.client.realm.as_bytes());
                sequence.nest(tag::context(2), |field| self.client.name.write(field));
                if let Some((kind, checksum)) = self.checksum {
                    sequence.nest(tag::context(3), |field| {
                        field.nest(tag::SEQUENCE, |inner| {
                            inner.int_field(0, kind);
                            inner.field(1, tag::OCTET_STRING, checksum);
                        });
                    });
                }
                sequence.int_field(4, self.micros);
                sequence.field(5, tag::TIME, time::format(self.time).as_bytes());
                write_keys(sequence, [6, 7], self.subkey.as_ref(), self.sequence);
            });
        }))
    }
}

/// The optional subkey and sequence number at the end of two messages.
fn keys(
    sequence: &mut Reader<'_>,
    [subkey, number]: [u8; 2],
) -> Result<(Option<SessionKey>, Option<u32>), Malformed> {
    let subkey = sequence.optional(tag::context(subkey))?;
    let subkey = subkey.map(|mut field| SessionKey::read(&mut field));
    // Some write it as a signed number of 32 bits.
    let number = sequence.optional_int(number)?.map(|number| number as u32);
    Ok((subkey.transpose()?, number))
}

fn write_keys(
    sequence: &mut Writer,
    [subkey_field, number_field]: [u8; 2],
    subkey: Option<&SessionKey>,
    number: Option<u32>,
) {
    if let Some(subkey) = subkey {
        sequence.nest(tag::context(subkey_field), |field| subkey.write(field));
    }
    if let Some(number) = number {
        sequence.int_field(number_field, i64::from(number));
    }
}

impl EncApRepPart {
    /// Reads what was in an AP-REP.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<EncApRepPart, Malformed> {
        let mut reader = Reader::new(bytes, "content of the AP-REP");
        let mut sequence = reader.inner(tag::application(27))?.inner(tag::SEQUENCE)?;
        let time = read_time(&mut sequence, 0)?;
        let micros = sequence.int_field(1)?;
        let (subkey, sequence) = keys(&mut sequence, [2, 3])?;
        Ok(EncApRepPart {
            time,
            micros,
            subkey,
            sequence,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(tag::application(27), |message| {
            message.nest(tag::SEQUENCE, |sequence| {
                sequence.field(0, tag::TIME, time::format(self.time).as_bytes());
                sequence.int_field(1, self.micros);
                write_keys(sequence, [2, 3], self.subkey.as_ref(), self.sequence);
            });
        }))
    }
}

/// Reads an AP-REP: an [`EncApRepPart`] in the ticket's session key.
///
/// # Errors
///
/// [`Malformed`].
pub fn parse_ap_rep(bytes: &[u8]) -> Result<Encrypted<'_>, Malformed> {
    let mut reader = Reader::new(bytes, "AP-REP");
    let mut sequence = reader.inner(tag::application(15))?.inner(tag::SEQUENCE)?;
    expect(&mut sequence, [(0, VERSION), (1, 15)])?;
    Encrypted::read(&mut sequence.inner(tag::context(2))?)
}

/// Writes an AP-REP.
#[must_use]
pub fn encode_ap_rep(encrypted: &Encrypted<'_>) -> Vec<u8> {
    Writer::build(tag::application(15), |message| {
        message.nest(tag::SEQUENCE, |sequence| {
            sequence.int_field(0, VERSION);
            sequence.int_field(1, 15);
            sequence.nest(tag::context(2), |field| encrypted.write(field));
        });
    })
}
