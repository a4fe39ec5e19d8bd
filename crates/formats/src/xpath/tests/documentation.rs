//! The examples of docs/xpath.md do what the page says.

use super::*;

const PAGE: &str = include_str!("../../../../../docs/xpath.md");

/// The blocks of the page that begin with this line, without it.
fn blocks<'a>(info: &str) -> Vec<&'a str> {
    let opening = format!("\n```{info}\n");
    let blocks = PAGE.split(opening.as_str()).skip(1);
    blocks
        .map(|block| block.split("\n```").next().unwrap())
        .collect()
}

#[test]
fn examples_do_what_is_said() {
    let event = blocks("xml event")[0];
    let (mut selecting, mut passing, mut refused) = (0, 0, 0);
    for query in blocks("xpath selects")
        .iter()
        .flat_map(|block| block.lines())
    {
        let filter = Filter::compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(
            with_event(event, |event| filter.matches(event, now())),
            "{query}"
        );
        assert!(filter.warnings().is_empty(), "{query}");
        selecting += 1;
    }
    for query in blocks("xpath passes")
        .iter()
        .flat_map(|block| block.lines())
    {
        let filter = Filter::compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(
            !with_event(event, |event| filter.matches(event, now())),
            "{query}"
        );
        passing += 1;
    }
    for query in blocks("xpath refused")
        .iter()
        .flat_map(|block| block.lines())
    {
        assert!(Filter::compile(query).is_err(), "{query}");
        refused += 1;
    }
    for list in blocks("xml query list") {
        let filter = Filter::compile(list).unwrap_or_else(|error| panic!("{list}: {error}"));
        assert!(
            with_event(event, |event| filter.matches(event, now())),
            "{list}"
        );
    }
    assert!(selecting > 10 && passing > 3 && refused > 3);
    assert!(!blocks("xml query list").is_empty());
}
