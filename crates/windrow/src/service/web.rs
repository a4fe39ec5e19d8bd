//! Health and metrics, on a loopback port: for systemd, load balancers and Prometheus.
//!
//! `GET /healthz` answers 200 while events are accepted, with `ok` or with what is held up behind
//! them, and 503 with the reason while they are not; `GET /metrics` answers in OpenMetrics text. Nothing else is here, and nothing here says
//! what an event contains.

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use prometheus_client::registry::Registry;

use super::http::{Body, answer};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const METRICS: &str = "/metrics";
const TEXT: &str = "text/plain; charset=utf-8";

/// Whether events are accepted just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// They are.
    Accepting,
    /// They are, and something behind them is held up.
    Degraded(String),
    /// They are not, for this reason.
    Refusing(String),
}

/// Whether a request is for the metrics, of which some are measured when they are asked for.
pub(crate) fn asks_for_metrics(request: &Request<Incoming>) -> bool {
    request.uri().path() == METRICS
}

/// Answers one request.
pub(crate) fn respond(
    request: &Request<Incoming>,
    registry: &Registry,
    health: &Health,
) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "only GET is understood here\n",
        );
    }
    match request.uri().path() {
        "/healthz" => self::health(health),
        METRICS => metrics(registry),
        _ => answer(
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /healthz and /metrics\n",
        ),
    }
}

/// The answer to `/healthz`.
pub(super) fn health(health: &Health) -> Response<Body> {
    match health {
        Health::Accepting => answer(StatusCode::OK, TEXT, "ok\n"),
        Health::Degraded(reason) => answer(StatusCode::OK, TEXT, format!("degraded: {reason}\n")),
        Health::Refusing(reason) => {
            answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n"))
        }
    }
}

fn metrics(registry: &Registry) -> Response<Body> {
    let mut text = String::with_capacity(16 * 1024);
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => answer(StatusCode::OK, OPENMETRICS, text),
        Err(error) => {
            tracing::error!(%error, "cannot encode the metrics");
            answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                "the metrics cannot be encoded; the log has the reason\n",
            )
        }
    }
}
