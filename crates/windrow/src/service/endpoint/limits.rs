//! What the endpoint allows those who come, and above all those who are not known.

use std::time::Duration;

/// Time a TLS handshake may take.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time until the first request has to be there.
pub(super) const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Time between requests, after which a connection is closed and its session has timed out.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// Time after its last connection in which a session goes on with the next one: a script that calls command after command
/// has one session.
pub(super) const SESSION_LINGER: Duration = Duration::from_secs(5);
/// How often it is looked whether sessions have ended.
pub(super) const SESSION_LOOK: Duration = Duration::from_millis(500);
/// Sessions at the same time.
pub(super) const SESSIONS_MAX: usize = 256;
/// Connections of one network, of those that the server takes altogether; one more ends one that nobody is known to be behind.
pub(super) const CONNECTIONS_OF_NETWORK: usize = 16;
/// Connections that nobody is known to be behind, of those that the server takes altogether; one more ends one of them.
pub(super) const UNKNOWN_MAX: usize = 24;
/// Time in which something of an answer has to be taken, each time anew.
pub(super) const WRITE: Duration = Duration::from_secs(10);
/// Bytes of an `Authorization` header.
pub(super) const AUTHORIZATION_BYTES: usize = 256;
/// Wrong guesses of one network at once …
pub(super) const FAILURES: u32 = 10;
/// … and the time in which one more is allowed.
pub(super) const FAILURE_INTERVAL: Duration = Duration::from_secs(6);
/// Networks whose refusals are counted; beyond that the one that failed longest ago is forgotten.
pub(super) const NETWORKS_MAX: usize = 1_024;
/// One network's refusals for one reason are put on record this often at most, with how many there were.
pub(super) const RECORD_INTERVAL: Duration = Duration::from_secs(60);
/// Records of refusals at once, of all networks …
pub(super) const RECORDS: u32 = 30;
/// … and the time in which one more is allowed.
pub(super) const RECORDS_INTERVAL: Duration = Duration::from_secs(2);
/// Reasons of one network that are told apart, and all others as one more.
pub(super) const REASONS_OF_NETWORK: usize = 16;
/// The same of accounts, and of networks that were forgotten.
pub(super) const REASONS_MAX: usize = 64;
/// Bytes of a reason that are put on record.
pub(super) const REASON_BYTES_SHOWN: usize = 256;
/// Bytes of a path that are put on record.
pub(super) const VERB_BYTES_SHOWN: usize = 128;
