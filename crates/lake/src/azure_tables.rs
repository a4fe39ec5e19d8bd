//! Tables in Azure's storage as tables of a query: `azure.WADWindowsEventLogsTable`.
//!
//! Who reaches the account is the caller's matter ([`AzureTables`]). What of a condition is about the minute in a row's PartitionKey is
//! asked of the service, which finds rows by nothing else: the column `minute`, and `timestamp`, which in tables of Azure Diagnostics is
//! that minute. Everything else is looked at here.
//!
//! A table has no schema there. Its columns here are those of the first rows that are asked for, in small letters, since SQL takes names
//! without quotes for such; what a later row has beside them, or of another type, is in `more` as JSON.

mod columns;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider as _, Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use windrow_formats::azure::Entity;
use windrow_formats::wad::rows::Minutes;

use self::columns::Columns;
use crate::error::QueryError;
use crate::limits::AZURE_PAGES_AHEAD;
use crate::query::{Period, Session as Room};

/// The schema that these tables are in.
pub const AZURE: &str = "azure";

/// Rows, page by page.
pub type Pages = Sender<Vec<Entity<'static>>>;

/// Whoever reaches tables.
#[async_trait]
pub trait AzureTables: Debug + Send + Sync {
    /// The first rows of these minutes; none where there is no such table. Its name is in small letters.
    async fn first(
        &self,
        table: &str,
        minutes: Minutes,
    ) -> Result<Option<Vec<Entity<'static>>>, String>;

    /// Hands on all rows of these minutes, until nobody wants more: with these properties, with all where none are named.
    async fn all(
        &self,
        table: &str,
        minutes: Minutes,
        properties: Option<Vec<String>>,
        pages: Pages,
    ) -> Result<(), String>;
}

/// Makes the tables known that a statement names.
///
/// # Errors
/// One is not there, or cannot be asked.
pub(crate) async fn register(
    session: &Room,
    sql: &str,
    tables: &Arc<dyn AzureTables>,
    period: Period,
) -> Result<(), QueryError> {
    let schema = Arc::new(MemorySchemaProvider::new());
    let minutes = Minutes {
        from: period.from,
        to: period.to,
    };
    for name in named(session, sql)? {
        let first = tables.first(&name, minutes).await;
        let first = first.map_err(|message| QueryError::Refused { message })?;
        let Some(first) = first else {
            let message = format!("there is no table {AZURE}.{name} in the storage accounts");
            return Err(QueryError::Refused { message });
        };
        let table = AzureTable {
            columns: Arc::new(Columns::of(&first)),
            name: name.clone(),
            minutes,
            tables: Arc::clone(tables),
        };
        schema
            .register_table(name, Arc::new(table))
            .map_err(|error| QueryError::Run(Box::new(error)))?;
    }
    if let Some(catalog) = session.context.catalog("datafusion") {
        let registered = catalog.register_schema(AZURE, schema);
        registered.map_err(|error| QueryError::Run(Box::new(error)))?;
    }
    Ok(())
}

