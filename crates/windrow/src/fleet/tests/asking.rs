//! Machines that ask and do not send: since they came back, seldom, or for good.

use super::*;

/// Verdict and reason.
fn of(status: &SourceStatus) -> (Verdict, Option<&'static str>) {
    let judgement = judged(Some(status), &[], &terms(), world());
    let code = judgement.finding.map(|finding| finding.code());
    (judgement.verdict, code)
}

const WELL: (Verdict, Option<&str>) = (Verdict::Alive, None);
const UNREACHABLE: (Verdict, Option<&str>) = (Verdict::Failing, Some("push_address_unreachable"));
const LATE: (Verdict, Option<&str>) = (Verdict::Late, Some("late"));
const SILENT: (Verdict, Option<&str>) = (Verdict::Silent, Some("silent"));

/// It asked so long ago, for the first time since it last sent something, so long ago; it is known for days.
fn asks_again(first: i64, last: i64, sent: i64) -> SourceStatus {
    let mut status = well();
    (status.last_events, status.last_heartbeat) = (Some(ago(sent)), None);
    (status.rhythm.asks_since, status.last_enumerate) = (Some(ago(first)), Some(ago(last)));
    for offered in status.offered.iter_mut().flat_map(BTreeMap::values_mut) {
        offered.since = ago(90 * HOUR);
    }
    let security = vec![came("Security", sent)];
    status
        .channels
        .insert("base".to_owned(), Arc::new(security));
    status
}

#[test]
fn who_comes_back_has_as_long_as_any_other() {
    // Off for a night, on for so long: it has asked, and nothing has come yet.
    for (seconds, expected) in [
        (5, WELL),
        (10 * MINUTE, WELL),
        (18 * MINUTE, WELL),
        (19 * MINUTE, UNREACHABLE),
        (3 * HOUR, UNREACHABLE),
    ] {
        let mut back = asks_again(seconds, 5, 14 * HOUR);
        back.rhythm.back_since = Some(ago(seconds));
        assert_eq!(of(&back), expected, "{seconds} s");
        // It was on all the time, and sent before it asked: a sign is owed since it asked.
        let on = asks_again(seconds, 5, seconds + 30);
        assert_eq!(of(&on), expected, "{seconds} s");
    }
    // It was off for 19 minutes, in which a sign was due.
    let mut restarted = asks_again(5, 5, 19 * MINUTE);
    restarted.rhythm.back_since = Some(ago(5));
    assert_eq!(of(&restarted), WELL);
}

#[test]
fn of_a_security_log_nothing_is_missed_while_its_machine_was_off() {
    for (hours, expected) in [
        (1, WELL),
        (5, WELL),
        (7, (Verdict::Failing, Some("nothing_read"))),
    ] {
        let mut back = asks_again(hours * HOUR, 20, 20 * HOUR);
        back.rhythm.back_since = Some(ago(hours * HOUR));
        back.last_heartbeat = Some(ago(MINUTE));
        assert_eq!(of(&back), expected, "{hours} h");
    }
}

#[test]
fn an_address_that_is_out_of_reach_is_so_however_seldom_the_machine_asks() {
    let hourly = |mut status: SourceStatus| {
        status.rhythm.every = Some(SignedDuration::from_hours(1));
        status
    };
    // Nothing came of it ever: it asks at every hour since.
    for hours in [0, 1, 9] {
        for minutes in [3, 10, 18, 20, 30, 50, 59, 70] {
            let mut never = asks(hours * HOUR + minutes * MINUTE);
            never.last_enumerate = Some(ago(minutes * MINUTE));
            assert_eq!(
                of(&hourly(never.clone())),
                UNREACHABLE,
                "{hours} h, {minutes} min"
            );
            if hours == 0 {
                assert_eq!(
                    of(&never),
                    UNREACHABLE,
                    "how often it asks is not known yet"
                );
            }
        }
        // It does not ask any more either.
        let mut gone = asks(hours * HOUR + 80 * MINUTE);
        gone.last_enumerate = Some(ago(80 * MINUTE));
        assert_eq!(of(&hourly(gone)), SILENT);
    }
    // It has sent before. Whether it is on is not known before it asks again.
    for (first, last, expected) in [
        (10, 10, WELL),
        (30, 30, LATE),
        (50, 50, SILENT),
        (61, 1, UNREACHABLE),
        (70, 10, UNREACHABLE),
        (90, 30, UNREACHABLE),
        (119, 59, UNREACHABLE),
        (180, 10, UNREACHABLE),
        (180, 80, SILENT),
    ] {
        let status = asks_again(first * MINUTE, last * MINUTE, first * MINUTE + 600);
        assert_eq!(of(&hourly(status)), expected, "{first}, {last}");
    }
    // One that asks each minute and does not any more is off, whatever it owed.
    let mut off = asks(40 * MINUTE);
    off.last_enumerate = Some(ago(20 * MINUTE));
    off.rhythm.every = Some(SignedDuration::from_secs(60));
    assert_eq!(of(&off), LATE);
    let said = World {
        refresh: Some(SignedDuration::from_hours(1)),
        ..world()
    };
    assert_eq!(
        judged(Some(&off), &[], &terms(), said).verdict,
        Verdict::Failing,
        "the configuration says how often it asks"
    );
}

