//! Subscriptions as Windows writes them, and keys of ours: there and back.

use std::time::Duration;

use windrow_formats::wef::subscription_xml::{
    self, ALL_DOMAIN_MACHINES, Delivery as Mode, Include, OtherMachines, Subscription as Windows,
};
use windrow_formats::wsman::reply::ContentFormat as Form;

use crate::admin::{Group, Subscription, SubscriptionKeys};
use crate::config::checked::{ChannelErrors, ContentFormat, Delivery, NewChannels};
use crate::config::limits::{MAX_DESCRIPTION_BYTES, MAX_NAME_CHARS};
use crate::config::units::Span;

/// Whom a file says it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// As the keys have it.
    Said,
    /// Groups or accounts by their numbers.
    OnlyTheDirectoryKnows,
}

/// What becomes of a subscription of Windows: the keys, and what of it is other here.
pub(super) struct Taken {
    /// The keys.
    pub(super) keys: SubscriptionKeys,
    /// Whether they say whom it is for.
    pub(super) whom: Whom,
    /// What is other, in words.
    pub(super) changed: Vec<String>,
}

/// The shortest and the longest time that a setting here may have.
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(86_400));
const LATENCY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// The keys of a subscription of Windows.
pub(super) fn keys(windows: &Windows) -> Taken {
    let mut changed = Vec::new();
    let machines = windows.machines();
    let (include, whom) = match machines.include {
        Include::Everyone => (None, Whom::Said),
        Include::Patterns(patterns) => (Some(patterns), Whom::Said),
        Include::Unknown => (None, Whom::OnlyTheDirectoryKnows),
    };
    let mut keys = SubscriptionKeys {
        enabled: (!windows.enabled).then_some(false),
        description: windows
            .description
            .as_deref()
            .and_then(|text| one_line(text, &mut changed)),
        query: Some(windows.query.clone()),
        machines: include,
        except_machines: (!machines.except.is_empty()).then_some(machines.except),
        read_existing: windows.read_existing.then_some(true),
        content_format: Some(match windows.content_format {
            Form::Raw => ContentFormat::Raw,
            Form::RenderedText => ContentFormat::RenderedText,
        }),
        locale: windows.locale.clone(),
        ..SubscriptionKeys::default()
    };
    match windows.delivery {
        Mode::Normal => keys.delivery = Some(Delivery::Normal),
        Mode::MinimizeBandwidth => keys.delivery = Some(Delivery::MinimizeBandwidth),
        Mode::MinimizeLatency => keys.delivery = Some(Delivery::MinimizeLatency),
        custom @ Mode::Custom { max_items, .. } => {
            let mut within = |what: &str, value: Duration, (least, most)| {
                let taken = value.clamp(least, most);
                if taken != value {
                    let (said, taken) = (Span(value), Span(taken));
                    changed.push(format!("{what} of {said} is taken as {taken}"));
                }
                Some(Span(taken))
            };
            keys.delivery = preset(custom);
            if keys.delivery.is_none() {
                keys.heartbeat = within("a heartbeat", custom.heartbeat(), HEARTBEAT);
                keys.max_latency = within("a latency", custom.max_latency(), LATENCY);
            }
            keys.max_batch_events = max_items.map(|items| items.min(65_535));
        }
    }
    Taken {
        keys,
        whom,
        changed,
    }
}

/// Windows' name for the same numbers.
fn preset(custom: Mode) -> Option<Delivery> {
    let presets = [
        (Mode::Normal, Delivery::Normal),
        (Mode::MinimizeBandwidth, Delivery::MinimizeBandwidth),
        (Mode::MinimizeLatency, Delivery::MinimizeLatency),
    ];
    let numbers = |mode: Mode| (mode.heartbeat(), mode.max_latency());
    let mut same = presets
        .iter()
        .filter(|(mode, _)| numbers(*mode) == numbers(custom));
    same.next().map(|(_, delivery)| *delivery)
}

