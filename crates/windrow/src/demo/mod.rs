//! `windrow demo`: the whole way of an event on one machine, with nothing to configure.
//!
//! A simulated fleet speaks the real protocol over mutual TLS to the real service, which keeps
//! the events in its journal, commits them to its lake and sends them to a syslog receiver over
//! TLS. At the end the machines' account of what was acknowledged is compared, record by record,
//! with the lake and with what the receiver got.

mod proof;
mod setup;
mod show;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::datadir::{DataDir, Purpose};
use crate::exit::{Code, UsageError};
use crate::output::Terminal;
use crate::service::{self, Service};
use crate::simulate::ledger::Ledger;
use crate::simulate::receiver::{self, Receiver, Transport};
use crate::simulate::{self, Machines, Outcome, Progress, Rate, SimulateError};
use crate::{pki, status::Status};
use windrow_pipeline::sources::wef::ENUMERATE_PATH;

use proof::Proof;
use show::{Screen, Snapshot};

/// Messages of the receiver that are shown.
const LINES_SHOWN: usize = 3;
/// How often the lake is asked what came.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long the receiver may take to get what is on its way when the fleet has stopped.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(30);
/// What flows, most frequent first.
const BY_ID: &str = "select channel, event_id, count(*) as n from events where source <> 'windrow' \
                     group by channel, event_id order by n desc, channel, event_id limit 8";

/// What to show.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long; until Ctrl-C when absent.
    pub duration: Option<Duration>,
    /// How many machines.
    pub machines: u32,
    /// Events a second of each machine.
    pub rate: f64,
    /// The same seed makes the same events.
    pub seed: u64,
    /// How the program was called, where its name alone would not find it.
    pub program: Option<String>,
    /// The folder to keep; a new temporary one when absent.
    pub root: Option<PathBuf>,
}

/// Runs the demo; the answer is negative when something was lost.
///
/// # Errors
/// What keeps it from running.
pub async fn run(
    options: &Options,
    terminal: &Terminal,
    out: &mut dyn Write,
) -> anyhow::Result<Code> {
    let root = match &options.root {
        Some(root) => {
            refuse_used(root)?;
            // The configuration that is written there names everything from it.
            std::path::absolute(root)?
        }
        None => tempfile::Builder::new()
            .prefix("windrow-demo-")
            .tempdir()?
            .keep(),
    };
    let data_dir = DataDir::open(&root, Purpose::Serve)?;
    let store = pki::Store::open(&data_dir.pki())?;
    let authority = store.authority("windrow demo")?;

    let stop_receiver = CancellationToken::new();
    let tls = Transport::Tls(setup::receiver_tls(&authority)?);
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let receiver = Receiver::bind(tls, any_port, LINES_SHOWN)
        .await
        .context("the demo's syslog receiver")?;
    let siem = receiver.handle();
    let receiver_task = tokio::spawn(receiver.run(stop_receiver.clone()));

    let place = setup::make(&root, siem.address(), &store, authority)?;
    let service = service::start(place.config.clone(), data_dir).await?;
    introduce(&service, options, &root, out)?;

    let file = place.file.clone();
    let fleet = Fleet::start(options, place, &service)?;
    let ended = watch(options, terminal, &service, &fleet, &siem, out).await;
    writeln!(
        out,
        "the machines stop; waiting until everything has arrived"
    )?;
    out.flush()?;
    let outcome = fleet.stop().await?;
    wait_for_arrival(&outcome.ledger, &siem).await;
    let proof = proof::prove(&service, &outcome.ledger, &siem.received()).await?;
    let status = service.status();
    service.stop().await;
    stop_receiver.cancel();
    let _ = receiver_task.await;
    conclude(&proof, &outcome.summary, &status, out)?;
    advise(options, &root, &file, out)?;
    ended?;
    Ok(if proof.holds() {
        Code::Ok
    } else {
        Code::Negative
    })
}

/// The demo's events have no place beside real ones, nor beside those of an earlier demo, which had the same ids.
fn refuse_used(root: &Path) -> anyhow::Result<()> {
    let has_something = fs_err::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
    if !has_something {
        return Ok(());
    }
    let message = format!(
        "{} is not empty, and the demo begins with an empty folder: name another one, or remove it",
        root.display()
    );
    Err(UsageError(message).into())
}

fn introduce(
    service: &Service,
    options: &Options,
    root: &Path,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let collector = service
        .wef_address(setup::SOURCE)
        .map_or_else(String::new, |address| address.to_string());
    writeln!(
        out,
        "windrow demo: {} simulated Windows machines -> https://{collector} (mutual TLS)",
        options.machines
    )?;
    writeln!(
        out,
        "  -> journal and lake in {} -> CEF over TLS to a receiver on loopback",
        root.display()
    )?;
    writeln!(
        out,
        "  health and metrics: http://{}/metrics",
        service.web_address()
    )?;
    match options.duration {
        Some(duration) => writeln!(
            out,
            "  ends after {} s; Ctrl-C ends it sooner\n",
            duration.as_secs()
        )?,
        None => writeln!(out, "  ends with Ctrl-C\n")?,
    }
    out.flush()
}

