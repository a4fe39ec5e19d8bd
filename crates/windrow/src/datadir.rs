//! The one folder under which windrow keeps everything:
//!
//! ```text
//! VERSION         the version of this layout
//! lock            held by the service while it runs
//! journal/        what was acknowledged and not yet everywhere
//! lake/           the Delta tables
//! quarantine/     what came in and could not be read
//! pki/            certificates made here
//! conf.d/         settings made by command, a file an object
//! access/         who may come in at the privileged endpoint
//! run/            the service's local socket
//! ```
//!
//! Every folder is readable by its owner only (0700). An older layout is brought up to date when it is opened for
//! writing; a newer one is refused, since an older program would not know what it destroys.

mod whole;

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

pub(crate) use whole::{Kept, WholeFiles};

/// The layout this program writes. There is no older one yet.
const VERSION: u32 = 1;
const FOLDERS: [&str; 7] = [
    "journal",
    "lake",
    "quarantine",
    "pki",
    "conf.d",
    "access",
    "run",
];

/// What a command wants of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be the one service that owns it: made when absent, locked.
    Serve,
    /// To add to it beside a running service: made when absent.
    Write,
    /// To look: it has to be there.
    Read,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Nothing was collected here yet.
    #[error("there is no data at {}", .0.display())]
    Absent(PathBuf),
    /// A file is there.
    #[error("{} is a file, and no folder", .0.display())]
    NotAFolder(PathBuf),
    /// Something else is there.
    #[error("{} holds other files and no VERSION: it is not a folder of windrow's", .0.display())]
    Foreign(PathBuf),
    /// Data without the file that says what layout it has.
    #[error("{} holds data and no VERSION: put that file back (its one line is {VERSION} if this windrow wrote the data), or name another folder", .0.display())]
    Unversioned(PathBuf),
    /// The VERSION file does not say a version.
    #[error("{} does not say a version", .0.display())]
    Unreadable(PathBuf),
    /// Written by a later program.
    #[error("{} has layout version {found}, and this windrow knows none after {VERSION}: use the windrow that wrote it, or a later one", .path.display())]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A service runs on it.
    #[error("{} is in use by {holder}", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// `process 1234`, or `another process`.
        holder: String,
    },
    /// It belongs to somebody else, whose service could not write to what we would add.
    #[error("{} belongs to the user with id {owner}, and this is the one with id {me}: run this as that user (sudo -u '#{owner}' windrow …), or choose another --data-dir", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// Ours.
        me: u32,
    },
    /// The file system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The data folder, opened. The lock, when there is one, is held until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: Option<File>,
}

impl DataDir {
    /// Opens the folder at `root`.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(root: &Path, purpose: Purpose) -> Result<DataDir, DataDirError> {
        match check_version(root) {
            Err(DataDirError::Absent(_)) if purpose != Purpose::Read => {
                create_private(root)?;
                begin(root)?;
            }
            other => other?,
        }
        if purpose == Purpose::Read {
            return Ok(DataDir {
                root: root.to_owned(),
                _lock: None,
            });
        }
        check_owner(root)?;
        create_private(root)?;
        for folder in FOLDERS {
            create_private(&root.join(folder))?;
        }
        let lock = if purpose == Purpose::Serve {
            Some(lock(root)?)
        } else {
            None
        };
        Ok(DataDir {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's segments and cursors.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Bytes of files that batches of the journal refer to.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// The Delta tables.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Deliveries that could not be read.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Certificates made here.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// Settings made by command.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        settings(&self.root)
    }

    /// The local socket of the running service.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.root)
    }
}

/// The settings made by command in the folder `root`, whether or not there are any.
#[must_use]
pub fn settings(root: &Path) -> PathBuf {
    root.join("conf.d")
}

/// The local socket of the service that runs on the folder `root`, whether or not it runs.
#[must_use]
pub fn socket(root: &Path) -> PathBuf {
    root.join("run").join("windrow.sock")
}

/// The sizes of the files directly in a folder; what cannot be read counts as nothing.
#[must_use]
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len())
        .sum()
}

/// Reads the version of the layout at `root` and says whether this program can use it.
fn check_version(root: &Path) -> Result<(), DataDirError> {
    if fs_err::metadata(root).is_ok_and(|found| !found.is_dir()) {
        return Err(DataDirError::NotAFolder(root.to_owned()));
    }
    let path = root.join("VERSION");
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(without_version(root)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(DataDirError::Unreadable(path));
        }
        Err(error) => return Err(error.into()),
    };
    match text.trim().parse::<u32>() {
        Ok(VERSION) => Ok(()),
        Ok(found) if found > VERSION => Err(DataDirError::Newer {
            path: root.to_owned(),
            found,
        }),
        _ => Err(DataDirError::Unreadable(path)),
    }
}

/// A folder without VERSION is new, or somebody else's. What a start that was cut short leaves behind is new.
fn without_version(root: &Path) -> DataDirError {
    let ours = |name: &str| {
        let begun = name.starts_with("VERSION.") && name.ends_with(".new");
        FOLDERS.contains(&name) || name == "lock" || begun || name == "lost+found"
    };
    let foreign = fs_err::read_dir(root).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| !entry.file_name().to_str().is_some_and(ours)))
    });
    let root = root.to_owned();
    let has_data = ["journal", "lake"].iter().any(|folder| {
        fs_err::read_dir(root.join(folder)).is_ok_and(|mut entries| entries.next().is_some())
    });
    if foreign {
        DataDirError::Foreign(root)
    } else if has_data {
        DataDirError::Unversioned(root)
    } else {
        DataDirError::Absent(root)
    }
}

