//! The local socket: how the commands talk to the running service.
//!
//! HTTP/1.1 over `<data-dir>/run/windrow.sock`, a folder that only its owner may enter.
//! `GET /v1/status` answers the status as JSON, `GET /v1/sources` how the machines are ([`crate::fleet`]). `POST /v1/query` takes one SQL statement as its
//! body, with `max_rows`, `timeout_ms`, `from_us` and `to_us` (the events' time, microseconds since
//! 1970) as parameters, and answers an Arrow IPC stream, with the last sequence it looked at and the last one that
//! was acknowledged in the headers [`COMPLETE_TO`], [`ACKNOWLEDGED_TO`] and [`OLDEST`]; a query that is refused or fails is a 4xx
//! or 5xx with the reason as text. `POST /v1/forward` takes a batch of imported events for the
//! sinks, and answers when it is durable; 503 asks to try again, the journal being full. `POST /v1/lake/taken` puts on record
//! what a command took out of the lake. Settings are changed and shown
//! by POST to the paths of [`Verb`], with JSON both ways; who asks is the user that the system names. So are the tokens of
//! the privileged endpoint, [`access::Verb`], and here alone.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use jiff::Timestamp;
use tokio::net::UnixListener;
use windrow_formats::text::Chain;
use windrow_lake::{QueryError, QueryLimits, SQL_BYTES};
use windrow_pipeline::journal::AppendError;
use windrow_pipeline::journal::limits::MAX_ENTRY_BYTES;

use super::http::{Body, Peer, answer};
use super::taken::{self, Taken};
use super::{ForwardError, Service, fleet};
use crate::access::{self, manage};
use crate::admin::{Actor, Refusal, RefusalKind, Verb, routes};
use crate::fleet::PATH;

/// The media type of an Arrow IPC stream.
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
/// Every event up to this sequence was looked at.
pub(crate) const COMPLETE_TO: &str = "windrow-complete-to";
/// The last sequence that was acknowledged when the query came.
pub(crate) const ACKNOWLEDGED_TO: &str = "windrow-acknowledged-to";
/// Header of an answer: the oldest event that the journal has.
pub(crate) const OLDEST: &str = "windrow-oldest";
/// Bytes of a request about tokens.
const TOKEN_REQUEST_BYTES_MAX: usize = 4 << 10;
/// Bytes of a request to put on record what was taken out of the lake.
const TAKEN_REQUEST_BYTES_MAX: usize = 64 << 10;
/// Where requests through this door come from, as records say it.
const FROM: &str = "this machine";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Binds the socket; one left behind by a service that died is taken away first (the data
/// folder's lock says that no other service runs on it).
///
/// # Errors
/// Names the path.
pub(crate) fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    UnixListener::bind(path).with_context(|| format!("cannot listen at {}", path.display()))
}

/// Answers one request.
pub(crate) async fn respond(request: Request<Incoming>, service: &Service) -> Response<Body> {
    let verb = Verb::of_path(request.uri().path());
    if let Some(verb) = verb.filter(|_| request.method() == Method::POST) {
        let actor = actor(&request, verb.command());
        let answered = routes::respond(request, verb, actor, service).await;
        return answered.unwrap_or_else(|malformed| malformed.answer());
    }
    let token_verb = access::Verb::of_path(request.uri().path());
    if let Some(verb) = token_verb.filter(|_| request.method() == Method::POST) {
        let actor = actor(&request, manage::BY);
        return tokens(request, verb, actor, service.clone()).await;
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/status") => status(service).await,
        (&Method::GET, PATH) => {
            fleet::respond(request.uri().query().unwrap_or_default(), service).await
        }
        (_, PATH) => fleet::not_allowed(),
        (&Method::POST, "/v1/query") => query(request, service).await,
        (&Method::POST, "/v1/forward") => forward(request, service).await,
        (&Method::POST, taken::PATH) => taken(request, service).await,
        (_, "/v1/status" | "/v1/query" | "/v1/forward" | taken::PATH) => not_allowed(),
        _ if verb.is_some() || token_verb.is_some() => not_allowed(),
        _ => answer(
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /v1/status, /v1/sources, /v1/query, /v1/forward, /v1/lake/taken, /v1/syslog/…, /v1/subscription/… and /v1/sources/forget\n",
        ),
    }
}

fn not_allowed() -> Response<Body> {
    answer(
        StatusCode::METHOD_NOT_ALLOWED,
        TEXT,
        "GET /v1/status and /v1/sources; POST everything else\n",
    )
}

/// Who asks, by the system's word.
fn actor(request: &Request<Incoming>, by: &'static str) -> Actor {
    match request.extensions().get() {
        Some(Peer::User(uid)) => Actor::local(*uid, FROM, by),
        Some(Peer::Unknown | Peer::Remote(_)) | None => Actor {
            who: "unknown".to_owned(),
            from: FROM.to_owned(),
            by,
        },
    }
}

