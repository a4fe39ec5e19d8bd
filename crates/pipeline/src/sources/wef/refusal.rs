//! Why a connection or a request is refused: counted by reason, and said in the log with who it was
//! and what helps, one line a minute of each reason.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError};
use tokio::time::Instant;
use tracing::Level;

use super::RefusedConnection;
use super::log_limit::Line;
use super::metrics::WefMetrics;
use crate::kerberos::Refused;
use crate::limits::{REFUSED_CONNECTIONS_MAX, REFUSED_NAMES_PER_ADDRESS_MAX};
use crate::tls;

/// A reason, the same for everyone who meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// As many connections as there may be.
    TooManyConnections,
    /// As many connections as strangers of one address may have.
    TooManyOfAddress,
    /// As many connections as one machine may have.
    TooManyOfMachine,
    /// The peer went away before it was known who it is.
    HungUp,
    /// The peer was silent in the handshake.
    HandshakeTimeout,
    /// The peer showed no certificate.
    NoCertificate,
    /// The peer's certificate is of an authority that is not configured.
    BadCertificate,
    /// The peer's certificate is not made for clients.
    CertificateUsage,
    /// Anything else about the peer's certificate: it cannot be read, or has what nobody here knows.
    CertificateUnfit,
    /// Whether the peer's certificate was taken back cannot be told.
    RevocationUnknown,
    /// The time of the peer's certificate is over, or has not come.
    CertificateExpired,
    /// The peer's certificate was taken back by its authority.
    CertificateRevoked,
    /// The peer does not believe our certificate.
    OwnCertificate,
    /// The peer's certificate names nobody.
    NoName,
    /// Any other end of a handshake.
    HandshakeFailed,
    /// The client has no ticket, or shows none that can be read.
    NoTicket,
    /// The ticket is for a name that the collector does not have.
    WrongService,
    /// The ticket is encrypted with a key that the keytab does not have.
    UnknownKey,
    /// The client's clock differs from ours.
    ClockSkew,
    /// The ticket's time is over, or has not come.
    TicketExpired,
    /// The ticket was shown before in the very same bytes.
    TicketReplayed,
    /// The client shows tickets more often than can be remembered.
    TooManyTickets,
    /// The ticket was not made for this client, or it asks for less than has to be.
    BadTicket,
    /// The ticket is a user's.
    NotMachine,
    /// What came is no head of a request, or too large for one.
    Head,
    /// Not a POST.
    Method,
    /// A body that is not sealed, where it has to be.
    InTheClear,
    /// A sealed body that cannot be unsealed.
    Unsealed,
    /// Too much is in memory at once.
    NoRoom,
    /// The collector goes down.
    Stopping,
    /// The body is larger than allowed.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The body broke off.
    BrokeOff,
    /// The body is compressed in a way that is not known.
    Encoding,
    /// The body is not what the protocol says.
    Unreadable,
    /// The bookmark is not what the protocol says.
    Bookmark,
    /// Nothing is at that address any more.
    UnknownSubscription,
    /// Nothing ever was at that path.
    WrongPath,
    /// Events for a subscription that is not for this machine.
    NotForMachine,
    /// A request that is not served there.
    Action,
    /// The authority of the certificate cannot be named to its machine.
    UnnamedAuthority,
    /// The subscriptions do not fit into an answer.
    OfferTooLarge,
    /// The journal is full, of events or of bookmarks.
    JournalFull,
    /// The journal's disk is full.
    DiskFull,
    /// The journal could not write.
    NotStored,
}

