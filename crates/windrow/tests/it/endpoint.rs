//! The privileged endpoint: who is let in, what each role may do, what is refused, and what is on record of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::support::certs::{Authority, Pair};
use crate::support::https::Https;
use crate::support::program::{Finished, run};
use crate::support::rsyslog::{Listener, Rsyslog};
use crate::support::service::Service;
use crate::support::{Scratch, free_port, installed, wait_until};

const JSON: &str = "Content-Type: application/json";

/// A service with its endpoint open, and the certificates around it.
pub(crate) struct Site<'a> {
    scratch: &'a Scratch,
    pub(crate) service: Service<'a>,
    pub(crate) authority: Authority,
    pub(crate) port: u16,
}

impl<'a> Site<'a> {
    pub(crate) fn new(scratch: &'a Scratch) -> Site<'a> {
        let authority = Authority::new(scratch, "site");
        let server = authority.issue(scratch, "localhost");
        let port = free_port();
        let service = Service::new(scratch);
        service.configure(&format!(
            "[admin]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             client_ca = \"{}\"\n[admin.certificates]\n\"ada.example.com\" = \"admin\"\n",
            server.certificate.display(),
            server.key.display(),
            authority.certificate.display(),
        ));
        Site {
            scratch,
            service,
            authority,
            port,
        }
    }

    /// A new token.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let words = ["token", "add", "--name", name, "--role", role];
        let made = self.admin(&words).expect(0);
        assert!(made.stderr.contains("shown this once"), "{}", made.stderr);
        made.stdout.trim().to_owned()
    }

    fn admin(&self, words: &[&str]) -> Finished {
        let mut arguments = self.service.arguments("admin");
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        run(self.scratch, &arguments)
    }

    pub(crate) fn client(&self, identity: Option<&Pair>) -> Https {
        Https::new(self.port, &self.authority.certificate, identity)
    }

