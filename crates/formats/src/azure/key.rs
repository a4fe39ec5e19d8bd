//! Names and keys: which the service takes, and how a key stands in a path.

use std::fmt::Write as _;

use super::value::utf16_units;
use crate::limits::AZURE_KEY_UNITS_MAX;

/// Whether the service takes this for a PartitionKey or a RowKey: none of `/ \ # ?`, no control character, at most 1 KiB.
pub fn key_is_allowed(key: &str) -> bool {
    let is_kept = |character: char| {
        let is_control = matches!(character, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}');
        !is_control && !matches!(character, '/' | '\\' | '#' | '?')
    };
    utf16_units(key) <= AZURE_KEY_UNITS_MAX && key.chars().all(is_kept)
}

/// Whether the service takes this for the name of a table: a letter, then letters and digits, 3 to 63 of them, and not
/// `tables`.
pub fn table_name_is_allowed(name: &str) -> bool {
    let mut bytes = name.bytes();
    (3..=63).contains(&name.len())
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric())
        && !name.eq_ignore_ascii_case("tables")
}

/// What follows a table's name in the path of one entity. Quotes in a key are doubled, and what is not plain in a URL is
/// percent-encoded.
pub fn key_in_path(partition_key: &str, row_key: &str) -> String {
    let mut path = String::with_capacity(partition_key.len() + row_key.len() + 32);
    path.push_str("(PartitionKey='");
    push_encoded(&mut path, partition_key.replace('\'', "''").as_bytes());
    path.push_str("',RowKey='");
    push_encoded(&mut path, row_key.replace('\'', "''").as_bytes());
    path.push_str("')");
    path
}

/// Bytes as they stand in the query of a URL.
pub fn in_query(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push_encoded(&mut text, bytes);
    text
}

pub(super) fn push_encoded(path: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}