fn begin(root: &Path) -> io::Result<()> {
    // Others may begin here at the same time, and write the same.
    let new = root.join(format!("VERSION.{}.new", std::process::id()));
    write_private(&new, format!("{VERSION}\n").as_bytes())?;
    fs_err::rename(&new, root.join("VERSION"))?;
    sync_folder(root)
}

/// Makes a rename or removal in this folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // What a relative path of one name lies in.
    let here = folder.as_os_str().is_empty();
    let folder = if here { Path::new(".") } else { folder };
    if cfg!(unix) {
        fs_err::File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// What root adds to a service's folder the service cannot change: its next commit would fail, and every one after.
#[cfg(unix)]
fn check_owner(root: &Path) -> Result<(), DataDirError> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = fs_err::metadata(root)?.uid();
    let me = rustix::process::geteuid().as_raw();
    if owner == me {
        return Ok(());
    }
    Err(DataDirError::NotOurs {
        path: root.to_owned(),
        owner,
        me,
    })
}

#[cfg(not(unix))]
fn check_owner(_root: &Path) -> Result<(), DataDirError> {
    Ok(())
}

/// Makes the folder and those above it, this one readable by its owner only, also when it was there already.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.is_dir()).collect();
    fs_err::create_dir_all(folder)?;
    // Not every file system makes the name durable with what is synced inside.
    for parent in missing.iter().rev().filter_map(|folder| folder.parent()) {
        sync_folder(parent)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(folder)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

/// Writes a new file that only its owner may read, down to the disk.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = private_file();
    options.write(true).create(true).truncate(true);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file that is made is readable by its owner only, whatever the umask.
fn private_file() -> fs_err::OpenOptions {
    let mut options = fs_err::OpenOptions::new();
    #[cfg(unix)]
    fs_err::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn lock(root: &Path) -> Result<File, DataDirError> {
    let path = root.join("lock");
    let mut options = private_file();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?
        .into_parts()
        .0;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let said = file.take(32).read_to_string(&mut holder).is_ok();
            let number = holder.trim().parse::<u32>().ok().filter(|_| said);
            let holder = number.map_or_else(
                || "another process".to_owned(),
                |id| format!("process {id}"),
            );
            return Err(DataDirError::InUse {
                path: root.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(root: &Path, purpose: Purpose) -> String {
        let error = DataDir::open(root, purpose).unwrap_err();
        error.to_string().replace(root.to_str().unwrap(), "DATA")
    }

    #[test]
    fn a_new_folder_is_made_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("a/b");
        let opened = DataDir::open(&root, Purpose::Write).unwrap();
        for folder in [
            root.clone(),
            opened.journal(),
            opened.lake(),
            opened.quarantine(),
            opened.pki(),
        ] {
            assert_eq!(
                std::fs::metadata(folder).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        assert_eq!(
            std::fs::read_to_string(root.join("VERSION")).unwrap(),
            "1\n"
        );
        let _serving = DataDir::open(&root, Purpose::Serve).unwrap();
        for file in ["VERSION", "lock"] {
            let mode = std::fs::metadata(root.join(file)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
        }
        assert_eq!(opened.socket(), root.join("run/windrow.sock"));
        DataDir::open(&root, Purpose::Read).unwrap();
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        insta::assert_snapshot!(reason(root, Purpose::Read), @"there is no data at DATA");
        std::fs::write(root.join("VERSION"), "2\n").unwrap();
        insta::assert_snapshot!(reason(root, Purpose::Write), @"DATA has layout version 2, and this windrow knows none after 1: use the windrow that wrote it, or a later one");
        std::fs::write(root.join("VERSION"), [0xff, 0xfe]).unwrap();
        insta::assert_snapshot!(reason(root, Purpose::Read), @"DATA/VERSION does not say a version");
        std::fs::remove_file(root.join("VERSION")).unwrap();
        std::fs::create_dir(root.join("lake")).unwrap();
        std::fs::write(root.join("lake/part"), "").unwrap();
        insta::assert_snapshot!(reason(root, Purpose::Serve), @"DATA holds data and no VERSION: put that file back (its one line is 1 if this windrow wrote the data), or name another folder");
        std::fs::write(root.join("photo.jpg"), "").unwrap();
        insta::assert_snapshot!(reason(root, Purpose::Serve), @"DATA holds other files and no VERSION: it is not a folder of windrow's");
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a test that skips says so")]
    fn a_folder_of_another_user_is_left_alone() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give a folder away");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        DataDir::open(root, Purpose::Write).unwrap();
        std::os::unix::fs::chown(root, Some(1), None).unwrap();
        for purpose in [Purpose::Write, Purpose::Serve] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(reason(root, purpose), @"DATA belongs to the user with id 1, and this is the one with id 0: run this as that user (sudo -u '#1' windrow …), or choose another --data-dir");
            }
        }
        DataDir::open(root, Purpose::Read).unwrap();
    }

    #[test]
    fn one_service_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let first = DataDir::open(temp.path(), Purpose::Serve).unwrap();
        let expected = format!("DATA is in use by process {}", std::process::id());
        assert_eq!(reason(temp.path(), Purpose::Serve), expected);
        DataDir::open(temp.path(), Purpose::Write).unwrap();
        drop(first);
        DataDir::open(temp.path(), Purpose::Serve).unwrap();
    }

    #[test]
    fn a_folder_with_tokens_alone_was_put_back_in_part() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("access")).unwrap();
        std::fs::write(temp.path().join("access/tokens.toml"), "").unwrap();
        DataDir::open(temp.path(), Purpose::Serve).unwrap();
    }

    #[test]
    fn a_start_that_was_cut_short_is_begun_again() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("VERSION.17.new"), "").unwrap();
        std::fs::create_dir(temp.path().join("journal")).unwrap();
        DataDir::open(temp.path(), Purpose::Serve).unwrap();
    }
}
