//! Writes what each target's corpus begins with: whole, valid inputs of our own making.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```
#![allow(clippy::disallowed_methods, reason = "a tool: an error may end it")]

use std::fs;
use std::io::Result;
use std::path::Path;
use std::sync::Arc;

use windrow_formats::batch::{Encoder, Flags};
use windrow_formats::event::{Index, parse};
use windrow_formats::sldc;
use windrow_formats::wsman::client::{self, Request};
use windrow_formats::wsman::multipart::{self, Protocol};
use windrow_formats::wsman::{Charset, encode};
use windrow_fuzz::journal::storage::Memory;
use windrow_fuzz::journal::{Entry, Journal, JournalOptions, Start, StateChange};
use windrow_fuzz::{DIR, VERSION, header};

const SYSTEM: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
    <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/>\
    <EventID Qualifiers='7'>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task>\
    <Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords>\
    <TimeCreated SystemTime='2026-03-14T13:54:16.6138329Z'/><EventRecordID>81444</EventRecordID>\
    <Correlation ActivityID='{b073a4bf-7611-0000-bca5-73b01176da01}'/>\
    <Execution ProcessID='780' ThreadID='8372'/><Channel>Security</Channel>\
    <Computer>w1.example</Computer><Security UserID='S-1-5-18'/></System>";

const BOOKMARK: &str =
    "<BookmarkList><Bookmark Channel='Security' RecordId='81444' IsCurrent='true'/></BookmarkList>";

const QUERIES: [&str; 6] = [
    "*[System[Provider[@Name='x' or @Guid!=\"y\"] and (EventID>=4624 and EventID<4700)]]",
    "Security!*[System[band(Keywords,0x10) and TimeCreated[timediff(@SystemTime) <= 86400000]]]",
    "Event/EventData[Data[@Name='A']='1' and Data[2]!=1.5 OR Data[position()<3]/text()]",
    "*[UserData/*/C[D='2']/@k and RenderingInfo/Keywords/Keyword='k']",
    "<QueryList><Query Path='Security'><Select>*[System[EventID&lt;5000]]</Select><Suppress><![CDATA[*]]></Suppress></Query></QueryList>",
    "*[System/TimeCreated[@SystemTime>'2026-03-14T00:00:00Z' and timediff(1, @SystemTime)>-1]] and *[*/EventID='4624']",
];

fn main() -> Result<()> {
    let events = events();
    for (number, event) in events.iter().enumerate() {
        write("event", number, event.as_bytes())?;
        write("cef", number, format!("{number}{event}").as_bytes())?;
        let standard = [&[0x20 | 0x40 | number as u8], event.as_bytes()].concat();
        write("cef", events.len() + number, &standard)?;
        // An index that was stored: the profile of its first byte, text and index halved.
        let stored = [&[0x80 | 0x20 | number as u8], index(event).as_slice()].concat();
        write("cef", 2 * events.len() + number, &stored)?;
        write("index", number, &index(event))?;
    }
    write("batch", 0, &batch(&events))?;
    for (number, envelope) in envelopes(&events).iter().enumerate() {
        let utf16 = encode(envelope, Charset::Utf16Le);
        write("soap", number, &[&[1], utf16.as_slice()].concat())?;
        let mut body = Vec::new();
        sldc::Encoder::new().encode(&utf16, &mut body);
        write("sldc", number, &body)?;
        write("multipart", number, &sealed(number, &body))?;
    }
    for (number, query) in QUERIES.iter().enumerate() {
        let event = &events[number % events.len()];
        write("xpath", number, format!("{query}\0{event}").as_bytes())?;
    }
    for (number, file) in subscriptions().iter().enumerate() {
        write("subscription", number, file)?;
    }
    for (number, file) in pfx::files().iter().enumerate() {
        write("pfx", number, file)?;
    }
    write("journal", 0, &journal())
}

