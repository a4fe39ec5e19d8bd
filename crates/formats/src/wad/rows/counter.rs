//! A row of `WADPerformanceCountersTable`: the value of a counter at a moment.

use jiff::Timestamp;

use super::keys::{Counter, Origin, Partition};
use super::{begin, column, end, text};
use crate::azure::{Entity, Value};

/// A value that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured<'a> {
    /// The counter's path, without its machine.
    pub counter: &'a str,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub value: f64,
    /// Which value of its piece of a file, from 0.
    pub number: u32,
}

/// The row of a value. All values of a piece have one sequence, so the row's key ends with the value's number.
pub fn performance_counter<'a>(
    measured: &Measured<'a>,
    origin: &Origin<'a>,
    partition: &Partition,
    counter: Counter,
) -> Entity<'a> {
    let mut properties = begin(measured.at, origin);
    properties.push(column("CounterName", text(measured.counter)));
    properties.push(column("CounterValue", Value::Double(measured.value)));
    end(&mut properties, measured.at, counter, partition);
    Entity {
        partition_key: partition.to_string().into(),
        row_key: format!("{}___{:010}", origin.row_key(counter), measured.number).into(),
        properties,
    }
}
