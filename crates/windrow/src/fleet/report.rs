//! What is told of the machines: the answer to `GET /v1/sources`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windrow_formats::identity::canonical_source;
use windrow_formats::wef::audience::{MachineName, Pattern};
use windrow_formats::wef::query::bookmarked_places;
use windrow_pipeline::sources::wef::{Asked, ChannelProgress, Counts, SourceStatus};

use super::ask::{Ask, LIMIT_MAX, USUAL_LIMIT};
use super::finding::{Finding, Reason, told_of_stranger};
use super::survey::{Judged, Survey};

/// Machines of an answer of which it is found out why no subscription is for them; the others are told without.
const SPELLED_OUT_MAX: usize = 100;
/// Connections of nobody's that an answer has.
const STRANGERS_MAX: usize = 500;

/// How a machine is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It tries and does not come through, or what it is asked for does not come.
    Failing,
    /// It is expected, and nothing was ever heard of it.
    Never,
    /// Nothing was heard of it for a long time.
    Silent,
    /// It should have been heard of by now.
    Late,
    /// It is well.
    Alive,
}

impl Verdict {
    /// All of them, worst first.
    pub const ALL: [Verdict; 5] = [
        Verdict::Failing,
        Verdict::Never,
        Verdict::Silent,
        Verdict::Late,
        Verdict::Alive,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Failing => "failing",
            Verdict::Never => "never",
            Verdict::Silent => "silent",
            Verdict::Late => "late",
            Verdict::Alive => "alive",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many machines there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// [`Verdict::Failing`].
    pub failing: u64,
    /// [`Verdict::Never`].
    pub never: u64,
    /// [`Verdict::Silent`].
    pub silent: u64,
    /// [`Verdict::Late`].
    pub late: u64,
    /// [`Verdict::Alive`].
    pub alive: u64,
}

impl Totals {
    /// The number of one verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Failing => self.failing,
            Verdict::Never => self.never,
            Verdict::Silent => self.silent,
            Verdict::Late => self.late,
            Verdict::Alive => self.alive,
        }
    }

    /// All of them.
    #[must_use]
    pub fn machines(&self) -> u64 {
        Verdict::ALL
            .into_iter()
            .map(|verdict| self.of(verdict))
            .sum()
    }

    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Failing => &mut self.failing,
            Verdict::Never => &mut self.never,
            Verdict::Silent => &mut self.silent,
            Verdict::Late => &mut self.late,
            Verdict::Alive => &mut self.alive,
        } += 1;
    }
}

/// The whole answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// When this was so.
    pub now: Timestamp,
    /// Since when the service listens; none when none runs, and then no verdict is given.
    pub started_at: Option<Timestamp>,
    /// All machines, whatever was asked for.
    pub totals: Totals,
    /// How many machines are as was asked for.
    pub found: u64,
    /// How many of these come before the first one here.
    pub offset: u64,
    /// The machines, worst first, then by name.
    pub machines: Vec<Machine>,
    /// Connections that were refused and are none of these machines', as far as is known; last ones first.
    pub strangers: Vec<Stranger>,
}

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its authenticated name, or the one it is expected by.
    pub name: String,
    /// How it is; none when no service runs.
    pub verdict: Option<Verdict>,
    /// Why, and what helps.
    pub reason: Option<Reason>,
    /// Whether it is in `[fleet]`.
    pub expected: bool,
    /// The listener that it spoke to last, as `wef.main`.
    pub listener: Option<String>,
    /// Where from.
    pub address: Option<String>,
    /// When it last asked for its subscriptions.
    pub last_enumerate: Option<Timestamp>,
    /// When it last said that it lives.
    pub last_heartbeat: Option<Timestamp>,
    /// When its last events came.
    pub last_event: Option<Timestamp>,
    /// Events since the start.
    pub events: u64,
    /// Events a second, of late.
    pub events_per_second: f64,
    /// The subscriptions it was offered last.
    pub subscriptions: Vec<String>,
    /// Those that are for it and that it was not offered as they are now.
    #[serde(default)]
    pub behind: Vec<String>,
    /// Events that its logs had and that never came, where that can be told.
    pub missing: u64,
    /// More of it, where one machine was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<Detail>>,
}

impl Machine {
    /// When it was last heard of.
    #[must_use]
    pub fn last_heard(&self) -> Option<Timestamp> {
        self.last_enumerate
            .max(self.last_heartbeat)
            .max(self.last_event)
    }
}

/// More of a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// What else is worth knowing.
    pub notes: Vec<Reason>,
    /// What it calls itself; a claim.
    pub machine_id: Option<String>,
    /// What it called the collector when it last asked.
    pub called: Option<String>,
    /// Where it was told to send to.
    pub told: Option<String>,
    /// Every how many seconds it asks for subscriptions, as far as that is learnt.
    pub asks_every_seconds: Option<u64>,
    /// Its requests that were refused since the start.
    pub refused_requests: u64,
    /// Its subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Its connections that were refused, as it seems.
    pub refused: Vec<Stranger>,
}

