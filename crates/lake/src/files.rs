//! Files asked directly, without importing them: Parquet, Delta, EVTX, W3C logs, lines of JSON, CSV.
//!
//! Parquet and Delta are read by the engine. Everything else is read by threads of ours, in parts, one thread a file and as
//! many as the query may have, and only the columns that are asked for (`scan`). What of a file cannot be read is left
//! out, counted, and told when the answer is there (`tally`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::error::DataFusionError;

use crate::azure_tables::{self, AzureTables};
use crate::error::QueryError;
use crate::lake;
use crate::output::QueryOutput;
use crate::query::{QueryLimits, Session, answer};
use crate::schema::{COUNTS, EVENTS};

pub(crate) mod blocks;
mod events;
mod kind;
mod scan;
mod table;
mod tally;
mod text;
pub(crate) mod w3c;

pub use events::{EventFiles, Given};
pub use kind::{Kind, is_w3c_log};
pub(crate) use tally::Met;
pub use tally::{Tally, Unread};

use kind::Found;

/// A name for what is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What a query calls it.
    pub name: String,
    /// A file, or a folder of files of one kind.
    pub path: PathBuf,
}

/// Why a path cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in the folder.
    #[error("there is no file in {}", .0.display())]
    Empty(PathBuf),
    /// A file is nothing that can be asked.
    #[error(
        "cannot tell what {} is: there are Parquet, EVTX, W3C logs, JSON lines and CSV", .0.display()
    )]
    Unknown(PathBuf),
    /// Files of different kinds are no table.
    #[error("{} is {one} and {} is {other}: a table is files of one kind", first.display(), second.display())]
    Mixed {
        /// A file.
        first: PathBuf,
        /// Its kind.
        one: Kind,
        /// A file of another kind.
        second: PathBuf,
        /// That kind.
        other: Kind,
    },
    /// There are more files than a table takes.
    #[error("there are more than {most} files in {}", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The limit.
        most: usize,
    },
    /// The columns cannot be told.
    #[error("cannot tell the columns of {}: {why}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The engine cannot read it.
    #[error("cannot read {}", path.display())]
    Engine {
        /// The path.
        path: PathBuf,
        /// Why.
        source: Box<DataFusionError>,
    },
}

impl SourceError {
    fn engine(path: &Path) -> impl Fn(DataFusionError) -> SourceError {
        move |source| SourceError::Engine {
            path: path.to_owned(),
            source: Box::new(source),
        }
    }
}

/// Files that queries can be asked about.
#[derive(Debug)]
pub struct Files {
    sources: Vec<(String, Found)>,
    events: Arc<dyn EventFiles>,
    tally: Arc<Tally>,
    azure: Option<Arc<dyn AzureTables>>,
}

impl Files {
    /// Looks what is at each path. Of files of events, `events` reads those that only the caller knows how to.
    ///
    /// # Errors
    /// A path cannot be read, or is nothing that can be asked.
    pub fn find(sources: &[Source], events: Arc<dyn EventFiles>) -> Result<Files, SourceError> {
        let found = sources
            .iter()
            .map(|source| Ok((source.name.clone(), kind::find(&source.path)?)));
        Ok(Files {
            sources: found.collect::<Result<_, SourceError>>()?,
            events,
            tally: Arc::default(),
            azure: None,
        })
    }

    /// The same, and tables in Azure's storage.
    #[must_use]
    pub fn and_azure(self, azure: Arc<dyn AzureTables>) -> Files {
        Files {
            azure: Some(azure),
            ..self
        }
    }

    /// Each table: its name, what its files are, and how many.
    pub fn tables(&self) -> impl Iterator<Item = (&str, Kind, usize)> {
        self.sources
            .iter()
            .map(|(name, found)| (name.as_str(), found.kind, found.files.len()))
    }

    /// Answers one SQL statement over these files. Where one of them is `events`, the views over events are there too.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn query(&self, sql: &str, limits: QueryLimits) -> Result<QueryOutput, QueryError> {
        answer(sql, limits, self.session(sql, limits)).await
    }

    /// What could not be read so far, by file.
    pub fn unread(&self) -> Vec<Unread> {
        self.tally.all()
    }

    /// Bytes of the files that are read here, and how many of them are read so far; the engine does not say of those that it
    /// reads.
    pub fn progress(&self) -> (u64, u64) {
        let here = self.sources.iter().map(|(_, found)| found);
        let here = here.filter(|found| !matches!(found.kind, Kind::Parquet | Kind::Delta));
        let size = |file: &PathBuf| file.metadata().map_or(0, |metadata| metadata.len());
        let all = here.flat_map(|found| &found.files).map(size).sum();
        (self.tally.bytes(), all)
    }

    async fn session(&self, sql: &str, limits: QueryLimits) -> Result<Session, QueryError> {
        let session = Session::new(limits, Arc::clone(&self.tally))?;
        if let Some(azure) = &self.azure {
            azure_tables::register(&session, sql, azure, limits.period).await?;
        }
        for (name, found) in &self.sources {
            table::register(&session, name, found, &self.events, &self.tally).await?;
            let is_own = self.sources.iter().any(|(name, _)| name == COUNTS.name);
            if *name == EVENTS.name && !is_own && lake::names(sql, &COUNTS) {
                session.count_events(limits.period).await?;
            }
            if table::has_time(&session, name).await {
                session.narrow(name, "time", limits.period).await?;
            }
        }
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
