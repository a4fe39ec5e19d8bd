//! Any text as an event query, on any event: what is read is evaluated, is displayed as a query
//! that means the same, and is found in a set just when it matches alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::xpath::{Expression, Filter, FilterSet, Matches};
use windrow_fuzz::halves;

fuzz_target!(|data: &[u8]| {
    let (query, text) = halves(data);
    let (Ok(query), Ok(text)) = (str::from_utf8(query), str::from_utf8(text)) else {
        return;
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut index = Index::new();
    let _ = parse(text, &mut index);
    let event = Event::new(text, &index);

    match Filter::compile(query) {
        Ok(filter) => {
            for warning in filter.warnings() {
                assert!(query.get(warning.at.clone()).is_some(), "{warning:?}");
            }
            let matches = filter.matches(event, now);
            let set = FilterSet::new(vec![filter]).expect("one is not too many");
            let mut found = Matches::new();
            set.find(event, now, &mut found);
            assert_eq!(found.contains(0), matches);
            assert_eq!(set.any(event, now), matches);
        }
        Err(error) => assert!(query.get(error.at.clone()).is_some(), "{error:?}"),
    }
    if let Ok(expression) = Expression::compile(query) {
        let shown = expression.to_string();
        let Ok(again) = Expression::compile(&shown) else {
            panic!("{shown} is not read");
        };
        assert_eq!(again.to_string(), shown);
        assert_eq!(again.matches(event, now), expression.matches(event, now));
    }
});
