//! rsyslog and syslog-ng as forwarders: a file of lines, each passed on as it is.
//!
//! Neither is asked to take the lines apart (`%msg%` of imfile and `flags(no-parse)` are the
//! lines). rsyslog's queues are as they are by default; syslog-ng reads a thousand lines at once,
//! which costs it a quarter less than its default of ten.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::forwarders::Transport;

const RSYSLOG: &str = "/usr/sbin/rsyslogd";

pub(crate) fn rsyslog_is_here() -> bool {
    Path::new(RSYSLOG).is_file()
}

pub(crate) fn rsyslog(transport: Transport, port: u16, folder: &Path, own: &Path) -> Command {
    let tls = match transport {
        Transport::Tcp => "",
        Transport::Tls => {
            "streamDriver=\"ossl\" streamDriverMode=\"1\" streamDriverAuthMode=\"x509/name\" \
             streamDriverPermittedPeers=\"localhost\""
        }
    };
    let (folder, work) = (folder.display(), own.display());
    let config = format!(
        r#"global(workDirectory="{work}" maxMessageSize="64k"
  defaultNetstreamDriverCAFile="{folder}/certificate.pem")
module(load="imfile")
template(name="line" type="string" string="%msg%")
ruleset(name="forward") {{
  action(type="omfwd" target="localhost" port="{port}" protocol="tcp" template="line" {tls})
}}
input(type="imfile" file="{folder}/lines" tag="bench" ruleset="forward")
"#
    );
    let path = own.join("rsyslog.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(RSYSLOG);
    command.args(["-n", "-i", "NONE", "-f"]).arg(path);
    command
}

pub(crate) fn syslog_ng(transport: Transport, port: u16, folder: &Path, own: &Path) -> Command {
    let root = syslog_ng_root().unwrap();
    let transport = match transport {
        Transport::Tcp => "transport(\"tcp\")".to_owned(),
        Transport::Tls => format!(
            "transport(\"tls\") tls(ca-file(\"{}/certificate.pem\") peer-verify(required-trusted))",
            folder.display()
        ),
    };
    let config = format!(
        "@version: current\n\
         options {{ log-msg-size(65536); stats-freq(0); }};\n\
         source s {{ file(\"{}/lines\" flags(no-parse) log-iw-size(10000) \
         log-fetch-limit(1000)); }};\n\
         destination d {{ network(\"localhost\" port({port}) {transport} \
         template(\"${{MESSAGE}}\\n\")); }};\n\
         log {{ source(s); destination(d); flags(flow-control); }};\n",
        folder.display()
    );
    let path = own.join("syslog-ng.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    command.args(["--foreground", "--no-caps", "--cfgfile"]);
    command.arg(path);
    for (option, file) in [
        ("--persist-file", "persist"),
        ("--pidfile", "pid"),
        ("--control", "control"),
    ] {
        command.arg(option).arg(own.join(file));
    }
    command.arg("--module-path").arg(modules(&root));
    command.env("LD_LIBRARY_PATH", libraries(&root));
    command
}

/// The folder that it is installed under: Debian does not install the two side by side, so
/// `./test` unpacks it into the user's cache.
#[expect(clippy::disallowed_methods, reason = "where ./test unpacks it")]
pub(crate) fn syslog_ng_root() -> Option<PathBuf> {
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
