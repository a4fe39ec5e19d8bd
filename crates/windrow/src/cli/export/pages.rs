//! Asks for page after page, and writes each.

use std::collections::VecDeque;

use windrow_formats::wad::rows::{SHARDS, filter_of_shards};
use windrow_pipeline::azure::{Client, Query, patiently};

use super::file::{Place, Sink};
use super::plan::{Keys, Plan};
use super::rows::{Start, Writer};

/// Pages of rows that a plan asks for.
pub(super) struct Pages<'a> {
    client: &'a Client,
    plan: &'a Plan,
    columns: &'a [String],
}

/// What came of it.
pub(super) struct End {
    /// Rows that are written, also those of before.
    pub(super) rows: u64,
    /// Rows that could not be read.
    pub(super) unread: u64,
    /// Whether somebody ended it before its end.
    pub(super) interrupted: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(client: &'a Client, plan: &'a Plan, columns: &'a [String]) -> Pages<'a> {
        Pages {
            client,
            plan,
            columns,
        }
    }

    /// Writes everything from a place on. `told` hears of each page: rows so far, and the last PartitionKey.
    pub(super) async fn write(
        &self,
        mut place: Place,
        mut writer: Writer,
        sink: &mut Sink<'_, '_>,
        told: impl Fn(u64, &str),
    ) -> anyhow::Result<End> {
        let mut unread = 0;
        let parts = match self.plan.has_span()
            && self
                .client
                .has_rows(&self.plan.table, filter_of_shards())
                .await?
        {
            true => SHARDS,
            false => 0,
        };
        while place.part <= parts {
            let filters = self.plan.filters(place.part, place.after.as_ref());
            let mut queries: VecDeque<Query> =
                filters.into_iter().map(|it| self.query(it)).collect();
            while let Some(query) = queries.pop_front() {
                let answer = tokio::select! {
                    answer = patiently(|| self.client.query(&self.plan.table, &query)) => answer?,
                    _ = tokio::signal::ctrl_c() => {
                        let (rows, interrupted) = (place.rows, true);
                        return Ok(End { rows, unread, interrupted });
                    }
                };
                if let Some(next) = answer.next {
                    let after = Some(next);
                    queries.push_front(Query { after, ..query });
                }
                unread += answer.page.unread.len() as u64;
                let rows = answer.page.entities;
                let Some(last) = rows.last() else { continue };
                let start = match place.rows {
                    0 => Start::OfFile,
                    _ => Start::Later,
                };
                let text = writer.page(&rows, start);
                place.rows += rows.len() as u64;
                place.after = Some(Keys {
                    partition: last.partition_key.clone().into_owned(),
                    row: last.row_key.clone().into_owned(),
                });
                place.columns = writer.columns().map(<[String]>::to_vec);
                sink.write(&text, &mut place)?;
                told(place.rows, &last.partition_key);
            }
            (place.part, place.after) = (place.part + 1, None);
        }
        Ok(End {
            rows: place.rows,
            unread,
            interrupted: false,
        })
    }

    fn query(&self, filter: Option<String>) -> Query {
        Query {
            filter,
            select: self.columns.to_vec(),
            top: None,
            after: None,
        }
    }
}
