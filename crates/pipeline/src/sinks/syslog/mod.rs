//! The sink that sends events as CEF over syslog: UDP, TCP, TLS with server authentication,
//! mutual TLS.
//!
//! Syslog has no acknowledgement, so this sink makes the most of what the transport says: see
//! [`Confirmation`]. Invariants: the cursor moves only over confirmed events, so a receiver
//! that breaks off gets everything unconfirmed again (at least once); each event is one
//! frame; an event that cannot be encoded is counted, recorded, put into the quarantine and left
//! out, and stops nothing; whatever fails is tried again with growing waits until the sink is told to stop.

mod choice;
mod connection;
mod datagram;
mod destination;
mod error;
mod limits;
mod metered;
mod metrics;
mod outbox;
mod outq;
pub mod probe;
mod sender;
mod shared;
mod status;
mod stream;
mod walk;
mod window;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::select;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use crate::journal::Cursor;
use sender::{Ended, Sender};
use status::Reporter;
use stream::Trust;

pub use destination::{
    Confirmation, Destination, Security, TLS_PORT, Tls, Transport, UDP_MESSAGE_DEFAULT, UDP_PORT,
    Warning,
};
pub use error::LinkError;
pub use limits::Limits;
pub use metrics::SyslogMetrics;
pub use shared::SharedMessages;
pub use status::{Failure, Skipped, State, Status};

/// Sends what `cursor` reads to `destination` until `shutdown`, or until the journal is
/// closed and everything in it was sent; then ends the connection in order. Never gives up
/// on a receiver. `status` is kept up to date ([`Status::new`] makes the first).
pub async fn run(
    destination: Destination,
    cursor: Cursor,
    metrics: &SyslogMetrics,
    status: watch::Sender<Status>,
    shutdown: CancellationToken,
) {
    let name = destination.name.clone();
    let reporter = Reporter::new(name.clone(), status, metrics.of(&name));
    reporter.starting(cursor.position());
    let limits = &destination.limits;
    let mut backoff = Backoff::new(limits.backoff_min, limits.backoff_max);
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut trust = Trust::new();
    let mut sender = Sender::new(destination, cursor, reporter);
    loop {
        sender.confirmed = 0;
        let ended = match sender.destination.transport {
            Transport::Udp => datagram::run(&mut sender, backoff.attempts(), &shutdown).await,
            Transport::Tcp | Transport::Tls(_) => {
                stream::run(&mut sender, &mut trust, &shutdown).await
            }
        };
        if sender.confirmed > 0 {
            backoff.succeeded();
        }
        let error = match ended {
            Ended::Stopped => break,
            Ended::TurnedOver => continue,
            Ended::Failed(error) => error,
        };
        sender.reporter.begins_after(sender.cursor.position());
        let wait = backoff.failed(&mut rng);
        sender.reporter.failed(&error, wait, backoff.attempts());
        select! {
            biased;
            () = shutdown.cancelled() => break,
            () = sleep(wait) => {}
        }
    }
    sender.reporter.stopped();
}
