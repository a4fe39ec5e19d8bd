//! As much of an Event's text as a property holds, always a whole Event.

use std::borrow::Cow;

use crate::azure::utf16_units;
use crate::event::scan::{Scanner, Tag};
use crate::event::{Event, ParseStatus};
use crate::limits::AZURE_TEXT_UNITS_MAX;

/// The text; without RenderingInfo where it does not fit with it or was cut off in it; of what does not fit then or is not
/// well-formed, its System element alone. Empty where not even that is whole.
pub(super) fn that_fits<'a>(event: Event<'a>) -> Cow<'a, str> {
    // Some senders fill their buffers up.
    let text = event.text().trim_end_matches('\0');
    let fits = |text: &str| utf16_units(text) <= AZURE_TEXT_UNITS_MAX;
    if event.status() == ParseStatus::Whole && fits(text) {
        return Cow::Borrowed(text);
    }
    let Some(parts) = parts(text) else {
        return Cow::Borrowed("");
    };
    if !matches!(event.status(), ParseStatus::Malformed(_)) {
        let text = parts.without_rendering(text);
        if fits(&text) {
            return Cow::Owned(text);
        }
    }
    let text = parts.system_alone(text);
    match fits(&text) {
        true => Cow::Owned(text),
        false => Cow::Borrowed(""),
    }
}

/// Where things end in the text, in bytes.
struct Parts {
    /// The start tag of the Event.
    head_end: usize,
    /// The System element.
    system: (usize, usize),
    /// Where RenderingInfo begins, and where it ends if it does.
    rendering: Option<(usize, Option<usize>)>,
    /// The root's name as written, for its end tag.
    root: String,
}

fn parts(text: &str) -> Option<Parts> {
    let mut scanner = Scanner::new(text);
    let Tag::Open(root) = scanner.next_tag().ok()? else {
        return None;
    };
    let root_name = String::from_utf8_lossy(scanner.name(root)).into_owned();
    if !scanner.skip_attributes().ok()? {
        return None;
    }
    let head_end = scanner.position();
    let (mut system, mut rendering) = (None, None);
    while let Ok(Tag::Open(name)) = scanner.next_tag() {
        let begin = name.tag_start();
        let local = scanner.local(name).to_owned();
        let whole = match scanner.skip_attributes() {
            Ok(true) => scanner.skip_content(name).is_ok(),
            Ok(false) => true,
            Err(_) => false,
        };
        let end = whole.then(|| scanner.position());
        match (&local[..], end) {
            (b"System", Some(end)) if system.is_none() => system = Some((begin, end)),
            (b"RenderingInfo", end) if rendering.is_none() => rendering = Some((begin, end)),
            _ => {}
        }
        if !whole {
            break;
        }
    }
    Some(Parts {
        head_end,
        system: system?,
        rendering,
        root: root_name,
    })
}

impl Parts {
    fn without_rendering(&self, text: &str) -> String {
        match self.rendering {
            None => text.to_owned(),
            Some((begin, Some(end))) => [&text[..begin], &text[end..]].concat(),
            Some((begin, None)) => format!("{}</{}>", &text[..begin], self.root),
        }
    }

    fn system_alone(&self, text: &str) -> String {
        let (begin, end) = self.system;
        let head = &text[..self.head_end];
        format!("{head}{}</{}>", &text[begin..end], self.root)
    }
}
