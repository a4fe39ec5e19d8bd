//! The collector's keys, from a keytab file that only it can read.

use std::cmp::Reverse;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::crypto::{Etype, Key, etype_name};
use super::wire::keytab::{Entry, KeytabFault, parse};
use super::wire::limits::{KEYS_TRIED_MAX, KEYTAB_AGAIN_SECONDS, KEYTAB_BYTES_MAX};
use super::wire::principal::Principal;
use crate::stamp::Stamp;

/// Why a keytab cannot be used, naming the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeytabError {
    /// It cannot be read.
    #[error("cannot read the keytab {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("keytab {} can be read by others (mode {mode:04o}); run \"chmod 600\" on it", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is larger than any.
    #[error("{} is over {KEYTAB_BYTES_MAX} bytes, which is no keytab", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Its content is not a keytab's.
    #[error("{} cannot be used as a keytab", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeytabFault,
    },
    /// No key in it can be used.
    #[error("keytab {} has no AES key of {wanted}; it has {found}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Of whom one is needed.
        wanted: String,
        /// What is there.
        found: String,
    },
}

/// What a keytab holds that can be used, and in words what it holds that cannot.
#[derive(Debug, Clone, Default)]
pub struct Keytab {
    keys: Vec<KeytabKey>,
    /// Entries of encryptions that are not safe, or whose key has a wrong length.
    pub skipped: Vec<String>,
}

/// A key of a keytab.
#[derive(Debug, Clone)]
pub struct KeytabKey {
    /// Whose it is.
    pub principal: Principal,
    /// Which version.
    pub kvno: u32,
    whole_kvno: bool,
    /// The key.
    pub key: Key,
}

impl KeytabKey {
    /// Whether a ticket that names this version is meant for it. Old files have only the lowest
    /// eight bits of it, and 0 where it was not known.
    fn is_version(&self, kvno: u32) -> bool {
        match self.whole_kvno {
            true => self.kvno == kvno,
            false => self.kvno == 0 || self.kvno == kvno & 0xff,
        }
    }
}

impl Keytab {
    /// Reads a file, which nobody else may be able to read.
    ///
    /// # Errors
    ///
    /// [`KeytabError`].
    pub fn load(path: &Path) -> Result<Keytab, KeytabError> {
        Ok(load(path)?.0)
    }

    fn new(entries: Vec<Entry>) -> Keytab {
        let mut keytab = Keytab::default();
        for entry in entries {
            let etype = Etype::from_number(entry.etype);
            let key = etype.and_then(|etype| Key::new(etype, &entry.key).ok());
            match key {
                Some(key) => keytab.keys.push(KeytabKey {
                    principal: entry.principal,
                    kvno: entry.kvno,
                    whole_kvno: entry.whole_kvno,
                    key,
                }),
                None => keytab.skipped.push(describe(&entry)),
            }
        }
        keytab
    }

    /// Every key that can be used, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> &[KeytabKey] {
        &self.keys
    }

    /// Those of a principal, compared without case.
    pub(super) fn of(&self, principal: &Principal) -> impl Iterator<Item = &KeytabKey> {
        self.keys.iter().filter(|key| key.principal.is(principal))
    }

    /// The keys of this encryption and version, at most [`KEYS_TRIED_MAX`], in the order in which to try them: for a
    /// ticket that names no version the newest first; and of names that differ by case alone, which are two accounts
    /// to some KDCs, the one that is written as asked for. A file can have several of one version where an
    /// account was made anew, or files were put together; the last ones are the newest then.
    pub(super) fn candidates(
        &self,
        principal: &Principal,
        etype: Etype,
        kvno: Option<u32>,
    ) -> Vec<&KeytabKey> {
        let asked = principal.to_string();
        let of_etype = self.of(principal).filter(|key| key.key.etype() == etype);
        let mut keys: Vec<_> = of_etype
            .filter(|key| kvno.is_none_or(|kvno| key.is_version(kvno)))
            .collect();
        // The sort is stable: reversed first, so that of equal ones the last in the file comes first.
        keys.reverse();
        keys.sort_by_key(|key| {
            let as_asked = key.principal.to_string() == asked;
            Reverse((as_asked, kvno.is_some() && key.whole_kvno, key.kvno))
        });
        keys.truncate(KEYS_TRIED_MAX);
        keys
    }
}

fn describe(entry: &Entry) -> String {
    let (principal, etype) = (&entry.principal, etype_name(entry.etype));
    format!("{principal} (version {}, {etype})", entry.kvno)
}

fn load(path: &Path) -> Result<(Keytab, Stamp), KeytabError> {
    let failed = |source| KeytabError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if let Some(mode) = crate::tls::readable_by_others(&metadata) {
        let path = path.to_owned();
        return Err(KeytabError::Permissions { path, mode });
    }
    let mut content = Zeroizing::new(Vec::new());
    let mut limited = file.take(KEYTAB_BYTES_MAX + 1);
    limited.read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > KEYTAB_BYTES_MAX {
        let path = path.to_owned();
        return Err(KeytabError::TooLarge { path });
    }
    let entries = parse(&content).map_err(|source| KeytabError::Content {
        path: path.to_owned(),
        source,
    })?;
    Ok((Keytab::new(entries), Stamp::of(&metadata)))
}

/// A keytab that is read anew when it has changed.
#[derive(Debug)]
pub(super) struct KeytabFile {
    path: PathBuf,
    /// What it held at first.
    opened: Arc<Keytab>,
    keytab: RwLock<Arc<Keytab>>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    /// When it was looked at last, in seconds since 1970.
    at: i64,
}

impl KeytabFile {
    pub(super) fn open(path: &Path) -> Result<KeytabFile, KeytabError> {
        let (keytab, stamp) = load(path)?;
        let seen = Seen {
            stamp,
            at: i64::MIN,
        };
        let opened = Arc::new(keytab);
        Ok(KeytabFile {
            path: path.to_owned(),
            keytab: RwLock::new(Arc::clone(&opened)),
            opened,
            seen: Mutex::new(seen),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn opened(&self) -> Arc<Keytab> {
        Arc::clone(&self.opened)
    }

    pub(super) fn keytab(&self) -> Arc<Keytab> {
        let keytab = self.keytab.read();
        Arc::clone(&keytab.unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again if it has changed, and was not looked at just now: somebody may have put
    /// the key into it that is missing. Clients cannot make us read it all the time.
    pub(super) fn again(&self, now: i64) -> Option<Arc<Keytab>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now < seen.at.saturating_add(KEYTAB_AGAIN_SECONDS) && now >= seen.at {
            return None;
        }
        seen.at = now;
        let metadata = std::fs::metadata(&self.path).ok()?;
        let stamp = Stamp::of(&metadata);
        if stamp == seen.stamp {
            return None;
        }
        match load(&self.path) {
            Ok((keytab, stamp)) => {
                seen.stamp = stamp;
                tracing::info!(keytab = %self.path.display(), "the keytab has changed and is read anew");
                let keytab = Arc::new(keytab);
                let mut current = self.keytab.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::clone(&keytab);
                Some(keytab)
            }
            Err(error) => {
                seen.stamp = stamp;
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "the keytab has changed and cannot be read; the keys before are kept"
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
