//! Functions whose result may be many times their arguments, held to a size.
//!
//! The engine's pool does not count what a function makes, and one of constants is computed while the
//! query is planned. So each of these is asked first how large its result may become: of many rows a
//! part is computed at a time, and what is too large for one row is refused. Arguments are computed
//! before the function that they are for is asked, so a bound of each alone bounds nothing: what all of
//! them have made and somebody still holds is counted in the pool ([`Budget`]), and so are copies made
//! by functions that do not grow. The operators that the engine plans without asking its registry (`||`,
//! `[…]`, OVERLAY) come here by [`Planner`].

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions_nested::planner::NestedFunctionPlanner;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::limits::{CONSTANT_BYTES, FUNCTION_BYTES, FUNCTION_PART_BYTES};

mod budget;
mod size;

pub(super) use budget::Budget;
use size::Growth;

/// How each function grows.
const GROWING: [(&str, Growth); 21] = [
    ("repeat", Growth::Repeat),
    ("array_repeat", Growth::RepeatElement),
    ("lpad", Growth::Pad),
    ("rpad", Growth::Pad),
    ("array_resize", Growth::Pad),
    ("replace", Growth::Replace),
    ("regexp_replace", Growth::Replace),
    ("array_replace", Growth::Replace),
    ("array_replace_n", Growth::Replace),
    ("array_replace_all", Growth::Replace),
    ("array_to_string", Growth::List),
    ("concat_ws", Growth::Join),
    ("concat", Growth::Concat),
    ("overlay", Growth::Sum),
    ("encode", Growth::Sum),
    ("make_array", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_concat", Growth::Sum),
    ("range", Growth::Series),
    ("string_to_array", Growth::Split),
];

/// Functions whose result is a copy of their arguments, of a part of them, or a short name.
const COPYING: [&str; 35] = [
    "sid_name",
    "status_name",
    "kerberos_status_name",
    "logon_type_name",
    "event_name",
    "upper",
    "lower",
    "initcap",
    "reverse",
    "translate",
    "substr",
    "substr_index",
    "left",
    "right",
    "split_part",
    "btrim",
    "ltrim",
    "rtrim",
    "regexp_match",
    "decode",
    "array_sort",
    "array_distinct",
    "array_slice",
    "array_reverse",
    "array_remove",
    "array_remove_n",
    "array_remove_all",
    "array_union",
    "array_intersect",
    "array_except",
    "array_pop_back",
    "array_pop_front",
    "arrays_zip",
    "flatten",
    "map",
];

/// Puts functions that are held to a size in the place of those that are not; the budget is what they share.
pub(super) fn hold(state: &mut SessionStateBuilder, pool: &Arc<dyn MemoryPool>) -> Budget {
    let budget = Budget::new(pool);
    let functions = state.scalar_functions().get_or_insert_default();
    for function in functions.iter_mut() {
        let name = match function.name() {
            "generate_series" => "range",
            name => name,
        };
        let growing = GROWING.iter().find(|(growing, _)| *growing == name);
        if growing.is_some() || COPYING.contains(&name) {
            *function = Arc::new(ScalarUDF::from(Held {
                inner: Arc::clone(function),
                growth: growing.map(|(_, growth)| *growth),
                budget: budget.clone(),
            }));
        }
    }
    let named = |name: &str| {
        functions
            .iter()
            .find(|function| function.name() == name)
            .cloned()
    };
    let planner = Planner {
        make_array: named("make_array"),
        overlay: named("overlay"),
        joined: Arc::new(ScalarUDF::from(Joined {
            signature: Signature::any(1, Volatility::Immutable),
            budget: budget.clone(),
        })),
    };
    let planners = state.expr_planners().get_or_insert_default();
    planners.insert(0, Arc::new(planner));
    budget
}

/// A function that refuses to make too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Held {
    inner: Arc<ScalarUDF>,
    /// None where the result is at most as large as the arguments.
    growth: Option<Growth>,
    budget: Budget,
}

impl Held {
    /// Computes rows that grow: together where there is room for the most that they may become, else a part at a time.
    fn in_parts(&self, args: &ScalarFunctionArgs, growth: Growth) -> Result<ArrayRef> {
        let bytes = size::of_rows(growth, &args.args, args.number_rows)?;
        let most = |part: &Range<usize>| {
            let rows = bytes[part.clone()].iter();
            rows.fold(0, |sum: u64, row| sum.saturating_add(*row))
        };
        let all = 0..bytes.len();
        let fits = most(&all) <= FUNCTION_BYTES as u64 && self.budget.room(most(&all)).is_ok();
        let parts = match fits {
            true => vec![all],
            false => parts(self.name(), &bytes)?,
        };
        let mut made = Vec::<ArrayRef>::new();
        let mut total = 0;
        for part in parts {
            let rows = part.len();
            let room = self.budget.room(most(&part))?;
            let value = self.inner.inner().invoke_with_args(cut(args, part))?;
            drop(room);
            let array = value.into_array(rows)?;
            total += array.get_array_memory_size() as u64;
            check(self.name(), total, FUNCTION_BYTES)?;
            made.push(self.budget.keep(&array, &args.args)?);
        }
        match made.as_slice() {
            [whole] => Ok(Arc::clone(whole)),
            made => {
                let room = self.budget.room(total)?;
                let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
                let whole = concat(&made)?;
                drop(room);
                self.budget.keep(&whole, &args.args)
            }
        }
    }
}

