//! The data folder, as far as a configuration says it that cannot be loaded: a service may run on it that was started
//! before the file was damaged. What it says for certain and what is guessed are told apart, since another service may
//! run where a guess points to.

use std::path::{Path, PathBuf};

use super::{Loader, check, parse, read_bytes};

/// Where a service may run whose configuration cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// The data folder.
    pub data_dir: PathBuf,
    /// How that is known.
    pub ground: Ground,
}

/// How a data folder is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// The command line or the environment names it, or a file that is damaged in what it means alone and not in how it
    /// is written: a start without the damage would take this one.
    Said,
    /// It is guessed from a file that cannot be read as TOML, by the line that seems to name it, or by the default where
    /// no line seems to. The service that was started from this file is the one that is looked for.
    Guessed {
        /// The file.
        file: PathBuf,
    },
}

impl Loader {
    /// The data folder of a configuration that cannot be loaded. None where nothing says it, and where what says it is
    /// what is damaged: the file cannot be read, or its line `data_dir` cannot.
    #[must_use]
    pub fn likely_data_dir(&self) -> Option<Likely> {
        let named = self.overrides.data_dir.clone();
        if let Some(data_dir) = named.or_else(|| self.environment.data_dir.clone()) {
            return Some(Likely {
                data_dir,
                ground: Ground::Said,
            });
        }
        let Some(file) = self.file().ok()? else {
            // What is damaged is in that folder then.
            return Some(Likely {
                data_dir: self.environment.default_data_dir()?,
                ground: Ground::Said,
            });
        };
        let bytes = read_bytes(&file).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let (written, ground) = match parse(&file, &text) {
            Ok(raw) => (raw.data_dir, Ground::Said),
            Err(_) => (
                written_data_dir(&text).ok()?,
                Ground::Guessed { file: file.clone() },
            ),
        };
        if written.as_ref().is_some_and(|path| !is_legible(path)) {
            return None;
        }
        let source = check::Source::of_file(&file, &text);
        let (environment, overrides) = (&self.environment, &self.overrides);
        let data_dir = check::data_dir(written, source, environment, overrides).ok()?;
        Some(Likely { data_dir, ground })
    }
}

/// A line says where the data folder is, and cannot be read.
struct Illegible;

/// What stands as `data_dir` before the first table, whatever is wrong elsewhere.
///
/// # Errors
/// Its own line is damaged, or there are several.
fn written_data_dir(text: &str) -> Result<Option<PathBuf>, Illegible> {
    #[derive(serde::Deserialize)]
    struct Line {
        data_dir: PathBuf,
    }
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().map(str::trim_start);
    let head = head.take_while(|line| !line.starts_with('['));
    let says = |line: &&str| line.trim_start_matches(['"', '\'']).starts_with("data_dir");
    let mut lines = head.filter(says);
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let line = toml::from_str::<Line>(line).map_err(|_| Illegible)?;
    match lines.next() {
        None => Ok(Some(line.data_dir)),
        Some(_) => Err(Illegible),
    }
}

/// Whether no byte of it was unreadable.
fn is_legible(path: &Path) -> bool {
    let text = path.to_str();
    text.is_some_and(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Need, Overrides};
    use super::*;

    /// What is likely beside these bytes of a file, the command line naming a folder or not.
    struct Damaged {
        folder: tempfile::TempDir,
    }

    impl Damaged {
        fn new() -> Damaged {
            Damaged {
                folder: tempfile::tempdir().unwrap(),
            }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("lab.toml")
        }

        fn likely(&self, bytes: &[u8]) -> Option<Likely> {
            std::fs::write(self.file(), bytes).unwrap();
            self.of(self.file(), None)
        }

        fn of(&self, config: PathBuf, data_dir: Option<&str>) -> Option<Likely> {
            let overrides = Overrides {
                config: Some(config),
                data_dir: data_dir.map(PathBuf::from),
                log: None,
            };
            let environment = Environment {
                superuser: true,
                ..Environment::default()
            };
            let loader = Loader::new(environment, overrides);
            assert!(loader.load(Need::Defaults).is_err());
            loader.likely_data_dir()
        }

        fn guess(&self, data_dir: impl Into<PathBuf>) -> Option<Likely> {
            Some(Likely {
                data_dir: data_dir.into(),
                ground: Ground::Guessed { file: self.file() },
            })
        }
    }

    fn said(data_dir: impl Into<PathBuf>) -> Option<Likely> {
        Some(Likely {
            data_dir: data_dir.into(),
            ground: Ground::Said,
        })
    }

    #[test]
    fn a_folder_is_guessed_beside_damage() {
        let damaged = Damaged::new();
        let text = "\u{feff}# ours\ndata_dir = \"/srv/windrow\" # here\n[web\nlisten = 7\n[x]\ndata_dir = \"/no\"\n";
        let likely = |text: &str| damaged.likely(text.as_bytes());
        assert_eq!(likely(text), damaged.guess("/srv/windrow"));
        assert_eq!(
            damaged.of(damaged.file(), Some("/named")),
            said(Path::new("/named"))
        );
        assert_eq!(
            likely("[web]\ndata_dir = \"/no\"\n"),
            damaged.guess("/var/lib/windrow")
        );
        assert_eq!(
            likely("data_dir = \"data\"\nno = 1\n"),
            damaged.guess(damaged.folder.path().join("data"))
        );
        // What another encoding has made unreadable elsewhere is no matter.
        let latin = b"# f\xfcr uns\ndata_dir = \"/srv/windrow\"\n[web\n";
        assert_eq!(damaged.likely(latin), damaged.guess("/srv/windrow"));
    }

    #[test]
    fn a_file_that_is_whole_says_it_whatever_it_means() {
        let damaged = Damaged::new();
        let likely = |text: &str| damaged.likely(text.as_bytes());
        let of_nothing = "[sink.syslog.a]\nserver_name = \"not a name\"\n";
        assert_eq!(likely(of_nothing), said("/var/lib/windrow"));
        assert_eq!(
            likely(&format!("data_dir = \"/srv/windrow\"\n{of_nothing}")),
            said("/srv/windrow")
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_says_nothing() {
        let damaged = Damaged::new();
        assert_eq!(
            damaged.of(damaged.folder.path().join("lab.tml"), None),
            None
        );
        // A folder is no file.
        assert_eq!(damaged.of(damaged.folder.path().to_owned(), None), None);
        assert_eq!(
            damaged.of(damaged.folder.path().join("lab.tml"), Some("/named")),
            said("/named")
        );
    }

    #[test]
    fn a_damaged_line_for_the_folder_is_not_passed_over() {
        let damaged = Damaged::new();
        for line in [
            "data_dir = ",
            "data_dir = \"/srv/windrow",
            "data_dir \"/srv/windrow\"",
            "  data_dir = 7",
            "data_dirr = \"/srv/windrow\"",
            "\"data_dir = \"/srv/windrow\"",
            "data_dir = \"/srv/a\"\ndata_dir = \"/srv/b\"",
        ] {
            let text = format!("# ours\n{line}\n[web]\nlisten = 7\n");
            assert_eq!(damaged.likely(text.as_bytes()), None, "{line}");
        }
        let latin = b"data_dir = \"/srv/f\xfcr\"\n";
        assert_eq!(damaged.likely(latin), None);
    }
}
