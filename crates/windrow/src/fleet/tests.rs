//! Each verdict and each reason, as a table: what is known, and what is made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use windrow_formats::wef::audience::{Audience, MachineName, Pattern};
use windrow_pipeline::sources::wef::{
    Asked, Beats, ChannelProgress, Claim, Counts, Offered, Origin, OtherComputers, Refusal,
    RefusedConnection, RefusedRequest, Rhythm, SourceStatus, Subscription as Subscribed, Terms,
};

use super::*;

mod asking;
mod whole;

const NAME: &str = "ws1.corp.example";
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

/// Seconds before the moment of the tests.
fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn audience(include: &[&str], except: &[&str]) -> Arc<Audience> {
    let compile = |list: &[&str]| {
        list.iter()
            .map(|text| Pattern::compile(text).unwrap())
            .collect()
    };
    Arc::new(Audience::new(compile(include), compile(except)).unwrap())
}

fn asked(name: &str) -> Asked {
    Asked {
        name: name.to_owned(),
        id: Subscribed::id_of(name),
        audience: audience(&["*"], &[]),
        heartbeat: Duration::from_secs(900),
        max_time: Duration::from_secs(30),
        channels: vec!["Security".to_owned(), "System".to_owned()],
        whole_channels: ["Security".to_owned()].into(),
        revision: "R1".to_owned(),
        changed: None,
        timed: None,
        added: None,
    }
}

fn terms() -> Terms {
    Terms {
        authority: "wec.example:5986".to_owned(),
        issuer_thumbprints: vec!["0123456789ABCDEF0123456789ABCDEF01234567".to_owned()],
        asked: vec![asked("base")],
        journal: "/srv/windrow/journal".into(),
    }
}

fn world() -> World {
    World {
        now: now(),
        started_at: ago(100 * HOUR),
        refresh: None,
    }
}

/// What a machine knows of a subscription that was as it is, so long ago.
fn offered(asked: &Asked, seconds: i64) -> Offered {
    Offered {
        version: "V1".to_owned(),
        revision: asked.revision.clone(),
        since: ago(seconds),
        heartbeat: asked.heartbeat,
        max_time: asked.max_time,
    }
}

/// First asked so long ago since it last sent something.
fn asking_since(seconds: i64) -> Rhythm {
    let mut rhythm = Rhythm::default();
    rhythm.asks_since = Some(ago(seconds));
    rhythm
}

/// A machine that asked an hour ago, first, and was heard of a minute ago.
fn well() -> SourceStatus {
    let offered = offered(&asked("base"), HOUR);
    let counts = Counts {
        batches: 10,
        events: 100,
        last_sign: Some(ago(MINUTE)),
        ..Counts::default()
    };
    SourceStatus {
        source: NAME.to_owned(),
        called: Some("wec.example:5986".to_owned()),
        last_enumerate: Some(ago(20)),
        rhythm: asking_since(20),
        last_events: Some(ago(MINUTE)),
        last_heartbeat: Some(ago(HOUR)),
        offered: Some(BTreeMap::from([("base".to_owned(), offered)])),
        subscriptions: BTreeMap::from([("base".to_owned(), counts)]),
        ..SourceStatus::default()
    }
}

/// The same, last heard of so long ago.
fn quiet(seconds: i64) -> SourceStatus {
    SourceStatus {
        last_enumerate: Some(ago(seconds + 1)),
        rhythm: asking_since(seconds + 1),
        last_events: Some(ago(seconds)),
        last_heartbeat: None,
        ..well()
    }
}

/// One that only asks: first so long ago.
fn asks(seconds: i64) -> SourceStatus {
    let mut status = well();
    status.last_events = None;
    status.last_heartbeat = None;
    status.rhythm.asks_since = Some(ago(seconds));
    status.subscriptions.clear();
    for offered in status.offered.iter_mut().flat_map(BTreeMap::values_mut) {
        offered.since = ago(seconds);
    }
    status
}

fn refused(refusal: Refusal, seconds: i64, reason: &str) -> RefusedConnection {
    RefusedConnection {
        address: [192, 0, 2, 7].into(),
        refusal,
        count: 3,
        first: ago(seconds + HOUR),
        last: ago(seconds),
        reason: reason.to_owned(),
        claim: None,
    }
}

