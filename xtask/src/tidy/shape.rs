//! How long a function and a file may be.

use super::{Finding, exemptions};
use crate::project::Project;
use crate::source;

/// What a screen shows at once.
const FUNCTION_LINES_MAX: usize = 70;

/// A longer file has more than one subject.
const FILE_LINES_MAX: usize = 800;

const LONG_FUNCTIONS: &str = "xtask/tidy/long-functions.txt";
const LONG_FILES: &str = "xtask/tidy/long-files.txt";

/// No function is longer than a screen, but for those on the list. Of a test the code counts, and not
/// the text that it expects.
pub(super) fn functions(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exempt = exemptions(project, LONG_FUNCTIONS, &mut findings);
    let mut used = vec![false; exempt.len()];
    for file in project.rust() {
        let code = source::code(&file.text);
        let product = match file.is_test {
            true => Vec::new(),
            false => source::functions(&source::without_tests(&code)),
        };
        for function in source::functions(&code) {
            let is_test = !product.iter().any(|known| known.line == function.line);
            let lines = match is_test {
                true => function.code_lines,
                false => function.lines,
            };
            if lines <= FUNCTION_LINES_MAX {
                continue;
            }
            let name = format!("{} {}", file.path, function.name);
            if let Some(at) = exempt.iter().position(|exemption| exemption.what == name) {
                used[at] = true;
                continue;
            }
            let what = format!(
                "fn {} has {lines} lines; a function has at most {FUNCTION_LINES_MAX}",
                function.name
            );
            findings.push(Finding::new(&file.path, function.line, what));
        }
    }
    for (exemption, _) in exempt.iter().zip(used).filter(|(_, used)| !used) {
        findings.push(Finding::new(
            LONG_FUNCTIONS,
            exemption.line,
            "exempts nothing: take it out",
        ));
    }
    findings
}

/// No file is longer than one subject needs, but for tables on the list.
pub(super) fn files(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exempt = exemptions(project, LONG_FILES, &mut findings);
    for file in project.rust() {
        let lines = file.text.lines().count();
        if lines <= FILE_LINES_MAX || exempt.iter().any(|exemption| exemption.what == file.path) {
            continue;
        }
        let what = format!("{lines} lines; split it by meaning below {FILE_LINES_MAX}");
        findings.push(Finding::new(&file.path, 0, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lines, project};
    use super::*;

    fn function_of(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_fits_a_screen() {
        let project = project(&[
            ("a.rs", &function_of(71)),
            ("b.rs", &function_of(70)),
            ("crates/x/src/a/tests.rs", &function_of(200)),
            (
                "c.rs",
                &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function_of(100)),
            ),
        ]);
        assert_eq!(
            lines(&functions(&project)),
            [
                "a.rs:1: fn long has 71 lines; a function has at most 70",
                "c.rs:3: fn long has 100 lines; a function has at most 70",
                "crates/x/src/a/tests.rs:1: fn long has 200 lines; a function has at most 70",
            ]
        );
    }

    #[test]
    fn what_a_test_expects_is_no_code_of_it() {
        let text = "    line\n".repeat(100);
        let snapshot = format!("fn expects() {{\n    is(\"\n{text}\");\n}}\n");
        let project = project(&[("a/tests.rs", &snapshot), ("a.rs", &snapshot)]);
        assert_eq!(
            lines(&functions(&project)),
            ["a.rs:1: fn expects has 104 lines; a function has at most 70"]
        );
    }

    #[test]
    fn an_exemption_is_used_or_goes() {
        let project = project(&[
            ("a.rs", &function_of(71)),
            (
                LONG_FUNCTIONS,
                "a.rs long # a table of matches\nb.rs gone # was long\n",
            ),
        ]);
        assert_eq!(
            lines(&functions(&project)),
            ["xtask/tidy/long-functions.txt:2: exempts nothing: take it out"]
        );
    }

    #[test]
    fn a_file_has_one_subject() {
        let text = "// x\n".repeat(801);
        let project = project(&[
            ("a.rs", &text),
            ("table.rs", &text),
            (LONG_FILES, "table.rs # a table\n"),
        ]);
        assert_eq!(
            lines(&files(&project)),
            ["a.rs: 801 lines; split it by meaning below 800"]
        );
    }
}
