use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::azure::Entity;
use crate::event::{self, Event, Index, ParseStatus};
use crate::own::{OwnEvent, OwnEventId, OwnLevel};
use crate::wad::EventVolume;

const NAMESPACE: &str = "http://schemas.microsoft.com/win/2004/08/events/event";
const ORIGIN: Origin<'static> = Origin {
    deployment_id: "2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6",
    role: "IaaS",
    role_instance: "_srv0001",
};
const JOURNAL: [u8; 16] = [7; 16];

fn arrived() -> Timestamp {
    "2026-11-23T09:30:41.5Z".parse().unwrap()
}

fn counter() -> Counter {
    Counter::new(JOURNAL, 41)
}

fn partition() -> Partition {
    Partition::new(arrived(), EventVolume::Small, &ORIGIN)
}

fn index(text: &str) -> Index {
    let mut index = Index::default();
    let _ = event::parse(text, &mut index);
    index
}

/// An event with this much in its data and in its message.
fn long(data: usize, message: usize) -> String {
    format!(
        "<Event xmlns='{NAMESPACE}'><System><Provider Name='P'/><EventID>7</EventID><Channel>Application</Channel></System>\
         <EventData><Data Name='a'>{}</Data></EventData>\
         <RenderingInfo Culture='en-US'><Message>{}</Message></RenderingInfo></Event>",
        "d".repeat(data),
        "m".repeat(message)
    )
}

fn property<'a>(entity: &'a Entity<'_>, name: &str) -> &'a Value<'a> {
    let found = entity.properties.iter().find(|(other, _)| other == name);
    &found.unwrap().1
}

fn raw_xml(text: &str) -> String {
    let index = index(text);
    let row = windows_event(
        Event::new(text, &index),
        &ORIGIN,
        arrived(),
        &partition(),
        counter(),
    );
    row.check().unwrap();
    let Value::Text(text) = property(&row, "RawXml") else {
        panic!("RawXml is a text");
    };
    text.clone().into_owned()
}

/// Two keys that were published with the times of their rows.
#[test]
fn a_partition_is_the_minute_in_ticks() {
    for (at, key) in [
        ("2010-02-08T13:19:00.498Z", "0634012319400000000"),
        ("2018-05-29T18:30:59.9999999Z", "0636632154000000000"),
    ] {
        let partition = Partition::new(at.parse().unwrap(), EventVolume::Small, &ORIGIN);
        assert_eq!(partition.to_string(), key, "{at}");
    }
    let partition = partition();
    assert_eq!(partition.minute().to_string(), "2026-11-23T09:30:00Z");
}

#[test]
fn machines_are_spread_over_shards_and_each_stays_in_its_own() {
    for (volume, shards) in [(EventVolume::Medium, 10), (EventVolume::Large, 100)] {
        let mut seen = std::collections::BTreeSet::new();
        for machine in 0..2_000 {
            let role_instance = &format!("_srv{machine:04}");
            let origin = Origin {
                role_instance,
                ..ORIGIN
            };
            let key = Partition::new(arrived(), volume, &origin).to_string();
            assert_eq!(key, Partition::new(arrived(), volume, &origin).to_string());
            let (shard, minute) = key.split_once("___").unwrap();
            assert_eq!((shard.len(), minute), (19, "0639310230000000000"));
            seen.insert(shard.parse::<u32>().unwrap());
        }
        assert_eq!(seen, (0..shards).collect());
    }
}

#[test]
fn a_row_key_has_nothing_that_no_key_may_have() {
    let key = ORIGIN.row_key(counter());
    insta::assert_snapshot!(key, @"2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6___IaaS____srv0001___2123110000000000041");
    let role_instance = &"a/b\\c#d?e\u{7}\u{85}😀".repeat(400);
    let hostile = Origin {
        role_instance,
        ..ORIGIN
    };
    let key = hostile.row_key(counter());
    assert!(crate::azure::key_is_allowed(&key), "{key}");
    assert!(key.contains("_a_b_c_d_e__😀"), "{key}");
    assert!(key.ends_with(&counter().to_string()));
}

