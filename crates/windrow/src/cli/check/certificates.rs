//! Certificates and keys: whether they can be read, belong together, are valid now and for a while, and carry the
//! name that machines ask for.

use std::path::Path;

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use windrow_pipeline::kerberos::{self, Principal};
use windrow_pipeline::tls::{self, RevocationList, TlsError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::finding::{Finding, Outcome};
use crate::config::checked::{
    Admin, Config, ExpiredCrl, KerberosAccounts, SyslogSink, WefAuthentication, WefKerberos,
    WefSource, WefTls,
};
use crate::setup::REFRESH_SECONDS;
use crate::setup::manager::{self, Proof};

/// A certificate that ends sooner deserves a look.
const WARN_BEFORE_S: i64 = 30 * 86_400;
/// A list of revoked certificates that is over sooner: authorities publish the next one some time before, those of
/// Windows a tenth of a week.
const LIST_ENDS_SOON_SECONDS: i64 = 12 * 3_600;
/// The cure for a file that is not there or not ours to read.
const READABLE: &str = "correct the path, or make the file readable for windrow's user";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let now = jiff::Timestamp::now().as_second();
    let sources = config
        .source
        .wef
        .iter()
        .flat_map(|(name, source)| source_certificates(name, source, now));
    let sinks = config.syslog_sinks();
    let sinks = sinks
        .iter()
        .flat_map(|(name, sink)| sink_certificates(name, sink, now));
    let endpoint = endpoint_certificates(&config.admin, now);
    sources.chain(sinks).chain(endpoint).collect()
}

/// Of the privileged endpoint, where it is to be open.
pub(super) fn endpoint_certificates(admin: &Admin, now: i64) -> Vec<Finding> {
    let Some(identity) = admin.identity.as_ref().filter(|_| admin.enabled) else {
        return Vec::new();
    };
    let (certificate, key) = (&identity.certificate, &identity.key);
    let shown = pair("endpoint certificate", certificate, key, now, |_, leaf| {
        is_for_servers(leaf)
    });
    let asked = admin.client_ca.iter();
    let asked = asked.map(|file| authority("endpoint accounts' CA", file, now));
    [shown].into_iter().chain(asked).collect()
}

pub(super) fn source_certificates(name: &str, source: &WefSource, now: i64) -> Vec<Finding> {
    let what = format!("source wef.{name}");
    let files = match &source.authentication {
        WefAuthentication::Tls(files) => files,
        WefAuthentication::Kerberos(kerberos) => return vec![keytab(&what, kerberos, source)],
    };
    let mut findings = vec![
        pair(
            &format!("{what} certificate"),
            &files.certificate,
            &files.key,
            now,
            |chain, leaf| serves(chain, leaf, &source.hostname),
        ),
        authority(&format!("{what} machines' CA"), &files.client_ca, now),
    ];
    if !files.crl.is_empty() {
        findings.extend(revocation(
            &format!("{what} revoked certificates"),
            files,
            now,
        ));
    }
    findings
}

/// The lists of revoked certificates: read, still good, and of every authority of the machines.
fn revocation(what: &str, files: &WefTls, now: i64) -> Vec<Finding> {
    let lists = match tls::revocation_lists(&files.crl) {
        Err(error) => {
            let fault = format!("{:#}", anyhow::Error::new(error));
            let cure = "publish it anew from the authority, in PEM or DER";
            return vec![Finding::new(what, Outcome::Failed, fault).cure(cure)];
        }
        Ok(lists) => lists,
    };
    let mut findings: Vec<_> = lists
        .iter()
        .map(|list| {
            let file = list.path.display();
            let (issuer, revoked) = (&list.issuer, list.revoked);
            match list.next_update {
                Some(at) if at.as_second() < now => {
                    let result = format!("{file} of {issuer}: the next one was due at {at}");
                    let outcome = match files.expired_crl {
                        ExpiredCrl::Use => Outcome::Warning,
                        ExpiredCrl::Refuse => Outcome::Failed,
                    };
                    Finding::new(what, outcome, result)
                        .cure("fetch the authority's next list; it is taken up by itself")
                }
                Some(at) if at.as_second() < now + LIST_ENDS_SOON_SECONDS => {
                    let result = format!("{file} of {issuer}: the next one is due at {at}");
                    Finding::new(what, Outcome::Warning, result).cure(
                        "see that the authority publishes its lists, and that they are fetched",
                    )
                }
                _ => {
                    let result = format!("{file} of {issuer}, {revoked} revoked");
                    Finding::new(what, Outcome::Ok, result)
                }
            }
        })
        .collect();
    findings.extend(without_list(what, files, &lists));
    findings
}

