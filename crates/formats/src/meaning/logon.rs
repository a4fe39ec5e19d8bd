//! Types of logon (`SECURITY_LOGON_TYPE` of the Windows SDK).

const TYPES: [(u32, &str); 13] = [
    (0, "System"),
    (2, "Interactive"),
    (3, "Network"),
    (4, "Batch"),
    (5, "Service"),
    (6, "Proxy"),
    (7, "Unlock"),
    (8, "NetworkCleartext"),
    (9, "NewCredentials"),
    (10, "RemoteInteractive"),
    (11, "CachedInteractive"),
    (12, "CachedRemoteInteractive"),
    (13, "CachedUnlock"),
];

/// The name of a type of logon.
#[must_use]
pub fn logon_type_name(logon_type: i64) -> Option<&'static str> {
    super::named(&TYPES, u32::try_from(logon_type).ok()?)
}

#[cfg(test)]
pub(super) fn table() -> &'static [(u32, &'static str)] {
    &TYPES
}
