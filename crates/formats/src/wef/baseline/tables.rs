//! What the baselines ask for, and why. A row is a fact about Windows and our judgement of it.

use super::roles::{DOMAIN_CONTROLLER, EXERCISES, REMOTE, SERVER, WORKSTATION};
use super::{Baseline, Item, Noise, Query, Select};

/// Every baseline, the one for any machine first.
pub const BASELINES: &[Baseline] = &[
    Baseline {
        name: "essential",
        title: "For any machine: who came in, what they changed, and whether the logs can be trusted.",
        groups: &[ESSENTIAL],
    },
    Baseline {
        name: "domain-controller",
        title: "For domain controllers: `essential`, and what Kerberos, NTLM and the directory tell.",
        groups: &[ESSENTIAL, DOMAIN_CONTROLLER],
    },
    Baseline {
        name: "server",
        title: "For servers: `essential`, and shares, remote sessions, printing and certificates that are issued.",
        groups: &[ESSENTIAL, REMOTE, SERVER],
    },
    Baseline {
        name: "workstation",
        title: "For people's machines: `essential`, and remote sessions, devices, software and networks.",
        groups: &[ESSENTIAL, REMOTE, WORKSTATION],
    },
    Baseline {
        name: "exercises",
        title: "What the exercises of the white paper look at.",
        groups: &[EXERCISES],
    },
];

const SECURITY: &str = "Security";
const AUDIT: &str = "Microsoft-Windows-Security-Auditing";
const FIREWALL: &str = "Microsoft-Windows-Windows Firewall With Advanced Security";

pub(super) const fn events(
    channel: &'static str,
    provider: &'static str,
    ids: &'static [u32],
) -> Select {
    Select {
        channel,
        provider: Some(provider),
        ids,
        levels: &[],
        data: &[],
    }
}

pub(super) const fn audit(ids: &'static [u32]) -> Select {
    events(SECURITY, AUDIT, ids)
}

pub(super) const fn audit_noise(
    ids: &'static [u32],
    data: &'static [Item],
    reason: &'static str,
) -> Noise {
    Noise {
        reason,
        channel: SECURITY,
        ids,
        data,
    }
}

pub(super) const fn query(
    topic: &'static str,
    reason: &'static str,
    selects: &'static [Select],
) -> Query {
    Query {
        topic,
        reason,
        selects,
        noise: &[],
    }
}

impl Query {
    pub(super) const fn without(self, noise: &'static [Noise]) -> Query {
        Query { noise, ..self }
    }
}

