//! Values that are one of some words.

use super::super::doubt::WadDoubt;
use super::super::finding::Report;
use super::{Facet, Kind, Seen, Value};

/// An enum of words, each with its spelling.
macro_rules! words {
    ($(#[$about:meta])* $name:ident, $expected:literal, $($(#[$of:meta])* $word:ident),+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$of])* $word),+ }

        impl $name {
            const WORDS: &'static [&'static str] = &[$(stringify!($word)),+];

            /// Its word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$word => stringify!($word)),+ }
            }

            fn of(text: &str) -> Option<Self> {
                match text {
                    $(stringify!($word) => Some($name::$word),)+
                    _ => None,
                }
            }
        }
    };
}

words!(
    /// How grave an event has to be at least, cumulative: Warning also takes Error and Critical.
    LogLevel, "Undefined, Verbose, Information, Warning, Error or Critical",
    /// Everything.
    #[default] Undefined,
    /// Everything that has a level.
    Verbose,
    /// Information and what is graver.
    Information,
    /// Warnings and what is graver.
    Warning,
    /// Errors and what is graver.
    Error,
    /// Critical ones alone.
    Critical
);

impl Value for LogLevel {
    const KIND: Kind = Kind::text(
        "Undefined, Verbose, Information, Warning, Error or Critical",
        Facet::Words(LogLevel::WORDS),
    );

    fn read(text: &str) -> Option<Self> {
        Self::of(text)
    }

    fn write(&self) -> String {
        self.as_str().to_owned()
    }
}

words!(
    /// How many events are expected, which decides how rows spread over partitions.
    EventVolume, "Small, Medium or Large",
    /// One partition a minute.
    #[default] Small,
    /// Ten.
    Medium,
    /// A hundred.
    Large
);

impl Value for EventVolume {
    const KIND: Kind = Kind::text("Small, Medium or Large", Facet::Words(EventVolume::WORDS));

    fn read(text: &str) -> Option<Self> {
        Self::of(text)
    }

    fn write(&self) -> String {
        self.as_str().to_owned()
    }
}

words!(
    /// How much of a process a crash dump holds.
    DumpType, "Mini or Full",
    /// Threads and modules.
    #[default] Mini,
    /// All its memory.
    Full
);

impl Value for DumpType {
    const KIND: Kind = Kind::text("Mini or Full", Facet::Words(DumpType::WORDS));

    fn read(text: &str) -> Option<Self> {
        Self::of(text)
    }

    fn write(&self) -> String {
        self.as_str().to_owned()
    }
}

words!(
    /// Where data is written to.
    StorageType, "Table, Blob or TableAndBlob",
    /// Tables.
    #[default] Table,
    /// Blobs.
    Blob,
    /// Both.
    TableAndBlob
);

impl Value for StorageType {
    const KIND: Kind = Kind::text(
        "Table, Blob or TableAndBlob",
        Facet::Words(StorageType::WORDS),
    );

    fn read(text: &str) -> Option<Self> {
        Self::of(text)
    }

    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn doubts(&self, seen: &Seen<'_>, report: &mut Report) {
        if *self == StorageType::TableAndBlob {
            report.add(WadDoubt::WrittenTwice, seen.at);
        }
    }
}
