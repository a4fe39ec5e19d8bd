//! `[source.directory.NAME]` and `[spool]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use windrow_pipeline::sources::directory::NamePattern;

use super::{At, Source, size, span};
use crate::config::checked::{self, DirectorySource, FileContent};
use crate::config::limits::{MAX_FILE_PATTERNS, MAX_MACHINE_CHARS};
use crate::config::{ConfigError, raw};

/// How long files of which no program says that it is done with them have to rest.
const USUALLY_SETTLED: Duration = Duration::from_secs(30);

pub(super) fn directory(
    at: &At<'_>,
    raw: raw::DirectorySource,
    data_dir: Option<&Path>,
) -> Result<DirectorySource, ConfigError> {
    let source = at.source;
    let place = raw.path.span();
    let path = source.resolve(raw.path.into_inner());
    if data_dir.is_some_and(|own| path.starts_with(own) || own.starts_with(&path)) {
        let error = source.error("this is, or holds, windrow's own data folder", place);
        return Err(error.with_hint("watch a folder beside it"));
    }
    let day = Duration::from_secs(24 * 3_600);
    let second = Duration::from_secs(1);
    Ok(DirectorySource {
        enabled: raw.enabled.unwrap_or(true),
        path,
        content: raw.content,
        files: files(source, raw.files, raw.content)?,
        subfolders: raw.subfolders.unwrap_or(true),
        settled: match (raw.content.is_lines(), raw.settled) {
            (true, Some(settled)) => {
                let error = source.error("such files are taken as they grow", settled.span());
                return Err(error.with_hint("leave `settled` out"));
            }
            (true, None) => None,
            (false, settled) => Some(span(source, settled, USUALLY_SETTLED, second..=day)?),
        },
        machine: machine(source, raw.machine, raw.machine_from.as_ref())?,
        machine_from: raw.machine_from.map(Spanned::into_inner),
        interval: span(source, raw.interval, second, second..=day)?,
        manifests: manifests(source, raw.manifests, raw.content)?,
    })
}

fn files(
    source: Source<'_>,
    given: Option<raw::List<String>>,
    content: FileContent,
) -> Result<Vec<String>, ConfigError> {
    let Some(given) = given else {
        let usual = content.usual_names().iter();
        return Ok(usual.map(|&name| name.to_owned()).collect());
    };
    let place = given.span();
    let given = given.into_inner();
    if !(1..=MAX_FILE_PATTERNS).contains(&given.len()) {
        let error = source.error("no file would be taken, or there are too many names", place);
        return Err(error.expected(format!("1 to {MAX_FILE_PATTERNS} names with * and ?")));
    }
    for name in &given {
        if let Err(error) = NamePattern::new(name.get_ref()) {
            let error = source.error(error.to_string(), name.span());
            return Err(error.expected("one such as \"u_ex*.log\""));
        }
    }
    Ok(given.into_iter().map(Spanned::into_inner).collect())
}

fn manifests(
    source: Source<'_>,
    given: Option<Spanned<Vec<PathBuf>>>,
    content: FileContent,
) -> Result<Vec<PathBuf>, ConfigError> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    if content != FileContent::Etl {
        let error = source.error("manifests are for traces", given.span());
        return Err(error.with_hint("leave them out, or say content = \"etl\""));
    }
    let given = given.into_inner().into_iter();
    Ok(given.map(|file| source.resolve(file)).collect())
}

fn machine(
    source: Source<'_>,
    given: Option<Spanned<String>>,
    from: Option<&Spanned<checked::MachineFrom>>,
) -> Result<Option<String>, ConfigError> {
    let Some(name) = given else {
        return Ok(None);
    };
    if let Some(from) = from {
        let error = source.error("`machine` says it already", from.span());
        return Err(error.with_hint("leave one of the two out"));
    }
    let text = name.get_ref();
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
    if (1..=MAX_MACHINE_CHARS).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(Some(name.into_inner()));
    }
    let error = source.error("no machine is called so", name.span());
    Err(error.expected("one such as \"web01.example.com\""))
}

pub(super) fn spool(source: Source<'_>, raw: raw::Spool) -> Result<checked::Spool, ConfigError> {
    Ok(checked::Spool {
        quota: size(source, raw.quota, 4_000_000_000, 16 << 20..=1 << 50)?,
    })
}
