//! CPU seconds per million Events through many queries at once, and through one.
//!
//! ```sh
//! cargo run --release -p windrow-formats --example bench_xpath [DIR-WITH-QUERY-LISTS [DIR-WITH-EVENT-XML]]
//! ```
//!
//! Without folders it takes 50 queries and 12 kinds of Events of its own making, in the
//! proportions that a domain's machines send them.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::xpath::{Filter, FilterSet, Matches};

const EVENTS: usize = 1_000_000;
/// Places in the mix: a prime, so that no pattern of the loop meets one of the mix.
const MIX: usize = 997;

fn main() {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let queries = match folders.next() {
        Some(folder) => read_queries(&folder),
        None => QUERIES.iter().map(|query| (*query).to_owned()).collect(),
    };
    let texts = match folders.next() {
        Some(folder) => read_folder(&folder),
        None => mix(),
    };
    let filters: Vec<_> = queries
        .iter()
        .filter_map(|query| Filter::compile(query).ok())
        .collect();
    let indexes: Vec<Index> = texts
        .iter()
        .map(|text| {
            let mut index = Index::new();
            let _ = parse(text, &mut index);
            index
        })
        .collect();
    let events: Vec<_> = texts
        .iter()
        .zip(&indexes)
        .map(|(text, index)| Event::new(text, index))
        .collect();
    measure(&filters, &events);
}

fn measure(filters: &[Filter], events: &[Event<'_>]) {
    let now: Timestamp = "2026-03-14T14:00:00Z".parse().unwrap();
    let count = filters.len();
    let set = FilterSet::new(filters.to_vec()).unwrap();
    let mut matches = Matches::new();
    let hits: usize = events
        .iter()
        .map(|event| {
            set.find(*event, now, &mut matches);
            matches.iter().count()
        })
        .sum();
    println!(
        "{count} queries, {} events, {:.2} matches an event",
        events.len(),
        hits as f64 / events.len() as f64
    );
    report(&format!("{count} queries as a set"), |place| {
        set.find(events[place % events.len()], now, &mut matches);
        black_box(&matches);
    });
    report(&format!("any of {count} queries"), |place| {
        black_box(set.any(events[place % events.len()], now));
    });
    report(&format!("{count} queries one by one"), |place| {
        let event = events[place % events.len()];
        for filter in filters {
            black_box(filter.matches(event, now));
        }
    });
    let one = Filter::compile("*[EventData[Data[@Name='TargetUserSid']='S-1-5-18']]").unwrap();
    report("one query of an item", |place| {
        black_box(one.matches(events[place % events.len()], now));
    });
}

fn report(what: &str, mut event: impl FnMut(usize)) {
    (0..EVENTS / 20).for_each(&mut event);
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = cpu_seconds();
        (0..EVENTS).for_each(&mut event);
        best = best.min(cpu_seconds() - start);
    }
    println!("  {best:6.3} s per million  {what}");
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn read_folder(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// The selects of the query lists below a folder, each as a query of its own: the first 50.
fn read_queries(folder: &Path) -> Vec<String> {
    let mut queries = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(xml) = std::fs::read_to_string(&path) {
                queries.extend(selects(&xml));
            }
        }
    }
    queries.sort();
    queries.dedup();
    // Spread over all of them, since neighbours are alike.
    let step = (queries.len() / 50).max(1);
    queries.into_iter().step_by(step).take(50).collect()
}

fn selects(xml: &str) -> Vec<String> {
    let selects = xml.split("<Select ").skip(1);
    selects
        .filter_map(|select| {
            let select = &select[..select.find("</Select>")?];
            Some(format!(
                "<QueryList><Query><Select {select}</Select></Query></QueryList>"
            ))
        })
        .filter(|list| Filter::compile(list).is_ok())
        .collect()
}

/// Channel, provider, EventID, level, share of the mix in thousandths, names of its items.
type Kind = (
    &'static str,
    &'static str,
    u32,
    u32,
    usize,
    &'static [&'static str],
);

const SECURITY: &str = "Microsoft-Windows-Security-Auditing";
const SYSMON: &str = "Microsoft-Windows-Sysmon";

