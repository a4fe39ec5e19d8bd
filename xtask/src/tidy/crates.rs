//! What each crate must not depend on, and what its code must not reach for.

use super::Finding;
use crate::project::{File, Project};
use crate::source;

/// The heavy crates: 90 % of a cold build. Only the lake names them.
const LAKE_ONLY: [&str; 6] = [
    "arrow",
    "parquet",
    "datafusion",
    "deltalake",
    "object_store",
    "delta_kernel",
];

/// What a pure crate has no use for.
const NOT_IN_FORMATS: [&str; 12] = [
    "async-std",
    "fs-err",
    "futures",
    "hyper",
    "mio",
    "rand",
    "rustix",
    "rustls",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-util",
];

/// Which crates of ours each crate may use; the rest it may not.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("detect", &[]),
    ("formats", &[]),
    ("pipeline", &["windrow-formats"]),
    ("lake", &["windrow-formats"]),
    (
        "windrow",
        &[
            "windrow-detect",
            "windrow-formats",
            "windrow-pipeline",
            "windrow-lake",
        ],
    ),
];

/// Reaching outside: not from a crate that turns bytes into values.
const IMPURE: [&str; 14] = [
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "Timestamp::now",
    "ToSocketAddrs",
    "UdpSocket",
    "Zoned::now",
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "tokio",
];

/// Each crate's direct dependencies keep to what design decided.
pub(super) fn dependencies(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, may_use) in MAY_USE {
        let path = format!("crates/{name}/Cargo.toml");
        let Some(manifest) = project.get(&path) else {
            continue;
        };
        for (line, dependency) in direct_dependencies(manifest, &mut findings) {
            let ours = dependency.starts_with("windrow");
            if ours && !may_use.contains(&dependency.as_str()) {
                let what = format!("{name} does not depend on {dependency}");
                findings.push(Finding::new(&path, line, what));
            }
            if name != "lake" && is_heavy(&dependency) {
                let what = format!("only the lake names {dependency}");
                findings.push(Finding::new(&path, line, what));
            }
            if name == "formats" && NOT_IN_FORMATS.contains(&dependency.as_str()) {
                let what = format!("formats is pure: it has no use for {dependency}");
                findings.push(Finding::new(&path, line, what));
            }
        }
    }
    for file in project.rust().filter(|file| file.is_product()) {
        if file.path.starts_with("crates/lake/") {
            continue;
        }
        let code = source::code(&file.text);
        for name in LAKE_ONLY {
            for (_, line) in source::words(&code, &format!("{name}::")) {
                let what = format!("only the lake names {name}");
                findings.push(Finding::new(&file.path, line, what));
            }
        }
    }
    findings
}

/// `formats` knows no socket, file, clock, thread or runtime.
pub(super) fn formats_is_pure(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(root) = project.get("crates/formats/src/lib.rs") else {
        return findings;
    };
    if !root.text.contains("#![forbid(unsafe_code)]") {
        findings.push(Finding::new(&root.path, 1, "formats forbids unsafe code"));
    }
    let sources = project
        .rust()
        .filter(|file| file.is_product() && file.path.starts_with("crates/formats/"));
    for file in sources {
        findings.extend(forbid(
            file,
            &IMPURE,
            "formats is pure: it does not reach for",
        ));
    }
    findings
}

/// Only the configuration reads the environment.
pub(super) fn environment(project: &Project) -> Vec<Finding> {
    let readers = ["env::var", "env::var_os", "env::vars", "env::vars_os"];
    project
        .rust()
        .filter(|file| file.is_product())
        .filter(|file| !file.path.starts_with("crates/windrow/src/config"))
        .flat_map(|file| {
            forbid(
                file,
                &readers,
                "only crates/windrow/src/config reads the environment, not",
            )
        })
        .collect()
}

