//! What this crate is prepared to take from outside, each limit with its reason. The journal's are
//! in `journal::limits`.

/// Largest PEM file: a bundle of some hundred authorities.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Longest name taken out of a certificate. A DNS name has at most 253 characters.
pub const PEER_NAME_BYTES_MAX: usize = 253;
