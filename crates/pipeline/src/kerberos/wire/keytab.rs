//! The format of keytab files, version 0x0502 (MIT Kerberos; written by ktutil, ktpass and adcli).
//!
//! Two bytes of version, then entries, each behind its length: a signed number of 32 bits, high byte
//! first. A negative one is a hole that an entry has left.

use zeroize::Zeroizing;

use super::limits::{KEYTAB_ENTRIES_MAX, NAME_COMPONENTS_MAX};
use super::principal::{Name, Principal, text};

/// The only version there is; 0x0501 was of the byte order of its machine.
const VERSION: [u8; 2] = [5, 2];

/// A key of a principal.
#[derive(Clone)]
pub struct Entry {
    /// Whose it is.
    pub principal: Principal,
    /// Which version of the key.
    pub kvno: u32,
    /// Whether all 32 bits of the version were written, and not only the lowest eight.
    pub whole_kvno: bool,
    /// For which encryption.
    pub etype: i64,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

/// Why a file is not a keytab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeytabFault {
    /// It begins otherwise.
    #[error(
        "it does not begin with 05 02: it is not a keytab, or one of a format no longer written"
    )]
    NotKeytab,
    /// An entry ends behind the file.
    #[error("it is cut off in entry {entry}")]
    CutOff {
        /// Which one, the first is 1.
        entry: usize,
    },
    /// An entry is not one.
    #[error("its entry {entry} cannot be read")]
    BadEntry {
        /// Which one, the first is 1.
        entry: usize,
    },
    /// More entries than anybody has.
    #[error("it has over {KEYTAB_ENTRIES_MAX} entries")]
    TooMany,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} kvno {} etype {}",
            self.principal, self.kvno, self.etype
        )
    }
}

/// Reads a keytab.
///
/// # Errors
///
/// [`KeytabFault`].
pub fn parse(file: &[u8]) -> Result<Vec<Entry>, KeytabFault> {
    let mut rest = file.strip_prefix(&VERSION).ok_or(KeytabFault::NotKeytab)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let entry = entries.len() + 1;
        let cut_off = KeytabFault::CutOff { entry };
        let (length, behind) = rest.split_first_chunk().ok_or(cut_off.clone())?;
        let length = i32::from_be_bytes(*length);
        if length == 0 {
            // Zeroes fill a file up that was made larger beforehand.
            break;
        }
        let bytes = length.unsigned_abs() as usize;
        let (content, behind) = behind.split_at_checked(bytes).ok_or(cut_off)?;
        rest = behind;
        if length < 0 {
            continue;
        }
        if entries.len() >= KEYTAB_ENTRIES_MAX {
            return Err(KeytabFault::TooMany);
        }
        entries.push(read_entry(content).ok_or(KeytabFault::BadEntry { entry })?);
    }
    Ok(entries)
}

fn read_entry(mut rest: &[u8]) -> Option<Entry> {
    let rest = &mut rest;
    let count = usize::from(number16(rest)?);
    if !(1..=NAME_COMPONENTS_MAX).contains(&count) {
        return None;
    }
    let realm = text(counted(rest)?)?;
    let components: Option<Vec<String>> = (0..count).map(|_| text(counted(rest)?)).collect();
    let kind = number32(rest)?;
    let _written_at = number32(rest)?;
    let (low, behind) = rest.split_first()?;
    *rest = behind;
    let etype = number16(rest)?;
    let key = Zeroizing::new(counted(rest)?.to_vec());
    // Later writers repeat the version in full; none of them has the version 0 then.
    let whole = number32(rest).filter(|kvno| *kvno != 0);
    Some(Entry {
        principal: Principal {
            name: Name {
                kind: i64::from(kind),
                components: components?,
            },
            realm,
        },
        kvno: whole.unwrap_or(u32::from(*low)),
        whole_kvno: whole.is_some(),
        etype: i64::from(etype),
        key,
    })
}

fn number16(rest: &mut &[u8]) -> Option<u16> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u16::from_be_bytes(*bytes))
}

