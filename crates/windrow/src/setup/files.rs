//! Files that are written together: not one is touched before all are known to be free and lie ready beside their places,
//! each appears whole, and where one cannot appear those before it go again.

use std::fs::Metadata;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Most copies of one file that are kept beside it.
const COPIES_MAX: u32 = 1_000;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Everybody.
    Public,
    /// Its owner: 0600 from its birth, and its folder, not those above, 0700 if that is made for it.
    Private,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Vec<u8>,
    /// For whom.
    pub secrecy: Secrecy,
}

/// What to do about files that are there and say something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Touch nothing.
    Refuse,
    /// Put the new ones in their place, for whom the old ones were; what is replaced is kept beside as `NAME.bak`,
    /// `NAME.bak.2` and so on.
    Replace,
    /// Put the new ones in their place, and keep nothing.
    Overwrite,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files are there.
    #[error("{} there already: {}", if .0.len() == 1 { "a file is" } else { "files are" }, shown(.0))]
    Exist(Vec<PathBuf>),
    /// A folder is there.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// What should be a folder is none.
    #[error("cannot write {}: {} is a file, and no folder", .path.display(), .above.display())]
    UnderFile {
        /// The file.
        path: PathBuf,
        /// What is in its way.
        above: PathBuf,
    },
    /// The system refused.
    #[error("cannot write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    const MOST: usize = 4;
    let names = paths.iter().take(MOST);
    let names: Vec<_> = names.map(|path| path.display().to_string()).collect();
    let more = paths.len().saturating_sub(MOST);
    let and = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{and}", names.join(", "))
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    New,
    /// It is there with the same content.
    Same,
    /// It is there with another one.
    Differs,
}

/// What would become of each.
#[must_use]
pub fn fates(files: &[File]) -> Vec<Fate> {
    let fate = |file: &File| match std::fs::read(&file.path) {
        Ok(content) if content == file.content => Fate::Same,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Fate::New,
        Ok(_) | Err(_) => Fate::Differs,
    };
    files.iter().map(fate).collect()
}

