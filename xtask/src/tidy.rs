//! The rules of the repository that a program can hold.
//!
//! Each rule is a function from the texts to findings, with a test that shows it failing.
//! What a rule lets pass by name stands in `xtask/tidy/`, with the reason.

mod crates;
mod papers;
mod shape;
mod words;

use std::fmt;

use crate::project::Project;

/// Something to put right, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    pub what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.path, self.what)
        } else {
            write!(f, "{}:{}: {}", self.path, self.line, self.what)
        }
    }
}

/// All findings, sorted by place.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let rules: [fn(&Project) -> Vec<Finding>; 13] = [
        crates::dependencies,
        crates::formats_is_pure,
        crates::environment,
        crates::file_errors_name_the_file,
        crates::globals,
        crates::limits_are_named,
        shape::functions,
        shape::files,
        words::places,
        papers::changelog,
        papers::docs_are_linked,
        papers::configuration,
        papers::decisions,
    ];
    let mut findings: Vec<_> = rules.iter().flat_map(|rule| rule(project)).collect();
    findings.extend(papers::vendored(project));
    findings.sort();
    findings
}

/// One line of a list in `xtask/tidy/`: what is let pass, and why.
#[derive(Debug)]
struct Exemption {
    line: usize,
    what: String,
    reason: String,
}

/// Reads `what  # reason` lines; a line without a reason is a finding.
fn exemptions(project: &Project, list: &str, findings: &mut Vec<Finding>) -> Vec<Exemption> {
    let Some(file) = project.get(list) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (text, line) in file.text.lines().zip(1..) {
        let (what, reason) = text.split_once('#').unwrap_or((text, ""));
        let exemption = Exemption {
            line,
            what: what.trim().to_owned(),
            reason: reason.trim().to_owned(),
        };
        if exemption.what.is_empty() {
            continue;
        }
        if exemption.reason.is_empty() {
            findings.push(Finding::new(
                list,
                line,
                "an exemption needs its reason after '#'",
            ));
        }
        found.push(exemption);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::root;

    /// A repository of the given texts.
    pub(super) fn project(files: &[(&str, &str)]) -> Project {
        let owned = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
        Project::of(files.iter().map(owned))
    }

    /// The findings as lines, to compare with.
    pub(super) fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_repository_is_tidy() {
        let findings = check(&Project::load(&root()).unwrap());
        assert!(findings.is_empty(), "{}", lines(&findings).join("\n"));
    }

    #[test]
    fn an_exemption_gives_its_reason() {
        let project = project(&[("list.txt", "# heading\na.rs f # because\nb.rs g\n")]);
        let mut findings = Vec::new();
        let found = exemptions(&project, "list.txt", &mut findings);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].reason, "because");
        assert_eq!(
            lines(&findings),
            ["list.txt:3: an exemption needs its reason after '#'"]
        );
    }
}
