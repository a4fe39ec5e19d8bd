//! What holds for every expression and every event.

use proptest::prelude::*;

use super::super::ast::{Condition, Literal, NodeTest, Operator, Path, Step, Subject, TimeLiteral};
use super::super::number::Number;
use super::super::parse::parse as parse_expression;
use super::super::time;
use super::*;

fn names() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "System",
        "EventData",
        "UserData",
        "RenderingInfo",
        "Data",
        "EventID",
        "Level",
        "Keywords",
        "Provider",
        "TimeCreated",
        "Execution",
        "Channel",
        "LogFileCleared",
        "Part",
        "Id",
        "Keyword",
        "Correlation",
        "Binary",
        "or",
        "and",
        "text",
        "div",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => "[A-Za-z_][A-Za-z0-9._-]{0,5}"]
        .prop_filter("arithmetic", |name| name != "div" && name != "mod")
}

fn attributes() -> impl Strategy<Value = String> {
    let known = [
        "Name",
        "Guid",
        "SystemTime",
        "ProcessID",
        "Kind",
        "Qualifiers",
        "UserID",
    ];
    prop::sample::select(known.to_vec()).prop_map(str::to_owned)
}

fn literals() -> impl Strategy<Value = Literal> {
    let known = [
        "A",
        "B",
        "S-1-5-18",
        "3",
        "0x3e7",
        "0x3E7",
        "j&d",
        "Security",
        "",
        "it's",
        "\"",
        "2026-03-14T13:00:00Z",
        "{54849625-5478-4994-A5BA-3E3B0328C30D}",
        "admin",
        "full",
    ];
    let number = prop_oneof![
        (-5i128..5).prop_map(Number::Integer),
        prop::sample::select(vec![4624, 104, 81444, 0x8020_0000_0000_0000])
            .prop_map(Number::Integer),
        (-40i32..40)
            .prop_filter("whole", |n| n % 4 != 0)
            .prop_map(|n| Number::Fraction(f64::from(n) / 4.0)),
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(|text| Literal::String(text.to_owned())),
        number.prop_map(Literal::Number),
    ]
}

fn operators() -> impl Strategy<Value = Operator> {
    use Operator::*;
    prop::sample::select(vec![
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
    ])
}

fn times() -> impl Strategy<Value = TimeLiteral> {
    let texts = [
        "2026-03-14T13:54:17Z",
        "2026-03-14T13:54:16.5",
        "1601-01-01T00:00:00+01:00",
    ];
    let strings =
        prop::sample::select(texts.to_vec()).prop_map(|text| Literal::String(text.to_owned()));
    let numbers = prop::sample::select(vec![0i128, 134_179_700_570_000_000]);
    prop_oneof![
        strings,
        numbers.prop_map(|number| Literal::Number(Number::Integer(number)))
    ]
    .prop_map(|literal| TimeLiteral {
        time: time::literal(&literal).unwrap(),
        literal,
    })
}

/// A path of a few steps, whose predicates are of `conditions`.
fn paths(conditions: BoxedStrategy<Condition>) -> impl Strategy<Value = Path> {
    let predicates = || prop::collection::vec(conditions.clone(), 0..2);
    let children =
        prop_oneof![4 => names().prop_map(NodeTest::Child), 1 => Just(NodeTest::AnyChild)];
    let child = (children, predicates()).prop_map(|(test, predicates)| Step { test, predicates });
    let leaf = prop_oneof![
        3 => attributes().prop_map(NodeTest::Attribute),
        1 => Just(NodeTest::AnyAttribute),
        1 => Just(NodeTest::Text),
    ];
    let leaf = leaf.prop_map(|test| Step {
        test,
        predicates: Vec::new(),
    });
    (prop::collection::vec(child, 0..3), prop::option::of(leaf)).prop_map(|(mut steps, leaf)| {
        steps.extend(leaf);
        if steps.is_empty() {
            steps.push(Step {
                test: NodeTest::AnyChild,
                predicates: Vec::new(),
            });
        }
        Path { steps, at: 0..0 }
    })
}

/// Conditions in the form that the parser makes: no `Or` in an `Or`, no `And` in an `And`.
fn any_of(parts: Vec<Condition>) -> Condition {
    let flat = parts.into_iter().flat_map(|part| match part {
        Condition::Or(inner) => inner,
        part => vec![part],
    });
    Condition::Or(flat.collect())
}

fn all_of(parts: Vec<Condition>) -> Condition {
    let flat = parts.into_iter().flat_map(|part| match part {
        Condition::And(inner) => inner,
        part => vec![part],
    });
    Condition::And(flat.collect())
}

