//! The body of a message that Kerberos or SPNEGO has sealed: `multipart/encrypted` (MS-WSMV 2.2.9.1).
//!
//! ```text
//! Content-Type: multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary="Encrypted Boundary"
//!
//! --Encrypted Boundary
//! Content-Type: application/HTTP-Kerberos-session-encrypted
//! OriginalContent: type=application/soap+xml;charset=UTF-16;Length=3042
//! --Encrypted Boundary
//! Content-Type: application/octet-stream
//! <u32, little-endian: length of the signature><signature><sealed data>--Encrypted Boundary--
//! ```
//!
//! It looks like MIME and is not: no empty line stands between headers and what follows them, and no
//! line end between the data and the closing boundary. Data is binary, so that anything may stand in
//! it; the closing boundary is looked for from the end.
//!
//! [`read`] says where signature and data lie and copies nothing. [`open`] and [`close`] write what
//! is around them.

use std::ops::Range;

use memchr::memmem;

use super::Charset;
use crate::limits::{
    MULTIPART_BOUNDARY_BYTES_MAX, MULTIPART_EPILOGUE_BYTES_MAX, MULTIPART_HEAD_BYTES_MAX,
    MULTIPART_SIGNATURE_BYTES_MAX,
};

/// The boundary that Windows uses, and so do we.
const BOUNDARY: &str = "Encrypted Boundary";

/// Bytes of the signature's length.
const LENGTH_BYTES: usize = 4;

/// What a message was sealed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Kerberos alone: the scheme `Kerberos` of HTTP.
    Kerberos,
    /// Kerberos within SPNEGO: the scheme `Negotiate`.
    Spnego,
}

impl Protocol {
    /// The value of the parameter `protocol`, and the type of the first part.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Protocol::Kerberos => "application/HTTP-Kerberos-session-encrypted",
            Protocol::Spnego => "application/HTTP-SPNEGO-session-encrypted",
        }
    }

    /// The `Content-Type` of a message that [`open`] begins.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Protocol::Kerberos => {
                "multipart/encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\";boundary=\"Encrypted Boundary\""
            }
            Protocol::Spnego => {
                "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\""
            }
        }
    }

    fn of_media_type(value: &str) -> Option<Protocol> {
        [Protocol::Kerberos, Protocol::Spnego]
            .into_iter()
            .find(|protocol| value.eq_ignore_ascii_case(protocol.media_type()))
    }
}

/// Why a body is not a sealed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// Another type of body: it would be in the clear.
    #[error("body is not sealed: its Content-Type is not multipart/encrypted")]
    NotSealed,
    /// No protocol that is known.
    #[error("protocol of the sealed body is neither Kerberos nor SPNEGO")]
    Protocol,
    /// No boundary, or one that cannot be.
    #[error("sealed body names no boundary")]
    Boundary,
    /// A part does not begin where it should.
    #[error("sealed body lacks the boundary before part {part}")]
    NoPart {
        /// Which one, the first is 1.
        part: u8,
    },
    /// The headers do not end.
    #[error("headers of the sealed body are over {MULTIPART_HEAD_BYTES_MAX} bytes")]
    HeadTooLarge,
    /// A header that is not one, or not the one that has to be there.
    #[error("part {part} of the sealed body has no {header}, or one that cannot be read")]
    Header {
        /// Which part, the first is 1.
        part: u8,
        /// Its name.
        header: &'static str,
    },
    /// It does not end.
    #[error("sealed body lacks its closing boundary")]
    NotClosed,
    /// The signature is longer than what is there, or than any.
    #[error("signature of the sealed body has no possible length")]
    Signature,
}

/// What the head of a request says about a sealed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealing<'a> {
    /// What sealed it.
    pub protocol: Protocol,
    boundary: &'a str,
}

/// Where in a body the sealed message lies, and what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Encoding of the message, if it is named.
    pub charset: Option<Charset>,
    /// Bytes of the message before it was sealed, as the sender says.
    pub original_bytes: usize,
    /// The signature.
    pub signature: Range<usize>,
    /// The data, directly behind the signature.
    pub data: Range<usize>,
}

