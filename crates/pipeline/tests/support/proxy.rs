//! A TCP proxy that passes bytes on until a fault.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to connections; a change takes effect on those that are open, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each piece waits before it is passed on.
    Delay(Duration),
    /// After so many bytes from the sender both sides are reset.
    ResetAfter(usize),
    /// After so many bytes from the sender both sides are closed in order, under TLS in the
    /// middle of a record.
    CloseAfter(usize),
    /// Nothing is read or passed on any more, and nothing closed: the network has vanished.
    Hang,
}

pub struct Proxy {
    pub port: u16,
    fault: watch::Sender<Fault>,
    _task: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Proxy {
    pub async fn start(target: SocketAddr, fault: Fault) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, fault) = watch::channel(fault);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (inner, _) = listener.accept().await.unwrap();
                connections.spawn(pass(inner, target, fault.clone()));
            }
        });
        Proxy {
            port,
            fault: sender,
            _task: AbortOnDrop(task),
        }
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn pass(mut inner: TcpStream, target: SocketAddr, mut fault: watch::Receiver<Fault>) {
    let Ok(mut outer) = TcpStream::connect(target).await else {
        return reset(&inner);
    };
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    let (mut up_open, mut down_open) = (true, true);
    let mut passed = 0;
    while up_open || down_open {
        let now = *fault.borrow_and_update();
        if now == Fault::Hang {
            if fault.changed().await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            _ = fault.changed() => {}
            read = inner.read(&mut up), if up_open => {
                let Ok(mut len) = read else { return reset(&outer) };
                if let Fault::ResetAfter(limit) | Fault::CloseAfter(limit) = now {
                    len = len.min(limit.saturating_sub(passed));
                }
                if let Fault::Delay(pause) = now {
                    tokio::time::sleep(pause).await;
                }
                passed += len;
                up_open = forward(&mut outer, &up[..len]).await;
                match now {
                    Fault::ResetAfter(limit) if passed >= limit => {
                        reset(&inner);
                        return reset(&outer);
                    }
                    Fault::CloseAfter(limit) if passed >= limit => return,
                    _ => {}
                }
            }
            read = outer.read(&mut down), if down_open => {
                let Ok(len) = read else { return reset(&inner) };
                down_open = forward(&mut inner, &down[..len]).await;
            }
        }
    }
}

/// Passes bytes, or the end of the stream, on; `false` if there is nothing more to pass.
async fn forward(to: &mut TcpStream, bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        let _ = to.shutdown().await;
        return false;
    }
    to.write_all(bytes).await.is_ok()
}

/// Makes the close of `stream` a reset.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
