//! What a collector answers: subscriptions, acknowledgements, faults.

use std::fmt::Write;
use std::time::Duration;

use super::values::{escape, seconds};
use super::{Header, uri};

/// How a source writes events for a subscription (MS-WSMV 2.2.4.41, option ContentFormat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentFormat {
    /// The event's XML alone.
    #[default]
    Raw,
    /// The event's XML with a RenderingInfo: the message and names as the source renders them.
    RenderedText,
}

impl ContentFormat {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ContentFormat::Raw => "Raw",
            ContentFormat::RenderedText => "RenderedText",
        }
    }
}

/// How a source proves who it is where it delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// By its certificate, over HTTPS.
    Certificate {
        /// SHA-1 thumbprint, in hexadecimal, of the authority that issued it.
        issuer_thumbprint: &'a str,
    },
    /// By Kerberos, over HTTP.
    Kerberos,
}

/// What a source does about the channels of a subscription that it lacks or may not read
/// (MS-WSMV 2.2.4.41, option IgnoreChannelError).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelErrors {
    /// It sends what the others hold, and says in its own log which were left out.
    #[default]
    Ignore,
    /// It does not take the subscription.
    Refuse,
}

/// Everything one item of an EnumerateResponse says: a Subscribe request that the source acts on
/// as if it had received it.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// Name shown in the source's own log.
    pub name: &'a str,
    /// Version of the subscription, a UUID. A source keeps a running subscription for as long as
    /// the version stays the same.
    pub version: &'a str,
    /// wse:Identifier, a UUID that the source echoes in every message of this subscription.
    pub identifier: &'a str,
    /// Absolute URL for deliveries and for the end of the subscription.
    pub address: &'a str,
    /// How the source proves who it is at that address.
    pub authentication: Authentication<'a>,
    /// The QueryList, well-formed XML, put in as it is.
    pub query: &'a str,
    /// How events are written.
    pub content_format: ContentFormat,
    /// Whether a source without a bookmark starts at its oldest event.
    pub read_existing: bool,
    /// What a source does about channels that it lacks or may not read.
    pub channel_errors: ChannelErrors,
    /// Interval of heartbeats while there are no events.
    pub heartbeat: Duration,
    /// Longest wait for a batch to fill.
    pub max_time: Duration,
    /// Most events in a batch.
    pub max_elements: Option<u32>,
    /// Largest envelope, in bytes before compression.
    pub max_envelope_bytes: u32,
    /// How often a delivery is tried again.
    pub retry_count: u32,
    /// The pause between two tries.
    pub retry_interval: Duration,
    /// Language of rendered messages, such as `en-US`.
    pub locale: Option<&'a str>,
    /// Language of rendered numbers and times.
    pub data_locale: Option<&'a str>,
    /// The bookmark that was stored, XML, given back as it came.
    pub bookmark: Option<&'a str>,
    /// MessageID of the inner envelope, `uuid:` and a UUID.
    pub message_id: &'a str,
    /// OperationID of the inner envelope, `uuid:` and a UUID.
    pub operation_id: &'a str,
}

/// The answer to Enumerate. `message_id` is this answer's own, `uuid:` and a UUID.
///
/// The enumeration context is empty and the sequence ends here; otherwise the source would go on
/// to Pull. The request's OperationID is echoed, and with it robust-connection mode: the source
/// closes the operation with End.
#[must_use]
pub fn enumerate_response(request: &Header<'_>, message_id: &str, offers: &[Offer<'_>]) -> String {
    let mut out = String::with_capacity(2048 + offers.len() * 4096);
    open_reply(&mut out, request, message_id, uri::ENUMERATE_RESPONSE);
    out.push_str("<s:Body><n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext>");
    out.push_str("<w:Items>");
    for offer in offers {
        push_offer(&mut out, offer);
    }
    out.push_str("</w:Items><w:EndOfSequence/></n:EnumerateResponse></s:Body></s:Envelope>");
    out
}

