//! One message being written: the header's fields in order, then keys and values.
//!
//! Remembers where each value lies, so that a message that turns out too long can be cut
//! without being parsed again.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::truncate::{Loss, Slot};
use super::{Settings, Version, escape, number, standard};

/// Sizes of header fields, in bytes (CEF rev 27, "Header field definitions").
const SIGNATURE_MAX: usize = 1023;
const NAME_MAX: usize = 512;

/// Between the values of one event that share a key (Azure Stack's custom extension table).
const SEPARATOR: &[u8] = b"!!";

/// An extension's key as it stands in a message: ` key=`, one copy for the three.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) &'static str);

/// The [`Key`] of a name.
macro_rules! key {
    ($name:literal) => {
        $crate::cef::message::Key(concat!(" ", $name, "="))
    };
}
pub(super) use key;

pub(super) struct Message<'a> {
    settings: Settings,
    out: &'a mut Vec<u8>,
    slots: &'a mut Vec<Slot>,
    first_key: bool,
    /// Bytes of values left out because their key or field holds no more.
    shortened: usize,
}

impl<'a> Message<'a> {
    pub(super) fn new(
        settings: Settings,
        out: &'a mut Vec<u8>,
        slots: &'a mut Vec<Slot>,
    ) -> Message<'a> {
        Message {
            settings,
            out,
            slots,
            first_key: true,
            shortened: 0,
        }
    }

    /// `CEF:version|` and `device`, which is the vendor, product and version as they appear
    /// on the wire: `vendor|product|version`.
    pub(super) fn device(&mut self, device: &'static str) {
        self.out.extend_from_slice(match self.settings.version {
            Version::Zero => b"CEF:0|",
            Version::ZeroPointZero => b"CEF:0.0|",
            Version::One => b"CEF:1|",
        });
        self.out.extend_from_slice(device.as_bytes());
        self.out.push(b'|');
    }

    /// What is left out so far.
    pub(super) fn loss(&self) -> Loss {
        Loss {
            bytes: self.shortened,
            before_mark: if self.first_key { "" } else { " " },
        }
    }

    /// The signature ID: the parts, then the event id.
    pub(super) fn signature(&mut self, parts: &[&str], event_id: Option<u32>) {
        let start = self.out.len();
        // Room for ten digits of the id, which must not be lost.
        self.header(parts, SIGNATURE_MAX - 10);
        // The colon before an id is no more to be lost than the id.
        let colon = usize::from(parts.last() == Some(&":"));
        self.slot_to(start, self.out.len() - colon);
        if let Some(event_id) = event_id {
            number::decimal(u64::from(event_id), self.out);
        }
        self.out.push(b'|');
    }

    /// The name of several parts, then the severity and the pipe before the extensions.
    pub(super) fn name(&mut self, parts: &[&str], severity: u8) {
        let start = self.out.len();
        self.header(parts, NAME_MAX);
        self.slot(start);
        self.severity(severity);
    }

    fn severity(&mut self, severity: u8) {
        self.out.push(b'|');
        number::decimal(u64::from(severity), self.out);
        self.out.push(b'|');
    }

    /// Parts of a header field that together have at most `max` bytes before escaping.
    fn header(&mut self, parts: &[&str], max: usize) {
        let mut room = max;
        for (place, part) in parts.iter().enumerate() {
            // What comes after is short and ours.
            let after: usize = parts[place + 1..].iter().map(|part| part.len()).sum();
            let kept = shorten(part, room.saturating_sub(after.min(1)));
            self.shortened += part.len() - kept.len();
            room -= kept.len();
            escape::header(kept, self.out);
        }
    }

    /// The name, then the severity and the pipe before the extensions.
    pub(super) fn name_and_severity(&mut self, name: Name<'_>, severity: u8) {
        match name {
            Name::Text(text) => self.name(&[text], severity),
            Name::Number(value) => {
                self.out.push(b'(');
                number::decimal(u64::from(value), self.out);
                self.out.push(b')');
                self.severity(severity);
            }
        }
    }

    /// A key with text, or with nothing.
    pub(super) fn text(&mut self, key: Key, value: Option<&str>) {
        self.key(key);
        if let Some(value) = value {
            let start = self.out.len();
            escape::value(value, self.settings.tabs, self.out);
            self.slot(start);
        }
    }

    /// A key with text of at most `max` bytes before escaping; more is left out.
    pub(super) fn limited(&mut self, key: Key, value: &str, max: usize) {
        let kept = shorten(value, max);
        self.shortened += value.len() - kept.len();
        self.text(key, Some(kept));
    }

    /// A key with a text of ours. It gives its room when every other text has given its own.
    pub(super) fn label(&mut self, key: Key, label: &'static str) {
        self.key(key);
        let start = self.out.len();
        self.out.extend_from_slice(label.as_bytes());
        self.slot(start);
    }

    /// A key with text in several parts.
    pub(super) fn parts(&mut self, key: Key, parts: &[&str]) {
        self.key(key);
        let start = self.out.len();
        for part in parts {
            escape::value(part, self.settings.tabs, self.out);
        }
        self.slot(start);
    }

    /// A custom string and what it is.
    pub(super) fn labelled(&mut self, label_key: Key, label: &'static str, key: Key, value: &str) {
        self.label(label_key, label);
        self.limited(key, value, standard::CUSTOM_MAX);
    }

    /// A custom string of `name: value` pairs, if there are any; more than it holds is left out.
    pub(super) fn pairs<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        label_key: Key,
        label: &'static str,
        key: Key,
        pairs: impl Iterator<Item = (N, V)>,
    ) {
        let mut start = None;
        let mut room = standard::CUSTOM_MAX;
        for (name, value) in pairs {
            let between = match start {
                Some(_) => "; ",
                None => {
                    self.label(label_key, label);
                    self.key(key);
                    start = Some(self.out.len());
                    ""
                }
            };
            let name = name.as_ref();
            let colon = if name.is_empty() { "" } else { ": " };
            self.plain_within(between, &mut room);
            self.text_within(name, &mut room);
            self.plain_within(colon, &mut room);
            self.text_within(value.as_ref(), &mut room);
        }
        if let Some(start) = start {
            self.slot(start);
        }
    }

    /// Text as far as there is room for it.
    fn text_within(&mut self, text: &str, room: &mut usize) {
        let kept = self.kept_within(text, room);
        escape::value(kept, self.settings.tabs, self.out);
    }

    /// The same of a text of ours, which has nothing to escape.
    fn plain_within(&mut self, text: &'static str, room: &mut usize) {
        let kept = self.kept_within(text, room);
        self.out.extend_from_slice(kept.as_bytes());
    }

    #[inline]
    fn kept_within<'t>(&mut self, text: &'t str, room: &mut usize) -> &'t str {
        if text.len() <= *room {
            *room -= text.len();
            return text;
        }
        let kept = shorten(text, *room);
        self.shortened += text.len() - kept.len();
        // What follows a cut would read as if it belonged there.
        *room = 0;
        kept
    }

    /// A key with a time in epoch milliseconds: the form that every receiver reads alike.
    pub(super) fn time(&mut self, key: Key, time: Timestamp) {
        self.key(key);
        let millis = time.as_millisecond();
        if millis < 0 {
            self.out.push(b'-');
        }
        number::decimal(millis.unsigned_abs(), self.out);
    }

    /// A key with an IPv4 address.
    pub(super) fn ipv4(&mut self, key: Key, address: Ipv4Addr) {
        self.key(key);
        for (place, octet) in address.octets().into_iter().enumerate() {
            if place > 0 {
                self.out.push(b'.');
            }
            number::decimal(u64::from(octet), self.out);
        }
    }

    /// A custom IPv6 address and what it is.
    pub(super) fn ipv6(
        &mut self,
        label_key: Key,
        label: &'static str,
        key: Key,
        address: Ipv6Addr,
    ) {
        self.label(label_key, label);
        self.key(key);
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "{address}");
    }

    /// A key with a decimal number, if there is one.
    pub(super) fn some_number(&mut self, key: Key, value: Option<u64>) {
        if value.is_some() {
            self.number(key, value);
        }
    }

    /// A key with a GUID, without the braces Windows puts around it.
    pub(super) fn guid(&mut self, key: Key, value: Option<&str>) {
        let bare = value.map(|guid| {
            guid.strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                .unwrap_or(guid)
        });
        self.text(key, bare);
    }

    /// A key with a decimal number, which is never cut.
    pub(super) fn number(&mut self, key: Key, value: Option<u64>) {
        self.key(key);
        if let Some(value) = value {
            number::decimal(value, self.out);
        }
    }

    /// A key with a 64-bit mask, which is never cut.
    pub(super) fn mask(&mut self, key: Key, value: Option<u64>) {
        self.key(key);
        if let Some(value) = value {
            number::hex64(value, self.out);
        }
    }

    /// A key with several values joined by `!!`, empty ones kept, and `suffix` after them if
    /// there was any.
    pub(super) fn values<S: AsRef<str>>(
        &mut self,
        key: Key,
        values: impl IntoIterator<Item = S>,
        suffix: &'static str,
    ) {
        self.joined(key, values, SEPARATOR, suffix);
    }

    /// A key with a list of names, as Event Viewer shows it.
    pub(super) fn list<S: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = S>) {
        self.joined(key, values, b",", "");
    }

    fn joined<S: AsRef<str>>(
        &mut self,
        key: Key,
        values: impl IntoIterator<Item = S>,
        separator: &[u8],
        suffix: &'static str,
    ) {
        self.key(key);
        let start = self.out.len();
        let mut any = false;
        for value in values {
            if any {
                self.out.extend_from_slice(separator);
            }
            any = true;
            escape::value(value.as_ref(), self.settings.tabs, self.out);
        }
        self.slot(start);
        if any {
            self.out.extend_from_slice(suffix.as_bytes());
        }
    }

    #[inline]
    fn key(&mut self, key: Key) {
        let text = if self.first_key { &key.0[1..] } else { key.0 };
        self.first_key = false;
        self.out.extend_from_slice(text.as_bytes());
    }

    fn slot(&mut self, start: usize) {
        self.slot_to(start, self.out.len());
    }

    fn slot_to(&mut self, start: usize, end: usize) {
        // Nothing can be cut from an empty value.
        if end > start {
            self.slots.push(Slot::new(start, end));
        }
    }
}

/// The header's name: a text, or the number of a task nobody has named.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    Text(&'a str),
    Number(u32),
}

/// The start of `text`, at most `max` bytes of it, ending on a character.
#[inline]
fn shorten(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
