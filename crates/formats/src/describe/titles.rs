//! Titles: what common events are about, in few words.

type Titles = &'static [(u32, &'static str)];

/// The title of a provider's event.
#[must_use]
pub fn title(provider: &str, event_id: u32) -> Option<&'static str> {
    let titles = PROVIDERS.iter().find(|(name, _)| *name == provider)?.1;
    let place = titles.binary_search_by_key(&event_id, |(id, _)| *id).ok()?;
    Some(titles[place].1)
}

/// Windows of before 2012 writes the provider in capitals.
const SHUTDOWN: Titles = &[(1074, "shutdown or restart asked for")];

const PROVIDERS: &[(&str, Titles)] = &[
    ("Microsoft-Windows-Security-Auditing", SECURITY_AUDITING),
    ("Microsoft-Windows-Eventlog", EVENTLOG_SERVICE),
    ("Microsoft-Windows-Sysmon", SYSMON),
    ("Service Control Manager", SERVICE_CONTROL_MANAGER),
    ("Microsoft-Windows-PowerShell", POWERSHELL_OPERATIONAL),
    ("PowerShellCore", POWERSHELL_OPERATIONAL),
    ("PowerShell", POWERSHELL_CLASSIC),
    ("Microsoft-Windows-Windows Defender", DEFENDER),
    ("Microsoft-Windows-TaskScheduler", TASK_SCHEDULER),
    (
        "Microsoft-Windows-TerminalServices-LocalSessionManager",
        TERMINAL_SESSIONS,
    ),
    (
        "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
        TERMINAL_CONNECTIONS,
    ),
    (
        "Microsoft-Windows-Windows Firewall With Advanced Security",
        FIREWALL,
    ),
    ("Microsoft-Windows-AppLocker", APPLOCKER),
    ("Microsoft-Windows-WMI-Activity", WMI),
    ("Microsoft-Windows-Bits-Client", BITS),
    ("Microsoft-Windows-NTLM", NTLM),
    ("Microsoft-Windows-WinRM", WINRM),
    ("Microsoft-Windows-GroupPolicy", GROUP_POLICY),
    ("Microsoft-Windows-WindowsUpdateClient", WINDOWS_UPDATE),
    ("Microsoft-Windows-Kernel-General", KERNEL_GENERAL),
    ("Microsoft-Windows-Kernel-Power", KERNEL_POWER),
    ("Microsoft-Windows-EventForwarder", EVENT_FORWARDER),
    ("EventLog", EVENTLOG_CLASSIC),
    ("User32", SHUTDOWN),
    ("USER32", SHUTDOWN),
    ("Application Error", &[(1000, "program crashed")]),
    ("Application Hang", &[(1002, "program hung")]),
    ("Windows Error Reporting", &[(1001, "crash report filed")]),
    (".NET Runtime", &[(1026, "unhandled .NET exception")]),
    ("MsiInstaller", MSI_INSTALLER),
    (
        "Microsoft-Windows-DNS-Client",
        &[
            (1014, "name not resolved in time"),
            (3008, "name looked up"),
        ],
    ),
    (
        "Microsoft-Windows-PrintService",
        &[
            (307, "document printed"),
            (316, "printer driver added or updated"),
            (808, "print plug-in failed to load"),
        ],
    ),
    (
        "MSSQLSERVER",
        &[
            (18453, "logon to SQL Server"),
            (18456, "logon to SQL Server failed"),
            (33205, "SQL Server audit event"),
        ],
    ),
    (
        "ESENT",
        &[
            (216, "database moved"),
            (325, "database created"),
            (326, "database attached"),
            (327, "database detached"),
        ],
    ),
];

const EVENTLOG_SERVICE: Titles = &[
    (104, "a log was cleared"),
    (1100, "event log service stopped"),
    (1102, "Security log cleared"),
    (1104, "Security log full"),
    (1105, "log archived by itself"),
    (1108, "event could not be processed"),
];

