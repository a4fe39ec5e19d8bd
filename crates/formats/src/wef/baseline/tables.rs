//! What the baselines ask for, and why. A row is a fact about Windows and our judgement of it.

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
const LOCAL_SESSIONS: &str = "Microsoft-Windows-TerminalServices-LocalSessionManager";

const fn events(channel: &'static str, provider: &'static str, ids: &'static [u32]) -> Select {
    Select {
        channel,
        provider: Some(provider),
        ids,
        levels: &[],
        data: &[],
    }
}

const fn audit(ids: &'static [u32]) -> Select {
    events(SECURITY, AUDIT, ids)
}

const fn audit_noise(ids: &'static [u32], data: &'static [Item], reason: &'static str) -> Noise {
    Noise {
        reason,
        channel: SECURITY,
        ids,
        data,
    }
}

const fn query(topic: &'static str, reason: &'static str, selects: &'static [Select]) -> Query {
    Query {
        topic,
        reason,
        selects,
        noise: &[],
    }
}

impl Query {
    const fn without(self, noise: &'static [Noise]) -> Query {
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

const DOMAIN_CONTROLLER: &[Query] = &[
    query(
        "Kerberos",
        "Every logon in the domain passes here: guessing, tickets in weak ciphers, accounts that do not exist.",
        &[audit(&[4768, 4769, 4771, 4772, 4773])],
    )
    .without(&[audit_noise(
        &[4769],
        &[("TicketEncryptionType", &["0x11", "0x12"]), ("Status", &["0x0"])],
        "service tickets with AES are given all day; weak ciphers and failures stay.",
    )]),
    query(
        "NTLM",
        "It tells who still logs on without Kerberos, and from which machine passwords are guessed.",
        &[audit(&[4774, 4775, 4776, 4777])],
    ),
    query(
        "Directory objects changed",
        "Policies, delegations, templates and access lists of the domain are objects of the directory.",
        &[audit(&[5136, 5137, 5138, 5139, 5141])],
    ),
    query(
        "Directory objects read with control rights",
        "Replicating passwords out of the directory asks for such a right.",
        &[Select {
            data: &[("AccessMask", &["0x100"])],
            ..audit(&[4662])
        }],
    ),
    query(
        "Replication partners",
        "A machine that poses as a controller has to announce itself.",
        &[audit(&[4928, 4929, 4930, 4931])],
    ),
    query(
        "Machine accounts changed",
        "Anybody may add some machines by default, and delegation is written on their accounts.",
        &[audit(&[4741, 4742, 4743])],
    ),
    query(
        "Trusts and Kerberos policy",
        "A trust lets in everybody whom the other domain lets in.",
        &[audit(&[4706, 4707, 4713, 4716, 4864, 4865, 4866, 4867])],
    ),
    query(
        "Password hashes read",
        "Tools for moving accounts do this, and few have a reason to.",
        &[audit(&[4782])],
    ),
    query(
        "Weak channels of machines",
        "Machines that do not sign or seal what they say to the controller can be impersonated.",
        &[
            events("System", "NETLOGON", &[5827, 5828, 5829, 5830, 5831]),
            events(
                "Directory Service",
                "Microsoft-Windows-ActiveDirectory_DomainService",
                &[2886, 2887, 2888, 2889, 3039, 3040, 3041],
            ),
        ],
    ),
    query(
        "Protected users refused",
        "Somebody tried a protected account in a way that gives its password away.",
        &[Select {
            provider: None,
            ..events(
                "Microsoft-Windows-Authentication/ProtectedUserFailures-DomainController",
                "",
                &[100, 104],
            )
        }],
    ),
    query(
        "Libraries of the DNS server",
        "The DNS server runs any library it is told to, with the rights of the system.",
        &[Select {
            provider: None,
            ..events("DNS Server", "", &[150, 770, 771])
        }],
    ),
];

const REMOTE: &[Query] = &[query(
    "Remote sessions",
    "A session over Remote Desktop with the address it came from, also when logons are not audited.",
    &[
        events(
            "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
            LOCAL_SESSIONS,
            &[21, 23, 24, 25, 39, 40],
        ),
        events(
            "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
            "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
            &[1149],
        ),
    ],
)];

const SERVER: &[Query] = &[
    query(
        "Shares",
        "Who opened which share from where, and shares that appear.",
        &[audit(&[5140, 5142, 5143, 5144, 5168])],
    )
    .without(&[audit_noise(
        &[5140],
        &[("ShareName", &[r"\\*\IPC$"])],
        "every connection begins with it.",
    )]),
    query(
        "Old file sharing",
        "Whoever still speaks SMB 1 keeps open what it was switched off for.",
        &[Select {
            provider: None,
            ..events("Microsoft-Windows-SMBServer/Audit", "", &[3000])
        }],
    ),
    query(
        "Printer drivers",
        "A driver is code that the print service runs with the rights of the system.",
        &[
            Select {
                provider: None,
                ..events("Microsoft-Windows-PrintService/Admin", "", &[808])
            },
            Select {
                provider: None,
                ..events("Microsoft-Windows-PrintService/Operational", "", &[316])
            },
        ],
    ),
    query(
        "Certificates issued",
        "A certificate is a logon for years, and the authority's own settings say who gets one.",
        &[audit(&[
            4868, 4870, 4882, 4885, 4886, 4887, 4888, 4890, 4891, 4892, 4896, 4898, 4899, 4900,
        ])],
    ),
    query(
        "Network access",
        "Who was let into the network by this policy server, and who was not.",
        &[audit(&[6272, 6273, 6274, 6275, 6277, 6278, 6279, 6280])],
    ),
    query(
        "Updates",
        "Whether a hole that everybody knows is closed.",
        &[events(
            "System",
            "Microsoft-Windows-WindowsUpdateClient",
            &[19, 20],
        )],
    ),
];

const WORKSTATION: &[Query] = &[
    query(
        "Locked and unlocked",
        "Whether somebody sat there when it happened.",
        &[audit(&[4800, 4801, 4802, 4803])],
    ),
    query(
        "Devices",
        "What was plugged in, and what was refused.",
        &[audit(&[6416, 6419, 6420, 6421, 6422, 6423, 6424])],
    ),
    query(
        "Software installed",
        "What is on the machine that nobody handed out.",
        &[events(
            "Application",
            "MsiInstaller",
            &[1033, 1034, 11707, 11724],
        )],
    ),
    query(
        "Downloads by the system",
        "Windows' own downloader fetches for whoever asks, also when they have gone.",
        &[Select {
            provider: None,
            ..events("Microsoft-Windows-Bits-Client/Operational", "", &[3, 59])
        }],
    ),
    query(
        "Networks",
        "Which network a machine was in, at home and on the way.",
        &[
            audit(&[5632, 5633]),
            Select {
                provider: None,
                ..events(
                    "Microsoft-Windows-WLAN-AutoConfig/Operational",
                    "",
                    &[8001, 8003],
                )
            },
        ],
    ),
    query(
        "Updates",
        "Whether a hole that everybody knows is closed.",
        &[events(
            "System",
            "Microsoft-Windows-WindowsUpdateClient",
            &[19, 20],
        )],
    ),
];

const EXERCISES: &[Query] = &[
    query(
        "Logons",
        "Logons that succeed and fail: enter a wrong password over Remote Desktop, then the right one.",
        &[audit(&[4624, 4625])],
    ),
    query(
        "Application errors",
        "Errors and worse, whoever writes them: eventcreate /t error /id 100 /l application /d test.",
        &[Select {
            provider: None,
            levels: &[1, 2],
            ..events("Application", "", &[])
        }],
    ),
    query(
        "Members of local groups",
        "A new local administrator: net localgroup administrators NAME /add.",
        &[audit(&[4732, 4733])],
    ),
    query(
        "Processes started",
        "Any program that is opened, such as Notepad.",
        &[audit(&[4688])],
    ),
    query(
        "Firewall rules",
        "A rule for a port, added in the firewall's own window.",
        &[audit(&[
            4944, 4945, 4946, 4947, 4948, 4949, 4950, 4951, 4952, 4953, 4954, 4956, 4957, 4958,
        ])],
    ),
];
