//! What machines of one kind are asked beside what any machine is.

use super::tables::{audit, audit_noise, events, query};
use super::{Query, Select};

const LOCAL_SESSIONS: &str = "Microsoft-Windows-TerminalServices-LocalSessionManager";

pub(super) const DOMAIN_CONTROLLER: &[Query] = &[
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
        "Machines that do not sign or seal what they say to the controller can be impersonated. \
         2889, 3040 and 3041 are written where the diagnostics of \"LDAP Interface Events\" are at 2.",
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

pub(super) const REMOTE: &[Query] = &[query(
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

pub(super) const SERVER: &[Query] = &[
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
        "Whoever still speaks SMB 1 keeps open what it was switched off for. Written after \
         `Set-SmbServerConfiguration -AuditSmb1Access $true`.",
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

pub(super) const WORKSTATION: &[Query] = &[
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

pub(super) const EXERCISES: &[Query] = &[
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
