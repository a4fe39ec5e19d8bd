mod corpus;

use proptest::prelude::*;

use super::*;
use crate::places::Place;
use crate::wsman::{Charset, encode};
use crate::xpath::{Doubt, FilterFault};

const QUERY: &str = "<QueryList><Query Id=\"0\" Path=\"Security\">\n<Select>*[System[Level&lt;=3 and EventID=1]]</Select></Query></QueryList>";

const WHOLE: &str = r#"<?xml version="1.0" encoding="UTF-16"?>
<Subscription xmlns="http://schemas.microsoft.com/2006/03/windows/events/subscription">
  <SubscriptionId>Logons &amp; more</SubscriptionId>
  <SubscriptionType>SourceInitiated</SubscriptionType>
  <Description>Who logs on.</Description>
  <Enabled>false</Enabled>
  <Uri>http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog</Uri>
  <ConfigurationMode>Custom</ConfigurationMode>
  <Delivery Mode="Pull">
    <Batching><MaxItems>5</MaxItems><MaxLatencyTime>300000</MaxLatencyTime></Batching>
    <PushSettings><Heartbeat Interval="40000"/></PushSettings>
  </Delivery>
  <Query><![CDATA[
    <QueryList><Query Path="Security"><Select>*</Select></Query>
    <Query><Select Path="A/Debug">*[System[EventId=1]]</Select></Query></QueryList>]]></Query>
  <ReadExistingEvents>true</ReadExistingEvents>
  <TransportName>HTTPS</TransportName>
  <ContentFormat>Events</ContentFormat>
  <Locale Language="de-DE"/>
  <LogFile>WEC1</LogFile>
  <Novelty/>
  <AllowedSourceNonDomainComputers>
    <AllowedIssuerCAList><IssuerCA>AB</IssuerCA><IssuerCA/></AllowedIssuerCAList>
    <AllowedSubjectList><Subject>*.dmz.example</Subject></AllowedSubjectList>
    <DeniedSubjectList><Subject>old.dmz.example</Subject></DeniedSubjectList>
  </AllowedSourceNonDomainComputers>
  <AllowedSourceDomainComputers>O:NSG:NSD:(A;;GA;;;DC)(A;;GA;;;S-1-5-21-1-2-3-9)</AllowedSourceDomainComputers>
</Subscription>"#;

