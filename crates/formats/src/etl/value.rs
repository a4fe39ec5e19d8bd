//! The values of payloads: how each type lies there (TDH_INTYPE_*, tdh.h), and what it is meant to look like
//! (TDH_OUTTYPE_*).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use crate::guid::Guid;
use crate::input::{Input, Short, filetime, utf16};
use crate::text::hex;

/// A value with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// What a field of a payload says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// A number with a sign.
    Signed(i64),
    /// A number without one.
    Unsigned(u64),
    /// A number that is written in hexadecimal.
    Hex(u64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A GUID.
    Guid(Guid),
    /// A moment.
    Time(Timestamp),
    /// An internet address.
    Address(IpAddr),
    /// Bytes that mean nothing here.
    Bytes(Vec<u8>),
    /// Several of a kind.
    List(Vec<Value>),
    /// Several with names.
    Struct(Vec<Named>),
}

/// How a value lies in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Utf16,
    Ansi,
    Signed(u8),
    Unsigned(u8),
    Float,
    Double,
    Bool,
    Binary,
    Guid,
    Pointer,
    FileTime,
    Calendar,
    Sid,
    Hex(u8),
    /// Text or bytes behind their size in bytes.
    CountedUtf16,
    CountedAnsi,
    CountedBinary,
    Struct,
}

/// How a value wants to be shown, as far as it changes what it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Out {
    #[default]
    Plain,
    Text,
    Bool,
    Hex,
    Port,
    Ipv4,
    Ipv6,
    Socket,
    Time,
    Signed,
    Unsigned,
}

impl Kind {
    /// The kind of a number (TDH_INTYPE_*, TlgIn of TraceLoggingProvider.h).
    pub(super) fn numbered(number: u8) -> Option<Kind> {
        Some(match number {
            0 => Kind::Null,
            1 => Kind::Utf16,
            2 => Kind::Ansi,
            3 => Kind::Signed(1),
            4 => Kind::Unsigned(1),
            5 => Kind::Signed(2),
            6 => Kind::Unsigned(2),
            7 => Kind::Signed(4),
            8 => Kind::Unsigned(4),
            9 => Kind::Signed(8),
            10 => Kind::Unsigned(8),
            11 => Kind::Float,
            12 => Kind::Double,
            13 => Kind::Bool,
            14 => Kind::Binary,
            15 => Kind::Guid,
            16 => Kind::Pointer,
            17 => Kind::FileTime,
            18 => Kind::Calendar,
            19 => Kind::Sid,
            20 => Kind::Hex(4),
            21 => Kind::Hex(8),
            22 => Kind::CountedUtf16,
            23 => Kind::CountedAnsi,
            24 => Kind::Struct,
            25 => Kind::CountedBinary,
            _ => return None,
        })
    }

    /// The kind of a name in a manifest (winmeta.xml).
    pub(super) fn named(name: &str) -> Option<Kind> {
        Some(match local(name) {
            "UnicodeString" => Kind::Utf16,
            "AnsiString" => Kind::Ansi,
            "Int8" => Kind::Signed(1),
            "UInt8" => Kind::Unsigned(1),
            "Int16" => Kind::Signed(2),
            "UInt16" => Kind::Unsigned(2),
            "Int32" => Kind::Signed(4),
            "UInt32" => Kind::Unsigned(4),
            "Int64" => Kind::Signed(8),
            "UInt64" => Kind::Unsigned(8),
            "Float" => Kind::Float,
            "Double" => Kind::Double,
            "Boolean" => Kind::Bool,
            "Binary" => Kind::Binary,
            "GUID" => Kind::Guid,
            "Pointer" => Kind::Pointer,
            "FILETIME" => Kind::FileTime,
            "SYSTEMTIME" => Kind::Calendar,
            "SID" => Kind::Sid,
            "HexInt32" => Kind::Hex(4),
            "HexInt64" => Kind::Hex(8),
            "CountedUnicodeString" => Kind::CountedUtf16,
            "CountedAnsiString" => Kind::CountedAnsi,
            "CountedBinary" => Kind::CountedBinary,
            _ => return None,
        })
    }
}