/// A command's error reaches a person: it has to name the file.
pub(super) fn file_errors_name_the_file(project: &Project) -> Vec<Finding> {
    let unnamed = [
        "std::fs::File::create",
        "std::fs::File::open",
        "std::fs::copy",
        "std::fs::create_dir",
        "std::fs::create_dir_all",
        "std::fs::metadata",
        "std::fs::read",
        "std::fs::read_dir",
        "std::fs::read_to_string",
        "std::fs::remove_dir_all",
        "std::fs::remove_file",
        "std::fs::rename",
        "std::fs::write",
        "std::fs::{self",
        "use std::fs;",
    ];
    project
        .rust()
        .filter(|file| file.is_product() && file.path.starts_with("crates/windrow/src/cli/"))
        .flat_map(|file| {
            forbid(
                file,
                &unnamed,
                "fs_err names the file in its errors, unlike",
            )
        })
        .collect()
}

/// No state that a test cannot have two of.
pub(super) fn globals(project: &Project) -> Vec<Finding> {
    let globals = [
        "LazyLock",
        "OnceCell",
        "OnceLock",
        "lazy_static",
        "static mut",
        "thread_local",
    ];
    let mut findings = Vec::new();
    for file in project.rust().filter(|file| file.is_product()) {
        findings.extend(forbid(
            file,
            &globals,
            "no process globals: pass it in, instead of",
        ));
        let code = source::without_tests(&source::code(&file.text));
        for (text, line) in code.lines().zip(1..) {
            let item = text.trim_start().trim_start_matches("pub ");
            let is_static = item.starts_with("static ");
            if is_static
                && ["Atomic", "Mutex", "RwLock", "Cell<"]
                    .iter()
                    .any(|k| item.contains(k))
            {
                findings.push(Finding::new(
                    &file.path,
                    line,
                    "no process globals: pass it in",
                ));
            }
        }
    }
    findings
}

/// The crates that meet outside input name their limits where they can be found.
pub(super) fn limits_are_named(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["formats", "pipeline", "lake"] {
        let root = format!("crates/{name}/src/");
        let modules: Vec<_> = project
            .rust()
            .filter(|file| file.path.starts_with(&root))
            .collect();
        let named = modules.iter().any(|file| file.path.ends_with("/limits.rs"));
        if modules.len() > 1 && !named {
            let what = "no limits.rs names the limits on outside input";
            findings.push(Finding::new(&root, 0, what));
        }
    }
    findings
}

fn is_heavy(dependency: &str) -> bool {
    LAKE_ONLY
        .iter()
        .any(|heavy| dependency == *heavy || dependency.starts_with(&format!("{heavy}-")))
}

/// The dependencies that the crate is built with (not those of its tests), and their lines.
fn direct_dependencies(manifest: &File, findings: &mut Vec<Finding>) -> Vec<(usize, String)> {
    let table: toml::Table = match manifest.text.parse() {
        Ok(table) => table,
        Err(error) => {
            findings.push(Finding::new(&manifest.path, 0, error.to_string()));
            return Vec::new();
        }
    };
    let targets = table.get("target").and_then(toml::Value::as_table);
    let per_target = targets.into_iter().flat_map(|targets| targets.values());
    let tables = std::iter::once(table.get("dependencies"))
        .chain(per_target.map(|target| target.get("dependencies")));
    tables
        .flatten()
        .filter_map(toml::Value::as_table)
        .flat_map(|dependencies| dependencies.keys())
        .map(|name| (line_of_key(&manifest.text, name), name.clone()))
        .collect()
}

fn line_of_key(text: &str, key: &str) -> usize {
    text.lines()
        .position(|line| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        })
        .map_or(0, |at| at + 1)
}

