//! Whom a subscription is for: patterns, and the names of machines that they are held against.
//!
//! ```text
//! ws*                  ws00001.corp.example, and WS00001$@CORP.EXAMPLE
//! *.dmz.example        what a certificate names in that domain
//! *$@CORP.EXAMPLE      every machine account of a realm
//! ```
//!
//! A machine is known by the name that it proved: that of its certificate, or its Kerberos
//! principal. The name inside an event proves nothing and is not asked.

use std::fmt;
use std::net::IpAddr;

use crate::limits::{AUDIENCE_PATTERNS_MAX, MACHINE_NAME_BYTES_MAX};
use crate::text::{fold, glob, is_hidden};

/// The authenticated name of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineName {
    text: Box<str>,
    short: Short,
}

/// Which part of a name people call the machine by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Short {
    /// The name has no shorter form.
    Whole,
    /// The first label of a DNS name: so many bytes.
    Label(usize),
    /// The account of a principal: so many bytes, with its `$`.
    Account(usize),
}

/// Why a name cannot be that of a machine, or a pattern for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("the name is empty")]
    Empty,
    /// Above [`MACHINE_NAME_BYTES_MAX`].
    #[error("the name is longer than {MACHINE_NAME_BYTES_MAX} bytes")]
    TooLong,
    /// A control or invisible character.
    #[error("the name has a character that cannot be seen")]
    Hidden,
    /// A certificate that names a principal, which only Kerberos can prove.
    #[error("a certificate names {0} with @: only Kerberos proves the name of an account")]
    Principal(&'static str),
    /// An account or realm with `@` inside.
    #[error("an account or a realm has no @ inside")]
    At,
    /// An account or realm with a character that is an ASCII letter in another case.
    #[error("{0:?} in the name of an account would be taken for another letter elsewhere")]
    Lookalike(char),
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MACHINE_NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if name.chars().any(is_hidden) {
        return Err(NameError::Hidden);
    }
    Ok(())
}

fn none_of(name: &str, is_bad: impl Fn(char) -> bool) -> Result<(), NameError> {
    match name.chars().find(|character| is_bad(*character)) {
        Some(character) => Err(NameError::Lookalike(character)),
        None => Ok(()),
    }
}

impl MachineName {
    /// The name that a certificate proves.
    ///
    /// # Errors
    /// When it is none, or looks like a principal: bookmarks hang on names, and nobody may take a
    /// name of the other kind.
    pub fn of_certificate(name: &str) -> Result<Self, NameError> {
        check(name)?;
        if name.contains('@') {
            return Err(NameError::Principal("a machine"));
        }
        // Patterns fold every letter, and places are kept apart by all but ASCII: what is an ASCII
        // letter to one of them alone would be two machines here and one there.
        none_of(name, |character| {
            !character.is_ascii() && fold(character).is_ascii()
        })?;
        let label = name.find('.').filter(|_| name.parse::<IpAddr>().is_err());
        Ok(Self {
            text: name.into(),
            short: label.map_or(Short::Whole, Short::Label),
        })
    }

    /// The name that a Kerberos ticket proves, its ASCII letters in capitals: Active Directory
    /// compares without case. No other letter is folded, so that no two names that a realm keeps
    /// apart become one.
    ///
    /// # Errors
    /// When one of the two is none, or would become an ASCII name where somebody folds all letters:
    /// whoever may name an account could take another's name.
    pub fn of_principal(account: &str, realm: &str) -> Result<Self, NameError> {
        check(account)?;
        check(realm)?;
        if account.contains('@') || realm.contains('@') {
            return Err(NameError::At);
        }
        none_of(account, is_lookalike)?;
        none_of(realm, is_lookalike)?;
        let account = account.to_ascii_uppercase();
        let text = format!("{account}@{}", realm.to_ascii_uppercase());
        check(&text)?;
        Ok(Self {
            text: text.into(),
            short: Short::Account(account.len()),
        })
    }

