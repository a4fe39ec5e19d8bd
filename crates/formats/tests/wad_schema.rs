//! Whether the checker of Azure Diagnostics' configurations refuses what libxml2 refuses by a schema, and nothing else a schema
//! can see: by our own schema always, by Microsoft's where a folder with it is at hand.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use windrow_formats::wad::{Fault, Form, GivenSchema, Secrets, WadDoubt, print, read, xsd};

const WHOLE: &str = include_str!("../src/wad/tests/whole.xml");

/// What is put in the place of every value.
const VALUES: [&str; 12] = [
    "", "x", "-1", "PT5M", "P1Y", "-PT1S", "true", "a--b", "Error", "logs.", "0x1F", "\\a:b*c",
];

/// Whether libxml2 takes each of the documents; nothing where it is not here.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
#[expect(
    clippy::disallowed_methods,
    reason = "where the tests run is said by a variable"
)]
fn verdicts(schema: &str, documents: &[String]) -> Option<Vec<bool>> {
    let mut python = Command::new("/usr/bin/python3");
    let found = python.args(["-c", "import lxml.etree"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        // In CI everything is installed first, and a skipped test would look like a passed one.
        assert!(
            std::env::var_os("CI").is_none(),
            "/usr/bin/python3 has no lxml"
        );
        eprintln!("skipped: no lxml for /usr/bin/python3 (Debian: python3-lxml)");
        return None;
    }
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", include_str!("wad_schema/validate.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = format!("{schema}\0{}", documents.join("\0"));
    // The script reads everything before it writes anything.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|line| line == "1").collect())
}

/// The document with one thing changed, everything in turn: attributes and their values, elements that hold nothing.
fn mutations(xml: &str) -> Vec<String> {
    let mut made = vec![xml.to_owned()];
    let mut change = |from: usize, to: usize, new: &str| {
        made.push(format!("{}{new}{}", &xml[..from], &xml[to..]));
    };
    for (equals, _) in xml.match_indices("=\"") {
        let name = xml[..equals].rfind(' ').unwrap() + 1;
        let value = equals + 2;
        let end = value + xml[value..].find('"').unwrap();
        // The declaration, and the namespace, whose absence is another fault.
        if xml[..equals].contains("<?") && !xml[..equals].contains("?>")
            || &xml[name..equals] == "xmlns"
        {
            continue;
        }
        change(name, end + 1, "");
        change(name, equals, "other");
        for new in VALUES {
            change(value, end, new);
        }
    }
    for (open, _) in xml.match_indices('<') {
        let end = open + xml[open..].find('>').unwrap() + 1;
        let tag = &xml[open..end];
        if tag.ends_with("/>") {
            change(open, end, "");
            change(open, end, &tag.repeat(2));
            change(open, end, &tag.repeat(6));
            change(open, open + 1, "<Other");
            change(open, open, "text");
        }
    }
    made
}

/// Compares on every document; how many were refused by both.
fn compare(schema: &str, documents: &[String], is_refused: fn(&Fault) -> bool) -> Option<usize> {
    let verdicts = verdicts(schema, documents)?;
    assert_eq!(verdicts.len(), documents.len());
    let mut differences = Vec::new();
    let mut refused = 0;
    for (document, taken) in documents.iter().zip(verdicts) {
        let findings = read(document.as_bytes()).findings;
        let first = findings.iter().find(|finding| is_refused(&finding.fault));
        refused += usize::from(first.is_some());
        if first.is_none() != taken {
            let line = document
                .lines()
                .zip(documents[0].lines())
                .find(|(one, other)| one != other);
            differences.push((
                line.map(|(one, _)| one.to_owned()),
                first.map(|of| of.fault.to_string()),
                taken,
            ));
        }
    }
    let shown: Vec<_> = differences.iter().take(10).collect();
    assert!(
        differences.is_empty(),
        "{} differences: {shown:#?}",
        differences.len()
    );
    Some(refused)
}

#[test]
fn our_schema_and_the_checker_agree() {
    let configuration = read(WHOLE.as_bytes()).configuration.unwrap();
    let whole = print(&configuration, Form::XmlFull, Secrets::Reveal);
    let documents = mutations(&whole);
    if let Some(refused) = compare(&xsd(), &documents, Fault::is_of_schema) {
        assert!(
            refused > 500 && refused < documents.len(),
            "{refused} of {}",
            documents.len()
        );
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn the_schema_of_2016_and_the_checker_agree() {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let Ok(schema) = std::fs::read_to_string(root.join("wad/WadConfig.xsd")) else {
        return eprintln!("skipped: there is no corpus");
    };
    let configuration = read(WHOLE.as_bytes()).configuration.unwrap();
    let documents = mutations(&print(&configuration, Form::Xml, Secrets::Omit));
    // What is newer it refuses, so that nothing else could be seen of a document that has some.
    let newer = [
        "DockerSources",
        "<StorageType",
        "AzureMonitor",
        "usePublisherId",
        "shopcopies",
    ];
    let mut documents: Vec<String> = documents
        .iter()
        .map(|document| without(document, &newer))
        .collect();
    documents.push(print(&configuration, Form::Xml, Secrets::Omit));
    let is_refused = |fault: &Fault| {
        fault.is_of_schema() || matches!(fault, Fault::Doubt(WadDoubt::Since { .. }))
    };
    by_the_file_itself(&schema, &documents);
    if let Some(refused) = compare(&schema, &documents, is_refused) {
        assert!(
            refused > 500 && refused < documents.len(),
            "{refused} of {}",
            documents.len()
        );
    }
}

/// The document without what needs newer versions: elements with all inside, sinks whole, and attributes.
fn without(document: &str, newer: &[&str]) -> String {
    let mut kept = document.to_owned();
    for name in ["DockerSources", "StorageType"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        if let (Some(from), Some(to)) = (kept.find(&open), kept.find(&close)) {
            kept.replace_range(from..to + close.len(), "");
        }
    }
    let mut sinks = 0;
    while let Some(from) = kept[sinks..].find("<Sink ").map(|at| at + sinks) {
        let Some(to) = kept[from..]
            .find("</Sink>")
            .map(|at| at + from + "</Sink>".len())
        else {
            break;
        };
        let sink = &kept[from..to];
        if newer
            .iter()
            .any(|name| sink.contains(name) && *name != "usePublisherId")
        {
            kept.replace_range(from..to, "");
            sinks = from;
        } else {
            sinks = to;
        }
    }
    kept.replace(" usePublisherId=\"false\"", "")
}

/// The genuine file, loaded as it is, refuses what it refuses in the hands of libxml2 after it was repaired there.
fn by_the_file_itself(schema: &str, documents: &[String]) {
    let given = GivenSchema::load(schema.as_bytes()).unwrap();
    let notes: Vec<String> = given
        .notes
        .iter()
        .map(|note| format!("{} {:?}", note.at, note.what))
        .collect();
    assert_eq!(
        notes,
        [
            "line 78, column 7 Anchors",
            "line 78, column 7 LookBehind",
            "line 102, column 7 Anchors"
        ]
    );
    let Some(verdicts) = verdicts(schema, documents) else {
        return;
    };
    let mut differences = Vec::new();
    for (document, taken) in documents.iter().zip(verdicts) {
        let findings = given.check(document.as_bytes());
        if findings.is_empty() != taken {
            let line = document
                .lines()
                .zip(documents[0].lines())
                .find(|(one, other)| one != other);
            let first = findings.first().map(|of| of.fault.to_string());
            differences.push((line.map(|(one, _)| one.to_owned()), first));
        }
    }
    let shown: Vec<_> = differences.iter().take(10).collect();
    assert!(
        differences.is_empty(),
        "{} differences: {shown:#?}",
        differences.len()
    );
}