impl Refusal {
    const ALL: [Refusal; 45] = [
        Refusal::TooManyConnections,
        Refusal::TooManyOfAddress,
        Refusal::TooManyOfMachine,
        Refusal::HungUp,
        Refusal::HandshakeTimeout,
        Refusal::NoCertificate,
        Refusal::BadCertificate,
        Refusal::CertificateUsage,
        Refusal::CertificateUnfit,
        Refusal::RevocationUnknown,
        Refusal::CertificateExpired,
        Refusal::CertificateRevoked,
        Refusal::OwnCertificate,
        Refusal::NoName,
        Refusal::HandshakeFailed,
        Refusal::NoTicket,
        Refusal::WrongService,
        Refusal::UnknownKey,
        Refusal::ClockSkew,
        Refusal::TicketExpired,
        Refusal::TicketReplayed,
        Refusal::TooManyTickets,
        Refusal::BadTicket,
        Refusal::NotMachine,
        Refusal::Head,
        Refusal::Method,
        Refusal::InTheClear,
        Refusal::Unsealed,
        Refusal::NoRoom,
        Refusal::Stopping,
        Refusal::TooLarge,
        Refusal::TooSlow,
        Refusal::BrokeOff,
        Refusal::Encoding,
        Refusal::Unreadable,
        Refusal::Bookmark,
        Refusal::UnknownSubscription,
        Refusal::WrongPath,
        Refusal::NotForMachine,
        Refusal::Action,
        Refusal::UnnamedAuthority,
        Refusal::OfferTooLarge,
        Refusal::JournalFull,
        Refusal::DiskFull,
        Refusal::NotStored,
    ];

