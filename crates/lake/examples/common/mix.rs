//! Security events of a week, seeded: 300 computers and 5,000 accounts, few of them with most events.
//!
//! Of a thousand events 300 are logons, 200 logoffs, 150 processes, 120 logons with privileges, 100 connections, 60
//! tickets, 30 failed logons, 30 services that changed, and 10 of four rare kinds. Messages have 24 to 540 bytes.

use std::fmt::Write as _;

/// 2025-11-03T00:00:00Z, a Monday.
pub(crate) const FIRST_SECOND: i64 = 1_762_128_000;
pub(crate) const DAYS: usize = 7;
const DAY_US: i64 = 86_400_000_000;

const SECURITY: &str = "Microsoft-Windows-Security-Auditing";
const DOMAIN_SID: &str = "S-1-5-21-3623811015-3361044348-30300820";
const PROGRAMS: [&str; 6] = [
    r"C:\Windows\System32\svchost.exe",
    r"C:\Windows\System32\lsass.exe",
    r"C:\Program Files\Agent\agent.exe",
    r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
    r"C:\Windows\System32\cmd.exe",
    r"C:\Windows\System32\inetsrv\w3wp.exe",
];
const LOGON_TYPES: [&str; 6] = ["3", "3", "3", "2", "10", "5"];
const PORTS: [&str; 6] = ["443", "445", "53", "389", "88", "135"];

/// An event, before it has a form.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) time_us: i64,
    /// Day of the week that it is of.
    pub(crate) day: usize,
    pub(crate) computer: String,
    pub(crate) channel: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) event_id: i32,
    pub(crate) level: i32,
    pub(crate) record_id: i64,
    pub(crate) task: i32,
    pub(crate) keywords: i64,
    pub(crate) user_sid: Option<String>,
    pub(crate) message: String,
    pub(crate) data: Vec<(&'static str, String)>,
}

/// Makes the same events each time.
pub(crate) struct Mix {
    random: u64,
    events: usize,
    made: usize,
}

/// What an event is about.
struct About {
    machine: String,
    account: String,
    sid: String,
    program: &'static str,
    address: String,
    logon: String,
    port: u64,
    station: u64,
    kind: usize,
}

impl Mix {
    /// So many events, evenly over the week.
    pub(crate) fn new(events: usize) -> Mix {
        Mix {
            random: 0x9e37_79b9_7f4a_7c15,
            events: events.max(1),
            made: 0,
        }
    }

    /// The next event, in the place of the one before.
    pub(crate) fn next(&mut self, event: &mut Made) {
        let at = self.made;
        self.made += 1;
        let span = DAY_US * DAYS as i64;
        let offset = (i128::from(span) * at as i128 / self.events as i128) as i64;
        let computer = self.skewed(300);
        let account = self.skewed(5_000);
        event.time_us = FIRST_SECOND * 1_000_000 + offset + self.below(20_000) as i64;
        event.day = ((offset / DAY_US) as usize).min(DAYS - 1);
        event.computer.clear();
        let _ = write!(event.computer, "srv{computer:03}.corp.contoso.example");
        event.record_id = at as i64;
        let about = About {
            machine: format!("SRV{computer:03}$"),
            account: format!("user{account:04}"),
            sid: format!("{DOMAIN_SID}-{}", 1_000 + account),
            program: PROGRAMS[self.skewed(6) as usize],
            address: format!("10.{}.{}.{}", account % 7, self.below(16), self.below(250)),
            logon: format!("0x{:x}", self.below(1 << 32)),
            port: self.below(60_000),
            station: self.below(8_000),
            kind: self.below(6) as usize,
        };
        let (id, task) = kind(self.below(1_000));
        (event.event_id, event.task) = (id, task);
        event.keywords = match id {
            4625 => 0x8010_0000_0000_0000_u64.cast_signed(),
            _ => 0x8020_0000_0000_0000_u64.cast_signed(),
        };
        let is_service = id == 7036;
        (event.channel, event.provider, event.level) = match is_service {
            true => ("System", "Service Control Manager", 4),
            false => ("Security", SECURITY, 0),
        };
        event.user_sid = (!is_service).then(|| about.sid.clone());
        event.message.clear();
        about.say(id, &mut event.message);
        event.data.clear();
        about.tell(id, &mut event.data, self.below(250));
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    /// Numbers below the limit, each about as often as one is to it.
    fn skewed(&mut self, limit: u64) -> u64 {
        let share = self.below(1_000_003) as f64 / 1_000_003.0;
        ((limit as f64).powf(share) as u64 - 1).min(limit - 1)
    }
}

/// An event's number and its task, by a number below a thousand.
fn kind(of: u64) -> (i32, i32) {
    match of {
        0..300 => (4624, 12544),
        300..500 => (4634, 12545),
        500..620 => (4672, 12548),
        620..770 => (4688, 13312),
        770..870 => (5156, 12810),
        870..930 => (4769, 14337),
        930..960 => (4625, 12544),
        960..990 => (7036, 0),
        990..992 => (4732, 13826),
        992 => (4720, 13824),
        993 => (1102, 104),
        _ => (4663, 12800),
    }
}

impl About {
    fn say(&self, id: i32, out: &mut String) {
        let About {
            machine,
            account,
            sid,
            program,
            address,
            logon,
            ..
        } = self;
        let _ = match id {
            4624 | 4625 => {
                let what = match id {
                    4624 => "was successfully logged on",
                    _ => "failed to log on",
                };
                let kind = LOGON_TYPES[self.kind];
                write!(
                    out,
                    "An account {what}.\n\nSubject:\n\tSecurity ID:\t\tS-1-5-18\n\tAccount Name:\t\t{machine}\n\tAccount Domain:\t\tCORP\n\tLogon ID:\t\t0x3E7\n\nLogon Type:\t\t\t{kind}\n\nNew Logon:\n\tSecurity ID:\t\t{sid}\n\tAccount Name:\t\t{account}\n\tAccount Domain:\t\tCORP\n\tLogon ID:\t\t{logon}\n\nProcess Information:\n\tProcess Name:\t\t{program}\n\nNetwork Information:\n\tSource Network Address:\t{address}\n\nDetailed Authentication Information:\n\tLogon Process:\t\tNtLmSsp\n\tAuthentication Package:\tNTLM\n"
                )
            }
            4688 => write!(
                out,
                "A new process has been created.\n\nCreator Subject:\n\tSecurity ID:\t\t{sid}\n\tAccount Name:\t\t{account}\n\tLogon ID:\t\t{logon}\n\nProcess Information:\n\tNew Process Name:\t{program}\n\tProcess Command Line:\t{program} -k netsvcs\n"
            ),
            5156 => write!(
                out,
                "The Windows Filtering Platform allowed a connection.\n\nApplication:\t{program}\nNetwork:\n\tSource:\t{address}\n"
            ),
            7036 => write!(out, "A service changed state."),
            _ => write!(
                out,
                "Security event {id}.\n\nSubject:\n\tSecurity ID:\t\t{sid}\n\tAccount Name:\t\t{account}\n\tLogon ID:\t\t{logon}\n\tAddress:\t{address}\n"
            ),
        };
    }

