//! Values of an entity's properties.

use std::borrow::Cow;

use jiff::Timestamp;

/// Ticks (100 ns since 0001-01-01 UTC) of 1970-01-01.
pub const EPOCH_TICKS: i64 = 621_355_968_000_000_000;

/// First second that the service takes for an `Edm.DateTime`: 1601-01-01.
const FIRST_SECOND: i64 = -11_644_473_600;

/// A property's value, by its type in the Entity Data Model.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `Edm.String`.
    Text(Cow<'a, str>),
    /// `Edm.Int32`.
    Int(i32),
    /// `Edm.Int64`.
    Long(i64),
    /// `Edm.Double`.
    Double(f64),
    /// `Edm.Boolean`.
    Truth(bool),
    /// `Edm.DateTime`, to 100 ns.
    Time(Timestamp),
    /// `Edm.Guid`, as written.
    Guid(Cow<'a, str>),
    /// `Edm.Binary`.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// Bytes that the service counts for the value (Understanding the Table service data model, Capacity
    /// considerations).
    pub(super) fn bytes(&self) -> usize {
        match self {
            Value::Text(text) => 4 + 2 * utf16_units(text),
            Value::Int(_) => 4,
            Value::Long(_) | Value::Double(_) | Value::Time(_) => 8,
            Value::Truth(_) => 1,
            Value::Guid(_) => 16,
            Value::Bytes(bytes) => 4 + bytes.len(),
        }
    }

    /// The name of its type, where its JSON form does not say it already.
    pub(super) fn told_type(&self) -> Option<&'static str> {
        match self {
            Value::Text(_) | Value::Int(_) | Value::Truth(_) => None,
            Value::Long(_) => Some("Edm.Int64"),
            Value::Double(_) => Some("Edm.Double"),
            Value::Time(_) => Some("Edm.DateTime"),
            Value::Guid(_) => Some("Edm.Guid"),
            Value::Bytes(_) => Some("Edm.Binary"),
        }
    }
}

/// Code units of a text in UTF-16, which is how the service measures it.
pub(crate) fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A moment in ticks: 100 ns since 0001-01-01 UTC.
pub fn ticks(at: Timestamp) -> i64 {
    let ticks = at.as_nanosecond().div_euclid(100) + i128::from(EPOCH_TICKS);
    i64::try_from(ticks).unwrap_or(0)
}

/// Whether the service takes this moment for an `Edm.DateTime`.
pub(super) fn is_storable(at: Timestamp) -> bool {
    at.as_nanosecond() >= i128::from(FIRST_SECOND) * 1_000_000_000
}

/// As the service writes it: `2025-11-05T10:00:00.1234567Z`.
pub(super) fn time_text(at: Timestamp) -> String {
    // The part below a second counts on from the whole one before it, also before 1970.
    let ticks = at.as_nanosecond().div_euclid(100);
    let second = i64::try_from(ticks.div_euclid(10_000_000)).unwrap_or(0);
    let whole = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    let text = whole.to_string();
    let text = text.strip_suffix('Z').unwrap_or(&text);
    format!("{text}.{:07}Z", ticks.rem_euclid(10_000_000))
}
