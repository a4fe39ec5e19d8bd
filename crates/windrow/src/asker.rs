//! Answers to SQL: from the service while it runs, from the data folder when it does not.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use windrow_lake::{Format, Layout, QueryError, QueryLimits, QueryOutput, Tally, Unread};

use crate::client::{Client, Refused};
use crate::config::checked;
use crate::datadir;
use crate::exit::{Code, UsageError};
use crate::folder::{self, Folder};
use crate::lake_place;
use crate::output::escape;
use crate::service::{ACKNOWLEDGED_TO, COMPLETE_TO, OLDEST};

/// Who answers.
pub(crate) enum Asker {
    /// The running service.
    Service(Client),
    /// The lake and the journal, read here.
    Folder(Box<Folder>),
}

/// An answer, and whether it is about everything.
pub(crate) struct Answer<T> {
    /// What was asked for.
    pub(crate) rows: T,
    /// What of all there is was not looked at.
    pub(crate) incomplete: Option<String>,
}

impl<T> Answer<T> {
    /// The answer, and the code that a command ends with: what is not about everything is said on stderr, whatever is
    /// logged.
    ///
    /// # Errors
    /// stderr takes nothing.
    pub(crate) fn told(self) -> io::Result<(T, Code)> {
        let Some(said) = self.incomplete else {
            return Ok((self.rows, Code::Ok));
        };
        writeln!(io::stderr(), "{said}")?;
        Ok((self.rows, Code::Partial))
    }
}

/// One row of an answer, by column.
pub(crate) type Row = Map<String, Value>;

impl Asker {
    /// The service of this data folder, or the folder itself.
    pub(crate) async fn open(config: &checked::Config) -> anyhow::Result<Asker> {
        let data_dir = &config.data_dir;
        if let Some(service) = Client::connect(&datadir::socket(data_dir)).await? {
            return Ok(Asker::Service(service));
        }
        let data_dir = folder::open(data_dir)?;
        let place = lake_place::of(&config.lake, &data_dir)?;
        let folder = Folder::open(&data_dir, place).await?;
        Ok(Asker::Folder(Box::new(folder)))
    }

    /// Asks, and warns when the answer is not about everything. Of the limits, memory and threads are the service's
    /// own when it answers.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        limits: QueryLimits,
    ) -> anyhow::Result<Answer<QueryOutput>> {
        let (rows, incomplete) = match self {
            Asker::Service(service) => {
                let (head, frames) = service
                    .post(&path(limits), sql.to_owned())
                    .await
                    .map_err(explain)?;
                (QueryOutput::from_ipc(frames).await, incomplete(&head))
            }
            Asker::Folder(folder) => {
                let rows = folder.lake.query(sql, folder.tail.clone(), limits).await;
                (rows, folder.missing.said())
            }
        };
        let rows = rows.map_err(|error| explain(error.into()))?;
        Ok(Answer { rows, incomplete })
    }

    /// Asks for few rows.
    pub(crate) async fn rows(&mut self, sql: &str) -> anyhow::Result<Answer<Vec<Row>>> {
        let answer = self.query(sql, QueryLimits::default()).await?;
        let unread = answer.rows.unread();
        Ok(Answer {
            rows: rows_of(answer.rows).await?,
            incomplete: answer.incomplete.or_else(|| lacking(&unread)),
        })
    }
}

