//! Files that are written together: not one is touched before all are known to be free, and each appears whole.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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
    /// Put the new ones in their place; what is replaced is kept beside as `NAME.bak`, `NAME.bak.2` and so on.
    Replace,
    /// Put the new ones in their place, and keep nothing.
    Overwrite,
}

/// Why nothing was written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files are there.
    #[error("{} there already: {}", if .0.len() == 1 { "a file is" } else { "files are" }, shown(.0))]
    Exist(Vec<PathBuf>),
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

/// Writes all of them.
///
/// # Errors
/// [`WriteError::Exist`] before anything was written; [`WriteError::Io`] at the first that could not be.
pub fn write(files: &[File], existing: Existing) -> Result<Vec<Fate>, WriteError> {
    let fates = fates(files);
    let differ = || files.iter().zip(&fates);
    let differ = differ().filter(|(_, fate)| **fate == Fate::Differs);
    let differ: Vec<&File> = differ.map(|(file, _)| file).collect();
    if existing == Existing::Refuse && !differ.is_empty() {
        let paths = differ.into_iter().map(|file| file.path.clone());
        return Err(WriteError::Exist(paths.collect()));
    }
    for (file, fate) in files.iter().zip(&fates) {
        let put = match fate {
            Fate::Same => continue,
            Fate::New => put(file),
            Fate::Differs if existing == Existing::Overwrite => put(file),
            Fate::Differs => set_aside(&file.path).and_then(|()| put(file)),
        };
        put.map_err(|source| WriteError::Io {
            path: file.path.clone(),
            source,
        })?;
    }
    Ok(fates)
}

/// Gives what is there the next free name ending in `.bak`.
fn set_aside(path: &Path) -> io::Result<()> {
    let aside = (1..1_000).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(".bak");
        if number > 1 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    });
    for aside in aside {
        if !aside.try_exists()? {
            return std::fs::hard_link(path, &aside);
        }
    }
    Err(io::Error::other("too many copies are kept beside it"))
}

fn put(file: &File) -> io::Result<()> {
    let folder = file.path.parent().unwrap_or(Path::new("."));
    make_folder(folder, file.secrecy)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&file.content)?;
    #[cfg(unix)]
    if file.secrecy == Secrecy::Public {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o644);
        new.as_file().set_permissions(mode)?;
    }
    new.as_file().sync_all()?;
    new.persist(&file.path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a folder and those above it that are not there. Who has to pass through those above is not known here: the service,
/// for one, which is another user than whoever sets it up.
fn make_folder(folder: &Path, secrecy: Secrecy) -> io::Result<()> {
    let above = folder.ancestors().skip(1);
    let missing = above.take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    for above in missing {
        make_one_folder(above, Secrecy::Public)?;
    }
    make_one_folder(folder, secrecy)
}

fn make_one_folder(folder: &Path, secrecy: Secrecy) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    // Somebody else may make it at the same time.
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let mode = match secrecy {
            Secrecy::Public => 0o755,
            Secrecy::Private => 0o700,
        };
        builder.mode(mode).create(folder)?;
        // Whatever the mask of whoever sets it up, as with files.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
    }
    #[cfg(not(unix))]
    {
        let _ = secrecy;
        builder.create(folder)
    }
}
