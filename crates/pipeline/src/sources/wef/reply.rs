//! Answers: SOAP in the source's own encoding, or a bare HTTP status.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
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

    pub(super) fn closing(mut self) -> Reply {
        self.closes = true;
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let body = match &self.soap {
            Some((envelope, charset)) => Bytes::from(wsman::encode(envelope, *charset)),
            None => Bytes::new(),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some((_, charset)) = self.soap {
            let value = HeaderValue::from_static(charset.content_type());
            headers.insert(CONTENT_TYPE, value);
        }
        if let Some(pause) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
