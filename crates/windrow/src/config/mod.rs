//! `windrow.toml`, the administrator's, never written by the program, and `conf.d` in the data folder, the settings
//! made by command ([`objects`]). Read in two steps, as written (`raw`) and checked ([`checked`]), so that nothing
//! behind this door meets a setting that makes no sense. A setting has one home: the same name in both is an error.
//!
//! This is the only room that reads the environment, and the only one that writes `conf.d`. What decides, in this order: the command line, the environment,
//! the file, the default.

mod check;
mod check_admin;
pub mod checked;
pub(crate) mod diagnostics;
mod environment;
mod error;
mod filter;
mod likely;
pub mod limits;
pub mod objects;
pub mod query;
mod raw;
pub mod units;

use std::path::{Path, PathBuf};

pub(crate) use check::is_name;
pub use environment::Environment;
pub use error::ConfigError;
pub use likely::{Ground, Likely};

/// A windrow.toml that shows every key, with its default where there is one.
pub const EXAMPLE: &str = include_str!("example.toml");

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--log`
    pub log: Option<String>,
}

/// Whether a command can do without a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// There has to be one.
    File,
    /// The defaults do when no file was named and the platform's is absent.
    Defaults,
}

/// Reads the configuration, as often as asked: at the start, and again when the service is told to reload.
#[derive(Debug, Clone)]
pub struct Loader {
    environment: Environment,
    overrides: Overrides,
}

impl Loader {
    /// A loader for one environment and one command line.
    #[must_use]
    pub fn new(environment: Environment, overrides: Overrides) -> Loader {
        Loader {
            environment,
            overrides,
        }
    }

    /// The data folder that the command line names.
    #[must_use]
    pub fn data_dir_argument(&self) -> Option<&Path> {
        self.overrides.data_dir.as_deref()
    }

    /// The environment this loader looks at.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Reads and checks.
    ///
    /// # Errors
    /// A file that cannot be read, or says something that makes no sense.
    pub fn load(&self, need: Need) -> Result<checked::Config, ConfigError> {
        let text = match self.file()? {
            Some(file) => Some((read(&file)?, file)),
            None if need == Need::File => return Err(self.no_file()),
            None => None,
        };
        let (raw, source) = match &text {
            Some((text, file)) => (parse(file, text)?, check::Source::of_file(file, text)),
            None => (
                raw::Config::default(),
                check::Source::of_file(Path::new(""), ""),
            ),
        };
        self.checked(raw, source)
    }

    /// Checks a text as if it had been read from `file`: with the settings that were made by command, where the service
    /// would find them.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn check_text(&self, file: &Path, text: &str) -> Result<checked::Config, ConfigError> {
        self.checked(parse(file, text)?, check::Source::of_file(file, text))
    }

    fn checked(
        &self,
        mut raw: raw::Config,
        source: check::Source<'_>,
    ) -> Result<checked::Config, ConfigError> {
        let (environment, overrides) = (&self.environment, &self.overrides);
        let data_dir = check::data_dir(raw.data_dir.take(), source, environment, overrides)?;
        let made = objects::names(&data_dir)?;
        let mut config = check::check(raw, source, data_dir, &made, environment, overrides)?;
        objects::load(&mut config)?;
        Ok(config)
    }

    /// The file that counts, or none. One that was named has to exist.
    fn file(&self) -> Result<Option<PathBuf>, ConfigError> {
        let named = self
            .overrides
            .config
            .as_ref()
            .or(self.environment.config.as_ref());
        if let Some(file) = named {
            return Ok(Some(file.clone()));
        }
        let Some(usual) = self.environment.default_config() else {
            return Ok(None);
        };
        match fs_err::exists(&usual) {
            Ok(true) => Ok(Some(usual)),
            Ok(false) => Ok(None),
            Err(error) => Err(ConfigError::new(error.to_string())),
        }
    }

    /// The file that a command may write: the one that was named, or the platform's, there or not.
    ///
    /// # Errors
    /// None was named, and the platform has no place for one.
    pub fn file_to_write(&self) -> Result<PathBuf, ConfigError> {
        let environment = &self.environment;
        let named = self
            .overrides
            .config
            .clone()
            .or_else(|| environment.config.clone());
        let usual = || environment.default_config();
        named.or_else(usual).ok_or_else(|| {
            ConfigError::new("there is no place for a configuration file")
                .with_hint("name one with --config")
        })
    }

    fn no_file(&self) -> ConfigError {
        let usual = self.environment.default_config();
        let usual = usual.map_or_else(String::new, |path| format!(", or write {}", path.display()));
        ConfigError::new("there is no configuration file").with_hint(format!(
            "name one with --config{usual}; `windrow config example` prints one to begin with"
        ))
    }
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let hint = "`windrow config example` prints one to begin with";
    let metadata = std::fs::metadata(file).map_err(|error| {
        ConfigError::new(format!("cannot read {}: {error}", file.display())).with_hint(hint)
    })?;
    if metadata.len() > limits::MAX_CONFIG_BYTES {
        let limit = units::ByteSize(limits::MAX_CONFIG_BYTES);
        return Err(ConfigError::new(format!(
            "{} is larger than {limit}",
            file.display()
        )));
    }
    fs_err::read(file).map_err(|error| ConfigError::new(error.to_string()))
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let bytes = read_bytes(file)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let message = format!("{}:{line}: this line is not UTF-8", file.display());
        ConfigError::new(message).with_hint("save the file as UTF-8 without a byte order mark")
    })
}

fn parse(file: &Path, text: &str) -> Result<raw::Config, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::from_toml(&error, file, text))
}

/// Checks the text of a configuration as if it had been read from `file`, in no particular environment and with no
/// settings made by command.
///
/// # Errors
/// As [`Loader::load`].
pub fn check_text(file: &Path, text: &str) -> Result<checked::Config, ConfigError> {
    let environment = Environment {
        superuser: true,
        ..Environment::default()
    };
    let overrides = Overrides::default();
    let mut raw = parse(file, text)?;
    let source = check::Source::of_file(file, text);
    let data_dir = check::data_dir(raw.data_dir.take(), source, &environment, &overrides)?;
    let made = objects::Names::default();
    check::check(raw, source, data_dir, &made, &environment, &overrides)
}

#[cfg(test)]
mod tests;
