//! A subscription that a collector offers, in the simulated machine's own terms.

use std::net::SocketAddr;
use std::time::Duration;

use windrow_formats::wsman::client::Subscription;
use windrow_formats::wsman::reply::ContentFormat;
use windrow_formats::wsman::uri;

use super::bookmark;
use super::connection::{Encoding, Target, UrlError, UrlScheme};
use super::events::Channel;
use super::query::Query;

/// Most events of one delivery, whatever the collector allows.
const BATCH_EVENTS_MAX: usize = 5_000;

/// What WinRM does where a subscription does not say.
const HEARTBEAT: Duration = Duration::from_secs(900);
const MAX_TIME: Duration = Duration::from_secs(900);
const RETRY_COUNT: u32 = 5;
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
const ENVELOPE_BYTES: u32 = 512_000;

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With what comes from now on.
    Now,
    /// With the oldest record.
    Earliest,
    /// Behind these records; a channel that is not named begins with its oldest.
    Behind(Vec<(Channel, u64)>),
}

/// What the options say about every subscription.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adjustments {
    /// Most events of a delivery.
    pub batch_events: Option<usize>,
    /// Longest pause between two tries.
    pub retry_at_most: Option<Duration>,
    /// What the addresses that the subscriptions name begin with.
    pub scheme: UrlScheme,
    /// Connect to this address, whatever the subscription names.
    pub connect_to: Option<SocketAddr>,
    /// Compress nothing.
    pub never_compress: bool,
}

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Changes when anything of it changes.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Where deliveries go, as the collector wrote it.
    pub to: String,
    /// The same, taken apart.
    pub target: Target,
    /// What every message carries in its header.
    pub echo: String,
    /// How events are written.
    pub content: ContentFormat,
    /// Whether bodies are compressed.
    pub encoding: Encoding,
    /// What it asks for.
    pub query: Query,
    /// Where to begin.
    pub start: Start,
    /// Whether the collector sent a bookmark.
    pub has_bookmark: bool,
    /// Longest silence.
    pub heartbeat: Duration,
    /// Longest wait of an event for others.
    pub max_time: Duration,
    /// Most events of a delivery.
    pub batch_events: usize,
    /// Largest envelope before compression.
    pub envelope_bytes: usize,
    /// How often a delivery is tried again.
    pub retry_count: u32,
    /// The pause between two tries.
    pub retry_interval: Duration,
}

impl Offer {
    /// Reads what the collector offers.
    pub(super) fn new(offered: &Subscription<'_>, adjust: &Adjustments) -> Result<Offer, UrlError> {
        let start = match offered.bookmark {
            Some(uri::BOOKMARK_EARLIEST) => Start::Earliest,
            Some(bookmark) => Start::Behind(bookmark::read(bookmark)),
            None if offered.read_existing => Start::Earliest,
            None => Start::Now,
        };
        let time = |text: &Option<_>, or| text.as_deref().and_then(duration).unwrap_or(or);
        let retry_interval = time(&offered.retry_interval, RETRY_INTERVAL);
        let max_elements = offered.max_elements.and_then(|n| usize::try_from(n).ok());
        let batch_events = max_elements.into_iter().chain(adjust.batch_events).min();
        let envelope_bytes = offered.max_envelope_bytes.unwrap_or(ENVELOPE_BYTES);
        let compress = offered.sldc && !adjust.never_compress;
        Ok(Offer {
            version: offered.version.to_string(),
            name: offered.name.to_string(),
            target: Target::new(&offered.notify_to, adjust.scheme, adjust.connect_to)?,
            to: offered.notify_to.to_string(),
            echo: offered.echo.to_owned(),
            content: match offered.content_format.as_ref() {
                "RenderedText" => ContentFormat::RenderedText,
                _ => ContentFormat::Raw,
            },
            encoding: if compress {
                Encoding::Sldc
            } else {
                Encoding::Identity
            },
            query: Query::read(offered.query),
            start,
            has_bookmark: offered.bookmark.is_some(),
            heartbeat: time(&offered.heartbeats, HEARTBEAT),
            max_time: time(&offered.max_time, MAX_TIME),
            batch_events: batch_events
                .unwrap_or(BATCH_EVENTS_MAX)
                .clamp(1, BATCH_EVENTS_MAX),
            envelope_bytes: usize::try_from(envelope_bytes).unwrap_or(usize::MAX),
            retry_count: offered.retry_count.unwrap_or(RETRY_COUNT),
            retry_interval: retry_interval.min(adjust.retry_at_most.unwrap_or(Duration::MAX)),
        })
    }
}

/// An XML Schema duration of days and less: `PT60.000S`, `PT15M`, `P1DT6H`.
fn duration(text: &str) -> Option<Duration> {
    let (date, time) = match text.trim().strip_prefix('P')?.split_once('T') {
        Some((date, time)) => (date, time),
        None => (text.trim().strip_prefix('P')?, ""),
    };
    let mut seconds = 0.0;
    for (part, units) in [
        (date, &[('D', 86_400.0)][..]),
        (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)]),
    ] {
        let mut rest = part;
        for &(unit, size) in units {
            if let Some((number, after)) = rest.split_once(unit) {
                seconds += number.parse::<f64>().ok()? * size;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("PT60.000S", 60_000),
            ("PT0.5S", 500),
            ("PT15M", 900_000),
            ("P1DT6H", 108_000_000),
            (" PT1H1M1S ", 3_661_000),
            ("P2D", 172_800_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "60", "PT", "PT5", "P1Y", "-PT5S", "PT-5S", "PT5S6M"] {
            let found = duration(text);
            assert!(found.is_none() || text == "PT", "{text} {found:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_winrm_does_it() {
        let offered = Subscription {
            notify_to: "https://c.example:5986/wsman/subscriptions/1".into(),
            query: "<QueryList><Query Id='0'><Select Path='Security'>*</Select></Query></QueryList>",
            ..Subscription::default()
        };
        let offer = Offer::new(&offered, &Adjustments::default()).unwrap();
        assert_eq!(
            (offer.retry_count, offer.retry_interval),
            (5, Duration::from_secs(60))
        );
        assert_eq!(
            (offer.batch_events, offer.envelope_bytes),
            (BATCH_EVENTS_MAX, 512_000)
        );
        assert_eq!((offer.start, offer.has_bookmark), (Start::Now, false));
        assert_eq!(offer.query.channels, [Channel::Security]);
        assert_eq!(offer.encoding, Encoding::Identity);

        let offered = Subscription {
            max_elements: Some(50),
            sldc: true,
            ..offered
        };
        let adjust = Adjustments {
            batch_events: Some(20),
            ..Adjustments::default()
        };
        let offer = Offer::new(&offered, &adjust).unwrap();
        assert_eq!((offer.batch_events, offer.encoding), (20, Encoding::Sldc));
        let adjust = Adjustments {
            batch_events: Some(90),
            never_compress: true,
            ..adjust
        };
        let offer = Offer::new(&offered, &adjust).unwrap();
        assert_eq!(
            (offer.batch_events, offer.encoding),
            (50, Encoding::Identity)
        );
    }
}
