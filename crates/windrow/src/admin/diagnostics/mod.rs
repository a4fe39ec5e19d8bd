//! What can be asked about configurations of Azure Diagnostics: each is set whole, for a group of machines, and what it was
//! before is kept, to go back to.

mod apply;
mod history;
mod plan;
mod storage;
mod test;
#[cfg(test)]
mod tests;
mod view;

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) use apply::change;
pub use history::Revision;
pub use test::{DiagnosticsTested, Folder};
pub(super) use test::{record as record_test, test};
pub(super) use view::configurations;
pub use view::{Configuration, Configurations, Conflicting, DiagnosticsChanged, Difference};

/// A text that only its owner may read: it is wiped when it goes, and shown nowhere.
#[derive(Clone)]
pub struct Hidden(SecretString);

impl Hidden {
    /// Such a text.
    #[must_use]
    pub fn new(text: impl Into<SecretString>) -> Hidden {
        Hidden(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Hidden::new)
    }
}

/// Into a request, to whoever keeps it.
impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

/// What is done with the configuration in force under the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The new one takes its place.
    #[default]
    Replace,
    /// The new one is merged into it; where they contradict each other nothing is done.
    Merge,
    /// The same, and the new one is right.
    MergePreferNew,
    /// The same, and the one in force is right.
    MergePreferCurrent,
}

/// Whether a change is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is.
    #[default]
    Do,
    /// It is only told what it would be.
    Tell,
}

/// What opens an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A key of the account.
    AccountKey(Hidden),
    /// A shared access signature.
    Sas(Hidden),
}

/// Sets a configuration. What is not said of whom it is for and where it writes to stays as it is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosticsSet {
    /// Its name.
    pub name: String,
    /// The configuration in any form; it may hold keys.
    pub configuration: Hidden,
    /// What becomes of the one in force.
    #[serde(default)]
    pub how: How,
    /// Machines it is for, with `*` and `?`; an empty list is everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<Vec<String>>,
    /// Groups of machines it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_groups: Option<Vec<String>>,
    /// The storage account, in the place of the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_account: Option<String>,
    /// Where its tables are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_endpoint: Option<String>,
    /// Where its blobs are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_endpoint: Option<String>,
    /// The folder beside the service in which files of the machines arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<PathBuf>,
    /// The authority of the service's certificate, as a file beside the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What opens it, in the place of the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What stands for the deployment in the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// What stands for the machines' role in the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether it is done.
    #[serde(default)]
    pub mode: Mode,
    /// The revision that was in force when the change was shown: with another it is refused. 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}

/// Which configurations to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiagnosticsGet {
    /// This one; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Takes a configuration away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosticsRemove {
    /// Its name.
    pub name: String,
    /// Whether it is done.
    #[serde(default)]
    pub mode: Mode,
    /// As in [`DiagnosticsSet::seen`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}

/// Sets a configuration again that was in force before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosticsRollback {
    /// Its name.
    pub name: String,
    /// The revision; the one before that in force when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// What opens its account, where that is another than the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Whether it is done.
    #[serde(default)]
    pub mode: Mode,
    /// As in [`DiagnosticsSet::seen`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}