/// A machine's subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// The revision that it was offered last; none when it has not asked since the start. As `windrow
    /// subscription list` has it.
    #[serde(default)]
    pub revision: Option<String>,
    /// The revision that is offered now.
    #[serde(default)]
    pub newest: String,
    /// The version that it was offered last, as the machine itself has it: it depends also on how the machine
    /// proves who it is, and on what is held back from it.
    pub version: Option<String>,
    /// Since when it is offered that.
    pub offered_since: Option<Timestamp>,
    /// When it last sent something for it since it was offered that version: it has taken it up.
    pub taken_up: Option<Timestamp>,
    /// When it ended it.
    pub ended: Option<Timestamp>,
    /// Deliveries since the start.
    pub batches: u64,
    /// Events since the start.
    pub events: u64,
    /// Events that had come before and were left out.
    pub duplicates: u64,
    /// Events that the machine says it dropped.
    pub dropped_by_source: u64,
    /// How often it began anew although a bookmark was stored.
    pub began_anew: u64,
    /// When that was last.
    pub last_began_anew: Option<Timestamp>,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// A channel of a machine's subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// The record id in the bookmark that it goes on from.
    pub bookmark: Option<u64>,
    /// Events since the start.
    pub events: u64,
    /// When the last one came.
    pub last_event: Option<Timestamp>,
    /// Whether everything of it is asked for: only then can be told what is missing.
    pub whole: bool,
    /// Events that the log had and that never came.
    pub missing: u64,
    /// How often some were missing.
    pub gaps: u64,
    /// When that was seen last.
    pub last_gap: Option<Timestamp>,
    /// How often its record ids began anew.
    pub restarts: u64,
    /// When that was seen last.
    pub last_restart: Option<Timestamp>,
    /// What the machine said of it last: a code of Win32, 0 is well.
    pub code: Option<u32>,
}

/// Connections that were refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stranger {
    /// Where they came from.
    pub address: String,
    /// The name they claim; nothing of it is proven.
    pub claims: Option<String>,
    /// The authority of the certificate they showed.
    pub issuer: Option<String>,
    /// The listener.
    pub listener: String,
    /// Why, and what helps.
    pub reason: Reason,
    /// Whether it stays so until somebody mends something, and is no probe of a port.
    #[serde(default)]
    pub lasting: bool,
    /// How many there were.
    pub count: u64,
    /// When the first came.
    pub first: Timestamp,
    /// When the last came.
    pub last: Timestamp,
}

/// Where a machine goes on: listener, machine, subscription.
pub(crate) type Bookmarks<'a> = &'a dyn Fn(&str, &str, Uuid) -> Option<String>;

