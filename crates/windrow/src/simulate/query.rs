//! What a subscription's QueryList asks a simulated machine for: channels, each as a whole, and of some only what is not
//! older than a moment. No other condition is looked at.

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::events::Channel;

/// What holds a channel's past back, around the moment.
const BEFORE: [&str; 2] = ["*[System[TimeCreated[@SystemTime<'", "']]]"];

/// What a QueryList asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// The channels, of those that the fleet writes.
    pub(super) channels: Vec<Channel>,
    /// Since when, in ticks since 1970.
    since: Vec<(Channel, u64)>,
}

impl Query {
    /// Reads a QueryList, as far as it is one.
    pub(super) fn read(xml: &str) -> Query {
        let mut walk = Walk::default();
        let mut reader = Reader::from_str(xml);
        loop {
            match reader.read_event() {
                Ok(Event::Start(element)) => walk.open(&element),
                Ok(Event::Empty(element)) => {
                    walk.open(&element);
                    walk.text = None;
                }
                Ok(Event::Text(text)) => walk.push(&text),
                Ok(Event::CData(text)) => walk.push(&text),
                Ok(Event::GeneralRef(reference)) => {
                    let raw = format!("&{};", &*reference);
                    walk.push(&unescape(&raw).unwrap_or_default());
                }
                Ok(Event::End(_)) => walk.close(),
                Ok(Event::Eof) | Err(_) => break,
                Ok(_) => {}
            }
        }
        walk.query.channels.sort_unstable();
        walk.query.channels.dedup();
        walk.query
    }

    /// Since when it asks for a channel's events, where it does not ask for all.
    pub(super) fn held_back(&self, channel: Channel) -> Option<u64> {
        let of = self.since.iter().filter(|(of, _)| *of == channel);
        of.map(|(_, ticks)| *ticks).max()
    }
}

#[derive(Default)]
struct Walk {
    query: Query,
    /// The channel of the Query that is open, for what is in it and names none.
    path: Option<Channel>,
    /// The Suppress that is open, with its channel.
    text: Option<(Option<Channel>, String)>,
}

impl Walk {
    /// `Select` and `Suppress` may leave their path to `Query`.
    fn open(&mut self, element: &BytesStart<'_>) {
        let path = element.try_get_attribute("Path").ok().flatten();
        let path = path.and_then(|path| Channel::named(&path.value));
        match element.local_name().into_inner() {
            "Query" => {
                self.path = path;
                self.query.channels.extend(path);
            }
            "Select" => self.query.channels.extend(path),
            "Suppress" => self.text = Some((path.or(self.path), String::new())),
            _ => {}
        }
    }

    fn push(&mut self, piece: &str) {
        if let Some((_, text)) = &mut self.text {
            text.push_str(piece);
        }
    }

    fn close(&mut self) {
        let Some((Some(channel), text)) = self.text.take() else {
            return;
        };
        let [start, end] = BEFORE;
        let moment = text.trim().strip_prefix(start);
        let moment = moment.and_then(|moment| moment.strip_suffix(end));
        let moment: Option<Timestamp> = moment.and_then(|moment| moment.parse().ok());
        let ticks = moment.and_then(|moment| u64::try_from(moment.as_nanosecond() / 100).ok());
        self.query.since.extend(ticks.map(|ticks| (channel, ticks)));
    }
}

#[cfg(test)]
mod tests {
    use windrow_formats::wef::query::with_history_suppressed;

    use super::*;

    #[test]
    fn the_channels_of_a_query_are_found() {
        let query = "<QueryList><Query Id='0' Path='System'><Select>*</Select></Query><Query Id='1'><Select Path='Security'>*[System[(EventID=4624)]]</Select><Select Path='Setup'>*</Select><Suppress Path='Application'>*</Suppress></Query></QueryList>";
        let query = Query::read(query);
        assert_eq!(query.channels, [Channel::Security, Channel::System]);
        assert!(query.since.is_empty());
        assert_eq!(Query::read("no xml <"), Query::default());
    }

    #[test]
    fn a_past_that_is_held_back_is_found() {
        let query = "<QueryList><Query Id='0' Path='System'><Select>*</Select><Select Path='Security'>*</Select></Query></QueryList>";
        let since: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let query = with_history_suppressed(query, &["System"], since).unwrap();
        let found = Query::read(&query);
        let ticks = u64::try_from(since.as_nanosecond() / 100).unwrap();
        assert_eq!(found.held_back(Channel::System), Some(ticks));
        assert_eq!(found.held_back(Channel::Security), None);
        assert_eq!(found.channels, [Channel::Security, Channel::System]);
        let other = "<QueryList><Query Path='System'><Select>*</Select><Suppress>*[System[EventID&lt;'5']]</Suppress></Query></QueryList>";
        assert_eq!(Query::read(other).held_back(Channel::System), None);
    }
}
