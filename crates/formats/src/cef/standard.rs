//! The keys of the CEF dictionary (rev 27, "Extension dictionary") that receivers have columns
//! and rules for, each in its type and length. docs/forwarding-siem.md has the table.
//!
//! Where the dictionary is silent: the subject of an event is its source user, the target its
//! destination user; the program that acts is the source process, the one acted upon or
//! started the destination process. A key without a value is left out. Values that have no key
//! stay together under `cs6`, so that nothing is lost.

use std::borrow::Cow;
use std::net::IpAddr;

use super::fields::{Field, Fields, is_value};
use super::message::{Key, Message, Name, key};
use crate::batch::{Header, Kind};
use crate::criticality::{self, Outcome};
use crate::event::number::unsigned;
use crate::event::{Event, Payload};
use crate::{describe, names};

const DEVICE: &str = "Microsoft|Microsoft Windows|1.0";
/// Of our own records: nobody shall take them for a Windows machine's.
pub(super) const OWN_DEVICE: &str = concat!("Windrow|windrow|", env!("CARGO_PKG_VERSION"));

/// Bytes of most texts of the dictionary.
pub(super) const TEXT_MAX: usize = 1023;
/// Bytes of `cs1` to `cs6`.
pub(super) const CUSTOM_MAX: usize = 4000;

/// CEF severity: the level's, level 0 being the information that Windows shows it as; at least
/// 5 for an audit failure, at least 8 for what is critical whatever its level.
pub(super) fn severity(event: Event<'_>) -> u8 {
    let of_level = match event.level() {
        Some(1) => 10,
        Some(2) => 8,
        Some(3) => 5,
        Some(5) => 0,
        _ => 2,
    };
    if of_level < 8 && criticality::is_critical(event) {
        8
    } else if of_level < 5 && criticality::outcome(event) == Some(Outcome::Failure) {
        5
    } else {
        of_level
    }
}

pub(super) fn write(event: Event<'_>, header: &Header, message: &mut Message<'_>) {
    let is_own = header.kind == Kind::Own;
    message.device(if is_own { OWN_DEVICE } else { DEVICE });
    let provider = event.provider_name();
    let provider = provider.as_deref().unwrap_or_default();
    let id = event.event_id();
    message.signature(&[provider, ":"], id);

    let rendering = event.rendering();
    let rendered = rendering
        .as_ref()
        .and_then(|rendering| rendering.message())
        .filter(|text| is_value(text));
    let described = id.and_then(|id| describe::describe(provider, id));
    let task = rendering
        .as_ref()
        .and_then(|rendering| rendering.task())
        .filter(|task| is_value(task));
    let first_line = rendered.as_deref().and_then(|text| text.lines().next());
    let known_task = event
        .task()
        .and_then(|task| names::task_name(provider, task));
    let name = described
        .or(task.as_deref())
        .or(known_task)
        .or(first_line)
        .unwrap_or("Event");
    let grade = if is_own {
        super::severity(event.level())
    } else {
        severity(event)
    };
    message.name_and_severity(Name::Text(name), grade);

    device(event, header, message);
    message.some_number(key!("externalId"), id.map(u64::from));
    let fields = Fields::of(event);
    verdict(event, provider, &fields, message);
    people(&fields, message);
    network(&fields, message);
    processes(&fields, message);
    objects(&fields, message);
    custom(event, &fields, message);
    if let Some(text) = rendered.as_deref().or(described) {
        message.limited(key!("msg"), text, TEXT_MAX);
    }
    rest(event, &fields, message);
}

/// When it happened, which machine says so, and which one is proven to have sent it.
pub(super) fn device(event: Event<'_>, header: &Header, message: &mut Message<'_>) {
    let time = event.time_created().unwrap_or(header.received_at);
    message.time(key!("rt"), time);
    if let Some(channel) = event.channel().filter(|text| is_value(text)) {
        message.limited(key!("cat"), &channel, TEXT_MAX);
    }
    if let Some(computer) = event.computer().filter(|text| is_value(text)) {
        message.limited(key!("dvchost"), &computer, 100);
    }
    if is_value(&header.source) {
        message.limited(key!("deviceExternalId"), &header.source, 255);
    }
    match header.address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => message.ipv4(key!("dvc"), address),
        // The proven name is enough: room is short.
        Some(IpAddr::V6(_)) | None => {}
    }
    message.some_number(key!("dvcpid"), event.process_id().map(u64::from));
}

