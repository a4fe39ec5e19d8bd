mod corpus;
mod faults;
mod forms;
mod merging;
mod property;

use super::*;

/// A configuration that says something in every element.
const WHOLE: &str = include_str!("tests/whole.xml");

/// `3:12 error: what is wrong`, a line each.
fn told(file: &[u8]) -> String {
    let findings = read(file).findings.into_iter().map(|finding| {
        let inside = finding
            .inside
            .map_or(String::new(), |at| format!(" ({}:{})", at.line, at.column));
        format!(
            "{}:{}{inside} {}: {}\n",
            finding.at.line,
            finding.at.column,
            finding.severity().as_str(),
            finding.fault
        )
    });
    findings.collect()
}

/// What a file without errors says.
#[track_caller]
fn sound(file: &[u8]) -> Configuration {
    let reading = read(file);
    reading
        .configuration
        .unwrap_or_else(|| panic!("{}", told(file)))
}

/// A public part around what is collected.
fn around(collected: &str) -> String {
    format!(
        "<PublicConfig xmlns=\"{NAMESPACE}\"><WadCfg><DiagnosticMonitorConfiguration overallQuotaInMB=\"4096\">\n\
         {collected}\n</DiagnosticMonitorConfiguration></WadCfg></PublicConfig>"
    )
}