/// The acknowledgement of a delivery or a heartbeat (DSP0226 10.7).
#[must_use]
pub fn ack(request: &Header<'_>, message_id: &str) -> String {
    let mut out = String::with_capacity(1024);
    open_reply(&mut out, request, message_id, uri::ACK);
    out.push_str("<s:Body></s:Body></s:Envelope>");
    out
}

/// The fault of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultCode {
    /// The body is not an envelope that can be read (wsman:SchemaValidationError).
    SchemaValidationError,
    /// The body is in an encoding or compression that cannot be decoded (wsman:EncodingLimit with
    /// its detail of unsupported encodings).
    UnsupportedEncoding,
    /// The body is over a limit (wsman:EncodingLimit).
    EncodingLimit,
    /// The answer is over what the request's MaxEnvelopeSize allows (wsman:EncodingLimit,
    /// DSP0226 6.2).
    AnswerTooLarge,
    /// The action is none that a collector serves (wsa:ActionNotSupported).
    ActionNotSupported,
    /// A header that is needed is missing (wsa:MessageInformationHeaderRequired).
    MessageInformationHeaderRequired,
    /// No such subscription, or none for this source (wsa:DestinationUnreachable).
    DestinationUnreachable,
    /// The bookmark cannot be given back (wsman:InvalidBookmark).
    InvalidBookmark,
    /// There is no room at the moment (wsman:QuotaLimit).
    QuotaLimit,
    /// Something failed here (wsman:InternalError).
    InternalError,
}

impl FaultCode {
    fn subcode(self) -> &'static str {
        match self {
            FaultCode::SchemaValidationError => "w:SchemaValidationError",
            FaultCode::UnsupportedEncoding
            | FaultCode::EncodingLimit
            | FaultCode::AnswerTooLarge => "w:EncodingLimit",
            FaultCode::ActionNotSupported => "a:ActionNotSupported",
            FaultCode::MessageInformationHeaderRequired => "a:MessageInformationHeaderRequired",
            FaultCode::DestinationUnreachable => "a:DestinationUnreachable",
            FaultCode::InvalidBookmark => "w:InvalidBookmark",
            FaultCode::QuotaLimit => "w:QuotaLimit",
            FaultCode::InternalError => "w:InternalError",
        }
    }

    /// Whose fault it is (SOAP 1.2 part 1, 5.4.6).
    fn code(self) -> &'static str {
        match self {
            FaultCode::AnswerTooLarge | FaultCode::QuotaLimit | FaultCode::InternalError => {
                "s:Receiver"
            }
            _ => "s:Sender",
        }
    }

    /// The detail of the specification, where there is one (DSP0226 14.6).
    fn detail(self) -> Option<&'static str> {
        match self {
            FaultCode::UnsupportedEncoding => Some("CharacterSet"),
            FaultCode::EncodingLimit => Some("ServiceEnvelopeLimit"),
            FaultCode::AnswerTooLarge => Some("MaxEnvelopeSizeExceeded"),
            FaultCode::DestinationUnreachable => Some("InvalidResourceURI"),
            _ => None,
        }
    }

    /// Status of the HTTP response (SOAP 1.2 part 2, 7.5.2.2, and RFC 9110 where it is more exact).
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            FaultCode::UnsupportedEncoding => 415,
            FaultCode::EncodingLimit => 413,
            FaultCode::DestinationUnreachable => 404,
            FaultCode::QuotaLimit => 503,
            FaultCode::AnswerTooLarge | FaultCode::InternalError => 500,
            _ => 400,
        }
    }
}

/// A fault in answer to `request`, which is empty when its header could not be read. `reason` is
/// for a person: the client's event log shows it.
#[must_use]
pub fn fault(request: &Header<'_>, message_id: &str, code: FaultCode, reason: &str) -> String {
    let action = if code.subcode().starts_with("a:") {
        uri::ADDRESSING_FAULT
    } else {
        uri::WSMAN_FAULT
    };
    let mut out = String::with_capacity(1536);
    open_reply(&mut out, request, message_id, action);
    out.push_str("<s:Body><s:Fault><s:Code><s:Value>");
    out.push_str(code.code());
    out.push_str("</s:Value><s:Subcode><s:Value>");
    out.push_str(code.subcode());
    out.push_str("</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-US\">");
    escape(reason, &mut out);
    out.push_str("</s:Text></s:Reason>");
    if let Some(detail) = code.detail() {
        out.push_str(
            "<s:Detail><w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/",
        );
        out.push_str(detail);
        out.push_str("</w:FaultDetail></s:Detail>");
    }
    out.push_str("</s:Fault></s:Body></s:Envelope>");
    out
}

