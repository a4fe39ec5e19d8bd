//! What the collector is told: where it is reached, what it asks for, what it is prepared to take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::wef::audience::Audience;
use windrow_formats::wef::query::whole_channels;
use windrow_formats::wsman;
use windrow_formats::wsman::reply::{Authentication as Proof, Offer};
pub use windrow_formats::wsman::reply::{ChannelErrors, ContentFormat};

use super::homes::Listeners;
use crate::limits::QUERY_BYTES_MAX;
use crate::{kerberos, tls};

/// The path that Windows is usually given: `Server=https://HOST:5986/wsman/SubscriptionManager/WEC`.
pub const ENUMERATE_PATH: &str = "/wsman/SubscriptionManager/WEC";

/// Deliveries go to this path and the subscription's id.
pub const SUBSCRIPTION_PATH: &str = "/wsman/subscriptions/";

/// How sources prove who they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Authentication {
    /// By a certificate of a known authority, in the TLS handshake.
    Certificate(tls::Server),
    /// By a ticket of Kerberos, over plain HTTP. Every body is sealed with the ticket's session.
    Kerberos(kerberos::Server),
}

impl Authentication {
    /// Whether others are let in by this than by what was before.
    pub(super) fn others_than(&self, before: &Authentication) -> bool {
        match (self, before) {
            (Authentication::Certificate(new), Authentication::Certificate(old)) => {
                !new.takes_the_same_clients(old)
            }
            // A key more keeps nobody out whom the others let in.
            (Authentication::Kerberos(new), Authentication::Kerberos(old)) => {
                !new.takes_all_of(old)
            }
            _ => true,
        }
    }

    /// This, and no ticket is taken that was shown before.
    pub(super) fn after(self, before: &Authentication) -> Authentication {
        match (self, before) {
            (Authentication::Kerberos(new), Authentication::Kerberos(old)) => {
                Authentication::Kerberos(new.after(old))
            }
            (new, _) => new,
        }
    }
}

/// A collector's settings.
#[derive(Debug, Clone)]
pub struct WefOptions {
    /// Host and port that sources connect to, as it stands in the addresses they are given:
    /// `collector.example:5986`.
    pub authority: String,
    /// Path of the requests for subscriptions.
    pub enumerate_path: String,
    /// How sources prove who they are.
    pub authentication: Authentication,
    /// What each source is asked for.
    pub subscriptions: Vec<Subscription>,
    /// What the collector is prepared to take.
    pub limits: WefLimits,
    /// Which listener this is, of those that write to the journal. Where its machines are is found out once.
    pub listeners: Listeners,
}

/// What an envelope may be larger than what a subscription asks for: sources round up.
const ENVELOPE_SLACK_BYTES: usize = 64 * 1024;

impl WefOptions {
    /// Bytes of a body when it is no longer compressed: the limit, or what a subscription allows
    /// its sources to fill.
    pub(super) fn clear_bytes(&self) -> usize {
        self.limits.clear_bytes.max(self.envelope_bytes())
    }

    /// Bytes of a body as it comes; a source need not compress.
    pub(super) fn body_bytes(&self) -> usize {
        self.limits.body_bytes.max(self.envelope_bytes())
    }

    fn envelope_bytes(&self) -> usize {
        let largest = self
            .subscriptions
            .iter()
            .map(|subscription| subscription.max_envelope_bytes)
            .max();
        largest.map_or(0, |bytes| bytes as usize) + ENVELOPE_SLACK_BYTES
    }
}

