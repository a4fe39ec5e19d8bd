//! Lists of names.

use crate::limits::{SELECTION_ITEMS_MAX, SELECTION_VALUE_BYTES_MAX};

/// Names of channels, providers or computers. Upper and lower case are alike, as everywhere in
/// Windows, and `*` stands for any characters or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: Box<[Box<str>]>,
}

/// What is no list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or white space.
    #[error("a name is missing")]
    Empty,
    /// Above [`SELECTION_VALUE_BYTES_MAX`].
    #[error("a name has more than {SELECTION_VALUE_BYTES_MAX} bytes")]
    TooLong,
    /// A control character: no name has one.
    #[error("a name has a control character")]
    Control,
    /// Above [`SELECTION_ITEMS_MAX`].
    #[error("more than {SELECTION_ITEMS_MAX} names")]
    TooMany,
}

impl Names {
    /// These names; white space around them does not count.
    ///
    /// # Errors
    /// One that is none, or more than [`SELECTION_ITEMS_MAX`].
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Names, NameError> {
        let mut list = Vec::new();
        for name in names {
            let name = name.trim();
            if name.is_empty() {
                return Err(NameError::Empty);
            }
            if name.len() > SELECTION_VALUE_BYTES_MAX {
                return Err(NameError::TooLong);
            }
            if name.chars().any(char::is_control) {
                return Err(NameError::Control);
            }
            if list.len() >= SELECTION_ITEMS_MAX {
                return Err(NameError::TooMany);
            }
            list.push(name.into());
        }
        Ok(Names { names: list.into() })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All of them, as they were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether this is one of them. A name with `*` is when all that it stands for is.
    #[must_use]
    pub fn contain(&self, value: &str) -> bool {
        let value = value.as_bytes();
        self.names
            .iter()
            .any(|name| is_like(name.as_bytes(), value))
    }
}

/// Whether `value` is `name` with something in the place of each `*`. Each `*` takes as little as
/// it can, and more when what follows does not fit, so that the steps are at most the product of
/// the lengths.
fn is_like(name: &[u8], value: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where to go on after a misfit: behind the last `*`, which takes one byte more.
    let mut again: Option<(usize, usize)> = None;
    while let Some(byte) = value.get(at) {
        match name.get(of) {
            Some(b'*') => {
                of += 1;
                again = Some((of, at));
            }
            Some(known) if known.eq_ignore_ascii_case(byte) => {
                of += 1;
                at += 1;
            }
            _ => {
                let Some((behind, taken)) = again else {
                    return false;
                };
                again = Some((behind, taken + 1));
                (of, at) = (behind, taken + 1);
            }
        }
    }
    name.get(of..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}
