//! Where the output goes and what may be done there: colour, Unicode, a cursor that moves.

use std::io::IsTerminal;

use crate::config::Environment;

/// `--color`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// The two streams the program writes to, as found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Somebody reads stdout as it comes.
    pub stdout_is_terminal: bool,
    /// The same, and its cursor can be moved: a picture may stay in place.
    pub stdout_can_redraw: bool,
    /// Somebody reads stderr as it comes, and its cursor can be moved: progress may be shown.
    pub stderr_is_terminal: bool,
    /// stdout may carry colours.
    pub color: bool,
    /// stderr may carry colours.
    pub stderr_color: bool,
    /// Characters beyond ASCII come out as meant.
    pub unicode: bool,
    /// Columns; 80 where nobody says.
    pub width: usize,
}

impl Terminal {
    /// Looks at the streams of the process.
    #[must_use]
    pub fn detect(environment: &Environment, color: Color) -> Terminal {
        let stdout_is_terminal = std::io::stdout().is_terminal();
        let stderr_is_terminal = std::io::stderr().is_terminal();
        let plain = environment.no_color || environment.dumb_terminal;
        let allowed = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !plain,
        };
        Terminal {
            stdout_is_terminal,
            stdout_can_redraw: stdout_is_terminal && !environment.dumb_terminal,
            stderr_is_terminal: stderr_is_terminal && !environment.dumb_terminal,
            color: allowed(stdout_is_terminal),
            stderr_color: allowed(stderr_is_terminal),
            unicode: environment.utf8_locale,
            width: width().unwrap_or(80).clamp(40, 500),
        }
    }

    /// How stdout is painted.
    #[must_use]
    pub fn paint(&self) -> Paint {
        Paint { on: self.color }
    }
}

#[cfg(unix)]
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn width() -> Option<usize> {
    None
}

/// Colours, or none. Used on text that is escaped already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colours.
    pub const PLAIN: Paint = Paint { on: false };
    /// Colours.
    pub const COLORED: Paint = Paint { on: true };

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// What is well.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What needs a look.
    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// What is wrong.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// A bar of a chart.
    #[must_use]
    pub fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
