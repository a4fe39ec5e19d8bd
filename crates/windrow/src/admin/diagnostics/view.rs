//! Configurations of Azure Diagnostics as they are shown.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windrow_formats::wad::{self, Conflict, Differs};

use super::super::refusal::{Refusal, RefusalKind};
use super::DiagnosticsGet;
use super::history::{History, Revision};
use crate::config::checked::{self, AccountCredential, Diagnostics};

/// All that are in force, and what there was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configurations {
    /// How often settings were changed by command.
    pub generation: u64,
    /// Those in force, by name.
    pub configurations: Vec<Configuration>,
}

/// One that is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// How often one of this name was set.
    pub revision: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// Who has set it.
    pub set_by: String,
    /// Machines it is for; everybody when this and `machine_groups` are empty.
    pub machines: Vec<String>,
    /// Groups of machines it is for.
    pub machine_groups: Vec<String>,
    /// The account it writes to.
    pub account: Option<String>,
    /// Where that account's tables are, where that is not the usual place.
    pub endpoint: Option<String>,
    /// Where its blobs are, where that is not the usual place.
    #[serde(default)]
    pub blob_endpoint: Option<String>,
    /// The folder in which files of the machines arrive.
    #[serde(default)]
    pub files: Option<PathBuf>,
    /// What opens it: `key` or `sas`.
    pub credential: Option<String>,
    /// What stands for the deployment in the tables.
    pub deployment_id: String,
    /// What stands for the machines' role there.
    pub role: String,
    /// The configuration in XML, without keys.
    pub configuration: String,
    /// The settings it means, as windrow.toml would have them.
    pub settings: String,
    /// What of it is not done, a sentence each.
    pub undone: Vec<String>,
    /// Earlier revisions that are kept, the latest first.
    pub earlier: Vec<Revision>,
    /// Its file.
    pub file: PathBuf,
}

/// Something that a change changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What: an element or attribute of the configuration, or a setting beside it.
    pub at: String,
    /// `added`, `changed` or `gone`.
    pub what: String,
    /// What it was.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

/// Where what was merged contradicts what is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflicting {
    /// What.
    pub at: String,
    /// What is in force.
    pub current: String,
    /// What is new.
    pub new: String,
}

/// What a change has done, or would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiagnosticsChanged {
    /// What was asked for.
    pub verb: String,
    /// Of which.
    pub name: String,
    /// Whether it was done; otherwise this is what it would be.
    pub done: bool,
    /// Whether a service has taken it up.
    pub running: bool,
    /// How often settings were changed by command.
    pub generation: u64,
    /// The revision before; 0 where none was in force.
    pub revision_before: u64,
    /// The revision it makes; 0 where none is in force after it.
    pub revision: u64,
    /// What it changes; nothing where nothing would be other than before.
    pub differences: Vec<Difference>,
    /// Where both contradicted each other, and the preferred one is right.
    pub conflicts: Vec<Conflicting>,
    /// The settings it means, as windrow.toml would have them.
    pub settings: String,
    /// What of it is not done, a sentence each.
    pub undone: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
}

/// One that is in force.
///
/// # Errors
/// None is, under this name.
pub(super) fn find<'a>(
    config: &'a checked::Config,
    name: &str,
) -> Result<&'a Diagnostics, Refusal> {
    config.diagnostics.get(name).ok_or_else(|| {
        let message = format!("no configuration {name} is in force");
        let refusal = Refusal::new(RefusalKind::NotFound, message);
        let names: Vec<&str> = config.diagnostics.keys().map(String::as_str).collect();
        match names.is_empty() {
            true => refusal.hint("`windrow diagnostics set FILE --name NAME` sets one"),
            false => refusal.hint(format!("in force are {}", names.join(", "))),
        }
    })
}

/// What is asked for of what is in force.
///
/// # Errors
/// The one that is named is not there.
pub(in crate::admin) fn configurations(
    config: &checked::Config,
    get: &DiagnosticsGet,
) -> Result<Configurations, Refusal> {
    let shown = |(name, diagnostics): (&String, &Diagnostics)| one(config, name, diagnostics);
    let configurations = match &get.name {
        None => config.diagnostics.iter().map(shown).collect(),
        Some(name) => vec![one(config, name, find(config, name)?)],
    };
    Ok(Configurations {
        generation: config.settings_generation,
        configurations,
    })
}

