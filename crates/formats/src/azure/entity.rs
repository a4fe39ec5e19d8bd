//! Entities: what the service takes for one, and their form in JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::key::key_is_allowed;
use super::value::{Value, is_storable, time_text, utf16_units};
use crate::limits::{
    AZURE_ENTITY_BYTES_MAX, AZURE_NAME_UNITS_MAX, AZURE_PROPERTIES_MAX, AZURE_TEXT_UNITS_MAX,
};

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity<'a> {
    /// Its PartitionKey.
    pub partition_key: Cow<'a, str>,
    /// Its RowKey.
    pub row_key: Cow<'a, str>,
    /// Its other properties, in order. `Timestamp` is the service's own.
    pub properties: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// An entity that the service would refuse, or keep as another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    /// See [`key_is_allowed`].
    #[error("the {name} {key:?} has more than 1 KiB, or one of / \\ # ? or a control character")]
    Key {
        /// Which key.
        name: &'static str,
        /// It, cut.
        key: String,
    },
    /// A name that is none.
    #[error(
        "{name:?} is no name of a property: it begins with a letter or _ and has letters, digits and _, at most 255"
    )]
    Name {
        /// It, cut.
        name: String,
    },
    /// A name that is there twice, or the service's own.
    #[error("the property {name} is there twice, or is the service's own")]
    Twice {
        /// It.
        name: String,
    },
    /// A text or bytes of more than 64 KiB.
    #[error("the property {name} has more than 64 KiB, which is 32,768 characters")]
    TooLong {
        /// Its name.
        name: String,
    },
    /// A time that the service has no form for.
    #[error("the property {name} is before the year 1601")]
    Time {
        /// Its name.
        name: String,
    },
    /// Too many properties.
    #[error(
        "it has {count} properties, and an entity may have 252 beside its keys and its Timestamp"
    )]
    Properties {
        /// How many.
        count: usize,
    },
    /// More than 1 MiB.
    #[error("it has {bytes} bytes, and an entity may have 1 MiB")]
    Size {
        /// How many, as the service counts.
        bytes: usize,
    },
}

/// Characters of a name or a key that are told.
const TOLD_CHARS: usize = 80;

impl Entity<'_> {
    /// Whether the service takes it. The emulator is no judge of that: it takes larger ones with more properties.
    ///
    /// # Errors
    /// It would be refused.
    pub fn check(&self) -> Result<(), EntityError> {
        for (name, key) in [
            ("PartitionKey", &self.partition_key),
            ("RowKey", &self.row_key),
        ] {
            if !key_is_allowed(key) {
                let key = key.chars().take(TOLD_CHARS).collect();
                return Err(EntityError::Key { name, key });
            }
        }
        let count = self.properties.len();
        if count > AZURE_PROPERTIES_MAX {
            return Err(EntityError::Properties { count });
        }
        for (place, (name, value)) in self.properties.iter().enumerate() {
            self.check_property(place, name, value)?;
        }
        let bytes = self.bytes();
        if bytes > AZURE_ENTITY_BYTES_MAX {
            return Err(EntityError::Size { bytes });
        }
        Ok(())
    }

    fn check_property(
        &self,
        place: usize,
        name: &str,
        value: &Value<'_>,
    ) -> Result<(), EntityError> {
        if !name_is_allowed(name) {
            let name = name.chars().take(TOLD_CHARS).collect();
            return Err(EntityError::Name { name });
        }
        let is_own = matches!(name, "PartitionKey" | "RowKey" | "Timestamp");
        let earlier = &self.properties[..place];
        if is_own || earlier.iter().any(|(other, _)| other == name) {
            return Err(EntityError::Twice {
                name: name.to_owned(),
            });
        }
        let name = || name.to_owned();
        match value {
            Value::Text(text) if utf16_units(text) > AZURE_TEXT_UNITS_MAX => {
                Err(EntityError::TooLong { name: name() })
            }
            Value::Bytes(bytes) if bytes.len() > 2 * AZURE_TEXT_UNITS_MAX => {
                Err(EntityError::TooLong { name: name() })
            }
            Value::Time(at) if !is_storable(*at) => Err(EntityError::Time { name: name() }),
            _ => Ok(()),
        }
    }

    /// Bytes that the service counts for it.
    pub fn bytes(&self) -> usize {
        let keys = 4 + 2 * (utf16_units(&self.partition_key) + utf16_units(&self.row_key));
        let properties = self.properties.iter();
        keys + properties
            .map(|(name, value)| 8 + 2 * utf16_units(name) + value.bytes())
            .sum::<usize>()
    }

    /// Appends it as JSON with the types that JSON does not tell. A double that is no number is the word the service has
    /// for it.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"PartitionKey\":");
        push_text(out, &self.partition_key);
        out.extend_from_slice(b",\"RowKey\":");
        push_text(out, &self.row_key);
        for (name, value) in &self.properties {
            if let Some(told) = value.told_type() {
                out.push(b',');
                push_text(out, &format!("{name}@odata.type"));
                out.push(b':');
                push_text(out, told);
            }
            out.push(b',');
            push_text(out, name);
            out.push(b':');
            push_value(out, value);
        }
        out.push(b'}');
    }
}

/// Whether this is a name of a property: an identifier as C# has it, of the letters that every reader knows.
fn name_is_allowed(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next();
    first.is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
        && utf16_units(name) <= AZURE_NAME_UNITS_MAX
}

fn push_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Text(text) | Value::Guid(text) => push_text(out, text),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Long(number) => push_text(out, &number.to_string()),
        Value::Double(number) => push_double(out, *number),
        Value::Truth(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Time(at) => push_text(out, &time_text(*at)),
        Value::Bytes(bytes) => push_text(out, &BASE64.encode(bytes)),
    }
}

fn push_double(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        // Digits that read back as the same number.
        out.extend_from_slice(format!("{number:?}").as_bytes());
    } else if number.is_nan() {
        push_text(out, "NaN");
    } else if number > 0.0 {
        push_text(out, "Infinity");
    } else {
        push_text(out, "-Infinity");
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    // A text always has a form, and memory takes it.
    let _ = serde_json::to_writer(out, text);
}
