//! One receiver: where it is, how it is spoken to, and when an event counts as delivered.

use std::fmt;

use rustls::pki_types::ServerName;
use serde::Serialize;
use windrow_formats::selection::Selection;
use windrow_formats::syslog::{Framing, Prefix, Settings};

use super::limits::Limits;
use super::shared::SharedMessages;
use crate::quarantine::Quarantine;
use crate::tls::{Client, ServerCheck};

/// Default port of syslog over UDP (RFC 5426 3.3).
pub const UDP_PORT: u16 = 514;
/// Default port of syslog over TLS (RFC 5425 4.1).
pub const TLS_PORT: u16 = 6514;
/// Most bytes of a UDP message where nothing else is said (RFC 5426 3.2).
pub const UDP_MESSAGE_DEFAULT: usize = 2048;

/// A receiver of syslog messages.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The name it has in the configuration; also that of its cursor and metrics.
    pub name: String,
    /// DNS name or IP address; resolved anew at each connection.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How bytes get there.
    pub transport: Transport,
    /// How messages look. For UDP the framing is always the datagram.
    pub format: Settings,
    /// Which events it gets.
    pub selection: Selection,
    /// When an event counts as delivered; UDP knows only [`Confirmation::Sent`].
    pub confirmation: Confirmation,
    /// How long and how much it may take.
    pub limits: Limits,
    /// Where it meets those that send alike, to make messages once for all of them.
    pub shared: SharedMessages,
    /// Where events are kept that it can never get.
    pub quarantine: Option<Quarantine>,
}

/// How bytes get to the receiver.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Datagrams in the clear (RFC 5426).
    Udp,
    /// A stream in the clear (RFC 6587).
    Tcp,
    /// TLS 1.2 or 1.3 (RFC 5425, RFC 9662).
    Tls(Tls),
}

/// The TLS side of a destination.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Trust anchors, client certificate, and how the server's certificate is checked.
    pub client: Client,
    /// The name the server's certificate must carry; the destination's host if `None`.
    pub server_name: Option<ServerName<'static>>,
}

/// When an event counts as delivered, weakest first. The cursor moves no earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirmation {
    /// The system has taken it for sending. All that UDP can know.
    Sent,
    /// The receiver's TCP has acknowledged its last byte. Its program may die before it reads
    /// it.
    TcpAcked,
    /// The receiver's program has read it: our side of the connection was closed after it,
    /// and the receiver closed its own in order, under TLS with a close_notify if it ever
    /// sends one. A TCP that is closed with unread bytes says so by a reset.
    PeerRead,
}

impl Destination {
    /// A destination with the defaults of its transport.
    #[must_use]
    pub fn new(name: String, host: String, port: u16, transport: Transport) -> Destination {
        let (format, confirmation) = match transport {
            Transport::Udp => (
                Settings {
                    framing: Framing::Datagram,
                    message_bytes_max: UDP_MESSAGE_DEFAULT,
                    ..Settings::default()
                },
                Confirmation::Sent,
            ),
            Transport::Tcp => (Settings::default(), Confirmation::PeerRead),
            Transport::Tls(_) => (
                Settings {
                    framing: Framing::OctetCounting,
                    ..Settings::default()
                },
                Confirmation::PeerRead,
            ),
        };
        Destination {
            name,
            host,
            port,
            transport,
            format,
            selection: Selection::default(),
            confirmation,
            limits: Limits::default(),
            shared: SharedMessages::default(),
            quarantine: None,
        }
    }

    /// What an administrator should know about these settings before relying on them.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match &self.transport {
            Transport::Udp => warnings.extend([Warning::Cleartext, Warning::Datagrams]),
            Transport::Tcp => warnings.push(Warning::Cleartext),
            Transport::Tls(tls) => match tls.client.check() {
                ServerCheck::Full | ServerCheck::Pinned(_) => {}
                ServerCheck::SkipName => warnings.push(Warning::NameUnchecked),
                ServerCheck::None => warnings.push(Warning::ServerUnchecked),
            },
        }
        if !matches!(self.transport, Transport::Udp) {
            match self.confirmation {
                Confirmation::Sent => warnings.push(Warning::SentOnly),
                Confirmation::TcpAcked if !super::outq::SUPPORTED => {
                    warnings.push(Warning::NoAcknowledgements);
                }
                _ => {}
            }
            if self.format.framing == Framing::Datagram {
                warnings.push(Warning::Unframed);
            }
        }
        match (self.format.prefix, &self.transport) {
            (Prefix::None, _) => warnings.push(Warning::NoPrefix),
            (Prefix::LegacyAzureStack, Transport::Udp) => warnings.push(Warning::LegacyPrefix),
            (Prefix::LegacyAzureStack, _) => warnings.push(Warning::LegacyPrefixInStream),
            _ => {}
        }
        warnings
    }
}