/// Whether a file can be at this place, as far as that can be seen without writing.
///
/// # Errors
/// [`WriteError::Folder`] or [`WriteError::UnderFile`].
pub fn check_place(path: &Path) -> Result<(), WriteError> {
    if path.is_dir() {
        return Err(WriteError::Folder(path.to_owned()));
    }
    let above = path.ancestors().skip(1);
    match above
        .into_iter()
        .find(|above| above.symlink_metadata().is_ok())
    {
        Some(above) if !above.is_dir() => Err(WriteError::UnderFile {
            path: path.to_owned(),
            above: above.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Writes all of them, or none.
///
/// # Errors
/// [`WriteError`]; what was made for them is gone again.
pub fn write(files: &[File], existing: Existing) -> Result<Vec<Fate>, WriteError> {
    files.iter().try_for_each(|file| check_place(&file.path))?;
    let fates = fates(files);
    let differ = files.iter().zip(&fates);
    let differ = differ.filter(|(_, fate)| **fate == Fate::Differs);
    let differ: Vec<PathBuf> = differ.map(|(file, _)| file.path.clone()).collect();
    if existing == Existing::Refuse && !differ.is_empty() {
        return Err(WriteError::Exist(differ));
    }
    let mut made = Made::default();
    match made.all(files, &fates, existing) {
        Ok(()) => Ok(fates),
        Err(error) => {
            made.undo();
            Err(error)
        }
    }
}

/// What was made so far.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    steps: Vec<Step>,
}

enum Step {
    /// A file that was not there.
    New(PathBuf),
    /// One that was, and lies at `aside` now.
    Replaced { path: PathBuf, aside: PathBuf },
}

impl Made {
    fn all(
        &mut self,
        files: &[File],
        fates: &[Fate],
        existing: Existing,
    ) -> Result<(), WriteError> {
        let failed = |file: &File| {
            let path = file.path.clone();
            move |source| WriteError::Io { path, source }
        };
        let wanted = files.iter().zip(fates);
        let wanted = wanted.filter(|(_, fate)| **fate != Fate::Same);
        // A full disk shows here, before anything has its name.
        let mut ready = Vec::new();
        for (file, fate) in wanted {
            let new = prepare(file, existing, &mut self.folders).map_err(failed(file))?;
            ready.push((file, *fate, new));
        }
        for (file, fate, new) in ready {
            self.put(&file.path, new, (fate, existing))
                .map_err(failed(file))?;
        }
        Ok(())
    }

    fn put(&mut self, path: &Path, new: NamedTempFile, how: (Fate, Existing)) -> io::Result<()> {
        match how {
            (Fate::New | Fate::Same, _) => {
                // Somebody may have made it since it was looked for.
                new.persist_noclobber(path).map_err(|error| error.error)?;
                self.steps.push(Step::New(path.to_owned()));
            }
            (Fate::Differs, Existing::Overwrite) => {
                new.persist(path).map_err(|error| error.error)?;
            }
            (Fate::Differs, Existing::Refuse | Existing::Replace) => {
                let aside = set_aside(path)?;
                self.steps.push(Step::New(aside.clone()));
                new.persist(path).map_err(|error| error.error)?;
                let path = path.to_owned();
                self.steps.push(Step::Replaced { path, aside });
            }
        }
        Ok(())
    }

    /// Takes it all back, as far as it goes: that something failed is being told already.
    fn undo(self) {
        for step in self.steps.into_iter().rev() {
            let _ = match step {
                Step::New(path) => std::fs::remove_file(path),
                Step::Replaced { path, aside } => std::fs::rename(aside, path),
            };
        }
        remove_folders(&self.folders);
    }
}

/// Removes those of these folders that are empty, the last first.
pub(super) fn remove_folders(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        // One that somebody has put something into stays.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Gives what is there the next free name ending in `.bak`, beside its own.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = (1..COPIES_MAX).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(".bak");
        if number > 1 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    });
    for aside in aside {
        if !aside.try_exists()? {
            std::fs::hard_link(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other("too many copies are kept beside it"))
}

/// The file, whole and under another name in its folder.
fn prepare(
    file: &File,
    existing: Existing,
    folders: &mut Vec<PathBuf>,
) -> io::Result<NamedTempFile> {
    let folder = file.path.parent().unwrap_or(Path::new("."));
    make_folder(folder, file.secrecy, folders)?;
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(&file.content)?;
    let replaced = match existing {
        Existing::Replace => std::fs::metadata(&file.path).ok(),
        Existing::Refuse | Existing::Overwrite => None,
    };
    set_readers(new.as_file(), file.secrecy, replaced.as_ref())?;
    new.as_file().sync_all()?;
    Ok(new)
}

/// Has a file read by those it is for: where it replaces one, by whom that was read. Who has set up a service has mostly
/// given the key's file to the service's group, and a new one would shut the service out. Nobody else is let in by that: a
/// key is never given to all, nor to a group that did not have it.
#[cfg(unix)]
fn set_readers(
    new: &std::fs::File,
    secrecy: Secrecy,
    replaced: Option<&Metadata>,
) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    const GROUP: u32 = 0o070;
    let mut mode = match (secrecy, replaced) {
        (Secrecy::Public, None) => 0o644,
        (Secrecy::Public, Some(old)) => old.mode() & 0o777,
        (Secrecy::Private, Some(old)) if old.mode() & 0o007 == 0 => 0o600 | (old.mode() & 0o040),
        // Who let everybody read it has not given it to a group.
        (Secrecy::Private, _) => 0o600,
    };
    if let Some(old) = replaced {
        let own = new.metadata()?;
        let owner = (own.uid() != old.uid()).then(|| old.uid());
        let group = (own.gid() != old.gid()).then(|| old.gid());
        // Who is not root gives to groups of theirs alone.
        if fchown(new, owner, group).is_err() && fchown(new, None, group).is_err() {
            mode &= !GROUP;
        }
    }
    new.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_readers(_: &std::fs::File, _: Secrecy, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}

/// Makes a folder and those above it that are not there, and notes them. Who has to pass through those above is not known
/// here: the service, for one, which is another user than whoever sets it up.
pub(super) fn make_folder(
    folder: &Path,
    secrecy: Secrecy,
    made: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let above = folder.ancestors().skip(1);
    let missing = above.take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    for above in missing {
        make_one_folder(above, Secrecy::Public, made)?;
    }
    make_one_folder(folder, secrecy, made)
}

fn make_one_folder(folder: &Path, secrecy: Secrecy, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    match create_folder(folder, secrecy) {
        // Somebody else may make it at the same time.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            made.push(folder.to_owned());
            Ok(())
        }
    }
}

#[cfg(unix)]
fn create_folder(folder: &Path, secrecy: Secrecy) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let mode = match secrecy {
        Secrecy::Public => 0o755,
        Secrecy::Private => 0o700,
    };
    std::fs::DirBuilder::new().mode(mode).create(folder)?;
    // Whatever the mask of whoever sets it up, as with files.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn create_folder(folder: &Path, _: Secrecy) -> io::Result<()> {
    std::fs::create_dir(folder)
}
