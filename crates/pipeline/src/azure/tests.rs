use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use windrow_formats::azure::{Batch, Entity, Operation};

use super::*;
use crate::tls::{CertificateFault, IdentityPem, server_config_from_pem};

/// What a server does with a request.
#[derive(Clone)]
enum Act {
    /// Answers.
    Say(String),
    /// Answers, and closes the connection.
    SayAndClose(String),
    /// Closes the connection without a word.
    Close,
    /// Says nothing.
    Hang,
}

/// A server on this machine that follows a script, and what it was asked: the connection, and the head.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Server {
    async fn start(script: impl IntoIterator<Item = Act>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let script: VecDeque<Act> = script.into_iter().collect();
        let script = Arc::new(Mutex::new(script));
        let ears = heard.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, script.clone(), ears.clone()));
            }
        });
        Server { port, heard }
    }

    fn client(&self, credential: Credential) -> Client {
        let url = format!("http://127.0.0.1:{}", self.port);
        let endpoints = Endpoints {
            table: Some(url.clone()),
            blob: Some(url),
        };
        let account = Account::new("acme", credential, endpoints).unwrap();
        let limits = Limits {
            answer_bytes: 10_000,
            ..Limits::default()
        };
        let clock = Clock::new(|| NOW.parse().unwrap());
        Client::with_clock(account, &Roots::System, limits, clock).unwrap()
    }

    /// The connections that requests came over, in order.
    fn connections(&self) -> Vec<usize> {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| *at)
            .collect()
    }

    fn head(&self, place: usize) -> String {
        self.heard.lock().unwrap()[place].1.clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    script: Arc<Mutex<VecDeque<Act>>>,
    heard: Arc<Mutex<Vec<(usize, String)>>>,
) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        heard.lock().unwrap().push((connection, head));
        let act = script.lock().unwrap().pop_front().unwrap();
        match act {
            Act::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Act::SayAndClose(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Act::Close => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

const NOW: &str = "2025-11-05T10:00:00Z";
const DATE: &str = "date: Wed, 05 Nov 2025 10:00:00 GMT";

fn say(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    let headers = if headers.is_empty() { DATE } else { headers };
    Act::Say(format!(
        "HTTP/1.1 {status}\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

fn no_tables() -> Act {
    say("200 OK", "", "{\"value\":[]}")
}

fn key() -> Credential {
    Credential::Key(SecretString::from("d2luZHJvdy10ZXN0LWtleQ==".to_owned()))
}

const SAS: &str = "?sv=2020-08-04&ss=t&srt=o&sp=rl&st=2025-11-05T09:00Z&se=2025-11-05T11%3A00%3A00Z&sig=s3cr%2Bt%3D";

fn sas(text: &str) -> Credential {
    Credential::Sas(SecretString::from(text.to_owned()))
}

/// The error of a question that is answered like this.
async fn error_of(credential: Credential, act: Act) -> AzureError {
    let server = Server::start([act]).await;
    server.client(credential).tables(None).await.unwrap_err()
}

fn refused(code: &str) -> String {
    format!(
        "{{\"odata.error\":{{\"code\":\"{code}\",\"message\":{{\"value\":\"No: sig=s3cr%2Bt%3D and s3cr+t=.\"}}}}}}"
    )
}

fn batch(client: &Client, operation: Operation) -> Batch {
    let mut batch = client.new_batch("WADLogsTable");
    let entity = Entity {
        partition_key: "0".into(),
        row_key: "1".into(),
        properties: vec![],
    };
    batch.push(operation, &entity).unwrap();
    batch
}

#[tokio::test]
async fn a_request_is_signed_as_the_service_does() {
    let missing = say("404 No", "x-ms-error-code: BlobNotFound", "");
    let server = Server::start([no_tables(), missing]).await;
    let client = server.client(key());
    client.tables(None).await.unwrap();
    assert_eq!(client.blob_properties("logs", "a b").await.unwrap(), None);
    // Made with Python's hmac.
    let table =
        "authorization: SharedKeyLite acme:MuBDhATmPr1qOe2GuNa5vM8eW/O9zoE0GvjL6LwnI8I=\r\n";
    assert!(server.head(0).contains(table), "{}", server.head(0));
    let blob = "authorization: SharedKey acme:l3xZbKwG7sJhHk7CWB+I/vb136rWGIwGas9f5C8pg3A=\r\n";
    assert!(server.head(1).contains(blob), "{}", server.head(1));
    assert!(server.head(1).starts_with("HEAD /logs/a%20b HTTP/1.1"));
}

#[tokio::test]
async fn a_batch_is_believed_only_when_all_of_it_was_answered() {
    let answer = |parts: &str| {
        let body = format!(
            "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n--a--\r\n"
        );
        say(
            "202 Accepted",
            "content-type: multipart/mixed; boundary=a",
            &body,
        )
    };
    let part = |status: &str, body: &str| {
        format!("--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status}\r\n\r\n{body}\r\n")
    };
    let conflict = refused("EntityAlreadyExists").replace("No:", "0:No");
    let server = Server::start([
        answer(&part("204 No Content", "")),
        answer(&part("409 Conflict", &conflict)),
        answer(&part("503 Busy", &refused("ServerBusy"))),
        answer(""),
    ])
    .await;
    let client = server.client(key());
    let send = async || {
        let batch = batch(&client, Operation::InsertOrReplace);
        client.batch("WADLogsTable", &batch).await
    };
    send().await.unwrap();
    let error = send().await.unwrap_err();
    assert_eq!(error.refusal().unwrap().place, Some(0), "{error}");
    assert!(matches!(send().await.unwrap_err(), AzureError::Busy { .. }));
    let error = send().await.unwrap_err();
    assert!(matches!(error, AzureError::Unreadable { .. }), "{error}");
    assert_eq!(server.connections(), [0, 0, 0, 0], "one connection for all");
}

#[tokio::test]
async fn a_pause_is_told_in_seconds_or_as_a_moment() {
    for (text, seconds) in [
        ("7", 7),
        ("Wed, 05 Nov 2025 10:00:09 GMT", 9),
        ("99999999", 3_600),
    ] {
        let headers = format!("{DATE}\r\nretry-after: {text}");
        let error = error_of(key(), say("503 Busy", &headers, "")).await;
        assert_eq!(error.after().unwrap().as_secs(), seconds, "{error}");
    }
}

#[tokio::test]
async fn an_answer_has_a_limit_an_end_and_no_other_address() {
    let long = "x".repeat(10_001);
    for (act, word) in [
        (say("200 OK", "", &long), "10000 bytes"),
        (
            Act::Say(format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2711\r\n{long}"
            )),
            "10000 bytes",
        ),
        (
            say("302 Found", "location: http://127.0.0.1:1/", ""),
            "not followed",
        ),
        (say("200 OK", "", "<html>"), "not JSON"),
        (Act::Say("SSH-2.0-x\r\n\r\n".to_owned()), "not HTTP"),
    ] {
        let error = error_of(key(), act).await;
        assert!(matches!(error, AzureError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let half = Act::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf".to_owned());
    let error = error_of(key(), half).await;
    assert!(
        matches!(
            error,
            AzureError::Away {
                why: Absence::Broken { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_nothing_is_busy() {
    let error = error_of(key(), Act::Hang).await;
    assert!(
        matches!(
            error,
            AzureError::Busy {
                why: Business::Silent { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn who_is_denied_is_told_why() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let failed = "AuthenticationFailed";
    let (late, early) = (
        "date: Wed, 05 Nov 2025 11:00:00 GMT",
        "date: Wed, 05 Nov 2025 08:00:00 GMT",
    );
    let permissions = "rl".to_owned();
    for (credential, code, date, why) in [
        (key(), failed, DATE, Denial::Key),
        (
            key(),
            failed,
            late,
            Denial::Clock {
                ahead: jiff::SignedDuration::from_hours(-1),
            },
        ),
        (key(), "AuthorizationFailure", DATE, Denial::Firewall),
        (
            key(),
            "KeyBasedAuthenticationNotPermitted",
            DATE,
            Denial::KeysForbidden,
        ),
        (sas(SAS), failed, DATE, Denial::Sas),
        (
            sas(SAS),
            failed,
            late,
            Denial::SasEnded {
                at: at("2025-11-05T11:00:00Z"),
            },
        ),
        (
            sas(SAS),
            failed,
            early,
            Denial::SasNotBegun {
                at: at("2025-11-05T09:00:00Z"),
            },
        ),
        (
            sas(SAS),
            "AuthorizationPermissionMismatch",
            DATE,
            Denial::SasPermission { permissions },
        ),
        (sas(SAS), "AuthorizationFailure", DATE, Denial::Firewall),
    ] {
        let error = error_of(credential, say("403 Forbidden", date, &refused(code))).await;
        let text = error.to_string();
        assert!(
            text.contains("storage account acme") && error.is_passing(),
            "{text}"
        );
        match error {
            AzureError::Denied { why: found, .. } => assert_eq!(found, why, "{text}"),
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let error = error_of(sas(SAS), say("400 Bad", "", &refused("Odd"))).await;
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("Odd") && !text.contains("s3cr"), "{text}");
    }
    let server = Server::start([]).await;
    for credential in [key(), sas(SAS)] {
        let text = format!("{:?} {:?}", credential.clone(), server.client(credential));
        assert!(!text.contains("s3cr") && !text.contains("d2lu"), "{text}");
    }
}

#[tokio::test]
async fn a_lost_request_is_sent_anew_once_and_only_where_that_is_safe() {
    let server = Server::start([no_tables(), Act::Close, no_tables()]).await;
    let client = server.client(key());
    client.tables(None).await.unwrap();
    client.tables(None).await.unwrap();
    assert_eq!(server.connections(), [0, 0, 1]);

    let server = Server::start([no_tables(), Act::Close, no_tables()]).await;
    let client = server.client(key());
    client.tables(None).await.unwrap();
    let batch = batch(&client, Operation::Delete);
    let error = client.batch("WADLogsTable", &batch).await.unwrap_err();
    assert!(matches!(error, AzureError::Away { .. }), "{error:?}");
    assert_eq!(server.connections(), [0, 0]);

    // A new connection that breaks is no old one.
    let server = Server::start([Act::Close, no_tables()]).await;
    server.client(key()).tables(None).await.unwrap_err();
    assert_eq!(server.connections(), [0]);
}

#[tokio::test]
async fn where_to_go_on_is_given_back_as_it_came() {
    let headers =
        "x-ms-continuation-NextPartitionKey: 1!8!MDY/ &+'\u{e9}\r\nx-ms-continuation-NextRowKey: ";
    let server = Server::start([
        say("200 OK", headers, "{\"value\":[]}"),
        say("200 OK", "", "{\"value\":[]}"),
    ])
    .await;
    let client = server.client(sas(SAS));
    let mut query = Query {
        top: Some(3),
        ..Query::default()
    };
    query.after = client.query("WADLogsTable", &query).await.unwrap().next;
    let last = client.query("WADLogsTable", &query).await.unwrap();
    assert_eq!(last.next, None);
    let expected = "GET /WADLogsTable()?$top=3&NextPartitionKey=1%218%21MDY%2F%20%26%2B%27%C3%A9&sv=2020-08-04";
    assert!(server.head(1).starts_with(expected), "{}", server.head(1));
    assert!(!server.head(1).contains("authorization"));
}

#[test]
fn an_account_is_reached_in_the_open_on_this_machine_alone() {
    let account = |name: &str, table: &str| {
        let table = (!table.is_empty()).then(|| table.to_owned());
        Account::new(name, key(), Endpoints { table, blob: None })
    };
    assert!(account("acme", "").is_ok());
    assert!(account("acme", "http://[::1]:1/acme").is_ok());
    for (name, table, word) in [
        ("Acme", "", "no name"),
        ("acme", "http://localhost:1", "plain HTTP"),
        ("acme", "http://10.0.0.1", "plain HTTP"),
        ("acme", "ftp://a", "no address"),
        ("acme", "https://a/?sig=s3cr", "no address"),
        ("acme", "https://user@a/", "no address"),
    ] {
        let error = account(name, table).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("s3cr"), "{error}");
    }
    for credential in [
        sas("sv=1"),
        sas("sig=a b"),
        Credential::Key("!".to_owned().into()),
    ] {
        assert!(Account::new("acme", credential, Endpoints::default()).is_err());
    }
    let cloud = Endpoints::of_cloud("acme", "https://core.chinacloudapi.cn/");
    assert_eq!(
        cloud.table.unwrap(),
        "https://acme.table.core.chinacloudapi.cn"
    );
}

/// An authority, and a certificate of it for this machine's address.
fn identity() -> (String, String, String) {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_service_is_believed_by_its_authority_alone() {
    let (authority, certificate, key_pem) = identity();
    let identity = IdentityPem {
        certificate: &certificate,
        key: &key_pem,
    };
    let acceptor = TlsAcceptor::from(Arc::new(server_config_from_pem(identity, None).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(VecDeque::from([no_tables()])));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            // Whoever does not believe it goes away.
            if let Ok(tls) = acceptor.accept(tcp).await {
                tokio::spawn(serve(tls, 0, script.clone(), Arc::default()));
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let client = |pem: &str| {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        let table = Some(url.clone());
        let account = Account::new("acme", key(), Endpoints { table, blob: None }).unwrap();
        Client::new(account, &Roots::File(path), Limits::default()).unwrap()
    };
    let (other, _, _) = self::identity();
    match client(&other).tables(None).await.unwrap_err() {
        AzureError::Away {
            why: Absence::Certificate { fault, .. },
            ..
        } => {
            // The authorities have one name and two keys.
            assert_eq!(fault, CertificateFault::BadSignature);
        }
        error => panic!("{error:?}"),
    }
    client(&authority).tables(None).await.unwrap();
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = Server {
        port,
        heard: Arc::default(),
    };
    let error = server.client(key()).tables(None).await.unwrap_err();
    assert!(
        matches!(
            error,
            AzureError::Away {
                why: Absence::Connect { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_passing());
}
