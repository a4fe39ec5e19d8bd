//! Sentences: what the most common events say, one line each, without their values.

type Sentences = &'static [(u32, &'static str)];

/// The sentence for a provider's event.
#[must_use]
pub fn sentence(provider: &str, event_id: u32) -> Option<&'static str> {
    let sentences = PROVIDERS.iter().find(|(name, _)| *name == provider)?.1;
    let place = sentences
        .binary_search_by_key(&event_id, |(id, _)| *id)
        .ok()?;
    Some(sentences[place].1)
}

/// Windows of before 2012 writes the provider in capitals.
const SHUTDOWN: Sentences = &[(
    1074,
    "Somebody or something asked for a shutdown or restart, with this reason.",
)];

const PROVIDERS: &[(&str, Sentences)] = &[
    ("Microsoft-Windows-Security-Auditing", SECURITY_AUDITING),
    ("Microsoft-Windows-Eventlog", EVENTLOG_SERVICE),
    ("Microsoft-Windows-Sysmon", SYSMON),
    ("Service Control Manager", SERVICE_CONTROL_MANAGER),
    ("Microsoft-Windows-PowerShell", POWERSHELL_OPERATIONAL),
    ("PowerShellCore", POWERSHELL_OPERATIONAL),
    ("PowerShell", POWERSHELL_CLASSIC),
    ("Microsoft-Windows-Windows Defender", DEFENDER),
    (
        "Microsoft-Windows-Windows Firewall With Advanced Security",
        FIREWALL,
    ),
    ("Microsoft-Windows-TaskScheduler", TASK_SCHEDULER),
    (
        "Microsoft-Windows-TerminalServices-LocalSessionManager",
        TERMINAL_SESSIONS,
    ),
    (
        "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
        &[(
            1149,
            "Somebody reached the remote desktop service with a user's name; a logon may follow.",
        )],
    ),
    ("Microsoft-Windows-WMI-Activity", WMI),
    ("Microsoft-Windows-AppLocker", APPLOCKER),
    ("Microsoft-Windows-GroupPolicy", GROUP_POLICY),
    ("Microsoft-Windows-Kernel-General", KERNEL_GENERAL),
    (
        "Microsoft-Windows-Kernel-Power",
        &[(41, "The computer restarted without having been shut down.")],
    ),
    ("EventLog", EVENTLOG_CLASSIC),
    ("User32", SHUTDOWN),
    ("USER32", SHUTDOWN),
    ("Application Error", &[(1000, "A program crashed.")]),
    (
        "Application Hang",
        &[(1002, "A program stopped answering and was closed.")],
    ),
    (
        "Windows Error Reporting",
        &[(1001, "A crash was put on file.")],
    ),
    (
        ".NET Runtime",
        &[(
            1026,
            "A .NET program ended on an error that it did not handle.",
        )],
    ),
    ("MsiInstaller", MSI_INSTALLER),
    ("Microsoft-Windows-WindowsUpdateClient", WINDOWS_UPDATE),
];

