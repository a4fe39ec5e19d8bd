//! Finds, in a CEF message, which event it is.

use std::borrow::Cow;

/// Which event a message tells of, as its extensions say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventName<'a> {
    pub(super) computer: Cow<'a, str>,
    pub(super) channel: Cow<'a, str>,
    pub(super) record: u64,
}

/// The event of `message`, or `None` when it names none.
pub(super) fn event_name(message: &str) -> Option<EventName<'_>> {
    let extensions = extensions(&message[message.find("CEF:")?..])?;
    Some(EventName {
        record: extension(extensions, "MasEventRecordID")?.parse().ok()?,
        computer: extension(extensions, "MasComputer")?,
        channel: extension(extensions, "MasChannel").unwrap_or_default(),
    })
}

/// What follows the seven fields of the header, in which only bars and backslashes are escaped.
fn extensions(message: &str) -> Option<&str> {
    let (mut bars, mut escaped) = (0, false);
    for (at, byte) in message.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'|' if bars == 6 => return Some(&message[at + 1..]),
            b'|' => bars += 1,
            _ => {}
        }
    }
    None
}

/// The value of the extension `key`. It ends where the next key begins: an equals sign inside a
/// value is escaped, and no key holds a blank (CEF rev 27, "Character encoding").
fn extension<'a>(extensions: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let start = extensions.match_indices(key).find_map(|(at, _)| {
        let begins = at == 0 || extensions.as_bytes()[at - 1] == b' ';
        let after = at + key.len();
        (begins && extensions[after..].starts_with('=')).then_some(after + 1)
    })?;
    let value = &extensions[start..];
    let end = next_key(value).unwrap_or(value.len());
    Some(unescape(&value[..end]))
}

/// Where the blank before the next key is.
fn next_key(value: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'=' => return value[..at].rfind(' '),
            _ => {}
        }
    }
    None
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_found_among_what_only_looks_like_it() {
        let message = r"<14>Nov 21 20:00:00 c CEF:0|V|P|1|MasComputer=x\|y|n|0|MasEventData=a MasEventRecordID\=1!!b MasEventRecordID=42 MasChannel=Windows PowerShell MasComputer=srv0001.corp.example MasUserData=";
        let name = event_name(message).unwrap();
        assert_eq!(name.record, 42);
        assert_eq!(name.channel, "Windows PowerShell");
        assert_eq!(name.computer, "srv0001.corp.example");
    }

    #[test]
    fn the_last_value_is_unescaped() {
        let name =
            event_name(r"CEF:0|V|P|1|s|n|0|MasEventRecordID=1 MasComputer=a\=b\\c\nd").unwrap();
        assert_eq!(
            (name.computer.as_ref(), name.channel.as_ref()),
            ("a=b\\c\nd", "")
        );
    }

    #[test]
    fn what_names_no_event_is_none() {
        for message in [
            "",
            "CEF:0|a|b|c|d|e|0|",
            "CEF:0|a|b|c|d|e|0|MasEventRecordID=x MasComputer=a",
            "CEF:0|MasEventRecordID=1 MasComputer=a",
            "MasEventRecordID=1",
        ] {
            assert_eq!(event_name(message), None, "{message}");
        }
    }
}
