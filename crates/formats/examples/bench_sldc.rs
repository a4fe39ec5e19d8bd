//! CPU seconds of decoding and encoding the bodies of Windows Event Forwarding, per million
//! events, and megabytes of clear data a second.
//!
//! ```sh
//! cargo run --release -p windrow-formats --example bench_sldc [DIR-WITH-EVENT-XML]
//! ```
//!
//! A body holds 50 events as UTF-16, as Windows sends them. Without a folder the events are of
//! its own making: what differs from one to the next (ids, names, addresses, times) is random.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};
use windrow_formats::sldc::{Decoder, Encoder};
use windrow_formats::wsman::{Charset, encode};

/// Events of a body.
const BATCH: usize = 50;
/// Bodies that differ, so that no branch predictor learns one by heart.
const BODIES: usize = 40;
const ROUNDS: usize = 10;
const BYTES_MAX: usize = 64 << 20;

fn main() {
    let events = match std::env::args_os().nth(1).map(PathBuf::from) {
        Some(folder) => read_folder(&folder),
        None => events(BATCH * BODIES),
    };
    let clear: Vec<Vec<u8>> = events.chunks(BATCH).map(body).collect();
    let count: usize = events.len();
    let mut encoder = Encoder::new();
    let bodies: Vec<Vec<u8>> = clear
        .iter()
        .map(|clear| {
            let mut body = Vec::new();
            encoder.encode(clear, &mut body);
            body
        })
        .collect();
    let clear_bytes: usize = clear.iter().map(Vec::len).sum();
    let body_bytes: usize = bodies.iter().map(Vec::len).sum();
    println!(
        "{count} events in {} bodies: {} bytes each in UTF-16, {} compressed\n",
        bodies.len(),
        clear_bytes / count,
        body_bytes / count
    );
    let escaped = vec![vec![b'w'; 200_000]; BODIES];
    let stored: Vec<Vec<u8>> = escaped.iter().map(|clear| scheme_2(clear)).collect();

    let mut decoder = Decoder::new();
    report("sldc decode, scheme 1", count, clear_bytes, || {
        for body in &bodies {
            black_box(decoder.decode(body, BYTES_MAX).unwrap());
        }
    });
    report("sldc decode, scheme 2", count, 200_000 * BODIES, || {
        for body in &stored {
            black_box(decoder.decode(body, BYTES_MAX).unwrap());
        }
    });
    report("sldc encode", count, clear_bytes, || {
        for clear in &clear {
            let mut body = Vec::new();
            encoder.encode(clear, &mut body);
            black_box(body);
        }
    });
}

fn report(what: &str, events: usize, bytes: usize, mut round: impl FnMut()) {
    round();
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = cpu_seconds();
        round();
        best = best.min(cpu_seconds() - start);
    }
    println!(
        "  {:6.3} s per million  {what} ({:.0} MB/s)",
        best * 1e6 / events as f64,
        bytes as f64 / best / 1e6
    );
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A body of scheme 2 without a byte that has to be escaped.
fn scheme_2(clear: &[u8]) -> Vec<u8> {
    let mut bits = String::from("1111111110110");
    for byte in clear {
        write!(bits, "{byte:08b}").unwrap();
    }
    bits.push_str("1111111110100");
    while !bits.len().is_multiple_of(16) {
        bits.push('0');
    }
    let digits = bits.as_bytes().chunks(8);
    let mut body: Vec<u8> = digits
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    body.extend((clear.len() as u32).to_le_bytes());
    body
}

fn body(events: &[String]) -> Vec<u8> {
    let mut envelope = String::from("<s:Envelope><s:Body><w:Events>");
    for event in events {
        let action = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Event";
        write!(
            envelope,
            "<w:Event Action=\"{action}\"><![CDATA[{event}]]></w:Event>"
        )
        .unwrap();
    }
    envelope.push_str("</w:Events></s:Body></s:Envelope>");
    encode(&envelope, Charset::Utf16Le)
}

fn read_folder(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read(path).unwrap());
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

fn events(count: usize) -> Vec<String> {
    let mut random = Random(7);
    (0..count)
        .map(|number| event(number, &mut random))
        .collect()
}

const LOGON: &str = "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TargetUserSid \
    TargetUserName TargetDomainName TargetLogonId LogonType LogonProcessName \
    AuthenticationPackageName WorkstationName LogonGuid ProcessId ProcessName IpAddress IpPort";
const PROCESS: &str = "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId \
    NewProcessId NewProcessName TokenElevationType ProcessId CommandLine TargetUserSid \
    TargetUserName ParentProcessName MandatoryLabel";
const SPECIAL: &str =
    "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId PrivilegeList";

fn event(number: usize, random: &mut Random) -> String {
    let (id, task, items) = match random.below(10) {
        0..4 => (4624, 12544, LOGON),
        4..6 => (4634, 12545, SPECIAL),
        6..9 => (4688, 13312, PROCESS),
        _ => (4672, 12548, SPECIAL),
    };
    let mut event = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' \
         Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/><EventID>{id}</EventID>\
         <Version>2</Version><Level>0</Level><Task>{task}</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords>\
         <TimeCreated SystemTime='2026-03-14T13:54:{:02}.{:07}00Z'/>\
         <EventRecordID>{}</EventRecordID><Correlation ActivityID='{{{:08x}-7611-0000-bca5-{:012x}}}'/>\
         <Execution ProcessID='780' ThreadID='{}'/><Channel>Security</Channel>\
         <Computer>ws00001.corp.example</Computer><Security/></System><EventData>",
        number % 60,
        random.below(10_000_000),
        81_444 + number,
        random.below(1 << 32),
        random.below(1 << 48),
        random.below(9000),
    );
    for item in items.split(' ') {
        let value = value(item, random);
        write!(event, "<Data Name='{item}'>{value}</Data>").unwrap();
    }
    event.push_str("</EventData></Event>");
    event
}

fn value(item: &str, random: &mut Random) -> String {
    let any = random.below(1 << 32);
    match item {
        item if item.ends_with("Sid") => {
            format!("S-1-5-21-1604529354-1295832394-4197355770-{}", any % 3000)
        }
        item if item.ends_with("LogonId") || item.ends_with("ProcessId") => format!("0x{any:x}"),
        "LogonGuid" => format!("{{{any:08x}-0000-0000-0000-000000000000}}"),
        "IpAddress" => format!("10.{}.{}.{}", any % 4, any / 7 % 256, any / 97 % 256),
        "IpPort" | "LogonType" => (any % 65_536).to_string(),
        "PrivilegeList" => "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\t\
             SeRestorePrivilege\n\t\t\tSeTakeOwnershipPrivilege\n\t\t\tSeDebugPrivilege"
            .to_owned(),
        item if item.ends_with("ProcessName") => {
            format!(r"C:\Windows\System32\tool{:03}.exe", any % 200)
        }
        "CommandLine" => format!(
            r#""C:\Program Files\Vendor{}\agent.exe" --task {any:x} --quiet"#,
            any % 30
        ),
        item if item.ends_with("UserName") => format!("user{:04}", any % 2000),
        _ => "CORP".to_owned(),
    }
}

/// Numbers without a pattern, the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }
}
