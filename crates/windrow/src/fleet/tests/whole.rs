//! All machines together: each once, in order, in pages, with what was refused.

use super::*;

/// A survey of one listener.
fn survey(
    sources: Vec<SourceStatus>,
    refused: Vec<RefusedConnection>,
    expected: &[&str],
) -> Survey {
    let expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    Survey {
        world: world(),
        expected: Expected::new(&expected),
        listeners: vec![Listener {
            name: "wef.main".to_owned(),
            terms: terms(),
            sources: sources.into_iter().map(Arc::new).collect(),
            refused,
        }],
    }
}

fn named(name: &str, status: SourceStatus) -> SourceStatus {
    SourceStatus {
        source: name.to_owned(),
        ..status
    }
}

fn lines(report: &Report) -> Vec<String> {
    let machines = report.machines.iter();
    machines
        .map(|one| format!("{} {}", one.verdict.unwrap(), one.name))
        .collect()
}

#[test]
fn each_machine_is_there_once_and_the_worst_comes_first() {
    let mut claims = refused(
        Refusal::ClockSkew,
        5,
        "the clock of WS9$@CORP.EXAMPLE is behind",
    );
    claims.claim = Some(Claim {
        name: Some("WS9$@CORP.EXAMPLE".to_owned()),
        issuer: None,
    });
    let mut unknown = claims.clone();
    unknown.claim = Some(Claim {
        name: Some("mallory".to_owned()),
        issuer: None,
    });
    let scan = refused(Refusal::HungUp, 5, "eof");
    let mut survey = survey(
        vec![
            named("b.example", well()),
            named("a.example", well()),
            named("WS2$@CORP.EXAMPLE", quiet(2 * HOUR)),
        ],
        vec![claims, unknown, scan],
        &["a", "ws2", "ws9", "ws10.example"],
    );
    let mut other = survey.listeners[0].clone();
    other.name = "wef.other".to_owned();
    // It speaks to the first one now; both know it from the journal.
    other.sources = vec![Arc::new(SourceStatus {
        offered: None,
        ..named("A.example", quiet(HOUR))
    })];
    other.refused.clear();
    survey.listeners.push(other);
    let all = survey.report(&Ask::default(), &|_, _, _| None);
    assert_eq!(
        lines(&all),
        [
            "failing ws9",
            "never ws10.example",
            "silent WS2$@CORP.EXAMPLE",
            "alive a.example",
            "alive b.example"
        ]
    );
    assert_eq!(
        (all.totals.machines(), all.totals, all.found),
        (5, survey.totals(), 5)
    );
    let expected: Vec<bool> = all.machines.iter().map(|one| one.expected).collect();
    assert_eq!(expected, [true, true, true, true, false]);
    let strangers: Vec<_> = all
        .strangers
        .iter()
        .map(|one| one.claims.as_deref())
        .collect();
    assert_eq!(strangers, [Some("mallory"), None]);
}

#[test]
fn a_machine_is_behind_until_it_was_offered_what_there_is() {
    let mut asks = well();
    asks.subscriptions.clear();
    let mut survey = survey(vec![asks], Vec::new(), &[]);
    let ask = Ask {
        machine: Some(NAME.to_owned()),
        ..Ask::default()
    };
    let seen = |survey: &Survey| {
        let report = survey.report(&ask, &|_, _, _| None);
        let one = &report.machines[0];
        let base = &one.detail.as_ref().unwrap().subscriptions[0];
        let revision = base.revision.clone().unwrap_or_default();
        (one.behind.join(" "), revision, base.newest.clone())
    };
    let words = |texts: [&str; 3]| {
        let [behind, revision, newest] = texts.map(str::to_owned);
        (behind, revision, newest)
    };
    assert_eq!(seen(&survey), words(["", "R1", "R1"]));
    let terms = &mut survey.listeners[0].terms;
    terms.asked[0].revision = "R2".to_owned();
    terms.asked.push(asked("new"));
    terms.asked.push(asked("of-others"));
    terms.asked[2].audience = audience(&["dc*"], &[]);
    assert_eq!(seen(&survey), words(["base new", "R1", "R2"]));
    // What it was offered before the start is not known.
    Arc::make_mut(&mut survey.listeners[0].sources[0]).offered = None;
    let report = survey.report(&ask, &|_, _, _| None);
    assert!(report.machines[0].behind.is_empty());
}

