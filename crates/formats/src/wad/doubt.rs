//! What a configuration says that no schema would refuse, and that is not meant, or will not do what it says.

use super::finding::Severity;

/// What is doubtful. Each message says the cure, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WadDoubt {
    /// A period that is not in minutes.
    #[error("{name} is {found}, and is rounded up to {used}")]
    Rounded {
        /// The attribute.
        name: &'static str,
        /// As it is said.
        found: String,
        /// As it is taken.
        used: String,
    },
    /// A period of nothing.
    #[error("{name} is PT0S: none of this is transferred")]
    NeverTransferred {
        /// The attribute.
        name: &'static str,
    },
    /// No period.
    #[error("<{0}> has no scheduledTransferPeriod, which means PT0S: none of this is transferred")]
    NoPeriod(String),
    /// A sample rate of nothing.
    #[error("sampleRate is PT0S: this counter is never sampled")]
    NeverSampled,
    /// Months and years.
    #[error("{name} counts a year as 365 days and a month as 30: write days")]
    Varies {
        /// The attribute.
        name: &'static str,
    },
    /// No quota.
    #[error("overallQuotaInMB is not said: the schema takes 5120 then, the documentation 4096")]
    NoQuota,
    /// No room.
    #[error("overallQuotaInMB is 0: there is no room to buffer anything")]
    ZeroQuota,
    /// All room.
    #[error("crash dumps may take all of overallQuotaInMB: nothing is left for the rest")]
    DumpsTakeAll,
    /// The parts are more than the whole.
    #[error("the quotas of the parts are {sum} MB, more than overallQuotaInMB with {overall}")]
    QuotaSum {
        /// Of all parts.
        sum: u64,
        /// The whole.
        overall: u64,
    },
    /// A key where everybody can read it. Its value is not told.
    #[error(
        "{0} holds a key in the public part, which everybody can read: it belongs into <PrivateConfig>"
    )]
    SecretInPublic(String),
    /// A key in a file with both parts.
    #[error("{0} holds a key beside the public part: whoever reads this file has it")]
    KeyInFile(&'static str),
    /// Newer than the schema that is to be had.
    #[error("{what} needs version {version} of Azure Diagnostics; the schema of 2016 refuses it")]
    Since {
        /// Element or attribute.
        what: String,
        /// First version that had it.
        version: &'static str,
    },
    /// A level alone.
    #[error(
        "the query takes {} and not {}: a level in a query is not cumulative, write Level <= {last}",
        levels(.taken), levels(.left_out)
    )]
    NotCumulative {
        /// Levels that it can select.
        taken: Vec<u8>,
        /// Graver ones that it cannot.
        left_out: Vec<u8>,
        /// The least grave one that it selects.
        last: u8,
    },
    /// No `Channel!`.
    #[error("the query names no channel: write Security!{0}")]
    NoChannel(String),
    /// Not even a query.
    #[error("{0:?} is no query: write {1}!* for all events of that channel")]
    NoQuery(String, String),
    /// Nothing behind the `!`.
    #[error("nothing stands behind the `!`: write {0}!* for all events of that channel")]
    EmptyQuery(String),
    /// Blanks around the channel.
    #[error("the name of the channel has blanks around it")]
    ChannelBlanks,
    /// No channel is named so.
    #[error(
        "no channel is named {0:?}: names have 255 characters at most and none of < > & \" | \\ : ' ? *"
    )]
    ChannelName(String),
    /// An analytic or debug channel.
    #[error("events of analytic and debug channels cannot be subscribed to: {0} brings nothing")]
    DirectChannel(String),
    /// A structured query.
    #[error(
        "a DataSource takes Channel!XPath, not a QueryList: write a DataSource for each Select"
    )]
    QueryList,
    /// The same again.
    #[error("this {what} stands here twice: {name}")]
    Twice {
        /// What.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A sink that is not there.
    #[error("there is no sink {name} in <SinksConfig>{}", near.as_ref().map_or(String::new(), |near| format!(", did you mean {near}?")))]
    NoSink {
        /// As it is named.
        name: String,
        /// The nearest right word.
        near: Option<String>,
    },
    /// A channel that its sink does not have.
    #[error("the sink {sink} has no channel {channel}")]
    NoSinkChannel {
        /// The sink.
        sink: String,
        /// The channel.
        channel: String,
    },
    /// A table that something else is written to.
    #[error("the table WAD{0} is where Azure Diagnostics writes something else")]
    TableTaken(String),
    /// A manifest provider by name.
    #[error("a provider with a manifest is named by its GUID, and {0} is none")]
    ProviderNoGuid(String),
    /// A resource id that is none.
    #[error("resourceId is /subscriptions/…/resourceGroups/…/providers/…, and this is not")]
    ResourceId,
    /// Nothing is asked for.
    #[error("there is neither <WadCfg> nor <WadCfgBlob>: nothing is collected")]
    Nothing,
    /// An account that cannot be.
    #[error("no storage account is named {0:?}: names have 3 to 24 small letters and digits")]
    AccountName(String),
    /// Plain HTTP.
    #[error("{0} sends keys and data in plain text: write https")]
    PlainHttp(&'static str),
    /// A signature that does not allow what is needed.
    #[error("the SAS token does not suit: {0}")]
    Sas(&'static str),
    /// Both a key and a signature.
    #[error("there is a SAS token beside the key: the key is not used")]
    KeyUnused,
    /// A path that is not absolute.
    #[error("this path is not absolute: write C:\\… or %VARIABLE%\\…")]
    NotAbsolute,
    /// A variable that stays as it is.
    #[error("the path holds %…%, and expandEnvironment is false: write true")]
    NotExpanded,
    /// Everything twice.
    #[error("TableAndBlob writes everything twice")]
    WrittenTwice,
    /// Switched off.
    #[error("IsEnabled is false: nothing is collected")]
    Disabled,
    /// A configuration of 1.0.
    #[error("this is a configuration of Azure Diagnostics 1.0; it is read as one of today")]
    OldForm,
    /// An attribute of 1.0 that means nothing any more.
    #[error("{0} is of Azure Diagnostics 1.0 and means nothing any more")]
    OldAttribute(String),
    /// A level for event logs, of 1.0.
    #[error(
        "scheduledTransferLogLevelFilter of <WindowsEventLog> is of Azure Diagnostics 1.0: say the levels in the queries"
    )]
    OldLevel,
}

impl WadDoubt {
    /// How wrong it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            WadDoubt::QuotaSum { .. }
            | WadDoubt::SecretInPublic(_)
            | WadDoubt::NoQuery(..)
            | WadDoubt::ChannelName(_)
            | WadDoubt::QueryList => Severity::Error,
            WadDoubt::NoPeriod(_)
            | WadDoubt::NoQuota
            | WadDoubt::KeyInFile(_)
            | WadDoubt::Since { .. }
            | WadDoubt::WrittenTwice
            | WadDoubt::Disabled
            | WadDoubt::OldForm
            | WadDoubt::OldAttribute(_) => Severity::Note,
            _ => Severity::Warning,
        }
    }
}

/// `1 (Critical) and 2 (Error)`
fn levels(levels: &[u8]) -> String {
    const NAMES: [&str; 6] = [
        "LogAlways",
        "Critical",
        "Error",
        "Warning",
        "Information",
        "Verbose",
    ];
    let named: Vec<String> = levels
        .iter()
        .map(|level| {
            format!(
                "{level} ({})",
                NAMES.get(usize::from(*level)).unwrap_or(&"?")
            )
        })
        .collect();
    match named.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