/// What is heard of a machine, in minutes before the moment.
#[derive(Clone, Copy)]
enum Heard {
    Asks(i64),
    Signs(i64),
}
use Heard::{Asks, Signs};

/// A machine that was heard of like this, and was offered what it has 90 hours ago.
fn heard(mut all: Vec<Heard>) -> SourceStatus {
    all.sort_by_key(|heard| match heard {
        Asks(minutes) | Signs(minutes) => -minutes,
    });
    let mut status = asks(90 * HOUR);
    (status.last_enumerate, status.rhythm) = (None, Rhythm::default());
    let beats = Beats::of([Duration::from_secs(900)].into_iter());
    for heard in all {
        match heard {
            Asks(minutes) => {
                status.last_enumerate = Some(ago(minutes * MINUTE));
                status.rhythm.asks(ago(minutes * MINUTE), beats);
            }
            Signs(minutes) => {
                status.last_heartbeat = Some(ago(minutes * MINUTE));
                status.rhythm.signs(ago(minutes * MINUTE), beats);
            }
        }
    }
    status
}

/// Requests at every hour, the last one so many minutes ago, and so many before it.
fn hourly(last: i64, before: i64) -> impl Iterator<Item = Heard> {
    (0..=before).map(move |hours| Asks(last + hours * 60))
}

#[test]
fn after_a_gpupdate_all_is_seen_as_before() {
    // It asked twice at once, an hour or ten before it asked as always.
    for hours in [1, 2, 10] {
        let asked = |last| {
            let close = [Asks(last + hours * 60), Asks(last + hours * 60 + 1)];
            hourly(last, hours - 1)
                .chain(close)
                .chain(hourly(last + hours * 60 + 21, 3))
        };
        // It may not read Security, and sends nothing but signs of life.
        let signs = (0..90).map(|quarter| Signs(2 + quarter * 15));
        let lives: Vec<Heard> = asked(9).chain(signs).collect();
        let unread = (Verdict::Failing, Some("nothing_read"));
        assert_eq!(of(&heard(lives.clone())), unread, "{hours}");
        // It takes up one of two.
        let (mut refuses, terms) = (heard(lives), refuses().1);
        offer(&mut refuses, "dc", HOUR);
        refuses.subscriptions = well().subscriptions;
        let judgement = judged(Some(&refuses), &[], &terms, world());
        let notes: Vec<&str> = judgement.notes.iter().map(Finding::code).collect();
        assert_eq!(notes, ["not_taken_up"]);
        // Its push address is out of reach: so it is told from one request to the next.
        for last in [1, 10, 30, 59, 70] {
            let only: Vec<Heard> = asked(last).collect();
            assert_eq!(of(&heard(only)), UNREACHABLE, "{hours} h, {last} min");
        }
    }
    // A subscription that was changed is waited for for an hour.
    let mut terms = terms();
    terms.asked[0].changed = Some(ago(30));
    let asked = heard(
        hourly(20, 0)
            .chain([Asks(21)])
            .chain(hourly(30, 5))
            .collect(),
    );
    let notes = judged(Some(&asked), &[], &terms, world()).notes;
    let due_in = SignedDuration::from_mins(40);
    let subscriptions = vec!["base".to_owned()];
    assert_eq!(
        notes,
        [Finding::RefreshDue {
            subscriptions,
            due_in
        }]
    );
}

#[test]
fn who_was_off_after_a_request_has_as_long_as_any_other() {
    // Well until it asked, off since, on for so many minutes.
    for off in [19, 25, 40, 51, 76, 90, 119, 300] {
        for (on, expected) in [(0, WELL), (18, WELL), (19, LATE)] {
            let before = on + off;
            let signs = (0..20).map(|quarter| Signs(before + 10 + quarter * 15));
            let all = hourly(before, 5).chain(signs).chain([Asks(on)]);
            let mut back = heard(all.collect());
            let security = vec![came("Security", (before + 10) * MINUTE)];
            back.channels.insert("base".to_owned(), Arc::new(security));
            assert_eq!(of(&back), expected, "{off}, {on}");
        }
    }
    // It was on and sent nothing; that it asks by hand beside changes nothing.
    for minutes in [1, 30, 59] {
        let asked = hourly(minutes + 20, 3)
            .chain([Asks(minutes)])
            .chain([Signs(240)]);
        assert_eq!(of(&heard(asked.collect())), UNREACHABLE, "{minutes}");
    }
}

