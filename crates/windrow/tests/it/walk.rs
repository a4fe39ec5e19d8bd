//! The page that leads an administrator from nothing to mutual TLS (docs/forwarding.md) is walked: each of its
//! commands is run and each of its files written, in its order, with real receivers and the built program.
//!
//! Only names differ: files of the system lie in the test's folder, ports are free ones, the receiver is `localhost`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use xtask::docs::{self, Step};
use xtask::project::{Project, root};

use crate::support::rsyslog::is_bound;
use crate::support::service::Service;
use crate::support::{Scratch, free_port, installed, syslog_ng, wait_for, wait_until};

const PAGE: &str = "docs/forwarding.md";

#[test]
fn the_way_to_mutual_tls_can_be_walked() {
    if !installed("rsyslogd") || !installed("openssl") || !syslog_ng::is_here() {
        return;
    }
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    let mut walk = Walk::new(&scratch, service);
    let project = Project::load(&root()).unwrap();
    let steps = docs::steps(project.get(PAGE).unwrap());
    assert!(steps.len() > 40, "only {} steps", steps.len());
    for step in &steps {
        walk.step(step);
    }
    // And events go the way that was made.
    let ledger = walk
        .service
        .fleet(
            "fleet",
            &["--machines", "3", "--rate", "50", "--events", "50"],
        )
        .finish();
    let log = scratch.join("var/log/windrow.log");
    wait_until("every event at the receiver", || {
        let messages = std::fs::read_to_string(&log).unwrap_or_default();
        ledger
            .missing(&crate::support::rsyslog::arrived(&messages))
            .is_empty()
    });
    walk.service.terminate().expect(0);
}

/// Where the walk has got to.
struct Walk<'a> {
    scratch: &'a Scratch,
    service: Service<'a>,
    /// What a name of the page is here.
    names: Vec<(&'static str, String)>,
    folder: PathBuf,
    /// The ports that receivers are to listen at.
    port: u16,
    receiver: Option<Child>,
}

