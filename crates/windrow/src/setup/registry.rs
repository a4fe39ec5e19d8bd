//! Files as `regedit /e` writes them and `reg import` takes them: UTF-16, least byte first, with a byte order mark.

/// The key of the policy "Configure target Subscription Manager", below that of the machine.
pub(super) const MANAGERS: &str =
    r"SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager";

/// Sets the first subscription manager.
pub(super) fn set(value: &str) -> Vec<u8> {
    let value = value.replace('\\', r"\\").replace('"', "\\\"");
    file(&format!("\"1\"=\"{value}\""))
}

/// Removes it.
pub(super) fn remove() -> Vec<u8> {
    file("\"1\"=-")
}

fn file(line: &str) -> Vec<u8> {
    let text = format!(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\{MANAGERS}]\r\n{line}\r\n\r\n"
    );
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
