//! What the documentation and the help tell a reader to type is accepted by the program.

use xtask::docs;
use xtask::project::{Project, root};

use crate::support::Scratch;
use crate::support::program::run;

#[test]
fn commands_in_the_documentation_parse() {
    let scratch = Scratch::new();
    let commands = docs::commands(&Project::load(&root()).unwrap());
    let mut tried = 0;
    for command in &commands {
        if let Some(arguments) = arguments(&command.text) {
            let place = format!("{}:{}", command.path, command.line);
            accepts(&scratch, &place, &arguments);
            tried += 1;
        }
    }
    assert!(
        tried > 10,
        "only {tried} commands were found in {} blocks",
        commands.len()
    );
}

#[test]
fn configurations_in_the_documentation_are_valid() {
    let scratch = Scratch::new();
    let configurations = docs::configurations(&Project::load(&root()).unwrap());
    assert!(!configurations.is_empty());
    for configuration in configurations {
        let file = scratch.write("windrow.toml", &configuration.text);
        let shown = run(
            &scratch,
            &["config", "show", "--config", &file.to_string_lossy()],
        );
        assert_eq!(
            shown.code,
            Some(0),
            "{}:{}: {}",
            configuration.path,
            configuration.line,
            shown.stderr
        );
    }
}

#[test]
fn every_command_has_an_example_that_parses() {
    let scratch = Scratch::new();
    let commands = subcommands(&run(&scratch, &["--help"]).expect(0).stdout);
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands.iter().filter(|command| *command != "help") {
        let help = run(&scratch, &[command, "--help"]).expect(0).stdout;
        let from = help.find("Examples:").unwrap_or_default();
        for line in help[from..].lines().take_while(|line| !line.is_empty()) {
            let width = line.chars().count();
            assert!(
                width <= 78,
                "{width} columns in windrow {command} --help: {line}"
            );
        }
        let examples = examples(&help);
        assert!(
            !examples.is_empty(),
            "windrow {command} --help has no example"
        );
        for example in examples {
            let arguments = arguments(&example).unwrap();
            accepts(&scratch, &format!("windrow {command} --help"), &arguments);
        }
    }
}

#[test]
fn the_splitter_knows_quotes_and_pipes() {
    assert_eq!(
        arguments("windrow query \"select 'a b'\" --output json | jq . > x").unwrap(),
        ["query", "select 'a b'", "--output", "json"]
    );
    assert_eq!(arguments("cargo run -- demo").unwrap(), ["demo"]);
    assert_eq!(arguments("sudo windrow check").unwrap(), ["check"]);
    assert_eq!(
        arguments("sudo -u windrow windrow check").unwrap(),
        ["check"]
    );
    assert_eq!(arguments("./test"), None);
}

/// The program takes the arguments: with `--help` after them it parses them and does nothing.
#[track_caller]
fn accepts(scratch: &Scratch, place: &str, arguments: &[String]) {
    let mut arguments = arguments.to_vec();
    let end = arguments.iter().position(|argument| argument == "--");
    arguments.insert(end.unwrap_or(arguments.len()), "--help".to_owned());
    let finished = run(scratch, &arguments);
    assert_eq!(
        finished.code,
        Some(0),
        "{place}: windrow {arguments:?}: {}",
        finished.stderr
    );
}

/// What the shell would hand to windrow; nothing when the line does not start it.
pub(crate) fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.strip_prefix("sudo ").unwrap_or(line);
    let line = line.strip_prefix("-u windrow ").unwrap_or(line);
    let mut words = words(line).into_iter();
    match words.next()?.as_str() {
        "windrow" => {}
        "cargo" => {
            words.find(|word| word == "--")?;
        }
        _ => return None,
    }
    let ends = |word: &String| matches!(word.as_str(), "|" | ">" | ">>" | "&&" | ";" | "&");
    Some(words.take_while(|word| !ends(word)).collect())
}

/// Splits as a shell does: at blanks that are not quoted.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == c => quote = None,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The names below "Commands:" in the help.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  ") || line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The examples in a help text, without what is said about them to the right. A line that ends
/// with a backslash goes on in the next.
fn examples(help: &str) -> Vec<String> {
    let help = help.replace("\\\n      ", "");
    help.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("windrow "))
        .map(|line| match line.find("   ") {
            Some(at) if !line[at..].trim_start().starts_with('-') => line[..at].to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}
