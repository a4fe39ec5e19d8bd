//! What a change of subscriptions would be, checked before anything is touched.

use windrow_formats::xpath::Filter;
use windrow_pipeline::sources::wef::QueryList;

use super::super::refusal::{Refusal, RefusalKind};
use super::super::shortened;
use super::{ASKS, Existing, GroupSet, RESETTABLE, SubscriptionAdd, SubscriptionSet, text_of};
use crate::config::checked::{self, Home};
use crate::config::limits::{MAX_OBJECT_BYTES, MAX_TABLES_A_KIND};
use crate::config::objects::{self, Object, Store};
use crate::config::query::place_in;

/// A change that passed its checks.
pub(super) struct Plan {
    /// The file's text; none takes it away.
    pub(super) text: Option<String>,
    /// The whole configuration with it.
    pub(super) config: checked::Config,
    /// What deserves a look about the change.
    pub(super) warnings: Vec<String>,
}

/// None of it where nothing would be other than before.
pub(super) type Planned = Result<Option<Plan>, Refusal>;

/// Which way a subscription is switched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

pub(super) fn add(config: &checked::Config, store: &Store, add: &SubscriptionAdd) -> Planned {
    let name = &add.name;
    may_be_changed(config.homes.subscription.get(name), "subscription", name)?;
    let is_there = config.subscription.contains_key(name);
    if is_there && add.existing == Existing::Refuse {
        let refusal = Refusal::invalid(format!("there is a subscription {name} already"));
        return Err(refusal.hint(format!(
            "`windrow subscription set {name}` changes it, --replace sets all of it anew"
        )));
    }
    room(config.subscription.len(), is_there, "subscriptions")?;
    let mut keys = add.keys.table()?;
    // What is switched off stays so until it is switched on.
    let was_off = (config.subscription.get(name)).is_some_and(|subscription| !subscription.enabled);
    let stays_off = was_off && !keys.contains_key("enabled");
    if stays_off {
        keys.insert("enabled".to_owned(), false.into());
    }
    let mut planned = planned(config, store, name, keys)?;
    if let Some(plan) = &mut planned {
        plan.warnings
            .extend(stays_off.then(|| stays_off_warning(name)));
        plan.warnings.extend(taken_back(store, name, &plan.text));
    }
    Ok(planned)
}

/// What is said of one that is set anew and was switched off.
pub(super) fn stays_off_warning(name: &str) -> String {
    format!("it is switched off and stays so: `windrow subscription enable {name}` offers it")
}

/// What is said of keys that a replacement has no longer.
pub(super) fn taken_back_warning(gone: &[&str]) -> Option<String> {
    let gone = gone.join(", ");
    (!gone.is_empty()).then(|| {
        format!("what the one before said and this does not is back at its default: {gone}")
    })
}

/// Which keys a replacement has no longer.
fn taken_back(store: &Store, name: &str, text: &Option<String>) -> Option<String> {
    let old = keys_of(store, &Object::Subscription(name.to_owned()))?;
    let new = text
        .as_deref()
        .and_then(|text| objects::keys(text).ok())
        .unwrap_or_default();
    let gone = old.keys().filter(|key| RESETTABLE.contains(&key.as_str()));
    let gone: Vec<&str> = gone
        .filter(|key| !new.contains_key(*key))
        .map(String::as_str)
        .collect();
    taken_back_warning(&gone)
}

pub(super) fn set(config: &checked::Config, store: &Store, set: &SubscriptionSet) -> Planned {
    let old = known_keys(config, store, &set.name)?;
    let keys = merged(old, set.keys.table()?, &set.reset)?;
    planned(config, store, &set.name, keys)
}