fn conditions() -> BoxedStrategy<Condition> {
    let none = Just(Condition::Compare(
        Subject::Position,
        Operator::Equal,
        Literal::Number(Number::Integer(1)),
    ));
    none.boxed()
        .prop_recursive(4, 24, 3, |inner| {
            let path = || paths(inner.clone().boxed());
            let subject = prop_oneof![
                6 => path().prop_map(Subject::Path),
                1 => Just(Subject::Position),
                1 => path().prop_map(Subject::Age),
                1 => (path(), times()).prop_map(|(path, time)| Subject::Until(path, time)),
                1 => (times(), path()).prop_map(|(time, path)| Subject::Since(time, path)),
            ];
            let comparison =
                (subject, operators(), literals()).prop_map(|(subject, operator, literal)| {
                    Condition::Compare(subject, operator, literal)
                });
            let parts = || prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                4 => comparison,
                2 => path().prop_map(Condition::Exists),
                1 => (path(), any::<u64>()).prop_map(|(path, mask)| Condition::Band(path, mask)),
                1 => parts().prop_map(any_of),
                1 => parts().prop_map(all_of),
            ]
        })
        .boxed()
}

/// Whole expressions: something about the event.
pub(super) fn expressions() -> impl Strategy<Value = String> {
    prop_oneof![
        conditions().prop_map(|condition| format!("*[{condition}]")),
        (conditions(), conditions()).prop_map(|(one, other)| format!("*[{one}] or Event[{other}]")),
        names().prop_map(|name| format!("*[EventData/Data[@Name='{name}' or position()=2]!='x']")),
    ]
}

fn without_places(condition: &mut Condition) {
    let path = match condition {
        Condition::Or(parts) | Condition::And(parts) => {
            return parts.iter_mut().for_each(without_places);
        }
        Condition::Exists(path) | Condition::Band(path, _) => path,
        Condition::Compare(subject, ..) => match subject {
            Subject::Position => return,
            Subject::Path(path) | Subject::Age(path) => path,
            Subject::Until(path, _) | Subject::Since(_, path) => path,
        },
    };
    path.at = 0..0;
    for step in &mut path.steps {
        step.predicates.iter_mut().for_each(without_places);
    }
}

proptest! {
    #[test]
    fn what_is_displayed_is_read_as_the_same(condition in conditions()) {
        let text = condition.to_string();
        let mut read = parse_expression(&text).unwrap_or_else(|error| panic!("{text}: {error}")).condition;
        without_places(&mut read);
        prop_assert_eq!(&read, &condition, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn the_canonical_form_means_the_same(text in expressions()) {
        let one = Expression::compile(&text).unwrap();
        let other = Expression::compile(&one.to_string()).unwrap();
        for xml in [LOGON, CLEARED] {
            let (one, other) = with_event(xml, |event| (one.matches(event, now()), other.matches(event, now())));
            prop_assert_eq!(one, other, "{}", text);
        }
    }

    #[test]
    fn no_event_is_selected_whose_number_was_ruled_out(text in expressions()) {
        let expression = Expression::compile(&text).unwrap();
        for xml in [LOGON, CLEARED, "<Event/>"] {
            with_event(xml, |event| {
                let is_possible = expression.event_ids().contains(event.event_id());
                assert!(is_possible || !expression.matches(event, now()), "{text}");
            });
        }
    }

    #[test]
    fn a_set_is_its_filters(texts in prop::collection::vec((expressions(), 0..4), 0..8)) {
        let filters: Vec<_> = texts.iter().map(|(text, channel)| {
            let text = match channel {
                0 => format!("Security!{text}"),
                1 => format!("system!{text}"),
                2 => format!("Security!*[System[EventID=4624]] and {text}"),
                _ => text.clone(),
            };
            Filter::compile(&text).unwrap()
        }).collect();
        let set = FilterSet::new(filters.clone()).unwrap();
        let mut found = Matches::new();
        for xml in [LOGON, CLEARED] {
            with_event(xml, |event| {
                set.find(event, now(), &mut found);
                for (number, filter) in filters.iter().enumerate() {
                    assert_eq!(found.contains(number), filter.matches(event, now()), "{number} of {texts:?}");
                }
            });
        }
    }

    #[test]
    fn no_text_is_too_much(text in "\\PC{0,60}", mangled in expressions(), cut in any::<prop::sample::Index>()) {
        let cut = (0..=mangled.len()).rev().filter(|&at| mangled.is_char_boundary(at)).nth(cut.index(mangled.len()));
        let cut = &mangled[..cut.unwrap_or(0)];
        for text in [text.as_str(), cut, &format!("{cut}{text}"), &format!("<QueryList><Query Path='a'><Select>{text}{cut}")] {
            match Filter::compile(text) {
                Ok(filter) => {
                    with_event(LOGON, |event| filter.matches(event, now()));
                }
                Err(error) => {
                    prop_assert!(text.get(error.at.clone()).is_some(), "{error} at {:?} of {text}", error.at);
                }
            }
        }
    }
}
