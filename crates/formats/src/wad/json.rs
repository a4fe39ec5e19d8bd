//! From JSON to the tree.
//!
//! An object is an element of the name of its property, an array an element an item, and anything else an attribute:
//! which of those are elements with text alone is known to who reads them. Three shapes are not that regular, and are
//! made so here: lists without the element around them, the flat names of the private part, and `xmlCfg`.

use jsonc_parser::ast::{Array, Object, ObjectProp, StringLit, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::finding::Fault;
use super::tree::{Attribute, Element, Notation};
use crate::limits::{WAD_ATTRIBUTES_MAX, WAD_DEPTH_MAX, WAD_ELEMENTS_MAX};
use crate::places::PlacedText;

type At<E> = (E, usize);

/// Elements that hold a list and nothing else, and the items of it: some write the list in their place.
pub(super) const LISTS: [(&str, &str); 5] = [
    ("DataSources", "DirectoryConfiguration"),
    ("SinksConfig", "Sink"),
    ("Channels", "Channel"),
    ("SecondaryStorageAccounts", "StorageAccount"),
    ("SecondaryEventHubs", "EventHub"),
];

/// Names of the private part that say what attributes of its StorageAccount say in XML.
pub(super) const FLAT: [(&str, &str); 4] = [
    ("storageAccountName", "name"),
    ("storageAccountKey", "key"),
    ("storageAccountEndPoint", "endpoint"),
    ("storageAccountSasToken", "sasToken"),
];

/// JSON as it is in RFC 8259, and comments, which the agent's reader passes over.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads the one object that a document is, as an element without a name.
///
/// # Errors
/// It is not JSON, or larger than anybody's: the first thing that is wrong with it, and where.
pub(super) fn read(json: &str) -> Result<Element, At<Fault>> {
    let collect = CollectOptions::default();
    let parsed = parse_to_ast(json, &collect, &OPTIONS).map_err(|error| {
        let fault = Fault::Json(error.kind().to_string());
        (fault, error.range().start)
    })?;
    match parsed.value {
        Some(Value::Object(root)) => {
            let mut reading = Reading { json, elements: 0 };
            reading.element("", root.range.start, &root, 0)
        }
        Some(_) => Err((Fault::NoObject, 0)),
        None => Err((Fault::CutOff, json.len())),
    }
}

struct Reading<'a> {
    json: &'a str,
    elements: usize,
}

impl Reading<'_> {
    fn element(
        &mut self,
        name: &str,
        at: usize,
        object: &Object<'_>,
        depth: usize,
    ) -> Result<Element, At<Fault>> {
        if depth > WAD_DEPTH_MAX {
            return Err((Fault::TooDeep, at));
        }
        self.elements += 1;
        if self.elements > WAD_ELEMENTS_MAX {
            return Err((Fault::TooManyElements, at));
        }
        let mut element = Element::new(name, Notation::Json, at);
        for property in &object.properties {
            self.property(property, &mut element, depth)?;
            if element.attributes.len() > WAD_ATTRIBUTES_MAX {
                return Err((Fault::TooManyAttributes, at));
            }
        }
        unflatten(&mut element);
        Ok(element)
    }

    fn property(
        &mut self,
        property: &ObjectProp<'_>,
        parent: &mut Element,
        depth: usize,
    ) -> Result<(), At<Fault>> {
        let name = property.name.as_str();
        let at = property.range.start;
        let (value, value_at) = match &property.value {
            Value::Object(object) => {
                let child = self.element(name, at, object, depth + 1)?;
                parent.children.push(child);
                return Ok(());
            }
            Value::Array(array) => return self.list(name, at, array, parent, depth),
            // What is null is not said.
            Value::NullKeyword(_) => return Ok(()),
            Value::StringLit(text) => (self.string(text), text.range),
            Value::NumberLit(number) => (whole(number.value, number.range.start), number.range),
            Value::BooleanLit(boolean) => {
                let text = if boolean.value { "true" } else { "false" };
                (whole(text, boolean.range.start), boolean.range)
            }
        };
        parent.attributes.push(Attribute {
            name: name.to_owned(),
            value,
            at,
            value_at: value_at.start..value_at.end,
        });
        Ok(())
    }

    fn list(
        &mut self,
        name: &str,
        at: usize,
        array: &Array<'_>,
        parent: &mut Element,
        depth: usize,
    ) -> Result<(), At<Fault>> {
        let around = LISTS.iter().find(|(list, _)| parent.is_name(name, list));
        let item_name = around.map_or(name, |(_, item)| item);
        let mut items = Vec::new();
        for item in &array.elements {
            let Value::Object(object) = item else {
                return Err((Fault::NoObjects(name.to_owned()), at));
            };
            items.push(self.element(item_name, object.range.start, object, depth + 1)?);
        }
        match around {
            Some((list, _)) => {
                let mut list = Element::new(list, Notation::Json, at);
                list.children = items;
                parent.children.push(list);
            }
            None => parent.children.extend(items),
        }
        Ok(())
    }

    /// A string with the place of each of its characters, escapes resolved.
    fn string(&self, literal: &StringLit<'_>) -> PlacedText {
        let mut text = PlacedText::default();
        // Behind the quote.
        let mut at = literal.range.start + 1;
        let mut rest = &*literal.value;
        while !rest.is_empty() {
            let raw = self.json.get(at..).unwrap_or_default();
            let plain = raw.bytes().zip(rest.bytes());
            let plain = plain.take_while(|(raw, _)| *raw != b'\\').count();
            if plain > 0 && rest.is_char_boundary(plain) {
                text.push(&rest[..plain], at..at + plain);
                (rest, at) = (&rest[plain..], at + plain);
                continue;
            }
            let Some(escaped) = rest.chars().next() else {
                break;
            };
            let unit = if raw.starts_with("\\u") { 6 } else { 2 };
            let units = if unit == 6 { escaped.len_utf16() } else { 1 };
            let end = (at + unit * units).min(literal.range.end);
            text.push(&rest[..escaped.len_utf8()], at..end);
            (rest, at) = (&rest[escaped.len_utf8()..], end);
        }
        text
    }
}

fn whole(text: &str, at: usize) -> PlacedText {
    let mut placed = PlacedText::default();
    placed.push(text, at..at + text.len());
    placed
}

/// Puts what the flat names of the private part say where XML has it.
fn unflatten(element: &mut Element) {
    let attributes = std::mem::take(&mut element.attributes);
    let mut account: Option<Element> = None;
    for mut attribute in attributes {
        let flat = FLAT
            .iter()
            .find(|(flat, _)| attribute.name.eq_ignore_ascii_case(flat));
        let Some((_, name)) = flat else {
            element.attributes.push(attribute);
            continue;
        };
        let at = attribute.at;
        let account =
            account.get_or_insert_with(|| Element::new("StorageAccount", Notation::Json, at));
        attribute.name = (*name).to_owned();
        account.attributes.push(attribute);
    }
    element.children.extend(account);
}
