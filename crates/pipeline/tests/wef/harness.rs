//! A collector with its certificates and journal, and a source that speaks to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    RevokedCertParams, RsaKeySize, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{Batch, Flags, Header};
use windrow_formats::sldc;
use windrow_formats::wsman::client::{self, Subscription as Offered};
use windrow_formats::wsman::{Action, Charset, Text, encode};
use windrow_pipeline::journal::{Journal, JournalOptions, offline};
use windrow_pipeline::kerberos;
use windrow_pipeline::quarantine::{Quarantine, QuarantineLimits};
use windrow_pipeline::sources::wef::{
    Authentication, Collector, ENUMERATE_PATH, Listeners, QueryList, Subscription, WefLimits,
    WefMetrics, WefOptions,
};
use windrow_pipeline::tls::{self, IdentityFiles, Roots};

pub(crate) const SOURCE: &str = "ws1.corp.example";

/// An authority with its files.
pub(crate) struct Pki {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Pki {
        Pki::of("Machines")
    }

    pub(crate) fn of(name: &str) -> Pki {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki { folder, authority };
        pki.write("ca.pem", &pki.authority.pem());
        pki.issue("localhost");
        pki.issue(SOURCE);
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(self.path(name), mode).unwrap();
        }
    }

    /// A certificate of this name.
    pub(crate) fn issue(&self, name: &str) -> IdentityFiles {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        self.sign(name, name, params)
    }

    /// A certificate of this name that is over after so long.
    pub(crate) fn issue_for(&self, name: &str, time: Duration) -> IdentityFiles {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970 + time;
        self.sign(name, name, params)
    }

    /// A certificate of this name that is made for servers alone.
    pub(crate) fn issue_for_servers(&self, name: &str) -> IdentityFiles {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&format!("{name}.server"), name, params)
    }

    /// A certificate with this common name and nothing else, in files of another name.
    pub(crate) fn issue_odd(&self, common_name: &str) -> IdentityFiles {
        self.sign("odd", common_name, CertificateParams::default())
    }

    /// A certificate of this name with an RSA key.
    pub(crate) fn issue_rsa(&self, name: &str) -> IdentityFiles {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        self.sign_key(&format!("{name}.rsa"), name, params, &key)
    }

    fn sign(&self, file: &str, common_name: &str, params: CertificateParams) -> IdentityFiles {
        self.sign_key(file, common_name, params, &KeyPair::generate().unwrap())
    }

    fn sign_key(
        &self,
        file: &str,
        common_name: &str,
        mut params: CertificateParams,
        key: &KeyPair,
    ) -> IdentityFiles {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let certificate = params.signed_by(key, &self.authority).unwrap();
        self.write(&format!("{file}.pem"), &certificate.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
        IdentityFiles {
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        }
    }

    /// The authority's list of these certificates, in PEM, that is good until the first day of this year.
    pub(crate) fn revoke(&self, file: &str, revoked: &[&IdentityFiles], until: i32) -> PathBuf {
        let serial = |identity: &&IdentityFiles| {
            let certificate = &tls::load_certificates(&identity.certificate).unwrap()[0];
            let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
            RevokedCertParams {
                serial_number: SerialNumber::from_slice(parsed.raw_serial()),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(serial).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.authority).unwrap();
        self.write(file, &list.pem().unwrap());
        self.path(file)
    }

    pub(crate) fn server(&self, revocation: tls::Revocation<'_>) -> tls::Server {
        tls::server_config(
            &self.path("localhost.pem"),
            &self.path("localhost.key"),
            &self.path("ca.pem"),
            revocation,
        )
        .unwrap()
    }

    /// What a client believes and shows.
    pub(crate) fn client(&self, identity: Option<&IdentityFiles>) -> Arc<rustls::ClientConfig> {
        let roots = Roots::File(self.path("ca.pem"));
        let client = tls::client_config(&roots, identity, tls::ServerCheck::Full);
        client.unwrap().config
    }
}

/// Everything of a collector but the collector, so that it can be started again.
pub(crate) struct Bench {
    pub(crate) pki: Pki,
    pub(crate) folder: TempDir,
    pub(crate) journal_quota_bytes: u64,
    pub(crate) limits: WefLimits,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Takes tickets instead of certificates.
    pub(crate) kerberos: Option<kerberos::Server>,
    pub(crate) listeners: Listeners,
}

pub(crate) fn subscription(name: &str) -> Subscription {
    let query =
        "<QueryList><Query Id=\"0\"><Select Path=\"Security\">*</Select></Query></QueryList>";
    Subscription::new(name, QueryList::new(query).unwrap())
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            pki: Pki::new(),
            folder: tempfile::tempdir().unwrap(),
            journal_quota_bytes: 64 << 20,
            limits: WefLimits::default(),
            subscriptions: vec![subscription("base")],
            kerberos: None,
            listeners: Listeners::default(),
        }
    }

    pub(crate) fn options(&self, address: SocketAddr) -> WefOptions {
        WefOptions {
            authority: format!("localhost:{}", address.port()),
            enumerate_path: ENUMERATE_PATH.to_owned(),
            authentication: match &self.kerberos {
                None => Authentication::Certificate(self.pki.server(tls::Revocation::default())),
                Some(server) => Authentication::Kerberos(server.clone()),
            },
            subscriptions: self.subscriptions.clone(),
            limits: self.limits.clone(),
            listeners: self.listeners.clone(),
        }
    }

    pub(crate) async fn start(&self) -> Running {
        let mut options = JournalOptions::new(self.folder.path().join("journal"));
        options.quota_bytes = self.journal_quota_bytes;
        options.segment_bytes = self.journal_quota_bytes / 16;
        let (journal, _) = Journal::open(options).unwrap();
        self.start_on(journal).await
    }

    /// One more collector of a journal.
    pub(crate) async fn start_on(&self, journal: Journal) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let quarantine = self.folder.path().join("quarantine");
        let quarantine = Quarantine::open(&quarantine, QuarantineLimits::default()).unwrap();
        let metrics = WefMetrics::default();
        let collector = Collector::new(
            self.options(address),
            journal.clone(),
            metrics.clone(),
            Some(quarantine.clone()),
        );
        let shutdown = CancellationToken::new();
        let task = tokio::spawn({
            let (collector, shutdown) = (collector.clone(), shutdown.clone());
            async move { collector.run(listener, shutdown).await }
        });
        Running {
            address,
            journal,
            collector,
            metrics,
            quarantine,
            shutdown,
            task,
        }
    }

    /// The source of this name, connected.
    pub(crate) async fn source(&self, running: &Running, name: &str) -> Source {
        let identity = self.pki.issue(name);
        Source::connect(running.address, self.pki.client(Some(&identity)), name).await
    }

    /// Every event in the journal with its flags, and the headers of its batches.
    pub(crate) fn stored(&self) -> Vec<(String, Flags, Header)> {
        stored(&self.folder.path().join("journal"))
    }
}