/// Shows what flows until the time is up or Ctrl-C.
async fn watch(
    options: &Options,
    terminal: &Terminal,
    service: &Service,
    fleet: &Fleet,
    siem: &receiver::Handle,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut screen = Screen::new(terminal);
    let mut ids = Vec::new();
    let mut counted_after = Duration::ZERO;
    let mut asked: Option<Instant> = None;
    let mut draw = tokio::time::interval(show::DRAW_EVERY);
    let time_is_up = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(time_is_up);
    loop {
        tokio::select! {
            () = &mut time_is_up => break,
            interrupted = tokio::signal::ctrl_c() => { interrupted?; break }
            _ = draw.tick() => {}
        }
        if fleet.has_ended() {
            break;
        }
        if asked.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
            counted_after = started.elapsed();
            ids = proof::rows(service, BY_ID).await?;
            asked = Some(Instant::now());
        }
        let now = Snapshot {
            elapsed: started.elapsed(),
            status: &service.status(),
            acknowledged: fleet.acknowledged(),
            received: siem.messages(),
            ids: &ids,
            counted_after,
            last: &siem.last(),
        };
        screen.show(&now, out)?;
    }
    Ok(())
}

/// Waits until the receiver has every acknowledged record.
async fn wait_for_arrival(ledger: &Ledger, siem: &receiver::Handle) {
    let deadline = Instant::now() + ARRIVAL_TIMEOUT;
    while Instant::now() < deadline {
        if ledger.missing(&siem.received().records).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn conclude(
    proof: &Proof,
    summary: &Progress,
    status: &Status,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let verdict = match proof.holds() {
        true => "nothing was lost",
        false => "SOMETHING IS MISSING",
    };
    writeln!(
        out,
        "\n{verdict}: of {} events acknowledged to the machines",
        proof.acknowledged
    )?;
    writeln!(
        out,
        "  in the lake     {} missing, {} twice",
        proof.missing_in_lake, proof.twice_in_lake
    )?;
    writeln!(
        out,
        "  at the receiver {} missing, {} came again after a reconnect",
        proof.missing_at_receiver, proof.again_at_receiver
    )?;
    writeln!(
        out,
        "  acknowledged in {:.1} ms (median), {:.1} ms (99 %); journal {} kB for {} events",
        summary.ack_p50_ms,
        summary.ack_p99_ms,
        status.journal.bytes / 1000,
        status.journal.durable_seq,
    )
}

/// Says what to do next, with what was collected.
fn advise(options: &Options, root: &Path, file: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    let root = root.display();
    let windrow = options.program.as_deref().unwrap_or("windrow");
    writeln!(out, "\nlook further:")?;
    writeln!(
        out,
        "  {windrow} --data-dir {root} query \"select event_id, count(*) n from events group by 1 order by n desc\""
    )?;
    writeln!(
        out,
        "  {windrow} --data-dir {root} query \"select time, computer, target_user, ip_address from events where event_id = 4625 order by time desc limit 10\""
    )?;
    writeln!(
        out,
        "  {windrow} --data-dir {root} report distribution --bucket 10s"
    )?;
    writeln!(out, "  {windrow} --data-dir {root} verify")?;
    writeln!(out, "  the configuration: {}", file.display())?;
    writeln!(out, "  when you are done: rm -r {root}")?;
    out.flush()
}

/// The machines, at work.
struct Fleet {
    progress: watch::Receiver<Progress>,
    token: CancellationToken,
    task: JoinHandle<Result<Outcome, SimulateError>>,
}

impl Fleet {
    /// Starts `options.machines` machines with certificates of the demo's authority.
    fn start(options: &Options, place: setup::Place, service: &Service) -> anyhow::Result<Fleet> {
        let address = service
            .wef_address(setup::SOURCE)
            .context("the demo's collector does not listen")?;
        let collector = format!(
            "https://{}:{}{}",
            setup::HOST,
            address.port(),
            ENUMERATE_PATH
        );
        let trust = place.authority.certificate_pem().to_owned();
        let machines = Machines::Made {
            count: usize::try_from(options.machines)?,
            authority: Arc::new(place.authority),
        };
        let mut fleet = simulate::Options::new(collector, trust, machines);
        fleet.rate = Rate::PerMachine(options.rate);
        fleet.seed = options.seed;
        fleet.connect_to = Some(address);
        fleet.drain = ARRIVAL_TIMEOUT;
        let (sender, progress) = watch::channel(Progress::default());
        let token = CancellationToken::new();
        let task = tokio::spawn(simulate::run(fleet, sender, token.clone()));
        Ok(Fleet {
            progress,
            token,
            task,
        })
    }

    /// Events acknowledged to the machines so far.
    fn acknowledged(&self) -> u64 {
        self.progress.borrow().acknowledged
    }

    /// Whether the fleet ended by itself, which only an error makes it do.
    fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Lets the machines send what waits, and ends them.
    async fn stop(self) -> anyhow::Result<Outcome> {
        self.token.cancel();
        self.task.await?.context("the simulated machines")
    }
}
