//! What the tests share: a folder of their own, waiting with a deadline, free ports, and the
//! peers. Everything that is started ends with the test, whatever became of it.

pub(crate) mod azurite;
pub(crate) mod certs;
pub(crate) mod disk;
pub(crate) mod evtx;
pub(crate) mod faults;
pub(crate) mod https;
pub(crate) mod ledger;
pub(crate) mod memory;
pub(crate) mod program;
pub(crate) mod realm;
pub(crate) mod rsyslog;
pub(crate) mod service;
pub(crate) mod slow;
pub(crate) mod syslog_ng;

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// How long anything on loopback may take before it counts as never. Long, because a busy
/// machine is not a failure; nothing waits longer than it has to.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(20);

/// A temporary folder. Kept, and named, when the test fails.
pub(crate) struct Scratch {
    folder: Option<tempfile::TempDir>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let folder = tempfile::Builder::new().prefix("windrow-it-").tempdir();
        Scratch {
            folder: Some(folder.unwrap()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file and answers with its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}

/// Waits until `probe` gives something, and panics with `what` when it does not in time.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < end,
            "waited {} s in vain for {what}",
            DEADLINE.as_secs()
        );
        std::thread::sleep(POLL);
    }
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// A port that was free for TCP and UDP a moment ago.
pub(crate) fn free_port() -> u16 {
    wait_for("a port that is free for TCP and UDP", || {
        let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = tcp.local_addr().ok()?.port();
        UdpSocket::bind(("127.0.0.1", port)).ok()?;
        Some(port)
    })
}

/// A port that nobody listened at a moment ago, below those that connections get for their own end.
pub(crate) fn listening_port() -> u16 {
    wait_for("a free port below 32768", || {
        let port = 10_000 + rand::random::<u16>() % 20_000;
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    })
}

/// Chance for a test, which says how to have the same again.
pub(crate) fn chance() -> StdRng {
    let given = std::env::var("WINDROW_TEST_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    eprintln!("again with WINDROW_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Whether a program that the test needs is installed. Says so when not.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = [PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")];
    let found = std::env::split_paths(&path)
        .chain(sbin)
        .any(|folder| folder.join(program).is_file());
    or_skipped(found, program)
}

/// A scanner of TLS.
pub(crate) fn sslyze() -> Option<Command> {
    let mut command = from_pypi("sslyze")?;
    command.args(["-m", "sslyze"]);
    Some(command)
}

/// Python with something that `./test` installs from PyPI into the user's cache. Says so when it is not there.
pub(crate) fn from_pypi(folder: &str) -> Option<Command> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let python = cache.map(|cache| {
        let tools = cache.join("windrow-tests").join(folder);
        tools.join("bin/python")
    });
    let python = python.filter(|python| python.is_file());
    if !or_skipped(python.is_some(), folder) {
        return None;
    }
    Some(Command::new(python?))
}

/// Whether something was found. In CI everything is installed first, and a skipped test would look like a passed one.
pub(crate) fn or_skipped(found: bool, program: &str) -> bool {
    assert!(
        found || std::env::var_os("CI").is_none(),
        "{program} is not installed"
    );
    if !found {
        eprintln!("skipped: {program} is not installed (./test installs it)");
    }
    found
}
