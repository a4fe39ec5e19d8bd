//! Real events, from XML and from EVTX files, in both profiles: Vector's parser must read back
//! what the event says. The mapping is stated here once more, from its documents.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use windrow_formats::cef::{self, Profile};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Framing, Settings};
use windrow_oracles::{Parser, as_read, encode};

type Read = BTreeMap<String, String>;

fn settings(profile: Profile) -> Settings {
    Settings {
        framing: Framing::Datagram,
        message_bytes_max: 1 << 24,
        cef: cef::Settings {
            profile,
            ..cef::Settings::default()
        },
        ..Settings::default()
    }
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: no corpus; set WINDROW_CORPUS");
        return None;
    }
    Some(folder)
}

fn files(folder: &Path, wanted: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, wanted, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == wanted)
        {
            found.push(path);
        }
    }
}

/// Both profiles of one event, each field against the event.
fn check(parser: &Parser, xml: &str, place: &str) {
    let mut index = Index::default();
    let _ = event::parse(xml, &mut index);
    let event = Event::new(xml, &index);
    for profile in [Profile::AzureStack, Profile::Standard] {
        let (line, _) = encode(&settings(profile), xml);
        let read = parser
            .parse(&line)
            .unwrap_or_else(|error| panic!("{place}: {error}: {line}"));
        match profile {
            Profile::AzureStack => check_azure_stack(event, &read, place),
            Profile::Standard => check_standard(event, &read, place),
        }
    }
}

fn text(value: Option<impl AsRef<str>>) -> String {
    value.map_or_else(String::new, |value| as_read(value.as_ref()))
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn check_azure_stack(event: Event<'_>, read: &Read, place: &str) {
    assert_eq!(read.len(), 7 + 23, "{place}");
    let bare = |guid: Option<std::borrow::Cow<'_, str>>| {
        text(guid.map(|guid| guid.trim_matches(['{', '}']).to_owned()))
    };
    let data: Vec<String> = event.data().map(|item| item.value.into_owned()).collect();
    let leaves: Vec<String> = event
        .user_data()
        .map(|leaf| leaf.value.into_owned())
        .collect();
    let expected = [
        ("MasChannel", text(event.channel())),
        ("MasComputer", text(event.computer())),
        ("MasCorrelationActivityID", bare(event.activity_id())),
        (
            "MasCorrelationRelatedActivityID",
            bare(event.related_activity_id()),
        ),
        ("MasEventData", as_read(&data.join("!!"))),
        ("MasEventID", number(event.event_id())),
        ("MasEventRecordID", number(event.record_id())),
        ("MasExecutionProcessID", number(event.process_id())),
        ("MasExecutionThreadID", number(event.thread_id())),
        (
            "MasKeywords",
            event
                .keywords()
                .map_or_else(String::new, |mask| format!("{mask:#018x}")),
        ),
        ("MasLevel", number(event.level())),
        ("MasOpcode", number(event.opcode())),
        (
            "MasProviderEventSourceName",
            text(event.event_source_name()),
        ),
        ("MasProviderGuid", bare(event.provider_guid())),
        ("MasProviderName", text(event.provider_name())),
        ("MasSecurityUserId", text(event.user_sid())),
        ("MasTask", number(event.task())),
        ("MasVersion", number(event.version())),
    ];
    for (key, value) in expected {
        assert_eq!(read[key], value, "{place}: {key}");
    }
    let user_data = as_read(&leaves.join("!!"));
    assert!(
        read["MasUserData"].starts_with(user_data.trim_end()),
        "{place}: {}",
        read["MasUserData"]
    );
    if let Some(message) = event
        .rendering()
        .and_then(|rendering| rendering.message())
        .filter(|m| !m.is_empty())
    {
        assert_eq!(read["MasEventDescription"], as_read(&message), "{place}");
    }
}

/// Whether `read` is `value`, or as much of it as the key holds.
fn holds(read: &Read, key: &str, value: &str, max: usize, place: &str) {
    let kept = &value[..value.floor_char_boundary(max)];
    assert_eq!(
        read.get(key).map(String::as_str),
        Some(&*as_read(kept)),
        "{place}: {key}"
    );
}

