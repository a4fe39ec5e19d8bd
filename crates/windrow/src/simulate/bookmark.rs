//! The bookmark of a source: where it stands in each log, as `EvtRender` writes it
//! (`BookmarkList` with one `Bookmark` a channel).

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::events::Channel;
use super::log::Position;

/// Which way the bookmark was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// By sending events.
    Forward,
    /// By looking for the last record, before any was sent.
    Backward,
}

/// The bookmark behind which `position` is the next place. `current` is the channel of the last
/// event.
pub(super) fn write(position: &Position, current: Channel, direction: Direction) -> String {
    let attribute = match direction {
        Direction::Forward => "",
        Direction::Backward => " Direction='backward'",
    };
    let mut out = format!("<BookmarkList{attribute}>");
    for channel in Channel::ALL {
        let Some(next) = position.next(channel) else {
            continue;
        };
        let is_current = if channel == current {
            " IsCurrent='true'"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<Bookmark Channel='{}' RecordId='{}'{is_current}/>",
            channel.name(),
            next.saturating_sub(1)
        );
    }
    out.push_str("</BookmarkList>");
    out
}

/// The channels and record ids of a bookmark; what is not one has none.
pub(super) fn read(xml: &str) -> Vec<(Channel, u64)> {
    let of = |element: &BytesStart<'_>| {
        let channel = Channel::named(&attribute(element, "Channel")?)?;
        Some((channel, attribute(element, "RecordId")?.parse().ok()?))
    };
    elements(xml, of)
}

fn elements<T>(xml: &str, of: impl Fn(&BytesStart<'_>) -> Option<T>) -> Vec<T> {
    let mut reader = Reader::from_str(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                if element.local_name().into_inner() == "Bookmark" {
                    found.extend(of(&element));
                }
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    Some(element.try_get_attribute(name).ok()??.value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_is_read_as_it_was_written() {
        let position = Position::default()
            .with(Channel::Security, 43)
            .with(Channel::System, 8);
        let xml = write(&position, Channel::System, Direction::Forward);
        insta::assert_snapshot!(xml, @"<BookmarkList><Bookmark Channel='Security' RecordId='42'/><Bookmark Channel='System' RecordId='7' IsCurrent='true'/></BookmarkList>");
        assert_eq!(read(&xml), [(Channel::Security, 42), (Channel::System, 7)]);
        let xml = write(&position, Channel::Security, Direction::Backward);
        assert!(xml.starts_with("<BookmarkList Direction='backward'>"));
        assert_eq!(read(&xml).len(), 2);
    }

    #[test]
    fn bookmarks_of_windows_are_read() {
        let xml = "<BookmarkList>\r\n  <Bookmark Channel=\"security\" RecordId=\"28822\" IsCurrent=\"true\"/>\r\n  <Bookmark Channel=\"Setup\" RecordId=\"1\"/></BookmarkList>";
        assert_eq!(read(xml), [(Channel::Security, 28_822)]);
        assert_eq!(read("no xml <"), []);
    }
}
