//! What is refused, where, and with which cure.

use super::*;
use crate::limits::*;

fn fault(query: &str) -> String {
    let error = Expression::compile(query).unwrap_err();
    format!("{error} [{}]", &query[error.at.clone()])
}

#[test]
fn what_windows_does_not_take_is_named_with_its_cure() {
    insta::assert_snapshot!(fault(""), @"at byte 0: the query is empty: write * for every event []");
    insta::assert_snapshot!(fault("[System[EventID=1]]"), @"at byte 0: brackets stand behind * or a name: write *[…] or Event[…] [[]");
    insta::assert_snapshot!(fault("System[EventID=1]"), @"at byte 0: this selects no event: a path begins with * or Event, as in *[System[EventID=4624]] [System[EventID=1]]");
    insta::assert_snapshot!(fault("/Event"), @"at byte 0: a path begins with * or Event, not with / [/]");
    insta::assert_snapshot!(fault("//EventID"), @"at byte 0: event queries have no //: write every step, as in EventData/Data [//]");
    insta::assert_snapshot!(fault("*//EventID=1"), @"at byte 1: event queries have no //: write every step, as in EventData/Data [//]");
    insta::assert_snapshot!(fault("*[not(System)]"), @"at byte 2: event queries have no not(): write != instead of =, or put it into a <Suppress> [not]");
    insta::assert_snapshot!(fault("*[EventData[contains(Data,'x')]]"), @"at byte 12: event queries have no contains(): values are compared whole, with = and != [contains]");
    insta::assert_snapshot!(fault("*[EventData/Data[last()]]"), @"at byte 17: event queries have no last(): positions are counted from the front, as in Data[1] [last]");
    insta::assert_snapshot!(fault("*[count(EventData)=1]"), @"at byte 2: event queries have no count(): there are position(), band() and timediff() [count]");
    insta::assert_snapshot!(fault("*[EventData/Data[.='x']]"), @"at byte 17: event queries have no `.`: write Data='x', or text() for the value [.]");
    insta::assert_snapshot!(fault("*[System/../EventData]"), @"at byte 9: event queries have no `..`: write the condition in the brackets of the outer element [..]");
    insta::assert_snapshot!(fault("*[parent::x]"), @"at byte 2: event queries have no axis parent: only children, and attributes with @ [parent]");
    insta::assert_snapshot!(fault("*[System[EventID=$id]]"), @"at byte 17: event queries have no variables: write the value [$]");
    insta::assert_snapshot!(fault("*[e:System]"), @"at byte 3: event queries have no namespaces: write the name without its prefix [:]");
    insta::assert_snapshot!(fault("*[System] | *[EventData]"), @"at byte 10: event queries have no |: write `or` between the paths [|]");
    insta::assert_snapshot!(fault("*[System[EventID+1=2]]"), @"at byte 16: event queries do not calculate: write the result [+]");
    insta::assert_snapshot!(fault("*[System[EventID mod 2=1]]"), @"at byte 17: event queries do not calculate: write the result [mod]");
}

#[test]
fn what_is_broken_is_found_where_it_is() {
    insta::assert_snapshot!(fault("*[System[EventID=4624]"), @"at byte 22: the query ends where `]`, `and` or `or` has to be []");
    insta::assert_snapshot!(fault("*[System[EventID=4624]]]"), @"at byte 23: found ] where `and`, `or` or the end of the query has to be []]");
    insta::assert_snapshot!(fault("*[System[EventID=]]"), @"at byte 17: found ] where a path, a string or a number has to be []]");
    insta::assert_snapshot!(fault("*[System[EventID='4624]]"), @"at byte 17: the quote that opens here is never closed [']");
    insta::assert_snapshot!(fault("*[System[EventID=4624 Level=1]]"), @"at byte 22: found Level where `]`, `and` or `or` has to be [Level]");
    insta::assert_snapshot!(fault("*[System[EventID==4624]]"), @"at byte 17: found = where a path, a string or a number has to be [=]");
    insta::assert_snapshot!(fault("*[System[(EventID=4624]]"), @"at byte 22: found ] where `)`, `and` or `or` has to be []]");
    insta::assert_snapshot!(fault("*[System[EventID=0x]]"), @"at byte 17: this is no number: write up to 32 digits, or 0x and up to 16 of them [0x]");
    insta::assert_snapshot!(fault("*[System[EventID=#4624]]"), @"at byte 17: found # where a path, a string or a number has to be [#]");
    insta::assert_snapshot!(fault("*[System[]]"), @"at byte 9: found ] where a path, a string or a number has to be []]");
    insta::assert_snapshot!(fault("*[System[EventID=4624 and]]"), @"at byte 25: found ] where a path, a string or a number has to be []]");
    insta::assert_snapshot!(fault("*[System[Provider[@]]]"), @"at byte 19: found ] where the name of an attribute has to be []]");
}

