//! The page about configurations of Azure Diagnostics (docs/azure-diagnostics.md) is followed: its files are written, its
//! commands run, and what it says they print is what they print.

use std::path::Path;

use xtask::docs::{self, Step};
use xtask::project::{Project, root};

use crate::docs::arguments;
use crate::support::Scratch;
use crate::support::program::run;

const PAGE: &str = "docs/azure-diagnostics.md";

/// What is asked of a service, or does its work where none runs.
const FOR_A_SERVICE: [&str; 5] = ["group", "set", "get", "remove", "rollback"];

#[test]
fn the_page_about_azure_diagnostics_says_what_happens() {
    let scratch = Scratch::new();
    let project = Project::load(&root()).unwrap();
    let page = project.get(PAGE).unwrap();
    let here = format!("{}/", scratch.path().display());
    let steps = docs::steps(page);
    assert!(steps.len() > 12, "only {} steps", steps.len());
    for step in &steps {
        match step {
            Step::Write { text, path, .. } => {
                scratch.write(path.trim_start_matches("/srv/"), &text.text);
            }
            Step::Run { command, fails } => {
                let place = format!("{}:{}: {}", command.path, command.line, command.text);
                let mut arguments = arguments(&command.text.replace("/srv/", &here)).unwrap();
                if FOR_A_SERVICE.contains(&&*arguments[1]) {
                    arguments.extend(["--data-dir".to_owned(), format!("{here}data")]);
                }
                let finished = run(&scratch, &arguments);
                let code = i32::from(*fails);
                assert_eq!(finished.code, Some(code), "{place}: {}", finished.stderr);
                if arguments.iter().any(|argument| argument == "table") {
                    let printed = finished.stdout.replace(&here, "/srv/");
                    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
                    let shown = printed.join("\n");
                    assert!(page.text.contains(&shown), "{place} prints\n{shown}");
                }
            }
        }
    }
    keys_stay_where_they_are(&scratch);
}

/// Keys are in the files that were asked to have them, and those are their owner's.
fn keys_stay_where_they_are(scratch: &Scratch) {
    use std::os::unix::fs::PermissionsExt as _;
    let key = "bm90IGEga2V5";
    for name in ["shop.json", "shop.wadcfgx"] {
        let file = scratch.join(name);
        assert!(
            std::fs::read_to_string(&file).unwrap().contains(key),
            "{name}"
        );
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let shop = scratch.join("shop.wadcfgx").display().to_string();
    for words in [
        ["convert", &shop, "--to", "xml-full"].as_slice(),
        &["validate", &shop, "--output", "json"],
        &["show", &shop, "--output", "csv"],
    ] {
        let arguments: Vec<&str> = std::iter::once("diagnostics")
            .chain(words.iter().copied())
            .collect();
        let finished = run(scratch, &arguments).expect(0);
        assert!(!finished.stdout.contains(key), "{words:?}");
    }
}

#[test]
fn a_conflict_is_named_and_writes_nothing() {
    let scratch = Scratch::new();
    let current = "{\"WadCfg\": {\"DiagnosticMonitorConfiguration\": {\"overallQuotaInMB\": 1}}}";
    let file = scratch.write("current.json", current);
    let new = scratch.write("new.json", &current.replace('1', "2"));
    let merge = |more: &[&str]| {
        let (new, file) = (path(&new), path(&file));
        let words = [
            "diagnostics",
            "merge",
            new,
            "--into",
            file,
            "--write",
            file,
            "--output",
            "table",
        ];
        run(&scratch, &[&words, more].concat())
    };
    let refused = merge(&[]).expect(1);
    assert!(
        refused.stdout.contains("@overallQuotaInMB is 1, and 2"),
        "{}",
        refused.stdout
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), current);
    merge(&["--prefer", "current"]).expect(0);
    merge(&["--prefer", "new"]).expect(0);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("\"overallQuotaInMB\": 2")
    );
    // What cannot be used is not merged.
    scratch.write("new.json", "{\"WadCfg\": {}}");
    let refused = merge(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("DiagnosticMonitorConfiguration"),
        "{}",
        refused.stderr
    );
    let absent = run(&scratch, &["diagnostics", "validate", "none.xml"]);
    assert_eq!(absent.code, Some(2), "{}", absent.stderr);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_schema_that_is_given_is_asked_too() {
    let scratch = Scratch::new();
    let ours = run(&scratch, &["diagnostics", "schema", "--form", "xsd"])
        .expect(0)
        .stdout;
    let xsd = scratch.write("wad.xsd", &ours);
    let space = "http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration";
    let file = |quota: &str| {
        let xml = format!(
            "<PublicConfig xmlns=\"{space}\"><WadCfg>\n<DiagnosticMonitorConfiguration overallQuotaInMB=\"{quota}\" />\n\
             </WadCfg></PublicConfig>"
        );
        scratch.write("a.xml", &xml)
    };
    let validate = |file: &Path, xsd: &Path| {
        let words = [
            "diagnostics",
            "validate",
            path(file),
            "--xsd",
            path(xsd),
            "--output",
            "table",
        ];
        run(&scratch, &words)
    };
    let taken = validate(&file("1"), &xsd).expect(0);
    assert_eq!(taken.stderr, "");
    // What was narrowed by whoever gives the schema is told beside what we know.
    let narrow = ours.replace(
        "base=\"xs:unsignedInt\">",
        "base=\"xs:unsignedInt\"><xs:pattern value=\"^[2-9]$\"/>",
    );
    let narrow = scratch.write("narrow.xsd", &narrow);
    let refused = validate(&file("1"), &narrow).expect(1);
    assert!(
        refused.stderr.contains("narrow.xsd:") && refused.stderr.contains("anchored"),
        "{}",
        refused.stderr
    );
    assert!(
        refused
            .stdout
            .contains(":2:51: error: by the schema: overallQuotaInMB"),
        "{}",
        refused.stdout
    );
    assert!(
        refused.stdout.contains("cannot be used"),
        "{}",
        refused.stdout
    );
    validate(&file("3"), &narrow).expect(0);
    let none = validate(&file("3"), &file("3"));
    assert_eq!(none.code, Some(2), "{}", none.stderr);
}
