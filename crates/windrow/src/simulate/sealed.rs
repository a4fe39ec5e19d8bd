//! A connection's session of Kerberos: every body is sealed (MS-WSMV 2.2.9.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use windrow_formats::wsman::Charset;
use windrow_formats::wsman::multipart::{self, Protocol, Sealing};
use windrow_pipeline::kerberos::client::Initiation;
use windrow_pipeline::kerberos::{Scheme, Session};

use super::connection::Fault;
use super::domain::in_words;

/// The other end's answer does not belong to the session.
const NOT_SEALED: Fault = Fault::Answer("not sealed in this session");

/// The session of a connection.
#[derive(Debug)]
pub(super) struct Sealed {
    session: Session,
    protocol: Protocol,
}

/// The first header of a session, which shows the ticket.
pub(super) fn authorization(scheme: Scheme, initiation: &Initiation) -> Option<HeaderValue> {
    let token = BASE64.encode(&initiation.token);
    HeaderValue::from_str(&format!("{} {token}", name(scheme))).ok()
}

fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Kerberos => "Kerberos",
        Scheme::Negotiate => "Negotiate",
    }
}

impl Sealed {
    /// The session that the collector agreed to.
    pub(super) fn begin(
        scheme: Scheme,
        initiation: Initiation,
        headers: &HeaderMap,
    ) -> Result<Sealed, Fault> {
        let no_token = Fault::Answer("no token of the collector's");
        let answer = headers.get(WWW_AUTHENTICATE);
        let answer = answer.and_then(|value| value.to_str().ok());
        let token = answer.and_then(|value| value.strip_prefix(name(scheme)));
        let token = token.and_then(|token| BASE64.decode(token.trim()).ok());
        let session = initiation.finish(&token.ok_or(no_token)?);
        let session = session.map_err(|error| Fault::Ticket(in_words(&error)))?;
        let protocol = match scheme {
            Scheme::Kerberos => Protocol::Kerberos,
            Scheme::Negotiate => Protocol::Spnego,
        };
        Ok(Sealed { session, protocol })
    }

    /// The `Content-Type` of what is sealed.
    pub(super) fn content_type(&self) -> &'static str {
        self.protocol.content_type()
    }

    /// Seals a request's body.
    pub(super) fn seal(&mut self, clear: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::with_capacity(clear.len() + 1024);
        let (content_type, signature_bytes) = (
            Charset::Utf16Le.content_type(),
            self.session.signature_bytes(),
        );
        multipart::open(
            &mut body,
            self.protocol,
            content_type,
            clear.len(),
            signature_bytes,
        );
        let sealed = self.session.seal(clear, &mut body);
        sealed.map_err(|_| Fault::Answer("no random numbers to seal with"))?;
        multipart::close(&mut body);
        Ok(body)
    }

    /// The clear text of an answer's body.
    pub(super) fn unseal(
        &mut self,
        content_type: &str,
        mut body: Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        let sealing = Sealing::from_content_type(content_type).map_err(|_| NOT_SEALED)?;
        let found = multipart::read(&body, sealing).map_err(|_| NOT_SEALED)?;
        if sealing.protocol != self.protocol {
            return Err(NOT_SEALED);
        }
        let message = &mut body[found.signature.start..found.data.end];
        let text = self.session.unseal(message).map_err(|_| NOT_SEALED)?;
        if text.len() != found.original_bytes {
            return Err(NOT_SEALED);
        }
        Ok(message[text].to_vec())
    }
}
