//! What can never hold is said, and what is said never holds.

use proptest::prelude::*;

use super::super::possible::Known;
use super::property::expressions;
use super::*;

fn is_possible(expression: &Expression) -> bool {
    expression.is_possible(Known::default())
}

/// Conditions about few values, so that they often meet an event and often contradict each other.
fn atoms() -> impl Strategy<Value = String> {
    let operators = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let number = (
        prop::sample::select(vec!["EventID", "Level", "Execution/@ProcessID"]),
        operators.clone(),
        prop::sample::select(vec![
            "0", "1", "2", "2.5", "'3'", "300", "70000", "-1", "'x'",
        ]),
    );
    let number =
        number.prop_map(|(field, operator, value)| format!("System/{field}{operator}{value}"));
    let text = (
        prop::sample::select(vec![
            "System/Channel",
            "System/Provider/@Name",
            "System/Provider[@Name='a']/@Name",
            "EventData/Data",
            "EventData/Data[@Name='a']",
            "EventData/Data[@Name='a'][text()!='b']",
            "EventData/Data[position()>1]",
            "UserData/x/a",
        ]),
        prop::sample::select(vec!["=", "!="]),
        prop::sample::select(vec!["a", "b", "A", "2"]),
    );
    let text = text.prop_map(|(field, operator, value)| format!("{field}{operator}'{value}'"));
    let time = (
        prop::sample::select(vec![
            "System/TimeCreated/@SystemTime",
            "System/TimeCreated[@SystemTime>'2026-03-14T13:54:16Z']/@SystemTime",
        ]),
        operators.clone(),
        prop::sample::select(vec![
            "'2026-03-14T13:54:16Z'",
            "'2026-03-14T13:55:16Z'",
            "'2026-03-14'",
            "5",
        ]),
    );
    let time = time.prop_map(|(field, operator, value)| format!("{field}{operator}{value}"));
    let distance = (
        prop::sample::select(vec![
            "@SystemTime",
            "@SystemTime,'2026-03-14T13:54:16.5Z'",
            "'2026-03-14T13:54:16.5Z',@SystemTime",
        ]),
        operators,
        prop::sample::select(vec!["-1", "0", "1", "499.5", "60000"]),
    );
    let distance = distance.prop_map(|(time, operator, value)| {
        format!("System/TimeCreated[timediff({time}){operator}{value}]")
    });
    let other = prop::sample::select(vec![
        "UserData",
        "EventData",
        "EventData/Data[2]",
        "EventData/Data[1][2]",
        "EventData/Data[position()<1]",
        "EventData/Data[@Name='a' and position()=2]",
        "EventData/Data[@Name='a' and @Name='b']",
        "System[band(Level,2)]",
        "System[band(Level,256)]",
        "System[band(Level,0)]",
    ]);
    prop_oneof![4 => number, 4 => text, 2 => time, 2 => distance, 2 => other.prop_map(str::to_owned)]
}

fn queries() -> impl Strategy<Value = String> {
    let inner = atoms().prop_recursive(3, 12, 4, |inner| {
        let parts = prop::collection::vec(inner, 2..4);
        (parts, prop::sample::select(vec![" and ", " or "]))
            .prop_map(|(parts, between)| format!("({})", parts.join(between)))
    });
    prop_oneof![
        2 => inner.clone().prop_map(|condition| format!("*[{condition}]")),
        1 => (inner.clone(), inner).prop_map(|(one, other)| format!("*[{one}][{other}]")),
    ]
}