/// What the collector is prepared to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WefLimits {
    /// Connections at once; each costs about 20 kB while it is idle.
    pub connections: usize,
    /// Connections at once without a certificate or ticket yet, from one address. Many machines may
    /// share one behind a translator, so that it is not counted of them for longer.
    pub connections_per_address: usize,
    /// Connections at once of one machine, by its authenticated name: one or two for each of its
    /// subscriptions.
    pub connections_per_machine: usize,
    /// Of these without a certificate or ticket yet, from one IPv6 network of 64 bits. All machines of a site
    /// may be one.
    pub strangers_per_network: usize,
    /// Connections at once without a certificate or ticket yet, from all networks that nobody has
    /// authenticated from lately. The rest is for those who are known.
    pub strangers: usize,
    /// TLS handshakes at once, so that a thousand machines that come back together take turns.
    pub handshakes: usize,
    /// Of these from one IPv4 address, or one IPv6 network of 64 bits.
    pub handshakes_per_network: u32,
    /// How long a handshake may take, waiting for its turn included; half of it from its turn on.
    /// With Kerberos: how long it may take until a client has shown a ticket.
    pub handshake_timeout: Duration,
    /// How long a new connection may stay without its first request.
    pub first_request_timeout: Duration,
    /// How long a connection may be idle between two requests, and the head of a request may take.
    pub idle_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Bytes of a body as it comes; more where a subscription asks for larger envelopes.
    pub body_bytes: usize,
    /// Bytes of a body when it is no longer compressed; more where a subscription asks for it.
    pub clear_bytes: usize,
    /// How long a body may pause.
    pub body_pause_timeout: Duration,
    /// While others wait for room, how long a body need not come at all.
    pub body_grace: Duration,
    /// How fast it has to come from then on, or it is refused for theirs.
    pub body_bytes_per_second: usize,
    /// How long a whole request may take: its body, waiting for room, and the disk.
    pub request_timeout: Duration,
    /// Bytes of all bodies together, while they are read.
    pub bodies_in_flight_bytes: usize,
    /// Of these of one source; a larger body comes alone.
    pub bodies_per_source_bytes: usize,
    /// Bytes of all deliveries together, until they are on disk, each reckoned as six times what
    /// it is in the clear: with its text and the batch made of it.
    pub deliveries_in_flight_bytes: usize,
    /// Of these of one source; a larger delivery comes alone.
    pub deliveries_per_source_bytes: usize,
    /// How long a source is asked to wait when there is no room.
    pub retry_after: Duration,
    /// How much later a delivery is acknowledged when the journal is at 95 % of its quota.
    pub late_answer: Duration,
    /// How long requests under way are waited for at the end.
    pub shutdown_timeout: Duration,
}

impl WefLimits {
    /// The usual limits with so many connections at once, as many of them strangers' as usual.
    #[must_use]
    pub fn for_connections(connections: usize) -> WefLimits {
        let usual = WefLimits::default();
        // Nobody alone takes more than a part of few.
        let part = |of_many: usize| of_many.min((connections / 4).max(1));
        WefLimits {
            connections,
            strangers: connections / 5 * 3,
            connections_per_address: part(usual.connections_per_address),
            connections_per_machine: part(usual.connections_per_machine),
            strangers_per_network: part(usual.strangers_per_network),
            ..usual
        }
    }
}

impl Default for WefLimits {
    fn default() -> WefLimits {
        WefLimits {
            connections: 10_000,
            connections_per_address: 512,
            connections_per_machine: 256,
            strangers_per_network: 1_024,
            strangers: 6_000,
            handshakes: 64,
            handshakes_per_network: 8,
            handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(180),
            head_bytes: 64 * 1024,
            body_bytes: 2 * 1024 * 1024,
            clear_bytes: 8 * 1024 * 1024,
            body_pause_timeout: Duration::from_secs(20),
            body_grace: Duration::from_secs(3),
            body_bytes_per_second: 64 * 1024,
            request_timeout: Duration::from_secs(60),
            bodies_in_flight_bytes: 32 * 1024 * 1024,
            bodies_per_source_bytes: 4 * 1024 * 1024,
            deliveries_in_flight_bytes: 96 * 1024 * 1024,
            deliveries_per_source_bytes: 16 * 1024 * 1024,
            retry_after: Duration::from_secs(30),
            late_answer: Duration::from_secs(2),
            shutdown_timeout: Duration::from_secs(20),
        }
    }
}

/// A QueryList that is known to be well-formed, so that it can stand inside an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryList(String);

/// Why a text is not a QueryList.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Longer than Windows takes.
    #[error("query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// Not one well-formed element, or one with a prefix that is bound nowhere.
    #[error("query is not one well-formed XML element")]
    NotWellFormed,
    /// Another element.
    #[error("query does not begin with <QueryList>")]
    NotQueryList,
}

impl QueryList {
    /// Checks the XML of a QueryList, with or without an XML declaration before it.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn new(xml: &str) -> Result<QueryList, QueryError> {
        if xml.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLong);
        }
        let mut xml = xml.trim_start_matches('\u{FEFF}').trim();
        if let Some((_, behind)) = xml
            .strip_prefix("<?xml")
            .and_then(|rest| rest.split_once("?>"))
        {
            xml = behind.trim_start();
        }
        let xml = without_comments_around(xml);
        if !wsman::is_fragment(xml) {
            return Err(QueryError::NotWellFormed);
        }
        let name_end =
            |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "-_.:".contains(c));
        if !xml.strip_prefix("<QueryList").is_some_and(name_end) {
            return Err(QueryError::NotQueryList);
        }
        Ok(QueryList(xml.to_owned()))
    }

    /// The XML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without comments before and behind the element, which could not stand in an envelope.
