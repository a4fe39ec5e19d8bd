//! The values that slots draw from. All of them are invented, or belong to every Windows.
//! Texts are already escaped for XML.

pub(super) const GIVEN_NAMES: &[&str] = &[
    "ada", "amir", "bea", "carla", "chen", "dario", "dora", "emil", "fatima", "gus", "hana",
    "ines", "ivo", "jana", "kofi", "lena", "luis", "mara", "mei", "nils", "olga", "omar", "pia",
    "raj",
];

pub(super) const FAMILY_NAMES: &[&str] = &[
    "abel", "bauer", "costa", "diaz", "ferro", "grant", "haas", "ito", "jensen", "kaya", "lopez",
    "meyer", "novak", "okoro", "patel", "quist", "rossi", "silva", "tanaka", "weber",
];

/// Names that guessers try.
pub(super) const GUESSES: &[&str] = &[
    "administrator",
    "admin",
    "ADMIN",
    "test",
    "user",
    "guest",
    "sql",
    "backup",
    "oracle",
    "scanner",
    "svc_backup",
    "root",
    "demo",
    "sysadmin",
    "support",
    "postgres",
];

/// Status, failure reason and sub status of a failed logon.
pub(super) const FAILURES: &[(&str, &str, &str)] = &[
    ("0xc000006d", "%%2313", "0xc000006a"),
    ("0xc000006d", "%%2313", "0xc0000064"),
    ("0xc000006e", "%%2310", "0xc0000072"),
    ("0xc0000234", "%%2307", "0x0"),
    ("0xc0000224", "%%2309", "0x0"),
];

/// A local group and its identifier.
pub(super) const GROUPS: &[(&str, &str)] = &[
    ("Administrators", "S-1-5-32-544"),
    ("Remote Desktop Users", "S-1-5-32-555"),
    ("Backup Operators", "S-1-5-32-551"),
    ("Event Log Readers", "S-1-5-32-573"),
    ("Remote Management Users", "S-1-5-32-580"),
];

/// Path, command line, parent.
pub(super) const PROCESSES: &[(&str, &str, &str)] = &[
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\Windows\system32\svchost.exe -k netsvcs -p -s wuauserv",
        r"C:\Windows\System32\services.exe",
    ),
    (
        r"C:\Windows\System32\conhost.exe",
        r"\??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1",
        r"C:\Windows\System32\cmd.exe",
    ),
    (
        r"C:\Windows\System32\wbem\WmiPrvSE.exe",
        r"C:\Windows\system32\wbem\wmiprvse.exe -secured -Embedding",
        r"C:\Windows\System32\svchost.exe",
    ),
    (
        r"C:\Windows\System32\taskhostw.exe",
        "taskhostw.exe Install $(Arg0)",
        r"C:\Windows\System32\svchost.exe",
    ),
    (
        r"C:\Program Files\Contoso\Agent\agent.exe",
        "\"C:\\Program Files\\Contoso\\Agent\\agent.exe\" --collect --interval=300 --out=\"C:\\ProgramData\\Contoso\\Agent\\state.db\" --inputs=perf,disk,net,services --tags=\"site=milan;tier=web;owner=platform\" --queue-dir=\"C:\\ProgramData\\Contoso\\Agent\\queue\" --upload=https://telemetry.corp.example/v2/batches --proxy=none --log-level=warning",
        r"C:\Windows\System32\services.exe",
    ),
    (
        r"C:\Windows\System32\inetsrv\w3wp.exe",
        "c:\\windows\\system32\\inetsrv\\w3wp.exe -ap \"Orders\" -v \"v4.0\" -l \"webengine4.dll\" -a \\\\.\\pipe\\iisipm0c7f4e1a-2b9d-4c68-8f53-d1a7e6b09324 -h \"C:\\inetpub\\temp\\apppools\\Orders\\Orders.config\" -w \"\" -m 0 -t 20 -ta 0",
        r"C:\Windows\System32\svchost.exe",
    ),
    (
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command \"Get-ChildItem -Path C:\\inetpub\\logs\\LogFiles -Recurse -Filter *.log | Where-Object { $_.LastWriteTime -lt (Get-Date).AddDays(-30) } | ForEach-Object { Compress-Archive -Path $_.FullName -DestinationPath (Join-Path D:\\Archive ($_.BaseName + '.zip')); Remove-Item $_.FullName }\"",
        r"C:\Windows\System32\taskeng.exe",
    ),
    (
        r"C:\Windows\System32\cmd.exe",
        "C:\\Windows\\system32\\cmd.exe /c \"dir C:\\Inetpub\\logs &gt; C:\\Temp\\list.txt &amp; exit\"",
        r"C:\Windows\explorer.exe",
    ),
    (
        r"C:\Windows\System32\mmc.exe",
        "\"C:\\Windows\\system32\\mmc.exe\" \"C:\\Windows\\system32\\eventvwr.msc\" /s",
        r"C:\Windows\explorer.exe",
    ),
    (
        r"C:\Windows\System32\net.exe",
        r"net localgroup administrators",
        r"C:\Windows\System32\cmd.exe",
    ),
    (
        r"C:\Windows\System32\whoami.exe",
        r"whoami /all",
        r"C:\Windows\System32\cmd.exe",
    ),
    (
        r"C:\Windows\System32\schtasks.exe",
        "schtasks /create /tn \"Nightly\" /tr C:\\Ops\\nightly.cmd /sc daily /st 02:30",
        r"C:\Windows\System32\cmd.exe",
    ),
];

