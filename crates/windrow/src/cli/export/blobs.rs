//! Blobs as files.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use jiff::Timestamp;
use windrow_formats::azure::ListedBlob;
use windrow_formats::text::visible;
use windrow_pipeline::azure::{AzureError, Client, patiently};

use super::super::storage::{self, Kind};
use super::super::time::Range;
use super::super::{Invocation, Out, runtime};
use super::file::{beside, private};
use super::{Args, tell};
use crate::exit::Code;
use crate::output::{about, escape, progress, thousands};

/// Bytes that are fetched at once.
const PIECE: usize = 8 * 1024 * 1024;

/// Times that a blob is begun anew which is written to while it is read.
const ATTEMPTS: u32 = 3;

/// Bytes of a part of a path: what usual file systems take.
const PART_BYTES_MAX: usize = 255;

/// What came of it.
#[derive(Default)]
struct Done {
    fetched: u64,
    bytes: u64,
    there: u64,
    failed: u64,
}

pub(super) fn run(
    args: &Args,
    range: Range,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let client = storage::client("export", Kind::Blobs, &args.account, invocation)?;
    invocation.start_log();
    let container = args.blobs.as_deref().unwrap_or_default();
    let folder = args.output_folder.clone().unwrap_or_default();
    fs_err::create_dir_all(&folder)?;
    let bar = progress::spinner(&invocation.terminal);
    let mut done = Done::default();
    let fetch = Fetch {
        client: &client,
        container,
        folder: &folder,
        range,
    };
    let ended = runtime()?.block_on(async {
        tokio::select! {
            ended = fetch.all(&args.prefix, &mut done, &bar) => ended.map(|()| Code::Ok),
            _ = tokio::signal::ctrl_c() => Ok(Code::Interrupted),
        }
    });
    bar.finish_and_clear();
    let code = ended?;
    let files = |count: u64| match count {
        1 => "1 file".to_owned(),
        count => format!("{} files", thousands(count)),
    };
    let mut line = format!(
        "{}, {}, in {}",
        files(done.fetched),
        about(done.bytes),
        folder.display()
    );
    if done.there > 0 {
        line += &format!("; {} were there already", thousands(done.there));
    }
    writeln!(out, "{}", escape(&line))?;
    if code == Code::Interrupted {
        tell("the same command goes on")?;
        return Ok(code);
    }
    if done.failed > 0 {
        tell(&format!(
            "{} blobs could not be fetched",
            thousands(done.failed)
        ))?;
        return Ok(Code::Partial);
    }
    Ok(code)
}

/// Where blobs come from and go to.
struct Fetch<'a> {
    client: &'a Client,
    container: &'a str,
    folder: &'a Path,
    range: Range,
}