    /// A file with a token, as its owner keeps it.
    fn token_file(&self, token: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.scratch.write("ada.token", &format!("{token}\n"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    /// `windrow --endpoint …` as on a workstation, which has no data and no configuration.
    fn remotely(&self, options: &[&str], words: &[&str]) -> Finished {
        let url = format!("https://localhost:{}", self.port);
        let nowhere = self.scratch.join("workstation");
        let mut arguments = vec!["--endpoint", &url, "--data-dir", nowhere.to_str().unwrap()];
        arguments.extend(options);
        arguments.extend(words);
        run(self.scratch, &arguments)
    }

    /// The making and going of an account reaches a receiver.
    fn accounts_reach(&self, siem: &Rsyslog) {
        self.token("eve", "admin");
        self.admin(&["token", "renew", "--name", "eve"]).expect(0);
        self.admin(&["token", "remove", "--name", "eve"]).expect(0);
        for (id, task) in [
            (1006, "NewCloudAdminUserEvent|10"),
            (1008, "SetCloudAdminUserPasswordEvent|5"),
            (1007, "RemoveCloudAdminUserEvent|10"),
        ] {
            let expected = format!("PrivilegedEndpoint: {id}|{task}|Who=root (uid 0)");
            wait_until(&expected, || siem.messages().contains(&expected));
        }
    }

    /// What is said at a workstation and here is the same.
    fn same_here_and_there(&self, options: &[&str]) {
        let get = ["syslog", "server", "get", "--output", "json"];
        let there = self.remotely(options, &get).expect(0).stdout;
        let mut here = self.service.arguments("syslog");
        here.extend(get[1..].iter().map(|word| (*word).to_owned()));
        let here = run(self.scratch, &here).expect(0).stdout;
        let settings = |text: &str| {
            let mut said: serde_json::Value = serde_json::from_str(text).unwrap();
            let now = said["servers"][0]["now"].take();
            assert_eq!(now["state"], "connected", "{said}");
            said
        };
        assert_eq!(settings(&there), settings(&here));
        let status = self.remotely(options, &["status", "--output", "json"]);
        let endpoint = format!("127.0.0.1:{}", self.port);
        let status = status.expect(0).stdout;
        assert!(status.contains(&endpoint), "{status}");
    }

    /// Refusals with these reasons are on record, each once.
    fn told_once(&self, reasons: &[&str]) {
        let refused = self.records(31);
        for reason in reasons {
            let told = refused.iter().filter(|record| record.contains(reason));
            assert_eq!(told.count(), 1, "{reason}: {refused:?}");
        }
    }

    /// Our own records with this id, oldest first: message and data.
    pub(crate) fn records(&self, id: u32) -> Vec<String> {
        let sql = format!(
            "select message, event_xml from events where origin = 'own' and event_id = {id} order by seq"
        );
        let rows = self.service.query(&sql).into_iter();
        rows.map(|row| format!("{} {}", row["message"], row["event_xml"]))
            .collect()
    }
}

/// What there is, the least role that may have it, and what a request for it holds.
const VERBS: [(&str, &str, &str); 21] = [
    ("GET /healthz", "viewer", ""),
    ("GET /v1/status", "viewer", ""),
    ("GET /v1/sources?machine=ws%2A", "viewer", ""),
    ("POST /v1/syslog/server/get", "viewer", "{}"),
    ("POST /v1/syslog/client/get", "viewer", "{}"),
    (
        "POST /v1/syslog/server/set",
        "admin",
        r#"{"server_name":"localhost","no_encryption":true}"#,
    ),
    ("POST /v1/syslog/test", "analyst", "{}"),
    ("POST /v1/syslog/server/disable", "admin", "{}"),
    ("POST /v1/syslog/server/enable", "admin", "{}"),
    ("POST /v1/syslog/server/remove", "admin", "{}"),
    ("POST /v1/syslog/client/set", "admin", r#"{"pfx":"AAAA"}"#),
    ("POST /v1/syslog/client/remove", "admin", "{}"),
    ("POST /v1/subscription/get", "viewer", "{}"),
    (
        "POST /v1/subscription/add",
        "admin",
        r#"{"name":"dc","keys":{"baseline":"domain-controller"}}"#,
    ),
    (
        "POST /v1/subscription/set",
        "admin",
        r#"{"name":"dc","keys":{"machines":["dc*"]}}"#,
    ),
    ("POST /v1/subscription/disable", "admin", r#"{"name":"dc"}"#),
    ("POST /v1/subscription/enable", "admin", r#"{"name":"dc"}"#),
    ("POST /v1/subscription/remove", "admin", r#"{"name":"dc"}"#),
    (
        "POST /v1/subscription/group/set",
        "admin",
        r#"{"name":"servers","members":["srv*"]}"#,
    ),
    (
        "POST /v1/subscription/group/remove",
        "admin",
        r#"{"name":"servers"}"#,
    ),
    ("POST /v1/sources/forget", "admin", r#"{"name":"nobody"}"#),
];

#[test]
fn each_role_may_do_what_it_is_for_and_no_more() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let roles = ["viewer", "analyst", "admin"];
    let tokens = roles.map(|role| site.token(role, role));
    site.service.start();
    let client = site.client(None);
    let mut refused = 0;
    for (line, needed, body) in VERBS {
        let needed = roles.iter().position(|role| *role == needed).unwrap();
        for (place, token) in tokens.iter().enumerate() {
            let token = format!("Authorization: Bearer {token}");
            let reply = client.ask(line, &[&token, JSON], body);
            let expected = if place < needed { 403 } else { reply.status };
            assert_eq!(
                reply.status, expected,
                "{line} as {}: {}",
                roles[place], reply.body
            );
            if place < needed {
                refused += 1;
                assert!(reply.body.contains("needs the role"), "{}", reply.body);
            } else if line.ends_with("client/set") {
                // It is let in, and is told what is wrong with the file.
                assert_eq!(reply.status, 400, "{}", reply.body);
            } else {
                let may_be_gone = line.ends_with("client/remove") || line.ends_with("/forget");
                let nothing_there = may_be_gone && reply.status == 404;
                assert!(
                    reply.status == 200 || nothing_there,
                    "{line}: {}",
                    reply.body
                );
            }
            let kept = [
                "cache-control: no-store",
                "nosniff",
                "frame-ancestors 'none'",
            ];
            assert!(
                kept.iter().all(|header| reply.head.contains(header)),
                "{}",
                reply.head
            );
            assert!(!reply.head.contains("access-control-"), "{}", reply.head);
        }
    }
    // They are more than are put on record at once.
    let overreached = || {
        let records = site.records(31).into_iter();
        (records.filter(|record| record.contains("needs the role"))).count()
    };
    wait_until("every refusal on record", || overreached() >= refused);
    let on_record = site.records(31);
    assert_eq!(overreached(), refused, "{on_record:?}");
    assert!(on_record[0].contains("viewer (token)"), "{on_record:?}");
    let changed = site.records(30).join("\n");
    for change in ["sink.syslog.default: set", "subscription.dc: add"] {
        let change = format!("{change} by admin (token) from 127.0.0.1");
        assert!(changed.contains(&change), "{changed}");
    }
    // What is not a verb is not there: neither queries nor accounts.
    for path in [
        "/v1/query",
        "/v1/forward",
        "/v1/admin/token/add",
        "/metrics",
        "/",
    ] {
        assert_eq!(client.post(path, &tokens[2], "{}").status, 404, "{path}");
    }
    site.service.terminate().expect(0);
}

#[test]
fn who_is_not_known_gets_nothing() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("bob", "viewer");
    let other = Authority::new(&scratch, "other").issue(&scratch, "ada.example.com");
    let unknown = site.authority.issue(&scratch, "eve.example.com");
    let ada = site.authority.issue(&scratch, "ada.example.com");
    site.service.start();
    let client = site.client(None);
    let get = "POST /v1/syslog/server/get";
    // One token in sixteen ends with A.
    let (rest, last) = token.split_at(token.len() - 1);
    let other_end = if last == "A" { "E" } else { "A" };
    let wrong = format!("Authorization: Bearer {rest}{other_end}");

    let none = client.ask(get, &[JSON], "{}");
    assert_eq!(none.status, 401, "{}", none.body);
    assert!(
        none.head.contains("www-authenticate: bearer"),
        "{}",
        none.head
    );
    assert_eq!(client.ask(get, &[JSON, &wrong], "{}").status, 401);
    assert_eq!(
        client
            .ask(get, &[JSON, "Authorization: Basic YTpi"], "{}")
            .status,
        401
    );
    // A certificate by whom it may be, and whose name has a role.
    let shown = site.client(Some(&ada)).ask(get, &[JSON], "{}");
    assert_eq!(shown.status, 200, "{}", shown.body);
    let unnamed = site.client(Some(&unknown)).ask(get, &[JSON], "{}");
    assert_eq!(unnamed.status, 401, "{}", unnamed.body);
    assert!(unnamed.body.contains("no role"), "{}", unnamed.body);
    let line = format!("{get} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(site.client(Some(&other)).send(&line).is_none());
    // A wrong token is not made up for by a right certificate.
    assert_eq!(
        site.client(Some(&ada))
            .ask(get, &[JSON, &wrong], "{}")
            .status,
        401
    );

    // What is no TLS.
    let mut plain = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");

    // All of it came from one address: one record a minute for each reason.
    site.told_once(&[
        "neither a token nor a certificate",
        "the token is not known",
        "expected `Authorization",
        "no role is given",
        "no authority of client_ca has issued it",
        "this is not TLS",
    ]);
    assert!(!site.service.program().stderr().contains(&token));
    site.service.terminate().expect(0);
}

#[test]
fn what_is_no_request_is_refused_and_on_record() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("bob", "viewer");
    let admin = site.token("ada", "admin");
    site.service.start();
    let client = site.client(None);
    let get = "POST /v1/syslog/server/get";
    let bearer = format!("Authorization: Bearer {token}");

    // What a browser could be made to send.
    let from_page = client.ask(get, &[JSON, &bearer, "Origin: https://evil.example"], "{}");
    assert_eq!(from_page.status, 403, "{}", from_page.body);
    let rebound =
        format!("{get} HTTP/1.1\r\nHost: evil.example\r\n{bearer}\r\nConnection: close\r\n\r\n");
    assert_eq!(client.send(&rebound).unwrap().status, 421);
    let absolute = format!(
        "GET https://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(client.send(&absolute).unwrap().status, 421);
    let form = ["Content-Type: text/plain", &*bearer];
    assert_eq!(client.ask(get, &form, "{}").status, 415);
    for method in ["GET", "OPTIONS"] {
        let line = format!("{method} /v1/syslog/server/get");
        assert_eq!(client.ask(&line, &[&bearer], "").status, 405, "{method}");
    }

    // What is too large, or no request.
    let large = "x".repeat(513 << 10);
    assert_eq!(client.ask(get, &[JSON, &bearer], &large).status, 413);
    for body in ["{", r#"{"nmae":"x"}"#] {
        let status = client.post("/v1/syslog/server/get", &token, body).status;
        assert_eq!(status, 400, "{body}");
    }
    for no_object in ["", "[]", "[\"default\"]"] {
        let said = client.post("/v1/syslog/server/get", &token, no_object);
        assert_eq!(said.status, 400, "{no_object}: {}", said.body);
        assert!(said.body.contains("a JSON object"), "{}", said.body);
    }
    // A password is not repeated, whatever is wrong with it.
    for (path, body) in [
        (
            "/v1/syslog/server/set",
            r#"{"server_name":"x","server_port":70000}"#,
        ),
        (
            "/v1/syslog/client/set",
            r#"{"pfx":"AAAA","password":471147114711}"#,
        ),
    ] {
        assert_eq!(client.post(path, &admin, body).status, 400, "{path}");
    }

    // By whom, and why: what is wrong with it, as far as that gives nothing away.
    site.told_once(&[
        "pages in a browser",
        "another name than the one",
        "expected `Content-Type",
        "a request has at most",
        "EOF while parsing",
        "unknown field `nmae`",
        "`70000`, expected u16",
        "/v1/syslog/client/set by ada (token) from 127.0.0.1 was refused: the request cannot be read",
    ]);
    let records = site.records(31).join("\n");
    for words in [
        "/v1/syslog/server/get by bob (token) from 127.0.0.1 was refused: the request has another method",
        "/v1/syslog/server/set by ada (token) from 127.0.0.1 was refused",
    ] {
        assert!(records.contains(words), "{records}");
    }
    assert!(!records.contains("471147114711"), "{records}");
    site.service.terminate().expect(0);
}

#[test]
fn who_fails_too_often_has_to_wait() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("ada", "admin");
    site.service.start();
    let client = site.client(None);
    let statuses = (0..20).map(|_| client.post("/v1/syslog/server/get", "guess", "{}").status);
    let statuses: Vec<u16> = statuses.collect();
    assert!(
        statuses[..10].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
    let throttled = client.post("/v1/syslog/server/get", &token, "{}");
    assert_eq!(throttled.status, 429, "{statuses:?}");
    assert!(
        throttled.head.contains("retry-after: "),
        "{}",
        throttled.head
    );
    // It has not to wait for long, and the service does not wait with it.
    wait_until("the address to be let in again", || {
        client.post("/v1/syslog/server/get", &token, "{}").status == 200
    });
    assert_eq!(site.records(31).len(), 2, "one for each reason");
    site.service.terminate().expect(0);
    // What was counted is on record by its reason, although no other refusal came.
    site.service.start();
    wait_until("the counts of an earlier run in the lake", || {
        site.records(31).len() == 4
    });
    let guesses = site.records(31).into_iter();
    let guesses = guesses.filter(|record| record.contains("the token is not known"));
    let times = guesses.map(|record| {
        let (_, times) = record.split_once("'Times'>").unwrap();
        times.split_once('<').unwrap().0.parse::<usize>().unwrap()
    });
    let told = times.sum::<usize>();
    let refused = statuses.iter().filter(|status| **status == 401);
    assert_eq!(told, refused.count());
    site.service.terminate().expect(0);
}

#[test]
fn a_change_from_a_workstation_takes_effect_and_is_on_record() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let siem = Rsyslog::start(&scratch, "siem", &Listener::Tcp);
    let mut site = Site::new(&scratch);
    let file = site.token_file(&site.token("ada", "admin"));
    site.service.start();
    let (ca, file) = (
        site.authority.certificate.clone(),
        file.to_str().unwrap().to_owned(),
    );
    let options = [
        "--endpoint-ca",
        ca.to_str().unwrap(),
        "--token-file",
        &*file,
    ];
    let port = siem.port.to_string();
    let set = [
        "syslog",
        "server",
        "set",
        "--server-name",
        "localhost",
        "--server-port",
        &port,
    ];
    let said = site.remotely(&options, &[&set[..], &["--no-encryption"]].concat());
    let said = said.expect(0).stdout;
    assert!(
        said.contains("in force now") && said.contains("TCP in the clear"),
        "{said}"
    );
    wait_until("the record of the change", || {
        let messages = siem.messages();
        messages.contains("Windrow:30") && messages.contains("ada (token)")
    });
    // The session's end reaches the receiver, and an account's making and going too. Its opening was before there was a
    // receiver.
    wait_until("the end of the session", || {
        siem.messages().contains("Microsoft-AzureStack-PrivilegedEndpoint: 1005|PrivilegedEndpointClosedEvent|5|Who=ada (token) WhichIP=127.0.0.1")
    });
    let entered = site.records(1000);
    assert_eq!(entered.len(), 1, "{entered:?}");
    let fields = [
        "'Who'>ada (token)<",
        "'WhichIP'>127.0.0.1<",
        "'From'>127.0.0.1<",
        "'Session'>",
    ];
    assert!(
        fields.iter().all(|field| entered[0].contains(field)),
        "{entered:?}"
    );
    site.accounts_reach(&siem);
    site.same_here_and_there(&options);
    site.remotely(&options, &["syslog", "test"]).expect(0);
    let tested = site.records(33);
    assert_eq!(tested.len(), 1, "{tested:?}");
    let words = "sink.syslog.default: test by ada (token) from 127.0.0.1: passed";
    assert!(tested[0].contains(words), "{tested:?}");
    let accounts = site.records(30).join("\n");
    assert!(accounts.contains("'By'>windrow admin token<"), "{accounts}");

    // Two ends of the service are the ends of its sessions.
    site.service.terminate().expect(0);
    site.service.start();
    wait_until("every session to have ended", || {
        let [opened, closed] = [1000, 1005].map(|id| site.records(id).len());
        opened == closed && opened >= 2
    });
    site.service.terminate().expect(0);
}

#[test]
fn what_fails_on_the_way_says_what_helps() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("ada", "viewer");
    let file = site.token_file(&token).display().to_string();
    site.service.start();
    let ca = site.authority.certificate.display().to_string();
    let get = ["syslog", "server", "get"];
    let fails = |options: &[&str], code: i32, expected: &[&str]| {
        let said = site.remotely(options, &get).expect(code).stderr;
        for words in expected {
            assert!(said.contains(words), "{options:?}: {said}");
        }
    };
    let known = ["--endpoint-ca", &*ca];
    fails(&known, 2, &["wants to know who asks", "--token-file"]);
    let other = Authority::new(&scratch, "other");
    let other_ca = other.certificate.display().to_string();
    let distrusts = ["--endpoint-ca", &*other_ca, "--token-file", &*file];
    fails(
        &distrusts,
        1,
        &["no trusted authority has issued it", "--endpoint-ca"],
    );
    let pinned = "00".repeat(32);
    let pins = ["--endpoint-fingerprint", &*pinned, "--token-file", &*file];
    fails(&pins, 1, &["its fingerprint is sha256:"]);
    let stranger = other.issue(&scratch, "ada.example.com");
    let stranger = [&stranger.certificate, &stranger.key].map(|path| path.display().to_string());
    let shows = [
        "--endpoint-certificate",
        &*stranger[0],
        "--endpoint-key",
        &*stranger[1],
    ];
    fails(
        &[&known[..], &shows].concat(),
        1,
        &["it refuses our certificate", "client_ca"],
    );
    let wrong = site.scratch.write("open.token", &token);
    let wrong = wrong.display().to_string();
    fails(
        &[&known[..], &["--token-file", &*wrong]].concat(),
        2,
        &["can be read by others", "chmod 600"],
    );
    site.service.terminate().expect(0);
}

#[test]
fn what_cannot_be_done_from_a_workstation_says_so() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("ada", "viewer");
    let file = site.token_file(&token).display().to_string();
    site.service.start();
    let ca = site.authority.certificate.display().to_string();
    let get = ["syslog", "server", "get"];
    let file_of_service = ["--token-file", &*file, "--endpoint-ca", &*ca];
    let said = site.remotely(
        &file_of_service,
        &[
            "syslog",
            "server",
            "set",
            "--server-name",
            "x",
            "--ca-file",
            "ca.pem",
        ],
    );
    assert!(said.expect(2).stderr.contains("a file beside the service"));
    let said = site
        .remotely(&file_of_service, &["syslog", "server", "remove"])
        .expect(1);
    assert!(
        said.stderr.contains("needs the role admin"),
        "{}",
        said.stderr
    );
    let elsewhere = site
        .remotely(&file_of_service, &["verify"])
        .expect(2)
        .stderr;
    assert!(elsewhere.contains("only `windrow syslog`"), "{elsewhere}");

    // The right pin is believed without any authority.
    let server = scratch.join("certs/site/localhost.pem");
    let printed = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(server)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let pin = printed.trim().split_once('=').unwrap().1;
    let pins = ["--endpoint-fingerprint", pin, "--token-file", &*file];
    site.remotely(&pins, &get).expect(0);
    site.service.terminate().expect(0);
}

#[test]
fn what_is_renewed_counts_after_a_reload() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let ada = site.authority.issue(&scratch, "ada.example.com");
    site.service.start();
    let get = || {
        site.client(Some(&ada))
            .ask("POST /v1/syslog/server/get", &[JSON], "{}")
    };
    assert_eq!(get().status, 200);
    site.service.reconfigure(
        "\"ada.example.com\" = \"admin\"",
        "\"bob.example.com\" = \"admin\"",
    );
    site.service.program().signal(rustix::process::Signal::HUP);
    wait_until("the account to be gone", || get().status == 401);
    let port = format!("127.0.0.1:{}", site.port);
    site.service.reconfigure(&port, "127.0.0.1:1");
    site.service.program().signal(rustix::process::Signal::HUP);
    wait_until("a word about what cannot change", || {
        let said = site.service.program().stderr();
        said.contains("[admin] enabled, listen cannot change while windrow runs")
    });
    site.service.terminate().expect(0);
}
