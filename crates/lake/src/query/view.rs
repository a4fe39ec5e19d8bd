//! A table of the lake and rows that are not in it yet: one table to the planner.
//!
//! A union in the logical plan would do, were it not for the optimiser, which pushes parts of
//! expressions below a union and then finds its sides different (DataFusion 55.2). So both sides are
//! put together where they are scanned.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use crate::rows::{Rows, column};

/// The rows of a version of a table, then those of the tail.
#[derive(Debug)]
pub(super) struct Tailed {
    lake: Arc<dyn TableProvider>,
    tail: Rows,
}

impl Tailed {
    pub(super) fn new(lake: Arc<dyn TableProvider>, tail: Rows) -> Tailed {
        Tailed { lake, tail }
    }

    /// The tail in these columns, in the types in which the lake is read: views of text, for instance.
    fn tail_as(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>, DataFusionError> {
        let convert = |batch: &RecordBatch| {
            let columns = schema
                .fields()
                .iter()
                .map(|field| match column(batch, field.name()) {
                    Some(array) => Ok(cast(array, field.data_type())?),
                    None => Err(DataFusionError::Internal(format!(
                        "no column {} in the tail",
                        field.name()
                    ))),
                });
            let columns = columns.collect::<Result<Vec<_>, DataFusionError>>()?;
            let options =
                arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(
                Arc::clone(schema),
                columns,
                &options,
            )?)
        };
        self.tail.batches().iter().map(convert).collect()
    }
}

#[async_trait]
impl TableProvider for Tailed {
    fn schema(&self) -> SchemaRef {
        self.lake.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        if self.tail.is_empty() {
            return self.lake.supports_filters_pushdown(filters);
        }
        // The lake skips files by them; the tail is filtered above.
        let by_lake = self.lake.supports_filters_pushdown(filters)?.into_iter();
        Ok(by_lake
            .map(|by_lake| match by_lake {
                TableProviderFilterPushDown::Unsupported => {
                    TableProviderFilterPushDown::Unsupported
                }
                _ => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let lake = self.lake.scan(state, projection, filters, limit).await?;
        if self.tail.is_empty() {
            return Ok(lake);
        }
        let schema = match projection {
            Some(columns) => Arc::new(self.schema().project(columns)?),
            None => self.schema(),
        };
        let schema = Arc::new(Schema::new(schema.fields().clone()));
        let tail = MemorySourceConfig::try_new_exec(&[self.tail_as(&schema)?], schema, None)?;
        UnionExec::try_new(vec![lake, tail])
    }
}