/// What became of it.
fn verdict(event: Event<'_>, provider: &str, fields: &Fields<'_>, message: &mut Message<'_>) {
    let action = fields
        .take(Field::Action)
        .or_else(|| Some(Cow::Borrowed(action(provider, event.event_id()?)?)));
    if let Some(action) = action {
        message.limited(key!("act"), &action, 63);
    }
    match criticality::outcome(event) {
        Some(Outcome::Success) => message.label(key!("outcome"), "success"),
        Some(Outcome::Failure) => message.label(key!("outcome"), "failure"),
        None => {}
    }
    // The sub-status is the finer one; zero says that there is none.
    let finer = fields.peek(Field::SubStatus).as_deref().and_then(unsigned);
    let reason = match finer {
        Some(0) | None => Field::Status,
        Some(_) => Field::SubStatus,
    };
    text(key!("reason"), reason, fields, TEXT_MAX, message);
}

/// A key with the value of one field, if the event has it.
fn text(key: Key, field: Field, fields: &Fields<'_>, max: usize, message: &mut Message<'_>) {
    if let Some(text) = fields.take(field) {
        message.limited(key, &text, max);
    }
}

/// What Windows did to whom the event is about, where the event's id alone says it.
fn action(provider: &str, id: u32) -> Option<&'static str> {
    Some(match (id, provider) {
        (5031 | 5152 | 5157 | 5159, "Microsoft-Windows-Security-Auditing") => "blocked",
        (5154 | 5156 | 5158, "Microsoft-Windows-Security-Auditing") => "allowed",
        (8002 | 8005, "Microsoft-Windows-AppLocker") => "allowed",
        (8003 | 8006, "Microsoft-Windows-AppLocker") => "audited",
        (8004 | 8007, "Microsoft-Windows-AppLocker") => "blocked",
        (27 | 28, "Microsoft-Windows-Sysmon") => "blocked",
        (1121, "Microsoft-Windows-Windows Defender") => "blocked",
        (1122, "Microsoft-Windows-Windows Defender") => "audited",
        _ => return None,
    })
}

fn people(fields: &Fields<'_>, message: &mut Message<'_>) {
    // Of a process start the user is whom it runs as; of all else, who acts.
    let starts = fields.has(Field::ParentProcess);
    let subject = if fields.has(Field::SubjectUser) || starts {
        Field::SubjectUser
    } else {
        Field::User
    };
    // Of a change to a group the member is the target, and the group under `cs2`.
    let is_of_group = fields.has(Field::MemberSid);
    let target = if is_of_group {
        Field::MemberName
    } else if fields.has(Field::TargetUser) || !starts {
        Field::TargetUser
    } else {
        Field::User
    };
    account(
        (key!("suser"), key!("sntdom")),
        fields.take(subject),
        fields.take(Field::SubjectDomain),
        message,
    );
    text(key!("suid"), Field::SubjectSid, fields, TEXT_MAX, message);
    text(key!("spriv"), Field::Privileges, fields, TEXT_MAX, message);
    let (domain, sid) = if is_of_group {
        (None, Field::MemberSid)
    } else {
        (fields.take(Field::TargetDomain), Field::TargetSid)
    };
    account(
        (key!("duser"), key!("dntdom")),
        fields.take(target),
        domain,
        message,
    );
    text(key!("duid"), sid, fields, TEXT_MAX, message);
}

