//! Changes of configurations in force: each is shown before it is done, and done when somebody says yes.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::verbs::Verbs;
use super::super::{Invocation, Out, runtime};
use crate::admin::{Answer, DiagnosticsChanged, Difference, Hidden, Key, Mode, Request};
use crate::exit::{Code, UsageError};
use crate::output::{Paint, SummaryFormat, SummaryOutput, escape, escape_json};

/// Bytes of a file with a key or a signature.
const KEY_BYTES: u64 = 16 << 10;

/// How a change is confirmed.
#[derive(Debug, clap::Args)]
pub(super) struct Confirm {
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,

    /// Only show what would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

/// What opens a storage account.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// A file with a key of the storage account; - reads it from standard input. It is kept in the data folder
    #[arg(long, value_name = "FILE", conflicts_with = "sas_file")]
    key_file: Option<PathBuf>,

    /// A file with a shared access signature of it
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,
}

impl KeyArgs {
    pub(super) fn read(&self) -> anyhow::Result<Option<Key>> {
        Ok(match (&self.key_file, &self.sas_file) {
            (Some(file), _) => Some(Key::AccountKey(secret(file)?)),
            (None, Some(file)) => Some(Key::Sas(secret(file)?)),
            (None, None) => None,
        })
    }

    fn is_from_stdin(&self) -> bool {
        let files = [&self.key_file, &self.sas_file];
        files
            .into_iter()
            .flatten()
            .any(|file| file == Path::new("-"))
    }
}

fn secret(path: &Path) -> anyhow::Result<Hidden> {
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(KEY_BYTES)
            .read_to_string(&mut text)?;
    } else {
        let file = fs_err::File::open(path).map_err(|error| UsageError(error.to_string()))?;
        file.take(KEY_BYTES).read_to_string(&mut text)?;
    }
    match text.trim() {
        "" => Err(UsageError(format!("{} is empty", path.display())).into()),
        secret => Ok(Hidden::new(secret.to_owned())),
    }
}

/// A change that is asked for: as it is told, or with the revision that was shown, as it is done.
pub(super) trait Change {
    fn request(&self, mode: Mode, seen: Option<u64>) -> Request;
}

impl<F: Fn(Mode, Option<u64>) -> Request> Change for F {
    fn request(&self, mode: Mode, seen: Option<u64>) -> Request {
        self(mode, seen)
    }
}

/// Shows a change, and does it when that is wanted.
pub(super) fn run(
    change: &impl Change,
    confirm: &Confirm,
    key: Option<&KeyArgs>,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let is_free = !key.is_some_and(KeyArgs::is_from_stdin);
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal() && is_free;
    if !confirm.yes && !confirm.dry_run && !can_ask {
        let message = "there is no terminal to ask at: --yes does it, --dry-run shows it";
        return Err(UsageError(message.to_owned()).into());
    }
    let paint = invocation.terminal.paint();
    let format = confirm.output.output;
    runtime()?.block_on(async {
        let first = change.request(Mode::Tell, None);
        let mut verbs = Verbs::open(invocation, first.verb()).await?;
        let told = changed(verbs.ask(first).await?)?;
        let is_done = if told.differences.is_empty() || confirm.dry_run {
            false
        } else if confirm.yes {
            true
        } else {
            show(&told, paint, out)?;
            out.flush()?;
            ask(&told)?
        };
        let told = match is_done {
            false => told,
            true => {
                let request = change.request(Mode::Do, Some(told.revision_before));
                changed(verbs.ask(request).await?)?
            }
        };
        verbs.close().await;
        match format {
            SummaryFormat::Json => {
                let json = serde_json::to_string_pretty(&told)?;
                writeln!(out, "{}", escape_json(&json))?;
            }
            SummaryFormat::Table => {
                if confirm.yes || confirm.dry_run || told.differences.is_empty() {
                    show(&told, paint, out)?;
                }
                end(&told, out)?;
            }
        }
        Ok(Code::Ok)
    })
}

fn changed(answer: Answer) -> anyhow::Result<DiagnosticsChanged> {
    match answer {
        Answer::DiagnosticsChanged(changed) => Ok(*changed),
        other => anyhow::bail!("an answer to something else: {other:?}"),
    }
}

/// Asks on the terminal; whatever is no yes is a no.
fn ask(told: &DiagnosticsChanged) -> anyhow::Result<bool> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{} {}? [y/N] ", told.verb, escape(&told.name))?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().lock().take(64).read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn show(told: &DiagnosticsChanged, paint: Paint, out: &mut Out<'_>) -> anyhow::Result<()> {
    for difference in &told.differences {
        writeln!(out, "{}", line(difference, paint))?;
    }
    for conflict in &told.conflicts {
        let line = format!(
            "conflict: {} is {} in force, and {} in what is new",
            conflict.at, conflict.current, conflict.new
        );
        writeln!(out, "{}", paint.yellow(&escape(&line)))?;
    }
    for undone in &told.undone {
        writeln!(
            out,
            "{}",
            paint.yellow(&escape(&format!("not done: {undone}")))
        )?;
    }
    for warning in &told.warnings {
        writeln!(
            out,
            "{}",
            paint.yellow(&escape(&format!("warning: {warning}")))
        )?;
    }
    Ok(())
}

/// `+ where = what`, `~ where = what, was that`, `- where`
fn line(difference: &Difference, paint: Paint) -> String {
    let Difference { at, from, to, .. } = difference;
    let value = |value: &Option<String>| match value {
        Some(value) => format!(" = {value}"),
        None => String::new(),
    };
    match difference.what.as_str() {
        "added" => paint
            .green(&escape(&format!("+ {at}{}", value(to))))
            .to_string(),
        "gone" => paint
            .red(&escape(&format!("- {at}{}", value(from))))
            .to_string(),
        _ => {
            let was = from.as_deref().unwrap_or("nothing");
            paint
                .yellow(&escape(&format!("~ {at}{}, was {was}", value(to))))
                .to_string()
        }
    }
}

fn end(told: &DiagnosticsChanged, out: &mut Out<'_>) -> anyhow::Result<()> {
    let name = escape(&told.name);
    let line = if told.differences.is_empty() {
        format!(
            "nothing changes: {name} is in force as it is, revision {}",
            told.revision
        )
    } else if !told.done {
        "nothing is changed".to_owned()
    } else {
        let when = match told.running {
            true => "now",
            false => "when the service starts",
        };
        match told.revision {
            0 => format!(
                "{name} is removed {when}; `windrow diagnostics rollback --name {name} --key-file FILE` brings it back"
            ),
            revision => format!("{name} is in force {when}, as revision {revision}"),
        }
    };
    Ok(writeln!(out, "{line}")?)
}