#[test]
fn who_was_refused_and_is_not_heard_of_any_more_is_silent() {
    let refused = |refused: i64, heard: i64| {
        let mut status = asks_again(heard + 1, heard + 1, heard);
        status.last_refusal =
            refused_request(Refusal::TooLarge, 1, "the body is over 576000 bytes");
        let last = status.last_refusal.as_mut().unwrap();
        last.at = ago(refused);
        // It lives, and what it has to send is refused.
        status.last_heartbeat = status.last_events;
        status.last_events = Some(ago(900 * HOUR));
        of(&status)
    };
    let (failing, silent) = (
        (Verdict::Failing, Some("too_large")),
        (Verdict::Silent, Some("too_large")),
    );
    for (at, heard, expected) in [
        (5, 5, failing),
        (9 * HOUR, 5, failing),
        (5, 9 * HOUR, failing),
        (20 * MINUTE, 20 * MINUTE, failing),
        (50 * MINUTE, 50 * MINUTE, silent),
        (9 * 24 * HOUR, 9 * 24 * HOUR, silent),
    ] {
        assert_eq!(refused(at, heard), expected, "{at}, {heard}");
    }
}

/// A machine of two subscriptions, which it was offered an hour ago: it sends for `base` alone.
fn refuses() -> (SourceStatus, Terms) {
    let mut terms = terms();
    terms.asked.push(asked("dc"));
    let mut status = well();
    offer(&mut status, "dc", HOUR);
    (status, terms)
}

#[test]
fn a_subscription_that_is_not_taken_up_is_told_while_others_are() {
    let (status, terms) = refuses();
    insta::assert_snapshot!(said(Some(&status), &[], &terms), @r#"alive not_taken_up: it does not take up dc: nothing came for it since it was offered, and for others it does > on the machine, event 102 in Eventlog-ForwardingPlugin/Operational has the error: 15001 is a query that it does not take (`windrow subscription show` checks it), 15007 or 5 a channel that it lacks or may not read, with channel_errors = "refuse""#);
    let mut denied = status.clone();
    denied
        .channel_status
        .insert("Security".to_owned(), (5, ago(30)));
    let judgement = judged(Some(&denied), &[], &terms, world());
    let notes: Vec<&str> = judgement.notes.iter().map(Finding::code).collect();
    assert_eq!(
        (judgement.verdict, notes),
        (Verdict::Failing, vec!["not_taken_up"])
    );
    // None of them is: it may be the address as well.
    let mut neither = asks(10 * MINUTE);
    offer(&mut neither, "dc", 10 * MINUTE);
    let judgement = judged(Some(&neither), &[], &terms, world());
    let reason = judgement.finding.unwrap().told(&terms, now());
    assert_eq!(reason.code, "push_address_unreachable");
    assert!(reason.cure.contains("event 102"), "{}", reason.cure);
}

#[test]
fn what_is_not_due_yet_is_not_missed_of_a_machine() {
    let of = |change: &dyn Fn(&mut SourceStatus, &mut Terms)| {
        let (mut status, mut terms) = refuses();
        change(&mut status, &mut terms);
        let judgement = judged(Some(&status), &[], &terms, world());
        let all = judgement.finding.iter().chain(&judgement.notes);
        all.filter(|finding| finding.code() == "not_taken_up")
            .count()
    };
    let sent = |status: &mut SourceStatus, seconds| {
        let counts = Counts {
            last_sign: Some(ago(seconds)),
            ..Counts::default()
        };
        status.subscriptions.insert("dc".to_owned(), counts);
    };
    assert_eq!(of(&|_, _| ()), 1);
    assert_eq!(
        of(&|status, _| sent(status, HOUR + 1)),
        1,
        "as it was before"
    );
    assert_eq!(of(&|status, _| sent(status, HOUR)), 0);
    assert_eq!(of(&|status, _| offer(status, "dc", 18 * MINUTE)), 0);
    assert_eq!(of(&|status, _| offer(status, "dc", 21 * MINUTE)), 1);
    assert_eq!(
        of(&|status, _| status.rhythm.back_since = Some(ago(10 * MINUTE))),
        0
    );
    // It went off before that was due.
    assert_eq!(
        of(&|status, _| status.last_events = Some(ago(50 * MINUTE))),
        0
    );
    // It asks for something every six hours alone.
    let slow = |status: &mut SourceStatus, _: &mut Terms| {
        let dc = status
            .offered
            .as_mut()
            .and_then(|all| all.get_mut("dc"))
            .unwrap();
        dc.heartbeat = Duration::from_secs(6 * 3_600);
    };
    assert_eq!(of(&slow), 0);
    // It has ended it, which is told, or it is asked of nobody any more.
    let ended = |status: &mut SourceStatus, _: &mut Terms| {
        sent(status, 2 * HOUR);
        status.subscriptions.get_mut("dc").unwrap().ended = Some(ago(MINUTE));
    };
    assert_eq!(of(&ended), 0);
    assert_eq!(of(&|_, terms| drop(terms.asked.pop())), 0);
}
