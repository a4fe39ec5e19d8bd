//! What a report is about: what was collected, or files by name, and when.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use windrow_lake::{Files, Period, QueryLimits, QueryOutput, Tally, Unread};

use crate::asker::{Answer, Asker, Row, explain, quote, rows_of};
use crate::cli::Invocation;
use crate::cli::query::events::Evtx;
use crate::cli::query::from::From;
use crate::cli::query::tell;
use crate::cli::time::{TimeArgs, zone};
use crate::config::Need;
use crate::exit::Code;

/// `--from`, `--to`, `--tz` of a report
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AboutArgs {
    /// Only what is from this time on (2026-11-21T08:00:00Z, 2026-11-21, or 24h for 24 hours ago); or NAME=PATH: not what was
    /// collected, but the file or folder PATH, as `windrow query` reads it: events=Security.evtx, iis=logs/W3SVC1
    #[arg(
        long,
        value_name = "TIME|NAME=PATH",
        allow_hyphen_values = true,
        help_heading = "What it is about"
    )]
    from: Vec<String>,

    /// Only what is before this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "What it is about"
    )]
    to: Option<String>,

    /// The zone that times are shown in, and that times without one are in: Europe/Berlin, +05:30, or `local`
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        value_parser = zone,
        allow_hyphen_values = true,
        help_heading = "What it is about"
    )]
    pub(super) tz: TimeZone,
}

/// What the arguments say.
pub(super) struct About {
    /// The time.
    pub(super) period: Period,
    /// The files; none where it is about what was collected.
    files: Option<Files>,
}

impl AboutArgs {
    /// Whether they choose a time.
    pub(super) fn is_timed(&self) -> bool {
        self.to.is_some() || self.from.iter().any(|from| !from.contains('='))
    }

    /// Reads them, and looks what the files are.
    pub(super) fn read(&self, now: Timestamp) -> anyhow::Result<About> {
        let From { time, sources } = From::read(&self.from)?;
        let range = TimeArgs::new(time, self.to.clone(), self.tz.clone()).range(now)?;
        let files = match sources.is_empty() {
            true => None,
            false => Some(Files::find(&sources, Arc::new(Evtx))?),
        };
        Ok(About {
            period: Period {
                from: range.from,
                to: range.to,
            },
            files,
        })
    }
}

/// Who answers the questions of a report.
pub(super) struct Asked {
    by: By,
    /// What of all there is was not looked at.
    incomplete: Option<String>,
    /// What could not be read for each question.
    unread: Vec<Arc<Tally>>,
}

enum By {
    Collected(Asker),
    Files(Files),
}

impl Asked {
    /// Finds them.
    pub(super) async fn open(about: About, invocation: &Invocation) -> anyhow::Result<Asked> {
        let by = match about.files {
            Some(files) => By::Files(files),
            None => {
                let config = invocation.loader.load(Need::Defaults)?;
                By::Collected(Asker::open(&config).await?)
            }
        };
        Ok(Asked {
            by,
            incomplete: None,
            unread: Vec::new(),
        })
    }

    /// Asks.
    pub(super) async fn query(
        &mut self,
        sql: &str,
        limits: QueryLimits,
    ) -> anyhow::Result<QueryOutput> {
        let rows = match &mut self.by {
            By::Collected(asker) => {
                let Answer { rows, incomplete } = asker.query(sql, limits).await?;
                self.incomplete = self.incomplete.take().or(incomplete);
                rows
            }
            By::Files(files) => {
                let rows = files.query(sql, limits).await;
                rows.map_err(|error| explain(error.into()))?
            }
        };
        self.unread.push(rows.unread());
        Ok(rows)
    }

    /// Asks for few rows.
    pub(super) async fn rows(&mut self, sql: &str) -> anyhow::Result<Vec<Row>> {
        rows_of(self.query(sql, QueryLimits::default()).await?).await
    }

    /// Whether it can be asked for this table.
    pub(super) async fn has(&mut self, table: &str) -> anyhow::Result<bool> {
        let sql = format!(
            "select table_name from information_schema.tables where table_name = {}",
            quote(table)
        );
        Ok(!self.rows(&sql).await?.is_empty())
    }

    /// Says on stderr what the report is not about, and with which code it ends.
    pub(super) fn told(&self) -> io::Result<Code> {
        if let Some(said) = &self.incomplete {
            writeln!(io::stderr(), "{said}")?;
        }
        let mut unread: Vec<Unread> = self.unread.iter().flat_map(|one| one.all()).collect();
        unread.sort_by(|one, other| one.file.cmp(&other.file));
        unread.dedup_by(|one, other| one.file == other.file);
        let notes: BTreeSet<&str> = self.unread.iter().flat_map(|one| one.notes()).collect();
        if unread.is_empty() && notes.is_empty() {
            return Ok(match self.incomplete {
                Some(_) => Code::Partial,
                None => Code::Ok,
            });
        }
        tell(&unread, &Vec::from_iter(notes), &mut io::stderr().lock())?;
        Ok(Code::Partial)
    }
}
