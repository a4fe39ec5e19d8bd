//! A collector for tests: acknowledges, or not, as its plan says.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use windrow_formats::event::{Event, Index};
use windrow_formats::sldc;
use windrow_formats::wsman::reply::{
    Authentication, ChannelErrors, ContentFormat, Offer, ack, enumerate_response,
};
use windrow_formats::wsman::{self, Action, Body, Charset, Header, Text, encode};
use windrow_pipeline::tls::{IdentityPem, server_config_from_pem};

use super::super::ledger::LogName;
use super::super::ranges::{Inserted, RangeSet};
use crate::pki::Authority;

/// What the collector offers and how it misbehaves.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) content: ContentFormat,
    pub(super) read_existing: bool,
    pub(super) heartbeat: Duration,
    pub(super) max_time: Duration,
    pub(super) max_elements: Option<u32>,
    pub(super) envelope_bytes: u32,
    pub(super) retry_count: u32,
    /// Keeps every so manieth delivery and answers 500.
    pub(super) refuse_every: Option<u64>,
    /// Keeps every so manieth delivery and closes the connection.
    pub(super) hang_up_every: Option<u64>,
    /// Does not keep these deliveries, and answers 500.
    pub(super) refuse_deliveries: Range<u64>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            content: ContentFormat::Raw,
            read_existing: false,
            heartbeat: Duration::from_secs(60),
            max_time: Duration::from_millis(50),
            max_elements: Some(50),
            envelope_bytes: 512_000,
            retry_count: 5,
            refuse_every: None,
            hang_up_every: None,
            refuse_deliveries: 0..0,
        }
    }
}

/// What came.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    pub(super) records: BTreeMap<LogName, RangeSet>,
    /// Records that came before, too.
    pub(super) again: u64,
    /// Deliveries, those that were refused too.
    pub(super) deliveries: u64,
    pub(super) enumerations: u64,
    pub(super) ends: u64,
    pub(super) goodbyes: u64,
    /// Events 111.
    pub(super) openings: u64,
    pub(super) lossy: u64,
    pub(super) rendered: u64,
    /// When the first event happened.
    pub(super) first_time: Option<jiff::Timestamp>,
    pub(super) largest_batch: usize,
    /// In bytes of UTF-16.
    pub(super) largest_envelope: usize,
    bookmarks: HashMap<String, String>,
}

pub(super) struct Collector {
    pub(super) authority: Arc<Authority>,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Plan,
    address: SocketAddr,
    received: Mutex<Received>,
    version: Mutex<u128>,
}

impl Collector {
    pub(super) async fn start(plan: Plan) -> Collector {
        let authority = Arc::new(Authority::new("Test CA").unwrap());
        let own = authority.server(&["127.0.0.1".to_owned()]).unwrap();
        let identity = IdentityPem {
            certificate: &own.certificate_pem,
            key: &own.key_pem,
        };
        let config = server_config_from_pem(identity, Some(authority.certificate_pem())).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (received, version) = (Mutex::default(), Mutex::new(1));
        let shared = Arc::new(Shared {
            plan,
            address,
            received,
            version,
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&serving)));
            }
        });
        Collector { authority, shared }
    }

    pub(super) fn url(&self) -> String {
        format!(
            "https://{}/wsman/SubscriptionManager/WEC",
            self.shared.address
        )
    }

    pub(super) fn received(&self) -> Received {
        self.shared.received().clone()
    }

    pub(super) fn change_version(&self) {
        *self.shared.version.lock().unwrap() += 1;
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    // An error is a connection that the plan or the client closed.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(
        head.headers["content-type"],
        "application/soap+xml;charset=UTF-16"
    );
    let mut clear = Vec::new();
    match head.headers.get("content-encoding") {
        Some(encoding) => {
            assert_eq!(encoding, "SLDC");
            let mut decoder = sldc::Decoder::new();
            clear.extend_from_slice(decoder.decode(&body, 1 << 24).unwrap());
        }
        None => clear.extend_from_slice(&body),
    }
    assert!(clear.starts_with(&[0xff, 0xfe]), "UTF-16LE with its mark");
    let mut text = Text::new();
    text.decode(&clear, None);
    let message = wsman::parse(&text).unwrap();
    match message.header.action() {
        Action::Enumerate => Ok(shared.enumerate(&message.header)),
        Action::End => {
            shared.received().ends += 1;
            Ok(respond(StatusCode::NO_CONTENT, ""))
        }
        Action::Heartbeat => Ok(shared.ack(&message.header)),
        Action::SubscriptionEnd => {
            shared.received().goodbyes += 1;
            Ok(respond(StatusCode::OK, ""))
        }
        Action::Events => shared.events(&message, clear.len()),
        other => panic!("{other:?}"),
    }
}

