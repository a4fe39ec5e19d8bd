//! NCSA's common format: the time in brackets with its zone, the request in quotes.

use super::{Entry, EntryError, Moment, status, text, whole};
use crate::w3c::{Date, Field, Time, number};

/// Reads a line, with or without its end; none where it is blank.
///
/// # Errors
/// It is none of the format.
pub fn ncsa(line: &[u8]) -> Result<Option<Entry<'_>>, EntryError> {
    let Some(line) = whole(line)? else {
        return Ok(None);
    };
    let (who, rest) = cut(line, b" [").ok_or(EntryError::Part("time in brackets"))?;
    let (moment, rest) = cut(rest, b"] \"").ok_or(EntryError::Part("request in quotes"))?;
    // The request is what the client sent, quotes among it.
    let (request, after) = cut_last(rest, b"\" ").ok_or(EntryError::Part("end of the request"))?;
    let time = time(moment).ok_or_else(|| EntryError::Time(text(moment)))?;

    let (address, account) = cut(who, b" ").ok_or(EntryError::Part("account"))?;
    let (_identity, account) = cut(account, b" ").ok_or(EntryError::Part("account"))?;
    let (code, bytes) = cut(after, b" ").unwrap_or((after, b""));
    let (method, target, version) = parts(request);
    let (stem, query) = cut(target, b"?").unwrap_or((target, b""));
    Ok(Some(Entry {
        moment: Moment::Utc(time),
        values: [
            (Field::ClientIp, address),
            (Field::UserName, account),
            (Field::SiteName, b""),
            (Field::ComputerName, b""),
            (Field::ServerIp, b""),
            (Field::TimeTaken, b""),
            (Field::Version, version),
            (Field::BytesSent, bytes),
            (Field::Status, status(code)?),
            (Field::Win32Status, b""),
            (Field::Method, method),
            (Field::UriStem, stem),
            (Field::UriQuery, query),
        ],
    }))
}

/// Method, target and version; what has no blanks is a target.
fn parts(request: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let Some((method, rest)) = cut(request, b" ") else {
        return (b"", request, b"");
    };
    match cut_last(rest, b" ") {
        Some((target, version)) if version.starts_with(b"HTTP/") => (method, target, version),
        _ => (method, rest, b""),
    }
}

fn cut<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = memchr::memmem::find(text, at)?;
    Some((&text[..place], &text[place + at.len()..]))
}

fn cut_last<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = memchr::memmem::rfind(text, at)?;
    Some((&text[..place], &text[place + at.len()..]))
}

/// `08/Apr/2001:17:39:04 -0800`.
fn time(moment: &[u8]) -> Option<Time> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let (local, zone) = cut(moment, b" ")?;
    let (day, clock) = cut(local, b":")?;
    let mut parts = day.split(|byte| *byte == b'/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?
        + 1;
    let (day, year) = (number(day)?, number(year)?);
    let date = Date::read(format!("{year:04}-{month:02}-{day:02}").as_bytes())?;
    let &[sign, h1, h2, m1, m2] = zone else {
        return None;
    };
    let minutes = (number(&[h1, h2])? * 60 + number(&[m1, m2])?) as i64;
    let ahead = match sign {
        b'+' => minutes,
        b'-' => -minutes,
        _ => return None,
    };
    let Time(local) = Time::read(date, clock)?;
    Some(Time(local - ahead * 60_000_000))
}
