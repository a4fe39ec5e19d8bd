//! Events made at random, whose values are known, written in every way XML allows.

use proptest::collection::vec;
use proptest::prelude::*;
use quick_xml::events::Event as Xml;

use super::{index_of, spans};
use crate::event::*;

/// How a value is written down.
#[derive(Clone, Copy, Debug)]
enum Writing {
    Entities,
    References,
    CData,
    Commented,
}

fn writing() -> impl Strategy<Value = Writing> {
    prop_oneof![
        3 => Just(Writing::Entities),
        1 => Just(Writing::References),
        1 => Just(Writing::CData),
        1 => Just(Writing::Commented),
    ]
}

/// Text as Events have it: short, with markup characters, controls and any Unicode.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,40}",
        2 => "[a-z<>&'\"\\]\r\n\t;# ]{0,20}",
        1 => "[^\0]{0,12}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-Za-z][A-Za-z0-9 ]{0,20}", 1 => value().prop_filter("empty", |name| !name.is_empty())]
}

fn escape(value: &str) -> String {
    let mut out = String::new();
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            character => out.push(character),
        }
    }
    out
}

fn write(value: &str, writing: Writing) -> String {
    match writing {
        Writing::Entities => escape(value),
        Writing::References => value
            .chars()
            .map(|c| format!("&#x{:x};", u32::from(c)))
            .collect(),
        Writing::CData => format!("<![CDATA[{}]]>", value.replace("]]>", "]]]]><![CDATA[>")),
        Writing::Commented => format!("{}<!-- <x> & -->", escape(value)),
    }
}

#[derive(Clone, Debug)]
struct Item {
    name: Option<String>,
    value: String,
    writing: Writing,
    quote: char,
}

fn item() -> impl Strategy<Value = Item> {
    (
        prop::option::weighted(0.8, name()),
        value(),
        writing(),
        prop_oneof![Just('\''), Just('"')],
    )
        .prop_map(|(name, value, writing, quote)| Item {
            name,
            value,
            writing,
            quote,
        })
}

fn event_data(items: &[Item], space: &str) -> String {
    let mut out = String::from("<EventData>");
    for Item {
        name,
        value,
        writing,
        quote,
    } in items
    {
        out.push_str(space);
        out.push_str("<Data");
        if let Some(name) = name {
            out.push_str(&format!(" {space}Name={quote}{}{quote}", escape(name)));
        }
        if value.is_empty() && matches!(writing, Writing::CData) {
            out.push_str(&format!("{space}/>"));
        } else {
            out.push_str(&format!("{space}>{}</Data{space}>", write(value, *writing)));
        }
    }
    out + space + "</EventData>"
}

/// A tree with the leaves it must give.
#[derive(Clone, Debug)]
enum Element {
    Leaf(String, String, Writing),
    Inner(String, Vec<(String, String)>, Vec<Element>),
}

fn element() -> impl Strategy<Value = Element> {
    let tag = || "[A-Za-z][A-Za-z0-9]{0,8}";
    let leaf = (tag(), value(), writing())
        .prop_map(|(tag, value, writing)| Element::Leaf(tag, value, writing));
    leaf.prop_recursive(4, 24, 5, move |inner| {
        (
            tag(),
            vec(
                (
                    tag().prop_filter("xmlns", |tag| !tag.starts_with("xmlns")),
                    value(),
                ),
                0..3,
            ),
            vec(inner, 1..5),
        )
            .prop_map(|(tag, attributes, inner)| Element::Inner(tag, attributes, inner))
    })
}

fn write_tree(element: &Element, path: &str, out: &mut String, leaves: &mut Vec<(String, String)>) {
    let step = |tag: &str| {
        if path.is_empty() {
            tag.to_owned()
        } else {
            format!("{path}/{tag}")
        }
    };
    match element {
        Element::Leaf(tag, value, writing) => {
            out.push_str(&format!("<{tag}>{}</{tag}>", write(value, *writing)));
            leaves.push((step(tag), value.clone()));
        }
        Element::Inner(tag, attributes, inner) => {
            let path = step(tag);
            out.push_str(&format!("<p:{tag} xmlns:p='urn:p'"));
            for (name, value) in attributes {
                out.push_str(&format!(" {name}='{}'", escape(value)));
                leaves.push((format!("{path}/@{name}"), value.clone()));
            }
            out.push('>');
            inner
                .iter()
                .for_each(|inner| write_tree(inner, &path, out, leaves));
            out.push_str(&format!("</p:{tag}>"));
        }
    }
}

