//! CPU seconds per million Events on their way into the lake, bytes per Event in it, and what
//! queries over it cost.
//!
//! ```sh
//! cargo run --release -p windrow-lake --example bench_lake [EVENTS]
//! ```
//!
//! The Events are of its own making, seeded: logons good and bad, processes, a group, a firewall
//! rule, a cleared log, a crashed application, from 300 machines over a week.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use windrow_formats::batch::{Flags, Header, Kind};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::{Identity, identity};
use windrow_lake::{Format, Lake, Layout, QueryLimits, RowBuilder, Tail};

/// Events of one commit.
const COMMIT: usize = 50_000;

const QUERIES: [(&str, &str); 6] = [
    (
        "events per minute and id",
        "SELECT date_trunc('minute', time) AS m, event_id, count(*) AS n FROM events \
         GROUP BY date_trunc('minute', time), event_id ORDER BY m, event_id",
    ),
    (
        "ten busiest computers",
        "SELECT computer, count(*) AS n FROM events GROUP BY computer ORDER BY n DESC, computer LIMIT 10",
    ),
    (
        "failed logons an account and hour, from the map",
        "SELECT event_data['TargetUserName'] AS account, date_trunc('hour', time) AS h, count(*) AS n \
         FROM events WHERE event_id = 4625 GROUP BY event_data['TargetUserName'], date_trunc('hour', time) \
         HAVING count(*) >= 2 ORDER BY n DESC, account, h",
    ),
    (
        "failed logons an account and hour, from the column",
        "SELECT target_user AS account, date_trunc('hour', time) AS h, count(*) AS n \
         FROM events WHERE event_id = 4625 GROUP BY target_user, date_trunc('hour', time) \
         HAVING count(*) >= 2 ORDER BY n DESC, account, h",
    ),
    (
        "two searches in the Event's text",
        "SELECT count(*) AS n, min(time) AS first_seen FROM events \
         WHERE event_xml LIKE '%powershell.exe%' AND event_xml LIKE '%user0042%'",
    ),
    (
        "one computer on one day",
        "SELECT event_id, count(*) AS n FROM events WHERE computer = 'WKS007.corp.example' \
         AND date = '2025-11-05' GROUP BY event_id ORDER BY event_id",
    ),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let events = std::env::args()
        .nth(1)
        .map_or(400_000, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    println!("{events} events of the simulated fleet:");
    fill(&lake, events).await;
    let extent = lake.extent().await.unwrap();
    println!(
        "  {:.1} bytes an event in {} files after {} commits",
        extent.bytes as f64 / extent.rows as f64,
        extent.files,
        extent.version
    );
    columns(lake.folder(), extent.rows);
    println!("queries:");
    for (name, sql) in QUERIES {
        query(&lake, name, sql, extent.rows).await;
    }
    println!("peak memory: {}", peak_memory());
}

async fn fill(lake: &Lake, events: usize) {
    let header = Header {
        kind: Kind::Wef,
        source: "host/wec.corp.example@CORP.EXAMPLE".to_owned(),
        address: Some([10, 0, 0, 7].into()),
        subscription: Some("main".to_owned()),
        received_at: jiff::Timestamp::from_second(FIRST_SECOND).unwrap(),
    };
    let mut fleet = Fleet::new();
    let (mut parsing, mut building, mut appending) = (0.0, 0.0, 0.0);
    let mut builder = RowBuilder::new();
    let mut bytes = 0;
    for first in (0..events).step_by(COMMIT) {
        let texts: Vec<String> = (first..events.min(first + COMMIT))
            .map(|at| fleet.event(at, events))
            .collect();
        bytes += texts.iter().map(String::len).sum::<usize>();
        let start = cpu_seconds();
        let parsed: Vec<(Index, Identity)> = texts.iter().map(|text| parsed(text)).collect();
        parsing += cpu_seconds() - start;

        let start = cpu_seconds();
        for (at, (text, (index, key))) in (first as u64 + 1..).zip(texts.iter().zip(&parsed)) {
            builder.push(
                Some(at),
                &header,
                Flags::NONE,
                Event::new(text, index),
                *key,
            );
        }
        let rows = builder.finish();
        building += cpu_seconds() - start;

        let last = i64::try_from(first + texts.len()).unwrap();
        let start = cpu_seconds();
        lake.append(rows, Some(("bench", last))).await.unwrap();
        appending += cpu_seconds() - start;
    }
    let million = |seconds: f64| seconds * 1e6 / events as f64;
    println!("  {} bytes of text an event", bytes / events);
    println!(
        "  {:6.3} s per million  parse and identity",
        million(parsing)
    );
    println!("  {:6.3} s per million  rows", million(building));
    println!(
        "  {:6.3} s per million  parquet and commit",
        million(appending)
    );
    println!(
        "  {:6.3} s per million  event text to lake",
        million(parsing + building + appending)
    );
}

fn parsed(text: &str) -> (Index, Identity) {
    let mut index = Index::new();
    parse(text, &mut index).unwrap();
    let key = identity("host", Event::new(text, &index));
    (index, key)
}

/// Bytes of each column, the largest first.
fn columns(folder: &Path, rows: u64) {
    let mut sizes = BTreeMap::<String, i64>::new();
    let partitions = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for partition in partitions.filter(|path| path.to_string_lossy().contains("date=")) {
        for file in std::fs::read_dir(partition).unwrap() {
            let file =
                SerializedFileReader::new(File::open(file.unwrap().path()).unwrap()).unwrap();
            for group in file.metadata().row_groups() {
                for column in group.columns() {
                    let path = column.column_path().string();
                    *sizes.entry(path).or_default() += column.compressed_size();
                }
            }
        }
    }
    let total: i64 = sizes.values().sum();
    let text = sizes.get("event_xml").copied().unwrap_or_default();
    println!(
        "  {:.1} bytes an event without the Event's text",
        (total - text) as f64 / rows as f64
    );
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, bytes)| -bytes);
    for (column, bytes) in sizes.iter().take(14) {
        println!(
            "    {:6.2} bytes an event  {column}",
            *bytes as f64 / rows as f64
        );
    }
}

