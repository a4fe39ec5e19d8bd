//! The tokens of a data folder: `access/tokens.toml`, readable by its owner only, written whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::secret::{Hash, Secret};
use super::{Account, Role, who};
use crate::datadir::{self, WholeFiles};

/// The folder, in the data folder.
const FOLDER: &str = "access";
const FILE: &str = "tokens.toml";
const HEADER: &str = "# Written by windrow: change it with `windrow admin token`. Each hash is the SHA-256 of a token.\n";
/// Tokens of one data folder: each is looked at for each request.
const TOKENS_MAX: usize = 64;
/// Characters of a token's name.
const NAME_MAX: usize = 64;
/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Why the tokens cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file says something else.
    #[error("{} cannot be read: {reason}; put it back from a copy, or remove it and make new tokens", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others could read or write it.
    #[error("{} can be read or written by others (mode {mode:04o}): chmod 600 it, and renew its tokens", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is one of that name.
    #[error("there is a token {0} already")]
    Taken(String),
    /// There is none of that name.
    #[error("there is no token {0}")]
    Unknown(String),
    /// Not a name.
    #[error("{0:?} cannot name a token: 1 to {NAME_MAX} letters, digits and . - _ @")]
    Name(String),
    /// Too many.
    #[error("there are {TOKENS_MAX} tokens already, and no more are kept: remove one first")]
    TooMany,
    /// No chance to be had.
    #[error("{0}")]
    NoChance(String),
}

/// A token, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    role: Role,
    hash: Hash,
    created: Timestamp,
    expires: Option<Timestamp>,
}

/// What is shown of a token: never the token, nor its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made, or made anew.
    pub created: Timestamp,
    /// From when on it is not taken any more.
    pub expires: Option<Timestamp>,
}

/// The file as written.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    token: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    role: Role,
    sha256: String,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

/// The tokens of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    files: WholeFiles,
    /// How well these are kept.
    disk: datadir::Kept,
    by_name: BTreeMap<String, Kept>,
}

impl Tokens {
    /// Reads them; none where there is no file.
    ///
    /// # Errors
    /// The file is damaged or open to others.
    pub(crate) fn load(data_dir: &Path) -> Result<Tokens, TokensError> {
        let path = path(data_dir);
        let damaged = |reason: String| TokensError::Damaged {
            path: path.clone(),
            reason,
        };
        let mut tokens = Tokens {
            files: WholeFiles::in_folder(data_dir.join(FOLDER)),
            disk: datadir::Kept::Surely,
            by_name: BTreeMap::new(),
        };
        let file = match fs_err::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(tokens),
            other => other?,
        };
        check_mode(&path, file.file())?;
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(damaged(format!("it is over {FILE_BYTES_MAX} bytes")));
        }
        let file: File =
            toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
        if file.token.len() > TOKENS_MAX {
            return Err(damaged(format!("it has more than {TOKENS_MAX} tokens")));
        }
        for (name, entry) in file.token {
            check_name(&name).map_err(|error| damaged(error.to_string()))?;
            let hash = Hash::of_hex(&entry.sha256);
            let hash = hash.ok_or_else(|| damaged(format!("the hash of {name} is none")))?;
            let kept = Kept {
                role: entry.role,
                hash,
                created: entry.created,
                expires: entry.expires,
            };
            tokens.by_name.insert(name, kept);
        }
        Ok(tokens)
    }

    /// The account that shows `shown` at `now`. Every token is compared, each for as long.
    pub(crate) fn account(&self, shown: &str, now: Timestamp) -> Option<Account> {
        let shown = Hash::of_shown(shown)?;
        let mut found = None;
        for (name, kept) in &self.by_name {
            let is_it = kept.hash.is(&shown);
            if is_it && kept.expires.is_none_or(|expires| now < expires) {
                found = Some(Account {
                    who: who(name, "token"),
                    role: kept.role,
                });
            }
        }
        found
    }

    pub(crate) fn shown(&self) -> Vec<Shown> {
        let shown = self.by_name.iter().map(|(name, kept)| Shown {
            name: name.clone(),
            role: kept.role,
            created: kept.created,
            expires: kept.expires,
        });
        shown.collect()
    }

    /// How well the last change of these is kept.
    pub(crate) fn disk(&self) -> &datadir::Kept {
        &self.disk
    }

    pub(crate) fn role(&self, name: &str) -> Option<Role> {
        Some(self.by_name.get(name)?.role)
    }

    /// These and a new one, written.
    ///
    /// # Errors
    /// [`TokensError`]; nothing has changed then.
    pub(crate) fn with(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<(Tokens, Secret), TokensError> {
        check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(TokensError::Taken(name.to_owned()));
        }
        if self.by_name.len() >= TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        self.make(name, role, expires)
    }

    /// These, one of them made anew: the old one is not taken any more.
    ///
    /// # Errors
    /// [`TokensError`]; nothing has changed then.
    pub(crate) fn renewed(
        &self,
        name: &str,
        expires: Option<Timestamp>,
    ) -> Result<(Tokens, Secret), TokensError> {
        let known = self.by_name.get(name);
        let known = known.ok_or_else(|| TokensError::Unknown(name.to_owned()))?;
        self.make(name, known.role, expires)
    }

    fn make(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<(Tokens, Secret), TokensError> {
        let secret = Secret::new().map_err(TokensError::NoChance)?;
        let kept = Kept {
            role,
            hash: secret.hash(),
            created: Timestamp::now(),
            expires,
        };
        let mut tokens = self.clone();
        tokens.by_name.insert(name.to_owned(), kept);
        tokens.disk = tokens.write()?;
        Ok((tokens, secret))
    }

    /// These without one, written.
    ///
    /// # Errors
    /// [`TokensError`]; nothing has changed then.
    pub(crate) fn without(&self, name: &str) -> Result<Tokens, TokensError> {
        let mut tokens = self.clone();
        if tokens.by_name.remove(name).is_none() {
            return Err(TokensError::Unknown(name.to_owned()));
        }
        tokens.disk = tokens.write()?;
        Ok(tokens)
    }

    fn write(&self) -> Result<datadir::Kept, TokensError> {
        let entry = |kept: &Kept| Entry {
            role: kept.role,
            sha256: kept.hash.to_hex(),
            created: kept.created,
            expires: kept.expires,
        };
        let tokens = self.by_name.iter();
        let file = File {
            token: tokens
                .map(|(name, kept)| (name.clone(), entry(kept)))
                .collect(),
        };
        let text = toml::to_string(&file).map_err(io::Error::other)?;
        datadir::create_private(self.files.folder())?;
        let text = format!("{HEADER}{text}");
        Ok(self.files.replace(FILE, text.as_bytes())?)
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER).join(FILE)
}