fn respond(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let body = if text.is_empty() {
        Vec::new()
    } else {
        encode(text, Charset::Utf16Le)
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

const MESSAGE: &str = "uuid:8A3C2C1E-0000-4000-8000-000000000001";

impl Shared {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap()
    }

    fn ack(&self, header: &Header<'_>) -> Response<Full<Bytes>> {
        respond(StatusCode::OK, &ack(header, MESSAGE))
    }

    fn enumerate(&self, header: &Header<'_>) -> Response<Full<Bytes>> {
        let machine = header.machine_id.as_deref().unwrap();
        self.received().enumerations += 1;
        let bookmark = self.received().bookmarks.get(machine).cloned();
        let version = uuid::Uuid::from_u128(*self.version.lock().unwrap()).to_string();
        let plan = &self.plan;
        let offer = Offer {
            name: "main",
            version: &version,
            identifier: "219C5353-5F3D-4CD7-A644-F6B69E57C1C1",
            address: &format!("https://{}/wsman/subscriptions/main", self.address),
            authentication: Authentication::Certificate {
                issuer_thumbprint: "0000000000000000000000000000000000000000",
            },
            query: "<QueryList><Query Id=\"0\"><Select Path=\"Security\">*</Select><Select Path=\"System\">*</Select><Select Path=\"Application\">*</Select></Query></QueryList>",
            content_format: plan.content,
            read_existing: plan.read_existing,
            channel_errors: ChannelErrors::Ignore,
            heartbeat: plan.heartbeat,
            max_time: plan.max_time,
            max_elements: plan.max_elements,
            max_envelope_bytes: plan.envelope_bytes,
            retry_count: plan.retry_count,
            retry_interval: Duration::from_secs(60),
            locale: None,
            data_locale: None,
            bookmark: bookmark.as_deref(),
            message_id: MESSAGE,
            operation_id: MESSAGE,
        };
        respond(
            StatusCode::OK,
            &enumerate_response(header, MESSAGE, &[offer]),
        )
    }

    fn events(
        &self,
        message: &wsman::Message<'_>,
        envelope_bytes: usize,
    ) -> Result<Response<Full<Bytes>>, &'static str> {
        let header = &message.header;
        let Body::Events { events, .. } = &message.body else {
            panic!("no events");
        };
        assert_eq!(
            header.identifier.as_deref(),
            Some("219C5353-5F3D-4CD7-A644-F6B69E57C1C1")
        );
        let mut received = self.received();
        received.deliveries += 1;
        let number = received.deliveries;
        if self.plan.refuse_deliveries.contains(&number) {
            return Ok(respond(StatusCode::INTERNAL_SERVER_ERROR, ""));
        }
        received.largest_batch = received.largest_batch.max(events.len());
        received.largest_envelope = received.largest_envelope.max(envelope_bytes);
        let mut index = Index::default();
        for event in events {
            received.lossy += u64::from(event.lossy);
            received.keep(&event.text, &mut index);
        }
        let is = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        if is(self.plan.hang_up_every) {
            return Err("as planned");
        }
        if is(self.plan.refuse_every) {
            return Ok(respond(StatusCode::INTERNAL_SERVER_ERROR, ""));
        }
        let machine = header.machine_id.as_deref().unwrap().to_owned();
        received
            .bookmarks
            .insert(machine, header.bookmark.unwrap().to_owned());
        Ok(self.ack(header))
    }
}

impl Received {
    fn keep(&mut self, text: &str, index: &mut Index) {
        // A rendering that is cut is an error that leaves the rest.
        let _ = windrow_formats::event::parse(text, index);
        let event = Event::new(text, index);
        if event.event_id() == Some(111) {
            assert_eq!((event.record_id(), event.channel()), (None, None));
            self.openings += 1;
            return;
        }
        self.first_time = self.first_time.or(event.time_created());
        self.rendered += u64::from(event.rendering().is_some());
        let log = LogName::new(&event.computer().unwrap(), &event.channel().unwrap());
        let record = event.record_id().unwrap();
        if self.records.entry(log).or_default().insert(record) == Inserted::Again {
            self.again += 1;
        }
    }
}
