//! IIS's own format: fifteen values, a comma and a blank behind each, the time local.

use super::{Entry, EntryError, Moment, status, text, whole};
use crate::w3c::{Date, Field, Time, number};

/// How the server writes days: the format does as the place does, and does not say which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DayOrder {
    /// `03/20/01`.
    #[default]
    MonthFirst,
    /// `20/03/01`, `20.03.2001`.
    DayFirst,
}

/// Values of a line: address, account, day, time, service, name and address of the server, milliseconds, bytes received and
/// sent, status, error of Windows, method, target, parameters.
const VALUES: usize = 15;

/// Reads a line, with or without its end; none where it is blank.
///
/// A day whose first number can be no month is read with the day first, whatever the order.
///
/// # Errors
/// It is none of the format.
pub fn native(line: &[u8], order: DayOrder) -> Result<Option<Entry<'_>>, EntryError> {
    let Some(line) = whole(line)? else {
        return Ok(None);
    };
    let line = line.strip_suffix(b",").unwrap_or(line);
    let mut values = [b"".as_slice(); VALUES];
    let mut found = 0;
    for value in split(line) {
        if let Some(place) = values.get_mut(found) {
            *place = value.trim_ascii();
        }
        found += 1;
    }
    if found != VALUES {
        let wanted = VALUES;
        return Err(EntryError::Values { found, wanted });
    }
    let moment = time(values[2], values[3], order);
    let moment =
        moment.ok_or_else(|| EntryError::Time(text(values[2]) + " " + &text(values[3])))?;
    Ok(Some(Entry {
        moment: Moment::Local(moment),
        values: [
            (Field::ClientIp, values[0]),
            (Field::UserName, values[1]),
            (Field::SiteName, values[4]),
            (Field::ComputerName, values[5]),
            (Field::ServerIp, values[6]),
            (Field::TimeTaken, values[7]),
            (Field::BytesReceived, values[8]),
            (Field::BytesSent, values[9]),
            (Field::Status, status(values[10])?),
            (Field::Win32Status, values[11]),
            (Field::Method, values[12]),
            (Field::UriStem, values[13]),
            (Field::UriQuery, values[14]),
        ],
    }))
}

/// Values end at a comma with a blank: a target has commas, but no blanks.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(2).position(|pair| pair == b", ");
        let (value, after) = match end {
            Some(end) => (&text[..end], Some(&text[end + 2..])),
            None => (text, None),
        };
        rest = after;
        Some(value)
    })
}

fn time(day: &[u8], time: &[u8], order: DayOrder) -> Option<Time> {
    let mut parts = day.split(|byte| b"/.-".contains(byte)).map(number);
    let (first, second, year) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    let (month, day) = match order {
        DayOrder::MonthFirst if first <= 12 => (first, second),
        DayOrder::MonthFirst | DayOrder::DayFirst => (second, first),
    };
    // IIS came in 1995.
    let year = match year {
        ..70 => year + 2_000,
        70..100 => year + 1_900,
        _ => year,
    };
    let date = Date::read(format!("{year:04}-{month:02}-{day:02}").as_bytes())?;
    // The hour has no zero before it.
    let padded = [b"0", time].concat();
    Time::read(date, if time.len() == 7 { &padded } else { time })
}
