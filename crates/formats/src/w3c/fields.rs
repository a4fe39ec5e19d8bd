//! The names that `#Fields` gives values.

use crate::limits::W3C_FIELDS_MAX;

/// A field that has a meaning here. Others keep the name that the file gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// `date`: the day, UTC.
    Date,
    /// `time`: the time of day, UTC.
    Time,
    /// `s-sitename`: `W3SVC1`.
    SiteName,
    /// `s-siteid` of HTTP.sys.
    SiteId,
    /// `s-computername`.
    ComputerName,
    /// `s-ip`: the server's address.
    ServerIp,
    /// `s-port`.
    ServerPort,
    /// `cs-method`.
    Method,
    /// `cs-uri-stem`: the path.
    UriStem,
    /// `cs-uri-query`.
    UriQuery,
    /// `cs-uri` of HTTP.sys: path and query.
    Uri,
    /// `cs-username`: the account, when it signed in.
    UserName,
    /// `c-ip`: the client's address.
    ClientIp,
    /// `c-port`.
    ClientPort,
    /// `cs-version`: `HTTP/1.1`.
    Version,
    /// `cs(User-Agent)`.
    UserAgent,
    /// `cs(Cookie)`.
    Cookie,
    /// `cs(Referer)`.
    Referer,
    /// `cs-host`.
    Host,
    /// `sc-status`.
    Status,
    /// `sc-substatus`.
    SubStatus,
    /// `sc-win32-status`.
    Win32Status,
    /// `sc-bytes`: sent.
    BytesSent,
    /// `cs-bytes`: received.
    BytesReceived,
    /// `time-taken`, milliseconds.
    TimeTaken,
    /// `s-reason` of HTTP.sys: why it answered itself.
    Reason,
    /// `s-queuename` of HTTP.sys: the application pool.
    QueueName,
    /// `x-session` of FTP.
    Session,
    /// `x-fullpath` of FTP.
    FullPath,
}

/// Fields by the name that files give them.
const NAMES: [(&str, Field); 29] = [
    ("date", Field::Date),
    ("time", Field::Time),
    ("s-sitename", Field::SiteName),
    ("s-siteid", Field::SiteId),
    ("s-computername", Field::ComputerName),
    ("s-ip", Field::ServerIp),
    ("s-port", Field::ServerPort),
    ("cs-method", Field::Method),
    ("cs-uri-stem", Field::UriStem),
    ("cs-uri-query", Field::UriQuery),
    ("cs-uri", Field::Uri),
    ("cs-username", Field::UserName),
    ("c-ip", Field::ClientIp),
    ("c-port", Field::ClientPort),
    ("cs-version", Field::Version),
    ("cs(User-Agent)", Field::UserAgent),
    ("cs(Cookie)", Field::Cookie),
    ("cs(Referer)", Field::Referer),
    ("cs-host", Field::Host),
    ("sc-status", Field::Status),
    ("sc-substatus", Field::SubStatus),
    ("sc-win32-status", Field::Win32Status),
    ("sc-bytes", Field::BytesSent),
    ("cs-bytes", Field::BytesReceived),
    ("time-taken", Field::TimeTaken),
    ("s-reason", Field::Reason),
    ("s-queuename", Field::QueueName),
    ("x-session", Field::Session),
    ("x-fullpath", Field::FullPath),
];

/// All fields with their names.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = (&'static str, Field)> {
    NAMES.into_iter()
}

impl Field {
    /// The name that files give it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let of = NAMES.iter().find(|(_, field)| *field == self);
        of.map_or("", |(name, _)| name)
    }

    /// The field that files give this name; its case does not matter.
    #[must_use]
    pub fn named(name: &str) -> Option<Field> {
        let of = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        of.map(|(_, field)| *field)
    }
}

/// Why a `#Fields` line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// It names nothing.
    #[error("#Fields names no field")]
    None,
    /// It names too much.
    #[error("#Fields names {0} fields, more than {W3C_FIELDS_MAX}")]
    TooMany(usize),
    /// It names one twice.
    #[error("#Fields names {0:?} twice")]
    Twice(String),
}

/// What the values of a line are, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    names: Vec<String>,
    /// By [`Field`]: its place, or [`NOWHERE`].
    places: [u8; NAMES.len()],
    roomy: Option<usize>,
}

/// No place: `#Fields` has at most [`W3C_FIELDS_MAX`] names.
const NOWHERE: u8 = u8::MAX;

impl Fields {
    /// Reads what stands behind `#Fields:`.
    ///
    /// # Errors
    /// None or too many are named, or one twice.
    pub fn read(value: &[u8]) -> Result<Fields, FieldsError> {
        let value = String::from_utf8_lossy(value);
        let names: Vec<String> = value.split_ascii_whitespace().map(str::to_owned).collect();
        if names.is_empty() {
            return Err(FieldsError::None);
        }
        if names.len() > W3C_FIELDS_MAX {
            return Err(FieldsError::TooMany(names.len()));
        }
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(FieldsError::Twice(twice[0].clone()));
        }
        let mut places = [NOWHERE; NAMES.len()];
        for (place, name) in names.iter().enumerate() {
            if let Some(field) = Field::named(name) {
                places[field as usize] = place as u8;
            }
        }
        let mut fields = Fields {
            names,
            places,
            roomy: None,
        };
        fields.roomy = fields.find_roomy();
        Ok(fields)
    }

    /// How many.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Where a field is.
    #[must_use]
    pub fn place(&self, field: Field) -> Option<usize> {
        let place = self.places[field as usize];
        (place != NOWHERE).then_some(usize::from(place))
    }

    /// The names as the file has them, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The place of the one value that can hold blanks: an account's name, else what a request asked for.
    pub(super) fn roomy(&self) -> Option<usize> {
        self.roomy
    }

    fn find_roomy(&self) -> Option<usize> {
        let can = [Field::UserName, Field::Uri, Field::UserAgent];
        can.into_iter().find_map(|field| self.place(field))
    }
}
