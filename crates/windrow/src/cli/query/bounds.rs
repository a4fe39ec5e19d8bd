//! What ends a query from outside: an interrupt, or memory.
//!
//! The engine counts what it sorts and groups, and not all that it takes. So what the program really has is looked at, as
//! the system counts it; where the system does not say, the engine's count has to do.

use std::time::Duration;

use fs_err as fs;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::config::units::ByteSize;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// What the kernel says of this program.
const STATUS: &str = "/proc/self/status";

/// Why a query ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Ctrl-C.
    Interrupted,
    /// More memory than it may have.
    Memory(Exceeded),
}

/// A query took too much memory.
#[derive(Debug, thiserror::Error)]
#[error(
    "the query was ended: with it this command has {} MiB of memory, more than {} MiB (--max-memory); narrow it with a range of time, fewer columns or a limit", resident >> 20, most >> 20
)]
pub(super) struct Exceeded {
    resident: u64,
    most: u64,
}

/// Looks from now on.
pub(super) struct Bounds {
    exceeded: oneshot::Receiver<Exceeded>,
    _looking: AbortOnDropHandle<()>,
}

/// Begins to look.
pub(super) fn watch(most: ByteSize) -> anyhow::Result<Bounds> {
    let (tell, exceeded) = oneshot::channel();
    let most = most.bytes();
    let looking = tokio::spawn(async move {
        loop {
            match resident() {
                None => return std::future::pending().await,
                Some(resident) if resident > most => {
                    let _ = tell.send(Exceeded { resident, most });
                    return;
                }
                Some(_) => tokio::time::sleep(INTERVAL).await,
            }
        }
    });
    Ok(Bounds {
        exceeded,
        _looking: AbortOnDropHandle::new(looking),
    })
}

impl Bounds {
    /// Waits for one of them.
    pub(super) async fn ended(self) -> Ended {
        tokio::select! {
            Ok(exceeded) = self.exceeded => Ended::Memory(exceeded),
            Ok(()) = tokio::signal::ctrl_c() => Ended::Interrupted,
            else => std::future::pending().await,
        }
    }
}

/// Bytes of memory that this program has.
fn resident() -> Option<u64> {
    let status = fs::read_to_string(STATUS).ok()?;
    kib(&status, "VmRSS:").map(|kib| kib * 1024)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_how_much_there_is() {
        assert_eq!(kib("Name:\tx\nVmRSS:\t    1234 kB\n", "VmRSS:"), Some(1234));
        assert_eq!(kib("VmRSS:\n", "VmRSS:"), None);
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
