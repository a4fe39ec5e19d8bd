//! PowerShell scripts out of templates. A template is a whole script: what differs stands in it as `'@WORD@'`, a quoted
//! string, and what two scripts share as a comment, `# include FILE`.

use super::registry::MANAGERS;

/// Sets this machine up.
pub(super) const SET: &str = include_str!("templates/Set-Forwarding.ps1");
/// Takes that back.
pub(super) const REMOVE: &str = include_str!("templates/Remove-Forwarding.ps1");
/// Looks at each step.
pub(super) const TEST: &str = include_str!("templates/Test-Forwarding.ps1");
/// Takes a machine's certificate out of its PFX file.
pub(super) const IMPORT: &str = include_str!("templates/Import-ClientCertificate.ps1");
/// Makes the group policy.
pub(super) const POLICY: &str = include_str!("templates/New-ForwardingPolicy.ps1");
/// Makes the accounts and the keytab.
pub(super) const KEYTAB: &str = include_str!("templates/New-Keytab.ps1");

const KEY_FILE: &str = include_str!("templates/key-file.ps1");
const RECORD: &str = include_str!("templates/record.ps1");

/// What differs between collectors.
#[derive(Debug, Clone, Default)]
pub(super) struct Words<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) scheme: &'a str,
    pub(super) port: u16,
    pub(super) realm: &'a str,
    /// Of the authority that issues the machines' certificates.
    pub(super) thumbprint: &'a str,
}

/// The script, with lines ended as Windows does.
pub(super) fn script(template: &str, words: &Words<'_>) -> Vec<u8> {
    let port = words.port.to_string();
    let kind = match words.scheme {
        "https" => "certificates",
        _ => "Kerberos",
    };
    let mut text = template
        .replace("# include key-file.ps1\n", KEY_FILE)
        .replace("# include record.ps1\n", RECORD);
    for (word, value) in [
        ("@NAME@", words.name),
        ("@VALUE@", words.value),
        ("@SCHEME@", words.scheme),
        ("@PORT@", &port),
        ("@REALM@", words.realm),
        ("@THUMBPRINT@", words.thumbprint),
        ("@KIND@", kind),
        ("@MANAGERS@", MANAGERS),
    ] {
        // Between single quotes a quote is written twice, and nothing else means anything.
        text = text.replace(word, &value.replace('\'', "''"));
    }
    lines(&text)
}

/// Text with lines ended as Windows does.
pub(super) fn lines(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}
