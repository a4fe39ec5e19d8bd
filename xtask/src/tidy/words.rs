//! The project speaks of itself: no path of somebody's machine in it.

use super::{Finding, exemptions};
use crate::project::Project;

/// Starts of absolute paths that exist on one machine only. (`/home/…` and `/mnt/…` are what
/// an example would say.)
const PLACES: [&str; 4] = ["/work/", "/root/", "/Users/", "/tmp/bash_"];

/// This list has to name what it forbids.
const HERE: &str = "xtask/src/tidy/words.rs";
const ALLOWED: &str = "xtask/tidy/places.txt";

/// No path of one machine.
pub(super) fn places(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let allowed = exemptions(project, ALLOWED, &mut findings);
    for file in project.files.iter().filter(|file| file.path != HERE) {
        for (text, line) in file.text.lines().zip(1..) {
            for place in PLACES {
                let Some(at) = text.find(place) else {
                    continue;
                };
                // `https://host/work/…` and `crates/work/…` are not absolute.
                let before = text[..at].chars().next_back();
                let absolute = !before.is_some_and(|c| c.is_alphanumeric() || "._-/~".contains(c));
                let let_pass = allowed.iter().any(|exemption| exemption.what == file.path);
                if absolute && !let_pass {
                    let what = format!("{place}… is a place on one machine");
                    findings.push(Finding::new(&file.path, line, what));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lines, project};
    use super::*;

    #[test]
    fn finds_paths_of_a_machine() {
        let project = project(&[
            (
                "a.rs",
                "let x = \"/Users/me/data\";\nlet y = \"https://x.org/work/1\";",
            ),
            ("b.md", "see /root/x\n"),
            (ALLOWED, "b.md # what it looks like\n"),
        ]);
        assert_eq!(
            lines(&places(&project)),
            ["a.rs:1: /Users/… is a place on one machine"]
        );
    }
}
