//! Reads every data file of a table from begin to end, and takes out those that are damaged when it is told to.

use std::fs::File;

use deltalake::kernel::Remove;
use parquet::errors::ParquetError;
use tokio::task::spawn_blocking;

use super::merge::Replaced;
use super::{Changes, Table};
use crate::error::LakeError;
use crate::files::Unread;
use crate::footer;
use crate::limits::MERGE_BATCH_ROWS;

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
}

/// What is done with damaged files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// They are only named.
    None,
    /// They are taken out of the table; the files stay until the next removal of unneeded ones.
    TakeOut,
}

impl Table {
    /// Reads every file of the newest version.
    pub(crate) async fn check(&self, cure: Cure) -> Result<Checked, LakeError> {
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
        };
        let mut removes = Vec::new();
        for (remove, rows) in files {
            let (site, file, size) = (self.site().clone(), remove.path.clone(), remove.size);
            match spawn_blocking(move || whole(site.open(&file)?, size, rows)).await? {
                Ok(rows) => {
                    checked.files += 1;
                    checked.rows += rows;
                }
                Err(error) if footer::is_damage(&error) => {
                    checked.lost += rows.unwrap_or(0) as u64;
                    checked.damaged.push(Unread {
                        file: self.folder().join(&remove.path),
                        count: 0,
                        place: String::new(),
                        reason: error.to_string(),
                    });
                    removes.push(remove);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if cure == Cure::TakeOut {
            self.take_out(removes).await?;
        }
        Ok(checked)
    }

    async fn take_out(&self, removes: Vec<Remove>) -> Result<(), LakeError> {
        for remove in removes {
            // One that somebody took out or merged meanwhile is out.
            let (Replaced::Done | Replaced::Gone) = self
                .replace(Changes::delete(Vec::new(), vec![remove]))
                .await?;
        }
        Ok(())
    }
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
