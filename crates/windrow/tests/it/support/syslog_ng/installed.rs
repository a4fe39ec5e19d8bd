//! Where syslog-ng is, and the command that starts it. It stands alone: `oracles/` and the benchmark of
//! forwarding start it too.
//!
//! Debian does not install it beside rsyslog, so `./test` unpacks it into the user's cache.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether it is here. Says so when not.
pub(crate) fn is_here() -> bool {
    let found = root().is_some();
    assert!(
        found || std::env::var_os("CI").is_none(),
        "syslog-ng is not here"
    );
    if !found {
        eprintln!("skipped: syslog-ng is not here (./test unpacks it)");
    }
    found
}

/// The command that starts it with a configuration, and keeps what it has to keep in `folder`.
pub(crate) fn command(folder: &Path, config: &Path) -> Command {
    let root = root().expect("syslog-ng is not here: ./test unpacks it");
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    command.args(["--no-caps", "--cfgfile"]).arg(config);
    for (option, file) in [
        ("--persist-file", "persist"),
        ("--pidfile", "pid"),
        ("--control", "control"),
    ] {
        command.arg(option).arg(folder.join(file));
    }
    command
        .arg("--module-path")
        .arg(modules(&root))
        .env("LD_LIBRARY_PATH", libraries(&root));
    command
}

/// The folder that it is installed under.
fn root() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let unpacked = cache.map(|cache| cache.join("windrow-tests/syslog-ng"));
    let mut roots = unpacked.into_iter().chain([PathBuf::from("/")]);
    roots.find(|root| root.join("usr/sbin/syslog-ng").is_file())
}

/// The folder of its modules, which is named after its version.
fn modules(root: &Path) -> PathBuf {
    let entries = std::fs::read_dir(root.join("usr/lib/syslog-ng")).unwrap();
    let mut folders = entries.map(|entry| entry.unwrap().path());
    folders
        .find(|folder| folder.join("libafsocket.so").is_file())
        .unwrap()
}

/// Its own libraries, and those unpacked with it.
fn libraries(root: &Path) -> OsString {
    let mut folders = vec![root.join("usr/lib/syslog-ng")];
    for parent in ["usr/lib", "lib"].map(|folder| root.join(folder)) {
        let entries = std::fs::read_dir(parent).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        folders.extend(paths.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")));
    }
    std::env::join_paths(folders).unwrap()
}
