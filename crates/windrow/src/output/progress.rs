//! Progress, on stderr and only where somebody watches it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Terminal;

/// A line that says what is going on.
pub(crate) fn spinner(terminal: &Terminal) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    start(&bar, terminal, "{spinner} {msg}");
    bar
}

/// A bar that fills until `bytes` are read.
pub(crate) fn bytes(terminal: &Terminal, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = if terminal.unicode {
        "{wide_bar} {percent:>3} %  {msg}"
    } else {
        "[{wide_bar}] {percent:>3} %  {msg}"
    };
    start(&bar, terminal, template);
    bar
}

fn start(bar: &ProgressBar, terminal: &Terminal, template: &str) {
    if !terminal.stderr_is_terminal {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return;
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        let chars = if terminal.unicode {
            "█▉▊▋▌▍▎▏ "
        } else {
            "#- "
        };
        let ticks = if terminal.unicode {
            "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "
        } else {
            "|/-\\ "
        };
        bar.set_style(style.progress_chars(chars).tick_chars(ticks));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
}
