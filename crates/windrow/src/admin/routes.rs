//! The verbs as paths: a POST with JSON, answered with JSON. Whoever mounts them says who asks, and whether they may.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::Serialize;
use windrow_pipeline::tls::pfx::PFX_BYTES_MAX;

use super::apply::{Place, apply};
use super::refusal::{Refusal, RefusalKind};
use super::{Actor, Verb};
use crate::service::{Body, Service, answer};

/// Bytes of a request's JSON.
const REQUEST_BYTES_MAX: usize = 512 << 10;
/// The same with a PFX in it, in Base64, and its password.
const PFX_REQUEST_BYTES_MAX: usize = (PFX_BYTES_MAX as usize).div_ceil(3) * 4 + REQUEST_BYTES_MAX;
/// Time in which a request's body has to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request waits for its turn. How many wait is bounded by the connections there may be.
const TURN_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a refused request that are read.
const LET_GO_BYTES_MAX: usize = 1 << 20;
/// Time that they may take.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(2);
const JSON: &str = "application/json";

/// A request that cannot be read: what it is answered.
pub(crate) struct Malformed {
    status: StatusCode,
    pub(crate) refusal: Refusal,
}

impl Malformed {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Malformed {
        let refusal = Refusal::invalid(message);
        Malformed { status, refusal }
    }

    /// With which status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn answer(&self) -> Response<Body> {
        json(self.status, &self.refusal)
    }
}

/// Answers a request for `verb`. It is done to its end, also when whoever asked does not wait for that.
pub(crate) async fn respond(
    request: Request<Incoming>,
    verb: Verb,
    actor: Actor,
    service: &Service,
) -> Result<Response<Body>, Malformed> {
    let most = match verb {
        Verb::ClientSet | Verb::DiagnosticsSet => PFX_REQUEST_BYTES_MAX,
        _ => REQUEST_BYTES_MAX,
    };
    let body = whole(request, most).await?;
    let request = super::Request::from_json(verb, &body)
        .map_err(|error| Malformed::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    // What is asked for goes on when whoever asked is gone, so those are what is bounded.
    let turn = service.asked().clone().acquire_owned();
    let Ok(Ok(turn)) = tokio::time::timeout(TURN_TIMEOUT, turn).await else {
        let message = "too much is being asked for at once; try it again";
        let refusal = Refusal::new(RefusalKind::Throttled, message);
        return Ok(refused(&refusal));
    };
    let mut place = Place::Service(service.clone());
    let done = tokio::spawn(async move {
        let done = apply(&mut place, request, &actor).await;
        drop(turn);
        done
    });
    Ok(match done.await {
        Ok(Ok(said)) => json(StatusCode::OK, &said),
        Ok(Err(refusal)) => refused(&refusal),
        Err(error) => refused(&Refusal::new(RefusalKind::Failed, error.to_string())),
    })
}

/// The whole body of a request, of `most` bytes.
///
/// # Errors
/// Where there is none such.
pub(crate) async fn whole(request: Request<Incoming>, most: usize) -> Result<Bytes, Malformed> {
    let too_large = || {
        let message = format!("a request has at most {most} bytes");
        Malformed::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    // Nobody has to send what is not read.
    if request.body().size_hint().lower() > most as u64 {
        let_go(request).await;
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Malformed::new(StatusCode::BAD_REQUEST, error.to_string())),
        Err(_) => {
            let message = "the request did not arrive in time";
            Err(Malformed::new(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

/// Lets a request that is refused arrive, as far as that is cheap: where its body is cut off, the answer may be lost with
/// it, and the reason.
pub(crate) async fn let_go(request: Request<Incoming>) {
    let mut body = request.into_body();
    let arriving = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > LET_GO_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(LET_GO_TIMEOUT, arriving).await;
}

/// The answer to what is not done.
pub(crate) fn refused(refusal: &Refusal) -> Response<Body> {
    let status = match refusal.kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Elsewhere => StatusCode::CONFLICT,
        RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
    };
    json(status, refusal)
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, said: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(said) {
        Ok(json) => answer(status, JSON, json),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            format!("{error}\n"),
        ),
    }
}
