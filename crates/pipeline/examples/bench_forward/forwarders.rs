//! Who forwards, and the two of them that are ours.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use rustls::ClientConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use windrow_formats::cef::Profile;
use windrow_pipeline::journal::Start;
use windrow_pipeline::sinks::syslog::{
    self, Confirmation, Destination, Status, SyslogMetrics, Tls,
};
use windrow_pipeline::tls::{self, Client, ServerCheck};

use crate::installed;
use crate::{input, peers};

/// Bytes of a write, where we write by ourselves: what windrow's sink takes.
const WRITE_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
}

impl Transport {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }
}

impl From<&str> for Transport {
    fn from(word: &str) -> Transport {
        match word {
            "tls" => Transport::Tls,
            _ => Transport::Tcp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarder {
    AzureStack,
    Standard,
    Rsyslog,
    SyslogNg,
    Socket,
}

impl Forwarder {
    /// Those that are here; says which are not.
    pub(crate) fn all() -> Vec<Forwarder> {
        let mut all = vec![Forwarder::AzureStack, Forwarder::Standard];
        for (forwarder, is_here) in [
            (Forwarder::Rsyslog, peers::rsyslog_is_here()),
            (Forwarder::SyslogNg, installed::is_here()),
        ] {
            if is_here {
                all.push(forwarder);
            } else {
                eprintln!("{} is not here (./test fetches it)", forwarder.name());
            }
        }
        all.push(Forwarder::Socket);
        all
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Forwarder::AzureStack => "windrow azure-stack, journal to CEF",
            Forwarder::Standard => "windrow standard, journal to CEF",
            Forwarder::Rsyslog => "rsyslog, file of ready lines",
            Forwarder::SyslogNg => "syslog-ng, file of ready lines",
            Forwarder::Socket => "the socket alone, ready bytes",
        }
    }

    /// What to run; `own` is an empty folder of this run's.
    pub(crate) fn command(
        self,
        transport: Transport,
        port: u16,
        folder: &Path,
        own: &Path,
        lines: u64,
    ) -> Command {
        let us = |role: &str| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg(role).arg(folder);
            command.args([&port.to_string(), transport.word()]);
            command
        };
        let cursor = own.file_name().unwrap();
        match self {
            Forwarder::AzureStack | Forwarder::Standard => {
                let mut command = us("windrow");
                let profile = match self {
                    Forwarder::Standard => "standard",
                    _ => "azure-stack",
                };
                command.arg(profile).arg(cursor);
                command
            }
            Forwarder::Socket => {
                let mut command = us("socket");
                command.arg(lines.to_string());
                command
            }
            Forwarder::Rsyslog => peers::rsyslog(transport, port, folder, own),
            Forwarder::SyslogNg => peers::syslog_ng(transport, port, folder, own),
        }
    }
}

/// The process that sends the journal as the service does, until it is killed.
pub(crate) fn windrow(folder: &Path, port: u16, transport: Transport, profile: &str, name: &str) {
    let transport = match transport {
        Transport::Tcp => syslog::Transport::Tcp,
        Transport::Tls => syslog::Transport::Tls(Tls {
            client: client(folder),
            server_name: None,
        }),
    };
    let mut destination =
        Destination::new(name.to_owned(), "localhost".to_owned(), port, transport);
    destination.confirmation = Confirmation::TcpAcked;
    destination.format = input::settings(match profile {
        "standard" => Profile::Standard,
        _ => Profile::AzureStack,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let journal = input::open(folder);
        let cursor = journal.cursor(name, Start::Oldest).unwrap();
        let (status, _watch) = watch::channel(Status::new(&destination));
        let metrics = SyslogMetrics::default();
        syslog::run(
            destination,
            cursor,
            &metrics,
            status,
            CancellationToken::new(),
        )
        .await;
    });
}

/// The process that sends lines it has in memory.
pub(crate) fn socket(folder: &Path, port: u16, transport: Transport, lines: u64) {
    let mut file = std::fs::File::open(folder.join("lines")).unwrap();
    let mut block = vec![0; WRITE_BYTES];
    file.read_exact(&mut block).unwrap();
    let end = block.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    block.truncate(end);
    let lines_of_block = block.iter().filter(|byte| **byte == b'\n').count() as u64;
    let blocks = lines.div_ceil(lines_of_block);
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    match transport {
        Transport::Tcp => (0..blocks).for_each(|_| tcp.write_all(&block).unwrap()),
        Transport::Tls => {
            let name = "localhost".try_into().unwrap();
            let mut session = ClientConnection::new(client(folder).config, name).unwrap();
            session.complete_io(&mut tcp).unwrap();
            for _ in 0..blocks {
                let mut stream = rustls::Stream::new(&mut session, &mut tcp);
                stream.write_all(&block).unwrap();
            }
        }
    }
    // Until it is killed, so that its time can be read.
    std::thread::park();
}

fn client(folder: &Path) -> Client {
    let roots = std::fs::read_to_string(folder.join("certificate.pem")).unwrap();
    tls::client_from_pem(&roots, None, ServerCheck::Full).unwrap()
}
