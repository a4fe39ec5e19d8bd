//! How many bytes a TCP peer has not acknowledged yet.
//!
//! The only statement about delivery that TCP makes to its user; POSIX has no call for it.
#![cfg_attr(target_os = "linux", allow(unsafe_code))]

/// Whether this system can tell.
pub(super) const SUPPORTED: bool = cfg!(target_os = "linux");

/// Bytes written to `socket` that the peer has not acknowledged, an unacknowledged FIN
/// counting as one (tcp(7), `SIOCOUTQ`). `None` if the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn unacknowledged(socket: &tokio::net::TcpStream) -> Option<u64> {
    use rustix::ioctl::{Getter, Opcode, ioctl};

    /// `SIOCOUTQ`, which is `TIOCOUTQ` (linux/sockios.h).
    const SIOCOUTQ: Opcode = linux_opcode();
    // SAFETY: SIOCOUTQ on a TCP socket writes one C int (tcp(7)) and reads nothing, which is
    // what `Getter<_, i32>` provides room for; the descriptor is borrowed for the call.
    let queued = unsafe { ioctl(socket, Getter::<SIOCOUTQ, i32>::new()) };
    queued.ok().and_then(|bytes| u64::try_from(bytes).ok())
}

/// The number differs where an architecture kept its own terminal calls.
#[cfg(target_os = "linux")]
const fn linux_opcode() -> rustix::ioctl::Opcode {
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
        0x7472
    } else if cfg!(any(
        target_arch = "powerpc",
        target_arch = "powerpc64",
        target_arch = "sparc64"
    )) {
        0x4004_7473
    } else {
        0x5411
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unacknowledged(_socket: &tokio::net::TcpStream) -> Option<u64> {
    None
}
