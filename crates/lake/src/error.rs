//! What can go wrong with the table and with a query, told apart by what the caller does about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use parquet::errors::ParquetError;

use crate::failures::Failures;

/// A version, or what stands for none.
fn known(version: Option<i64>) -> i64 {
    version.unwrap_or(0)
}

/// A failure of the table itself.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The folder cannot be made or opened.
    #[error("cannot use {} as the lake's folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the lake cannot be fetched from the storage, or put there.
    #[error("cannot fetch or put files of {}", place.display())]
    Blobs {
        /// The table's address.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The table was written by a newer windrow.
    #[error("the lake at {} has schema version {found}, newer than {supported} which this windrow knows; use the newer windrow", path.display())]
    Newer {
        /// The table's folder.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version known here.
        supported: i64,
    },
    /// The folder holds a Delta table that windrow did not make.
    #[error("the Delta table at {} was not made by windrow; choose another folder", path.display())]
    Foreign {
        /// The table's folder.
        path: PathBuf,
    },
    /// Other writers got ahead in every attempt; nothing was committed, trying again is safe.
    #[error("other writers got ahead of this commit {attempts} times; try again")]
    Contended {
        /// Attempts made.
        attempts: u32,
    },
    /// Somebody else writes under this application's name.
    #[error("the lake was written under the name of this journal by another collector: it has events up to {} by that name, and this one brought them up to {}", known(*found), known(*brought))]
    Another {
        /// The application's version.
        found: Option<i64>,
        /// What the caller brought it to.
        brought: Option<i64>,
    },
    /// The key or the signature has not the form of one.
    #[error(
        "the credential for {place} is neither a key nor a shared access signature, as its setting says"
    )]
    Credential {
        /// Where the lake is.
        place: String,
    },
    /// Rows could not be encoded.
    #[error("cannot encode rows as parquet")]
    Encode(#[source] ParquetError),
    /// A data file is damaged or gone, and what was asked cannot be done without it.
    #[error("the lake's file {} is damaged: {reason}; `windrow lake check` says what to do", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of a table's log is damaged, without which the table cannot be read.
    #[error("the checkpoint {} of the lake is damaged: {reason}; put a copy in its place", file.display())]
    Checkpoint {
        /// The checkpoint.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk cannot read a data file, which may pass.
    #[error("the disk cannot read the lake's file {}: {reason}; put a copy in its place, or remove it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What it says.
        reason: String,
    },
    /// What is done for every table failed for some.
    #[error("not done for every table of the lake: {0}")]
    Tables(Failures),
    /// The table could not be read or written; it is as it was before.
    #[error("cannot {doing} the lake")]
    Table {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: Box<DeltaTableError>,
    },
    /// Looking for events already stored failed.
    #[error("cannot look for events that the lake already has")]
    Match(#[source] Box<DataFusionError>),
    /// A task of the runtime died: the program is being shut down, or a dependency panicked.
    #[error("a task of the lake died")]
    Task(#[from] tokio::task::JoinError),
}

impl From<ParquetError> for LakeError {
    /// What the storage refused says nothing of the file.
    fn from(error: ParquetError) -> LakeError {
        let unread = match error {
            ParquetError::External(inner) => inner.downcast::<io::Error>(),
            other => return LakeError::Encode(other),
        };
        let refused = match unread {
            Ok(error) => error.downcast::<object_store::Error>(),
            Err(inner) => return LakeError::Encode(ParquetError::External(inner)),
        };
        match refused {
            Ok(refused) => LakeError::table("read a file of")(refused.into()),
            Err(error) => LakeError::Encode(ParquetError::External(Box::new(error))),
        }
    }
}

impl LakeError {
    pub(crate) fn table(doing: &'static str) -> impl FnOnce(DeltaTableError) -> LakeError {
        move |source| LakeError::Table {
            doing,
            source: Box::new(source),
        }
    }
}

/// A query that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not one statement that only reads, or names what does not exist. The asker can cure it.
    #[error("{message}")]
    Refused {
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The query needed more memory than it may use.
    #[error(
        "the query needs more than its {limit_mib} MiB of memory; narrow it with a range of date, fewer columns or a limit"
    )]
    Memory {
        /// The limit.
        limit_mib: usize,
    },
    /// The query ran longer than it may.
    #[error("the query ran longer than its {limit:?}; narrow it with a range of date")]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// The lake is not in reach.
    #[error(
        "the lake cannot be asked: {reason}; it is tried again, and what comes meanwhile is in the journal"
    )]
    Away {
        /// Why not.
        reason: String,
    },
    /// Too many queries run already.
    #[error("{running} queries run already; try again when one has ended")]
    Busy {
        /// As many as may.
        running: usize,
    },
    /// A value of some row cannot be what the query asks of it: a cast, a division by zero.
    #[error("{message}")]
    Value {
        /// What is wrong.
        message: String,
    },
    /// The service answered with this error.
    #[error("{0}")]
    Remote(String),
    /// The answer broke off or is not one.
    #[error("the answer {0}")]
    Answer(String),
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file that the query is about cannot be asked.
    #[error(transparent)]
    Source(#[from] crate::files::SourceError),
    /// The query failed while it ran.
    #[error("the query failed")]
    Run(#[source] Box<DataFusionError>),
    /// The output could not be written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}
