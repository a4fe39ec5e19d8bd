//! Keys and signatures that open somebody else's storage, each on the one line of a file of its own.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::exit::Hint as _;

/// Bytes of a file with a key or a signature.
const SECRET_BYTES: u64 = 16 << 10;

/// What a file that only its owner may read has on its one line. `table` is the part of the configuration that names it.
///
/// # Errors
/// It cannot be read, is open to others, or is empty.
pub(crate) fn read(path: &Path, table: &str) -> anyhow::Result<SecretString> {
    let file = fs_err::File::open(path)
        .with_context(|| format!("{table} the credential cannot be read"))?;
    closed_to_others(path, &file, table)?;
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES).read_to_string(&mut text)?;
    match text.trim() {
        "" => bail!(
            "{} is empty: it has to hold the credential of {table}",
            path.display()
        ),
        secret => Ok(SecretString::from(secret)),
    }
}

#[cfg(unix)]
fn closed_to_others(path: &Path, file: &fs_err::File, table: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let error = anyhow::anyhow!(
        "{path} is open to others (mode {mode:04o}), and holds the credential of {table}"
    );
    Err(error).hint(format!("chmod 600 {path}"))
}

#[cfg(not(unix))]
fn closed_to_others(_path: &Path, _file: &fs_err::File, _table: &str) -> anyhow::Result<()> {
    Ok(())
}
