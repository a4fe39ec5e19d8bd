//! Every bound of the lake, named.

use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes of decoded rows that one row group of a data file may hold: bounds what a query keeps of it.
pub(crate) const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows in one row group.
pub(crate) const ROW_GROUP_ROWS: usize = 65_536;

/// Bytes of rows that a piece of a watched file may become: ten times those of a usual one.
pub(crate) const PIECE_ROWS_BYTES_MAX: usize = 128 << 20;

/// Bytes of the name of a field of a web server's log that has no column; of a longer one the beginning is kept.
pub(crate) const REQUEST_FIELD_BYTES_MAX: usize = 256;

/// Commits tried until the lake gives up: each failed try means that another writer got ahead.
pub(crate) const COMMIT_ATTEMPTS: u32 = 32;

/// Days before the one on which it arrived that an event of the journal keeps as its own; what happened earlier is kept
/// under the day of its arrival. Each day is files and a folder, and whoever sends events chooses their dates.
pub(crate) const DAYS_BEFORE: i64 = 366;

/// The same for days after it: a clock may be ahead.
pub(crate) const DAYS_AFTER: i64 = 1;

/// Days other than that of arrival that the journal's events of one commit may go under; those of further days are kept
/// under the day on which they arrived. Each is a file with three syncs.
pub(crate) const OTHER_DAYS: usize = 64;

/// Days of one commit, whatever its rows are; those of further days, the rarest, are kept under the day on which they
/// arrived. Whoever starts an import has chosen the files and waits for it.
pub(crate) const COMMIT_DAYS: usize = 4_096;

/// A checkpoint of the table's log is written every so many commits.
pub(crate) const CHECKPOINT_COMMITS: u64 = 100;

/// Small files of a day that are merged; fewer are left as they are, so that late events do not rewrite a day each time.
pub(crate) const COMPACT_FILES: usize = 8;

/// Days whose files are merged at a time: more than the journal's events of a day can be of.
pub(crate) const COMPACT_DAYS: usize = 512;

/// Time after which no further files are merged until the next time.
pub(crate) const COMPACT_TIME: Duration = Duration::from_secs(600);

/// Bytes of decoded rows in a row group of a merged file: it is made beside everything else that runs.
pub(crate) const MERGE_GROUP_BYTES: usize = 32 << 20;

/// Rows that a row group of a file has, on average, for it to be taken over as it is when files are merged.
pub(crate) const COPIED_GROUP_ROWS: usize = 16_384;

/// Rows that are read at a time when files are merged.
pub(crate) const MERGE_BATCH_ROWS: usize = 1_024;

/// Size that merged files are to have.
pub(crate) const COMPACTED_FILE_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).unwrap();

/// Files that were merged, or that no commit named, are kept so long: a query may be reading them.
pub(crate) const REPLACED_DAYS: u32 = 1;

/// Log files older than this that a checkpoint covers are removed: every look at the table lists them all.
pub(crate) const LOG_RETENTION_DAYS: u32 = 1;

/// Characters of a text value that a data file's statistics may hold.
pub(crate) const STATISTIC_CHARS: usize = 64;

/// Bytes of a query's text.
pub const SQL_BYTES: usize = 64 << 10;

/// Bytes of one frame of a query's answer on the local socket.
pub(crate) const FRAME_BYTES: usize = 256 << 20;

/// Rows whose widths decide the columns of a printed table.
pub(crate) const TABLE_SAMPLE_ROWS: usize = 1_000;

/// Distinct computers named in the predicate that looks for events already stored; above it, all are looked at.
pub(crate) const MATCH_COMPUTERS: usize = 64;

/// Depth to which nested values of an answer are written.
pub(crate) const NESTING: usize = 16;

/// Narrowest that a column of a printed table is made; when not even that fits, rows are printed as blocks.
pub(crate) const COLUMN_CHARS: usize = 6;

/// Rows in one batch of a builder.
pub(crate) const BATCH_ROWS: usize = 65_536;

/// Rows of one date that follow one another are written as they lie when they are so many on average; fewer are copied
/// together first, since every piece has a cost in each column.
pub(crate) const RUN_ROWS: usize = 32;

/// Memory of the rows in one batch of a builder, in bytes: far below the 2 GiB that a column can address.
pub(crate) const BATCH_BYTES: usize = 128 << 20;

/// Bytes of a key of `event_data`; longer ones are cut.
pub(crate) const KEY_BYTES: usize = 512;

/// Bytes of keys that an event of any size may have in `event_data`.
pub(crate) const EVENT_KEYS_BYTES: usize = 4 << 10;

/// Bytes of keys that it may have beyond that for each byte of its text: a path repeats the names above it.
pub(crate) const EVENT_KEYS_OF_TEXT: usize = 2;

/// Keys of one event compared one by one; with more, a set is kept.
pub(crate) const KEYS_COMPARED: usize = 48;

/// Equal keys of one event numbered 2, 3, 4 and so on; further ones by their place among all keys.
pub(crate) const COPIES_COUNTED: usize = 16;

/// Buckets that a distribution tells.
pub(crate) const DISTRIBUTION_ROWS: u64 = 100_000;

/// Rows that a join which compares each row with each takes at a time, with all of its other side.
pub(crate) const JOINED_ROWS: usize = 32;

/// Operators and opening brackets of a query.
pub(crate) const SQL_OPERATORS: usize = 1_000;

/// Bytes that a function may make of constants.
pub(crate) const CONSTANT_BYTES: usize = 64 << 10;