/// Subscriptions as Windows writes them, with everything that is read; and a query alone.
fn subscriptions() -> Vec<Vec<u8>> {
    let query = QUERIES[4];
    let section = query.replace("]]>", "]]]]><![CDATA[>");
    let whole = format!(
        "<Subscription xmlns='http://schemas.microsoft.com/2006/03/windows/events/subscription'>\
         <SubscriptionId>a</SubscriptionId><SubscriptionType>SourceInitiated</SubscriptionType>\
         <Description>b</Description><Enabled>true</Enabled><ConfigurationMode>Custom</ConfigurationMode>\
         <Delivery Mode='Push'><Batching><MaxItems>5</MaxItems><MaxLatencyTime>1000</MaxLatencyTime></Batching>\
         <PushSettings><Heartbeat Interval='40000'/></PushSettings></Delivery><Query><![CDATA[{section}]]></Query>\
         <ReadExistingEvents>1</ReadExistingEvents><ContentFormat>Events</ContentFormat><Locale Language='en-US'/>\
         <LogFile>c</LogFile><AllowedSourceNonDomainComputers><AllowedIssuerCAList><IssuerCA>d</IssuerCA>\
         </AllowedIssuerCAList><AllowedSubjectList><Subject>*.e</Subject></AllowedSubjectList>\
         </AllowedSourceNonDomainComputers><AllowedSourceDomainComputers>O:NSG:NSD:(A;;GA;;;DC)(D;;GA;;;S-1-1)\
         </AllowedSourceDomainComputers></Subscription>"
    );
    let escaped = query.replace('&', "&amp;").replace('<', "&lt;");
    let least = format!(
        "<Subscription xmlns='http://schemas.microsoft.com/2006/03/windows/events/subscription'>\
         <SubscriptionId>a</SubscriptionId><Query>{escaped}</Query></Subscription>"
    );
    vec![
        encode(&whole, Charset::Utf16Le),
        least.into_bytes(),
        query.as_bytes().to_vec(),
        BOOKMARK.as_bytes().to_vec(),
    ]
}

/// The head of a sealed body, a NUL, and the body.
fn sealed(number: usize, data: &[u8]) -> Vec<u8> {
    let protocol = [Protocol::Kerberos, Protocol::Spnego][number % 2];
    let mut out = [protocol.content_type().as_bytes(), b"\0"].concat();
    let content_type = Charset::Utf16Le.content_type();
    multipart::open(&mut out, protocol, content_type, data.len(), 60);
    out.extend_from_slice(&[7; 60]);
    out.extend_from_slice(data);
    multipart::close(&mut out);
    out
}

