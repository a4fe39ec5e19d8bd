//! Watched folders: whether they are there and can be read, and what would be taken from them.

use windrow_lake::FileTable;
use windrow_pipeline::sources::directory::{self, Survey};

use super::finding::{Finding, Outcome};
use crate::config::checked::{Config, DirectorySource};
use crate::output::{about, thousands};
use crate::service::watched;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let sources = config.source.directory.iter();
    sources
        .filter(|(_, source)| source.enabled)
        .map(|(name, source)| folder(name, source, config))
        .chain(twice(config))
        .collect()
}

/// Folders whose files two sources take: values of counters and events of traces are then there twice.
fn twice(config: &Config) -> Option<Finding> {
    let enabled = || (config.source.directory.iter()).filter(|(_, source)| source.enabled);
    let is_below = |one: &DirectorySource, other: &DirectorySource| {
        one.content == other.content
            && (one.path == other.path || other.subfolders && one.path.starts_with(&other.path))
    };
    let pairs = enabled().flat_map(|(name, one)| {
        let others = enabled().filter(move |(other, _)| name < *other);
        others.filter_map(move |(other, two)| {
            (is_below(one, two) || is_below(two, one)).then_some((name, other))
        })
    });
    let pairs: Vec<String> = pairs
        .map(|(one, other)| format!("{one} and {other}"))
        .collect();
    let result = format!("the same files are taken by {}", pairs.join(", "));
    let cure = "watch a folder once: what has no identity of its own, counters and traces, is there twice, and SIEMs get events twice";
    (!pairs.is_empty())
        .then(|| Finding::new("watched folders", Outcome::Warning, result).cure(cure))
}

fn folder(name: &str, source: &DirectorySource, config: &Config) -> Finding {
    let what = format!("directory.{name}");
    let shown = source.path.display();
    let watch = match watched(name, source, &config.data_dir) {
        Ok(watch) => watch,
        Err(error) => return Finding::new(what, Outcome::Failed, format!("{error:#}")),
    };
    match directory::survey(&watch) {
        Ok(Survey {
            files: 0, skipped, ..
        }) => {
            let names = source.files.join(", ");
            let result = match skipped {
                0 => format!("{shown} has no file called {names}"),
                _ => format!(
                    "{shown} has no file called {names}, and {skipped} entries are passed over"
                ),
            };
            Finding::new(what, Outcome::Warning, result)
                .cure("see whether `path` and `files` say what you mean; what comes later is taken all the same")
        }
        Ok(_) if !has_taker(name, source, config) => {
            let result = format!("{shown}: nobody gets what is taken from it");
            Finding::new(what, Outcome::Warning, result)
                .cure("name it in `containers` of a [sink.azure_blob.NAME]; the lake takes iis-log, failed-request and counters")
        }
        Ok(Survey { files, bytes, .. }) => {
            let result = format!("{shown}: {} files, {}", thousands(files), about(bytes));
            Finding::new(what, Outcome::Ok, result)
        }
        Err(error) => Finding::new(what, Outcome::Failed, format!("{shown}: {error}"))
            .cure("make the folder, mount its share, or let the user that windrow runs as read it"),
    }
}

/// Whether any sink takes files of a folder.
fn has_taker(name: &str, source: &DirectorySource, config: &Config) -> bool {
    let table = FileTable::of(source.content.class());
    let is_for_lake = table.is_some() && config.lake.enabled;
    let mut sinks = config.sink.azure_blob.values();
    let is_for_all = source.content.is_events();
    is_for_all
        || is_for_lake
        || sinks.any(|sink| sink.enabled && sink.containers.contains_key(name))
}