/// The few rows of an answer.
pub(crate) async fn rows_of(answer: QueryOutput) -> anyhow::Result<Vec<Row>> {
    let mut lines = Vec::new();
    let layout = Layout::default();
    let written = answer.write(Format::Ndjson, &layout, &mut lines).await;
    written.map_err(|error| explain(error.into()))?;
    let rows = serde_json::Deserializer::from_slice(&lines).into_iter::<Row>();
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Files that are named when several are damaged.
const NAMED_FILES: usize = 5;

/// What to say of an answer that lacks what damaged files had.
pub(crate) fn damaged(files: &[&Unread]) -> Option<String> {
    let first = files.first()?;
    let name = |one: &Unread| escape(&one.file.display().to_string()).into_owned();
    let mut said = format!(
        "the answer lacks what cannot be read of {}, which is damaged: {}",
        name(first),
        escape(&first.reason)
    );
    for one in files.iter().skip(1).take(NAMED_FILES - 1) {
        let _ = write!(
            said,
            "\nnor is in it what cannot be read of {}: {}",
            name(one),
            escape(&one.reason)
        );
    }
    if let Some(more) = files
        .len()
        .checked_sub(NAMED_FILES)
        .filter(|more| *more > 0)
    {
        let _ = write!(said, "\nnor of {more} more damaged files");
    }
    said.push_str("\nof files of the lake `windrow lake check` says what to do");
    Some(said)
}

/// The same once an answer is read to its end.
pub(crate) fn lacking(unread: &Tally) -> Option<String> {
    let (files, notes) = (unread.all(), unread.notes());
    let damaged = damaged(&files.iter().collect::<Vec<_>>());
    let said: Vec<String> = notes
        .into_iter()
        .map(str::to_owned)
        .chain(damaged)
        .collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// What to say of a service's answer that is not about everything.
fn incomplete(head: &HeaderMap) -> Option<String> {
    let number = |name: &str| head.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let (complete_to, acknowledged_to) = (number(COMPLETE_TO)?, number(ACKNOWLEDGED_TO)?);
    let missing = acknowledged_to.checked_sub(complete_to)?;
    let before_oldest = number(OLDEST).unwrap_or(0).saturating_sub(1);
    let dropped = before_oldest
        .min(acknowledged_to)
        .saturating_sub(complete_to);
    let safe = missing - dropped;
    let later = match dropped {
        0 => format!("{safe} later ones, acknowledged and safe in the journal, are not in it"),
        dropped => format!(
            "of the later ones {dropped} were dropped from a full journal and are lost, and {safe}, safe in it, are not in the answer"
        ),
    };
    (missing > 0).then(|| {
        format!("the answer is complete up to event {complete_to}: {later}; `windrow status` says what holds them up")
    })
}

/// The service's path, with everything that is not the question itself.
fn path(limits: QueryLimits) -> String {
    let microseconds = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    let parameters = [
        (
            "max_rows",
            limits.rows.and_then(|rows| i64::try_from(rows).ok()),
        ),
        ("memory_bytes", i64::try_from(limits.memory_bytes).ok()),
        (
            "timeout_ms",
            limits
                .time
                .and_then(|time| i64::try_from(time.as_millis()).ok()),
        ),
        ("from_us", microseconds(limits.period.from)),
        ("to_us", microseconds(limits.period.to)),
    ];
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
    format!("/v1/query?{}", given.collect::<Vec<_>>().join("&"))
}

/// A question that cannot be asked so is wrong usage; the rest is not the asker's doing.
pub(crate) fn explain(error: anyhow::Error) -> anyhow::Error {
    let refused_here = matches!(error.downcast_ref(), Some(QueryError::Refused { .. }));
    let refused_there = error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| refused.status.is_client_error());
    if refused_here || refused_there {
        return UsageError(error.to_string()).into();
    }
    error
}

/// `text` as a literal of SQL.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_lacks_events_says_so() {
        let head = |complete_to: u64, acknowledged_to: u64| {
            let mut head = HeaderMap::new();
            head.insert(COMPLETE_TO, complete_to.into());
            head.insert(ACKNOWLEDGED_TO, acknowledged_to.into());
            head
        };
        assert_eq!(incomplete(&head(7, 7)), None);
        assert_eq!(
            incomplete(&head(8, 7)),
            None,
            "what came after the question may be in it"
        );
        let mut dropped = head(4, 70);
        dropped.insert(OLDEST, 61.into());
        let said = incomplete(&dropped).unwrap();
        assert!(said.contains("56 were dropped"), "{said}");
        assert!(said.contains("10, safe in it"), "{said}");
        let said = incomplete(&head(4, 7)).unwrap();
        assert!(said.contains("up to event 4: 3 later ones"), "{said}");
    }

    #[test]
    fn text_stays_text_in_sql() {
        assert_eq!(quote("it's"), "'it''s'");
        assert_eq!(quote("a\\'; drop"), "'a\\''; drop'");
    }
}