    /// The name as it is kept and listed: that of a principal when it has a realm.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_listed(name: &str) -> Result<Self, NameError> {
        match name.split_once('@') {
            Some((account, realm)) => Self::of_principal(account, realm),
            None => Self::of_certificate(name),
        }
    }

    /// Whether a computer of this name, as an event has it, may be this machine: the same host, and the
    /// same domain where both say one. A NetBIOS name has 15 characters at most. Allocates nothing.
    #[must_use]
    pub fn is_computer(&self, computer: &str) -> bool {
        let computer = computer.strip_suffix('.').unwrap_or(computer);
        let (host, domain) = match computer.split_once('.') {
            Some((host, domain)) => (host, Some(domain)),
            None => (computer, None),
        };
        if let (Short::Label(_), Some(_)) = (self.short, domain) {
            return same(&self.text, computer);
        }
        let short = self.short();
        same(short, host) || is_netbios_of(short, host) || is_netbios_of(host, short)
    }

    /// The whole name: what bookmarks hang on.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account of a principal with its `$`, and its realm.
    #[must_use]
    pub fn principal(&self) -> Option<(&str, &str)> {
        match self.short {
            Short::Account(_) => self.text.split_once('@'),
            Short::Whole | Short::Label(_) => None,
        }
    }

    /// What people call the machine by: the first label of a DNS name, the account of a principal
    /// without its `$`.
    #[must_use]
    pub fn short(&self) -> &str {
        match self.short {
            Short::Whole => &self.text,
            Short::Label(bytes) => &self.text[..bytes],
            Short::Account(bytes) => {
                let account = &self.text[..bytes];
                account.strip_suffix('$').unwrap_or(account)
            }
        }
    }

    /// Every form of the name that a pattern may mean.
    fn forms(&self) -> [&str; 3] {
        let account = match self.short {
            Short::Account(bytes) => &self.text[..bytes],
            Short::Whole | Short::Label(_) => &self.text,
        };
        [&self.text, account, self.short()]
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A pattern for names of machines: `*` for any characters, `?` for one, no case.
///
/// A DNS name is also met by its first label, a principal also by its account with and without `$`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// With every letter small and no `**`.
    folded: Box<str>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it can be no name.
    pub fn compile(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        check(text)?;
        let mut folded = String::with_capacity(text.len());
        for character in text.chars().map(fold) {
            if character != '*' || !folded.ends_with('*') {
                folded.push(character);
            }
        }
        Ok(Self {
            text: text.into(),
            folded: folded.into(),
        })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it means this machine.
    #[must_use]
    pub fn matches(&self, name: &MachineName) -> bool {
        name.forms().iter().any(|form| glob(&self.folded, form))
    }

    fn is_name(&self) -> bool {
        !self.folded.contains(['*', '?'])
    }
}

/// Whom a subscription is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    include: Patterns,
    except: Patterns,
}

/// More patterns than a list may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {AUDIENCE_PATTERNS_MAX} machines in one list: write patterns, as in ws*")]
pub struct TooManyPatterns;

impl Audience {
    /// Those that one of `include` means and none of `except`. Without any in `include` it is
    /// nobody.
    ///
    /// # Errors
    /// When a list is too long.
    pub fn new(include: Vec<Pattern>, except: Vec<Pattern>) -> Result<Self, TooManyPatterns> {
        Ok(Self {
            include: Patterns::new(include)?,
            except: Patterns::new(except)?,
        })
    }

    /// Every machine.
    #[must_use]
    pub fn everyone() -> Self {
        let all = Pattern {
            text: "*".into(),
            folded: "*".into(),
        };
        Self {
            include: Patterns {
                names: Box::default(),
                globs: Box::new([all]),
            },
            except: Patterns::default(),
        }
    }

    /// The patterns of those it is for, names first, in small letters.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.include.texts()
    }

    /// The pattern that takes this machine out again.
    #[must_use]
    pub fn excluding(&self, name: &MachineName) -> Option<&str> {
        let means = |text: &&str| Pattern::compile(text).is_ok_and(|pattern| pattern.matches(name));
        self.except.texts().find(means)
    }

    /// Whether the subscription is for this machine. Allocates nothing.
    #[must_use]
    pub fn matches(&self, name: &MachineName) -> bool {
        self.include.match_any(name) && !self.except.match_any(name)
    }
}

/// Patterns, of which those without `*` and `?` are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Patterns {
    /// Folded, in order.
    names: Box<[Box<str>]>,
    globs: Box<[Pattern]>,
}

impl Patterns {
    fn new(patterns: Vec<Pattern>) -> Result<Self, TooManyPatterns> {
        if patterns.len() > AUDIENCE_PATTERNS_MAX {
            return Err(TooManyPatterns);
        }
        let (names, globs): (Vec<_>, Vec<_>) = patterns.into_iter().partition(Pattern::is_name);
        let mut names: Vec<_> = names.into_iter().map(|name| name.folded).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Self {
            names: names.into(),
            globs: globs.into(),
        })
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(|name| &**name);
        names.chain(self.globs.iter().map(Pattern::as_str))
    }

    fn match_any(&self, name: &MachineName) -> bool {
        let named = |form: &&str| {
            let folded = || form.chars().map(fold);
            let found = self
                .names
                .binary_search_by(|known| known.chars().cmp(folded()));
            found.is_ok()
        };
        name.forms().iter().any(named) || self.globs.iter().any(|glob| glob.matches(name))
    }
}

/// Characters of a NetBIOS name.
const NETBIOS_CHARS: usize = 15;

fn same(one: &str, other: &str) -> bool {
    let folded = || one.chars().map(fold).eq(other.chars().map(fold));
    one.eq_ignore_ascii_case(other) || (!(one.is_ascii() && other.is_ascii()) && folded())
}

/// Whether `short` is what is left of a longer name in NetBIOS.
fn is_netbios_of(short: &str, name: &str) -> bool {
    let cut = name.chars().take(NETBIOS_CHARS);
    name.len() > NETBIOS_CHARS && short.chars().map(fold).eq(cut.map(fold))
}

/// Whether a character is no ASCII and an ASCII letter in another case, as the dotless i, the long s,
/// the sharp s, ligatures and the sign of Kelvin.
fn is_lookalike(character: char) -> bool {
    let mut others = character.to_uppercase().chain(character.to_lowercase());
    !character.is_ascii() && others.any(|other| other.is_ascii())
}

#[cfg(test)]
mod tests;
