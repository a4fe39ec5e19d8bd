//! What a configuration may be at most.

/// A configuration file larger than this is not one.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// A name becomes part of file names and metric labels.
pub const MAX_NAME_CHARS: usize = 48;
/// Tables of one kind.
pub const MAX_TABLES_A_KIND: usize = 256;
/// Names and patterns in one list of machines.
pub const MAX_MACHINE_PATTERNS: usize = 4_096;
/// Machines that are expected, named in the configuration and in its file.
pub const MAX_EXPECTED_MACHINES: usize = 100_000;
/// Bytes of that file.
pub const MAX_MACHINES_FILE_BYTES: u64 = 8 << 20;
/// Files with lists of revoked certificates.
pub const MAX_REVOCATION_LISTS: usize = 64;
/// Names that a collector answers to with Kerberos.
pub const MAX_PRINCIPALS: usize = 64;
/// A description is one line.
pub const MAX_DESCRIPTION_BYTES: usize = 500;
/// A file of `conf.d` holds one object; the largest thing in one is an event query.
pub const MAX_OBJECT_BYTES: u64 = 512 << 10;
/// Files in `conf.d`, others than ours included.
pub const MAX_OBJECTS: usize = 1_024;
/// A deployment's id or a role, in the keys of rows beside the name of a machine.
pub const MAX_ORIGIN_CHARS: usize = 100;
/// Earlier revisions of a configuration of Azure Diagnostics that are kept.
pub const MAX_REVISIONS: usize = 50;
/// Names of files that one watched folder takes.
pub const MAX_FILE_PATTERNS: usize = 64;
/// The name of a machine (RFC 1035 2.3.4).
pub const MAX_MACHINE_CHARS: usize = 253;
/// Tables that one source of Azure's storage reads.
pub const MAX_WAD_TABLES: usize = 32;
