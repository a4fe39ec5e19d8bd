//! From a subscription to what `wecutil cs` takes.

use std::time::Duration;

use super::{Delivery, NAMESPACE, OtherMachines, Subscription};
use crate::wsman::reply::ContentFormat;
use crate::wsman::{escape, uri};

/// The file of a subscription, UTF-8. Characters that XML cannot have become U+FFFD.
#[must_use]
pub fn write(subscription: &Subscription) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Subscription xmlns=\"{NAMESPACE}\">\n"
    );
    element(1, "SubscriptionId", &subscription.name, &mut out);
    element(1, "SubscriptionType", "SourceInitiated", &mut out);
    let description = subscription.description.as_deref().unwrap_or_default();
    element(1, "Description", description, &mut out);
    element(1, "Enabled", flag(subscription.enabled), &mut out);
    element(1, "Uri", uri::EVENT_LOG, &mut out);
    element(
        1,
        "ConfigurationMode",
        subscription.delivery.mode(),
        &mut out,
    );
    delivery(subscription.delivery, &mut out);
    query(&subscription.query, &mut out);
    let read_existing = flag(subscription.read_existing);
    element(1, "ReadExistingEvents", read_existing, &mut out);
    element(1, "TransportName", "HTTP", &mut out);
    let format = match subscription.content_format {
        ContentFormat::Raw => "Events",
        ContentFormat::RenderedText => "RenderedText",
    };
    element(1, "ContentFormat", format, &mut out);
    if let Some(locale) = &subscription.locale {
        out.push_str("  <Locale Language=\"");
        escape(locale, &mut out);
        out.push_str("\"/>\n");
    }
    let log_file = subscription.log_file.as_deref();
    element(
        1,
        "LogFile",
        log_file.unwrap_or("ForwardedEvents"),
        &mut out,
    );
    other_machines(&subscription.other_machines, &mut out);
    let machines = subscription.domain_machines.as_deref().unwrap_or_default();
    element(1, "AllowedSourceDomainComputers", machines, &mut out);
    out.push_str("</Subscription>\n");
    out
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn element(depth: usize, name: &str, value: &str, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
    out.push_str(&format!("<{name}>"));
    escape(value, out);
    out.push_str(&format!("</{name}>\n"));
}

/// Numbers are written for presets too: Windows shows them, and takes the mode's own.
fn delivery(delivery: Delivery, out: &mut String) {
    let ms = |duration: Duration| duration.as_millis().to_string();
    let (max_latency, heartbeat) = match delivery {
        Delivery::Custom {
            max_latency,
            heartbeat,
            ..
        } => (max_latency, heartbeat),
        preset => (Some(preset.max_latency()), Some(preset.heartbeat())),
    };
    out.push_str("  <Delivery Mode=\"Push\">\n    <Batching>\n");
    if let Some(items) = delivery.max_items() {
        element(3, "MaxItems", &items.to_string(), out);
    }
    if let Some(latency) = max_latency {
        element(3, "MaxLatencyTime", &ms(latency), out);
    }
    out.push_str("    </Batching>\n");
    if let Some(heartbeat) = heartbeat {
        let interval = ms(heartbeat);
        out.push_str(&format!(
            "    <PushSettings>\n      <Heartbeat Interval=\"{interval}\"/>\n    </PushSettings>\n"
        ));
    }
    out.push_str("  </Delivery>\n");
}

/// The query as it is; what would end the section is written over two of them.
fn query(query: &str, out: &mut String) {
    let allowed = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{FFFE}' | '\u{FFFF}');
    let query: String = query
        .chars()
        .map(|c| if allowed(c) { c } else { '\u{FFFD}' })
        .collect();
    let query = query.replace("]]>", "]]]]><![CDATA[>");
    out.push_str(&format!("  <Query><![CDATA[\n{query}\n  ]]></Query>\n"));
}

fn other_machines(machines: &OtherMachines, out: &mut String) {
    out.push_str("  <AllowedSourceNonDomainComputers>\n");
    for (list, item, values) in [
        ("AllowedIssuerCAList", "IssuerCA", &machines.issuers),
        ("AllowedSubjectList", "Subject", &machines.allowed),
        ("DeniedSubjectList", "Subject", &machines.denied),
    ] {
        if values.is_empty() {
            continue;
        }
        out.push_str(&format!("    <{list}>\n"));
        for value in values {
            element(3, item, value, out);
        }
        out.push_str(&format!("    </{list}>\n"));
    }
    out.push_str("  </AllowedSourceNonDomainComputers>\n");
}
