//! One build for everybody: the tests must not ask for other features of a dependency
//! than the program does.
//!
//! Cargo builds a crate once for each set of features. A test dependency that switches on one
//! more feature of tokio would have everything above tokio, DataFusion included, built twice:
//! once for `cargo run`, once for the tests. `pipeline` needs such a one (turmoil), so
//! `./test` builds its tests by themselves, and this holds the rest to one set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tidy::Finding;

/// The crate whose tests are built by themselves.
const APART: &str = "windrow-pipeline";

/// Package (name and version) to each set of features that it is built with.
type Features = BTreeMap<String, BTreeSet<String>>;

/// Packages that the tests would have built once more.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let program = tree(root, &["-p", "windrow", "-e", "normal,build"])?;
    let tests = tree(
        root,
        &["--workspace", "--exclude", APART, "-e", "normal,build,dev"],
    )?;
    Ok(compare(&features(&program), &features(&tests)))
}

fn compare(program: &Features, tests: &Features) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, sets) in program {
        let Some(tested) = tests.get(package) else {
            continue;
        };
        for set in sets.difference(tested) {
            let others: Vec<_> = tested.iter().map(String::as_str).collect();
            findings.push(Finding {
                path: package.clone(),
                line: 0,
                what: format!(
                    "would be built twice: with [{set}] for the program, with [{}] for the tests",
                    others.join("] or [")
                ),
            });
        }
    }
    findings
}

fn features(tree: &str) -> Features {
    let mut features = Features::new();
    for line in tree.lines() {
        let Some((package, set)) = line.trim_end_matches(" (*)").split_once('|') else {
            continue;
        };
        features
            .entry(package.to_owned())
            .or_default()
            .insert(set.to_owned());
    }
    features
}

fn tree(root: &Path, selection: &[&str]) -> Result<String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--prefix=none", "--format={p}|{f}"])
        .args(selection)
        .current_dir(root)
        .output()
        .context("running cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_would_be_built_twice() {
        let program = features("tokio v1.0.0|net,rt\nserde v1.0.0|std (*)\nsyn v2.0.0|full\n");
        let tests = features(
            "tokio v1.0.0|net,rt,test-util\nserde v1.0.0|std\nserde v1.0.0|alloc\nproptest v1.0.0|\n",
        );
        let findings = compare(&program, &tests);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].to_string(),
            "tokio v1.0.0: would be built twice: with [net,rt] for the program, \
             with [net,rt,test-util] for the tests"
        );
    }
}
