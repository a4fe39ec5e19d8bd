//! `conf.d` in the data folder: settings made by command, one validated TOML file an object, and `GENERATION`, which
//! grows with each change.
//!
//! ```text
//! conf.d/GENERATION                 how often something here was changed
//! conf.d/sink.syslog.NAME.toml      the keys of [sink.syslog.NAME]
//! conf.d/syslog-client.toml         the certificate shown to receivers, by its files
//! ```
//!
//! A file is written whole or not at all, by the rule of [`crate::datadir`], after the generation, so that whoever finds
//! the object finds its generation too. Whoever writes holds the data folder's lock: the running
//! service, or a command where none runs. Nothing here is secret: keys lie elsewhere, and are named by their path.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::checked::{self, Home};
use super::{ConfigError, check, limits, raw};
use crate::datadir::{self, Kept, WholeFiles};

const GENERATION: &str = "GENERATION";
/// What stands first in each file.
const HEADER: &str = "# Written by windrow: change it with `windrow syslog`, not by hand.\n";

/// One object: a file of `conf.d`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// `[sink.syslog.NAME]`
    SyslogSink(String),
    /// The certificate that this side shows to syslog receivers.
    SyslogClient,
}

impl Object {
    fn file_name(&self) -> String {
        match self {
            Object::SyslogSink(name) => format!("sink.syslog.{name}.toml"),
            Object::SyslogClient => "syslog-client.toml".to_owned(),
        }
    }

    /// What a file name stands for; none for what is no object.
    fn of_file(name: &str) -> Option<Object> {
        let name = name.strip_suffix(".toml")?;
        if name == "syslog-client" {
            return Some(Object::SyslogClient);
        }
        let sink = name.strip_prefix("sink.syslog.")?;
        Some(Object::SyslogSink(sink.to_owned()))
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
        let Some(text) = read(&path)? else {
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
        read(&self.path(object))
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
pub fn text(keys: &toml::Table) -> Result<String, toml::ser::Error> {
    Ok(format!("{HEADER}{}", toml::to_string_pretty(keys)?))
}

/// The keys of an object's text.
///
/// # Errors
/// It is no TOML.
pub fn keys(text: &str) -> Result<toml::Table, toml::de::Error> {
    toml::from_str(text)
}

/// Adds the settings made by command to what windrow.toml says.
pub(super) fn load(config: &mut checked::Config) -> Result<(), ConfigError> {
    let store = Store::new(&config.data_dir);
    config.settings_generation = store.generation()?;
    for object in store.list()? {
        let path = store.path(&object);
        let Some(text) = read(&path)? else {
            continue;
        };
        match object {
            Object::SyslogSink(name) => {
                let sink = store.check_syslog_sink(&name, &text).map_err(damaged)?;
                one_home(&config.sink, &name, &path)?;
                config
                    .sink
                    .homes
                    .insert(name.clone(), Home::Object { path });
                config.sink.syslog.insert(name, sink);
            }
            Object::SyslogClient => {
                let client = store.check_syslog_client(&text).map_err(damaged)?;
                config.syslog_client = Some(client);
            }
        }
    }
    if config.sink.syslog.len() > limits::MAX_TABLES_A_KIND {
        return Err(ConfigError::new(format!(
            "more than {} syslog sinks",
            limits::MAX_TABLES_A_KIND
        )));
    }
    Ok(())
}

fn one_home(sinks: &checked::Sinks, name: &str, object: &Path) -> Result<(), ConfigError> {
    let Some(Home::File { path, line }) = sinks.homes.get(name) else {
        return Ok(());
    };
    Err(ConfigError::new(format!(
        "sink.syslog.{name} is set twice: in {}, line {line}, and by command in {}",
        path.display(),
        object.display()
    ))
    .with_hint("a setting has one home: take the table out of the one, or the other file away"))
}

/// What `windrow` itself wrote is wrong: somebody, or a disk, has changed it.
fn damaged(error: ConfigError) -> ConfigError {
    if error.hint().is_some() {
        return error;
    }
    error.with_hint(
        "this file is written by `windrow syslog`; correct it, or move it away and set it anew",
    )
}

/// A file of `conf.d`, none when it is not there.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
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
        return Err(damaged(ConfigError::new(message)));
    }
    let not_text = |_| damaged(ConfigError::new(format!("{} is not text", path.display())));
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
