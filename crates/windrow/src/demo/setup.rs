//! What the demo makes before it starts: certificates, free ports, and a configuration file that
//! could as well have been written by hand.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::config::{self, checked};
use crate::pki;

/// The name everything on loopback goes by.
pub(super) const HOST: &str = "localhost";
/// The name of the demo's WEF source.
pub(super) const SOURCE: &str = "fleet";
/// The name of the demo's sink.
pub(super) const SINK: &str = "siem";

/// Where the demo lives.
pub(super) struct Place {
    /// The configuration file.
    pub(super) file: PathBuf,
    /// What it says.
    pub(super) config: checked::Config,
    /// The authority of the machines, the collector and the receiver.
    pub(super) authority: pki::Authority,
}

/// Makes everything in `root`, which must be empty or absent.
///
/// # Errors
/// Names what could not be made.
pub(super) fn make(
    root: &Path,
    receiver: SocketAddr,
    store: &pki::Store,
    authority: pki::Authority,
) -> anyhow::Result<Place> {
    let names = [HOST.to_owned(), Ipv4Addr::LOCALHOST.to_string()];
    let collector = authority.server(&names)?;
    store.save(pki::COLLECTOR, &collector, pki::Existing::Replace)?;
    let file = root.join("windrow.toml");
    let text = configuration(root, store, receiver.port())?;
    fs_err::write(&file, &text)?;
    let config = config::check_text(&file, &text).context("the demo's own configuration")?;
    Ok(Place {
        file,
        config,
        authority,
    })
}

/// The receiver's side of TLS, with a certificate of the demo's authority.
pub(super) fn receiver_tls(
    authority: &pki::Authority,
) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let issued = authority.server(&[HOST.to_owned()])?;
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes())?;
    let provider = windrow_pipeline::tls::provider();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

fn configuration(root: &Path, store: &pki::Store, receiver_port: u16) -> anyhow::Result<String> {
    let (wef, web) = (free_port()?, free_port()?);
    let data = quoted(root);
    let certificate = quoted(&store.certificate_path(pki::COLLECTOR));
    let key = quoted(&store.key_path(pki::COLLECTOR));
    let ca = quoted(&store.certificate_path(pki::AUTHORITY));
    Ok(format!(
        r#"# Written by `windrow demo`.
data_dir = {data}

[source.wef.{SOURCE}]
listen = "127.0.0.1:{wef}"
hostname = "{HOST}"

[source.wef.{SOURCE}.tls]
certificate = {certificate}
key = {key}
client_ca = {ca}

[subscription.base]
channels = ["Security", "System", "Application"]
content_format = "rendered-text"
read_existing = true
max_latency = "1s"

[sink.syslog.{SINK}]
server_name = "{HOST}"
port = {receiver_port}
ca_file = {ca}

[lake]
flush_interval = "5s"

[web]
listen = "127.0.0.1:{web}"
"#
    ))
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}
