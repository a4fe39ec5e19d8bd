//! What a data folder knows of the machines while no service runs on it: when each was heard of last, and
//! who was expected. No verdict is given: nobody listens.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;
use windrow_formats::wef::audience::{MachineName, Pattern};
use windrow_pipeline::journal::{OpenError, offline};
use windrow_pipeline::sources::wef::{Contact, KEPT_PREFIX, kept_contacts};

use super::ask::{Ask, USUAL_LIMIT};
use super::expected::Expected;
use super::report::{Machine, Report, Totals, exactly};

/// What the journal in `journal` knows.
///
/// # Errors
/// It cannot be read; a folder without a journal knows nothing.
pub fn at_rest(
    journal: &Path,
    expected: &Expected,
    ask: &Ask,
    now: Timestamp,
) -> Result<Report, OpenError> {
    let states = match offline::states(journal, KEPT_PREFIX) {
        Ok(states) => states,
        Err(OpenError::NotAJournal { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(known_at_rest(kept_contacts(&states), expected, ask, now))
}

/// What is made of contacts.
pub(crate) fn known_at_rest(
    contacts: Vec<Contact>,
    expected: &Expected,
    ask: &Ask,
    now: Timestamp,
) -> Report {
    let mut heard: HashSet<&str> = HashSet::new();
    let mut machines: Vec<Machine> = Vec::new();
    for contact in contacts {
        let name = MachineName::of_listed(&contact.name).ok();
        let expected_as = name.as_ref().and_then(|name| expected.named(name));
        heard.extend(expected_as);
        machines.push(Machine {
            expected: expected_as.is_some(),
            listener: contact.listener,
            address: contact.address.map(|address| address.to_string()),
            last_enumerate: contact.enumerated,
            last_heartbeat: contact.heartbeat,
            last_event: contact.events,
            ..nothing_of(contact.name)
        });
    }
    let unheard = expected.iter().filter(|name| !heard.contains(name));
    machines.extend(unheard.map(|name| Machine {
        expected: true,
        ..nothing_of(name.to_owned())
    }));
    // Who was never heard of first, then who was silent longest.
    machines.sort_by_key(Machine::last_heard);
    let pattern = ask.machine.as_deref().map(Pattern::compile);
    let names = machines.iter().map(|one| &*one.name);
    let exact = exactly(ask.machine.as_deref(), names).map(ToOwned::to_owned);
    machines.retain(|one| {
        if exact.as_ref().is_some_and(|name| *name != one.name) {
            return false;
        }
        let name = MachineName::of_listed(&one.name);
        match (&pattern, name) {
            (None, _) => true,
            (Some(Ok(pattern)), Ok(name)) => pattern.matches(&name),
            _ => false,
        }
    });
    let found = machines.len() as u64;
    let limit = ask.limit.unwrap_or(USUAL_LIMIT);
    let page = machines.into_iter().skip(ask.offset).take(limit);
    Report {
        now,
        started_at: None,
        totals: Totals::default(),
        found,
        offset: ask.offset as u64,
        machines: page.collect(),
        strangers: Vec::new(),
    }
}

fn nothing_of(name: String) -> Machine {
    Machine {
        name,
        verdict: None,
        reason: None,
        expected: false,
        listener: None,
        address: None,
        last_enumerate: None,
        last_heartbeat: None,
        last_event: None,
        events: 0,
        events_per_second: 0.0,
        subscriptions: Vec::new(),
        behind: Vec::new(),
        missing: 0,
        detail: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_told_without_a_verdict() {
        let at = |second| Timestamp::from_second(second).ok();
        let contact = |name: &str, second| Contact {
            name: name.to_owned(),
            events: at(second),
            ..Contact::default()
        };
        let names = ["ws2".to_owned(), "ws9".to_owned()];
        let contacts = vec![contact("ws1.example", 10), contact("WS2$@EXAMPLE", 5)];
        let now = at(100).unwrap();
        let report = known_at_rest(contacts, &Expected::new(&names), &Ask::default(), now);
        let lines: Vec<_> = (report.machines.iter())
            .map(|one| (&*one.name, one.expected, one.verdict, one.last_event))
            .collect();
        assert_eq!(
            lines,
            [
                ("ws9", true, None, None),
                ("WS2$@EXAMPLE", true, None, at(5)),
                ("ws1.example", false, None, at(10)),
            ]
        );
        assert_eq!((report.found, report.started_at), (3, None));
    }
}