fn without_comments_around(mut xml: &str) -> &str {
    while let Some((_, behind)) = xml
        .strip_prefix("<!--")
        .and_then(|comment| comment.split_once("-->"))
    {
        xml = behind.trim_start();
    }
    while let Some(begin) = xml.strip_suffix("-->").and_then(|xml| xml.rfind("<!--")) {
        xml = xml[..begin].trim_end();
    }
    xml
}

/// From when on a source sends a channel that the query gained after the source began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewChannels {
    /// What happens from then on.
    FromNow,
    /// Everything that is in the channel, as Windows does of itself.
    Replay,
}

/// What sources are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, shown in the source's own log too.
    pub name: String,
    /// What identifies it for ever: bookmarks hang on it.
    pub id: Uuid,
    /// Where its events are sent to. A new one makes every source subscribe anew, from the bookmark
    /// that is stored here: what is still sent to the one before is refused.
    pub delivery_id: Uuid,
    /// Which events.
    pub query: QueryList,
    /// Channels of which the query takes everything: there a record id that is left out is a loss.
    pub whole_channels: Arc<[String]>,
    /// How they are written.
    pub content_format: ContentFormat,
    /// Which sources it is for.
    pub audience: Arc<Audience>,
    /// Whether a source without a bookmark starts at its oldest event.
    pub read_existing: bool,
    /// From when on a channel is sent that the query gained later.
    pub new_channels: NewChannels,
    /// Those channels, in lower case, and what is older than that of them is not sent by sources
    /// whose bookmark lacks them. [`super::learn_channels`] finds them out.
    pub gained_channels: BTreeMap<String, Timestamp>,
    /// What a source does about channels that it lacks or may not read.
    pub channel_errors: ChannelErrors,
    /// Interval of signs of life while there are no events.
    pub heartbeat: Duration,
    /// Longest wait for a batch to fill.
    pub max_time: Duration,
    /// Most events in a batch.
    pub max_elements: Option<u32>,
    /// Largest envelope, in bytes before compression.
    pub max_envelope_bytes: u32,
    /// How often a source tries a delivery again.
    pub retry_count: u32,
    /// The pause between two tries.
    pub retry_interval: Duration,
    /// Language of rendered messages, such as `en-US`.
    pub locale: Option<String>,
    /// Language of rendered numbers and times.
    pub data_locale: Option<String>,
}

impl Subscription {
    /// A subscription with what Windows calls normal: raw events from now on, a batch at the
    /// latest every 15 minutes, envelopes of 512,000 bytes, five tries a minute apart.
    #[must_use]
    pub fn new(name: &str, query: QueryList) -> Subscription {
        Subscription {
            name: name.to_owned(),
            id: Subscription::id_of(name),
            delivery_id: Subscription::id_of(name),
            whole_channels: whole_channels(query.as_str()).unwrap_or_default().into(),
            query,
            content_format: ContentFormat::Raw,
            audience: Arc::new(Audience::everyone()),
            read_existing: false,
            new_channels: NewChannels::FromNow,
            gained_channels: BTreeMap::new(),
            channel_errors: ChannelErrors::Ignore,
            heartbeat: Duration::from_secs(900),
            max_time: Duration::from_secs(900),
            max_elements: None,
            max_envelope_bytes: 512_000,
            retry_count: 5,
            retry_interval: Duration::from_secs(60),
            locale: None,
            data_locale: None,
        }
    }

    /// Whether the query takes everything of a channel.
    pub(super) fn takes_whole(&self, channel: &str) -> bool {
        let mut whole = self.whole_channels.iter();
        whole.any(|name| name.eq_ignore_ascii_case(channel))
    }

    /// The id of the subscription of this name, always the same.
    #[must_use]
    pub fn id_of(name: &str) -> Uuid {
        uuid_of(&["subscription", name])
    }

    /// Where the events of the subscription of this name go once the journal was put back from a
    /// copy, the `epoch` being that copy's.
    #[must_use]
    pub fn delivery_id_of(name: &str, epoch: Uuid) -> Uuid {
        uuid_of(&["delivery", name, &upper(epoch)])
    }

