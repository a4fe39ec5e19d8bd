//! The repository as a list of texts, so that every rule is a function of values and
//! its test needs no disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that are not the project's own writing.
const SKIPPED_FOLDERS: [&str; 8] = [
    ".git",
    ".venv",
    "target",
    "node_modules",
    "corpus",
    "artifacts",
    "coverage",
    "proptest-regressions",
];

/// No text of the project is longer; what is, is data and not read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// One text of the repository.
#[derive(Debug, Clone)]
pub struct File {
    /// Relative to the root, with `/` between parts on every platform.
    pub path: String,
    pub text: String,
}

/// Every text of the repository, sorted by path.
#[derive(Debug, Clone, Default)]
pub struct Project {
    pub files: Vec<File>,
}

/// The repository's root: the folder above this crate's.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

impl Project {
    /// Reads every UTF-8 file below `root`, skipping what is built or generated
    /// (and `.git`, which is a file in a worktree).
    pub fn load(root: &Path) -> Result<Project> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
            for entry in entries {
                let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
                let path = entry.path();
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    let name = entry.file_name();
                    if !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
                        folders.push(path);
                    }
                } else if kind.is_file()
                    && entry.file_name() != ".git"
                    && entry.metadata()?.len() <= FILE_BYTES_MAX
                {
                    files.extend(read(root, &path)?);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Project { files })
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".md"))
    }
}

impl File {
    /// Code that only tests run, by where it lies.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }

    /// Code of the product: what is built into the program.
    #[must_use]
    pub fn is_product(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.next() == Some("crates") && parts.nth(1) == Some("src") && !self.is_test()
    }
}

/// The file, or nothing when it is not text.
fn read(root: &Path, path: &Path) -> Result<Option<File>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(None);
    };
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Ok(Some(File {
        path: parts.join("/"),
        text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File {
            path: path.to_owned(),
            text: String::new(),
        }
    }

    #[test]
    fn tells_product_code_from_tests() {
        assert!(file("crates/formats/src/event.rs").is_product());
        assert!(!file("crates/formats/src/event/tests.rs").is_product());
        assert!(!file("crates/windrow/tests/it/main.rs").is_product());
        assert!(!file("crates/formats/examples/bench_event.rs").is_product());
        assert!(!file("xtask/src/main.rs").is_product());
    }

    #[test]
    fn loads_this_repository() {
        let project = Project::load(&root()).unwrap();
        assert!(project.get("Cargo.toml").is_some());
        assert!(project.rust().any(|file| file.path == "xtask/src/lib.rs"));
        assert!(
            project
                .files
                .iter()
                .all(|file| !file.path.starts_with(".git/"))
        );
    }
}
