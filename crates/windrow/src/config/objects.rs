//! `conf.d` in the data folder: settings made by command, one validated TOML file an object, and `GENERATION`, which
//! grows with each change.
//!
//! ```text
//! conf.d/GENERATION                 how often something here was changed
//! conf.d/sink.syslog.NAME.toml      the keys of [sink.syslog.NAME]
//! conf.d/syslog-client.toml         the certificate shown to receivers, by its files
//! conf.d/machine_group.NAME.toml    the keys of [machine_group.NAME]
//! conf.d/subscription.NAME.toml     the keys of [subscription.NAME]
//! ```
//!
//! A file is written whole or not at all, by the rule of [`crate::datadir`], after the generation, so that whoever finds
//! the object finds its generation too. Whoever writes holds the data folder's lock: the running
//! service, or a command where none runs. Nothing here is secret: keys lie elsewhere, and are named by their path.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::checked::{self, Home};
use super::{ConfigError, check, diagnostics, limits, raw};
use crate::datadir::{self, Kept, WholeFiles};

const GENERATION: &str = "GENERATION";

/// One object: a file of `conf.d`. In the order in which they are read: subscriptions name groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// `[machine_group.NAME]`
    MachineGroup(String),
    /// `[subscription.NAME]`
    Subscription(String),
    /// `[sink.syslog.NAME]`
    SyslogSink(String),
    /// The certificate that this side shows to syslog receivers.
    SyslogClient,
    /// A configuration of Azure Diagnostics.
    Diagnostics(String),
}

impl Object {
    fn file_name(&self) -> String {
        match self {
            Object::SyslogSink(name) => format!("sink.syslog.{name}.toml"),
            Object::SyslogClient => "syslog-client.toml".to_owned(),
            Object::MachineGroup(name) => format!("machine_group.{name}.toml"),
            Object::Subscription(name) => format!("subscription.{name}.toml"),
            Object::Diagnostics(name) => format!("diagnostics.{name}.toml"),
        }
    }

    /// The command that writes it.
    fn command(&self) -> &'static str {
        match self {
            Object::SyslogSink(_) | Object::SyslogClient => "windrow syslog",
            Object::MachineGroup(_) | Object::Subscription(_) => "windrow subscription",
            Object::Diagnostics(_) => "windrow diagnostics",
        }
    }

    /// What a file name stands for; none for what is no object.
    fn of_file(name: &str) -> Option<Object> {
        let name = name.strip_suffix(".toml")?;
        if name == "syslog-client" {
            return Some(Object::SyslogClient);
        }
        let of = |kind: &str| name.strip_prefix(kind).map(str::to_owned);
        let sink = || of("sink.syslog.").map(Object::SyslogSink);
        let group = || of("machine_group.").map(Object::MachineGroup);
        let subscription = || of("subscription.").map(Object::Subscription);
        let diagnostics = || of("diagnostics.").map(Object::Diagnostics);
        sink()
            .or_else(group)
            .or_else(subscription)
            .or_else(diagnostics)
    }
}

/// The folder of one data folder.
#[derive(Debug, Clone)]
pub struct Store {
    data_dir: PathBuf,
    files: WholeFiles,
}

/// A change that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) struct Written {
    /// The generation of the settings with it.
    pub(crate) generation: u64,
    /// How well it is kept.
    pub(crate) kept: Kept,
}

impl Store {
    /// The settings of this data folder, whether or not there are any.
    #[must_use]
    pub fn new(data_dir: &Path) -> Store {
        Store {
            data_dir: data_dir.to_owned(),
            files: WholeFiles::in_folder(datadir::settings(data_dir)),
        }
    }

    /// Where an object lies.
    #[must_use]
    pub fn path(&self, object: &Object) -> PathBuf {
        self.files.folder().join(object.file_name())
    }

    /// How often something was changed; 0 when nothing ever was.
    ///
    /// # Errors
    /// The file cannot be read, or says no number.
    pub fn generation(&self) -> Result<u64, ConfigError> {
        let path = self.files.folder().join(GENERATION);
        let Some(text) = read(&path, "windrow")? else {
            return Ok(0);
        };
        let number = text.trim().parse().ok();
        number.ok_or_else(|| {
            ConfigError::new(format!("{} holds no number", path.display()))
                .with_hint("write the number that `windrow status` showed last into it, or 1")
        })
    }

