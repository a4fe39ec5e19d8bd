//! The verdict on one machine: a function of what is known of it, of what is asked of it, and of a moment.

use jiff::{SignedDuration, Timestamp};
use windrow_formats::wef::audience::MachineName;
use windrow_formats::wef::channel_status::{ACCESS_DENIED, CHANNEL_NOT_FOUND};
use windrow_pipeline::sources::wef::{
    Asked, Offered, Refusal, RefusedConnection, RefusedRequest, SourceStatus, Terms, USUAL_REFRESH,
};

use super::finding::Finding;
use super::pace::{Pace, SLACK};
use super::report::Verdict;

/// So often in a row, what passes by itself has not passed.
const IN_A_ROW: u64 = 3;
/// Of all of Security something comes within this time, on any machine that is on and audits anything,
/// unless its batches are allowed to wait longer.
const SECURITY_SPEAKS: SignedDuration = SignedDuration::from_hours(6);

/// What holds for all machines at a moment.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// The moment.
    pub now: Timestamp,
    /// Since when there is somebody to be heard by.
    pub started_at: Timestamp,
    /// How often machines ask, where the configuration says it.
    pub refresh: Option<SignedDuration>,
}

/// A machine.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name; none for what cannot be one.
    pub machine: Option<&'a MachineName>,
    /// What is known of it; none where nothing was ever heard.
    pub status: Option<&'a SourceStatus>,
    /// What the collector tells it.
    pub terms: &'a Terms,
    /// Connections that were refused and seem to be its.
    pub refused: &'a [&'a RefusedConnection],
}

/// What is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// In a word.
    pub verdict: Verdict,
    /// Why; none for a machine that is well and in nothing special.
    pub finding: Option<Finding>,
    /// What else is worth knowing.
    pub notes: Vec<Finding>,
}

impl Judgement {
    fn new(verdict: Verdict, finding: Finding) -> Judgement {
        Judgement {
            verdict,
            finding: Some(finding),
            notes: Vec::new(),
        }
    }
}

/// Judges a machine.
#[must_use]
pub fn judge(subject: Subject<'_>, world: World) -> Judgement {
    let heard = subject.status.filter(|status| status.last_seen().is_some());
    let Some(status) = heard else {
        return unheard(subject);
    };
    let is_for_it = |asked: &&Asked| {
        let machine = subject.machine;
        machine.is_none_or(|name| asked.audience.matches(name))
    };
    let mine: Vec<&Asked> = subject.terms.asked.iter().filter(is_for_it).collect();
    let case = Case {
        subject,
        status,
        world,
        told: told(subject.terms, status, &mine),
        mine,
    };
    let mut judgement = case.judge();
    judgement.notes = case.notes(judgement.finding.as_ref());
    judgement
}