#[test]
fn two_authorities_have_a_cure_each() {
    let foreign = |name: &str| RefusedConnection {
        claim: Some(Claim {
            name: Some(name.to_owned()),
            issuer: Some("CN=Other CA".to_owned()),
        }),
        ..refused(Refusal::BadCertificate, 5, "UnknownIssuer")
    };
    let mut survey = survey(Vec::new(), vec![foreign("a")], &["a", "b"]);
    let mut other = survey.listeners[0].clone();
    other.name = "wef.other".to_owned();
    other.terms.issuer_thumbprints = vec!["F".repeat(40)];
    other.refused = vec![foreign("b")];
    survey.listeners.push(other);
    let report = survey.report(&Ask::default(), &|_, _, _| None);
    let reasons = report.machines.iter().filter_map(|one| one.reason.as_ref());
    let cures: Vec<&str> = reasons.map(|reason| &*reason.cure).collect();
    assert!(
        cures[0].contains("0123456789ABCDEF") && cures[1].contains("FFFF"),
        "{cures:?}"
    );
}

#[test]
fn who_is_expected_is_told_even_where_nobody_listens() {
    let mut survey = survey(Vec::new(), Vec::new(), &["ws1"]);
    survey.listeners.clear();
    let report = survey.report(&Ask::default(), &|_, _, _| None);
    assert_eq!(lines(&report), ["never ws1"]);
}

#[test]
fn pages_patterns_and_verdicts_choose_among_them() {
    let sources = (0..25).map(|number| named(&format!("ws{number:02}.example"), well()));
    let survey = survey(sources.collect(), Vec::new(), &["dc1"]);
    let ask = |machine: &str, verdicts: &[Verdict], offset, limit| {
        let ask = Ask {
            machine: (!machine.is_empty()).then(|| machine.to_owned()),
            verdicts: verdicts.to_vec(),
            offset,
            limit,
        };
        let report = survey.report(&ask, &|_, _, _| None);
        (
            report.found,
            report.machines.len(),
            report.machines.iter().any(|one| one.detail.is_some()),
        )
    };
    assert_eq!(ask("", &[], 0, None), (26, 26, false));
    assert_eq!(ask("", &[], 20, Some(10)), (26, 6, false));
    assert_eq!(ask("", &[Verdict::Never], 0, None), (1, 1, false));
    assert_eq!(ask("ws1*", &[], 0, Some(3)), (10, 3, false));
    assert_eq!(
        ask("WS07", &[], 0, None),
        (1, 1, true),
        "one that is named is shown closely"
    );
    assert_eq!(
        ask("ws07.example", &[Verdict::Silent], 0, None),
        (0, 0, false)
    );
    assert_eq!(ask("nobody", &[], 0, None), (0, 0, false));
}

#[test]
fn the_whole_name_of_a_machine_means_that_one() {
    let names = [
        "ws1",
        "ws1.corp.example",
        "WS1$@CORP.EXAMPLE",
        "ws2.a.example",
        "ws2.b.example",
    ];
    let sources = names.map(|name| named(name, well()));
    let survey = survey(sources.into(), Vec::new(), &[]);
    let ask = |machine: &str| {
        let ask = Ask {
            machine: Some(machine.to_owned()),
            ..Ask::default()
        };
        let report = survey.report(&ask, &|_, _, _| None);
        let machines = report.machines.iter();
        let closely = machines.filter(|one| one.detail.is_some()).count();
        let names: Vec<String> = report.machines.iter().map(|one| one.name.clone()).collect();
        (names.join(" "), closely)
    };
    let one = |name: &str| (name.to_owned(), 1);
    assert_eq!(ask("WS1"), one("ws1"));
    assert_eq!(ask("ws1.Corp.example"), one("ws1.corp.example"));
    assert_eq!(ask("ws1$@corp.example"), one("WS1$@CORP.EXAMPLE"));
    assert_eq!(ask("ws2"), ("ws2.a.example ws2.b.example".to_owned(), 0));
    assert_eq!(ask("ws1*").0.split(' ').count(), 3);
}

