//! `--forward`: imported events on their way to the sinks, through the journal of the running service or of one that
//! runs for as long as it takes.

use std::time::{Duration, Instant};

use http::StatusCode;
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;
use windrow_pipeline::journal::AppendError;

use crate::client::{Client, Refused};
use crate::config::checked;
use crate::datadir::{self, DataDir, Purpose};
use crate::exit::UsageError;
use crate::output::thousands;
use crate::service::{self, BLOB_SINKS, ForwardError, Service};
use crate::status::Status;

/// Pause before a batch is offered again to a journal that is full.
const FULL_PAUSE: Duration = Duration::from_millis(500);
/// How often the sinks are looked at while they deliver.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Time without any delivery after which the wait is given up: the journal keeps what is left.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Who takes the events.
pub(super) enum Forwarder {
    /// The service that runs on the data folder.
    Running(Client),
    /// One of our own: it collects nothing and ends when the sinks have everything.
    Own(Service),
}

/// What became of the events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// They are in the journal of the running service, which delivers them.
    HandedOver,
    /// Every sink has them.
    Delivered,
    /// So many still wait, at the sink that is furthest behind; the next service delivers them.
    Waiting(u64),
}

impl Forwarder {
    /// The running service, or one started here.
    pub(super) async fn start(config: &checked::Config) -> anyhow::Result<Forwarder> {
        if let Some(client) = Client::connect(&datadir::socket(&config.data_dir)).await? {
            return Ok(Forwarder::Running(client));
        }
        if config.sink.syslog.is_empty() {
            let message =
                "there is nowhere to forward to: the configuration has no [sink.syslog.…]";
            return Err(UsageError(message.to_owned()).into());
        }
        let mut config = config.clone();
        config.source = checked::Sources::default();
        config.web.listen = ([127, 0, 0, 1], 0).into();
        let data_dir = DataDir::open(&config.data_dir, Purpose::Serve)?;
        Ok(Forwarder::Own(service::start(config, data_dir).await?))
    }

    /// Makes a batch durable in the journal; waits while that is full.
    pub(super) async fn send(
        &mut self,
        batch: Vec<u8>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let taken = match self {
                Forwarder::Running(client) => {
                    is_taken(client.post_whole("/v1/forward", batch.clone()).await)?
                }
                Forwarder::Own(service) => match service.forward(batch.clone()).await {
                    Ok(()) => true,
                    Err(ForwardError::Append(AppendError::Full { .. })) => false,
                    Err(error) => return Err(error.into()),
                },
            };
            if taken {
                return Ok(());
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
        Ok(())
    }

    /// Waits until the sinks have sent everything, they stall, or `stop`.
    pub(super) async fn finish(self, progress: &ProgressBar, stop: &CancellationToken) -> Delivery {
        let service = match self {
            Forwarder::Running(_) => return Delivery::HandedOver,
            Forwarder::Own(service) => service,
        };
        let mut moved = Instant::now();
        let mut left = unsent(&service.status());
        if left > 0 && progress.is_hidden() {
            let seconds = STALL_MAX.as_secs();
            tracing::info!(
                "{left} events wait for the sinks; without any delivery for {seconds} s the journal keeps them"
            );
        }
        while left > 0 && moved.elapsed() < STALL_MAX && !stop.is_cancelled() {
            progress.set_message(format!("{} events wait for the sinks", thousands(left)));
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let now = unsent(&service.status());
            if now < left {
                moved = Instant::now();
            }
            left = now;
        }
        // A sink that ends in good order learns what its receiver has read.
        service.clone().stop().await;
        match service.undelivered() {
            0 => Delivery::Delivered,
            left => Delivery::Waiting(left),
        }
    }
}

/// Events that were not sent yet to the sink furthest behind.
fn unsent(status: &Status) -> u64 {
    // Files are no events.
    let sinks = status.sinks.iter();
    let sinks = sinks.filter(|(name, _)| !name.starts_with(BLOB_SINKS));
    let waiting = sinks.map(|(_, sink)| sink.lag_events);
    waiting.max().unwrap_or(0)
}

/// Whether the service has the batch; not yet when its journal is full.
fn is_taken(answer: anyhow::Result<bytes::Bytes>) -> anyhow::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.status == StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            _ => Err(error.context("the service does not take the events")),
        },
    }
}