const SECURITY_AUDITING: Titles = &[
    (4608, "Windows starting"),
    (4609, "Windows shutting down"),
    (4610, "authentication package loaded"),
    (4611, "trusted logon process registered"),
    (4614, "notification package loaded"),
    (4616, "system time changed"),
    (4618, "monitored pattern occurred"),
    (4621, "recovered from CrashOnAuditFail"),
    (4622, "security package loaded"),
    (4624, "logon"),
    (4625, "logon failed"),
    (4627, "groups of a logon"),
    (4634, "logged off"),
    (4647, "user logged off"),
    (4648, "logon with explicit credentials"),
    (4649, "replay attack detected"),
    (4656, "handle to an object requested"),
    (4657, "registry value changed"),
    (4658, "handle to an object closed"),
    (4660, "object deleted"),
    (4661, "handle to a directory object requested"),
    (4662, "operation on a directory object"),
    (4663, "object accessed"),
    (4664, "hard link tried"),
    (4670, "permissions of an object changed"),
    (4672, "special privileges at logon"),
    (4673, "privileged service called"),
    (4674, "operation on a privileged object"),
    (4675, "SIDs filtered"),
    (4688, "process started"),
    (4689, "process ended"),
    (4690, "handle duplicated"),
    (4692, "DPAPI master key backed up"),
    (4693, "DPAPI master key recovered"),
    (4695, "unprotection of data tried"),
    (4696, "primary token assigned"),
    (4697, "service installed"),
    (4698, "scheduled task created"),
    (4699, "scheduled task deleted"),
    (4700, "scheduled task enabled"),
    (4701, "scheduled task disabled"),
    (4702, "scheduled task changed"),
    (4703, "privileges of a token changed"),
    (4704, "user right assigned"),
    (4705, "user right removed"),
    (4706, "trust to a domain created"),
    (4707, "trust to a domain removed"),
    (4713, "Kerberos policy changed"),
    (4715, "audit policy of an object changed"),
    (4716, "trust to a domain changed"),
    (4717, "system access granted"),
    (4718, "system access removed"),
    (4719, "audit policy changed"),
    (4720, "user created"),
    (4722, "user enabled"),
    (4723, "password change tried"),
    (4724, "password reset tried"),
    (4725, "user disabled"),
    (4726, "user deleted"),
    (4727, "global group created"),
    (4728, "member added to global group"),
    (4729, "member removed from global group"),
    (4730, "global group deleted"),
    (4731, "local group created"),
    (4732, "member added to local group"),
    (4733, "member removed from local group"),
    (4734, "local group deleted"),
    (4735, "local group changed"),
    (4737, "global group changed"),
    (4738, "user changed"),
    (4739, "domain policy changed"),
    (4740, "user locked out"),
    (4741, "computer account created"),
    (4742, "computer account changed"),
    (4743, "computer account deleted"),
    (4754, "universal group created"),
    (4755, "universal group changed"),
    (4756, "member added to universal group"),
    (4757, "member removed from universal group"),
    (4758, "universal group deleted"),
    (4764, "type of a group changed"),
    (4765, "SID history added"),
    (4766, "SID history not added"),
    (4767, "user unlocked"),
    (4768, "Kerberos ticket-granting ticket asked for"),
    (4769, "Kerberos service ticket asked for"),
    (4770, "Kerberos service ticket renewed"),
    (4771, "Kerberos pre-authentication failed"),
    (4773, "Kerberos service ticket refused"),
    (4776, "credentials checked by NTLM"),
    (4777, "credentials refused by NTLM"),
    (4778, "session reconnected"),
    (4779, "session disconnected"),
    (4780, "ACL set on administrators"),
    (4781, "account renamed"),
    (4782, "password hash of an account read"),
    (4793, "password policy checked"),
    (4794, "DSRM password set tried"),
    (4798, "local groups of a user listed"),
    (4799, "members of a local group listed"),
    (4800, "workstation locked"),
    (4801, "workstation unlocked"),
    (4802, "screen saver on"),
    (4803, "screen saver off"),
    (4817, "auditing of an object changed"),
    (4826, "boot configuration loaded"),
    (4864, "namespace collision detected"),
    (4865, "trusted forest added"),
    (4886, "certificate asked for"),
    (4887, "certificate issued"),
    (4888, "certificate refused"),
    (4902, "per-user audit policy table created"),
    (4904, "security event source registered"),
    (4905, "security event source unregistered"),
    (4906, "CrashOnAuditFail changed"),
    (4907, "auditing of an object changed"),
    (4908, "special groups changed"),
    (4912, "per-user audit policy changed"),
    (4928, "replica source added"),
    (4929, "replica source removed"),
    (4932, "replication began"),
    (4933, "replication ended"),
    (4944, "firewall policy at start"),
    (4945, "firewall rule at start"),
    (4946, "firewall rule added"),
    (4947, "firewall rule changed"),
    (4948, "firewall rule deleted"),
    (4950, "firewall setting changed"),
    (4954, "firewall group policy changed"),
    (4956, "firewall profile changed"),
    (4957, "firewall rule not applied"),
    (4964, "special group at logon"),
    (4985, "state of a transaction changed"),
    (5024, "firewall started"),
    (5025, "firewall stopped"),
    (5031, "firewall blocked a program"),
    (5038, "image hash not valid"),
    (5058, "key file operation"),
    (5059, "key migration"),
    (5061, "cryptographic operation"),
    (5136, "directory object changed"),
    (5137, "directory object created"),
    (5138, "directory object restored"),
    (5139, "directory object moved"),
    (5140, "network share accessed"),
    (5141, "directory object deleted"),
    (5142, "network share added"),
    (5143, "network share changed"),
    (5144, "network share deleted"),
    (5145, "network share object checked"),
    (5152, "packet blocked"),
    (5154, "program allowed to listen"),
    (5156, "connection allowed"),
    (5157, "connection blocked"),
    (5158, "bind to a port allowed"),
    (5159, "bind to a port blocked"),
    (5376, "stored credentials backed up"),
    (5377, "stored credentials restored"),
    (5379, "stored credentials read"),
    (5381, "vault credentials read"),
    (5382, "vault credentials read"),
    (6272, "network policy server granted access"),
    (6273, "network policy server refused access"),
    (6281, "page hashes not valid"),
    (6416, "external device recognised"),
    (6419, "device disable asked for"),
    (6420, "device disabled"),
    (6421, "device enable asked for"),
    (6422, "device enabled"),
];

