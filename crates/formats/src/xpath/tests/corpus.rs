//! Query lists that people have published, where a folder of them is at hand.

use std::path::{Path, PathBuf};

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn folder() -> PathBuf {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    root.join("wef-subscriptions")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            found.push(path);
        }
    }
}

/// The QueryLists of a file: its root, or inside the Query of a subscription, as CDATA or as
/// escaped text.
fn query_lists(xml: &str) -> Vec<String> {
    let xml = match (xml.contains("<QueryList"), xml.contains("&lt;QueryList")) {
        (false, true) => quick_xml::escape::unescape(xml).unwrap().into_owned(),
        _ => xml.to_owned(),
    };
    let mut lists = Vec::new();
    let mut rest = xml.as_str();
    while let Some(start) = rest.find("<QueryList") {
        let end = rest[start..].find("</QueryList>").unwrap() + start + "</QueryList>".len();
        lists.push(rest[start..end].to_owned());
        rest = &rest[end..];
    }
    lists
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn published_query_lists_are_read() {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    paths.sort();
    if paths.is_empty() {
        eprintln!("skipped: no corpus at {}", folder().display());
        return;
    }
    let (mut good, mut bad, mut doubts) = (0, Vec::new(), Vec::new());
    for path in paths {
        let xml = std::fs::read_to_string(&path).unwrap();
        for list in query_lists(xml.trim_start_matches('\u{feff}')) {
            match Filter::compile(&list) {
                Ok(filter) => {
                    good += filter
                        .queries()
                        .iter()
                        .map(|query| query.selects.len() + query.suppresses.len())
                        .sum::<usize>();
                    doubts.extend(filter.warnings().iter().map(|warning| {
                        format!("{} [{}]", warning.doubt, &list[warning.at.clone()])
                    }));
                }
                Err(error) => bad.push(format!(
                    "{}: {error}",
                    path.file_name().unwrap().to_str().unwrap()
                )),
            }
        }
    }
    assert_eq!(good, 243);
    // One of the lists has a Select whose star was lost.
    let broken =
        "EventCategoriesBased__Query_Active_Directory.xml: at byte 2984: brackets stand behind";
    assert!(bad.len() == 1 && bad[0].starts_with(broken), "{bad:?}");
    // palantir/Event-Log-Diagnostics.xml
    assert!(
        doubts.len() == 1 && doubts[0].ends_with("[OR]"),
        "{doubts:?}"
    );
}
