//! Names of numbers that raw events carry: tasks of the Security channel's providers,
//! standard opcodes, levels and keywords (winmeta.xml of the Windows SDK).
//!
//! Descriptions need the provider's message tables; these names do not.

/// Tasks of Microsoft-Windows-Security-Auditing: the audit subcategories, by task number.
const SECURITY_AUDITING_TASKS: [(u32, &str); 59] = [
    (12288, "Security State Change"),
    (12289, "Security System Extension"),
    (12290, "System Integrity"),
    (12291, "IPsec Driver"),
    (12292, "Other System Events"),
    (12544, "Logon"),
    (12545, "Logoff"),
    (12546, "Account Lockout"),
    (12547, "IPsec Main Mode"),
    (12548, "Special Logon"),
    (12549, "IPsec Quick Mode"),
    (12550, "IPsec Extended Mode"),
    (12551, "Other Logon/Logoff Events"),
    (12552, "Network Policy Server"),
    (12553, "User / Device Claims"),
    (12554, "Group Membership"),
    (12800, "File System"),
    (12801, "Registry"),
    (12802, "Kernel Object"),
    (12803, "SAM"),
    (12804, "Other Object Access Events"),
    (12805, "Certification Services"),
    (12806, "Application Generated"),
    (12807, "Handle Manipulation"),
    (12808, "File Share"),
    (12809, "Filtering Platform Packet Drop"),
    (12810, "Filtering Platform Connection"),
    (12811, "Detailed File Share"),
    (12812, "Removable Storage"),
    (12813, "Central Policy Staging"),
    (13056, "Sensitive Privilege Use"),
    (13057, "Non Sensitive Privilege Use"),
    (13058, "Other Privilege Use Events"),
    (13312, "Process Creation"),
    (13313, "Process Termination"),
    (13314, "DPAPI Activity"),
    (13315, "RPC Events"),
    (13316, "Plug and Play Events"),
    (13317, "Token Right Adjusted Events"),
    (13568, "Audit Policy Change"),
    (13569, "Authentication Policy Change"),
    (13570, "Authorization Policy Change"),
    (13571, "MPSSVC Rule-Level Policy Change"),
    (13572, "Filtering Platform Policy Change"),
    (13573, "Other Policy Change Events"),
    (13824, "User Account Management"),
    (13825, "Computer Account Management"),
    (13826, "Security Group Management"),
    (13827, "Distribution Group Management"),
    (13828, "Application Group Management"),
    (13829, "Other Account Management Events"),
    (14080, "Directory Service Access"),
    (14081, "Directory Service Changes"),
    (14082, "Directory Service Replication"),
    (14083, "Detailed Directory Service Replication"),
    (14336, "Credential Validation"),
    (14337, "Kerberos Service Ticket Operations"),
    (14338, "Other Account Logon Events"),
    (14339, "Kerberos Authentication Service"),
];

/// Tasks of Microsoft-Windows-Eventlog, by task number.
const EVENTLOG_TASKS: [(u32, &str); 6] = [
    (100, "Service startup"),
    (101, "Event processing"),
    (103, "Service shutdown"),
    (104, "Log clear"),
    (105, "Log automatic backup"),
    (108, "SystemAbnormalShutdown"),
];

/// Reserved keywords, from bit 48 upwards.
const KEYWORDS: [(u64, &str); 8] = [
    (1 << 48, "Response Time"),
    (1 << 49, "WDI Context"),
    (1 << 50, "WDI Diag"),
    (1 << 51, "SQM"),
    (1 << 52, "Audit Failure"),
    (1 << 53, "Audit Success"),
    (1 << 54, "Correlation Hint"),
    (1 << 55, "Classic"),
];

/// The English name of a provider's task, where it is known without the provider.
pub fn task_name(provider: &str, task: u32) -> Option<&'static str> {
    let tasks: &[(u32, &str)] = match provider {
        "Microsoft-Windows-Security-Auditing" => &SECURITY_AUDITING_TASKS,
        "Microsoft-Windows-Eventlog" => &EVENTLOG_TASKS,
        _ => return None,
    };
    let place = tasks
        .binary_search_by_key(&task, |&(number, _)| number)
        .ok()?;
    Some(tasks[place].1)
}

/// The name of a standard opcode; those from 10 to 239 are the provider's own.
pub fn opcode_name(opcode: u32) -> Option<&'static str> {
    Some(match opcode {
        0 => "Info",
        1 => "Start",
        2 => "Stop",
        3 => "DCStart",
        4 => "DCStop",
        5 => "Extension",
        6 => "Reply",
        7 => "Resume",
        8 => "Suspend",
        9 => "Send",
        240 => "Receive",
        _ => return None,
    })
}

/// The names of the reserved keywords among the bits, lowest bit first.
pub fn keyword_names(keywords: u64) -> impl Iterator<Item = &'static str> + Clone {
    KEYWORDS
        .iter()
        .filter(move |(bit, _)| keywords & bit != 0)
        .map(|&(_, name)| name)
}

/// The name Windows shows for a level. Level 0 (log always), which every audit event has,
/// is shown as information.
pub fn level_name(level: u32) -> Option<&'static str> {
    Some(match level {
        0 | 4 => "Information",
        1 => "Critical",
        2 => "Error",
        3 => "Warning",
        5 => "Verbose",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_search() {
        assert!(SECURITY_AUDITING_TASKS.is_sorted_by_key(|&(number, _)| number));
        assert!(EVENTLOG_TASKS.is_sorted_by_key(|&(number, _)| number));
    }

    #[test]
    fn names_are_found() {
        assert_eq!(
            task_name("Microsoft-Windows-Security-Auditing", 12548),
            Some("Special Logon")
        );
        assert_eq!(
            task_name("Microsoft-Windows-Eventlog", 104),
            Some("Log clear")
        );
        assert_eq!(task_name("Microsoft-Windows-Eventlog", 12548), None);
        assert_eq!(task_name("Sysmon", 1), None);
        assert_eq!(
            keyword_names(0x8010_0000_0000_0000).collect::<Vec<_>>(),
            ["Audit Failure"]
        );
        assert_eq!(keyword_names(u64::MAX).count(), 8);
        assert_eq!((level_name(0), level_name(16)), (Some("Information"), None));
        assert_eq!((opcode_name(1), opcode_name(11)), (Some("Start"), None));
    }
}