/// Authorities of the machines of which no list is there: nothing of theirs is revoked.
fn without_list(what: &str, files: &WefTls, lists: &[RevocationList]) -> Vec<Finding> {
    let authorities = read_chain(&files.client_ca).unwrap_or_default();
    let subjects = authorities.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.subject().to_string())
    });
    subjects
        .filter(|subject| lists.iter().all(|list| list.issuer != *subject))
        .map(|subject| {
            let result =
                format!("no list of {subject}: none of its certificates counts as revoked");
            Finding::new(what, Outcome::Warning, result).cure("add its list to `crl`")
        })
        .collect()
}

/// The keys of the collector's account: whether they can be used, and are for the name that machines ask for.
fn keytab(what: &str, configured: &WefKerberos, source: &WefSource) -> Finding {
    let what = format!("{what} keytab");
    let principals = configured.principals.iter();
    let principals = principals.filter_map(|principal| Principal::parse(principal).ok());
    let accounts = kerberos::Accounts::Machines;
    let server = kerberos::Server::new(&configured.keytab, principals.collect(), accounts);
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            let fault = format!("{:#}", anyhow::Error::new(error));
            let cure = "make it with ktpass or ktutil for HTTP/ and HOST/ of the collector's name, with AES256";
            return Finding::new(what, Outcome::Failed, fault).cure(cure);
        }
    };
    let names = server.principals();
    let result = format!("{}: {}", configured.keytab.display(), names.join(", "));
    let lacks = ["HTTP", "HOST"].into_iter().find(|service| {
        let wanted = format!("{service}/{}@", source.hostname);
        let is = |name: &String| {
            let start = name.get(..wanted.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&wanted))
        };
        !names.iter().any(is)
    });
    match lacks {
        Some(service) => {
            let result = format!("{result}; not {service}/{}", source.hostname);
            Finding::new(what, Outcome::Warning, result)
                .cure("add it: machines ask for HTTP/, those of Windows Server 2025 for HOST/")
        }
        None if configured.accounts == KerberosAccounts::All => {
            let result = format!("{result}; any account of the domain may send events");
            Finding::new(what, Outcome::Warning, result)
                .cure("leave out `accounts`: then those of machines alone may")
        }
        None => Finding::new(what, Outcome::Ok, result),
    }
}

/// What to put into the group policy "Configure target Subscription Manager" (MS-WSMV 3.1.4.1.30; the thumbprint is
/// that of the authority of the machines' certificates).
pub(super) fn group_policies(config: &Config) -> Vec<Finding> {
    let refresh = config.fleet.refresh.map(|refresh| refresh.0.as_secs());
    let refresh = refresh.and_then(|seconds| u32::try_from(seconds).ok());
    let refresh = refresh.unwrap_or(REFRESH_SECONDS);
    let sources = config.source.wef.iter();
    let lines = sources.flat_map(|(name, source)| {
        let place = (source.hostname.as_str(), source.listen.port());
        let value = |proof: Proof<'_>| manager::value(proof, place, &source.path, refresh);
        let lines = match &source.authentication {
            WefAuthentication::Kerberos(_) => vec![value(Proof::Kerberos)],
            WefAuthentication::Tls(files) => {
                let chain = read_chain(&files.client_ca).unwrap_or_default();
                let authorities = tls::Authorities::new(&files.client_ca, &chain).ok();
                let thumbprints = authorities.iter().flat_map(tls::Authorities::issuing);
                thumbprints
                    .map(|thumbprint| value(Proof::Certificate(thumbprint)))
                    .collect()
            }
        };
        lines.into_iter().map(move |line| {
            Finding::new(format!("source wef.{name} group policy"), Outcome::Ok, line)
        })
    });
    lines.collect()
}

