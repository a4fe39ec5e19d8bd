//! What is the matter with a machine, in words, and what helps.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use windrow_formats::wef::audience::MachineName;
use windrow_pipeline::sources::wef::{Refusal, RefusedConnection, RefusedRequest, Terms};

use super::near::near;
use crate::output::ago;

/// Names that a sentence lists; the others are counted.
const LISTED: usize = 4;
/// Patterns named that almost match.
const NEAR_MAX: usize = 3;

/// One thing that is the matter, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is expected, and never was anything heard of it.
    NeverEnumerated,
    /// It has asked and not sent yet, which is in order so far.
    JustAsked {
        /// Within this time it has to.
        within: SignedDuration,
    },
    /// Its connections are refused, as it seems by the name they claim or the address they come from.
    Refused(RefusedConnection),
    /// It is heard of, and somebody is refused who claims its name or comes from where it does.
    Claimed(RefusedConnection),
    /// What it sends is refused.
    RequestRefused(RefusedRequest),
    /// No subscription is for it. Why is found out where it is asked for: see [`Finding::spelled_out`].
    NothingForIt {
        /// Subscriptions that take it out again, with the pattern.
        left_out: Vec<(String, String)>,
        /// Patterns that almost match.
        near: Vec<String>,
    },
    /// No subscription is for it, and it was not told so yet.
    NotAskedFor,
    /// It asks for its subscriptions and sends nothing to the address it is told.
    PushUnreachable {
        /// When it last asked.
        asked: Timestamp,
        /// By which name and port it called the collector then.
        called: Option<String>,
    },
    /// It sends for others of its subscriptions, and nothing for these.
    NotTakenUp {
        /// Which.
        subscriptions: Vec<String>,
    },
    /// It says that it may not read channels.
    AccessDenied {
        /// Which.
        channels: Vec<String>,
    },
    /// It says that it does not have channels.
    ChannelAbsent {
        /// Which.
        channels: Vec<String>,
    },
    /// It lives, and of a channel that is never quiet nothing comes.
    NothingRead {
        /// Which.
        channel: String,
        /// Since when.
        silent_for: SignedDuration,
    },
    /// It is late.
    Late {
        /// It was not heard of for so long.
        silent_for: SignedDuration,
        /// And should have been within this time.
        every: SignedDuration,
    },
    /// It is silent.
    Silent {
        /// It was not heard of for so long.
        silent_for: SignedDuration,
        /// And should have been within this time.
        every: SignedDuration,
    },
    /// It has not asked since a subscription was changed.
    RefreshDue {
        /// Which.
        subscriptions: Vec<String>,
        /// When it will, or below zero for how long it should have.
        due_in: SignedDuration,
    },
    /// It ended a subscription.
    Ended {
        /// Which.
        subscription: String,
        /// When.
        at: Timestamp,
    },
    /// It began anew although it was given a bookmark.
    BeganAnew {
        /// In this subscription.
        subscription: String,
        /// So often.
        times: u64,
    },
    /// Events are missing that its logs had.
    Missing {
        /// How many.
        events: u64,
    },
    /// The record ids of a channel began anew.
    LogRestarted {
        /// So often.
        times: u64,
    },
    /// Its events name another computer.
    OtherComputer {
        /// How many.
        events: u64,
        /// Which, for example.
        example: String,
    },
}

/// A finding as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Its name, which stays the same.
    pub code: String,
    /// What is the matter.
    pub words: String,
    /// What helps.
    pub cure: String,
}