const SYSMON: Titles = &[
    (1, "process started"),
    (2, "file creation time changed"),
    (3, "network connection"),
    (4, "Sysmon service state changed"),
    (5, "process ended"),
    (6, "driver loaded"),
    (7, "image loaded"),
    (8, "thread created in another process"),
    (9, "raw disk read"),
    (10, "process opened by another"),
    (11, "file created"),
    (12, "registry key or value created or deleted"),
    (13, "registry value set"),
    (14, "registry key or value renamed"),
    (15, "file stream created"),
    (16, "Sysmon configuration changed"),
    (17, "pipe created"),
    (18, "pipe connected"),
    (19, "WMI filter registered"),
    (20, "WMI consumer registered"),
    (21, "WMI consumer bound to filter"),
    (22, "DNS query"),
    (23, "file deleted and kept"),
    (24, "clipboard changed"),
    (25, "process image tampered with"),
    (26, "file deleted"),
    (27, "executable blocked"),
    (28, "shredding blocked"),
    (29, "executable file created"),
    (255, "Sysmon error"),
];

const SERVICE_CONTROL_MANAGER: Titles = &[
    (7000, "service failed to start"),
    (7001, "service failed to start: one it needs did not"),
    (7009, "service start timed out"),
    (7011, "service did not answer in time"),
    (7022, "service hung at start"),
    (7023, "service ended with an error"),
    (7024, "service ended with an error of its own"),
    (7026, "boot driver failed to load"),
    (7030, "service marked interactive"),
    (7031, "service ended unexpectedly, action taken"),
    (7034, "service ended unexpectedly"),
    (7035, "service sent a control"),
    (7036, "service state changed"),
    (7038, "service could not log on"),
    (7040, "service start type changed"),
    (7045, "service installed"),
];

const POWERSHELL_OPERATIONAL: Titles = &[
    (4100, "PowerShell error"),
    (4103, "PowerShell pipeline executed"),
    (4104, "PowerShell script block"),
    (4105, "PowerShell script block started"),
    (4106, "PowerShell script block ended"),
    (8193, "PowerShell runspace created"),
    (8194, "PowerShell runspace pool created"),
    (40961, "PowerShell console starting"),
    (40962, "PowerShell console ready"),
    (53504, "PowerShell named pipe listening"),
];

const POWERSHELL_CLASSIC: Titles = &[
    (400, "PowerShell engine started"),
    (403, "PowerShell engine stopped"),
    (500, "PowerShell command started"),
    (501, "PowerShell command ended"),
    (600, "PowerShell provider started"),
    (800, "PowerShell pipeline details"),
];

const DEFENDER: Titles = &[
    (1000, "scan started"),
    (1001, "scan ended"),
    (1002, "scan stopped early"),
    (1005, "scan failed"),
    (1006, "malware found"),
    (1007, "action on malware"),
    (1008, "action on malware failed"),
    (1009, "item restored from quarantine"),
    (1013, "malware history deleted"),
    (1015, "suspicious behaviour found"),
    (1116, "malware detected"),
    (1117, "action on malware"),
    (1118, "action on malware failed"),
    (1119, "action on malware failed badly"),
    (1121, "attack surface rule blocked"),
    (1122, "attack surface rule audited"),
    (1150, "Defender healthy"),
    (1151, "Defender report"),
    (2000, "signatures updated"),
    (2001, "signature update failed"),
    (5001, "real-time protection off"),
    (5004, "real-time protection configuration changed"),
    (5007, "Defender configuration changed"),
    (5010, "scanning for malware off"),
    (5012, "scanning for viruses off"),
    (5013, "change stopped by tamper protection"),
];

const TASK_SCHEDULER: Titles = &[
    (100, "task started"),
    (101, "task failed to start"),
    (102, "task completed"),
    (103, "task action failed"),
    (106, "task registered"),
    (107, "task triggered by time"),
    (110, "task triggered by user"),
    (111, "task ended"),
    (119, "task triggered by logon"),
    (129, "task process created"),
    (140, "task changed"),
    (141, "task deleted"),
    (142, "task disabled"),
    (200, "task action started"),
    (201, "task action completed"),
];

