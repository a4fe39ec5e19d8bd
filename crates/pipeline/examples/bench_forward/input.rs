//! What is forwarded: the same logons as a journal and as a file of messages.

use std::io::Write as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use windrow_formats::batch::{self, Flags, Header, Kind};
use windrow_formats::cef::Profile;
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::syslog::{Encoder, Settings};
use windrow_pipeline::journal::{Entry, Journal, JournalOptions};

const BATCH_EVENTS: u64 = 50;

/// Sizes, on average.
pub(crate) struct Made {
    pub(crate) event_bytes: u64,
    pub(crate) azure_stack_bytes: u64,
    pub(crate) standard_bytes: u64,
}

/// Writes the journal, `lines`, and the receiver's certificate and key.
pub(crate) fn make(folder: &Path, events: u64) -> Made {
    certificate(folder);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(folder, events));
    let mut lines = std::io::BufWriter::new(std::fs::File::create(folder.join("lines")).unwrap());
    let [mut azure_stack, mut standard] =
        [Profile::AzureStack, Profile::Standard].map(|profile| Encoder::new(settings(profile)));
    let (mut index, mut message) = (Index::default(), Vec::new());
    let (mut event_bytes, mut azure_stack_bytes, mut standard_bytes) = (0, 0, 0);
    for id in 1..=events {
        let text = logon(id);
        parse(&text, &mut index).unwrap();
        event_bytes += text.len() as u64;
        let event = Event::new(&text, &index);
        message.clear();
        standard.encode(event, &header(), &mut message).unwrap();
        standard_bytes += message.len() as u64;
        message.clear();
        azure_stack.encode(event, &header(), &mut message).unwrap();
        azure_stack_bytes += message.len() as u64;
        lines.write_all(&message).unwrap();
    }
    lines.flush().unwrap();
    Made {
        event_bytes: event_bytes / events,
        azure_stack_bytes: azure_stack_bytes / events,
        standard_bytes: standard_bytes / events,
    }
}

/// Lines of one profile.
pub(crate) fn settings(profile: Profile) -> Settings {
    let mut settings = Settings::default();
    settings.cef.profile = profile;
    settings
}

pub(crate) fn open(folder: &Path) -> Journal {
    let options = JournalOptions {
        keep_segments: 10_000,
        ..JournalOptions::new(folder.join("journal"))
    };
    Journal::open(options).unwrap().0
}

async fn fill(folder: &Path, events: u64) {
    let journal = open(folder);
    let mut index = Index::default();
    for first in (1..=events).step_by(BATCH_EVENTS as usize) {
        let mut encoder = batch::Encoder::new(&header());
        for id in first..(first + BATCH_EVENTS).min(events + 1) {
            let text = logon(id);
            parse(&text, &mut index).unwrap();
            encoder.push(&text, Flags::NONE, &index);
        }
        let entry = Entry {
            events: encoder.events(),
            body: encoder.finish(),
            state: None,
        };
        journal.append(entry).await.unwrap();
    }
    journal.close().await;
}

fn certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("certificate"), certificate.der()).unwrap();
    std::fs::write(folder.join("key"), key.serialize_der()).unwrap();
}

fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "dc-01.corp.example.com".to_owned(),
        address: None,
        subscription: Some("main".to_owned()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// A logon as a domain controller writes it, with what differs from one to the next.
fn logon(id: u64) -> String {
    let random = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    format!(
        concat!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>",
            "<Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>",
            "<EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>",
            "<Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-11-21T08:09:10.{:07}Z'/>",
            "<EventRecordID>{}</EventRecordID><Correlation ActivityID='{{c8f40d7c-3764-423b-a4fa-c99444{:06x}}}'/>",
            "<Execution ProcessID='704' ThreadID='{}'/><Channel>Security</Channel><Computer>dc-{:02}.corp.example.com</Computer>",
            "<Security/></System><EventData><Data Name='SubjectUserSid'>S-1-0-0</Data><Data Name='SubjectUserName'>-</Data>",
            "<Data Name='SubjectDomainName'>-</Data><Data Name='SubjectLogonId'>0x0</Data>",
            "<Data Name='TargetUserSid'>S-1-5-21-1004336348-1177238915-682003330-{}</Data><Data Name='TargetUserName'>user{}</Data>",
            "<Data Name='TargetDomainName'>CORP</Data><Data Name='TargetLogonId'>0x{:x}</Data><Data Name='LogonType'>3</Data>",
            "<Data Name='LogonProcessName'>Kerberos</Data><Data Name='AuthenticationPackageName'>Kerberos</Data>",
            "<Data Name='WorkstationName'>-</Data><Data Name='LogonGuid'>{{0f8fad5b-d9cb-469f-a165-70867728{:04x}}}</Data>",
            "<Data Name='TransmittedServices'>-</Data><Data Name='LmPackageName'>-</Data><Data Name='KeyLength'>0</Data>",
            "<Data Name='ProcessId'>0x0</Data><Data Name='ProcessName'>-</Data><Data Name='IpAddress'>10.20.{}.{}</Data>",
            "<Data Name='IpPort'>{}</Data><Data Name='ImpersonationLevel'>%%1833</Data><Data Name='RestrictedAdminMode'>-</Data>",
            "<Data Name='TargetOutboundUserName'>-</Data><Data Name='TargetOutboundDomainName'>-</Data>",
            "<Data Name='VirtualAccount'>%%1843</Data><Data Name='TargetLinkedLogonId'>0x0</Data>",
            "<Data Name='ElevatedToken'>%%1842</Data></EventData></Event>"
        ),
        random % 10_000_000,
        id,
        random % 0xFF_FFFF,
        random % 8_000,
        random % 20,
        random % 60_000,
        random % 5_000,
        random,
        random % 0xFFFF,
        random / 7 % 256,
        random / 11 % 256,
        random % 65_536,
    )
}
