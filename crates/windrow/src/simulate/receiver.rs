//! A syslog receiver that counts: the SIEM of the demo, and of tests that need one to be slow,
//! or not there.
//!
//! Invariant: its memory does not grow with what it receives, only with the number of machines
//! and of gaps, and those have limits. What it counts, it counts when the whole message is there.

mod cef;
mod framing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::framing::{Cut, Framing};
use super::ledger::LogName;
use super::ranges::{Inserted, RangeSet};

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 64;

/// Most logs whose record ids are kept; events of others are only counted.
const LOGS_MAX: usize = 16_384;

/// Longest part of a message that is kept for showing, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;

/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long to wait before listening again when the system refuses.
const LISTEN_AGAIN: Duration = Duration::from_millis(100);

/// How messages come.
#[derive(Clone)]
pub enum Transport {
    /// A datagram a message (RFC 5426).
    Udp,
    /// A stream (RFC 6587).
    Tcp,
    /// A stream over TLS (RFC 5425).
    Tls(Arc<rustls::ServerConfig>),
}

/// How the receiver behaves. It can change while the receiver runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Reads what comes.
    #[default]
    Read,
    /// Reads no more than so many bytes a second on a connection.
    ReadSlowly {
        /// The bytes a second, at least 1.
        bytes_per_second: u32,
    },
    /// Accepts connections and reads nothing.
    Stall,
    /// Closes what is open and does not listen: connections are refused.
    Refuse,
}

/// What has come.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Whole messages.
    pub messages: u64,
    /// Bytes read, before framing is taken away.
    pub bytes: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Messages longer than the receiver looks at, streams that were not syslog, and streams that
    /// ended inside a message.
    pub broken: u64,
    /// Messages that name no event.
    pub unnamed: u64,
    /// Events that came before, too.
    pub again: u64,
    /// Events whose record id had no room any more.
    pub uncounted: u64,
    /// The record ids of every log.
    pub records: BTreeMap<LogName, RangeSet>,
    /// The last messages, oldest first.
    pub last: VecDeque<String>,
}

/// Looks at what a receiver has got, and tells it how to behave.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    behaviour: watch::Sender<Behaviour>,
    address: SocketAddr,
}

struct Shared {
    received: Mutex<Received>,
    lines_kept: usize,
}

/// A receiver that has its address and waits to be run.
pub struct Receiver {
    socket: Socket,
    handle: Handle,
}

enum Socket {
    Udp(UdpSocket),
    Stream(TcpListener, Option<TlsAcceptor>),
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the behaviour.
    pub fn behave(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// A copy of all that has come.
    pub fn received(&self) -> Received {
        self.shared.lock().clone()
    }

    /// How many messages have come.
    pub fn messages(&self) -> u64 {
        self.shared.lock().messages
    }

    /// The last messages, oldest first.
    pub fn last(&self) -> Vec<String> {
        self.shared.lock().last.iter().cloned().collect()
    }
}

impl Receiver {
    /// Listens on `address`, whose port may be 0, and keeps the last `lines_kept` messages.
    pub async fn bind(
        transport: Transport,
        address: SocketAddr,
        lines_kept: usize,
    ) -> io::Result<Receiver> {
        let (socket, address) = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(address).await?;
                let address = socket.local_addr()?;
                (Socket::Udp(socket), address)
            }
            Transport::Tcp | Transport::Tls(_) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                let tls = match transport {
                    Transport::Tls(config) => Some(TlsAcceptor::from(config)),
                    _ => None,
                };
                (Socket::Stream(listener, tls), address)
            }
        };
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            lines_kept,
        });
        let (behaviour, _) = watch::channel(Behaviour::Read);
        Ok(Receiver {
            socket,
            handle: Handle {
                shared,
                behaviour,
                address,
            },
        })
    }

    /// The handle by which others follow it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Receives until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        match self.socket {
            Socket::Udp(socket) => run_udp(&socket, &self.handle, &shutdown).await,
            Socket::Stream(listener, tls) => {
                run_stream(listener, tls, &self.handle, &shutdown).await;
            }
        }
    }
}

async fn run_udp(socket: &UdpSocket, handle: &Handle, shutdown: &CancellationToken) {
    let mut buffer = vec![0; READ_BYTES];
    let mut behaviour = handle.behaviour.subscribe();
    loop {
        let read = async {
            while matches!(
                *behaviour.borrow_and_update(),
                Behaviour::Stall | Behaviour::Refuse
            ) {
                if behaviour.changed().await.is_err() {
                    break;
                }
            }
            socket.recv(&mut buffer).await
        };
        let Some(read) = shutdown.run_until_cancelled(read).await else {
            return;
        };
        // An error here is a datagram of ours that bounced; there is nothing to count.
        if let Ok(length) = read {
            let mut received = handle.shared.lock();
            received.bytes += length as u64;
            received.take(Cut::Message(&buffer[..length]), handle.shared.lines_kept);
        }
    }
}