/// The envelope and its header, up to the body.
fn open_reply(out: &mut String, request: &Header<'_>, message_id: &str, action: &str) {
    out.push_str("<s:Envelope xml:lang=\"en-US\"");
    for (prefix, namespace) in [
        ("s", uri::SOAP),
        ("a", uri::ADDRESSING),
        ("n", uri::ENUMERATION),
        ("w", uri::WSMAN),
        ("p", uri::MICROSOFT),
    ] {
        let _ = write!(out, " xmlns:{prefix}=\"{namespace}\"");
    }
    out.push_str("><s:Header>");
    element(out, "a:Action", action);
    element(out, "a:MessageID", message_id);
    element(out, "a:To", uri::ANONYMOUS);
    if let Some(operation) = request.operation_id.as_deref() {
        out.push_str("<p:OperationID s:mustUnderstand=\"false\">");
        escape(operation, out);
        out.push_str("</p:OperationID><p:SequenceId>1</p:SequenceId>");
    }
    if let Some(relates_to) = request.message_id.as_deref() {
        element(out, "a:RelatesTo", relates_to);
    }
    out.push_str("</s:Header>");
}

pub(super) fn element(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<{name}>");
    escape(value, out);
    let _ = write!(out, "</{name}>");
}

fn push_offer(out: &mut String, offer: &Offer<'_>) {
    let _ = write!(out, "<m:Subscription xmlns:m=\"{}\">", uri::SUBSCRIPTION);
    out.push_str("<m:Version>uuid:");
    escape(offer.version, out);
    out.push_str("</m:Version><s:Envelope");
    for (prefix, namespace) in [
        ("s", uri::SOAP),
        ("a", uri::ADDRESSING),
        ("e", uri::EVENTING),
        ("n", uri::ENUMERATION),
        ("w", uri::WSMAN),
        ("p", uri::MICROSOFT),
    ] {
        let _ = write!(out, " xmlns:{prefix}=\"{namespace}\"");
    }
    out.push('>');
    push_subscribe_header(out, offer);
    push_subscribe_body(out, offer);
    out.push_str("</s:Envelope></m:Subscription>");
}

