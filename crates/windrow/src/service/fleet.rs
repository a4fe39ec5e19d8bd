//! How the machines are, asked of the collectors that run.

use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use windrow_pipeline::journal::AppendError;
use windrow_pipeline::sources::wef::forget_machine;

use super::Service;
use super::http::{Body, answer};
use crate::admin::{Refusal, RefusalKind, routes};
use crate::fleet::{Ask, Expected, Report, Survey, Totals, Verdict, World};

/// After a look at all machines nobody looks for so many times as long as it took: however often it is asked
/// for, it takes no more than half of one processor from those who receive events.
const REST: u32 = 1;
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
    /// How the machines are. None when the service stops.
    pub(crate) async fn fleet(&self, ask: Ask) -> Option<Report> {
        self.surveyed(move |service| {
            let sources = &service.shared.sources;
            let bookmark = |listener: &str, machine: &str, subscription| {
                sources.bookmark(listener, machine, subscription)
            };
            service.survey().report(&ask, &bookmark)
        })
        .await
    }

    /// Forgets a machine by its whole name; how many places it had.
    ///
    /// # Errors
    /// The journal does not take it.
    pub(crate) async fn forget_machine(&self, name: &str) -> Result<usize, AppendError> {
        self.shared.sources.forget(name);
        forget_machine(&self.shared.journal, name).await
    }

    /// How many there are of each verdict. None when the service stops.
    pub(crate) async fn fleet_totals(&self) -> Option<Totals> {
        self.surveyed(|service| service.survey().totals()).await
    }

    /// Looks at all machines, one look at a time and away from where events are received: a hundred thousand
    /// machines take a while. What is seen is of now, never of before it was asked for.
    async fn surveyed<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Service) -> T + Send + 'static,
    ) -> Option<T> {
        let turn = self.shared.surveys.clone().acquire_owned().await.ok()?;
        let service = self.clone();
        let (tell, told) = oneshot::channel();
        // In a task of its own: who asks and goes away does not end the turn before its time.
        tokio::spawn(async move {
            let begun = Instant::now();
            let looked = tokio::task::spawn_blocking(move || look(&service)).await;
            let rest = begun.elapsed() * REST;
            let _ = tell.send(looked);
            tokio::time::sleep(rest).await;
            drop(turn);
        });
        told.await.ok()?.ok()
    }

    /// Counts them for the metrics, if that was not done just now.
    pub(crate) async fn measure_fleet(&self) {
        let metrics = &self.shared.fleet_metrics;
        let mut counted = metrics.counted.lock().await;
        if counted.is_some_and(|at| at.elapsed() < COUNTED_GOOD_FOR) {
            return;
        }
        if let Some(totals) = self.fleet_totals().await {
            metrics.set(&totals);
            *counted = Some(Instant::now());
        }
    }

    pub(super) fn survey(&self) -> Survey {
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
pub(super) async fn respond(parameters: &str, service: &Service) -> Response<Body> {
    match Ask::from_parameters(parameters) {
        Ok(ask) => match service.fleet(ask).await {
            Some(report) => routes::json(StatusCode::OK, &report),
            None => {
                let stops = "the machines could not be looked at";
                routes::refused(&Refusal::new(RefusalKind::Failed, stops))
            }
        },
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