/// A description in one line that is short enough; none where nothing is left.
fn one_line(text: &str, changed: &mut Vec<String>) -> Option<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let mut line = words.join(" ");
    if line.len() > MAX_DESCRIPTION_BYTES {
        changed.push(format!(
            "the description is cut at {MAX_DESCRIPTION_BYTES} bytes"
        ));
        line.truncate(line.floor_char_boundary(MAX_DESCRIPTION_BYTES));
    }
    (!line.is_empty()).then_some(line)
}

/// What something is called here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: String,
    /// Where it is longer than a name may be.
    pub(super) note: Option<String>,
}

/// A name here for what is called so there: small letters, digits, - and _.
pub(super) fn name(text: &str) -> Option<Name> {
    let mut name = String::new();
    for character in text.chars().map(|c| c.to_ascii_lowercase()) {
        match character {
            'a'..='z' | '0'..='9' | '_' => name.push(character),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let whole = name.trim_end_matches('-');
    let cut = whole.get(..MAX_NAME_CHARS).unwrap_or(whole);
    let cut = cut.trim_end_matches('-');
    (!cut.is_empty()).then(|| Name {
        name: cut.to_owned(),
        note: (cut.len() < whole.len()).then(|| {
            format!("the name is cut at {MAX_NAME_CHARS} characters; --name gives another one")
        }),
    })
}

/// A subscription as Windows takes it (`wecutil cs`), and what of it Windows has no place for.
pub(super) fn write(shown: &Subscription, groups: &[Group]) -> (String, Vec<String>) {
    let members = |names: &[String], named: &[String]| {
        let of_groups = groups.iter().filter(|group| named.contains(&group.name));
        let of_groups = of_groups.flat_map(|group| &group.members);
        names.iter().chain(of_groups).cloned().collect::<Vec<_>>()
    };
    let mut allowed = members(&shown.machines, &shown.machine_groups);
    let denied = members(&shown.except_machines, &shown.except_groups);
    let everyone = allowed.is_empty();
    let all_accounts = allowed.iter().any(|name| name == EVERY_ACCOUNT);
    if all_accounts {
        allowed.retain(|name| name != EVERY_ACCOUNT);
    }
    let preset = match shown.delivery {
        Some(Delivery::Normal) => Some(Mode::Normal),
        Some(Delivery::MinimizeBandwidth) => Some(Mode::MinimizeBandwidth),
        Some(Delivery::MinimizeLatency) => Some(Mode::MinimizeLatency),
        None => None,
    };
    let is_preset = |mode: &Mode| {
        shown.max_batch_events.is_none()
            && mode.heartbeat() == shown.heartbeat.0
            && mode.max_latency() == shown.max_latency.0
    };
    let windows = Windows {
        name: shown.name.clone(),
        description: shown.description.clone(),
        enabled: shown.enabled,
        query: shown.query.clone().unwrap_or_default(),
        delivery: preset.filter(is_preset).unwrap_or(Mode::Custom {
            max_items: shown.max_batch_events,
            max_latency: Some(shown.max_latency.0),
            heartbeat: Some(shown.heartbeat.0),
        }),
        read_existing: shown.read_existing,
        content_format: match shown.content_format {
            ContentFormat::Raw => Form::Raw,
            ContentFormat::RenderedText => Form::RenderedText,
        },
        locale: shown.locale.clone(),
        log_file: None,
        domain_machines: (everyone || all_accounts).then(|| ALL_DOMAIN_MACHINES.to_owned()),
        other_machines: OtherMachines {
            issuers: Vec::new(),
            allowed,
            denied,
        },
    };
    let notes = without_place(shown, &windows);
    (subscription_xml::write(&windows), notes)
}

/// Every machine account of every domain.
const EVERY_ACCOUNT: &str = "*$@*";

/// What Windows has no place for.
fn without_place(shown: &Subscription, windows: &Windows) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |is_so: bool, text: &str| {
        if is_so {
            notes.push(text.to_owned());
        }
    };
    let others = &windows.other_machines;
    note(
        !others.allowed.is_empty() || !others.denied.is_empty(),
        "the names of machines are in AllowedSourceNonDomainComputers, which a collector of Windows asks of certificates alone: for machines of a domain put a group into AllowedSourceDomainComputers",
    );
    note(
        !others.allowed.is_empty(),
        "a collector of Windows also asks for AllowedIssuerCAList: the authority's thumbprint",
    );
    note(
        !shown.machine_groups.is_empty() || !shown.except_groups.is_empty(),
        "groups are written as the names in them",
    );
    note(
        shown.channel_errors == ChannelErrors::Refuse,
        "channel_errors = \"refuse\" has no place there",
    );
    note(
        shown.new_channels == NewChannels::FromNow,
        "a collector of Windows sends all of a channel that the query gains later",
    );
    note(
        shown.data_locale.is_some(),
        "data_locale has no place there",
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_a_name_may_have() {
        for (text, expected) in [
            (
                "Windows PowerShell - Script Block Tracing (v5+)",
                Some("windows-powershell-script-block-tracing-v5"),
            ),
            ("  Account_Lockouts ", Some("account_lockouts")),
            ("Ä", None),
            ("", None),
            (&"x".repeat(60), Some(&*"x".repeat(48))),
        ] {
            let name = name(text).map(|name| name.name);
            assert_eq!(name.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_windows_says_has_a_key_or_is_told() {
        let xml = "<Subscription xmlns='http://schemas.microsoft.com/2006/03/windows/events/subscription'>\
            <SubscriptionId>A</SubscriptionId><SubscriptionType>SourceInitiated</SubscriptionType>\
            <Description>two\n  lines</Description><Enabled>false</Enabled>\
            <ConfigurationMode>Custom</ConfigurationMode>\
            <Delivery Mode='Push'><Batching><MaxItems>5</MaxItems></Batching>\
            <PushSettings><Heartbeat Interval='5000'/></PushSettings></Delivery>\
            <Query><![CDATA[<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>]]></Query>\
            <ReadExistingEvents>true</ReadExistingEvents><ContentFormat>Events</ContentFormat><Locale Language='en-US'/>\
            <AllowedSourceDomainComputers>O:NSG:NSD:(A;;GA;;;S-1-5-21-1-2-3-1105)</AllowedSourceDomainComputers>\
            </Subscription>";
        let reading = subscription_xml::read(xml.as_bytes()).unwrap();
        let subscription_xml::Document::Subscription(windows) = reading.document else {
            panic!("{:?}", reading.document);
        };
        let taken = keys(&windows);
        assert_eq!(taken.whom, Whom::OnlyTheDirectoryKnows);
        assert_eq!(taken.changed, ["a heartbeat of 5s is taken as 10s"]);
        let text = toml::to_string(&taken.keys).unwrap();
        insta::assert_snapshot!(text, @r#"
        enabled = false
        description = "two lines"
        query = "<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>"
        content_format = "raw"
        read_existing = true
        heartbeat = "10s"
        max_latency = "15m"
        max_batch_events = 5
        locale = "en-US"
        "#);
    }

    #[test]
    fn a_name_that_is_cut_is_told() {
        let short = name("Account Logons (DC)").unwrap();
        assert_eq!(
            (short.name.as_str(), short.note),
            ("account-logons-dc", None)
        );
        let fits = name(&"x".repeat(MAX_NAME_CHARS)).unwrap();
        assert_eq!(fits.note, None);
        let long = name(&"x".repeat(5_000)).unwrap();
        assert_eq!(long.name.len(), MAX_NAME_CHARS);
        assert!(long.note.unwrap().contains("cut at"));
        assert_eq!(name("- -"), None);
    }
}
