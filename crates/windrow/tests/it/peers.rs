//! The peers themselves: a receiver that lets everybody in would make every TLS test pass.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use crate::support::certs::{Authority, Pair};
use crate::support::rsyslog::{Listener, Rsyslog, extension};
use crate::support::{Scratch, installed, wait_until};

const MESSAGE: &str = "<132>Nov 21 10:00:00 dc1 CEF:0|M|P|1|a:1|n|3|MasChannel=Security MasComputer=dc1 MasEventRecordID=7";

#[test]
fn rsyslog_hears_udp_and_tcp() {
    if !installed("rsyslogd") {
        return;
    }
    let scratch = Scratch::new();
    let udp = Rsyslog::start(&scratch, "udp", &Listener::Udp);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .send_to(MESSAGE.as_bytes(), ("127.0.0.1", udp.port))
        .unwrap();
    wait_until("the datagram", || udp.messages() == format!("{MESSAGE}\n"));

    let mut tcp = Rsyslog::start(&scratch, "tcp", &Listener::Tcp);
    let mut stream = TcpStream::connect(("127.0.0.1", tcp.port)).unwrap();
    stream
        .write_all(format!("{} {MESSAGE}{MESSAGE}\n", MESSAGE.len()).as_bytes())
        .unwrap();
    wait_until("both framings", || {
        tcp.messages() == format!("{MESSAGE}\n{MESSAGE}\n")
    });
    assert_eq!(
        tcp.events()[&("dc1".to_owned(), "Security".to_owned())][&7],
        2
    );

    tcp.kill();
    tcp.resume();
    let mut stream = TcpStream::connect(("127.0.0.1", tcp.port)).unwrap();
    stream.write_all(format!("{MESSAGE}\n").as_bytes()).unwrap();
    wait_until("what came after the restart", || {
        tcp.messages().lines().count() == 3
    });
    tcp.stop();
}

#[test]
fn rsyslog_lets_in_the_named_client_alone() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "authority");
    let server = authority.issue(&scratch, "localhost");
    let listener = Listener::MutualTls {
        server: &server,
        authority: &authority,
        peer: "collector.test",
    };
    let rsyslog = Rsyslog::start(&scratch, "mutual", &listener);

    let stranger = authority.issue(&scratch, "stranger.test");
    send(&rsyslog, &authority, Some(&stranger), "stranger");
    send(&rsyslog, &authority, None, "nobody");
    let named = authority.issue(&scratch, "collector.test");
    send(&rsyslog, &authority, Some(&named), "named");
    wait_until("the named client's message", || {
        rsyslog.messages().contains("named")
    });
    assert_eq!(
        rsyslog.messages().lines().count(),
        1,
        "{}",
        rsyslog.messages()
    );
    wait_until("a word about the stranger", || {
        rsyslog.complaints().contains("stranger.test")
    });
}

#[test]
fn rsyslog_over_tls_needs_no_client_certificate() {
    if !installed("rsyslogd") || !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "authority");
    let server = authority.issue(&scratch, "localhost");
    let rsyslog = Rsyslog::start(&scratch, "tls", &Listener::Tls(&server));
    send(&rsyslog, &authority, None, "anybody");
    wait_until("the message", || rsyslog.messages().contains("anybody"));
}

#[test]
fn extensions_are_found_by_their_whole_key() {
    assert_eq!(extension(MESSAGE, "MasEventRecordID"), Some("7"));
    assert_eq!(extension(MESSAGE, "RecordID"), None);
}

/// Sends one line with openssl's client, which is nobody's code here. Whether it was let in is
/// for the receiver to say.
fn send(rsyslog: &Rsyslog, authority: &Authority, client: Option<&Pair>, text: &str) {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-no_ign_eof", "-verify_return_error"])
        .args(["-verify_hostname", "localhost", "-connect"])
        .arg(format!("127.0.0.1:{}", rsyslog.port))
        .arg("-CAfile")
        .arg(&authority.certificate);
    if let Some(client) = client {
        command.arg("-cert").arg(&client.certificate);
        command.arg("-key").arg(&client.key);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // openssl ends when its input does: the line waits until the handshake is through.
    let said = BufReader::new(child.stdout.take().unwrap());
    let shaken = said
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("Verify return code: 0"));
    let mut stdin = child.stdin.take().unwrap();
    if shaken {
        let _ = stdin.write_all(format!("<132>Nov 21 10:00:00 h t: {text}\n").as_bytes());
    }
    drop(stdin);
    child.wait().unwrap();
}
