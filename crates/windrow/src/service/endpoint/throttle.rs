//! Refusals by network: who guesses often is not looked at for a while, and what is refused is on record no more often than
//! is useful. What is counted and not on record yet is by its reason, and is recorded later by whoever asks for it: no
//! count waits for the next refusal.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::limits::{
    FAILURE_INTERVAL, FAILURES, NETWORKS_MAX, REASON_BYTES_SHOWN, REASONS_MAX, REASONS_OF_NETWORK,
    RECORD_INTERVAL, RECORDS, RECORDS_INTERVAL,
};
use super::{Fault, Refused, Who, lock, network, shortened};

/// What is said where there are too many reasons to tell them apart.
const OTHER_REASONS: &str = "other reasons";

/// All networks that were refused lately.
#[derive(Default)]
pub(super) struct Throttle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    networks: HashMap<IpAddr, Network>,
    /// Of networks that were forgotten.
    others: Reasons,
    /// Of accounts.
    accounts: Reasons,
    records: Bucket,
    /// Who guesses takes nothing from what is put on record of accounts.
    account_records: Bucket,
}

struct Network {
    guesses: Bucket,
    last: Instant,
    reasons: Reasons,
}

/// Refusals by their reason.
#[derive(Default)]
struct Reasons(Vec<Counted>);

/// Refusals for one reason.
struct Counted {
    last: Entry,
    recorded: Option<Instant>,
    untold: u64,
}

/// A record of refusals for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Who was refused; none where it was several.
    pub(super) who: Option<String>,
    /// Where from; none where they came from several addresses.
    pub(super) from: Option<IpAddr>,
    /// What was asked for; none where it was several things.
    pub(super) verb: Option<String>,
    /// Why, in words that are ours: counted by this.
    pub(super) reason: String,
    /// What was wrong with it; may repeat what was sent. None where it was several things.
    pub(super) detail: Option<String>,
    /// How often since the last record.
    pub(super) times: u64,
}

impl Entry {
    fn of(refused: Refused<'_>) -> Entry {
        let who = match refused.who {
            Who::Unknown => "unknown",
            Who::Claimed(who) | Who::Account(who) => who,
        };
        let shown = |text: &str| text[..text.floor_char_boundary(REASON_BYTES_SHOWN)].to_owned();
        Entry {
            who: Some(who.to_owned()),
            from: Some(refused.from),
            verb: Some(shortened(refused.verb).to_owned()),
            reason: shown(refused.reason),
            detail: refused.detail.map(shown),
            times: 0,
        }
    }

    /// Keeps what holds for the other one too: a record that stands for several says nothing of one of them alone.
    fn keep_common(&mut self, other: &Entry) {
        self.who.take_if(|who| other.who.as_ref() != Some(who));
        self.from.take_if(|from| other.from != Some(*from));
        self.verb.take_if(|verb| other.verb.as_ref() != Some(verb));
        let detail = other.detail.as_ref();
        self.detail.take_if(|own| detail != Some(own));
    }
}

impl Reasons {
    /// Counts one more, and whatever was counted of its reason is where this points. Where there are too many, the one
    /// goes whose record is oldest, if all of it is on record and that long ago that it would be recorded at once.
    fn count(&mut self, mut entry: Entry, times: u64, most: usize, now: Instant) -> &mut Counted {
        let place = |reasons: &[Counted], reason: &str| {
            reasons.iter().position(|known| known.last.reason == reason)
        };
        let mut found = place(&self.0, &entry.reason);
        if found.is_none() && self.0.len() + 1 >= most {
            self.forget_one(now);
        }
        if found.is_none() && self.0.len() + 1 >= most {
            OTHER_REASONS.clone_into(&mut entry.reason);
            entry.detail = None;
            found = place(&self.0, OTHER_REASONS);
        }
        let place = found.unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push(Counted {
                last: entry,
                recorded: None,
                untold: 0,
            });
        } else {
            let known = &mut self.0[place];
            if known.untold > 0 {
                entry.keep_common(&known.last);
            }
            known.last = entry;
        }
        let counted = &mut self.0[place];
        counted.untold += times;
        counted
    }

    fn forget_one(&mut self, now: Instant) {
        let told = self.0.iter().enumerate();
        let oldest = told
            .filter(|(_, counted)| counted.untold == 0 && !counted.rests(now))
            .min_by_key(|(_, counted)| counted.recorded);
        if let Some((place, _)) = oldest {
            self.0.remove(place);
        }
    }
}