impl<'a> Sealing<'a> {
    /// Reads a `Content-Type`.
    ///
    /// # Errors
    ///
    /// [`MultipartError::NotSealed`], [`MultipartError::Protocol`], [`MultipartError::Boundary`].
    pub fn from_content_type(value: &'a str) -> Result<Sealing<'a>, MultipartError> {
        let mut parts = value.split(';');
        let media_type = parts.next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("multipart/encrypted") {
            return Err(MultipartError::NotSealed);
        }
        let (mut protocol, mut boundary) = (None, None);
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = unquoted(value);
            match name.trim() {
                name if name.eq_ignore_ascii_case("protocol") => {
                    protocol = Protocol::of_media_type(value);
                }
                name if name.eq_ignore_ascii_case("boundary") => boundary = Some(value),
                _ => {}
            }
        }
        let possible = |boundary: &&str| {
            (1..=MULTIPART_BOUNDARY_BYTES_MAX).contains(&boundary.len())
                && boundary.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        Ok(Sealing {
            protocol: protocol.ok_or(MultipartError::Protocol)?,
            boundary: boundary.filter(possible).ok_or(MultipartError::Boundary)?,
        })
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// Finds the sealed message in a body.
///
/// # Errors
///
/// [`MultipartError`].
pub fn read(body: &[u8], sealing: Sealing<'_>) -> Result<Sealed, MultipartError> {
    let end = find_end(body, sealing.boundary).ok_or(MultipartError::NotClosed)?;
    let mut head = Head {
        body: &body[..end.min(MULTIPART_HEAD_BYTES_MAX)],
        at: 0,
        whole: end <= MULTIPART_HEAD_BYTES_MAX,
    };
    head.boundary(sealing.boundary, 1)?;
    let (charset, original_bytes) = head.control_part(sealing)?;
    head.octet_stream()?;
    let (at, data) = (head.at, &body[head.at..end]);
    let length = data.first_chunk::<LENGTH_BYTES>();
    let length = length.ok_or(MultipartError::Signature)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MULTIPART_SIGNATURE_BYTES_MAX || length > data.len() - LENGTH_BYTES {
        return Err(MultipartError::Signature);
    }
    let signature = at + LENGTH_BYTES;
    Ok(Sealed {
        charset,
        original_bytes,
        signature: signature..signature + length,
        data: signature + length..end,
    })
}

/// Where the closing boundary begins. Behind it there is nothing but white space.
fn find_end(body: &[u8], boundary: &str) -> Option<usize> {
    let trailing = body
        .iter()
        .rev()
        .take(MULTIPART_EPILOGUE_BYTES_MAX)
        .take_while(|byte| byte.is_ascii_whitespace());
    let rest = &body[..body.len() - trailing.count()];
    let rest = rest.strip_suffix(b"--")?;
    let rest = rest.strip_suffix(boundary.as_bytes())?;
    Some(rest.strip_suffix(b"--")?.len())
}

/// Reads what is before the data, a line at a time.
struct Head<'a> {
    body: &'a [u8],
    at: usize,
    /// Whether the body ends where this does.
    whole: bool,
}

impl<'a> Head<'a> {
    fn line(&mut self) -> Result<&'a [u8], MultipartError> {
        let rest = &self.body[self.at..];
        let Some(length) = memmem::find(rest, b"\r\n") else {
            return Err(if self.whole {
                MultipartError::NoPart { part: 2 }
            } else {
                MultipartError::HeadTooLarge
            });
        };
        self.at += length + 2;
        Ok(&rest[..length])
    }

    fn boundary(&mut self, boundary: &str, part: u8) -> Result<(), MultipartError> {
        let missing = MultipartError::NoPart { part };
        match is_boundary(self.line().map_err(|_| missing)?, boundary) {
            true => Ok(()),
            false => Err(missing),
        }
    }

    /// The headers of the first part, which is nothing else, and the boundary behind it.
    fn control_part(
        &mut self,
        sealing: Sealing<'_>,
    ) -> Result<(Option<Charset>, usize), MultipartError> {
        let fault = |header| MultipartError::Header { part: 1, header };
        let (mut typed, mut original) = (false, None);
        loop {
            let line = self.line()?;
            if is_boundary(line, sealing.boundary) {
                break;
            }
            let Some((name, value)) = header(line) else {
                continue;
            };
            if name.eq_ignore_ascii_case("Content-Type") {
                typed = value.eq_ignore_ascii_case(sealing.protocol.media_type());
            } else if name.eq_ignore_ascii_case("OriginalContent") {
                original = original_content(value);
            }
        }
        if !typed {
            return Err(fault("Content-Type"));
        }
        original.ok_or(fault("OriginalContent"))
    }

    /// The only header of the second part. The data begins behind it.
    fn octet_stream(&mut self) -> Result<(), MultipartError> {
        let header = header(self.line()?).filter(|(name, value)| {
            name.eq_ignore_ascii_case("Content-Type")
                && value.eq_ignore_ascii_case("application/octet-stream")
        });
        match header {
            Some(_) => Ok(()),
            None => Err(MultipartError::Header {
                part: 2,
                header: "Content-Type",
            }),
        }
    }
}

fn is_boundary(line: &[u8], boundary: &str) -> bool {
    line.strip_prefix(b"--") == Some(boundary.as_bytes())
}

/// Name and value; some senders begin the line with a tab.
fn header(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    Some((name.trim(), value.trim()))
}

/// `type=application/soap+xml;charset=UTF-16;Length=3042`
fn original_content(value: &str) -> Option<(Option<Charset>, usize)> {
    let length = value.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("Length").then_some(value)
    })?;
    Some((
        Charset::from_content_type(value),
        length.trim().parse().ok()?,
    ))
}

/// Begins a sealed body: everything before the signature. `content_type` is that of the message.
pub fn open(
    out: &mut Vec<u8>,
    protocol: Protocol,
    content_type: &str,
    original_bytes: usize,
    signature_bytes: u32,
) {
    let media_type = protocol.media_type();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: {media_type}\r\n\
         OriginalContent: type={content_type};Length={original_bytes}\r\n\
         --{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&signature_bytes.to_le_bytes());
}

/// Ends a sealed body, behind its data.
pub fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"--");
    out.extend_from_slice(BOUNDARY.as_bytes());
    out.extend_from_slice(b"--\r\n");
}

#[cfg(test)]
mod tests;