    /// What a source sees of it, in eight characters: others if and only if it would see another
    /// subscription, wherever it connects and however it proves who it is. Where the journal was put back from
    /// a copy, events go to another address, and it is the same subscription.
    #[must_use]
    pub fn revision(&self) -> String {
        let strings = OfferStrings {
            identifier: upper(self.id),
            address: String::new(),
            message_id: String::new(),
            operation_id: String::new(),
            version: String::new(),
        };
        let mut revision = upper(version(&self.offer(&strings, Proof::Kerberos)));
        revision.truncate(8);
        revision
    }

    /// The offer of this subscription to one source, without a version.
    fn offer<'a>(&'a self, strings: &'a OfferStrings, proof: Proof<'a>) -> Offer<'a> {
        Offer {
            name: &self.name,
            version: "",
            identifier: &strings.identifier,
            address: &strings.address,
            authentication: proof,
            query: self.query.as_str(),
            content_format: self.content_format,
            read_existing: self.read_existing,
            channel_errors: self.channel_errors,
            heartbeat: self.heartbeat,
            max_time: self.max_time,
            max_elements: self.max_elements,
            max_envelope_bytes: self.max_envelope_bytes,
            retry_count: self.retry_count,
            retry_interval: self.retry_interval,
            locale: self.locale.as_deref(),
            data_locale: self.data_locale.as_deref(),
            bookmark: None,
            message_id: "",
            operation_id: "",
        }
    }
}

/// The strings of an offer that are made for it, for the offer to borrow from.
#[derive(Debug)]
pub(super) struct OfferStrings {
    identifier: String,
    address: String,
    message_id: String,
    operation_id: String,
    version: String,
}

impl OfferStrings {
    pub(super) fn new(
        options: &WefOptions,
        subscription: &Subscription,
        proof: Proof<'_>,
    ) -> OfferStrings {
        let identifier = upper(subscription.delivery_id);
        let scheme = match proof {
            Proof::Certificate { .. } => "https",
            Proof::Kerberos => "http",
        };
        let mut strings = OfferStrings {
            address: format!(
                "{scheme}://{}{SUBSCRIPTION_PATH}{identifier}",
                options.authority
            ),
            identifier,
            message_id: message_id(),
            operation_id: message_id(),
            version: String::new(),
        };
        let offer = subscription.offer(&strings, proof);
        strings.version = upper(version(&offer));
        strings
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn offer<'a>(
        &'a self,
        subscription: &'a Subscription,
        proof: Proof<'a>,
        bookmark: Option<&'a str>,
    ) -> Offer<'a> {
        Offer {
            version: &self.version,
            bookmark,
            message_id: &self.message_id,
            operation_id: &self.operation_id,
            ..subscription.offer(self, proof)
        }
    }
}

/// The version of an offer: another one if and only if a source would see another subscription
/// (MS-WSMV 2.2.4.41). The bookmark is not part of it.
fn version(offer: &Offer<'_>) -> Uuid {
    let Offer {
        name,
        version: _,
        identifier,
        address,
        authentication,
        query,
        content_format,
        read_existing,
        channel_errors,
        heartbeat,
        max_time,
        max_elements,
        max_envelope_bytes,
        retry_count,
        retry_interval,
        locale,
        data_locale,
        bookmark: _,
        message_id: _,
        operation_id: _,
    } = offer;
    let proof = match authentication {
        Proof::Certificate { issuer_thumbprint } => issuer_thumbprint,
        Proof::Kerberos => "kerberos",
    };
    let numbers = format!(
        "{read_existing} {heartbeat:?} {max_time:?} {max_elements:?} {max_envelope_bytes} \
         {retry_count} {retry_interval:?}"
    );
    // What is as it always was adds nothing: a newer collector changes no version by being newer.
    let refuse = match channel_errors {
        ChannelErrors::Ignore => "",
        ChannelErrors::Refuse => " refuse channel errors",
    };
    let numbers = numbers + refuse;
    uuid_of(&[
        "version",
        name,
        identifier,
        address,
        proof,
        query,
        content_format.as_str(),
        &numbers,
        locale.unwrap_or_default(),
        data_locale.unwrap_or_default(),
    ])
}

