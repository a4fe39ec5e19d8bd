//! What is written beside the code: changelog, pages, decisions, notices.

use std::collections::BTreeSet;

use super::Finding;
use crate::docs;
use crate::project::Project;

/// The changelog says what the next release brings.
pub(super) fn changelog(project: &Project) -> Vec<Finding> {
    let path = "CHANGELOG.md";
    let Some(file) = project.get(path) else {
        return vec![Finding::new(path, 0, "there is no changelog")];
    };
    let mut lines = file.text.lines().zip(1..);
    let Some((_, line)) = lines.find(|(text, _)| *text == "## [Unreleased]") else {
        return vec![Finding::new(
            path,
            0,
            "there is no \"## [Unreleased]\" section",
        )];
    };
    let has_entry = lines
        .take_while(|(text, _)| !text.starts_with("## "))
        .any(|(text, _)| text.starts_with("- "));
    if has_entry {
        return Vec::new();
    }
    vec![Finding::new(
        path,
        line,
        "the unreleased section has no entry",
    )]
}

/// Every page of docs/ can be found from its landing page.
pub(super) fn docs_are_linked(project: &Project) -> Vec<Finding> {
    let landing = project
        .get("docs/README.md")
        .map_or("", |file| file.text.as_str());
    project
        .markdown()
        .filter_map(|file| Some((file, file.path.strip_prefix("docs/")?)))
        .filter(|(_, name)| *name != "README.md" && !name.starts_with("adr/"))
        .filter(|(_, name)| !landing.contains(&format!("({name})")))
        .map(|(file, _)| Finding::new(&file.path, 0, "docs/README.md does not link this page"))
        .collect()
}

/// The page of the configuration shows what `windrow config example` prints.
pub(super) fn configuration(project: &Project) -> Vec<Finding> {
    let (Some(page), Some(example)) = (
        project.get(docs::CONFIGURATION_PAGE),
        project.get(docs::CONFIGURATION_EXAMPLE),
    ) else {
        return Vec::new();
    };
    if docs::configuration_page(&page.text, &example.text).as_ref() == Some(&page.text) {
        return Vec::new();
    }
    let what = "does not show the example as it is: run cargo xtask docs";
    vec![Finding::new(&page.path, 0, what)]
}

/// Decisions are numbered without gaps or doubles, and each carries its number.
pub(super) fn decisions(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for file in project.markdown() {
        let Some(name) = file.path.strip_prefix("docs/adr/") else {
            continue;
        };
        if name == "template.md" || name == "README.md" {
            continue;
        }
        let number = name.split('-').next().unwrap_or_default();
        let Ok(parsed) = number.parse::<usize>() else {
            findings.push(Finding::new(
                &file.path,
                0,
                "a decision is named NNNN-title.md",
            ));
            continue;
        };
        if !seen.insert(parsed) {
            let what = format!("there are two decisions numbered {number}");
            findings.push(Finding::new(&file.path, 0, what));
        }
        let heading = format!("# {number}. ");
        if !file.text.starts_with(&heading) {
            let what = format!("a decision starts with \"{heading}Title\"");
            findings.push(Finding::new(&file.path, 1, what));
        }
        if !file.text.contains("\n## Decision\n") {
            findings.push(Finding::new(
                &file.path,
                0,
                "there is no \"## Decision\" section",
            ));
        }
    }
    let last = seen.last().copied().unwrap_or(0);
    for missing in (1..=last).filter(|number| !seen.contains(number)) {
        let what = format!("decision {missing:04} is missing");
        findings.push(Finding::new("docs/adr", 0, what));
    }
    findings
}

/// What was copied in from elsewhere stands in THIRD-PARTY.md with its licence.
pub(super) fn vendored(project: &Project) -> Vec<Finding> {
    let notices = project
        .get("THIRD-PARTY.md")
        .map_or("", |file| file.text.as_str());
    let mut folders = BTreeSet::new();
    for file in &project.files {
        if let Some((before, after)) = file.path.split_once("/vendor/") {
            let name = after.split('/').next().unwrap_or(after);
            folders.insert(format!("{before}/vendor/{name}"));
        }
    }
    folders
        .into_iter()
        .filter(|folder| !notices.contains(folder.as_str()))
        .map(|folder| {
            Finding::new(
                &folder,
                0,
                "THIRD-PARTY.md does not name it and its licence",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lines, project};
    use super::*;

    #[test]
    fn the_changelog_has_news() {
        let empty = project(&[(
            "CHANGELOG.md",
            "# C\n\n## [Unreleased]\n\n## [0.1.0]\n- old\n",
        )]);
        assert_eq!(
            lines(&changelog(&empty)),
            ["CHANGELOG.md:3: the unreleased section has no entry"]
        );
        let news = project(&[("CHANGELOG.md", "## [Unreleased]\n### Added\n- new\n")]);
        assert!(changelog(&news).is_empty());
    }

    #[test]
    fn pages_are_linked() {
        let project = project(&[
            ("docs/README.md", "[a](a.md)"),
            ("docs/a.md", ""),
            ("docs/b.md", ""),
            ("docs/adr/0001-x.md", ""),
        ]);
        assert_eq!(
            lines(&docs_are_linked(&project)),
            ["docs/b.md: docs/README.md does not link this page"]
        );
    }

    #[test]
    fn the_configuration_page_is_the_example() {
        let example = (docs::CONFIGURATION_EXAMPLE, "a = 1\n");
        let page = "# C\n\n```toml windrow\na = 1\n```\n";
        let same = project(&[(docs::CONFIGURATION_PAGE, page), example]);
        assert!(configuration(&same).is_empty());
        let other = project(&[(docs::CONFIGURATION_PAGE, "# C\n"), example]);
        assert_eq!(
            lines(&configuration(&other)),
            ["docs/configuration.md: does not show the example as it is: run cargo xtask docs"]
        );
    }

    #[test]
    fn decisions_have_no_gap() {
        let text = |number: &str| format!("# {number}. T\n\n## Decision\n");
        let project = project(&[
            ("docs/adr/0001-a.md", &text("0001")),
            ("docs/adr/0003-b.md", &text("0003")),
            ("docs/adr/0003-c.md", "# Other\n"),
            ("docs/adr/template.md", ""),
        ]);
        assert_eq!(
            lines(&decisions(&project)),
            [
                "docs/adr/0003-c.md: there are two decisions numbered 0003",
                "docs/adr/0003-c.md:1: a decision starts with \"# 0003. Title\"",
                "docs/adr/0003-c.md: there is no \"## Decision\" section",
                "docs/adr: decision 0002 is missing",
            ]
        );
    }

    #[test]
    fn what_is_copied_in_is_named() {
        let project = project(&[
            ("crates/windrow/assets/vendor/a/a.js", ""),
            ("crates/windrow/assets/vendor/b/b.js", ""),
            ("THIRD-PARTY.md", "- crates/windrow/assets/vendor/a: MIT\n"),
        ]);
        assert_eq!(
            lines(&vendored(&project)),
            ["crates/windrow/assets/vendor/b: THIRD-PARTY.md does not name it and its licence"]
        );
    }
}
