//! Events of traces in the words of Windows events.

use super::*;
use crate::event::{self, Event as Windows, Index, ParseStatus};

/// The events of a trace as XML, each of which has to be one.
fn events(bytes: &[u8]) -> Vec<String> {
    let mut schemas = Schemas::default();
    let mut learning = Reader::open(bytes).unwrap();
    while let Some(buffer) = learning.next_buffer().unwrap() {
        for event in buffer.events().flatten() {
            schemas.learn(&event).unwrap();
        }
    }
    let mut reader = Reader::open(bytes).unwrap();
    let mut all = Vec::new();
    let mut index = Index::default();
    while let Some(buffer) = reader.next_buffer().unwrap() {
        for event in buffer.events().flatten() {
            let text = to_xml(&event, &schemas.decode(&event), "web<1>");
            event::parse(&text, &mut index).unwrap();
            let windows = Windows::new(&text, &index);
            assert_eq!(windows.status(), ParseStatus::Whole);
            assert_eq!(windows.computer().as_deref(), Some("web<1>"));
            assert_eq!(windows.event_id(), Some(u32::from(event.id)));
            all.push(text);
        }
    }
    all
}

#[test]
fn an_event_has_what_its_header_and_its_schema_say() {
    let (schema, payload) = tracelogging();
    let own = Header {
        extended: vec![(12, b"\x0b\0MySource\0".to_vec()), (11, schema)],
        ..Header::default()
    };
    let bytes = File::new(encode::QPC)
        .buffer(
            2,
            &[
                event(own, &payload),
                event(Header::default(), &[1, 0xff]),
                encode::system(3, 1, &[]),
            ],
        )
        .bytes();
    insta::assert_snapshot!(events(&bytes)[1..].join("\n"), @r#"
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='MySource' Guid='{07070707-0707-0707-0707-070707070707}'/><EventID>0</EventID><Version>0</Version><Level>4</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x0</Keywords><TimeCreated SystemTime='2026-11-23T00:00:02.0000000Z'/><Correlation/><Execution ProcessID='2' ThreadID='1' ProcessorID='2'/><Computer>web&lt;1&gt;</Computer><Security/></System><EventData><Data Name='user'>ann</Data><Data Name='status'>0xc000006d</Data><Data Name='two'>[1, 2]</Data><Data Name='many'>[5, 6]</Data><Data Name='from'>{address: 10.0.0.1, port: 443}</Data><Data Name='own'>abcd</Data><Data Name='json'>[{}]</Data></EventData><RenderingInfo Culture='en-US'><Task>Signed in</Task></RenderingInfo></Event>
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Guid='{07070707-0707-0707-0707-070707070707}'/><EventID>0</EventID><Version>0</Version><Level>4</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x0</Keywords><TimeCreated SystemTime='2026-11-23T00:00:02.0000000Z'/><Correlation/><Execution ProcessID='2' ThreadID='1' ProcessorID='2'/><Computer>web&lt;1&gt;</Computer><Security/></System><EventData><Binary>01ff</Binary></EventData></Event>
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Windows Kernel'/><EventID>0</EventID><Version>2</Version><Level>0</Level><Task>0</Task><Opcode>1</Opcode><Keywords>0x0</Keywords><TimeCreated SystemTime='2026-11-23T00:00:00.0000000Z'/><Correlation/><Execution ProcessID='2' ThreadID='1' ProcessorID='2'/><Computer>web&lt;1&gt;</Computer><Security/></System><RenderingInfo Culture='en-US'><Task>Process</Task></RenderingInfo></Event>
    "#);
}

#[test]
fn what_a_manifest_says_is_there_and_what_it_does_not_as_bytes() {
    let seven = || Header {
        id: 7,
        version: 1,
        opcode: 10,
        task: 5,
        keywords: 3,
        ..Header::default()
    };
    let whole = encode::payload_of_7();
    let cut = &whole[..whole.len() - 1];
    let bytes = File::new(encode::QPC)
        .buffer(0, &[event(seven(), &whole), event(seven(), cut)])
        .buffer(0, &[encode::part(0, 1, encode::MANIFEST.as_bytes())])
        .bytes();
    insta::assert_snapshot!(events(&bytes)[1..3].join("\n"), @r#"
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Own-Source' Guid='{07070707-0707-0707-0707-070707070707}'/><EventID>7</EventID><Version>1</Version><Level>4</Level><Task>5</Task><Opcode>10</Opcode><Keywords>0x3</Keywords><TimeCreated SystemTime='2026-11-23T00:00:02.0000000Z'/><Correlation/><Execution ProcessID='2' ThreadID='1' ProcessorID='0'/><Computer>web&lt;1&gt;</Computer><Security/></System><EventData><Data Name='file'>C:\é</Data><Data Name='size'>3</Data><Data Name='head'>aabbcc</Data><Data Name='from'>10.0.0.1</Data><Data Name='parts'>[{n: -1}, {n: 2}]</Data></EventData><RenderingInfo Culture='en-US'><Task>Transfer of files</Task><Opcode>Begin</Opcode><Keywords><Keyword>Network</Keyword><Keyword>Disk</Keyword></Keywords></RenderingInfo></Event>
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Own-Source' Guid='{07070707-0707-0707-0707-070707070707}'/><EventID>7</EventID><Version>1</Version><Level>4</Level><Task>5</Task><Opcode>10</Opcode><Keywords>0x3</Keywords><TimeCreated SystemTime='2026-11-23T00:00:02.0000000Z'/><Correlation/><Execution ProcessID='2' ThreadID='1' ProcessorID='0'/><Computer>web&lt;1&gt;</Computer><Security/></System><EventData><Data Name='file'>C:\é</Data><Data Name='size'>3</Data><Data Name='head'>aabbcc</Data><Data Name='from'>10.0.0.1</Data><Binary>43003a005c00e90000000300aabbcc0a000001ff</Binary></EventData><RenderingInfo Culture='en-US'><Task>Transfer of files</Task><Opcode>Begin</Opcode><Keywords><Keyword>Network</Keyword><Keyword>Disk</Keyword></Keywords></RenderingInfo></Event>
    "#);
}

#[test]
fn every_event_of_real_traces_is_one_of_windows() {
    for name in [
        "etl/AMSITrace.etl",
        "etl/CrossMachineHTTP.etl",
        "etl/KernelNetwork.etl",
    ] {
        let Some(bytes) = corpus::file(name) else {
            return;
        };
        assert!(!events(&bytes).is_empty(), "{name}");
    }
}
