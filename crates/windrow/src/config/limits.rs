//! What a configuration may be at most.

/// A configuration file larger than this is not one.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// A QueryList travels in every enumeration reply, which the machine takes up to 500 kB of.
pub const MAX_QUERY_BYTES: usize = 128 << 10;
/// Windows opens a log reader for each.
pub const MAX_QUERY_SELECTS: usize = 256;
/// A name becomes part of file names and metric labels.
pub const MAX_NAME_CHARS: usize = 48;
/// Tables of one kind.
pub const MAX_TABLES_A_KIND: usize = 256;
/// A file of `conf.d` holds one object.
pub const MAX_OBJECT_BYTES: u64 = 64 << 10;
/// Files in `conf.d`, others than ours included.
pub const MAX_OBJECTS: usize = 1_024;