fn number32(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_be_bytes(*bytes))
}

fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(number16(rest)?);
    let (content, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(content)
}

/// Writes a keytab of these entries.
#[must_use]
pub fn encode(entries: &[Entry]) -> Zeroizing<Vec<u8>> {
    let mut file = Zeroizing::new(VERSION.to_vec());
    for entry in entries {
        let name = &entry.principal.name;
        let mut content = Zeroizing::new(Vec::new());
        content.extend_from_slice(&(name.components.len() as u16).to_be_bytes());
        let strings = std::iter::once(&entry.principal.realm).chain(&name.components);
        for string in strings {
            content.extend_from_slice(&(string.len() as u16).to_be_bytes());
            content.extend_from_slice(string.as_bytes());
        }
        content.extend_from_slice(&(name.kind as u32).to_be_bytes());
        content.extend_from_slice(&0_u32.to_be_bytes());
        content.push(entry.kvno as u8);
        content.extend_from_slice(&(entry.etype as u16).to_be_bytes());
        content.extend_from_slice(&(entry.key.len() as u16).to_be_bytes());
        content.extend_from_slice(&entry.key);
        if entry.whole_kvno {
            content.extend_from_slice(&entry.kvno.to_be_bytes());
        }
        file.extend_from_slice(&(content.len() as i32).to_be_bytes());
        file.extend_from_slice(&content);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(principal: &str, kvno: u32, etype: i64) -> Entry {
        Entry {
            principal: Principal::parse(principal).unwrap(),
            kvno,
            whole_kvno: true,
            etype,
            key: Zeroizing::new(vec![etype as u8; 32]),
        }
    }

    #[test]
    fn entries_come_back() {
        let mut old = entry("HTTP/c.corp@CORP", 7, 17);
        old.whole_kvno = false;
        let entries = [entry("WS1$@CORP", 70_000, 18), old];
        let file = encode(&entries);
        let read = parse(&file).unwrap();
        assert_eq!(format!("{read:?}"), format!("{entries:?}"));
        assert_eq!(read[1].key, entries[1].key);
        assert!(read[0].whole_kvno && !read[1].whole_kvno);
    }

    #[test]
    fn holes_and_filling_are_passed_over() {
        let mut file = encode(&[entry("a@R", 1, 18)]).to_vec();
        file.extend_from_slice(&(-5_i32).to_be_bytes());
        file.extend_from_slice(b"holes");
        file.extend_from_slice(&encode(&[entry("b@R", 2, 18)])[2..]);
        file.extend_from_slice(&[0; 9]);
        let read = parse(&file).unwrap();
        assert_eq!(
            format!("{read:?}"),
            "[a@R kvno 1 etype 18, b@R kvno 2 etype 18]"
        );
    }

    #[test]
    fn damage_is_told_where_it_is() {
        let file = encode(&[entry("a@R", 1, 18), entry("b@R", 2, 18)]);
        assert_eq!(parse(b"\x05\x01rest").unwrap_err(), KeytabFault::NotKeytab);
        assert_eq!(parse(b"").unwrap_err(), KeytabFault::NotKeytab);
        for end in 3..file.len() {
            let cut = parse(&file[..end]);
            let first = 2 + (file.len() - 2) / 2;
            match end {
                end if end == first => assert_eq!(cut.unwrap().len(), 1),
                end if end < first => {
                    assert_eq!(cut.unwrap_err(), KeytabFault::CutOff { entry: 1 })
                }
                _ => assert_eq!(cut.unwrap_err(), KeytabFault::CutOff { entry: 2 }),
            }
        }
        let mut nameless = file.to_vec();
        nameless[7] = 0;
        assert_eq!(
            parse(&nameless).unwrap_err(),
            KeytabFault::BadEntry { entry: 1 }
        );
        // The smallest length there is cannot be negated in 32 bits.
        assert!(parse(b"\x05\x02\x80\0\0\0").is_err());
    }
}
