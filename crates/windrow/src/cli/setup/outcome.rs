//! What `windrow setup wef` has done, or would do, and what comes next.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::super::Out;
use crate::output::{Terminal, escape};
use crate::pki::{COLLECTOR, Store};
use crate::setup::files::{Fate, Secrecy};
use crate::setup::plan::{Answers, Plan};

/// Whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It was.
    Written,
    /// It would be.
    NotYet,
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
pub(super) struct Outcome<'a> {
    dry_run: bool,
    files: Vec<Written>,
    /// What is kept of what was there, and what is made anew and why.
    notes: &'a [String],
    /// What machines are told, as group policy has it.
    subscription_managers: Vec<String>,
    warnings: Vec<String>,
    next: Vec<String>,
    /// What windrow.toml says.
    configuration: &'a str,
}

#[derive(Debug, Serialize)]
struct Written {
    path: String,
    fate: &'static str,
    private: bool,
    /// Of one that not everybody reads, in octal.
    mode: Option<String>,
}

impl<'a> Outcome<'a> {
    pub(super) fn of(done: Done, answers: &Answers, plan: &'a Plan, fates: &[Fate]) -> Outcome<'a> {
        let files = plan.files.iter().zip(fates).map(|(file, fate)| Written {
            path: file.path.display().to_string(),
            fate: match fate {
                Fate::New => "new",
                Fate::Same => "as it was",
                Fate::Differs => "replaced",
            },
            private: file.secrecy == Secrecy::Private,
            mode: match file.secrecy {
                Secrecy::Private => Some(format!("{:04o}", mode(&file.path).unwrap_or(0o600))),
                Secrecy::Public => None,
            },
        });
        let values = [
            plan.collector.kerberos_value(),
            plan.collector.certificate_value(),
        ];
        Outcome {
            dry_run: done == Done::NotYet,
            files: files.collect(),
            notes: &plan.notes,
            subscription_managers: values.into_iter().flatten().collect(),
            warnings: warnings(done, answers, plan),
            next: next(answers, plan),
            configuration: &plan.configuration,
        }
    }

    pub(super) fn write_text(&self, out: &mut Out<'_>, terminal: &Terminal) -> io::Result<()> {
        let paint = terminal.paint();
        let verb = match self.dry_run {
            true => "Would be written",
            false => "Written",
        };
        writeln!(out, "{}", paint.bold(verb))?;
        for file in &self.files {
            let mode = file.mode.as_ref();
            let mode = mode.map_or_else(String::new, |mode| format!(", {mode}"));
            writeln!(out, "  {} ({}{mode})", escape(&file.path), file.fate)?;
        }
        for note in self.notes {
            writeln!(out, "  {}", escape(note))?;
        }
        if self.dry_run {
            writeln!(out, "\n{}", paint.bold("The configuration"))?;
            for line in self.configuration.lines() {
                writeln!(out, "  {}", escape(line))?;
            }
        }
        writeln!(out, "\n{}", paint.bold("What machines are told"))?;
        for value in &self.subscription_managers {
            writeln!(out, "  {}", escape(value))?;
        }
        for warning in &self.warnings {
            writeln!(out, "\n{} {}", paint.yellow("!"), escape(warning))?;
        }
        writeln!(out, "\n{}", paint.bold("Next"))?;
        for (number, step) in (1..).zip(&self.next) {
            writeln!(out, "  {number}. {}", escape(step))?;
        }
        Ok(())
    }
}

fn warnings(done: Done, answers: &Answers, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    if answers.listen.is_loopback() && answers.name != "localhost" {
        warnings.push(format!(
            "it will listen at {} alone, which no machine reaches: --listen 0.0.0.0 is every address of this one",
            answers.listen
        ));
    }
    if !answers.name.contains('.') && answers.name != "localhost" {
        warnings.push(format!(
            "{} is no full name: machines look it up in their own domain, and certificates and tickets are for the full one",
            answers.name
        ));
    }
    if done == Done::NotYet && plan.has_new_authority {
        warnings.push(
            "the authority is made when it is written, and its thumbprint (IssuerCA) is another one then".to_owned(),
        );
    }
    warnings
}

fn next(answers: &Answers, plan: &Plan) -> Vec<String> {
    let places = &answers.places;
    let mut next = plan.missing.clone();
    for missing in &mut next {
        missing.insert_str(0, "get ");
    }
    let config = places.config.display();
    let mut keys = plan
        .files
        .iter()
        .filter(|file| file.secrecy == Secrecy::Private);
    let is_given_to_the_service = |key: &Path| mode(key).is_some_and(|mode| mode & OF_GROUP != 0);
    let collector = Store::at(&places.pki).key_path(COLLECTOR);
    if keys.any(|file| file.path == collector) && !is_given_to_the_service(&collector) {
        let pki = places.pki.display();
        next.push(format!(
            "where windrow runs as another user than this one: chgrp windrow {pki} {pki}/collector.key; chmod 750 {pki}; \
             chmod 640 {pki}/collector.key. ca.key is nobody's but yours"
        ));
    }
    next.push(format!(
        "windrow check --config {config}, as the user that windrow runs as: sudo -u windrow for the service"
    ));
    next.push(format!(
        "windrow run --config {config}, or the service: systemctl enable --now windrow"
    ));
    let machines = places.machines.display();
    next.push(format!("the machines: {machines}/README.md"));
    next.push(format!("windrow check --live --wait --config {config}"));
    next
}

/// Reading, for a file's group.
const OF_GROUP: u32 = 0o040;

/// Who may do what with a file that is there.
#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs_err::metadata(path).ok()?;
    Some(metadata.mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}
