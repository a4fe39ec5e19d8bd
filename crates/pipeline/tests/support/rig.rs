//! What a delivery level loses and doubles in a failure, counted.
//!
//! A round starts the real sink, lets it run to a moment of chance, makes the failure happen, puts everything in
//! order again and counts: events that the cursor has passed and the receiver's program never had are lost, and what
//! the receiver's program had more than once is doubled.

use std::collections::HashSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustls::version::TLS13;
use windrow_pipeline::sinks::syslog::{Confirmation, Destination, Limits, Status, Transport};

use super::pki::Pki;
use super::receiver::{Received, UdpReceiver};
use super::rsyslog::{Driver, Queue, Rsyslog};
use super::unruly::{Conduct, Unruly};
use super::{PATIENCE, Sink, Store};

/// Bytes of a message as the events of [`super::event`] give it, at least.
pub const MESSAGE_BYTES_MIN: u64 = 800;

/// How bytes get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Tcp,
    Tls13,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The receiver becomes slow, and is killed.
    KilledSlow,
    /// The receiver is killed while it keeps up.
    KilledFast,
    /// The receiver stops reading in the middle, and is killed when nothing moves any more.
    Hangs,
    /// The receiver accepts, never reads, and is killed when nothing moves any more.
    NeverReads,
    /// The receiver resets the connection in the middle of a batch.
    Reset,
    /// The receiver ends its side in order, reads what is still coming, and takes the next connection.
    EndsFirst,
    /// The receiver accepts and never answers the TLS handshake.
    HandshakeSilent,
    /// The receiver refuses our certificate after our handshake is done.
    RefusedLate,
    /// A proxy between us and the receiver dies with what it has taken.
    ProxyDies,
    /// We stop in order and start again.
    WeStop,
    /// Our sink dies, and starts again.
    WeDie,
}

impl Failure {
    pub const ALL: [Failure; 11] = [
        Failure::KilledSlow,
        Failure::KilledFast,
        Failure::Hangs,
        Failure::NeverReads,
        Failure::Reset,
        Failure::EndsFirst,
        Failure::HandshakeSilent,
        Failure::RefusedLate,
        Failure::ProxyDies,
        Failure::WeStop,
        Failure::WeDie,
    ];

    /// Whether it can happen on this way.
    pub fn is_of(self, way: Way) -> bool {
        match self {
            Failure::HandshakeSilent | Failure::RefusedLate => way == Way::Tls13,
            _ => true,
        }
    }

    pub fn what(self) -> &'static str {
        match self {
            Failure::KilledSlow => "receiver killed while it is slow",
            Failure::KilledFast => "receiver killed while it keeps up",
            Failure::Hangs => "receiver stops reading, then dies",
            Failure::NeverReads => "receiver accepts, never reads, then dies",
            Failure::Reset => "receiver resets in mid-batch",
            Failure::EndsFirst => "receiver closes in order by itself",
            Failure::HandshakeSilent => "handshake is never answered",
            Failure::RefusedLate => "client certificate refused late",
            Failure::ProxyDies => "proxy in between dies",
            Failure::WeStop => "windrow stops and starts",
            Failure::WeDie => "windrow's sink dies",
        }
    }

    /// What the receiver does from the start.
    fn first(self) -> Conduct {
        match self {
            Failure::NeverReads => Conduct::Hang,
            Failure::HandshakeSilent => Conduct::Mute,
            Failure::ProxyDies => Conduct::Ahead,
            _ => Conduct::Read,
        }
    }
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Events that the cursor has passed and nobody has received.
    pub lost: u64,
    /// Events that came more often than once, each time counted.
    pub doubled: u64,
}

impl Outcome {
    /// Of what the receiver had, when the cursor had passed everything up to `passed`.
    pub fn of(ids: &[u64], passed: u64) -> Outcome {
        let distinct: HashSet<u64> = ids.iter().copied().collect();
        Outcome {
            lost: (1..=passed).filter(|id| !distinct.contains(id)).count() as u64,
            doubled: (ids.len() - distinct.len()) as u64,
        }
    }

    /// The worse of both, each by itself.
    pub fn worst(self, other: Outcome) -> Outcome {
        Outcome {
            lost: self.lost.max(other.lost),
            doubled: self.doubled.max(other.doubled),
        }
    }
}

/// A journal with events, and what every round starts from.
pub struct Rig {
    pub store: Store,
    pub pki: Pki,
    other: Pki,
    /// Events in the journal.
    pub events: u64,
    /// The destination's.
    pub limits: Limits,
    /// The receiver's buffer, as it sets it; grown by its system where `None`.
    pub buffer: Option<usize>,
}

impl Rig {
    pub async fn new(events: u64, limits: Limits, buffer: Option<usize>) -> Rig {
        let store = Store::new();
        store.append(1..=events).await;
        Rig {
            store,
            pki: Pki::new(),
            other: Pki::new(),
            events,
            limits,
            buffer,
        }
    }

