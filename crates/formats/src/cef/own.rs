//! The mapping of our own alerts and uses of the endpoint, in both profiles.
//!
//! Profile `azure-stack` follows the documents to the letter (Azure Stack syslog forwarding,
//! "CEF mapping for alerts created" and "closed"; Azure Stack Hub, "CEF mapping for privileged
//! endpoint events"): an alert's one extension is its description and remediation, a closed
//! one has none, and both share one signature.

use super::message::{Message, Name, key};
use super::standard::{self, Direction};
use super::{Product, severity};
use crate::batch::{Header, Kind};
use crate::event::Event;
use crate::own::{Alert, EndpointEvent};

/// Signature of endpoint events; the id follows.
const ENDPOINT: &str = "Microsoft-AzureStack-PrivilegedEndpoint: ";

/// One of our own records that has a mapping of its own.
pub(super) enum Record<'a> {
    Alert(Alert<'a>),
    Endpoint(EndpointEvent<'a>),
}

impl<'a> Record<'a> {
    /// The record, if the event is one. Only what the journal marks as our own can be: a
    /// machine that sends such XML forges nothing.
    pub(super) fn of(event: Event<'a>, header: &Header) -> Option<Record<'a>> {
        if header.kind != Kind::Own {
            return None;
        }
        Alert::read(event)
            .map(Record::Alert)
            .or_else(|| EndpointEvent::read(event).map(Record::Endpoint))
    }
}

/// As the documents print it.
pub(super) fn azure_stack(
    record: &Record<'_>,
    event: Event<'_>,
    product: Product,
    message: &mut Message<'_>,
) {
    message.device(product.device());
    let severity = severity(event.level());
    match record {
        Record::Alert(alert) => {
            let kind = &*alert.fault_type_id;
            message.signature(&[product.name(), " Alert Creation : ", kind], None);
            message.name(&[kind, " : ", &alert.alert_id], severity);
            if alert.closed.is_none() {
                let parts = [
                    "DESCRIPTION: ",
                    &*alert.description,
                    " -- REMEDIATION: ",
                    &alert.remediation,
                ];
                message.parts(key!("MasEventDescription"), &parts);
            }
        }
        Record::Endpoint(used) => {
            message.signature(&[ENDPOINT], Some(used.action as u32));
            message.name_and_severity(Name::Text(used.action.task_name()), severity);
            message.text(key!("Who"), Some(&used.who));
            message.text(key!("WhichIP"), Some(&used.which_ip));
        }
    }
}

/// With the dictionary's keys.
pub(super) fn standard(
    record: &Record<'_>,
    event: Event<'_>,
    header: &Header,
    message: &mut Message<'_>,
) {
    message.device(standard::OWN_DEVICE);
    let severity = severity(event.level());
    match record {
        Record::Alert(alert) => {
            message.signature(&["Alert:", &alert.fault_type_id], None);
            message.name_and_severity(Name::Text(&alert.title), severity);
            standard::device(event, header, message);
            message.limited(key!("externalId"), &alert.alert_id, 40);
            let state = if alert.closed.is_some() {
                "closed"
            } else {
                "created"
            };
            message.text(key!("act"), Some(state));
            message.time(key!("start"), alert.created);
            if let Some(closed) = alert.closed {
                message.time(key!("end"), closed);
            }
            message.labelled(
                key!("cs1Label"),
                "Remediation",
                key!("cs1"),
                &alert.remediation,
            );
            message.limited(key!("msg"), &alert.description, standard::TEXT_MAX);
        }
        Record::Endpoint(used) => {
            message.signature(&["Endpoint:"], Some(used.action as u32));
            message.name_and_severity(Name::Text(used.action.task_name()), severity);
            standard::device(event, header, message);
            message.number(key!("externalId"), Some(used.action as u64));
            message.limited(key!("suser"), &used.who, standard::TEXT_MAX);
            let side = if used.action.is_of_recovery() {
                Direction::Source
            } else {
                Direction::Destination
            };
            if let Some(address) = standard::parse_address(&used.which_ip) {
                standard::address(side, address, message);
            }
            let from = used.from.as_deref().and_then(standard::parse_address);
            if let (false, Some(from)) = (used.action.is_of_recovery(), from) {
                standard::address(Direction::Source, from, message);
            }
            if let Some(account) = &used.account {
                message.limited(key!("duser"), account, standard::TEXT_MAX);
            }
            let rendering = event.rendering();
            if let Some(text) = rendering.and_then(|rendering| rendering.message()) {
                message.limited(key!("msg"), &text, standard::TEXT_MAX);
            }
        }
    }
}
