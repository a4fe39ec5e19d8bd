//! `date_trunc` of times in UTC, as all times of the lake are.
//!
//! DataFusion's own (55.2) goes through the calendar for each value that has a zone, hours and days too, although in UTC
//! they are as long as each other: hours of five million events cost 1.1 CPU seconds, minutes, for which it does not, 0.2.
//! And it fails for a time before 1677 or after 2262, so that one event of a machine with a wrong clock ends every such query.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use jiff::civil::Date;

/// The engine's function where times are not in UTC, or constants.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Truncated {
    engine: Arc<ScalarUDF>,
}

impl Truncated {
    pub(super) fn new() -> Truncated {
        Truncated {
            engine: datetime::date_trunc(),
        }
    }
}

/// What a time is cut to.
#[derive(Clone, Copy)]
enum Unit {
    /// So many microseconds.
    Microseconds(i64),
    /// Weeks, from Monday on.
    Week,
    /// So many months.
    Months(i8),
}

const DAY_US: i64 = 86_400_000_000;

impl Unit {
    /// The unit that is called so, in any case.
    fn named(name: &ColumnarValue) -> Option<Unit> {
        let ColumnarValue::Scalar(
            ScalarValue::Utf8(Some(name))
            | ScalarValue::Utf8View(Some(name))
            | ScalarValue::LargeUtf8(Some(name)),
        ) = name
        else {
            return None;
        };
        Some(match &*name.to_ascii_lowercase() {
            "microsecond" => Unit::Microseconds(1),
            "millisecond" => Unit::Microseconds(1_000),
            "second" => Unit::Microseconds(1_000_000),
            "minute" => Unit::Microseconds(60_000_000),
            "hour" => Unit::Microseconds(3_600_000_000),
            "day" => Unit::Microseconds(DAY_US),
            "week" => Unit::Week,
            "month" => Unit::Months(1),
            "quarter" => Unit::Months(3),
            "year" => Unit::Months(12),
            _ => return None,
        })
    }

    /// The begin of the unit that a time lies in; none beyond the years that have four digits.
    fn of(self, time: i64) -> Option<i64> {
        let floor = |time: i64, length: i64| time.checked_sub(time.rem_euclid(length));
        match self {
            Unit::Microseconds(length) => floor(time, length),
            // 1970 began on a Thursday.
            Unit::Week => {
                let monday = floor(time.checked_add(3 * DAY_US)?, 7 * DAY_US)?;
                monday.checked_sub(3 * DAY_US)
            }
            Unit::Months(length) => {
                let epoch = Date::constant(1970, 1, 1);
                let days = jiff::Span::new().try_days(time.div_euclid(DAY_US)).ok()?;
                let date = epoch.checked_add(days).ok()?;
                let month = date.month() - (date.month() - 1) % length;
                let first = Date::new(date.year(), month, 1).ok()?;
                let days = first.since(epoch).ok()?.get_days();
                i64::from(days).checked_mul(DAY_US)
            }
        }
    }
}

/// Times in microseconds whose zone is UTC, as tables have them.
fn in_utc(value: &ColumnarValue) -> Option<&TimestampMicrosecondArray> {
    let ColumnarValue::Array(array) = value else {
        return None;
    };
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone))
            if matches!(&**zone, "UTC" | "+00:00" | "Z") =>
        {
            array.as_primitive_opt::<TimestampMicrosecondType>()
        }
        _ => None,
    }
}

impl ScalarUDFImpl for Truncated {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args.first().and_then(Unit::named);
        let given = given.zip(args.args.get(1).and_then(in_utc));
        let Some((unit, times)) = given else {
            return self.engine.invoke_with_args(args);
        };
        let cut = match unit {
            Unit::Microseconds(length) => {
                times.unary(|time| time.saturating_sub(time.rem_euclid(length)))
            }
            Unit::Week | Unit::Months(_) => times.unary_opt(|time| unit.of(time)),
        };
        let cut: TimestampMicrosecondArray = cut;
        let cut = cut.with_data_type(times.data_type().clone());
        Ok(ColumnarValue::Array(Arc::new(cut)))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.engine.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.documentation()
    }
}