fn refused_request(refusal: Refusal, in_a_row: u64, reason: &str) -> Option<RefusedRequest> {
    Some(RefusedRequest {
        at: ago(5),
        refusal,
        reason: reason.to_owned(),
        in_a_row,
    })
}

fn judged(
    status: Option<&SourceStatus>,
    refused: &[RefusedConnection],
    terms: &Terms,
    world: World,
) -> Judgement {
    let machine = MachineName::of_certificate(NAME).unwrap();
    let refused: Vec<&RefusedConnection> = refused.iter().collect();
    let subject = Subject {
        machine: Some(&machine),
        status,
        terms,
        refused: &refused,
    };
    judge(subject, world)
}

/// Verdict, name of the reason, its words and what helps.
fn said(status: Option<&SourceStatus>, refused: &[RefusedConnection], terms: &Terms) -> String {
    let judgement = judged(status, refused, terms, world());
    let machine = MachineName::of_certificate(NAME).unwrap();
    let finding = judgement
        .finding
        .map(|finding| finding.spelled_out(&machine, terms));
    let reason = finding.map(|finding| finding.told(terms, now()));
    let mut lines = vec![match reason {
        None => judgement.verdict.to_string(),
        Some(reason) => format!(
            "{} {}: {} > {}",
            judgement.verdict, reason.code, reason.words, reason.cure
        ),
    }];
    let notes = judgement.notes.iter().map(|note| note.told(terms, now()));
    lines.extend(notes.map(|note| format!("  {}: {} > {}", note.code, note.words, note.cure)));
    lines.join("\n")
}

fn verdict(status: &SourceStatus) -> Verdict {
    judged(Some(status), &[], &terms(), world()).verdict
}

#[test]
fn a_machine_that_is_heard_of_in_time_is_alive_then_late_then_silent() {
    // A sign every 15 minutes: late after a quarter more, silent after three of them and a minute.
    for (seconds, expected) in [
        (0, Verdict::Alive),
        (18 * MINUTE, Verdict::Alive),
        (19 * MINUTE, Verdict::Late),
        (45 * MINUTE, Verdict::Late),
        (47 * MINUTE, Verdict::Silent),
        (HOUR * 24 * 365, Verdict::Silent),
    ] {
        let restarted = World {
            started_at: ago(100 * 365 * 24 * HOUR),
            ..world()
        };
        let status = quiet(seconds);
        let judgement = judged(Some(&status), &[], &terms(), restarted);
        assert_eq!(judgement.verdict, expected, "{seconds} s");
    }
    insta::assert_snapshot!(said(Some(&quiet(20 * MINUTE)), &[], &terms()), @"late late: nothing was heard of it for 20m, and it should be heard of every 15m > nothing yet: a batch may be under way, or the network slow");
    insta::assert_snapshot!(said(Some(&quiet(2 * HOUR)), &[], &terms()), @"silent silent: nothing was heard of it for 2h, and it should be heard of every 15m > is it on, and in the network? On it, see event 105 in Eventlog-ForwardingPlugin/Operational and the service WinRM");
}

#[test]
fn the_quickest_subscription_that_is_for_it_sets_the_pace() {
    let mut terms = terms();
    terms.asked[0].heartbeat = Duration::from_secs(6 * 3_600);
    let mut status = quiet(HOUR);
    tell(&mut status, &terms, HOUR);
    let of =
        |status: &SourceStatus, terms: &Terms| judged(Some(status), &[], terms, world()).verdict;
    assert_eq!(of(&status, &terms), Verdict::Alive);
    terms.asked.push(asked("quick"));
    assert_eq!(of(&status, &terms), Verdict::Alive, "it was not told yet");
    offer(&mut status, "quick", HOUR);
    assert_eq!(of(&status, &terms), Verdict::Silent);
    status.offered = None;
    assert_eq!(of(&status, &terms), Verdict::Silent, "of an earlier run");
    terms.asked[1].audience = audience(&["dc*"], &[]);
    assert_eq!(
        of(&status, &terms),
        Verdict::Alive,
        "the quick one is for others"
    );
    let pace = Pace::of(&[asked("base")]);
    assert_eq!(pace.late().as_secs(), 1_125);
    assert_eq!(pace.silent().as_secs(), 2_760);
    assert_eq!(pace.first().as_secs(), 120);
}

