//! What machines say of the channels that they cannot read: of each the newest word.
//!
//! A word counts from when it was written, not from when it came: who reads a machine's forwarding log
//! from its beginning is told last year's too. It stays until the machine takes it back, begins anew,
//! or has not repeated it for long.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use windrow_formats::limits::CHANNEL_STATUS_MAX;
use windrow_formats::wef::channel_status::{self, ChannelStatus};

/// What was written longer ago when it comes is history.
const NEWS_FOR: SignedDuration = SignedDuration::from_hours(24);
/// What is older is not known any more. A machine says it again when it subscribes anew.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A machine that subscribes writes what it cannot read at about the same time.
const SAME_TIME: SignedDuration = SignedDuration::from_mins(1);

/// By channel as the query spells it: a code of Win32, and when that was said.
pub(super) type QueryStatus = BTreeMap<String, (u32, Timestamp)>;

/// What one request says.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// By channel in small letters.
    newest: BTreeMap<String, (ChannelStatus, Timestamp)>,
}

impl Words {
    /// Takes what a text says of channels that was written then, or now where that is not known.
    pub(super) fn read(&mut self, text: &str, written: Option<Timestamp>, now: Timestamp) {
        // A clock that is ahead would have the last word for as long as it is.
        let at = written.map_or(now, |written| written.min(now));
        if !channel_status::is_in(text) || now.duration_since(at) > NEWS_FOR {
            return;
        }
        for one in channel_status::read(text) {
            let has_room = self.newest.len() < CHANNEL_STATUS_MAX;
            let key = one.channel.to_ascii_lowercase();
            match self.newest.get_mut(&key) {
                Some(known) if known.1 <= at => *known = (one, at),
                Some(_) => {}
                None if has_room => {
                    self.newest.insert(key, (one, at));
                }
                None => {}
            }
        }
    }

    /// Adds it to what was said before. That a channel can be read is of interest where it could not.
    pub(super) fn add_to(&self, said: &mut QueryStatus) {
        for (one, at) in self.newest.values() {
            let known = match said.contains_key(&one.channel) {
                true => Some(one.channel.clone()),
                false => find(said, |name, _| name.eq_ignore_ascii_case(&one.channel)),
            };
            if let Some(name) = known {
                if let Some(known) = said.get_mut(&name).filter(|known| known.1 <= *at) {
                    *known = (one.code, *at);
                }
            } else if one.code != 0 && has_room(said) {
                said.insert(one.channel.clone(), (one.code, *at));
            }
        }
    }
}

fn find(said: &QueryStatus, is: impl Fn(&str, u32) -> bool) -> Option<String> {
    let found = said.iter().find(|(name, (code, _))| is(name, *code));
    found.map(|(name, _)| name.clone())
}

/// Whether one more has room, be it in the place of a channel that can be read.
fn has_room(said: &mut QueryStatus) -> bool {
    if said.len() < CHANNEL_STATUS_MAX {
        return true;
    }
    find(said, |_, code| code == 0).is_some_and(|name| said.remove(&name).is_some())
}

/// The machine has begun anew with a subscription of these channels: what it said of them before is
/// over.
pub(super) fn begin_anew(said: &mut QueryStatus, channels: &[String], at: Timestamp) {
    let is_one = |name: &str| channels.iter().any(|one| one.eq_ignore_ascii_case(name));
    said.retain(|name, (_, said)| !is_one(name) || at.duration_since(*said) <= SAME_TIME);
}

/// Forgets what was said long ago.
pub(super) fn age(said: &mut QueryStatus, now: Timestamp) {
    said.retain(|_, (_, said)| now.duration_since(*said) <= GOOD_FOR);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).unwrap()
    }

    fn status(channel: &str, code: u32) -> String {
        format!("<QueryStatus><Channel Name='{channel}' ErrorCode='{code}'/></QueryStatus>")
    }

    fn hear(said: &mut QueryStatus, words: &[(&str, u32, i64)], now: i64) {
        let mut heard = Words::default();
        for (channel, code, written) in words {
            heard.read(&status(channel, *code), Some(at(*written)), at(now));
        }
        heard.add_to(said);
    }

    #[test]
    fn the_word_that_was_written_last_counts() {
        let mut said = QueryStatus::new();
        hear(
            &mut said,
            &[("Security", 0, 101), ("SECURITY", 5, 100)],
            101,
        );
        assert_eq!(
            said,
            QueryStatus::new(),
            "it was mended before we heard of it"
        );
        hear(&mut said, &[("Security", 5, 102)], 103);
        hear(&mut said, &[("security", 0, 100)], 103);
        assert_eq!(said["Security"], (5, at(102)));
        hear(&mut said, &[("security", 0, 103)], 103);
        assert_eq!(said["Security"], (0, at(103)));
        // The log is read once more from its beginning.
        hear(&mut said, &[("Security", 5, 102)], 104);
        assert_eq!(said["Security"], (0, at(103)));
    }

    #[test]
    fn what_was_written_long_ago_is_history_and_nobody_is_ahead() {
        let mut said = QueryStatus::new();
        hear(&mut said, &[("Security", 5, 100)], 125);
        assert_eq!(said, QueryStatus::new());
        hear(&mut said, &[("Security", 5, 900)], 125);
        assert_eq!(said["Security"], (5, at(125)));
        age(&mut said, at(125 + 7 * 24));
        assert_eq!(said.len(), 1);
        age(&mut said, at(126 + 7 * 24));
        assert_eq!(said, QueryStatus::new());
    }

    #[test]
    fn who_begins_anew_says_anew_what_it_cannot_read() {
        let mut said = QueryStatus::new();
        hear(
            &mut said,
            &[("Security", 5, 100), ("System", 5, 100), ("Setup", 5, 102)],
            102,
        );
        begin_anew(
            &mut said,
            &["security".to_owned(), "Setup".to_owned()],
            at(102),
        );
        let left: Vec<_> = said.keys().map(String::as_str).collect();
        assert_eq!(left, ["Setup", "System"]);
    }

    #[test]
    fn channels_that_can_be_read_take_nobodys_room() {
        let mut said = QueryStatus::new();
        for number in 0..2 * CHANNEL_STATUS_MAX {
            hear(&mut said, &[(&format!("well{number}"), 0, 1)], 1);
        }
        assert_eq!(said.len(), 0);
        for number in 0..CHANNEL_STATUS_MAX {
            hear(&mut said, &[(&format!("c{number}"), 5, 1)], 1);
        }
        hear(&mut said, &[("Security", 5, 2)], 2);
        assert!(!said.contains_key("Security") && said.len() == CHANNEL_STATUS_MAX);
        hear(&mut said, &[("c7", 0, 2)], 2);
        hear(&mut said, &[("Security", 5, 2)], 2);
        assert!(said.contains_key("Security") && said.len() == CHANNEL_STATUS_MAX);
    }
}
