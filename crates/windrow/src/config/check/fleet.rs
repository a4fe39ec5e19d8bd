//! `[fleet]`: the machines that events are expected of.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use windrow_formats::wef::audience::MachineName;

use super::{Source, span};
use crate::config::units::Span;
use crate::config::{ConfigError, checked, limits, raw};

/// What a machine's name looks like, for messages.
const NAME_FORM: &str = "a name such as \"ws01\", \"ws01.example.com\" or \"WS01$@EXAMPLE.COM\"";
/// Bad lines of a file that are named; the others are counted.
const BAD_LINES_SHOWN: usize = 5;

pub(super) fn fleet(source: Source<'_>, raw: raw::Fleet) -> Result<checked::Fleet, ConfigError> {
    let mut machines = Vec::new();
    if let Some(list) = raw.machines {
        if list.get_ref().len() > limits::MAX_EXPECTED_MACHINES {
            return Err(source.error(too_many(), list.span()));
        }
        for name in list.into_inner() {
            if let Err(wrong) = check_name(name.get_ref()) {
                return Err(source.error(wrong, name.span()).expected(NAME_FORM));
            }
            machines.push(name.into_inner());
        }
    }
    let (mut machines_file, mut in_file) = (None, Vec::new());
    if let Some(file) = raw.machines_file {
        let place = file.span();
        let path = source.resolve(file.into_inner());
        let names = read(&path).and_then(|text| self::names(&path, &text));
        in_file = names.map_err(|wrong| source.error(wrong, place).expected(NAME_FORM))?;
        machines_file = Some(path);
    }
    let second = Duration::from_secs(1);
    let refresh = raw.refresh;
    let refresh = refresh.map(|given| self::refresh(source, given, second));
    Ok(checked::Fleet {
        machines,
        machines_file,
        in_file,
        refresh: refresh.transpose()?,
    })
}

fn refresh(
    source: Source<'_>,
    given: Spanned<Span>,
    second: Duration,
) -> Result<Span, ConfigError> {
    span(source, Some(given), second, second..=second * 86_400 * 7)
}

/// Whether a text can be the name of one machine; else what is wrong with it.
fn check_name(name: &str) -> Result<(), String> {
    if name.contains(['*', '?']) {
        return Err(format!(
            "`{name}` is a pattern, and only machines can be expected"
        ));
    }
    if name.contains(char::is_whitespace) {
        return Err(format!("`{name}` has a blank in it"));
    }
    let named = MachineName::of_listed(name);
    named.map(drop).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<String, String> {
    let most = limits::MAX_MACHINES_FILE_BYTES;
    let file = fs_err::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("{} is larger than {most} bytes", path.display()));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The names of a file, one a line; `#` begins a comment.
fn names(path: &Path, text: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut bad = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let name = line.split('#').next().unwrap_or_default().trim();
        if name.is_empty() {
            continue;
        }
        match check_name(name) {
            Ok(()) => names.push(name.to_owned()),
            Err(wrong) => bad.push(format!("line {number}: {wrong}")),
        }
        if names.len() + bad.len() > limits::MAX_EXPECTED_MACHINES {
            return Err(too_many());
        }
    }
    if bad.is_empty() {
        return Ok(names);
    }
    let (file, more) = (path.display(), bad.len().saturating_sub(BAD_LINES_SHOWN));
    bad.truncate(BAD_LINES_SHOWN);
    let mut said = format!("not every line of {file} is a machine: {}", bad.join("; "));
    if more > 0 {
        said.push_str(&format!("; and {more} more"));
    }
    Err(said)
}

fn too_many() -> String {
    format!("more than {} machines", limits::MAX_EXPECTED_MACHINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_a_machine_a_line() {
        let path = Path::new("machines.txt");
        let text = "# all\r\nws01\r\n\n  WS02$@EXAMPLE.COM  # the second\nws03.example.com";
        assert_eq!(
            names(path, text).unwrap(),
            ["ws01", "WS02$@EXAMPLE.COM", "ws03.example.com"]
        );
        let bad = "ws01\nws *\nws02\nws*\na b\nc d\ne f\ng h\ni j\n";
        insta::assert_snapshot!(names(path, bad).unwrap_err(), @"not every line of machines.txt is a machine: line 2: `ws *` is a pattern, and only machines can be expected; line 4: `ws*` is a pattern, and only machines can be expected; line 5: `a b` has a blank in it; line 6: `c d` has a blank in it; line 7: `e f` has a blank in it; and 2 more");
        let many = "a\n".repeat(limits::MAX_EXPECTED_MACHINES + 1);
        assert_eq!(names(path, &many).unwrap_err(), too_many());
    }
}
