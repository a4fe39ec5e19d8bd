//! Makes a query that is no longer wanted end soon.
//!
//! A query ends where it gives its thread back. DataFusion sees to that where rows are read; a join makes any number of
//! rows of those it has read, and between two reads may run for hours. One that compares each row with each does so for
//! every batch of its right side with all of its left side: it gets few rows at a time, and gives its thread back in
//! between.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::limits::JOINED_ROWS;

type Result<T> = std::result::Result<T, DataFusionError>;

/// Has every operator of several inputs give its thread back from time to time, as readers do.
#[derive(Debug)]
pub(super) struct YieldAtJoins;

impl PhysicalOptimizerRule for YieldAtJoins {
    fn name(&self) -> &'static str {
        "YieldAtJoins"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let plan = match plan.children().as_slice() {
                [] | [_] => return Ok(Transformed::no(plan)),
                [left, right] if plan.downcast_ref::<NestedLoopJoinExec>().is_some() => {
                    let right = FewAtATime(Arc::clone(right));
                    let inputs = vec![Arc::clone(left), Arc::new(right) as Arc<dyn ExecutionPlan>];
                    replace_children_if_necessary(plan, inputs)?
                }
                _ => plan,
            };
            let yields: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(plan));
            Ok(Transformed::yes(yields))
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same rows, few at a time.
#[derive(Debug)]
struct FewAtATime(Arc<dyn ExecutionPlan>);

impl DisplayAs for FewAtATime {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FewAtATime: rows={JOINED_ROWS}")
    }
}

impl ExecutionPlan for FewAtATime {
    fn name(&self) -> &'static str {
        "FewAtATime"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(Arc::new(FewAtATime(child))),
            _ => Err(DataFusionError::Internal(
                "FewAtATime has one input".to_owned(),
            )),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.0.execute(partition, context)?;
        let schema = rows.schema();
        let few = rows
            .map_ok(|batch| stream::iter(slices(&batch)).map(Ok))
            .try_flatten()
            .and_then(|slice| async {
                tokio::task::yield_now().await;
                Ok(slice)
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, few)))
    }
}

fn slices(batch: &RecordBatch) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let begins = (0..rows).step_by(JOINED_ROWS);
    begins
        .map(|begin| batch.slice(begin, JOINED_ROWS.min(rows - begin)))
        .collect()
}
