//! What the codes in events mean: SIDs, results of logons and of Kerberos, types of logon, and networks of addresses.
//!
//! Names are those that everybody searches for: accounts as Windows shows them in English, results by the symbol that
//! MS-ERREF and RFC 4120 give them. What is in no table has no name, and is never guessed at.

mod kerberos;
mod logon;
mod network;
mod sid;
mod status;

#[cfg(test)]
mod tests;

pub use kerberos::kerberos_status_name;
pub use logon::logon_type_name;
pub use network::{Network, address};
pub use sid::sid_name;
pub use status::{status_name, status_text_name};

/// A code as events write it: hexadecimal with `0x`, or decimal; negative where a 32-bit code was taken for a signed number.
#[must_use]
pub fn code(text: &str) -> Option<u32> {
    let text = text.trim();
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hex {
        // `from_str_radix` takes a sign.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return is_hex.then(|| u32::from_str_radix(digits, 16).ok())?;
    }
    number_code(text.parse().ok()?)
}

/// The same of a number.
#[must_use]
pub fn number_code(number: i64) -> Option<u32> {
    if let Ok(code) = u32::try_from(number) {
        return Some(code);
    }
    i32::try_from(number).ok().map(i32::cast_unsigned)
}

/// The name of a code in a table that is sorted by it.
fn named(table: &[(u32, &'static str)], code: u32) -> Option<&'static str> {
    let place = table
        .binary_search_by_key(&code, |(known, _)| *known)
        .ok()?;
    Some(table[place].1)
}