/// A UUID out of these parts (RFC 9562 5.8), each with its length.
fn uuid_of(parts: &[&str]) -> Uuid {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A new MessageID, as Windows writes them.
pub(super) fn message_id() -> String {
    format!("uuid:{}", upper(Uuid::new_v4()))
}

fn upper(uuid: Uuid) -> String {
    uuid.hyphenated()
        .encode_upper(&mut Uuid::encode_buffer())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str =
        "<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>";

    fn subscription() -> Subscription {
        Subscription::new("base", QueryList::new(QUERY).unwrap())
    }

    fn version_of(authority: &str, subscription: &Subscription, thumbprint: &str) -> String {
        let address = format!("https://{authority}/");
        let strings = OfferStrings {
            identifier: upper(subscription.delivery_id),
            address,
            message_id: message_id(),
            operation_id: message_id(),
            version: String::new(),
        };
        let proof = Proof::Certificate {
            issuer_thumbprint: thumbprint,
        };
        upper(version(&subscription.offer(&strings, proof)))
    }

    #[test]
    fn a_version_changes_with_what_a_source_sees() {
        let base = subscription();
        let same = version_of("a:1", &base, "AB");
        assert_eq!(version_of("a:1", &base.clone(), "AB"), same);
        assert_ne!(version_of("b:1", &base, "AB"), same);
        assert_ne!(version_of("a:1", &base, "CD"), same);
        let changes: [fn(&mut Subscription); 12] = [
            |s| s.name.push('x'),
            |s| s.query = QueryList::new("<QueryList/>").unwrap(),
            |s| s.content_format = ContentFormat::RenderedText,
            |s| s.read_existing = true,
            |s| s.channel_errors = ChannelErrors::Refuse,
            |s| s.heartbeat *= 2,
            |s| s.max_time *= 2,
            |s| s.max_elements = Some(1),
            |s| s.max_envelope_bytes += 1,
            |s| s.retry_count += 1,
            |s| s.locale = Some("en-US".to_owned()),
            |s| s.data_locale = Some("en-US".to_owned()),
        ];
        let mut versions = vec![same];
        for change in changes {
            let mut changed = base.clone();
            change(&mut changed);
            let version = version_of("a:1", &changed, "AB");
            assert!(!versions.contains(&version));
            assert_ne!(changed.revision(), base.revision());
            versions.push(version);
        }
        let unseen: [fn(&mut Subscription); 3] = [
            |s| s.new_channels = NewChannels::Replay,
            |s| s.audience = Arc::new(Audience::new(Vec::new(), Vec::new()).unwrap()),
            |s| {
                s.gained_channels
                    .insert("security".to_owned(), Timestamp::UNIX_EPOCH);
            },
        ];
        for change in unseen {
            let mut same = base.clone();
            change(&mut same);
            assert_eq!(version_of("a:1", &same, "AB"), versions[0]);
            assert_eq!(same.revision(), base.revision());
        }
        // Put back from a copy it has another address, and is what `subscription list` says it is.
        let mut again = base.clone();
        again.delivery_id = Subscription::delivery_id_of("base", Uuid::nil());
        assert_ne!(version_of("a:1", &again, "AB"), versions[0]);
        assert_eq!(again.revision(), base.revision());
    }

    #[test]
    fn ids_stay_what_they_are() {
        // Bookmarks hang on these: they may never change.
        insta::assert_snapshot!(Subscription::id_of("base"), @"d35ca0e1-bd57-818b-bddc-22a30c55e610");
    }

    #[test]
    fn a_query_is_checked() {
        for good in [
            QUERY,
            "<?xml version='1.0' encoding='utf-8'?>\n<QueryList/>\n",
            "<!-- why -->\n<!-- more -->\n<QueryList/><!-- that -->\n<!-- is all -->",
            "\u{FEFF}<QueryList>\n<!-- why -->\n<Query Id='0'><Select Path='a'>*[System[(EventID &lt; 5)]]</Select></Query></QueryList>",
        ] {
            assert!(QueryList::new(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", QueryError::NotWellFormed),
            ("<QueryList>", QueryError::NotWellFormed),
            ("<QueryList/><QueryList/>", QueryError::NotWellFormed),
            ("<w:QueryList/>", QueryError::NotWellFormed),
            ("<!DOCTYPE a><QueryList/>", QueryError::NotWellFormed),
            ("<Query/>", QueryError::NotQueryList),
            ("<QueryLists/>", QueryError::NotQueryList),
            ("<!-- why <QueryList/>", QueryError::NotWellFormed),
            ("why --><QueryList/>", QueryError::NotWellFormed),
            ("<QueryList/> why -->", QueryError::NotWellFormed),
        ] {
            assert_eq!(QueryList::new(bad), Err(error), "{bad}");
        }
        let long = format!("<QueryList>{}</QueryList>", " ".repeat(QUERY_BYTES_MAX));
        assert_eq!(QueryList::new(&long), Err(QueryError::TooLong));
    }
}