impl Counted {
    fn is_due(&self, now: Instant) -> bool {
        self.untold > 0 && !self.rests(now)
    }

    /// Whether it was on record just now.
    fn rests(&self, now: Instant) -> bool {
        let rests = |recorded| now.saturating_duration_since(recorded) < RECORD_INTERVAL;
        self.recorded.is_some_and(rests)
    }

    /// What is to be put on record.
    fn told(&mut self, now: Instant) -> Entry {
        self.recorded = Some(now);
        Entry {
            times: std::mem::take(&mut self.untold),
            ..self.last.clone()
        }
    }
}

/// So many at once, and one more in each interval. None yet is an empty one.
#[derive(Clone, Copy, Default)]
struct Bucket {
    empty_at: Option<Instant>,
}

impl Bucket {
    /// How long until there is room for one more, if there is none.
    fn full_for(&self, now: Instant, most: u32, interval: Duration) -> Option<Duration> {
        let fill = self.empty_at?.saturating_duration_since(now);
        let room = interval * (most - 1);
        (fill > room).then(|| fill - room)
    }

    fn add(&mut self, now: Instant, interval: Duration) {
        let from = self.empty_at.map_or(now, |empty_at| empty_at.max(now));
        self.empty_at = Some(from + interval);
    }

    /// Takes one record in, if there is room.
    fn takes(&mut self, now: Instant) -> bool {
        let has_room = self.full_for(now, RECORDS, RECORDS_INTERVAL).is_none();
        if has_room {
            self.add(now, RECORDS_INTERVAL);
        }
        has_room
    }
}

impl Throttle {
    /// How long this address has to wait, if it has.
    pub(super) fn waits(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let state = lock(&self.state);
        let known = state.networks.get(&network(address))?;
        known.guesses.full_for(now, FAILURES, FAILURE_INTERVAL)
    }

    /// Counts a refusal. What is to be put on record of it now, if anything is.
    pub(super) fn refused(&self, refused: Refused<'_>, now: Instant) -> Option<Entry> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let entry = Entry::of(refused);
        if matches!(refused.who, Who::Account(_)) {
            // Who is known is on record each time, as far as there is room at all.
            let counted = state.accounts.count(entry, 1, REASONS_MAX, now);
            return state.account_records.takes(now).then(|| counted.told(now));
        }
        let place = network(refused.from);
        if !state.networks.contains_key(&place) && state.networks.len() >= NETWORKS_MAX {
            state.forget(now);
        }
        let known = state.networks.entry(place).or_insert_with(|| Network {
            guesses: Bucket::default(),
            last: now,
            reasons: Reasons::default(),
        });
        known.last = now;
        let waits = known.guesses.full_for(now, FAILURES, FAILURE_INTERVAL);
        // One that is throttled already does not wait longer for asking again.
        if refused.fault == Fault::Guess && waits.is_none() {
            known.guesses.add(now, FAILURE_INTERVAL);
        }
        let counted = known.reasons.count(entry, 1, REASONS_OF_NETWORK, now);
        (counted.is_due(now) && state.records.takes(now)).then(|| counted.told(now))
    }

    /// What was counted and is due to be put on record, as far as there is room.
    pub(super) fn due(&self, now: Instant) -> Vec<Entry> {
        let mut state = lock(&self.state);
        let State {
            networks,
            others,
            accounts,
            records,
            account_records,
        } = &mut *state;
        let of_networks = networks.values_mut().flat_map(|known| &mut known.reasons.0);
        let mut entries = due_of(accounts.0.iter_mut(), account_records, now);
        let of_strangers = others.0.iter_mut().chain(of_networks);
        entries.extend(due_of(of_strangers, records, now));
        entries
    }

    /// All that was counted and is not on record, by reason alone: nobody asks any more.
    pub(super) fn rest(&self, now: Instant) -> Vec<Entry> {
        let mut state = lock(&self.state);
        while !state.networks.is_empty() {
            state.forget(now);
        }
        let state = &mut *state;
        let counted = state.others.0.iter_mut().chain(&mut state.accounts.0);
        let untold = counted.filter(|counted| counted.untold > 0);
        untold.map(|counted| counted.told(now)).collect()
    }
}

