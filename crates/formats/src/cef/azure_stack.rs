//! The mapping of Azure Stack's syslog client for Windows events: signature
//! `ProviderName:EventID`, name = task name, severity from the level, and 23 `Mas`
//! extensions in the document's order (Azure Stack syslog forwarding, 2018-08-14).
//!
//! Where the document is silent: every key is always written, if need be with an empty value;
//! a task without a known name is named as Event Viewer does, `None` for 0 and the number in
//! brackets for others; several keyword names are joined by a comma, as Event Viewer does; the
//! description of an event whose source rendered none is ours, where we have one.

use std::borrow::Cow;

use super::message::{Key, Message, Name, key};
use super::{Product, severity};
use crate::event::{Event, Payload};
use crate::{describe, names};

pub(super) fn write(event: Event<'_>, product: Product, message: &mut Message<'_>) {
    let provider = event.provider_name();
    let provider = provider.as_deref().unwrap_or_default();
    let rendering = event.rendering();
    let task = rendering
        .as_ref()
        .and_then(|rendering| filled(rendering.task()))
        .or_else(|| task_name(provider, event.task()));

    message.device(product.device());
    message.signature(&[provider, ":"], event.event_id());
    message.name_and_severity(name(task.as_deref(), event.task()), severity(event.level()));

    message.text(key!("MasChannel"), event.channel().as_deref());
    message.text(key!("MasComputer"), event.computer().as_deref());
    message.guid(
        key!("MasCorrelationActivityID"),
        event.activity_id().as_deref(),
    );
    message.guid(
        key!("MasCorrelationRelatedActivityID"),
        event.related_activity_id().as_deref(),
    );
    message.values(key!("MasEventData"), event.data_values(), "");
    let description = rendering
        .as_ref()
        .and_then(|rendering| filled(rendering.message()))
        .or_else(|| described(provider, event.event_id()));
    message.text(key!("MasEventDescription"), description.as_deref());
    message.number(key!("MasEventID"), event.event_id().map(u64::from));
    message.number(key!("MasEventRecordID"), event.record_id());
    message.number(
        key!("MasExecutionProcessID"),
        event.process_id().map(u64::from),
    );
    message.number(
        key!("MasExecutionThreadID"),
        event.thread_id().map(u64::from),
    );
    message.mask(key!("MasKeywords"), event.keywords());
    keyword_names(event, message);
    message.number(key!("MasLevel"), event.level().map(u64::from));
    message.number(key!("MasOpcode"), event.opcode().map(u64::from));
    let opcode = rendering
        .as_ref()
        .and_then(|rendering| filled(rendering.opcode()))
        .or_else(|| opcode_name(event.opcode()));
    message.text(key!("MasOpcodeName"), opcode.as_deref());
    message.text(
        key!("MasProviderEventSourceName"),
        event.event_source_name().as_deref(),
    );
    message.guid(key!("MasProviderGuid"), event.provider_guid().as_deref());
    message.text(key!("MasProviderName"), Some(provider));
    message.text(key!("MasSecurityUserId"), event.user_sid().as_deref());
    message.number(key!("MasTask"), event.task().map(u64::from));
    message.text(key!("MasTaskCategory"), task.as_deref());
    message.values(
        key!("MasUserData"),
        event.user_data().map(|leaf| leaf.value),
        user_data_path(event.payload()),
    );
    message.number(key!("MasVersion"), event.version().map(u64::from));
}

/// A rendered name that is there but empty says nothing.
fn filled(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty())
}

fn described(provider: &str, event_id: Option<u32>) -> Option<Cow<'static, str>> {
    describe::describe(provider, event_id?).map(Cow::Borrowed)
}

fn task_name(provider: &str, task: Option<u32>) -> Option<Cow<'static, str>> {
    names::task_name(provider, task?).map(Cow::Borrowed)
}

fn opcode_name(opcode: Option<u32>) -> Option<Cow<'static, str>> {
    names::opcode_name(opcode?).map(Cow::Borrowed)
}

fn name(name: Option<&str>, task: Option<u32>) -> Name<'_> {
    match (name, task) {
        (Some(name), _) => Name::Text(name),
        (None, Some(task)) if task != 0 => Name::Number(task),
        (None, _) => Name::Text("None"),
    }
}

fn keyword_names(event: Event<'_>, message: &mut Message<'_>) {
    const KEY: Key = key!("MasKeywordName");
    let rendering = event.rendering();
    let mut rendered = rendering
        .iter()
        .flat_map(|rendering| rendering.keywords())
        .peekable();
    if rendered.peek().is_some() {
        message.list(KEY, rendered);
    } else {
        message.list(KEY, names::keyword_names(event.keywords().unwrap_or(0)));
    }
}

/// Where the values under `MasUserData` come from, as the document writes it.
fn user_data_path(payload: Payload) -> &'static str {
    match payload {
        Payload::ProcessingErrorData => " Xpath: /Event/ProcessingErrorData/*",
        Payload::DebugData => " Xpath: /Event/DebugData/*",
        _ => " Xpath: /Event/UserData/*",
    }
}
