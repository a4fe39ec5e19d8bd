//! Takes out what is kept no longer: files of dates that are over go whole, others are written again without the rows and
//! texts that are over.
//!
//! A reader sees a file before or after. What was replaced stays on the disk for
//! [`REPLACED_DAYS`](crate::limits::REPLACED_DAYS), for those who read the version before.

use std::io;

use deltalake::DeltaTableError;
use deltalake::kernel::{Add, Remove};
use jiff::civil::Date;
use parquet::errors::ParquetError;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::merge::Replaced;
use super::{Changes, Table, paths};
use crate::datafile::{self, Change};
use crate::error::LakeError;
use crate::footer;
use crate::limits::{EXPIRE_FILES, THIN_FILES};
use crate::retention::{Fate, Retention};
use crate::schema;

/// What was taken out of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files taken out whole.
    pub removed: u64,
    /// Files written again without some rows or texts.
    pub rewritten: u64,
    /// Rows that went.
    pub rows: u64,
    /// Rows whose text went.
    pub texts: u64,
}

/// Who is told what went from which table, right after the commit that took it out.
pub type Told = mpsc::Sender<(&'static str, Expired)>;

/// Whether something is done, or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It is done.
    Real,
    /// It is only said what would be done.
    Dry,
}

/// A file of which something may be over.
struct Aged {
    date: Date,
    remove: Remove,
    rows: u64,
}

/// What becomes of a file.
enum Verdict {
    Kept,
    Gone,
    /// It is written again; rows that go, and rows whose text goes.
    Thinned(u64, u64),
}

impl Expired {
    /// Counts what was done elsewhere too.
    fn add(&mut self, other: Expired) {
        self.removed += other.removed;
        self.rewritten += other.rewritten;
        self.rows += other.rows;
        self.texts += other.texts;
    }
}

/// Files written again, that wait for their commit.
#[derive(Default)]
struct Thinned {
    adds: Vec<Add>,
    removes: Vec<Remove>,
    done: Expired,
}

impl Table {
    /// Takes out what is over on this day and adds it up in `expired`, also where it fails in the end; with nobody to tell, it
    /// is only counted. What fails of one file alone keeps no other, and is told at the end. Others may append and query
    /// meanwhile.
    pub(crate) async fn expire(
        &self,
        retention: &Retention,
        today: Date,
        told: Option<&Told>,
        expired: &mut Expired,
    ) -> Result<(), LakeError> {
        let mut gone = Vec::new();
        let mut thinned = Thinned::default();
        let (mut failed, mut has_room) = (None, true);
        for aged in self.aged(retention, today).await? {
            let (rows, texts) = match self.judged(&aged, retention, today).await {
                Ok(Verdict::Kept) => continue,
                Ok(Verdict::Gone) => {
                    gone.push(aged);
                    continue;
                }
                Ok(Verdict::Thinned(rows, texts)) => (rows, texts),
                Err(LakeError::Encode(error)) if footer::is_damage(&error) => {
                    self.tell_damaged(&aged, &error);
                    continue;
                }
                Err(error) => {
                    let is_of_file = is_too_large(&error);
                    failed.get_or_insert(error);
                    match is_of_file {
                        true => continue,
                        false => break,
                    }
                }
            };
            if told.is_some() {
                // Where the disk is full, files that are over as a whole go all the same, and make room.
                if !has_room {
                    continue;
                }
                match self.thin(&aged, retention, today).await {
                    Ok(add) => thinned.adds.push(add),
                    Err(LakeError::Encode(error)) if footer::is_damage(&error) => {
                        self.tell_damaged(&aged, &error);
                        continue;
                    }
                    Err(error) => {
                        has_room &= is_too_large(&error);
                        failed.get_or_insert(error);
                        continue;
                    }
                }
                thinned.removes.push(aged.remove);
            }
            thinned.done.rewritten += 1;
            thinned.done.rows += rows;
            thinned.done.texts += texts;
            if thinned.adds.len() >= THIN_FILES {
                self.put_thinned(&mut thinned, told, expired).await?;
            }
        }
        self.put_thinned(&mut thinned, told, expired).await?;
        self.take_gone(&gone, told, expired).await?;
        failed.map_or(Ok(()), Err)
    }

    /// Puts files in the place of those they were made of. Where one of those was merged meanwhile, all are found again the
    /// next time.
    async fn put_thinned(
        &self,
        thinned: &mut Thinned,
        told: Option<&Told>,
        expired: &mut Expired,
    ) -> Result<(), LakeError> {
        let Thinned {
            adds,
            removes,
            done,
        } = std::mem::take(thinned);
        let changes = Changes::delete(adds, removes);
        self.take(changes, done, told, expired).await
    }

    /// Takes files out as a whole.
    async fn take_gone(
        &self,
        gone: &[Aged],
        told: Option<&Told>,
        expired: &mut Expired,
    ) -> Result<(), LakeError> {
        for gone in gone.chunks(EXPIRE_FILES) {
            let removes = gone.iter().map(|aged| aged.remove.clone()).collect();
            let done = Expired {
                removed: gone.len() as u64,
                rows: gone.iter().map(|aged| aged.rows).sum(),
                ..Expired::default()
            };
            let changes = Changes::delete(Vec::new(), removes);
            self.take(changes, done, told, expired).await?;
        }
        Ok(())
    }