/// PFX files with everything in them that is read, each part once. Keys, certificates and what is
/// encrypted are of no meaning: the target's build lets every MAC pass.
mod pfx {
    const PKCS7: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    const PKCS5: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05];
    const PKCS12: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c];
    const HMAC: [u8; 7] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
    const X509: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
    const NIST: [u8; 7] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];
    const TRIPLE_DES: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];

    pub fn files() -> Vec<Vec<u8>> {
        let clear = data(&sequence(&[
            bag(1, &sequence(&[number(0), octets(b"key")])),
            certificate(),
            bag(6, &sequence(&[certificate()])),
        ]));
        let schemes = [
            pbes2(9, &oid(&NIST, &[1, 42]), 16),
            pbes2(7, &oid(&NIST, &[1, 2]), 16),
            pbes2(11, &oid(&TRIPLE_DES, &[]), 8),
            sequence(&[oid(&PKCS12, &[1, 3]), salt_and_rounds()]),
            sequence(&[oid(&PKCS12, &[1, 5]), salt_and_rounds()]),
            sequence(&[oid(&PKCS12, &[1, 6]), salt_and_rounds()]),
        ];
        let mut files = vec![file(&[clear.clone()], &mac()), file(&[clear], &pbmac1())];
        for scheme in schemes {
            let shrouded = bag(2, &sequence(&[scheme.clone(), octets(&[0; 32])]));
            let parts = [data(&sequence(&[shrouded])), encrypted(&scheme)];
            files.push(file(&parts, &mac()));
        }
        files
    }

    fn file(parts: &[Vec<u8>], mac: &[u8]) -> Vec<u8> {
        sequence(&[number(3), data(&sequence(parts)), mac.to_vec()])
    }

    fn data(content: &[u8]) -> Vec<u8> {
        sequence(&[oid(&PKCS7, &[1]), value(0xa0, &octets(content))])
    }

    fn encrypted(scheme: &[u8]) -> Vec<u8> {
        let content = [oid(&PKCS7, &[1]), scheme.to_vec(), value(0x80, &[0; 64])];
        let data = sequence(&[number(0), sequence(&content)]);
        sequence(&[oid(&PKCS7, &[6]), value(0xa0, &data)])
    }

    fn bag(kind: u8, content: &[u8]) -> Vec<u8> {
        sequence(&[oid(&PKCS12, &[10, 1, kind]), value(0xa0, content)])
    }

    fn certificate() -> Vec<u8> {
        let der = value(0xa0, &octets(b"certificate"));
        bag(3, &sequence(&[oid(&X509, &[]), der]))
    }

    fn pbes2(prf: u8, cipher: &[u8], iv: usize) -> Vec<u8> {
        let cipher = sequence(&[cipher.to_vec(), octets(&vec![0; iv])]);
        let parameters = sequence(&[pbkdf2(prf), cipher]);
        sequence(&[oid(&PKCS5, &[13]), parameters])
    }

    fn pbkdf2(prf: u8) -> Vec<u8> {
        let prf = sequence(&[oid(&HMAC, &[prf])]);
        let parameters = sequence(&[octets(b"saltsalt"), number(2), number(32), prf]);
        sequence(&[oid(&PKCS5, &[12]), parameters])
    }

    fn salt_and_rounds() -> Vec<u8> {
        sequence(&[octets(b"saltsalt"), number(2)])
    }

    fn mac() -> Vec<u8> {
        let digest = sequence(&[sequence(&[oid(&NIST, &[2, 1])]), octets(&[0; 32])]);
        sequence(&[digest, octets(b"saltsalt"), number(2)])
    }

    fn pbmac1() -> Vec<u8> {
        let parameters = sequence(&[pbkdf2(9), sequence(&[oid(&HMAC, &[9])])]);
        let algorithm = sequence(&[oid(&PKCS5, &[14]), parameters]);
        let digest = sequence(&[algorithm, octets(&[0; 32])]);
        sequence(&[digest, octets(b"saltsalt"), number(2)])
    }

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        value(0x30, &parts.concat())
    }

    fn octets(content: &[u8]) -> Vec<u8> {
        value(0x04, content)
    }

    fn number(number: u8) -> Vec<u8> {
        value(0x02, &[number])
    }

    fn oid(begin: &[u8], end: &[u8]) -> Vec<u8> {
        value(0x06, &[begin, end].concat())
    }

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        let mut value = vec![tag, 0x82];
        value.extend(length.to_be_bytes());
        value.extend(content);
        value
    }
}

