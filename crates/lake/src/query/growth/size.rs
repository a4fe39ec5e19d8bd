//! How large a function's result may become, from its arguments.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

/// What the size of a result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// The text that is the first argument, as often as the second says.
    Repeat,
    /// A list of the first argument, as often as the second says.
    RepeatElement,
    /// As many places as the second argument says.
    Pad,
    /// The third argument in each place of the first.
    Replace,
    /// All arguments, and the first between them.
    Join,
    /// The elements of the first argument as text, and the second between them.
    List,
    /// All arguments, one after another.
    Concat,
    /// All arguments, each perhaps doubled.
    Sum,
    /// A list of the parts of the first argument, each of a character at least.
    Split,
    /// Numbers, days or moments from one to another.
    Series,
}

/// Bytes of what is counted as one value: a character, a number, the offset of an element.
const ONE: u64 = 8;

/// The most bytes that each row of the result may have.
pub(super) fn of_rows(growth: Growth, args: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
    if growth == Growth::Series {
        return series(args, rows);
    }
    let bytes = args
        .iter()
        .map(|arg| Ok(bytes_of(&arg.to_array(per_row(arg, rows))?)))
        .collect::<Result<Vec<_>>>()?;
    let at = |arg: usize, row: usize| -> u64 {
        let of_arg = bytes.get(arg);
        of_arg.map_or(0, |all| *all.get(row).or(all.first()).unwrap_or(&0))
    };
    let counts = match growth {
        Growth::Repeat | Growth::RepeatElement | Growth::Pad => numbers(args.get(1), rows)?,
        _ => Numbers::default(),
    };
    let lists = args.iter().any(|arg| arg.data_type().is_nested());
    let size = |row: usize| {
        let sum = (0..args.len()).fold(0, |sum: u64, arg| sum.saturating_add(at(arg, row)));
        let (first, second, third) = (at(0, row), at(1, row), at(2, row));
        let count = u64::try_from(counts.at(row)).unwrap_or(0);
        match growth {
            Growth::Repeat => first.saturating_mul(count),
            Growth::RepeatElement => (first + ONE).saturating_mul(count),
            Growth::Pad => (third + ONE).saturating_mul(count).saturating_add(first),
            // A reference to the match may stand in the replacement, each two bytes of it.
            Growth::Replace => (first + 1).saturating_mul(2 * third + 1),
            Growth::Join => {
                let between = (args.len() as u64).saturating_mul(first);
                sum.saturating_add(between)
            }
            // An element has eight bytes at least, and as text not four times as many.
            Growth::List => {
                let between = (first / ONE + 1).saturating_mul(second + third);
                first.saturating_mul(4).saturating_add(between)
            }
            Growth::Concat if lists => sum.saturating_mul(2),
            Growth::Concat => sum,
            Growth::Split => first.saturating_mul(1 + 2 * ONE),
            Growth::Sum | Growth::Series => sum.saturating_mul(2),
        }
    };
    Ok((0..rows).map(size).collect())
}

/// Rows to look at of an argument: one of a constant.
fn per_row(arg: &ColumnarValue, rows: usize) -> usize {
    match arg {
        ColumnarValue::Scalar(_) => 1,
        ColumnarValue::Array(_) => rows,
    }
}

/// Bytes of each row of an array.
fn bytes_of(array: &ArrayRef) -> Vec<u64> {
    let lengths = |ends: &[i32]| -> Vec<u64> {
        let length = |pair: &[i32]| u64::from(pair[1].abs_diff(pair[0]));
        ends.windows(2).map(length).collect()
    };
    let long_lengths = |ends: &[i64]| -> Vec<u64> {
        let length = |pair: &[i64]| pair[1].abs_diff(pair[0]);
        ends.windows(2).map(length).collect()
    };
    // The low half of a view is the length of what it shows.
    let viewed = |views: &[u128]| -> Vec<u64> {
        let length = |view: &u128| *view as u64 & u64::from(u32::MAX);
        views.iter().map(length).collect()
    };
    match array.data_type() {
        DataType::Utf8 => lengths(array.as_string::<i32>().offsets()),
        DataType::Binary => lengths(array.as_binary::<i32>().offsets()),
        DataType::LargeUtf8 => long_lengths(array.as_string::<i64>().offsets()),
        DataType::LargeBinary => long_lengths(array.as_binary::<i64>().offsets()),
        DataType::Utf8View => viewed(array.as_string_view().views()),
        DataType::BinaryView => viewed(array.as_binary_view().views()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            elements(lengths(list.offsets()), list.values())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            elements(long_lengths(list.offsets()), list.values())
        }
        data_type => {
            let known = data_type.primitive_width().map(|width| width as u64);
            let all = || array.get_array_memory_size() as u64;
            vec![known.unwrap_or_else(all); array.len()]
        }
    }
}

