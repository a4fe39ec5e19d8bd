//! The verbs as paths: a POST with JSON, answered with JSON. Whoever mounts them says who asks, and whether they may.

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use windrow_pipeline::tls::pfx::PFX_BYTES_MAX;

use super::apply::{Place, apply};
use super::refusal::{Refusal, RefusalKind};
use super::{Actor, Verb};
use crate::service::{Body, Service, answer};

/// Bytes of a request's JSON.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// The same with a PFX in it, in Base64, and its password.
const PFX_REQUEST_BYTES_MAX: usize = (PFX_BYTES_MAX as usize).div_ceil(3) * 4 + REQUEST_BYTES_MAX;
const JSON: &str = "application/json";

/// Answers a request for `verb`. It is done to its end, also when whoever asked does not wait for that.
pub(crate) async fn respond(
    request: Request<Incoming>,
    verb: Verb,
    actor: Actor,
    service: &Service,
) -> Response<Body> {
    let most = match verb {
        Verb::ClientSet => PFX_REQUEST_BYTES_MAX,
        _ => REQUEST_BYTES_MAX,
    };
    let body = Limited::new(request.into_body(), most);
    let Ok(body) = body.collect().await else {
        let message = format!("a request has at most {most} bytes");
        return refused(&Refusal::invalid(message));
    };
    let request = match super::Request::from_json(verb, &body.to_bytes()) {
        Ok(request) => request,
        Err(error) => return refused(&Refusal::invalid(error.to_string())),
    };
    let mut place = Place::Service(service.clone());
    let done = tokio::spawn(async move { apply(&mut place, request, &actor).await });
    match done.await {
        Ok(Ok(said)) => json(StatusCode::OK, &said),
        Ok(Err(refusal)) => refused(&refusal),
        Err(error) => refused(&Refusal::new(RefusalKind::Failed, error.to_string())),
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let status = match refusal.kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Elsewhere => StatusCode::CONFLICT,
        RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, refusal)
}

fn json(status: StatusCode, said: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(said) {
        Ok(json) => answer(status, JSON, json),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            format!("{error}\n"),
        ),
    }
}
