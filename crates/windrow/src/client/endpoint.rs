//! The way to the privileged endpoint of another machine: TCP, TLS, and what is shown there of who asks. A failure says
//! what helps.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use http::Uri;
use http::uri::Scheme;
use rustls::AlertDescription;
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use windrow_pipeline::tls::{self, CertificateFault, IdentityFiles, Roots, ServerCheck};

use crate::exit::{UsageError, hinted};

/// Time in which one address has to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Time a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The port of a URL that names none.
const HTTPS: u16 = 443;

/// Where the endpoint is, whom it is believed by, and what is shown there.
#[derive(Debug)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) place: Place,
    /// Authorities of its certificate.
    pub(crate) roots: Roots,
    /// What is checked of it.
    pub(crate) check: ServerCheck,
    /// A certificate to be shown.
    pub(crate) identity: Option<IdentityFiles>,
    /// A token to be shown.
    pub(crate) token: Option<SecretString>,
}

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// Reads `https://host:port`.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn of_url(url: &str) -> Result<Place, UsageError> {
        let wrong = |why: &str| {
            let example = "expected one such as https://collector.example.com:9443";
            UsageError(format!("{url:?} is no endpoint: {why}; {example}"))
        };
        let uri: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(wrong("it does not begin with https://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it has a path"));
        }
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("it names no machine"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it names a user, and a token is shown instead"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        Ok(Place {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(HTTPS),
        })
    }

    /// As a `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Connects and makes the handshake.
///
/// # Errors
/// With what helps.
pub(super) async fn open(target: &Target) -> anyhow::Result<TlsStream<TcpStream>> {
    let place = &target.place;
    let client = tls::client_config(
        &target.roots,
        target.identity.as_ref(),
        target.check.clone(),
    )?;
    let name = tls::server_name(&place.host)?;
    let tcp = connect(place).await?;
    let _ = tcp.set_nodelay(true);
    let handshake = TlsConnector::from(client.config.clone()).connect(name, tcp);
    let at = place.authority();
    match timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(of_handshake(error, &at)),
        Err(_) => Err(hinted(
            anyhow::anyhow!("{at} did not finish the TLS handshake within {HANDSHAKE:?}"),
            "is that the endpoint's port?",
        )),
    }
}

async fn connect(place: &Place) -> anyhow::Result<TcpStream> {
    let at = place.authority();
    let found = tokio::net::lookup_host((place.host.as_str(), place.port)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("cannot resolve {}", place.host));
            let cure =
                "see that the name is spelled as the name server has it, or give the address";
            return Err(hinted(error, cure));
        }
    };
    let mut last = None;
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
        }
    }
    let error = last.with_context(|| format!("{} has no address", place.host))?;
    let cure = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "see that windrow runs there with [admin] enabled = true, listens on this port and not on 127.0.0.1 alone"
        }
        io::ErrorKind::TimedOut => {
            "see that the machine is up and that no firewall swallows what goes to this port"
        }
        _ => "see that there is a route to it and no firewall refuses",
    };
    Err(hinted(
        anyhow::Error::new(error).context(format!("cannot connect to {at}")),
        cure,
    ))
}

fn of_handshake(error: io::Error, at: &str) -> anyhow::Error {
    let (said, cure) = match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            of_certificate(&CertificateFault::of(reason))
        }
        Some(rustls::Error::AlertReceived(alert)) => match of_alert(*alert) {
            Some((said, cure)) => (said.to_owned(), cure.to_owned()),
            None => (
                format!("it refuses the handshake ({alert:?})"),
                "the service's log may say why".to_owned(),
            ),
        },
        Some(rustls::Error::InvalidMessage(_)) => (
            "it does not speak TLS".to_owned(),
            "is that the port of /healthz and /metrics? The endpoint's is [admin] listen"
                .to_owned(),
        ),
        _ => {
            let error = anyhow::Error::new(error);
            let error = error.context(format!("TLS handshake with {at} failed"));
            return hinted(error, "is that the endpoint's port?");
        }
    };
    hinted(anyhow::anyhow!("{at}: {said}"), cure)
}

