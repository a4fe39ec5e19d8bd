//! One message being written: the header's fields in order, then keys and values.
//!
//! Remembers where each value lies, so that a message that turns out too long can be cut
//! without being parsed again.

use super::truncate::Slot;
use super::{Settings, Version, escape, number};

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

    /// The signature ID: `provider:id`.
    pub(super) fn signature(&mut self, provider: &str, event_id: Option<u32>) {
        let start = self.out.len();
        // Room for the colon and ten digits of the id, which must not be lost.
        escape::header(shorten(provider, SIGNATURE_MAX - 11), self.out);
        self.slot(start);
        self.out.push(b':');
        if let Some(event_id) = event_id {
            number::decimal(u64::from(event_id), self.out);
        }
        self.out.push(b'|');
    }

    /// The name, then the severity and the pipe before the extensions.
    pub(super) fn name_and_severity(&mut self, name: Name<'_>, severity: u8) {
        let start = self.out.len();
        match name {
            Name::Text(text) => escape::header(shorten(text, NAME_MAX), self.out),
            Name::Number(value) => {
                self.out.push(b'(');
                number::decimal(u64::from(value), self.out);
                self.out.push(b')');
            }
        }
        self.slot(start);
        self.out.push(b'|');
        number::decimal(u64::from(severity), self.out);
        self.out.push(b'|');
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
        // Nothing can be cut from an empty value.
        if self.out.len() > start {
            self.slots.push(Slot::new(start, self.out.len()));
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
fn shorten(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
