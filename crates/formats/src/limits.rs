//! What this crate is prepared to take from outside, each limit with its reason.
//!
//! The limits bound memory and time for one value; how many values may wait is for the
//! rooms that hold queues.

/// Longest Event text that is indexed, in bytes. The EVTX reader gives up on a record at
/// the same size; what Windows itself writes stays below some hundred kilobytes.
pub const EVENT_TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Deepest element nesting that is followed, the Event element not counted.
pub const EVENT_DEPTH_MAX: usize = 32;

/// Most Data, ComplexData and Binary items of one Event. ETW allows 128 properties and
/// classic events 256 strings; lists inside a template can repeat them.
pub const EVENT_DATA_ITEMS_MAX: usize = 16 * 1024;

/// Most elements, attributes and text runs in the UserData (or its like) of one Event.
pub const EVENT_TREE_NODES_MAX: usize = 16 * 1024;

/// Most keywords of one RenderingInfo: a keyword is one of 64 bits.
pub const RENDERING_KEYWORDS_MAX: usize = 64;

/// Longest source name, and longest subscription name, in a batch header, in bytes.
pub const BATCH_NAME_BYTES_MAX: usize = 4 * 1024;

/// Least that a syslog message may be allowed, in bytes: what the longest prefix, all keys
/// of a profile and its numbers need when every text is cut.
pub const SYSLOG_MESSAGE_MIN: usize = 1024;

/// Most bytes of a syslog message where nothing else is said: what RFC 5425 4.3.1 says
/// receivers should take.
pub const SYSLOG_MESSAGE_DEFAULT: usize = 8 * 1024;
