//! Accounts and groups whose SID is the same everywhere, or ends the same in every domain (MS-DTYP 2.4.2.4).

/// SIDs that are whole names, sorted.
const WELL_KNOWN: [(&str, &str); 86] = [
    ("S-1-0-0", "NULL SID"),
    ("S-1-1-0", "Everyone"),
    (
        "S-1-15-2-1",
        r"APPLICATION PACKAGE AUTHORITY\ALL APPLICATION PACKAGES",
    ),
    (
        "S-1-15-2-2",
        r"APPLICATION PACKAGE AUTHORITY\ALL RESTRICTED APPLICATION PACKAGES",
    ),
    ("S-1-16-0", r"Mandatory Label\Untrusted Mandatory Level"),
    ("S-1-16-12288", r"Mandatory Label\High Mandatory Level"),
    ("S-1-16-16384", r"Mandatory Label\System Mandatory Level"),
    (
        "S-1-16-20480",
        r"Mandatory Label\Protected Process Mandatory Level",
    ),
    (
        "S-1-16-28672",
        r"Mandatory Label\Secure Process Mandatory Level",
    ),
    ("S-1-16-4096", r"Mandatory Label\Low Mandatory Level"),
    ("S-1-16-8192", r"Mandatory Label\Medium Mandatory Level"),
    (
        "S-1-16-8448",
        r"Mandatory Label\Medium Plus Mandatory Level",
    ),
    ("S-1-18-1", "Authentication authority asserted identity"),
    ("S-1-18-2", "Service asserted identity"),
    ("S-1-18-3", "Fresh public key identity"),
    ("S-1-18-4", "Key trust identity"),
    ("S-1-18-5", "Key property multi-factor authentication"),
    ("S-1-18-6", "Key property attestation"),
    ("S-1-2-0", "LOCAL"),
    ("S-1-2-1", "CONSOLE LOGON"),
    ("S-1-3-0", "CREATOR OWNER"),
    ("S-1-3-1", "CREATOR GROUP"),
    ("S-1-3-2", "CREATOR OWNER SERVER"),
    ("S-1-3-3", "CREATOR GROUP SERVER"),
    ("S-1-3-4", "OWNER RIGHTS"),
    ("S-1-5-1", r"NT AUTHORITY\DIALUP"),
    ("S-1-5-10", r"NT AUTHORITY\SELF"),
    ("S-1-5-1000", r"NT AUTHORITY\Other Organization"),
    ("S-1-5-11", r"NT AUTHORITY\Authenticated Users"),
    ("S-1-5-113", r"NT AUTHORITY\Local account"),
    (
        "S-1-5-114",
        r"NT AUTHORITY\Local account and member of Administrators group",
    ),
    ("S-1-5-12", r"NT AUTHORITY\RESTRICTED"),
    ("S-1-5-13", r"NT AUTHORITY\TERMINAL SERVER USER"),
    ("S-1-5-14", r"NT AUTHORITY\REMOTE INTERACTIVE LOGON"),
    ("S-1-5-15", r"NT AUTHORITY\This Organization"),
    ("S-1-5-17", r"NT AUTHORITY\IUSR"),
    ("S-1-5-18", r"NT AUTHORITY\SYSTEM"),
    ("S-1-5-19", r"NT AUTHORITY\LOCAL SERVICE"),
    ("S-1-5-2", r"NT AUTHORITY\NETWORK"),
    ("S-1-5-20", r"NT AUTHORITY\NETWORK SERVICE"),
    ("S-1-5-3", r"NT AUTHORITY\BATCH"),
    ("S-1-5-32-544", r"BUILTIN\Administrators"),
    ("S-1-5-32-545", r"BUILTIN\Users"),
    ("S-1-5-32-546", r"BUILTIN\Guests"),
    ("S-1-5-32-547", r"BUILTIN\Power Users"),
    ("S-1-5-32-548", r"BUILTIN\Account Operators"),
    ("S-1-5-32-549", r"BUILTIN\Server Operators"),
    ("S-1-5-32-550", r"BUILTIN\Print Operators"),
    ("S-1-5-32-551", r"BUILTIN\Backup Operators"),
    ("S-1-5-32-552", r"BUILTIN\Replicator"),
    (
        "S-1-5-32-554",
        r"BUILTIN\Pre-Windows 2000 Compatible Access",
    ),
    ("S-1-5-32-555", r"BUILTIN\Remote Desktop Users"),
    ("S-1-5-32-556", r"BUILTIN\Network Configuration Operators"),
    ("S-1-5-32-557", r"BUILTIN\Incoming Forest Trust Builders"),
    ("S-1-5-32-558", r"BUILTIN\Performance Monitor Users"),
    ("S-1-5-32-559", r"BUILTIN\Performance Log Users"),
    (
        "S-1-5-32-560",
        r"BUILTIN\Windows Authorization Access Group",
    ),
    ("S-1-5-32-561", r"BUILTIN\Terminal Server License Servers"),
    ("S-1-5-32-562", r"BUILTIN\Distributed COM Users"),
    ("S-1-5-32-568", r"BUILTIN\IIS_IUSRS"),
    ("S-1-5-32-569", r"BUILTIN\Cryptographic Operators"),
    ("S-1-5-32-573", r"BUILTIN\Event Log Readers"),
    ("S-1-5-32-574", r"BUILTIN\Certificate Service DCOM Access"),
    ("S-1-5-32-575", r"BUILTIN\RDS Remote Access Servers"),
    ("S-1-5-32-576", r"BUILTIN\RDS Endpoint Servers"),
    ("S-1-5-32-577", r"BUILTIN\RDS Management Servers"),
    ("S-1-5-32-578", r"BUILTIN\Hyper-V Administrators"),
    (
        "S-1-5-32-579",
        r"BUILTIN\Access Control Assistance Operators",
    ),
    ("S-1-5-32-580", r"BUILTIN\Remote Management Users"),
    ("S-1-5-32-581", r"BUILTIN\System Managed Accounts Group"),
    ("S-1-5-32-582", r"BUILTIN\Storage Replica Administrators"),
    ("S-1-5-32-583", r"BUILTIN\Device Owners"),
    ("S-1-5-33", r"NT AUTHORITY\WRITE RESTRICTED"),
    ("S-1-5-4", r"NT AUTHORITY\INTERACTIVE"),
    ("S-1-5-6", r"NT AUTHORITY\SERVICE"),
    ("S-1-5-64-10", r"NT AUTHORITY\NTLM Authentication"),
    ("S-1-5-64-14", r"NT AUTHORITY\SChannel Authentication"),
    ("S-1-5-64-21", r"NT AUTHORITY\Digest Authentication"),
    ("S-1-5-65-1", r"NT AUTHORITY\This Organization Certificate"),
    ("S-1-5-7", r"NT AUTHORITY\ANONYMOUS LOGON"),
    ("S-1-5-8", r"NT AUTHORITY\PROXY"),
    ("S-1-5-80-0", r"NT SERVICE\ALL SERVICES"),
    (
        "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
        r"NT SERVICE\TrustedInstaller",
    ),
    ("S-1-5-83-0", r"NT VIRTUAL MACHINE\Virtual Machines"),
    ("S-1-5-9", r"NT AUTHORITY\ENTERPRISE DOMAIN CONTROLLERS"),
    ("S-1-5-90-0", r"Window Manager\Window Manager Group"),
];

