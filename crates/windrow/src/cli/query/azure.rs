//! Tables in the storage accounts that the configuration names, for queries.

use std::collections::VecDeque;

use async_trait::async_trait;
use windrow_formats::azure::Entity;
use windrow_formats::wad::rows::{Minutes, SHARDS, filter_of_shards};
use windrow_lake::{AzureTables, Pages};
use windrow_pipeline::azure::{Client, Query, patiently};

use crate::config::checked::Config;
use crate::exit::UsageError;
use crate::service::{account_of_sink, account_of_source};

/// Accounts, in the order of their names.
#[derive(Debug)]
pub(super) struct Accounts(Vec<Client>);

impl Accounts {
    /// Those of table sinks and of sources that read tables.
    ///
    /// # Errors
    /// There is none, or what opens one cannot be used.
    pub(super) fn of(config: &Config) -> anyhow::Result<Accounts> {
        let sinks = config.sink.azure_table.iter();
        let sources = config.source.wad_storage.iter();
        let clients = sinks
            .map(|(name, sink)| account_of_sink(name, sink))
            .chain(sources.map(|(name, source)| account_of_source(name, source)));
        let mut accounts: Vec<Client> = Vec::new();
        for client in clients {
            let client = client?;
            let url = client.table_url("");
            if accounts.iter().all(|known| known.table_url("") != url) {
                accounts.push(client);
            }
        }
        if accounts.is_empty() {
            let message = "no storage account is known: [sink.azure_table.NAME] or [source.wad_storage.NAME] names one whose tables are `azure.…`";
            return Err(UsageError(message.to_owned()).into());
        }
        Ok(Accounts(accounts))
    }

    /// The account that has a table.
    async fn with(&self, table: &str) -> Result<Option<&Client>, String> {
        for client in &self.0 {
            let one = Query {
                top: Some(1),
                ..Query::default()
            };
            match patiently(|| client.query(table, &one)).await {
                Ok(_) => return Ok(Some(client)),
                Err(error) if error.is_no_table() => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(None)
    }
}

/// Filters for all rows of some minutes.
async fn filters(
    client: &Client,
    table: &str,
    minutes: Minutes,
) -> Result<VecDeque<Option<String>>, String> {
    let has_shards = match minutes.are_bounded() {
        true => client.has_rows(table, filter_of_shards()).await,
        // All rows are one question.
        false => Ok(false),
    };
    let parts = match has_shards.map_err(|error| error.to_string())? {
        true => SHARDS,
        false => 0,
    };
    Ok((0..=parts)
        .flat_map(|part| minutes.filters(part, None))
        .collect())
}

#[async_trait]
impl AzureTables for Accounts {
    async fn first(
        &self,
        table: &str,
        minutes: Minutes,
    ) -> Result<Option<Vec<Entity<'static>>>, String> {
        let Some(client) = self.with(table).await? else {
            return Ok(None);
        };
        let mut filters = filters(client, table, minutes).await?;
        while let Some(filter) = filters.pop_front() {
            let mut query = Query {
                filter,
                ..Query::default()
            };
            loop {
                let answer = patiently(|| client.query(table, &query)).await;
                let answer = answer.map_err(|error| error.to_string())?;
                if !answer.page.entities.is_empty() {
                    return Ok(Some(answer.page.entities));
                }
                match answer.next {
                    None => break,
                    next => query.after = next,
                }
            }
        }
        Ok(Some(Vec::new()))
    }

    async fn all(
        &self,
        table: &str,
        minutes: Minutes,
        properties: Option<Vec<String>>,
        pages: Pages,
    ) -> Result<(), String> {
        let Some(client) = self.with(table).await? else {
            return Err(format!("the table {table} is gone"));
        };
        for filter in filters(client, table, minutes).await? {
            let mut query = Query {
                filter,
                select: properties.clone().unwrap_or_default(),
                ..Query::default()
            };
            loop {
                let answer = patiently(|| client.query(table, &query)).await;
                let answer = answer.map_err(|error| error.to_string())?;
                if let Some((_, why)) = answer.page.unread.first() {
                    return Err(format!("a row of {table} cannot be read: {why}"));
                }
                if pages.send(answer.page.entities).await.is_err() {
                    return Ok(());
                }
                match answer.next {
                    None => break,
                    next => query.after = next,
                }
            }
        }
        Ok(())
    }
}