    /// A destination on loopback.
    pub fn destination(
        &self,
        port: u16,
        way: Way,
        level: Confirmation,
        failure: Failure,
    ) -> Destination {
        let transport = match (way, failure) {
            (Way::Tcp, _) => Transport::Tcp,
            (Way::Tls13, Failure::RefusedLate) => self.pki.transport(Some(&self.other.client)),
            (Way::Tls13, _) => self.pki.transport(None),
        };
        Destination {
            confirmation: level,
            limits: self.limits.clone(),
            ..super::destination(port, transport)
        }
    }

    /// One failure at a moment that `seed` chooses.
    pub async fn round(
        &self,
        level: Confirmation,
        way: Way,
        failure: Failure,
        seed: u64,
    ) -> Outcome {
        let mut random = StdRng::seed_from_u64(seed);
        let received = Received::default();
        let start = |port, conduct| {
            let tls = match (way, failure, port) {
                (Way::Tcp, ..) => None,
                (Way::Tls13, Failure::RefusedLate, 0) => Some(self.pki.mutual_server(&TLS13)),
                (Way::Tls13, ..) => Some(self.pki.server(&TLS13)),
            };
            Unruly::start(port, tls, conduct, self.buffer, received.clone())
        };
        let mut receiver = start(0, failure.first()).await;
        let port = receiver.port();
        let destination = self.destination(port, way, level, failure);
        let cursor = format!("{level} {way:?} {failure:?} {seed}");
        let mut sink = Sink::start_as(&cursor, &self.store, destination.clone());
        let at = random.random_range(self.events / 20..self.events / 2) as usize;
        provoke(failure, at, &receiver, &received, &mut sink, &mut random).await;
        match failure {
            Failure::Reset | Failure::EndsFirst => {}
            Failure::WeStop | Failure::WeDie => {
                match failure {
                    Failure::WeStop => drop(sink.stop().await),
                    _ => sink.kill().await,
                }
                sink = Sink::start_as(&cursor, &self.store, destination.clone());
            }
            _ => {
                receiver.kill().await;
                receiver = start(port, Conduct::Read).await;
            }
        }
        let passed = finish(sink, &cursor, &self.store, self.events, &destination).await;
        receiver.kill().await;
        Outcome::of(&received.ids(), passed)
    }

    /// A real rsyslog is killed, and started again, when it has written down so much of the events as `seed` says.
    /// Without a queue this is what it has read. `None` where it is not installed.
    pub async fn rsyslog_round(
        &self,
        level: Confirmation,
        way: Way,
        queue: Queue,
        seed: u64,
    ) -> Option<Outcome> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rsyslog =
            Rsyslog::start_with(Driver::Gnutls, &self.pki, "windrow.example.com", queue)?;
        let (input, port) = match way {
            Way::Tcp => ("tcp", rsyslog.tcp),
            Way::Tls13 => ("tls", rsyslog.tls),
        };
        let destination = self.destination(port, way, level, Failure::KilledFast);
        let cursor = format!("{level} {way:?} rsyslog {} {seed}", port);
        let sink = Sink::start_as(&cursor, &self.store, destination.clone());
        let most = self.events * MESSAGE_BYTES_MIN;
        let at = random.random_range(most / 20..most / 2);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while rsyslog.bytes(input) < at {
            assert!(tokio::time::Instant::now() < deadline, "{}", rsyslog.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rsyslog.kill_and_restart();
        let passed = finish(sink, &cursor, &self.store, self.events, &destination).await;
        let mut last = u64::MAX;
        // What it has read by now it still writes down.
        while last != rsyslog.bytes(input) {
            last = rsyslog.bytes(input);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Some(Outcome::of(&rsyslog.ids(input), passed))
    }

    /// A receiver of datagrams is killed, and is back after some moments.
    pub async fn datagram_round(&self, seed: u64) -> Outcome {
        let mut random = StdRng::seed_from_u64(seed);
        let received = Received::default();
        let receiver = UdpReceiver::start(0, received.clone()).await;
        let port = receiver.port;
        let destination = Destination {
            limits: self.limits.clone(),
            ..super::destination(port, Transport::Udp)
        };
        let cursor = format!("udp {seed}");
        let sink = Sink::start_as(&cursor, &self.store, destination.clone());
        received
            .reach(random.random_range(self.events / 20..self.events / 2) as usize)
            .await;
        receiver.kill().await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1_000))).await;
        let receiver = UdpReceiver::start(port, received.clone()).await;
        let passed = finish(sink, &cursor, &self.store, self.events, &destination).await;
        receiver.kill().await;
        Outcome::of(&received.ids(), passed)
    }

    /// The most that a round may lose and double.
    pub fn bounds(&self, level: Confirmation, way: Way, failure: Failure) -> Outcome {
        let events = |bytes: u64| bytes / MESSAGE_BYTES_MIN + 1;
        // What is read of the socket and not yet taken apart, under TLS.
        const UNDER_WAY: u64 = 64 * 1024;
        // A write ends with the message that makes it full.
        let batch = self.limits.batch_bytes_max as u64 + MESSAGE_BYTES_MIN;
        let sending = system_limit("/proc/sys/net/ipv4/tcp_wmem");
        let receiving = match self.buffer {
            Some(bytes) => 2 * bytes as u64,
            None => system_limit("/proc/sys/net/ipv4/tcp_rmem"),
        } + UNDER_WAY;
        let ours = matches!(failure, Failure::WeStop | Failure::WeDie);
        let early = matches!(failure, Failure::HandshakeSilent | Failure::RefusedLate);
        let lost = match (level, failure) {
            _ if early => 0,
            (_, Failure::WeStop) => 0,
            // Whoever ends the connection has read; what is behind it has not, and how much it holds is its own.
            (_, Failure::ProxyDies) => u64::MAX,
            // With the end of the handshake its TLS has read what came right behind. Killed then, it closes TCP as one
            // does that never ends TLS: of its ends none is known yet.
            (Confirmation::PeerRead, Failure::NeverReads) if way == Way::Tls13 => UNDER_WAY,
            (Confirmation::PeerRead, _) => 0,
            (Confirmation::TcpAcked, _) if ours => 0,
            (Confirmation::TcpAcked, _) => receiving,
            (Confirmation::Sent, _) => sending + receiving,
        };
        let doubled = match level {
            _ if early => 0,
            Confirmation::PeerRead => self.limits.window_bytes + batch,
            Confirmation::TcpAcked => sending + batch,
            Confirmation::Sent => batch,
        };
        Outcome {
            lost: if lost == 0 { 0 } else { events(lost) },
            doubled: if doubled == 0 { 0 } else { events(doubled) },
        }
    }
}

