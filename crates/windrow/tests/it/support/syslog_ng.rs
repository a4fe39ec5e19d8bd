//! A second real receiver: Debian's syslog-ng, which shares no code with rsyslog.

mod installed;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::certs::{Authority, Pair};
use super::ledger::Arrived;
use super::rsyslog::{arrived, is_bound};
use super::{Scratch, free_port, wait_until};

pub(crate) use installed::{command, is_here};

/// How it listens.
pub(crate) enum Source<'a> {
    /// `network()` as most have it: lines, taken apart as RFC 3164.
    Lines,
    /// `syslog()` over TCP: octet counting; the message is kept as it came.
    Octets,
    /// `syslog()` over UDP; the message is kept as it came.
    Datagrams,
    /// `syslog()` over TLS that proves its own name only.
    Tls(&'a Pair),
    /// The same, and of TLS it speaks version 1.1 alone.
    OldTls(&'a Pair),
    /// `syslog()` over TLS: octet counting; who has no certificate of the authority is refused.
    MutualTls {
        server: &'a Pair,
        authority: &'a Authority,
        peer: &'a str,
    },
}

/// A receiver on loopback.
pub(crate) struct SyslogNg {
    child: Child,
    raw: PathBuf,
    pub(crate) port: u16,
}

impl SyslogNg {
    /// Starts one and waits until it listens.
    pub(crate) fn start(scratch: &Scratch, name: &str, source: &Source<'_>) -> SyslogNg {
        SyslogNg::start_at(scratch, name, source, free_port())
    }

    /// The same at a port; what one of this name received before stays.
    pub(crate) fn start_at(
        scratch: &Scratch,
        name: &str,
        source: &Source<'_>,
        port: u16,
    ) -> SyslogNg {
        let folder = scratch.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let raw = folder.join("messages.raw");
        let config = scratch.write(
            &format!("{name}/syslog-ng.conf"),
            &config(&raw, port, source),
        );
        let log = std::fs::File::create(folder.join("syslog-ng.log")).unwrap();
        let child = command(&folder, &config)
            .arg("--foreground")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut syslog_ng = SyslogNg { child, raw, port };
        wait_until("syslog-ng to listen", || {
            assert!(
                syslog_ng.child.try_wait().unwrap().is_none(),
                "syslog-ng ended: {}",
                std::fs::read_to_string(folder.join("syslog-ng.log")).unwrap_or_default()
            );
            is_bound(port)
        });
        syslog_ng
    }

    /// How often each event came.
    pub(crate) fn events(&self) -> Arrived {
        arrived(&self.messages())
    }

    /// Everything received, one message a line.
    pub(crate) fn messages(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.raw).unwrap_or_default()).into_owned()
    }
}

impl Drop for SyslogNg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_tls(at: &str, server: &Pair, options: &str) -> String {
    format!(
        "syslog({at} transport(\"tls\") flags(no-parse) tls(key-file(\"{}\") \
         cert-file(\"{}\") peer-verify(optional-untrusted){options}))",
        server.key.display(),
        server.certificate.display(),
    )
}

fn config(raw: &Path, port: u16, source: &Source<'_>) -> String {
    let at = format!("ip(\"127.0.0.1\") port({port}) max-connections(10)");
    // A message that is taken apart is written together again from its parts.
    let (source, template) = match source {
        Source::Lines => (
            format!("network({at} transport(\"tcp\"))"),
            "<${PRI}>${MSGHDR}${MESSAGE}",
        ),
        Source::Octets => (
            format!("syslog({at} transport(\"tcp\") flags(no-parse))"),
            "${MESSAGE}",
        ),
        Source::Datagrams => (
            format!("syslog(ip(\"127.0.0.1\") port({port}) transport(\"udp\") flags(no-parse))"),
            "${MESSAGE}",
        ),
        Source::Tls(server) => (with_tls(&at, server, ""), "${MESSAGE}"),
        Source::OldTls(server) => {
            let only =
                " ssl-options(no-tlsv1, no-tlsv12, no-tlsv13) cipher-suite(\"ALL:@SECLEVEL=0\")";
            (with_tls(&at, server, only), "${MESSAGE}")
        }
        Source::MutualTls {
            server,
            authority,
            peer,
        } => (
            format!(
                "syslog({at} transport(\"tls\") flags(no-parse) tls(key-file(\"{}\") \
                 cert-file(\"{}\") ca-file(\"{}\") peer-verify(required-trusted) \
                 trusted-dn(\"*CN={peer}*\")))",
                server.key.display(),
                server.certificate.display(),
                authority.certificate.display()
            ),
            "${MESSAGE}",
        ),
    };
    format!(
        "@version: current\noptions {{ log-msg-size(131072); stats-freq(0); flush-lines(1); }};\n\
         source s {{ {source}; }};\n\
         destination d {{ file(\"{}\" template(\"{template}\\n\")); }};\n\
         log {{ source(s); destination(d); }};\n",
        raw.display()
    )
}