    /// In the log, the metrics and the status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Refusal::TooManyConnections => "too_many_connections",
            Refusal::TooManyOfAddress => "too_many_connections_of_address",
            Refusal::TooManyOfMachine => "too_many_connections_of_machine",
            Refusal::HungUp => "hung_up",
            Refusal::HandshakeTimeout => "handshake_timeout",
            Refusal::NoCertificate => "no_certificate",
            Refusal::BadCertificate => "bad_certificate",
            Refusal::CertificateUsage => "certificate_not_for_clients",
            Refusal::CertificateUnfit => "certificate_unfit",
            Refusal::RevocationUnknown => "revocation_unknown",
            Refusal::CertificateExpired => "certificate_expired",
            Refusal::CertificateRevoked => "certificate_revoked",
            Refusal::OwnCertificate => "own_certificate_not_believed",
            Refusal::NoName => "certificate_without_name",
            Refusal::HandshakeFailed => "handshake_failed",
            Refusal::NoTicket => "no_ticket",
            Refusal::WrongService => "wrong_service",
            Refusal::UnknownKey => "unknown_key",
            Refusal::ClockSkew => "clock_skew",
            Refusal::TicketExpired => "ticket_expired",
            Refusal::TicketReplayed => "ticket_replayed",
            Refusal::TooManyTickets => "too_many_tickets",
            Refusal::BadTicket => "bad_ticket",
            Refusal::NotMachine => "not_a_machine",
            Refusal::Head => "head",
            Refusal::Method => "method",
            Refusal::InTheClear => "in_the_clear",
            Refusal::Unsealed => "unsealed",
            Refusal::NoRoom => "no_room",
            Refusal::Stopping => "stopping",
            Refusal::TooLarge => "too_large",
            Refusal::TooSlow => "too_slow",
            Refusal::BrokeOff => "broke_off",
            Refusal::Encoding => "encoding",
            Refusal::Unreadable => "unreadable",
            Refusal::Bookmark => "bookmark",
            Refusal::UnknownSubscription => "unknown_subscription",
            Refusal::WrongPath => "wrong_path",
            Refusal::NotForMachine => "not_for_machine",
            Refusal::Action => "action",
            Refusal::UnnamedAuthority => "unnamed_authority",
            Refusal::OfferTooLarge => "offer_too_large",
            Refusal::JournalFull => "journal_full",
            Refusal::DiskFull => "disk_full",
            Refusal::NotStored => "not_stored",
        }
    }

    /// What the administrator can do.
    #[must_use]
    pub fn cure(self) -> &'static str {
        match self {
            Refusal::TooManyConnections => {
                "see whether all of them are machines; if so, raise max_connections of the source"
            }
            Refusal::TooManyOfAddress => {
                "nothing, when a gateway hides many machines behind this address and they all begin at once: they try again; else see who is there and never says who it is"
            }
            Refusal::TooManyOfMachine => {
                "see whether several machines have one and the same certificate, and give each its own; else see what opens connections on the machine without end"
            }
            Refusal::HungUp => {
                "nothing, when it is a port scan or a load balancer's probe; else see the peer's log"
            }
            Refusal::HandshakeTimeout => "see whether the peer speaks TLS and the network is whole",
            Refusal::NoCertificate
            | Refusal::BadCertificate
            | Refusal::CertificateUsage
            | Refusal::CertificateUnfit
            | Refusal::RevocationUnknown
            | Refusal::CertificateExpired
            | Refusal::CertificateRevoked
            | Refusal::OwnCertificate
            | Refusal::NoName => self.cure_of_certificate(),
            Refusal::HandshakeFailed => {
                "see the reason; Server= has to begin with https and TLS 1.2 or 1.3 be on"
            }
            Refusal::NoTicket
            | Refusal::WrongService
            | Refusal::UnknownKey
            | Refusal::ClockSkew
            | Refusal::TicketExpired
            | Refusal::TicketReplayed
            | Refusal::TooManyTickets
            | Refusal::BadTicket
            | Refusal::NotMachine => self.cure_of_ticket(),
            Refusal::InTheClear => {
                "see what calls: with Kerberos a Windows event forwarder seals what it sends; AllowUnencrypted has to be off"
            }
            Refusal::Unsealed => {
                "nothing, the machine authenticates anew; if it lasts, a proxy between shares connections"
            }
            Refusal::Head | Refusal::Method | Refusal::Encoding | Refusal::Action => {
                "see what calls: a Windows event forwarder does not ask for this"
            }
            Refusal::NoRoom => {
                "nothing, the machine tries again; if it lasts, see whether the disk keeps up"
            }
            _ => self.cure_of_request(),
        }
    }

    /// What the administrator can do about what was sent.
    fn cure_of_request(self) -> &'static str {
        match self {
            Refusal::Stopping => "nothing, the machine tries again",
            Refusal::TooLarge => "lower the subscription's max_envelope or max_batch_events",
            Refusal::TooSlow | Refusal::BrokeOff => {
                "nothing, the machine tries again; if it lasts, see the network in between"
            }
            Refusal::Unreadable | Refusal::Bookmark => {
                "see the quarantine for the body; a proxy that alters it may be in between"
            }
            Refusal::UnknownSubscription => {
                "nothing, the machine asks for its subscriptions again; they were renamed or removed"
            }
            Refusal::WrongPath => {
                "Server= in the group policy has to end in the listener's path; `windrow check` prints the line"
            }
            Refusal::NotForMachine => {
                "nothing, when the machine was taken out of the subscription lately; else see who is at that address: it knows another machine's subscription"
            }
            Refusal::UnnamedAuthority => {
                "add the authority that issued the machine's certificate to client_ca"
            }
            Refusal::OfferTooLarge => "shorten the subscriptions' queries or have fewer of them",
            Refusal::JournalFull => {
                "see in the status who is behind, a sink or the lake, or give the journal a larger quota"
            }
            Refusal::DiskFull => {
                "make room on the disk of the data folder; machines keep what was refused, and send it again"
            }
            Refusal::NotStored => "see the journal's disk",
            _ => "see the reason",
        }
    }

    /// What the administrator can do about a certificate.
    fn cure_of_certificate(self) -> &'static str {
        match self {
            Refusal::NoCertificate => {
                "give the machine a client certificate that NETWORK SERVICE may read, and name its authority in IssuerCA"
            }
            Refusal::BadCertificate => {
                "issue it a certificate of an authority in client_ca; if that is the machine and its authority is to be trusted, add that to client_ca and reload"
            }
            Refusal::CertificateUsage => {
                "issue it a certificate with the enhanced key usage Client Authentication (clientAuth, 1.3.6.1.5.5.7.3.2)"
            }
            Refusal::CertificateUnfit => {
                "see the reason; issue it another certificate, with an RSA or ECDSA key and SHA-256"
            }
            Refusal::RevocationUnknown => {
                "fetch the lists of revoked certificates anew (crl), one of each authority; with expired_crl = \"use\" old ones are taken"
            }
            Refusal::CertificateExpired => {
                "renew the machine's certificate; if it is new, see the clocks of both ends"
            }
            Refusal::CertificateRevoked => {
                "give the machine a new certificate if it is to send; if it was revoked by mistake, have a new list made"
            }
            Refusal::OwnCertificate => {
                "the machine has to trust the authority of the collector's certificate and call it by a name in it"
            }
            Refusal::NoName => {
                "issue the machine's certificate with a DNS name or a common name in it"
            }
            _ => "see the reason",
        }
    }

    /// What the administrator can do about a ticket.
    fn cure_of_ticket(self) -> &'static str {
        match self {
            Refusal::NoTicket => {
                "give the collector's account the SPNs HTTP/ and HOST/ of the name that the machines call it by (setspn), and have them call it by that name, not by its address"
            }
            Refusal::WrongService => {
                "put the name that the ticket is for into the keytab and into principals"
            }
            Refusal::UnknownKey => {
                "write the keytab anew: the account's password was changed since, or its encryption types; allow it AES (msDS-SupportedEncryptionTypes 24)"
            }
            Refusal::ClockSkew => "set the clocks: both ends by NTP; Kerberos allows five minutes",
            Refusal::TicketExpired => {
                "nothing, the machine gets another one; if it lasts, see the clocks"
            }
            Refusal::TicketReplayed => {
                "see who is at that address: somebody repeats what a machine has sent"
            }
            Refusal::TooManyTickets => {
                "see what authenticates in the machine's name without end; a Windows event forwarder does so seldom"
            }
            Refusal::NotMachine => {
                "only machines may send events; allow other accounts if this one is to"
            }
            _ => "see the reason; a Windows event forwarder does not do this",
        }
    }

    /// How much the administrator should mind.
    fn level(self) -> Level {
        match self {
            Refusal::NotStored => Level::ERROR,
            Refusal::HungUp
            | Refusal::Stopping
            | Refusal::BrokeOff
            | Refusal::UnknownSubscription => Level::INFO,
            _ => Level::WARN,
        }
    }

    /// Whether it stays so until somebody does something. Others pass, or say nothing of the machine
    /// they seem to come from.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        matches!(
            self,
            Refusal::TooManyOfMachine
                | Refusal::NoCertificate
                | Refusal::BadCertificate
                | Refusal::CertificateUsage
                | Refusal::CertificateUnfit
                | Refusal::RevocationUnknown
                | Refusal::CertificateExpired
                | Refusal::CertificateRevoked
                | Refusal::OwnCertificate
                | Refusal::NoName
                | Refusal::WrongService
                | Refusal::UnknownKey
                | Refusal::ClockSkew
                | Refusal::BadTicket
                | Refusal::NotMachine
                | Refusal::InTheClear
                | Refusal::TooLarge
                | Refusal::Encoding
                | Refusal::Unreadable
                | Refusal::Bookmark
                | Refusal::Action
                | Refusal::WrongPath
                | Refusal::UnnamedAuthority
                | Refusal::OfferTooLarge
                | Refusal::JournalFull
                | Refusal::DiskFull
                | Refusal::NotStored
        )
    }

    /// Whether it is over once any sign of life of the machine is answered: it was not about what is in a
    /// delivery.
    #[must_use]
    pub fn ends_with_a_sign(self) -> bool {
        matches!(
            self,
            Refusal::TooManyOfMachine
                | Refusal::TooManyTickets
                | Refusal::Head
                | Refusal::Method
                | Refusal::InTheClear
                | Refusal::Unsealed
                | Refusal::NoRoom
                | Refusal::Stopping
                | Refusal::TooSlow
                | Refusal::BrokeOff
        )
    }

    /// Why a ticket was not taken.
    pub(super) fn of_ticket(refused: &Refused) -> Refusal {
        match refused {
            Refused::Malformed { .. } | Refused::Ntlm | Refused::NoKerberos => Refusal::NoTicket,
            Refused::WrongService { .. } => Refusal::WrongService,
            Refused::UnknownKey { .. }
            | Refused::WeakEncryption { .. }
            | Refused::WrongKey { .. } => Refusal::UnknownKey,
            Refused::Skew { .. } => Refusal::ClockSkew,
            Refused::Expired { .. } | Refused::NotYetValid { .. } => Refusal::TicketExpired,
            Refused::Replayed { .. } => Refusal::TicketReplayed,
            Refused::NotMachine { .. } => Refusal::NotMachine,
            Refused::TooMany { .. } => Refusal::TooManyTickets,
            _ => Refusal::BadTicket,
        }
    }

    /// What is wrong with a certificate.
    fn of_certificate(error: &CertificateError) -> Refusal {
        match error {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Refusal::CertificateExpired,
            CertificateError::Revoked => Refusal::CertificateRevoked,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Refusal::BadCertificate
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Refusal::CertificateUsage
            }
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Refusal::RevocationUnknown,
            _ => Refusal::CertificateUnfit,
        }
    }

    /// Why a handshake ended.
    pub(super) fn of_handshake(error: &std::io::Error) -> Refusal {
        let inner = error.get_ref().and_then(|error| error.downcast_ref());
        match inner {
            Some(rustls::Error::NoCertificatesPresented) => Refusal::NoCertificate,
            Some(rustls::Error::InvalidCertificate(error)) => Refusal::of_certificate(error),
            Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
                Refusal::OwnCertificate
            }
            Some(_) => Refusal::HandshakeFailed,
            None => match error.kind() {
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::BrokenPipe => Refusal::HungUp,
                std::io::ErrorKind::TimedOut => Refusal::HandshakeTimeout,
                _ => Refusal::HandshakeFailed,
            },
        }
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
    )
}