fn one(config: &checked::Config, name: &str, diagnostics: &Diagnostics) -> Configuration {
    use crate::config::objects::{Object, Store};
    let storage = diagnostics.storage.as_ref();
    let earlier = History::of(&config.data_dir, name).list();
    Configuration {
        name: name.to_owned(),
        revision: diagnostics.revision,
        set_at: diagnostics.set_at,
        set_by: diagnostics.set_by.clone(),
        machines: diagnostics.machines.clone(),
        machine_groups: diagnostics.machine_groups.clone(),
        account: storage.map(|storage| storage.account.clone()),
        endpoint: storage.and_then(|storage| storage.endpoint.clone()),
        blob_endpoint: storage.and_then(|storage| storage.blob_endpoint.clone()),
        files: diagnostics.files.clone(),
        credential: storage.map(|storage| kind(&storage.credential).to_owned()),
        deployment_id: diagnostics.deployment_id.clone(),
        role: diagnostics.role.clone(),
        configuration: diagnostics.configuration.clone(),
        settings: diagnostics.settings.clone(),
        undone: diagnostics.undone.clone(),
        earlier: (earlier.into_iter())
            .filter(|kept| kept.revision < diagnostics.revision)
            .collect(),
        file: Store::new(&config.data_dir).path(&Object::Diagnostics(name.to_owned())),
    }
}

fn kind(credential: &AccountCredential) -> &'static str {
    match credential {
        AccountCredential::KeyFile(_) => "key",
        AccountCredential::SasFile(_) => "sas",
    }
}

pub(super) fn conflicting(conflicts: Vec<Conflict>) -> Vec<Conflicting> {
    let told = conflicts.into_iter().map(|conflict| Conflicting {
        at: conflict.at,
        current: conflict.current,
        new: conflict.new,
    });
    told.collect()
}

/// What a revision says otherwise than the one before, and whether what opens the account comes with it.
pub(super) fn differences(
    old: Option<(&Diagnostics, &wad::Configuration)>,
    new: Option<(&Diagnostics, &wad::Configuration)>,
    new_key: Option<&super::Key>,
) -> Vec<Difference> {
    let none = wad::Configuration::default();
    let configuration =
        |of: Option<(_, &wad::Configuration)>| of.map_or(none.clone(), |of| of.1.clone());
    let mut told: Vec<Difference> = wad::differences(&configuration(old), &configuration(new))
        .into_iter()
        .map(told)
        .collect();
    let beside = |of: Option<(&Diagnostics, _)>| of.map_or([const { None }; 8], |of| beside(of.0));
    let (before, after) = (beside(old), beside(new));
    let names = [
        "machines",
        "machine groups",
        "account",
        "endpoint",
        "endpoint of blobs",
        "files",
        "DeploymentId",
        "Role",
    ];
    for ((name, from), to) in names.into_iter().zip(before).zip(after) {
        if from != to {
            told.push(change(name.to_owned(), from, to));
        }
    }
    if new_key.is_some() {
        let key = Some("(a key)".to_owned());
        told.push(change("key".to_owned(), None, key));
    }
    told
}

/// What stands beside a configuration.
fn beside(diagnostics: &Diagnostics) -> [Option<String>; 8] {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
    let is_for_all = diagnostics.machines.is_empty() && diagnostics.machine_groups.is_empty();
    let all = is_for_all.then(|| "every machine".to_owned());
    let storage = diagnostics.storage.as_ref();
    [
        list(&diagnostics.machines).or(all),
        list(&diagnostics.machine_groups),
        storage.map(|storage| storage.account.clone()),
        storage.and_then(|storage| storage.endpoint.clone()),
        storage.and_then(|storage| storage.blob_endpoint.clone()),
        diagnostics
            .files
            .as_ref()
            .map(|folder| folder.display().to_string()),
        Some(diagnostics.deployment_id.clone()),
        Some(diagnostics.role.clone()),
    ]
}

fn told(difference: wad::Difference) -> Difference {
    let wad::Difference { at, what } = difference;
    let (what, from, to) = match what {
        Differs::Added(value) => ("added", None, value),
        Differs::Changed { from, to } => ("changed", Some(from), Some(to)),
        Differs::Gone(value) => ("gone", value, None),
    };
    Difference {
        at,
        what: what.to_owned(),
        from,
        to,
    }
}

fn change(at: String, from: Option<String>, to: Option<String>) -> Difference {
    let what = match (&from, &to) {
        (None, _) => "added",
        (_, None) => "gone",
        _ => "changed",
    };
    Difference {
        at,
        what: what.to_owned(),
        from,
        to,
    }
}
