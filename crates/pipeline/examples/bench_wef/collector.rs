//! The collector of one run: durable, nothing goes on from it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use windrow_pipeline::journal::{Journal, JournalOptions};
use windrow_pipeline::kerberos::{Accounts, Server};
use windrow_pipeline::sources::wef::{
    self, Authentication, ENUMERATE_PATH, Listeners, QueryList, Subscription, WefLimits,
    WefMetrics, WefOptions,
};
use windrow_pipeline::tls;

use super::{Case, Outcome, Way, cpu_seconds};

/// One run.
pub(super) fn run(pki: &Path, case: Case) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (journal, _) = Journal::open(JournalOptions::new(folder.path())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = WefMetrics::default();
        let shutdown = CancellationToken::new();
        let collector = tokio::spawn(wef::run(
            listener,
            options(pki, case.way, address),
            journal.clone(),
            metrics.clone(),
            shutdown.clone(),
        ));
        let pki = pki.to_owned();
        let driving = tokio::task::spawn_blocking(move || drive(&pki, case, address));
        let mut outcome = driving.await.unwrap();
        outcome.twice = metrics.duplicate_events.get();
        assert_eq!(metrics.events.get(), case.events() as u64);
        shutdown.cancel();
        collector.await.unwrap();
        journal.close().await;
        outcome
    })
}

/// Starts the machines, lets them go when all are connected, and waits for their end.
fn drive(pki: &Path, case: Case, address: SocketAddr) -> Outcome {
    let mut outcome = Outcome::default();
    let cpu_before = cpu_seconds();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("machines")
        .arg(pki)
        .arg(address.to_string())
        .args(case.words())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "ready");
    outcome.connected_kib = memory_kib("VmRSS:");
    let begun = Instant::now();
    drop(child.stdin.take());
    outcome.refused = said.next().unwrap().unwrap().parse().unwrap();
    outcome.seconds = begun.elapsed().as_secs_f64();
    assert!(child.wait().unwrap().success());
    outcome.cpu_seconds = cpu_seconds() - cpu_before;
    outcome.peak_kib = memory_kib("VmHWM:");
    outcome
}

/// What the kernel says of this process's memory.
fn memory_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    let value = value.and_then(|value| value.trim().strip_suffix(" kB"));
    value.map_or(0, |value| value.parse().unwrap())
}

fn options(pki: &Path, way: Way, address: SocketAddr) -> WefOptions {
    let authentication = match way {
        Way::Certificates => {
            let files = ["localhost.pem", "localhost.key", "ca.pem"].map(|name| pki.join(name));
            let revocation = tls::Revocation::default();
            let server = tls::server_config(&files[0], &files[1], &files[2], revocation);
            Authentication::Certificate(server.unwrap())
        }
        Way::Tickets => {
            let server = Server::new(&pki.join("keytab"), Vec::new(), Accounts::Machines);
            Authentication::Kerberos(server.unwrap())
        }
    };
    WefOptions {
        authority: format!("localhost:{}", address.port()),
        enumerate_path: ENUMERATE_PATH.to_owned(),
        authentication,
        subscriptions: vec![Subscription::new(
            "base",
            QueryList::new("<QueryList/>").unwrap(),
        )],
        limits: WefLimits::default(),
        listeners: Listeners::default(),
    }
}