fn forbid(file: &File, names: &[&str], why: &str) -> Vec<Finding> {
    let code = source::without_tests(&source::code(&file.text));
    let mut findings = Vec::new();
    for name in names {
        for (_, line) in source::words(&code, name) {
            findings.push(Finding::new(&file.path, line, format!("{why} {name}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lines, project};
    use super::*;

    #[test]
    fn dependencies_keep_to_the_map() {
        let project = project(&[
            (
                "crates/formats/Cargo.toml",
                "[dependencies]\nmemchr.workspace = true\ntokio = \"1\"\n[dev-dependencies]\nrand = \"1\"\n",
            ),
            (
                "crates/pipeline/Cargo.toml",
                "[dependencies]\nwindrow-lake.workspace = true\n[target.'cfg(unix)'.dependencies]\narrow-schema = \"1\"\n",
            ),
            ("crates/lake/Cargo.toml", "[dependencies]\narrow = \"1\"\n"),
            ("crates/windrow/src/x.rs", "use parquet::x;"),
        ]);
        assert_eq!(
            lines(&dependencies(&project)),
            [
                "crates/formats/Cargo.toml:3: formats is pure: it has no use for tokio",
                "crates/pipeline/Cargo.toml:2: pipeline does not depend on windrow-lake",
                "crates/pipeline/Cargo.toml:4: only the lake names arrow-schema",
                "crates/windrow/src/x.rs:1: only the lake names parquet",
            ]
        );
    }

    #[test]
    fn formats_reaches_for_nothing() {
        let project = project(&[
            ("crates/formats/src/lib.rs", "#![forbid(unsafe_code)]"),
            (
                "crates/formats/src/a.rs",
                "use std::net::IpAddr;\nfn f() { std::fs::read(\"x\"); } // SystemTime\n#[cfg(test)]\nmod tests { use std::fs; }\n",
            ),
            ("crates/formats/src/a/tests.rs", "use std::fs;"),
        ]);
        assert_eq!(
            lines(&formats_is_pure(&project)),
            ["crates/formats/src/a.rs:2: formats is pure: it does not reach for std::fs"]
        );
    }

    #[test]
    fn only_config_reads_the_environment() {
        let text = "fn f() { std::env::var(\"HOME\"); env!(\"X\"); }";
        let project = project(&[
            ("crates/windrow/src/config/raw.rs", text),
            ("crates/windrow/src/cli/run.rs", text),
        ]);
        assert_eq!(
            lines(&environment(&project)),
            [
                "crates/windrow/src/cli/run.rs:1: only crates/windrow/src/config reads the environment, not env::var"
            ]
        );
    }

    #[test]
    fn file_errors_have_a_name() {
        let text = "use std::fs::File;\nfn f() { std::fs::read(p); fs_err::read(p); }\n";
        let project = project(&[
            ("crates/windrow/src/cli/a.rs", text),
            ("crates/lake/src/a.rs", text),
        ]);
        assert_eq!(
            lines(&file_errors_name_the_file(&project)),
            [
                "crates/windrow/src/cli/a.rs:2: fs_err names the file in its errors, unlike std::fs::read"
            ]
        );
    }

    #[test]
    fn globals_are_found() {
        let project = project(&[(
            "crates/lake/src/a.rs",
            "static N: AtomicU64 = AtomicU64::new(0);\nstatic TABLE: [u8; 2] = [1, 2];\nuse std::sync::OnceLock;\n",
        )]);
        assert_eq!(
            lines(&globals(&project)),
            [
                "crates/lake/src/a.rs:3: no process globals: pass it in, instead of OnceLock",
                "crates/lake/src/a.rs:1: no process globals: pass it in",
            ]
        );
    }

    #[test]
    fn limits_have_a_home() {
        let project = project(&[
            ("crates/formats/src/lib.rs", ""),
            ("crates/formats/src/limits.rs", ""),
            ("crates/pipeline/src/lib.rs", ""),
            ("crates/pipeline/src/sources.rs", ""),
        ]);
        assert_eq!(
            lines(&limits_are_named(&project)),
            ["crates/pipeline/src/: no limits.rs names the limits on outside input"]
        );
    }
}