fn push_subscribe_header(out: &mut String, offer: &Offer<'_>) {
    out.push_str("<s:Header>");
    element(out, "a:To", uri::ANONYMOUS);
    must_understand(out, "w:ResourceURI", uri::EVENT_LOG);
    out.push_str("<a:ReplyTo>");
    must_understand(out, "a:Address", uri::ANONYMOUS);
    out.push_str("</a:ReplyTo>");
    must_understand(out, "a:Action", uri::SUBSCRIBE);
    must_understand(
        out,
        "w:MaxEnvelopeSize",
        &offer.max_envelope_bytes.to_string(),
    );
    element(out, "a:MessageID", offer.message_id);
    push_locales(out, offer);
    out.push_str("<p:OperationID s:mustUnderstand=\"false\">");
    escape(offer.operation_id, out);
    out.push_str("</p:OperationID><p:SequenceId s:mustUnderstand=\"false\">1</p:SequenceId>");
    out.push_str("<w:OptionSet xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">");
    option(out, "SubscriptionName", Some(offer.name));
    option(out, "Compression", Some("SLDC"));
    option(out, "CDATA", None);
    option(out, "ContentFormat", Some(offer.content_format.as_str()));
    if offer.channel_errors == ChannelErrors::Ignore {
        option(out, "IgnoreChannelError", None);
    }
    if offer.read_existing {
        option(out, "ReadExistingEvents", Some("true"));
    }
    out.push_str("</w:OptionSet></s:Header>");
}

fn push_subscribe_body(out: &mut String, offer: &Offer<'_>) {
    out.push_str("<s:Body><e:Subscribe><e:EndTo>");
    push_endpoint(out, offer);
    let _ = write!(
        out,
        "</e:EndTo><e:Delivery Mode=\"{}\">",
        uri::DELIVERY_EVENTS
    );
    element(out, "w:Heartbeats", &seconds(offer.heartbeat));
    out.push_str("<e:NotifyTo>");
    push_endpoint(out, offer);
    push_policy(out, offer.authentication);
    let _ = write!(
        out,
        "</e:NotifyTo><w:ConnectionRetry Total=\"{}\">{}</w:ConnectionRetry>",
        offer.retry_count,
        seconds(offer.retry_interval)
    );
    element(out, "w:MaxTime", &seconds(offer.max_time));
    if let Some(max_elements) = offer.max_elements {
        element(out, "w:MaxElements", &max_elements.to_string());
    }
    let _ = write!(
        out,
        "<w:MaxEnvelopeSize Policy=\"Notify\">{}</w:MaxEnvelopeSize>",
        offer.max_envelope_bytes
    );
    push_locales(out, offer);
    out.push_str("<w:ContentEncoding>UTF-16</w:ContentEncoding></e:Delivery>");
    let _ = write!(
        out,
        "<w:Filter Dialect=\"{}\">{}</w:Filter>",
        uri::EVENT_QUERY,
        offer.query
    );
    match offer.bookmark {
        Some(bookmark) => {
            let _ = write!(out, "<w:Bookmark>{bookmark}</w:Bookmark>");
        }
        None if offer.read_existing => element(out, "w:Bookmark", uri::BOOKMARK_EARLIEST),
        None => {}
    }
    out.push_str("<w:SendBookmarks/></e:Subscribe></s:Body>");
}

/// Where to send to. Everything in ReferenceProperties comes back as a header of each message.
fn push_endpoint(out: &mut String, offer: &Offer<'_>) {
    element(out, "a:Address", offer.address);
    out.push_str("<a:ReferenceProperties>");
    element(out, "e:Identifier", offer.identifier);
    out.push_str("</a:ReferenceProperties>");
}

/// How to authenticate there: by a certificate of the authority with this thumbprint, or by Kerberos.
fn push_policy(out: &mut String, authentication: Authentication<'_>) {
    let profile = match authentication {
        Authentication::Certificate { .. } => uri::HTTPS_MUTUAL,
        Authentication::Kerberos => uri::HTTP_SPNEGO_KERBEROS,
    };
    let _ = write!(
        out,
        "<c:Policy xmlns:c=\"{}\" xmlns:auth=\"{}\"><c:ExactlyOne><c:All>\
         <auth:Authentication Profile=\"{profile}\">",
        uri::POLICY,
        uri::AUTHENTICATION,
    );
    if let Authentication::Certificate { issuer_thumbprint } = authentication {
        out.push_str("<auth:ClientCertificate><auth:Thumbprint Role=\"issuer\">");
        escape(issuer_thumbprint, out);
        out.push_str("</auth:Thumbprint></auth:ClientCertificate>");
    }
    out.push_str("</auth:Authentication></c:All></c:ExactlyOne></c:Policy>");
}

fn push_locales(out: &mut String, offer: &Offer<'_>) {
    for (name, locale) in [
        ("w:Locale", offer.locale),
        ("p:DataLocale", offer.data_locale),
    ] {
        if let Some(locale) = locale {
            let _ = write!(out, "<{name} xml:lang=\"");
            escape(locale, out);
            out.push_str("\" s:mustUnderstand=\"false\"/>");
        }
    }
}

fn must_understand(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<{name} s:mustUnderstand=\"true\">");
    escape(value, out);
    let _ = write!(out, "</{name}>");
}

/// An option of the subscription; without a value it is there and nil.
fn option(out: &mut String, name: &str, value: Option<&str>) {
    match value {
        Some(value) => {
            let _ = write!(out, "<w:Option Name=\"{name}\">");
            escape(value, out);
            out.push_str("</w:Option>");
        }
        None => {
            let _ = write!(out, "<w:Option Name=\"{name}\" xsi:nil=\"true\"/>");
        }
    }
}
