//! What makes an Event the same Event when it comes again.
//!
//! Record ids alone restart when a machine is rebuilt or a log is cleared, and a machine
//! may call itself anything, so the authenticated source and the time belong to it.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::event::Event;

/// The first 128 bits of a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 16]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// The one spelling of a source's name: Windows and DNS tell names apart without regard to the
/// case of ASCII letters, and a renewed certificate may write the same name in another.
pub fn canonical_source(source: &str) -> Cow<'_, str> {
    match source.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(source.to_ascii_lowercase()),
        false => Cow::Borrowed(source),
    }
}

/// Of (source, computer, channel, record id, TimeCreated); without a record id, of
/// (source, text). Every part carries its length, so that no two lists of parts give the
/// same bytes. `source` is the authenticated sender, in any case, or a constant for imported
/// files, so that overlapping exports of one log are recognised.
pub fn identity(source: &str, event: Event<'_>) -> Identity {
    let source = &*canonical_source(source);
    let mut hasher = Sha256::new();
    match event.record_id() {
        Some(record_id) => {
            hasher.update(b"r");
            part(&mut hasher, source);
            part(&mut hasher, event.computer().as_deref().unwrap_or(""));
            part(&mut hasher, event.channel().as_deref().unwrap_or(""));
            hasher.update(record_id.to_le_bytes());
            if let Some(time) = event.time_created() {
                hasher.update(time.as_second().to_le_bytes());
                hasher.update(time.subsec_nanosecond().to_le_bytes());
            }
        }
        None => {
            hasher.update(b"t");
            part(&mut hasher, source);
            part(&mut hasher, event.text());
        }
    }
    first_half(hasher)
}

/// Of a request that a web server logged: (machine, site, file's name, number of the line, line). A server may answer two
/// like requests in one second, so the place belongs to it; so may two servers of one farm, so the machine does where
/// it is known.
pub fn request(
    machine: Option<&str>,
    site: &str,
    file: &str,
    line_number: u64,
    line: &[u8],
) -> Identity {
    let mut hasher = Sha256::new();
    match machine {
        Some(machine) => {
            hasher.update(b"m");
            part(&mut hasher, &canonical_source(machine));
        }
        None => hasher.update(b"w"),
    }
    part(&mut hasher, site);
    part(&mut hasher, file);
    hasher.update(line_number.to_le_bytes());
    hasher.update(line);
    first_half(hasher)
}

/// Of a request that a web server kept a trace of: (machine, text of the trace).
pub fn failed_request(machine: &str, text: &[u8]) -> Identity {
    let mut hasher = Sha256::new();
    hasher.update(b"f");
    part(&mut hasher, &canonical_source(machine));
    hasher.update(text);
    first_half(hasher)
}

fn first_half(hasher: Sha256) -> Identity {
    let digest = hasher.finalize();
    let mut identity = [0; 16];
    identity.copy_from_slice(&digest[..16]);
    Identity(identity)
}

fn part(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests;
