//! How long and how much a destination may take, each with its reason.

use std::time::Duration;

/// Least wait between two checks of what the peer has acknowledged.
pub(super) const CONFIRM_INTERVAL: Duration = Duration::from_millis(50);

/// How long datagrams wait before they count as sent: an ICMP refusal of one comes back
/// within it, and then all of them are sent again.
pub(super) const DATAGRAM_SETTLE: Duration = Duration::from_millis(250);

/// Longest that a connection which the receiver has ended first is listened to, for what its TCP
/// still acknowledges.
pub(super) const FIN_WAIT: Duration = Duration::from_secs(2);

/// Connections that a receiver may leave without proof, one after the other and though its TCP
/// has taken every byte, before a connection is left open instead of being turned over.
pub(super) const UNPROVEN_MAX: u32 = 3;

/// Longest that a connection is left open before the receiver is asked for proof again.
pub(super) const ASK_WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Least time after which a connection is turned over to be ahead of a receiver that ends it first.
pub(super) const WINDOW_TIME_MIN: Duration = Duration::from_secs(1);

/// With every proof the time after which a connection is turned over grows by this part of it, as
/// long as it is below the limit: a receiver that once ended first, because it was stopped, need
/// not do so again.
pub(super) const WINDOW_TIME_GROWTH: u32 = 8;

/// The window of a connection grows and shrinks by this factor.
pub(super) const WINDOW_FACTOR: u64 = 4;

/// Events that a destination does not get and that may go by before what is packed is written: a
/// rare event must not wait for the next one while a backlog is looked through.
pub(super) const FILTERED_RUN_MAX: u64 = 4_096;

/// What a batch kept for others costs beside its messages, its place in the list and what it is counted by included.
pub(super) const SHARED_BATCH_COST_BYTES: usize = 512;
/// Bytes of messages kept for other destinations that send alike, in each such group: those that
/// are further apart make their own.
pub(super) const SHARED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest batch whose messages are made for others too. They are made in one go, on a thread that
/// does nothing else meanwhile: 2 or 3 ms for one as large as this, by
/// what the benchmarks say that a kilobyte of an event costs (1.0 to 1.3 µs).
pub(super) const SHARED_BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most poison events remembered by sequence for the status.
pub(super) const SKIPPED_REMEMBERED: usize = 16;

/// Most of a host's addresses that a test of its destination tries.
pub(super) const PROBE_ADDRESSES_MAX: usize = 8;

/// Limits of one destination. The defaults suit a receiver in the same site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for one address to accept a connection.
    pub connect_timeout: Duration,
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest that the receiver may take no byte at all before the connection is given up.
    pub stall_timeout: Duration,
    /// `TCP_USER_TIMEOUT`: longest that sent bytes may stay unacknowledged. Finds a peer that
    /// has vanished, which keepalive alone does not while data is in flight.
    pub user_timeout: Duration,
    /// Idle time before TCP keepalive probes.
    pub keepalive: Duration,
    /// Longest that the orderly end of a connection is awaited when the sink stops.
    pub close_timeout: Duration,
    /// Longest that the receiver's end of a connection is awaited as proof that it has read
    /// everything.
    pub proof_timeout: Duration,
    /// How long a TLS peer that stays silent after the handshake may still refuse: TLS 1.3
    /// refuses a client certificate only after the client's handshake is done.
    pub acceptance_timeout: Duration,
    /// First wait before connecting again; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest wait before connecting again.
    pub backoff_max: Duration,
    /// Bytes collected before a write, when more events are waiting.
    pub batch_bytes: usize,
    /// The same on a connection that has taken four times as much: a larger write costs less, but an
    /// event is confirmed with the whole of its write, and a connection that keeps breaking must
    /// confirm something.
    pub batch_bytes_max: usize,
    /// Most bytes written and not yet confirmed before the connection is turned over
    /// ([`super::Confirmation::PeerRead`]).
    pub window_bytes: u64,
    /// Most bytes that the receiver's system holds for a program that does not read. What its
    /// TCP has acknowledged beyond them its program has read. It has to be an upper bound:
    /// Linux gives a socket up to 32 MiB by itself (`tcp_rmem` of 6.18; 6 MiB on older ones).
    pub receive_buffer_bytes: u64,
    /// Longest that a written event waits for its confirmation before the connection is
    /// turned over. A connection that is left open is so for this long at first.
    pub window_time: Duration,
    /// Most datagrams a second: UDP has no other way to wait for a slow receiver.
    pub datagrams_per_second: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(120),
            user_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            proof_timeout: Duration::from_secs(15),
            acceptance_timeout: Duration::from_secs(1),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(60),
            batch_bytes: 64 * 1024,
            batch_bytes_max: 256 * 1024,
            window_bytes: 32 * 1024 * 1024,
            receive_buffer_bytes: 64 * 1024 * 1024,
            window_time: Duration::from_secs(60),
            datagrams_per_second: 10_000,
        }
    }
}

/// How often a receiver that talks is listened to before events go on: each time takes all that the
/// system has by then, up to what the runtime lets a task read in one turn.
pub(super) const HEARD_AT_ONCE_MAX: usize = 16;