fn due_of<'a>(
    all: impl Iterator<Item = &'a mut Counted>,
    records: &mut Bucket,
    now: Instant,
) -> Vec<Entry> {
    let due = all.filter(|counted| counted.is_due(now));
    let due = due.take_while(|_| records.takes(now));
    due.map(|counted| counted.told(now)).collect()
}

impl State {
    fn forget(&mut self, now: Instant) {
        let oldest = self.networks.iter().min_by_key(|(_, known)| known.last);
        let oldest = oldest.map(|(place, _)| *place);
        let Some(gone) = oldest.and_then(|place| self.networks.remove(&place)) else {
            return;
        };
        for Counted { last, untold, .. } in gone.reasons.0 {
            if untold == 0 {
                continue;
            }
            self.others.count(last, untold, REASONS_MAX, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn guess(from: IpAddr) -> Refused<'static> {
        Refused {
            who: Who::Unknown,
            from,
            verb: "/v1/status",
            reason: "the token is not known",
            detail: None,
            fault: Fault::Guess,
        }
    }

    fn other(from: IpAddr, reason: &str) -> Refused<'_> {
        Refused {
            reason,
            fault: Fault::Other,
            ..guess(from)
        }
    }

    #[test]
    fn who_guesses_often_waits_and_others_do_not() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for _ in 0..FAILURES {
            assert_eq!(throttle.waits(address(1), start), None);
            throttle.refused(guess(address(1)), start);
            throttle.refused(other(address(2), "another name"), start);
        }
        let wait = throttle.waits(address(1), start).unwrap();
        assert_eq!(wait, FAILURE_INTERVAL);
        // A name that is not the endpoint's, or a handshake that fails, is no guess at a token.
        assert_eq!(throttle.waits(address(2), start), None);
        // Asking again while it waits does not make it wait longer.
        throttle.refused(guess(address(1)), start);
        assert_eq!(throttle.waits(address(1), start), Some(wait));
        assert_eq!(throttle.waits(address(1), start + wait), None);
        throttle.refused(guess(address(1)), start + wait);
        assert!(throttle.waits(address(1), start + wait).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for host in 0..FAILURES {
            let from = format!("2001:db8::{host:x}").parse().unwrap();
            throttle.refused(guess(from), start);
        }
        let waits = |text: &str| throttle.waits(text.parse().unwrap(), start).is_some();
        assert!(waits("2001:db8::ffff") && !waits("2001:db8:0:1::1"));
    }

    #[test]
    fn a_burst_is_on_record_without_another_refusal_and_by_its_reasons() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let first = throttle.refused(guess(address(1)), start).unwrap();
        assert_eq!((&*first.reason, first.times), ("the token is not known", 1));
        for _ in 0..8 {
            assert_eq!(throttle.refused(guess(address(1)), start), None);
        }
        // Another reason is on record at once, with a count of its own.
        let named = throttle
            .refused(other(address(1), "another name"), start)
            .unwrap();
        assert_eq!((&*named.reason, named.times), ("another name", 1));
        throttle.refused(other(address(1), "another name"), start);
        assert_eq!(throttle.due(start + RECORD_INTERVAL / 2), []);
        let due = throttle.due(start + RECORD_INTERVAL);
        let due: Vec<_> = due
            .iter()
            .map(|entry| (&*entry.reason, entry.times))
            .collect();
        assert_eq!(due, [("the token is not known", 8), ("another name", 1)]);
        assert_eq!(throttle.due(start + 3 * RECORD_INTERVAL), []);
    }

