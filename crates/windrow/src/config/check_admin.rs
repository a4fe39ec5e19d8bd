//! `[admin]`: what only makes sense together.

use std::net::SocketAddr;

use toml::Spanned;

use super::check::Source;
use super::checked::{Admin, EndpointIdentity};
use super::{ConfigError, limits, raw};

/// Where the endpoint listens where nothing else is said.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 9443);

/// Checks the table.
///
/// # Errors
/// Where in the text what is wrong.
pub(super) fn admin(source: Source<'_>, raw: raw::Admin) -> Result<Admin, ConfigError> {
    let identity = match (raw.certificate, raw.key) {
        (Some(certificate), Some(key)) => Some(EndpointIdentity {
            certificate: source.resolve(certificate.into_inner()),
            key: source.resolve(key.into_inner()),
        }),
        (None, None) => None,
        (Some(alone), None) => {
            return Err(source.error("`key` is missing beside it", alone.span()));
        }
        (None, Some(alone)) => {
            return Err(source.error("`certificate` is missing beside it", alone.span()));
        }
    };
    if let (Some(enabled), None) = (&raw.enabled, &identity)
        && *enabled.get_ref()
    {
        let message = "the endpoint speaks TLS only, and has no certificate";
        let error = source.error(message, enabled.span());
        return Err(error.with_hint(
            "set `certificate` and `key` beside it; `windrow pki` makes some to try it out with",
        ));
    }
    let certificates = raw.certificates;
    match (&raw.client_ca, &certificates) {
        (None, Some(certificates)) => {
            let message = "`client_ca` is missing: whose certificates are these?";
            return Err(source.error(message, certificates.span()));
        }
        (Some(client_ca), None) => {
            let message = "no name of a certificate is let in";
            let error = source.error(message, client_ca.span());
            return Err(error.with_hint("name some: [admin.certificates] with \"ada\" = \"admin\""));
        }
        _ => {}
    }
    if let Some(named) = &certificates
        && named.get_ref().len() > limits::MAX_TABLES_A_KIND
    {
        let message = format!("more than {} names", limits::MAX_TABLES_A_KIND);
        return Err(source.error(message, named.span()));
    }
    Ok(Admin {
        enabled: raw.enabled.is_some_and(Spanned::into_inner),
        listen: raw.listen.unwrap_or_else(|| SocketAddr::from(LISTEN)),
        identity,
        client_ca: raw.client_ca.map(|file| source.resolve(file.into_inner())),
        certificates: certificates.map(Spanned::into_inner).unwrap_or_default(),
    })
}
