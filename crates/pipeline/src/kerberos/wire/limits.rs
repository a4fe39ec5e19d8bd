//! What Kerberos is prepared to take from outside, each limit with its reason.

/// Largest token of a client, in bytes. Windows limits its own to 48,000 (MaxTokenSize); a machine in
/// many groups comes to some 10,000.
pub const TOKEN_BYTES_MAX: usize = 48 * 1024;

/// Largest keytab, in bytes: some thousand keys.
pub const KEYTAB_BYTES_MAX: u64 = 1024 * 1024;

/// Most entries of a keytab. An administrator makes one for each name, encryption and version of a key.
pub const KEYTAB_ENTRIES_MAX: usize = 4_096;

/// Most components of a principal's name. Services have two, a few three.
pub const NAME_COMPONENTS_MAX: usize = 8;

/// Longest name of a principal with its realm, in bytes. A DNS name has at most 253 characters.
pub const NAME_BYTES_MAX: usize = 600;

/// Mechanisms that a client may offer. Windows offers four.
pub const MECHANISMS_MAX: usize = 32;

/// Authenticators remembered at once so that none is taken twice: 10,000 machines that connect anew
/// every second minute for twice the permitted skew, some 100 bytes each. When there are more the
/// oldest is forgotten.
pub const REPLAYS_MAX: usize = 100_000;

/// Of these of one client, so that nobody fills the memory alone: a machine with fifty subscriptions
/// that connects anew for each of them every minute of those ten has five hundred.
pub const REPLAYS_PER_CLIENT_MAX: u32 = 1_000;

/// Clocks may differ by so much, in seconds: what Active Directory and MIT both have as their default.
pub const SKEW_SECONDS: i64 = 300;

/// A keytab that lacks a key is looked at again at most so often, in seconds.
pub const KEYTAB_AGAIN_SECONDS: i64 = 5;

/// Keys of one version and encryption that a ticket is tried with.
pub const KEYS_TRIED_MAX: usize = 8;

/// Largest answer of a KDC, in bytes.
pub const KDC_ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Rounds of key derivation that a KDC may ask for. Its default is 4,096, or 32,768 with SHA-2.
pub const STRING_TO_KEY_ROUNDS_MAX: u32 = 1_000_000;