/// The keys with those that are said and without those that are taken back.
pub(super) fn merged(
    mut keys: toml::Table,
    said: toml::Table,
    reset: &[String],
) -> Result<toml::Table, Refusal> {
    if said.is_empty() && reset.is_empty() {
        let refusal = Refusal::invalid("nothing is said that is to be other than before");
        return Err(refusal.hint("`windrow subscription set --help` shows what can be said"));
    }
    for key in reset {
        if !RESETTABLE.contains(&key.as_str()) {
            let message = format!("`{}` cannot be taken back", shortened(key.clone()));
            let hint = match ASKS.contains(&key.as_str()) {
                true => "say instead what is asked for: a baseline, channels or a query".to_owned(),
                false => format!("one of {}", RESETTABLE.join(", ")),
            };
            return Err(Refusal::invalid(message).hint(hint));
        }
        if said.contains_key(key) {
            let message = format!("`{key}` is said and taken back at once");
            return Err(Refusal::invalid(message));
        }
        keys.remove(key);
    }
    if ASKS.iter().any(|key| said.contains_key(*key)) {
        keys.retain(|key, _| !ASKS.contains(&key));
    }
    if said.contains_key("delivery") {
        // What was said in numbers would hide it.
        keys.remove("heartbeat");
        keys.remove("max_latency");
    }
    keys.extend(said);
    Ok(keys)
}

pub(super) fn switch(
    config: &checked::Config,
    store: &Store,
    name: &str,
    switch: Switch,
) -> Planned {
    let mut keys = known_keys(config, store, name)?;
    match switch {
        Switch::On => keys.remove("enabled"),
        Switch::Off => keys.insert("enabled".to_owned(), false.into()),
    };
    planned(config, store, name, keys)
}

pub(super) fn remove(config: &checked::Config, store: &Store, name: &str) -> Planned {
    known_keys(config, store, name)?;
    let named = config.source.wef.iter().find(|(_, source)| {
        let these = source.subscriptions.as_ref();
        these.is_some_and(|these| these.iter().any(|of| of == name))
    });
    if let Some((source, _)) = named {
        let message = format!("[source.wef.{source}] names {name} among its `subscriptions`");
        return Err(Refusal::new(RefusalKind::Elsewhere, message)
            .hint("take it out there first, or `disable` it"));
    }
    let mut config = config.clone();
    config.subscription.remove(name);
    config.homes.subscription.remove(name);
    Ok(Some(Plan {
        text: None,
        config,
        warnings: Vec::new(),
    }))
}

pub(super) fn set_group(config: &checked::Config, store: &Store, set: &GroupSet) -> Planned {
    let name = &set.name;
    let object = Object::MachineGroup(name.clone());
    may_be_changed(config.homes.machine_group.get(name), "machine_group", name)?;
    let old = config.machine_group.get(name);
    room(
        config.machine_group.len(),
        old.is_some(),
        "groups of machines",
    )?;
    let members = toml::Value::from(set.members.clone());
    let text = text_of(
        &object,
        &toml::Table::from_iter([("members".to_owned(), members)]),
    )?;
    fits(name, &text)?;
    let group = store.check_machine_group(name, &text);
    let group = group.map_err(|error| super::of_setting(&error))?;
    if old == Some(&group) {
        return Ok(None);
    }
    let mut config = config.clone();
    let path = store.path(&object);
    config.machine_group.insert(name.clone(), group);
    config
        .homes
        .machine_group
        .insert(name.clone(), Home::Object { path });
    Ok(Some(Plan {
        text: Some(text),
        config,
        warnings: Vec::new(),
    }))
}

pub(super) fn remove_group(config: &checked::Config, name: &str) -> Planned {
    if !config.machine_group.contains_key(name) {
        let message = format!("there is no group of machines {name}");
        let names = config.machine_group.keys().map(String::as_str);
        let refusal = Refusal::new(RefusalKind::NotFound, message);
        return Err(match super::view::near(name, names) {
            None => refusal,
            Some(hint) => refusal.hint(hint),
        });
    }
    may_be_changed(config.homes.machine_group.get(name), "machine_group", name)?;
    let of = |groups: &[String]| groups.iter().any(|group| group == name);
    let named = config.subscription.iter().find(|(_, subscription)| {
        of(&subscription.machine_groups) || of(&subscription.except_groups)
    });
    if let Some((subscription, _)) = named {
        let message = format!("the subscription {subscription} names the group {name}");
        return Err(Refusal::invalid(message).hint("take it out there first"));
    }
    let mut sinks = config.sink.azure_table.iter();
    if let Some((sink, _)) = sinks.find(|(_, sink)| of(&sink.machine_groups)) {
        let message = format!("sink.azure_table.{sink} names the group {name}");
        return Err(Refusal::invalid(message).hint("take it out there first"));
    }
    let mut sinks = config.sink.azure_blob.iter();
    if let Some((sink, _)) = sinks.find(|(_, sink)| of(&sink.machine_groups)) {
        let message = format!("sink.azure_blob.{sink} names the group {name}");
        return Err(Refusal::invalid(message).hint("take it out there first"));
    }
    let mut config = config.clone();
    config.machine_group.remove(name);
    config.homes.machine_group.remove(name);
    Ok(Some(Plan {
        text: None,
        config,
        warnings: Vec::new(),
    }))
}

