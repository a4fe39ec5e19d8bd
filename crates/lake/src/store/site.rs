//! Where one table is, for what does not go through the table format: whole files that are read and written in a piece.
//!
//! Of a table in Azure a file is a local one for as long as it is read or made: it has no name, so that nothing is left of
//! it, whatever ends the program. What blocks here belongs on a thread that may.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::{DeltaTableBuilder, DeltaTableError};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Handle;
use url::Url;
use uuid::Uuid;

use super::{DurableFiles, Staged, create_folder, remove_stale, sync_inside};
use crate::error::LakeError;
use crate::footer;
use crate::limits::{BLOB_ASKED, SCRATCH_FILE_BYTES};
use crate::place::{Azure, Place};

/// The folder of a table's log, in its own.
pub(crate) const LOG: &str = "_delta_log";

/// The folder in it of what checkpoints of other writers refer to.
const SIDECARS: &str = "_sidecars";

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) enum Site {
    /// A folder.
    Folder(PathBuf),
    /// A folder of blobs.
    Blobs(BlobFolder),
}

/// A folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct BlobFolder {
    /// How people are told of it.
    shown: PathBuf,
    /// The same of the container: where the names begin that queries know.
    container: String,
    /// Names in it.
    objects: Arc<dyn ObjectStore>,
    scratch: PathBuf,
    /// Bytes that go there or come from there in one request.
    part_bytes: usize,
}

/// A local folder does not take what is fetched: nothing of that is wrong for it.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep what is fetched in the folder `scratch` of the lake")]
pub(crate) struct Scratch(#[from] io::Error);

/// When what was written to a log and can be seen there is there to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Once it was synced: a power cut may take it away before.
    UntilSynced,
    /// At once.
    Stays,
}

/// A file that is being made.
pub(crate) enum Making {
    /// In its folder, under another name.
    Staged(Staged, PathBuf),
    /// In the scratch folder.
    Scratch(BlobFolder),
}

impl Site {
    /// Where a table of this name is to be written, and its log. Makes the folder.
    pub(crate) fn to_write(place: &Place, name: &str) -> Result<(Site, LogStoreRef), LakeError> {
        match place {
            Place::Folder(dir) => {
                let folder = dir.join(name);
                let made = create_folder(&folder).and_then(|()| folder.canonicalize());
                let folder = made.map_err(|source| LakeError::Folder {
                    path: folder,
                    source,
                })?;
                let log = log_of(&folder)?;
                Ok((Site::Folder(folder), log))
            }
            Place::Azure(azure) => blobs(azure, name),
        }
    }

