use insta::assert_snapshot;

use super::*;
use crate::event::{Index, parse};

fn of(source: &str, text: &str) -> Identity {
    let mut index = Index::new();
    let _ = parse(text, &mut index);
    identity(source, Event::new(text, &index))
}

fn event(computer: &str, channel: &str, record_id: &str, time: &str) -> String {
    format!(
        "<Event><System><TimeCreated SystemTime='{time}'/><EventRecordID>{record_id}</EventRecordID>\
         <Channel>{channel}</Channel><Computer>{computer}</Computer></System></Event>"
    )
}

/// Identities are stored: these must never change.
#[test]
fn identities_are_stable() {
    let text = event("dc01", "Security", "7", "2024-03-14T13:54:25.1166916Z");
    assert_snapshot!(of("host", &text), @"9656567dbc8a8dd6e3b26e9861dc8ff3");
    assert_snapshot!(of("host", &event("dc01", "Security", "7", "")), @"1fc5f5293281530ebaf9a4aa558b9f75");
    assert_snapshot!(of("host", "<Event/>"), @"5fa873cb9abf877408483206ce729917");
}

#[test]
fn every_part_counts() {
    let time = "2024-03-14T13:54:25.1166916Z";
    let identities = [
        of("a", &event("c", "d", "1", time)),
        of("b", &event("c", "d", "1", time)),
        of("a", &event("x", "d", "1", time)),
        of("a", &event("c", "x", "1", time)),
        of("a", &event("c", "d", "2", time)),
        of("a", &event("c", "d", "1", "2024-03-14T13:54:25.1166917Z")),
        of("a", &event("c", "d", "1", "")),
        of("a", &event("cd", "", "1", time)),
        of("a", &event("", "cd", "1", time)),
        of("ac", &event("", "d", "1", time)),
        of("a", &event("c", "d", "", time)),
        of("a", "<Event>text</Event>"),
        of("a<", "Event>text</Event>"),
    ];
    for (place, one) in identities.iter().enumerate() {
        assert!(!identities[..place].contains(one), "{place}");
    }
}

#[test]
fn how_it_is_written_does_not_count() {
    let time = "2024-03-14T13:54:25.1166916Z";
    let one = event("c", "d", "1", time);
    let other = one
        .replace('\'', "\"")
        .replace("<Channel>d", "<Channel> &#100; ")
        + "\n";
    assert_eq!(of("a", &one), of("a", &other));
}

#[test]
fn the_case_of_a_sources_name_makes_no_difference() {
    let text = event("dc01", "Security", "7", "2024-03-14T13:54:25.1166916Z");
    assert_eq!(of("WS01.Corp", &text), of("ws01.corp", &text));
    assert_eq!(of("WS01.Corp", "<Event/>"), of("ws01.corp", "<Event/>"));
    assert_ne!(of("ws01.corp", &text), of("ws02.corp", &text));
}
