//! How GSS-API carries Kerberos (RFC 2743 3.1, RFC 4121 4.1).

use super::Malformed;
use super::der::{Reader, Writer, tag};

/// Kerberos 5, 1.2.840.113554.1.2.2.
pub const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// Kerberos 5 as Windows 2000 wrote it by mistake, and offers to this day.
pub const KERBEROS_MICROSOFT: &[u8] = b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02";
/// NTLM, 1.3.6.1.4.1.311.2.2.10.
pub const NTLM: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
/// SPNEGO, 1.3.6.1.5.5.2.
pub const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";

/// What an AP-REQ begins with inside of a token.
pub const AP_REQ: [u8; 2] = [1, 0];
/// What an AP-REP begins with inside of a token.
pub const AP_REP: [u8; 2] = [2, 0];
/// What a KRB-ERROR begins with inside of a token.
pub const KRB_ERROR: [u8; 2] = [3, 0];

/// Kind of the checksum that holds no checksum but what the client wants.
const CHECKSUM: i64 = 0x8003;

/// What a client wants of a session (RFC 2744, RFC 4121 4.1.1.1).
pub mod wants {
    /// The service proves who it is.
    pub const MUTUAL: u32 = 1 << 1;
    /// Messages that come twice are noticed.
    pub const REPLAY: u32 = 1 << 2;
    /// Messages that come out of order are noticed.
    pub const SEQUENCE: u32 = 1 << 3;
    /// Messages can be encrypted.
    pub const CONFIDENTIALITY: u32 = 1 << 4;
    /// Messages cannot be altered.
    pub const INTEGRITY: u32 = 1 << 5;
    /// Three messages instead of two, as DCE RPC does.
    pub const DCE_STYLE: u32 = 1 << 12;
}

/// A token with the mechanism it is of: which, and the rest.
///
/// # Errors
///
/// [`Malformed`].
pub fn open(token: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(token, "token");
    let mut inner = reader.inner(tag::application(0))?;
    let mechanism = inner.value(tag::OID)?;
    Ok((mechanism, inner.rest()))
}

/// Puts a message of Kerberos into a token.
#[must_use]
pub fn wrap(kind: [u8; 2], message: &[u8]) -> Vec<u8> {
    Writer::build(tag::application(0), |token| {
        token.value(tag::OID, KERBEROS);
        token.raw(&kind);
        token.raw(message);
    })
}

/// The message of this kind in a token of Kerberos.
///
/// # Errors
///
/// [`Malformed`].
pub fn unwrap(kind: [u8; 2], token: &[u8]) -> Result<&[u8], Malformed> {
    let other = Malformed {
        what: "token of Kerberos",
    };
    match open(token)? {
        (KERBEROS | KERBEROS_MICROSOFT, rest) => rest.strip_prefix(&kind).ok_or(other),
        _ => Err(other),
    }
}

/// What the client wants: [`wants`].
#[must_use]
pub fn wanted(checksum: Option<(i64, &[u8])>) -> Option<u32> {
    let (CHECKSUM, content) = checksum? else {
        return None;
    };
    // The length of the channel's binding, 16 bytes of that, the flags. There is no channel to be
    // bound to: the listener has no TLS.
    let flags = content.get(20..24)?;
    Some(u32::from_le_bytes(flags.try_into().ok()?))
}

/// The checksum of an authenticator that wants this.
#[must_use]
pub fn checksum(wants: u32) -> (i64, [u8; 24]) {
    let mut content = [0; 24];
    content[0] = 16;
    content[20..].copy_from_slice(&wants.to_le_bytes());
    (CHECKSUM, content)
}
