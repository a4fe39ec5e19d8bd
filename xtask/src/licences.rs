//! What the program is built from, under which licences, and from where.
//!
//! deny.toml says which are allowed. cargo-deny reads it too; this needs nothing but cargo,
//! so it always runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::Project;
use crate::tidy::Finding;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The platform whose dependencies are listed.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// A crate that the program is built from.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// SPDX expression; empty when the crate states none.
    pub licence: String,
    /// `None` for the project's own crates.
    pub source: Option<String>,
    /// Where its source lies.
    pub folder: PathBuf,
}

/// The licences that deny.toml allows.
#[derive(Debug, Default)]
pub struct Policy {
    allowed: BTreeSet<String>,
    /// Crate and the licence allowed to it alone.
    exceptions: BTreeSet<(String, String)>,
}

impl Policy {
    pub fn read(root: &Path) -> Result<Policy> {
        let path = root.join("deny.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let table: toml::Table = text.parse().context("deny.toml")?;
        let licences = table
            .get("licenses")
            .context("deny.toml has no [licenses]")?;
        let mut exceptions = BTreeSet::new();
        for exception in list(licences, "exceptions") {
            let name = exception.get("crate").and_then(toml::Value::as_str);
            for licence in strings(exception, "allow") {
                exceptions.insert((name.unwrap_or_default().to_owned(), licence));
            }
        }
        Ok(Policy {
            allowed: strings(licences, "allow").collect(),
            exceptions,
        })
    }

    /// Whether an SPDX expression can be met with allowed licences alone.
    ///
    /// `AND` binds closer than `OR`; `/` is the old way to write `OR`.
    #[must_use]
    pub fn allows(&self, name: &str, expression: &str) -> bool {
        let spaced = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ")
            .replace(" WITH ", "\u{1}");
        // A stack of (some alternative so far can be met, the one being read can).
        let mut stack = vec![(false, true)];
        let mut empty = true;
        for token in spaced.split_whitespace() {
            let Some(top) = stack.last_mut() else {
                return false;
            };
            match token {
                "AND" => {}
                "OR" => *top = (top.0 || top.1, true),
                "(" => stack.push((false, true)),
                ")" => {
                    let inner = stack.pop().unwrap_or_default();
                    let Some(outer) = stack.last_mut() else {
                        return false;
                    };
                    outer.1 &= inner.0 || inner.1;
                }
                licence => {
                    empty = false;
                    let licence = licence.replace('\u{1}', " WITH ");
                    top.1 &= self.allowed.contains(&licence)
                        || self.exceptions.contains(&(name.to_owned(), licence));
                }
            }
        }
        !empty && stack.len() == 1 && (stack[0].0 || stack[0].1)
    }
}

/// THIRD-PARTY.md when it is not what [`notice`] would write.
#[must_use]
pub fn stale_notice(packages: &[Package], project: &Project) -> Option<Finding> {
    let path = "THIRD-PARTY.md";
    let written = project.get(path).map(|file| file.text.as_str());
    (written != Some(notice(packages).as_str())).then(|| Finding {
        path: path.to_owned(),
        line: 0,
        what: "is not of these dependencies: run cargo xtask third-party".to_owned(),
    })
}

/// What cargo says of the workspace and everything it is built from.
pub(crate) fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", PLATFORM])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Every crate built into the program.
pub fn resolve(root: &Path) -> Result<Vec<Package>> {
    let metadata = metadata(root)?;
    let packages: BTreeMap<&str, &Value> = array(&metadata["packages"])
        .map(|package| (text(&package["id"]), package))
        .collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| package["name"] == "windrow")
        .map(|(id, _)| *id)
        .collect();
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"]["nodes"])
        .map(|node| (text(&node["id"]), node))
        .collect();
    while let Some(id) = waiting.pop() {
        if reached.insert(id)
            && let Some(node) = nodes.get(id)
        {
            waiting.extend(built_in(node));
        }
    }
    let mut found: Vec<_> = reached
        .iter()
        .filter_map(|id| packages.get(id))
        .map(|package| read(package))
        .collect();
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// Dependencies outside the allowed licences or the registry.
#[must_use]
pub fn check(policy: &Policy, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        if !policy.allows(&package.name, &package.licence) {
            findings.push(Finding {
                path: name.clone(),
                line: 0,
                what: format!(
                    "licence {:?} is not among the allowed ones",
                    package.licence
                ),
            });
        }
        if package
            .source
            .as_deref()
            .is_some_and(|source| source != REGISTRY)
        {
            findings.push(Finding {
                path: name,
                line: 0,
                what: format!("comes from {:?}, not from crates.io", package.source),
            });
        }
    }
    findings
}

