//! CPU seconds per million Events for parsing, for encoding and decoding the Index, and for
//! turning what it says into CEF.
//!
//! ```sh
//! cargo run --release -p windrow-formats --example bench_event [DIR-WITH-EVENT-XML]
//! ```
//!
//! Without a folder it takes three Events of its own making: a logon of 1.7 kB, the same
//! rendered, and a UserData tree.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use windrow_formats::batch::{Batch, Encoder, Flags, Header, Kind};
use windrow_formats::cef::Profile;
use windrow_formats::criticality::OutputSeverity;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::identity;
use windrow_formats::syslog;

const EVENTS: usize = 1_000_000;

fn main() {
    let sets = match std::env::args_os().nth(1) {
        Some(folder) => vec![("folder", read_folder(folder.as_ref()))],
        None => vec![
            ("logon 4624", vec![logon()]),
            ("logon 4624, rendered", vec![rendered_logon()]),
            ("user data", vec![user_data()]),
        ],
    };
    for (name, texts) in sets {
        measure_set(name, &texts);
    }
}

fn measure_set(name: &str, texts: &[String]) {
    let bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "{name}: {} events, {} bytes on average",
        texts.len(),
        bytes / texts.len()
    );
    let mut index = Index::new();
    let mut decoded = Index::new();
    let encoded: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            let _ = parse(text, &mut index);
            let mut bytes = Vec::new();
            index.encode(&mut bytes);
            bytes
        })
        .collect();
    let index_bytes: usize = encoded.iter().map(Vec::len).sum();
    println!("  index: {} bytes on average", index_bytes / texts.len());

    report("parse", |place| {
        let _ = black_box(parse(&texts[place % texts.len()], &mut index));
    });
    let mut out = Vec::new();
    report("parse and encode", |place| {
        let _ = black_box(parse(&texts[place % texts.len()], &mut index));
        out.clear();
        index.encode(&mut out);
        black_box(&out);
    });
    report("decode", |place| {
        let place = place % texts.len();
        decoded.decode(&encoded[place], &texts[place]).unwrap();
        black_box(&decoded);
    });
    report("read every value", |place| {
        let place = place % texts.len();
        decoded.decode(&encoded[place], &texts[place]).unwrap();
        let event = Event::new(&texts[place], &decoded);
        black_box((
            event.provider_name(),
            event.channel(),
            event.computer(),
            event.event_id(),
        ));
        event.data().for_each(|item| drop(black_box(item)));
        event.user_data().for_each(|leaf| drop(black_box(leaf)));
    });
    measure_cef(texts, &encoded);
    report("identity", |place| {
        let place = place % texts.len();
        decoded.decode(&encoded[place], &texts[place]).unwrap();
        black_box(identity("host", Event::new(&texts[place], &decoded)));
    });
    measure_batches(texts, &decoded);
}

fn measure_cef(texts: &[String], encoded: &[Vec<u8>]) {
    let (mut decoded, mut out) = (Index::new(), Vec::new());
    for (what, profile) in [
        ("index to cef", Profile::AzureStack),
        ("index to cef, profile standard", Profile::Standard),
    ] {
        let mut settings = syslog::Settings::default();
        settings.cef.profile = profile;
        let (mut syslog, header) = (syslog::Encoder::new(settings), header());
        report(what, |place| {
            let place = place % texts.len();
            decoded.decode(&encoded[place], &texts[place]).unwrap();
            out.clear();
            let event = Event::new(&texts[place], &decoded);
            let _ = black_box(syslog.encode(event, &header, &mut out));
        });
    }
    report("what is forwarded by default", |place| {
        let place = place % texts.len();
        decoded.decode(&encoded[place], &texts[place]).unwrap();
        let event = Event::new(&texts[place], &decoded);
        black_box(OutputSeverity::Default.keeps(event, Kind::Wef));
    });
}

fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "host.example".into(),
        address: None,
        subscription: Some("main".into()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn measure_batches(texts: &[String], index: &Index) {
    let header = header();
    let mut encoder = Encoder::new(&header);
    report("batch of 50: encode", |place| {
        let text = &texts[place % texts.len()];
        if encoder.events() == 50 {
            let full = std::mem::replace(&mut encoder, Encoder::new(&header));
            black_box(full.finish());
        }
        encoder.push(text, Flags::NONE, index);
    });
    let mut encoder = Encoder::new(&header);
    (0..50).for_each(|place| encoder.push(&texts[place % texts.len()], Flags::NONE, index));
    let batch = encoder.finish();
    report("batch of 50: decode without indexes", |place| {
        if place % 50 == 0 {
            let batch = Batch::decode(&batch).unwrap();
            batch
                .records()
                .for_each(|record| assert!(black_box(record).is_ok()));
        }
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

fn read_folder(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

const SYSTEM: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>\
    <System><Provider Name='Microsoft-Windows-Security-Auditing' \
    Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID>4624</EventID><Version>2</Version>\
    <Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords>\
    <TimeCreated SystemTime='2026-03-14T13:54:16.6138329Z'/><EventRecordID>81444</EventRecordID>\
    <Correlation ActivityID='{b073a4bf-7611-0000-bca5-73b01176da01}'/>\
    <Execution ProcessID='780' ThreadID='8372'/><Channel>Security</Channel>\
    <Computer>WKS10001.corp.example</Computer><Security/></System>";

const LOGON: [(&str, &str); 27] = [
    ("SubjectUserSid", "S-1-5-18"),
    ("SubjectUserName", "WKS10001$"),
    ("SubjectDomainName", "CORP"),
    ("SubjectLogonId", "0x3e7"),
    (
        "TargetUserSid",
        "S-1-5-21-1604529354-1295832394-4197355770-1001",
    ),
    ("TargetUserName", "jdoe"),
    ("TargetDomainName", "CORP"),
    ("TargetLogonId", "0x8b5fc2"),
    ("LogonType", "2"),
    ("LogonProcessName", "User32 "),
    ("AuthenticationPackageName", "Negotiate"),
    ("WorkstationName", "WKS10001"),
    ("LogonGuid", "{00000000-0000-0000-0000-000000000000}"),
    ("TransmittedServices", "-"),
    ("LmPackageName", "-"),
    ("KeyLength", "0"),
    ("ProcessId", "0x5c8"),
    ("ProcessName", "C:\\Windows\\System32\\svchost.exe"),
    ("IpAddress", "127.0.0.1"),
    ("IpPort", "0"),
    ("ImpersonationLevel", "%%1833"),
    ("RestrictedAdminMode", "-"),
    ("TargetOutboundUserName", "-"),
    ("TargetOutboundDomainName", "-"),
    ("VirtualAccount", "%%1843"),
    ("TargetLinkedLogonId", "0x8b5fe0"),
    ("ElevatedToken", "%%1842"),
];

fn logon_data() -> String {
    let items = LOGON.map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"));
    format!("<EventData>{}</EventData>", items.concat())
}

fn logon() -> String {
    format!("{SYSTEM}{}</Event>", logon_data())
}

fn rendered_logon() -> String {
    let lines = LOGON.map(|(name, value)| format!("&#9;{name}:&#9;&#9;{value}&#13;&#10;"));
    format!(
        "{SYSTEM}{}<RenderingInfo Culture='en-US'><Message>A logon took place.&#13;&#10;{}\
         </Message><Level>Information</Level><Task>Logon</Task><Opcode>Info</Opcode>\
         <Channel>Security</Channel><Provider>Microsoft Windows security auditing.</Provider>\
         <Keywords><Keyword>Audit Success</Keyword></Keywords></RenderingInfo></Event>",
        logon_data(),
        lines.concat()
    )
}

fn user_data() -> String {
    let leaves = LOGON.map(|(name, value)| format!("<{name}>{value}</{name}>"));
    format!(
        "{SYSTEM}<UserData><LogFileCleared xmlns='http://manifests.microsoft.com/win/2004/08/\
         windows/eventlog'>{}</LogFileCleared></UserData></Event>",
        leaves.concat()
    )
}