#[test]
fn what_makes_no_sense_is_said() {
    insta::assert_snapshot!(fault("*[System[EventID=Level]]"), @"at byte 9: one side of a comparison is a string or a number, not a path or function too [EventID=Level]");
    insta::assert_snapshot!(fault("*[1=1]"), @"at byte 2: one side of a comparison is a path, as in EventID=4624 [1=1]");
    insta::assert_snapshot!(fault("*['x']"), @"at byte 2: a value is no condition: compare it, as in EventID=4624 ['x']");
    insta::assert_snapshot!(fault("4624"), @"at byte 0: a value is no condition: compare it, as in EventID=4624 [4624]");
    insta::assert_snapshot!(fault("*[System[(EventID=1)=2]]"), @"at byte 9: a condition is not compared: it holds or it does not [(EventID=1)=2]");
    insta::assert_snapshot!(fault("*[System[EventID=1=2]]"), @"at byte 9: a condition is not compared: it holds or it does not [EventID=1]");
    insta::assert_snapshot!(fault("*[System[band(Keywords,1)=1]]"), @"at byte 9: a condition is not compared: it holds or it does not [band(Keywords,1)=1]");
    insta::assert_snapshot!(fault("*[System[band(Keywords)]]"), @"at byte 9: write band(Keywords, 0x10000000000000): a path and a mask [band(Keywords)]");
    insta::assert_snapshot!(fault("*[System[band(Keywords,1.5)]]"), @"at byte 9: write band(Keywords, 0x10000000000000): a path and a mask [band(Keywords,1.5)]");
    insta::assert_snapshot!(fault("*[System/TimeCreated[timediff(@SystemTime)]]"), @"at byte 21: a value is no condition: compare it, as in EventID=4624 [timediff(@SystemTime)]");
    insta::assert_snapshot!(fault("*[System/TimeCreated[timediff(@SystemTime,'x')<1]]"), @"at byte 21: this is no time: write '2026-03-14T13:54:16Z', or a FILETIME as a number [timediff(@SystemTime,'x')]");
    insta::assert_snapshot!(fault("*[System/TimeCreated[timediff()<1]]"), @"at byte 21: write timediff(@SystemTime), or a path and a time [timediff()]");
    insta::assert_snapshot!(fault("*[EventData/Data[position(1)=1]]"), @"at byte 17: write position() without anything in it [position(1)]");
    insta::assert_snapshot!(fault("*[System/Provider/@Name/x]"), @"at byte 24: nothing can follow an attribute or text() [x]");
    insta::assert_snapshot!(fault("*[System/Provider/@Name['x'=x]]"), @"at byte 23: nothing can follow an attribute or text() [[]");
}

#[test]
fn limits_hold() {
    let refused = |query: &str| Expression::compile(query).unwrap_err().fault;
    let nested = |levels: usize| format!("*[{}System{}]", "(".repeat(levels), ")".repeat(levels));
    assert!(Expression::compile(&nested(XPATH_DEPTH_MAX - 1)).is_ok());
    assert_eq!(refused(&nested(XPATH_DEPTH_MAX)), Fault::TooDeep);
    let brackets = |levels: usize| format!("*{}{}", "[UserData".repeat(levels), "]".repeat(levels));
    assert!(Expression::compile(&brackets(XPATH_DEPTH_MAX)).is_ok());
    assert_eq!(refused(&brackets(XPATH_DEPTH_MAX + 1)), Fault::TooDeep);
    let terms = |terms: usize| format!("*[System[{}]]", vec!["Level=1"; terms].join(" or "));
    assert!(Expression::compile(&terms(XPATH_TERMS_MAX)).is_ok());
    assert_eq!(refused(&terms(XPATH_TERMS_MAX + 1)), Fault::TooManyTerms);
    let steps = |steps: usize| format!("*{}", "/a".repeat(steps - 1));
    assert!(Expression::compile(&steps(XPATH_STEPS_MAX)).is_ok());
    assert_eq!(refused(&steps(XPATH_STEPS_MAX + 1)), Fault::TooManySteps);
    let predicates = |predicates: usize| format!("*{}", "[System]".repeat(predicates));
    assert!(Expression::compile(&predicates(XPATH_PREDICATES_MAX)).is_ok());
    assert_eq!(
        refused(&predicates(XPATH_PREDICATES_MAX + 1)),
        Fault::TooManyPredicates
    );
    assert_eq!(refused(&" ".repeat(XPATH_BYTES_MAX + 1)), Fault::TooLong);
    let digits = |digits: usize| format!("*[System/Level={}]", "1".repeat(digits));
    assert!(Expression::compile(&digits(XPATH_NUMBER_BYTES_MAX - 1)).is_ok());
    assert_eq!(refused(&digits(XPATH_NUMBER_BYTES_MAX)), Fault::BadNumber);
}