const LOGON: &[&str] = &[
    "SubjectUserSid",
    "SubjectUserName",
    "SubjectDomainName",
    "SubjectLogonId",
    "TargetUserSid",
    "TargetUserName",
    "TargetDomainName",
    "TargetLogonId",
    "LogonType",
    "LogonProcessName",
    "AuthenticationPackageName",
    "WorkstationName",
    "LogonGuid",
    "TransmittedServices",
    "LmPackageName",
    "KeyLength",
    "ProcessId",
    "ProcessName",
    "IpAddress",
    "IpPort",
    "ImpersonationLevel",
    "RestrictedAdminMode",
    "VirtualAccount",
    "TargetLinkedLogonId",
    "ElevatedToken",
];
const PROCESS: &[&str] = &[
    "SubjectUserSid",
    "SubjectUserName",
    "SubjectDomainName",
    "SubjectLogonId",
    "NewProcessId",
    "NewProcessName",
    "TokenElevationType",
    "ProcessId",
    "CommandLine",
    "TargetUserSid",
    "TargetUserName",
    "TargetDomainName",
    "TargetLogonId",
    "ParentProcessName",
    "MandatoryLabel",
];
const OBJECT: &[&str] = &[
    "SubjectUserSid",
    "SubjectUserName",
    "SubjectDomainName",
    "SubjectLogonId",
    "ObjectServer",
    "ObjectType",
    "ObjectName",
    "HandleId",
    "AccessList",
    "AccessMask",
    "ProcessId",
    "ProcessName",
];
const LOGOFF: &[&str] = &[
    "TargetUserSid",
    "TargetUserName",
    "TargetDomainName",
    "TargetLogonId",
    "LogonType",
];
const PRIVILEGES: &[&str] = &[
    "SubjectUserSid",
    "SubjectUserName",
    "SubjectDomainName",
    "SubjectLogonId",
    "PrivilegeList",
];
const SHORT: &[&str] = &["param1", "param2", "Binary"];

const KINDS: [Kind; 12] = [
    ("Security", SECURITY, 4624, 0, 210, LOGON),
    ("Security", SECURITY, 4634, 0, 190, LOGOFF),
    ("Security", SECURITY, 4672, 0, 120, PRIVILEGES),
    ("Security", SECURITY, 4688, 0, 150, PROCESS),
    ("Security", SECURITY, 4663, 0, 70, OBJECT),
    ("Security", SECURITY, 4625, 0, 10, LOGON),
    ("Security", SECURITY, 5156, 0, 60, OBJECT),
    (
        "Microsoft-Windows-Sysmon/Operational",
        SYSMON,
        1,
        4,
        70,
        PROCESS,
    ),
    (
        "Microsoft-Windows-Sysmon/Operational",
        SYSMON,
        3,
        4,
        50,
        OBJECT,
    ),
    (
        "Microsoft-Windows-PowerShell/Operational",
        "Microsoft-Windows-PowerShell",
        4104,
        5,
        30,
        SHORT,
    ),
    ("System", "Service Control Manager", 7036, 4, 30, SHORT),
    ("Application", "MsiInstaller", 1033, 4, 10, SHORT),
];

fn mix() -> Vec<String> {
    let shares: usize = KINDS.iter().map(|kind| kind.4).sum();
    (0..MIX)
        .map(|place| {
            // Every kind is spread evenly over the mix.
            let mut at = place * 619 % shares;
            let kind = KINDS.iter().find(|kind| {
                let is_here = at < kind.4;
                at = at.saturating_sub(kind.4);
                is_here
            });
            text(kind.unwrap(), place)
        })
        .collect()
}

fn text((channel, provider, id, level, _, items): &Kind, number: usize) -> String {
    let items: Vec<_> = items
        .iter()
        .map(|name| {
            let value = match *name {
                "SubjectUserSid" | "TargetUserSid" if number.is_multiple_of(3) => {
                    "S-1-5-18".to_owned()
                }
                "LogonType" => (2 + number % 4).to_string(),
                "ObjectType" => ["Key", "File"][number % 2].to_owned(),
                "AccessMask" => format!("0x{:x}", 1 << (number % 20)),
                "CommandLine" => format!("\"C:\\Program Files\\x.exe\" &amp; run {number}"),
                _ => format!("value-{number}-of-{name}"),
            };
            format!("<Data Name='{name}'>{value}</Data>")
        })
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='{provider}' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>{id}</EventID><Version>2</Version><Level>{level}</Level><Task>12544</Task>\
         <Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords>\
         <TimeCreated SystemTime='2026-03-14T13:54:16.6138329Z'/><EventRecordID>{number}</EventRecordID>\
         <Correlation/><Execution ProcessID='780' ThreadID='8372'/><Channel>{channel}</Channel>\
         <Computer>WKS10001.corp.example</Computer><Security/></System>\
         <EventData>{}</EventData></Event>",
        items.concat()
    )
}

