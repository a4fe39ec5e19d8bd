//! The lake: a folder of Delta tables, of which `events` is the one that sources fill.
//!
//! Tables beside it are there once something was written to them. The roll-up `event_counts` follows the log of
//! `events` (`counts`), so that whoever adds events need not know of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Mutex, mpsc};

use crate::error::LakeError;
use crate::failures::{Done, Failures};
use crate::file_rows::FileTable;
use crate::files::Met;
use crate::place::Place;
use crate::retention::Retention;
use crate::rows::Rows;
use crate::schema::{COUNTS, Definition, EVENTS, TABLES};
use crate::table::{Appended, Checked, Cure, Expired, Extent, Overview, Run, Table, Told, Upkeep};

/// The lake. Cheap to clone; clones share the tables.
#[derive(Clone)]
pub struct Lake {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    access: Access,
    events: Table,
    /// Tables beside `events` that have been opened, by name.
    others: Mutex<BTreeMap<&'static str, Table>>,
    /// Held while the roll-up is brought up to date, so that this process does not race with itself.
    rolling_up: Mutex<()>,
    /// Damaged files that queries have met.
    met: Arc<Met>,
}

/// What the lake was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Lake {
    /// Opens the lake in this place to write, and makes it where there is none.
    pub async fn open(place: impl Into<Place>) -> Result<Lake, LakeError> {
        let place = place.into();
        let events = Table::open(&EVENTS, &place).await?;
        Ok(Lake::new(place, Access::Write, events))
    }

    /// Opens the lake in this place to read, and changes nothing there. Where there is none, it is empty.
    pub async fn open_to_read(place: impl Into<Place>) -> Result<Lake, LakeError> {
        let place = place.into();
        let events = match Table::open_to_read(&EVENTS, &place).await? {
            Some(events) => events,
            None => Table::empty(&EVENTS, &place).await?,
        };
        Ok(Lake::new(place, Access::Read, events))
    }

    fn new(place: Place, access: Access, events: Table) -> Lake {
        Lake {
            shared: Arc::new(Shared {
                place,
                access,
                events,
                others: Mutex::default(),
                rolling_up: Mutex::default(),
                met: Arc::default(),
            }),
        }
    }

    /// A lake to write to, with this table of events.
    #[cfg(test)]
    pub(crate) fn of(dir: &Path, events: Table) -> Lake {
        Lake::new(dir.into(), Access::Write, events)
    }

    /// The folder of the table of events.
    pub fn folder(&self) -> &Path {
        self.shared.events.folder()
    }

    /// The table of events.
    pub(crate) fn events(&self) -> &Table {
        &self.shared.events
    }

    /// Another table, where there is one.
    pub(crate) async fn other(
        &self,
        definition: &'static Definition,
    ) -> Result<Option<Table>, LakeError> {
        let mut others = self.shared.others.lock().await;
        if let Some(table) = others.get(definition.name) {
            return Ok(Some(table.clone()));
        }
        let opened = Table::open_to_read(definition, &self.shared.place).await?;
        if let (Some(table), Access::Read) = (&opened, self.shared.access) {
            others.insert(definition.name, table.clone());
        }
        Ok(opened)
    }

    /// Another table, made where there is none.
    pub(crate) async fn other_to_write(
        &self,
        definition: &'static Definition,
    ) -> Result<Table, LakeError> {
        let mut others = self.shared.others.lock().await;
        if let Some(table) = others.get(definition.name) {
            return Ok(table.clone());
        }
        let table = Table::open(definition, &self.shared.place).await?;
        others.insert(definition.name, table.clone());
        Ok(table)
    }

    /// Every table that there is and can be opened, and why others cannot.
    pub(crate) async fn tables(&self) -> (Vec<Table>, Failures) {
        let (mut tables, mut failures) = (Vec::with_capacity(TABLES.len()), Failures::default());
        for definition in TABLES {
            let table = self.table(definition).await;
            tables.extend(failures.note(definition.name, table).flatten());
        }
        (tables, failures)
    }

    async fn table(&self, definition: &'static Definition) -> Result<Option<Table>, LakeError> {
        if definition.name == EVENTS.name {
            return Ok(Some(self.shared.events.clone()));
        }
        if self.shared.access == Access::Read {
            return self.other(definition).await;
        }
        match Table::open_to_read(definition, &self.shared.place).await? {
            Some(_) => self.other_to_write(definition).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who keeps damaged files in mind: whoever lives long enough to meet them again.
    pub(crate) fn met(&self) -> Option<Arc<Met>> {
        (self.shared.access == Access::Write).then(|| Arc::clone(&self.shared.met))
    }

    /// Damaged files that queries have met since it was opened.
    pub fn damaged_files(&self) -> usize {
        self.shared.met.count()
    }

    /// Held by whoever brings the roll-up up to date.
    pub(crate) fn rolling_up(&self) -> &Mutex<()> {
        &self.shared.rolling_up
    }

    /// The version that the newest commit of this application brought `events` to. That commit is durable.
    pub async fn position(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        self.shared.events.position(app_id).await
    }

    /// Adds these rows to `events` as one commit, together with the application's new version.
    ///
    /// With a transaction an append is done once, however often it is tried: after any error, and
    /// after a restart, append the same rows with the same transaction again. Without one, an append
    /// that failed may have succeeded.
    pub async fn append(
        &self,
        rows: Rows,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        self.shared.events.append(rows, txn).await
    }

    /// Adds these rows to `events` as one commit that brings the application from one version to the next. Trying again
    /// does it once, as in [`Lake::append`]. Of events of EVTX files those are left out that the lake has: exports of a log
    /// overlap, and were perhaps imported.
    ///
    /// # Errors
    /// [`LakeError::Another`] where the application is at neither of the two: somebody else goes by its name, and which of
    /// these rows the lake has is not known.
    pub async fn append_after(
        &self,
        rows: Rows,
        app_id: &str,
        after: Option<i64>,
        version: i64,
    ) -> Result<Appended, LakeError> {
        let events = &self.shared.events;
        let parted = rows.parted("evtx");
        let (of_files, rows) = parted.map_err(|error| LakeError::Encode(error.into()))?;
        if !of_files.is_empty() {
            // A crash behind it leaves what the next attempt finds there.
            events.append_new(of_files, None).await?;
        }
        events.append_after(rows, (app_id, version), after).await
    }

    /// Adds those of these rows to `events` that it does not have, as one commit with the application's new version.
    ///
    /// Rows that are the same event among themselves are added once. The transaction makes it happen
    /// once as in [`Lake::append`], even where no row was new.
    pub async fn append_new(
        &self,
        rows: Rows,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        self.shared.events.append_new(rows, txn).await
    }

    /// The same for a table made of files. Values of counters have no identity: they are added once by the
    /// transaction alone.
    pub async fn append_of_files(
        &self,
        table: FileTable,
        rows: Rows,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        let definition = table.definition();
        let table = self.other_to_write(definition).await?;
        match definition.key.is_empty() {
            true => table.append(rows, txn).await,
            false => table.append_new(rows, txn).await,
        }
    }

    /// The same as [`Lake::position`] of a table made of files; none as well where there is no such table.
    pub async fn position_of_files(
        &self,
        table: FileTable,
        app_id: &str,
    ) -> Result<Option<i64>, LakeError> {
        match self.other(table.definition()).await? {
            Some(table) => table.position(app_id).await,
            None => Ok(None),
        }
    }

    /// Size of the newest version of `events`.
    pub async fn extent(&self) -> Result<Extent, LakeError> {
        self.shared.events.extent().await
    }

    /// Every table that there is, by name.
    pub async fn overview(&self) -> Done<Vec<Overview>> {
        let (tables, mut failures) = self.tables().await;
        let mut all = Vec::new();
        for table in tables {
            all.extend(failures.note(table.name(), table.overview().await));
        }
        failures.of(all)
    }

    /// Paths of the live data files of a table, below its folder; none where there is no such table.
    pub async fn live_files(
        &self,
        table: &str,
    ) -> Result<Option<(PathBuf, Vec<String>)>, LakeError> {
        let Some(definition) = TABLES.iter().find(|definition| definition.name == table) else {
            return Ok(None);
        };
        let Some(table) = self.table(definition).await? else {
            return Ok(None);
        };
        let files = table.live_files().await?;
        Ok(Some((table.folder().to_owned(), files)))
    }

    /// Takes out of every table what is kept no longer; what went, by table. Others may append and query meanwhile.
    pub async fn expire(
        &self,
        retention: &Retention,
        today: Date,
        run: Run,
    ) -> Result<Vec<(&'static str, Expired)>, LakeError> {
        let expiry = match run {
            Run::Dry => {
                let (tables, mut failures) = self.tables().await;
                let gone = expire_of(&tables, retention, today, None, &mut failures).await;
                failures.of(gone)
            }
            Run::Real => {
                let (told, _) = mpsc::channel(1);
                self.expire_and_tell(retention, today, &told).await
            }
        };
        expiry.whole()
    }

    /// The same, telling what went right after each commit: also of the one on its way where this is no longer waited for.
    /// What fails for one table keeps nothing in the others.
    pub async fn expire_and_tell(
        &self,
        retention: &Retention,
        today: Date,
        told: &Told,
    ) -> Done<Vec<(&'static str, Expired)>> {
        let (mut tables, mut failures) = self.tables().await;
        // Counts stay when events go.
        if failures.note(COUNTS.name, self.roll_up().await).is_none() {
            tables.retain(|table| table.name() != EVENTS.name);
        }
        let gone = expire_of(&tables, retention, today, Some(told), &mut failures).await;
        failures.note(COUNTS.name, self.roll_up().await);
        failures.of(gone)
    }

    /// Reads every file of every table: which of them are damaged or gone.
    pub async fn check(&self, cure: Cure<'_>) -> Done<Vec<Checked>> {
        let (tables, mut failures) = self.tables().await;
        let mut all = Vec::new();
        for table in tables {
            all.extend(failures.note(table.name(), table.check(cure).await));
        }
        failures.of(all)
    }

    /// Removes files that were replaced or left behind long enough ago, of every table; how many.
    pub async fn vacuum(&self, now: Timestamp) -> Done<u64> {
        let (tables, mut failures) = self.tables().await;
        let mut removed = 0;
        for table in tables {
            let done = table.remove_unnamed(now).await;
            removed += failures.note(table.name(), done).unwrap_or(0);
        }
        failures.of(removed)
    }

    /// Merges the small files of days that are over, as many days a call as there is time for, and removes files that
    /// were replaced or left behind long enough ago, of every table. Others may append and query meanwhile.
    ///
    /// What fails for one table keeps no other from it, and neither does a roll-up that is behind: where files that it has
    /// not counted are gone once it counts, it counts all that are there.
    pub async fn keep_up(&self, now: Timestamp) -> Done<Upkeep> {
        let (tables, mut failures) = self.tables().await;
        failures.note(COUNTS.name, self.roll_up().await);
        let mut done = Upkeep::default();
        for table in tables {
            if let Some(of_table) = failures.note(table.name(), table.keep_up(now).await) {
                done.add(of_table);
            }
        }
        // Merging adds nothing, and that has to be noted while the log still says so.
        failures.note(COUNTS.name, self.roll_up().await);
        failures.of(done)
    }
}

async fn expire_of(
    tables: &[Table],
    retention: &Retention,
    today: Date,
    told: Option<&Told>,
    failures: &mut Failures,
) -> Vec<(&'static str, Expired)> {
    let mut gone = Vec::with_capacity(tables.len());
    for table in tables {
        let mut expired = Expired::default();
        let done = table.expire(retention, today, told, &mut expired).await;
        failures.note(table.name(), done);
        gone.push((table.name(), expired));
    }
    gone
}

/// The names of all tables that a lake may have.
pub fn table_names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Whether a query may be about this table: its text has its name, or asks what there is.
pub(crate) fn names(sql: &str, definition: &Definition) -> bool {
    let has = |name: &str| {
        let is_of_name = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        let sql = sql.as_bytes();
        let mut windows = sql.windows(name.len()).enumerate();
        windows.any(|(at, window)| {
            let before = at.checked_sub(1).and_then(|at| sql.get(at));
            let is_whole = !is_of_name(before) && !is_of_name(sql.get(at + name.len()));
            is_whole && window.eq_ignore_ascii_case(name.as_bytes())
        })
    };
    has(definition.name) || has("information_schema")
}

/// The roll-up's name in its own transactions: counts of this table of events.
pub(crate) fn counts_app_id(events_id: &str) -> String {
    format!("windrow-{}-{events_id}", COUNTS.name)
}

/// The same for what tells the version that was counted from another one of its number.
pub(crate) fn counts_mark_id(events_id: &str) -> String {
    format!("windrow-{}-mark-{events_id}", COUNTS.name)
}

#[cfg(test)]
mod tests;