impl Survey {
    /// How many machines there are of each verdict.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for machine in &self.all().machines {
            totals.count(machine.judgement.verdict);
        }
        totals
    }

    /// Answers what is asked for.
    #[must_use]
    pub(crate) fn report(&self, ask: &Ask, bookmarks: Bookmarks<'_>) -> Report {
        let all = self.all();
        let mut totals = Totals::default();
        for machine in &all.machines {
            totals.count(machine.judgement.verdict);
        }
        let wanted = Wanted::of(ask.machine.as_deref());
        let names = all.machines.iter().map(|one| one.name);
        let exact = exactly(ask.machine.as_deref(), names);
        let mut found: Vec<&Judged<'_>> = (all.machines.iter())
            .filter(|one| exact.is_none_or(|name| name == one.name))
            .filter(|one| ask.verdicts.is_empty() || ask.verdicts.contains(&one.judgement.verdict))
            .filter(|one| wanted.is(one))
            .collect();
        found.sort_by_key(|one| (one.judgement.verdict, one.name));
        let limit = ask.limit.unwrap_or(USUAL_LIMIT).min(LIMIT_MAX);
        let closely = matches!(wanted, Wanted::Name(_)) && found.len() == 1;
        let page = found.iter().skip(ask.offset).take(limit);
        let mut spelled_out = 0;
        let machines = page.map(|one| {
            let is_dear = matches!(one.judgement.finding, Some(Finding::NothingForIt { .. }));
            let dear = one
                .machine
                .as_ref()
                .filter(|_| is_dear && spelled_out < SPELLED_OUT_MAX);
            spelled_out += usize::from(dear.is_some());
            let detail = closely.then(|| Box::new(self.detail(one, bookmarks)));
            let terms = &one.listener.terms;
            let finding = one.judgement.finding.as_ref();
            let finding = finding.map(|finding| match dear {
                Some(machine) => finding.spelled_out(machine, terms),
                None => finding.clone(),
            });
            let reason = finding.map(|finding| finding.told(terms, self.world.now));
            self.machine(one, reason, detail)
        });
        Report {
            now: self.world.now,
            started_at: Some(self.world.started_at),
            totals,
            found: found.len() as u64,
            offset: ask.offset as u64,
            machines: machines.collect(),
            strangers: match ask.verdicts.is_empty() || ask.verdicts.contains(&Verdict::Failing) {
                true => self.strangers(&all.strangers, &wanted),
                false => Vec::new(),
            },
        }
    }

    fn strangers(
        &self,
        strangers: &[(
            &super::Listener,
            &windrow_pipeline::sources::wef::RefusedConnection,
        )],
        wanted: &Wanted,
    ) -> Vec<Stranger> {
        let mut wanted: Vec<_> = (strangers.iter())
            .filter(|(_, refused)| {
                let claim = refused.claim.as_ref();
                wanted.is_claimed(claim.and_then(|claim| claim.name.as_deref()))
            })
            .collect();
        wanted.sort_by_key(|(_, refused)| std::cmp::Reverse(refused.last));
        let told = wanted.into_iter().take(STRANGERS_MAX);
        told.map(|(listener, refused)| self.stranger(listener, refused))
            .collect()
    }

    fn stranger(
        &self,
        listener: &super::Listener,
        refused: &windrow_pipeline::sources::wef::RefusedConnection,
    ) -> Stranger {
        let claim = refused.claim.as_ref();
        Stranger {
            address: refused.address.to_string(),
            claims: claim.and_then(|claim| claim.name.clone()),
            issuer: claim.and_then(|claim| claim.issuer.clone()),
            listener: listener.name.clone(),
            reason: told_of_stranger(refused, &listener.terms, self.world.now),
            lasting: refused.refusal.is_lasting(),
            count: refused.count,
            first: refused.first,
            last: refused.last,
        }
    }

    fn machine(
        &self,
        one: &Judged<'_>,
        reason: Option<Reason>,
        detail: Option<Box<Detail>>,
    ) -> Machine {
        let now = self.world.now;
        let status = one.status;
        let offered = status.and_then(|status| status.offered.as_ref());
        Machine {
            name: one.name.to_owned(),
            verdict: Some(one.judgement.verdict),
            reason,
            expected: one.is_expected,
            listener: status.map(|_| one.listener.name.clone()),
            address: status
                .and_then(|status| status.address)
                .map(|address| address.to_string()),
            last_enumerate: status.and_then(|status| status.last_enumerate),
            last_heartbeat: status.and_then(|status| status.last_heartbeat),
            last_event: status.and_then(|status| status.last_events),
            events: counted(status, |counts| counts.events),
            events_per_second: status.map_or(0.0, |status| status.rate.per_second(now)),
            subscriptions: offered
                .map_or_else(Vec::new, |offered| offered.keys().cloned().collect()),
            behind: behind(one),
            missing: counted(status, |counts| counts.missing),
            detail,
        }
    }

    fn detail(&self, one: &Judged<'_>, bookmarks: Bookmarks<'_>) -> Detail {
        let (now, terms) = (self.world.now, &one.listener.terms);
        let notes = one.judgement.notes.iter();
        let asked = terms.asked.iter();
        let subscriptions = one.status.map_or_else(Vec::new, |status| {
            let known = |asked: &&Asked| {
                let offered = status.offered.as_ref();
                offered.is_some_and(|offered| offered.contains_key(&asked.name))
                    || status.subscriptions.contains_key(&asked.name)
                    || status.channels.contains_key(&asked.name)
            };
            let known = asked.filter(known);
            known
                .map(|asked| {
                    let bookmark = bookmarks(&one.listener.name, &status.source, asked.id);
                    subscription(status, asked, bookmark.as_deref())
                })
                .collect()
        });
        let refused = one.refused.iter();
        Detail {
            notes: notes.map(|note| note.told(terms, now)).collect(),
            machine_id: one.status.and_then(|status| status.machine_id.clone()),
            called: one.status.and_then(|status| status.called.clone()),
            told: one.status.map(|_| terms.authority.clone()),
            asks_every_seconds: (one.status)
                .and_then(|status| status.rhythm.every)
                .and_then(|every| u64::try_from(every.as_secs()).ok()),
            refused_requests: one.status.map_or(0, |status| status.refusals),
            subscriptions,
            refused: refused
                .map(|refused| self.stranger(one.listener, refused))
                .collect(),
        }
    }
}

