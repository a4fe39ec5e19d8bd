use proptest::prelude::*;
use windrow_formats::event::{self, Event, Index, ParseStatus, Payload as ParsedPayload};

use super::super::random::Random;
use super::*;

/// 2026-11-21T20:00:00.1234567Z.
const TICKS: u64 = 17_952_912_001_234_567;

fn key<'a>(fleet: &'a Fleet, channel: Channel, record: u64) -> EventKey<'a> {
    EventKey {
        machine: &fleet.machines()[0],
        channel,
        record,
        ticks: TICKS,
    }
}

fn render(catalogue: &Catalogue, content: ContentFormat, key: &EventKey<'_>) -> (u32, String) {
    let fleet = Fleet::new(1, 1);
    let mut out = String::new();
    let id = Renderer::new(&fleet, catalogue)
        .render(key, content, &mut out)
        .unwrap();
    (id, out)
}

fn only(id: u32) -> Catalogue {
    Catalogue::new(&Mix(vec![(id, 1)]), Hostility::Plain)
}

#[test]
fn a_firewall_change_reads_as_windows_writes_it() {
    let fleet = Fleet::new(1, 1);
    let (_, text) = render(
        &only(4946),
        ContentFormat::Raw,
        &key(&fleet, Channel::Security, 7),
    );
    insta::assert_snapshot!(text, @"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID>4946</EventID><Version>0</Version><Level>0</Level><Task>13571</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-11-21T20:00:00.1234567Z'/><EventRecordID>7</EventRecordID><Correlation/><Execution ProcessID='756' ThreadID='2940'/><Channel>Security</Channel><Computer>srv0001.corp.example</Computer><Security/></System><EventData><Data Name='ProfileChanged'>All</Data><Data Name='RuleId'>{49702461-16f0-cd42-9c4a-5e3b0328c30d}</Data><Data Name='RuleName'>Orders API (TCP-In)</Data></EventData></Event>");
}