fn account(
    (user_key, domain_key): (Key, Key),
    name: Option<Cow<'_, str>>,
    domain: Option<Cow<'_, str>>,
    message: &mut Message<'_>,
) {
    let (domain, name) = match &name {
        Some(name) => split(name, domain.as_deref()),
        None => (domain.as_deref(), ""),
    };
    if !name.is_empty() {
        message.limited(user_key, name, TEXT_MAX);
    }
    if let Some(domain) = domain {
        message.limited(domain_key, domain, 255);
    }
}

/// Domain and name, from one text (`DOMAIN\name`) where the event has no domain of its own.
fn split<'a>(name: &'a str, domain: Option<&'a str>) -> (Option<&'a str>, &'a str) {
    if domain.is_some() {
        return (domain, name);
    }
    match name.split_once('\\') {
        Some((domain, name)) if !domain.is_empty() && !name.is_empty() => (Some(domain), name),
        _ => (None, name),
    }
}

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Source,
    Destination,
}

fn network(fields: &Fields<'_>, message: &mut Message<'_>) {
    end(
        Direction::Source,
        fields,
        [Field::SourceAddress, Field::SourceHost, Field::SourcePort],
        message,
    );
    end(
        Direction::Destination,
        fields,
        [
            Field::DestinationAddress,
            Field::DestinationHost,
            Field::DestinationPort,
        ],
        message,
    );
    if let Some(protocol) = fields.take(Field::Protocol) {
        message.limited(key!("proto"), protocol_name(&protocol), 31);
    }
    // 0 is towards the machine, 1 away from it.
    let direction = match fields.peek(Field::Direction).as_deref() {
        Some("%%14592" | "Inbound" | "false") => Some(0),
        Some("%%14593" | "Outbound" | "true") => Some(1),
        _ => None,
    };
    if direction.is_some() {
        fields.take(Field::Direction);
        message.number(key!("deviceDirection"), direction);
    }
    let name_key = key!("destinationDnsDomain");
    text(name_key, Field::QueryName, fields, 255, message);
}

fn end(
    side: Direction,
    fields: &Fields<'_>,
    [address_field, host, port]: [Field; 3],
    message: &mut Message<'_>,
) {
    let (host_key, port_key) = match side {
        Direction::Source => (key!("shost"), key!("spt")),
        Direction::Destination => (key!("dhost"), key!("dpt")),
    };
    let found = fields
        .peek(address_field)
        .and_then(|text| parse_address(&text));
    if let Some(found) = found {
        fields.take(address_field);
        address(side, found, message);
    }
    // `LOCAL` and the like stand where an address should: they name a machine.
    let host = if found.is_some() || fields.has(host) {
        host
    } else {
        address_field
    };
    text(host_key, host, fields, TEXT_MAX, message);
    message.some_number(port_key, fields.take_number(port, 1..=65_535));
}

/// An address under the key of its kind: `src` and `dst` are IPv4 only.
pub(super) fn address(side: Direction, address: IpAddr, message: &mut Message<'_>) {
    match (address, side) {
        (IpAddr::V4(address), Direction::Source) => message.ipv4(key!("src"), address),
        (IpAddr::V4(address), Direction::Destination) => message.ipv4(key!("dst"), address),
        (IpAddr::V6(address), Direction::Source) => {
            message.ipv6(
                key!("c6a2Label"),
                "Source IPv6 Address",
                key!("c6a2"),
                address,
            );
        }
        (IpAddr::V6(address), Direction::Destination) => {
            let label = "Destination IPv6 Address";
            message.ipv6(key!("c6a3Label"), label, key!("c6a3"), address);
        }
    }
}

/// `10.0.0.1`, `::ffff:10.0.0.1` (which is the same), `fe80::1%12`.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.split('%').next().unwrap_or(text).trim_ascii();
    let address: IpAddr = bare.parse().ok()?;
    Some(address.to_canonical())
}

/// IP protocol numbers, as far as Windows events meet them (IANA).
fn protocol_name(protocol: &str) -> &str {
    match protocol {
        "1" => "ICMP",
        "2" => "IGMP",
        "6" | "tcp" => "TCP",
        "17" | "udp" => "UDP",
        "47" => "GRE",
        "50" => "ESP",
        "58" => "ICMPv6",
        other => other,
    }
}

