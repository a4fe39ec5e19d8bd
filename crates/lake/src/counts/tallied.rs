//! Counts on their way into the roll-up.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::DeltaTable;
use deltalake::kernel::{Add, Remove};
use tokio::task::spawn_blocking;

use super::Counter;
use super::file::{self, Counted, Part};
use super::follow::Due;
use crate::error::LakeError;
use crate::lake::{counts_app_id, counts_mark_id};
use crate::schema::DATE;
use crate::table::{Changes, Commit, Table, paths};

/// Whether everything was counted.
pub(super) enum Taken {
    All,
    /// A file is not there any more, and the newest version does not name it.
    Gone,
}

/// What was counted so far, and what it takes the place of.
pub(super) struct Tallied<'a> {
    events: &'a Table,
    counts: &'a Table,
    counter: Counter,
    adds: Vec<Add>,
    removes: Vec<Remove>,
    /// Every file that was written, those among them that do not count.
    pub(super) written: Vec<String>,
}

impl<'a> Tallied<'a> {
    pub(super) fn new(events: &'a Table, counts: &'a Table) -> Tallied<'a> {
        Tallied {
            events,
            counts,
            counter: Counter::default(),
            adds: Vec::new(),
            removes: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Counts what is due.
    pub(super) async fn take(&mut self, at: &DeltaTable, due: Due) -> Result<Taken, LakeError> {
        let parts = match due {
            Due::Nothing => Vec::new(),
            Due::Added(parts, begun) => return self.add(at, parts, &begun).await,
            Due::All(parts) => return self.raise(at, parts).await,
            Due::Back(parts) => {
                let dates: BTreeSet<&str> = parts.iter().map(|part| part.date.as_str()).collect();
                self.removes = of_dates(at, |date| dates.contains(date))?;
                parts
            }
        };
        self.take_parts(parts).await
    }

    /// Counts files that came. Of a date that had none, counts are of events that have expired: those may have come again,
    /// and count once.
    async fn add(
        &mut self,
        at: &DeltaTable,
        parts: Vec<Part>,
        begun: &BTreeSet<String>,
    ) -> Result<Taken, LakeError> {
        let expired = of_dates(at, |date| begun.contains(date))?;
        let expired: BTreeSet<String> = expired.iter().map(date_of).collect();
        let (again, new): (Vec<Part>, Vec<Part>) = parts
            .into_iter()
            .partition(|part| expired.contains(&part.date));
        match self.take_parts(new).await? {
            Taken::All => self.raise(at, again).await,
            Taken::Gone => Ok(Taken::Gone),
        }
    }

    async fn take_parts(&mut self, parts: Vec<Part>) -> Result<Taken, LakeError> {
        for part in parts {
            if let Taken::Gone = self.take_part(&part).await? {
                return Ok(Taken::Gone);
            }
        }
        self.write_rest().await?;
        Ok(Taken::All)
    }

    /// Counts a file. What of it does not fit in hand is written down; it counts once the whole file was read.
    async fn take_part(&mut self, part: &Part) -> Result<Taken, LakeError> {
        let mut adds = Vec::new();
        let mut counted = file::count(self.events.site(), part).await?;
        loop {
            counted = match counted {
                Counted::Full(full, rest) => {
                    adds.extend(self.write(full).await?);
                    rest.count().await?
                }
                Counted::Whole(of_file) => {
                    self.counter = merged(std::mem::take(&mut self.counter), of_file).await?;
                    self.adds.extend(adds);
                    break;
                }
                Counted::Damaged(why) => {
                    self.tell_damage(part, &why);
                    break;
                }
                Counted::Unreadable(why) => {
                    return Err(file::unreadable(self.events.site(), &part.path, why));
                }
                Counted::Gone => match self.events.names(&part.path).await? {
                    true => {
                        self.tell_damage(part, "it is not there");
                        break;
                    }
                    false => return Ok(Taken::Gone),
                },
            };
        }
        if self.counter.is_full() {
            self.write_rest().await?;
        }
        Ok(Taken::All)
    }

    fn tell_damage(&self, part: &Part, why: &str) {
        let file = self.events.site().shown().join(&part.path);
        tracing::error!(file = %file.display(), why, "a file of the lake is damaged: event_counts has none of its events");
    }

    /// Counts of a date where it is not known which of its events they count. Events that expired stay counted and those
    /// that came are counted: of each count the greater one holds, since what is counted together expires together.
    async fn raise(&mut self, at: &DeltaTable, parts: Vec<Part>) -> Result<Taken, LakeError> {
        let mut dates = BTreeMap::<String, Vec<Part>>::new();
        for part in parts {
            dates.entry(part.date.clone()).or_default().push(part);
        }
        let mut known = BTreeMap::<String, Vec<Remove>>::new();
        for remove in of_dates(at, |date| dates.contains_key(date))? {
            known.entry(date_of(&remove)).or_default().push(remove);
        }
        for (date, parts) in dates {
            let taken = match known.remove(&date) {
                None => self.take_parts(parts).await?,
                Some(known) => self.raise_date(&date, parts, known).await?,
            };
            if let Taken::Gone = taken {
                return Ok(Taken::Gone);
            }
        }
        Ok(Taken::All)
    }

    async fn raise_date(
        &mut self,
        date: &str,
        parts: Vec<Part>,
        known: Vec<Remove>,
    ) -> Result<Taken, LakeError> {
        let mut held = Counter::default();
        for remove in &known {
            held = file::take_over(self.counts.site(), &remove.path, date, held).await?;
            if held.is_full() {
                return self.replace_where_fewer(parts, known, None).await;
            }
        }
        let mut there = Counter::default();
        for part in &parts {
            let of_file = match file::count(self.events.site(), part).await? {
                Counted::Whole(of_file) => of_file,
                Counted::Full(..) => {
                    return self.replace_where_fewer(parts, known, Some(held)).await;
                }
                Counted::Damaged(why) => {
                    self.tell_damage(part, &why);
                    continue;
                }
                Counted::Unreadable(why) => {
                    return Err(file::unreadable(self.events.site(), &part.path, why));
                }
                Counted::Gone if self.events.names(&part.path).await? => {
                    self.tell_damage(part, "it is not there");
                    continue;
                }
                Counted::Gone => return Ok(Taken::Gone),
            };
            there = merged(there, of_file).await?;
            if there.is_full() {
                return self.replace_where_fewer(parts, known, Some(held)).await;
            }
        }
        if held.raise(&there) {
            let adds = self.write(held).await?;
            self.adds.extend(adds);
            self.removes.extend(known);
        }
        Ok(Taken::All)
    }

    /// Of a date that has more names than are held: its counts are replaced where they are of fewer events.
    async fn replace_where_fewer(
        &mut self,
        parts: Vec<Part>,
        known: Vec<Remove>,
        held: Option<Counter>,
    ) -> Result<Taken, LakeError> {
        let date = known.first().map(date_of).unwrap_or_default();
        let there: i64 = parts.iter().map(|part| part.rows).sum();
        // Where not even the counts fit they are many, and many of expired events may be among them.
        let is_fewer = held.is_some_and(|held| held.events() < there);
        tracing::warn!(
            date,
            is_replaced = is_fewer,
            "the roll-up of this date has too many names to be compared with its events: it may count some of them not, or events that have expired not any more"
        );
        match is_fewer {
            false => Ok(Taken::All),
            true => {
                self.removes.extend(known);
                self.take_parts(parts).await
            }
        }
    }

    async fn write_rest(&mut self) -> Result<(), LakeError> {
        if self.counter.is_empty() {
            return Ok(());
        }
        let counter = std::mem::take(&mut self.counter);
        let adds = self.write(counter).await?;
        self.adds.extend(adds);
        Ok(())
    }

    /// Writes counts down. Until a commit names the files, nobody counts them.
    async fn write(&mut self, mut counter: Counter) -> Result<Vec<Add>, LakeError> {
        let rows = spawn_blocking(move || counter.finish()).await?;
        let rows = rows.map_err(|error| LakeError::Encode(error.into()))?;
        let adds = self.counts.write_files(rows).await?;
        self.written.extend(paths(&adds));
        Ok(adds)
    }

    /// Puts what was counted, up to this version, in the place of what is replaced; whether nobody else was first.
    pub(super) async fn commit(
        &mut self,
        at: &DeltaTable,
        id: &str,
        version: u64,
        mark: i64,
    ) -> Result<bool, LakeError> {
        let (counted, marked) = (counts_app_id(id), counts_mark_id(id));
        let txns = [
            (counted.as_str(), i64::try_from(version).unwrap_or(i64::MAX)),
            (marked.as_str(), mark),
        ];
        let (adds, removes) = (self.adds.clone(), self.removes.clone());
        let changes = Changes::overwrite(adds, removes);
        let committed = self
            .counts
            .commit_upon(changes, &txns, at.version())
            .await?;
        // What was written and does not count is found by upkeep.
        Ok(matches!(committed, Some(Commit::Version(_))))
    }
}

/// What both counted.
pub(super) async fn merged(mut counter: Counter, other: Counter) -> Result<Counter, LakeError> {
    if counter.is_empty() {
        return Ok(other);
    }
    let merge = move || {
        counter.merge(&other);
        counter
    };
    Ok(spawn_blocking(merge).await?)
}

/// Files of the roll-up that count these dates.
fn of_dates(
    counts: &DeltaTable,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Vec<Remove>, LakeError> {
    let snapshot = counts.snapshot().map_err(LakeError::table("read"))?;
    let files = snapshot.log_data().into_iter();
    let removes = files.map(|file| file.remove_action(true));
    Ok(removes
        .filter(|remove| is_meant(&date_of(remove)))
        .collect())
}

fn date_of(remove: &Remove) -> String {
    let values = remove.partition_values.as_ref();
    let date = values.and_then(|values| values.get(DATE).cloned().flatten());
    date.unwrap_or_default()
}
