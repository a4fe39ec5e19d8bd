//! Why a request is refused, in words for whoever asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::service::EditError;

/// Most bytes of a refusal: what is refused may be quoted in it, however long.
const MESSAGE_BYTES_MAX: usize = 1024;

/// A request that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its kind.
    pub kind: RefusalKind,
    /// What is wrong.
    pub message: String,
    /// What would cure it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// What is asked for makes no sense, or cannot be used.
    Invalid,
    /// What it is about does not exist.
    NotFound,
    /// It stands elsewhere, where no command may change it.
    Elsewhere,
    /// The disk or the journal does not take it.
    Failed,
    /// Who asks is not known, or not believed.
    Unauthenticated,
    /// Who asks may not do this, or not in this way.
    Forbidden,
    /// Who asks has failed too often and has to wait.
    Throttled,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, message: impl Into<String>) -> Refusal {
        Refusal {
            kind,
            message: super::cut(message.into(), MESSAGE_BYTES_MAX),
            hint: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(RefusalKind::Invalid, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }

    /// A setting that was not taken up.
    pub(crate) fn of_edit(error: EditError) -> Refusal {
        let kind = match error {
            EditError::Unusable(_) => RefusalKind::Invalid,
            EditError::Write(_) | EditError::Journal(_) => RefusalKind::Failed,
        };
        Refusal::new(kind, error.to_string())
    }

    /// A setting that does not pass its checks. The line it would be is what is wrong with it.
    pub(crate) fn of_setting(error: &ConfigError) -> Refusal {
        Refusal {
            hint: error.hint().map(str::to_owned),
            ..Refusal::invalid(error.in_words())
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