#[test]
fn nobody_is_silent_while_nobody_listens() {
    let world = World {
        started_at: ago(5 * MINUTE),
        ..world()
    };
    let status = SourceStatus {
        offered: None,
        ..quiet(3 * HOUR)
    };
    let judgement = judged(Some(&status), &[], &terms(), world);
    assert_eq!(judgement.verdict, Verdict::Alive);
}

#[test]
fn who_was_never_heard_of_is_never_or_fails() {
    insta::assert_snapshot!(said(None, &[], &terms()), @"never never_enumerated: it is expected and has never asked for its subscriptions > on the machine: does the group policy say this collector (gpresult /r; event 104 or 105 in Eventlog-ForwardingPlugin/Operational), does the service WinRM run, does its name resolve and its port answer (Test-NetConnection)?");
    let mut foreign = refused(
        Refusal::BadCertificate,
        90,
        "the TLS handshake failed: invalid peer certificate: UnknownIssuer",
    );
    foreign.claim = Some(Claim {
        name: Some(NAME.to_owned()),
        issuer: Some("CN=Other CA".to_owned()),
    });
    insta::assert_snapshot!(said(None, &[foreign], &terms()), @"failing bad_certificate: somebody at 192.0.2.7 who says it is ws1.corp.example, which nothing proves, is refused 3 times, last 1m 30s ago: it shows a certificate of CN=Other CA, and no authority in client_ca has signed it (the TLS handshake failed: invalid peer certificate: UnknownIssuer) > issue it a certificate of the authority 0123456789ABCDEF0123456789ABCDEF01234567; if that is the machine and its authority is to be trusted, add that to client_ca and reload");
}

#[test]
fn who_proves_its_name_and_is_refused_all_it_asks_fails() {
    let status = SourceStatus {
        source: NAME.to_owned(),
        last_refusal: Some(RefusedRequest {
            at: ago(90),
            refusal: Refusal::WrongPath,
            reason:
                "there is nothing at this path; subscriptions are at /wsman/SubscriptionManager/WEC"
                    .to_owned(),
            in_a_row: 4,
        }),
        ..SourceStatus::default()
    };
    insta::assert_snapshot!(said(Some(&status), &[], &terms()), @"failing wrong_path: what it sends is refused, 4 times, last 1m 30s ago: there is nothing at this path; subscriptions are at /wsman/SubscriptionManager/WEC > Server= in the group policy has to end in the listener's path; `windrow check` prints the line");
    // Once it has asked, a stray request is nothing; nor is what passes, for who has not.
    let mut known = well();
    known.last_refusal = status.last_refusal.clone().map(|refused| RefusedRequest {
        at: ago(5),
        in_a_row: 1,
        ..refused
    });
    assert!(said(Some(&known), &[], &terms()).starts_with("alive"));
    let mut passes = status;
    passes.last_refusal = passes.last_refusal.map(|refused| RefusedRequest {
        refusal: Refusal::Stopping,
        in_a_row: 1,
        ..refused
    });
    assert!(said(Some(&passes), &[], &terms()).starts_with("never"));
}