impl Fetch<'_> {
    async fn all(
        &self,
        prefix: &str,
        done: &mut Done,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<()> {
        let mut marker = None;
        loop {
            let list = patiently(|| {
                self.client
                    .list_blobs(self.container, prefix, marker.as_deref())
            })
            .await?;
            for blob in list.blobs.iter().filter(|blob| self.is_asked_for(blob)) {
                bar.set_message(format!(
                    "{} files, {}",
                    thousands(done.fetched),
                    visible(&blob.name)
                ));
                match self.one(blob).await {
                    Ok(Some(bytes)) => {
                        done.fetched += 1;
                        done.bytes += bytes;
                    }
                    Ok(None) => done.there += 1,
                    Err(error) => {
                        done.failed += 1;
                        tell(&format!("{}: {error:#}", visible(&blob.name)))?;
                    }
                }
            }
            match list.next {
                None => return Ok(()),
                next => marker = next,
            }
        }
    }

    fn is_asked_for(&self, blob: &ListedBlob) -> bool {
        let Some(at) = blob.modified else { return true };
        self.range.from.is_none_or(|from| at >= from) && self.range.to.is_none_or(|to| at < to)
    }

    /// Fetches a blob, unless it is there; how many bytes that were.
    async fn one(&self, blob: &ListedBlob) -> anyhow::Result<Option<u64>> {
        let path = local_path(self.folder, &blob.name)?;
        if is_there(&path, blob) {
            return Ok(None);
        }
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let mut blob = blob.clone();
        for _ in 1..ATTEMPTS {
            match self.contents(&blob, &path).await {
                Err(Unfetched::Changed) => {
                    let ask = || self.client.blob_properties(self.container, &blob.name);
                    let Some(now) = patiently(ask).await? else {
                        anyhow::bail!("it is gone by now");
                    };
                    (blob.length, blob.etag, blob.modified) = (now.length, now.etag, now.modified);
                }
                Err(Unfetched::Other(error)) => return Err(error),
                Ok(()) => return Ok(Some(blob.length)),
            }
        }
        match self.contents(&blob, &path).await {
            Err(Unfetched::Changed) => {
                anyhow::bail!("it is written to all the time: ask again later")
            }
            Err(Unfetched::Other(error)) => Err(error),
            Ok(()) => Ok(Some(blob.length)),
        }
    }

    /// Fetches this version of a blob, from where an earlier attempt at the same version ended.
    async fn contents(&self, blob: &ListedBlob, path: &Path) -> Result<(), Unfetched> {
        let (part, note) = (beside(path, "part"), beside(path, "resume"));
        let etag = blob.etag.as_deref();
        let noted = fs_err::read(&note).ok();
        let goes_on = etag.is_some() && noted.as_deref() == etag.map(str::as_bytes);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(!goes_on);
        let mut file = private(options).open(&part).context("cannot write")?;
        let mut at = file.metadata()?.len().min(blob.length);
        file.set_len(at)?;
        file.seek(SeekFrom::Start(at))?;
        if !goes_on {
            fs_err::write(&note, etag.unwrap_or_default())?;
        }
        while at < blob.length {
            let rest = usize::try_from(blob.length - at)
                .unwrap_or(PIECE)
                .min(PIECE);
            let ask = || {
                self.client
                    .get_blob_range(self.container, &blob.name, at, rest, etag)
            };
            match patiently(ask).await {
                Ok(piece) if piece.bytes.is_empty() => return Err(Unfetched::Changed),
                Ok(piece) => {
                    file.write_all(&piece.bytes)?;
                    at += piece.bytes.len() as u64;
                }
                Err(AzureError::Refused { refusal, .. })
                    if ["ConditionNotMet", "InvalidRange"].contains(&refusal.code.as_str()) =>
                {
                    return Err(Unfetched::Changed);
                }
                Err(error) => return Err(Unfetched::Other(error.into())),
            }
        }
        if let Some(at) = blob.modified {
            file.set_times(FileTimes::new().set_modified(SystemTime::from(at)))?;
        }
        file.sync_all()?;
        fs_err::rename(&part, path)?;
        fs_err::remove_file(&note)?;
        Ok(())
    }
}

/// Why a blob is not there.
enum Unfetched {
    /// It is another version by now.
    Changed,
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Unfetched {
    fn from(error: E) -> Unfetched {
        Unfetched::Other(error.into())
    }
}

/// Whether an earlier export has fetched this version.
fn is_there(path: &Path, blob: &ListedBlob) -> bool {
    let Ok(found) = File::open(path).and_then(|file| file.metadata()) else {
        return false;
    };
    let modified = found
        .modified()
        .ok()
        .and_then(|at| Timestamp::try_from(at).ok());
    found.is_file() && found.len() == blob.length && modified == blob.modified
}

/// The file of a blob of this name: below the folder, whatever the name is.
fn local_path(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let mut path = folder.to_owned();
    for part in name.split('/') {
        let is_plain = !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= PART_BYTES_MAX
            && !part.contains(['\\', '\0'])
            && !part.chars().any(char::is_control);
        anyhow::ensure!(is_plain, "no file here can have this name");
        path.push(part);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_folder() {
        let folder = Path::new("/srv/logs");
        let path = |name: &str| local_path(folder, name).ok();
        assert_eq!(
            path("d/IaaS/_web1/Web/W3SVC1/u_ex261124.log"),
            Some(folder.join("d/IaaS/_web1/Web/W3SVC1/u_ex261124.log"))
        );
        for name in [
            "",
            "/etc/passwd",
            "a//b",
            "../a",
            "a/../../b",
            "a/..",
            "a\\b",
            "a\0",
            "a/",
            "\u{1b}[2J",
        ] {
            assert_eq!(path(name), None, "{name:?}");
        }
        assert_eq!(path(&"a".repeat(256)), None);
    }
}
