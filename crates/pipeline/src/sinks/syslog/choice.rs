//! Which events a destination gets, made ready to be asked for every event.
//!
//! A filter may be a list of many queries. As a set, its queries are looked up by channel and event id, so that an event
//! costs as much as the few that may want it, and not as all of them.

use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::Event;
use windrow_formats::selection::Selection;
use windrow_formats::xpath::FilterSet;

/// A selection, its query apart as a set.
#[derive(Debug)]
pub(super) struct Choice {
    selection: Selection,
    query: Option<FilterSet>,
}

impl Choice {
    pub(super) fn new(mut selection: Selection) -> Choice {
        let query = selection.query.take();
        let set = query.clone().map(|query| FilterSet::new(vec![query]));
        let query = match set {
            Some(Ok(set)) => Some(set),
            // One filter is never too many.
            Some(Err(_)) => {
                selection.query = query;
                None
            }
            None => None,
        };
        Choice { selection, query }
    }

    /// What [`Selection::keeps`] says.
    pub(super) fn keeps(&self, event: Event<'_>, header: &Header) -> bool {
        let queried = || match &self.query {
            // Our own records are for every query.
            Some(query) if header.kind != Kind::Own => query.any(event, header.received_at),
            Some(_) | None => true,
        };
        self.selection.keeps(event, header) && queried()
    }
}

#[cfg(test)]
mod tests {
    use windrow_formats::event::{self, Index};
    use windrow_formats::xpath::Filter;

    use super::*;

    const LISTS: [&str; 5] = [
        "*[System[EventID=4624]]",
        "Security!*[System[EventID=4624 or EventID=4625]]",
        "<QueryList><Query><Select Path='Security'>*[System[EventID=4624]]</Select>\
         <Select Path='System'>*</Select>\
         <Suppress Path='Security'>*[EventData[Data='SYSTEM']]</Suppress></Query></QueryList>",
        "<QueryList><Query><Select Path='Security'>*[System[EventID=1]]</Select></Query>\
         <Query><Select Path='security'>*[EventData[Data='j.doe']]</Select></Query></QueryList>",
        "*[System[TimeCreated[timediff(@SystemTime) <= 1000]]]",
    ];

    #[test]
    fn a_choice_is_what_the_selection_says() {
        let mut kept = 0;
        for (channel, id, user) in [
            ("Security", 4624, "j.doe"),
            ("Security", 4624, "SYSTEM"),
            ("Security", 4688, "j.doe"),
            ("System", 7036, "x"),
            ("Windrow/Operational", 10, "x"),
        ] {
            let text = format!(
                "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
                 <Provider Name='P'/><EventID>{id}</EventID>\
                 <TimeCreated SystemTime='2026-11-22T10:00:00Z'/><Channel>{channel}</Channel>\
                 </System><EventData><Data Name='User'>{user}</Data></EventData></Event>"
            );
            let mut index = Index::default();
            event::parse(&text, &mut index).unwrap();
            let event = Event::new(&text, &index);
            for list in LISTS {
                let query = Filter::compile(list).unwrap();
                let selection = Selection {
                    query: Some(query),
                    ..Selection::default()
                };
                let choice = Choice::new(selection.clone());
                assert!(choice.query.is_some());
                for kind in [Kind::Wef, Kind::Own] {
                    let header = Header {
                        kind,
                        source: "ws".to_owned(),
                        address: None,
                        subscription: None,
                        received_at: "2026-11-22T10:00:00.5Z".parse().unwrap(),
                    };
                    let wanted = selection.keeps(event, &header);
                    assert_eq!(choice.keeps(event, &header), wanted, "{list} {text}");
                    kept += u32::from(wanted);
                }
            }
        }
        // All of our own, and of the others some.
        assert!((26..50).contains(&kept), "{kept}");
    }
}
