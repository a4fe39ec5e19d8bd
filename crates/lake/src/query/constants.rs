//! How many rows a batch may have beside the constants of a plan.
//!
//! A constant that becomes a column stands in every row of a batch, and the engine's pool does not count it. So the
//! larger a plan's constants are together, the fewer rows a batch has.

use arrow::array::Array;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::limits::BATCH_CONSTANTS_BYTES;

/// Rows in a batch for this plan, at most `usual`.
pub(super) fn batch_rows(plan: &LogicalPlan, usual: usize) -> Result<usize, DataFusionError> {
    let mut bytes = 0_usize;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            bytes = bytes.saturating_add(bytes_of(expr)?);
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(usual.min(BATCH_CONSTANTS_BYTES / bytes.max(1)).max(1))
}

/// Bytes of the constants of an expression. What a value is looked for in (`IN (…)`) becomes no column.
fn bytes_of(expr: &Expr) -> Result<usize, DataFusionError> {
    let mut bytes = 0_usize;
    expr.apply(|part| match part {
        Expr::InList(list) => {
            bytes = bytes.saturating_add(bytes_of(&list.expr)?);
            for value in &list.list {
                if !matches!(value, Expr::Literal(..)) {
                    bytes = bytes.saturating_add(bytes_of(value)?);
                }
            }
            Ok(TreeNodeRecursion::Jump)
        }
        Expr::Literal(value, _) => {
            bytes = bytes.saturating_add(width(value));
            Ok(TreeNodeRecursion::Continue)
        }
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(bytes)
}

/// Bytes of a constant in each row.
fn width(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_ref().map_or(0, String::len)
        }
        ScalarValue::List(list) => list.get_array_memory_size(),
        other => other.size(),
    }
}