impl Finding {
    /// Its name, which stays the same; that of a refusal is the one in the metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Finding::NeverEnumerated => "never_enumerated",
            Finding::JustAsked { .. } => "just_asked",
            Finding::Refused(refused) => refused.refusal.name(),
            Finding::Claimed(_) => "claimed",
            Finding::RequestRefused(refused) => refused.refusal.name(),
            Finding::NothingForIt { .. } => "no_subscription",
            Finding::NotAskedFor => "not_asked_for",
            Finding::PushUnreachable { .. } => "push_address_unreachable",
            Finding::NotTakenUp { .. } => "not_taken_up",
            Finding::AccessDenied { .. } => "access_denied",
            Finding::ChannelAbsent { .. } => "channel_absent",
            Finding::NothingRead { .. } => "nothing_read",
            Finding::Late { .. } => "late",
            Finding::Silent { .. } => "silent",
            Finding::RefreshDue { .. } => "refresh_due",
            Finding::Ended { .. } => "ended",
            Finding::BeganAnew { .. } => "began_anew",
            Finding::Missing { .. } => "events_missing",
            Finding::LogRestarted { .. } => "log_restarted",
            Finding::OtherComputer { .. } => "other_computer",
        }
    }

    /// The same with what is dear to find out: every pattern of every subscription is compared with the name.
    #[must_use]
    pub fn spelled_out(&self, machine: &MachineName, terms: &Terms) -> Finding {
        let Finding::NothingForIt { .. } = self else {
            return self.clone();
        };
        let asked = terms.asked.iter();
        let left_out = asked.clone().filter_map(|asked| {
            let pattern = asked.audience.excluding(machine)?;
            Some((asked.name.clone(), pattern.to_owned()))
        });
        let patterns = asked.flat_map(|asked| asked.audience.patterns());
        let near = near(machine, patterns, NEAR_MAX).into_iter();
        Finding::NothingForIt {
            left_out: left_out.take(LISTED).collect(),
            near: near.map(str::to_owned).collect(),
        }
    }

    /// As it is told, by what the collector tells its machines.
    #[must_use]
    pub fn told(&self, terms: &Terms, now: Timestamp) -> Reason {
        Reason {
            code: self.code().to_owned(),
            words: self.words(terms, now),
            cure: self.cure(terms),
        }
    }

    fn words(&self, terms: &Terms, now: Timestamp) -> String {
        let since = |at: Timestamp| span(now.duration_since(at));
        match self {
            Finding::NeverEnumerated => {
                "it is expected and has never asked for its subscriptions".to_owned()
            }
            Finding::JustAsked { within } => format!(
                "it has asked for its subscriptions; the first of it comes within {}",
                span(*within)
            ),
            Finding::Refused(refused) => unproven(refused, now),
            Finding::RequestRefused(refused) => {
                let (times, ago) = (times(refused.in_a_row), since(refused.at));
                format!(
                    "what it sends is refused, {times}, last {ago} ago: {}",
                    refused.reason
                )
            }
            Finding::NothingForIt { left_out, near } => nothing(left_out, near),
            Finding::PushUnreachable { asked, called } => {
                let asked = since(*asked);
                let told = &terms.authority;
                let called = match called {
                    Some(called) if !called.eq_ignore_ascii_case(told) => {
                        format!(" at {called}")
                    }
                    _ => String::new(),
                };
                format!(
                    "it asked for its subscriptions{called} {asked} ago, and nothing comes to the address it was told, {told}"
                )
            }
            Finding::AccessDenied { channels } => {
                format!("it may not read {}", listed(channels))
            }
            Finding::ChannelAbsent { channels } => {
                format!("it does not have {}", listed(channels))
            }
            Finding::NothingRead {
                channel,
                silent_for,
            } => {
                let ago = span(*silent_for);
                format!(
                    "it lives, and for {ago} nothing came of {channel}, which is all asked for: most likely it may not read it"
                )
            }
            Finding::Late { silent_for, every } | Finding::Silent { silent_for, every } => format!(
                "nothing was heard of it for {}, and it should be heard of every {}",
                span(*silent_for),
                span(*every)
            ),
            other => other.words_of_note(now),
        }
    }

    /// Of what is known beside.
    fn words_of_note(&self, now: Timestamp) -> String {
        let since = |at: Timestamp| span(now.duration_since(at));
        match self {
            Finding::Claimed(refused) => unproven(refused, now),
            Finding::NotAskedFor => {
                "no subscription is for it; it hears of that when it asks next".to_owned()
            }
            Finding::NotTakenUp { subscriptions } => format!(
                "it does not take up {}: nothing came for it since it was offered, and for others it does",
                listed(subscriptions)
            ),
            Finding::RefreshDue {
                subscriptions,
                due_in,
            } => refresh(subscriptions, *due_in),
            Finding::Ended { subscription, at } => format!(
                "it ended {subscription} {} ago: its policy changed, or it went down",
                since(*at)
            ),
            Finding::BeganAnew {
                subscription,
                times,
            } => format!(
                "it began anew with {subscription} although a bookmark was stored for it, {}: events in between may be missing",
                self::times(*times)
            ),
            Finding::Missing { events } => {
                format!(
                    "{events} events that its logs had never came: their record ids were left out"
                )
            }
            Finding::LogRestarted { times } => format!(
                "the record ids of a channel began anew, {}: the log was cleared, or the machine rebuilt",
                self::times(*times)
            ),
            Finding::OtherComputer { events, example } => {
                format!("{events} of its events name another computer, for example {example}")
            }
            _ => String::new(),
        }
    }

    fn cure(&self, terms: &Terms) -> String {
        let text = match self {
            Finding::Refused(refused) => return cure_of_connection(refused, terms),
            Finding::RequestRefused(refused) => return cure_of_request(refused, terms),
            Finding::NotAskedFor => {
                "nothing, if that is meant: `windrow sources forget` takes it from the list once it is silent; else name it in machines or machine_groups of a subscription"
            }
            Finding::Claimed(_) => {
                "see who is at that address; nothing of what it claims is proven, and the machine itself is heard of"
            }
            Finding::NeverEnumerated => {
                "on the machine: does the group policy say this collector (gpresult /r; event 104 or 105 in Eventlog-ForwardingPlugin/Operational), does the service WinRM run, does its name resolve and its port answer (Test-NetConnection)?"
            }
            Finding::JustAsked { .. } => "nothing: wait",
            Finding::NothingForIt { .. } => {
                "name it in machines or machine_groups of a subscription, or take it out of except_machines; it hears of it when it asks next"
            }
            Finding::PushUnreachable { .. } => {
                "from the machine, the name and port it was told have to resolve and answer (Test-NetConnection); hostname of the listener says which they are. Where they do, event 102 in Eventlog-ForwardingPlugin/Operational says that it refuses the subscription: its query, or with channel_errors = \"refuse\" a channel that it lacks"
            }
            Finding::NotTakenUp { .. } => {
                "on the machine, event 102 in Eventlog-ForwardingPlugin/Operational has the error: 15001 is a query that it does not take (`windrow subscription show` checks it), 15007 or 5 a channel that it lacks or may not read, with channel_errors = \"refuse\""
            }
            Finding::AccessDenied { .. } | Finding::NothingRead { .. } => {
                "NETWORK SERVICE has to be in Event Log Readers of the machine, which counts after it was restarted, or in the channel's access (wevtutil gl CHANNEL)"
            }
            Finding::ChannelAbsent { .. } => {
                "nothing, where the machine does not have what writes it; else see the spelling in the query, and that the channel is on (wevtutil gl CHANNEL)"
            }
            Finding::Late { .. } => "nothing yet: a batch may be under way, or the network slow",
            Finding::Silent { .. } => {
                "is it on, and in the network? On it, see event 105 in Eventlog-ForwardingPlugin/Operational and the service WinRM"
            }
            Finding::RefreshDue { due_in, .. } if !due_in.is_negative() => {
                "nothing: wait, or gpupdate /force on the machine"
            }
            Finding::RefreshDue { .. } => {
                "gpupdate /force on the machine; see Refresh in its policy's Server= line, and the service WinRM"
            }
            Finding::Ended { .. } => "nothing, if it went down; else see its group policy",
            Finding::BeganAnew { .. } => {
                "compare the machine's log with what came (event 20 has the time); where its log is still whole, read_existing of a new subscription fetches it"
            }
            Finding::Missing { .. } => {
                "make the log larger (wevtutil sl CHANNEL /ms:BYTES): it was overwritten before it was sent"
            }
            Finding::LogRestarted { .. } => {
                "who cleared it is in event 1102 of Security or 104 of System; for a rebuilt machine nothing"
            }
            Finding::OtherComputer { .. } => {
                "see whether it was renamed, forwards events of others, or shares its certificate with another machine"
            }
        };
        text.to_owned()
    }
}

