//! rsyslog and syslog-ng as forwarders: a file of lines, each passed on as it is.
//!
//! Neither is asked to take the lines apart (`%msg%` of imfile and `flags(no-parse)` are the
//! lines). rsyslog's queues are as they are by default; syslog-ng reads a thousand lines at once,
//! which costs it a quarter less than its default of ten.

use std::path::Path;
use std::process::Command;

use crate::forwarders::Transport;
use crate::installed;

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
    let mut command = installed::command(own, &path);
    command.arg("--foreground");
    command
}
