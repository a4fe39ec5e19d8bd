//! Ports to listen at, and destinations to reach.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use windrow_formats::text::Chain;
use windrow_pipeline::azure::{AzureError, Denial, Query};
use windrow_pipeline::sinks::azure_table::probe;
use windrow_pipeline::tls;

use super::finding::{Finding, Outcome};
use crate::config::checked::{
    AzureBlobSink, AzureTableSink, Config, OutputSeverity, Prefix, SyslogSink, Transport,
    WadStorageSource,
};
use crate::lake_place;
use crate::service::{account_of_blob_sink, account_of_sink, account_of_source, no_circle};

/// How long one destination may take to answer, a step.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether every address to listen at is free.
pub(super) fn ports(config: &Config, service_runs: bool) -> Vec<Finding> {
    let mut addresses = BTreeMap::new();
    for (name, source) in &config.source.wef {
        addresses.insert(format!("source wef.{name} port"), source.listen);
    }
    addresses.insert("web port".to_owned(), config.web.listen);
    if config.admin.enabled {
        addresses.insert("endpoint port".to_owned(), config.admin.listen);
    }
    addresses
        .into_iter()
        .map(|(what, address)| port(&what, address, service_runs))
        .collect()
}

pub(super) fn port(what: &str, address: SocketAddr, service_runs: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::new(what, Outcome::Ok, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && service_runs => Finding::new(
            what,
            Outcome::Ok,
            format!("{address} is in use, and the service runs"),
        ),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let cure = format!(
                "`ss -ltnp sport = :{}` names the program that has it; stop it or choose another port",
                address.port()
            );
            Finding::new(what, Outcome::Failed, format!("{address} is in use")).cure(cure)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Finding::new(
            what,
            Outcome::Failed,
            format!("{address} is not an address of this machine"),
        )
        .cure("choose one of `ip address`, or 0.0.0.0 for all"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::new(
            what,
            Outcome::Failed,
            format!("{address} is not allowed to this user"),
        )
        .cure("choose a port of 1024 or above, or give the service CAP_NET_BIND_SERVICE"),
        Err(error) => Finding::new(what, Outcome::Failed, format!("{address}: {error}")),
    }
}

/// Whether every destination can be reached.
pub(super) async fn destinations(config: &Config) -> Vec<Finding> {
    let sinks = config.syslog_sinks().into_iter();
    let enabled = sinks.filter(|(_, sink)| sink.enabled);
    let checks = enabled.map(|(name, sink)| async move {
        let what = format!("sink syslog.{name}");
        let reached = destination(&what, &sink).await;
        [Some(reached), legacy_prefix(&what, &sink)]
    });
    let found = futures::future::join_all(checks).await;
    found.into_iter().flatten().flatten().collect()
}

/// Whether the lake's storage in Azure lets itself be asked; none where the lake is in the data folder.
pub(super) async fn storage(config: &Config) -> Option<Finding> {
    let azure = config.lake.azure.as_ref().filter(|_| config.lake.enabled)?;
    let what = "lake";
    let place = match lake_place::in_azure(azure, &config.data_dir.join("lake")) {
        Ok(place) => place,
        Err(error) => {
            let result = format!("{error:#}");
            let cure = "put the key or the signature into a file of its own, mode 0600";
            return Some(Finding::new(what, Outcome::Failed, result).cure(cure));
        }
    };
    Some(match place.reach().await {
        Ok(()) => Finding::new(what, Outcome::Ok, format!("{} answers", azure.url)),
        Err(error) => {
            let result = format!("{}: {}", azure.url, Chain(&error));
            let cure = "correct [lake], or what it names; until then the journal keeps the events";
            Finding::new(what, Outcome::Failed, result).cure(cure)
        }
    })
}

/// Whether the accounts of table sinks answer and accept what opens them. Nothing is written there.
pub(super) async fn tables(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, sink) in &config.sink.azure_table {
        if sink.enabled {
            findings.push(table_sink(name, sink).await);
        }
    }
    findings
}