const ESSENTIAL: &[Query] = &[
    query(
        "Logs cleared, full or stopped",
        "Whoever clears or stops a log hides what was in it, and a full one hides what comes after.",
        &[
            events(SECURITY, "Microsoft-Windows-Eventlog", &[1100, 1102, 1104, 1105, 1108]),
            events("System", "Microsoft-Windows-Eventlog", &[104]),
        ],
    ),
    query(
        "Audit policy changed",
        "An attacker who turns auditing off leaves this as the last trace.",
        &[audit(&[4715, 4719, 4817, 4906, 4908, 4912])],
    ),
    query(
        "Forwarding itself",
        "It tells why a machine sends less than it was asked for: a channel it cannot read, a collector out of reach.",
        &[events(
            "Microsoft-Windows-Forwarding/Operational",
            "Microsoft-Windows-Forwarding",
            &[100, 101, 102, 103, 104, 105, 106, 107],
        )],
    ),
    query(
        "Logons",
        "Who came in, from where and how, and who tried in vain; nearly every investigation begins here.",
        &[audit(&[4624, 4625, 4648, 4649, 4675, 4778, 4779, 4964, 5378])],
    )
    .without(&[
        audit_noise(
            &[4624],
            &[("LogonType", &["0", "5"])],
            "services and the system start all day; a new service is told by itself.",
        ),
        audit_noise(
            &[4624],
            &[("TargetDomainName", &["Window Manager", "Font Driver Host"])],
            "Windows makes these accounts for each session.",
        ),
    ]),
    query(
        "Logons with special privileges",
        "Who holds the rights of an administrator is known the moment they come in.",
        &[audit(&[4672])],
    )
    .without(&[audit_noise(
        &[4672],
        &[("SubjectUserSid", &["S-1-5-18", "S-1-5-19", "S-1-5-20"])],
        "the accounts of the system always have them.",
    )]),
    query(
        "Accounts changed",
        "A new, enabled, renamed or reset account is how many stay in, and a lockout how guessing shows.",
        &[audit(&[
            4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4765, 4766, 4767, 4780, 4781, 4794, 5376, 5377,
        ])],
    ),
    query(
        "Groups changed",
        "Rights come with groups: a member more of Administrators is an administrator more.",
        &[audit(&[
            4727, 4728, 4729, 4730, 4731, 4732, 4733, 4734, 4735, 4737, 4754, 4755, 4756, 4757, 4758, 4764,
        ])],
    ),
    query(
        "Rights and policies changed",
        "Rights given straight to an account show in no group.",
        &[audit(&[4704, 4705, 4717, 4718, 4739])],
    ),
    query(
        "Processes started",
        "What ran, who started it and out of what: most detection rules read this event.",
        &[audit(&[4688])],
    )
    .without(&[audit_noise(
        &[4688],
        &[("NewProcessName", &[r"C:\Windows\System32\conhost.exe"])],
        "every program with a console brings one along.",
    )]),
    query(
        "Services",
        "A service runs with high rights and comes back after a restart; one that dies may have been killed.",
        &[
            audit(&[4697]),
            events("System", "Service Control Manager", &[7031, 7034, 7040, 7045]),
        ],
    )
    .without(&[Noise {
        reason: "Windows turns them on and off many times a day.",
        channel: "System",
        ids: &[7040],
        data: &[("param4", &["BITS", "TrustedInstaller"])],
    }]),
    query(
        "Scheduled tasks",
        "A task is the easiest way to come back, and to run as somebody else.",
        &[
            audit(&[4698, 4699, 4700, 4701, 4702]),
            events(
                "Microsoft-Windows-TaskScheduler/Operational",
                "Microsoft-Windows-TaskScheduler",
                &[106, 140, 141],
            ),
        ],
    ),
    query(
        "WMI subscriptions",
        "A filter bound to a consumer runs code without a file or a task that anybody would find.",
        &[events(
            "Microsoft-Windows-WMI-Activity/Operational",
            "Microsoft-Windows-WMI-Activity",
            &[5859, 5860, 5861],
        )],
    ),
    query(
        "PowerShell",
        "The script as it ran, after whatever hid it was taken off; and engines of an old version, which log less.",
        &[
            events("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell", &[4104]),
            events("Windows PowerShell", "PowerShell", &[400]),
        ],
    ),
    query(
        "Firewall",
        "A rule more is a door more, and a firewall that stopped is all of them.",
        &[
            audit(&[4946, 4947, 4948, 4949, 4950, 5025, 5030, 5034, 5035, 5037]),
            events(
                "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",
                FIREWALL,
                &[2003, 2004, 2005, 2006, 2009, 2033],
            ),
        ],
    ),
    query(
        "Microsoft Defender",
        "What it found, what it could not remove, and who turned it off.",
        &[events(
            "Microsoft-Windows-Windows Defender/Operational",
            "Microsoft-Windows-Windows Defender",
            &[1006, 1007, 1008, 1009, 1015, 1116, 1117, 1118, 1119, 3002, 5001, 5004, 5007, 5008, 5010, 5012, 5013],
        )],
    ),
    query(
        "Code that is not what it should be",
        "A driver or library whose signature does not hold has no business in the kernel or beside passwords.",
        &[
            audit(&[5038, 6281, 6410]),
            events(
                "Microsoft-Windows-CodeIntegrity/Operational",
                "Microsoft-Windows-CodeIntegrity",
                &[3001, 3002, 3003, 3004, 3010, 3023, 3033, 3063, 3065, 3066, 3076, 3077],
            ),
        ],
    ),
    query(
        "Security packages",
        "What is loaded into the local security authority sees every password.",
        &[audit(&[4610, 4611, 4614, 4622])],
    ),
    query(
        "Application control",
        "What was refused, or would have been if the rules were enforced.",
        &[
            events("Microsoft-Windows-AppLocker/EXE and DLL", "Microsoft-Windows-AppLocker", &[8003, 8004]),
            events("Microsoft-Windows-AppLocker/MSI and Script", "Microsoft-Windows-AppLocker", &[8006, 8007]),
        ],
    ),
    query(
        "Start, end and time of the system",
        "When it was up bounds what can have happened; a clock that jumps makes every other time doubtful.",
        &[
            audit(&[4616]),
            events("System", "Microsoft-Windows-Kernel-General", &[12, 13]),
            events("System", "Microsoft-Windows-Kernel-Power", &[41]),
            events("System", "User32", &[1074]),
            events("System", "EventLog", &[6005, 6006, 6008]),
        ],
    )
    .without(&[audit_noise(
        &[4616],
        &[("SubjectUserSid", &["S-1-5-19"])],
        "the time service sets the clock a little, often.",
    )]),
    query(
        "Group policy that does not arrive",
        "A machine that no longer takes policy keeps the settings of the day it stopped, audit settings too.",
        &[events(
            "System",
            "Microsoft-Windows-GroupPolicy",
            &[1006, 1030, 1058, 1085, 1112, 1125, 1129],
        )],
    ),
    query(
        "Programs that crash",
        "An attack on a program that fails looks like a crash.",
        &[
            events("Application", "Application Error", &[1000]),
            events("Application", "Application Hang", &[1002]),
        ],
    ),
];
