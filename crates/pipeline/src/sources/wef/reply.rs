//! Answers: SOAP in the source's own encoding, or a bare HTTP status.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use windrow_formats::wsman::reply::{FaultCode, fault};
use windrow_formats::wsman::{self, Charset, Header};

use super::options::message_id;
use super::refusal::Refusal;

/// What goes back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// An envelope, in the encoding of the request.
    soap: Option<(String, Charset)>,
    retry_after: Option<Duration>,
    /// Whether the connection ends with it, because the body was not read.
    closes: bool,
    /// Whether the client is asked who it is.
    challenges: bool,
    /// Why it was refused: the kind, and in words that the source's status shows.
    pub(super) refusal: Option<(Refusal, String)>,
}

impl Reply {
    pub(super) fn bare(status: StatusCode) -> Reply {
        Reply {
            status,
            soap: None,
            retry_after: None,
            closes: false,
            challenges: false,
            refusal: None,
        }
    }

    pub(super) fn soap(envelope: String, charset: Charset) -> Reply {
        Reply {
            soap: Some((envelope, charset)),
            ..Reply::bare(StatusCode::OK)
        }
    }

    pub(super) fn refused(status: StatusCode, refusal: Refusal, reason: &str) -> Reply {
        Reply {
            refusal: Some((refusal, reason.to_owned())),
            ..Reply::bare(status)
        }
    }

    pub(super) fn fault(
        request: &Header<'_>,
        charset: Charset,
        (code, refusal): (FaultCode, Refusal),
        reason: &str,
    ) -> Reply {
        let status = StatusCode::from_u16(code.http_status());
        Reply {
            soap: Some((fault(request, &message_id(), code, reason), charset)),
            ..Reply::refused(
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                refusal,
                reason,
            )
        }
    }

    pub(super) fn retry_after(mut self, pause: Duration) -> Reply {
        self.retry_after = Some(pause);
        self
    }

    /// Names the ways in which a client can prove who it is.
    pub(super) fn challenging(mut self) -> Reply {
        self.challenges = true;
        self
    }

    pub(super) fn closing(mut self) -> Reply {
        self.closes = true;
        self
    }

    /// The envelope in its encoding, and what type it is of.
    pub(super) fn body(&self) -> Option<(Vec<u8>, &'static str)> {
        let (envelope, charset) = self.soap.as_ref()?;
        Some((wsman::encode(envelope, *charset), charset.content_type()))
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let body = self.body();
        self.into_response_of(body)
    }

    /// The answer with this body in place of its own, and that one's type.
    pub(super) fn into_response_of(
        self,
        body: Option<(Vec<u8>, &'static str)>,
    ) -> Response<Full<Bytes>> {
        let (body, content_type) = body.unzip();
        let body = Bytes::from(body.unwrap_or_default());
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(pause) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if self.challenges {
            for scheme in ["Kerberos", "Negotiate"] {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