#[test]
fn a_stopped_service_carries_its_name_in_the_binary() {
    let fleet = Fleet::new(1, 1);
    let (_, text) = render(
        &only(7036),
        ContentFormat::Raw,
        &key(&fleet, Channel::System, 3),
    );
    let mut index = Index::default();
    event::parse(&text, &mut index).unwrap();
    let event = Event::new(&text, &index);
    let values: Vec<_> = event.data().map(|item| item.value.into_owned()).collect();
    insta::assert_debug_snapshot!(values, @r#"
[
    "Contoso Agent",
    "stopped",
    "43006F006E0074006F0073006F004100670065006E0074002F0031000000",
]
"#);
    assert_eq!(event.qualifiers(), Some(16384));
}

#[test]
fn a_rendered_event_has_its_message() {
    let fleet = Fleet::new(1, 1);
    let (_, text) = render(
        &only(4732),
        ContentFormat::RenderedText,
        &key(&fleet, Channel::Security, 9),
    );
    let mut index = Index::default();
    event::parse(&text, &mut index).unwrap();
    let rendering = Event::new(&text, &index).rendering().unwrap();
    let message = rendering.message().unwrap();
    insta::assert_snapshot!(message.split(NOTES).next().unwrap().replace("\r\n", "\n"), @r#"
A member was added to a security-enabled local group.

Details:
	MemberName:		-
	MemberSid:		S-1-5-21-1601554128-2085212535-954254152-1366
	TargetUserName:		Event Log Readers
	TargetDomainName:		Builtin
	TargetSid:		S-1-5-32-573
	SubjectUserSid:		S-1-5-21-1601554128-2085212535-954254152-1104
	SubjectUserName:		adm-ada.abel
	SubjectDomainName:		CORP
	SubjectLogonId:		0xb576e2e
	PrivilegeList:		-
"#);
    assert_eq!(
        rendering.task().as_deref(),
        Some("Security Group Management")
    );
    assert_eq!(
        rendering.keywords().next().as_deref(),
        Some("Audit Success")
    );
}

#[test]
fn every_bracket_of_a_template_is_a_slot() {
    for template in TEMPLATES {
        let text = event_text(template) + &rendering_text(template);
        let parts = Text::parse(&text);
        let literals: String = parts.0.iter().map(|(literal, _)| &**literal).collect();
        assert!(!literals.contains(['[', ']']), "{literals}");
    }
}

#[test]
fn the_default_mix_knows_every_event_and_keeps_its_weights() {
    for template in TEMPLATES {
        assert!(DEFAULT_MIX.iter().any(|&(id, _)| id == template.event_id));
    }
    let fleet = Fleet::new(1, 1);
    let catalogue = Catalogue::new(&Mix::default(), Hostility::Plain);
    let mut renderer = Renderer::new(&fleet, &catalogue);
    let mut random = Random::new(5);
    let (mut out, mut counts) = (String::new(), std::collections::BTreeMap::<u32, u32>::new());
    for record in 0..100_000 {
        let key = key(&fleet, catalogue.channel(random.draw()), record);
        let id = renderer.render(&key, ContentFormat::Raw, &mut out).unwrap();
        *counts.entry(id).or_default() += 1;
    }
    for &(id, weight) in DEFAULT_MIX {
        let (expected, found) = (weight * 100, counts[&id]);
        assert!(
            found.abs_diff(expected) <= 50 + expected / 20,
            "{id}: {found} of {expected}"
        );
    }
    let mean = out.len() / 100_000;
    assert!((1_400..1_600).contains(&mean), "{mean} bytes");
}

#[test]
fn a_mix_is_read_or_refused() {
    assert_eq!(
        "4624=3, 1102=1".parse::<Mix>().unwrap().0,
        [(4624, 3), (1102, 1)]
    );
    assert_eq!(
        "4624".parse::<Mix>(),
        Err(MixError::Part("4624".to_owned()))
    );
    assert_eq!(
        "4624=x".parse::<Mix>(),
        Err(MixError::Part("4624=x".to_owned()))
    );
    assert_eq!("4624=0".parse::<Mix>(), Err(MixError::Empty));
    let error = "1=1".parse::<Mix>().unwrap_err().to_string();
    insta::assert_snapshot!(error, @"no event 1 is known; known are 4624, 4688, 4634, 4672, 4625, 7036, 1000, 100, 4946, 4732, 1102");
}

#[test]
fn a_channel_that_the_mix_lacks_has_no_events() {
    let fleet = Fleet::new(1, 1);
    let catalogue = only(4624);
    let mut renderer = Renderer::new(&fleet, &catalogue);
    let mut out = String::new();
    let key = key(&fleet, Channel::System, 1);
    assert_eq!(renderer.render(&key, ContentFormat::Raw, &mut out), None);
    assert!(out.is_empty());
    assert_eq!(catalogue.channel(u64::MAX), Channel::Security);
}

proptest! {
    #[test]
    fn every_event_is_read_back(
        seed: u64,
        record in 1..=u64::MAX,
        ticks in 0..40_000_000_000_000_000_u64,
        channel in prop::sample::select(Channel::ALL.to_vec()),
        content in prop::sample::select(vec![ContentFormat::Raw, ContentFormat::RenderedText]),
        hostility in prop::sample::select(vec![Hostility::Plain, Hostility::Hostile]),
    ) {
        let fleet = Fleet::new(seed, 3);
        let catalogue = Catalogue::new(&Mix::default(), hostility);
        let key = EventKey { machine: &fleet.machines()[2], channel, record, ticks };
        let mut text = String::new();
        let id = Renderer::new(&fleet, &catalogue).render(&key, content, &mut text).unwrap();
        let mut again = String::new();
        let mut other = Renderer::new(&fleet, &catalogue);
        other.render(&EventKey { ticks: ticks + 1, ..key }, content, &mut String::new());
        other.render(&key, content, &mut again);
        prop_assert_eq!(&text, &again);

        let mut index = Index::default();
        event::parse(&text, &mut index).unwrap();
        let event = Event::new(&text, &index);
        prop_assert_eq!(event.event_id(), Some(id));
        prop_assert_eq!(event.record_id(), Some(record));
        let (named, computer) = (event.channel(), event.computer());
        prop_assert_eq!(named.as_deref(), Some(channel.name()));
        prop_assert_eq!(computer.as_deref(), Some("srv0003.corp.example"));
        let nanosecond = event.time_created().unwrap().as_nanosecond();
        prop_assert_eq!(nanosecond, i128::from(ticks) * 100);
        let template = TEMPLATES.iter().find(|template| template.event_id == id).unwrap();
        prop_assert_eq!(event.task(), Some(template.task));
        prop_assert_eq!(event.level(), Some(template.level));
        let (payload, items) = match &template.payload {
            Payload::User(..) => (ParsedPayload::UserData, 0),
            Payload::Named(items) => (ParsedPayload::EventData, items.len()),
            Payload::Unnamed(items) => (ParsedPayload::EventData, items.len()),
            Payload::NamedAndBinary(items, _) => (ParsedPayload::EventData, items.len() + 1),
        };
        prop_assert_eq!(event.payload(), payload);
        prop_assert_eq!(event.data().len(), items);
        if hostility == Hostility::Plain {
            prop_assert_eq!(event.status(), ParseStatus::Whole);
            prop_assert_eq!(event.rendering().is_some(), content == ContentFormat::RenderedText);
        }
    }
}

#[test]
fn the_hostile_mix_reaches_every_value_and_cuts_some_renderings() {
    let fleet = Fleet::new(3, 1);
    let catalogue = Catalogue::new(&Mix::default(), Hostility::Hostile);
    let mut renderer = Renderer::new(&fleet, &catalogue);
    let (mut all, mut cut, mut text) = (String::new(), 0, String::new());
    for record in 0..4_000 {
        text.clear();
        let key = key(&fleet, Channel::ALL[record as usize % 3], record);
        renderer
            .render(&key, ContentFormat::RenderedText, &mut text)
            .unwrap();
        cut += usize::from(!text.ends_with(END));
        all.push_str(&text);
    }
    for value in HOSTILE {
        assert!(all.contains(value), "{value:?}");
    }
    assert!(all.contains(&catalogue.long_value));
    assert!((60..200).contains(&cut), "{cut}");
}