/// What somebody says of itself who was refused; nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name in its certificate or in its ticket's authenticator.
    pub name: Option<String>,
    /// The distinguished name of its certificate's authority.
    pub issuer: Option<String>,
}

impl From<tls::Claim> for Claim {
    fn from(claim: tls::Claim) -> Claim {
        Claim {
            name: claim.name,
            issuer: Some(claim.issuer),
        }
    }
}

/// Who was refused, as far as is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) address: IpAddr,
    /// Its authenticated name.
    pub(super) source: Option<&'a str>,
    /// Why in this case.
    pub(super) reason: &'a str,
}

fn say(refusal: Refusal, who: Who<'_>, left_out: u64) {
    let (kind, cure) = (refusal.name(), refusal.cure());
    let Who {
        address,
        source,
        reason,
    } = who;
    match refusal.level() {
        Level::ERROR => {
            tracing::error!(kind, %address, source, reason, cure, left_out, "refused")
        }
        Level::WARN => tracing::warn!(kind, %address, source, reason, cure, left_out, "refused"),
        _ => tracing::info!(kind, %address, source, reason, cure, left_out, "refused"),
    }
}

/// All refusals of a collector since its start.
#[derive(Debug)]
pub(super) struct Refusals {
    lines: BTreeMap<Refusal, Line>,
    counts: Mutex<BTreeMap<Refusal, u64>>,
    connections: Mutex<VecDeque<RefusedConnection>>,
}

