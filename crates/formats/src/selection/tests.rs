use proptest::prelude::*;

use super::*;
use crate::event::{Index, parse};
use crate::limits::SELECTION_ITEMS_MAX;
use crate::own;

fn header(kind: Kind) -> Header {
    Header {
        kind,
        source: "w1".to_owned(),
        address: None,
        subscription: None,
        received_at: "2026-03-14T13:55:00Z".parse().unwrap(),
    }
}

fn xml(channel: &str, id: &str, provider: &str, computer: &str) -> String {
    format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID><Level>0</Level>\
         <TimeCreated SystemTime='2026-03-14T13:54:16Z'/><Channel>{channel}</Channel>\
         <Computer>{computer}</Computer></System></Event>"
    )
}

fn keeps(selection: &Selection, xml: &str, kind: Kind) -> bool {
    let mut index = Index::new();
    parse(xml, &mut index).unwrap();
    selection.keeps(Event::new(xml, &index), &header(kind))
}

fn names(list: &[&str]) -> Names {
    Names::new(list.iter().copied()).unwrap()
}

fn ids(list: &[&str]) -> EventIds {
    EventIds::new(list.iter().map(|range| range.parse().unwrap())).unwrap()
}

fn logon() -> String {
    xml(
        "Security",
        "4624",
        "Microsoft-Windows-Security-Auditing",
        "w1.example.com",
    )
}

#[test]
fn everything_is_chosen_unless_something_is_asked_for() {
    assert!(keeps(&Selection::default(), &logon(), Kind::Wef));
    assert!(keeps(&Selection::default(), "<Event/>", Kind::Evtx));
}

#[test]
fn each_list_asks_for_its_value() {
    let by = |choose: fn(&mut Selection)| {
        let mut selection = Selection::default();
        choose(&mut selection);
        keeps(&selection, &logon(), Kind::Wef)
    };
    assert!(by(|s| s.channels.only = names(&["System", "security"])));
    assert!(!by(|s| s.channels.only = names(&["System"])));
    assert!(!by(|s| s.channels.except = names(&["SECURITY"])));
    assert!(by(|s| s.channels.except = names(&["Secur"])));
    assert!(by(|s| s.event_ids.only = ids(&["1-10", "4624"])));
    assert!(!by(|s| s.event_ids.only = ids(&["4625-4700"])));
    assert!(!by(|s| s.event_ids.except = ids(&["4600-4700"])));
    assert!(by(|s| s.providers.only = names(&["Microsoft-Windows-*"])));
    assert!(!by(|s| s.providers.except = names(&["*-Auditing"])));
    assert!(by(|s| s.computers.only = names(&["*.EXAMPLE.com"])));
    assert!(!by(|s| s.computers.except = names(&["w1.*"])));
    assert!(!by(|s| s.output_severity = OutputSeverity::Default));
}

#[test]
fn an_exception_counts_more_than_a_wish_and_all_have_to_hold() {
    let mut selection = Selection {
        channels: Choice {
            only: names(&["Security"]),
            except: Names::default(),
        },
        event_ids: Choice {
            only: ids(&["4600-4700"]),
            except: ids(&["4634"]),
        },
        ..Selection::default()
    };
    assert!(keeps(&selection, &logon(), Kind::Wef));
    let logoff = logon().replace("4624", "4634");
    assert!(!keeps(&selection, &logoff, Kind::Wef));
    let elsewhere = logon().replace(">Security<", ">System<");
    assert!(!keeps(&selection, &elsewhere, Kind::Wef));
    selection.query = Some(Filter::compile("*[System[Computer='other']]").unwrap());
    assert!(!keeps(&selection, &logon(), Kind::Wef));
}

#[test]
fn what_an_event_does_not_have_is_in_no_list() {
    let only = Selection {
        computers: Choice {
            only: names(&["*"]),
            except: Names::default(),
        },
        ..Selection::default()
    };
    assert!(!keeps(&only, "<Event/>", Kind::Wef));
    let except = Selection {
        event_ids: Choice {
            only: EventIds::default(),
            except: ids(&["0-65535"]),
        },
        ..Selection::default()
    };
    assert!(keeps(&except, "<Event/>", Kind::Wef));
}

