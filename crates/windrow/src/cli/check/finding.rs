//! What a check found, and how it is shown: what, result, cure.

use std::io::{self, Write};

use serde::Serialize;

use crate::output::{SummaryFormat, Terminal, escape, escape_json};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it has to be.
    Ok,
    /// It will work, and deserves a look.
    Warning,
    /// It will not work.
    Failed,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    what: String,
    outcome: Outcome,
    result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Finding {
    pub(super) fn new(
        what: impl Into<String>,
        outcome: Outcome,
        result: impl Into<String>,
    ) -> Finding {
        Finding {
            what: what.into(),
            outcome,
            result: result.into(),
            cure: None,
        }
    }

    pub(super) fn cure(mut self, cure: impl Into<String>) -> Finding {
        self.cure = Some(cure.into());
        self
    }

    #[cfg(test)]
    pub(super) fn line(&self) -> String {
        let cure = self
            .cure
            .as_deref()
            .map_or_else(String::new, |cure| format!(" -> {cure}"));
        format!("{:?} {}: {}{cure}", self.outcome, self.what, self.result)
    }
}

/// Everything that was found, in the order it was looked at.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

/// All of it, for programs.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    ok: bool,
    failed: usize,
    warnings: usize,
    checks: &'a [Finding],
}

impl Report {
    pub(super) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            ok: self.failed() == 0,
            failed: self.failed(),
            warnings: self.count(Outcome::Warning),
            checks: &self.findings,
        }
    }

    pub(super) fn failed(&self) -> usize {
        self.count(Outcome::Failed)
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.outcome == outcome)
            .count()
    }

    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        format: SummaryFormat,
        terminal: &Terminal,
    ) -> io::Result<()> {
        match format {
            SummaryFormat::Table => self.write_text(out, terminal),
            SummaryFormat::Json => {
                let json = serde_json::to_string_pretty(&self.summary())?;
                writeln!(out, "{}", escape_json(&json))
            }
        }
    }

    fn write_text(&self, out: &mut dyn Write, terminal: &Terminal) -> io::Result<()> {
        let width = self
            .findings
            .iter()
            .map(|finding| finding.what.chars().count())
            .max()
            .unwrap_or(0);
        for finding in &self.findings {
            let mark = mark(finding.outcome, terminal);
            writeln!(
                out,
                "{mark} {:width$}  {}",
                finding.what,
                escape(&finding.result)
            )?;
            if let Some(cure) = &finding.cure {
                let arrow = if terminal.unicode { "→" } else { "->" };
                let indent = if terminal.unicode { 2 } else { 5 };
                writeln!(out, "{:indent$}{:width$}  {arrow} {}", "", "", escape(cure))?;
            }
        }
        let warnings = match self.count(Outcome::Warning) {
            0 => String::new(),
            some => format!(", {some} to look at"),
        };
        match self.failed() {
            0 => writeln!(out, "\nall is well{warnings}"),
            failed => writeln!(
                out,
                "\n{failed} of {} failed{warnings}",
                self.findings.len()
            ),
        }
    }
}

fn mark(outcome: Outcome, terminal: &Terminal) -> String {
    let paint = terminal.paint();
    match (outcome, terminal.unicode) {
        (Outcome::Ok, true) => paint.green("✓"),
        (Outcome::Ok, false) => paint.green("ok  "),
        (Outcome::Warning, true) => paint.yellow("!"),
        (Outcome::Warning, false) => paint.yellow("look"),
        (Outcome::Failed, true) => paint.red("✗"),
        (Outcome::Failed, false) => paint.red("FAIL"),
    }
}
