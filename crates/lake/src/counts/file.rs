//! Counts of one file: a data file of `events`, or one of the roll-up.

use std::fs::File;
use std::io;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use tokio::task::spawn_blocking;

use super::{COUNTED, Counter};
use crate::error::LakeError;
use crate::footer;
use crate::limits::COUNT_BATCH_ROWS;
use crate::store::site::Site;

/// A data file of `events`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) path: String,
    pub(super) date: String,
    /// Its rows as the log says; none where nobody asked.
    pub(super) rows: i64,
}

/// How far the counting of a file came.
pub(super) enum Counted {
    /// All its rows, or all that were left.
    Whole(Counter),
    /// As many as a counter holds, and what comes after them.
    Full(Counter, Rest),
    /// It is damaged: what was counted of it does not count.
    Damaged(String),
    /// The disk cannot read it, which may pass.
    Unreadable(String),
    /// It is not there.
    Gone,
}

/// What of a file was not counted yet.
pub(super) struct Rest {
    reader: ParquetRecordBatchReader,
    date: String,
}

/// Counts a file from its begin.
pub(super) async fn count(site: &Site, part: &Part) -> Result<Counted, LakeError> {
    let (site, part) = (site.clone(), part.clone());
    let counted = spawn_blocking(move || {
        let file = match site.open(&part.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Counted::Gone),
            file => file.map_err(ParquetError::from),
        };
        told(footer::decoded(|| begin(file?, part.date)?.go_on()))
    });
    counted.await?
}

impl Rest {
    /// Counts on.
    pub(super) async fn count(self) -> Result<Counted, LakeError> {
        spawn_blocking(move || told(footer::decoded(|| self.go_on()))).await?
    }

    fn go_on(mut self) -> Result<Counted, ParquetError> {
        let mut counter = Counter::default();
        for batch in &mut self.reader {
            counter.count_under(&self.date, &batch?);
            if counter.is_full() {
                return Ok(Counted::Full(counter, self));
            }
        }
        Ok(Counted::Whole(counter))
    }
}

fn begin(file: File, date: String) -> Result<Rest, ParquetError> {
    let builder = footer::reader(file)?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), COUNTED);
    let reader = builder
        .with_projection(columns)
        .with_batch_size(COUNT_BATCH_ROWS)
        .build()?;
    Ok(Rest { reader, date })
}

/// What keeps a file from being counted.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// See [`Counted::Unreadable`].
    Disk(String),
    /// See [`Counted::Damaged`].
    Damage(String),
}

impl Fault {
    /// # Errors
    /// Anything else, which may pass: the file is counted the next time.
    fn of(error: ParquetError) -> Result<Fault, LakeError> {
        match error {
            error if footer::is_of_disk(&error) => Ok(Fault::Disk(error.to_string())),
            error if footer::is_damage(&error) => Ok(Fault::Damage(error.to_string())),
            error => Err(error.into()),
        }
    }
}

/// Damage is an answer.
fn told(counted: Result<Counted, ParquetError>) -> Result<Counted, LakeError> {
    match counted {
        Ok(counted) => Ok(counted),
        Err(error) => Ok(match Fault::of(error)? {
            Fault::Disk(why) => Counted::Unreadable(why),
            Fault::Damage(why) => Counted::Damaged(why),
        }),
    }
}

/// Nothing is counted beside a file that the disk cannot read: its events would be missing for good.
pub(super) fn unreadable(site: &Site, path: &str, reason: String) -> LakeError {
    LakeError::Unreadable {
        file: site.shown().join(path),
        reason,
    }
}

/// Adds the counts of a file of the roll-up, as far as there is room for them. Of one that is damaged there are none.
pub(super) async fn take_over(
    site: &Site,
    path: &str,
    date: &str,
    mut counter: Counter,
) -> Result<Counter, LakeError> {
    let (site, path, date) = (site.clone(), path.to_owned(), date.to_owned());
    let taken = spawn_blocking(move || {
        let taken = footer::decoded(|| {
            let reader = footer::reader(site.open(&path)?)?;
            let mut of_file = Counter::default();
            for batch in reader.with_batch_size(COUNT_BATCH_ROWS).build()? {
                of_file.take_over(&date, &batch?);
                if of_file.is_full() {
                    break;
                }
            }
            Ok(of_file)
        });
        match taken.map_err(Fault::of) {
            Ok(of_file) => counter.merge(&of_file),
            // What it counts has expired elsewhere: nobody can count it again.
            Err(Ok(Fault::Disk(why))) => return Err(unreadable(&site, &path, why)),
            Err(Ok(Fault::Damage(why))) => {
                let file = site.shown().join(&path);
                tracing::error!(file = %file.display(), why, "a file of the lake's event_counts is damaged");
            }
            Err(Err(error)) => return Err(error),
        }
        Ok(counter)
    });
    taken.await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cannot_read_is_no_damage_and_neither_is_what_passes() {
        let io = |number| ParquetError::from(io::Error::from_raw_os_error(number));
        let (unreadable, too_many_files) = (5, 24);
        assert!(matches!(Fault::of(io(unreadable)), Ok(Fault::Disk(_))));
        assert!(matches!(
            told(Err(io(unreadable))),
            Ok(Counted::Unreadable(_))
        ));
        let cut = ParquetError::EOF("the end is missing".to_owned());
        assert!(matches!(Fault::of(cut), Ok(Fault::Damage(_))));
        assert!(Fault::of(io(too_many_files)).is_err());
        assert!(told(Err(io(too_many_files))).is_err());
    }
}