/// Accounts and groups of a domain or of a machine (`S-1-5-21-…`), by the last number.
const DOMAIN: [(u32, &str); 25] = [
    (498, "Enterprise Read-only Domain Controllers"),
    (500, "Administrator"),
    (501, "Guest"),
    (502, "krbtgt"),
    (503, "DefaultAccount"),
    (504, "WDAGUtilityAccount"),
    (512, "Domain Admins"),
    (513, "Domain Users"),
    (514, "Domain Guests"),
    (515, "Domain Computers"),
    (516, "Domain Controllers"),
    (517, "Cert Publishers"),
    (518, "Schema Admins"),
    (519, "Enterprise Admins"),
    (520, "Group Policy Creator Owners"),
    (521, "Read-only Domain Controllers"),
    (522, "Cloneable Domain Controllers"),
    (525, "Protected Users"),
    (526, "Key Admins"),
    (527, "Enterprise Key Admins"),
    (528, "Forest Trust Accounts"),
    (529, "External Trust Accounts"),
    (553, "RAS and IAS Servers"),
    (571, "Allowed RODC Password Replication Group"),
    (572, "Denied RODC Password Replication Group"),
];

/// Families of SIDs whose members are told apart by nothing that a person knows: what they begin with.
const FAMILIES: [(&str, &str); 6] = [
    ("S-1-5-5-", "Logon Session"),
    ("S-1-5-82-", "IIS APPPOOL"),
    ("S-1-5-83-", "NT VIRTUAL MACHINE"),
    ("S-1-5-90-0-", "Window Manager"),
    ("S-1-5-96-0-", "Font Driver Host"),
    ("S-1-15-3-", "Capability"),
];

/// The name of a SID, as Windows shows it in English; `BUILTIN\Administrators` with its authority, what every domain has
/// (`Domain Admins`) without one. In braces behind a percent sign (`%{S-1-5-18}`) it is the same SID.
#[must_use]
pub fn sid_name(sid: &str) -> Option<&'static str> {
    let sid = sid.trim();
    let sid = match sid.strip_prefix("%{") {
        Some(inner) => inner.strip_suffix('}')?,
        None => sid,
    };
    // Names are only those of SIDs that are written with a capital letter, as Windows does.
    if let Ok(place) = WELL_KNOWN.binary_search_by_key(&sid, |(known, _)| known) {
        return Some(WELL_KNOWN[place].1);
    }
    if let Some(rest) = sid.strip_prefix("S-1-5-21-") {
        return super::named(&DOMAIN, last_of_four(rest)?);
    }
    let mut families = FAMILIES.iter();
    families
        .find(|(begin, _)| sid.strip_prefix(begin).is_some_and(are_numbers))
        .map(|(_, name)| *name)
}

/// The fourth of exactly four numbers: three are the domain's.
fn last_of_four(rest: &str) -> Option<u32> {
    let mut numbers = rest.split('-');
    let mut last = None;
    for _ in 0..4 {
        last = Some(number(numbers.next()?)?);
    }
    numbers.next().is_none().then_some(last)?
}

fn are_numbers(rest: &str) -> bool {
    rest.split('-').all(|part| number(part).is_some())
}

fn number(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}

#[cfg(test)]
pub(super) fn well_known() -> &'static [(&'static str, &'static str)] {
    &WELL_KNOWN
}

#[cfg(test)]
pub(super) fn domain() -> &'static [(u32, &'static str)] {
    &DOMAIN
}