const SECURITY_AUDITING: Sentences = &[
    (4608, "Windows has started and with it the security log."),
    (4609, "Windows is going down."),
    (
        4610,
        "The local security authority took in an authentication package.",
    ),
    (
        4611,
        "A logon process that the local security authority trusts has registered.",
    ),
    (
        4614,
        "The account database took in a package that hears of password changes.",
    ),
    (4616, "The system clock was set."),
    (
        4618,
        "A pattern of events that somebody watches for has occurred.",
    ),
    (
        4621,
        "An administrator brought the system back after it had stopped because auditing failed.",
    ),
    (
        4622,
        "The local security authority took in a security package.",
    ),
    (4624, "Somebody has logged on to this computer."),
    (4625, "Somebody tried to log on and was refused."),
    (4627, "The groups that an account belongs to at its logon."),
    (4634, "A logon session has ended."),
    (4647, "A user asked to be logged off."),
    (
        4648,
        "A program used another account's credentials to log on somewhere.",
    ),
    (
        4649,
        "An authentication message came a second time, as in a replay attack.",
    ),
    (4656, "A program asked to open an object that is audited."),
    (4657, "A value in the registry was set, changed or deleted."),
    (4658, "A program closed an object that is audited."),
    (4660, "An object that is audited was deleted."),
    (
        4661,
        "A program asked to open an object of the directory or the account database.",
    ),
    (
        4662,
        "An operation was carried out on an object of the directory.",
    ),
    (
        4663,
        "A program used its access to an object that is audited.",
    ),
    (4670, "The permissions of an object were changed."),
    (
        4672,
        "An account with administrator-like privileges has logged on.",
    ),
    (4673, "A program called a service that needs a privilege."),
    (
        4674,
        "A program tried an operation on an object that needs a privilege.",
    ),
    (
        4675,
        "SIDs from another domain were filtered out of a logon.",
    ),
    (4688, "A program has started."),
    (4689, "A program has ended."),
    (4692, "A backup of a data protection master key was tried."),
    (
        4693,
        "A recovery of a data protection master key was tried.",
    ),
    (4696, "A program was given the identity of an account."),
    (4697, "A service was installed on this computer."),
    (4698, "A scheduled task was registered."),
    (4699, "A scheduled task was removed."),
    (4700, "A scheduled task was switched on."),
    (4701, "A scheduled task was switched off."),
    (4702, "A scheduled task was changed."),
    (
        4703,
        "Privileges in a program's token were switched on or off.",
    ),
    (4704, "An account was given a user right."),
    (4705, "A user right was taken from an account."),
    (4706, "The domain now trusts another domain."),
    (4707, "The domain no longer trusts another domain."),
    (4713, "The domain's Kerberos policy was changed."),
    (4714, "The policy that recovers encrypted data was changed."),
    (4715, "What is audited on an object by default was changed."),
    (4716, "A trust between domains was changed."),
    (4717, "An account was given a way to log on to this system."),
    (
        4718,
        "A way to log on to this system was taken from an account.",
    ),
    (4719, "What this system audits was changed."),
    (4720, "A user account came into being."),
    (4722, "A user account was enabled."),
    (
        4723,
        "Somebody tried to change the password of an account and gave the old one.",
    ),
    (
        4724,
        "Somebody tried to set the password of an account without giving the old one.",
    ),
    (4725, "A user account was disabled."),
    (4726, "A user account was deleted."),
    (4727, "A global security group came into being."),
    (4728, "An account joined a global security group."),
    (4729, "An account left a global security group."),
    (4730, "A global security group was deleted."),
    (4731, "A local security group came into being."),
    (4732, "An account joined a local security group."),
    (4733, "An account left a local security group."),
    (4734, "A local security group was deleted."),
    (4735, "A local security group was changed."),
    (4737, "A global security group was changed."),
    (4738, "A user account was changed."),
    (
        4739,
        "A policy of the domain, such as that of passwords or lockouts, was changed.",
    ),
    (
        4740,
        "A user account was locked after too many wrong passwords.",
    ),
    (4741, "A computer account came into being."),
    (4742, "A computer account was changed."),
    (4743, "A computer account was deleted."),
    (4754, "A universal security group came into being."),
    (4755, "A universal security group was changed."),
    (4756, "An account joined a universal security group."),
    (4757, "An account left a universal security group."),
    (4758, "A universal security group was deleted."),
    (4764, "A group became one of another type."),
    (
        4765,
        "An account was given the SID of another one as its history.",
    ),
    (
        4766,
        "An account was to be given the SID of another one as its history, and was not.",
    ),
    (4767, "A locked user account was unlocked."),
    (
        4768,
        "An account asked the domain controller for its Kerberos ticket-granting ticket.",
    ),
    (
        4769,
        "An account asked the domain controller for a Kerberos ticket to a service.",
    ),
    (4770, "A Kerberos ticket to a service was renewed."),
    (
        4771,
        "Kerberos refused an account before giving it a ticket, mostly for a wrong password.",
    ),
    (4776, "A password was checked by NTLM."),
    (4778, "A user came back to a session that was left open."),
    (4779, "A user left a session open."),
    (
        4780,
        "The permissions of administrator accounts were put back to those of the template.",
    ),
    (4781, "An account has a new name."),
    (4782, "The password hash of an account was read."),
    (
        4794,
        "Somebody tried to set the password of a domain controller's restore mode.",
    ),
    (4798, "Somebody listed the local groups of a user."),
    (4799, "Somebody listed who is in a local group."),
    (4800, "A workstation was locked."),
    (4801, "A workstation was unlocked."),
    (4816, "A remote procedure call arrived altered."),
    (4865, "A forest was added to those that are trusted."),
    (4870, "The certificate authority revoked a certificate."),
    (4885, "What the certificate authority audits was changed."),
    (
        4886,
        "Somebody asked the certificate authority for a certificate.",
    ),
    (4887, "The certificate authority issued a certificate."),
    (4897, "The certificate authority now separates roles."),
    (
        4904,
        "A program registered itself as a source of security events.",
    ),
    (4905, "A program is no longer a source of security events."),
    (
        4906,
        "Whether the system stops when it cannot audit was changed.",
    ),
    (4907, "What is audited on an object was changed."),
    (4908, "The groups whose logons are watched were changed."),
    (4912, "What is audited of one user was changed."),
    (4946, "A rule was added to the firewall."),
    (4947, "A rule of the firewall was changed."),
    (4948, "A rule was taken out of the firewall."),
    (4950, "A setting of the firewall was changed."),
    (4964, "A member of a group that is watched has logged on."),
    (5024, "The firewall is running."),
    (5025, "The firewall was stopped."),
    (
        5031,
        "The firewall kept a program from accepting connections.",
    ),
    (5038, "A program file is not what its signature says."),
    (5136, "An attribute of a directory object was changed."),
    (5137, "A directory object came into being."),
    (5139, "A directory object was moved."),
    (5140, "Somebody opened a network share."),
    (5141, "A directory object was deleted."),
    (5142, "A network share was created."),
    (5144, "A network share was deleted."),
    (5145, "Access to a file on a network share was checked."),
    (5152, "The firewall threw a packet away."),
    (5154, "The firewall let a program listen on a port."),
    (5156, "The firewall let a connection through."),
    (5157, "The firewall stopped a connection."),
    (5158, "The firewall let a program take a port."),
    (5376, "The stored credentials of a user were backed up."),
    (
        5377,
        "The stored credentials of a user were restored from a backup.",
    ),
    (5379, "Stored credentials were read."),
    (
        6416,
        "A device that this system had not seen was plugged in.",
    ),
];

