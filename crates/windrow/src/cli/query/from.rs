//! `--from`: a time, and files by name.

use std::path::PathBuf;

use windrow_lake::Source;

use super::usage;

/// What `--from` says, given once or more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct From {
    /// The time.
    pub(in crate::cli) time: Option<String>,
    /// The files.
    pub(in crate::cli) sources: Vec<Source>,
}

impl From {
    /// Tells one from the other: no time has an equals sign.
    pub(in crate::cli) fn read(given: &[String]) -> anyhow::Result<From> {
        let mut from = From::default();
        for text in given {
            let Some((name, path)) = text.split_once('=') else {
                if from.time.replace(text.clone()).is_some() {
                    return Err(usage(format!(
                        "--from {text}: there is a time already; a file is NAME=PATH"
                    )));
                }
                continue;
            };
            // SQL takes names without quotes for small letters.
            let name = name.to_ascii_lowercase();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !begins || !name.chars().all(is_plain) || path.is_empty() {
                return Err(usage(format!(
                    "--from {text}: expected NAME=PATH, the name of letters, digits and low lines"
                )));
            }
            if from.sources.iter().any(|source| source.name == name) {
                return Err(usage(format!("--from {text}: {name} is named twice")));
            }
            let path = PathBuf::from(path);
            from.sources.push(Source { name, path });
        }
        Ok(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str]) -> String {
        let given: Vec<_> = given.iter().map(|text| (*text).to_owned()).collect();
        match From::read(&given) {
            Ok(from) => format!("{:?} {:?}", from.time, from.sources),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_time_and_files_are_told_apart() {
        insta::assert_snapshot!(read(&["-24h", "IIS=/var/a=b", "e_2=x.evtx"]), @r#"Some("-24h") [Source { name: "iis", path: "/var/a=b" }, Source { name: "e_2", path: "x.evtx" }]"#);
        insta::assert_snapshot!(read(&[]), @"None []");
        insta::assert_snapshot!(read(&["1h", "2h"]), @"--from 2h: there is a time already; a file is NAME=PATH");
        insta::assert_snapshot!(read(&["a=1", "A=2"]), @"--from A=2: a is named twice");
        for bad in ["=x", "a=", "1a=x", "a b=x", "a-b=x"] {
            assert!(read(&[bad]).contains("expected NAME=PATH"), "{bad}");
        }
    }
}
