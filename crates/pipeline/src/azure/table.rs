//! Tables: making them, batches, queries page by page.

use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;
use windrow_formats::azure::{
    Batch, BatchAnswerError, Entity, Page, answered, key_in_path, key_is_allowed, read_entity,
    read_page, read_table_names, table_name_is_allowed,
};

use super::error::{AzureError, Unfit, Unreadable, What};
use super::http::Told;
use super::limits::{FILTER_BYTES_MAX, SELECTED_MAX};
use super::request::{Ask, Repeat, Service};
use super::verdict::{told, verdict};
use super::{Client, Made, Removed};

/// The form of JSON that tells the types which JSON does not.
const JSON: &str = "application/json;odata=minimalmetadata";

/// What is asked of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Which entities, in the service's language: `PartitionKey ge '0638…' and PartitionKey lt '0638…'`. All where there is none.
    pub filter: Option<String>,
    /// Which of their properties, all where there is none. The keys always come.
    pub select: Vec<String>,
    /// How many on a page; the service gives a thousand at most, and often fewer.
    pub top: Option<u32>,
    /// Where to go on: what the answer to the same query had said.
    pub after: Option<Continuation>,
}

/// Where a query goes on. It is the service's own, and opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    partition: Vec<u8>,
    row: Option<Vec<u8>>,
}

/// A page of an answer. It may be empty and still have a next one.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What is on it.
    pub page: Page,
    /// Where the next one begins; none after the last one.
    pub next: Option<Continuation>,
}

/// Some of an account's tables, in the order of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// Their names.
    pub names: Vec<String>,
    /// Where the next ones begin; none after the last ones. It is the service's own, and opaque.
    pub next: Option<Vec<u8>>,
}

impl Client {
    /// Where a table is, as a batch has it.
    #[must_use]
    pub fn table_url(&self, table: &str) -> String {
        format!("{}/{table}", self.endpoint(Service::Tables).url())
    }

    /// An empty batch for a table.
    #[must_use]
    pub fn new_batch(&self, table: &str) -> Batch {
        // Nobody who chooses the contents foresees the boundary.
        let mark = Uuid::new_v4().simple().to_string();
        Batch::new(&self.table_url(table), &mark)
    }

    /// Makes a table, unless it is there.
    ///
    /// # Errors
    /// [`AzureError`]; one of this name that is still being deleted makes the service busy.
    pub async fn create_table(&self, table: &str) -> Result<Made, AzureError> {
        let ask = self.ask_table(Method::POST, "/Tables".to_owned(), table)?;
        let body = json!({ "TableName": table }).to_string();
        let ask = ask.header("content-type", "application/json").body(body);
        match self.ask(ask.header("prefer", "return-no-content")).await {
            Ok(_) => Ok(Made::New),
            Err(error) if error.has_code(&["TableAlreadyExists"]) => Ok(Made::There),
            Err(error) => Err(error),
        }
    }

