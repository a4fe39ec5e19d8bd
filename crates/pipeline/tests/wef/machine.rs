//! A machine of a realm: shows a ticket over plain HTTP, and seals what it says.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpStream;
use windrow_formats::sldc;
use windrow_formats::wsman::multipart::{self, Protocol, Sealing};
use windrow_formats::wsman::{Charset, Text, client, encode};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::{Scheme, Session};
use windrow_pipeline::sources::wef::ENUMERATE_PATH;

use crate::harness::*;
use crate::kdc::Realm;

pub(crate) const NAME: &str = "WS00001$@CORP.EXAMPLE";

/// A machine of the realm with a connection.
pub(crate) struct Machine {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    pub(crate) session: Session,
    pub(crate) protocol: Protocol,
}

/// A connection over which nothing was said.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = connected.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn post(path: &str) -> hyper::http::request::Builder {
    Request::post(path).header("host", "wec.corp.example")
}

pub(crate) async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: hyper::http::request::Builder,
    body: Vec<u8>,
) -> hyper::Result<(hyper::http::response::Parts, Vec<u8>)> {
    sender.ready().await?;
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head, body.collect().await?.to_bytes().to_vec()))
}

fn names(scheme: Scheme) -> (&'static str, Protocol) {
    match scheme {
        Scheme::Kerberos => ("Kerberos", Protocol::Kerberos),
        Scheme::Negotiate => ("Negotiate", Protocol::Spnego),
    }
}

/// The first request on a connection, or another one that begins anew.
pub(crate) async fn authenticate(
    sender: &mut SendRequest<Full<Bytes>>,
    ticket: &Ticket,
    scheme: Scheme,
) -> Result<Session, StatusCode> {
    let (name, _) = names(scheme);
    let initiation = ticket.initiate(scheme, Timestamp::now()).unwrap();
    let value = format!("{name} {}", BASE64.encode(&initiation.token));
    let request = post(ENUMERATE_PATH).header("authorization", value);
    let (head, body) = send(sender, request, Vec::new()).await.unwrap();
    assert!(body.is_empty());
    if head.status != StatusCode::OK {
        return Err(head.status);
    }
    let answer = head.headers["www-authenticate"].to_str().unwrap();
    let token = answer.strip_prefix(name).unwrap().trim();
    Ok(initiation.finish(&BASE64.decode(token).unwrap()).unwrap())
}

impl Machine {
    pub(crate) async fn connect(address: SocketAddr, ticket: &Ticket, scheme: Scheme) -> Machine {
        let mut sender = connect(address).await;
        let session = authenticate(&mut sender, ticket, scheme).await.unwrap();
        let (_, protocol) = names(scheme);
        Machine {
            sender,
            session,
            protocol,
        }
    }

    pub(crate) fn sealed(&mut self, text: &[u8], original_bytes: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let (content_type, signature) = (
            Charset::Utf16Le.content_type(),
            self.session.signature_bytes(),
        );
        multipart::open(
            &mut body,
            self.protocol,
            content_type,
            original_bytes,
            signature,
        );
        self.session.seal(text, &mut body).unwrap();
        multipart::close(&mut body);
        body
    }

    /// Posts a body that is sealed already.
    pub(crate) async fn post_sealed(&mut self, path: &str, body: Vec<u8>, sldc: bool) -> Answer {
        let mut request = post(path).header("content-type", self.protocol.content_type());
        if sldc {
            request = request.header("content-encoding", "SLDC");
        }
        let (head, mut body) = send(&mut self.sender, request, body).await.unwrap();
        let mut text = Text::new();
        if !body.is_empty() {
            let content_type = head.headers["content-type"].to_str().unwrap();
            let sealing = Sealing::from_content_type(content_type).unwrap();
            assert_eq!(sealing.protocol, self.protocol);
            let sealed = multipart::read(&body, sealing).unwrap();
            let message = &mut body[sealed.signature.start..sealed.data.end];
            let range = self.session.unseal(message).unwrap();
            assert_eq!(range.len(), sealed.original_bytes);
            text.decode(&message[range], sealed.charset);
        }
        Answer {
            status: head.status,
            headers: head.headers,
            body: text,
        }
    }

    pub(crate) async fn envelope(&mut self, path: &str, xml: &str) -> Answer {
        let mut body = Vec::new();
        sldc::Encoder::new().encode(&encode(xml, Charset::Utf16Le), &mut body);
        let body = self.sealed(&body, body.len());
        self.post_sealed(path, body, true).await
    }

    pub(crate) async fn deliver(&mut self, bookmark: u64, ids: std::ops::Range<u64>) -> Answer {
        let (bookmark, events) = (bookmark_of(bookmark), events(ids));
        let xml = client::events(&request(), "", Some(&bookmark), strs(&events));
        self.envelope(&path_of("base"), &xml).await
    }
}

pub(crate) fn request() -> client::Request<'static> {
    client::Request {
        to: "http://wec.corp.example:5985/wsman",
        machine_id: "ws00001.corp.example",
        message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
        operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
    }
}

pub(crate) fn bench(realm: &Realm) -> Bench {
    let mut bench = Bench::new();
    bench.kerberos = Some(realm.server());
    bench
}