async fn table_sink(name: &str, sink: &AzureTableSink) -> Finding {
    let what = format!("sink azure_table.{name}");
    let client = match account_of_sink(name, sink) {
        Ok(client) => client,
        Err(error) => {
            let cure = "put the key or the signature into a file of its own, mode 0600";
            return Finding::new(what, Outcome::Failed, format!("{error:#}")).cure(cure);
        }
    };
    let nothing = Query {
        filter: Some(format!("PartitionKey eq '{}'", probe::PARTITION)),
        top: Some(1),
        ..Query::default()
    };
    let table = sink.tables.first().map_or("WADTable", |table| table.name());
    let account = &sink.account;
    match client.query(table, &nothing).await {
        Ok(_) => Finding::new(what, Outcome::Ok, format!("{account} answers")),
        // The first row makes it.
        Err(error) if error.is_no_table() => {
            let result = format!("{account} answers; {table} is not there yet");
            Finding::new(what, Outcome::Ok, result)
        }
        Err(AzureError::Denied {
            why: Denial::SasPermission { permissions },
            ..
        }) => {
            let result = format!(
                "{account} answers; whether rows can be written is not seen, since the signature may not read (sp={permissions})"
            );
            Finding::new(what, Outcome::Ok, result)
        }
        Err(error) => Finding::new(what, Outcome::Failed, error.to_string())
            .cure("correct it; until then the journal keeps the events"),
    }
}

/// Whether tables that are read can be, and are nobody's here.
pub(super) async fn wad_storage(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = no_circle(config) {
        let what = "sources of Azure storage";
        findings.push(Finding::new(what, Outcome::Failed, error.to_string()));
    }
    for (name, source) in &config.source.wad_storage {
        if source.enabled {
            findings.push(wad_source(name, source).await);
        }
    }
    findings
}

async fn wad_source(name: &str, source: &WadStorageSource) -> Finding {
    let what = format!("source wad_storage.{name}");
    let client = match account_of_source(name, source) {
        Ok(client) => client,
        Err(error) => {
            let cure = "put the key or the signature into a file of its own, mode 0600";
            return Finding::new(what, Outcome::Failed, format!("{error:#}")).cure(cure);
        }
    };
    let one = Query {
        top: Some(1),
        ..Query::default()
    };
    let mut absent = Vec::new();
    for table in &source.tables {
        match client.query(table, &one).await {
            Ok(_) => {}
            Err(error) if error.is_no_table() => absent.push(table.as_str()),
            Err(error) => {
                let cure = "correct it; until then nothing is taken, and nothing is lost";
                return Finding::new(what, Outcome::Failed, error.to_string()).cure(cure);
            }
        }
    }
    let account = &source.account;
    if absent.len() == source.tables.len() {
        let result = format!("{account} answers; it has none of the tables");
        return Finding::new(what, Outcome::Warning, result)
            .cure("name those that it has: `tables = [\"WADWindowsEventLogsTable\"]`");
    }
    let result = match absent.is_empty() {
        true => format!("{account} answers"),
        false => format!("{account} answers; not there yet: {}", absent.join(", ")),
    };
    Finding::new(what, Outcome::Ok, result)
}

/// Whether the accounts of blob sinks answer and accept what opens them. Nothing is put there.
pub(super) async fn blobs(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, sink) in &config.sink.azure_blob {
        if sink.enabled {
            findings.push(blob_sink(name, sink).await);
        }
    }
    findings
}

async fn blob_sink(name: &str, sink: &AzureBlobSink) -> Finding {
    let what = format!("sink azure_blob.{name}");
    let client = match account_of_blob_sink(name, sink) {
        Ok(client) => client,
        Err(error) => {
            let cure = "put the key or the signature into a file of its own, mode 0600";
            return Finding::new(what, Outcome::Failed, format!("{error:#}")).cure(cure);
        }
    };
    let account = &sink.account;
    let mut absent = Vec::new();
    for container in sink.containers.values() {
        match client.blob_properties(container, probe::PARTITION).await {
            Ok(_) => {}
            Err(error) if error.is_no_container() => absent.push(container.as_str()),
            Err(AzureError::Denied {
                why: Denial::SasPermission { permissions },
                ..
            }) => {
                let result = format!(
                    "{account} answers; whether files can be put there is not seen, since the signature may not read (sp={permissions})"
                );
                return Finding::new(what, Outcome::Ok, result);
            }
            Err(error) => {
                return Finding::new(what, Outcome::Failed, error.to_string())
                    .cure("correct it; until then the spool keeps the files");
            }
        }
    }
    let result = match absent.is_empty() {
        true => format!("{account} answers"),
        // The first file makes it.
        false => format!("{account} answers; {} is not there yet", absent.join(", ")),
    };
    Finding::new(what, Outcome::Ok, result)
}

