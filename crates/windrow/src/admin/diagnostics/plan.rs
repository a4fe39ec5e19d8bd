//! What a change of configurations of Azure Diagnostics would be, checked before anything is touched.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::{Table, Value};
use windrow_formats::wad::{self, Merged, Prefer, Severity};

use super::super::Actor;
use super::super::refusal::{Refusal, RefusalKind};
use super::history::History;
use super::storage::{self, Account};
use super::{DiagnosticsRollback, DiagnosticsSet, How, Key, view};
use crate::config::checked::{self, AccountCredential, Diagnostics};
use crate::config::diagnostics::{self, Checked, subscription_name};
use crate::config::limits::MAX_OBJECT_BYTES;
use crate::config::objects::{self, Object, Store};

/// A change that passed its checks.
pub(super) struct Plan {
    /// The file's text; none takes it away.
    pub(super) text: Option<String>,
    /// What the text means.
    pub(super) new: Option<Checked>,
    /// What has to be written beside it: what opens the account.
    pub(super) key: Option<Key>,
    pub(super) revision: u64,
    pub(super) conflicts: Vec<view::Conflicting>,
    pub(super) warnings: Vec<String>,
}

/// The configuration that a text without errors says.
pub(super) fn configuration(text: &str) -> Result<wad::Configuration, Refusal> {
    let reading = wad::read(text.as_bytes());
    let errors = reading.findings.iter();
    let mut errors = errors.filter(|finding| finding.severity() == Severity::Error);
    match (reading.configuration, errors.next()) {
        (Some(configuration), _) => Ok(configuration),
        (None, first) => {
            let more = match errors.count() {
                0 => String::new(),
                more => format!(" ({more} more)"),
            };
            let first = first.map_or_else(String::new, |finding| {
                let (at, fault) = (finding.at, &finding.fault);
                format!(", {}:{}: {fault}", at.line, at.column)
            });
            let message = format!("this is no configuration of Azure Diagnostics{first}{more}");
            Err(Refusal::invalid(message).hint("`windrow diagnostics validate FILE` tells all"))
        }
    }
}

/// The configuration in force, without keys.
pub(super) fn in_force(current: Option<&Diagnostics>) -> Result<wad::Configuration, Refusal> {
    match current {
        None => Ok(wad::Configuration::default()),
        Some(current) => configuration(&current.configuration),
    }
}

