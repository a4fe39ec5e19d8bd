//! Asks for a password at the terminal, without showing it.

use std::io::{BufRead as _, BufReader, Write as _};

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::exit::UsageError;

/// Bytes of a password.
const PASSWORD_BYTES_MAX: usize = 4 << 10;

/// The terminal of this process, which says nothing of what is typed until it is dropped.
struct Quiet {
    terminal: fs_err::File,
    before: Termios,
}

impl Quiet {
    fn open() -> anyhow::Result<Quiet> {
        let mut options = fs_err::OpenOptions::new();
        let terminal = options.read(true).write(true).open("/dev/tty");
        let terminal = terminal.map_err(|_| {
            UsageError("there is no terminal to ask for the password at: use --password-file or --password-stdin".to_owned())
        })?;
        let before = tcgetattr(&terminal).context("cannot ask for a password here")?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown: the cursor goes on.
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Asks with these words.
///
/// # Errors
/// There is no terminal, or it is gone.
pub(super) fn password(words: &str) -> anyhow::Result<SecretString> {
    let mut quiet = Quiet::open()?;
    quiet.terminal.write_all(words.as_bytes())?;
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX + 1));
    // A terminal gives at most 4,096 bytes a line.
    BufReader::new(&quiet.terminal).read_until(b'\n', &mut line)?;
    to_password(&line)
}

/// What was read, up to the end of the first line.
///
/// # Errors
/// It is too long, or no text.
pub(super) fn to_password(bytes: &[u8]) -> anyhow::Result<SecretString> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > PASSWORD_BYTES_MAX {
        return Err(
            UsageError(format!("a password has at most {PASSWORD_BYTES_MAX} bytes")).into(),
        );
    }
    let text =
        str::from_utf8(line).map_err(|_| UsageError("the password is not UTF-8".to_owned()))?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_password_ends_with_its_line() {
        for (bytes, expected) in [
            (&b"secret\n"[..], "secret"),
            (b"secret\r\nmore", "secret"),
            (b" two words ", " two words "),
            ("p\u{e4}ss\n".as_bytes(), "p\u{e4}ss"),
            (b"", ""),
        ] {
            assert_eq!(to_password(bytes).unwrap().expose_secret(), expected);
        }
        assert!(to_password(b"\xff\n").is_err());
        assert!(to_password(&[b'a'; PASSWORD_BYTES_MAX + 1]).is_err());
    }
}