/// The text of THIRD-PARTY.md.
#[must_use]
pub fn notice(packages: &[Package]) -> String {
    let mut out = String::from(
        "# Third-party notices\n\n\
         windrow is built from the crates below, each under its own licence. Where a crate offers a\n\
         choice, windrow takes MIT or Apache-2.0 when they are among the offers. The licence texts come\n\
         with each crate's source on crates.io, and with the Debian package. Nothing is copied into this repository from elsewhere.\n\n\
         Written by `cargo xtask third-party`, for Linux on x86-64.\n\n\
         | crate | version | licence |\n|---|---|---|\n",
    );
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let name = &package.name;
        let _ = writeln!(
            out,
            "| [{name}](https://crates.io/crates/{name}) | {} | {} |",
            package.version, package.licence
        );
    }
    out
}

/// The ids of a node's dependencies that end up in the program.
fn built_in(node: &Value) -> impl Iterator<Item = &str> {
    array(&node["deps"])
        .filter(|dependency| array(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()))
        .map(|dependency| text(&dependency["pkg"]))
}

fn read(package: &Value) -> Package {
    Package {
        name: text(&package["name"]).to_owned(),
        version: text(&package["version"]).to_owned(),
        licence: text(&package["license"]).to_owned(),
        source: package["source"].as_str().map(str::to_owned),
        folder: (Path::new(text(&package["manifest_path"])).parent())
            .map_or_else(PathBuf::new, Path::to_path_buf),
    }
}

pub(crate) fn list<'a>(table: &'a toml::Value, key: &str) -> impl Iterator<Item = &'a toml::Value> {
    let list = table.get(key).and_then(toml::Value::as_array);
    list.into_iter().flatten()
}

pub(crate) fn strings(table: &toml::Value, key: &str) -> impl Iterator<Item = String> {
    list(table, key).filter_map(|value| value.as_str().map(str::to_owned))
}

pub(crate) fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let allowed = [
            "MIT",
            "Apache-2.0",
            "Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ];
        Policy {
            allowed: allowed.map(str::to_owned).into(),
            exceptions: [("one".to_owned(), "MPL-2.0".to_owned())].into(),
        }
    }

    #[test]
    fn reads_spdx_expressions() {
        for allowed in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(policy().allows("x", allowed), "{allowed}");
        }
        for refused in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT AND AGPL-3.0) OR MPL-2.0",
            "Apache-2.0 WITH Other-exception",
            "MIT) OR (MIT",
            "MPL-2.0",
        ] {
            assert!(!policy().allows("x", refused), "{refused}");
        }
    }

    #[test]
    fn an_exception_holds_for_its_crate_alone() {
        assert!(policy().allows("one", "MPL-2.0"));
        assert!(!policy().allows("other", "MPL-2.0"));
    }

    #[test]
    fn names_what_may_not_be_built_in() {
        let package = |licence: &str, source: &str| Package {
            name: "x".to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            source: Some(source.to_owned()),
            folder: PathBuf::new(),
        };
        let packages = [
            package("MIT", REGISTRY),
            package("GPL-3.0", REGISTRY),
            package("MIT", "git+https://example.org/x"),
        ];
        let findings = check(&policy(), &packages);
        let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(
            lines,
            [
                "x 1.0.0: licence \"GPL-3.0\" is not among the allowed ones",
                "x 1.0.0: comes from Some(\"git+https://example.org/x\"), not from crates.io",
            ]
        );
    }
}
