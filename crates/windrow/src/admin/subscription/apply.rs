//! Applies a change of subscriptions or groups: planned and checked first, then taken up, then put on record.

use super::super::apply::{Place, Record, compact};
use super::super::refusal::Refusal;
use super::super::{Actor, Request, shortened};
use super::plan::{self, Plan, Planned, Switch};
use super::view::{self, SubscriptionChanged};
use crate::config::checked;
use crate::config::is_name;
use crate::config::objects::{Object, Store};
use crate::service::{Edit, Edited};

/// Does what is asked for.
///
/// # Errors
/// Why not; what was in force is in force.
pub(in crate::admin) async fn change(
    place: &mut Place,
    request: &Request,
    actor: &Actor,
) -> Result<SubscriptionChanged, Refusal> {
    let config = place.config();
    let store = Store::new(&config.data_dir);
    let verb = request.verb();
    let Some(object) = object(request) else {
        return Err(Refusal::invalid("this changes no subscription"));
    };
    let (kind, name) = named(&object);
    if !is_name(name) {
        let refusal =
            Refusal::invalid(format!("`{}` cannot be a name", shortened(name.to_owned())))
                .hint("1 to 48 of the characters a-z, 0-9, - and _");
        let record = Record {
            verb,
            object: kind,
            actor,
            old: "",
            new: "",
        };
        record.refused(place.recorder(), &refusal.message).await;
        return Err(refusal);
    }
    let old = compact(&store, &object);
    let done = match plan(&config, &store, request) {
        Ok(None) => return Ok(idle(place, &config, request, &object)),
        Ok(Some(plan)) => take_up(place, &object, plan).await,
        Err(refusal) => Err(refusal),
    };
    let record = Record {
        verb,
        object: &format!("{kind}.{name}"),
        actor,
        old: &old,
        new: &compact(&store, &object),
    };
    match done {
        Ok((warnings, edited)) => {
            record.changed(place.recorder(), edited.generation).await;
            let mut changed = SubscriptionChanged {
                changed: true,
                generation: edited.generation,
                warnings,
                ..idle(place, &config, request, &object)
            };
            changed.warnings.extend(edited.kept.warning());
            changed.set_before(&config, &object);
            Ok(changed)
        }
        Err(refusal) => {
            record.refused(place.recorder(), &refusal.message).await;
            Err(refusal)
        }
    }
}

fn object(request: &Request) -> Option<Object> {
    Some(match request {
        Request::SubscriptionAdd(add) => Object::Subscription(add.name.clone()),
        Request::SubscriptionSet(set) => Object::Subscription(set.name.clone()),
        Request::SubscriptionRemove(named)
        | Request::SubscriptionEnable(named)
        | Request::SubscriptionDisable(named) => Object::Subscription(named.name.clone()),
        Request::GroupSet(set) => Object::MachineGroup(set.name.clone()),
        Request::GroupRemove(named) => Object::MachineGroup(named.name.clone()),
        _ => return None,
    })
}

fn named(object: &Object) -> (&'static str, &str) {
    match object {
        Object::Subscription(name) => ("subscription", name),
        Object::MachineGroup(name) => ("machine_group", name),
        Object::SyslogSink(name) => ("sink.syslog", name),
        Object::SyslogClient => ("syslog-client", ""),
        Object::Diagnostics(name) => ("diagnostics", name),
    }
}

fn plan(config: &checked::Config, store: &Store, request: &Request) -> Planned {
    match request {
        Request::SubscriptionAdd(add) => plan::add(config, store, add),
        Request::SubscriptionSet(set) => plan::set(config, store, set),
        Request::SubscriptionRemove(named) => plan::remove(config, store, &named.name),
        Request::SubscriptionEnable(named) => plan::switch(config, store, &named.name, Switch::On),
        Request::SubscriptionDisable(named) => {
            plan::switch(config, store, &named.name, Switch::Off)
        }
        Request::GroupSet(set) => plan::set_group(config, store, set),
        Request::GroupRemove(named) => plan::remove_group(config, &named.name),
        _ => Err(Refusal::invalid("this changes no subscription")),
    }
}

async fn take_up(
    place: &mut Place,
    object: &Object,
    plan: Plan,
) -> Result<(Vec<String>, Edited), Refusal> {
    let edit = Edit {
        object: object.clone(),
        text: plan.text,
        config: plan.config,
    };
    let edited = place.edit(edit).await.map_err(Refusal::of_edit)?;
    Ok((plan.warnings, edited))
}

/// The answer to a change that changes nothing.
fn idle(
    place: &Place,
    config: &checked::Config,
    request: &Request,
    object: &Object,
) -> SubscriptionChanged {
    let now = place.config();
    let (_, name) = named(object);
    let is_group = matches!(object, Object::MachineGroup(_));
    SubscriptionChanged {
        verb: request.verb().word().to_owned(),
        name: name.to_owned(),
        changed: false,
        generation: config.settings_generation,
        running: matches!(place, Place::Service(_)),
        revision_before: None,
        warnings: Vec::new(),
        subscription: (!is_group)
            .then(|| view::subscription(&now, name, None))
            .flatten(),
        group: is_group.then(|| view::group(&now, name)).flatten(),
    }
}