async fn query(lake: &Lake, name: &str, sql: &str, rows: u64) {
    let mut best = f64::MAX;
    for _ in 0..2 {
        let start = cpu_seconds();
        let output = lake
            .query(sql, Tail::default(), QueryLimits::default())
            .await
            .unwrap();
        output
            .write(Format::Csv, &Layout::default(), &mut std::io::sink())
            .await
            .unwrap();
        best = best.min(cpu_seconds() - start);
    }
    println!("  {:6.3} s per million  {name}", best * 1e6 / rows as f64);
}

/// User and system time of all threads, to a hundredth. (A crate that reads the clock itself would
/// switch on features under DataFusion, and have all of it built again for this.)
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: Vec<u64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse().unwrap())
        .collect();
    ticks.iter().sum::<u64>() as f64 / 100.0
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.map_or("unknown".to_owned(), |line| {
        line["VmHWM:".len()..].trim().to_owned()
    })
}

/// 2025-11-01T00:00:00Z.
const FIRST_SECOND: i64 = 1_761_955_200;
const WEEK_MS: i64 = 7 * 86_400_000;

/// Machines that make Events, the same ones every time.
struct Fleet {
    random: u64,
    record: u64,
}

impl Fleet {
    fn new() -> Fleet {
        Fleet {
            random: 0x9e37_79b9_7f4a_7c15,
            record: 0,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    /// Small numbers more often than large ones.
    fn skewed(&mut self, limit: u64) -> u64 {
        let most = self.below(limit) + 1;
        self.below(most)
    }

    fn event(&mut self, at: usize, of: usize) -> String {
        let ms = FIRST_SECOND * 1_000 + WEEK_MS * at as i64 / of as i64;
        let time =
            jiff::Timestamp::from_microsecond(ms * 1_000 + self.below(1_000) as i64).unwrap();
        let computer = format!("WKS{:03}.corp.example", self.skewed(300));
        let user = self.skewed(5_000);
        self.record += 1;
        let (id, task, keywords, data) = match self.below(100) {
            0..45 => (4624, 12544, "0x8020000000000000", self.logon(user)),
            45..50 => (4625, 12544, "0x8010000000000000", self.failure(user)),
            50..85 => (4688, 13312, "0x8020000000000000", self.process(user)),
            85..90 => (4732, 13826, "0x8020000000000000", self.group(user)),
            90..94 => (4946, 13571, "0x8020000000000000", rule(user)),
            94..95 => return self.cleared(time, &computer, user),
            _ => return self.crash(time, &computer),
        };
        let (record, process, thread) = (self.record, 600 + self.below(8) * 4, self.below(9_000));
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/><EventID>{id}</EventID><Version>2</Version><Level>0</Level><Task>{task}</Task><Opcode>0</Opcode><Keywords>{keywords}</Keywords><TimeCreated SystemTime='{time}'/><EventRecordID>{record}</EventRecordID><Correlation/><Execution ProcessID='{process}' ThreadID='{thread}'/><Channel>Security</Channel><Computer>{computer}</Computer><Security/></System><EventData>{data}</EventData></Event>"
        )
    }

    fn address(&mut self) -> String {
        format!(
            "10.{}.{}.{}",
            self.skewed(8),
            self.skewed(250),
            self.below(250)
        )
    }

    fn logon(&mut self, user: u64) -> String {
        let (kind, logon, address) = (
            [2, 3, 3, 3, 5, 10][self.below(6) as usize],
            self.below(1 << 32),
            self.address(),
        );
        let (guid, port) = (self.below(u64::MAX), 49_152 + self.below(16_384));
        format!(
            "<Data Name='SubjectUserSid'>S-1-5-18</Data><Data Name='SubjectUserName'>WKS$</Data><Data Name='SubjectDomainName'>CORP</Data><Data Name='SubjectLogonId'>0x3e7</Data><Data Name='TargetUserSid'>S-1-5-21-3623811015-3361044348-30300820-{user}</Data><Data Name='TargetUserName'>user{user:04}</Data><Data Name='TargetDomainName'>CORP</Data><Data Name='TargetLogonId'>0x{logon:x}</Data><Data Name='LogonType'>{kind}</Data><Data Name='LogonProcessName'>Kerberos</Data><Data Name='AuthenticationPackageName'>Kerberos</Data><Data Name='WorkstationName'>-</Data><Data Name='LogonGuid'>{{{guid:016x}}}</Data><Data Name='TransmittedServices'>-</Data><Data Name='LmPackageName'>-</Data><Data Name='KeyLength'>0</Data><Data Name='ProcessId'>0x0</Data><Data Name='ProcessName'>-</Data><Data Name='IpAddress'>{address}</Data><Data Name='IpPort'>{port}</Data><Data Name='ImpersonationLevel'>%%1833</Data><Data Name='RestrictedAdminMode'>-</Data><Data Name='TargetOutboundUserName'>-</Data><Data Name='TargetOutboundDomainName'>-</Data><Data Name='VirtualAccount'>%%1843</Data><Data Name='TargetLinkedLogonId'>0x0</Data><Data Name='ElevatedToken'>%%1842</Data>"
        )
    }

    fn failure(&mut self, user: u64) -> String {
        let (address, port) = (self.address(), 49_152 + self.below(16_384));
        format!(
            "<Data Name='SubjectUserSid'>S-1-0-0</Data><Data Name='SubjectUserName'>-</Data><Data Name='SubjectDomainName'>-</Data><Data Name='SubjectLogonId'>0x0</Data><Data Name='TargetUserSid'>S-1-0-0</Data><Data Name='TargetUserName'>user{user:04}</Data><Data Name='TargetDomainName'>CORP</Data><Data Name='Status'>0xc000006d</Data><Data Name='FailureReason'>%%2313</Data><Data Name='SubStatus'>0xc000006a</Data><Data Name='LogonType'>3</Data><Data Name='LogonProcessName'>NtLmSsp </Data><Data Name='AuthenticationPackageName'>NTLM</Data><Data Name='WorkstationName'>WKS{user:04}</Data><Data Name='TransmittedServices'>-</Data><Data Name='LmPackageName'>-</Data><Data Name='KeyLength'>0</Data><Data Name='ProcessId'>0x0</Data><Data Name='ProcessName'>-</Data><Data Name='IpAddress'>{address}</Data><Data Name='IpPort'>{port}</Data>"
        )
    }

    fn process(&mut self, user: u64) -> String {
        const IMAGES: [&str; 6] = [
            r"C:\Windows\System32\svchost.exe",
            r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
            r"C:\Windows\System32\cmd.exe",
            r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE",
            r"C:\Windows\System32\conhost.exe",
            r"C:\Windows\explorer.exe",
        ];
        let (image, parent) = (
            IMAGES[self.skewed(6) as usize],
            IMAGES[self.skewed(6) as usize],
        );
        let (logon, new, old, file) = (
            self.below(1 << 32),
            self.below(9_000) * 4,
            self.below(9_000) * 4,
            self.below(900),
        );
        format!(
            "<Data Name='SubjectUserSid'>S-1-5-21-3623811015-3361044348-30300820-{user}</Data><Data Name='SubjectUserName'>user{user:04}</Data><Data Name='SubjectDomainName'>CORP</Data><Data Name='SubjectLogonId'>0x{logon:x}</Data><Data Name='NewProcessId'>0x{new:x}</Data><Data Name='NewProcessName'>{image}</Data><Data Name='TokenElevationType'>%%1938</Data><Data Name='ProcessId'>0x{old:x}</Data><Data Name='CommandLine'>&quot;{image}&quot; -NoProfile -File C:\\Scripts\\job{file}.ps1</Data><Data Name='TargetUserSid'>S-1-0-0</Data><Data Name='TargetUserName'>-</Data><Data Name='TargetDomainName'>-</Data><Data Name='TargetLogonId'>0x0</Data><Data Name='ParentProcessName'>{parent}</Data><Data Name='MandatoryLabel'>S-1-16-8192</Data>"
        )
    }

    fn group(&mut self, user: u64) -> String {
        let logon = self.below(1 << 32);
        format!(
            "<Data Name='MemberName'>CN=user{user:04},OU=Staff,DC=corp,DC=example</Data><Data Name='MemberSid'>S-1-5-21-3623811015-3361044348-30300820-{user}</Data><Data Name='TargetUserName'>Administrators</Data><Data Name='TargetDomainName'>Builtin</Data><Data Name='TargetSid'>S-1-5-32-544</Data><Data Name='SubjectUserSid'>S-1-5-21-3623811015-3361044348-30300820-500</Data><Data Name='SubjectUserName'>admin</Data><Data Name='SubjectDomainName'>CORP</Data><Data Name='SubjectLogonId'>0x{logon:x}</Data><Data Name='PrivilegeList'>-</Data>"
        )
    }

    fn cleared(&mut self, time: jiff::Timestamp, computer: &str, user: u64) -> String {
        let record = self.record;
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Eventlog' Guid='{{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}}'/><EventID>1102</EventID><Version>0</Version><Level>4</Level><Task>104</Task><Opcode>0</Opcode><Keywords>0x4020000000000000</Keywords><TimeCreated SystemTime='{time}'/><EventRecordID>{record}</EventRecordID><Correlation/><Execution ProcessID='1044' ThreadID='1332'/><Channel>Security</Channel><Computer>{computer}</Computer><Security/></System><UserData><LogFileCleared xmlns='http://manifests.microsoft.com/win/2004/08/windows/eventlog'><SubjectUserSid>S-1-5-21-3623811015-3361044348-30300820-{user}</SubjectUserSid><SubjectUserName>user{user:04}</SubjectUserName><SubjectDomainName>CORP</SubjectDomainName><SubjectLogonId>0x12cd5</SubjectLogonId></LogFileCleared></UserData></Event>"
        )
    }

    fn crash(&mut self, time: jiff::Timestamp, computer: &str) -> String {
        let (record, offset) = (self.record, self.below(1 << 24));
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Application Error'/><EventID Qualifiers='0'>100</EventID><Level>2</Level><Task>100</Task><Keywords>0x80000000000000</Keywords><TimeCreated SystemTime='{time}'/><EventRecordID>{record}</EventRecordID><Channel>Application</Channel><Computer>{computer}</Computer><Security/></System><EventData><Data>outlook.exe</Data><Data>16.0.17328.20162</Data><Data>6613a5f2</Data><Data>KERNELBASE.dll</Data><Data>10.0.19041.3996</Data><Data>c0000005</Data><Data>{offset:08x}</Data></EventData></Event>"
        )
    }
}

fn rule(user: u64) -> String {
    format!(
        "<Data Name='ProfileChanged'>All</Data><Data Name='RuleId'>{{rule-{user:08x}}}</Data><Data Name='RuleName'>Allow application {user}</Data>"
    )
}