const TERMINAL_SESSIONS: Titles = &[
    (21, "remote desktop logon"),
    (22, "remote desktop shell start"),
    (23, "remote desktop logoff"),
    (24, "remote desktop session disconnected"),
    (25, "remote desktop session reconnected"),
    (39, "remote desktop session disconnected by another"),
    (40, "remote desktop session disconnected, with a reason"),
    (41, "remote desktop logon begins"),
    (42, "remote desktop logon ends"),
];

const TERMINAL_CONNECTIONS: Titles = &[
    (261, "remote desktop listener got a connection"),
    (1149, "remote desktop user authenticated"),
];

const FIREWALL: Titles = &[
    (2003, "firewall profile setting changed"),
    (2004, "firewall rule added"),
    (2005, "firewall rule changed"),
    (2006, "firewall rule deleted"),
    (2009, "firewall group policy failed to load"),
    (2033, "all firewall rules deleted"),
    (2097, "firewall rule added"),
    (2099, "firewall rule changed"),
];

const APPLOCKER: Titles = &[
    (8002, "program allowed"),
    (8003, "program would be blocked"),
    (8004, "program blocked"),
    (8005, "script or installer allowed"),
    (8006, "script or installer would be blocked"),
    (8007, "script or installer blocked"),
];

const WMI: Titles = &[
    (5857, "WMI provider loaded"),
    (5858, "WMI query failed"),
    (5859, "WMI subscription"),
    (5860, "WMI temporary subscription"),
    (5861, "WMI permanent subscription"),
];

const BITS: Titles = &[
    (3, "BITS job created"),
    (4, "BITS job completed"),
    (5, "BITS job cancelled"),
    (59, "BITS transfer started"),
    (60, "BITS transfer stopped"),
    (61, "BITS transfer stopped with an error"),
    (16403, "BITS job created, with its files"),
];

const NTLM: Titles = &[
    (8001, "outgoing NTLM would be blocked"),
    (8002, "incoming NTLM would be blocked"),
    (8003, "NTLM in the domain would be blocked"),
    (8004, "NTLM to the domain controller would be blocked"),
];

const WINRM: Titles = &[
    (6, "remote session opened from here"),
    (8, "remote session closing"),
    (15, "remote command closing"),
    (16, "remote shell closing"),
    (33, "remote session closed"),
    (91, "remote session opened here"),
    (142, "WinRM operation failed"),
    (161, "WinRM user not authenticated"),
    (169, "WinRM user authenticated"),
];

const GROUP_POLICY: Titles = &[
    (1500, "computer policy applied, nothing changed"),
    (1501, "user policy applied, nothing changed"),
    (1502, "computer policy applied"),
    (1503, "user policy applied"),
    (5312, "policies that apply"),
    (5313, "policies that do not apply"),
];

const WINDOWS_UPDATE: Titles = &[
    (19, "update installed"),
    (20, "update failed"),
    (43, "update begins"),
    (44, "update download begins"),
];

const KERNEL_GENERAL: Titles = &[
    (1, "system time changed"),
    (12, "Windows started"),
    (13, "Windows shutting down"),
    (16, "registry hive history cleared"),
];

const KERNEL_POWER: Titles = &[
    (41, "restarted without a clean shutdown"),
    (42, "going to sleep"),
    (107, "resumed from sleep"),
    (109, "shutdown asked for by the kernel"),
];

const EVENT_FORWARDER: Titles = &[(111, "forwarding began or its bookmark was lost")];

const EVENTLOG_CLASSIC: Titles = &[
    (6005, "event log service started"),
    (6006, "event log service stopped"),
    (6008, "previous shutdown was unexpected"),
    (6009, "Windows version at start"),
    (6013, "uptime"),
];

const MSI_INSTALLER: Titles = &[
    (1033, "installation finished"),
    (1034, "removal finished"),
    (1040, "installation began"),
    (1042, "installation ended"),
    (11707, "product installed"),
    (11708, "installation failed"),
    (11724, "product removed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_search() {
        for (provider, titles) in PROVIDERS {
            assert!(titles.is_sorted_by(|a, b| a.0 < b.0), "{provider}");
        }
    }

    #[test]
    fn the_same_number_means_different_things() {
        assert_eq!(
            title("Microsoft-Windows-Sysmon", 1),
            Some("process started")
        );
        assert_eq!(
            title("Microsoft-Windows-Kernel-General", 1),
            Some("system time changed")
        );
        assert_eq!(title("Microsoft-Windows-Security-Auditing", 1), None);
        assert_eq!(title("Nobody", 4624), None);
    }
}