/// Brings the failure about when so many events have come.
async fn provoke(
    failure: Failure,
    at: usize,
    receiver: &Unruly,
    received: &Received,
    sink: &mut Sink,
    random: &mut StdRng,
) {
    match failure {
        Failure::KilledSlow => {
            received.reach(at).await;
            let pause = Duration::from_millis(random.random_range(1..10));
            receiver.set(Conduct::Slow {
                bytes: 16 * 1024,
                pause,
            });
            received.reach(at + random.random_range(100..1_000)).await;
        }
        Failure::KilledFast | Failure::ProxyDies | Failure::WeStop | Failure::WeDie => {
            received.reach(at).await;
        }
        Failure::Hangs => {
            received.reach(at).await;
            receiver.set(Conduct::Hang);
            sink.quiet().await;
        }
        Failure::NeverReads => sink.quiet().await,
        Failure::Reset => {
            received.reach(at).await;
            receiver.set_open(Conduct::Reset);
        }
        Failure::EndsFirst => {
            received.reach(at).await;
            receiver.set_open(Conduct::EndFirst);
        }
        Failure::HandshakeSilent => {
            sink.until(|status| fails_as(status, "handshake")).await;
        }
        Failure::RefusedLate => {
            sink.until(|status| fails_as(status, "client_certificate"))
                .await;
        }
    }
}

/// Everything is well again: the rest is sent, and all of it confirmed. Answers with how far the cursor is.
pub async fn finish(
    mut sink: Sink,
    cursor: &str,
    store: &Store,
    events: u64,
    destination: &Destination,
) -> u64 {
    loop {
        sink.until(|status| status.sent_seq >= events).await;
        let status = sink.stop().await;
        if status.confirmed_seq >= events {
            return status.confirmed_seq;
        }
        sink = Sink::start_as(cursor, store, destination.clone());
    }
}

fn fails_as(status: &Status, kind: &str) -> bool {
    let error = status.last_error.as_ref();
    error.is_some_and(|error| error.kind == kind)
}

/// The last of the three numbers that Linux keeps of a buffer: what it lets one grow to.
fn system_limit(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().last().unwrap().parse().unwrap()
}

impl Sink {
    /// Waits until nothing has been sent or confirmed for a while: buffers are full, or nobody answers.
    pub async fn quiet(&mut self) {
        const WHILE: Duration = Duration::from_millis(300);
        let seen = |status: &Status| (status.sent, status.confirmed);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut last = seen(&self.status.borrow_and_update());
        while let Ok(Ok(now)) =
            tokio::time::timeout(WHILE, self.status.wait_for(|status| seen(status) != last)).await
        {
            last = seen(&now);
            drop(now);
            assert!(tokio::time::Instant::now() < deadline, "never quiet");
        }
    }
}

impl Received {
    /// Waits until so many messages are there.
    pub async fn reach(&self, count: usize) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.count() < count {
            assert!(
                tokio::time::Instant::now() < deadline,
                "stands still at {}",
                self.count()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