/// Connections that are nobody's, as they are told.
pub(super) fn told_of_stranger(
    refused: &RefusedConnection,
    terms: &Terms,
    now: Timestamp,
) -> Reason {
    Reason {
        code: refused.refusal.name().to_owned(),
        words: connection(refused, now),
        cure: cure_of_connection(refused, terms),
    }
}

fn connection(refused: &RefusedConnection, now: Timestamp) -> String {
    let (count, ago) = (times(refused.count), span(now.duration_since(refused.last)));
    let issuer = refused
        .claim
        .as_ref()
        .and_then(|claim| claim.issuer.as_ref());
    let why = match (refused.refusal, issuer) {
        (Refusal::BadCertificate, Some(issuer)) => format!(
            "it shows a certificate of {issuer}, and no authority in client_ca has signed it ({})",
            refused.reason
        ),
        (Refusal::CertificateUsage, _) => format!(
            "its certificate is not made for clients: it lacks the usage Client Authentication ({})",
            refused.reason
        ),
        (Refusal::HungUp, _) => "it hangs up before it has shown a certificate".to_owned(),
        _ => refused.reason.clone(),
    };
    format!("refused {count}, last {ago} ago: {why}")
}

/// Of a machine: whoever it is, the name is no more than what it says, and the address no more than a hint.
fn unproven(refused: &RefusedConnection, now: Timestamp) -> String {
    let (address, connection) = (refused.address, connection(refused, now));
    let name = (refused.claim.as_ref()).and_then(|claim| claim.name.as_ref());
    match name {
        Some(name) => format!(
            "somebody at {address} who says it is {name}, which nothing proves, is {connection}"
        ),
        None => format!(
            "somebody at its last address, {address}, which proves nothing, is {connection}"
        ),
    }
}

