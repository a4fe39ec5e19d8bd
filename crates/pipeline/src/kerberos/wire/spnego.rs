//! SPNEGO, the negotiation of a mechanism (RFC 4178), as far as a client needs that offers Kerberos
//! first and sends its token along. Then there are two messages, and none of them needs a MIC.

use super::Malformed;
use super::der::{Reader, Writer, tag};
use super::gss::{self, KERBEROS, KERBEROS_MICROSOFT, NTLM};
use super::limits::MECHANISMS_MAX;

/// negState: there is no more to be said.
const ACCEPT_COMPLETED: u8 = 0;

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer<'a> {
    /// Kerberos first: its token, and the name under which it is offered.
    Kerberos {
        /// [`KERBEROS`] or [`KERBEROS_MICROSOFT`].
        mechanism: &'a [u8],
        /// A token of Kerberos.
        token: &'a [u8],
    },
    /// NTLM, whatever else.
    Ntlm,
    /// Anything else.
    Other,
}

/// Reads the first token of a client. A token of Kerberos or NTLM that is not within SPNEGO at all
/// is taken for an offer of it.
///
/// # Errors
///
/// [`Malformed`].
pub fn read_offer(token: &[u8]) -> Result<Offer<'_>, Malformed> {
    if token.starts_with(b"NTLMSSP\0") {
        return Ok(Offer::Ntlm);
    }
    match gss::open(token)? {
        (gss::SPNEGO, rest) => read_init(rest),
        (mechanism @ (KERBEROS | KERBEROS_MICROSOFT), _) => {
            Ok(Offer::Kerberos { mechanism, token })
        }
        _ => Ok(Offer::Other),
    }
}

/// Whether an answer to this token has to be within SPNEGO.
#[must_use]
pub fn is_spnego(token: &[u8]) -> bool {
    matches!(gss::open(token), Ok((gss::SPNEGO, _)))
}

fn read_init(rest: &[u8]) -> Result<Offer<'_>, Malformed> {
    let mut reader = Reader::new(rest, "offer of SPNEGO");
    let mut init = reader.inner(tag::context(0))?.inner(tag::SEQUENCE)?;
    let mut list = init.inner(tag::context(0))?.inner(tag::SEQUENCE)?;
    let mut mechanisms = Vec::new();
    while !list.is_empty() {
        if mechanisms.len() >= MECHANISMS_MAX {
            return Err(list.malformed());
        }
        mechanisms.push(list.value(tag::OID)?);
    }
    init.optional(tag::context(1))?;
    let token = match init.optional(tag::context(2))? {
        Some(mut field) => Some(field.value(tag::OCTET_STRING)?),
        None => None,
    };
    Ok(match (mechanisms.first(), token) {
        (Some(&mechanism), Some(token)) if [KERBEROS, KERBEROS_MICROSOFT].contains(&mechanism) => {
            Offer::Kerberos { mechanism, token }
        }
        _ if mechanisms.contains(&NTLM) => Offer::Ntlm,
        _ => Offer::Other,
    })
}

/// The answer to an offer that is taken: the mechanism under its name, and its token.
#[must_use]
pub fn accept(mechanism: &[u8], token: &[u8]) -> Vec<u8> {
    Writer::build(tag::context(1), |message| {
        message.nest(tag::SEQUENCE, |answer| {
            answer.field(0, tag::ENUMERATED, &[ACCEPT_COMPLETED]);
            answer.field(1, tag::OID, mechanism);
            answer.field(2, tag::OCTET_STRING, token);
        });
    })
}

/// An offer as a machine of a domain makes it: Kerberos under both names, then NTLM.
#[must_use]
pub fn offer(token: &[u8]) -> Vec<u8> {
    Writer::build(tag::application(0), |message| {
        message.value(tag::OID, gss::SPNEGO);
        message.nest(tag::context(0), |field| {
            field.nest(tag::SEQUENCE, |init| {
                init.nest(tag::context(0), |field| {
                    field.nest(tag::SEQUENCE, |list| {
                        for mechanism in [KERBEROS_MICROSOFT, KERBEROS, NTLM] {
                            list.value(tag::OID, mechanism);
                        }
                    });
                });
                init.field(2, tag::OCTET_STRING, token);
            });
        });
    })
}

/// The token of Kerberos in the answer to [`offer`].
///
/// # Errors
///
/// [`Malformed`], also when the offer was not taken.
pub fn read_answer(message: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(message, "answer of SPNEGO");
    let mut answer = reader.inner(tag::context(1))?.inner(tag::SEQUENCE)?;
    let refused = answer.malformed();
    if let Some(mut state) = answer.optional(tag::context(0))?
        && state.value(tag::ENUMERATED)? != [ACCEPT_COMPLETED]
    {
        return Err(refused);
    }
    answer.optional(tag::context(1))?;
    answer.field(2, tag::OCTET_STRING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read_and_answered() {
        let token = gss::wrap(gss::AP_REQ, b"request");
        let offer = offer(&token);
        let Offer::Kerberos { mechanism, token } = read_offer(&offer).unwrap() else {
            panic!("Kerberos is offered first");
        };
        assert_eq!(mechanism, KERBEROS_MICROSOFT);
        assert_eq!(gss::unwrap(gss::AP_REQ, token).unwrap(), b"request");
        assert!(gss::unwrap(gss::AP_REP, token).is_err());
        let answer = accept(mechanism, b"reply");
        assert_eq!(read_answer(&answer).unwrap(), b"reply");
        assert!(is_spnego(&offer) && !is_spnego(token));
    }

    #[test]
    fn what_has_no_ticket_is_told_apart() {
        assert_eq!(read_offer(b"NTLMSSP\0\x01\0\0\0").unwrap(), Offer::Ntlm);
        let ntlm_only = Writer::build(tag::application(0), |message| {
            message.value(tag::OID, gss::SPNEGO);
            message.nest(tag::context(0), |field| {
                field.nest(tag::SEQUENCE, |init| {
                    init.nest(tag::context(0), |field| {
                        field.nest(tag::SEQUENCE, |list| list.value(tag::OID, NTLM));
                    });
                    init.field(2, tag::OCTET_STRING, b"NTLMSSP\0");
                });
            });
        });
        assert_eq!(read_offer(&ntlm_only).unwrap(), Offer::Ntlm);
        // A bare token of Kerberos under Negotiate.
        let bare = gss::wrap(gss::AP_REQ, b"request");
        assert!(matches!(read_offer(&bare), Ok(Offer::Kerberos { .. })));
        assert!(read_offer(b"").is_err());
    }
}