    /// The text of an object; none when it is not there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text(&self, object: &Object) -> Result<Option<String>, ConfigError> {
        read(&self.path(object), object.command())
    }

    /// What the text of a syslog sink means, checked as a table of windrow.toml is.
    ///
    /// # Errors
    /// Where in the text what is wrong.
    pub fn check_syslog_sink(
        &self,
        name: &str,
        text: &str,
    ) -> Result<checked::SyslogSink, ConfigError> {
        let file = self.path(&Object::SyslogSink(name.to_owned()));
        let raw: raw::SyslogSink = parse(&file, text)?;
        check::syslog_object(name, raw, self.source(&file, text))
    }

    /// What the text of the syslog client's certificate means.
    ///
    /// # Errors
    /// Where in the text what is wrong.
    pub fn check_syslog_client(&self, text: &str) -> Result<checked::SyslogClient, ConfigError> {
        let file = self.path(&Object::SyslogClient);
        let raw: raw::SyslogClient = parse(&file, text)?;
        Ok(check::client_object(raw, self.source(&file, text)))
    }

    /// What the text of a subscription means, where these groups of machines exist.
    ///
    /// # Errors
    /// Where in the text what is wrong.
    pub fn check_subscription(
        &self,
        name: &str,
        text: &str,
        groups: &[&str],
    ) -> Result<checked::Subscription, ConfigError> {
        let file = self.path(&Object::Subscription(name.to_owned()));
        let raw: raw::Subscription = parse(&file, text)?;
        check::subscription_object(name, raw, groups, self.source(&file, text))
    }

    /// What the text of a group of machines means.
    ///
    /// # Errors
    /// Where in the text what is wrong.
    pub fn check_machine_group(
        &self,
        name: &str,
        text: &str,
    ) -> Result<checked::MachineGroup, ConfigError> {
        let file = self.path(&Object::MachineGroup(name.to_owned()));
        let raw: raw::MachineGroup = parse(&file, text)?;
        check::group_object(name, raw, self.source(&file, text))
    }

    /// What the text of a configuration of Azure Diagnostics means, where these groups of machines exist.
    ///
    /// # Errors
    /// Where in the text what is wrong.
    pub(crate) fn check_diagnostics(
        &self,
        name: &str,
        text: &str,
        groups: &[&str],
    ) -> Result<diagnostics::Checked, ConfigError> {
        let file = self.path(&Object::Diagnostics(name.to_owned()));
        let raw: raw::Diagnostics = parse(&file, text)?;
        diagnostics::object(name, raw, groups, self.source(&file, text))
    }

    /// Writes an object, or takes it away.
    ///
    /// # Errors
    /// The disk; no setting is another then.
    pub(crate) fn write(
        &self,
        object: &Object,
        text: Option<&str>,
    ) -> Result<Written, ConfigError> {
        let before = self.generation()?;
        let generation = before + 1;
        let files = &self.files;
        let counted = files.replace(GENERATION, format!("{generation}\n").as_bytes());
        let written = counted.and_then(|counted| {
            let kept = match text {
                Some(text) => files.replace(&object.file_name(), text.as_bytes()),
                None => files.remove(&object.file_name()),
            };
            Ok(counted.and(kept?))
        });
        match written {
            Ok(kept) => Ok(Written { generation, kept }),
            Err(error) => {
                // Should this fail too, the number is one too high and no setting is another.
                let _ = files.replace(GENERATION, format!("{before}\n").as_bytes());
                Err(ConfigError::new(format!(
                    "cannot write the settings: {error}"
                )))
            }
        }
    }

    fn source<'a>(&'a self, file: &'a Path, text: &'a str) -> check::Source<'a> {
        check::Source {
            file,
            text,
            folder: &self.data_dir,
        }
    }

    /// All objects, by name. What is not called like one is none: an editor's backup, an unfinished file.
    fn list(&self) -> Result<Vec<Object>, ConfigError> {
        let entries = match fs_err::read_dir(self.files.folder()) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut objects = Vec::new();
        for (count, entry) in entries.enumerate() {
            if count >= limits::MAX_OBJECTS {
                return Err(ConfigError::new(format!(
                    "{} holds more than {} files",
                    self.files.folder().display(),
                    limits::MAX_OBJECTS
                )));
            }
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if let Some(object) = name.to_str().and_then(Object::of_file) {
                objects.push(object);
            } else if Path::new(&name).extension() == Some(OsStr::new("toml")) {
                return Err(ConfigError::new(format!(
                    "{} is not a setting that this windrow knows",
                    entry.path().display()
                ))
                .with_hint("move it away, or use the windrow that wrote it"));
            }
        }
        objects.sort();
        Ok(objects)
    }
}

/// The text of an object with these keys.
///
/// # Errors
/// A value that TOML cannot write.
pub fn text(object: &Object, keys: &toml::Table) -> Result<String, toml::ser::Error> {
    let (command, keys) = (object.command(), toml::to_string_pretty(keys)?);
    Ok(format!(
        "# Written by windrow: change it with `{command}`, not by hand.\n{keys}"
    ))
}

/// The keys of an object's text.
///
/// # Errors
/// It is no TOML.
pub fn keys(text: &str) -> Result<toml::Table, toml::de::Error> {
    toml::from_str(text)
}

/// Objects that windrow.toml may name.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) machine_groups: Vec<String>,
    pub(super) subscriptions: Vec<String>,
}

/// What was made by command and windrow.toml may name; what is in it is not looked at.
pub(super) fn names(data_dir: &Path) -> Result<Names, ConfigError> {
    let mut names = Names::default();
    for object in Store::new(data_dir).list()? {
        match object {
            Object::MachineGroup(name) => names.machine_groups.push(name),
            Object::Subscription(name) => names.subscriptions.push(name),
            Object::Diagnostics(name) => {
                (names.subscriptions).push(diagnostics::subscription_name(&name));
            }
            Object::SyslogSink(_) | Object::SyslogClient => {}
        }
    }
    Ok(names)
}

