//! Makes a query that is no longer wanted end soon.
//!
//! A query ends where it gives its thread back. DataFusion sees to that where rows are read; a join makes any number of
//! rows of those it has read, and between two reads may run for hours.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

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
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        plan.transform_up(|plan| match plan.children().len() {
            0 | 1 => Ok(Transformed::no(plan)),
            _ => Ok(Transformed::yes(
                Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>
            )),
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}