pub(super) fn set(
    config: &checked::Config,
    set: &DiagnosticsSet,
    history: &History,
    actor: &Actor,
) -> Result<Plan, Refusal> {
    let current = config.diagnostics.get(&set.name);
    let said = configuration(set.configuration.expose())?;
    let (new, conflicts) = merged(&said, current, set.how)?;
    let storage = current.and_then(|current| current.storage.as_ref());
    // What is merged away is not written, but may say which account it is.
    let account = storage::account(set, &said, storage)?;
    let revision = history.next(current.map(|current| current.revision));
    let mut keys = Table::new();
    head(&mut keys, revision, actor);
    put_account(config, &mut keys, &account, set, history.key_path(revision))?;
    if let Some(folder) = set.files.as_ref().filter(|folder| !folder.is_absolute()) {
        let message = format!("{} is no whole path", folder.display());
        return Err(Refusal::invalid(message).hint("write it from the root on: /srv/arrived"));
    }
    let files = (set.files.clone()).or(current.and_then(|current| current.files.clone()));
    keys.extend(files.map(|folder| ("files".to_owned(), path(&folder))));
    let of = |said: &Option<String>, current: Option<&String>| said.clone().or(current.cloned());
    let deployment = current.map(|current| &current.deployment_id);
    let role = current.map(|current| &current.role);
    let texts = [
        ("deployment_id", of(&set.deployment_id, deployment)),
        ("role", of(&set.role, role)),
    ];
    for (key, value) in texts {
        keys.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    put_machines(&mut keys, set, current);
    let text = wad::print(&new, wad::Form::XmlFull, wad::Secrets::Omit);
    keys.insert("configuration".to_owned(), text.into());
    let mut plan = checked(config, &set.name, keys)?;
    plan.key = account.key;
    plan.revision = revision;
    plan.conflicts = conflicts;
    plan.warnings.extend(quota(config, &new));
    Ok(plan)
}

/// What is to be in force.
fn merged(
    said: &wad::Configuration,
    current: Option<&Diagnostics>,
    how: How,
) -> Result<(wad::Configuration, Vec<view::Conflicting>), Refusal> {
    let prefer = match how {
        How::Replace => return Ok((said.clone(), Vec::new())),
        How::Merge | How::MergePreferNew => Prefer::New,
        How::MergePreferCurrent => Prefer::Current,
    };
    let Merged {
        configuration,
        conflicts,
        faults,
        ..
    } = wad::merge(said, &in_force(current)?, prefer);
    if let Some(fault) = faults.first() {
        return Err(Refusal::invalid(format!("both in one: {fault}")));
    }
    if let (How::Merge, Some(first)) = (how, conflicts.first()) {
        let message = format!(
            "{} is {} in force, and {} in what is new",
            first.at, first.current, first.new
        );
        let more = match conflicts.len() {
            1 => String::new(),
            count => format!(" ({} more)", count - 1),
        };
        return Err(Refusal::invalid(format!("{message}{more}"))
            .hint("--prefer new or --prefer current says who is right"));
    }
    Ok((configuration, view::conflicting(conflicts)))
}

fn head(keys: &mut Table, revision: u64, actor: &Actor) {
    let number = i64::try_from(revision).unwrap_or(i64::MAX);
    keys.insert("revision".to_owned(), number.into());
    let now = Timestamp::now().to_string();
    keys.insert("set_at".to_owned(), now.into());
    keys.insert("set_by".to_owned(), actor.who.clone().into());
}

fn put_account(
    config: &checked::Config,
    keys: &mut Table,
    account: &Account,
    set: &DiagnosticsSet,
    new_key: PathBuf,
) -> Result<(), Refusal> {
    let Some(name) = &account.name else {
        return Ok(());
    };
    let current = config.diagnostics.get(&set.name);
    let storage = current.and_then(|current| current.storage.as_ref());
    let storage = storage.filter(|_| account.is_that_in_force);
    let endpoint = (account.endpoint.clone()).or(storage.and_then(|of| of.endpoint.clone()));
    let blobs = (account.blob_endpoint.clone()).or(storage.and_then(|of| of.blob_endpoint.clone()));
    let ca_file = (set.ca_file.clone()).or(storage.and_then(|of| of.ca_file.clone()));
    keys.insert("account".to_owned(), name.clone().into());
    keys.extend(endpoint.map(|endpoint| ("endpoint".to_owned(), endpoint.into())));
    keys.extend(blobs.map(|endpoint| ("blob_endpoint".to_owned(), endpoint.into())));
    keys.extend(ca_file.map(|file| ("ca_file".to_owned(), path(&file))));
    let (key, file) = match (&account.key, storage) {
        (Some(key), _) => (of_key(key), new_key),
        (None, Some(storage)) => of_credential(&storage.credential, &config.data_dir),
        (None, None) => return Err(Refusal::invalid("nothing is said that opens the account")),
    };
    keys.insert(key.to_owned(), path(&file));
    Ok(())
}

fn path(path: &Path) -> Value {
    Value::String(path.display().to_string())
}

/// The name that a file has in the settings, by what is in it.
fn of_key(key: &Key) -> &'static str {
    match key {
        Key::AccountKey(_) => "key_file",
        Key::Sas(_) => "sas_file",
    }
}

/// The same of what is in force, its file relative to the data folder, which may be moved.
fn of_credential(credential: &AccountCredential, data_dir: &Path) -> (&'static str, PathBuf) {
    let (key, file) = match credential {
        AccountCredential::KeyFile(file) => ("key_file", file),
        AccountCredential::SasFile(file) => ("sas_file", file),
    };
    (key, file.strip_prefix(data_dir).unwrap_or(file).to_owned())
}

/// What is said of either stands for both: who names a group means it alone.
fn put_machines(keys: &mut Table, set: &DiagnosticsSet, current: Option<&Diagnostics>) {
    let is_said = set.machines.is_some() || set.machine_groups.is_some();
    let (machines, groups) = match current {
        Some(current) if !is_said => (current.machines.clone(), current.machine_groups.clone()),
        _ => (
            set.machines.clone().unwrap_or_default(),
            set.machine_groups.clone().unwrap_or_default(),
        ),
    };
    for (key, list) in [("machines", machines), ("machine_groups", groups)] {
        if !list.is_empty() {
            let list: Vec<Value> = list.into_iter().map(Value::from).collect();
            keys.insert(key.to_owned(), list.into());
        }
    }
}

