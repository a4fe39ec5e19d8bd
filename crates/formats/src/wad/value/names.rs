//! Values that are names and paths.

use super::super::doubt::WadDoubt;
use super::super::finding::Report;
use super::{Facet, Kind, Privacy, Scalar, Seen, Value};

/// Characters that no path of Windows has.
const NOT_IN_PATHS: [char; 8] = ['<', '>', ':', '"', '/', '|', '?', '*'];

/// A text of which some are refused.
macro_rules! name {
    ($(#[$about:meta])* $name:ident, $kind:expr, $is_allowed:expr) => {
        name!($(#[$about])* $name, $kind, $is_allowed, |_: &$name, _: &Seen<'_>, _: &mut Report| {});
    };
    ($(#[$about:meta])* $name:ident, $kind:expr, $is_allowed:expr, $doubts:expr) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Value for $name {
            const KIND: Kind = $kind;

            fn read(text: &str) -> Option<Self> {
                let is_allowed: fn(&str) -> bool = $is_allowed;
                is_allowed(text).then(|| Self(text.to_owned()))
            }

            fn write(&self) -> String {
                self.0.clone()
            }

            fn doubts(&self, seen: &Seen<'_>, report: &mut Report) {
                let doubts: fn(&Self, &Seen<'_>, &mut Report) = $doubts;
                doubts(self, seen, report);
            }
        }
    };
}

name!(
    /// The name of a blob container.
    ContainerName,
    Kind::text(
        "3 to 63 small letters, digits and single hyphens, which stand neither first nor last",
        Facet::Name("[a-z0-9]+(-[a-z0-9]+)*", 3, 63),
    ),
    |text| {
        (3..=63).contains(&text.len())
            && text.split('-').all(|part| {
                let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
                !part.is_empty() && part.bytes().all(allowed)
            })
    }
);

name!(
    /// The path of a performance counter: `\Processor(_Total)\% Processor Time`.
    CounterPath,
    Kind::text(
        "a path that begins with a backslash, as \\Processor(_Total)\\% Processor Time",
        Facet::Pattern("\\\\.*"),
    ),
    |text| text.starts_with('\\') && !text.contains(['\n', '\r'])
);

/// Tables that something else is written to, without their `WAD`.
const TABLES: [&str; 6] = [
    "WindowsEventLogsTable",
    "DiagnosticInfrastructureLogsTable",
    "PerformanceCountersTable",
    "DirectoriesTable",
    "LogsTable",
    "MetricsPT1M",
];

name!(
    /// The table that events of ETW go to, without its `WAD`.
    EventDestination,
    Kind::text(
        "1 to 60 letters and digits, a letter first",
        Facet::Pattern("[a-zA-Z][a-zA-Z0-9]{0,59}"),
    ),
    |text| {
        text.len() <= 60
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|c| c.is_ascii_alphanumeric())
    },
    |destination, seen, report| {
        // Names of tables are the same without regard to case.
        let mut taken = TABLES.iter();
        if taken.any(|table| table.eq_ignore_ascii_case(&destination.0)) {
            report.add(WadDoubt::TableTaken(destination.0.clone()), seen.at);
        }
    }
);

name!(
    /// The name of a local resource of a role.
    NamedElementName,
    Kind::text(
        "a letter or _ first, none of \\ / : * ? \" < > |, and no dot or blank at the end",
        Facet::Pattern("[a-zA-Z_]|[a-zA-Z_][^\\\\/:*?\"<>|]*[^\\\\/:*?\"<>|.\\s]"),
    ),
    |text| {
        let mut characters = text.chars();
        characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && characters.all(|c| c != '\\' && !NOT_IN_PATHS.contains(&c))
            && !text.ends_with(['.', ' ', '\t', '\n', '\r'])
    }
);

name!(
    /// The name of a sink, or of a channel of one.
    SinkName,
    Kind::text(
        "a name without commas, dots and blanks",
        Facet::Pattern("[^,. ]+"),
    ),
    |text| !text.is_empty() && !text.contains([',', '.', ' '])
);

name!(
    /// A path with its drive; parts between `%` may stand for variables.
    AbsolutePath,
    Kind::text(
        "a path such as C:\\logs, without < > : \" / | ? *",
        Facet::Pattern("([a-zA-Z]:\\\\)?[^<>:\"/|?*]*"),
    ),
    |text| !behind_drive(text).contains(NOT_IN_PATHS),
    |path, seen, report| {
        let is_absolute = path.0.starts_with('%')
            || path.0.starts_with("\\\\")
            || behind_drive(&path.0).len() < path.0.len();
        if !is_absolute {
            report.add(WadDoubt::NotAbsolute, seen.at);
        }
    }
);

fn behind_drive(path: &str) -> &str {
    match path.as_bytes() {
        [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic() => &path[3..],
        _ => path,
    }
}

name!(
    /// A path below a local resource.
    RelativePath,
    Kind::text(
        "a path such as logs\\web, without < > : \" / | ? *",
        Facet::Pattern("[^<>:\"/\\\\|?*]+(\\\\[^<>:\"/\\\\|?*]+)*\\\\?"),
    ),
    |text| {
        let text = text.strip_suffix('\\').unwrap_or(text);
        let is_part = |part: &str| !part.is_empty() && !part.contains(NOT_IN_PATHS);
        text.split('\\').all(is_part)
    }
);

name!(
    /// An address.
    Uri,
    Kind {
        expected: "an address such as https://example.servicebus.windows.net/hub",
        scalar: Scalar::Text,
        base: "xs:anyURI",
        facet: Facet::None,
        privacy: Privacy::Public,
    },
    has_sound_scheme,
    |uri, seen, report| {
        if is_plain_http(&uri.0) {
            report.add(WadDoubt::PlainHttp(seen.name), seen.at);
        }
    }
);

/// Whether what stands before the first colon is the name of a scheme (RFC 3986, 3.1 and 4.2).
fn has_sound_scheme(address: &str) -> bool {
    let end = address.find([':', '/', '?', '#']);
    let scheme = end
        .filter(|end| address[*end..].starts_with(':'))
        .map(|end| &address[..end]);
    scheme.is_none_or(|scheme| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"+-.".contains(&c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(allowed)
    })
}

/// Whether an address is HTTP without TLS to another machine; an emulator on this one has none.
fn is_plain_http(address: &str) -> bool {
    let scheme = address.get(..7).unwrap_or_default();
    let rest = address.get(7..).unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    scheme.eq_ignore_ascii_case("http://") && !["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

/// A GUID, in small letters and without brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guid(String);

impl Guid {
    /// `00000000-0000-0000-0000-000000000000`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Guid {
    const KIND: Kind = Kind::text(
        "a GUID, as 12345678-1234-1234-1234-123456789abc",
        Facet::Pattern(
            "\\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\\}?",
        ),
    );

    fn read(text: &str) -> Option<Self> {
        is_guid(text).then(|| Self(bare(text).to_ascii_lowercase()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }
}

/// Whether this is a GUID, with or without a bracket on each side.
pub(in crate::wad) fn is_guid(text: &str) -> bool {
    let lengths = bare(text).split('-').map(str::len);
    let is_hexadecimal = |c: u8| c.is_ascii_hexdigit() || c == b'-';
    lengths.eq([8, 4, 4, 4, 12]) && bare(text).bytes().all(is_hexadecimal)
}

fn bare(text: &str) -> &str {
    let text = text.strip_prefix('{').unwrap_or(text);
    text.strip_suffix('}').unwrap_or(text)
}

/// What is wrong with the name of a storage account; one that is empty is said when it is deployed.
pub(in crate::wad) fn account_doubt(name: &str) -> Option<WadDoubt> {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = (3..=24).contains(&name.len()) && name.bytes().all(allowed);
    let doubt = || WadDoubt::AccountName(super::super::finding::excerpt(name));
    (!name.is_empty() && !is_name).then(doubt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads<V: Value>(right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(V::read(text).is_some(), "{text:?}");
        }
        for text in wrong {
            assert!(V::read(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn names_are_what_the_schema_takes() {
        let long = "a".repeat(64);
        let wrong = ["ab", "Logs", "a--b", "-ab", "ab-", "a_b", &long, ""];
        reads::<ContainerName>(&["abc", "wad-iis-logfiles", &long[1..]], &wrong);
        reads::<CounterPath>(
            &["\\", "\\Memory\\Available Bytes"],
            &["", "Memory", "\\a\nb"],
        );
        reads::<EventDestination>(&["a", "Table1"], &["", "1a", "a-b", &long, "ä"]);
        let wrong = ["", "1a", "a.", "a ", "a/b", "-a"];
        reads::<NamedElementName>(&["_", "a", "Local Logs", "a.b"], &wrong);
        reads::<Uri>(
            &["", "a", "https://a.example/b:c"],
            &["\\a:b", ":a", "1a:b"],
        );
        reads::<SinkName>(&["a", "a-b"], &["", "a.b", "a b", "a,b"]);
    }

    #[test]
    fn paths_are_what_the_schema_takes() {
        let right = ["", "C:\\", "C:\\a\\b", "%TEMP%\\a", "\\\\share\\a", "a"];
        reads::<AbsolutePath>(&right, &["C:a", "C:\\a:b", "a/b", "C:\\a*"]);
        let right = [".", "..\\a", "a\\b\\", "a b"];
        reads::<RelativePath>(&right, &["", "\\a", "a\\\\b", "C:\\a", "a/b"]);
    }

    #[test]
    fn guids_lose_their_brackets() {
        let bare = "12345678-1234-1234-1234-123456789abc";
        for text in [
            bare.to_uppercase(),
            format!("{{{bare}}}"),
            format!("{{{bare}"),
        ] {
            assert_eq!(Guid::read(&text).unwrap().as_str(), bare);
        }
        reads::<Guid>(&[], &["", "12345678123412341234123456789abc", &bare[1..]]);
    }

    #[test]
    fn only_an_emulator_goes_without_tls() {
        assert!(is_plain_http("HTTP://example.com/a"));
        assert!(!is_plain_http("https://example.com"));
        assert!(!is_plain_http("http://127.0.0.1:10002/devstoreaccount1"));
        assert!(!is_plain_http("http://localhost"));
        assert!(is_plain_http("http://localhost.example.com:80/"));
    }
}
