//! Times of queries and of event values, and how far apart they are.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::ast::Literal;
use super::number::Number;

/// From 1601, where FILETIME begins, to 1970, in units of 100 ns.
const FILETIME_OF_1970: i128 = 116_444_736_000_000_000;

/// The time that a literal of timediff() stands for: a FILETIME, or the text of a time.
pub(super) fn literal(literal: &Literal) -> Option<Timestamp> {
    match literal {
        Literal::String(text) => read(text),
        Literal::Number(number) => {
            let since_1970 = i128::from(number.as_bits()?) - FILETIME_OF_1970;
            Timestamp::from_nanosecond(since_1970 * 100).ok()
        }
    }
}

/// A time as events and queries write it. Scripts leave the zone out (format "s" of
/// PowerShell) and mean UTC.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim_ascii();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.len() < "2026-03-14T13:54".len() {
        return None;
    }
    crate::event::time(text).or_else(|| {
        let date_time: DateTime = text.parse().ok()?;
        Offset::UTC.to_timestamp(date_time).ok()
    })
}

/// Milliseconds from one time to the other, what is finer cut off (MS-EVEN6 2.2.15.2).
#[inline]
pub(super) fn milliseconds(from: Timestamp, to: Timestamp) -> Number {
    const NANOSECONDS: i128 = 1_000_000;
    Number::Integer((to.as_nanosecond() - from.as_nanosecond()) / NANOSECONDS)
}
