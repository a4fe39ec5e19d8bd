//! Crates that may not come in again, as `[bans]` of deny.toml lists them.
//!
//! cargo-deny reads the same lines; it is two minutes of building away, this is not.

use std::cmp::Ordering;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::licences::{array, list, metadata, strings, text};
use crate::tidy::Finding;

/// One line of the list.
#[derive(Debug)]
struct Ban {
    name: String,
    /// Only versions before this one.
    before: Option<Vec<u64>>,
    /// Who may depend on it nevertheless.
    wrappers: Vec<String>,
    reason: String,
}

/// A crate of the workspace's, and who depends on it.
#[derive(Debug)]
struct Used<'a> {
    name: &'a str,
    version: &'a str,
    by: Vec<&'a str>,
}

/// Banned crates that the workspace is built from, its tests and tools included.
///
/// # Errors
/// deny.toml cannot be understood, or cargo says nothing.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let path = root.join("deny.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let bans = read(&text).context("deny.toml")?;
    let metadata = metadata(root)?;
    Ok(findings(&bans, &used(&metadata)))
}

fn read(text: &str) -> Result<Vec<Ban>> {
    let table: toml::Table = text.parse()?;
    let bans = table.get("bans").context("there is no [bans]")?;
    let word = |entry: &toml::Value, key: &str| {
        let found = entry.get(key).and_then(toml::Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    list(bans, "deny")
        .map(|entry| {
            let named = word(entry, "crate");
            let (name, before) = match named.split_once('@') {
                Some((name, versions)) => (name, Some(before(versions)?)),
                None => (&*named, None),
            };
            ensure!(!name.is_empty(), "a ban names no crate");
            Ok(Ban {
                name: name.to_owned(),
                before,
                wrappers: strings(entry, "wrappers").collect(),
                reason: word(entry, "reason"),
            })
        })
        .collect()
}

/// `<0.41`: the only kind of range that is understood here.
fn before(versions: &str) -> Result<Vec<u64>> {
    let limit = versions.strip_prefix('<').and_then(numbers);
    limit.with_context(|| format!("{versions:?} is not of the form <1.2"))
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let release = version.split(['-', '+']).next()?;
    release.split('.').map(|part| part.parse().ok()).collect()
}

fn used(metadata: &Value) -> Vec<Used<'_>> {
    let packages = || array(&metadata["packages"]);
    let name_of = |id: &str| {
        let package = packages().find(|package| text(&package["id"]) == id);
        package.map_or("", |package| text(&package["name"]))
    };
    let depends_on = |node: &Value, id: &str| array(&node["dependencies"]).any(|on| text(on) == id);
    let nodes = || array(&metadata["resolve"]["nodes"]);
    packages()
        .map(|package| Used {
            name: text(&package["name"]),
            version: text(&package["version"]),
            by: nodes()
                .filter(|node| depends_on(node, text(&package["id"])))
                .map(|node| name_of(text(&node["id"])))
                .collect(),
        })
        .collect()
}

fn findings(bans: &[Ban], used: &[Used<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in bans {
        for package in used.iter().filter(|package| is_banned(ban, package)) {
            let by: Vec<_> = (package.by.iter().copied())
                .filter(|by| !ban.wrappers.iter().any(|wrapper| wrapper == by))
                .collect();
            if by.is_empty() {
                continue;
            }
            findings.push(Finding {
                path: format!("{} {}", package.name, package.version),
                line: 0,
                what: format!("is banned, and {} uses it: {}", by.join(", "), ban.reason),
            });
        }
    }
    findings
}

/// A version that cannot be read counts as an old one.
fn is_banned(ban: &Ban, package: &Used<'_>) -> bool {
    let is_old = |limit: &Vec<u64>| {
        numbers(package.version).is_none_or(|found| found.cmp(limit) == Ordering::Less)
    };
    package.name == ban.name && ban.before.as_ref().is_none_or(is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANS: &str = r#"[bans]
deny = [
  { crate = "gone", reason = "unmaintained" },
  { crate = "old@<0.41", wrappers = ["keeper"], reason = "slow" },
]
"#;

    fn found(name: &str, version: &str, by: &[&str]) -> Vec<String> {
        let used = Used {
            name,
            version,
            by: by.to_vec(),
        };
        let findings = findings(&read(BANS).unwrap(), &[used]);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_banned_crate_is_named_with_who_uses_it() {
        assert_eq!(
            found("gone", "1.0.0", &["a", "b"]),
            ["gone 1.0.0: is banned, and a, b uses it: unmaintained"]
        );
        assert_eq!(found("other", "1.0.0", &["a"]), [""; 0]);
    }

    #[test]
    fn a_range_and_its_wrappers_count() {
        assert_eq!(found("old", "0.39.4", &["keeper"]), [""; 0]);
        assert_eq!(found("old", "0.39.4", &["keeper", "a"]).len(), 1);
        assert_eq!(found("old", "0.41.0", &["a"]), [""; 0]);
        assert_eq!(found("old", "0.42.0-rc1", &["a"]), [""; 0]);
        assert_eq!(found("old", "strange", &["a"]).len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(read("[bans]\ndeny = [{ crate = \"x@>=2\" }]").is_err());
        assert!(read("[bans]\ndeny = [{ reason = \"x\" }]").is_err());
    }
}
