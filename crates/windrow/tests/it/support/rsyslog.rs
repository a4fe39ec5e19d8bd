//! A real receiver: Debian's rsyslog, private to the test, writing every message as it came.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::certs::{Authority, Pair};
use super::ledger::{Arrived, arrive};
use super::{Scratch, free_port, wait_until};

/// How it listens.
pub(crate) enum Listener<'a> {
    Udp,
    Tcp,
    /// TLS that proves its own name only.
    Tls(&'a Pair),
    /// TLS that lets in whoever has a certificate of the authority for `peer`.
    MutualTls {
        server: &'a Pair,
        authority: &'a Authority,
        peer: &'a str,
    },
}

/// Which TLS library it speaks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    GnuTls,
    OpenSsl,
}

/// Its TLS: the driver, and settings in that library's own words; empty for its defaults.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) driver: Driver,
    pub(crate) settings: String,
}

impl Stack {
    pub(crate) fn of(driver: Driver) -> Stack {
        Stack {
            driver,
            settings: String::new(),
        }
    }
}

/// A receiver on loopback. What it received survives its end.
pub(crate) struct Rsyslog {
    child: Option<Child>,
    config: PathBuf,
    raw: PathBuf,
    log: PathBuf,
    stack: Stack,
    pub(crate) port: u16,
}

impl Rsyslog {
    /// Starts one and waits until it listens; TLS, if it speaks it, with GnuTLS.
    pub(crate) fn start(scratch: &Scratch, name: &str, listener: &Listener<'_>) -> Rsyslog {
        Rsyslog::start_with(scratch, name, listener, Stack::of(Driver::GnuTls))
    }

    /// The same with a TLS of choice.
    pub(crate) fn start_with(
        scratch: &Scratch,
        name: &str,
        listener: &Listener<'_>,
        stack: Stack,
    ) -> Rsyslog {
        let port = free_port();
        let folder = scratch.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let raw = folder.join("messages.raw");
        let text = config(
            &folder.to_string_lossy(),
            &raw.to_string_lossy(),
            port,
            listener,
            &stack,
        );
        let config = folder.join("rsyslog.conf");
        std::fs::write(&config, text).unwrap();
        let mut rsyslog = Rsyslog {
            child: None,
            config,
            raw,
            log: folder.join("rsyslogd.log"),
            stack,
            port,
        };
        rsyslog.resume();
        rsyslog
    }

    /// Starts it again on the same port, after [`Rsyslog::stop`] or [`Rsyslog::kill`].
    pub(crate) fn resume(&mut self) {
        assert!(self.child.is_none(), "rsyslogd runs already");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new("/usr/sbin/rsyslogd")
            .args(["-n", "-i", "NONE", "-f"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let port = self.port;
        wait_until("rsyslogd to listen", || is_bound(port));
        // What it could not do, a driver that is not installed, say, it tells here and runs on.
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(!said.contains("could not load module"), "{said}");
    }

    /// Ends it in order: what it has read is on disk.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let id = i32::try_from(child.id()).unwrap();
            let id = rustix::process::Pid::from_raw(id).unwrap();
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
            child.wait().unwrap();
        }
    }

    /// Ends it in the middle of things.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Everything received, one message a line.
    pub(crate) fn messages(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.raw).unwrap_or_default()).into_owned()
    }

    /// What it complained about.
    pub(crate) fn complaints(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How often each event came.
    pub(crate) fn events(&self) -> Arrived {
        arrived(&self.messages())
    }

    /// Changes how it listens, while it does not run.
    pub(crate) fn reconfigure(&mut self, listener: &Listener<'_>) {
        assert!(self.child.is_none(), "rsyslogd runs");
        let folder = self.config.parent().unwrap().to_string_lossy();
        let raw = self.raw.to_string_lossy();
        let text = config(&folder, &raw, self.port, listener, &self.stack);
        std::fs::write(&self.config, text).unwrap();
    }
}

/// How often each event came, in messages one a line; a last line without its end is not one.
pub(crate) fn arrived(messages: &str) -> Arrived {
    let mut arrived = Arrived::new();
    let whole = messages.rfind('\n').map_or("", |end| &messages[..end]);
    for message in whole.lines() {
        let part = |key| extension(message, key);
        let (Some(computer), Some(channel), Some(id)) = (
            part("MasComputer"),
            part("MasChannel"),
            part("MasEventRecordID"),
        ) else {
            continue;
        };
        if let Ok(id) = id.parse() {
            arrive(&mut arrived, (computer.to_owned(), channel.to_owned()), id);
        }
    }
    arrived
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The value of a CEF extension that holds neither spaces nor escapes.
pub(crate) fn extension<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let (before, value) = message.split_once(&format!("{key}="))?;
    if !before.ends_with([' ', '|']) {
        return None;
    }
    value.split([' ', '\r']).next()
}

fn config(folder: &str, raw: &str, port: u16, listener: &Listener<'_>, stack: &Stack) -> String {
    let name = match stack.driver {
        Driver::GnuTls => "gtls",
        Driver::OpenSsl => "ossl",
    };
    let settings = match stack.settings.as_str() {
        "" => String::new(),
        // Its name for both libraries' settings.
        settings => format!(" gnutlsPriorityString=\"{settings}\""),
    };
    let driver = |pair: &Pair, ca: &str| {
        format!(
            "defaultNetstreamDriver=\"{name}\" defaultNetstreamDriverCAFile=\"{ca}\"\n\
             defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
            pair.certificate.display(),
            pair.key.display()
        )
    };
    let input = format!("address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\"");
    let (global, input) = match listener {
        Listener::Udp => (
            String::new(),
            format!("module(load=\"imudp\")\ninput(type=\"imudp\" {input} rcvbufSize=\"8m\")"),
        ),
        Listener::Tcp => (
            String::new(),
            format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" {input})"),
        ),
        Listener::Tls(pair) => (
            driver(pair, &pair.certificate.to_string_lossy()),
            format!(
                "module(load=\"imtcp\" streamDriver.name=\"{name}\" streamDriver.mode=\"1\" \
                 streamDriver.authMode=\"anon\"{settings})\ninput(type=\"imtcp\" {input})"
            ),
        ),
        Listener::MutualTls {
            server,
            authority,
            peer,
        } => (
            driver(server, &authority.certificate.to_string_lossy()),
            format!(
                "module(load=\"imtcp\" streamDriver.name=\"{name}\" streamDriver.mode=\"1\" \
                 streamDriver.authMode=\"x509/name\" permittedPeer=[\"{peer}\"]{settings})\n\
                 input(type=\"imtcp\" {input})"
            ),
        ),
    };
    format!(
        "global(workDirectory=\"{folder}\" maxMessageSize=\"128k\" \
         parser.escapeControlCharactersOnReceive=\"off\"\n{global})\n\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
         ruleset(name=\"all\") {{ action(type=\"omfile\" file=\"{raw}\" template=\"raw\" \
         flushOnTXEnd=\"on\") }}\n{input}\n"
    )
}

/// Whether a socket, TCP or UDP, has the port. Looks and does not connect: a connection would
/// be a message.
pub(crate) fn is_bound(port: u16) -> bool {
    let hex = format!("0100007F:{port:04X} ");
    ["/proc/net/tcp", "/proc/net/udp"].iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        // State 0A is LISTEN; UDP sockets have no such state.
        table.lines().any(|line| {
            line.contains(&hex)
                && (line.contains(" 00000000:0000 0A ") || line.contains(" 00000000:0000 07 "))
        })
    })
}