/// Which events destinations get, where it is not all of them.
pub(super) fn filters(config: &Config) -> Vec<Finding> {
    let sinks = config.sink.syslog.iter();
    let filtered = sinks.filter(|(_, sink)| {
        !sink.filter.is_empty() || sink.output_severity != OutputSeverity::Verbose
    });
    filtered
        .map(|(name, sink)| {
            let what = format!("sink syslog.{name} filter");
            let gets = sink.filter.explain(sink.output_severity).join("; ");
            let doubts = sink.filter.doubts();
            if doubts.is_empty() {
                return Finding::new(what, Outcome::Ok, gets);
            }
            let result = format!("{gets}; {}", doubts.join("; "));
            Finding::new(what, Outcome::Warning, result)
                .cure("correct [sink.syslog.NAME.filter], if that is not what was meant")
        })
        .collect()
}

/// The prefix of 2018 in a stream: rsyslog was seen to swallow sixteen lines for one.
fn legacy_prefix(what: &str, sink: &SyslogSink) -> Option<Finding> {
    if sink.prefix != Prefix::LegacyAzureStack || sink.transport == Transport::Udp {
        return None;
    }
    let result = "prefix legacy-azure-stack begins with the year, which a receiver that knows octet counting takes for \
                  a message's length: it swallows that line and others after it";
    let finding = Finding::new(what, Outcome::Warning, result);
    Some(finding.cure("use prefix = \"rfc3164\", or transport = \"udp\""))
}

async fn destination(what: &str, sink: &SyslogSink) -> Finding {
    let place = format!("{}:{}", sink.server_name, sink.port);
    let addresses = match resolve(&sink.server_name, sink.port).await {
        Ok(addresses) => addresses,
        Err(why) => {
            return Finding::new(what, Outcome::Failed, format!("{}: {why}", sink.server_name))
                .cure("correct `server_name`, or the resolver of this machine (`getent hosts NAME` asks it)");
        }
    };
    if sink.transport == Transport::Udp {
        let address = addresses[0];
        return Finding::new(
            what,
            Outcome::Warning,
            format!("{place} is {address}; whether anybody listens cannot be known over udp"),
        )
        .cure("use tcp or tls where the receiver can: over udp messages are lost without a word");
    }
    let (stream, address) = match connect(&addresses).await {
        Ok(connected) => connected,
        Err(why) => {
            return Finding::new(what, Outcome::Failed, format!("{place}: {why}"))
                .cure("see that the receiver runs and that no firewall is between; events wait in the journal meanwhile");
        }
    };
    if sink.transport == Transport::Tcp {
        let result = format!(
            "{place} answers ({address}); anybody on the way can read and change the events"
        );
        return Finding::new(what, Outcome::Warning, result)
            .cure("use transport = \"tls\" where the receiver can");
    }
    match handshake(sink, stream).await {
        Ok(version) => answered(
            what,
            sink,
            format!("{place} answers ({address}, {version})"),
        ),
        Err((why, cure)) => {
            Finding::new(what, Outcome::Failed, format!("{place}: {why}")).cure(cure)
        }
    }
}

/// A receiver that answers over TLS; a check that is left out deserves a look.
fn answered(what: &str, sink: &SyslogSink, result: String) -> Finding {
    let left_out = if sink.fingerprint.is_some() {
        None
    } else if sink.skip_certificate_check {
        Some("its certificate is not checked: whoever answers gets the events")
    } else if sink.skip_name_check {
        Some("its name is not checked: any server with a certificate of the authority will do")
    } else {
        None
    };
    match left_out {
        None => Finding::new(what, Outcome::Ok, result),
        Some(left_out) => Finding::new(what, Outcome::Warning, format!("{result}; {left_out}"))
            .cure(
                "set its `fingerprint`, or a `server_name` and `ca_file` that its certificate fits",
            ),
    }
}

