//! The only place that reads the process's environment. Everything else is handed this.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The variables windrow looks at, read once at the start.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `WINDROW_CONFIG`: the configuration file, when `--config` does not name one.
    pub config: Option<PathBuf>,
    /// `WINDROW_DATA_DIR`: the data folder, when `--data-dir` does not name one.
    pub data_dir: Option<PathBuf>,
    /// `WINDROW_LOG`: what is logged, when `--log` does not say.
    pub log: Option<String>,
    /// `WINDROW_ENDPOINT`: the endpoint that `windrow syslog` asks, when `--endpoint` does not name one.
    pub endpoint: Option<String>,
    /// `WINDROW_TOKEN_FILE`: the file with the token for it, when `--token-file` does not name one.
    pub token_file: Option<PathBuf>,
    /// `NO_COLOR` is set to something (no-color.org).
    pub no_color: bool,
    /// `TERM` is `dumb`: a terminal that knows no colours and moves no cursor.
    pub dumb_terminal: bool,
    /// The locale's character set is UTF-8 (`LC_ALL`, `LC_CTYPE`, `LANG`, in that order), or none is named:
    /// containers name none, and their terminals read UTF-8.
    pub utf8_locale: bool,
    /// The program as it was called; none when it was found by its name alone.
    pub program: Option<String>,
    /// The process runs as the superuser, so that the system's folders are its own.
    pub superuser: bool,
    /// `XDG_STATE_HOME`, or `$HOME/.local/state` (XDG Base Directory Specification 0.8).
    pub state_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, or `$HOME/.config`.
    pub config_home: Option<PathBuf>,
    /// `WATCHDOG_USEC`: how long the service manager waits for a sign of life (`sd_watchdog_enabled(3)`); none when
    /// it is not meant for this process.
    pub watchdog: Option<Duration>,
}

impl Environment {
    /// Reads the process's environment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads it")]
    pub fn read() -> Environment {
        let called = std::env::args_os().next();
        let by_path = |name: &String| name.contains(std::path::MAIN_SEPARATOR);
        Environment {
            program: called
                .and_then(|name| name.into_string().ok())
                .filter(by_path),
            ..Environment::from_lookup(|name| std::env::var_os(name), superuser())
        }
    }

    /// The same from any set of variables, for tests.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>, superuser: bool) -> Environment {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        // The specification says that relative paths in these variables are to be ignored.
        let absolute = |name: &str| path(name).filter(|path| path.is_absolute());
        let under_home = |rest: &str| absolute("HOME").map(|home| home.join(rest));
        Environment {
            config: path("WINDROW_CONFIG"),
            data_dir: path("WINDROW_DATA_DIR"),
            log: set("WINDROW_LOG").and_then(|value| value.into_string().ok()),
            endpoint: set("WINDROW_ENDPOINT").and_then(|value| value.into_string().ok()),
            token_file: path("WINDROW_TOKEN_FILE"),
            no_color: set("NO_COLOR").is_some(),
            dumb_terminal: set("TERM").is_some_and(|term| term == "dumb"),
            utf8_locale: utf8_locale(set),
            program: None,
            superuser,
            state_home: absolute("XDG_STATE_HOME").or_else(|| under_home(".local/state")),
            config_home: absolute("XDG_CONFIG_HOME").or_else(|| under_home(".config")),
            watchdog: watchdog(set),
        }
    }

    /// The platform's folder for state: `/var/lib/windrow` for the superuser, else under the user's state folder.
    #[must_use]
    pub fn default_data_dir(&self) -> Option<PathBuf> {
        if self.superuser {
            return Some(PathBuf::from("/var/lib/windrow"));
        }
        self.state_home.as_ref().map(|home| home.join("windrow"))
    }

    /// The platform's place for the configuration file.
    #[must_use]
    pub fn default_config(&self) -> Option<PathBuf> {
        if self.superuser {
            return Some(PathBuf::from("/etc/windrow/windrow.toml"));
        }
        self.config_home
            .as_ref()
            .map(|home| home.join("windrow/windrow.toml"))
    }
}

fn watchdog(set: impl Fn(&str) -> Option<OsString>) -> Option<Duration> {
    let number = |name: &str| set(name)?.to_str()?.parse::<u64>().ok();
    let for_another =
        set("WATCHDOG_PID").is_some() && number("WATCHDOG_PID") != Some(std::process::id().into());
    let time_us = number("WATCHDOG_USEC").filter(|time_us| *time_us > 0 && !for_another)?;
    Some(Duration::from_micros(time_us))
}

fn utf8_locale(set: impl Fn(&str) -> Option<OsString>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(set)
        .is_none_or(|value| {
            let value = value.to_string_lossy();
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

#[cfg(unix)]
fn superuser() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn superuser() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Environment {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Environment::from_lookup(lookup, false)
    }

    #[test]
    fn the_state_folder_follows_xdg() {
        let home = with(&[("HOME", "/home/ada")]);
        assert_eq!(
            home.default_data_dir(),
            Some("/home/ada/.local/state/windrow".into())
        );
        let xdg = with(&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/state")]);
        assert_eq!(xdg.default_data_dir(), Some("/state/windrow".into()));
        let relative = with(&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "state")]);
        assert_eq!(
            relative.default_data_dir(),
            Some("/home/ada/.local/state/windrow".into())
        );
        assert_eq!(with(&[]).default_data_dir(), None);
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        assert_eq!(with(&[]).watchdog, None);
        assert_eq!(with(&[("WATCHDOG_USEC", "0")]).watchdog, None);
        assert_eq!(with(&[("WATCHDOG_USEC", "soon")]).watchdog, None);
        let time = Some(Duration::from_secs(120));
        assert_eq!(with(&[("WATCHDOG_USEC", "120000000")]).watchdog, time);
        let own = std::process::id().to_string();
        let of = |pid: &str| with(&[("WATCHDOG_USEC", "120000000"), ("WATCHDOG_PID", pid)]);
        assert_eq!(of(&own).watchdog, time);
        assert_eq!(of("1").watchdog, None);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(with(&[("LANG", "en_GB.UTF-8")]).utf8_locale);
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).utf8_locale);
        assert!(with(&[]).utf8_locale);
    }
}
