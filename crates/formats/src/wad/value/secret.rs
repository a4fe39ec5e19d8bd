//! Keys: what opens a storage account or an event hub.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Facet, Kind, Privacy, Value};

/// A key. Nothing prints it but what asks for it by [`Secret::expose`], and its memory is wiped.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(key: String) -> Self {
        Self(key.into())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Value for Secret {
    const KIND: Kind = Kind {
        privacy: Privacy::Secret,
        ..Kind::text("a key", Facet::None)
    };

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned().into())
    }

    fn write(&self) -> String {
        self.expose().to_owned()
    }
}