    /// Where a table of this name may be, and its log; none where no folder is.
    pub(crate) fn to_read(
        place: &Place,
        name: &str,
    ) -> Result<Option<(Site, LogStoreRef)>, LakeError> {
        let dir = match place {
            Place::Folder(dir) => dir,
            Place::Azure(azure) => return blobs(azure, name).map(Some),
        };
        let folder = dir.join(name);
        match folder.canonicalize() {
            Ok(folder) => {
                let log = log_of(&folder)?;
                Ok(Some((Site::Folder(folder), log)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LakeError::Folder {
                path: folder,
                source,
            }),
        }
    }

    /// How people are told of it.
    pub(crate) fn shown(&self) -> &FsPath {
        match self {
            Site::Folder(folder) => folder,
            Site::Blobs(blobs) => &blobs.shown,
        }
    }

    /// What people are told before a name that queries know of a file.
    pub(crate) fn root(&self) -> &str {
        match self {
            Site::Folder(_) => "",
            Site::Blobs(blobs) => &blobs.container,
        }
    }

    /// That a file in one of its folders could not be opened, made or kept.
    pub(crate) fn failed(&self, folder: &str, source: io::Error) -> LakeError {
        match self {
            Site::Folder(table) => LakeError::Folder {
                path: table.join(folder),
                source,
            },
            Site::Blobs(blobs) => LakeError::Blobs {
                place: blobs.shown.clone(),
                source,
            },
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        match self {
            Site::Folder(_) => Seen::UntilSynced,
            Site::Blobs(_) => Seen::Stays,
        }
    }

    /// Looks at the newest checkpoint of the log before the table format does, which trusts its footer. What is in Azure
    /// no disk of ours has damaged.
    pub(crate) fn look_at_checkpoint(&self) -> Result<(), LakeError> {
        let Site::Folder(folder) = self else {
            return Ok(());
        };
        let checkpoints = checkpoints(&folder.join(LOG));
        let newest = checkpoints.iter().map(|(version, _)| *version).max();
        let newest = checkpoints
            .into_iter()
            .filter(|(version, _)| Some(*version) == newest);
        match damaged(newest.map(|(_, file)| file)) {
            Some((file, reason)) => Err(LakeError::Checkpoint { file, reason }),
            None => Ok(()),
        }
    }

    /// Makes last what others may have left half done, and takes away what they left over.
    pub(crate) fn recover(&self) -> Result<(), LakeError> {
        let Site::Folder(folder) = self else {
            // What is seen lasts, and an upload that was not ended is no blob: Azure forgets it after a week.
            return Ok(());
        };
        let log = folder.join(LOG);
        remove_stale(&log);
        remove_stale(folder);
        // A commit seen here may have been linked by a process that died before it synced the folder.
        sync_inside(&log).map_err(|source| LakeError::Folder {
            path: folder.clone(),
            source,
        })
    }

    /// Takes away what was left over by a process that died while it made a file.
    pub(crate) fn remove_stale(&self) {
        if let Site::Folder(folder) = self {
            remove_stale(folder);
        }
    }

    /// Opens a data file to be read. Blocks.
    pub(crate) fn open(&self, path: &str) -> io::Result<File> {
        match self {
            Site::Folder(folder) => File::open(folder.join(path)),
            Site::Blobs(blobs) => Handle::current().block_on(blobs.fetch(path)),
        }
    }

    /// Begins a file in a folder of the table. Blocks.
    pub(crate) fn make(&self, folder: &str) -> io::Result<(Making, File)> {
        match self {
            Site::Folder(table) => {
                let (staged, file) = Staged::new(&table.join(folder))?;
                Ok((Making::Staged(staged, table.clone()), file))
            }
            Site::Blobs(blobs) => {
                let file = blobs.scratch().map_err(io::Error::other)?;
                Ok((Making::Scratch(blobs.clone()), file))
            }
        }
    }

    /// Whether all of these data files are there.
    pub(crate) async fn has_all(&self, paths: Vec<String>) -> Result<bool, LakeError> {
        match self {
            Site::Folder(folder) => {
                let folder = folder.clone();
                let all = move || paths.iter().all(|path| folder.join(path).exists());
                Ok(tokio::task::spawn_blocking(all).await?)
            }
            Site::Blobs(blobs) => {
                let heads = stream::iter(paths).map(|path| async move {
                    match blobs.objects.head(&Path::from(path)).await {
                        Ok(_) => Ok(true),
                        Err(Error::NotFound { .. }) => Ok(false),
                        Err(error) => Err(LakeError::table("look for files of")(error.into())),
                    }
                });
                let mut heads = heads.buffer_unordered(BLOB_ASKED);
                while let Some(is_there) = heads.try_next().await? {
                    if !is_there {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

impl Making {
    /// Puts the file that was written under this path of the table; its size in bytes. Blocks.
    pub(crate) fn keep(self, file: &File, path: &str) -> io::Result<u64> {
        match self {
            Making::Staged(staged, table) => staged.keep(file, &table.join(path)),
            Making::Scratch(blobs) => Handle::current().block_on(blobs.upload(file, path)),
        }
    }
}

impl BlobFolder {
    /// A file without a name.
    fn scratch(&self) -> Result<File, Scratch> {
        fs::create_dir_all(&self.scratch)?;
        let path = self.scratch.join(Uuid::new_v4().simple().to_string());
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    /// In parts, so that no request lasts long however slow the way is.
    async fn fetch(&self, path: &str) -> io::Result<File> {
        let failed = |error: Error| match error {
            Error::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, error),
            error => io::Error::other(error),
        };
        let path = Path::from(path);
        let bytes = self.objects.head(&path).await.map_err(failed)?.size;
        if bytes > SCRATCH_FILE_BYTES {
            let text = format!("it has {bytes} bytes, more than any of windrow's");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let mut file = self.scratch().map_err(io::Error::other)?;
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + self.part_bytes as u64);
            let part = self.objects.get_range(&path, at..end).await;
            let kept = file.write_all(&part.map_err(failed)?);
            kept.map_err(Scratch::from).map_err(io::Error::other)?;
            at = end;
        }
        file.rewind()
            .map_err(Scratch::from)
            .map_err(io::Error::other)?;
        Ok(file)
    }

    async fn upload(&self, mut file: &File, path: &str) -> io::Result<u64> {
        let (failed, path) = (|error: Error| io::Error::other(error), Path::from(path));
        file.rewind()?;
        let mut upload = self.objects.put_multipart(&path).await.map_err(failed)?;
        let mut bytes = 0;
        loop {
            let mut part = Vec::with_capacity(self.part_bytes);
            file.take(self.part_bytes as u64).read_to_end(&mut part)?;
            if part.is_empty() {
                break;
            }
            bytes += part.len() as u64;
            let put = upload.put_part(Bytes::from(part).into());
            put.await.map_err(failed)?;
        }
        upload.complete().await.map_err(failed)?;
        Ok(bytes)
    }
}

fn blobs(azure: &Azure, name: &str) -> Result<(Site, LogStoreRef), LakeError> {
    let invalid = |error: url::ParseError| DeltaTableError::Generic(error.to_string());
    let location = Url::parse(&azure.url.table(name))
        .map_err(invalid)
        .map_err(LakeError::table("open"))?;
    let root = Arc::clone(&azure.blobs);
    let prefix = Path::from(azure.url.path(name));
    let objects: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root), prefix));
    let log = default_logstore(
        Arc::clone(&objects),
        root,
        &location,
        &StorageConfig::default(),
    );
    let shown = PathBuf::from(format!("{}/{name}", azure.url));
    let scratch = azure.scratch.clone();
    let folder = BlobFolder {
        shown,
        container: azure.url.container(),
        objects,
        scratch,
        part_bytes: azure.part_bytes,
    };
    Ok((Site::Blobs(folder), log))
}

/// Files of a log's checkpoints, by the version that each is of.
fn checkpoints(log: &FsPath) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(log).into_iter().flatten().flatten();
    let checkpoint = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let (version, kind) = name.split_once('.')?;
        let is_checkpoint = kind.starts_with("checkpoint") && kind.ends_with(".parquet");
        Some((
            version.parse().ok().filter(|_| is_checkpoint)?,
            entry.path(),
        ))
    };
    entries.filter_map(checkpoint).collect()
}

/// The first damaged one of the files that the log of somebody's table in this folder may be read from.
pub(crate) fn damaged_log_file(table: &FsPath) -> Option<(PathBuf, String)> {
    let log = table.join(LOG);
    let parts = fs::read_dir(log.join(SIDECARS)).into_iter().flatten();
    let parts = parts.flatten().map(|entry| entry.path());
    damaged(
        checkpoints(&log)
            .into_iter()
            .map(|(_, file)| file)
            .chain(parts),
    )
}

/// The first of these Parquet files that is damaged. What cannot be read now is for whoever reads it to tell.
fn damaged(mut files: impl Iterator<Item = PathBuf>) -> Option<(PathBuf, String)> {
    files.find_map(|path| {
        let error = footer::look(&mut File::open(&path).ok()?).err()?;
        footer::is_damage(&error).then(|| (path, error.to_string()))
    })
}

fn log_of(folder: &FsPath) -> Result<LogStoreRef, LakeError> {
    let url = Url::from_directory_path(folder).map_err(|()| LakeError::Folder {
        path: folder.to_owned(),
        source: io::ErrorKind::InvalidFilename.into(),
    })?;
    log_in(url.as_str(), Arc::new(DurableFiles::new()))
}

/// The log of a table in a store that the table format knows by the scheme of its address.
pub(crate) fn log_in(url: &str, store: Arc<dyn ObjectStore>) -> Result<LogStoreRef, LakeError> {
    let parsed = Url::parse(url).map_err(|error| DeltaTableError::Generic(error.to_string()));
    parsed
        .and_then(|url| {
            DeltaTableBuilder::from_url(url.clone())?
                .with_storage_backend(store, url)
                .build_storage()
        })
        .map_err(LakeError::table("open"))
}
