//! Forgets a machine that will not come again: when it was heard of, and where it goes on in its subscriptions.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::apply::{Place, Record};
use super::refusal::{Refusal, RefusalKind};
use super::{Actor, Verb, shortened};
use crate::fleet::{Ask, Machine};
use crate::output::ago;

/// A machine that was heard of more lately goes on sending, and would begin anew in the midst of it.
const QUIET: SignedDuration = SignedDuration::from_mins(15);
/// Names that a refusal lists.
const LISTED: usize = 4;

/// The answer to [`super::Request::SourceForget`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceForgotten {
    /// Its whole name.
    pub name: String,
    /// When it was last heard of.
    pub last_heard: Option<Timestamp>,
    /// Subscriptions in which it had a place.
    pub places: u64,
    /// Whether it is in `[fleet]`, and so shown as expected from now on.
    pub expected: bool,
    /// Whether the service runs.
    pub running: bool,
}

/// Forgets one, and puts it on record, as is a refusal.
///
/// # Errors
/// Why not; nothing is forgotten then.
pub(super) async fn forget(
    place: &mut Place,
    asked: &str,
    actor: &Actor,
) -> Result<SourceForgotten, Refusal> {
    let done = find_and_forget(place, asked).await;
    let name = match &done {
        Ok(forgotten) => forgotten.name.clone(),
        Err(_) => shortened(asked.to_owned()),
    };
    let old = match &done {
        Ok(forgotten) => format!("places in {} subscriptions", forgotten.places),
        Err(_) => String::new(),
    };
    let record = Record {
        verb: Verb::SourceForget,
        object: &format!("machine {name}"),
        actor,
        old: &old,
        new: "",
    };
    match &done {
        Ok(_) => {
            let generation = place.config().settings_generation;
            record.changed(place.recorder(), generation).await;
        }
        Err(refusal) => record.refused(place.recorder(), &refusal.message).await,
    }
    done
}

async fn find_and_forget(place: &Place, asked: &str) -> Result<SourceForgotten, Refusal> {
    if asked.is_empty() || asked.contains(['*', '?']) {
        let refusal = Refusal::invalid("a machine is forgotten by its name, and not by a pattern");
        return Err(refusal.hint("`windrow sources` has the names"));
    }
    let ask = Ask {
        machine: Some(asked.to_owned()),
        ..Ask::default()
    };
    let found = match place {
        Place::Service(service) => service.fleet(ask).await,
        Place::Offline(offline) => Some(offline.fleet(&ask)),
    };
    let stops = || Refusal::new(RefusalKind::Failed, "the machines could not be looked at");
    let machine = only(asked, found.ok_or_else(stops)?.machines)?;
    let failed = |error: String| Refusal::new(RefusalKind::Failed, error);
    let places = match place {
        Place::Service(service) => service.forget_machine(&machine.name).await,
        Place::Offline(offline) => offline.forget_machine(&machine.name).await,
    };
    Ok(SourceForgotten {
        last_heard: machine.last_heard(),
        places: places.map_err(|error| failed(error.to_string()))? as u64,
        expected: machine.expected,
        running: matches!(place, Place::Service(_)),
        name: machine.name,
    })
}

/// The one machine that is meant, if it may be forgotten.
fn only(asked: &str, mut machines: Vec<Machine>) -> Result<Machine, Refusal> {
    if machines.len() > 1 {
        let names = machines.iter().take(LISTED);
        let names: Vec<&str> = names.map(|machine| &*machine.name).collect();
        let (count, names) = (machines.len(), names.join(", "));
        let message = format!("{count} machines are called so, such as {names}");
        return Err(Refusal::invalid(message).hint("give the whole name"));
    }
    let nothing = || {
        let asked = shortened(asked.to_owned());
        Refusal::new(
            RefusalKind::NotFound,
            format!("nothing is known of {asked}"),
        )
    };
    let machine = machines.pop().ok_or_else(nothing)?;
    let Some(last) = machine.last_heard() else {
        return Err(nothing().hint("it is expected: take it out of [fleet] in windrow.toml"));
    };
    let quiet_for = Timestamp::now().duration_since(last);
    if quiet_for < QUIET {
        let (name, heard) = (&machine.name, ago(quiet_for.as_secs().max(0)));
        let message = format!("{name} was heard of {heard} ago, and would begin anew");
        return Err(Refusal::invalid(message)
            .hint("take it out of its group policy first, and wait a quarter of an hour"));
    }
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use windrow_pipeline::journal::StateChange;
    use windrow_pipeline::sources::wef::{Contact, state_key};

    use super::*;
    use crate::admin::{Answer, Named, Request, apply};
    use crate::config::{Environment, Loader, Need, Overrides};
    use crate::service::Offline;

    async fn knows(place: &Place, name: &str, minutes: i64) {
        let contact = Contact {
            name: name.to_owned(),
            events: Some(Timestamp::now() - SignedDuration::from_mins(minutes)),
            ..Contact::default()
        };
        let name = name.to_lowercase();
        let bookmark = state_key(Uuid::from_u128(7), &name);
        for (key, value) in [
            (format!("wef/contact/{name}"), contact.encode()),
            (bookmark, b"here".to_vec()),
        ] {
            let value = Some(value);
            let change = StateChange { key, value };
            place.recorder().keep_state(change).await;
        }
    }

    #[tokio::test]
    async fn a_machine_is_forgotten_with_its_places_once_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windrow.toml");
        let text = "[lake]\nenabled = false\n[fleet]\nmachines = [\"ws9\"]\n";
        fs_err::write(&file, text).unwrap();
        let overrides = Overrides {
            config: Some(file),
            data_dir: Some(folder.path().join("data")),
            log: None,
        };
        let config = Loader::new(Environment::default(), overrides)
            .load(Need::File)
            .unwrap();
        let mut place = Place::Offline(Box::new(Offline::open(config).unwrap()));
        for (name, minutes) in [
            ("ws1.corp.example", 60),
            ("ws1.lab.example", 60),
            ("WS2$@CORP.EXAMPLE", 60),
            ("ws3.corp.example", 1),
            ("ws5", 60),
            ("ws5.corp.example", 60),
        ] {
            knows(&place, name, minutes).await;
        }
        let actor = Actor::local(0, "here", "windrow sources");
        let mut said = Vec::new();
        for name in [
            "ws*", "ws1", "ws9", "ws7", "ws3", "ws2", "ws2", "WS5", "ws5", "ws5",
        ] {
            let named = Named {
                name: name.to_owned(),
            };
            let done = apply(&mut place, Request::SourceForget(named), &actor).await;
            said.push(match done {
                Ok(Answer::SourceForgotten(done)) => format!("{} {}", done.name, done.places),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => refusal.message,
            });
        }
        assert!(
            said[4].starts_with("ws3.corp.example was heard of 1m"),
            "{said:?}"
        );
        said.remove(4);
        assert_eq!(
            said,
            [
                "a machine is forgotten by its name, and not by a pattern",
                "2 machines are called so, such as ws1.corp.example, ws1.lab.example",
                "nothing is known of ws9",
                "nothing is known of ws7",
                "WS2$@CORP.EXAMPLE 1",
                "nothing is known of ws2",
                // The whole name first, then who is called so for short.
                "ws5 1",
                "ws5.corp.example 1",
                "nothing is known of ws5",
            ]
        );
    }
}
