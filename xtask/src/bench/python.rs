//! A Python of the user's cache that has the packages with which a benchmark measures others beside us.
//!
//! Nothing of it is built into the program or needed to build it: pinned packages of PyPI, kept between runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The path of a Python interpreter that has these packages, each as `name==version`.
pub(super) fn with(packages: &[&str]) -> Result<PathBuf> {
    let folder = cache()?.join("windrow/bench-python");
    let python = folder.join("bin/python");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    // Says nothing and asks nobody where all of them are there.
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(&python).args(install).args(packages))?;
    Ok(python)
}

#[expect(clippy::disallowed_methods, reason = "where the user has caches")]
fn cache() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(cache) = named("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(cache));
    }
    let home = named("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cache"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status();
    let status = status.with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