fn stored(journal: &Path) -> Vec<(String, Flags, Header)> {
    let mut events = Vec::new();
    for frame in offline::read(journal, 0).unwrap() {
        for entry in frame.unwrap().entries {
            let batch = Batch::decode(&entry.body).unwrap();
            for record in batch.records() {
                let record = record.unwrap();
                events.push((record.text.to_owned(), record.flags, batch.header.clone()));
            }
        }
    }
    events
}

/// A collector that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Journal,
    pub(crate) collector: Collector,
    pub(crate) metrics: WefMetrics,
    pub(crate) quarantine: Quarantine,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    /// Ends it as the service does: the collector first, then the journal.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.journal.close().await;
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Text,
}

impl Answer {
    pub(crate) fn is_ack(&self) -> bool {
        self.status == StatusCode::OK
            && client::parse_reply(&self.body)
                .is_ok_and(|reply| reply.header.action() == Action::Ack)
    }

    /// Status and the fault's code.
    pub(crate) fn fault(&self) -> String {
        match client::parse_reply(&self.body) {
            Ok(reply) => {
                let code = reply.fault.map_or("no fault".into(), |fault| fault.0);
                format!("{} {code}", self.status.as_u16())
            }
            Err(_) => self.status.as_u16().to_string(),
        }
    }
}