const EVENTLOG_SERVICE: Sentences = &[
    (104, "An event log other than the security log was emptied."),
    (1100, "The service that writes the event logs was stopped."),
    (1102, "The security log was emptied."),
    (
        1104,
        "The security log is full: events are lost from now on.",
    ),
    (
        1105,
        "The security log was full and was put aside as a file.",
    ),
    (
        1108,
        "The service that writes the event logs could not make out an event.",
    ),
];

const SYSMON: Sentences = &[
    (1, "A program has started."),
    (2, "A program gave a file another creation time."),
    (3, "A program made a network connection, or took one."),
    (4, "Sysmon was started or stopped."),
    (5, "A program has ended."),
    (6, "A driver was loaded."),
    (7, "A program loaded a library."),
    (8, "A program started a thread in another program."),
    (9, "A program read a disk past the file system."),
    (10, "A program opened another program."),
    (11, "A file was created or replaced."),
    (12, "A key or value of the registry was created or deleted."),
    (13, "A value of the registry was set."),
    (14, "A key or value of the registry was renamed."),
    (15, "A file got a named stream, as downloads do."),
    (16, "The configuration of Sysmon was changed."),
    (17, "A program created a named pipe."),
    (18, "A program connected to a named pipe."),
    (
        19,
        "A filter for WMI events was registered, one of three parts that make code start by itself.",
    ),
    (
        20,
        "A consumer of WMI events was registered, one of three parts that make code start by itself.",
    ),
    (
        21,
        "A WMI consumer was bound to its filter: code can now start by itself.",
    ),
    (22, "A program looked up a name in DNS."),
    (23, "A file was deleted, and Sysmon kept a copy."),
    (24, "The contents of the clipboard changed."),
    (25, "A program in memory is not the one on disk."),
    (26, "A file was deleted."),
    (27, "Sysmon kept an executable file from being written."),
    (28, "Sysmon kept a file from being shredded."),
    (29, "An executable file was written."),
    (255, "Sysmon met an error and may have missed events."),
];

const SERVICE_CONTROL_MANAGER: Sentences = &[
    (7000, "A service did not start."),
    (
        7001,
        "A service did not start because one that it needs did not.",
    ),
    (7009, "A service took too long to start."),
    (7011, "A service did not answer in time."),
    (7023, "A service ended with an error."),
    (7024, "A service ended with an error of its own kind."),
    (7026, "A driver needed at boot was not loaded."),
    (
        7031,
        "A service ended by surprise, and what is set for that case was done.",
    ),
    (7034, "A service ended by surprise."),
    (7035, "A service was told to start, stop or change."),
    (7036, "A service started running, or stopped."),
    (7040, "When a service starts was changed."),
    (7045, "A service was installed on this system."),
];

const POWERSHELL_OPERATIONAL: Sentences = &[
    (4100, "PowerShell met an error."),
    (4103, "PowerShell ran a command, with these parameters."),
    (4104, "PowerShell compiled this text to run it."),
    (4105, "PowerShell begins to run a block of a script."),
    (4106, "PowerShell has run a block of a script."),
    (40961, "A PowerShell console is starting."),
    (40962, "A PowerShell console is ready."),
    (
        53504,
        "PowerShell listens on a named pipe for other programs.",
    ),
];

const POWERSHELL_CLASSIC: Sentences = &[
    (400, "PowerShell's engine has started."),
    (403, "PowerShell's engine has stopped."),
    (600, "PowerShell loaded a provider."),
    (800, "PowerShell ran a pipeline, with these details."),
];