fn subscription(file: &str) -> (Subscription, Vec<String>) {
    let reading = read(file.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let Document::Subscription(subscription) = reading.document else {
        panic!("no subscription");
    };
    let notes = reading.notes.iter();
    let notes = notes.map(|noted| format!("{}: {}", noted.at, noted.note));
    (*subscription, notes.collect())
}

fn of(elements: &str) -> String {
    format!("<Subscription xmlns='{NAMESPACE}'>{elements}</Subscription>")
}

/// The least that is a subscription, and something more.
fn least(more: &str) -> String {
    of(&format!(
        "<SubscriptionId>a</SubscriptionId><Query><![CDATA[{QUERY}]]></Query>{more}"
    ))
}

#[test]
fn everything_is_read() {
    let (subscription, notes) = subscription(WHOLE);
    insta::assert_debug_snapshot!(subscription, @r#"
    Subscription {
        name: "Logons & more",
        description: Some(
            "Who logs on.",
        ),
        enabled: false,
        query: "<QueryList><Query Path=\"Security\"><Select>*</Select></Query>\n    <Query><Select Path=\"A/Debug\">*[System[EventId=1]]</Select></Query></QueryList>",
        delivery: Custom {
            max_items: Some(
                5,
            ),
            max_latency: Some(
                300s,
            ),
            heartbeat: Some(
                40s,
            ),
        },
        read_existing: true,
        content_format: Raw,
        locale: Some(
            "de-DE",
        ),
        log_file: Some(
            "WEC1",
        ),
        domain_machines: Some(
            "O:NSG:NSD:(A;;GA;;;DC)(A;;GA;;;S-1-5-21-1-2-3-9)",
        ),
        other_machines: OtherMachines {
            issuers: [
                "AB",
            ],
            allowed: [
                "*.dmz.example",
            ],
            denied: [
                "old.dmz.example",
            ],
        },
    }
    "#);
    insta::assert_snapshot!(notes.join("\n"), @"
    line 9, column 3: machines always send by themselves; Pull means nothing here
    line 9, column 3: at most 5 events a batch: leave <MaxItems> out, and machines fill their envelopes
    line 9, column 3: a sign of life from each machine every 40 s
    line 15, column 26: Windows forwards no analytic and debug channels: A/Debug will bring nothing
    line 15, column 44: in the query: this never holds: events have no EventId here, but EventID: case matters
    line 17, column 3: how machines connect is said at the listener, not by the transport HTTPS
    line 20, column 3: events keep the channel they were written to; the log WEC1 of a collector means nothing here
    line 21, column 3: <Novelty> means nothing here
    line 22, column 3: which authorities are trusted is said at the listener; 1 are named here
    line 27, column 3: it is for domain computers alone, which names do not tell: say which machines
    line 27, column 3: which machines S-1-5-21-1-2-3-9 stands for only the directory knows: say their names or a group
    ");
}

#[test]
fn every_encoding_is_the_same_file() {
    let plain = read(WHOLE.as_bytes()).unwrap();
    let bom = format!("\u{FEFF}{WHOLE}");
    for bytes in [
        bom.into_bytes(),
        encode(WHOLE, Charset::Utf16Le),
        encode(WHOLE, Charset::Utf16Be),
        encode(WHOLE, Charset::Utf16Le).split_off(2),
    ] {
        assert_eq!(read(&bytes).unwrap(), plain);
    }
    let error = read(b"<a>\n\xE4</a>").unwrap_err();
    assert_eq!(
        (error.fault, error.at),
        (Fault::Encoding, Place { line: 2, column: 1 })
    );
}

#[test]
fn what_is_not_said_is_what_windows_takes() {
    let (subscription, notes) = subscription(&least(""));
    assert!(subscription.enabled && !subscription.read_existing);
    assert_eq!(subscription.delivery, Delivery::Normal);
    assert_eq!(subscription.content_format, ContentFormat::RenderedText);
    assert_eq!(subscription.query, QUERY);
    assert_eq!(subscription.machines().include, Include::Everyone);
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[test]
fn a_query_may_be_escaped() {
    let mut escaped = String::new();
    crate::wsman::escape(QUERY, &mut escaped);
    let file = of(&format!(
        "<SubscriptionId>a</SubscriptionId><Query>\n{escaped}</Query>"
    ));
    assert_eq!(subscription(&file).0.query, QUERY);
    // And its faults are found behind the references.
    let broken = file.replace("EventID=1", "EventID=");
    let error = read(broken.as_bytes()).unwrap_err();
    let at = broken.lines().nth(2).unwrap().find("=]").unwrap() + 2;
    assert_eq!(
        error.at,
        Place {
            line: 3,
            column: at
        }
    );
}

#[test]
fn a_query_list_alone_is_a_query() {
    let reading =
        read(format!("\u{FEFF}<?xml version='1.0'?>\n<!-- x -->{QUERY}\n").as_bytes()).unwrap();
    let Document::QueryList(list) = reading.document else {
        panic!("no query");
    };
    assert!(list.contains(QUERY) && reading.notes.is_empty());
}

#[test]
fn presets_are_what_windows_calls_them() {
    let seconds = |mode: &str| {
        let delivery = subscription(&least(&format!(
            "<ConfigurationMode>{mode}</ConfigurationMode>"
        )))
        .0
        .delivery;
        (
            delivery.max_latency().as_secs(),
            delivery.heartbeat().as_secs(),
        )
    };
    assert_eq!(seconds("Normal"), (900, 900));
    assert_eq!(seconds("MinBandwidth"), (21_600, 21_600));
    assert_eq!(seconds("minlatency"), (30, 3_600));
    assert_eq!(seconds("Custom"), (900, 900));
    let with_numbers = least(
        "<ConfigurationMode>MinLatency</ConfigurationMode><Delivery Mode='Push'><Batching>\
         <MaxLatencyTime>1000</MaxLatencyTime></Batching></Delivery>",
    );
    let (subscription, notes) = subscription(&with_numbers);
    assert_eq!(subscription.delivery, Delivery::MinimizeLatency);
    assert!(
        notes.iter().any(|note| note.contains("MinLatency decides")),
        "{notes:?}"
    );
}

#[test]
fn what_is_no_file_of_a_subscription_is_named_at_its_place() {
    let cases = [
        ("<Subscription/>", "line 1, column 1: <Subscription> where"),
        ("\n <Events/>", "line 2, column 2: <Events> where"),
        ("<a", "line 1, column 1: this is not well-formed XML"),
        ("<a>", "line 1, column 4: the file ends"),
        ("", "line 1, column 1: the file ends"),
        (
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "line 1, column 1: a subscription has no document type",
        ),
        (
            "<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>",
            "line 1, column 1: <a> where",
        ),
        (
            "<a><b><c><d><e><f><g><h><i></i></h></g></f></e></d></c></b></a>",
            "line 1, column 25: elements are nested",
        ),
    ];
    for (file, expected) in cases {
        let error = read(file.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{file}: {error}");
    }
}

#[test]
fn an_element_that_is_not_what_it_should_be_is_named() {
    let inside = [
        (
            "<SubscriptionType>CollectorInitiated</SubscriptionType>",
            "a collector-initiated",
        ),
        (
            "<EventSources><EventSource/></EventSources>",
            "a collector-initiated",
        ),
        (
            "<SubscriptionType>Other</SubscriptionType>",
            "<SubscriptionType> is \"Other\"",
        ),
        (
            "<Enabled>maybe</Enabled>",
            "<Enabled> is \"maybe\": write true or false",
        ),
        (
            "<Enabled>true</Enabled><Enabled>true</Enabled>",
            "a second <Enabled>",
        ),
        ("<Uri>urn:x</Uri>", "<Uri> is"),
        ("<ContentFormat>Raw</ContentFormat>", "<ContentFormat> is"),
        (
            "<ConfigurationMode>Fast</ConfigurationMode>",
            "<ConfigurationMode> is",
        ),
        (
            "<Delivery><Batching><MaxItems>0</MaxItems></Batching></Delivery>",
            "<MaxItems> is \"0\"",
        ),
        (
            "<Description><b/></Description>",
            "<Description> holds elements",
        ),
    ];
    for (element, expected) in inside {
        let error = read(least(element).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{element}: {error}");
    }
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    let id = "<SubscriptionId>a</SubscriptionId>";
    for (file, fault) in [
        (of("<Query>x</Query>"), Fault::Missing("SubscriptionId")),
        (of(id), Fault::Missing("Query")),
        (
            of(&format!("{id}<Query> </Query>")),
            Fault::Missing("Query"),
        ),
        (
            of(&format!("{id}<Query>{QUERY}</Query>")),
            Fault::Nested("Query".into()),
        ),
        (
            of(&format!("{id}<Query>*</Query>")),
            Fault::Query(FilterFault::Text),
        ),
    ] {
        assert_eq!(read(file.as_bytes()).unwrap_err().fault, fault, "{file}");
    }
    let large = vec![b' '; crate::limits::SUBSCRIPTION_XML_BYTES_MAX + 1];
    assert_eq!(read(&large).unwrap_err().fault, Fault::TooLarge);
    let many = format!(
        "<a>{}</a>",
        "<b/>".repeat(crate::limits::SUBSCRIPTION_XML_ELEMENTS_MAX)
    );
    assert_eq!(
        read(many.as_bytes()).unwrap_err().fault,
        Fault::TooManyElements
    );
}

#[test]
fn machines_are_told_as_far_as_names_tell() {
    let machines = |sddl: &str, subjects: &[&str]| {
        let (mut subscription, _) = subscription(&least(""));
        subscription.domain_machines = Some(sddl.to_owned());
        subscription.other_machines.allowed =
            subjects.iter().map(|name| (*name).to_owned()).collect();
        subscription.machines().include
    };
    let named =
        |names: &[&str]| Include::Patterns(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(machines(ALL_DOMAIN_MACHINES, &[]), Include::Everyone);
    assert_eq!(
        machines(ALL_DOMAIN_MACHINES, &["*.dmz"]),
        named(&["*$@*", "*.dmz"])
    );
    assert_eq!(machines(" ", &["*.dmz"]), named(&["*.dmz"]));
    assert_eq!(machines("", &[]), Include::Everyone);
    assert_eq!(machines("D:(A;;GA;;;DD)", &[]), Include::Unknown);
    assert_eq!(machines("no list", &[]), Include::Unknown);
    assert_eq!(machines("D:(A;;GA;;;NS)", &["*.dmz"]), named(&["*.dmz"]));
    assert_eq!(machines("D:(A;;GA;;;NS)", &[]), Include::Unknown);
    // Beside names too: the half of a domain, groups, and who is kept out are the directory's to tell.
    let denied = format!("{ALL_DOMAIN_MACHINES}(D;;GA;;;S-1-5-21-1-2-3-9)");
    for sddl in [
        "D:(A;;GA;;;DC)",
        "D:(A;;GA;;;DD)",
        "D:(A;;GA;;;S-1-5-21-1-2-3-1105)",
        "no list",
        &denied,
    ] {
        assert_eq!(machines(sddl, &[]), Include::Unknown, "{sddl}");
        assert_eq!(machines(sddl, &["*.dmz"]), Include::Unknown, "{sddl}");
    }
}

#[test]
fn capitals_are_doubted_where_they_stand() {
    let file = least("").replace(" and ", " AND ");
    let reading = read(file.as_bytes()).unwrap();
    let noted = reading
        .notes
        .iter()
        .find(|noted| noted.note == Note::Query(Doubt::Capitals));
    let line = file.lines().nth(1).unwrap();
    assert_eq!(
        noted.unwrap().at,
        Place {
            line: 2,
            column: line.find("AND").unwrap() + 1
        }
    );
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let ms = || prop::option::of((1..u32::MAX).prop_map(|ms| Duration::from_millis(ms.into())));
    let custom = (prop::option::of(1..u32::MAX), ms(), ms());
    prop_oneof![
        Just(Delivery::Normal),
        Just(Delivery::MinimizeBandwidth),
        Just(Delivery::MinimizeLatency),
        custom.prop_map(|(max_items, max_latency, heartbeat)| Delivery::Custom {
            max_items,
            max_latency,
            heartbeat
        }),
    ]
}

prop_compose! {
    fn subscriptions()(
        name in "[a-z<&>\"' ]{0,8}x",
        description in prop::option::of("[a-z<&>\r\n]{0,8}x"),
        (enabled, read_existing, rendered) in any::<(bool, bool, bool)>(),
        comment in "(\\]\\]>|[a-z&<])*",
        delivery in delivery(),
        locale in prop::option::of("[a-z]{2}-[A-Z]{2}"),
        log_file in "[a-zA-Z/ ]{0,8}x",
        domain_machines in prop::option::of("D:(\\(A;;GA;;;D[CD]\\)){0,3}"),
        lists in prop::collection::vec(prop::collection::vec("[a-z*.&]{1,9}", 0..3), 3),
    ) -> Subscription {
        Subscription {
            name: name.trim().to_owned(),
            description: description.map(|text| text.trim().to_owned()),
            enabled,
            query: format!("<QueryList><!--{comment}--><Query><Select Path='A'><![CDATA[*]]></Select></Query></QueryList>"),
            delivery,
            read_existing,
            content_format: if rendered { ContentFormat::RenderedText } else { ContentFormat::Raw },
            locale,
            log_file: Some(log_file.trim().to_owned()),
            domain_machines,
            other_machines: OtherMachines { issuers: lists[0].clone(), allowed: lists[1].clone(), denied: lists[2].clone() },
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(subscription in subscriptions()) {
        let file = write(&subscription);
        let reading = read(&encode(&file, Charset::Utf16Le)).unwrap();
        prop_assert_eq!(reading.document, Document::Subscription(Box::new(subscription)));
    }

    #[test]
    fn a_damaged_file_never_panics(cut in 0..WHOLE.len(), at in 0..WHOLE.len(), byte in any::<u8>()) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = read(&bytes);
        bytes.truncate(cut);
        prop_assert!(read(&bytes).is_err());
    }
}