impl<'a> Walk<'a> {
    fn new(scratch: &'a Scratch, service: Service<'a>) -> Walk<'a> {
        let at = |path: &str| scratch.join(path).display().to_string();
        let (port, clear_port) = (free_port(), free_port());
        scratch.write(
            "etc/rsyslog.conf",
            &format!(
                "global(workDirectory=\"{}\")\ninclude(file=\"{}/*.conf\")\n",
                at("spool"),
                at("etc/rsyslog.d")
            ),
        );
        scratch.write(
            "etc/syslog-ng/syslog-ng.conf",
            &format!(
                "@version: current\n@include \"{}/*.conf\"\n",
                at("etc/syslog-ng/conf.d")
            ),
        );
        for folder in ["spool", "var/log", "etc/windrow", "bin"] {
            std::fs::create_dir_all(scratch.join(folder)).unwrap();
        }
        let program = scratch.join("bin/windrow");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_windrow"), program).unwrap();
        // Ports before paths, which may hold any digits.
        let names = vec![
            (
                "port=\"6514\"",
                format!("address=\"127.0.0.1\" port=\"{port}\""),
            ),
            ("port(6514)", format!("ip(\"127.0.0.1\") port({port})")),
            (
                "port=\"10514\"",
                format!("address=\"127.0.0.1\" port=\"{clear_port}\""),
            ),
            (
                "siem.example.com --server-port 10514",
                format!("localhost --server-port {clear_port}"),
            ),
            (
                "--server-name siem.example.com",
                format!("--server-name localhost --server-port {port}"),
            ),
            ("sudo ", String::new()),
            ("/etc/windrow/windrow.toml", at("windrow.toml")),
            ("/etc/", at("etc/")),
            ("/var/log/", at("var/log/")),
            ("siem.example.com", "localhost".to_owned()),
        ];
        Walk {
            scratch,
            service,
            names,
            folder: scratch.path().to_owned(),
            port,
            receiver: None,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write { text, path, append } => {
                let (path, text) = (PathBuf::from(self.here(path)), self.here(&text.text));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let before = if *append {
                    std::fs::read_to_string(&path).unwrap()
                } else {
                    String::new()
                };
                std::fs::write(&path, before + &text).unwrap();
            }
            Step::Run { command, fails } => {
                let place = format!("{}:{}: {}", command.path, command.line, command.text);
                eprintln!("{place}");
                self.command(&place, &self.here(&command.text), *fails);
            }
        }
    }

    /// Text of the page with the names that things have here.
    fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (there, here) in &self.names {
            text = text.replace(there, here);
        }
        text
    }

    fn command(&mut self, place: &str, command: &str, fails: bool) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cd", folder] => self.folder.push(folder),
            ["apt", "install", ref packages @ ..] => {
                packages.iter().for_each(|package| has(package))
            }
            ["systemctl", "restart", "rsyslog"] => self.restart(self.rsyslogd()),
            ["systemctl", "restart", "syslog-ng"] => {
                let mut program = self.syslog_ng();
                program.arg("--foreground");
                self.restart(program);
            }
            ["systemctl", "reload", "windrow"] => self.reload(),
            ["syslog-ng", "--syntax-only"] => {
                let mut check = self.syslog_ng();
                let output = check.arg("--syntax-only").output().unwrap();
                assert!(output.status.success(), "{place}: {output:?}");
            }
            _ => {
                let output = self.run(command);
                let said = String::from_utf8_lossy(&output.stdout);
                let errors = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.success(), !fails, "{place}\n{said}{errors}");
                if command == "windrow syslog test" && !fails {
                    self.arrives(place, &said);
                }
            }
        }
    }

    /// The message with the marker that a test has printed is in the receiver's file: it writes down in its own time.
    fn arrives(&self, place: &str, said: &str) {
        let mut lines = said.lines();
        let marker = lines.find_map(|line| line.strip_prefix("marker")).unwrap();
        let file = self.scratch.join("var/log/windrow.log");
        wait_until(place, || {
            let messages = std::fs::read_to_string(&file).unwrap_or_default();
            messages.contains(marker.trim())
        });
    }

    /// Runs it in a shell, `windrow` being the built one with the test's service.
    fn run(&self, command: &str) -> std::process::Output {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.scratch.join("bin"), "/usr/sbin".into()];
        let folders = folders.into_iter().chain(std::env::split_paths(&path));
        Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("HOME", self.scratch.path())
            .env("WINDROW_CONFIG", self.scratch.join("windrow.toml"))
            .env("WINDROW_DATA_DIR", self.scratch.join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Has the service read its configuration again.
    fn reload(&self) {
        let generation = || self.service.status()["configuration"]["generation"].clone();
        let before = generation();
        self.service.program().signal(Signal::HUP);
        wait_until("the new configuration", || generation() != before);
    }

    fn rsyslogd(&self) -> Command {
        let mut command = Command::new("/usr/sbin/rsyslogd");
        let config = self.scratch.join("etc/rsyslog.conf");
        command.args(["-n", "-i", "NONE", "-f"]).arg(config);
        command
    }

    fn syslog_ng(&self) -> Command {
        let folder = self.scratch.join("etc/syslog-ng");
        syslog_ng::command(&folder, &folder.join("syslog-ng.conf"))
    }

    /// Ends the receiver there is in good order, and starts this one.
    fn restart(&mut self, mut command: Command) {
        self.stop();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.scratch.join("receiver.log"))
            .unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.receiver = Some(child);
        let port = self.port;
        wait_until("the receiver to listen", || is_bound(port));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.receiver.take() {
            let id = i32::try_from(child.id()).unwrap();
            let id = rustix::process::Pid::from_raw(id).unwrap();
            let _ = rustix::process::kill_process(id, Signal::TERM);
            wait_for("the receiver to end", || child.try_wait().unwrap());
        }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.receiver.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A package of this name is installed, or was unpacked beside those that are.
#[track_caller]
fn has(package: &str) {
    let known = Command::new("dpkg").args(["-s", package]).output().unwrap();
    assert!(
        known.status.success() || (package.starts_with("syslog-ng") && syslog_ng::is_here()),
        "{package} is not installed (./test installs it)"
    );
}
