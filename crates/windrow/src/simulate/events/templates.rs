//! The events that the fleet knows: field sets, order and versions as Windows Server 2019 writes
//! them, values of our own. A word in brackets is a slot, filled for every event (see
//! [`super::slots`]).

use super::Channel;

/// One shape of an event.
pub(super) struct Template {
    pub(super) event_id: u32,
    /// Its part of the events of this id; the parts of an id need not add up to anything.
    pub(super) share: u32,
    pub(super) provider: &'static Provider,
    pub(super) channel: Channel,
    pub(super) version: u32,
    pub(super) level: u32,
    pub(super) task: u32,
    pub(super) keywords: &'static str,
    pub(super) qualifiers: Option<u32>,
    /// The `Correlation` element.
    pub(super) correlation: &'static str,
    /// The process and the thread that wrote it.
    pub(super) execution: (&'static str, &'static str),
    /// The `Security` element.
    pub(super) security: &'static str,
    pub(super) payload: Payload,
    /// The first line of the rendered message, and the rendered names.
    pub(super) title: &'static str,
    pub(super) level_name: &'static str,
    pub(super) task_name: &'static str,
    pub(super) keyword_name: &'static str,
}

pub(super) struct Provider {
    /// The attributes of the `Provider` element.
    pub(super) attributes: &'static str,
    /// The name that `RenderingInfo` shows.
    pub(super) display: &'static str,
}

pub(super) enum Payload {
    /// `Data` elements with names.
    Named(&'static [(&'static str, &'static str)]),
    /// `Data` elements without names.
    Unnamed(&'static [&'static str]),
    /// `Data` elements with names, then `Binary`.
    NamedAndBinary(&'static [(&'static str, &'static str)], &'static str),
    /// `UserData` with one element of this name and namespace around the leaves.
    User(
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
    ),
}

const AUDITING: Provider = Provider {
    attributes: "Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'",
    display: "Microsoft Windows security auditing.",
};
const EVENT_LOG: Provider = Provider {
    attributes: "Name='Microsoft-Windows-Eventlog' Guid='{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}'",
    display: "Microsoft-Windows-Eventlog",
};
const SERVICE_CONTROL: Provider = Provider {
    attributes: "Name='Service Control Manager' Guid='{555908d1-a6d7-4695-8e1e-26931d2012f4}' EventSourceName='Service Control Manager'",
    display: "Microsoft-Windows-Service Control Manager",
};
const APPLICATION_ERROR: Provider = Provider {
    attributes: "Name='Application Error'",
    display: "Application Error",
};
const EVENT_CREATE: Provider = Provider {
    attributes: "Name='EventCreate'",
    display: "EventCreate",
};

const SUCCESS: &str = "0x8020000000000000";
const FAILURE: &str = "0x8010000000000000";
const CLASSIC: &str = "0x80000000000000";
const NO_GUID: &str = "{00000000-0000-0000-0000-000000000000}";
const ACTIVITY: &str = "<Correlation ActivityID='[activity]'/>";
const LSASS: (&str, &str) = ("[lsass]", "[thread]");

/// What most audit events have in common.
const AUDIT: Template = Template {
    event_id: 0,
    share: 1,
    provider: &AUDITING,
    channel: Channel::Security,
    version: 0,
    level: 0,
    task: 0,
    keywords: SUCCESS,
    qualifiers: None,
    correlation: "<Correlation/>",
    execution: LSASS,
    security: "<Security/>",
    payload: Payload::Unnamed(&[]),
    title: "",
    level_name: "Information",
    task_name: "",
    keyword_name: "Audit Success",
};

