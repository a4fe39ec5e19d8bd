//! How many requests there were with a status, by time: the numbers of a chart of a web server's errors.
//!
//! Asked of any table with the columns of an IIS log, be it in the lake or read from files. Only those columns are named that
//! the answer needs, so that of a file no others are made.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use crate::distribution::{Buckets, between, read_buckets, read_count, read_span};
use crate::error::QueryError;
use crate::limits::DISTRIBUTION_ROWS;
use crate::output::QueryOutput;
use crate::query::{Period, QueryLimits};

/// Which requests are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The table.
    pub table: String,
    /// The statuses; all where none are named.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// The time.
    pub period: Period,
}

/// When there are requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSpan {
    /// The first and the last one; none where there are none with a time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Requests without a time, whatever time is asked for.
    pub timeless: u64,
}

/// How requests are told apart: the first of these columns that has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Columns that there are.
    pub columns: Vec<String>,
}

impl Requests {
    /// The question for when there are any, in SQL.
    #[must_use]
    pub fn span_sql(&self) -> String {
        let in_time = between("time", self.period);
        format!(
            "select min(time) filter (where {in_time}) as first, max(time) filter (where {in_time}) as last, \
             count(*) filter (where time is null) as timeless from {} where {}",
            quoted(&self.table),
            self.with_status()
        )
    }

    /// When, from the answer to [`Requests::span_sql`].
    pub async fn read_span(answer: QueryOutput) -> Result<RequestSpan, QueryError> {
        let Some(batch) = answer.first().await? else {
            return Ok(RequestSpan {
                span: None,
                timeless: 0,
            });
        };
        Ok(RequestSpan {
            span: read_span(&batch)?,
            timeless: read_count(&batch, 2)?,
        })
    }

    /// The question for how many, in SQL: buckets of this length, the first of which begins at `from`.
    #[must_use]
    pub fn sql(&self, from: Timestamp, bucket: Duration, key: &RequestKey) -> String {
        let from_us = from.as_microsecond();
        let columns = key
            .columns
            .iter()
            .map(|column| format!("cast({} as varchar)", quoted(column)));
        let columns: Vec<String> = columns.chain(["''".to_owned()]).collect();
        format!(
            "select (cast(time as bigint) - ({from_us})) / {} as bucket, coalesce({}) as key, count(*) as events \
             from {} where {} and {} group by 1, 2 order by 1, 2",
            bucket_us(bucket),
            columns.join(", "),
            quoted(&self.table),
            self.with_status(),
            between("time", self.period)
        )
    }

    /// The bounds under which that is to be asked.
    #[must_use]
    pub fn limits(&self) -> QueryLimits {
        QueryLimits {
            rows: Some(DISTRIBUTION_ROWS),
            ..QueryLimits::default()
        }
    }

    /// The counts, from the answer to [`Requests::sql`] of the same `from` and `bucket`.
    pub async fn read(
        from: Timestamp,
        bucket: Duration,
        answer: QueryOutput,
    ) -> Result<Buckets, QueryError> {
        read_buckets(from, bucket_us(bucket), answer).await
    }

    fn with_status(&self) -> String {
        let condition = |statuses: &RangeInclusive<u16>| match (statuses.start(), statuses.end()) {
            (first, last) if first == last => format!("sc_status = {first}"),
            (first, last) => format!("(sc_status >= {first} and sc_status <= {last})"),
        };
        let conditions: Vec<String> = self.statuses.iter().map(condition).collect();
        match &conditions[..] {
            [] => "true".to_owned(),
            [one] => one.clone(),
            several => format!("({})", several.join(" or ")),
        }
    }
}

fn bucket_us(bucket: Duration) -> i64 {
    i64::try_from(bucket.as_micros()).unwrap_or(i64::MAX).max(1)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_named() {
        let requests = |statuses| Requests {
            table: "iis".to_owned(),
            statuses,
            period: Period::default(),
        };
        let of = |statuses, columns: &[&str]| {
            let key = RequestKey {
                columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            };
            requests(statuses).sql(Timestamp::UNIX_EPOCH, Duration::from_secs(60), &key)
        };
        insta::assert_snapshot!(of(vec![500..=500], &["sc_status"]), @r#"select (cast(time as bigint) - (0)) / 60000000 as bucket, coalesce(cast("sc_status" as varchar), '') as key, count(*) as events from "iis" where sc_status = 500 and true group by 1, 2 order by 1, 2"#);
        let several = of(vec![404..=404, 500..=599], &["s_sitename", "cs\"host"]);
        assert!(several.contains("(sc_status = 404 or (sc_status >= 500 and sc_status <= 599))"));
        assert!(several.contains(r#"cast("s_sitename" as varchar), cast("cs""host" as varchar)"#));
        assert!(of(vec![], &[]).contains("coalesce('') as key"));
    }
}