/// What a certificate lacks, and what helps here.
fn of_certificate(fault: &CertificateFault) -> (String, String) {
    let pin = |fingerprint: &tls::Fingerprint| {
        format!(
            "compare {fingerprint} with what its administrator sees, and give it as --endpoint-fingerprint"
        )
    };
    let (said, cure) = match fault {
        CertificateFault::OtherName { expected, names } => (
            format!("it is for {names} and not for {expected}"),
            "call it by one of those names".to_owned(),
        ),
        CertificateFault::CommonNameOnly { expected, .. }
        | CertificateFault::NoName { expected } => (
            "it has no subject alternative name, and a common name alone does not count".to_owned(),
            format!("have one made with {expected} as subject alternative name"),
        ),
        CertificateFault::UnknownIssuer { issuer } => (
            format!("no trusted authority has issued it (its issuer is {issuer:?})"),
            "name that authority's certificate with --endpoint-ca".to_owned(),
        ),
        CertificateFault::SelfSigned { fingerprint } => (
            "it is self-signed and not trusted".to_owned(),
            pin(fingerprint),
        ),
        CertificateFault::Authority { fingerprint } => (
            "it is a certificate authority's own (CA:TRUE), which does not stand for a server"
                .to_owned(),
            pin(fingerprint),
        ),
        CertificateFault::OtherFingerprint { expected, found } => (
            format!("its fingerprint is {found} and not {expected}"),
            "if it has a new certificate, compare the value with what its administrator sees"
                .to_owned(),
        ),
        CertificateFault::Expired { not_after } => (
            format!("it has expired on {not_after}"),
            "the endpoint needs a new one".to_owned(),
        ),
        CertificateFault::NotYetValid { not_before } => (
            format!("it is not valid before {not_before}"),
            "are both clocks right?".to_owned(),
        ),
        other => (other.to_string(), "have another one made".to_owned()),
    };
    (
        format!("the endpoint's certificate is refused: {said}"),
        cure,
    )
}

/// What the other side says of the certificate that it was shown, or of there being none.
fn of_alert(alert: AlertDescription) -> Option<(&'static str, &'static str)> {
    use AlertDescription as Alert;
    Some(match alert {
        Alert::ProtocolVersion => (
            "it speaks neither TLS 1.2 nor TLS 1.3",
            "older versions are not spoken here: is that windrow's endpoint?",
        ),
        Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown => (
            "it refuses our certificate: not issued by an authority that it trusts",
            "[admin] client_ca there names the authority; --endpoint-certificate has to lead to it",
        ),
        Alert::CertificateExpired => (
            "it refuses our certificate: expired",
            "have a new one issued",
        ),
        Alert::CertificateRevoked | Alert::UnsupportedCertificate | Alert::AccessDenied => (
            "it refuses our certificate",
            "it has to be one for clients (extended key usage clientAuth)",
        ),
        Alert::CertificateRequired => (
            "it wants a certificate",
            "give one with --endpoint-certificate and --endpoint-key",
        ),
        _ => return None,
    })
}

/// What the other side says of our certificate after the handshake, as TLS 1.3 has it.
pub(super) fn late_refusal(error: &(dyn std::error::Error + 'static)) -> Option<anyhow::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let found = error.downcast_ref().and_then(tls_error);
        if let Some(rustls::Error::AlertReceived(alert)) = found {
            let (said, cure) = of_alert(*alert)?;
            return Some(hinted(anyhow::anyhow!("{said}"), cure));
        }
        cause = error.source();
    }
    None
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port_and_no_more() {
        let authority = |url: &str| Place::of_url(url).map(|place| place.authority()).ok();
        for (url, expected) in [
            ("https://wec.example.com:9443", Some("wec.example.com:9443")),
            ("https://wec.example.com/", Some("wec.example.com:443")),
            ("HTTPS://192.0.2.1:1", Some("192.0.2.1:1")),
            ("https://[::1]:9443", Some("[::1]:9443")),
            ("http://wec.example.com:9443", None),
            ("wec.example.com:9443", None),
            ("https://ada:secret@wec.example.com", None),
            ("https://wec.example.com/v1", None),
            ("https://wec.example.com/?a=b", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(authority(url).as_deref(), expected, "{url}");
        }
    }
}
