//! Configurations of Azure Diagnostics that are in force: `conf.d/diagnostics.NAME.toml`, each with the settings that it
//! means. Those are ordinary settings, written out as windrow.toml would have them and checked as that is.

mod compile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use windrow_formats::wad;

use super::check::{self, Source};
use super::checked::{
    self, AccountCredential, AzureBlobSink, AzureTableSink, DiagnosticsStorage, DirectorySource,
    Home,
};
use super::{ConfigError, limits, raw};

pub(crate) use compile::subscription_name;

/// What stands for the role of the machines where nothing is said: what the agent on a virtual machine wrote.
pub(crate) const USUAL_ROLE: &str = "IaaS";

/// Whether a configuration can be called so: its settings have longer names.
pub(crate) fn is_name(name: &str) -> bool {
    check::is_name(&compile::longest_name(name))
}

/// What a name has to be like, for messages.
pub(crate) fn name_form() -> String {
    let most = limits::MAX_NAME_CHARS - compile::longest_name("").len();
    format!("1 to {most} of the characters a-z, 0-9, - and _")
}

/// A configuration in force, and the settings it means, checked.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) diagnostics: checked::Diagnostics,
    pub(crate) subscriptions: BTreeMap<String, checked::Subscription>,
    pub(crate) directory: BTreeMap<String, DirectorySource>,
    pub(crate) azure_table: BTreeMap<String, AzureTableSink>,
    pub(crate) azure_blob: BTreeMap<String, AzureBlobSink>,
}

/// A file of `conf.d` that holds one, where these groups of machines exist.
///
/// # Errors
/// Where in the text what is wrong.
pub(super) fn object(
    name: &str,
    raw: raw::Diagnostics,
    groups: &[&str],
    source: Source<'_>,
) -> Result<Checked, ConfigError> {
    if !is_name(name) {
        let error = ConfigError::new(format!("`{name}` cannot be a name"));
        return Err(error.with_hint(name_form()));
    }
    let span = raw.configuration.span();
    let reading = wad::read(raw.configuration.get_ref().as_bytes());
    let Some(configuration) = reading.configuration else {
        let first = reading.findings.iter();
        let first = first
            .map(|finding| finding.fault.to_string())
            .next()
            .unwrap_or_default();
        return Err(source.error(format!("no configuration: {first}"), span));
    };
    let mut diagnostics = diagnostics(name, raw, source)?;
    let compiled = compile::compile(name, &diagnostics, &configuration);
    let compiled = compiled.map_err(|fault| source.error(fault, span))?;
    diagnostics.settings = compiled.settings;
    diagnostics.undone = compiled.undone;
    checked(name, diagnostics, groups)
}

fn diagnostics(
    name: &str,
    raw: raw::Diagnostics,
    source: Source<'_>,
) -> Result<checked::Diagnostics, ConfigError> {
    let credential = match (raw.key_file, raw.sas_file) {
        (Some(file), None) => Some(AccountCredential::KeyFile(source.resolve(file))),
        (None, Some(file)) => Some(AccountCredential::SasFile(source.resolve(file))),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(ConfigError::new("there are two credentials")),
    };
    let storage = raw.account.zip(credential);
    Ok(checked::Diagnostics {
        revision: raw.revision,
        set_at: raw.set_at,
        set_by: raw.set_by,
        storage: storage.map(|(account, credential)| DiagnosticsStorage {
            account,
            endpoint: raw.endpoint,
            blob_endpoint: raw.blob_endpoint,
            ca_file: raw.ca_file.map(|file| source.resolve(file)),
            credential,
        }),
        files: raw.files.map(|folder| source.resolve(folder)),
        machines: raw.machines,
        machine_groups: raw.machine_groups,
        deployment_id: raw.deployment_id.unwrap_or_else(|| name.to_owned()),
        role: raw.role.unwrap_or_else(|| USUAL_ROLE.to_owned()),
        configuration: raw.configuration.into_inner(),
        settings: String::new(),
        undone: Vec::new(),
    })
}

/// Reads the settings that a configuration means.
fn checked(
    name: &str,
    diagnostics: checked::Diagnostics,
    groups: &[&str],
) -> Result<Checked, ConfigError> {
    let shown = format!("the settings that diagnostics {name} means");
    let (file, text) = (Path::new(&shown), diagnostics.settings.as_str());
    let raw: raw::Config = super::parse(file, text)?;
    // Files are named in it as they were found: a folder before them would stand there twice.
    let folder = Path::new("");
    let source = Source { file, text, folder };
    let compiled = check::compiled(raw, groups, source)?;
    Ok(Checked {
        diagnostics,
        subscriptions: compiled.subscriptions,
        directory: compiled.directory,
        azure_table: compiled.azure_table,
        azure_blob: compiled.azure_blob,
    })
}

/// Adds one to what windrow.toml says, unless something of the name of one of its settings is there.
///
/// # Errors
/// A setting would have two homes.
pub(super) fn add(
    config: &mut checked::Config,
    name: String,
    checked: Checked,
    path: &Path,
) -> Result<(), ConfigError> {
    let home = || Home::Diagnostics {
        path: path.to_owned(),
        name: name.clone(),
    };
    for (setting, subscription) in checked.subscriptions {
        super::objects::one_home(
            &mut config.homes.subscription,
            "subscription",
            &setting,
            home(),
        )?;
        config.subscription.insert(setting, subscription);
    }
    for (setting, sink) in checked.azure_table {
        let homes = &mut config.homes.azure_table;
        super::objects::one_home(homes, "sink.azure_table", &setting, home())?;
        config.sink.azure_table.insert(setting, sink);
    }
    for (setting, source) in checked.directory {
        let homes = &mut config.homes.directory;
        super::objects::one_home(homes, "source.directory", &setting, home())?;
        config.source.directory.insert(setting, source);
    }
    for (setting, sink) in checked.azure_blob {
        let homes = &mut config.homes.azure_blob;
        super::objects::one_home(homes, "sink.azure_blob", &setting, home())?;
        config.sink.azure_blob.insert(setting, sink);
    }
    config.diagnostics.insert(name, checked.diagnostics);
    Ok(())
}

/// Takes one out again, with its settings.
pub(crate) fn take_out(config: &mut checked::Config, name: &str) {
    let is_of = |home: Option<&Home>| matches!(home, Some(Home::Diagnostics { name: of, .. }) if of == name);
    let homes = &config.homes;
    (config.subscription).retain(|setting, _| !is_of(homes.subscription.get(setting)));
    (config.sink.azure_table).retain(|setting, _| !is_of(homes.azure_table.get(setting)));
    (config.source.directory).retain(|setting, _| !is_of(homes.directory.get(setting)));
    (config.sink.azure_blob).retain(|setting, _| !is_of(homes.azure_blob.get(setting)));
    let homes = &mut config.homes;
    homes.directory.retain(|_, home| !is_of(Some(home)));
    homes.azure_blob.retain(|_, home| !is_of(Some(home)));
    homes.subscription.retain(|_, home| !is_of(Some(home)));
    homes.azure_table.retain(|_, home| !is_of(Some(home)));
    config.diagnostics.remove(name);
}

/// One in the place of what was in force under its name.
///
/// # Errors
/// As [`add`].
pub(crate) fn replace(
    config: &mut checked::Config,
    name: &str,
    checked: Checked,
    path: &Path,
) -> Result<(), ConfigError> {
    take_out(config, name);
    add(config, name.to_owned(), checked, path)
}