#[test]
fn patterns_are_compared_for_so_many_machines_of_an_answer_and_for_no_count() {
    let told_nothing = SourceStatus {
        offered: Some(BTreeMap::new()),
        ..well()
    };
    let sources = (0..10_000)
        .map(|number| named(&format!("ws{number:05}.corp.example"), told_nothing.clone()));
    let mut survey = survey(sources.collect(), Vec::new(), &[]);
    let terms = &mut survey.listeners[0].terms;
    terms.asked[0].audience = audience(&["ws*.crop.example"], &[]);
    let ask = |offset, limit| Ask {
        offset,
        limit: Some(limit),
        ..Ask::default()
    };
    let spelled_out = |ask: Ask| {
        let report = survey.report(&ask, &|_, _, _| None);
        assert_eq!(report.totals.failing, 10_000);
        let reasons = report.machines.iter().filter_map(|one| one.reason.as_ref());
        let near = reasons.filter(|reason| reason.words.contains("almost matching"));
        (report.machines.len(), near.count())
    };
    assert_eq!(spelled_out(ask(0, 10_000)), (10_000, 100));
    assert_eq!(spelled_out(ask(9_990, 50)), (10, 10));
    // What is counted has nothing to compare: judging does not look at patterns that do not match.
    let judgement = judged(
        Some(&told_nothing),
        &[],
        &survey.listeners[0].terms,
        world(),
    );
    let nothing = Finding::NothingForIt {
        left_out: Vec::new(),
        near: Vec::new(),
    };
    assert_eq!(judgement.finding, Some(nothing));
}

#[test]
fn a_refusal_without_a_name_is_its_who_is_alone_at_the_address() {
    let at = |name: &str, last: u8| SourceStatus {
        address: Some([192, 0, 2, last].into()),
        ..named(
            name,
            SourceStatus {
                offered: None,
                ..quiet(2 * HOUR)
            },
        )
    };
    let hung_up = refused(Refusal::HungUp, 5, "eof");
    let alone = survey(
        vec![at("a.example", 7), at("b.example", 8)],
        vec![hung_up.clone()],
        &[],
    );
    let report = alone.report(&Ask::default(), &|_, _, _| None);
    assert_eq!(report.machines[0].reason.as_ref().unwrap().code, "hung_up");
    assert!(report.strangers.is_empty());
    let shared = survey(
        vec![at("a.example", 7), at("b.example", 7)],
        vec![hung_up],
        &[],
    );
    let report = shared.report(&Ask::default(), &|_, _, _| None);
    assert_eq!(report.machines[0].reason.as_ref().unwrap().code, "silent");
    assert_eq!(report.strangers.len(), 1);
}

#[test]
fn one_machine_is_shown_with_its_bookmarks_and_losses() {
    let mut status = well();
    let mut security = came("Security", 60);
    security.missing = 3;
    status
        .channels
        .insert("base".to_owned(), Arc::new(vec![security]));
    status
        .channel_status
        .insert("System".to_owned(), (15_007, ago(60)));
    let survey = survey(vec![status], Vec::new(), &[]);
    let ask = Ask {
        machine: Some("WS1".to_owned()),
        ..Ask::default()
    };
    let bookmark = "<BookmarkList><Bookmark Channel='security' RecordId='42' IsCurrent='true'/></BookmarkList>";
    let report = survey.report(&ask, &|listener, machine, id| {
        let is = (listener, machine, id) == ("wef.main", NAME, Subscribed::id_of("base"));
        is.then(|| bookmark.to_owned())
    });
    let detail = report.machines[0].detail.as_ref().unwrap();
    let [base] = &detail.subscriptions[..] else {
        panic!("{detail:?}");
    };
    assert_eq!(
        (base.version.as_deref(), base.taken_up),
        (Some("V1"), Some(ago(MINUTE)))
    );
    let channels: Vec<_> = (base.channels.iter())
        .map(|one| (&*one.name, one.bookmark, one.missing, one.whole, one.code))
        .collect();
    assert_eq!(
        channels,
        [
            ("Security", Some(42), 3, true, None),
            ("System", None, 0, false, Some(15_007))
        ]
    );
    let json = serde_json::to_vec(&report).unwrap();
    let back: Report = serde_json::from_slice(&json).unwrap();
    assert_eq!(serde_json::to_vec(&back).unwrap(), json);
}
