//! The machine's side: the data folder, the disk under it, and whether a service runs already.

use std::path::{Path, PathBuf};

use windrow_pipeline::journal::offline;

use super::finding::{Finding, Outcome};
use crate::config::checked::Config;
use crate::config::units::ByteSize;
use crate::datadir::{self, DataDir, DataDirError, Purpose};
use crate::output::thousands;
use crate::service::CURSOR_PREFIXES;

/// Bytes of a socket's path that the kernel takes (unix(7): `sun_path` holds 108 with the closing zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![data_folder(&config.data_dir)];
    findings.extend(socket_path(&config.data_dir));
    findings.extend(disk(config));
    findings.extend(removed_sinks(&config.data_dir, |cursor| {
        let (kind, name) = cursor.split_once('.').unwrap_or_default();
        match kind {
            "syslog" => config.sink.syslog.contains_key(name),
            "azure_table" => config.sink.azure_table.contains_key(name),
            _ => config.sink.azure_blob.contains_key(name),
        }
    }));
    findings
}

/// Whether a service answers at the local socket of this data folder.
#[cfg(unix)]
pub(super) fn service_runs(data_dir: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(datadir::socket(data_dir)).is_ok()
}

#[cfg(not(unix))]
pub(super) fn service_runs(_data_dir: &Path) -> bool {
    false
}

fn data_folder(root: &Path) -> Finding {
    let what = "data folder";
    let shown = root.display();
    match DataDir::open(root, Purpose::Read) {
        Ok(_) if !may_write(root) => Finding::new(
            what,
            Outcome::Failed,
            format!("{shown} cannot be written to"),
        )
        .cure(format!("run windrow as the user that owns {shown}")),
        Ok(_) => Finding::new(what, Outcome::Ok, shown.to_string()),
        Err(DataDirError::Absent(_)) => match existing(root) {
            Some(above) if may_write(&above) => {
                Finding::new(what, Outcome::Ok, format!("{shown} will be made"))
            }
            Some(above) => {
                let result = format!(
                    "{shown} is not there, and {} cannot be written to",
                    above.display()
                );
                Finding::new(what, Outcome::Failed, result)
                    .cure("make it, or name another with --data-dir")
            }
            None => Finding::new(what, Outcome::Failed, format!("{shown} cannot be made")),
        },
        Err(error) => Finding::new(what, Outcome::Failed, crate::exit::chain(&error))
            .cure("name another folder with --data-dir"),
    }
}

/// Destinations that the configuration does not name any more, and what would be lost with them.
pub(super) fn removed_sinks(root: &Path, is_configured: impl Fn(&str) -> bool) -> Vec<Finding> {
    let Ok(cursors) = offline::cursors(&root.join("journal")) else {
        return Vec::new();
    };
    let removed = cursors.into_iter().filter_map(|(cursor, waiting)| {
        let is_sink = CURSOR_PREFIXES.iter().any(|kind| cursor.starts_with(kind));
        let is_removed = is_sink && waiting > 0 && !is_configured(&cursor);
        is_removed.then(|| removed_sink(&cursor, waiting))
    });
    removed.collect()
}

fn removed_sink(name: &str, waiting: u64) -> Finding {
    let result = format!(
        "not configured any more: the next start or reload gives up the {} events that wait for it",
        thousands(waiting)
    );
    Finding::new(format!("sink {name}"), Outcome::Warning, result).cure(
        "to send them, configure it under this name until `windrow status` says that none wait",
    )
}

fn socket_path(root: &Path) -> Option<Finding> {
    let socket = datadir::socket(root);
    (socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX).then(|| {
        let result = format!(
            "{} is longer than {SOCKET_PATH_BYTES_MAX} bytes",
            socket.display()
        );
        Finding::new("local socket", Outcome::Failed, result)
            .cure("choose a data folder with a shorter path")
    })
}

fn disk(config: &Config) -> Option<Finding> {
    let what = "disk room";
    let free = free_bytes(&existing(&config.data_dir)?)?;
    let used = datadir::folder_bytes(&config.data_dir.join("journal"));
    let mut still = config.journal.quota.0.saturating_sub(used);
    let mut whose = "the journal";
    if !config.source.directory.is_empty() {
        let used = datadir::folder_bytes(&config.data_dir.join("spool"));
        still += config.spool.quota.0.saturating_sub(used);
        whose = "journal and spool";
    }
    let result = format!(
        "{} free; {whose} may still take {}",
        rounded(free),
        rounded(still)
    );
    let cure = match config.source.directory.is_empty() {
        true => "make room, or lower `quota` in [journal]",
        false => "make room, or lower `quota` in [journal] or [spool]",
    };
    Some(if free < config.journal.segment_size.0 * 2 {
        Finding::new(what, Outcome::Failed, result).cure(cure)
    } else if free < still {
        Finding::new(
            what,
            Outcome::Warning,
            format!("{result}: the disk would be full first"),
        )
        .cure(cure)
    } else {
        Finding::new(what, Outcome::Ok, result)
    })
}

/// In whole units, for people.
fn rounded(bytes: u64) -> ByteSize {
    let step = match bytes {
        0..10_000_000 => 1_000,
        10_000_000..10_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    ByteSize(bytes / step * step)
}

/// The folder itself, or the nearest above it that is there.
fn existing(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute
        .ancestors()
        .find(|above| fs_err::metadata(above).is_ok())
        .map(Path::to_path_buf)
}

#[cfg(unix)]
fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn may_write(_folder: &Path) -> bool {
    true
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}
