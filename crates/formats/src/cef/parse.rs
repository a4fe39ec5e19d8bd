//! A reader of CEF for the tests, written from the specification and not from the encoder:
//! what it reads back must be what went in.

use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) version: String,
    pub(crate) vendor: String,
    pub(crate) product: String,
    pub(crate) device_version: String,
    pub(crate) signature: String,
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) extensions: BTreeMap<String, String>,
}

pub(crate) fn parse(message: &str) -> Result<Parsed, String> {
    if message.contains(['\n', '\r']) {
        return Err("a line break in the message".to_owned());
    }
    let mut rest = message.strip_prefix("CEF:").ok_or("no CEF: at its start")?;
    let mut fields = Vec::new();
    for _ in 0..7 {
        let (field, after) = header_field(rest)?;
        fields.push(field);
        rest = after;
    }
    let mut fields = fields.into_iter();
    let mut next = || fields.next().unwrap_or_default();
    Ok(Parsed {
        version: next(),
        vendor: next(),
        product: next(),
        device_version: next(),
        signature: next(),
        name: next(),
        severity: next(),
        extensions: extensions(rest)?,
    })
}

/// Reads to the next bare pipe.
fn header_field(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '|' => return Ok((field, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('\\' | '|'))) => field.push(escaped),
                other => return Err(format!("header escape {other:?}")),
            },
            plain => field.push(plain),
        }
    }
    Err("fewer than seven pipes".to_owned())
}

fn extensions(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let bare = bare_equals(text)?;
    let mut keys = Vec::new();
    for equals in bare {
        let start = text[..equals].rfind(' ').map_or(0, |space| space + 1);
        let key = &text[start..equals];
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{key:?} is no key"));
        }
        keys.push((start, equals, key));
    }
    for (index, (_, equals, key)) in keys.iter().enumerate() {
        let end = keys.get(index + 1).map_or(text.len(), |next| next.0 - 1);
        let value = unescape(&text[equals + 1..end])?;
        if found.insert((*key).to_owned(), value).is_some() {
            return Err(format!("key {key} twice"));
        }
    }
    Ok(found)
}

/// Where the equals signs are that no backslash escapes.
fn bare_equals(text: &str) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '=' => found.push(at),
            '\\' => {
                characters.next().ok_or("a lone backslash at the end")?;
            }
            _ => {}
        }
    }
    Ok(found)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        value.push(match characters.next() {
            Some('\\') => '\\',
            Some('=') => '=',
            Some('n') => '\n',
            Some('r') => '\r',
            other => return Err(format!("escape {other:?} in a value")),
        });
    }
    Ok(value)
}