/// The subscriptions that are for a machine and that it was not offered as they are.
fn behind(one: &Judged<'_>) -> Vec<String> {
    let offered = one.status.and_then(|status| status.offered.as_ref());
    let (Some(offered), Some(machine)) = (offered, &one.machine) else {
        return Vec::new();
    };
    let asked = one.listener.terms.asked.iter();
    let mine = asked.filter(|asked| asked.audience.matches(machine));
    let has = |asked: &&Asked| {
        let offered = offered.get(&asked.name);
        offered.is_some_and(|offered| offered.revision == asked.revision)
    };
    mine.filter(|asked| !has(asked))
        .map(|asked| asked.name.clone())
        .collect()
}

fn counted(status: Option<&SourceStatus>, of: fn(&Counts) -> u64) -> u64 {
    status.map_or(0, |status| status.subscriptions.values().map(of).sum())
}

fn subscription(status: &SourceStatus, asked: &Asked, bookmark: Option<&str>) -> Subscription {
    let offered = status
        .offered
        .as_ref()
        .and_then(|offered| offered.get(&asked.name));
    let counts = status
        .subscriptions
        .get(&asked.name)
        .copied()
        .unwrap_or_default();
    let since = offered.map(|offered| offered.since);
    Subscription {
        name: asked.name.clone(),
        revision: offered.map(|offered| offered.revision.clone()),
        newest: asked.revision.clone(),
        version: offered.map(|offered| offered.version.clone()),
        offered_since: since,
        taken_up: status.taken_up(&asked.name),
        ended: counts.ended,
        batches: counts.batches,
        events: counts.events,
        duplicates: counts.duplicates,
        dropped_by_source: counts.dropped_by_source,
        began_anew: counts.unexpected_bookmark_events,
        last_began_anew: counts.last_unexpected_bookmark_event,
        channels: channels(status, asked, bookmark),
    }
}

/// Every channel that is asked for, that has come, or that the bookmark has.
fn channels(status: &SourceStatus, asked: &Asked, bookmark: Option<&str>) -> Vec<Channel> {
    let places = bookmark.and_then(bookmarked_places).unwrap_or_default();
    let progress = status.channels.get(&asked.name);
    let progress = || progress.into_iter().flat_map(|channels| channels.iter());
    let mut names: Vec<&str> = asked.channels.iter().map(String::as_str).collect();
    let others = places.iter().map(|(name, _)| name.as_str());
    for name in others.chain(progress().map(|one| &*one.channel)) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    let channel = |name: &str| {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        let come: Option<&ChannelProgress> = progress().find(|one| is(&one.channel));
        let said = status
            .channel_status
            .iter()
            .find(|(channel, _)| is(channel));
        Channel {
            name: name.to_owned(),
            bookmark: places
                .iter()
                .find(|(channel, _)| is(channel))
                .and_then(|(_, id)| *id),
            events: come.map_or(0, |come| come.events),
            last_event: come.and_then(|come| come.last_event),
            whole: asked.whole_channels.iter().any(|channel| is(channel)),
            missing: come.map_or(0, |come| come.missing),
            gaps: come.map_or(0, |come| come.gaps),
            last_gap: come.and_then(|come| come.last_gap),
            restarts: come.map_or(0, |come| come.restarts),
            last_restart: come.and_then(|come| come.last_restart),
            code: said.map(|(_, (code, _))| *code),
        }
    };
    names.into_iter().map(channel).collect()
}

/// Who has the whole name that is asked for: that one is meant, and not others who are called so for short.
pub(super) fn exactly<'a>(
    asked: Option<&str>,
    mut names: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let asked = canonical_source(asked?);
    names.find(|name| canonical_source(name) == asked)
}

/// Which machines are asked for.
#[derive(Debug)]
enum Wanted {
    All,
    /// In any of its forms: whole, account, what people call it.
    Name(Pattern),
    Like(Pattern),
    Nobody,
}

impl Wanted {
    fn of(text: Option<&str>) -> Wanted {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Wanted::All;
        };
        match Pattern::compile(text).ok() {
            None => Wanted::Nobody,
            Some(pattern) if text.contains(['*', '?']) => Wanted::Like(pattern),
            Some(pattern) => Wanted::Name(pattern),
        }
    }

    fn is(&self, one: &Judged<'_>) -> bool {
        let matches = |pattern: &Pattern| {
            one.machine
                .as_ref()
                .is_some_and(|name| pattern.matches(name))
        };
        match self {
            Wanted::All => true,
            Wanted::Name(pattern) | Wanted::Like(pattern) => matches(pattern),
            Wanted::Nobody => false,
        }
    }

    /// Whether somebody who claims this name, or none, may be meant.
    fn is_claimed(&self, name: Option<&str>) -> bool {
        match (self, name.map(MachineName::of_listed)) {
            (Wanted::All, _) => true,
            (Wanted::Name(pattern) | Wanted::Like(pattern), Some(Ok(name))) => {
                pattern.matches(&name)
            }
            _ => false,
        }
    }
}
