//! How the program ends: the exit codes, and the one place where an error is printed.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use windrow_formats::text::Chain;

use crate::config::ConfigError;
use crate::output::{Paint, escape};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done, and the answer is yes where there was a question.
    Ok = 0,
    /// The answer is no (a check failed, a chain is broken), or the command failed.
    Negative = 1,
    /// The command line or the configuration is wrong; nothing was begun.
    Usage = 2,
    /// Done as far as could be: some of the input was unreadable.
    Partial = 3,
    /// Ended early by an interrupt (Ctrl-C).
    Interrupted = 130,
}

/// The exit codes, as every command's help shows them.
pub const HELP: &str = "\
Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage or configuration, 3 partly done, 130 interrupted.";

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// A command line that parses and yet makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// An error whose cure is known.
#[derive(Debug)]
pub struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Adds what would cure an error.
pub trait Hint<T> {
    /// The same error with a hint, which is printed after it.
    ///
    /// # Errors
    /// Always the one it was called on.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| hinted(error, hint))
    }
}

/// An error with its cure.
pub fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted {
        error: error.into(),
        hint: hint.into(),
    })
}

/// The code an error ends the program with. A reader that went away (`| head`) is no error.
#[must_use]
pub fn code(error: &anyhow::Error) -> Code {
    if let Some(hinted) = find::<Hinted>(error) {
        return code(&hinted.error);
    }
    let broken_pipe = error.chain().any(|cause| {
        let kind = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        let json =
            |error: &serde_json::Error| error.io_error_kind() == Some(io::ErrorKind::BrokenPipe);
        cause.downcast_ref().is_some_and(kind) || cause.downcast_ref().is_some_and(json)
    });
    if broken_pipe {
        Code::Ok
    } else if find::<ConfigError>(error).is_some() || find::<UsageError>(error).is_some() {
        Code::Usage
    } else {
        Code::Negative
    }
}

/// An error and everything that led to it, in one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    Chain(error).to_string()
}

/// Prints an error with everything that led to it in one line, and the hint when there is one.
///
/// An error may quote an event (a cast names the value that it failed on), so what is hidden in it is made visible. An
/// error of the configuration is several lines, and makes its own text visible.
///
/// # Errors
/// What `out` says.
pub fn print(error: &anyhow::Error, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    print_after(&paint.red("error:"), error, paint, out)
}

/// The same of an error that did not keep a command from its answer.
///
/// # Errors
/// What `out` says.
pub fn warn(error: &anyhow::Error, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    print_after(&paint.yellow("warning:"), error, paint, out)
}

fn print_after(
    word: &str,
    error: &anyhow::Error,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = chain(error.as_ref());
    let text = match find::<ConfigError>(error) {
        Some(_) => text.as_str().into(),
        None => escape(&text),
    };
    writeln!(out, "{word} {text}")?;
    if let Some(hint) = hint(error) {
        writeln!(out, "{} {hint}", paint.bold("hint:"))?;
    }
    Ok(())
}

fn hint(error: &anyhow::Error) -> Option<&str> {
    if let Some(hinted) = find::<Hinted>(error) {
        return Some(&hinted.hint);
    }
    find::<ConfigError>(error).and_then(ConfigError::hint)
}

fn find<E: std::error::Error + 'static>(error: &anyhow::Error) -> Option<&E> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn failing() -> anyhow::Result<()> {
        Err(io::Error::other("connection refused"))
            .context("cannot ask the service")
            .hint("start it with `windrow run`")
            .context("status")
    }

    #[test]
    fn an_error_is_printed_once_with_its_chain_and_hint() {
        let mut out = Vec::new();
        print(&failing().unwrap_err(), Paint::PLAIN, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        error: status: cannot ask the service: connection refused
        hint: start it with `windrow run`
        ");
    }

    #[test]
    fn an_error_cannot_steer_the_terminal() {
        let mut out = Vec::new();
        let error =
            anyhow::anyhow!("cannot cast 'x\u{1b}[2J\u{9b}31m\nroot' to Int32").context("query");
        print(&error, Paint::PLAIN, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"error: query: cannot cast 'x\u{1b}[2J\u{9b}31m\nroot' to Int32");
    }

    #[test]
    fn codes_follow_the_cause() {
        assert_eq!(code(&failing().unwrap_err()), Code::Negative);
        let usage: anyhow::Result<()> = Err(UsageError("no".into())).hint("yes").context("there");
        assert_eq!(code(&usage.unwrap_err()), Code::Usage);
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(
            code(&anyhow::Error::new(pipe).context("printing")),
            Code::Ok
        );
        assert_eq!(code(&ConfigError::new("no").into()), Code::Usage);
    }
}