impl Refusals {
    pub(super) fn new() -> Refusals {
        Refusals {
            lines: Refusal::ALL
                .into_iter()
                .map(|refusal| (refusal, Line::default()))
                .collect(),
            counts: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    /// Counts it, and says it where nothing was said of its kind for a while.
    pub(super) fn note(&self, refusal: Refusal, who: Who<'_>, metrics: &WefMetrics) {
        metrics.refusal(refusal);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(refusal).or_default() += 1;
        drop(counts);
        let line = self.lines.get(&refusal);
        let Some(left_out) = line.and_then(|line| line.due(Instant::now())) else {
            return;
        };
        say(refusal, who, left_out);
    }

    /// Keeps the last connections for whoever asks.
    pub(super) fn keep_connection(
        &self,
        address: IpAddr,
        refusal: Refusal,
        reason: String,
        claim: Option<Claim>,
    ) {
        let now = Timestamp::now();
        let kept = self.connections.lock();
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        let is_alike =
            |known: &RefusedConnection| known.address == address && known.refusal == refusal;
        let name = claim.as_ref().and_then(|claim| claim.name.as_deref());
        let is_same = |known: &RefusedConnection| {
            let known_name = known.claim.as_ref().and_then(|claim| claim.name.as_deref());
            is_alike(known) && known_name == name
        };
        let known = match kept.iter().position(is_same) {
            Some(place) => kept.remove(place),
            None => {
                // Whoever makes up names pushes out its own.
                let alike = kept.iter().filter(|known| is_alike(known)).count();
                let gone = match alike >= REFUSED_NAMES_PER_ADDRESS_MAX {
                    true => kept.iter().position(is_alike),
                    false => (kept.len() >= REFUSED_CONNECTIONS_MAX).then_some(0),
                };
                gone.and_then(|place| kept.remove(place));
                None
            }
        };
        kept.push_back(RefusedConnection {
            address,
            refusal,
            count: known.as_ref().map_or(1, |known| known.count + 1),
            first: known.as_ref().map_or(now, |known| known.first),
            last: now,
            reason,
            claim,
        });
    }

    pub(super) fn connections(&self) -> Vec<RefusedConnection> {
        let kept = self.connections.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    pub(super) fn counts(&self) -> BTreeMap<Refusal, u64> {
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_a_line() {
        let refusals = Refusals::new();
        let names: std::collections::BTreeSet<_> =
            refusals.lines.keys().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
        assert!(Refusal::ALL.is_sorted());
    }

    #[test]
    fn who_makes_up_names_pushes_out_its_own() {
        let refusals = Refusals::new();
        let claim = |name: &str| Claim {
            name: Some(name.to_owned()),
            issuer: None,
        };
        let keep = |address: [u8; 4], name: Option<&str>| {
            let (address, reason) = (address.into(), String::new());
            refusals.keep_connection(address, Refusal::BadCertificate, reason, name.map(claim));
        };
        keep([192, 0, 2, 1], Some("ws1"));
        keep([192, 0, 2, 1], Some("ws1"));
        keep([192, 0, 2, 1], None);
        for number in 0..3 * REFUSED_CONNECTIONS_MAX {
            keep([192, 0, 2, 2], Some(&number.to_string()));
        }
        let kept = refusals.connections();
        assert_eq!(kept.len(), 2 + REFUSED_NAMES_PER_ADDRESS_MAX);
        assert_eq!(
            (kept[0].count, kept[0].claim.clone()),
            (2, Some(claim("ws1")))
        );
        assert_eq!((kept[1].count, kept[1].claim.clone()), (1, None));
        for last in 1..=255 {
            for third in 0..20 {
                keep([192, 1, third, last], None);
            }
        }
        assert_eq!(refusals.connections().len(), REFUSED_CONNECTIONS_MAX);
    }

    #[test]
    fn a_handshake_says_whose_certificate_was_not_liked() {
        let of = |error| Refusal::of_handshake(&std::io::Error::other(error));
        assert_eq!(
            of(rustls::Error::NoCertificatesPresented),
            Refusal::NoCertificate
        );
        assert_eq!(
            of(CertificateError::UnknownIssuer.into()),
            Refusal::BadCertificate
        );
        for (error, refusal) in [
            (CertificateError::InvalidPurpose, Refusal::CertificateUsage),
            (CertificateError::BadEncoding, Refusal::CertificateUnfit),
            (
                CertificateError::UnknownRevocationStatus,
                Refusal::RevocationUnknown,
            ),
        ] {
            assert_eq!(of(error.into()), refusal);
        }
        assert_eq!(
            of(CertificateError::Expired.into()),
            Refusal::CertificateExpired
        );
        assert_eq!(
            of(CertificateError::Revoked.into()),
            Refusal::CertificateRevoked
        );
        assert_eq!(
            of(rustls::Error::AlertReceived(AlertDescription::UnknownCA)),
            Refusal::OwnCertificate
        );
        assert_eq!(
            of(rustls::Error::AlertReceived(
                AlertDescription::ProtocolVersion
            )),
            Refusal::HandshakeFailed
        );
        let gone = std::io::ErrorKind::UnexpectedEof.into();
        assert_eq!(Refusal::of_handshake(&gone), Refusal::HungUp);
    }
}