/// Adds the settings made by command to what windrow.toml says.
pub(super) fn load(config: &mut checked::Config) -> Result<(), ConfigError> {
    let store = Store::new(&config.data_dir);
    config.settings_generation = store.generation()?;
    for object in store.list()? {
        let Some(text) = store.text(&object)? else {
            continue;
        };
        let command = object.command();
        add(config, &store, object, &text).map_err(|error| damaged(error, command))?;
    }
    let counts = [
        ("syslog sinks", config.sink.syslog.len()),
        ("subscriptions", config.subscription.len()),
        ("groups of machines", config.machine_group.len()),
        ("table sinks", config.sink.azure_table.len()),
        ("blob sinks", config.sink.azure_blob.len()),
        ("watched folders", config.source.directory.len()),
        ("sources of Azure storage", config.source.wad_storage.len()),
    ];
    for (what, count) in counts {
        if count > limits::MAX_TABLES_A_KIND {
            let most = limits::MAX_TABLES_A_KIND;
            return Err(ConfigError::new(format!("more than {most} {what}")));
        }
    }
    Ok(())
}

fn add(
    config: &mut checked::Config,
    store: &Store,
    object: Object,
    text: &str,
) -> Result<(), ConfigError> {
    let path = store.path(&object);
    match object {
        Object::SyslogSink(name) => {
            let sink = store.check_syslog_sink(&name, text)?;
            let homes = &mut config.sink.homes;
            one_home(homes, "sink.syslog", &name, Home::Object { path })?;
            config.sink.syslog.insert(name, sink);
        }
        Object::SyslogClient => {
            config.syslog_client = Some(store.check_syslog_client(text)?);
        }
        Object::MachineGroup(name) => {
            let group = store.check_machine_group(&name, text)?;
            let homes = &mut config.homes.machine_group;
            one_home(homes, "machine_group", &name, Home::Object { path })?;
            config.machine_group.insert(name, group);
        }
        Object::Subscription(name) => {
            let groups: Vec<&str> = config.machine_group.keys().map(String::as_str).collect();
            let subscription = store.check_subscription(&name, text, &groups)?;
            let homes = &mut config.homes.subscription;
            one_home(homes, "subscription", &name, Home::Object { path })?;
            config.subscription.insert(name, subscription);
        }
        Object::Diagnostics(name) => {
            let groups: Vec<&str> = config.machine_group.keys().map(String::as_str).collect();
            let checked = store.check_diagnostics(&name, text, &groups)?;
            diagnostics::add(config, name, checked, &path)?;
        }
    }
    Ok(())
}

/// Says where a setting stands.
///
/// # Errors
/// It stands elsewhere already.
pub(super) fn one_home(
    homes: &mut BTreeMap<String, Home>,
    kind: &str,
    name: &str,
    home: Home,
) -> Result<(), ConfigError> {
    let place = |home: &Home| match home {
        Home::File { path, line } => format!("in {}, line {line}", path.display()),
        Home::Object { path } => format!("by command in {}", path.display()),
        Home::Diagnostics { path, .. } => format!("for Azure Diagnostics in {}", path.display()),
    };
    if let Some(other) = homes.get(name) {
        let (one, other) = (place(other), place(&home));
        let message = format!("{kind}.{name} is set twice: {one}, and {other}");
        return Err(ConfigError::new(message).with_hint(
            "a setting has one home: take the table out of the one, or the other file away",
        ));
    }
    homes.insert(name.to_owned(), home);
    Ok(())
}

/// What `windrow` itself wrote is wrong: somebody, or a disk, has changed it.
fn damaged(error: ConfigError, command: &str) -> ConfigError {
    if error.hint().is_some() {
        return error;
    }
    error.with_hint(format!(
        "this file is written by `{command}`; correct it, or move it away and set it anew"
    ))
}

/// A file of `conf.d`, none when it is not there.
fn read(path: &Path, command: &str) -> Result<Option<String>, ConfigError> {
    let file = match fs_err::File::open(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    file.take(limits::MAX_OBJECT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limits::MAX_OBJECT_BYTES {
        let message = format!(
            "{} is over {} bytes",
            path.display(),
            limits::MAX_OBJECT_BYTES
        );
        return Err(damaged(ConfigError::new(message), command));
    }
    let not_text = |_| {
        let message = format!("{} is not text", path.display());
        damaged(ConfigError::new(message), command)
    };
    String::from_utf8(bytes).map(Some).map_err(not_text)
}

fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::from_toml(&error, file, text))
}

fn is_absent(error: &io::Error) -> bool {
    // Where a file stands in a folder's place, whoever opens the folder says so.
    let kind = error.kind();
    kind == io::ErrorKind::NotFound || kind == io::ErrorKind::NotADirectory
}

fn failed(error: io::Error) -> ConfigError {
    let said = ConfigError::new(error.to_string());
    if error.kind() == io::ErrorKind::PermissionDenied {
        return said.with_hint("only the data folder's owner reads it: run this as that user");
    }
    said
}

#[cfg(test)]
mod tests;