/// The subscriptions that a machine knows of: those that it was offered when it last asked. Of one that has
/// not asked since the start that is not known: most likely those that were there before and are for it, or
/// were until they were changed.
fn told<'a>(terms: &'a Terms, status: &SourceStatus, mine: &[&'a Asked]) -> Vec<&'a Asked> {
    if let Some(offered) = &status.offered {
        let asked = terms.asked.iter();
        return asked
            .filter(|asked| offered.contains_key(&asked.name))
            .collect();
    }
    let last = status.last_seen();
    let is_mine = |asked: &Asked| mine.iter().any(|one| one.name == asked.name);
    let asked = terms.asked.iter().filter(|asked| asked.added <= last);
    let before: Vec<&Asked> = asked
        .filter(|asked| is_mine(asked) || asked.changed > last)
        .collect();
    match before.is_empty() {
        true => mine.to_vec(),
        false => before,
    }
}

/// Of a machine that was never heard of there are at most requests that were refused, all of them, and connections
/// that claim its name.
fn unheard(subject: Subject<'_>) -> Judgement {
    let request = (subject.status).and_then(|status| status.last_refusal.as_ref());
    let request = request.filter(|refused| stays(refused, None));
    let refused = newest(subject.refused.iter().copied());
    let is_later = |refused: &RefusedConnection| {
        request.is_none_or(|request| refused.refusal.is_lasting() && refused.last > request.at)
    };
    match (refused.filter(|refused| is_later(refused)), request) {
        (Some(refused), _) => Judgement::new(Verdict::Failing, Finding::Refused(refused.clone())),
        (None, Some(request)) => {
            Judgement::new(Verdict::Failing, Finding::RequestRefused(request.clone()))
        }
        (None, None) => Judgement::new(Verdict::Never, Finding::NeverEnumerated),
    }
}

/// Whether a refusal is more than what passes by itself. A stray request at another path says nothing of a machine that
/// has found the right one.
fn stays(refused: &RefusedRequest, asked: Option<Timestamp>) -> bool {
    let is_stray = refused.refusal == Refusal::WrongPath && asked.is_some();
    (refused.refusal.is_lasting() && !is_stray) || refused.in_a_row >= IN_A_ROW
}

fn newest<'a>(
    refused: impl Iterator<Item = &'a RefusedConnection>,
) -> Option<&'a RefusedConnection> {
    // What has to be cured before what passes.
    refused.max_by_key(|refused| (refused.refusal.is_lasting(), refused.last))
}

/// A machine that was heard of.
struct Case<'a> {
    subject: Subject<'a>,
    status: &'a SourceStatus,
    world: World,
    /// The subscriptions that are for it.
    mine: Vec<&'a Asked>,
    /// Those that it knows of: by these it is judged.
    told: Vec<&'a Asked>,
}

