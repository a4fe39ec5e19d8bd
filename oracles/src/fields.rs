//! What a message says, field by field, against its event, in both profiles. The mapping is stated here once more, from its
//! documents.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use windrow_formats::cef::Profile;
use windrow_formats::event::Event;
use windrow_formats::syslog::Outcome;

use crate::as_read;

/// What stands at the end of a value that was cut.
const CUT: &str = "...";

/// A message as a parser read it, and the place of its event for whoever looks for a fault.
#[derive(Clone, Copy)]
struct Message<'a> {
    read: &'a BTreeMap<String, String>,
    place: &'a str,
    is_cut: bool,
}

/// Holds each field of a message that was read against the event that it was made of.
///
/// # Panics
/// Where one differs: of a message that was cut, where one is no beginning.
pub fn check(
    event: Event<'_>,
    profile: Profile,
    outcome: &Outcome,
    read: &BTreeMap<String, String>,
    place: &str,
) {
    let removed = match outcome {
        Outcome::Whole => None,
        Outcome::Cut(bytes) => Some(bytes.to_string()),
    };
    assert_eq!(
        read.get("WindrowTruncated").cloned(),
        removed,
        "{place}: {read:?}"
    );
    let message = Message {
        read,
        place,
        is_cut: removed.is_some(),
    };
    match profile {
        Profile::AzureStack => check_azure_stack(event, message),
        Profile::Standard => check_standard(event, message),
    }
}

impl Message<'_> {
    /// The value of `key` is `expected`, or begins it where the message was cut.
    fn has(self, key: &str, expected: &str) {
        let Message { place, read, .. } = self;
        let value = read.get(key).map(String::as_str);
        assert!(
            value.is_some_and(|value| value == expected || self.begins(value, expected)),
            "{place}: {key} is {value:?}, not {expected:?}"
        );
    }

    /// The value of `key` is `value`, or as much of it as the key holds.
    fn holds(self, key: &str, value: &str, max: usize) {
        self.has(key, &as_read(&value[..value.floor_char_boundary(max)]));
    }

    fn begins(self, value: &str, expected: &str) -> bool {
        // Quotes around a value are gone once they are read, and a cut one has the first alone.
        let kept = value.strip_suffix(CUT).unwrap_or(value);
        let kept = kept.strip_prefix('"').unwrap_or(kept);
        let expected = expected.strip_prefix('"').unwrap_or(expected);
        self.is_cut && value.ends_with(CUT) && expected.starts_with(kept)
    }
}

fn text(value: Option<impl AsRef<str>>) -> String {
    value.map_or_else(String::new, |value| as_read(value.as_ref()))
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn check_azure_stack(event: Event<'_>, message: Message<'_>) {
    let Message { read, place, .. } = message;
    assert_eq!(read.len(), 7 + 23 + usize::from(message.is_cut), "{place}");
    let bare = |guid: Option<Cow<'_, str>>| {
        text(guid.map(|guid| guid.trim_matches(['{', '}']).to_owned()))
    };
    let data: Vec<String> = event.data().map(|item| item.value.into_owned()).collect();
    let mask = event.keywords().map(|mask| format!("{mask:#018x}"));
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
        ("MasKeywords", mask.unwrap_or_default()),
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
        message.has(key, &value);
    }
    check_user_data(event, message);
    let rendering = event.rendering();
    if let Some(sentence) = rendering.and_then(|rendering| rendering.message())
        && !sentence.is_empty()
    {
        message.has("MasEventDescription", &as_read(&sentence));
    }
}

fn check_user_data(event: Event<'_>, message: Message<'_>) {
    let leaves = event.user_data().map(|leaf| leaf.value.into_owned());
    let leaves = as_read(&leaves.collect::<Vec<_>>().join("!!"));
    let value = message.read["MasUserData"].as_str();
    assert!(
        value.starts_with(leaves.trim_end()) || message.begins(value, &leaves),
        "{}: {value}",
        message.place
    );
}

fn check_standard(event: Event<'_>, message: Message<'_>) {
    let Message { read, place, .. } = message;
    let provider = event.provider_name().unwrap_or_default();
    let in_header = |text: &str| as_read(text).replace('\n', " ").trim().to_owned();
    let signature = format!("{provider}:{}", number(event.event_id()));
    message.has("deviceEventClassId", &in_header(&signature));
    let numbers = [
        ("externalId", event.event_id().map(|id| id.to_string())),
        (
            "rt",
            (event.time_created()).map(|time| time.as_millisecond().to_string()),
        ),
        ("cn1", event.record_id().map(|id| id.to_string())),
        ("dvcpid", event.process_id().map(|id| id.to_string())),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            assert_eq!(read[key], value, "{place}: {key}");
        }
    }
    for (key, value, max) in [
        ("cat", event.channel(), 1023),
        ("dvchost", event.computer(), 100),
    ] {
        if let Some(value) = value.filter(|value| is_value(value)) {
            message.holds(key, &value, max);
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
        check_audit(event, message);
    }
    check_nothing_is_lost(event, message);
}

fn is_value(text: &str) -> bool {
    !matches!(text.trim(), "" | "-")
}

fn only<'a>(event: Event<'a>, name: &str) -> Option<Cow<'a, str>> {
    event.data_value(name).filter(|value| is_value(value))
}

fn check_audit(event: Event<'_>, message: Message<'_>) {
    let Message { read, place, .. } = message;
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
            message.holds(key, &value, max);
        }
    }
    if let Some(user) = only(event, "TargetUserName").filter(|_| !is_of_group) {
        let read = &read["duser"];
        let is_it = user.ends_with(read) || message.begins(read, &user);
        assert!(is_it, "{place}: {user}, not {read}");
    }
    if let Some(kind) = only(event, "LogonType") {
        assert_eq!(read["cn2"], kind, "{place}");
    }
    if let Some(id) = only(event, "NewProcessId") {
        let id = u64::from_str_radix(id.trim_start_matches("0x"), 16).expect("a number");
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
fn check_nothing_is_lost(event: Event<'_>, message: Message<'_>) {
    let Message { read, place, .. } = message;
    if message.is_cut {
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