/// A journal of three segments whose run was killed, as the files one after the other with
/// checksums of zero, which the target's build lets pass.
fn journal() -> Vec<u8> {
    let disk = Memory::default();
    disk.put(&Path::new(DIR).join("VERSION"), VERSION.to_vec());
    let options = JournalOptions {
        reserved_bytes: 0,
        ..JournalOptions::new(DIR)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime of one thread");
    runtime.block_on(async {
        let (journal, _) =
            Journal::open_on(Arc::new(disk.clone()), options).expect("a new journal");
        let _cursor = journal.cursor("a", Start::Oldest).expect("a new cursor");
        for number in 0..6_u32 {
            let state = StateChange {
                key: format!("host{}", number % 2),
                value: Some(number.to_string().into_bytes()),
            };
            let body = format!("batch {number} ").repeat(5).into_bytes();
            let entry = Entry {
                body,
                events: 1 + number % 3,
                state: Some(state),
            };
            journal.append(entry).await.expect("room in memory");
            if number % 2 == 1 && number < 5 {
                journal.seal().await;
            }
        }
        let killed = disk.copy();
        journal.close().await;
        files(&killed)
    })
}

fn files(disk: &Memory) -> Vec<u8> {
    let segments = [1, 2, 3].map(|number| format!("{number:016x}.wj"));
    let names = ["mark".to_owned(), "cursors/a.cursor".to_owned()];
    let mut out = Vec::new();
    for (selector, name) in [0, 1, 2, 3, 4]
        .into_iter()
        .zip(names.iter().chain(&segments))
    {
        let mut contents = disk
            .contents(&Path::new(DIR).join(name))
            .unwrap_or_default();
        if name.ends_with(".wj") {
            zero_checksums(&mut contents);
        }
        out.push(selector);
        out.extend_from_slice(&(contents.len() as u16).to_le_bytes());
        out.extend_from_slice(&contents);
    }
    out
}

/// docs/journal-format.md: the segment's block, then frames.
fn zero_checksums(segment: &mut [u8]) {
    let mut at = 256;
    segment[252..256].fill(0);
    while let Some(frame) = segment.get_mut(at..).filter(|rest| rest.len() >= 96) {
        let stored = u32::from_le_bytes([frame[8], frame[9], frame[10], frame[11]]);
        frame[52..56].fill(0);
        frame[92..96].fill(0);
        at += 96 + stored as usize;
    }
}

fn events() -> Vec<String> {
    let payloads = [
        "<EventData><Data Name='A'>x|y=z\\</Data><Data/><Data>&lt;&#13;&#10;</Data><Binary>0FFE</Binary></EventData>",
        "<EventData Name='N'><ComplexData Name='c'>00</ComplexData></EventData>",
        "<UserData><a:X xmlns:a='urn:x' k='v'><B>1</B><C><D>2</D></C></a:X></UserData>",
        "<ProcessingErrorData><ErrorCode>5</ErrorCode><DataItemName>d</DataItemName></ProcessingErrorData>",
        "<BinaryEventData>00FF</BinaryEventData>",
        "<EventData><Data><![CDATA[a]]>b<!-- c --></Data></EventData><RenderingInfo Culture='en-US'>\
         <Message>m</Message><Level>l</Level><Task>t</Task><Keywords><Keyword>k</Keyword></Keywords></RenderingInfo>",
    ];
    payloads
        .map(|payload| format!("{SYSTEM}{payload}</Event>"))
        .to_vec()
}

fn index(event: &str) -> Vec<u8> {
    let mut index = Index::new();
    let _ = parse(event, &mut index);
    let mut out = event.as_bytes().to_vec();
    out.push(0);
    index.encode(&mut out);
    out
}

fn batch(events: &[String]) -> Vec<u8> {
    let mut encoder = Encoder::new(&header());
    let mut index = Index::new();
    for event in events {
        let _ = parse(event, &mut index);
        encoder.push(event, Flags::NONE, &index);
    }
    encoder.finish()
}

fn envelopes(events: &[String]) -> Vec<String> {
    let request = Request {
        to: "https://c.example:5986/wsman/SubscriptionManager/WEC",
        machine_id: "w1.example",
        message_id: "uuid:00000000-0000-0000-0000-000000000001",
        session_id: "uuid:00000000-0000-0000-0000-000000000002",
        operation_id: "uuid:00000000-0000-0000-0000-000000000003",
    };
    vec![
        client::enumerate(&request),
        client::events(
            &request,
            "",
            Some(BOOKMARK),
            events.iter().map(String::as_str),
        ),
        client::heartbeat(&request, ""),
        client::end(&request),
        client::subscription_end(&request, "", "urn:reason"),
    ]
}

fn write(target: &str, number: usize, bytes: &[u8]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{number}")), bytes)
}