proptest! {
    #[test]
    fn event_data_comes_back(items in vec(item(), 0..12), space in "[ \r\n\t]{0,3}") {
        let text = format!("<Event>{space}{}{space}</Event>", event_data(&items, &space));
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        prop_assert_eq!(event.status(), ParseStatus::Whole);
        let read: Vec<_> = event.data().map(|item| (item.name, item.value)).collect();
        let expected: Vec<_> = items
            .iter()
            .map(|item| (item.name.as_deref().map(Into::into), item.value.as_str().into()))
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn user_data_comes_back(elements in vec(element(), 0..4)) {
        let mut text = String::from("<Event><UserData>");
        let mut leaves = Vec::new();
        elements.iter().for_each(|element| write_tree(element, "", &mut text, &mut leaves));
        text.push_str("</UserData></Event>");
        let index = index_of(&text);
        prop_assert_eq!(index.status(), ParseStatus::Whole);
        let event = Event::new(&text, &index);
        let read: Vec<_> =
            event.user_data().map(|leaf| (leaf.path.to_string(), leaf.value.into_owned())).collect();
        prop_assert_eq!(read, leaves);
    }

    #[test]
    fn system_numbers_come_back(event_id: u32, level: u32, keywords: u64, record_id: u64, second in -60_000_000_000i64..250_000_000_000, nanosecond in 0i32..1_000_000_000) {
        let time = jiff::Timestamp::new(second, nanosecond).unwrap();
        let text = format!(
            "<Event><System><EventID>{event_id}</EventID><Level>{level}</Level>\
             <Keywords>{keywords:#x}</Keywords><TimeCreated SystemTime='{time}'/>\
             <EventRecordID>{record_id}</EventRecordID></System></Event>"
        );
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        prop_assert_eq!(event.event_id(), Some(event_id));
        prop_assert_eq!(event.level(), Some(level));
        prop_assert_eq!(event.keywords(), Some(keywords));
        prop_assert_eq!(event.record_id(), Some(record_id));
        prop_assert_eq!(event.time_created(), Some(time));
    }

    /// quick-xml reads the same of what it accepts.
    #[test]
    fn quick_xml_agrees(items in vec(item(), 0..8), space in "[ \r\n\t]{0,3}") {
        let text = format!("<Event>{}</Event>", event_data(&items, &space));
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        let ours: Vec<String> = event.data().map(|item| item.value.into_owned()).collect();
        prop_assert_eq!(ours, quick_xml_values(&text));
    }

    #[test]
    fn any_prefix_is_read_or_named(items in vec(item(), 0..6), elements in vec(element(), 0..3), cut: prop::sample::Index) {
        let mut text = format!("<Event>{}<UserData>", event_data(&items, " "));
        elements.iter().for_each(|element| write_tree(element, "", &mut text, &mut Vec::new()));
        text.push_str("</UserData><RenderingInfo Culture='x'><Message>m</Message></RenderingInfo></Event>");
        let end = text.floor_char_boundary(cut.index(text.len()));
        prop_assert_ne!(index_of(&text[..end]).status(), ParseStatus::Whole);
    }

    #[test]
    fn any_text_is_read_or_named(text in "(<Event>)?[<>/&;='\" a-c!\\[\\]?-]{0,40}") {
        index_of(&text);
    }

    #[test]
    fn damaged_indexes_are_refused_or_stay_inside(
        items in vec(item(), 0..8),
        elements in vec(element(), 0..3),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut text = format!("<Event>{}<UserData>", event_data(&items, ""));
        elements.iter().for_each(|element| write_tree(element, "", &mut text, &mut Vec::new()));
        text.push_str("</UserData></Event>");
        let mut bytes = Vec::new();
        index_of(&text).encode(&mut bytes);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (place, value) in damage {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
        }
        check_decode(&bytes, &text);
    }

    #[test]
    fn any_bytes_are_refused_or_stay_inside(mut bytes in vec(any::<u8>(), 0..60), text in "\\PC{0,30}") {
        check_decode(&bytes, &text);
        bytes.splice(0..0, [1, 0, 0]);
        check_decode(&bytes, &text);
    }
}

fn check_decode(bytes: &[u8], text: &str) {
    let mut index = Index::new();
    if index.decode(bytes, text).is_err() {
        assert_eq!(index, Index::new());
    }
    assert!(
        spans(&index)
            .iter()
            .all(|span| text.get(span.start()..span.end()).is_some())
    );
    let event = Event::new(text, &index);
    event
        .user_data()
        .for_each(|leaf| drop(leaf.path.to_string()));
    assert_eq!(event.data().count(), index.data.len());
}

/// The text inside each Data element, by quick-xml.
fn quick_xml_values(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut values = Vec::new();
    let mut is_inside = false;
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) if tag.local_name().as_ref() == "Data" => {
                is_inside = true;
                values.push(String::new());
            }
            Xml::Empty(tag) if tag.local_name().as_ref() == "Data" => values.push(String::new()),
            Xml::End(_) => is_inside = false,
            Xml::Text(text) if is_inside => values.last_mut().unwrap().push_str(&text),
            Xml::CData(text) if is_inside => values.last_mut().unwrap().push_str(&text),
            Xml::GeneralRef(name) if is_inside => {
                let value = format!("&{};", &*name);
                values
                    .last_mut()
                    .unwrap()
                    .push_str(&quick_xml::escape::unescape(&value).unwrap());
            }
            Xml::Eof => return values,
            _ => {}
        }
    }
}