/// Bytes that all functions of a query may make of constants while it is planned.
pub(crate) const CONSTANTS_BYTES: usize = 1 << 20;

/// Bytes that the constants of a query may have in a batch, where each stands in every row: with larger ones a batch
/// has fewer rows.
pub(crate) const BATCH_CONSTANTS_BYTES: usize = 32 << 20;

/// Bytes that a function may make of one batch of rows.
pub(crate) const FUNCTION_BYTES: usize = 128 << 20;

/// Bytes that a function may be expected to make of the rows that it computes at a time; a single row may make more.
pub(crate) const FUNCTION_PART_BYTES: usize = 16 << 20;

/// Bytes of a buffer made by a function that are not counted: a query has not many operators.
pub(crate) const UNCOUNTED_BYTES: usize = 64 << 10;

/// Stack of the thread that plans a query. Reserved, not used: pages come as the stack grows.
pub(crate) const PLAN_STACK_BYTES: usize = 64 << 20;

/// Applications whose positions are remembered; reading one back costs a look through the log.
pub(crate) const POSITIONS: usize = 64;

/// Times that a request to Azure's storage is made again, and for how long at most: longer than one may take, or none that
/// took too long would be made again.
pub(crate) const BLOB_RETRIES: usize = 4;

/// See [`BLOB_RETRIES`].
pub(crate) const BLOB_RETRY: Duration = Duration::from_secs(90);

/// For how long a connection to Azure's storage may take to come about.
pub(crate) const BLOB_CONNECT: Duration = Duration::from_secs(5);

/// For how long a request to Azure's storage may take.
pub(crate) const BLOB_REQUEST: Duration = Duration::from_secs(60);

/// Bytes that go to Azure's storage in one request.
pub(crate) const BLOB_PART_BYTES: usize = 8 << 20;

/// Blobs that are asked for at once.
pub(crate) const BLOB_ASKED: usize = 16;

/// Bytes of a data file that is fetched to be read whole.
pub(crate) const SCRATCH_FILE_BYTES: u64 = 4 << 30;

/// Age in seconds from which a file that was being written counts as left behind.
pub(crate) const STAGED_STALE_S: u64 = 3_600;

/// Bytes of a file that are read at a time.
pub(crate) const FILE_BLOCK_BYTES: usize = 256 << 10;

/// Longest line or record of a file; what is longer is passed over and told.
pub(crate) const FILE_UNIT_BYTES: usize = 16 << 20;

/// Rows of a file that are handed on together.
pub(crate) const FILE_BATCH_ROWS: usize = 8_192;

/// Bytes of text that are handed on together.
pub(crate) const FILE_BATCH_BYTES: usize = 8 << 20;

/// Batches of a file that wait to be taken.
pub(crate) const FILE_BATCHES_AHEAD: usize = 2;

/// Bytes at the begin of a file, and files of a table, by which its columns are told.
pub(crate) const HEAD_BYTES: usize = 1 << 20;

/// See [`HEAD_BYTES`].
pub(crate) const HEAD_FILES: usize = 32;

/// Files of one table.
pub(crate) const SOURCE_FILES: usize = 100_000;

/// Bytes at the begin of each further log file: `#Fields` is among its first lines.
pub(crate) const FIELDS_BYTES: usize = 16 << 10;

/// Folders in folders that are looked into.
pub(crate) const SOURCE_DEPTH: usize = 16;

/// Columns of a table of files.
pub(crate) const SOURCE_COLUMNS: usize = 2_000;

/// Counts of one day that a detector is fed with.
pub(crate) const DAY_COUNTS_ROWS: u64 = 4_000_000;

/// Different counts that are held while events are counted.
pub(crate) const COUNT_KEYS: usize = 500_000;

/// Bytes of names that are held while events are counted.
pub(crate) const COUNT_TEXT_BYTES: usize = 64 << 20;

/// Rows of a file that are counted at a time.
pub(crate) const COUNT_BATCH_ROWS: usize = 1_024;

/// Files not yet counted that a query counts itself; where there are more it asks the events.
pub(crate) const FURTHER_FILES: usize = 4_096;

/// Bytes of a Parquet file's footer. One of ours has a thousandth of it.
pub(crate) const FOOTER_BYTES: u64 = 64 << 20;

/// Values of one list of a footer: the format has no more row groups, and nobody as many columns.
pub(crate) const FOOTER_LIST: u64 = 32_767;

/// Values in values of a footer.
pub(crate) const FOOTER_DEPTH: usize = 32;

/// Bytes at the end of a Parquet file that are read at once: mostly the whole footer is in them.
pub(crate) const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// Damaged files that are kept in mind, so that each is logged once.
pub(crate) const MET_FILES: usize = 10_000;

/// Files of which an answer on the local socket says that they could not be read.
pub(crate) const TOLD_FILES: usize = 1_000;

/// Characters of the reason that it gives.
pub(crate) const TOLD_REASON_CHARS: usize = 500;

/// Files written again, without rows or texts that are over, that one commit puts in place.
pub(crate) const THIN_FILES: usize = 64;

/// Channels of which a file says that their events have no text any more.
pub(crate) const TEXTLESS_CHANNELS: usize = 1_000;

/// Files that one commit takes out of a table.
pub(crate) const EXPIRE_FILES: usize = 1_000;

/// Pages of a table in Azure's storage that are fetched before somebody takes them: a thousand rows each at most.
pub(crate) const AZURE_PAGES_AHEAD: usize = 2;
