//! Small values on the wire: escaped text and durations.

use std::time::Duration;

/// Appends `text` to `out` so that it can stand in element content and in a quoted attribute.
///
/// A carriage return is written as a reference, because a parser would turn it into a line feed
/// (XML 1.0, 2.11). Control characters that XML has no way to write become U+FFFD.
pub fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(character),
            '\0'..' ' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
}

/// A duration as WinRM writes it: `PT900.000S` (XML Schema 3.2.6).
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("PT{}.{:03}S", duration.as_secs(), duration.subsec_millis())
}
