//! Where the name that machines are told leads, from here.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::super::network;
use super::steps::Tried;
use crate::config::checked::Config;

/// Of each listener, by its name.
pub(super) async fn tried(config: &Config) -> BTreeMap<String, Tried> {
    let sources = config.source.wef.iter();
    let tries = sources.map(|(name, source)| async move {
        (
            name.clone(),
            one(&source.hostname, source.listen.port()).await,
        )
    });
    futures::future::join_all(tries).await.into_iter().collect()
}

async fn one(host: &str, port: u16) -> Tried {
    let Ok(addresses) = network::resolve(host, port).await else {
        return Tried::default();
    };
    let addresses: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    let here = addresses
        .iter()
        .copied()
        .filter(|address| is_here(*address));
    Tried {
        here: here.collect(),
        addresses,
    }
}

/// Whether an address is one of this machine's: only those can be bound.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}
