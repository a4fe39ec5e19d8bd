//! What failed for some tables while it was done for the others.

use std::error::Error;
use std::fmt;

use windrow_formats::text::Chain;

use crate::error::LakeError;

/// What was done for all tables that it could be done for.
#[must_use]
#[derive(Debug)]
pub struct Done<T> {
    /// What was done.
    pub done: T,
    /// Why not all of it was; it can be tried again.
    pub failed: Option<LakeError>,
}

impl<T> Done<T> {
    /// What was done, where all of it was.
    ///
    /// # Errors
    /// A table failed.
    pub fn whole(self) -> Result<T, LakeError> {
        self.failed.map_or(Ok(self.done), Err)
    }
}

/// Tables that failed, and why.
#[derive(Debug, Default)]
pub struct Failures(Vec<(&'static str, LakeError)>);

impl Failures {
    /// Of one table the first failure is told: what comes after it is mostly the same again.
    pub(crate) fn note<T>(&mut self, table: &'static str, done: Result<T, LakeError>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                if self.0.iter().all(|(known, _)| *known != table) {
                    self.0.push((table, error));
                }
                None
            }
        }
    }

    pub(crate) fn into_error(self) -> Option<LakeError> {
        (!self.0.is_empty()).then_some(LakeError::Tables(self))
    }

    pub(crate) fn of<T>(self, done: T) -> Done<T> {
        Done {
            done,
            failed: self.into_error(),
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (table, error)) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { "; " };
            write!(f, "{between}{table}: {}", Chain(error))?;
        }
        Ok(())
    }
}

impl Error for Failures {}