fn sink_certificates(name: &str, sink: &SyslogSink, now: i64) -> Vec<Finding> {
    let what = format!("sink syslog.{name}");
    let mut findings = Vec::new();
    if let Some(file) = &sink.ca_file {
        findings.push(authority(&format!("{what} CA"), file, now));
    }
    if let Some(client) = &sink.client {
        let what = format!("{what} client certificate");
        findings.push(pair(
            &what,
            &client.certificate,
            &client.key,
            now,
            |_, leaf| is_for_clients(leaf),
        ));
    }
    findings
}

/// What is wrong, and its cure.
type Fault = (String, &'static str);

/// A certificate with its key. `fits` says whether it can do what it is for.
fn pair(
    what: &str,
    certificate: &Path,
    key: &Path,
    now: i64,
    fits: impl Fn(&[CertificateDer<'static>], &X509Certificate<'_>) -> Result<(), Fault>,
) -> Finding {
    let checked = read_chain(certificate).and_then(|chain| {
        let leaf = parse(&chain[0], certificate)?;
        let key = read_key(key)?;
        keys_match(&chain, key)?;
        fits(&chain, &leaf)?;
        chain_links(&chain)?;
        validity(&leaf, now)
    });
    finding(what, certificate, checked)
}

/// The certificates of an authority.
fn authority(what: &str, file: &Path, now: i64) -> Finding {
    let checked = read_chain(file).and_then(|chain| {
        let mut soonest = None;
        for der in &chain {
            let certificate = parse(der, file)?;
            if !certificate.is_ca() {
                let subject = certificate.subject();
                return Err((
                    format!("`{subject}` is not an authority's certificate"),
                    "name the file of the CA that issues, not of what it issued",
                ));
            }
            let ends = validity(&certificate, now)?;
            soonest = Some(soonest.map_or(
                ends,
                |sooner: Ends| if ends.at < sooner.at { ends } else { sooner },
            ));
        }
        soonest.ok_or_else(|| no_certificate(file))
    });
    finding(what, file, checked)
}

fn finding(what: &str, file: &Path, checked: Result<Ends, Fault>) -> Finding {
    match checked {
        Err((fault, cure)) => Finding::new(what, Outcome::Failed, fault).cure(cure),
        Ok(ends) => {
            let day = jiff::Timestamp::from_second(ends.at)
                .map_or_else(|_| "?".to_owned(), |at| at.strftime("%F").to_string());
            let result = format!("{}, valid until {day}", file.display());
            if ends.soon {
                Finding::new(what, Outcome::Warning, result)
                    .cure("renew it; a reload (SIGHUP) takes it up")
            } else {
                Finding::new(what, Outcome::Ok, result)
            }
        }
    }
}

fn no_certificate(file: &Path) -> Fault {
    (
        format!("{} holds no certificate", file.display()),
        "it has to be PEM: -----BEGIN CERTIFICATE-----",
    )
}

/// The certificates of a PEM file; at least one.
fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(no_certificate(file)),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    fs_err::read(file).map_err(|error| (error.to_string(), READABLE))
}

/// What of a key's mode lets in more than its owner and the readers of its group.
const BEYOND_A_GROUP: u32 = 0o137;

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    // The service's own rule: what this says is what a start would say.
    tls::load_key(file).map_err(|error| match error {
        TlsError::KeyPermissions { mode, .. } => (
            format!(
                "{} can be read by others (mode {:o})",
                file.display(),
                mode & 0o777
            ),
            match mode & BEYOND_A_GROUP {
                0 => "chmod 600 it; where its group is that of the service, check as the service: sudo -u windrow windrow check",
                _ => "chmod 600 it",
            },
        ),
        TlsError::Read { source, .. } => (
            format!("cannot read {}: {source}", file.display()),
            READABLE,
        ),
        _ => (
            format!("{} holds no private key that can be read", file.display()),
            "it has to be PEM and not encrypted: -----BEGIN PRIVATE KEY-----",
        ),
    })
}

fn parse<'a>(der: &'a CertificateDer<'_>, file: &Path) -> Result<X509Certificate<'a>, Fault> {
    let parsed = X509Certificate::from_der(der.as_ref());
    parsed
        .map(|(_, certificate)| certificate)
        .map_err(|_| no_certificate(file))
}

