//! Alerts and endpoint events, in the documents' words.

use super::*;
use crate::own::{
    Alert, AlertSeverity, EndpointAction, EndpointEvent, OwnEvent, OwnEventId, OwnLevel,
};

const DESCRIPTION: &str =
    "A user account <TestUser> was created for <TestDomain>. It's a potential security risk.";
const REMEDIATION: &str = "Contact support.";

fn alert() -> Alert<'static> {
    Alert {
        fault_type_id: "AccountCreated".into(),
        alert_id: "7f3d|1".into(),
        title: "User Account Created".into(),
        severity: AlertSeverity::Critical,
        description: DESCRIPTION.into(),
        remediation: REMEDIATION.into(),
        created: "2018-05-17T23:59:28.5Z".parse().unwrap(),
        closed: None,
    }
}

fn message(settings: Settings, xml: &str, kind: Kind) -> String {
    let mut index = Index::default();
    event::parse(xml, &mut index).unwrap();
    let header = Header { kind, ..header() };
    let mut out = Vec::new();
    Encoder::new(settings)
        .encode(Event::new(xml, &index), &header, WHOLE, &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn standard() -> Settings {
    Settings {
        profile: Profile::Standard,
        ..Settings::default()
    }
}

/// Only Windows numbers events: in the document's form every key is there, if need be with nothing,
/// and in the dictionary's a key without a value is left out.
#[test]
fn records_of_ours_have_no_number_of_their_own() {
    let record = OwnEvent {
        id: OwnEventId::ServiceStarted,
        level: OwnLevel::Information,
        time: "2026-11-22T10:00:00Z".parse().unwrap(),
        computer: "wec",
        message: "windrow has started",
        data: &[("Version", "1")],
    };
    let said = message(Settings::default(), &record.to_xml(), Kind::Own);
    let parsed = parse(&said).unwrap();
    assert_eq!(&parsed.extensions["MasEventRecordID"], "", "{said}");
    assert_eq!(&parsed.extensions["MasChannel"], "Windrow/Operational");
    let said = message(standard(), &record.to_xml(), Kind::Own);
    assert!(!said.contains("RecordID"), "{said}");
}

#[test]
fn an_alert_is_as_the_document_says() {
    let alert = alert();
    insta::assert_snapshot!(message(Settings::default(), &alert.to_xml("wec"), Kind::Own), @r"CEF:0|Microsoft|Microsoft Azure Stack|1.0|Microsoft Azure Stack Alert Creation : AccountCreated|AccountCreated : 7f3d\|1|10|MasEventDescription=DESCRIPTION: A user account <TestUser> was created for <TestDomain>. It's a potential security risk. -- REMEDIATION: Contact support.");
    for (severity, number) in [
        (AlertSeverity::Undefined, "0"),
        (AlertSeverity::Warning, "5"),
        (AlertSeverity::Critical, "10"),
    ] {
        let xml = Alert {
            severity,
            ..alert.clone()
        }
        .to_xml("wec");
        let parsed = parse(&message(Settings::default(), &xml, Kind::Own)).unwrap();
        assert_eq!(parsed.severity, number);
    }
    let closed = Alert {
        closed: Some("2018-05-18T01:00:00Z".parse().unwrap()),
        ..alert
    };
    let hub = Settings {
        product: Product::StackHub,
        ..Settings::default()
    };
    insta::assert_snapshot!(message(hub, &closed.to_xml("wec"), Kind::Own), @r"CEF:0|Microsoft|Microsoft Azure Stack Hub|1.0|Microsoft Azure Stack Hub Alert Creation : AccountCreated|AccountCreated : 7f3d\|1|2|");
    insta::assert_snapshot!(message(standard(), &closed.to_xml("wec"), Kind::Own), @r"CEF:0|Windrow|windrow|0.1.0|Alert:AccountCreated|User Account Created|2|rt=1526605200000 cat=Windrow/Operational dvchost=wec deviceExternalId=collector.example.com externalId=7f3d|1 act=closed start=1526601568500 end=1526605200000 cs1Label=Remediation cs1=Contact support. msg=A user account <TestUser> was created for <TestDomain>. It's a potential security risk.");
}

#[test]
fn endpoint_events_are_as_the_document_says() {
    for action in EndpointAction::all() {
        let used = EndpointEvent {
            action,
            time: "2018-05-17T23:59:28Z".parse().unwrap(),
            who: "CORP\\admin".into(),
            which_ip: "10.0.0.1".into(),
            from: Some("10.0.0.7".into()),
            session: Some("4f1c".into()),
            account: Some("ada".into()),
        };
        let xml = used.to_xml("wec");
        let parsed = parse(&message(Settings::default(), &xml, Kind::Own)).unwrap();
        let id = action as u32;
        assert_eq!(
            parsed.signature,
            format!("Microsoft-AzureStack-PrivilegedEndpoint: {id}")
        );
        assert_eq!(parsed.name, format!("{action:?}Event"));
        let grave = [1003, 1004, 1006, 1007, 1009, 1010, 1014, 1015].contains(&id);
        assert_eq!(parsed.severity, if grave { "10" } else { "5" });
        assert_eq!(parsed.extensions["Who"], "CORP\\admin");
        assert_eq!(parsed.extensions["WhichIP"], "10.0.0.1");
        assert_eq!(parsed.extensions.len(), 2);

        let parsed = parse(&message(standard(), &xml, Kind::Own)).unwrap();
        assert_eq!(parsed.signature, format!("Endpoint:{id}"));
        assert_eq!(parsed.extensions["suser"], "CORP\\admin");
        let of_recovery = (1011..=1016).contains(&id);
        // The document's two fields and no other are in profile `azure-stack`; here are the address
        // it was used from, and whom it was done to.
        let source = if of_recovery { "10.0.0.1" } else { "10.0.0.7" };
        assert_eq!(parsed.extensions["src"], source);
        assert_eq!(parsed.extensions["duser"], "ada");
        assert_eq!(parsed.extensions.contains_key("dst"), !of_recovery);
    }
}

#[test]
fn a_machine_cannot_forge_an_alert() {
    let xml = alert().to_xml("wec");
    for settings in [Settings::default(), standard()] {
        let parsed = parse(&message(settings, &xml, Kind::Wef)).unwrap();
        assert_eq!(parsed.signature, "Windrow:100");
        assert_eq!(parsed.vendor, "Microsoft");
    }
}

#[test]
fn our_other_records_say_whose_they_are() {
    let event = crate::own::OwnEvent {
        id: crate::own::OwnEventId::EventsDropped,
        level: crate::own::OwnLevel::Error,
        time: "2018-05-17T23:59:28Z".parse().unwrap(),
        computer: "wec",
        message: "3 events dropped",
        data: &[("FirstSequence", "1"), ("Reason", "quota")],
    };
    let parsed = parse(&message(standard(), &event.to_xml(), Kind::Own)).unwrap();
    assert_eq!((&*parsed.vendor, &*parsed.product), ("Windrow", "windrow"));
    assert_eq!((&*parsed.signature, &*parsed.severity), ("Windrow:12", "8"));
    assert_eq!(parsed.extensions["msg"], "3 events dropped");
    assert_eq!(parsed.extensions["cs6"], "FirstSequence: 1; Reason: quota");
}

/// The document's one sample contradicts its own tables: a number as signature, all text in
/// the name, no pipe at the end. We send the tables' form (docs/adr/0011-cef-profiles.md);
/// the sample still is what our parts make of its parts, but for that pipe.
#[test]
fn the_documents_sample_comes_from_its_parts() {
    const SAMPLE: &str = "CEF:0.0|Microsoft|Microsoft Azure Stack|1.0|3|TITLE: User Account Created -- DESCRIPTION: A user account <TestUser> was created for <TestDomain>. It's a potential security risk. -- REMEDIATION: Please contact Support. Customer Assistance is required to resolve this issue. Do not try to resolve this issue without their assistance. Before you open a support request, start the log file collection process using the guidance from https://aka.ms/azurestacklogfiles|10";
    let remediation = "Please contact Support. Customer Assistance is required to resolve this issue. Do not try to resolve this issue without their assistance. Before you open a support request, start the log file collection process using the guidance from https://aka.ms/azurestacklogfiles";
    let settings = Settings {
        version: Version::ZeroPointZero,
        ..Settings::default()
    };
    let (mut out, mut slots) = (Vec::new(), Vec::new());
    let mut message = Message::new(settings, &mut out, &mut slots);
    message.device(settings.product.device());
    message.signature(&[], Some(3));
    let parts = [
        "TITLE: ",
        "User Account Created",
        " -- DESCRIPTION: ",
        DESCRIPTION,
        " -- REMEDIATION: ",
        remediation,
    ];
    message.name(&parts, 10);
    assert_eq!(message.loss().bytes, 0);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{SAMPLE}|"));
}
