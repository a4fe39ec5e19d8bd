//! The built program, as a user starts it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Scratch, wait_for};

/// A running `windrow`, its output going to files in the test's folder.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// A file that output goes to, and where this start's part begins.
struct Output {
    path: PathBuf,
    start: usize,
}

/// What a finished `windrow` left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `windrow` to its end.
pub(crate) fn run<A: AsRef<OsStr>>(scratch: &Scratch, arguments: &[A]) -> Finished {
    Program::start(scratch, "once", arguments).finish()
}

impl Program {
    /// Starts `windrow` with the test's folder as its home. `name` tells its output from that
    /// of others in the folder; starting a second time with one name appends there.
    pub(crate) fn start<A: AsRef<OsStr>>(
        scratch: &Scratch,
        name: &str,
        arguments: &[A],
    ) -> Program {
        Program::start_with(scratch, name, arguments, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_with<A: AsRef<OsStr>>(
        scratch: &Scratch,
        name: &str,
        arguments: &[A],
        environment: &[(String, String)],
    ) -> Program {
        let stdout = Output::at(scratch.join(&format!("{name}.out")));
        let stderr = Output::at(scratch.join(&format!("{name}.err")));
        let child = command(scratch)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout.append())
            .stderr(stderr.append())
            .spawn()
            .unwrap();
        Program {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
        }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Ends it as a power failure would end a process: at once, with nothing said.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end as a service manager does, and waits.
    pub(crate) fn terminate(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let what = format!("the end of {}", self.name);
        let status: ExitStatus = wait_for(&what, || self.child.try_wait().unwrap());
        if let Some(signal) = status.signal() {
            eprintln!("{} ended by signal {signal}", self.name);
        }
        Finished {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Finished {
    /// Panics with all that was said unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Finished {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let stderr = self.stderr();
            let tail: Vec<_> = stderr.lines().rev().take(20).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            eprintln!("-- last of {}:\n{}", self.name, tail.join("\n"));
        }
    }
}

/// `windrow` with nothing of this environment but the path.
pub(crate) fn command(scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scratch.path())
        .env("RUST_BACKTRACE", "1")
        .current_dir(scratch.path());
    command
}

impl Output {
    fn at(path: PathBuf) -> Output {
        let start = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Output {
            path,
            start: usize::try_from(start).unwrap(),
        }
    }

    fn append(&self) -> File {
        File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .unwrap()
    }

    fn text(&self) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes[self.start..]).into_owned()
    }
}
