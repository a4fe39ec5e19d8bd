//! `windrow pki`

use std::path::{Path, PathBuf};

use super::{Invocation, Out};
use crate::exit::Code;
use crate::pki::{AUTHORITY, COLLECTOR, Existing, Store};

/// Make an authority and a collector's certificate, to try windrow out with
///
/// Prints a configuration that uses them. An authority that is in the folder already is kept. Windows machines of a
/// domain get their certificates from the domain's own authority instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow pki try > try.toml
  windrow pki try --hostname collector.example.com > try.toml")]
pub(super) struct Args {
    /// The folder for ca.pem, ca.key, collector.pem and collector.key
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The name that machines call the collector by
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    hostname: String,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    invocation.start_log();
    let dir = std::path::absolute(&args.dir)?;
    let store = Store::open(&dir)?;
    let authority = store.authority("windrow trial authority")?;
    let collector = authority.server(std::slice::from_ref(&args.hostname))?;
    store.save(COLLECTOR, &collector, Existing::Refuse)?;
    out.write_all(configuration(&store, &args.hostname).as_bytes())?;
    Ok(Code::Ok)
}

fn configuration(store: &Store, hostname: &str) -> String {
    let certificate = quoted(&store.certificate_path(COLLECTOR));
    let key = quoted(&store.key_path(COLLECTOR));
    let ca = quoted(&store.certificate_path(AUTHORITY));
    // Nobody else is listened to until the administrator says so.
    let address = match hostname {
        "localhost" => "127.0.0.1",
        _ => "0.0.0.0",
    };
    format!(
        "# Written by `windrow pki`, for trying out.\n\
         [source.wef.main]\n\
         listen = \"{address}:5986\"\n\
         hostname = \"{hostname}\"\n\
         \n\
         [source.wef.main.tls]\n\
         certificate = {certificate}\n\
         key = {key}\n\
         client_ca = {ca}\n\
         \n\
         [subscription.base]\n\
         channels = [\"Security\", \"System\", \"Application\"]\n\
         # So that there is something to see at once.\n\
         max_latency = \"1s\"\n"
    )
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}