#[test]
fn numbers_of_two_journals_do_not_meet_and_keep_their_order() {
    let one = |sequence| Counter::new([1; 16], sequence);
    assert!(one(1) < one(2) && one(2) < one(1 << 40));
    assert_ne!(one(5), Counter::new([2; 16], 5));
    for journal in 0..=255 {
        let text = Counter::new([journal; 16], u64::MAX).to_string();
        assert_eq!(text.len(), 19);
        assert!(text.parse::<i64>().is_ok(), "{text}");
    }
}

#[test]
fn an_event_becomes_a_row() {
    let text = format!(
        "<Event xmlns='{NAMESPACE}'><System><Provider Name='Application Error' Guid='{{A0E9B465-B939-57D7-B27D-95D8E925FF57}}'/>\
         <EventID>1000</EventID><Version>0</Version><Level>2</Level><Task>100</Task><Opcode>0</Opcode>\
         <Keywords>0x80000000000000</Keywords><TimeCreated SystemTime='2026-11-23T09:29:59.1234567Z'/>\
         <EventRecordID>77</EventRecordID><Execution ProcessID='4' ThreadID='8'/><Channel>Application</Channel>\
         <Computer>srv0001.corp.example</Computer></System>\
         <RenderingInfo Culture='en-US'><Message>It &lt;fell&gt;.</Message></RenderingInfo></Event>"
    );
    let index = index(&text);
    let row = windows_event(
        Event::new(&text, &index),
        &ORIGIN,
        arrived(),
        &partition(),
        counter(),
    );
    row.check().unwrap();
    assert_eq!(property(&row, "RawXml"), &Value::Text(text.as_str().into()));
    assert_eq!(row.partition_key, "0639310230000000000");
    let columns: Vec<String> = row
        .properties
        .iter()
        .filter(|(name, _)| name != "RawXml")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    insta::assert_snapshot!(columns.join("\n"), @r#"
    PreciseTimeStamp: Time(2026-11-23T09:29:59.1234567Z)
    DeploymentId: Text("2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6")
    Role: Text("IaaS")
    RoleInstance: Text("_srv0001")
    ProviderGuid: Text("{A0E9B465-B939-57D7-B27D-95D8E925FF57}")
    ProviderName: Text("Application Error")
    EventId: Int(1000)
    Level: Int(2)
    Pid: Int(4)
    Tid: Int(8)
    Opcode: Int(0)
    Task: Int(100)
    Channel: Text("Application")
    Description: Text("It <fell>.")
    EventTickCount: Long(639310229991234567)
    RowIndex: Text("2123110000000000041")
    TIMESTAMP: Time(2026-11-23T09:30:00Z)
    "#);
}

#[test]
fn a_text_that_is_too_long_loses_what_can_be_missed_first() {
    let whole = long(20_000, 10_000);
    assert_eq!(raw_xml(&whole), whole);
    assert_eq!(
        raw_xml(&format!("{whole}\0\0")),
        whole,
        "what fills a buffer up is no part of it"
    );

    let without_rendering = raw_xml(&long(20_000, 20_000));
    assert!(without_rendering.ends_with("</EventData></Event>"));
    assert!(!without_rendering.contains("RenderingInfo"));

    let system_alone = raw_xml(&long(40_000, 10));
    assert!(system_alone.ends_with("</Channel></System></Event>"));

    let cut = &whole[..whole.len() - 100];
    assert_eq!(index(cut).status(), ParseStatus::TruncatedRendering);
    assert!(raw_xml(cut).ends_with("</EventData></Event>"));

    let broken = whole.replace("</Data>", "</Date>");
    assert!(matches!(index(&broken).status(), ParseStatus::Malformed(_)));
    assert!(raw_xml(&broken).ends_with("</System></Event>"));

    assert_eq!(raw_xml("<Event><System><EventID>7"), "");
    assert_eq!(raw_xml("no event"), "");
}

#[test]
fn what_windrow_says_becomes_a_row_of_the_infrastructure() {
    let own = OwnEvent {
        id: OwnEventId::EventsDropped,
        level: OwnLevel::Error,
        time: arrived(),
        computer: "collector",
        message: "7 events were dropped",
        data: &[("Events", "7")],
    };
    let text = own.to_xml();
    let index = index(&text);
    let row = infrastructure_log(
        Event::new(&text, &index),
        &ORIGIN,
        arrived(),
        &partition(),
        counter(),
    );
    row.check().unwrap();
    let columns: Vec<String> = row
        .properties
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    insta::assert_snapshot!(columns.join("\n"), @r#"
    PreciseTimeStamp: Time(2026-11-23T09:30:41.5Z)
    DeploymentId: Text("2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6")
    Role: Text("IaaS")
    RoleInstance: Text("_srv0001")
    Level: Int(2)
    ProviderGuid: Text("")
    EventId: Int(12)
    Pid: Int(0)
    Tid: Int(0)
    ActivityId: Text("")
    Function: Text("Windrow")
    Line: Int(0)
    MDRESULT: Int(0)
    ErrorCode: Int(0)
    ErrorCodeMsg: Text("")
    Message: Text("7 events were dropped")
    EventTickCount: Long(639310230415000000)
    RowIndex: Text("2123110000000000041")
    TIMESTAMP: Time(2026-11-23T09:30:00Z)
    "#);
}

#[test]
fn a_moment_that_no_table_can_have_is_that_of_arrival() {
    for time in ["0001-01-01T00:00:00Z", "1600-12-31T23:59:59Z", "none"] {
        let text = format!(
            "<Event xmlns='{NAMESPACE}'><System><TimeCreated SystemTime='{time}'/></System></Event>"
        );
        let index = index(&text);
        let row = windows_event(
            Event::new(&text, &index),
            &ORIGIN,
            arrived(),
            &partition(),
            counter(),
        );
        row.check().unwrap();
        assert_eq!(
            property(&row, "PreciseTimeStamp"),
            &Value::Time(arrived()),
            "{time}"
        );
    }
}

proptest! {
    #[test]
    fn every_row_is_one_that_the_service_takes(
        name in "\\PC{0,40}",
        data in "[a-zé😀&;<>]{0,40}",
        repeat in prop_oneof![Just(1_usize), Just(300), Just(2_000)],
        rendering in "(</?RenderingInfo>|</?Event>|<Message>|m){0,6}",
    ) {
        let text = format!(
            "<Event xmlns='{NAMESPACE}'><System><Provider Name='{name}'/><Channel>{data}</Channel></System>\
             <EventData><Data>{}</Data></EventData>{rendering}</Event>",
            data.repeat(repeat)
        );
        let before = index(&text);
        let row = windows_event(Event::new(&text, &before), &ORIGIN, arrived(), &partition(), counter());
        prop_assert_eq!(row.check(), Ok(()));
        let Value::Text(kept) = property(&row, "RawXml") else { panic!("RawXml is a text") };
        if !kept.is_empty() {
            let after = index(kept);
            prop_assert_eq!(after.status(), ParseStatus::Whole);
            let (before, after) = (Event::new(&text, &before), Event::new(kept, &after));
            prop_assert_eq!(before.provider_name(), after.provider_name());
            prop_assert_eq!(before.channel(), after.channel());
        }
    }
}

#[test]
fn the_row_of_a_file_says_where_it_was_and_where_it_is() {
    let file = DirectoryFile {
        root: "/srv/logs/",
        path: "srv0001/W3SVC1/u_ex261123.log",
        container: "wad-iis-logfiles",
        blob: "d/IaaS/_srv0001/Web/W3SVC1/u_ex261123.log",
    };
    let row = directory(&file, &ORIGIN, arrived(), &partition(), counter());
    insta::assert_debug_snapshot!(row, @r#"
    Entity {
        partition_key: "0639310230000000000",
        row_key: "2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6___IaaS____srv0001___2123110000000000041",
        properties: [
            (
                "EventTickCount",
                Long(
                    639310230415000000,
                ),
            ),
            (
                "DeploymentId",
                Text(
                    "2f7c0b1e-8a3d-4d5e-9f60-718293a4b5c6",
                ),
            ),
            (
                "Role",
                Text(
                    "IaaS",
                ),
            ),
            (
                "RoleInstance",
                Text(
                    "_srv0001",
                ),
            ),
            (
                "AbsolutePath",
                Text(
                    "/srv/logs/srv0001/W3SVC1/u_ex261123.log",
                ),
            ),
            (
                "RelativePath",
                Text(
                    "d/IaaS/_srv0001/Web/W3SVC1/u_ex261123.log",
                ),
            ),
            (
                "Container",
                Text(
                    "wad-iis-logfiles",
                ),
            ),
            (
                "RootDirectory",
                Text(
                    "/srv/logs/",
                ),
            ),
        ],
    }
    "#);
}

fn told(table: &str, row: &Entity<'_>) -> String {
    event_xml(table, row).replace("><", ">\n<")
}

#[test]
fn a_row_is_the_event_that_it_was_made_of() {
    let text = format!(
        "<Event xmlns='{NAMESPACE}'><System><Provider Name='P'/><EventID>7</EventID></System></Event>"
    );
    let index = index(&text);
    let event = Event::new(&text, &index);
    let row = windows_event(event, &ORIGIN, arrived(), &partition(), counter());
    assert_eq!(event_xml(WINDOWS_EVENT_LOGS, &row), text);
}

#[test]
fn a_row_without_an_event_becomes_one() {
    let row = Entity {
        partition_key: "0639310248000000000".into(),
        row_key: "d___r___i___0000000000000000001".into(),
        properties: vec![
            ("DeploymentId".into(), Value::Text("d".into())),
            ("Role".into(), Value::Text("IaaS".into())),
            ("RoleInstance".into(), Value::Text("_web01".into())),
            (
                "EventTickCount".into(),
                Value::Long(639_310_248_001_234_567),
            ),
            ("Level".into(), Value::Int(2)),
            ("EventId".into(), Value::Int(100)),
            ("Pid".into(), Value::Int(4)),
            ("Tid".into(), Value::Int(8)),
            ("Message".into(), Value::Text("a < b & \u{1}c".into())),
            ("Extra'".into(), Value::Truth(true)),
        ],
    };
    insta::assert_snapshot!(told("WADLogsTable", &row), @"
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>
    <System>
    <Provider Name='WADLogsTable'/>
    <EventID>100</EventID>
    <Level>2</Level>
    <TimeCreated SystemTime='2026-11-23T10:00:00.1234567Z'/>
    <Execution ProcessID='4' ThreadID='8'/>
    <Channel>WADLogsTable</Channel>
    <Computer>web01</Computer>
    </System>
    <EventData>
    <Data Name='Extra&apos;'>true</Data>
    </EventData>
    <RenderingInfo Culture='en-US'>
    <Message>a &lt; b &amp; �c</Message>
    </RenderingInfo>
    </Event>
    ");
    let bare = Entity {
        partition_key: "x".into(),
        row_key: "y".into(),
        properties: vec![("RawXml".into(), Value::Text("not one".into()))],
    };
    insta::assert_snapshot!(told("WADLogsTable", &bare), @"
    <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>
    <System>
    <Provider Name='WADLogsTable'/>
    <EventID>0</EventID>
    <Channel>WADLogsTable</Channel>
    </System>
    </Event>
    ");
}

#[test]
fn minutes_of_keys_are_read() {
    for (key, minute) in [
        ("0639310248000000000", Some("2026-11-23T10:00:00Z")),
        (
            "0000000000000000007___0639310248000000000",
            Some("2026-11-23T10:00:00Z"),
        ),
        ("7___0639310248000000000", None),
        ("639310248000000000", None),
        ("0639310248000000000x", None),
        ("9999999999999999999", None),
        ("", None),
    ] {
        let minute: Option<Timestamp> = minute.map(|minute| minute.parse().unwrap());
        assert_eq!(minute_of(key), minute, "{key}");
    }
}
