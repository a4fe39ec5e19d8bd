//! Folders that are watched, and the room for what is taken from them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windrow_formats::batch::file::FileClass;

use crate::config::units::{ByteSize, Span};

/// `[source.directory.NAME]`: a folder whose files are taken, as they grow or once they do not change any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectorySource {
    /// One that is switched off takes nothing and goes on later where it was.
    pub enabled: bool,
    /// The folder.
    pub path: PathBuf,
    /// What its files are.
    pub content: FileContent,
    /// Names of the files that are taken, with `*` and `?`.
    pub files: Vec<String>,
    /// Whether folders in it are watched too.
    pub subfolders: bool,
    /// How long a file has not changed before it is taken; none of files of lines, which are taken as they grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Span>,
    /// The machine whose files they are; this one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// What else says whose they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_from: Option<MachineFrom>,
    /// How often it is looked what is new.
    pub interval: Span,
    /// Manifests of providers of whose events traces do not say themselves what they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<PathBuf>,
}

/// What says of which machine a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineFrom {
    /// The folder right below the watched one that it lies in.
    Folder,
}

/// What files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileContent {
    /// Logs of IIS, its FTP service or HTTP.sys.
    IisLog,
    /// Traces of failed requests.
    FailedRequest,
    /// Dumps of programs that crashed.
    CrashDump,
    /// Lines of a program's own.
    Text,
    /// Logs of Windows.
    Evtx,
    /// Event traces.
    Etl,
    /// Performance counters.
    Counters,
    /// Anything else.
    Other,
}

impl FileContent {
    /// Whether files are taken line by line, as they grow.
    #[must_use]
    pub fn is_lines(self) -> bool {
        matches!(
            self,
            FileContent::IisLog | FileContent::Text | FileContent::Counters
        )
    }

    /// Whether they hold events, which are taken in their place.
    #[must_use]
    pub fn is_events(self) -> bool {
        matches!(self, FileContent::Evtx | FileContent::Etl)
    }

    /// What such files are called, as the programs that write them do.
    #[must_use]
    pub fn usual_names(self) -> &'static [&'static str] {
        match self {
            FileContent::IisLog => &["*.log"],
            FileContent::FailedRequest => &["fr*.xml"],
            FileContent::CrashDump => &["*.dmp", "*.mdmp", "*.hdmp"],
            FileContent::Evtx => &["*.evtx"],
            FileContent::Etl => &["*.etl"],
            FileContent::Counters => &["*.csv", "*.tsv"],
            FileContent::Text | FileContent::Other => &["*"],
        }
    }

    /// As batches of the journal say it.
    #[must_use]
    pub fn class(self) -> FileClass {
        match self {
            FileContent::IisLog => FileClass::IisLog,
            FileContent::FailedRequest => FileClass::FailedRequest,
            FileContent::CrashDump => FileClass::CrashDump,
            FileContent::Text => FileClass::Text,
            FileContent::Etl => FileClass::Etl,
            FileContent::Counters => FileClass::Counters,
            // What is in it goes on, and not it.
            FileContent::Evtx | FileContent::Other => FileClass::Other,
        }
    }
}

/// `[spool]`: files that wait for sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spool {
    /// How much disk they may take.
    pub quota: ByteSize,
}
