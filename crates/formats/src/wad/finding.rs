//! What is wrong with a configuration, how wrong, and where.

use crate::limits::{
    WAD_ATTRIBUTES_MAX, WAD_BYTES_MAX, WAD_DEPTH_MAX, WAD_ELEMENTS_MAX, WAD_FINDINGS_MAX,
};
use crate::places::Place;
use crate::xpath::{Doubt, FilterFault};

/// How wrong it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The agent would refuse it, or could not do it.
    Error,
    /// It is accepted, and most likely not meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Something to be known of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// Where in the file.
    pub at: Place,
    /// Where in the XML that stands in the file as base64, and `at` is where that begins.
    pub inside: Option<Place>,
}

impl Finding {
    /// How wrong it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.fault.severity()
    }
}

/// What can be to be known. Each message says what is allowed, and the nearest right word where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Above [`WAD_BYTES_MAX`].
    #[error("the file is larger than {WAD_BYTES_MAX} bytes")]
    TooLarge,
    /// Bytes that are no text.
    #[error("this is neither UTF-8 nor UTF-16")]
    Encoding,
    /// Not XML.
    #[error("this is not well-formed XML: {0}")]
    Xml(String),
    /// Not JSON.
    #[error("this is not JSON: {0}")]
    Json(String),
    /// JSON that is no object.
    #[error("a configuration in JSON is an object: {{\"WadCfg\": …}}")]
    NoObject,
    /// An array of something else.
    #[error("{0} is a list of objects")]
    NoObjects(String),
    /// Cut off.
    #[error("the file ends before its last element is closed, or holds none")]
    CutOff,
    /// A document type.
    #[error("a configuration has no document type")]
    DocType,
    /// Two documents.
    #[error("a second element after the first has ended")]
    SecondRoot,
    /// Above [`WAD_DEPTH_MAX`].
    #[error("elements are nested deeper than {WAD_DEPTH_MAX} levels")]
    TooDeep,
    /// Above [`WAD_ELEMENTS_MAX`].
    #[error("more than {WAD_ELEMENTS_MAX} elements")]
    TooManyElements,
    /// Above [`WAD_ATTRIBUTES_MAX`].
    #[error("more than {WAD_ATTRIBUTES_MAX} attributes in one element")]
    TooManyAttributes,
    /// More findings than are told.
    #[error("there is more: the first {WAD_FINDINGS_MAX} are told")]
    TooManyFindings,
    /// Another document.
    #[error(
        "<{0}> is no configuration of Azure Diagnostics: it begins with <PublicConfig>, <DiagnosticsConfiguration> or \
         <PrivateConfig>"
    )]
    Root(String),
    /// JSON without anything of a configuration.
    #[error(
        "this is no configuration of Azure Diagnostics: it has a WadCfg, an xmlCfg, or a PublicConfig"
    )]
    JsonRoot,
    /// `xmlCfg` that is not base64.
    #[error("xmlCfg is the XML of the configuration as base64, and this is none")]
    Base64,
    /// `xmlCfg` beside `WadCfg`.
    #[error("xmlCfg says what WadCfg says: leave one of them out")]
    TwoForms,
    /// No namespace.
    #[error("there is no namespace: write <{name} xmlns=\"{}\">", super::NAMESPACE)]
    NoNamespace {
        /// The outermost element that has none.
        name: String,
    },
    /// Another namespace.
    #[error(
        "<{name}> is of the namespace {found:?}: write xmlns=\"{}\"",
        super::NAMESPACE
    )]
    Namespace {
        /// The outermost element of it.
        name: String,
        /// The namespace.
        found: String,
    },
    /// A name that is not known here.
    #[error("{what} is not known in <{inside}>{}; {}", did_you_mean(.near.as_deref()), there_can_be(.allowed))]
    Unknown {
        /// `<name>` or `name`.
        what: String,
        /// In which element.
        inside: String,
        /// The nearest right word.
        near: Option<String>,
        /// What may stand here.
        allowed: Vec<&'static str>,
    },
    /// A name that is known to be met, and is not the right one.
    #[error("{found} is not known in <{inside}>: {instead}")]
    Misnamed {
        /// The name.
        found: String,
        /// In which element.
        inside: String,
        /// The cure.
        instead: &'static str,
    },
    /// JSON names differ in case.
    #[error("write {name}, not {found}: other readers tell them apart")]
    Case {
        /// What stands there.
        found: String,
        /// Its name.
        name: &'static str,
    },
    /// An object where a value has to be, or a value where an object has to be.
    #[error("{name} is {expected}")]
    Shape {
        /// Its name.
        name: String,
        /// What it is.
        expected: &'static str,
    },
    /// Something is not there.
    #[error("<{inside}> has no {name}: it needs one")]
    Missing {
        /// What: `attribute name`, `<Element>`.
        name: String,
        /// Where.
        inside: String,
    },
    /// Elements in another order than the schema's.
    #[error("<{name}> stands behind <{before}> in <{inside}>: the order is {}", list(.order))]
    Order {
        /// Which.
        name: String,
        /// Behind which it must not stand.
        before: String,
        /// Where.
        inside: String,
        /// The right order.
        order: &'static [&'static str],
    },
    /// One of several has to be there.
    #[error("<{inside}> needs one of {}", list(.names))]
    NoneOf {
        /// Which.
        names: &'static [&'static str],
        /// Where.
        inside: String,
    },
    /// More than one of several.
    #[error("<{inside}> has {} beside each other: it takes one of {}", list(.found), list(.names))]
    MoreThanOneOf {
        /// What is there.
        found: Vec<&'static str>,
        /// What may be there.
        names: &'static [&'static str],
        /// Where.
        inside: String,
    },
    /// Something is there twice.
    #[error("a second {name} in <{inside}>: there is one at most")]
    Repeated {
        /// What.
        name: String,
        /// Where.
        inside: String,
    },
    /// More of something than allowed.
    #[error("<{inside}> holds {count} <{name}>: {most} at most")]
    TooMany {
        /// What.
        name: &'static str,
        /// Where.
        inside: String,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Text between elements.
    #[error("text in <{0}>, which holds elements alone")]
    Text(String),
    /// A character that XML cannot hold.
    #[error("{0} holds a character that XML cannot hold")]
    Character(String),
    /// A value that it cannot have.
    #[error("{name} is {found:?}: write {expected}{}", did_you_mean(.near.as_deref()))]
    Value {
        /// Of which attribute or element.
        name: &'static str,
        /// What stands there, shortened.
        found: String,
        /// What may stand there.
        expected: &'static str,
        /// The nearest right word.
        near: Option<&'static str>,
    },
    /// A secret that it cannot be; its value is not told.
    #[error("{name} is not {expected}")]
    SecretValue {
        /// Of which attribute.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// The query of a DataSource.
    #[error("in the query: {0}")]
    Query(FilterFault),
    /// A query that is doubtful.
    #[error("in the query: {0}")]
    QueryDoubt(Doubt),
    /// By a schema that somebody gave.
    #[error("by the schema: {0}")]
    Given(#[from] super::given_schema::SchemaFault),
    /// Anything that is accepted and wrong, or worth knowing.
    #[error("{0}")]
    Doubt(#[from] super::doubt::WadDoubt),
}

impl Fault {
    /// How wrong it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Fault::TooManyFindings | Fault::Case { .. } => Severity::Note,
            Fault::QueryDoubt(_) => Severity::Warning,
            Fault::Doubt(doubt) => doubt.severity(),
            _ => Severity::Error,
        }
    }
}

impl Fault {
    /// Whether a schema of XML could see it.
    #[must_use]
    pub fn is_of_schema(&self) -> bool {
        let is_beyond = matches!(self, Fault::Query(_) | Fault::Doubt(_) | Fault::Given(_));
        self.severity() == Severity::Error && !is_beyond
    }
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!(", did you mean {near}?"))
}

