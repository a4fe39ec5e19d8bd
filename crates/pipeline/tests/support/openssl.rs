//! A private `openssl s_server`, the other TLS library.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::pki::{Identity, Pki};

pub struct OpensslServer {
    pub port: u16,
    received: Arc<Mutex<Vec<u8>>>,
    child: Child,
    _folder: tempfile::TempDir,
}

impl OpensslServer {
    /// One that shows `identity` and knows `pki` as the authority of its clients; `None` if
    /// openssl is not installed.
    pub fn start(identity: &Identity, pki: &Pki, options: &[&str]) -> Option<OpensslServer> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed (apt-get install openssl)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem);
        write("server.pem", identity.certificate_pem()).unwrap();
        write("server.key", identity.key_pem()).unwrap();
        write("ca.pem", pki.pem()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        // Its standard input stays open: at its end it would close the connection.
        let mut child = Command::new("openssl")
            .current_dir(folder.path())
            .args([
                "s_server",
                "-quiet",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .args([
                "-cert",
                "server.pem",
                "-key",
                "server.key",
                "-CAfile",
                "ca.pem",
            ])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = child.stdout.take().unwrap();
        let sink = Arc::clone(&received);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(some @ 1..) = stdout.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..some]);
            }
        });
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "openssl s_server does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(OpensslServer {
            port,
            received,
            child,
            _folder: folder,
        })
    }

    /// Waits until it has written `text`.
    pub async fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let received = String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned();
            if received.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no {text} in {received:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
