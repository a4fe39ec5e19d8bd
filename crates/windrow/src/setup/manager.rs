//! The line of the group policy "Configure target Subscription Manager", to the letter.

use super::Collector;

/// How machines prove who they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'a> {
    /// With a ticket of their domain, over HTTP.
    Kerberos,
    /// With a certificate of the authority with this SHA-1 thumbprint, over HTTPS.
    Certificate(&'a str),
}

impl Proof<'_> {
    /// The scheme of the address.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Proof::Kerberos => "http",
            Proof::Certificate(_) => "https",
        }
    }
}

/// The value that names a collector (MS-WSMV 3.1.4.1.30; `IssuerCA` without blanks, as Windows wants it).
#[must_use]
pub fn value(
    proof: Proof<'_>,
    (host, port): (&str, u16),
    path: &str,
    refresh_seconds: u32,
) -> String {
    let scheme = proof.scheme();
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let server = format!("Server={scheme}://{host}:{port}{path},Refresh={refresh_seconds}");
    match proof {
        Proof::Kerberos => server,
        Proof::Certificate(thumbprint) => format!("{server},IssuerCA={thumbprint}"),
    }
}

impl Collector {
    /// The value for machines of the domain.
    #[must_use]
    pub fn kerberos_value(&self) -> Option<String> {
        let door = self.kerberos.as_ref()?;
        let place = (self.name.as_str(), door.port);
        let path = super::MANAGER_PATH;
        Some(value(Proof::Kerberos, place, path, self.refresh_seconds))
    }

    /// The value for machines with certificates.
    #[must_use]
    pub fn certificate_value(&self) -> Option<String> {
        let door = self.certificates.as_ref()?;
        let proof = Proof::Certificate(&door.issuer_thumbprint);
        let place = (self.name.as_str(), door.port);
        Some(value(
            proof,
            place,
            super::MANAGER_PATH,
            self.refresh_seconds,
        ))
    }
}