pub(crate) async fn tls(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = tls::server_name("localhost").unwrap();
    TlsConnector::from(config).connect(name, stream).await
}

/// A source with one connection.
pub(crate) struct Source {
    pub(crate) name: String,
    sender: SendRequest<Full<Bytes>>,
    encoder: sldc::Encoder,
}

impl Source {
    pub(crate) async fn connect(
        address: SocketAddr,
        config: Arc<rustls::ClientConfig>,
        name: &str,
    ) -> Source {
        let stream = tls(address, config).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Source {
            name: name.to_owned(),
            sender,
            encoder: sldc::Encoder::new(),
        }
    }

    pub(crate) fn request(&self) -> client::Request<'_> {
        request_of(&self.name)
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let mut body = Text::new();
        body.decode(&bytes, None);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: Vec<u8>,
        sldc: bool,
    ) -> hyper::Result<Answer> {
        let mut request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/soap+xml;charset=UTF-16");
        if sldc {
            request = request.header("content-encoding", "SLDC");
        }
        self.send(request.body(Full::new(Bytes::from(body))).unwrap())
            .await
    }

    /// Posts an envelope as Windows does: UTF-16LE, compressed.
    pub(crate) async fn envelope(&mut self, path: &str, xml: &str) -> Answer {
        let mut body = Vec::new();
        self.encoder
            .encode(&encode(xml, Charset::Utf16Le), &mut body);
        self.post(path, body, true).await.unwrap()
    }

    pub(crate) async fn enumerate(&mut self) -> Answer {
        let xml = client::enumerate(&self.request());
        self.post(ENUMERATE_PATH, encode(&xml, Charset::Utf16Le), false)
            .await
            .unwrap()
    }

    pub(crate) async fn deliver<'e>(
        &mut self,
        subscription: &str,
        bookmark: u64,
        events: impl IntoIterator<Item = &'e str>,
    ) -> Answer {
        let bookmark = bookmark_of(bookmark);
        let xml = client::events(&self.request(), "", Some(&bookmark), events);
        self.envelope(&path_of(subscription), &xml).await
    }

    pub(crate) async fn heartbeat(&mut self, subscription: &str) -> Answer {
        let xml = client::heartbeat(&self.request(), "");
        self.envelope(&path_of(subscription), &xml).await
    }
}

/// What the requests of this machine have in their heads.
pub(crate) fn request_of(name: &str) -> client::Request<'_> {
    client::Request {
        to: "https://localhost/wsman",
        machine_id: name,
        message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
        operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
    }
}

pub(crate) fn bookmark_of(record_id: u64) -> String {
    format!(
        "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"{record_id}\" IsCurrent=\"true\"/></BookmarkList>"
    )
}

pub(crate) fn path_of(subscription: &str) -> String {
    format!("/wsman/subscriptions/{}", Subscription::id_of(subscription))
}

/// The path that an offer names.
pub(crate) fn path_in(offered: &Offered<'_>) -> String {
    let (_, rest) = offered.notify_to.split_once("://").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("/{path}")
}

pub(crate) fn event(record_id: u64) -> String {
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID>\
         <TimeCreated SystemTime='2026-01-02T03:04:05.0000000Z'/>\
         <EventRecordID>{record_id}</EventRecordID><Channel>Security</Channel>\
         <Computer>ws1.corp.example</Computer></System>\r\n<EventData>\
         <Data Name='TargetUserName'>user{record_id}</Data></EventData></Event>"
    )
}

pub(crate) fn events(record_ids: std::ops::Range<u64>) -> Vec<String> {
    record_ids.map(event).collect()
}

pub(crate) fn strs(events: &[String]) -> impl Iterator<Item = &str> {
    events.iter().map(String::as_str)
}

/// Waits until something is so, for a while.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be");
}