/// The display name and the short name of a service.
pub(super) const SERVICES: &[(&str, &str)] = &[
    ("Windows Update", "wuauserv"),
    ("Background Intelligent Transfer Service", "BITS"),
    ("Windows Modules Installer", "TrustedInstaller"),
    ("Software Protection", "sppsvc"),
    ("Volume Shadow Copy", "VSS"),
    ("Remote Registry", "RemoteRegistry"),
    ("Contoso Agent", "ContosoAgent"),
];

/// The state a service entered, and its number.
pub(super) const SERVICE_STATES: &[(&str, char)] = &[("running", '4'), ("stopped", '1')];

pub(super) const PROGRAMS: &[&str] = &[
    "OrderService.exe",
    "BillingHost.exe",
    "w3wp.exe",
    "ReportWriter.exe",
];

pub(super) const COMPLAINTS: &[&str] = &[
    "its database",
    "the payment gateway",
    "the file share \\\\FS01\\orders",
    "the message queue",
];

pub(super) const RULES: &[&str] = &[
    "Test5000",
    "Orders API (TCP-In)",
    "Contoso Agent (HTTPS-In)",
    "Remote Debugging (TCP 4024)",
];

/// What a rendered message ends with, so that it is as long as a real one.
pub(super) const NOTES: &str = "This message was rendered by a simulated machine. The subject is the account that asked for the operation, most often a service or a local process. The account fields say for whom it was done, and the process fields which program did it. The network fields say from where a request came; a machine does not always give its name, so the field may hold a hyphen. The fields about authentication say which package took part and how long the session key was, which is zero when none was asked for.";

/// Values that break parsers which are not exact: raw control characters, line ends, the
/// separators of CEF and of its profiles, quotes, characters outside the basic plane, a lone
/// surrogate ([`super::LONE_SURROGATE`]), nothing at all. The long one is made apart.
pub(super) const HOSTILE: &[&str] = &[
    "\u{1}\u{4}\u{5}\u{1b}[31m",
    "first\r\nsecond\nthird\rfourth",
    "a|b||c|CEF:0|v|p|1|9|n|10|act=gone",
    r"key=value other=\= end\",
    r"\\server\share\n\r\t\",
    "\"double\" 'single' `back`",
    "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp; ]]&gt;",
    "&#13;&#10;&#9;&#x85;&#x2028;",
    "\u{1f600}\u{1f469}\u{200d}\u{1f4bb} \u{10348} \u{20000}",
    "\u{202e}evil\u{202c} \u{feff}\u{200b}\u{85}\u{2028}",
    "half\u{fdd0}a character",
    "!! !!!! ${jndi:ldap://x} %s %n '; DROP TABLE events; --",
    "&lt;14&gt;Nov 21 10:00:00 host CEF:0|x|y|1|1|1|1|MasEventRecordID=1",
    "",
];
