//! A test of one destination, a step at a time: resolve, connect, handshake, one marked message,
//! a late refusal, the orderly end. The handshake and the checks are those of the sink.
//!
//! Nothing of it touches the journal or a cursor. It takes at most the destination's limits added
//! up, its connect timeout once an address.

mod cause;
mod message;
mod report;

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connection::{Connection, Finish, dial, resolve, server_name};
use super::datagram;
use super::destination::{Destination, Tls, Transport};
use super::error::LinkError;
use super::limits::{DATAGRAM_SETTLE, PROBE_ADDRESSES_MAX};
use crate::tls::{Inspection, Seen, ServerCheck};

pub use cause::Cause;
pub use report::{Attempt, ClientCertificate, Ending, Failure, Marked, Report, Step, TlsReport};

/// Tests `destination`. `computer` stands as the sender in the marked message.
pub async fn probe(destination: &Destination, computer: &str) -> Report {
    let mut report = Report::new(destination);
    let outcome = match destination.transport {
        Transport::Udp => datagram(destination, computer, &mut report).await,
        Transport::Tcp | Transport::Tls(_) => stream(destination, computer, &mut report).await,
    };
    if let Err((step, error)) = outcome {
        report.failure = Some(Failure::new(step, &error, &report));
    }
    report
}

type Outcome<T> = Result<T, (Step, LinkError)>;

async fn datagram(destination: &Destination, computer: &str, report: &mut Report) -> Outcome<()> {
    let peer = *find(destination, report).await?.first().ok_or_else(|| {
        let host = destination.host.clone();
        (Step::Resolve, LinkError::NoAddress { host })
    })?;
    let socket = datagram::connect(peer)
        .await
        .map_err(|source| (Step::Connect, LinkError::Connect { peer, source }))?;
    report.peer = Some(peer);
    let message = message::marked(destination, computer);
    let broken = |source| (Step::Send, LinkError::Broken(source));
    socket.send(&message.frame).await.map_err(broken)?;
    report.message = Some(message.into());
    let mut scrap = [0; 64];
    let refused = async {
        loop {
            if let Err(error) = socket.recv(&mut scrap).await {
                return error;
            }
        }
    };
    match timeout(DATAGRAM_SETTLE, refused).await {
        Ok(error) => Err(broken(error)),
        Err(_) => {
            report.ending = Some(Ending::Unknown);
            Ok(())
        }
    }
}

async fn stream(destination: &Destination, computer: &str, report: &mut Report) -> Outcome<()> {
    let (watched, inspection) = watched(destination);
    let addresses = find(destination, report).await?;
    let (tcp, peer) = connect(destination, &addresses, report).await?;
    report.peer = Some(peer);
    let opened = Connection::over(tcp, peer, &watched).await;
    let session = opened.as_ref().ok().and_then(Connection::session);
    if let (Transport::Tls(tls), Some(inspection)) = (&destination.transport, &inspection) {
        report.tls = Some(describe(tls, destination, session, inspection.seen()));
    }
    let mut connection = opened.map_err(|error| (Step::Handshake, error))?;
    let message = message::marked(destination, computer);
    let limits = &destination.limits;
    let sent = timeout(limits.handshake_timeout, connection.send(&message.frame)).await;
    let stalled = LinkError::Stalled {
        timeout: limits.handshake_timeout,
    };
    sent.unwrap_or(Err(stalled))
        .map_err(|error| (Step::Send, error))?;
    report.message = Some(message.into());
    // TLS 1.3 refuses a client's certificate when the client's handshake is long done, and a
    // receiver that does not like what it has read closes.
    if let Ok(error) = timeout(limits.acceptance_timeout, connection.closed()).await {
        return Err((Step::Accept, error));
    }
    report.ending = Some(
        match connection
            .finish(Instant::now() + limits.close_timeout)
            .await
        {
            Finish::Read => Ending::Read,
            Finish::ReadUnsigned => Ending::ReadUnsigned,
            Finish::Unproven {
                error: LinkError::Unproven,
                acknowledged,
            } => Ending::Unproven { acknowledged },
            Finish::Unproven { error, .. } => return Err((Step::Close, error)),
        },
    );
    Ok(())
}

/// The destination with its handshakes watched, if it has any.
fn watched(destination: &Destination) -> (Destination, Option<Inspection>) {
    let mut watched = destination.clone();
    let mut inspection = None;
    if let Transport::Tls(tls) = &mut watched.transport {
        let (client, seen) = tls.client.inspected();
        tls.client = client;
        inspection = Some(seen);
    }
    (watched, inspection)
}

async fn find(destination: &Destination, report: &mut Report) -> Outcome<Vec<SocketAddr>> {
    let found = resolve(destination).await;
    let mut addresses = found.map_err(|error| (Step::Resolve, error))?;
    addresses.truncate(PROBE_ADDRESSES_MAX);
    report.addresses = addresses.clone();
    Ok(addresses)
}

/// The first address that accepts, as the sink does.
async fn connect(
    destination: &Destination,
    addresses: &[SocketAddr],
    report: &mut Report,
) -> Outcome<(TcpStream, SocketAddr)> {
    let mut last = LinkError::NoAddress {
        host: destination.host.clone(),
    };
    for peer in addresses {
        match dial(*peer, destination.limits.connect_timeout).await {
            Ok(tcp) => return Ok((tcp, *peer)),
            Err(error) => {
                report.attempts.push(Attempt::new(*peer, &error));
                last = error;
            }
        }
    }
    Err((Step::Connect, last))
}

fn describe(
    tls: &Tls,
    destination: &Destination,
    session: Option<(&'static str, Option<&'static str>)>,
    seen: Seen,
) -> TlsReport {
    let name = server_name(tls, &destination.host);
    TlsReport {
        version: session.map(|(version, _)| version),
        cipher_suite: session.and_then(|(_, suite)| suite),
        server_name: name
            .map(|name| name.to_str().into_owned())
            .unwrap_or_default(),
        check: match tls.client.check() {
            ServerCheck::Full => "full",
            ServerCheck::SkipName => "skip-name",
            ServerCheck::Pinned(_) => "pinned",
            ServerCheck::None => "none",
        },
        chain: seen.chain,
        verdicts: seen.verdicts,
        client_certificate: ClientCertificate {
            requested: seen.asked.is_some(),
            authorities: seen.asked.unwrap_or_default(),
            ours: tls.client.certificate().cloned(),
        },
    }
}
