//! A receiver that reads as slowly as it is told to.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;

/// A TCP receiver on loopback that takes at most so many bytes each hundredth of a second.
pub(crate) struct SlowReceiver {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    bytes_a_turn: AtomicUsize,
    ended: AtomicBool,
    received: Mutex<Vec<u8>>,
}

const TURN: Duration = Duration::from_millis(10);

impl SlowReceiver {
    pub(crate) fn start(bytes_a_turn: usize) -> SlowReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Connections inherit it: little may hide in buffers.
        set_socket_recv_buffer_size(&listener, 4096).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener
            .local_addr()
            .as_ref()
            .map(SocketAddr::port)
            .unwrap();
        let shared = Arc::new(Shared {
            bytes_a_turn: AtomicUsize::new(bytes_a_turn),
            ended: AtomicBool::new(false),
            received: Mutex::new(Vec::new()),
        });
        let inside = Arc::clone(&shared);
        let thread = std::thread::spawn(move || inside.serve(&listener));
        SlowReceiver {
            port,
            shared,
            thread: Some(thread),
        }
    }

    /// Changes how much it takes.
    pub(crate) fn take(&self, bytes_a_turn: usize) {
        self.shared
            .bytes_a_turn
            .store(bytes_a_turn, Ordering::Relaxed);
    }

    /// How many messages were received.
    pub(crate) fn count(&self) -> u64 {
        let received = self.shared.received.lock().unwrap();
        received.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    /// Everything received, one message a line.
    pub(crate) fn messages(&self) -> String {
        String::from_utf8_lossy(&self.shared.received.lock().unwrap()).into_owned()
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener) {
        let mut streams: Vec<TcpStream> = Vec::new();
        while !self.ended.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).unwrap();
                streams.push(stream);
            }
            let most = self.bytes_a_turn.load(Ordering::Relaxed);
            streams.retain_mut(|stream| self.read(stream, most));
            std::thread::sleep(TURN);
        }
    }

    /// Reads so many bytes or what there is; false when there will be no more.
    fn read(&self, stream: &mut TcpStream, most: usize) -> bool {
        let mut buffer = [0; 4096];
        let mut left = most;
        while left > 0 {
            let room = left.min(buffer.len());
            match stream.read(&mut buffer[..room]) {
                Ok(0) => return false,
                Ok(length) => {
                    left -= length;
                    self.received
                        .lock()
                        .unwrap()
                        .extend_from_slice(&buffer[..length]);
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}

impl Drop for SlowReceiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
