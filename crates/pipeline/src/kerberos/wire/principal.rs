//! Names of principals: `HTTP/collector.corp.example@CORP.EXAMPLE`.

use std::fmt;

use super::Malformed;
use super::der::{Reader, Writer, tag};
use super::limits::{NAME_BYTES_MAX, NAME_COMPONENTS_MAX};

/// What a name is of (RFC 4120 6.2). It is a hint and not part of the name.
pub mod kind {
    /// A user or a machine.
    pub const PRINCIPAL: i64 = 1;
    /// A service with an instance.
    pub const SERVICE: i64 = 2;
}

/// The components of a principal's name, without the realm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// What it is of.
    pub kind: i64,
    /// At least one, printable.
    pub components: Vec<String>,
}

/// A name in its realm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The name.
    pub name: Name,
    /// The realm.
    pub realm: String,
}

/// Why a text is not the name of a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a principal such as HTTP/host.corp.example@CORP.EXAMPLE")]
pub struct NotPrincipal {
    text: String,
}

impl Name {
    /// Reads a PrincipalName.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Name, Malformed> {
        let malformed = reader.malformed();
        let mut sequence = reader.inner(tag::SEQUENCE)?;
        let kind = sequence.int_field(0)?;
        let mut strings = sequence.inner(tag::context(1))?.inner(tag::SEQUENCE)?;
        let mut components = Vec::new();
        while !strings.is_empty() {
            if components.len() >= NAME_COMPONENTS_MAX {
                return Err(malformed);
            }
            components.push(text(strings.value(tag::STRING)?).ok_or(malformed)?);
        }
        match components.is_empty() {
            true => Err(malformed),
            false => Ok(Name { kind, components }),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.nest(tag::SEQUENCE, |name| {
            name.int_field(0, self.kind);
            name.nest(tag::context(1), |field| {
                field.nest(tag::SEQUENCE, |strings| {
                    for component in &self.components {
                        strings.value(tag::STRING, component.as_bytes());
                    }
                });
            });
        });
    }

    /// Whether it is the same name: Active Directory compares without case.
    #[must_use]
    pub fn is(&self, other: &Name) -> bool {
        self.components.len() == other.components.len()
            && self
                .components
                .iter()
                .zip(&other.components)
                .all(|(one, other)| one.eq_ignore_ascii_case(other))
    }

    /// Whether its first component is this one, without case.
    #[must_use]
    pub fn is_service(&self, service: &str) -> bool {
        self.components.len() > 1 && self.components[0].eq_ignore_ascii_case(service)
    }
}

/// A string of printable characters that cannot be mistaken for more than one.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let possible = !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && !text.contains(|c: char| c.is_control() || matches!(c, '/' | '@' | '\\'));
    possible.then(|| text.to_owned())
}

impl Principal {
    /// Reads `name/instance@REALM`.
    ///
    /// # Errors
    ///
    /// [`NotPrincipal`].
    pub fn parse(principal: &str) -> Result<Principal, NotPrincipal> {
        let error = || NotPrincipal {
            text: principal.chars().take(100).collect(),
        };
        let (name, realm) = principal.rsplit_once('@').ok_or_else(error)?;
        let components: Option<Vec<String>> =
            name.split('/').map(|part| text(part.as_bytes())).collect();
        let components = components.filter(|parts| parts.len() <= NAME_COMPONENTS_MAX);
        let components = components.ok_or_else(error)?;
        let realm = text(realm.as_bytes()).ok_or_else(error)?;
        let kind = if components.len() > 1 {
            kind::SERVICE
        } else {
            kind::PRINCIPAL
        };
        Ok(Principal {
            name: Name { kind, components },
            realm,
        })
    }

    /// Whether it is the same principal, without case.
    #[must_use]
    pub fn is(&self, other: &Principal) -> bool {
        self.name.is(&other.name) && self.realm.eq_ignore_ascii_case(&other.realm)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.components.join("/"))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.realm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_read_and_written() {
        for text in ["WS00001$@CORP.EXAMPLE", "HTTP/c.corp.example@CORP.EXAMPLE"] {
            assert_eq!(Principal::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "a",
            "@R",
            "a@",
            "a//b@R",
            "a\n@R",
            "a@b@R",
            "a/b/c/d/e/f/g/h/i@R",
        ] {
            assert!(Principal::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn case_does_not_matter() {
        let of = |text| Principal::parse(text).unwrap();
        assert!(of("HTTP/c.corp@CORP").is(&of("http/C.Corp@corp")));
        assert!(!of("HTTP/c.corp@CORP").is(&of("HTTP/c.corp@OTHER")));
        assert!(!of("HTTP/c.corp@CORP").is(&of("HTTP@CORP")));
        assert!(of("http/c@R").name.is_service("HTTP"));
        assert!(!of("http@R").name.is_service("HTTP"));
    }
}