impl Out {
    /// By number (TDH_OUTTYPE_* as TraceLogging numbers them).
    pub(super) fn numbered(number: u8) -> Out {
        match number {
            2 | 11 | 12 | 35 => Out::Text,
            3 => Out::Bool,
            4 | 14 | 15 => Out::Hex,
            7 => Out::Port,
            8 => Out::Ipv4,
            9 => Out::Ipv6,
            10 => Out::Socket,
            16 | 38 => Out::Time,
            17 => Out::Signed,
            18 => Out::Unsigned,
            _ => Out::Plain,
        }
    }

    /// By the name that a manifest gives it.
    pub(super) fn named(name: &str) -> Out {
        match local(name) {
            "string" | "Xml" | "Json" | "Utf8" => Out::Text,
            "boolean" => Out::Bool,
            "HexInt8" | "HexInt16" | "HexInt32" | "HexInt64" | "NTSTATUS" | "HResult"
            | "hexBinary" => Out::Hex,
            "Port" => Out::Port,
            "IPv4" => Out::Ipv4,
            "IPv6" => Out::Ipv6,
            "SocketAddress" => Out::Socket,
            "dateTime" => Out::Time,
            _ => Out::Plain,
        }
    }
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// How long a text or a run of bytes is, where its template says so: characters or bytes.
pub(super) type Length = Option<usize>;

/// Reads one value.
pub(super) fn read(
    (kind, out): (Kind, Out),
    length: Length,
    pointer_bytes: u8,
    input: &mut Input<'_>,
) -> Result<Value, Short> {
    let value = match kind {
        Kind::Null | Kind::Struct => Value::Null,
        Kind::Utf16 => match length {
            Some(units) => text16(input.take(units.saturating_mul(2))?),
            None => Value::Text(input.utf16_until_zero()),
        },
        Kind::Ansi => match length {
            Some(bytes) => text8(input.take(bytes)?),
            None => text8(input.until_zero()),
        },
        Kind::CountedUtf16 => {
            let bytes = input.u16()?;
            text16(input.take(usize::from(bytes))?)
        }
        Kind::CountedAnsi => {
            let bytes = input.u16()?;
            text8(input.take(usize::from(bytes))?)
        }
        Kind::Signed(bytes) => signed(integer(input, bytes)?, bytes),
        Kind::Unsigned(bytes) => Value::Unsigned(integer(input, bytes)?),
        Kind::Hex(bytes) => Value::Hex(integer(input, bytes)?),
        Kind::Pointer => Value::Hex(integer(input, pointer_bytes)?),
        Kind::Float => Value::Float(f64::from(f32::from_bits(input.u32()?))),
        Kind::Double => Value::Float(f64::from_bits(input.u64()?)),
        Kind::Bool => Value::Bool(input.u32()? != 0),
        Kind::Guid => Value::Guid(input.guid()?),
        Kind::FileTime => time(input.u64()?),
        Kind::Calendar => system_time(input.take(16)?),
        Kind::Sid => sid(input)?,
        Kind::Binary if length.is_none() && out == Out::Ipv6 => bytes(input.take(16)?, out),
        Kind::Binary | Kind::CountedBinary => {
            let length = match length {
                Some(length) => length,
                None => usize::from(input.u16()?),
            };
            bytes(input.take(length)?, out)
        }
    };
    Ok(shown(value, kind, out))
}

fn integer(input: &mut Input<'_>, bytes: u8) -> Result<u64, Short> {
    Ok(match bytes {
        1 => u64::from(input.u8()?),
        2 => u64::from(input.u16()?),
        4 => u64::from(input.u32()?),
        _ => input.u64()?,
    })
}

fn signed(number: u64, bytes: u8) -> Value {
    let unused = 64 - 8 * u32::from(bytes.clamp(1, 8));
    Value::Signed((number << unused) as i64 >> unused)
}

fn text16(bytes: &[u8]) -> Value {
    let text = utf16(bytes);
    Value::Text(text.trim_end_matches('\0').to_owned())
}

/// The code page of the machine is not in the file; what is no UTF-8 shows as U+FFFD.
fn text8(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    Value::Text(text.trim_end_matches('\0').to_owned())
}

fn time(ticks: u64) -> Value {
    filetime(ticks).map_or(Value::Hex(ticks), Value::Time)
}

/// SYSTEMTIME: eight numbers of two bytes; whose zone it is, nothing says.
fn system_time(bytes: &[u8]) -> Value {
    let at = |place: usize| u16::from_le_bytes([bytes[2 * place], bytes[2 * place + 1]]);
    Value::Text(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        at(0),
        at(1),
        at(3),
        at(4),
        at(5),
        at(6),
        at(7)
    ))
}

