//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`.

use std::net::{IpAddr, Ipv6Addr};

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Of IPv4 addresses.
    V4 {
        /// Its bits.
        bits: u32,
        /// Which of them count.
        mask: u32,
    },
    /// Of IPv6 addresses.
    V6 {
        /// Its bits.
        bits: u128,
        /// Which of them count.
        mask: u128,
    },
}

/// The address that a text is. IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4, and the interface behind a percent sign
/// (`fe80::1%12`) is none of it.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical()),
        Err(_) => {
            let (address, _) = text.split_once('%')?;
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
    }
}

impl Network {
    /// Reads a network. Without a length it is a single address; bits beyond the length do not count. One that is written as
    /// IPv6 and has IPv4 addresses alone is of IPv4.
    #[must_use]
    pub fn read(text: &str) -> Option<Network> {
        let (base, length) = match text.trim().split_once('/') {
            Some((base, length)) => (base, Some(length_of(length)?)),
            None => (text.trim(), None),
        };
        match base.parse::<IpAddr>().ok()? {
            IpAddr::V4(base) => v4(base.to_bits(), length.unwrap_or(32)),
            IpAddr::V6(base) => {
                let length = length.unwrap_or(128);
                match (base.to_ipv4_mapped(), length.checked_sub(96)) {
                    (Some(base), Some(length)) => v4(base.to_bits(), length),
                    _ => v6(base.to_bits(), length),
                }
            }
        }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Network::V4 { bits, mask }, IpAddr::V4(address)) => address.to_bits() & mask == bits,
            (Network::V6 { bits, mask }, IpAddr::V6(address)) => address.to_bits() & mask == bits,
            // `::/0` and what else holds all of the addresses that are IPv4 in IPv6.
            (Network::V6 { bits, mask }, IpAddr::V4(address)) => {
                address.to_ipv6_mapped().to_bits() & mask == bits
            }
            (Network::V4 { .. }, IpAddr::V6(_)) => false,
        }
    }
}

fn length_of(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}

fn v4(bits: u32, length: u32) -> Option<Network> {
    let beyond = 32_u32.checked_sub(length)?;
    let mask = u32::MAX.checked_shl(beyond).unwrap_or(0);
    Some(Network::V4 {
        bits: bits & mask,
        mask,
    })
}

fn v6(bits: u128, length: u32) -> Option<Network> {
    let beyond = 128_u32.checked_sub(length)?;
    let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
    Some(Network::V6 {
        bits: bits & mask,
        mask,
    })
}