    /// Commits that this is done, tells it and adds it up.
    async fn take(
        &self,
        changes: Changes,
        done: Expired,
        told: Option<&Told>,
        expired: &mut Expired,
    ) -> Result<(), LakeError> {
        if done == Expired::default() {
            return Ok(());
        }
        let Some(told) = told else {
            expired.add(done);
            return Ok(());
        };
        // To the end, also where whoever asked for it waits no longer: what is gone has to be told.
        let committing = tokio::spawn(self.clone().commit_and_tell(changes, done, told.clone()));
        expired.add(committing.await??);
        Ok(())
    }

    /// What was done of it: nothing, where somebody else merged a file or took it away meanwhile.
    async fn commit_and_tell(
        self,
        changes: Changes,
        done: Expired,
        told: Told,
    ) -> Result<Expired, LakeError> {
        let written = paths(&changes.adds);
        match self.replace(changes).await {
            Ok(Replaced::Done) => {
                // Who listens no longer does not want to know.
                let _ = told.send((self.name(), done)).await;
                Ok(done)
            }
            Ok(Replaced::Gone) => {
                self.remove_unless_named(&written).await;
                Ok(Expired::default())
            }
            Err(error) => {
                self.take_back(&written).await;
                Err(error)
            }
        }
    }

    /// Says what is damaged. The others are not kept for it.
    fn tell_damaged(&self, aged: &Aged, error: &ParquetError) {
        let file = self.folder().join(&aged.remove.path);
        tracing::error!(file = %file.display(), %error, "a file of the lake is damaged: what of it is over stays");
    }

    /// Files of dates of which something may be over, the oldest first.
    async fn aged(&self, retention: &Retention, today: Date) -> Result<Vec<Aged>, LakeError> {
        let read = |error: DeltaTableError| LakeError::table("read")(error);
        let name = self.shared.definition.name;
        let table = self.snapshot().await?;
        let mut aged = Vec::new();
        for file in table.snapshot().map_err(read)?.log_data() {
            let date = file.partition_values_map().remove(schema::DATE).flatten();
            // What is under no date is not expired: nobody knows how old it is.
            let Some(date) = date.and_then(|date| date.parse::<Date>().ok()) else {
                continue;
            };
            if retention.concerns(name, date, today) {
                aged.push(Aged {
                    date,
                    remove: file.remove_action(true),
                    rows: file.num_records().unwrap_or(0) as u64,
                });
            }
        }
        aged.sort_by(|one, other| {
            (one.date, &one.remove.path).cmp(&(other.date, &other.remove.path))
        });
        Ok(aged)
    }

    /// What becomes of a file.
    async fn judged(
        &self,
        aged: &Aged,
        retention: &Retention,
        today: Date,
    ) -> Result<Verdict, LakeError> {
        let name = self.shared.definition.name;
        if retention.is_of_dates(name) {
            return Ok(match retention.fate(name, None, aged.date, today) {
                Fate::Gone => Verdict::Gone,
                Fate::Kept | Fate::Textless => Verdict::Kept,
            });
        }
        let (site, path) = (self.site().clone(), aged.remove.path.clone());
        let (retention, date) = (retention.clone(), aged.date);
        let aging = spawn_blocking(move || {
            let fate = |channel: Option<&str>| retention.fate(name, channel, date, today);
            datafile::aging(site.open(&path)?, fate)
        });
        let aging = aging.await??;
        Ok(match (aging.rows, aging.texts) {
            (0, 0) => Verdict::Kept,
            (rows, _) if rows == aging.all => Verdict::Gone,
            (rows, texts) => Verdict::Thinned(rows, texts),
        })
    }

    /// Writes a file again without what is over. Until a commit names it, no reader sees it.
    async fn thin(
        &self,
        aged: &Aged,
        retention: &Retention,
        today: Date,
    ) -> Result<Add, LakeError> {
        let (site, retention) = (self.site().clone(), retention.clone());
        let definition = self.shared.definition;
        let (date, old) = (aged.date, aged.remove.path.clone());
        spawn_blocking(move || {
            let day = format!("{}={date}", schema::DATE);
            let failed = |source| site.failed(&day, source);
            let (making, file) = site.make(&day).map_err(failed)?;
            let fate =
                |channel: Option<&str>| retention.fate(definition.name, channel, date, today);
            let part = site.open(&old).map_err(failed)?;
            let (thinned, file) = datafile::thin(definition, &date.to_string(), part, fate, file)?;
            let bytes = making.keep(&file, &thinned.path).map_err(failed)?;
            Ok(thinned.add(bytes, jiff::Timestamp::now(), Change::Rows))
        })
        .await?
    }
}

/// Whether a file has more bytes than one that is fetched may have, which says nothing of the others.
fn is_too_large(error: &LakeError) -> bool {
    let source = match error {
        LakeError::Encode(ParquetError::External(inner)) => inner.downcast_ref::<io::Error>(),
        LakeError::Folder { source, .. } | LakeError::Blobs { source, .. } => Some(source),
        _ => None,
    };
    source.is_some_and(|error| error.kind() == io::ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests;
