//! The keys of `event_data`.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use arrow::array::{ArrayBuilder, StringBuilder};

use crate::limits::{COPIES_COUNTED, KEY_BYTES, KEYS_COMPARED};

/// Keeps the keys of one event's map apart: a second `Name` becomes `Name_2`.
#[derive(Default)]
pub(super) struct DataNames {
    /// The event's first key among all keys.
    first: usize,
    /// Where that key's text begins.
    first_byte: usize,
    /// Marks of the event's keys: a name whose mark is not set is none of them.
    marks: Marks,
    /// The event's keys, once there are so many that comparing one by one takes too long.
    many: HashSet<String>,
    candidate: String,
}

impl DataNames {
    /// Begins an event, whose keys follow those there are.
    pub(super) fn begin(&mut self, keys: &StringBuilder) {
        self.first = keys.len();
        self.first_byte = keys.values_slice().len();
        self.marks = Marks::default();
        self.many.clear();
    }

    /// The event's keys so far.
    pub(super) fn count(&self, keys: &StringBuilder) -> usize {
        keys.len() - self.first
    }

    /// Bytes of them.
    pub(super) fn bytes(&self, keys: &StringBuilder) -> usize {
        keys.values_slice().len() - self.first_byte
    }

    pub(super) fn append(&mut self, keys: &mut StringBuilder, name: &str) {
        let is_plain = self.count(keys) < KEYS_COMPARED && name.len() <= KEY_BYTES;
        if is_plain && (self.marks.set(name) || !self.has(keys, name)) {
            keys.append_value(name);
            return;
        }
        self.append_long(keys, format_args!("{name}"));
    }

    /// For a name that has to be put together, is long, or is there already.
    pub(super) fn append_long(&mut self, keys: &mut StringBuilder, name: fmt::Arguments<'_>) {
        self.candidate.clear();
        // Too long a name is cut; so is the path of a deep tree, which could be longer than the event.
        let _ = Short(&mut self.candidate).write_fmt(name);
        let plain = self.candidate.len();
        let count = self.count(keys);
        if count >= KEYS_COMPARED && self.many.is_empty() {
            self.many
                .extend(own(keys, self.first).map(|key| String::from_utf8_lossy(key).into_owned()));
        }
        let mut copy = 2;
        while self.has(keys, &self.candidate) {
            // Counting up from 2 for each of thousands of equal names would never end.
            copy = if copy > COPIES_COUNTED {
                copy.max(count)
            } else {
                copy
            };
            self.candidate.truncate(plain);
            let _ = write!(self.candidate, "_{copy}");
            copy += 1;
        }
        if !self.many.is_empty() {
            self.many.insert(self.candidate.clone());
        }
        self.marks.set(&self.candidate);
        keys.append_value(&self.candidate);
    }

    fn has(&self, keys: &StringBuilder, name: &str) -> bool {
        match self.many.is_empty() {
            true => own(keys, self.first).any(|key| key == name.as_bytes()),
            false => self.many.contains(name),
        }
    }
}

/// The keys from this one on.
fn own(keys: &StringBuilder, first: usize) -> impl Iterator<Item = &[u8]> {
    let text = keys.values_slice();
    let key = |ends: &[i32]| {
        let place = |end: i32| usize::try_from(end).unwrap_or(0);
        &text[place(ends[0])..place(ends[1])]
    };
    keys.offsets_slice()[first..].windows(2).map(key)
}

/// A set of names that may say yes to one that is not in it, but never no to one that is.
#[derive(Default)]
struct Marks([u64; 4]);

impl Marks {
    /// Adds a name; true where it certainly is new.
    fn set(&mut self, name: &str) -> bool {
        // Names of one event differ in their ends: SubjectUserSid, SubjectUserName, SubjectLogonId.
        let name = name.as_bytes();
        let mut end = [0; 8];
        let taken = name.len().min(end.len());
        end[..taken].copy_from_slice(&name[name.len() - taken..]);
        let mixed = u64::from_le_bytes(end).wrapping_add(name.len() as u64);
        let mark = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let word = &mut self.0[(mark >> 6) as usize];
        let bit = 1 << (mark & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// Takes text up to [`KEY_BYTES`].
struct Short<'a>(&'a mut String);

impl fmt::Write for Short<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = KEY_BYTES - self.0.len().min(KEY_BYTES);
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
