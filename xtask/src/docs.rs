//! What the documentation tells a reader to type, so that a test can try it.
//!
//! A fenced block that starts with ```` ```console ```` holds commands after `$ `, with ```` ```console fails ````
//! commands that are to fail; one that starts with ```` ```toml windrow ```` is a whole configuration. A path after the
//! language makes it a file, ```` ```text /etc/a.conf ````, and `+=` before that the end of one.

use crate::project::{File, Project};

/// Where every key of the configuration is shown.
pub const CONFIGURATION_PAGE: &str = "docs/configuration.md";

/// What `windrow config example` prints.
pub const CONFIGURATION_EXAMPLE: &str = "crates/windrow/src/config/example.toml";

/// A command or a configuration from a page, with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    pub path: String,
    /// From 1.
    pub line: usize,
    pub text: String,
}

/// What a page has its reader do, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A command, and whether it is to succeed.
    Run { command: Snippet, fails: bool },
    /// A file to write, or to add to.
    Write {
        text: Snippet,
        path: String,
        append: bool,
    },
}

struct Block<'a> {
    info: &'a str,
    line: usize,
    lines: Vec<&'a str>,
}

/// Every command after `$ ` in the `console` blocks of README.md and docs/.
#[must_use]
pub fn commands(project: &Project) -> Vec<Snippet> {
    let mut found = Vec::new();
    for page in pages(project) {
        for block in blocks(page).filter(|block| block.words().next() == Some("console")) {
            found.extend(commands_of(page, &block));
        }
    }
    found
}

/// Every `toml windrow` block of README.md and docs/: a whole, valid configuration.
#[must_use]
pub fn configurations(project: &Project) -> Vec<Snippet> {
    let mut found = Vec::new();
    for page in pages(project) {
        for block in blocks(page).filter(|block| block.info == "toml windrow") {
            found.push(Snippet {
                path: page.path.clone(),
                line: block.line + 1,
                text: block.lines.join("\n") + "\n",
            });
        }
    }
    found
}

/// The commands and files of a page from top to bottom.
#[must_use]
pub fn steps(page: &File) -> Vec<Step> {
    let mut found = Vec::new();
    for block in blocks(page) {
        let words: Vec<&str> = block.words().collect();
        match words[..] {
            ["console"] | ["console", "fails"] => {
                let fails = words.len() > 1;
                let commands = commands_of(page, &block).into_iter();
                found.extend(commands.map(|command| Step::Run { command, fails }));
            }
            [_, path] | [_, "+=", path] if path.starts_with('/') => {
                let text = Snippet {
                    path: page.path.clone(),
                    line: block.line + 1,
                    text: block.lines.join("\n") + "\n",
                };
                found.push(Step::Write {
                    text,
                    path: path.to_owned(),
                    append: words.len() > 2,
                });
            }
            _ => {}
        }
    }
    found
}

/// The page of the configuration, with the example that the program prints as its whole
/// configuration; `None` when the page has no place for it.
#[must_use]
pub fn configuration_page(page: &str, example: &str) -> Option<String> {
    let fence = "\n```toml windrow\n";
    let (before, rest) = page.split_once(fence)?;
    let (_, after) = rest.split_once("```\n")?;
    Some(format!("{before}{fence}{example}```\n{after}"))
}

impl Block<'_> {
    /// What stands after the fence.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.info.split_whitespace()
    }
}

fn pages(project: &Project) -> impl Iterator<Item = &File> {
    project
        .markdown()
        .filter(|file| file.path == "README.md" || file.path.starts_with("docs/"))
}

/// Lines after `$ `, with the ones that a backslash continues joined to them.
fn commands_of(page: &File, block: &Block<'_>) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut continued = false;
    for (offset, line) in block.lines.iter().enumerate() {
        let part = match line.strip_prefix("$ ") {
            Some(part) => {
                found.push(Snippet {
                    path: page.path.clone(),
                    line: block.line + 1 + offset,
                    text: String::new(),
                });
                part
            }
            None if continued => line.trim(),
            None => continue,
        };
        continued = part.ends_with('\\');
        if let Some(command) = found.last_mut() {
            command.text.push_str(part.trim_end_matches('\\'));
        }
    }
    found
}

fn blocks(page: &File) -> impl Iterator<Item = Block<'_>> {
    let mut lines = page.text.lines().zip(1..);
    std::iter::from_fn(move || {
        let (info, line, indent) = lines.find_map(|(text, line)| {
            let fence = text.trim_start();
            let info = fence.strip_prefix("```")?;
            Some((info.trim(), line, &text[..text.len() - fence.len()]))
        })?;
        // A block in a list stands as far in as its fence.
        let lines = lines
            .by_ref()
            .map(|(text, _)| text)
            .take_while(|text| text.trim_start() != "```")
            .map(|text| text.strip_prefix(indent).unwrap_or(text))
            .collect();
        Some(Block { info, line, lines })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> Project {
        Project::of([("docs/page.md".to_owned(), text.to_owned())])
    }

    #[test]
    fn collects_commands_with_their_lines() {
        let project = project(
            "# T\n\n```console\n$ windrow import a.evtx\nread 3\n$ windrow query \\\n    'select 1'\n```\n\n```sh\n$ no\n```\n",
        );
        let found: Vec<_> = commands(&project)
            .into_iter()
            .map(|command| (command.line, command.text))
            .collect();
        assert_eq!(
            found,
            [
                (4, "windrow import a.evtx".to_owned()),
                (6, "windrow query 'select 1'".to_owned())
            ]
        );
    }

    #[test]
    fn a_block_in_a_list_is_a_block() {
        let project =
            project("1. Do:\n\n   ```console\n   $ windrow check \\\n       --live\n   ```\n");
        let found = commands(&project);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].text.as_str()),
            (4, "windrow check --live")
        );
    }

    #[test]
    fn a_page_is_walked_from_top_to_bottom() {
        let page = "```text /etc/a.conf\na\n```\n```console\n$ b\n```\n```console fails\n$ c\n```\n\
                    ```toml += /etc/d.toml\nd = 1\n```\n```toml windrow\ne = 1\n```\n";
        let project = project(page);
        let told = |step: &Step| match step {
            Step::Run { command, fails } => format!("{} {fails}", command.text),
            Step::Write { text, path, append } => format!("{path} {append} {:?}", text.text),
        };
        let steps = steps(project.get("docs/page.md").unwrap());
        assert_eq!(
            steps.iter().map(told).collect::<Vec<_>>(),
            [
                r#"/etc/a.conf false "a\n""#,
                "b false",
                "c true",
                r#"/etc/d.toml true "d = 1\n""#
            ]
        );
    }

    #[test]
    fn the_example_goes_into_its_page() {
        let page = "# C\n\n```toml windrow\nold = 1\n```\nmore\n";
        let written = configuration_page(page, "new = 2\n").unwrap();
        assert_eq!(written, "# C\n\n```toml windrow\nnew = 2\n```\nmore\n");
        assert_eq!(configuration_page("# C\n", ""), None);
    }

    #[test]
    fn collects_only_whole_configurations() {
        let project = project("```toml\na = 1\n```\n```toml windrow\n[web]\nx = 1\n```\n");
        let found = configurations(&project);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].text.as_str()),
            (5, "[web]\nx = 1\n")
        );
    }
}