/// Written for this benchmark, in the shapes and proportions of published query lists: mostly
/// EventIDs of one channel, some providers, ranges and masks, some items.
const QUERIES: [&str; 50] = [
    "Security!*[System[(EventID=4624)]]",
    "Security!*[System[(EventID=4625 or EventID=4648)]]",
    "Security!*[System[(EventID=4634 or EventID=4647)]]",
    "Security!*[System[(EventID=4672 or EventID=4964)]]",
    "Security!*[System[(EventID >=4720 and EventID <=4767)]]",
    "Security!*[System[(EventID=4688 or EventID=4689 or EventID=4696)]]",
    "Security!*[System[(EventID=1100 or EventID=1102 or EventID=1104)]]",
    "Security!*[System[(EventID >=5140 and EventID <=5168)]]",
    "Security!*[System[(EventID=5152 or EventID=5156 or EventID=5157)]]",
    "Security!*[System[(EventID=4697 or EventID=4698 or EventID=4702)]]",
    "Security!*[System[(EventID=4719 or EventID=4902 or (EventID >= 4904 and EventID <= 4908))]]",
    "Security!*[System[(EventID=4768 or EventID=4769 or EventID=4771 or EventID=4776)]]",
    "Security!*[System[Provider[@Name='Microsoft-Windows-Security-Auditing'] and (Level=0 or Level=4) and EventID=4740]]",
    "Security!*[System[Provider[@Name='Microsoft-Windows-Security-Auditing'] and (Level=0 or Level=4) and (EventID=5038 or EventID=6281)]]",
    "Security!*[System[Provider[@Name='Microsoft-Windows-Eventlog'] and Level=4 and EventID=1102]]",
    "Security!*[System[EventID=4624]] and *[EventData[Data[@Name='LogonType']='10']]",
    "Security!*[System[EventID=4624]] and *[EventData[Data[@Name='TargetUserSid'] != 'S-1-5-18' and Data[@Name='LogonType']=3]]",
    "Security!*[System[EventID=4688]] and *[EventData[Data[@Name='TokenElevationType']='%%1937']]",
    "Security!*[System[(EventID=4663)]] and ((*[EventData[Data[@Name='ObjectType']='Key']] and *[EventData[band(Data[@Name='AccessMask'], 9240582)]]) or *[EventData[Data[@Name='ObjectType']='File']])",
    "Security!*[System[EventID=4662]] and *[EventData[Data[@Name='ObjectServer']='WMI' and Data[@Name='ObjectName']='root']]",
    "Security!*[System[band(Keywords,4503599627370496)]]",
    "Security!*[System[band(Keywords,4503599627370496) and (EventID=4625 or EventID=4771)]]",
    "Security!*[System[TimeCreated[timediff(@SystemTime) <= 86400000] and (EventID=4728 or EventID=4732)]]",
    "Security!*[EventData[Data[@Name='SubjectUserSid']='S-1-5-21-1-2-3-500']]",
    "System!*[System[Provider[@Name='Service Control Manager'] and (EventID=7040 or EventID=7045)]]",
    "System!*[System[Provider[@Name='Service Control Manager'] and (Level=1 or Level=2 or Level=3) and (EventID=7022 or EventID=7023 or EventID=7031 or EventID=7034)]]",
    "System!*[System[Provider[@Name='Microsoft-Windows-Eventlog'] and (EventID=104)]]",
    "System!*[System[Provider[@Name='Microsoft-Windows-Kernel-General'] and (EventID=12 or EventID=13)]]",
    "System!*[System[Provider[@Name='Microsoft-Windows-GroupPolicy']]]",
    "System!*[System[(EventID=41 or EventID=1001 or EventID=6008)]]",
    "System!*[System[(Level=1 or Level=2)]]",
    "Application!*[System[Provider[@Name='Application Error'] and Level=2 and EventID=1000]]",
    "Application!*[System[Provider[@Name='Application Error' or @Name='Application Hang'] and (Level=2)]]",
    "Application!*[System[Provider[@Name='MsiInstaller'] and (EventID=1022 or EventID=1033)]]",
    "Application!*[System[Provider[@Name='Windows Error Reporting'] and Level=4 and EventID=1001]]",
    "Setup!*[System[Provider[@Name='Microsoft-Windows-Servicing'] and EventID=2]] and *[UserData[CbsPackageChangeState[IntendedPackageState='Installed']]]",
    "Microsoft-Windows-Sysmon/Operational!*[System[(EventID=1 or EventID=2 or EventID=255)]]",
    "Microsoft-Windows-Sysmon/Operational!*[System[(EventID=3)]] and *[EventData[Data[@Name='ObjectType']!='Key']]",
    "Microsoft-Windows-Sysmon/Operational!*[System[(EventID >= 8 and EventID <= 18)]]",
    "Microsoft-Windows-PowerShell/Operational!*[System[(EventID=4103 or (EventID=4104 and Level!=5))]]",
    "Windows PowerShell!*[System[(EventID=400 or EventID=600 or EventID=800)]]",
    "Microsoft-Windows-TaskScheduler/Operational!*[System[(EventID=106 or EventID=140 or EventID=141)]]",
    "Microsoft-Windows-Windows Defender/Operational!*[System[(EventID >= 1006 and EventID <= 1009)]]",
    "Microsoft-Windows-Windows Defender/Operational!*[System[(EventID=1116 or EventID=1117 or EventID=5007)]]",
    "Microsoft-Windows-AppLocker/EXE and DLL!*[System[(Level=2 or Level=3) and (EventID=8003 or EventID=8004)]]",
    "Microsoft-Windows-CodeIntegrity/Operational!*[System[(EventID >= 3001 and EventID <= 3004)]]",
    "Microsoft-Windows-WMI-Activity/Operational!*[System[(EventID=5857 or EventID=5860 or EventID=5861)]]",
    "Microsoft-Windows-Bits-Client/Operational!*[System[(EventID=59 or EventID=60)]]",
    "Microsoft-Windows-DNS-Client/Operational!*[System[(EventID=3008)]]",
    "*[System[EventID=4732 or EventID=4756]]",
];
