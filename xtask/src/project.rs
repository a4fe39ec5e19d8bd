//! The repository as a list of texts, so that every rule is a function of values and
//! its test needs no disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::source;

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
    /// Whether only tests run it.
    pub is_test: bool,
}

/// Every text of the repository, sorted by path.
#[derive(Debug, Clone, Default)]
pub struct Project {
    pub files: Vec<File>,
}

/// The repository's root: the folder above this crate's.
#[must_use]
pub fn root() -> PathBuf {
    // As cargo runs it, not as it was built: clones may share a target folder.
    #[expect(clippy::disallowed_methods, reason = "cargo says it this way alone")]
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    // Tests of any crate ask too: the root is the folder above that has this tool in it.
    let mut above = here.ancestors().skip(1);
    let root = above.find(|folder| folder.join("xtask/Cargo.toml").is_file());
    root.unwrap_or(&here).to_path_buf()
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
        Ok(Project::of(files))
    }

    /// The repository that consists of these paths and texts.
    #[must_use]
    pub fn of(texts: impl IntoIterator<Item = (String, String)>) -> Project {
        let file = |(path, text): (String, String)| File {
            is_test: lies_among_tests(&path),
            path,
            text,
        };
        let mut files: Vec<File> = texts.into_iter().map(file).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let modules: Vec<String> = files.iter().flat_map(test_modules).collect();
        for file in &mut files {
            file.is_test |= modules.iter().any(|module| {
                let inside = file.path.strip_prefix(module.as_str());
                inside.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
        }
        Project { files }
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
    /// Code of the product: what is built into the program.
    #[must_use]
    pub fn is_product(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.next() == Some("crates") && parts.nth(1) == Some("src") && !self.is_test
    }
}

fn lies_among_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// The modules that a file declares for tests only, as paths without an ending.
fn test_modules(file: &File) -> Vec<String> {
    let Some(stem) = file.path.strip_suffix(".rs") else {
        return Vec::new();
    };
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => stem,
    };
    let code = source::code(&file.text);
    let mut modules = Vec::new();
    for (at, marker) in code.match_indices("#[cfg(test)]") {
        let item = code[at + marker.len()..].trim_start();
        let item = item
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ");
        let name = item
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'));
        if let Some((name, _)) = name
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        {
            modules.push(format!("{folder}/{name}"));
        }
    }
    modules
}

/// The file's path and text, or nothing when it is not text.
fn read(root: &Path, path: &Path) -> Result<Option<(String, String)>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(None);
    };
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Ok(Some((parts.join("/"), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_product_code_from_tests() {
        let texts = [
            ("crates/formats/src/event.rs", true),
            ("crates/formats/src/event/tests.rs", false),
            ("crates/windrow/tests/it/main.rs", false),
            ("crates/formats/examples/bench_event.rs", false),
            ("xtask/src/main.rs", false),
            ("crates/pipeline/src/journal/sim.rs", false),
            ("crates/pipeline/src/journal/sim/crash.rs", false),
            ("crates/pipeline/src/journal/simple.rs", true),
            ("crates/pipeline/src/tls.rs", true),
            ("crates/pipeline/src/tls/faults.rs", false),
        ];
        let declarations = [
            (
                "crates/pipeline/src/journal/mod.rs",
                "#[cfg(test)]\nmod sim;\nmod simple;",
            ),
            (
                "crates/pipeline/src/tls.rs",
                "#[cfg(test)]\npub(crate) mod faults;",
            ),
        ];
        let declared = |path: &str| {
            let found = declarations.iter().find(|(other, _)| *other == path);
            found.map_or(String::new(), |(_, text)| (*text).to_owned())
        };
        let paths = texts.iter().map(|(path, _)| *path);
        let paths = paths.chain(["crates/pipeline/src/journal/mod.rs"]);
        let project = Project::of(paths.map(|path| (path.to_owned(), declared(path))));
        for (path, is_product) in texts {
            assert_eq!(
                project.get(path).unwrap().is_product(),
                is_product,
                "{path}"
            );
        }
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