const DEFENDER: Sentences = &[
    (1006, "Defender found malware or something unwanted."),
    (1007, "Defender acted against malware."),
    (1013, "Defender's record of found malware was deleted."),
    (1015, "Defender saw something behave suspiciously."),
    (1116, "Defender found malware or something unwanted."),
    (1117, "Defender acted against malware."),
    (1118, "Defender could not act against malware."),
    (1119, "Defender failed badly while acting against malware."),
    (
        1121,
        "Defender stopped something that an attack surface rule forbids.",
    ),
    (2001, "Defender could not update what it knows of malware."),
    (5001, "Defender no longer watches in real time."),
    (5004, "What Defender watches in real time was changed."),
    (5007, "A setting of Defender was changed."),
    (5010, "Defender no longer looks for spyware."),
    (5012, "Defender no longer looks for viruses."),
    (5013, "Defender's tamper protection refused a change."),
];

const FIREWALL: Sentences = &[
    (2003, "A setting of a firewall profile was changed."),
    (2004, "A rule was added to the firewall."),
    (2005, "A rule of the firewall was changed."),
    (2006, "A rule was taken out of the firewall."),
    (2009, "The firewall could not load its group policy."),
    (2033, "All rules were taken out of the firewall."),
    (2097, "A rule was added to the firewall."),
    (2099, "A rule of the firewall was changed."),
];

const TASK_SCHEDULER: Sentences = &[
    (106, "A scheduled task was registered."),
    (140, "A scheduled task was changed."),
    (141, "A scheduled task was deleted."),
    (142, "A scheduled task was switched off."),
    (200, "A scheduled task began its action."),
    (201, "A scheduled task finished its action."),
];

const TERMINAL_SESSIONS: Sentences = &[
    (21, "A user logged on by remote desktop."),
    (23, "A user logged off from remote desktop."),
    (24, "A remote desktop session was left open."),
    (25, "A user came back to a remote desktop session."),
];

const WMI: Sentences = &[
    (5857, "A provider of WMI was loaded."),
    (5858, "A WMI query failed."),
    (5860, "A program asked WMI for events as long as it runs."),
    (
        5861,
        "WMI will run something when an event occurs, also after a restart.",
    ),
];

const APPLOCKER: Sentences = &[
    (8002, "AppLocker let a program run."),
    (
        8003,
        "AppLocker would have stopped a program if it were enforced.",
    ),
    (8004, "AppLocker stopped a program."),
    (8005, "AppLocker let a script or installer run."),
    (
        8006,
        "AppLocker would have stopped a script or installer if it were enforced.",
    ),
    (8007, "AppLocker stopped a script or installer."),
];

const GROUP_POLICY: Sentences = &[
    (
        1500,
        "The computer's group policy was applied and had not changed.",
    ),
    (
        1501,
        "The user's group policy was applied and had not changed.",
    ),
    (
        1502,
        "The computer's group policy was applied with changes.",
    ),
    (1503, "The user's group policy was applied with changes."),
];

const KERNEL_GENERAL: Sentences = &[
    (1, "The system clock was set."),
    (12, "Windows has started."),
    (13, "Windows is going down."),
];

const EVENTLOG_CLASSIC: Sentences = &[
    (
        6005,
        "The service that writes the event logs has started, as it does at boot.",
    ),
    (
        6006,
        "The service that writes the event logs has stopped, as it does at shutdown.",
    ),
    (6008, "The computer went down by surprise the last time."),
    (6013, "How long the computer has been up."),
];

const MSI_INSTALLER: Sentences = &[
    (1033, "An installation came to its end."),
    (1034, "A removal came to its end."),
    (11707, "A product was installed."),
    (11708, "A product could not be installed."),
    (11724, "A product was removed."),
];

const WINDOWS_UPDATE: Sentences = &[
    (19, "An update was installed."),
    (20, "An update could not be installed."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_search() {
        for (provider, sentences) in PROVIDERS {
            assert!(sentences.is_sorted_by(|a, b| a.0 < b.0), "{provider}");
        }
    }

    #[test]
    fn a_sentence_is_one_line_and_ends() {
        let all = PROVIDERS.iter().flat_map(|(_, sentences)| *sentences);
        for (id, sentence) in all.clone() {
            assert!(sentence.ends_with('.') && sentence.is_ascii(), "{id}");
            assert!((10..=100).contains(&sentence.len()), "{id}: {sentence}");
            assert!(!sentence.contains(['|', '=', '\\', '\n']), "{id}");
        }
        assert!(all.count() >= 200);
    }

    #[test]
    fn whatever_has_a_sentence_is_found_and_nothing_else() {
        let provider = "Microsoft-Windows-Security-Auditing";
        assert!(sentence(provider, 4624).is_some());
        assert_eq!(sentence(provider, 4623), None);
        assert_eq!(sentence("Nobody", 4624), None);
        assert_eq!(
            super::super::describe(provider, 5059),
            Some("key migration")
        );
    }
}