impl Case<'_> {
    fn judge(&self) -> Judgement {
        let pace = self.pace();
        let silent_for = self.silent_for();
        let every = pace.every;
        // What a connection claims is not proven. It says nothing of a machine that is heard of in time.
        let is_missed = silent_for > pace.late();
        let failing = (is_missed.then(|| self.refused_since()).flatten())
            .or_else(|| self.tries_in_vain(pace))
            .or_else(|| self.nothing_for_it())
            .or_else(|| self.only_asks(pace));
        if let Some(finding) = failing {
            return Judgement::new(Verdict::Failing, finding);
        }
        if silent_for > pace.silent() {
            let finding = self
                .explained()
                .unwrap_or(Finding::Silent { silent_for, every });
            return Judgement::new(Verdict::Silent, finding);
        }
        if is_missed {
            let finding = self
                .explained()
                .unwrap_or(Finding::Late { silent_for, every });
            return Judgement::new(Verdict::Late, finding);
        }
        let failing = (self.push_unreachable(pace))
            .or_else(|| self.denied())
            .or_else(|| self.nothing_read());
        match failing {
            Some(finding) => Judgement::new(Verdict::Failing, finding),
            None => Judgement {
                verdict: Verdict::Alive,
                finding: self.just_asked(pace).or_else(|| self.not_taken_up()),
                notes: Vec::new(),
            },
        }
    }

    fn pace(&self) -> Pace {
        // What it was told stays what it keeps to, whatever became of that since.
        if let Some(offered) = &self.status.offered {
            return Pace::of(offered.values());
        }
        let pace = Pace::of(self.told.iter().copied());
        let asked = self.status.last_enumerate;
        match self.told.iter().any(|told| told.timed > asked) {
            true => pace.unsure(),
            false => pace,
        }
    }

    /// For how long nothing was heard of it by somebody who listened.
    fn silent_for(&self) -> SignedDuration {
        let last = self.status.last_seen().unwrap_or(self.world.started_at);
        self.world
            .now
            .duration_since(last.max(self.world.started_at))
    }

    /// A connection that was refused after it was last heard of, for a reason that stays.
    fn refused_since(&self) -> Option<Finding> {
        let refused = self.lasting_since()?;
        Some(Finding::Refused(refused.clone()))
    }

    fn lasting_since(&self) -> Option<&RefusedConnection> {
        let last = self.status.last_seen();
        let since = (self.subject.refused.iter().copied())
            .filter(|refused| refused.refusal.is_lasting() && Some(refused.last) > last);
        newest(since)
    }

    /// What a machine that is not heard of any more met.
    fn explained(&self) -> Option<Finding> {
        let last = self.status.last_seen();
        let since =
            (self.subject.refused.iter().copied()).filter(|refused| Some(refused.last) > last);
        let refused = newest(since).map(|refused| Finding::Refused(refused.clone()));
        let request = || Some(Finding::RequestRefused(self.request_refused()?.clone()));
        refused.or_else(request).or_else(|| self.ended())
    }

    /// What it sends is refused, and it goes on trying. That it was refused once says in the end why it is silent.
    fn tries_in_vain(&self, pace: Pace) -> Option<Finding> {
        let refused = self.request_refused()?;
        let is_over = self.world.now.duration_since(refused.at) > pace.silent()
            && self.silent_for() > pace.silent();
        (!is_over).then(|| Finding::RequestRefused(refused.clone()))
    }

    fn request_refused(&self) -> Option<&RefusedRequest> {
        let refused = self.status.last_refusal.as_ref()?;
        let taken = match refused.refusal.ends_with_a_sign() {
            true => self.status.last_sign(),
            false => self.status.last_events,
        };
        let is_open = Some(refused.at) > taken;
        // An answer that is too large for it is refused when it asks, and a later one may not be; and what it sends
        // for a subscription that is gone, or not for it, ends when it has asked what there is.
        let is_of_now = match refused.refusal {
            Refusal::OfferTooLarge
            | Refusal::UnnamedAuthority
            | Refusal::UnknownSubscription
            | Refusal::WrongPath
            | Refusal::NotForMachine => Some(refused.at) >= self.status.last_enumerate,
            _ => true,
        };
        (is_open && is_of_now && stays(refused, self.status.last_enumerate)).then_some(refused)
    }

    fn nothing_for_it(&self) -> Option<Finding> {
        let is_told_nothing =
            (self.status.offered.as_ref()).is_some_and(|offered| offered.is_empty());
        if !self.mine.is_empty() || !is_told_nothing {
            return None;
        }
        self.subject.machine?;
        Some(Finding::NothingForIt {
            left_out: Vec::new(),
            near: Vec::new(),
        })
    }

    /// When it was first offered what it is offered now.
    fn offered_since(&self) -> Option<Timestamp> {
        let offered = self.status.offered.as_ref()?;
        offered.values().map(|offered| offered.since).min()
    }

    /// Since when something is owed by a machine that asks, and sends nothing. Before that it may have been off.
    fn owed_since(&self) -> Option<Timestamp> {
        let asks_since =
            (self.status.rhythm.asks_since).filter(|it| Some(*it) > self.status.last_sign())?;
        // What it was offered last may be what it is to be heard of for sooner than before.
        let offered = self.status.offered.as_ref()?.values();
        let offered = offered.map(|offered| offered.since).max()?;
        Some(asks_since.max(offered).max(self.world.started_at))
    }

    /// How long it may owe something.
    fn patience(&self, pace: Pace) -> SignedDuration {
        match self.status.last_sign() {
            Some(_) => pace.late(),
            None => pace.first(),
        }
    }

    fn push_unreachable(&self, pace: Pace) -> Option<Finding> {
        let owes_for = self.world.now.duration_since(self.owed_since()?);
        let finding = Finding::PushUnreachable {
            asked: self.status.last_enumerate?,
            called: self.status.called.clone(),
        };
        (owes_for > self.patience(pace)).then_some(finding)
    }

    /// It asks as often as it should, which may be seldom, and is heard of by nothing else.
    fn only_asks(&self, pace: Pace) -> Option<Finding> {
        let finding = self.push_unreachable(pace)?;
        let asked = self.status.last_enumerate?;
        // One that has sent may have been switched off after it asked. That it owed something then, too, is not
        // like one that was on and is off now.
        let owed_then = asked.duration_since(self.owed_since()?) > self.patience(pace);
        let never_sent = self.status.last_sign() < self.offered_since();
        let every = self.refresh();
        let in_time = self.world.now.duration_since(asked) <= every + (every / 4).max(SLACK);
        (in_time && (owed_then || never_sent)).then_some(finding)
    }

    /// How often it asks, as far as is known.
    fn refresh(&self) -> SignedDuration {
        (self.world.refresh)
            .or(self.status.rhythm.every)
            .unwrap_or(USUAL_REFRESH)
    }

    fn just_asked(&self, pace: Pace) -> Option<Finding> {
        let asked = self.owed_since()?;
        let within = pace.first() - self.world.now.duration_since(asked);
        let is_first = self.status.last_sign().is_none() && within.is_positive();
        is_first.then_some(Finding::JustAsked { within })
    }

    /// Subscriptions that it sends nothing for, while it does for others. What was not due when it last sent
    /// something is not missed: it may have been off since.
    fn not_taken_up(&self) -> Option<Finding> {
        let (last, offered) = (self.status.last_sign()?, self.status.offered.as_ref()?);
        let since = (self.status.rhythm.back_since).map_or(self.world.started_at, |back| {
            back.max(self.world.started_at)
        });
        let has_ended = |name: &str, offered: &Offered| {
            let ended = self
                .status
                .subscriptions
                .get(name)
                .and_then(|counts| counts.ended);
            ended >= Some(offered.since)
        };
        let (taken, open): (Vec<_>, Vec<_>) =
            (offered.iter()).partition(|(name, _)| self.status.taken_up(name).is_some());
        let overdue = open.into_iter().filter(|(name, offered)| {
            let owed_for = last.duration_since(offered.since.max(since));
            let is_asked = self.told.iter().any(|told| told.name == **name);
            is_asked && !has_ended(name, offered) && owed_for > Pace::of([*offered]).late()
        });
        let subscriptions: Vec<String> = overdue.map(|(name, _)| name.clone()).collect();
        (!subscriptions.is_empty() && !taken.is_empty())
            .then_some(Finding::NotTakenUp { subscriptions })
    }

    /// Channels that it says it cannot read, for this reason, and of which nothing came since.
    fn said(&self, code: u32) -> Vec<String> {
        let said = self.status.channel_status.iter();
        said.filter(|(channel, (said, at))| *said == code && self.came_of(channel) < Some(*at))
            .map(|(channel, _)| channel.clone())
            .collect()
    }

    /// When the last event of a channel came.
    fn came_of(&self, channel: &str) -> Option<Timestamp> {
        let channels = self
            .status
            .channels
            .values()
            .flat_map(|channels| channels.iter());
        let of_it = channels.filter(|one| one.channel.eq_ignore_ascii_case(channel));
        of_it.filter_map(|one| one.last_event).max()
    }

    fn denied(&self) -> Option<Finding> {
        let channels = self.said(ACCESS_DENIED);
        if !channels.is_empty() {
            return Some(Finding::AccessDenied { channels });
        }
        let absent = self.said(CHANNEL_NOT_FOUND);
        let asked = self.told.iter().flat_map(|asked| &asked.channels);
        let mut asked = asked.peekable();
        asked.peek()?;
        let is_absent =
            |channel: &String| absent.iter().any(|one| one.eq_ignore_ascii_case(channel));
        asked
            .all(is_absent)
            .then_some(Finding::ChannelAbsent { channels: absent })
    }

    fn nothing_read(&self) -> Option<Finding> {
        self.told.iter().find_map(|asked| self.not_read(asked))
    }

    /// Security, where all of it is asked for by a subscription and nothing of it comes.
    fn not_read(&self, asked: &Asked) -> Option<Finding> {
        let offered = self.status.offered.as_ref()?.get(&asked.name)?;
        let mut whole = asked.whole_channels.iter();
        let security = whole.find(|channel| channel.eq_ignore_ascii_case("Security"))?;
        let since = offered.since.max(self.world.started_at);
        let since = self
            .status
            .rhythm
            .back_since
            .map_or(since, |back| back.max(since));
        let since = self.came_of(security).map_or(since, |came| came.max(since));
        let silent_for = self.world.now.duration_since(since);
        let speaks = SECURITY_SPEAKS.max(Pace::of([offered]).two_batches());
        (silent_for > speaks).then(|| Finding::NothingRead {
            channel: security.clone(),
            silent_for,
        })
    }

    /// Somebody who is refused and says to be this machine, or comes from where it does, while it is heard
    /// of in time.
    fn claimed(&self, finding: Option<&Finding>) -> Option<Finding> {
        if matches!(finding, Some(Finding::Refused(_))) {
            return None;
        }
        let refused = self.lasting_since()?;
        Some(Finding::Claimed(refused.clone()))
    }

    /// A subscription that it ended and did not take up again.
    fn ended(&self) -> Option<Finding> {
        let counts = self.status.subscriptions.iter();
        counts
            .filter_map(|(name, counts)| Some((name, counts.ended?, counts.last_sign)))
            .filter(|(_, ended, last)| *last < Some(*ended))
            .max_by_key(|(_, ended, _)| *ended)
            .map(|(name, at, _)| Finding::Ended {
                subscription: name.clone(),
                at,
            })
    }

    /// Subscriptions that were changed since it asked.
    fn refresh_due(&self) -> Option<Finding> {
        let asked = self.status.last_enumerate?;
        let changed = self.mine.iter().filter(|one| one.changed > Some(asked));
        let subscriptions: Vec<String> = changed.map(|one| one.name.clone()).collect();
        let due_in = self.refresh() - self.world.now.duration_since(asked);
        (!subscriptions.is_empty()).then_some(Finding::RefreshDue {
            subscriptions,
            due_in,
        })
    }

    /// Nothing is asked of it any more, and it may not know.
    fn not_asked_for(&self, finding: Option<&Finding>) -> Option<Finding> {
        let is_said = matches!(finding, Some(Finding::NothingForIt { .. }));
        (self.mine.is_empty() && self.subject.machine.is_some() && !is_said)
            .then_some(Finding::NotAskedFor)
    }

    /// What is worth knowing beside the finding.
    fn notes(&self, finding: Option<&Finding>) -> Vec<Finding> {
        let counts = || self.status.subscriptions.iter();
        let total = |of: fn(&windrow_pipeline::sources::wef::Counts) -> u64| -> u64 {
            counts().map(|(_, counts)| of(counts)).sum()
        };
        let began_anew = counts().filter(|(_, counts)| counts.unexpected_bookmark_events > 0);
        let (missing, restarts) = (
            total(|counts| counts.missing),
            total(|counts| counts.restarts),
        );
        let absent = self.said(CHANNEL_NOT_FOUND);
        let others = self.status.other_computers.as_ref();
        let mut notes: Vec<Finding> = Vec::new();
        notes.extend(self.claimed(finding));
        notes.extend(self.not_asked_for(finding));
        notes.extend(self.refresh_due());
        notes.extend(self.not_taken_up());
        notes.extend(self.ended());
        notes.extend((!absent.is_empty()).then_some(Finding::ChannelAbsent { channels: absent }));
        notes.extend(began_anew.map(|(name, counts)| Finding::BeganAnew {
            subscription: name.clone(),
            times: counts.unexpected_bookmark_events,
        }));
        notes.extend((missing > 0).then_some(Finding::Missing { events: missing }));
        notes.extend((restarts > 0).then_some(Finding::LogRestarted { times: restarts }));
        notes.extend(others.map(|others| Finding::OtherComputer {
            events: others.events,
            example: others.example.clone(),
        }));
        notes.retain(|note| Some(note) != finding);
        notes
    }
}