/// A SID in its string form (MS-DTYP 2.4.2.1, 2.4.2.2).
fn sid(input: &mut Input<'_>) -> Result<Value, Short> {
    let (revision, count) = (input.u8()?, input.u8()?);
    let authority: [u8; 6] = input.array()?;
    let authority = authority
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut text = format!("S-{revision}-{authority}");
    for _ in 0..count {
        text += &format!("-{}", input.u32()?);
    }
    Ok(Value::Text(text))
}

/// The string form of a binary SID.
#[must_use]
pub fn sid_text(bytes: &[u8]) -> Option<String> {
    match sid(&mut Input::new(bytes)).ok()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn bytes(bytes: &[u8], out: Out) -> Value {
    let socket = || socket(bytes);
    let value = match (out, bytes.len()) {
        (Out::Ipv6, 16) | (Out::Ipv4, 4) => address(bytes).map(Value::Address),
        (Out::Socket, _) => socket(),
        (Out::Text, _) => return text8(bytes),
        _ => None,
    };
    value.unwrap_or_else(|| Value::Bytes(bytes.to_vec()))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

/// SOCKADDR_IN and SOCKADDR_IN6 (ws2def.h, ws2ipdef.h): family, port, address.
fn socket(bytes: &[u8]) -> Option<Value> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    Some(match u16::from_le_bytes(*family) {
        2 => Value::Text(format!("{}:{port}", address(rest.get(..4)?)?)),
        23 => Value::Text(format!("[{}]:{port}", address(rest.get(4..20)?)?)),
        _ => return None,
    })
}

/// What a number is by the way it wants to be shown.
fn shown(value: Value, kind: Kind, out: Out) -> Value {
    let number = match value {
        Value::Unsigned(number) | Value::Hex(number) => number,
        Value::Signed(number) if out == Out::Hex => {
            let width = if let Kind::Signed(bytes) = kind {
                bytes
            } else {
                8
            };
            let unused = 64 - 8 * u32::from(width.clamp(1, 8));
            return Value::Hex((number as u64) << unused >> unused);
        }
        Value::Signed(number) if out == Out::Bool => return Value::Bool(number != 0),
        Value::Signed(number) if out == Out::Time && number > 0 => return time(number as u64),
        other => return other,
    };
    match (out, kind) {
        (Out::Hex, _) => Value::Hex(number),
        (Out::Bool, _) => Value::Bool(number != 0),
        (Out::Port, Kind::Unsigned(2)) => Value::Unsigned(u64::from((number as u16).swap_bytes())),
        (Out::Ipv4, Kind::Unsigned(4) | Kind::Hex(4)) => {
            Value::Address(Ipv4Addr::from((number as u32).to_le_bytes()).into())
        }
        (Out::Text, Kind::Unsigned(1 | 2)) => {
            let character = char::from_u32(number as u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            Value::Text(character.to_string())
        }
        (Out::Time, Kind::Unsigned(8)) => time(number),
        (Out::Signed, Kind::Unsigned(bytes)) => signed(number, bytes),
        (Out::Unsigned, Kind::Hex(_) | Kind::Pointer) => Value::Unsigned(number),
        _ => value,
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Signed(number) => write!(f, "{number}"),
            Value::Unsigned(number) => write!(f, "{number}"),
            Value::Hex(number) => write!(f, "{number:#x}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Bool(is) => write!(f, "{is}"),
            Value::Guid(guid) => write!(f, "{guid}"),
            Value::Time(time) => write!(f, "{time}"),
            Value::Address(address) => write!(f, "{address}"),
            Value::Bytes(bytes) => f.write_str(&hex(bytes)),
            Value::List(values) => {
                f.write_str("[")?;
                for (number, value) in values.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
            Value::Struct(fields) => {
                f.write_str("{")?;
                for (number, field) in fields.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.value)?;
                }
                f.write_str("}")
            }
        }
    }
}
