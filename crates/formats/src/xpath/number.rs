//! Numbers of queries and of event values: whole ones exactly, since bit masks and record
//! numbers go beyond what a double holds (MS-EVEN6 2.2.15.2 has UINT64), others as doubles.

use std::cmp::Ordering;
use std::fmt;

use crate::event::unsigned;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A whole one.
    Integer(i128),
    /// Any other.
    Fraction(f64),
}

impl Number {
    /// Reads `4624`, `0x1210`, `-1`, `1.5`, white space around them allowed (XPath 1.0, 4.4,
    /// and the hexadecimal form that events have); `None` is "not a number".
    #[inline]
    pub(super) fn read(text: &str) -> Option<Number> {
        if let Some(number) = unsigned(text) {
            return Some(Number::Integer(number.into()));
        }
        Number::read_signed(text.trim_ascii())
    }

    fn read_signed(text: &str) -> Option<Number> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) || (whole.len() + fraction.len() == 0) {
            return None;
        }
        match text.parse::<i128>() {
            Ok(number) => Some(Number::Integer(number)),
            Err(_) => text.parse().ok().map(Number::of),
        }
    }

    /// The one form that a value has, so that equal numbers are equal values.
    fn of(number: f64) -> Number {
        const WHOLE_MAX: f64 = 1e38;
        if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
            Number::Integer(number as i128)
        } else {
            Number::Fraction(number)
        }
    }

    /// How they compare.
    #[inline]
    pub(super) fn order(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => Some(one.cmp(&other)),
            (one, other) => one.as_f64().partial_cmp(&other.as_f64()),
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Number::Integer(number) => number as f64,
            Number::Fraction(number) => number,
        }
    }

    /// The same below zero.
    pub(super) fn negated(self) -> Number {
        match self {
            Number::Integer(number) => Number::Integer(-number),
            Number::Fraction(number) => Number::Fraction(-number),
        }
    }

    /// The number as 64 bits.
    pub(super) fn as_bits(self) -> Option<u64> {
        match self {
            Number::Integer(number) => u64::try_from(number).ok(),
            Number::Fraction(_) => None,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Integer(number) => number.fmt(f),
            Number::Fraction(number) => number.fmt(f),
        }
    }
}