fn check_name(name: &str) -> Result<(), TokensError> {
    let good = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(good) {
        return Ok(());
    }
    Err(TokensError::Name(name.to_owned()))
}

/// Looks at the file that is open. Whoever can write it lets himself in.
#[cfg(unix)]
fn check_mode(path: &Path, file: &std::fs::File) -> Result<(), TokensError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.to_owned();
    Err(TokensError::Open { path, mode })
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _file: &std::fs::File) -> Result<(), TokensError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_token_stands_for_its_account_until_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let none = Tokens::load(folder.path()).unwrap();
        let (one, ada) = none.with("ada", Role::Admin, None).unwrap();
        let (_, bob) = one.with("bob", Role::Viewer, Some(at(100))).unwrap();
        let tokens = Tokens::load(folder.path()).unwrap();
        let account = |shown: &Secret, now| tokens.account(shown.expose(), at(now));
        let found = account(&ada, 1_000_000_000).unwrap();
        assert_eq!((&*found.who, found.role), ("ada (token)", Role::Admin));
        assert_eq!(account(&bob, 99).unwrap().role, Role::Viewer);
        assert_eq!(account(&bob, 100), None, "it has expired");
        assert_eq!(tokens.account("", at(0)), None);

        let (renewed, new) = tokens.renewed("ada", None).unwrap();
        assert_eq!(renewed.account(ada.expose(), at(0)), None);
        assert_eq!(renewed.account(new.expose(), at(0)).unwrap(), found);
        let left = renewed.without("ada").unwrap();
        assert_eq!(left.account(new.expose(), at(0)), None);
        let names: Vec<String> = left.shown().into_iter().map(|shown| shown.name).collect();
        assert_eq!(names, ["bob"]);
    }

    #[test]
    fn the_file_is_its_owners_and_holds_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let none = Tokens::load(folder.path()).unwrap();
        let (_, secret) = none.with("ada@example.com", Role::Analyst, None).unwrap();
        let file = folder.path().join("access/tokens.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, chance) = secret.expose().split_once('_').unwrap();
        assert!(!text.contains(chance), "{text}");
        assert!(text.contains("ada@example.com") && text.contains(&secret.hash().to_hex()));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Tokens::load(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("mode 0640"), "{refused}");
    }

    #[test]
    fn a_token_is_removed_although_the_disk_does_not_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let none = Tokens::load(folder.path()).unwrap();
        let (mut one, secret) = none.with("ada", Role::Admin, None).unwrap();
        assert_eq!(*one.disk(), datadir::Kept::Surely);
        one.files = one.files.with_sync(|_| Err(io::Error::other("EIO")));
        let left = one.without("ada").unwrap();
        assert!(left.disk().warning().is_some());
        // What is in force and what the next start finds are the same.
        let found = Tokens::load(folder.path()).unwrap();
        assert_eq!(found.account(secret.expose(), at(0)), None);
        assert_eq!(left.account(secret.expose(), at(0)), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let none = Tokens::load(folder.path()).unwrap();
        for name in ["", "a b", "a\nb", "é", &"a".repeat(65)] {
            let refused = none.with(name, Role::Viewer, None).unwrap_err();
            assert!(matches!(refused, TokensError::Name(_)), "{name:?}");
        }
        let (mut tokens, _) = none.with("t0", Role::Viewer, None).unwrap();
        let again = tokens.with("t0", Role::Admin, None).unwrap_err();
        assert!(matches!(again, TokensError::Taken(_)));
        assert!(matches!(tokens.without("no"), Err(TokensError::Unknown(_))));
        for number in 1..TOKENS_MAX {
            let name = format!("t{number}");
            (tokens, _) = tokens.with(&name, Role::Viewer, None).unwrap();
        }
        let one_more = tokens.with("one-more", Role::Viewer, None).unwrap_err();
        assert!(matches!(one_more, TokensError::TooMany));
        let file = folder.path().join("access/tokens.toml");
        for text in [
            "[token.a]\nrole = \"root\"\nsha256 = \"\"\ncreated = \"2026-11-22T00:00:00Z\"",
            "[token.a]\nrole = \"admin\"\nsha256 = \"00\"\ncreated = \"2026-11-22T00:00:00Z\"",
            "token = 7",
        ] {
            std::fs::write(&file, text).unwrap();
            let refused = Tokens::load(folder.path()).unwrap_err();
            assert!(matches!(refused, TokensError::Damaged { .. }), "{refused}");
        }
    }
}