/// Bytes of lists of so many elements: each as large as the largest there is.
fn elements(counts: Vec<u64>, values: &ArrayRef) -> Vec<u64> {
    let largest = bytes_of(values).into_iter().max().unwrap_or(0);
    let size = |count: u64| count.saturating_mul(largest + ONE);
    counts.into_iter().map(size).collect()
}

/// Numbers of an argument.
#[derive(Default)]
struct Numbers(Vec<i64>);

impl Numbers {
    fn at(&self, row: usize) -> i64 {
        *self.0.get(row).or(self.0.first()).unwrap_or(&0)
    }
}

fn numbers(arg: Option<&ColumnarValue>, rows: usize) -> Result<Numbers> {
    let Some(arg) = arg else {
        return Ok(Numbers::default());
    };
    let array = arg.to_array(per_row(arg, rows))?;
    let lossy = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let days = match array.data_type() {
        DataType::Date32 | DataType::Date64 => cast_with_options(&array, &DataType::Date32, &lossy)
            .and_then(|days| cast_with_options(&days, &DataType::Int32, &lossy))?,
        _ => array,
    };
    let numbers = cast_with_options(&days, &DataType::Int64, &lossy)?;
    let numbers: &Int64Array = numbers.as_primitive::<Int64Type>();
    Ok(Numbers(
        numbers.iter().map(Option::unwrap_or_default).collect(),
    ))
}

/// `range(stop)`, `range(start, stop)`, `range(start, stop, step)`, of numbers, dates or times.
fn series(args: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
    let (start, stop) = match args {
        [stop] => (Numbers::default(), numbers(Some(stop), rows)?),
        [start, stop, ..] => (numbers(Some(start), rows)?, numbers(Some(stop), rows)?),
        [] => return Ok(vec![0; rows]),
    };
    let steps = match args.get(2) {
        Some(step) if matches!(step.data_type(), DataType::Interval(_)) => {
            intervals(step, &args[0].data_type(), rows)?
        }
        Some(step) => numbers(Some(step), rows)?,
        None => Numbers(vec![1]),
    };
    let size = |row: usize| {
        let step = steps.at(row).unsigned_abs().max(1);
        let count = start.at(row).abs_diff(stop.at(row)) / step;
        count.saturating_add(1).saturating_mul(ONE)
    };
    Ok((0..rows).map(size).collect())
}

/// Steps in the unit of what they step over: days of a date, else its own unit. A month has 28 days at least.
fn intervals(step: &ColumnarValue, over: &DataType, rows: usize) -> Result<Numbers> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let array = step.to_array(per_row(step, rows))?;
    let Some(steps) = array.as_primitive_opt::<IntervalMonthDayNanoType>() else {
        return Ok(Numbers(vec![1]));
    };
    let unit_ns = match over {
        DataType::Timestamp(unit, _) => match unit {
            arrow::datatypes::TimeUnit::Second => 1_000_000_000,
            arrow::datatypes::TimeUnit::Millisecond => 1_000_000,
            arrow::datatypes::TimeUnit::Microsecond => 1_000,
            arrow::datatypes::TimeUnit::Nanosecond => 1,
        },
        _ => DAY_NS,
    };
    let in_units = |step: Option<arrow::datatypes::IntervalMonthDayNano>| {
        let step = step.unwrap_or_default();
        let days = i64::from(step.months) * 28 + i64::from(step.days);
        days.saturating_mul(DAY_NS).saturating_add(step.nanoseconds) / unit_ns
    };
    Ok(Numbers(steps.iter().map(in_units).collect()))
}
