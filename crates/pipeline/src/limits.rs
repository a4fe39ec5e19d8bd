//! What this crate is prepared to take from outside, each limit with its reason. The journal's are
//! in `journal::limits`.

/// Largest PEM file: a bundle of some hundred authorities.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;
/// Most bytes of a file with lists of revoked certificates: some 400,000 of them.
pub const REVOCATION_LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Longest name taken out of a certificate. A DNS name has at most 253 characters.
pub const PEER_NAME_BYTES_MAX: usize = 253;

/// Largest file in the quarantine; of something longer the beginning is kept.
pub const QUARANTINE_ENTRY_BYTES_MAX: usize = 1024 * 1024;

/// Largest piece of a file in the spool. It is in memory while it is put there and while a sink takes it.
pub const SPOOL_PIECE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A piece is at most this part of the spool's quota, so that one that waits does not fill it.
pub const SPOOL_PIECE_SHARE: u64 = 4;

/// What a small piece takes of the disk, and so of the quota.
pub const SPOOL_BLOCK_BYTES: u64 = 4 * 1024;

/// Entries of a watched folder that one look goes through, those of the folders in it included.
pub const DIRECTORY_ENTRIES_MAX: usize = 200_000;
/// How deep folders in a watched folder may lie. Each is open while the next is looked at.
pub const DIRECTORY_DEPTH_MAX: usize = 16;
/// Longest path of a file in a watched folder: what a reference to it holds.
pub const DIRECTORY_PATH_BYTES_MAX: usize = windrow_formats::limits::FILE_PATH_BYTES_MAX;
/// Longest pattern of file names: no name is longer.
pub const DIRECTORY_PATTERN_BYTES_MAX: usize = 255;
/// Bytes that one look takes, and one piece more, before other work has its turn.
pub const DIRECTORY_ROUND_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of files of events that one look goes through, unpacked, and a chunk or buffer more.
pub const DIRECTORY_ROUND_READ_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Times its size to which a trace is unpacked: a buffer of a few events may be its hundredth part.
pub const TRACE_UNPACKED_RATIO_MAX: u64 = 256;
/// Bytes to which a small one is unpacked all the same.
pub const TRACE_UNPACKED_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Bytes of a log of counters that are taken together.
pub const COUNTERS_PIECE_BYTES_MAX: usize = 1024 * 1024;
/// Longest line that is waited for until it ends.
pub const DIRECTORY_LINE_BYTES_MAX: usize = windrow_formats::limits::W3C_LINE_BYTES_MAX;
/// Bytes at the beginning of a file, and before the place where it was left, by which it is known again.
pub const DIRECTORY_PROBE_BYTES: u32 = 1024;
/// Whole looks in a row that must not find a file before it is forgotten.
pub const DIRECTORY_ABSENCES_MIN: u32 = 2;

/// Lines of the quarantine's index before it is begun anew beside the previous one.
pub const QUARANTINE_INDEX_LINES_MAX: usize = 10_000;

/// Longest QueryList of a subscription. Windows takes answers of 512,000 bytes and is answered in
/// UTF-16, which doubles the query and the largest bookmark beside it.
pub const QUERY_BYTES_MAX: usize = 160 * 1024;

/// Deliveries whose events are remembered for each source and subscription. A source has one
/// delivery under way, so only the last one can come again; the others are for sources that go
/// back to an older bookmark.
pub const RECENT_BATCHES_MAX: usize = 4;

/// Events remembered for each source and subscription. The last delivery is remembered whole, however large.
pub const RECENT_EVENTS_MAX: usize = 8 * 1024;

/// Events of the last delivery that are remembered on disk, for after a restart: 16 KiB for each source and subscription.
/// Of a larger delivery those are that came last.
pub const STORED_EVENTS_MAX: usize = 2 * 1024;

/// Sources that are kept track of at once; beyond it the one that was silent longest is forgotten,
/// not its bookmark.
pub const SOURCES_MAX: usize = 100_000;

/// Channels that are followed for each source and subscription.
pub const CHANNELS_PER_SUBSCRIPTION_MAX: usize = 256;

/// Most events that one step between two record ids is taken to have lost: a log that numbers its
/// events writes fewer in years, and a source may claim any number.
pub const GAP_EVENTS_MAX: u64 = u32::MAX as u64;

/// Longest name of another computer that is kept as an example, and longest Host that a source calls.
pub const OTHER_COMPUTER_BYTES_MAX: usize = 255;

/// Longest name of a machine in what is kept of it; an account and a realm may have as much.
pub const MACHINE_NAME_KEPT_BYTES_MAX: usize = 512;

/// Buffers kept for reuse by deliveries to come, and what each may hold.
pub const SCRATCH_BUFFERS_MAX: usize = 8;
/// Bytes of one of them, above which it is given back.
pub const SCRATCH_BYTES_MAX: usize = 1024 * 1024;

/// Refused connections, by address, reason and the name they claim, that are kept for whoever asks why
/// a machine is not heard of.
pub const REFUSED_CONNECTIONS_MAX: usize = 2_048;

/// Of these from one address for one reason: many machines may be behind one translator, and one client
/// may make up any number of names.
pub const REFUSED_NAMES_PER_ADDRESS_MAX: usize = 256;

/// Networks that a collector remembers because somebody has authenticated from them.
pub const KNOWN_NETWORKS_MAX: usize = 10_000;

/// Largest EVTX file. The survey keeps some fifty bytes for each of its chunks.
pub const EVTX_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Most entries on the damage of one EVTX file; beyond it damage is counted only.
pub const EVTX_DAMAGE_ENTRIES_MAX: usize = 10_000;

/// Longest text of one EVTX record. Its binary form is below 64 KiB; a template can repeat a
/// value, but no event that Windows writes does so this often.
pub const EVTX_RECORD_TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest word of the EVTX reader on a record it cannot read.
pub const EVTX_ERROR_DETAIL_BYTES_MAX: usize = 200;

/// The buffer for a chunk's text is given back when it has grown beyond this.
pub const EVTX_TEXT_BYTES_KEPT: usize = 4 * 1024 * 1024;

/// Most events, and about so many bytes, of one batch of records of a file; a chunk of an EVTX file with usual
/// events stays below both.
pub const FILE_BATCH_EVENTS_MAX: u32 = 1_000;
/// A single record may be longer by itself; it is a batch of its own then.
pub const FILE_BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Most names of a certificate that are shown to a person.
pub const CERTIFICATE_NAMES_SHOWN_MAX: usize = 16;
/// Longest text of a certificate that is shown to a person.
pub const CERTIFICATE_TEXT_SHOWN_BYTES_MAX: usize = 256;

/// Most certificates between one and its root.
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// Bytes of a watched file that are appended to a blob at once: the service's own limit.
pub const APPENDED_BYTES_MAX: usize = crate::azure::limits::APPEND_BYTES_MAX;

/// Bytes of a watched file that may be missing in its blob, which a comment of their length stands for.
pub const FILLED_BYTES_MAX: u64 = 64 << 20;

/// Rows of a table of Azure's that one look takes, about: others have their turn then.
pub const WAD_LOOK_ROWS_MAX: u64 = 20_000;
/// Rows of one minute and shard of which it is remembered that they were taken, eight bytes each in the journal's states; more of
/// them come once the minute is closed.
pub const WAD_SEEN_ROWS_MAX: usize = 100_000;
/// The same of all minutes of a table together.
pub const WAD_SEEN_ALL_ROWS_MAX: usize = 1_000_000;
