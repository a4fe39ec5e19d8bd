//! A fleet of Windows machines that speaks Windows Event Forwarding: the demo's sources, the
//! load generator, and the peer that tests measure a collector by.
//!
//! Each machine does what a Windows machine does (MS-WSMV 3.1.4.1.30): it asks the subscription
//! manager for its subscriptions, acts on each as if it had been subscribed to directly, and sends
//! deliveries of which one at a time is outstanding, in UTF-16 and SLDC, over mutual TLS or, as a
//! member of a domain, sealed by Kerberos.
//!
//! `events` makes what the machines write, `log` says which records there are, `delivery` sends
//! them, `machine` keeps the subscriptions, `domain` and `sealed` prove who a machine is where no
//! certificate does, `ledger` keeps account, `receiver` is the SIEM at the other end.

mod bookmark;
mod connection;
mod delivery;
pub mod domain;
pub mod events;
pub mod ledger;
mod log;
mod machine;
mod offer;
mod options;
mod query;
pub mod random;
pub mod ranges;
pub mod receiver;
mod sealed;
mod stats;
#[cfg(test)]
mod tests;
mod world;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Target;
pub use self::connection::{UrlError, UrlScheme};
use self::ledger::Ledger;
pub use self::machine::CertificateError;
use self::machine::{Controller, proof};
pub use self::options::{Logs, Machines, Options, Rate};
pub use self::stats::Progress;
use self::world::{Host, World, ledger};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Every how many tellings the ledger is written.
const LEDGER_EVERY: u32 = 4;

/// Why a fleet cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The collector's address is wrong.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The machines have no certificates.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The ledger cannot be written.
    #[error("cannot write the ledger {}", .path.display())]
    Ledger {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a fleet did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The counts at the end.
    pub summary: Progress,
    /// Every record that was made, and whether it was acknowledged.
    pub ledger: Ledger,
}

/// Runs a fleet until all its events are acknowledged, its time is over or `shutdown`, and tells
/// its progress on the way.
///
/// When time is over or at `shutdown` the machines write no more and have `options.drain` to send
/// what waits.
pub async fn run(
    options: Options,
    progress: watch::Sender<Progress>,
    shutdown: CancellationToken,
) -> Result<Outcome, SimulateError> {
    let manager = Target::new(&options.collector, options.scheme(), options.connect_to)?;
    let world = Arc::new(World::new(options));
    // Made once in vain, so that what is wrong with the certificates shows at once.
    if let Some(machine) = world.fleet.machines().first() {
        proof(&world.options, &machine.name, 0)?;
    }
    let hosts: Vec<_> = (0..world.fleet.machines().len())
        .map(|index| Arc::new(Host::new(&world, index)))
        .collect();
    let mut machines = JoinSet::new();
    for host in &hosts {
        machines.spawn(switch_on(Arc::clone(host), manager.clone()));
    }
    watch_over(&world, &hosts, &mut machines, &progress, &shutdown).await?;
    machines.shutdown().await;
    let ledger = ledger(&hosts);
    save(&world, &ledger).await?;
    let summary = count(&world, &hosts);
    progress.send_replace(summary.clone());
    Ok(Outcome { summary, ledger })
}

/// Waits for its turn, then runs the machine.
async fn switch_on(host: Arc<Host>, manager: Target) {
    let world = Arc::clone(&host.world);
    let delay = host.index as f64 / world.options.starts_per_second.max(0.001);
    let delay = Duration::try_from_secs_f64(delay).unwrap_or(Duration::ZERO);
    if world
        .closing
        .run_until_cancelled(tokio::time::sleep(delay))
        .await
        .is_none()
    {
        return;
    }
    match proof(&world.options, &host.machine().name, host.index) {
        Ok(proof) => Controller::new(host, manager, proof).run().await,
        Err(error) => world.stats.fault(&format!("certificate: {error}")),
    }
}

/// Tells progress until the last machine is done or the time to drain is over.
async fn watch_over(
    world: &Arc<World>,
    hosts: &[Arc<Host>],
    machines: &mut JoinSet<()>,
    progress: &watch::Sender<Progress>,
    shutdown: &CancellationToken,
) -> Result<(), SimulateError> {
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    let mut until_ledger = LEDGER_EVERY;
    let is_over = || {
        world
            .options
            .duration
            .is_some_and(|time| world.clock.elapsed() >= time)
    };
    let mut drained_by = None;
    loop {
        tokio::select! {
            () = shutdown.cancelled(), if !world.closing.is_cancelled() => world.close(),
            ended = machines.join_next() => {
                if ended.is_none() {
                    return Ok(());
                }
                continue;
            }
            _ = ticks.tick() => {}
        }
        if is_over() {
            world.close();
        }
        if world.closing.is_cancelled() {
            let end = *drained_by.get_or_insert(world.clock.elapsed() + world.options.drain);
            if world.clock.elapsed() >= end {
                return Ok(());
            }
        }
        progress.send_replace(count(world, hosts));
        until_ledger -= 1;
        if until_ledger == 0 {
            until_ledger = LEDGER_EVERY;
            if world.options.ledger.is_some() {
                save(world, &ledger(hosts)).await?;
            }
        }
    }
}

fn count(world: &World, hosts: &[Arc<Host>]) -> Progress {
    let generated = hosts.iter().map(|host| host.generated()).sum();
    world
        .stats
        .progress(world.clock.elapsed(), hosts.len(), generated)
}

async fn save(world: &World, ledger: &Ledger) -> Result<(), SimulateError> {
    let Some(path) = world.options.ledger.clone() else {
        return Ok(());
    };
    let (ledger, target) = (ledger.clone(), path.clone());
    let saved = tokio::task::spawn_blocking(move || ledger.save(&target)).await;
    let result = saved.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|source| SimulateError::Ledger { path, source })
}
