//! How the machines are, asked of the collectors that run.

use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Service;
use super::http::{Body, answer};
use crate::admin::{Refusal, routes};
use crate::fleet::{Ask, Expected, Report, Survey, Totals, Verdict, World};

/// How old what the metrics say of machines may be.
const COUNTED_GOOD_FOR: Duration = Duration::from_secs(5);

/// A verdict as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

/// How many machines there are of each verdict.
#[derive(Debug)]
pub(crate) struct FleetMetrics {
    machines: Family<VerdictLabel, Gauge>,
    /// When they were counted last.
    counted: tokio::sync::Mutex<Option<Instant>>,
}

impl FleetMetrics {
    /// Gauges, entered under their name.
    pub(crate) fn new(registry: &mut Registry) -> FleetMetrics {
        let machines = Family::default();
        let help = "Machines by what `windrow sources` says of them";
        registry.register("windrow_fleet_machines", help, machines.clone());
        FleetMetrics {
            machines,
            counted: tokio::sync::Mutex::default(),
        }
    }

    fn set(&self, totals: &Totals) {
        for verdict in Verdict::ALL {
            let label = VerdictLabel {
                verdict: verdict.as_str(),
            };
            let machines = i64::try_from(totals.of(verdict)).unwrap_or(i64::MAX);
            self.machines.get_or_create(&label).set(machines);
        }
    }
}

impl Service {
    /// How the machines are.
    pub(crate) fn fleet(&self, ask: &Ask) -> Report {
        let bookmark = |listener: &str, machine: &str, subscription| {
            self.shared
                .sources
                .bookmark(listener, machine, subscription)
        };
        self.survey().report(ask, &bookmark)
    }

    /// How many there are of each verdict.
    pub(crate) fn fleet_totals(&self) -> Totals {
        self.survey().totals()
    }

    /// Counts them for the metrics, if that was not done just now.
    pub(crate) async fn measure_fleet(&self) {
        let metrics = &self.shared.fleet_metrics;
        let mut counted = metrics.counted.lock().await;
        if counted.is_some_and(|at| at.elapsed() < COUNTED_GOOD_FOR) {
            return;
        }
        metrics.set(&self.fleet_totals());
        *counted = Some(Instant::now());
    }

    fn survey(&self) -> Survey {
        let fleet = &self.config().fleet;
        let refresh = fleet.refresh.map(|span| SignedDuration::try_from(span.0));
        Survey {
            world: World {
                now: Timestamp::now(),
                started_at: self.shared.started_at,
                refresh: refresh.and_then(Result::ok),
            },
            expected: Expected::new(fleet.names()),
            listeners: self.shared.sources.listeners(),
        }
    }
}

/// Answers `GET /v1/sources`.
pub(super) fn respond(parameters: &str, service: &Service) -> Response<Body> {
    match Ask::from_parameters(parameters) {
        Ok(ask) => routes::json(StatusCode::OK, &service.fleet(&ask)),
        Err(wrong) => routes::refused(&Refusal::invalid(wrong)),
    }
}

/// The answer to another method.
pub(super) fn not_allowed() -> Response<Body> {
    let text = "text/plain; charset=utf-8";
    answer(
        StatusCode::METHOD_NOT_ALLOWED,
        text,
        "GET is understood here\n",
    )
}
