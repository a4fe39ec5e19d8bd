//! What common events are about, in our own words: for people who know what they look for and not its number, and for
//! receivers of events whose source rendered no message.
//!
//! Facts from Microsoft's auditing reference and the providers' manifests; the words are ours. They never change with
//! an event's values, so that whoever groups by them finds like with like. An event that is not here has none.

mod sentences;
mod titles;

pub use sentences::sentence;
pub use titles::title;

/// The best there is: the sentence, else the title.
#[must_use]
pub fn describe(provider: &str, event_id: u32) -> Option<&'static str> {
    sentence(provider, event_id).or_else(|| title(provider, event_id))
}
