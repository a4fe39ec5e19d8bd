//! WS-Management as Windows Event Forwarding speaks it (MS-WSMV 3.1.4.1.30, DSP0226).
//!
//! A source posts envelopes: Enumerate (which subscriptions are mine?), Events, Heartbeat, End. A
//! collector answers EnumerateResponse, whose items each hold a complete Subscribe envelope, Ack,
//! or a fault. [`parse`] reads what a source sends, [`reply`] builds what a collector answers, and
//! [`client`] is the other side of the wire, for a simulated source.
//!
//! Invariants: names are told apart by namespace, never by prefix. A document type is refused, so
//! that there are no entities. An event's text is what stood in the envelope: no line end, no
//! control character, no white space is changed. Nothing recurses.

mod charset;
pub mod client;
mod cursor;
mod message;
pub mod multipart;
pub mod reply;
mod values;

pub use charset::{Charset, Text, encode};
pub use message::{
    Action, Body, EventText, Header, Message, ParseError, check_bookmark, is_fragment, parse,
};
pub use values::{escape, seconds};

/// Namespaces and other names of the protocol.
pub mod uri {
    /// SOAP 1.2.
    pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
    /// WS-Addressing of August 2004.
    pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
    /// WS-Enumeration.
    pub const ENUMERATION: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
    /// WS-Eventing.
    pub const EVENTING: &str = "http://schemas.xmlsoap.org/ws/2004/08/eventing";
    /// WS-Management (DSP0226).
    pub const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
    /// The extensions of Microsoft (MS-WSMV).
    pub const MICROSOFT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
    /// The MachineID header.
    pub const MACHINE_ID: &str = "http://schemas.microsoft.com/wbem/wsman/1/machineid";
    /// An item of an EnumerateResponse (MS-WSMV 2.2.4.41).
    pub const SUBSCRIPTION: &str = "http://schemas.microsoft.com/wbem/wsman/1/subscription";
    /// The policy in NotifyTo that names how to authenticate.
    pub const AUTHENTICATION: &str = "http://schemas.microsoft.com/wbem/wsman/1/authentication";
    /// WS-Policy of December 2002.
    pub const POLICY: &str = "http://schemas.xmlsoap.org/ws/2002/12/policy";

    /// "Answer on this connection."
    pub const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
    /// The resource that Enumerate asks for.
    pub const SUBSCRIPTION_MANAGER: &str =
        "http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription";
    /// The resource of End.
    pub const FULL_DUPLEX: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman/FullDuplex";
    /// The resource that a source subscribes to.
    pub const EVENT_LOG: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog";
    /// Delivery in batches that are acknowledged (DSP0226 10.2.9.4).
    pub const DELIVERY_EVENTS: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Events";
    /// The dialect of a QueryList.
    pub const EVENT_QUERY: &str = "http://schemas.microsoft.com/win/2004/08/events/eventquery";
    /// Authentication by client certificate over HTTPS (DSP0226 C.3.2).
    pub const HTTPS_MUTUAL: &str =
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual";
    /// Authentication by Kerberos, bare or within SPNEGO, over HTTP (DSP0226 C.3.5).
    pub const HTTP_SPNEGO_KERBEROS: &str =
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos";
    /// The bookmark before the first event (DSP0226 10.2.6).
    pub const BOOKMARK_EARLIEST: &str =
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/bookmark/earliest";

    /// Action of the request for subscriptions.
    pub const ENUMERATE: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate";
    /// Action of its answer.
    pub const ENUMERATE_RESPONSE: &str =
        "http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse";
    /// Action inside each subscription.
    pub const SUBSCRIBE: &str = "http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe";
    /// Action of a source that ends a subscription.
    pub const SUBSCRIPTION_END: &str =
        "http://schemas.xmlsoap.org/ws/2004/08/eventing/SubscriptionEnd";
    /// Action of a delivery, and its delivery mode.
    pub const EVENTS: &str = DELIVERY_EVENTS;
    /// Action of one event inside a delivery.
    pub const EVENT: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Event";
    /// Action of a sign of life.
    pub const HEARTBEAT: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Heartbeat";
    /// Action of an acknowledgement.
    pub const ACK: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Ack";
    /// Action that closes an operation in robust-connection mode.
    pub const END: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman/End";
    /// Action of a fault of WS-Management.
    pub const WSMAN_FAULT: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault";
    /// Action of a fault of WS-Addressing.
    pub const ADDRESSING_FAULT: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault";
}

#[cfg(test)]
mod tests;
