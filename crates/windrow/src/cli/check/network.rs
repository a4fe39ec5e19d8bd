//! Ports to listen at, and destinations to reach.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::finding::{Finding, Outcome};
use crate::config::checked::{Config, SyslogSink, Transport};

/// How long one destination may take to answer, a step.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether every address to listen at is free.
pub(super) fn ports(config: &Config, service_runs: bool) -> Vec<Finding> {
    let mut addresses = BTreeMap::new();
    for (name, source) in &config.source.wef {
        addresses.insert(format!("source wef.{name} port"), source.listen);
    }
    addresses.insert("web port".to_owned(), config.web.listen);
    addresses
        .into_iter()
        .map(|(what, address)| port(&what, address, service_runs))
        .collect()
}

pub(super) fn port(what: &str, address: SocketAddr, service_runs: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::new(what, Outcome::Ok, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && service_runs => Finding::new(
            what,
            Outcome::Ok,
            format!("{address} is in use, and the service runs"),
        ),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let cure = format!(
                "`ss -ltnp sport = :{}` names the program that has it; stop it or choose another port",
                address.port()
            );
            Finding::new(what, Outcome::Failed, format!("{address} is in use")).cure(cure)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Finding::new(
            what,
            Outcome::Failed,
            format!("{address} is not an address of this machine"),
        )
        .cure("choose one of `ip address`, or 0.0.0.0 for all"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::new(
            what,
            Outcome::Failed,
            format!("{address} is not allowed to this user"),
        )
        .cure("choose a port of 1024 or above, or give the service CAP_NET_BIND_SERVICE"),
        Err(error) => Finding::new(what, Outcome::Failed, format!("{address}: {error}")),
    }
}

/// Whether every destination can be reached.
pub(super) async fn destinations(config: &Config) -> Vec<Finding> {
    let checks = config.sink.syslog.iter().map(|(name, sink)| async move {
        let what = format!("sink syslog.{name}");
        destination(&what, sink).await
    });
    futures::future::join_all(checks).await
}

async fn destination(what: &str, sink: &SyslogSink) -> Finding {
    let place = format!("{}:{}", sink.server_name, sink.port);
    let addresses = match resolve(&sink.server_name, sink.port).await {
        Ok(addresses) => addresses,
        Err(why) => {
            return Finding::new(what, Outcome::Failed, format!("{}: {why}", sink.server_name))
                .cure("correct `server_name`, or the resolver of this machine (`getent hosts NAME` asks it)");
        }
    };
    if sink.transport == Transport::Udp {
        let address = addresses[0];
        return Finding::new(
            what,
            Outcome::Warning,
            format!("{place} is {address}; whether anybody listens cannot be known over udp"),
        )
        .cure("use tcp or tls where the receiver can: over udp messages are lost without a word");
    }
    match connect(&addresses).await {
        Ok((_, address)) if sink.transport == Transport::Tcp => {
            Finding::new(what, Outcome::Warning, format!("{place} answers ({address}); anybody on the way can read and change the events"))
                .cure("use transport = \"tls\" where the receiver can")
        }
        Ok((_stream, address)) => Finding::new(what, Outcome::Ok, format!("{place} answers ({address})")),
        Err(why) => Finding::new(what, Outcome::Failed, format!("{place}: {why}"))
            .cure("see that the receiver runs and that no firewall is between; events wait in the journal meanwhile"),
    }
}

async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = name.trim_matches(['[', ']']);
    match timeout(STEP_TIMEOUT, lookup_host((name, port))).await {
        Err(_) => Err("no answer to the question for its address".to_owned()),
        Ok(Err(error)) => Err(format!("has no address: {error}")),
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.take(8).collect();
            if found.is_empty() {
                Err("has no address".to_owned())
            } else {
                Ok(found)
            }
        }
    }
}

/// Connects to the first address that answers; the last one's fault when none does.
async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let mut fault = "has no address".to_owned();
    for address in addresses {
        match timeout(STEP_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => fault = format!("{address}: {error}"),
            Err(_) => {
                fault = format!(
                    "{address} does not answer within {} s",
                    STEP_TIMEOUT.as_secs()
                )
            }
        }
    }
    Err(fault)
}
