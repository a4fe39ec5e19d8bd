//! Where rows come from.

use std::collections::VecDeque;
use std::future::Future;

use windrow_formats::azure::Entity;
use windrow_formats::wad::rows::{Minutes, RowKeys, filter_of_shards};

use crate::azure::{AzureError, Client, Query};

/// Some rows.
#[derive(Debug, Default)]
pub struct RowPage {
    /// In the order of their keys.
    pub rows: Vec<Entity<'static>>,
    /// How many others could not be read.
    pub unread: u64,
    /// Whether there may be more behind them.
    pub more: bool,
}

/// Tables that can be asked.
pub trait Rows: Send + Sync {
    /// The first rows of some minutes in a part, behind one that was had; none where there are no more.
    fn rows(
        &self,
        table: &str,
        part: u64,
        minutes: Minutes,
        after: Option<&RowKeys>,
    ) -> impl Future<Output = Result<RowPage, AzureError>> + Send;

    /// Whether there are rows of shards.
    fn has_shards(&self, table: &str) -> impl Future<Output = Result<bool, AzureError>> + Send;
}

impl Rows for Client {
    async fn rows(
        &self,
        table: &str,
        part: u64,
        minutes: Minutes,
        after: Option<&RowKeys>,
    ) -> Result<RowPage, AzureError> {
        let mut page = RowPage::default();
        let filters = minutes.filters(part, after).into_iter();
        let mut queries: VecDeque<Query> = filters
            .map(|filter| Query {
                filter,
                ..Query::default()
            })
            .collect();
        // A page may be empty and still have a next one.
        while let Some(query) = queries.pop_front() {
            let answer = self.query(table, &query).await?;
            page.unread += answer.page.unread.len() as u64;
            if let Some(next) = answer.next {
                let after = Some(next);
                queries.push_front(Query { after, ..query });
            }
            if !answer.page.entities.is_empty() {
                page.rows = answer.page.entities;
                break;
            }
        }
        page.more = !queries.is_empty();
        Ok(page)
    }

    async fn has_shards(&self, table: &str) -> Result<bool, AzureError> {
        self.has_rows(table, filter_of_shards()).await
    }
}