impl ScalarUDFImpl for Held {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.inner().documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        match self.growth {
            Some(growth) if args.args.iter().all(is_constant) => {
                let bytes = size::of_rows(growth, &args.args, 1)?;
                check(self.name(), bytes[0], CONSTANT_BYTES)?;
                self.budget.constant(bytes[0])?;
                self.inner.inner().invoke_with_args(args)
            }
            Some(growth) => Ok(ColumnarValue::Array(self.in_parts(&args, growth)?)),
            None => {
                let of = args.args.clone();
                match self.inner.inner().invoke_with_args(args)? {
                    ColumnarValue::Array(made) => {
                        Ok(ColumnarValue::Array(self.budget.keep(&made, &of)?))
                    }
                    constant => Ok(constant),
                }
            }
        }
    }
}

/// Rows that may be computed together.
fn parts(function: &str, bytes: &[u64]) -> Result<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let (mut first, mut sum) = (0, 0u64);
    for (row, bytes) in bytes.iter().enumerate() {
        check(function, *bytes, FUNCTION_BYTES)?;
        if row > first && sum.saturating_add(*bytes) > FUNCTION_PART_BYTES as u64 {
            parts.push(first..row);
            (first, sum) = (row, 0);
        }
        sum += bytes;
    }
    parts.push(first..bytes.len());
    Ok(parts)
}

fn cut(args: &ScalarFunctionArgs, rows: Range<usize>) -> ScalarFunctionArgs {
    let mut part = args.clone();
    part.number_rows = rows.len();
    for value in &mut part.args {
        if let ColumnarValue::Array(array) = value {
            *array = array.slice(rows.start, rows.len());
        }
    }
    part
}

fn check(function: &str, bytes: u64, limit: usize) -> Result<()> {
    if bytes > limit as u64 {
        return exec_err!("{function} would make {bytes} bytes, more than {limit}");
    }
    Ok(())
}

/// Gives back what `||` made, where it is not too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
    budget: Budget,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        "joined"
    }

    /// A column is named after what was asked.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [joined] => Ok(joined.clone()),
            _ => exec_err!("joined takes one argument"),
        }
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let limit = match args.args.as_slice() {
            [ColumnarValue::Scalar(_)] => CONSTANT_BYTES,
            _ => FUNCTION_BYTES,
        };
        let bytes = size::of_rows(Growth::Concat, &args.args, args.number_rows)?;
        let bytes = match limit {
            CONSTANT_BYTES => bytes.first().copied().unwrap_or(0),
            _ => bytes
                .iter()
                .fold(0, |sum: u64, row| sum.saturating_add(*row)),
        };
        check("||", bytes, limit)?;
        match args.args.pop() {
            // What was joined is new: none of its buffers is another's.
            Some(ColumnarValue::Array(joined)) => {
                Ok(ColumnarValue::Array(self.budget.keep(&joined, &[])?))
            }
            Some(joined) => {
                self.budget.constant(bytes)?;
                Ok(joined)
            }
            None => exec_err!("joined takes one argument"),
        }
    }
}

/// Plans what has no name that the registry is asked for.
#[derive(Debug)]
struct Planner {
    make_array: Option<Arc<ScalarUDF>>,
    overlay: Option<Arc<ScalarUDF>>,
    joined: Arc<ScalarUDF>,
}

impl ExprPlanner for Planner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let joined = match NestedFunctionPlanner.plan_binary_op(expr, schema)? {
            PlannerResult::Planned(lists) => lists,
            PlannerResult::Original(texts) => datafusion::logical_expr::binary_expr(
                texts.left,
                datafusion::logical_expr::Operator::StringConcat,
                texts.right,
            ),
        };
        Ok(PlannerResult::Planned(call(&self.joined, vec![joined])))
    }

    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned(self.make_array.as_ref(), exprs))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned(self.overlay.as_ref(), args))
    }
}

fn planned(function: Option<&Arc<ScalarUDF>>, args: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    match function {
        Some(function) => PlannerResult::Planned(call(function, args)),
        None => PlannerResult::Original(args),
    }
}

fn call(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args))
}

#[cfg(test)]
mod tests;
