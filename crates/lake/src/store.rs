//! A local file system as the table's object store, with every write on the disk before it has its name.
//!
//! `object_store`'s own local store never calls fsync: after a power cut a log entry may exist with
//! its name and without its content, and a table with such an entry cannot be opened. Here a file is
//! written under another name, synced, then linked or renamed to its own, then its folder is synced.
//! So: a name that is there is whole, and a `put` that returned is still there after a power cut.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::limits::STAGED_STALE_S;

pub(crate) mod blobs;
pub(crate) mod site;

const STORE: &str = "local disk";

/// Ends the name of a file that is being written.
const STAGED: &str = ".tmp";

/// See the module's text.
#[derive(Debug)]
pub(crate) struct DurableFiles {
    inner: LocalFileSystem,
    sync: SyncFolder,
}

/// Makes the names in a folder durable.
type SyncFolder = fn(&FsPath) -> io::Result<()>;

impl DurableFiles {
    pub(crate) fn new() -> DurableFiles {
        DurableFiles::syncing_by(sync_inside)
    }

    /// The same with another way to sync folders, for tests of disks that fail.
    pub(crate) fn syncing_by(sync: SyncFolder) -> DurableFiles {
        DurableFiles {
            inner: LocalFileSystem::new(),
            sync,
        }
    }
}

impl fmt::Display for DurableFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("durable local files")
    }
}

#[async_trait]
impl ObjectStore for DurableFiles {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let target = self.inner.path_to_filesystem(location)?;
        let sync = self.sync;
        blocking(move || match opts.mode {
            PutMode::Create => write_new(&target, &payload, sync),
            PutMode::Overwrite => write_over(&target, &payload, sync),
            PutMode::Update(_) => Err(Error::NotImplemented {
                operation: "conditional update".to_owned(),
                implementer: STORE.to_owned(),
            }),
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.inner.path_to_filesystem(location)?;
        let staged_location = Path::from(format!("{location}.{}{STAGED}", Uuid::new_v4().simple()));
        let staged = self.inner.path_to_filesystem(&staged_location)?;
        let upload = self
            .inner
            .put_multipart_opts(&staged_location, opts)
            .await?;
        Ok(Box::new(DurableUpload {
            upload,
            staged,
            target,
            sync: self.sync,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// A file written in parts under another name; `complete` syncs it and gives it its own.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    staged: PathBuf,
    target: PathBuf,
    sync: SyncFolder,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let (staged, target) = (self.staged.clone(), self.target.clone());
        let sync = self.sync;
        blocking(move || {
            File::open(&staged)
                .and_then(|file| file.sync_all())
                .map_err(failed)?;
            fs::rename(&staged, &target).map_err(failed)?;
            sync(folder_of(&target)).map_err(failed)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|source| Error::JoinError { source })?
}

fn failed(source: io::Error) -> Error {
    Error::Generic {
        store: STORE,
        source: Box::new(source),
    }
}

/// Nothing asks this store for entity tags: conditional writes go by name alone.
const DONE: PutResult = PutResult {
    e_tag: None,
    version: None,
};

fn write_new(target: &FsPath, payload: &PutPayload, sync: SyncFolder) -> Result<PutResult> {
    let staged = write_staged(target, payload, sync).map_err(failed)?;
    // A hard link fails when the name exists: that is what makes one writer win a version.
    let linked = fs::hard_link(&staged, target);
    let _ = fs::remove_file(&staged);
    match linked {
        Ok(()) => sync(folder_of(target)).map_err(failed).map(|()| DONE),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Err(Error::AlreadyExists {
            path: target.display().to_string(),
            source: Box::new(source),
        }),
        Err(source) => Err(failed(source)),
    }
}

fn write_over(target: &FsPath, payload: &PutPayload, sync: SyncFolder) -> Result<PutResult> {
    let staged = write_staged(target, payload, sync).map_err(failed)?;
    if let Err(source) = fs::rename(&staged, target) {
        let _ = fs::remove_file(&staged);
        return Err(failed(source));
    }
    sync(folder_of(target)).map_err(failed).map(|()| DONE)
}

/// Writes and syncs the content beside its target, under a name that no reader of the table takes for its own.
fn write_staged(target: &FsPath, payload: &PutPayload, sync: SyncFolder) -> io::Result<PathBuf> {
    let staged = beside(target);
    let mut file = create(&staged, sync)?;
    let written = payload
        .iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    Ok(staged)
}

/// A name beside the target that is nobody else's, for as long as the content is written.
fn beside(target: &FsPath) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}{STAGED}", Uuid::new_v4().simple()));
    target.with_file_name(name)
}

fn create(path: &FsPath, sync: SyncFolder) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder_of(path);
            fs::create_dir_all(folder)?;
            if let Err(error) = sync(folder_of(folder)) {
                // Or whoever tries again would find it, and believe that it lasts.
                let _ = fs::remove_dir(folder);
                return Err(error);
            }
            open()
        }
        opened => opened,
    }
}

/// A file that gets its name when it is whole.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
}

impl Staged {
    /// A file in this folder to write into, and what makes it last.
    pub(crate) fn new(folder: &FsPath) -> io::Result<(Staged, File)> {
        let path = beside(&folder.join("merged"));
        let file = create(&path, sync_inside)?;
        Ok((Staged { path }, file))
    }

    /// Gives the file that was written this name in its folder; its size in bytes.
    pub(crate) fn keep(self, file: &File, name: &FsPath) -> io::Result<u64> {
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        fs::rename(&self.path, name)?;
        sync_inside(folder_of(name))?;
        Ok(bytes)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // There is nothing to remove when it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a folder and those above it that are missing, and makes their names durable.
pub(crate) fn create_folder(folder: &FsPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder
        .parent()
        .filter(|above| !above.as_os_str().is_empty())
    {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_inside(folder_of(folder)),
    }
}

fn folder_of(path: &FsPath) -> &FsPath {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => FsPath::new("."),
    }
}

/// Makes the names in this folder durable.
pub(crate) fn sync_inside(folder: &FsPath) -> io::Result<()> {
    // Windows has no handle of a folder that can be synced; NTFS journals the names itself.
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(folder)?.sync_all()
}

/// Removes files that a process which died was still writing. Those of a living one are younger.
pub(crate) fn remove_stale(folder: &FsPath) {
    let is_stale = |entry: &fs::DirEntry| {
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|at| at.elapsed());
        let staged = entry
            .file_name()
            .as_encoded_bytes()
            .ends_with(STAGED.as_bytes());
        staged && matches!(age, Ok(Ok(age)) if age.as_secs() > STAGED_STALE_S)
    };
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(is_stale)
    {
        if let Err(error) = fs::remove_file(entry.path()) {
            tracing::debug!(%error, path = %entry.path().display(), "cannot remove a file left behind");
        }
    }
}

#[cfg(test)]
mod tests;