fn check_standard(event: Event<'_>, read: &Read, place: &str) {
    let provider = event.provider_name().unwrap_or_default();
    let in_header = |text: &str| as_read(text).replace('\n', " ").trim().to_owned();
    let signature = format!("{provider}:{}", number(event.event_id()));
    assert_eq!(read["deviceEventClassId"], in_header(&signature), "{place}");
    if let Some(id) = event.event_id() {
        assert_eq!(read["externalId"], id.to_string(), "{place}");
    }
    if let Some(time) = event.time_created() {
        assert_eq!(read["rt"], time.as_millisecond().to_string(), "{place}");
    }
    if let Some(record) = event.record_id() {
        assert_eq!(read["cn1"], record.to_string(), "{place}");
    }
    if let Some(process) = event.process_id() {
        assert_eq!(read["dvcpid"], process.to_string(), "{place}");
    }
    for (key, value, max) in [
        ("cat", event.channel(), 1023),
        ("dvchost", event.computer(), 100),
    ] {
        if let Some(value) = value.filter(|value| is_value(value)) {
            holds(read, key, &value, max, place);
        }
    }
    let keywords = event.keywords().unwrap_or(0);
    let outcome = match (keywords & 1 << 52 != 0, keywords & 1 << 53 != 0) {
        (true, _) => Some("failure"),
        (_, true) => Some("success"),
        _ => None,
    };
    assert_eq!(read.get("outcome").map(String::as_str), outcome, "{place}");
    if provider == "Microsoft-Windows-Security-Auditing" {
        check_audit(event, read, place);
    }
    check_nothing_is_lost(event, read, place);
}

fn is_value(text: &str) -> bool {
    !matches!(text.trim(), "" | "-")
}

fn only<'a>(event: Event<'a>, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    event.data_value(name).filter(|value| is_value(value))
}

fn check_audit(event: Event<'_>, read: &Read, place: &str) {
    let is_of_group = only(event, "MemberSid").is_some();
    for (name, key, max) in [
        ("SubjectUserSid", "suid", 1023),
        ("SubjectUserName", "suser", 1023),
        ("SubjectLogonId", "cs5", 4000),
        ("TargetLogonId", "cs4", 4000),
        ("NewProcessName", "dproc", 1023),
        ("CommandLine", "cs1", 4000),
        ("ObjectName", "filePath", 1023),
        ("AuthenticationPackageName", "cs3", 4000),
    ] {
        if let Some(value) = only(event, name) {
            holds(read, key, &value, max, place);
        }
    }
    if let Some(user) = only(event, "TargetUserName").filter(|_| !is_of_group) {
        assert!(user.ends_with(&read["duser"]), "{place}: {user}");
    }
    if let Some(kind) = only(event, "LogonType") {
        assert_eq!(read["cn2"], kind, "{place}");
    }
    if let Some(id) = only(event, "NewProcessId") {
        let id = u64::from_str_radix(id.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(read["dpid"], id.to_string(), "{place}");
    }
    if let Some(address) = only(event, "IpAddress") {
        match address
            .parse::<IpAddr>()
            .map(|address| address.to_canonical())
        {
            Ok(IpAddr::V4(address)) => assert_eq!(read["src"], address.to_string(), "{place}"),
            Ok(IpAddr::V6(address)) => assert_eq!(read["c6a2"], address.to_string(), "{place}"),
            Err(_) => assert!(!read.contains_key("src"), "{place}"),
        }
    }
}

/// Every value that is text is somewhere in a message that has lost nothing.
fn check_nothing_is_lost(event: Event<'_>, read: &Read, place: &str) {
    if read.contains_key("WindrowTruncated") {
        return;
    }
    let everything: Vec<&str> = read.values().map(String::as_str).collect();
    for item in event.data() {
        let value = as_read(&item.value);
        // Numbers, addresses and `DOMAIN\\name` change their form; ports of 0 are left out.
        let is_text = value.chars().any(|c| c.is_alphabetic()) && !value.starts_with("0x");
        if is_text
            && is_value(&value)
            && value.parse::<IpAddr>().is_err()
            && !value.contains(['\\', '%'])
            && value.len() > 5
        {
            assert!(
                everything.iter().any(|read| read.contains(&value)),
                "{place}: {value} is gone: {read:?}"
            );
        }
    }
}

#[test]
fn vector_reads_every_event_that_came_as_xml() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    files(&corpus.join("event-xml"), "xml", &mut found);
    assert!(!found.is_empty());
    let parser = Parser::cef();
    for file in &found {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        check(&parser, &text, &file.display().to_string());
    }
}

#[test]
fn vector_reads_every_event_of_the_logs() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    files(&corpus.join("evtx"), "evtx", &mut found);
    assert!(!found.is_empty());
    let parser = Parser::cef();
    let mut events = 0_u64;
    for file in &found {
        let Ok(mut log) = evtx::EvtxParser::from_path(file) else {
            continue;
        };
        for record in log.records().flatten() {
            let xml = record
                .data
                .strip_prefix(r#"<?xml version="1.0" encoding="utf-8"?>"#);
            let xml = xml.unwrap_or(&record.data).trim_start();
            check(
                &parser,
                xml,
                &format!("{} record {}", file.display(), record.event_record_id),
            );
            events += 1;
        }
    }
    println!("{events} events of {} logs", found.len());
    assert!(events > 10_000);
}
