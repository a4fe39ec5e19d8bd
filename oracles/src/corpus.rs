//! Real events: those of XML files, and those of Windows' own log files.

use std::path::{Path, PathBuf};

/// An event, and where it is.
#[derive(Clone, Debug)]
pub struct Found {
    /// The file, and which of its records.
    pub place: String,
    /// Its text.
    pub xml: String,
}

/// The folder of real logs. Who has none is told so, past the test runner's capture too.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let is_there = folder.is_dir();
    if !is_there {
        use std::io::Write as _;
        // `eprintln` is shown of tests that fail alone.
        let said = "SKIPPED, NOTHING WAS READ BACK: no corpus of real logs; set WINDROW_CORPUS";
        let _ = writeln!(std::io::stderr(), "{said} ({} is none)", folder.display());
    }
    is_there.then_some(folder)
}

/// Everything under `folder` with that extension, by name.
///
/// # Panics
/// Where a folder cannot be read.
#[must_use]
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Events that came as XML, a file each.
///
/// # Panics
/// Where a file cannot be read.
#[must_use]
pub fn as_xml(corpus: &Path) -> Vec<Found> {
    let files = files(&corpus.join("event-xml"), "xml");
    let read = files.iter().map(|file| Found {
        place: file.display().to_string(),
        xml: String::from_utf8_lossy(&std::fs::read(file).expect("a file")).into_owned(),
    });
    read.collect()
}

/// Every event of the logs that their reader can read.
#[must_use]
pub fn of_logs(corpus: &Path) -> Vec<Found> {
    let mut events = Vec::new();
    for file in files(&corpus.join("evtx"), "evtx") {
        let Ok(mut log) = evtx::EvtxParser::from_path(&file) else {
            continue;
        };
        for record in log.records().flatten() {
            let xml = record
                .data
                .strip_prefix(r#"<?xml version="1.0" encoding="utf-8"?>"#);
            events.push(Found {
                place: format!("{} record {}", file.display(), record.event_record_id),
                xml: xml.unwrap_or(&record.data).trim_start().to_owned(),
            });
        }
    }
    events
}
