//! Time, host and priority before the payload.
//!
//! Invariant: host and time hold only printable ASCII without spaces, whatever the event
//! said, so that a receiver's split at spaces finds the payload.

use std::net::Ipv6Addr;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Unit};

use super::Prefix;
use crate::batch::Header;
use crate::cef::number::decimal;
use crate::event::Event;

/// RFC 3164 4.1.1: security/authorization messages. Azure Local's client uses it for all.
const FACILITY: u8 = 10;
/// RFC 5424 6: HOSTNAME is at most 255 characters, as is a DNS name.
const HOST_MAX: usize = 255;
/// 0000-01-01T00:00:00Z.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);
const APP_NAME: &[u8] = b"windrow";
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Appends the prefix of `event`, the space before the payload included.
pub(super) fn write(
    prefix: Prefix,
    zone: &TimeZone,
    severity: u8,
    event: Event<'_>,
    header: &Header,
    out: &mut Vec<u8>,
) {
    if prefix == Prefix::None {
        return;
    }
    if prefix != Prefix::LegacyAzureStack {
        out.push(b'<');
        decimal(u64::from(FACILITY * 8 + severity), out);
        out.push(b'>');
    }
    let (time, offset) = local(time(event, header), zone);
    match prefix {
        Prefix::None => {}
        Prefix::LegacyAzureStack => legacy_time(time, offset, out),
        Prefix::Rfc3164 => bsd_time(time, out),
        Prefix::Rfc3164Iso => iso_time(time, offset, out),
        Prefix::Rfc5424 => {
            out.extend_from_slice(b"1 ");
            iso_time(time, offset, out);
        }
    }
    out.push(b' ');
    match event.computer().filter(|computer| !computer.is_empty()) {
        Some(computer) => host(&computer, out),
        None => host(&header.source, out),
    }
    out.push(b' ');
    if prefix == Prefix::Rfc5424 {
        out.extend_from_slice(APP_NAME);
        out.extend_from_slice(b" - ");
        match event.event_id() {
            Some(id) => decimal(u64::from(id), out),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b" - ");
    }
}

/// When the event happened; when it arrived, if it does not say or says a year that no
/// syslog time can hold.
fn time(event: Event<'_>, header: &Header) -> Timestamp {
    event
        .time_created()
        .filter(|time| *time >= YEAR_0)
        .unwrap_or(header.received_at)
}

fn local(time: Timestamp, zone: &TimeZone) -> (DateTime, Offset) {
    let offset = if *zone == TimeZone::UTC {
        Offset::UTC
    } else {
        // RFC 3339 offsets have no seconds; zones before about 1930 do.
        let offset = zone.to_offset(time);
        offset.round(Unit::Minute).unwrap_or(offset)
    };
    (offset.to_datetime(time), offset)
}

/// `May  7 23:59:28`: the day padded with a space (RFC 3164 4.1.2).
fn bsd_time(time: DateTime, out: &mut Vec<u8>) {
    out.extend_from_slice(MONTHS[(time.month() as usize + 11) % 12]);
    out.push(b' ');
    let day = time.day().unsigned_abs();
    if day < 10 {
        out.extend_from_slice(&[b' ', b'0' + day]);
    } else {
        two(day, out);
    }
    out.push(b' ');
    clock(time, out);
}

/// `2018:05:17:-23:59:28 -07:00`, which no document but Azure Stack's has.
fn legacy_time(time: DateTime, offset: Offset, out: &mut Vec<u8>) {
    date(time, b':', out);
    out.extend_from_slice(b":-");
    clock(time, out);
    out.push(b' ');
    hours_and_minutes(offset, out);
}

/// `2018-05-17T23:59:28.123456Z`: RFC 5424 6.2.3 allows at most six digits; rsyslog breaks on
/// Windows' seven.
fn iso_time(time: DateTime, offset: Offset, out: &mut Vec<u8>) {
    date(time, b'-', out);
    out.push(b'T');
    clock(time, out);
    out.push(b'.');
    let micros = time.subsec_nanosecond().unsigned_abs() / 1_000;
    two((micros / 10_000) as u8, out);
    two((micros / 100 % 100) as u8, out);
    two((micros % 100) as u8, out);
    if offset == Offset::UTC {
        out.push(b'Z');
        return;
    }
    hours_and_minutes(offset, out);
}

fn date(time: DateTime, separator: u8, out: &mut Vec<u8>) {
    let year = time.year().unsigned_abs();
    two((year / 100 % 100) as u8, out);
    two((year % 100) as u8, out);
    out.push(separator);
    two(time.month().unsigned_abs(), out);
    out.push(separator);
    two(time.day().unsigned_abs(), out);
}

fn hours_and_minutes(offset: Offset, out: &mut Vec<u8>) {
    out.push(if offset.is_negative() { b'-' } else { b'+' });
    let minutes = offset.seconds().unsigned_abs() / 60;
    two((minutes / 60) as u8, out);
    out.push(b':');
    two((minutes % 60) as u8, out);
}

fn clock(time: DateTime, out: &mut Vec<u8>) {
    two(time.hour().unsigned_abs(), out);
    out.push(b':');
    two(time.minute().unsigned_abs(), out);
    out.push(b':');
    two(time.second().unsigned_abs(), out);
}

fn two(value: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

/// Appends a host name that every receiver takes for one. A colon ends the host at rsyslog,
/// so an IPv6 address is written as Windows writes it in names (`fe80--1.ipv6-literal.net`);
/// any other odd character becomes a dash.
fn host(name: &str, out: &mut Vec<u8>) {
    // As nearly all are.
    if (1..=HOST_MAX).contains(&name.len()) && name.bytes().all(is_of_host) {
        return out.extend_from_slice(name.as_bytes());
    }
    if let Some(address) = ipv6(name) {
        return ipv6_literal(address, out);
    }
    let start = out.len();
    for character in name.chars().take(HOST_MAX) {
        out.push(match u8::try_from(character) {
            Ok(byte) if is_of_host(byte) => byte,
            _ => b'-',
        });
    }
    if out.len() == start {
        out.extend_from_slice(b"unknown");
    }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn ipv6(name: &str) -> Option<Ipv6Addr> {
    if !name.contains(':') {
        return None;
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.split('%').next().unwrap_or(bare);
    bare.parse().ok()
}

fn ipv6_literal(address: Ipv6Addr, out: &mut Vec<u8>) {
    let start = out.len();
    for segment in address.to_string().chars() {
        out.push(if segment == ':' { b'-' } else { segment as u8 });
    }
    // A name does not start or end with a dash, which `::1` and `fe80::` would.
    if out.get(start) == Some(&b'-') {
        out.insert(start, b'0');
    }
    if out.last() == Some(&b'-') {
        out.push(b'0');
    }
    out.extend_from_slice(b".ipv6-literal.net");
}