fn cure_of_request(refused: &RefusedRequest, terms: &Terms) -> String {
    let folder = terms.journal.display();
    match refused.refusal {
        Refusal::DiskFull => format!(
            "make room on the disk of {folder}; machines keep what was refused, and send it again"
        ),
        Refusal::NotStored => format!("see the disk of {folder}"),
        refusal => refusal.cure().to_owned(),
    }
}

fn cure_of_connection(refused: &RefusedConnection, terms: &Terms) -> String {
    let cure = refused.refusal.cure();
    if terms.issuer_thumbprints.is_empty() {
        return cure.to_owned();
    }
    let thumbprints = terms.issuer_thumbprints.iter().take(LISTED);
    let thumbprints: Vec<&str> = thumbprints.map(String::as_str).collect();
    let thumbprints = thumbprints.join(" or ");
    match refused.refusal {
        Refusal::NoCertificate | Refusal::HungUp => {
            format!("{cure}; for a machine: IssuerCA= in its policy has to be {thumbprints}")
        }
        Refusal::BadCertificate => format!(
            "issue it a certificate of the authority {thumbprints}; if that is the machine and its authority is to be trusted, add that to client_ca and reload"
        ),
        _ => cure.to_owned(),
    }
}

fn nothing(left_out: &[(String, String)], near: &[String]) -> String {
    let mut words = "it asks, and no subscription is for it".to_owned();
    let left_out = left_out.iter().take(LISTED);
    let left_out: Vec<String> = left_out
        .map(|(subscription, pattern)| format!("{subscription} leaves it out by {pattern}"))
        .collect();
    if !left_out.is_empty() {
        words.push_str(": ");
        words.push_str(&left_out.join(", "));
    }
    if !near.is_empty() {
        words.push_str("; almost matching: ");
        words.push_str(&listed(near));
    }
    words
}

fn refresh(subscriptions: &[String], due_in: SignedDuration) -> String {
    let (names, time) = (listed(subscriptions), span(due_in.abs()));
    match due_in.is_negative() {
        false => {
            format!("it has not asked since {names} was changed; it asks next in about {time}")
        }
        true => format!("it has not asked since {names} was changed, and should have {time} ago"),
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn span(span: SignedDuration) -> String {
    ago(span.as_secs())
}