fn planned(config: &checked::Config, store: &Store, name: &str, keys: toml::Table) -> Planned {
    let groups: Vec<&str> = config.machine_group.keys().map(String::as_str).collect();
    let (text, subscription) = checked_text(store, name, &keys, &groups)?;
    let object = Object::Subscription(name.to_owned());
    let old = keys_of(store, &object).unwrap_or_default();
    let asks = |keys: &toml::Table| ASKS.iter().find(|key| keys.contains_key(**key)).copied();
    if config.subscription.get(name) == Some(&subscription) && asks(&old) == asks(&keys) {
        return Ok(None);
    }
    let mut config = config.clone();
    let path = store.path(&object);
    config.subscription.insert(name.to_owned(), subscription);
    config
        .homes
        .subscription
        .insert(name.to_owned(), Home::Object { path });
    Ok(Some(Plan {
        text: Some(text),
        config,
        warnings: Vec::new(),
    }))
}

/// The text of a subscription's file and what it means.
pub(super) fn checked_text(
    store: &Store,
    name: &str,
    keys: &toml::Table,
    groups: &[&str],
) -> Result<(String, checked::Subscription), Refusal> {
    let text = text_of(&Object::Subscription(name.to_owned()), keys)?;
    fits(name, &text)?;
    let subscription = store.check_subscription(name, &text, groups);
    let subscription = subscription.map_err(|error| super::of_setting(&error))?;
    if let Err(error) = Filter::query_list(&subscription.query) {
        let place = place_in(&subscription.query, &error.at);
        return Err(Refusal::invalid(format!(
            "in the query, {place}: {}",
            error.fault
        )));
    }
    QueryList::new(&subscription.query).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok((text, subscription))
}

fn fits(name: &str, text: &str) -> Result<(), Refusal> {
    if text.len() as u64 > MAX_OBJECT_BYTES {
        let message = format!("the settings of {name} have more than {MAX_OBJECT_BYTES} bytes");
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

fn room(count: usize, is_there: bool, what: &str) -> Result<(), Refusal> {
    if !is_there && count >= MAX_TABLES_A_KIND {
        let message = format!("there are {MAX_TABLES_A_KIND} {what}, and no more may be");
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

/// The keys of an object as its file has them.
fn keys_of(store: &Store, object: &Object) -> Option<toml::Table> {
    let text = store.text(object).ok().flatten()?;
    objects::keys(&text).ok()
}

/// The keys of a subscription that exists and is set by command.
fn known_keys(config: &checked::Config, store: &Store, name: &str) -> Result<toml::Table, Refusal> {
    super::view::find(config, name)?;
    may_be_changed(config.homes.subscription.get(name), "subscription", name)?;
    let object = Object::Subscription(name.to_owned());
    let failed = |error: String| Refusal::new(RefusalKind::Failed, error);
    let text = store.text(&object);
    let text = text.map_err(|error| failed(error.in_words()))?;
    let text = text.ok_or_else(|| failed(format!("{} is gone", store.path(&object).display())))?;
    objects::keys(&text).map_err(|error| failed(error.to_string()))
}

fn may_be_changed(home: Option<&Home>, kind: &str, name: &str) -> Result<(), Refusal> {
    let (message, hint) = match home {
        None | Some(Home::Object { .. }) => return Ok(()),
        Some(Home::File { path, line }) => (
            format!(
                "{kind}.{name} stands in {}, line {line}: change it there",
                path.display()
            ),
            "a reload (SIGHUP) takes it up; or take it out there first, and set it by command"
                .to_owned(),
        ),
        Some(Home::Diagnostics { name: of, .. }) => (
            format!("{kind}.{name} is part of the configuration {of} of Azure Diagnostics"),
            format!("`windrow diagnostics set FILE --name {of}` changes it"),
        ),
    };
    Err(Refusal::new(RefusalKind::Elsewhere, message).hint(hint))
}