fn processes(fields: &Fields<'_>, message: &mut Message<'_>) {
    // The Security log says `ProcessId` of the one that starts another, Sysmon of the one that
    // is started.
    let [source, source_id, destination, destination_id] = if fields.has(Field::NewProcess) {
        [
            Field::ParentProcess,
            Field::ProcessId,
            Field::NewProcess,
            Field::NewProcessId,
        ]
    } else if fields.has(Field::ParentProcess) {
        [
            Field::ParentProcess,
            Field::ParentProcessId,
            Field::Process,
            Field::ProcessId,
        ]
    } else {
        [
            Field::Process,
            Field::ProcessId,
            Field::TargetProcess,
            Field::TargetProcessId,
        ]
    };
    let any = 0..=u64::MAX;
    text(key!("sproc"), source, fields, TEXT_MAX, message);
    message.some_number(key!("spid"), fields.take_number(source_id, any.clone()));
    text(key!("dproc"), destination, fields, TEXT_MAX, message);
    message.some_number(key!("dpid"), fields.take_number(destination_id, any));
}

fn objects(fields: &Fields<'_>, message: &mut Message<'_>) {
    text(key!("filePath"), Field::File, fields, TEXT_MAX, message);
    let access = key!("filePermission");
    text(access, Field::Access, fields, TEXT_MAX, message);
    text(key!("fileHash"), Field::FileHash, fields, 255, message);
    let service = key!("destinationServiceName");
    text(service, Field::Service, fields, TEXT_MAX, message);
}

fn custom(event: Event<'_>, fields: &Fields<'_>, message: &mut Message<'_>) {
    if let Some(record) = event.record_id() {
        message.label(key!("cn1Label"), "RecordID");
        message.number(key!("cn1"), Some(record));
    }
    if let Some(kind) = fields.take_number(Field::LogonType, 0..=u64::MAX) {
        message.label(key!("cn2Label"), "LogonType");
        message.number(key!("cn2"), Some(kind));
    }
    if let Some((label, text)) = fields.take_labelled(Field::Command) {
        message.labelled(key!("cs1Label"), label, key!("cs1"), &text);
    }
    let detail = if fields.has(Field::MemberSid) {
        fields.take(Field::TargetUser).map(|text| ("Group", text))
    } else {
        fields.take_labelled(Field::Detail)
    };
    if let Some((label, text)) = detail {
        message.labelled(key!("cs2Label"), label, key!("cs2"), &text);
    }
    if let Some((label, text)) = fields.take_labelled(Field::Package) {
        message.labelled(key!("cs3Label"), label, key!("cs3"), &text);
    }
    if let Some(logon) = fields.take(Field::TargetLogon) {
        message.labelled(key!("cs4Label"), "TargetLogonId", key!("cs4"), &logon);
    }
    if let Some(logon) = fields.take(Field::SubjectLogon) {
        message.labelled(key!("cs5Label"), "SubjectLogonId", key!("cs5"), &logon);
    }
}

/// `name: value; name: value` of what found no key.
fn rest(event: Event<'_>, fields: &Fields<'_>, message: &mut Message<'_>) {
    let text = event.text();
    let (label_key, label, key) = (key!("cs6Label"), "EventData", key!("cs6"));
    if event.payload() == Payload::UserData {
        let leaves = (event.leaves().enumerate())
            .filter(|(place, (_, value))| fields.is_left(*place, *value))
            .map(|(_, (path, value))| (Cow::Borrowed(path.name()), value.value(text)));
        return message.pairs(label_key, label, key, leaves);
    }
    let data = event.index().data.iter().enumerate();
    let items = data
        .filter(|(place, entry)| match event.payload() {
            Payload::EventData => fields.is_left(*place, entry.value),
            _ => is_value(&entry.value.value(text)),
        })
        .map(|(_, entry)| {
            let name = entry.name.optional_value(text).unwrap_or_default();
            (name, entry.value.value(text))
        });
    message.pairs(label_key, label, key, items);
}
