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

impl LogLevel {
    /// Whether an event of this level is collected: a level takes all graver ones with it, and what has none (0, as
    /// audits have) is always taken.
    #[must_use]
    pub fn takes(self, level: u8) -> bool {
        level <= self.most()
    }

    /// The least grave level that is collected, as Windows numbers them.
    fn most(self) -> u8 {
        match self {
            LogLevel::Undefined => u8::MAX,
            LogLevel::Verbose => 5,
            LogLevel::Information => 4,
            LogLevel::Warning => 3,
            LogLevel::Error => 2,
            LogLevel::Critical => 1,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::LogLevel;

    #[test]
    fn a_level_takes_the_graver_ones_with_it() {
        let taken = |level: LogLevel| (0..=6).filter(|of| level.takes(*of)).collect::<Vec<u8>>();
        assert_eq!(taken(LogLevel::Critical), [0, 1]);
        assert_eq!(taken(LogLevel::Error), [0, 1, 2]);
        assert_eq!(taken(LogLevel::Warning), [0, 1, 2, 3]);
        assert_eq!(taken(LogLevel::Information), [0, 1, 2, 3, 4]);
        assert_eq!(taken(LogLevel::Verbose), [0, 1, 2, 3, 4, 5]);
        assert_eq!(taken(LogLevel::Undefined), [0, 1, 2, 3, 4, 5, 6]);
    }
}
