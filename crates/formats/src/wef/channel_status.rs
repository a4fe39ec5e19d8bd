//! What a machine says of the channels that it was asked for and cannot read.
//!
//! ```text
//! <t:QueryStatus xmlns:t="http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog">
//!   <t:Channel Name="Security" ErrorCode="5"/>
//! </t:QueryStatus>
//! ```
//!
//! It stands escaped in event 101 of Microsoft-Windows-Forwarding, which machines write into their own
//! log, and may stand bare in what a source sends without events. Where it stands is not settled, so
//! it is found by its name and nothing around it is read.

use crate::limits::{CHANNEL_NAME_BYTES_MAX, CHANNEL_STATUS_MAX};

/// Win32's ERROR_ACCESS_DENIED.
pub const ACCESS_DENIED: u32 = 5;
/// Win32's ERROR_EVT_CHANNEL_NOT_FOUND.
pub const CHANNEL_NOT_FOUND: u32 = 15_007;

/// A channel, and how opening it ended: 0 is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStatus {
    /// As the query spells it.
    pub channel: String,
    /// A code of Win32.
    pub code: u32,
}

/// Whether a text may have such a status.
#[must_use]
pub fn is_in(text: &str) -> bool {
    text.contains("QueryStatus")
}

/// The channels that the first status of a text names, [`CHANNEL_STATUS_MAX`] at most. Empty where
/// there is none.
#[must_use]
pub fn read(text: &str) -> Vec<ChannelStatus> {
    let Some(begin) = text.find("QueryStatus") else {
        return Vec::new();
    };
    let status = &text[begin + "QueryStatus".len()..];
    let status = status.split("QueryStatus").next().unwrap_or_default();
    let elements = status.split("Channel").skip(1);
    elements
        .filter_map(channel)
        .take(CHANNEL_STATUS_MAX)
        .collect()
}

/// What stands between one `Channel` and the next; a name may have the word in it, and is then put
/// together again by nobody: such a channel is left out.
fn channel(element: &str) -> Option<ChannelStatus> {
    let channel = value(element, "Name=")?;
    let code = value(element, "ErrorCode=")?.trim().parse().ok()?;
    let is_name = !channel.is_empty()
        && channel.len() <= CHANNEL_NAME_BYTES_MAX
        && !channel.chars().any(crate::text::is_hidden);
    is_name.then_some(ChannelStatus { channel, code })
}

/// The value behind `name`, in quotes that may be escaped.
fn value(element: &str, name: &str) -> Option<String> {
    let behind = element.split_once(name)?.1;
    let (quote, behind) = ["\"", "'", "&quot;", "&apos;", "&#34;", "&#39;"]
        .into_iter()
        .find_map(|quote| Some((quote, behind.strip_prefix(quote)?)))?;
    let (value, _) = behind.split_once(quote)?;
    // Escaped once in itself, and once more where it stands escaped.
    Some(value.replace("&amp;amp;", "&").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn channels_are_found_bare_and_escaped() {
        let bare = "<t:QueryStatus xmlns:t=\"http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog\">\
            <t:Channel  Name=\"Application\" ErrorCode=\"0\"/><t:Channel Name='Microsoft-Windows-A &amp; B'  ErrorCode='15007'/>\
            <t:Channel Name=\"Security\"\n ErrorCode=\"5\"/></t:QueryStatus>";
        let escaped = format!(
            "<Data Name='Status'>{}</Data>",
            quick_xml::escape::escape(bare)
        );
        for text in [bare, &escaped] {
            let found = read(text);
            let found: Vec<_> = found.iter().map(|one| (&*one.channel, one.code)).collect();
            assert_eq!(found.len(), 3, "{text}");
            assert_eq!(found[0], ("Application", 0));
            assert_eq!(
                (found[1].1, found[2]),
                (CHANNEL_NOT_FOUND, ("Security", ACCESS_DENIED))
            );
        }
        assert!(is_in(bare) && read("<Event><EventID>111</EventID></Event>").is_empty());
    }

    #[test]
    fn no_more_are_read_than_a_query_can_name() {
        let many = "<Channel Name='a' ErrorCode='5'/>".repeat(2 * CHANNEL_STATUS_MAX);
        assert_eq!(
            read(&format!("<QueryStatus>{many}")).len(),
            CHANNEL_STATUS_MAX
        );
    }

    #[test]
    fn a_name_that_is_none_of_windows_is_passed_over() {
        let of = |bytes| format!("<Channel Name='{}' ErrorCode='5'/>", "n".repeat(bytes));
        let text = format!(
            "<QueryStatus>{}{}",
            of(CHANNEL_NAME_BYTES_MAX + 1),
            of(CHANNEL_NAME_BYTES_MAX)
        );
        let found = read(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].channel.len(), CHANNEL_NAME_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn anything_is_survived(text in "(QueryStatus|Channel|Name=|ErrorCode=|[\"'&;quot5a ]){0,40}") {
            for one in read(&text) {
                prop_assert!(!one.channel.is_empty());
            }
        }
    }
}
