//! A syslog receiver that remembers the record id of each whole message, and can be killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// How it reads.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Most bytes taken at a time.
    pub bytes: usize,
    /// Pause after each read.
    pub pause: Duration,
    /// What it does at the end of the stream.
    pub end: End,
    /// After so many bytes, of all its connections together, it goes on accepting and reads no
    /// more. Its system holds less than a mebibyte for it then.
    pub hangs_after: usize,
    /// When nothing was read for so long, it ends its side without being asked: TCP, or TLS alone
    /// where that is spoken. What comes then it never reads. See `end` for the rest.
    pub quits_after: Duration,
}

/// What a receiver does when the sender has closed its side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Closes.
    Close,
    /// Nothing: keeps the connection open.
    Stay,
    /// Closes with a reset although it has read everything.
    Reset,
    /// Closes TCP and says nothing before, also under TLS.
    Cut,
}

impl Manner {
    pub const PLAIN: Manner = Manner {
        bytes: 64 * 1024,
        pause: Duration::ZERO,
        end: End::Close,
        hangs_after: usize::MAX,
        quits_after: Duration::MAX,
    };
}

/// What has been received, over all connections and lives.
#[derive(Clone, Default)]
pub struct Received {
    ids: Arc<Mutex<Vec<u64>>>,
    lines: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Received {
    pub fn ids(&self) -> Vec<u64> {
        self.ids.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.ids.lock().unwrap().len()
    }

    /// The first messages as they came.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    fn take(&self, line: &[u8]) {
        let line = std::str::from_utf8(line).unwrap();
        let id = record_id(line).unwrap_or_else(|| panic!("no whole message: {line:?}"));
        self.ids.lock().unwrap().push(id);
        let mut lines = self.lines.lock().unwrap();
        if lines.len() < 10 {
            lines.push(line.to_owned());
        }
    }
}

/// Takes a stream apart into its lines.
#[derive(Default)]
pub struct Lines {
    waiting: Vec<u8>,
}

impl Lines {
    /// Adds what was read, and remembers the messages that have become whole.
    pub fn take(&mut self, bytes: &[u8], received: &Received) {
        self.waiting.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(len) = self.waiting[start..].iter().position(|byte| *byte == b'\n') {
            received.take(&self.waiting[start..start + len]);
            start += len + 1;
        }
        self.waiting.drain(..start);
    }
}

/// The record id of a message, if it is whole.
pub fn record_id(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(" MasEventRecordID=")?;
    let (id, rest) = rest.split_once(' ')?;
    rest.contains(" MasVersion=").then_some(())?;
    id.parse().ok()
}

/// A receiver that is listening.
pub struct Receiver {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Listens on `port`, or on a free one if 0.
    pub async fn start(
        port: u16,
        tls: Option<Arc<ServerConfig>>,
        manner: Manner,
        received: Received,
    ) -> Receiver {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        if manner.hangs_after < usize::MAX {
            // Connections inherit it, and it no longer grows by itself.
            let socket = socket2::SockRef::from(&listener);
            socket.set_recv_buffer_size(128 * 1024).unwrap();
        }
        let read = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            // Dropped with the task: connections die with their receiver.
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                *received.connections.lock().unwrap() += 1;
                connections.spawn(serve(
                    tcp,
                    tls.clone(),
                    manner,
                    received.clone(),
                    Arc::clone(&read),
                ));
            }
        });
        Receiver { address, task }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Dies at once, as by SIGKILL: the system closes its sockets, with a reset where bytes
    /// were unread.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn serve(
    tcp: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    manner: Manner,
    received: Received,
    read: Arc<AtomicUsize>,
) {
    match tls {
        None => {
            let mut tcp = tcp;
            if read_lines(&mut tcp, manner, &received, &read).await == Heard::Nothing {
                let _ = tcp.shutdown().await;
            }
            end(tcp, manner.end).await;
        }
        Some(config) => {
            let Ok(mut stream) = TlsAcceptor::from(config).accept(tcp).await else {
                return;
            };
            if read_lines(&mut stream, manner, &received, &read).await == Heard::Nothing {
                stream.get_mut().1.send_close_notify();
                let _ = stream.flush().await;
            } else if manner.end == End::Close {
                // Its close_notify.
                let _ = stream.shutdown().await;
            }
            end(stream.into_inner().0, manner.end).await;
        }
    }
}

async fn end(tcp: TcpStream, end: End) {
    match end {
        End::Close | End::Cut => {}
        End::Stay => std::future::pending().await,
        End::Reset => {
            let socket = socket2::SockRef::from(&tcp);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

/// Why a receiver reads no more.
#[derive(PartialEq, Eq)]
enum Heard {
    End,
    Nothing,
}

async fn read_lines(
    stream: &mut (impl AsyncRead + Unpin),
    manner: Manner,
    received: &Received,
    read: &AtomicUsize,
) -> Heard {
    let mut buffer = vec![0; manner.bytes];
    let mut lines = Lines::default();
    loop {
        let is_deaf = read.load(Ordering::Relaxed) >= manner.hangs_after;
        let next = async {
            if is_deaf {
                std::future::pending::<()>().await;
            }
            stream.read(&mut buffer).await
        };
        let Ok(outcome) = tokio::time::timeout(manner.quits_after, next).await else {
            return Heard::Nothing;
        };
        let Ok(some @ 1..) = outcome else {
            return Heard::End;
        };
        read.fetch_add(some, Ordering::Relaxed);
        lines.take(&buffer[..some], received);
        if !manner.pause.is_zero() {
            tokio::time::sleep(manner.pause).await;
        }
    }
}

/// A receiver of datagrams.
pub struct UdpReceiver {
    pub port: u16,
    task: JoinHandle<()>,
}

impl UdpReceiver {
    pub async fn start(port: u16, received: Received) -> UdpReceiver {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(len) = socket.recv(&mut buffer).await {
                received.take(&buffer[..len]);
            }
        });
        UdpReceiver { port, task }
    }

    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
