//! Every event of the corpus through a real rsyslog and a real syslog-ng, in both profiles: what they wrote to their files
//! is read back by Vector's parser, and must say what the event says.
//!
//! Once as large as receivers take messages by default, where some are cut by windrow and none by the receiver, and once
//! so large that all are whole. Each receiver writes two files: the message as it came, and what
//! its own parser left of it when it had taken off the prefix.

#[path = "../../crates/windrow/tests/it/support/syslog_ng/installed.rs"]
mod syslog_ng;

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use windrow_formats::cef::{self, Profile};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Encoder, Framing, Outcome, Prefix, Settings};
use windrow_oracles::corpus::{self, Found};
use windrow_oracles::{Parser, fields, header};

/// The longest time in which nothing happens.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
const RSYSLOGD: &str = "/usr/sbin/rsyslogd";
/// What rsyslog (8.2302, Debian 12) takes by default: of a longer message it makes two.
const RSYSLOG_BYTES: usize = 8096;
/// windrow's default, which is less than syslog-ng's.
const DEFAULT_BYTES: usize = 8_096;
const LARGE_BYTES: usize = 1 << 20;

/// A receiver that runs, and the folder that it writes to.
struct Receiver {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Receiver {
    fn start(
        name: &str,
        config: impl Fn(&Path, u16) -> String,
        command: impl Fn(&Path, &Path) -> Command,
    ) -> Receiver {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let port = free_port(name);
        let file = folder.join("config");
        std::fs::write(&file, config(&folder, port)).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let child = command(&folder, &file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Receiver {
            child,
            folder,
            port,
        }
    }

    /// Connects when it listens, and not before: who connects to a port of this machine where nobody is may find itself.
    fn connect(&self) -> TcpStream {
        let until = Instant::now() + PATIENCE;
        while !is_listened_at(self.port) {
            assert!(Instant::now() < until, "{}", self.text("log"));
            sleep(LOOK);
        }
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// Ends it in order once the file of messages as they came has that length, or does not grow any more.
    fn end(&mut self, bytes: u64) {
        let file = self.folder.join("raw");
        let length = || std::fs::metadata(&file).map_or(0, |file| file.len());
        let (mut seen, mut until) = (length(), Instant::now() + PATIENCE);
        while seen < bytes && Instant::now() < until {
            sleep(LOOK);
            if length() > seen {
                (seen, until) = (length(), Instant::now() + PATIENCE);
            }
        }
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        self.child.wait().unwrap();
    }

    fn text(&self, file: &str) -> String {
        let text = std::fs::read(self.folder.join(file)).unwrap_or_default();
        String::from_utf8(text).expect("no character was cut")
    }
}

/// A port that is free, and that the system gives nobody who connects: those are from 32768 on.
fn free_port(name: &str) -> u16 {
    let start = name.bytes().map(u32::from).sum::<u32>() * 97 + std::process::id();
    let ports = (0..10_000).map(|step| 20_000 + ((start + step) % 10_000) as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(is_free).expect("a free port")
}

fn is_listened_at(port: u16) -> bool {
    // 0A is LISTEN.
    let (address, state) = (format!(" 0100007F:{port:04X} "), " 00000000:0000 0A ");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    (table.lines()).any(|line| line.contains(&address) && line.contains(state))
}

/// rsyslog with its defaults but for the size of messages, where that is not the default too.
fn rsyslog(name: &str, bytes: usize) -> Receiver {
    let config = |folder: &Path, port| {
        let folder = folder.display();
        let size = match bytes {
            RSYSLOG_BYTES => String::new(),
            bytes => format!(" maxMessageSize=\"{bytes}\""),
        };
        let write = |file, template| {
            format!("action(type=\"omfile\" file=\"{folder}/{file}\" template=\"{template}\")")
        };
        format!(
            "global(workDirectory=\"{folder}\"{size})\nmodule(load=\"imtcp\")\n\
             template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             template(name=\"parsed\" type=\"string\" string=\"%syslogtag%%msg%\\n\")\n\
             ruleset(name=\"all\") {{ {} {} }}\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\")\n",
            write("raw", "raw"),
            write("parsed", "parsed"),
        )
    };
    Receiver::start(name, config, |_, file| {
        let mut command = Command::new(RSYSLOGD);
        command.args(["-n", "-i", "NONE", "-f"]).arg(file);
        command
    })
}

/// syslog-ng, the same.
fn syslog_ng(name: &str, bytes: usize) -> Receiver {
    let config = |folder: &Path, port| {
        let folder = folder.display();
        let size = match bytes {
            DEFAULT_BYTES => String::new(),
            bytes => format!("log-msg-size({bytes}); "),
        };
        let source = format!(
            "syslog(ip(\"127.0.0.1\") port({port}) transport(\"tcp\") flags(store-raw-message))"
        );
        let write = |file, template| {
            format!("destination {{ file(\"{folder}/{file}\" template(\"{template}\\n\")); }};")
        };
        format!(
            "@version: current\noptions {{ {size}stats-freq(0); }};\n\
             log {{ source {{ {source}; }}; {} {} flags(flow-control); }};\n",
            write("raw", "${RAWMSG}"),
            write("parsed", "${MESSAGE}"),
        )
    };
    Receiver::start(name, config, |folder, file| {
        let mut command = syslog_ng::command(folder, file);
        command.arg("--foreground");
        command
    })
}

fn settings(profile: Profile, prefix: Prefix, framing: Framing, bytes: usize) -> Settings {
    Settings {
        prefix,
        framing,
        message_bytes_max: bytes,
        cef: cef::Settings {
            profile,
            ..cef::Settings::default()
        },
        ..Settings::default()
    }
}

/// Sends all of them over one connection, and waits until they are in the receiver's files. What each has lost on our side.
fn deliver(receiver: &mut Receiver, settings: &Settings, events: &[Found]) -> Vec<Outcome> {
    let mut tcp = BufWriter::new(receiver.connect());
    let (mut encoder, mut index) = (Encoder::new(settings.clone()), Index::default());
    let (mut frame, mut bytes, mut outcomes) = (Vec::new(), 0, Vec::new());
    for Found { xml, .. } in events {
        let _ = event::parse(xml, &mut index);
        frame.clear();
        let outcome = encoder.encode(Event::new(xml, &index), &header(), &mut frame);
        outcomes.push(outcome.expect("every event fits"));
        tcp.write_all(&frame).unwrap();
        bytes += match settings.framing {
            Framing::OctetCounting => {
                let counted = frame.iter().position(|byte| *byte == b' ').unwrap();
                frame.len() - counted
            }
            _ => frame.len(),
        };
    }
    let mut tcp = tcp.into_inner().unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let _ = tcp.read(&mut [0]);
    receiver.end(bytes as u64);
    outcomes
}

/// The messages of a file the receiver wrote, in the order of the events, each against its event.
fn check(text: &str, profile: Profile, outcomes: &[Outcome], events: &[Found]) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), events.len(), "as many messages as events");
    let (parser, mut index) = (Parser::cef(), Index::default());
    for ((Found { place, xml }, line), outcome) in events.iter().zip(lines).zip(outcomes) {
        let _ = event::parse(xml, &mut index);
        let read = parser
            .parse(line)
            .unwrap_or_else(|error| panic!("{place}: {error}: {line}"));
        fields::check(Event::new(xml, &index), profile, outcome, &read, place);
    }
}

fn everything_through(
    name: &str,
    start: fn(&str, usize) -> Receiver,
    prefix: Prefix,
    framing: Framing,
    default_bytes: usize,
) {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let events = corpus::of_logs(&folder);
    assert!(events.len() > 10_000);
    for (profile, word) in [
        (Profile::AzureStack, "azure-stack"),
        (Profile::Standard, "standard"),
    ] {
        for bytes in [default_bytes, LARGE_BYTES] {
            let mut receiver = start(&format!("{name}-{word}-{bytes}"), bytes);
            let settings = settings(profile, prefix, framing, bytes);
            let outcomes = deliver(&mut receiver, &settings, &events);
            check(&receiver.text("raw"), profile, &outcomes, &events);
            check(&receiver.text("parsed"), profile, &outcomes, &events);
            let cut = outcomes
                .iter()
                .filter(|outcome| **outcome != Outcome::Whole);
            println!(
                "{} events through {name} in {word}, up to {bytes} bytes: {} cut by windrow",
                events.len(),
                cut.count()
            );
        }
    }
}

#[test]
fn vector_reads_all_that_rsyslog_wrote() {
    let is_here = Path::new(RSYSLOGD).is_file();
    assert!(
        is_here || std::env::var_os("CI").is_none(),
        "rsyslog is not here"
    );
    if !is_here {
        eprintln!("skipped: rsyslog is not here (./test installs it)");
        return;
    }
    let (prefix, framing) = (Prefix::Rfc3164, Framing::LineFeed);
    everything_through("rsyslog", rsyslog, prefix, framing, RSYSLOG_BYTES);
}

#[test]
fn vector_reads_all_that_syslog_ng_wrote() {
    if !syslog_ng::is_here() {
        return;
    }
    let (prefix, framing) = (Prefix::Rfc5424, Framing::OctetCounting);
    everything_through("syslog-ng", syslog_ng, prefix, framing, DEFAULT_BYTES);
}
