//! The deliveries that the machines send: logons and processes, about 1.4 kB of text each.

use windrow_formats::sldc::Encoder;
use windrow_formats::wsman::{Charset, client, encode};

/// Bodies in the clear, each with the bytes of its events' XML.
pub(super) fn bodies(batches: usize, batch_events: usize) -> Vec<(usize, Vec<u8>)> {
    let mut random = Random(1);
    let request = client::Request {
        to: "https://localhost/wsman/subscriptions/1",
        machine_id: "ws1.corp.example",
        message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
        operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
    };
    (0..batches)
        .map(|batch| {
            let texts: Vec<String> = (0..batch_events)
                .map(|number| event_text(batch * batch_events + number, &mut random))
                .collect();
            let bookmark = format!(
                "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"{batch}\" IsCurrent=\"true\"/></BookmarkList>"
            );
            let xml = client::events(&request, "", Some(&bookmark), texts.iter().map(String::as_str));
            (texts.iter().map(String::len).sum(), encode(&xml, Charset::Utf16Le))
        })
        .collect()
}

pub(super) fn bodies_sldc(batches: usize, batch_events: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new();
    bodies(batches, batch_events)
        .into_iter()
        .map(|(_, clear)| {
            let mut body = Vec::new();
            encoder.encode(&clear, &mut body);
            body
        })
        .collect()
}

/// The same on every run (Vigna's xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

/// A logon, a logon that failed or a new process, with names and numbers that differ.
fn event_text(record_id: usize, random: &mut Random) -> String {
    let pick = random.next(3);
    let event_id = [4624, 4625, 4688][pick as usize];
    let data = match pick {
        0 | 1 => logon(random),
        _ => process(random),
    };
    let data: String = data
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>{event_id}</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords>\
         <TimeCreated SystemTime='2026-01-{:02}T{:02}:{:02}:{:02}.{:07}Z'/>\
         <EventRecordID>{record_id}</EventRecordID>\
         <Correlation ActivityID='{{8cb1229f-ce57-0000-8437-b18c57ced801}}'/>\
         <Execution ProcessID='{}' ThreadID='{}'/><Channel>Security</Channel>\
         <Computer>ws1.corp.example</Computer><Security/></System><EventData>{data}</EventData></Event>",
        1 + random.next(28),
        random.next(24),
        random.next(60),
        random.next(60),
        random.next(10_000_000),
        random.next(9999),
        random.next(9999),
    )
}

fn logon(random: &mut Random) -> [(&'static str, String); 16] {
    let user = random.next(500);
    [
        ("SubjectUserSid", "S-1-5-18".to_owned()),
        ("SubjectUserName", "WS1$".to_owned()),
        ("SubjectDomainName", "CORP".to_owned()),
        ("SubjectLogonId", "0x3e7".to_owned()),
        (
            "TargetUserSid",
            format!("S-1-5-21-1004336348-1177238915-682003330-{user}"),
        ),
        ("TargetUserName", format!("user{user}")),
        ("TargetDomainName", "CORP".to_owned()),
        ("TargetLogonId", format!("0x{:x}", random.next(1 << 30))),
        ("LogonType", (2 + random.next(9)).to_string()),
        ("LogonProcessName", "Advapi  ".to_owned()),
        ("AuthenticationPackageName", "Negotiate".to_owned()),
        ("WorkstationName", format!("WS{}", random.next(300))),
        (
            "LogonGuid",
            format!(
                "{{{:08x}-0000-0000-0000-000000000000}}",
                random.next(1 << 30)
            ),
        ),
        (
            "ProcessName",
            "C:\\Windows\\System32\\services.exe".to_owned(),
        ),
        (
            "IpAddress",
            format!("10.0.{}.{}", random.next(256), random.next(256)),
        ),
        ("IpPort", random.next(65536).to_string()),
    ]
}

fn process(random: &mut Random) -> [(&'static str, String); 16] {
    let user = random.next(500);
    [
        (
            "SubjectUserSid",
            format!("S-1-5-21-1004336348-1177238915-682003330-{user}"),
        ),
        ("SubjectUserName", format!("user{user}")),
        ("SubjectDomainName", "CORP".to_owned()),
        ("SubjectLogonId", format!("0x{:x}", random.next(1 << 30))),
        ("NewProcessId", format!("0x{:x}", random.next(1 << 16))),
        (
            "NewProcessName",
            format!("C:\\Program Files\\Tool {}\\tool.exe", random.next(40)),
        ),
        ("TokenElevationType", "%%1936".to_owned()),
        ("ProcessId", format!("0x{:x}", random.next(1 << 16))),
        (
            "CommandLine",
            format!(
                "\"tool.exe\" --job {} --out C:\\Temp\\{:x}.log",
                random.next(9999),
                random.next(1 << 30)
            ),
        ),
        ("TargetUserSid", "S-1-0-0".to_owned()),
        ("TargetUserName", "-".to_owned()),
        ("TargetDomainName", "-".to_owned()),
        ("TargetLogonId", "0x0".to_owned()),
        ("ParentProcessName", "C:\\Windows\\explorer.exe".to_owned()),
        ("MandatoryLabel", "S-1-16-8192".to_owned()),
        ("Reserved", String::new()),
    ]
}
