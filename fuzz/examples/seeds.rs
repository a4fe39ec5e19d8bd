//! Writes what each target's corpus begins with: whole, valid inputs of our own making.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```
#![allow(clippy::disallowed_methods, reason = "a tool: an error may end it")]

use std::fs;
use std::io::Result;
use std::path::Path;

use windrow_formats::batch::{Encoder, Flags};
use windrow_formats::event::{Index, parse};
use windrow_formats::sldc;
use windrow_formats::wsman::client::{self, Request};
use windrow_formats::wsman::{Charset, encode};
use windrow_fuzz::header;

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

fn main() -> Result<()> {
    let events = events();
    for (number, event) in events.iter().enumerate() {
        write("event", number, event.as_bytes())?;
        write("cef", number, format!("{number}{event}").as_bytes())?;
        write("index", number, &index(event))?;
    }
    write("batch", 0, &batch(&events))?;
    for (number, envelope) in envelopes(&events).iter().enumerate() {
        let utf16 = encode(envelope, Charset::Utf16Le);
        write("soap", number, &[&[1], utf16.as_slice()].concat())?;
        let mut body = Vec::new();
        sldc::Encoder::new().encode(&utf16, &mut body);
        write("sldc", number, &body)?;
    }
    Ok(())
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