fn keys_match(chain: &[CertificateDer<'static>], key: PrivateKeyDer<'static>) -> Result<(), Fault> {
    let signing = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| {
        (
            "the private key is of a kind TLS does not use".to_owned(),
            "use ECDSA P-256 or RSA of at least 2048 bits",
        )
    })?;
    CertifiedKey::new(chain.to_vec(), signing).keys_match().map_err(|_| {
        let cure = "name the key this certificate was made with, and put the certificate before those of its CA";
        ("the private key is not that of the certificate".to_owned(), cure)
    })
}

/// In a file with more than one certificate, each is issued by the next.
fn chain_links(chain: &[CertificateDer<'static>]) -> Result<(), Fault> {
    let [leaf, between @ .., last] = chain else {
        return Ok(());
    };
    let unfit = |_| {
        (
            "the certificates in the file do not lead from one to the next".to_owned(),
            "order: the certificate itself, then its issuer, and so on",
        )
    };
    let mut roots = RootCertStore::empty();
    roots.add(last.clone()).map_err(unfit)?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(unfit)?;
    let algorithms = aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    match verify_server_cert_signed_by_trust_anchor(
        &leaf,
        &roots,
        between,
        UnixTime::now(),
        algorithms,
    ) {
        Ok(()) => Ok(()),
        // Times are told by `validity`, which names the day.
        Err(rustls::Error::InvalidCertificate(error)) if is_about_time(&error) => Ok(()),
        Err(error) => Err(unfit(error)),
    }
}

fn is_about_time(error: &rustls::CertificateError) -> bool {
    use rustls::CertificateError as E;
    matches!(
        error,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. }
    )
}

/// A server's certificate carries the name it is reached by, as a subject alternative name (RFC 6125 6.4).
fn serves(
    chain: &[CertificateDer<'static>],
    leaf: &X509Certificate<'_>,
    hostname: &str,
) -> Result<(), Fault> {
    is_for_servers(leaf)?;
    let unfit = || {
        let names = alternative_names(leaf);
        let fault = format!("the certificate is for {names}, and `hostname` is {hostname}");
        (
            fault,
            "issue it with the host name as subject alternative name (the common name does not count)",
        )
    };
    let name = ServerName::try_from(hostname.to_owned()).map_err(|_| unfit())?;
    let parsed = ParsedCertificate::try_from(&chain[0]).map_err(|_| unfit())?;
    verify_server_name(&parsed, &name).map_err(|_| unfit())
}

fn alternative_names(certificate: &X509Certificate<'_>) -> String {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return "no name".to_owned();
    };
    let names: Vec<String> = extension
        .value
        .general_names
        .iter()
        .take(8)
        .map(shown_name)
        .collect();
    if names.is_empty() {
        "no name".to_owned()
    } else {
        names.join(", ")
    }
}

fn shown_name(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress([a, b, c, d]) => std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string(),
        other => other.to_string(),
    }
}

fn is_for_servers(leaf: &X509Certificate<'_>) -> Result<(), Fault> {
    match leaf.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.server_auth && !usage.value.any => Err((
            "the certificate is not for servers".to_owned(),
            "issue it with extended key usage serverAuth",
        )),
        _ => Ok(()),
    }
}

fn is_for_clients(leaf: &X509Certificate<'_>) -> Result<(), Fault> {
    match leaf.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.client_auth && !usage.value.any => Err((
            "the certificate is not for clients".to_owned(),
            "issue it with extended key usage clientAuth",
        )),
        _ => Ok(()),
    }
}

/// When a certificate ends, in seconds since 1970.
#[derive(Clone, Copy)]
struct Ends {
    at: i64,
    soon: bool,
}

fn validity(certificate: &X509Certificate<'_>, now: i64) -> Result<Ends, Fault> {
    let begins = certificate.validity().not_before.timestamp();
    let at = certificate.validity().not_after.timestamp();
    let day = |at| {
        jiff::Timestamp::from_second(at).map_or_else(
            |_| "?".to_owned(),
            |at| at.strftime("%F %H:%M UTC").to_string(),
        )
    };
    if now < begins {
        let fault = format!("the certificate is valid only from {}", day(begins));
        return Err((fault, "set the clock of this machine, or wait"));
    }
    if now > at {
        return Err((format!("the certificate ended on {}", day(at)), "renew it"));
    }
    Ok(Ends {
        at,
        soon: at - now < WARN_BEFORE_S,
    })
}
