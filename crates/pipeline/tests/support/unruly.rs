//! A receiver whose conduct can be changed while connections are open.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::Socket;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::receiver::{Lines, Received};

/// Most bytes that a proxy holds of a connection.
const AHEAD_BYTES: usize = 256 * 1024;

/// What it does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Reads as fast as it can, and answers the sender's end with its own.
    Read,
    /// The same, with a pause after each read of at most so many bytes.
    Slow { bytes: usize, pause: Duration },
    /// Accepts and reads nothing.
    Hang,
    /// Accepts and says nothing, not even in the TLS handshake.
    Mute,
    /// Breaks the connection off with a reset, in the middle of whatever is coming.
    Reset,
    /// Ends its side in order without being asked, and then reads to the sender's end.
    EndFirst,
    /// Reads like a proxy: takes up to [`AHEAD_BYTES`] of each connection, answers the sender's end at once, and hands what it took on
    /// at its leisure.
    Ahead,
}

/// What open connections are to do: all of them, or those up to a number.
#[derive(Clone, Copy)]
struct Order {
    conduct: Conduct,
    up_to: usize,
}

impl Order {
    fn of(self, connection: usize) -> Conduct {
        if connection <= self.up_to {
            self.conduct
        } else {
            Conduct::Read
        }
    }
}

pub struct Unruly {
    address: SocketAddr,
    order: watch::Sender<Order>,
    opened: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Unruly {
    /// Listens on `port`, or on a free one if 0. With `buffer` its system holds no more than that, doubled, of what
    /// it has not read.
    pub async fn start(
        port: u16,
        tls: Option<Arc<ServerConfig>>,
        conduct: Conduct,
        buffer: Option<usize>,
        received: Received,
    ) -> Unruly {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        if let Some(bytes) = buffer {
            // Connections inherit it, and it no longer grows by itself.
            let socket = socket2::SockRef::from(&listener);
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let (order, orders) = watch::channel(Order {
            conduct,
            up_to: usize::MAX,
        });
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let task = tokio::spawn(async move {
            // Dropped with the task: connections die with their receiver.
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let connection = Connection {
                    number,
                    orders: orders.clone(),
                    received: received.clone(),
                };
                connections.spawn(connection.serve(tcp, tls.clone()));
            }
        });
        Unruly {
            address,
            order,
            opened,
            task,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what it does with every connection.
    pub fn set(&self, conduct: Conduct) {
        let up_to = usize::MAX;
        self.order.send_replace(Order { conduct, up_to });
    }

    /// Changes what it does with the connections that are open; later ones are read.
    pub fn set_open(&self, conduct: Conduct) {
        let up_to = self.opened.load(Ordering::SeqCst);
        self.order.send_replace(Order { conduct, up_to });
    }

    /// Dies at once, as by SIGKILL: the system closes its sockets, with a reset where bytes
    /// were unread.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

struct Connection {
    number: usize,
    orders: watch::Receiver<Order>,
    received: Received,
}

impl Connection {
    fn conduct(&mut self) -> Conduct {
        self.orders.borrow_and_update().of(self.number)
    }

    async fn serve(mut self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>) {
        while self.conduct() == Conduct::Mute {
            self.changed().await;
        }
        let socket = socket2::SockRef::from(&tcp).try_clone().unwrap();
        match tls {
            None => self.read(tcp, &socket).await,
            Some(config) => {
                if let Ok(stream) = TlsAcceptor::from(config).accept(tcp).await {
                    self.read(stream, &socket).await;
                }
            }
        }
    }

    async fn changed(&mut self) {
        if self.orders.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads to the sender's end and answers it. `socket` is the one below `stream`.
    async fn read(&mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin, socket: &Socket) {
        let mut buffer = vec![0; 64 * 1024];
        let mut lines = Lines::default();
        let mut has_ended = false;
        loop {
            let conduct = self.conduct();
            let most = match conduct {
                Conduct::Reset => return socket.set_linger(Some(Duration::ZERO)).unwrap(),
                Conduct::Ahead => return pass_on(stream, &self.received).await,
                Conduct::Hang | Conduct::Mute => {
                    self.changed().await;
                    continue;
                }
                Conduct::EndFirst if !has_ended => {
                    let _ = stream.shutdown().await;
                    has_ended = true;
                    continue;
                }
                Conduct::Slow { bytes, .. } => bytes,
                Conduct::Read | Conduct::EndFirst => buffer.len(),
            };
            let some = tokio::select! {
                biased;
                () = self.changed() => continue,
                read = stream.read(&mut buffer[..most]) => read,
            };
            let Ok(some @ 1..) = some else { break };
            lines.take(&buffer[..some], &self.received);
            if let Conduct::Slow { pause, .. } = conduct {
                tokio::time::sleep(pause).await;
            }
        }
        let _ = stream.shutdown().await;
    }
}

/// A proxy and what is behind it: what has been read and not passed on dies with it.
async fn pass_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, received: &Received) {
    let (mut ahead, behind) = tokio::io::duplex(AHEAD_BYTES);
    let read = async move {
        let _ = tokio::io::copy(&mut stream, &mut ahead).await;
        let _ = stream.shutdown().await;
        drop(stream);
        let _ = ahead.shutdown().await;
    };
    let hand_on = async {
        let mut behind = behind;
        let mut buffer = vec![0; 16 * 1024];
        let mut lines = Lines::default();
        while let Ok(some @ 1..) = behind.read(&mut buffer).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
            lines.take(&buffer[..some], received);
        }
    };
    tokio::join!(read, hand_on);
}