fn there_can_be(names: &[&str]) -> String {
    match names {
        [] => "nothing may stand here".to_owned(),
        names => format!("there can be {}", list(names)),
    }
}

/// `A, B and C`
fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// Collects what is found, by the byte it is found at.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<(Fault, usize)>,
}

impl Report {
    pub(super) fn add(&mut self, fault: impl Into<Fault>, at: usize) {
        match self.found.len() {
            ..WAD_FINDINGS_MAX => self.found.push((fault.into(), at)),
            WAD_FINDINGS_MAX => self.found.push((Fault::TooManyFindings, at)),
            _ => {}
        }
    }

    /// In the order of the file.
    pub(super) fn into_found(mut self) -> Vec<(Fault, usize)> {
        self.found
            .sort_by_key(|(fault, at)| (*at, fault.severity()));
        self.found
    }

    pub(super) fn has_errors(&self) -> bool {
        let mut found = self.found.iter();
        found.any(|(fault, _)| fault.severity() == Severity::Error)
    }
}

/// Signs of a key in a value: connection strings and signed addresses.
const KEY_SIGNS: [&str; 5] = [
    "AccountKey=",
    "SharedAccessKey=",
    "SharedAccessSignature=",
    "&sig=",
    "?sig=",
];

/// Whether a value that everybody can read holds a key.
pub(super) fn holds_key(text: &str) -> bool {
    KEY_SIGNS.iter().any(|sign| text.contains(sign))
}

/// Text of a file for a message: short, on one line, and no key.
pub(super) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    if holds_key(text) {
        return "(a key)".to_owned();
    }
    let shown: String = text.chars().take(CHARACTERS_MAX).collect();
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", crate::text::visible(&shown))
}