    fn tell(&self, id: i32, data: &mut Vec<(&'static str, String)>, other: u64) {
        let mut put = |name: &'static str, value: &str| data.push((name, value.to_owned()));
        match id {
            4624 | 4625 => {
                put("SubjectUserSid", "S-1-5-18");
                put("SubjectUserName", &self.machine);
                put("TargetUserSid", &self.sid);
                put("TargetUserName", &self.account);
                put("TargetDomainName", "CORP");
                put("TargetLogonId", &self.logon);
                put("LogonType", LOGON_TYPES[self.kind]);
                put("LogonProcessName", "NtLmSsp");
                put("AuthenticationPackageName", "NTLM");
                put("WorkstationName", &format!("WKS{:05}", self.station));
                put("IpAddress", &self.address);
                put("IpPort", &self.port.to_string());
                put("ProcessName", self.program);
                put("Status", if id == 4625 { "0xC000006D" } else { "0x0" });
            }
            4688 => {
                put("SubjectUserSid", &self.sid);
                put("SubjectUserName", &self.account);
                put("SubjectLogonId", &self.logon);
                put("NewProcessId", &format!("0x{:x}", self.port));
                put("NewProcessName", self.program);
                let line = format!("{} -k netsvcs -p {}", self.program, self.port);
                put("CommandLine", &line);
                put("ParentProcessName", r"C:\Windows\System32\services.exe");
            }
            5156 => {
                put("ProcessID", &self.station.to_string());
                put("Application", self.program);
                put("Direction", "%%14593");
                put("SourceAddress", &self.address);
                put("SourcePort", &self.port.to_string());
                put("DestAddress", &format!("10.9.{}.{other}", self.kind));
                put("DestPort", PORTS[self.kind]);
                put("Protocol", "6");
            }
            7036 => {
                put("param1", "BITS");
                put("param2", "running");
            }
            _ => {
                put("SubjectUserSid", &self.sid);
                put("SubjectUserName", &self.account);
                put("SubjectDomainName", "CORP");
                put("SubjectLogonId", &self.logon);
                put("IpAddress", &self.address);
            }
        }
    }
}

impl Made {
    /// The event as Windows forwards it, with its rendered text.
    pub(crate) fn xml(&self, out: &mut String) {
        let time = jiff::Timestamp::from_microsecond(self.time_us).unwrap();
        out.clear();
        let _ = write!(
            out,
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{}' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/><EventID>{}</EventID><Version>0</Version><Level>{}</Level><Task>{}</Task><Opcode>0</Opcode><Keywords>0x{:x}</Keywords><TimeCreated SystemTime='{time:.7}'/><EventRecordID>{}</EventRecordID><Correlation/><Execution ProcessID='{}' ThreadID='{}'/><Channel>{}</Channel><Computer>{}</Computer><Security",
            self.provider,
            self.event_id,
            self.level,
            self.task,
            self.keywords,
            self.record_id,
            600 + self.record_id % 8 * 4,
            self.record_id * 7 % 9_000,
            self.channel,
            self.computer,
        );
        if let Some(sid) = &self.user_sid {
            let _ = write!(out, " UserID='{sid}'");
        }
        out.push_str("/></System><EventData>");
        for (name, value) in &self.data {
            let _ = write!(out, "<Data Name='{name}'>{value}</Data>");
        }
        let _ = write!(
            out,
            "</EventData><RenderingInfo Culture='en-US'><Message>{}</Message><Level>Information</Level><Task></Task><Opcode>Info</Opcode><Channel>{}</Channel><Provider>{}</Provider><Keywords><Keyword>Audit Success</Keyword></Keywords></RenderingInfo></Event>",
            self.message, self.channel, self.provider
        );
    }
}