async fn run_stream(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handle: &Handle,
    shutdown: &CancellationToken,
) {
    let mut behaviour = handle.behaviour.subscribe();
    let mut listener = Some(listener);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    // Ends the connections; replaced when the receiver takes new ones after refusing.
    let mut open = shutdown.child_token();
    while !shutdown.is_cancelled() {
        if *behaviour.borrow_and_update() == Behaviour::Refuse {
            listener = None;
            open.cancel();
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = behaviour.changed() => {}
            }
            continue;
        }
        let Some(accepting) = &listener else {
            open = shutdown.child_token();
            listener = TcpListener::bind(handle.address).await.ok();
            if listener.is_none() {
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
            continue;
        };
        let accept = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            let (stream, _) = accepting.accept().await.ok()?;
            Some((place, stream))
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = behaviour.changed() => {}
            accepted = accept => if let Some((place, stream)) = accepted {
                let connection = Connection { handle: handle.clone(), behaviour: behaviour.clone() };
                let (tls, open) = (tls.clone(), open.clone());
                tasks.spawn(async move {
                    let _place = place;
                    open.run_until_cancelled(connection.run(stream, tls)).await;
                });
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

struct Connection {
    handle: Handle,
    behaviour: watch::Receiver<Behaviour>,
}

impl Connection {
    async fn run(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        self.handle.shared.lock().connections += 1;
        match tls {
            None => self.read(stream).await,
            Some(acceptor) => {
                let handshake = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream));
                match handshake.await {
                    Ok(Ok(stream)) => self.read(stream).await,
                    _ => self.handle.shared.lock().broken += 1,
                }
            }
        }
    }

    async fn read(&mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut buffer = vec![0; READ_BYTES];
        let mut framing = Framing::default();
        let shared = Arc::clone(&self.handle.shared);
        loop {
            let room = self.wait_for_turn().await.min(buffer.len());
            let length = match stream.read(&mut buffer[..room]).await {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            let mut received = shared.lock();
            received.bytes += length as u64;
            framing.read(&buffer[..length], &mut |cut| {
                received.take(cut, shared.lines_kept)
            });
        }
        if !framing.is_between_messages() {
            shared.lock().broken += 1;
        }
        // Under TLS its close_notify: the sender asks for it.
        let _ = stream.shutdown().await;
    }

    /// Waits until the behaviour lets it read, and says how many bytes.
    async fn wait_for_turn(&mut self) -> usize {
        /// A slow reader reads so often a second.
        const TURNS: u32 = 10;
        loop {
            let behaviour = *self.behaviour.borrow_and_update();
            match behaviour {
                Behaviour::Read => return READ_BYTES,
                Behaviour::ReadSlowly { bytes_per_second } => {
                    tokio::time::sleep(Duration::from_secs(1) / TURNS).await;
                    return usize::try_from(bytes_per_second / TURNS)
                        .unwrap_or(READ_BYTES)
                        .max(1);
                }
                Behaviour::Stall | Behaviour::Refuse => {
                    if self.behaviour.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }
}

impl Shared {
    /// A thread that panicked with the lock held left counts that are still right.
    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Received {
    fn take(&mut self, cut: Cut<'_>, lines_kept: usize) {
        let Cut::Message(message) = cut else {
            self.broken += 1;
            return;
        };
        self.messages += 1;
        let message = String::from_utf8_lossy(message);
        match cef::event_name(&message) {
            None => self.unnamed += 1,
            Some(name) => self.count(&name),
        }
        if lines_kept > 0 {
            if self.last.len() >= lines_kept {
                self.last.pop_front();
            }
            self.last
                .push_back(message[..message.floor_char_boundary(LINE_BYTES_MAX)].to_owned());
        }
    }

    fn count(&mut self, name: &cef::EventName<'_>) {
        let log = LogName::new(&name.computer, &name.channel);
        if !self.records.contains_key(&log) && self.records.len() >= LOGS_MAX {
            self.uncounted += 1;
            return;
        }
        match self.records.entry(log).or_default().insert(name.record) {
            Inserted::New => {}
            Inserted::Again => self.again += 1,
            Inserted::Full => self.uncounted += 1,
        }
    }
}
