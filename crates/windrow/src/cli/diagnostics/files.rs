//! Files with configurations.

use std::io::{Read as _, Write as _};
use std::path::Path;

use windrow_formats::limits::WAD_BYTES_MAX;
use windrow_formats::wad::{self, Configuration, Finding, Reading, Severity};

use crate::datadir::WholeFiles;
use crate::exit::{Hint as _, UsageError};
use crate::output::escape;

/// Reads a file, as far as it can be a configuration.
///
/// # Errors
/// It cannot be read: the command line is wrong.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, UsageError> {
    let cannot = |error: std::io::Error| UsageError(error.to_string());
    let file = fs_err::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    let most = WAD_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Reads a file that has to be without errors.
///
/// # Errors
/// It cannot be read, or has errors: the first of them.
pub(super) fn read_sound(path: &Path) -> anyhow::Result<(Configuration, Reading)> {
    let reading = wad::read(&bytes(path)?);
    if let Some(configuration) = &reading.configuration {
        return Ok((configuration.clone(), reading));
    }
    let errors = reading.findings.iter();
    let errors = errors.filter(|finding| finding.severity() == Severity::Error);
    let count = errors.clone().count();
    let first = errors
        .take(1)
        .map(|finding| said(path, finding))
        .collect::<String>();
    let more = if count > 1 {
        format!(" ({} more)", count - 1)
    } else {
        String::new()
    };
    let error = anyhow::anyhow!("{first}{more}");
    Err(error).hint(format!(
        "`windrow diagnostics validate {}` tells all of them",
        path.display()
    ))
}

/// `FILE:3:12: error: what is wrong`
pub(super) fn said(path: &Path, finding: &Finding) -> String {
    let inside = finding.inside.map_or(String::new(), |at| {
        format!("in the XML of xmlCfg, {}:{}: ", at.line, at.column)
    });
    format!(
        "{}:{}:{}: {}: {inside}{}",
        path.display(),
        finding.at.line,
        finding.at.column,
        finding.severity().as_str(),
        finding.fault
    )
}

/// Writes a file whole or not at all, for its owner alone.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        return Err(UsageError(format!("{} is no file", path.display())).into());
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let kept = WholeFiles::in_folder(folder.to_owned()).replace(name, text.as_bytes())?;
    if let Some(warning) = kept.warning() {
        note(&warning);
    }
    Ok(())
}

/// Tells something on stderr.
pub(super) fn note(text: &str) {
    // There is nobody to tell when stderr is gone.
    let _ = writeln!(std::io::stderr().lock(), "note: {}", escape(text));
}