/// What the way to a receiver protects events from, strongest first: the order in which one is to
/// be preferred to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// TLS; the server is checked, and we show a certificate to one that asks.
    MutualTls,
    /// TLS; the server is checked, by its name and authority or by its fingerprint.
    Tls,
    /// TLS with any server of a trusted authority.
    TlsAnyName,
    /// TLS with whoever answers.
    TlsUnchecked,
    /// A stream in the clear.
    Cleartext,
    /// Datagrams in the clear.
    Datagrams,
}

impl Transport {
    /// What it protects events from.
    #[must_use]
    pub fn security(&self) -> Security {
        let tls = match self {
            Transport::Udp => return Security::Datagrams,
            Transport::Tcp => return Security::Cleartext,
            Transport::Tls(tls) => tls,
        };
        match tls.client.check() {
            ServerCheck::None => Security::TlsUnchecked,
            ServerCheck::SkipName => Security::TlsAnyName,
            ServerCheck::Full | ServerCheck::Pinned(_) => match tls.client.certificate() {
                Some(_) => Security::MutualTls,
                None => Security::Tls,
            },
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Security::MutualTls => "mutual TLS",
            Security::Tls => "TLS",
            Security::TlsAnyName => "TLS, the server's name unchecked",
            Security::TlsUnchecked => "TLS, the server's certificate unchecked",
            Security::Cleartext => "TCP in the clear",
            Security::Datagrams => "UDP in the clear",
        })
    }
}

/// A setting that is allowed and weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// The name in the server's certificate is not looked at.
    NameUnchecked,
    /// Nothing in the server's certificate is looked at.
    ServerUnchecked,
    /// No encryption, no authentication.
    Cleartext,
    /// UDP.
    Datagrams,
    /// A stream whose events count as delivered when they leave.
    SentOnly,
    /// This system does not tell what a peer has acknowledged.
    NoAcknowledgements,
    /// A stream without message ends.
    Unframed,
    /// No syslog header.
    NoPrefix,
    /// A syslog header that no receiver reads.
    LegacyPrefix,
    /// The same in a stream, where its first digits pass for a message's length.
    LegacyPrefixInStream,
    /// The receiver does not close its side of a connection when ours is closed, or closes it
    /// with a reset. Found out while sending.
    NeverProves,
    /// The receiver ends TCP and not TLS. Found out while sending.
    NoCloseNotify,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Warning::NameUnchecked => {
                "any server with a certificate of a trusted authority is taken for the receiver; \
                 name the receiver as its certificate does, or set its fingerprint"
            }
            Warning::ServerUnchecked => {
                "whoever answers is taken for the receiver, so somebody on the way can read and \
                 swallow events; better, best first: mutual TLS, TLS with all checks or a \
                 fingerprint, TLS without the check of the name"
            }
            Warning::Cleartext => {
                "events go in the clear and the receiver is not authenticated; use TLS"
            }
            Warning::Datagrams => {
                "UDP loses events without anybody noticing and cuts long ones; use TCP or TLS"
            }
            Warning::SentOnly => {
                "events count as delivered when they leave, so a broken connection loses some"
            }
            Warning::NoAcknowledgements => {
                "this system does not tell what the receiver has acknowledged, so events count \
                 as delivered when they leave; use peer-read"
            }
            Warning::Unframed => "nothing marks the end of a message in the stream",
            Warning::NoPrefix => {
                "messages carry no syslog header, so the receiver takes its own time and the \
                 sender's address"
            }
            Warning::LegacyPrefix => {
                "no receiver reads time and host from this prefix: it takes its own time and the \
                 sender's address"
            }
            Warning::LegacyPrefixInStream => {
                "no receiver reads time and host from this prefix, and one that knows octet \
                 counting, as rsyslog does, takes the year for a message's length and swallows \
                 that many bytes of what follows; use another prefix, or UDP"
            }
            Warning::NeverProves => {
                "the receiver takes events and never confirms that it has read them: it should \
                 close its side of the connection when ours is closed; the last 64 MiB stay \
                 unconfirmed and are sent again after a break; if that is its way, set \
                 confirmation = \"tcp-acked\" for this sink"
            }
            Warning::NoCloseNotify => {
                "the receiver ends TCP without ending TLS (close_notify), so somebody on the way \
                 who swallows events can confirm them in its name"
            }
        })
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Confirmation::Sent => "sent",
            Confirmation::TcpAcked => "tcp-acked",
            Confirmation::PeerRead => "peer-read",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls(_) => "tls",
        })
    }
}