/// How long a receiver has to refuse a client certificate: over TLS 1.3 it does so after the handshake (RFC 8446 4.4.2.4).
const REFUSAL_WAIT: Duration = Duration::from_millis(500);

/// A handshake as the sink would make it; the version agreed upon, or what is wrong and its cure.
async fn handshake(sink: &SyslogSink, stream: TcpStream) -> Result<String, (String, &'static str)> {
    let setup = |error: tls::TlsError| {
        (
            crate::exit::chain(&error),
            "correct the certificates in [sink.syslog]",
        )
    };
    let client = crate::service::tls_client(sink);
    let client = client.map_err(setup)?;
    let name = tls::server_name(&sink.server_name).map_err(setup)?;
    let connecting = tokio_rustls::TlsConnector::from(client.config).connect(name, stream);
    let mut stream = match timeout(STEP_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(refusal(&error)),
        Err(_) => {
            return Err((
                "the TLS handshake does not end".to_owned(),
                "see that TLS is spoken at this port",
            ));
        }
    };
    let mut byte = [0; 1];
    match timeout(
        REFUSAL_WAIT,
        tokio::io::AsyncReadExt::read(&mut stream, &mut byte),
    )
    .await
    {
        Ok(Err(error)) => return Err(refusal(&error)),
        Ok(Ok(0)) => {
            return Err((
                "the receiver closes the connection at once".to_owned(),
                "its log says why",
            ));
        }
        Ok(Ok(_)) | Err(_) => {}
    }
    let version = stream.get_ref().1.protocol_version();
    Ok(version
        .and_then(|version| version.as_str())
        .unwrap_or("TLS")
        .replace("TLSv1_", "TLS 1."))
}

fn refusal(error: &io::Error) -> (String, &'static str) {
    use rustls::{AlertDescription as Alert, Error as Tls};
    use tls::CertificateFault as Fault;
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>());
    let cure = match cause {
        Some(Tls::InvalidCertificate(reason)) => {
            let fault = Fault::of(reason);
            let cure = match fault {
                Fault::UnknownIssuer { .. } => {
                    "name the authority of the receiver's certificate in `ca_file`"
                }
                Fault::OtherName { .. } | Fault::CommonNameOnly { .. } | Fault::NoName { .. } => {
                    "set `server_name` to a name that is in the receiver's certificate, as subject alternative name"
                }
                Fault::Expired { .. } => "the receiver's certificate has to be renewed",
                _ => "the receiver needs another certificate",
            };
            return (format!("its certificate is refused: {fault}"), cure);
        }
        Some(Tls::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            | Alert::HandshakeFailure
            | Alert::CertificateExpired,
        )) => {
            "the receiver wants another client certificate: `client_certificate` and `client_key`; its log says which"
        }
        Some(Tls::InvalidMessage(_)) => {
            "see that TLS is spoken at this port; transport = \"tcp\" is without TLS"
        }
        _ => "the receiver's log may say why",
    };
    (error.to_string(), cure)
}

pub(super) async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = name.trim_matches(['[', ']']);
    match timeout(STEP_TIMEOUT, lookup_host((name, port))).await {
        Err(_) => Err("no answer to the question for its address".to_owned()),
        Ok(Err(error)) => Err(format!("has no address: {error}")),
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.take(8).collect();
            if found.is_empty() {
                Err("has no address".to_owned())
            } else {
                Ok(found)
            }
        }
    }
}

/// Connects to the first address that answers; the last one's fault when none does.
async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let mut fault = "has no address".to_owned();
    for address in addresses {
        match timeout(STEP_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => fault = format!("{address}: {error}"),
            Err(_) => {
                fault = format!(
                    "{address} does not answer within {} s",
                    STEP_TIMEOUT.as_secs()
                )
            }
        }
    }
    Err(fault)
}