#[test]
fn a_value_is_compared_as_it_reads_and_not_as_it_is_written() {
    let event = xml("A &amp; B", "1", "p", "c");
    let selection = Selection {
        channels: Choice {
            only: names(&["a & *"]),
            except: Names::default(),
        },
        ..Selection::default()
    };
    assert!(keeps(&selection, &event, Kind::Wef));
}

#[test]
fn the_age_of_an_event_is_the_one_it_had_when_it_came_in() {
    let asks = |age_ms: u32| Selection {
        query: Some(
            Filter::compile(&format!(
                "*[System[TimeCreated[timediff(@SystemTime) <= {age_ms}]]]"
            ))
            .unwrap(),
        ),
        ..Selection::default()
    };
    assert!(keeps(&asks(44_000), &logon(), Kind::Wef));
    assert!(!keeps(&asks(43_999), &logon(), Kind::Wef));
}

#[test]
fn our_own_records_go_unless_their_channel_or_provider_is_unwanted() {
    let own = xml(own::CHANNEL, "12", own::PROVIDER, "wec");
    let narrow = Selection {
        output_severity: OutputSeverity::Default,
        channels: Choice {
            only: names(&["Security"]),
            except: names(&["System"]),
        },
        event_ids: Choice {
            only: ids(&["4624"]),
            except: ids(&["12"]),
        },
        providers: Choice {
            only: names(&["x"]),
            except: names(&["y"]),
        },
        computers: Choice {
            only: names(&["x"]),
            except: names(&["*"]),
        },
        query: Some(Filter::compile("System!*[System[EventID=1]]").unwrap()),
    };
    assert!(keeps(&narrow, &own, Kind::Own));
    assert!(!keeps(&narrow, &own, Kind::Wef), "others only say so");
    for unwanted in ["windrow", "Windrow*", own::CHANNEL] {
        let mut selection = narrow.clone();
        selection.channels.except = names(&[unwanted]);
        selection.providers.except = names(&[unwanted]);
        assert!(!keeps(&selection, &own, Kind::Own), "{unwanted}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let said = |text: &str| text.parse::<IdRange>().unwrap_err().to_string();
    insta::assert_snapshot!(said("46x24"), @"`46x24` is no event id");
    insta::assert_snapshot!(said("-5"), @"`` is no event id");
    insta::assert_snapshot!(said("65536"), @"`65536` is above 65535, the largest event id");
    insta::assert_snapshot!(said("99999999999"), @"`99999999999` is above 65535, the largest event id");
    insta::assert_snapshot!(said("10-9"), @"the range 10-9 ends before it begins");
    assert_eq!(Names::new([" "]), Err(NameError::Empty));
    assert_eq!(Names::new(["a\nb"]), Err(NameError::Control));
    let long = "a".repeat(SELECTION_VALUE_BYTES_MAX + 1);
    assert_eq!(Names::new([long.as_str()]), Err(NameError::TooLong));
    let many = vec!["a"; SELECTION_ITEMS_MAX + 1];
    assert_eq!(Names::new(many), Err(NameError::TooMany));
    let many = vec![IdRange::new(1, 1).unwrap(); SELECTION_ITEMS_MAX + 1];
    assert_eq!(EventIds::new(many), Err(IdRangeError::TooMany));
}

/// The same question, asked slowly.
fn is_like(name: &str, value: &str) -> bool {
    match name.chars().next() {
        None => value.is_empty(),
        Some('*') => {
            let rest = &name[1..];
            let mut starts = value.char_indices().map(|(at, _)| at).chain([value.len()]);
            starts.any(|at| is_like(rest, &value[at..]))
        }
        Some(first) => value.chars().next().is_some_and(|found| {
            found.eq_ignore_ascii_case(&first)
                && is_like(&name[first.len_utf8()..], &value[found.len_utf8()..])
        }),
    }
}

proptest! {
    #[test]
    fn a_star_stands_for_anything(name in "[aAb*ü]{1,8}", value in "[aAbBü]{0,10}") {
        prop_assert_eq!(names(&[&name]).contain(&value), is_like(&name, &value));
    }

    #[test]
    fn an_id_is_in_the_list_when_it_is_in_one_of_its_ranges(
        ranges in prop::collection::vec((0_u32..60, 0_u32..20), 0..12),
        id in 0_u32..100,
    ) {
        let ranges: Vec<_> = ranges.iter().map(|(from, len)| IdRange::new(*from, from + len).unwrap()).collect();
        let within = ranges.iter().any(|range| {
            let text = range.to_string();
            let (first, last) = text.split_once('-').unwrap_or((&text, &text));
            (first.parse().unwrap()..=last.parse().unwrap()).contains(&id)
        });
        prop_assert_eq!(EventIds::new(ranges).unwrap().contains(id), within);
    }
}

#[test]
fn lists_that_leave_nothing_are_named() {
    let of = |query: &str| Selection {
        query: Some(Filter::compile(query).unwrap()),
        ..Selection::default()
    };
    let said = |selection: &Selection| {
        let doubts = selection.doubts();
        doubts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let mut selection = Selection::default();
    selection.channels.only = names(&["Security", "Sec*"]);
    selection.channels.except = names(&["s*"]);
    selection.event_ids.only = ids(&["4624", "4720-4730"]);
    selection.event_ids.except = ids(&["4600-4725", "4726-4800"]);
    insta::assert_snapshot!(said(&selection), @"nothing that machines send gets there: of the channels that are listed every one is left out again; nothing that machines send gets there: of the event ids that are listed every one is left out again");
    selection.channels.except = names(&["Security"]);
    selection.event_ids.except = ids(&["4600-4720", "4722-4800"]);
    assert_eq!(said(&selection), "");
    let mut selection = of("System!*[System[EventID=7045]]");
    selection.channels.only = names(&["Security", "Application"]);
    insta::assert_snapshot!(said(&selection), @"nothing that machines send gets there: the query asks for no event of the channels, event ids, providers and computers that are listed");
    selection.channels.only = names(&["Security", "system"]);
    assert_eq!(said(&selection), "");
    selection.channels.only = names(&["Sys*"]);
    selection.event_ids.except = ids(&["7000-8000"]);
    assert_eq!(selection.doubts(), [SelectionDoubt::QueryElsewhere]);
    selection.event_ids.except = ids(&["0-7044", "7046-65535"]);
    assert_eq!(said(&selection), "");
    let mut selection = of("*[System[Computer='a'] or System[Provider[@Name='b']]]");
    selection.computers.only = names(&["c"]);
    assert_eq!(said(&selection), "");
    selection.providers.only = names(&["c"]);
    assert_eq!(selection.doubts(), [SelectionDoubt::QueryElsewhere]);
}

proptest! {
    #[test]
    fn a_selection_said_to_choose_nothing_chooses_nothing(
        lists in prop::collection::vec(prop::sample::subsequence(vec!["a", "b", "A*", "*b"], 0..3), 4),
        ids in prop::collection::vec(prop::collection::vec((0_u32..6, 0_u32..3), 0..3), 2),
        query in prop::option::of(prop::sample::select(vec![
            "a!*", "b!*[System[EventID=2]]", "*[System[Provider[@Name='a']]]", "*[System[EventID>3 or Computer='b']]",
        ])),
    ) {
        let ids_of = |ranges: &[(u32, u32)]| {
            let ranges = ranges.iter().map(|(first, len)| IdRange::new(*first, first + len).unwrap());
            EventIds::new(ranges).unwrap()
        };
        let mut selection = Selection {
            query: query.map(|query| Filter::compile(query).unwrap()),
            ..Selection::default()
        };
        selection.channels = Choice { only: names(&lists[0]), except: names(&lists[1]) };
        selection.providers = Choice { only: names(&lists[2]), except: names(&lists[3]) };
        selection.event_ids = Choice { only: ids_of(&ids[0]), except: ids_of(&ids[1]) };
        if !selection.doubts().is_empty() {
            for (at, id) in (0..9).flat_map(|id| (0..9).map(move |at| (at, id))) {
                let (channel, provider) = (["a", "b", "ab"][at % 3], ["a", "b", "ab"][at / 3]);
                let xml = format!(
                    "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID>\
                     <Channel>{channel}</Channel><Computer>b</Computer></System></Event>"
                );
                prop_assert!(!keeps(&selection, &xml, Kind::Wef), "{selection:?} chooses {xml}");
            }
        }
    }
}
