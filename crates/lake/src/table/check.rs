//! Reads every data file of a table from begin to end, and takes out those that are damaged when it is told to.

use std::fs::File;
use std::path::PathBuf;

use deltalake::kernel::Remove;
use jiff::civil::Date;
use parquet::errors::ParquetError;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::merge::Replaced;
use super::{Changes, Table};
use crate::error::LakeError;
use crate::files::Unread;
use crate::footer;
use crate::limits::MERGE_BATCH_ROWS;
use crate::retention::Hold;
use crate::schema;

/// What reading a table came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub table: &'static str,
    /// Files that were read.
    pub files: u64,
    /// Rows that are in them.
    pub rows: u64,
    /// Files that are damaged or gone, and what is wrong with each.
    pub damaged: Vec<Unread>,
    /// Rows that those had, as the log says.
    pub lost: u64,
    /// Of those, files that stay in the table although they were to be taken out, and why.
    pub kept: Vec<(PathBuf, Kept)>,
}

/// What is done with damaged files.
#[derive(Clone, Copy, Debug)]
pub enum Cure<'a> {
    /// They are only named.
    None,
    /// They are taken out of the table, and told; the files stay until the next removal of unneeded ones.
    TakeOut(&'a [Hold], &'a mpsc::Sender<TakenOut>),
}

/// A damaged file that a table forgot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOut {
    /// The table.
    pub table: &'static str,
    /// The file.
    pub file: PathBuf,
    /// Rows that it had, as the log says.
    pub rows: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a damaged file stays in its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// This hold may be of its rows: what can be read of them is evidence still.
    Held(String),
    /// The disk cannot read it, which may pass, or be another cable.
    Disk,
}

impl Table {
    /// Reads every file of the newest version.
    pub(crate) async fn check(&self, cure: Cure<'_>) -> Result<Checked, LakeError> {
        let read = LakeError::table("read");
        let snapshot = self.snapshot().await?;
        let files = snapshot.snapshot().map_err(read)?.log_data().into_iter();
        let files = files.map(|file| (file.remove_action(true), file.num_records()));
        let mut files: Vec<_> = files.collect();
        files.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        let mut checked = Checked {
            table: self.name(),
            files: 0,
            rows: 0,
            damaged: Vec::new(),
            lost: 0,
            kept: Vec::new(),
        };
        for (remove, rows) in files {
            let (site, file, size) = (self.site().clone(), remove.path.clone(), remove.size);
            let error = match spawn_blocking(move || whole(site.open(&file)?, size, rows)).await? {
                Ok(rows) => {
                    checked.files += 1;
                    checked.rows += rows;
                    continue;
                }
                Err(error) if footer::is_damage(&error) => error,
                Err(error) => return Err(error.into()),
            };
            let damaged = TakenOut {
                table: self.name(),
                file: self.folder().join(&remove.path),
                rows: rows.unwrap_or(0) as u64,
                reason: error.to_string(),
            };
            checked.lost += damaged.rows;
            checked.damaged.push(Unread {
                file: damaged.file.clone(),
                count: 0,
                place: String::new(),
                reason: damaged.reason.clone(),
            });
            if let Cure::TakeOut(holds, told) = cure {
                match kept(self.name(), &remove, &error, holds) {
                    Some(kept) => checked.kept.push((damaged.file, kept)),
                    None => self.take_out(remove, damaged, told).await?,
                }
            }
        }
        Ok(checked)
    }

    async fn take_out(
        &self,
        remove: Remove,
        damaged: TakenOut,
        told: &mpsc::Sender<TakenOut>,
    ) -> Result<(), LakeError> {
        let changes = Changes::delete(Vec::new(), vec![remove]);
        // One that somebody took out or merged meanwhile is out.
        if let Replaced::Done = self.replace(changes).await? {
            // Who listens no longer does not want to know.
            let _ = told.send(damaged).await;
        }
        Ok(())
    }
}

/// Why this damaged file stays, if it does.
fn kept(table: &str, remove: &Remove, error: &ParquetError, holds: &[Hold]) -> Option<Kept> {
    if footer::is_of_disk(error) {
        return Some(Kept::Disk);
    }
    let values = remove.partition_values.as_ref();
    let date = values.and_then(|values| values.get(schema::DATE)?.as_ref()?.parse::<Date>().ok());
    let hold = holds.iter().find(|hold| hold.may_be_of(table, date))?;
    Some(Kept::Held(hold.name.clone()))
}

/// Reads a file of which the log says that it has so many bytes and rows; its rows.
fn whole(file: File, bytes: Option<i64>, rows: Option<usize>) -> Result<u64, ParquetError> {
    let differs = |what: &str, is: u64, said: u64| {
        Err(ParquetError::General(format!(
            "it has {is} {what} instead of {said}"
        )))
    };
    let is = file.metadata()?.len();
    if let Some(said) = bytes.and_then(|bytes| u64::try_from(bytes).ok())
        && is != said
    {
        return differs("bytes", is, said);
    }
    let read = footer::decoded(|| {
        let reader = footer::reader(file)?.with_batch_size(MERGE_BATCH_ROWS);
        let mut rows = 0;
        for batch in reader.build()? {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    })?;
    match rows {
        Some(said) if said as u64 != read => differs("rows", read, said as u64),
        _ => Ok(read),
    }
}

#[cfg(test)]
mod tests;
