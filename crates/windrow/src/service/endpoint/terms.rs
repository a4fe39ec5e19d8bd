//! What counts at the endpoint now: its certificate, whose certificates it asks for, and what their names may do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use windrow_pipeline::tls;

use crate::access::Role;
use crate::config::checked;

/// One state of `[admin]`, with the files that it names as they were read.
pub(super) struct Terms {
    pub(super) tls: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    /// Whose certificates clients show.
    client_ca: Vec<CertificateDer<'static>>,
    roles: BTreeMap<String, Role>,
}

impl Terms {
    pub(super) fn new(admin: &checked::Admin) -> anyhow::Result<Terms> {
        let identity = admin.identity.as_ref().context("there is no certificate")?;
        let client_ca = admin.client_ca.as_deref();
        let config = tls::open_server_config(&identity.certificate, &identity.key, client_ca)?;
        let chain = tls::load_certificates(&identity.certificate)?;
        let certificate = chain.into_iter().next();
        let client_ca = client_ca.map(tls::load_certificates).transpose()?;
        Ok(Terms {
            client_ca: client_ca.unwrap_or_default(),
            tls: config,
            certificate: certificate.context("there is no certificate")?,
            roles: admin.certificates.clone(),
        })
    }

    /// Whether certificates are checked as under `other`: what was shown there has been checked here too.
    pub(super) fn believes_as(&self, other: &Terms) -> bool {
        self.client_ca == other.client_ca
    }

    /// What whoever shows a certificate of this name may do.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        self.roles.get(name).copied()
    }

    /// Whether `host`, as a request names it, is this endpoint, which was reached at `address`: a name in its certificate,
    /// or that address. A page of another site that was made to resolve to this machine names another.
    pub(super) fn is_named(&self, host: &str, address: IpAddr) -> bool {
        let name = without_port(host);
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        if literal
            .parse::<IpAddr>()
            .is_ok_and(|host| host.to_canonical() == address)
        {
            return true;
        }
        let here = address.is_loopback() && name.eq_ignore_ascii_case("localhost");
        here || tls::is_for(&self.certificate, literal)
    }
}

/// A `Host` header without the port (RFC 9110 7.2).
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            // `::1` without brackets is no host with a port.
            if name.contains(':') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::checked::EndpointIdentity;
    use crate::pki::{COLLECTOR, Existing, Store};

    #[test]
    fn it_has_the_names_of_its_certificate_and_the_address_that_was_reached() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let names = ["wec.example.com".to_owned()];
        let issued = store.authority("test").unwrap().server(&names).unwrap();
        store.save(COLLECTOR, &issued, Existing::Refuse).unwrap();
        let admin = checked::Admin {
            enabled: true,
            listen: ([127, 0, 0, 1], 0).into(),
            identity: Some(EndpointIdentity {
                certificate: store.certificate_path(COLLECTOR),
                key: store.key_path(COLLECTOR),
            }),
            client_ca: None,
            certificates: BTreeMap::new(),
        };
        let terms = Terms::new(&admin).unwrap();
        for (host, reached, is_it) in [
            ("wec.example.com:9443", "192.0.2.1", true),
            ("WEC.example.com", "192.0.2.1", true),
            ("192.0.2.1:9443", "192.0.2.1", true),
            ("[2001:db8::1]:9443", "2001:db8::1", true),
            ("localhost:9443", "127.0.0.1", true),
            ("localhost:9443", "192.0.2.1", false),
            ("192.0.2.2:9443", "192.0.2.1", false),
            ("evil.example", "127.0.0.1", false),
            ("wec.example.com.evil.example", "192.0.2.1", false),
            ("", "192.0.2.1", false),
        ] {
            let named = terms.is_named(host, reached.parse().unwrap());
            assert_eq!(named, is_it, "{host} at {reached}");
        }
    }

    #[test]
    fn a_host_goes_with_and_without_a_port() {
        for (host, name) in [
            ("wec.example.com:9443", "wec.example.com"),
            ("wec.example.com", "wec.example.com"),
            ("192.0.2.1:9443", "192.0.2.1"),
            ("[::1]:9443", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), name, "{host}");
        }
    }
}