    /// Takes a table away. The service needs a minute before another one may have its name.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn delete_table(&self, table: &str) -> Result<Removed, AzureError> {
        let ask = self.ask_table(Method::DELETE, format!("/Tables('{table}')"), table)?;
        removed(self.ask(ask).await, &["TableNotFound", "ResourceNotFound"])
    }

    /// The names of the account's tables, from the beginning or after what was told before.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn tables(&self, after: Option<&[u8]>) -> Result<TableNames, AzureError> {
        let path = "/Tables".to_owned();
        let ask = tables_ask(Method::GET, path, What::Tables);
        let ask = match after {
            None => ask,
            Some(next) => ask.query("NextTableName", next),
        };
        let told = self.ask(ask).await?;
        let names = read_table_names(&told.body);
        Ok(TableNames {
            names: names.map_err(|why| self.unreadable(What::Tables, why.to_string()))?,
            next: continuation(&told, "x-ms-continuation-nexttablename"),
        })
    }

    /// Does all of a batch, or nothing of it.
    ///
    /// # Errors
    /// [`AzureError`]. What is refused has the place of the operation that was.
    pub async fn batch(&self, table: &str, batch: &Batch) -> Result<(), AzureError> {
        let what = || What::Table(table.to_owned());
        let unfit = |why| AzureError::Unfit {
            place: self.place(what()),
            why,
        };
        let ask = self.ask_table(Method::POST, "/$batch".to_owned(), table)?;
        if batch.is_empty() {
            return Err(unfit(Unfit::Empty));
        }
        if batch.table_url() != self.table_url(table) {
            let url = batch.table_url().to_owned();
            return Err(unfit(Unfit::OtherTable { url }));
        }
        let repeat = match batch.is_repeatable() {
            true => Repeat::Safe,
            false => Repeat::Unsafe,
        };
        let ask = ask.header("content-type", batch.content_type());
        let told = self.ask(ask.body(batch.body()).repeat(repeat)).await?;
        self.expect(&self.place(what()), &told, StatusCode::ACCEPTED)?;
        let content_type = told.header("content-type").unwrap_or_default();
        match answered(content_type, &told.body, batch.len()) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => {
                let (place, account) = (self.place(what()), self.account());
                Err(verdict(place, account, refusal, &told.headers, told.moment))
            }
            Err(why @ (BatchAnswerError::Form | BatchAnswerError::Count { .. })) => {
                Err(self.unreadable(what(), why.to_string()))
            }
        }
    }

    /// A page of the entities that a query asks for.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn query(&self, table: &str, query: &Query) -> Result<Answer, AzureError> {
        let mut ask = self.ask_table(Method::GET, format!("/{table}()"), table)?;
        let too_large = |bytes, max| AzureError::Unfit {
            place: self.place(What::Table(table.to_owned())),
            why: Unfit::TooLarge { bytes, max },
        };
        if let Some(filter) = &query.filter {
            if filter.len() > FILTER_BYTES_MAX {
                return Err(too_large(filter.len(), FILTER_BYTES_MAX));
            }
            ask = ask.query("$filter", filter.as_str());
        }
        if query.select.len() > SELECTED_MAX {
            return Err(too_large(query.select.len(), SELECTED_MAX));
        }
        if !query.select.is_empty() {
            // What has no keys is no entity.
            let keys = ["PartitionKey", "RowKey"].map(str::to_owned);
            let others = query.select.iter().filter(|name| !keys.contains(name));
            let names: Vec<String> = keys.iter().chain(others).cloned().collect();
            ask = ask.query("$select", names.join(","));
        }
        if let Some(top) = query.top {
            ask = ask.query("$top", top.to_string());
        }
        if let Some(after) = &query.after {
            ask = ask.query("NextPartitionKey", &after.partition[..]);
            if let Some(row) = &after.row {
                ask = ask.query("NextRowKey", &row[..]);
            }
        }
        let told = self.ask(ask).await?;
        let page = read_page(&told.body);
        let what = || What::Table(table.to_owned());
        Ok(Answer {
            page: page.map_err(|why| self.unreadable(what(), why.to_string()))?,
            next: continuation(&told, "x-ms-continuation-nextpartitionkey").map(|partition| {
                Continuation {
                    partition,
                    row: continuation(&told, "x-ms-continuation-nextrowkey"),
                }
            }),
        })
    }

    /// One entity, if it is there.
    ///
    /// # Errors
    /// [`AzureError`]; a table that is not there refuses.
    pub async fn get_entity(
        &self,
        table: &str,
        partition_key: &str,
        row_key: &str,
    ) -> Result<Option<Entity<'static>>, AzureError> {
        let ask = self.ask_entity(Method::GET, table, partition_key, row_key)?;
        match self.ask(ask).await {
            Ok(told) => match read_entity(&told.body) {
                Ok(entity) => Ok(Some(entity)),
                Err(why) => Err(self.unreadable(What::Table(table.to_owned()), why.to_string())),
            },
            Err(error) if error.has_code(&["ResourceNotFound"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes one entity away, whatever is in it.
    ///
    /// # Errors
    /// [`AzureError`]; a table that is not there refuses.
    pub async fn delete_entity(
        &self,
        table: &str,
        partition_key: &str,
        row_key: &str,
    ) -> Result<Removed, AzureError> {
        let ask = self.ask_entity(Method::DELETE, table, partition_key, row_key)?;
        let told = self.ask(ask.header("if-match", "*")).await;
        removed(told, &["ResourceNotFound"])
    }

    fn ask_table(&self, method: Method, path: String, table: &str) -> Result<Ask, AzureError> {
        let what = What::Table(table.to_owned());
        match table_name_is_allowed(table) {
            true => Ok(tables_ask(method, path, what)),
            false => Err(AzureError::Unfit {
                place: self.place(what),
                why: Unfit::TableName,
            }),
        }
    }

    fn ask_entity(
        &self,
        method: Method,
        table: &str,
        partition_key: &str,
        row_key: &str,
    ) -> Result<Ask, AzureError> {
        if !key_is_allowed(partition_key) || !key_is_allowed(row_key) {
            return Err(AzureError::Unfit {
                place: self.place(What::Table(table.to_owned())),
                why: Unfit::Key,
            });
        }
        let path = format!("/{table}{}", key_in_path(partition_key, row_key));
        self.ask_table(method, path, table)
    }

    pub(super) fn unreadable(&self, what: What, reason: String) -> AzureError {
        AzureError::Unreadable {
            place: self.place(what),
            why: Unreadable::Contents {
                reason: told(&reason),
            },
        }
    }
}

fn tables_ask(method: Method, path: String, what: What) -> Ask {
    Ask::new(Service::Tables, method, path, what)
        .header("accept", JSON)
        .header("dataserviceversion", "3.0;NetFx")
        .header("maxdataserviceversion", "3.0;NetFx")
}

/// A header that says where to go on, as it came: whatever its bytes are, they are what the service wants back.
fn continuation(told: &Told, name: &str) -> Option<Vec<u8>> {
    let value = told.headers.get(name)?.as_bytes();
    (!value.is_empty()).then(|| value.to_vec())
}

/// What became of something that was to be taken away.
pub(super) fn removed(
    told: Result<Told, AzureError>,
    not_there: &[&str],
) -> Result<Removed, AzureError> {
    match told {
        Ok(_) => Ok(Removed::Now),
        Err(error) if error.has_code(not_there) => Ok(Removed::NotThere),
        Err(error) => Err(error),
    }
}