fn events() -> impl Strategy<Value = String> {
    let word = || prop::sample::select(vec!["a", "b", "A", "2"]);
    let number = || 0_u32..5;
    let times = prop::sample::select(vec![
        "2026-03-14T13:54:16Z",
        "2026-03-14T13:54:16.5Z",
        "2026-03-14T13:54:16.5004Z",
        "2026-03-14T13:55:16.6138329Z",
        "2026-03-14T13:55:16.6148329Z",
    ]);
    let items = prop::collection::vec((word(), word()), 0..3);
    (word(), word(), number(), number(), times, items, any::<bool>()).prop_map(
        |(provider, channel, id, level, time, items, is_tree)| {
            let item = |(name, value): &(_, _)| format!("<Data Name='{name}'>{value}</Data>");
            let data: String = items.iter().map(item).collect();
            let payload = match is_tree {
                true => "<UserData><x><a>b</a><a>2</a></x></UserData>".to_owned(),
                false => format!("<EventData>{data}</EventData>"),
            };
            format!(
                "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID><Level>{level}</Level>\
                 <TimeCreated SystemTime='{time}'/><Execution ProcessID='{id}'/>\
                 <Channel>{channel}</Channel></System>{payload}</Event>"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_cannot_hold_holds_for_no_event(
        query in prop_oneof![4 => queries(), 1 => expressions()],
        events in prop::collection::vec(events(), 20),
    ) {
        let expression = Expression::compile(&query).unwrap();
        if !is_possible(&expression) {
            for xml in events.iter().map(String::as_str).chain([LOGON, CLEARED]) {
                prop_assert!(!selects(&query, xml), "{} selects {}", query, xml);
            }
        }
    }

    #[test]
    fn what_is_said_of_a_channel_holds_for_no_event(query in queries(), events in prop::collection::vec(events(), 20)) {
        let filter = Filter::compile(&format!("a!{query}")).unwrap();
        let is_impossible = filter.warnings().iter().any(|warning| matches!(warning.doubt, Doubt::OtherChannel(_)));
        for xml in &events {
            prop_assert!(!is_impossible || !with_event(xml, |event| filter.matches(event, now())), "{} selects {}", query, xml);
        }
    }

    #[test]
    fn what_cannot_hold_is_warned_of(query in queries()) {
        let expression = Expression::compile(&query).unwrap();
        prop_assert!(is_possible(&expression) || !expression.warnings().is_empty(), "{}", query);
    }
}

/// The warnings of a filter, and what each is about.
fn said(query: &str) -> String {
    let filter = Filter::compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let warnings = filter.warnings().iter();
    let warnings =
        warnings.map(|warning| format!("{} [{}]", warning.doubt, &query[warning.at.clone()]));
    warnings.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_value_that_there_is_not_is_named() {
    insta::assert_snapshot!(said("*[System[Level=300]]"), @"this never holds: Level is a whole number from 0 to 255 [Level]");
    insta::assert_snapshot!(said("*[System[Level='Error']]"), @"this never holds: Level is a whole number from 0 to 255 [Level]");
    insta::assert_snapshot!(said("*[System[EventID=70000 or EventID=1]]"), @"this never holds: EventID is a whole number from 0 to 65535 [EventID]");
    insta::assert_snapshot!(said("*[System[EventID<0]]"), @"this never holds: EventID is a whole number from 0 to 65535 [EventID]");
    insta::assert_snapshot!(said("*[System[EventID=4624.5]]"), @"this never holds: EventID is a whole number from 0 to 65535 [EventID]");
    insta::assert_snapshot!(said("*[System[EventID/@Qualifiers='x']]"), @"this never holds: @Qualifiers is a whole number from 0 to 65535 [EventID/@Qualifiers]");
    insta::assert_snapshot!(said("*[System[band(Level,0x100)]]"), @"this never holds: Level is a whole number from 0 to 255 [Level]");
    insta::assert_snapshot!(said("*[System[TimeCreated[@SystemTime='2026-03-14']]]"), @"this never holds: @SystemTime is a time, as '2026-03-14T13:54:16Z', and this is none [@SystemTime]");
    insta::assert_snapshot!(said("*[System[TimeCreated[@SystemTime>5]]]"), @"this never holds: @SystemTime is a time, as '2026-03-14T13:54:16Z', and this is none [@SystemTime]");
    insta::assert_snapshot!(said("*[System[timediff(EventID)<5]]"), @"this never holds: EventID is a whole number from 0 to 65535 [EventID]");
    insta::assert_snapshot!(said("*[System[TimeCreated[timediff(@SystemTime)<0]]]"), @"this holds for events from the future alone: timediff() is the age in milliseconds [@SystemTime]");
    insta::assert_snapshot!(said("*[EventData/Data[0]]"), @"this never holds: there is no such position; the first is 1 [EventData/Data[0]]");
    insta::assert_snapshot!(said("*[EventData/Data[1][2]='x']"), @"this never holds: there is no such position; the first is 1 [EventData/Data[1][2]]");
    insta::assert_snapshot!(said("*[System[2]]"), @"this never holds [System[2]]");
    insta::assert_snapshot!(said("*[*/*/*/x]"), @"");
}

#[test]
fn conditions_that_contradict_each_other_are_named() {
    insta::assert_snapshot!(said("*[System[EventID=4624 and EventID=4625]]"), @"this never holds: EventID cannot fulfil all of it at once [EventID=4624 and EventID]");
    insta::assert_snapshot!(said("*[System[EventID=4624]] and *[System[EventID=4625]]"), @"this never holds: EventID cannot fulfil all of it at once [*[System[EventID=4624]] and *[System[EventID=4625]]]");
    insta::assert_snapshot!(said("*[System[EventID=4624][EventID=4625]]"), @"this never holds [System[EventID=4624][EventID=4625]]");
    insta::assert_snapshot!(said("*[System[(EventID=1 or EventID=2) and Level=1 and EventID>2]]"), @"this never holds: EventID cannot fulfil all of it at once [EventID=1 or EventID=2) and Level=1 and EventID]");
    insta::assert_snapshot!(said("*[System[(EventID=1 and Level=2 or EventID=2 and Level=1) and EventID=1 and Level=1]]"), @"this never holds: EventID cannot fulfil all of it at once [EventID=1 and Level=2 or EventID=2 and Level=1) and EventID=1 and Level]");
    insta::assert_snapshot!(said("*[System[Level=2 and (EventID=1 and EventID=2 or EventID=3)]]"), @"this never holds: EventID cannot fulfil all of it at once [EventID=1 and EventID]");
    insta::assert_snapshot!(said("*[System[Provider[@Name='a' and @Name='b']]]"), @"this never holds: @Name cannot fulfil all of it at once [@Name='a' and @Name]");
    insta::assert_snapshot!(said("*[System[Channel='a' and Channel!='a']]"), @"this never holds: Channel cannot fulfil all of it at once [Channel='a' and Channel]");
    insta::assert_snapshot!(said("*[EventData[Data[@Name='a' and @Name='b']='x']]"), @"this never holds: @Name cannot fulfil all of it at once [@Name='a' and @Name]");
    insta::assert_snapshot!(said("*[EventData[Data='x']] and *[UserData]"), @"this never holds: an event has only one of EventData, UserData and the like [*[EventData[Data='x']] and *[UserData]]");
    insta::assert_snapshot!(said("*[System[TimeCreated[timediff(@SystemTime)<1000 and timediff(@SystemTime)>5000]]]"), @"this never holds: timediff() cannot fulfil all of it at once [@SystemTime)<1000 and timediff(@SystemTime]");
    insta::assert_snapshot!(said("*[System[TimeCreated[@SystemTime>='2026-03-15T00:00:00Z' and @SystemTime<'2026-03-14T00:00:00Z']]]"), @"this never holds: @SystemTime cannot fulfil all of it at once [@SystemTime>='2026-03-15T00:00:00Z' and @SystemTime]");
    insta::assert_snapshot!(said("*[System[Keywords=1 and band(Keywords,2)]]"), @"this never holds: Keywords cannot fulfil all of it at once [Keywords=1 and band(Keywords]");
}

#[test]
fn a_path_that_its_expression_excludes_is_named() {
    insta::assert_snapshot!(said("Security!*[System[Channel='System']]"), @"this never holds: it is asked of the channel Security alone, and asks for another [*[System[Channel='System']]]");
    insta::assert_snapshot!(said("<QueryList><Query Path='Security'><Select>*[System[Channel='System']]</Select></Query></QueryList>"), @"this never holds: it is asked of the channel Security alone, and asks for another [<Select>*[System[Channel='System']]</Select>]");
    insta::assert_snapshot!(said("<QueryList><Query><Select Path='a'>*[System[Level=2]]</Select><Suppress Path='A'>*</Suppress></Query></QueryList>"), @"this selects nothing: a <Suppress> of the same Path holds back all of it [<Select Path='a'>*[System[Level=2]]</Select>]");
    insta::assert_snapshot!(said("<QueryList><Query><Select Path='a'>*[System[Level=2]]</Select><Suppress Path='a'>*[System/Level=2.0]</Suppress></Query></QueryList>"), @"");
    assert_eq!(
        said("Security!*[System[Channel='security' or Channel='Security']]"),
        ""
    );
}

#[test]
fn what_can_hold_is_not_doubted() {
    for query in [
        "*[System[EventID=4624 or EventID=4625] and System[Level<=4]]",
        "*[EventData[Data='a' and Data='b']]",
        "*[EventData[Data[@Name='a']='x' and Data[@Name='b']='y' and Data[@Name='a']='z']]",
        "*[EventData[Data[@Name='a'][1]='x' or Data[2][1]='y']]",
        "*[UserData/x/a='1' and UserData/x/a='2']",
        "*[System[Provider[@Name='a' or @Name='b'] and Provider[@Name!='a']]]",
        "*[System[Provider[@Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}']/@Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}']]",
        "*[System[TimeCreated[timediff(@SystemTime)<=86400000 and timediff(@SystemTime)>=0]]]",
        "*[System[Level=0 or Level=4 or Level=5 or Level=255]]",
        "*[*[EventID=1]]",
        "*[System[Computer='5' and Computer=5 and Computer!='x']]",
    ] {
        assert_eq!(said(query), "", "{query}");
    }
}
