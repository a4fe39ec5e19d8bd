//! Requests over TLS, written by hand, so that one can be wrong in ways that no client would be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::certs::Pair;

/// A client of one server on loopback.
pub(crate) struct Https {
    port: u16,
    config: Arc<ClientConfig>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Https {
    /// One that trusts `ca`, and shows `identity` if it is asked for one.
    pub(crate) fn new(port: u16, ca: &Path, identity: Option<&Pair>) -> Https {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_file(&pair.certificate).unwrap()];
                let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let config = Arc::new(config);
        Https { port, config }
    }

    /// Sends `request` as it is, and reads to the end. Nothing where there is no answer.
    pub(crate) fn send(&self, request: &str) -> Option<Reply> {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(self.config.clone(), name).unwrap();
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut stream = StreamOwned::new(session, tcp);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        // An end without close_notify is one too: the body has a length.
        while let Ok(read) = stream.read(&mut piece) {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..read]);
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some(Reply {
            status: head.split(' ').nth(1)?.parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        })
    }

    /// A request with these header lines besides `Host`.
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Reply {
        let port = self.port;
        let mut request = format!("{line} HTTP/1.1\r\nHost: localhost:{port}\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        let length = body.len();
        request.push_str(&format!(
            "Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let reply = self.send(&request);
        reply.unwrap_or_else(|| panic!("no answer to {line}"))
    }

    /// A POST of JSON with a token.
    pub(crate) fn post(&self, path: &str, token: &str, json: &str) -> Reply {
        let token = format!("Authorization: Bearer {token}");
        let headers = [&*token, "Content-Type: application/json"];
        self.ask(&format!("POST {path}"), &headers, json)
    }
}