pub(super) fn roll_back(
    config: &checked::Config,
    back: &DiagnosticsRollback,
    history: &History,
    actor: &Actor,
) -> Result<Plan, Refusal> {
    let current = config.diagnostics.get(&back.name);
    let revision = history.next(current.map(|current| current.revision));
    let before = || {
        let kept = history.list().into_iter().map(|kept| kept.revision);
        let mut earlier = kept.filter(|kept| current.is_none_or(|now| *kept < now.revision));
        earlier.next()
    };
    let Some(to) = back.to.or_else(before) else {
        let message = format!("no earlier revision of {} is kept", back.name);
        return Err(Refusal::new(RefusalKind::NotFound, message));
    };
    let text = history.text(to)?;
    let mut keys = objects::keys(&text)
        .map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
    head(&mut keys, revision, actor);
    let account = keys.get("account").and_then(Value::as_str);
    let storage = current.and_then(|current| current.storage.as_ref());
    let storage = storage.filter(|storage| account == Some(storage.account.as_str()));
    if let Some(account) = account {
        let (key, file) = match (&back.key, storage) {
            (Some(key), _) => (of_key(key), history.key_path(revision)),
            (None, Some(storage)) => of_credential(&storage.credential, &config.data_dir),
            (None, None) => {
                let message =
                    format!("the key of the account {account} of revision {to} is not kept");
                return Err(Refusal::invalid(message).hint(
                    "--key-file or --sas-file names a file with a key or a signature of it",
                ));
            }
        };
        keys.retain(|name, _| name != "key_file" && name != "sas_file");
        keys.insert(key.to_owned(), path(&file));
    }
    let mut plan = checked(config, &back.name, keys)?;
    plan.key = back.key.clone();
    plan.revision = revision;
    Ok(plan)
}

pub(super) fn remove(config: &checked::Config, name: &str) -> Result<Plan, Refusal> {
    view::find(config, name)?;
    Ok(Plan {
        text: None,
        new: None,
        key: None,
        revision: 0,
        conflicts: Vec::new(),
        warnings: Vec::new(),
    })
}

/// Checks the keys of an object as the service will when it starts.
fn checked(config: &checked::Config, name: &str, keys: Table) -> Result<Plan, Refusal> {
    let object = Object::Diagnostics(name.to_owned());
    let text = objects::text(&object, &keys);
    let text = text.map_err(|error| Refusal::invalid(error.to_string()))?;
    if text.len() as u64 > MAX_OBJECT_BYTES {
        let message = format!("the configuration {name} has more than {MAX_OBJECT_BYTES} bytes");
        return Err(Refusal::invalid(message));
    }
    let store = Store::new(&config.data_dir);
    let groups: Vec<&str> = config.machine_group.keys().map(String::as_str).collect();
    let new = store.check_diagnostics(name, &text, &groups);
    let new = new.map_err(|error| Refusal::of_setting(&error))?;
    // A subscription or a sink of that name may be somebody's.
    let mut with_it = config.clone();
    let place = store.path(&object);
    diagnostics::replace(&mut with_it, name, new.clone(), &place)
        .map_err(|error| Refusal::of_setting(&error))?;
    let warnings = unoffered(&with_it, name, &new);
    Ok(Plan {
        text: Some(text),
        new: Some(new),
        key: None,
        revision: 0,
        conflicts: Vec::new(),
        warnings: warnings.into_iter().collect(),
    })
}

/// Said where no machine can be asked.
fn unoffered(config: &checked::Config, name: &str, new: &Checked) -> Option<String> {
    let subscription = subscription_name(name);
    if !new.subscriptions.contains_key(&subscription) {
        return None;
    }
    let mut sources = config.source.wef.values();
    let is_offered = sources.any(|source| source.offers(&subscription));
    (!is_offered).then(|| {
        format!(
            "no [source.wef.NAME] offers the subscription {subscription}: its events come from files alone (windrow import)"
        )
    })
}

/// The buffer that the configuration asks for, where windrow's is smaller.
fn quota(config: &checked::Config, configuration: &wad::Configuration) -> Option<String> {
    let public = configuration.public.as_ref()?;
    let asked = public.wad_cfg.as_ref()?.monitor.overall_quota_in_mb?;
    let has = config.journal.quota.0;
    let asked_bytes = u64::from(asked) << 20;
    (has < asked_bytes).then(|| {
        format!(
            "overallQuotaInMB is {asked}, and [journal] quota in windrow.toml is {}: that is what holds, for all there is",
            config.journal.quota
        )
    })
}