/// Names of Azure's tables that a statement has. What is no statement is refused later.
fn named(session: &Room, sql: &str) -> Result<Vec<String>, QueryError> {
    let state = session.context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let Ok(statement) = state.sql_to_statement(sql, &dialect) else {
        return Ok(Vec::new());
    };
    let references = state
        .resolve_table_references(&statement)
        .map_err(|error| QueryError::Run(Box::new(error)))?;
    let mut names: Vec<String> = references
        .iter()
        .filter(|reference| reference.schema() == Some(AZURE))
        .map(|reference| reference.table().to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether a statement may be about Azure's tables: the word stands in it, before a full stop.
#[must_use]
pub fn names_azure(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let mut found = sql.match_indices(AZURE);
    found.any(|(at, _)| {
        let before = sql[..at].chars().next_back();
        let after = sql[at + AZURE.len()..].trim_start_matches('"').trim_start();
        after.starts_with('.') && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// One table.
#[derive(Debug)]
struct AzureTable {
    columns: Arc<Columns>,
    name: String,
    minutes: Minutes,
    tables: Arc<dyn AzureTables>,
}

#[async_trait]
impl TableProvider for AzureTable {
    fn schema(&self) -> SchemaRef {
        self.columns.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        let can = |filter: &&Expr| match bound(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(can).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let schema = self.columns.schema();
        let wanted = match projection {
            Some(wanted) => wanted.clone(),
            None => (0..schema.fields().len()).collect(),
        };
        let schema = Arc::new(schema.project(&wanted)?);
        let minutes = filters.iter().filter_map(bound).fold(self.minutes, narrow);
        let part: Arc<dyn PartitionStream> = Arc::new(Scan {
            schema: Arc::clone(&schema),
            wanted,
            columns: Arc::clone(&self.columns),
            name: self.name.clone(),
            minutes,
            tables: Arc::clone(&self.tables),
        });
        // What a filter above leaves out must not count as rows.
        let limit = limit.filter(|_| filters.is_empty());
        let order = std::iter::empty();
        let plan = StreamingTableExec::try_new(schema, vec![part], None, order, false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// An end of the minutes that a condition leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    From(Timestamp),
    /// Not beyond the minute of this.
    UpTo(Timestamp),
    /// Of this minute alone.
    At(Timestamp),
}

/// The end that a condition sets, if it is about the minute.
fn bound(filter: &Expr) -> Option<Bound> {
    let Expr::BinaryExpr(binary) = filter else {
        return None;
    };
    let (column, value, operator) = match (binary.left.as_ref(), binary.right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, value, binary.op),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, value, binary.op.swap()?),
        _ => return None,
    };
    if !["minute", "timestamp"].contains(&column.name.as_str()) {
        return None;
    }
    let microseconds = match value {
        ScalarValue::TimestampMicrosecond(at, _) => (*at)?,
        ScalarValue::TimestampNanosecond(at, _) => (*at)?.div_euclid(1_000),
        ScalarValue::TimestampMillisecond(at, _) => (*at)?.checked_mul(1_000)?,
        ScalarValue::TimestampSecond(at, _) => (*at)?.checked_mul(1_000_000)?,
        _ => return None,
    };
    let at = Timestamp::from_microsecond(microseconds).ok()?;
    match operator {
        Operator::Gt | Operator::GtEq => Some(Bound::From(at)),
        Operator::Lt | Operator::LtEq => Some(Bound::UpTo(at)),
        Operator::Eq => Some(Bound::At(at)),
        _ => None,
    }
}

fn narrow(minutes: Minutes, bound: Bound) -> Minutes {
    let behind = |at: Timestamp| {
        at.checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap_or(at)
    };
    let later = |at: Timestamp| Some(minutes.from.map_or(at, |from| from.max(at)));
    let sooner = |at: Timestamp| Some(minutes.to.map_or(behind(at), |to| to.min(behind(at))));
    match bound {
        Bound::From(at) => Minutes {
            from: later(at),
            ..minutes
        },
        Bound::UpTo(at) => Minutes {
            to: sooner(at),
            ..minutes
        },
        Bound::At(at) => Minutes {
            from: later(at),
            to: sooner(at),
        },
    }
}

/// One reading of a table.
#[derive(Debug)]
struct Scan {
    schema: SchemaRef,
    wanted: Vec<usize>,
    columns: Arc<Columns>,
    name: String,
    minutes: Minutes,
    tables: Arc<dyn AzureTables>,
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let mut builder =
            RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), AZURE_PAGES_AHEAD);
        let sender = builder.tx();
        let (columns, wanted) = (Arc::clone(&self.columns), self.wanted.clone());
        let (tables, name) = (Arc::clone(&self.tables), self.name.clone());
        let minutes = self.minutes;
        let properties = columns.properties(&wanted);
        builder.spawn(async move {
            let (pages, mut read) =
                tokio::sync::mpsc::channel::<Vec<Entity<'static>>>(AZURE_PAGES_AHEAD);
            let give = async {
                while let Some(page) = read.recv().await {
                    let batch = columns.batch(&page, &wanted, &schema);
                    if sender.send(batch).await.is_err() {
                        break;
                    }
                }
                // Whoever fills the pages sees that nobody wants more.
                drop(read);
            };
            let (asked, ()) = tokio::join!(tables.all(&name, minutes, properties, pages), give);
            asked.map_err(DataFusionError::Execution)
        });
        builder.build()
    }
}
