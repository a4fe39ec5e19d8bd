//! What the client takes from the service and asks of it, each limit with its reason.

use std::time::Duration;

/// Connections to one account at a time, those to its tables and to its blobs together. One takes some hundred batches a
/// second where the service is near, and the service throttles a partition long before eight of them are not enough.
pub const CONNECTIONS_MAX: usize = 8;

/// How long it may take to find a name, to connect and to greet.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a request may take beside what its bytes need. The service gives up a request to the tables after thirty seconds
/// by itself; who gives up earlier does not hear what was done.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Bytes of contents that are sent or fetched in a second at the very least; the time of a request grows with them.
pub const BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// How long a connection is kept that nobody uses. Azure's balancers forget one after four minutes without a word.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(60);

/// Bytes of an answer: a page of a thousand rows of the largest common events is below that.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an answer's head. A place to continue at is two keys in Base64.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of an answer.
pub const HEADERS_MAX: usize = 100;

/// Bytes of a filter of a query: that of Microsoft's own reader of a hundred shards has 13,000.
pub const FILTER_BYTES_MAX: usize = 16 * 1024;

/// Properties that a query may name.
pub const SELECTED_MAX: usize = 252;

/// Bytes of a shared access signature; one has some two hundred.
pub const SAS_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a blob that is sent whole, or of one of its blocks. The service takes more of them, and one of this size already
/// takes memory and minutes.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that are appended to a blob at once: the service's own limit.
pub const APPEND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a blob that are fetched at once.
pub const RANGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an entity tag that is kept; the service's own have some twenty.
pub const ETAG_BYTES_MAX: usize = 128;

/// Characters of somebody else's words in an error.
pub const TOLD_CHARS_MAX: usize = 300;

/// Longest pause that the service's word is believed for.
pub const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// How far apart the clocks may be for the service to accept a signed date. Its own limit.
pub const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// What a client keeps to, where something else than what is said above is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// See [`CONNECT_TIME_MAX`].
    pub connect_time: Duration,
    /// See [`REQUEST_TIME_MAX`].
    pub request_time: Duration,
    /// See [`IDLE_TIME_MAX`].
    pub idle_time: Duration,
    /// See [`ANSWER_BYTES_MAX`].
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: CONNECTIONS_MAX,
            connect_time: CONNECT_TIME_MAX,
            request_time: REQUEST_TIME_MAX,
            idle_time: IDLE_TIME_MAX,
            answer_bytes: ANSWER_BYTES_MAX,
        }
    }
}