/// Makes, shows and takes away tokens; to the end, also when whoever asked does not wait for that.
async fn tokens(
    request: Request<Incoming>,
    verb: access::Verb,
    actor: Actor,
    service: Service,
) -> Response<Body> {
    let body = match routes::whole(request, TOKEN_REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(malformed) => return malformed.answer(),
    };
    let request = match access::Request::from_json(verb, &body) {
        Ok(request) => request,
        Err(error) => return routes::refused(&Refusal::invalid(error.to_string())),
    };
    let done = tokio::spawn(async move { service.tokens(request, &actor).await });
    match done.await {
        Ok(Ok(said)) => routes::json(StatusCode::OK, &said),
        Ok(Err(refusal)) => routes::refused(&refusal),
        Err(error) => routes::refused(&Refusal::new(RefusalKind::Failed, error.to_string())),
    }
}

async fn status(service: &Service) -> Response<Body> {
    match serde_json::to_vec(&service.status_with_lag().await) {
        Ok(json) => answer(StatusCode::OK, JSON, json),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

async fn query(request: Request<Incoming>, service: &Service) -> Response<Body> {
    let limits = limits(request.uri().query().unwrap_or(""));
    let body = Limited::new(request.into_body(), SQL_BYTES).collect().await;
    let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
        return answer(
            StatusCode::PAYLOAD_TOO_LARGE,
            TEXT,
            format!("a query has at most {SQL_BYTES} bytes\n"),
        );
    };
    let Ok(sql) = str::from_utf8(&body) else {
        return answer(StatusCode::BAD_REQUEST, TEXT, "the query is not UTF-8\n");
    };
    match service.query(sql, limits).await {
        Ok(answered) => {
            let frames = answered.pieces.map(|bytes| Ok(Frame::data(bytes)));
            let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
            let headers = response.headers_mut();
            headers.insert(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static(ARROW_STREAM),
            );
            headers.insert(COMPLETE_TO, answered.complete_to.into());
            headers.insert(ACKNOWLEDGED_TO, answered.acknowledged_to.into());
            headers.insert(OLDEST, answered.oldest.into());
            response
        }
        Err(error) => {
            let status = match error {
                QueryError::Refused { .. } => StatusCode::BAD_REQUEST,
                QueryError::Busy { .. } | QueryError::Away { .. } => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            answer(status, TEXT, Chain(&error).to_string())
        }
    }
}

async fn forward(request: Request<Incoming>, service: &Service) -> Response<Body> {
    let body = Limited::new(request.into_body(), MAX_ENTRY_BYTES)
        .collect()
        .await;
    let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
        let message = format!("a batch has at most {MAX_ENTRY_BYTES} bytes\n");
        return answer(StatusCode::PAYLOAD_TOO_LARGE, TEXT, message);
    };
    match service.forward(body.into()).await {
        Ok(()) => answer(StatusCode::OK, TEXT, ""),
        Err(error) => {
            let status = match &error {
                ForwardError::Decode(_) | ForwardError::Kind => StatusCode::BAD_REQUEST,
                ForwardError::Append(AppendError::Full { .. }) => StatusCode::SERVICE_UNAVAILABLE,
                ForwardError::Append(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            answer(status, TEXT, Chain(&error).to_string())
        }
    }
}

/// Puts on record what a command took out of the lake.
async fn taken(request: Request<Incoming>, service: &Service) -> Response<Body> {
    let actor = actor(&request, taken::BY);
    let body = match routes::whole(request, TAKEN_REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(malformed) => return malformed.answer(),
    };
    let taken: Taken = match serde_json::from_slice(&body) {
        Ok(taken) => taken,
        Err(error) => return answer(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
    };
    match service.recorder().taken(&taken, Some(&actor)).await {
        true => answer(StatusCode::OK, TEXT, ""),
        false => answer(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "the journal did not take the record\n",
        ),
    }
}

/// The parameters of a query; what is absent or not a number keeps its default.
fn limits(parameters: &str) -> QueryLimits {
    let mut limits = QueryLimits::default();
    for (name, value) in parameters
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        let number = || value.parse().ok();
        let time = || Timestamp::from_microsecond(value.parse().ok()?).ok();
        match name {
            "max_rows" => limits.rows = number(),
            "memory_bytes" => limits.memory_bytes = value.parse().unwrap_or(limits.memory_bytes),
            "timeout_ms" => limits.time = number().map(Duration::from_millis),
            "from_us" => limits.period.from = time(),
            "to_us" => limits.period.to = time(),
            _ => {}
        }
    }
    limits
}