#[test]
fn each_refused_connection_has_its_words_and_its_cure() {
    let silent = SourceStatus {
        offered: None,
        ..quiet(2 * HOUR)
    };
    let all = [
        (
            Refusal::NoCertificate,
            "the TLS handshake failed: peer sent no certificates",
        ),
        (
            Refusal::HungUp,
            "the TLS handshake failed: tls handshake eof",
        ),
        (
            Refusal::CertificateUsage,
            "the TLS handshake failed: invalid peer certificate: certificate does not allow extended key usage for client authentication",
        ),
        (
            Refusal::RevocationUnknown,
            "the TLS handshake failed: invalid peer certificate: UnknownRevocationStatus",
        ),
        (
            Refusal::OwnCertificate,
            "the TLS handshake failed: received fatal alert: UnknownCA",
        ),
        (
            Refusal::CertificateExpired,
            "the TLS handshake failed: invalid peer certificate: certificate expired",
        ),
        (
            Refusal::CertificateRevoked,
            "the TLS handshake failed: invalid peer certificate: Revoked",
        ),
        (
            Refusal::WrongService,
            "the ticket is for HTTP/old.example, and this collector is HTTP/wec.example",
        ),
        (
            Refusal::UnknownKey,
            "the ticket for HTTP/wec.example is encrypted with key version 4 and AES256, and the keytab has version 3",
        ),
        (
            Refusal::ClockSkew,
            "the clock of WS1$@CORP.EXAMPLE is 900 s behind ours, and 300 s are allowed",
        ),
        (
            Refusal::TicketReplayed,
            "the authenticator of WS1$@CORP.EXAMPLE came before: somebody repeats what it recorded",
        ),
    ];
    let lines: Vec<String> = (all.into_iter())
        .map(|(refusal, reason)| said(Some(&silent), &[refused(refusal, 30, reason)], &terms()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    failing no_certificate: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the TLS handshake failed: peer sent no certificates > give the machine a client certificate that NETWORK SERVICE may read, and name its authority in IssuerCA; for a machine: IssuerCA= in its policy has to be 0123456789ABCDEF0123456789ABCDEF01234567
    silent hung_up: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: it hangs up before it has shown a certificate > nothing, when it is a port scan or a load balancer's probe; else see the peer's log; for a machine: IssuerCA= in its policy has to be 0123456789ABCDEF0123456789ABCDEF01234567
    failing certificate_not_for_clients: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: its certificate is not made for clients: it lacks the usage Client Authentication (the TLS handshake failed: invalid peer certificate: certificate does not allow extended key usage for client authentication) > issue it a certificate with the enhanced key usage Client Authentication (clientAuth, 1.3.6.1.5.5.7.3.2)
    failing revocation_unknown: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the TLS handshake failed: invalid peer certificate: UnknownRevocationStatus > fetch the lists of revoked certificates anew (crl), one of each authority; with expired_crl = "use" old ones are taken
    failing own_certificate_not_believed: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the TLS handshake failed: received fatal alert: UnknownCA > the machine has to trust the authority of the collector's certificate and call it by a name in it
    failing certificate_expired: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the TLS handshake failed: invalid peer certificate: certificate expired > renew the machine's certificate; if it is new, see the clocks of both ends
    failing certificate_revoked: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the TLS handshake failed: invalid peer certificate: Revoked > give the machine a new certificate if it is to send; if it was revoked by mistake, have a new list made
    failing wrong_service: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the ticket is for HTTP/old.example, and this collector is HTTP/wec.example > put the name that the ticket is for into the keytab and into principals
    failing unknown_key: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the ticket for HTTP/wec.example is encrypted with key version 4 and AES256, and the keytab has version 3 > write the keytab anew: the account's password was changed since, or its encryption types; allow it AES (msDS-SupportedEncryptionTypes 24)
    failing clock_skew: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the clock of WS1$@CORP.EXAMPLE is 900 s behind ours, and 300 s are allowed > set the clocks: both ends by NTP; Kerberos allows five minutes
    silent ticket_replayed: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 30s ago: the authenticator of WS1$@CORP.EXAMPLE came before: somebody repeats what it recorded > see who is at that address: somebody repeats what a machine has sent
    "#);
}

#[test]
fn a_refusal_counts_that_came_after_the_last_word_and_stays() {
    let verdict = |refusal, seconds| {
        judged(
            Some(&well()),
            &[refused(refusal, seconds, "why")],
            &terms(),
            world(),
        )
        .verdict
    };
    let missed = |seconds| {
        let refused = [refused(Refusal::BadCertificate, seconds, "why")];
        judged(Some(&quiet(2 * HOUR)), &refused, &terms(), world()).verdict
    };
    assert_eq!(missed(10), Verdict::Failing);
    assert_eq!(missed(3 * HOUR), Verdict::Silent, "it came through since");
    assert_eq!(
        verdict(Refusal::BadCertificate, 10),
        Verdict::Alive,
        "it is heard of"
    );
    // These pass by themselves, or are somebody else's doing.
    for passing in [
        Refusal::HungUp,
        Refusal::TicketExpired,
        Refusal::TicketReplayed,
        Refusal::Stopping,
    ] {
        assert_eq!(verdict(passing, 10), Verdict::Alive, "{passing:?}");
    }
}

#[test]
fn who_claims_the_name_of_a_machine_that_is_heard_of_does_not_decide_how_it_is() {
    let mut claims = refused(
        Refusal::BadCertificate,
        1,
        "the TLS handshake failed: invalid peer certificate: UnknownIssuer",
    );
    claims.claim = Some(Claim {
        name: Some(NAME.to_owned()),
        issuer: Some("CN=Mallory".to_owned()),
    });
    let scan = refused(Refusal::NoCertificate, 2, "peer sent no certificates");
    insta::assert_snapshot!(said(Some(&well()), &[claims.clone()], &terms()), @"
    alive
      claimed: somebody at 192.0.2.7 who says it is ws1.corp.example, which nothing proves, is refused 3 times, last 1s ago: it shows a certificate of CN=Mallory, and no authority in client_ca has signed it (the TLS handshake failed: invalid peer certificate: UnknownIssuer) > see who is at that address; nothing of what it claims is proven, and the machine itself is heard of
    ");
    insta::assert_snapshot!(said(Some(&well()), &[scan], &terms()), @"
    alive
      claimed: somebody at its last address, 192.0.2.7, which proves nothing, is refused 3 times, last 2s ago: peer sent no certificates > see who is at that address; nothing of what it claims is proven, and the machine itself is heard of
    ");
    // Nor does it hide what is the matter.
    let mut denied = well();
    denied
        .channel_status
        .insert("Security".to_owned(), (5, ago(30)));
    let judgement = judged(Some(&denied), &[claims.clone()], &terms(), world());
    let code = judgement.finding.map(|finding| finding.code());
    assert_eq!(code, Some("access_denied"));
    // One that is missed may be the one who claims it.
    let judgement = judged(Some(&quiet(20 * MINUTE)), &[claims], &terms(), world());
    assert_eq!(judgement.verdict, Verdict::Failing);
    assert!(judgement.notes.is_empty(), "{:?}", judgement.notes);
}

/// Offers a machine one more subscription, so long ago.
fn offer(status: &mut SourceStatus, name: &str, seconds: i64) {
    let all = status.offered.get_or_insert_default();
    all.insert(name.to_owned(), offered(&asked(name), seconds));
}

/// Has it know all subscriptions as they are.
fn tell(status: &mut SourceStatus, terms: &Terms, seconds: i64) {
    let all = terms.asked.iter();
    let all = all.map(|asked| (asked.name.clone(), offered(asked, seconds)));
    status.offered = Some(all.collect());
}

#[test]
fn a_subscription_that_is_added_counts_once_it_was_offered_and_from_then_on() {
    let mut terms = terms();
    terms.asked[0].whole_channels = [].into();
    let mut status = well();
    for offered in status.offered.iter_mut().flat_map(BTreeMap::values_mut) {
        offered.since = ago(9 * 24 * HOUR);
    }
    let mut security = asked("security");
    (security.heartbeat, security.changed) = (Duration::from_secs(60), Some(ago(10)));
    terms.asked.push(security);
    let of = |status: &SourceStatus, terms: &Terms| {
        let judgement = judged(Some(status), &[], terms, world());
        let code = judgement.finding.map(|finding| finding.code());
        (judgement.verdict, code)
    };
    assert_eq!(
        of(&status, &terms),
        (Verdict::Alive, None),
        "not asked since"
    );
    // Nothing came for fifteen minutes, which was well before.
    status.last_events = Some(ago(15 * MINUTE));
    (status.last_enumerate, status.last_heartbeat) = (Some(ago(5)), None);
    offer(&mut status, "security", 5);
    assert_eq!(of(&status, &terms), (Verdict::Alive, None), "just offered");
    status.last_events = Some(ago(1));
    let counts = status.subscriptions["base"];
    status.subscriptions.insert("security".to_owned(), counts);
    for hours in [5, 7] {
        offer(&mut status, "security", hours * HOUR);
        let expected = match hours {
            5 => (Verdict::Alive, None),
            _ => (Verdict::Failing, Some("nothing_read")),
        };
        assert_eq!(of(&status, &terms), expected, "{hours} h");
    }
    // The terms of one that it has were changed: it goes by those that it knows until it asks.
    let mut status = quiet(10 * MINUTE);
    let mut terms = self::terms();
    terms.asked[0].heartbeat = Duration::from_secs(60);
    (terms.asked[0].changed, terms.asked[0].timed) = (Some(ago(30)), Some(ago(30)));
    assert_eq!(of(&status, &terms).0, Verdict::Alive);
    tell(&mut status, &terms, 10 * MINUTE);
    status.last_enumerate = Some(ago(20));
    status.rhythm.asks_since = Some(ago(14 * MINUTE));
    status.last_events = Some(ago(15 * MINUTE));
    assert_eq!(
        of(&status, &terms).0,
        Verdict::Failing,
        "it has asked, and nothing comes"
    );
}

#[test]
fn a_silent_machine_stays_silent_when_nothing_is_asked_of_it_any_more() {
    let mut terms = terms();
    (terms.asked[0].heartbeat, terms.asked[0].max_time) =
        (Duration::from_secs(15), Duration::from_secs(5));
    let mut told = quiet(10 * MINUTE);
    tell(&mut told, &terms, HOUR);
    let untold = SourceStatus {
        offered: None,
        ..told.clone()
    };
    let all = |terms: &Terms| {
        [&told, &untold].map(|status| judged(Some(status), &[], terms, world()).verdict)
    };
    assert_eq!(all(&terms), [Verdict::Silent; 2]);
    // Other channels are asked for at the same pace.
    terms.asked[0].changed = Some(ago(1));
    assert_eq!(all(&terms), [Verdict::Silent; 2]);
    // Taken out of it, with others that go on.
    terms.asked[0].audience = audience(&["dc*"], &[]);
    assert_eq!(all(&terms), [Verdict::Silent; 2]);
    insta::assert_snapshot!(said(Some(&told), &[], &terms), @"
    silent silent: nothing was heard of it for 10m, and it should be heard of every 15s > is it on, and in the network? On it, see event 105 in Eventlog-ForwardingPlugin/Operational and the service WinRM
      not_asked_for: no subscription is for it; it hears of that when it asks next > nothing, if that is meant: `windrow sources forget` takes it from the list once it is silent; else name it in machines or machine_groups of a subscription
    ");
    let mut slow = asked("slow");
    slow.heartbeat = Duration::from_secs(6 * 3_600);
    terms.asked.push(slow);
    assert_eq!(all(&terms), [Verdict::Silent; 2]);
    // And where it is gone altogether; one that has not asked since the start may have known anything then.
    terms.asked.clear();
    assert_eq!(all(&terms)[0], Verdict::Silent);
}

#[test]
fn a_batch_that_may_wait_longer_than_security_is_quiet_is_waited_for() {
    let mut terms = terms();
    let mut status = well();
    for offered in status.offered.iter_mut().flat_map(BTreeMap::values_mut) {
        offered.since = ago(30 * 24 * HOUR);
    }
    status.channels.insert(
        "base".to_owned(),
        Arc::new(vec![came("Security", 6 * HOUR + 10)]),
    );
    assert_eq!(
        judged(Some(&status), &[], &terms, world()).verdict,
        Verdict::Failing
    );
    for hours in [6, 12] {
        terms.asked[0].max_time = Duration::from_secs(hours * 3_600);
        tell(&mut status, &terms, 30 * 24 * HOUR);
        let judgement = judged(Some(&status), &[], &terms, world());
        assert_eq!(judgement.verdict, Verdict::Alive, "{hours} h");
    }
    status.channels.insert(
        "base".to_owned(),
        Arc::new(vec![came("Security", 25 * HOUR)]),
    );
    assert_eq!(
        judged(Some(&status), &[], &terms, world()).verdict,
        Verdict::Failing
    );
}

#[test]
fn what_is_sent_and_refused_is_a_failure_until_a_delivery_is_taken() {
    let with = |refusal, in_a_row| SourceStatus {
        last_refusal: refused_request(refusal, in_a_row, "the body is over 576000 bytes"),
        ..well()
    };
    insta::assert_snapshot!(said(Some(&with(Refusal::TooLarge, 1)), &[], &terms()), @"failing too_large: what it sends is refused, once, last 5s ago: the body is over 576000 bytes > lower the subscription's max_envelope or max_batch_events");
    assert_eq!(
        verdict(&with(Refusal::NoRoom, 1)),
        Verdict::Alive,
        "it tries again"
    );
    assert_eq!(verdict(&with(Refusal::NoRoom, 3)), Verdict::Failing);
    assert_eq!(verdict(&with(Refusal::JournalFull, 1)), Verdict::Failing);
    insta::assert_snapshot!(said(Some(&with(Refusal::DiskFull, 1)), &[], &terms()), @"failing disk_full: what it sends is refused, once, last 5s ago: the body is over 576000 bytes > make room on the disk of /srv/windrow/journal; machines keep what was refused, and send it again");
    let mut taken = with(Refusal::TooLarge, 1);
    taken.last_events = Some(ago(1));
    assert_eq!(verdict(&taken), Verdict::Alive);
    // It has nothing but signs of life to send since: what was not about a delivery is over.
    for (refusal, expected) in [
        (Refusal::NoRoom, Verdict::Alive),
        (Refusal::TooSlow, Verdict::Alive),
        (Refusal::BrokeOff, Verdict::Alive),
        (Refusal::TooManyOfMachine, Verdict::Alive),
        (Refusal::TooLarge, Verdict::Failing),
        (Refusal::JournalFull, Verdict::Failing),
    ] {
        let mut lives = with(refusal, 3);
        assert_eq!(verdict(&lives), Verdict::Failing, "{refusal:?}");
        lives.last_heartbeat = Some(ago(1));
        assert_eq!(verdict(&lives), expected, "{refusal:?}");
    }
    let mut offer = with(Refusal::OfferTooLarge, 1);
    assert_eq!(verdict(&offer), Verdict::Failing);
    offer.last_enumerate = Some(ago(2));
    assert_eq!(
        verdict(&offer),
        Verdict::Alive,
        "it has asked again and was answered"
    );
    for gone in [Refusal::UnknownSubscription, Refusal::NotForMachine] {
        let mut gone = with(gone, 3);
        assert_eq!(verdict(&gone), Verdict::Failing);
        gone.last_enumerate = Some(ago(2));
        assert_eq!(verdict(&gone), Verdict::Alive, "it knows what there is now");
    }
}

#[test]
fn a_machine_that_is_told_nothing_learns_which_pattern_was_meant() {
    let mut terms = terms();
    terms.asked[0].audience = audience(&["*"], &["WS1.*"]);
    terms.asked.push(asked("workstations"));
    terms.asked[1].audience = audience(&["ws*.crop.example", "dc*"], &[]);
    let mut status = well();
    status.offered = Some(BTreeMap::new());
    insta::assert_snapshot!(said(Some(&status), &[], &terms), @"failing no_subscription: it asks, and no subscription is for it: base leaves it out by WS1.*; almost matching: ws*.crop.example > name it in machines or machine_groups of a subscription, or take it out of except_machines; it hears of it when it asks next");
    // One was made for it meanwhile: it has not asked since.
    terms.asked[1].audience = audience(&["ws*"], &[]);
    terms.asked[1].changed = Some(ago(10));
    status.rhythm.every = Some(SignedDuration::from_secs(900));
    insta::assert_snapshot!(said(Some(&status), &[], &terms), @"
    alive
      refresh_due: it has not asked since workstations was changed; it asks next in about 14m 40s > nothing: wait, or gpupdate /force on the machine
    ");
    status.rhythm.every = Some(SignedDuration::from_secs(15));
    insta::assert_snapshot!(said(Some(&status), &[], &terms), @"
    alive
      refresh_due: it has not asked since workstations was changed, and should have 5s ago > gpupdate /force on the machine; see Refresh in its policy's Server= line, and the service WinRM
    ");
}

#[test]
fn a_machine_that_only_asks_cannot_reach_the_address_it_is_told() {
    insta::assert_snapshot!(said(Some(&asks(30)), &[], &terms()), @"alive just_asked: it has asked for its subscriptions; the first of it comes within 1m 30s > nothing: wait");
    let mut elsewhere = asks(10 * MINUTE);
    insta::assert_snapshot!(said(Some(&elsewhere), &[], &terms()), @r#"failing push_address_unreachable: it asked for its subscriptions 20s ago, and nothing comes to the address it was told, wec.example:5986 > from the machine, the name and port it was told have to resolve and answer (Test-NetConnection); hostname of the listener says which they are. Where they do, event 102 in Eventlog-ForwardingPlugin/Operational says that it refuses the subscription: its query, or with channel_errors = "refuse" a channel that it lacks"#);
    elsewhere.called = Some("10.1.2.3:5986".to_owned());
    let words = said(Some(&elsewhere), &[], &terms());
    assert!(
        words.contains("asked for its subscriptions at 10.1.2.3:5986 20s ago"),
        "{words}"
    );
}

#[test]
fn channels_that_cannot_be_read_are_named() {
    let mut status = well();
    let say = |status: &mut SourceStatus, channel: &str, code| {
        status
            .channel_status
            .insert(channel.to_owned(), (code, ago(90)));
    };
    say(&mut status, "System", 15_007);
    insta::assert_snapshot!(said(Some(&status), &[], &terms()), @"
    alive
      channel_absent: it does not have System > nothing, where the machine does not have what writes it; else see the spelling in the query, and that the channel is on (wevtutil gl CHANNEL)
    ");
    let mut absent = status.clone();
    say(&mut absent, "security", 15_007);
    assert_eq!(
        verdict(&absent),
        Verdict::Failing,
        "none of what is asked for is there"
    );
    say(&mut status, "Security", 5);
    insta::assert_snapshot!(said(Some(&status), &[], &terms()), @"
    failing access_denied: it may not read Security > NETWORK SERVICE has to be in Event Log Readers of the machine, which counts after it was restarted, or in the channel's access (wevtutil gl CHANNEL)
      channel_absent: it does not have System > nothing, where the machine does not have what writes it; else see the spelling in the query, and that the channel is on (wevtutil gl CHANNEL)
    ");
    // Events that came later say otherwise.
    status
        .channels
        .insert("base".to_owned(), Arc::new(vec![came("Security", 60)]));
    assert_eq!(verdict(&status), Verdict::Alive);
}

fn came(channel: &str, seconds: i64) -> ChannelProgress {
    ChannelProgress {
        channel: channel.into(),
        record_id: 7,
        origin: Origin::Own,
        events: 1,
        last_event: Some(ago(seconds)),
        missing: 0,
        gaps: 0,
        last_gap: None,
        restarts: 0,
        last_restart: None,
    }
}

#[test]
fn a_security_log_that_says_nothing_is_one_that_may_not_be_read() {
    let mut status = well();
    for offered in status.offered.iter_mut().flat_map(BTreeMap::values_mut) {
        offered.since = ago(8 * HOUR);
    }
    insta::assert_snapshot!(said(Some(&status), &[], &terms()), @"failing nothing_read: it lives, and for 8h nothing came of Security, which is all asked for: most likely it may not read it > NETWORK SERVICE has to be in Event Log Readers of the machine, which counts after it was restarted, or in the channel's access (wevtutil gl CHANNEL)");
    status
        .channels
        .insert("base".to_owned(), Arc::new(vec![came("Security", HOUR)]));
    assert_eq!(verdict(&status), Verdict::Alive);
    let mut narrow = terms();
    narrow.asked[0].whole_channels = [].into();
    status.channels.clear();
    let judgement = judged(Some(&status), &[], &narrow, world());
    assert_eq!(
        judgement.verdict,
        Verdict::Alive,
        "few events of it are asked for"
    );
}

#[test]
fn what_is_worth_knowing_of_a_machine_that_is_well() {
    let mut status = well();
    let counts = status.subscriptions.get_mut("base").unwrap();
    counts.unexpected_bookmark_events = 2;
    counts.missing = 17;
    counts.restarts = 1;
    status.other_computers = Some(OtherComputers {
        events: 4,
        example: "ws2.corp.example".to_owned(),
        last: ago(9),
    });
    insta::assert_snapshot!(said(Some(&status), &[], &terms()), @"
    alive
      began_anew: it began anew with base although a bookmark was stored for it, 2 times: events in between may be missing > compare the machine's log with what came (event 20 has the time); where its log is still whole, read_existing of a new subscription fetches it
      events_missing: 17 events that its logs had never came: their record ids were left out > make the log larger (wevtutil sl CHANNEL /ms:BYTES): it was overwritten before it was sent
      log_restarted: the record ids of a channel began anew, once: the log was cleared, or the machine rebuilt > who cleared it is in event 1102 of Security or 104 of System; for a rebuilt machine nothing
      other_computer: 4 of its events name another computer, for example ws2.corp.example > see whether it was renamed, forwards events of others, or shares its certificate with another machine
    ");
    let mut gone = quiet(2 * HOUR);
    gone.subscriptions.get_mut("base").unwrap().ended = Some(ago(2 * HOUR));
    gone.subscriptions.get_mut("base").unwrap().last_sign = Some(ago(3 * HOUR));
    insta::assert_snapshot!(said(Some(&gone), &[], &terms()), @"silent ended: it ended base 2h ago: its policy changed, or it went down > nothing, if it went down; else see its group policy");
}