/// Every shape.
pub(super) const TEMPLATES: &[Template] = &[
    // A member of the domain uses a share: the commonest logon there is.
    Template {
        event_id: 4624,
        share: 50,
        version: 2,
        task: 12544,
        title: "An account was successfully logged on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "[user_sid]"),
            ("TargetUserName", "[user]"),
            ("TargetDomainName", "[dns_domain]"),
            ("TargetLogonId", "[logon_id]"),
            ("LogonType", "3"),
            ("LogonProcessName", "Kerberos"),
            ("AuthenticationPackageName", "Kerberos"),
            ("WorkstationName", "-"),
            ("LogonGuid", "[logon_guid]"),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", "0"),
            ("ProcessId", "0x0"),
            ("ProcessName", "-"),
            ("IpAddress", "[address]"),
            ("IpPort", "[port]"),
            ("ImpersonationLevel", "%%1833"),
            ("RestrictedAdminMode", "-"),
            ("TargetOutboundUserName", "-"),
            ("TargetOutboundDomainName", "-"),
            ("VirtualAccount", "%%1843"),
            ("TargetLinkedLogonId", "0x0"),
            ("ElevatedToken", "%%1842"),
        ]),
        ..AUDIT
    },
    // The same by NTLM.
    Template {
        event_id: 4624,
        share: 15,
        version: 2,
        task: 12544,
        correlation: ACTIVITY,
        title: "An account was successfully logged on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "[user_sid]"),
            ("TargetUserName", "[user]"),
            ("TargetDomainName", "[domain]"),
            ("TargetLogonId", "[logon_id]"),
            ("LogonType", "3"),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", "[workstation]"),
            ("LogonGuid", NO_GUID),
            ("TransmittedServices", "-"),
            ("LmPackageName", "NTLM V2"),
            ("KeyLength", "128"),
            ("ProcessId", "0x0"),
            ("ProcessName", "-"),
            ("IpAddress", "[address]"),
            ("IpPort", "[port]"),
            ("ImpersonationLevel", "%%1833"),
            ("RestrictedAdminMode", "-"),
            ("TargetOutboundUserName", "-"),
            ("TargetOutboundDomainName", "-"),
            ("VirtualAccount", "%%1843"),
            ("TargetLinkedLogonId", "0x0"),
            ("ElevatedToken", "%%1843"),
        ]),
        ..AUDIT
    },
    // A service starts.
    Template {
        event_id: 4624,
        share: 25,
        version: 2,
        task: 12544,
        correlation: ACTIVITY,
        title: "An account was successfully logged on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "[machine_account]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "0x3e7"),
            ("TargetUserSid", "S-1-5-18"),
            ("TargetUserName", "SYSTEM"),
            ("TargetDomainName", "NT AUTHORITY"),
            ("TargetLogonId", "0x3e7"),
            ("LogonType", "5"),
            ("LogonProcessName", "Advapi  "),
            ("AuthenticationPackageName", "Negotiate"),
            ("WorkstationName", "-"),
            ("LogonGuid", NO_GUID),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", "0"),
            ("ProcessId", "[services_hex]"),
            ("ProcessName", r"C:\Windows\System32\services.exe"),
            ("IpAddress", "-"),
            ("IpPort", "-"),
            ("ImpersonationLevel", "%%1833"),
            ("RestrictedAdminMode", "-"),
            ("TargetOutboundUserName", "-"),
            ("TargetOutboundDomainName", "-"),
            ("VirtualAccount", "%%1843"),
            ("TargetLinkedLogonId", "0x0"),
            ("ElevatedToken", "%%1842"),
        ]),
        ..AUDIT
    },
    // An administrator comes by Remote Desktop.
    Template {
        event_id: 4624,
        share: 10,
        version: 2,
        task: 12544,
        correlation: ACTIVITY,
        title: "An account was successfully logged on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "[machine_account]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "0x3e7"),
            ("TargetUserSid", "[admin_sid]"),
            ("TargetUserName", "[admin]"),
            ("TargetDomainName", "[domain]"),
            ("TargetLogonId", "[logon_id]"),
            ("LogonType", "10"),
            ("LogonProcessName", "User32 "),
            ("AuthenticationPackageName", "Negotiate"),
            ("WorkstationName", "[netbios]"),
            ("LogonGuid", "[logon_guid]"),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", "0"),
            ("ProcessId", "[process_hex]"),
            ("ProcessName", r"C:\Windows\System32\svchost.exe"),
            ("IpAddress", "[admin_address]"),
            ("IpPort", "0"),
            ("ImpersonationLevel", "%%1833"),
            ("RestrictedAdminMode", "%%1843"),
            ("TargetOutboundUserName", "-"),
            ("TargetOutboundDomainName", "-"),
            ("VirtualAccount", "%%1843"),
            ("TargetLinkedLogonId", "[linked_logon_id]"),
            ("ElevatedToken", "%%1842"),
        ]),
        ..AUDIT
    },
    // Somebody mistypes a password.
    Template {
        event_id: 4625,
        share: 60,
        task: 12544,
        keywords: FAILURE,
        keyword_name: "Audit Failure",
        correlation: ACTIVITY,
        title: "An account failed to log on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "[user]"),
            ("TargetDomainName", "[domain]"),
            ("Status", "[status]"),
            ("FailureReason", "[failure_reason]"),
            ("SubStatus", "[sub_status]"),
            ("LogonType", "3"),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", "[workstation]"),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", "0"),
            ("ProcessId", "0x0"),
            ("ProcessName", "-"),
            ("IpAddress", "[address]"),
            ("IpPort", "[port]"),
        ]),
        ..AUDIT
    },
    // Somebody outside guesses them.
    Template {
        event_id: 4625,
        share: 40,
        task: 12544,
        keywords: FAILURE,
        keyword_name: "Audit Failure",
        correlation: ACTIVITY,
        title: "An account failed to log on.",
        task_name: "Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "[guess]"),
            ("TargetDomainName", ""),
            ("Status", "0xc000006d"),
            ("FailureReason", "%%2313"),
            ("SubStatus", "0xc0000064"),
            ("LogonType", "3"),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", "-"),
            ("TransmittedServices", "-"),
            ("LmPackageName", "-"),
            ("KeyLength", "0"),
            ("ProcessId", "0x0"),
            ("ProcessName", "-"),
            ("IpAddress", "[outside_address]"),
            ("IpPort", "[port]"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4634,
        task: 12545,
        title: "An account was logged off.",
        task_name: "Logoff",
        payload: Payload::Named(&[
            ("TargetUserSid", "[user_sid]"),
            ("TargetUserName", "[user]"),
            ("TargetDomainName", "[domain]"),
            ("TargetLogonId", "[logon_id]"),
            ("LogonType", "3"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4672,
        share: 60,
        task: 12548,
        title: "Special privileges assigned to new logon.",
        task_name: "Special Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "SYSTEM"),
            ("SubjectDomainName", "NT AUTHORITY"),
            ("SubjectLogonId", "0x3e7"),
            (
                "PrivilegeList",
                "SeAssignPrimaryTokenPrivilege\r\n\t\t\tSeTcbPrivilege\r\n\t\t\tSeSecurityPrivilege\r\n\t\t\tSeTakeOwnershipPrivilege\r\n\t\t\tSeLoadDriverPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeRestorePrivilege\r\n\t\t\tSeDebugPrivilege\r\n\t\t\tSeAuditPrivilege\r\n\t\t\tSeSystemEnvironmentPrivilege\r\n\t\t\tSeImpersonatePrivilege\r\n\t\t\tSeDelegateSessionUserImpersonatePrivilege",
            ),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4672,
        share: 40,
        task: 12548,
        title: "Special privileges assigned to new logon.",
        task_name: "Special Logon",
        payload: Payload::Named(&[
            ("SubjectUserSid", "[admin_sid]"),
            ("SubjectUserName", "[admin]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "[logon_id]"),
            (
                "PrivilegeList",
                "SeSecurityPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeRestorePrivilege\r\n\t\t\tSeTakeOwnershipPrivilege\r\n\t\t\tSeDebugPrivilege\r\n\t\t\tSeSystemEnvironmentPrivilege\r\n\t\t\tSeLoadDriverPrivilege\r\n\t\t\tSeImpersonatePrivilege",
            ),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4688,
        share: 70,
        version: 2,
        task: 13312,
        execution: ("4", "[thread]"),
        title: "A new process has been created.",
        task_name: "Process Creation",
        payload: Payload::Named(&[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "[machine_account]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "0x3e7"),
            ("NewProcessId", "[process_hex]"),
            ("NewProcessName", "[process]"),
            ("TokenElevationType", "%%1936"),
            ("ProcessId", "[parent_hex]"),
            ("CommandLine", "[command]"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "-"),
            ("TargetDomainName", "-"),
            ("TargetLogonId", "0x0"),
            ("ParentProcessName", "[parent]"),
            ("MandatoryLabel", "S-1-16-16384"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4688,
        share: 30,
        version: 2,
        task: 13312,
        execution: ("4", "[thread]"),
        title: "A new process has been created.",
        task_name: "Process Creation",
        payload: Payload::Named(&[
            ("SubjectUserSid", "[admin_sid]"),
            ("SubjectUserName", "[admin]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "[logon_id]"),
            ("NewProcessId", "[process_hex]"),
            ("NewProcessName", "[process]"),
            ("TokenElevationType", "%%1937"),
            ("ProcessId", "[parent_hex]"),
            ("CommandLine", "[command]"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "-"),
            ("TargetDomainName", "-"),
            ("TargetLogonId", "0x0"),
            ("ParentProcessName", "[parent]"),
            ("MandatoryLabel", "S-1-16-12288"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4732,
        task: 13826,
        correlation: ACTIVITY,
        title: "A member was added to a security-enabled local group.",
        task_name: "Security Group Management",
        payload: Payload::Named(&[
            ("MemberName", "-"),
            ("MemberSid", "[user_sid]"),
            ("TargetUserName", "[group]"),
            ("TargetDomainName", "Builtin"),
            ("TargetSid", "[group_sid]"),
            ("SubjectUserSid", "[admin_sid]"),
            ("SubjectUserName", "[admin]"),
            ("SubjectDomainName", "[domain]"),
            ("SubjectLogonId", "[logon_id]"),
            ("PrivilegeList", "-"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 4946,
        task: 13571,
        title: "A change was made to the Windows Firewall exception list. A rule was added.",
        task_name: "MPSSVC Rule-Level Policy Change",
        payload: Payload::Named(&[
            ("ProfileChanged", "All"),
            ("RuleId", "[rule_guid]"),
            ("RuleName", "[rule]"),
        ]),
        ..AUDIT
    },
    Template {
        event_id: 1102,
        provider: &EVENT_LOG,
        level: 4,
        task: 104,
        keywords: "0x4020000000000000",
        execution: ("[service_host]", "[thread]"),
        title: "The audit log was cleared.",
        task_name: "Log clear",
        payload: Payload::User(
            "LogFileCleared",
            "http://manifests.microsoft.com/win/2004/08/windows/eventlog",
            &[
                ("SubjectUserSid", "[admin_sid]"),
                ("SubjectUserName", "[admin]"),
                ("SubjectDomainName", "[domain]"),
                ("SubjectLogonId", "[logon_id]"),
            ],
        ),
        ..AUDIT
    },
    Template {
        event_id: 7036,
        provider: &SERVICE_CONTROL,
        channel: Channel::System,
        level: 4,
        keywords: "0x8080000000000000",
        keyword_name: "Classic",
        qualifiers: Some(16384),
        execution: ("[services]", "[thread]"),
        title: "A service entered another state.",
        task_name: "None",
        payload: Payload::NamedAndBinary(
            &[("param1", "[service]"), ("param2", "[service_state]")],
            "[service_binary]",
        ),
        ..AUDIT
    },
    // A program crashes.
    Template {
        event_id: 1000,
        provider: &APPLICATION_ERROR,
        channel: Channel::Application,
        level: 2,
        level_name: "Error",
        task: 100,
        keywords: CLASSIC,
        keyword_name: "Classic",
        qualifiers: Some(0),
        execution: ("0", "0"),
        title: "A program stopped after an exception that it did not handle.",
        task_name: "Application Crashing Events",
        payload: Payload::Unnamed(&[
            "[program]",
            "10.0.4123.0",
            "65a1f0c2",
            "ntdll.dll",
            "10.0.17763.5202",
            "4c1d5e8b",
            "c0000005",
            "[offset]",
            "[process_digits]",
            "01da4f20[start_low]",
            r"C:\Services\bin\[program]",
            r"C:\Windows\SYSTEM32\ntdll.dll",
            "[report_guid]",
            "",
            "",
        ]),
        ..AUDIT
    },
    // An operator writes one with eventcreate.exe.
    Template {
        event_id: 100,
        provider: &EVENT_CREATE,
        channel: Channel::Application,
        level: 2,
        level_name: "Error",
        keywords: CLASSIC,
        keyword_name: "Classic",
        qualifiers: Some(0),
        execution: ("0", "0"),
        security: "<Security UserID='[admin_sid]'/>",
        title: "An application reports an error.",
        task_name: "None",
        payload: Payload::Unnamed(&["[program] cannot reach [complaint]"]),
        ..AUDIT
    },
];
