//! The receiver: a process that counts lines.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use crate::common::server;
use crate::forwarders::Transport;

/// A forwarder that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(10);

pub(crate) struct Receiver {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Receiver {
    /// Starts one that waits for so many lines.
    pub(crate) fn start(lines: u64, folder: &Path, transport: Transport) -> Receiver {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["receive", &lines.to_string()])
            .arg(folder)
            .arg(transport.word())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        Receiver {
            child,
            said,
            port: port.trim().parse().unwrap(),
        }
    }

    /// Waits for the first byte; whether it came.
    pub(crate) fn begun(&mut self) -> bool {
        self.says("begun\n")
    }

    /// Waits for the last line; whether it came.
    pub(crate) fn arrived(&mut self) -> bool {
        self.says("arrived\n")
    }

    fn says(&mut self, wanted: &str) -> bool {
        let mut said = String::new();
        self.said.read_line(&mut said).unwrap();
        said == wanted
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process: takes one connection, says when the first byte came and when the last line did,
/// and reads on.
pub(crate) fn receive(lines: u64, folder: &Path, transport: Transport) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let tcp = accept(&listener);
    match transport {
        Transport::Tcp => count(tcp, lines),
        Transport::Tls => {
            let session = ServerConnection::new(server(folder)).unwrap();
            count(StreamOwned::new(session, tcp), lines);
        }
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    loop {
        if let Ok((tcp, _)) = listener.accept() {
            tcp.set_nonblocking(false).unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            return tcp;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody connects");
        std::thread::sleep(GLANCE);
    }
}

fn count(mut stream: impl Read, lines: u64) {
    let mut buffer = vec![0; 256 * 1024];
    let mut counted = 0;
    let mut begun = false;
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if !begun {
            println!("begun");
            begun = true;
        }
        let ends = buffer[..read].iter().filter(|byte| **byte == b'\n');
        let before = counted;
        counted += ends.count() as u64;
        if before < lines && counted >= lines {
            println!("arrived");
        }
    }
}
