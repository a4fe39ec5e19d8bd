//! A table whose rows are read from files by threads of ours.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use tokio::sync::mpsc::Sender;

use super::tally::{Bad, Tally};
use crate::limits::FILE_BATCHES_AHEAD;

/// How files of a kind are read.
pub(super) trait Form: Debug + Send + Sync {
    /// Reads a file to its end, or until nobody wants more. What cannot be read is counted and left out; an error is one of
    /// the file itself.
    fn read(
        &self,
        file: &Path,
        wanted: &Wanted,
        sink: &Sink,
        bad: &mut Bad<'_>,
    ) -> Result<(), DataFusionError>;

    /// Whether rows that fail a test are left out where they are read.
    fn tests(&self) -> bool {
        false
    }
}

/// What a query wants of a table.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The columns.
    pub(super) schema: SchemaRef,
    /// Their places in the table.
    pub(super) columns: Vec<usize>,
    /// Rows that fail one need not be given.
    pub(super) tests: Vec<Test>,
}

/// A condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    /// Place in the table.
    pub(super) column: usize,
    pub(super) operator: Operator,
    pub(super) value: Value,
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
}

impl Test {
    /// The condition that an expression is, if it is one of ours.
    fn of(expr: &Expr, schema: &SchemaRef) -> Option<Test> {
        let Expr::BinaryExpr(binary) = expr else {
            return None;
        };
        let (Expr::Column(column), Expr::Literal(value, _)) =
            (binary.left.as_ref(), binary.right.as_ref())
        else {
            return None;
        };
        let value = match value {
            ScalarValue::Int32(Some(number)) => Value::Number(i64::from(*number)),
            ScalarValue::Int64(Some(number)) => Value::Number(*number),
            _ => Value::Text(value.try_as_str()??.to_owned()),
        };
        let can = match value {
            Value::Number(_) => matches!(
                binary.op,
                Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
            ),
            Value::Text(_) => binary.op == Operator::Eq,
        };
        can.then_some(Test {
            column: schema.index_of(&column.name).ok()?,
            operator: binary.op,
            value,
        })
    }

    /// Whether a number passes.
    pub(super) fn takes_number(&self, number: i64) -> bool {
        let Value::Number(value) = self.value else {
            return true;
        };
        match self.operator {
            Operator::Lt => number < value,
            Operator::LtEq => number <= value,
            Operator::Gt => number > value,
            Operator::GtEq => number >= value,
            _ => number == value,
        }
    }

    /// Whether a text passes.
    pub(super) fn takes_text(&self, text: &[u8]) -> bool {
        match &self.value {
            Value::Text(value) => value.as_bytes() == text,
            Value::Number(_) => true,
        }
    }
}

/// Where rows go.
pub(super) struct Sink(Sender<Result<RecordBatch, DataFusionError>>);

impl Sink {
    /// Hands rows on, and waits while enough wait already.
    pub(super) fn give(&self, rows: RecordBatch) -> ControlFlow<()> {
        match self.0.blocking_send(Ok(rows)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Whether nobody wants more. To be asked from time to time where nothing is given.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_closed()
    }
}

/// Files of one form as a table.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) schema: SchemaRef,
    pub(super) files: Vec<PathBuf>,
    pub(super) form: Arc<dyn Form>,
    pub(super) tally: Arc<Tally>,
}

#[async_trait]
impl TableProvider for Scanned {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        let can = |filter: &&Expr| match self.form.tests() {
            true if Test::of(filter, &self.schema).is_some() => {
                TableProviderFilterPushDown::Inexact
            }
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(can).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let columns = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let tests = filters.iter();
        let tests = tests.filter_map(|filter| Test::of(filter, &self.schema));
        let wanted = Wanted {
            schema: Arc::clone(&schema),
            columns,
            tests: tests.collect(),
        };
        let threads = state
            .config()
            .target_partitions()
            .clamp(1, self.files.len().max(1));
        let partitions = (0..threads).map(|thread| {
            let files = self.files.iter().skip(thread).step_by(threads);
            Arc::new(Part {
                files: files.cloned().collect(),
                form: Arc::clone(&self.form),
                tally: Arc::clone(&self.tally),
                wanted: wanted.clone(),
            }) as Arc<dyn PartitionStream>
        });
        // What a filter above leaves out must not count as rows.
        let limit = limit.filter(|_| filters.is_empty());
        let plan = StreamingTableExec::try_new(
            schema,
            partitions.collect(),
            None,
            std::iter::empty(),
            false,
            limit,
        )?;
        Ok(Arc::new(plan))
    }
}

/// The files that one thread reads, one after the other.
#[derive(Debug)]
struct Part {
    files: Vec<PathBuf>,
    form: Arc<dyn Form>,
    tally: Arc<Tally>,
    wanted: Wanted,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.wanted.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.wanted.schema);
        let mut builder = RecordBatchReceiverStreamBuilder::new(schema, FILE_BATCHES_AHEAD);
        let sink = Sink(builder.tx());
        let (form, tally) = (Arc::clone(&self.form), Arc::clone(&self.tally));
        let (files, wanted) = (self.files.clone(), self.wanted.clone());
        builder.spawn_blocking(move || {
            for file in &files {
                if sink.is_over() {
                    break;
                }
                let mut bad = Bad::new(&tally, file);
                if let Err(error) = form.read(file, &wanted, &sink, &mut bad) {
                    // The other files are still an answer.
                    bad.add(|| "the rest".to_owned(), || error.strip_backtrace());
                }
            }
            Ok(())
        });
        builder.build()
    }
}