    #[test]
    fn what_is_left_at_the_end_is_told_by_reason() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            for _ in 0..5 {
                throttle.refused(guess(address(number)), start);
            }
        }
        throttle.refused(other(address(7), "another name"), start);
        throttle.refused(other(address(7), "another name"), start);
        let mut rest = throttle.rest(start);
        rest.sort_by_key(|entry| entry.times);
        let told = rest
            .iter()
            .map(|entry| (entry.from, &*entry.reason, entry.times));
        let expected = [
            (Some(address(7)), "another name", 1),
            (None, "the token is not known", 12),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(throttle.rest(start), []);
    }

    #[test]
    fn a_record_that_stands_for_several_names_none_of_them() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let of = |who, verb| Refused {
            who,
            verb,
            ..other(address(1), "the name has no account")
        };
        let due = |at: Instant| {
            let due = throttle.due(at);
            assert_eq!(due.len(), 1);
            (due[0].who.clone(), due[0].verb.clone(), due[0].times)
        };
        let (claimed, path) = (Who::Claimed, "/v1/status");
        let first = throttle.refused(of(claimed("ada"), path), start).unwrap();
        assert_eq!((first.who.as_deref(), first.times), (Some("ada"), 1));
        // What is on record already is not counted into the next one.
        for _ in 0..2 {
            throttle.refused(of(claimed("bob"), path), start);
        }
        let mut at = start + RECORD_INTERVAL;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(due(at), (text("bob"), text(path), 2));
        for (who, verb) in [("bob", path), ("ada", "/v1/syslog/test"), ("ada", path)] {
            throttle.refused(of(claimed(who), verb), at);
        }
        at += RECORD_INTERVAL;
        assert_eq!(due(at), (None, None, 3));
        // Accounts, too, once their records are too many.
        while throttle
            .refused(of(Who::Account("eve"), path), at)
            .is_some()
        {}
        throttle.refused(of(Who::Account("ada"), path), at);
        let rest = throttle.rest(at);
        assert_eq!((&rest[0].who, &rest[0].verb), (&None, &text(path)));
    }

    #[test]
    fn reasons_are_so_many_at_most() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..1_000 {
            let reason = format!("reason {number} {}", "x".repeat(10_000));
            throttle.refused(other(address(1), &reason), start);
        }
        let state = lock(&throttle.state);
        let reasons = &state.networks[&address(1)].reasons.0;
        assert_eq!(reasons.len(), REASONS_OF_NETWORK);
        let last = &reasons[REASONS_OF_NETWORK - 1];
        assert_eq!(last.last.reason, OTHER_REASONS);
        assert!(
            reasons
                .iter()
                .all(|known| known.last.reason.len() <= REASON_BYTES_SHOWN)
        );
    }

    fn of_account<'a>(who: &'a str, reason: &'a str, detail: Option<&'a str>) -> Refused<'a> {
        Refused {
            who: Who::Account(who),
            detail,
            ..other(address(1), reason)
        }
    }

    #[test]
    fn what_accounts_send_does_not_hide_why_others_are_refused() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        // Guessers take nothing from what is recorded of accounts.
        for number in 0..2_000 {
            throttle.refused(guess(address(number)), start);
        }
        let mut recorded = 0;
        for number in 0..100 {
            let detail = format!("unknown field `a{number}`");
            let refused = of_account("eve", "the request cannot be read", Some(&*detail));
            if let Some(entry) = throttle.refused(refused, start) {
                assert_eq!(entry.detail.as_ref(), Some(&detail), "its own");
                recorded += 1;
            }
        }
        assert_eq!(recorded, RECORDS);
        let later = start + RECORD_INTERVAL;
        let forbidden = of_account("ada", "the role viewer may not do that", None);
        let entry = throttle.refused(forbidden, later).unwrap();
        assert_eq!(entry.reason, "the role viewer may not do that");
        let due = throttle.due(later);
        let rest = due
            .iter()
            .find(|entry| entry.reason == "the request cannot be read");
        assert_eq!(
            rest.map(|entry| (entry.times, &entry.detail)),
            Some((70, &None))
        );
    }

    #[test]
    fn reasons_that_are_on_record_make_room_for_others() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let mut at = start;
        for number in 0..2 * REASONS_MAX {
            let reason = format!("reason {number}");
            let refused = Refused {
                who: Who::Account("ada"),
                ..other(address(1), &reason)
            };
            let entry = throttle.refused(refused, at).unwrap();
            assert_eq!(entry.reason, reason);
            at += RECORDS_INTERVAL;
        }
    }

    #[test]
    fn records_are_few_and_nothing_goes_uncounted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let mut told = 0;
        let mut records = 0;
        for number in 0..5_000 {
            if let Some(entry) = throttle.refused(guess(address(number)), start) {
                (told, records) = (told + entry.times, records + 1);
            }
        }
        assert_eq!(records, RECORDS);
        assert_eq!(lock(&throttle.state).networks.len(), NETWORKS_MAX);
        let later = start + 2 * RECORD_INTERVAL;
        for number in 0..5_000 {
            let entry = throttle.refused(guess(address(number)), later);
            told += entry.map_or(0, |entry| entry.times);
        }
        let due = throttle.due(later + RECORD_INTERVAL).into_iter();
        let rest = throttle.rest(later).into_iter();
        told += due.chain(rest).map(|entry| entry.times).sum::<u64>();
        assert_eq!(told, 10_000);
    }
}
