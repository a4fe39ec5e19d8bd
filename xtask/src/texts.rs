//! The licence texts that the program's dependencies come with, for whoever is handed the program
//! without their sources: most licences ask for that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::licences::Package;

/// How far below a crate's folder its texts lie: C libraries have a folder of their own.
const DEPTH: usize = 2;

/// What the files are called, in capitals and up to what is appended.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// Every text once, after the crates that come with it.
///
/// # Errors
/// A crate's source cannot be read.
pub fn all(packages: &[Package]) -> Result<String> {
    let mut crates_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let name = format!("{} {} ({})", package.name, package.version, package.licence);
        let mut files = Vec::new();
        find(&package.folder, DEPTH, &mut files)?;
        if files.is_empty() {
            without.push(name);
            continue;
        }
        for file in files {
            let text =
                std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let crates = crates_of.entry(tidied(&text)).or_default();
            if !crates.contains(&name) {
                crates.push(name.clone());
            }
        }
    }
    Ok(document(&crates_of, &without))
}

fn document(crates_of: &BTreeMap<String, Vec<String>>, without: &[String]) -> String {
    let line = "-".repeat(80);
    let mut out = String::from("What windrow is built from, with the licences it came with.\n");
    for (text, crates) in crates_of {
        let _ = write!(out, "\n{line}\n{}\n{line}\n\n{text}\n", crates.join("\n"));
    }
    if !without.is_empty() {
        let names = without.join("\n");
        let _ = write!(
            out,
            "\n{line}\nThese state their licence and bring no text of it:\n{names}\n"
        );
    }
    out
}

/// The text without what differs between copies of one: line ends and blanks at them.
fn tidied(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && depth > 1 {
            find(&path, depth - 1, found)?;
        } else if path.is_file() && is_text(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// `LICENSE`, `LICENSE-MIT`, `COPYING.txt`; not `license.rs`.
fn is_text(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_uppercase();
    let rest = NAMES.iter().find_map(|known| name.strip_prefix(known));
    let is_code = [".RS", ".PY", ".C", ".H", ".TOML", ".JSON", ".HTML"];
    rest.is_some_and(|rest| {
        !rest.starts_with(|c: char| c.is_ascii_alphabetic())
            && !is_code.iter().any(|ending| rest.ends_with(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_by_their_names() {
        for text in ["LICENSE", "license-mit", "COPYING.txt", "Notice.md"] {
            assert!(is_text(Path::new(text)), "{text}");
        }
        for other in ["licenses", "license.rs", "LICENSE.json", "README.md"] {
            assert!(!is_text(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn a_text_that_two_crates_share_is_printed_once() {
        let temp = tempfile::tempdir().unwrap();
        let packages = ["a", "b", "bare"].map(|name| {
            let folder = temp.path().join(name);
            std::fs::create_dir_all(folder.join("vendored")).unwrap();
            Package {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                licence: "MIT".to_owned(),
                source: Some("registry".to_owned()),
                folder,
            }
        });
        let put = |file: &str, text: &str| std::fs::write(temp.path().join(file), text).unwrap();
        put("a/LICENSE", "Do what you like. \r\n");
        put("b/LICENSE-MIT", "Do what you like.\n");
        put("b/vendored/COPYING", "Something else.\n");
        let text = all(&packages).unwrap();
        assert_eq!(text.matches("Do what you like.").count(), 1);
        assert!(text.contains("a 1.0.0 (MIT)\nb 1.0.0 (MIT)\n"), "{text}");
        assert!(text.contains("Something else."), "{text}");
        assert!(
            text.ends_with("no text of it:\nbare 1.0.0 (MIT)\n"),
            "{text}"
        );
    }
}
