//! Our answers to event queries beside those of libxml2's XPath: published queries on real
//! events, and queries and events that are made up. `oracles/` has those of Windows' own log
//! files.
//!
//! Needs Python with lxml (Debian: python3-lxml); without it the tests say so and skip.
#![allow(clippy::unwrap_used)]

#[path = "libxml2/oracle.rs"]
mod oracle;

use std::path::PathBuf;

use oracle::{compare, files, is_here, published};
use windrow_formats::xpath::Expression;

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn corpus() -> PathBuf {
    match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "a test that skips says so, and one that runs how much"
)]
fn published_queries_select_the_same_events() {
    let lists = files(&corpus().join("wef-subscriptions"));
    let events: Vec<_> = files(&corpus().join("event-xml"))
        .iter()
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    if !is_here() {
        return;
    }
    if lists.is_empty() || events.is_empty() {
        eprintln!("skipped: no corpus at {}", corpus().display());
        return;
    }
    let queries = published(&lists);
    let (compared, selected) = compare(&queries, &events);
    eprintln!(
        "{} queries, {} events: {compared} answers, {selected} yes",
        queries.len(),
        events.len()
    );
    assert!(selected > 0);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }
}

const NAMES: [&str; 4] = ["A", "B", "Group", "Odd"];
const VALUES: [&str; 9] = [
    "1",
    "2",
    "7.5",
    "x",
    "",
    "j&amp;d",
    "S-1-5-18",
    "&#228;&lt;",
    // What stands for half a surrogate pair in an event that is no valid UTF-16.
    "x\u{FFFD}",
];
const LITERALS: [&str; 13] = [
    "'1'",
    "1",
    "2",
    "7.5",
    "'x'",
    "''",
    "'j&d'",
    "'S-1-5-18'",
    "'ä<'",
    "'x\u{FFFD}'",
    "0",
    "-1",
    "\"it's\"",
];

fn event(dice: &mut Dice) -> String {
    let mut payload = String::new();
    let is_tree = dice.roll(3) == 0;
    for _ in 0..dice.roll(7) {
        let (name, value) = (dice.pick(&NAMES), dice.pick(&VALUES));
        payload.push_str(&match (is_tree, dice.roll(4)) {
            (true, 0) => {
                format!("<{name} Name='{value}'><{name}>{value}</{name}><A>1</A></{name}>")
            }
            (true, _) => format!("<{name}>{value}</{name}>"),
            (false, 0) => format!("<Data>{value}</Data>"),
            (false, 1) => format!("<Binary>{value}</Binary>"),
            (false, _) => format!("<Data Name='{name}'>{value}</Data>"),
        });
    }
    let payload = match is_tree {
        true => format!("<UserData><t:Top xmlns:t='urn:x'>{payload}</t:Top></UserData>"),
        false => format!("<EventData>{payload}</EventData>"),
    };
    let security = ["", "<Security UserID='S-1-5-18'/>"][dice.roll(2)];
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='{}'/><EventID>{}</EventID><Level>{}</Level><Keywords>0x{:x}</Keywords>\
         <TimeCreated SystemTime='2026-03-14T13:5{}:00.5Z'/><Channel>System</Channel>{security}\
         </System>{payload}</Event>",
        dice.pick(&["P", "Q"]),
        dice.roll(4),
        dice.roll(4),
        1 << dice.roll(4),
        dice.roll(10),
    )
}

fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.roll(2) == 0 {
        let (one, other) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.roll(3) {
            0 => format!("({one} or {other})"),
            1 => format!("{one} and {other}"),
            _ => format!("{one} or {other}"),
        };
    }
    let (name, literal) = (dice.pick(&NAMES), dice.pick(&LITERALS));
    let operator = dice.pick(&["=", "!=", "<", "<=", ">", ">=", "="]);
    let number = dice.roll(4);
    let item = dice.pick(&["Data", "Data", "*", "Binary"]);
    match dice.roll(14) {
        0 => format!("System[EventID{operator}{number}]"),
        1 => format!("System/Level{operator}{number}.5"),
        2 => format!("System[Provider[@Name='P' or @Name{operator}{literal}]]"),
        3 => format!("System[band(Keywords,{})]", 1 + dice.roll(15)),
        4 => format!(
            "System/TimeCreated[timediff(@SystemTime) < {}]",
            dice.roll(12) * 60_000
        ),
        5 => format!("EventData[{item}[@Name='{name}']{operator}{literal}]"),
        6 => format!("EventData/{item}{operator}{literal}"),
        7 => format!("EventData/{item}[{number}]{operator}{literal}"),
        8 => format!("EventData/{item}[@Name='{name}'][{number}]{operator}{literal}"),
        9 => format!("EventData/{item}[position(){operator}{number}]/@Name='{name}'"),
        10 => format!("UserData/Top/{name}{operator}{literal}"),
        11 => format!("UserData/*/{name}[{name}{operator}{literal}]"),
        12 => format!("UserData/Top/*[{number}]/@*{operator}{literal}"),
        _ => format!("System/Security[@UserID{operator}{literal}]"),
    }
}

/// The text of an element with elements inside is nothing here and a string there.
fn is_comparable(query: &str) -> bool {
    let of_elements = NAMES.map(|name| format!("UserData/Top/{name}"));
    !of_elements.iter().any(|path| query.contains(path.as_str()))
}

#[test]
fn made_up_queries_select_the_same_events() {
    if !is_here() {
        return;
    }
    let mut dice = Dice(20_260_314);
    let events: Vec<_> = (0..300).map(|_| event(&mut dice)).collect();
    let queries: Vec<_> = (0..2_000)
        .map(|_| format!("*[{}]", condition(&mut dice, 3)))
        .filter(|query| is_comparable(query))
        .map(|query| {
            let expression =
                Expression::compile(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
            (query, expression)
        })
        .collect();
    let (compared, selected) = compare(&queries, &events);
    assert!(compared > 300_000 && selected > compared / 20 && selected < compared);
}
