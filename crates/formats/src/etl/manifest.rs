//! Instrumentation manifests: the XML in which a provider describes its events (eventman.xsd).

use std::collections::HashMap;

use super::template::{Count, Field, Size, Template, has_room};
use super::value::{Kind, Out};
use crate::guid::Guid;
use crate::limits::{
    ETL_KEYWORDS_MAX, ETL_MANIFEST_BYTES_MAX, ETL_MANIFEST_DEPTH_MAX, ETL_MANIFEST_ELEMENTS_MAX,
    ETL_MANIFEST_NAME_BYTES_MAX,
};
use crate::tree::{self, Bounds, Element, TreeError};

/// Why a manifest cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It names no provider.
    #[error("it describes no provider")]
    NoProvider,
    /// A provider has no name or GUID.
    #[error("the provider {0:?} has no GUID")]
    NoGuid(String),
}

/// What a provider says of its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Provider {
    pub(super) name: String,
    /// By id and version.
    events: HashMap<(u16, u8), EventSchema>,
    templates: HashMap<String, Result<Template, &'static str>>,
    tasks: HashMap<u16, String>,
    /// By task, and without one.
    opcodes: HashMap<(Option<u16>, u8), String>,
    keywords: Vec<(u64, String)>,
}

/// What an event is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EventSchema {
    pub(super) symbol: Option<String>,
    template: Option<String>,
}

/// Reads a manifest: its providers.
pub(super) fn read(xml: &str) -> Result<Vec<(Guid, Provider)>, ManifestError> {
    let bounds = Bounds {
        bytes: ETL_MANIFEST_BYTES_MAX,
        elements: ETL_MANIFEST_ELEMENTS_MAX,
        depth: ETL_MANIFEST_DEPTH_MAX,
    };
    let document = tree::read(xml, bounds)?;
    let strings = strings(&document);
    let mut found = Vec::new();
    document.find_all("provider", &mut found);
    let mut providers = Vec::new();
    for element in found {
        let name = element.attribute("name").unwrap_or_default().to_owned();
        let guid = element.attribute("guid").and_then(Guid::read);
        let Some(guid) = guid else {
            return Err(ManifestError::NoGuid(name));
        };
        let name = within(&name).unwrap_or_default().to_owned();
        providers.push((guid, provider(name, element, &strings)));
    }
    match providers.is_empty() {
        true => Err(ManifestError::NoProvider),
        false => Ok(providers),
    }
}

/// The texts of the first language that has them, by name.
fn strings(document: &Element) -> HashMap<&str, &str> {
    let mut found = Vec::new();
    document.find_all("stringTable", &mut found);
    let mut strings = HashMap::new();
    for string in found
        .iter()
        .flat_map(|table| table.children_named("string"))
    {
        if let (Some(id), Some(value)) = (string.attribute("id"), string.attribute("value")) {
            strings.entry(id).or_insert(value);
        }
    }
    strings
}

/// The name for people of a task, an opcode or a keyword: its message, or what the manifest calls it.
fn display(element: &Element, strings: &HashMap<&str, &str>) -> Option<String> {
    let message = element.attribute("message").and_then(|message| {
        let id = message.strip_prefix("$(string.")?.strip_suffix(')')?;
        strings.get(id).copied()
    });
    let name = message.or_else(|| element.attribute("name"))?;
    within(name.trim()).map(str::to_owned)
}

/// A name that is no longer than one may be: it goes into the text of each event.
fn within(name: &str) -> Option<&str> {
    (name.len() <= ETL_MANIFEST_NAME_BYTES_MAX).then_some(name)
}

/// The elements of one list of a provider.
fn items<'a>(
    parent: &'a Element,
    list: &'a str,
    item: &'a str,
) -> impl Iterator<Item = &'a Element> {
    parent
        .children_named(list)
        .flat_map(move |list| list.children_named(item))
}

fn provider(name: String, element: &Element, strings: &HashMap<&str, &str>) -> Provider {
    let mut provider = Provider {
        name,
        ..Provider::default()
    };
    for task in items(element, "tasks", "task") {
        let Some(value) =
            attribute_number(task, "value").and_then(|value| u16::try_from(value).ok())
        else {
            continue;
        };
        provider
            .tasks
            .extend(display(task, strings).map(|name| (value, name)));
        provider.add_opcodes(Some(value), task, strings);
    }
    provider.add_opcodes(None, element, strings);
    for keyword in items(element, "keywords", "keyword") {
        if provider.keywords.len() >= ETL_KEYWORDS_MAX {
            break;
        }
        let mask = attribute_number(keyword, "mask");
        provider
            .keywords
            .extend(mask.zip(display(keyword, strings)));
    }
    for template in items(element, "templates", "template") {
        if let Some(tid) = template.attribute("tid") {
            let read = fields(template, 0).map(|fields| Template { fields });
            provider.templates.insert(tid.to_owned(), read);
        }
    }
    for event in items(element, "events", "event") {
        let id = attribute_number(event, "value").and_then(|id| u16::try_from(id).ok());
        let version = attribute_number(event, "version").unwrap_or(0);
        let (Some(id), Ok(version)) = (id, u8::try_from(version)) else {
            continue;
        };
        let schema = EventSchema {
            symbol: (event.attribute("symbol").and_then(within)).map(str::to_owned),
            template: event.attribute("template").map(str::to_owned),
        };
        provider.events.insert((id, version), schema);
    }
    provider
}

impl Provider {
    fn add_opcodes(&mut self, task: Option<u16>, parent: &Element, strings: &HashMap<&str, &str>) {
        for opcode in items(parent, "opcodes", "opcode") {
            let value =
                attribute_number(opcode, "value").and_then(|value| u8::try_from(value).ok());
            if let Some((value, name)) = value.zip(display(opcode, strings)) {
                self.opcodes.insert((task, value), name);
            }
        }
    }

    /// What an event is. Another version of the same event can have other fields.
    pub(super) fn event(&self, id: u16, version: u8) -> Option<&EventSchema> {
        self.events.get(&(id, version))
    }

    /// Its fields; none where it has no payload.
    pub(super) fn template(&self, event: &EventSchema) -> Option<Result<&Template, &'static str>> {
        let name = event.template.as_ref()?;
        Some(match self.templates.get(name) {
            Some(read) => read.as_ref().map_err(|what| *what),
            None => Err("the manifest lacks its template"),
        })
    }

    pub(super) fn task(&self, task: u16) -> Option<&str> {
        self.tasks.get(&task).map(String::as_str)
    }

    pub(super) fn opcode(&self, task: u16, opcode: u8) -> Option<&str> {
        let of_task = self.opcodes.get(&(Some(task), opcode));
        of_task
            .or_else(|| self.opcodes.get(&(None, opcode)))
            .map(String::as_str)
    }

    /// The names of the keywords whose bits are set.
    pub(super) fn keywords(&self, bits: u64) -> Vec<&str> {
        let set = self
            .keywords
            .iter()
            .filter(|(mask, _)| *mask != 0 && bits & mask == *mask);
        set.map(|(_, name)| name.as_str()).collect()
    }
}

fn fields(parent: &Element, depth: usize) -> Result<Vec<Field>, &'static str> {
    if depth > ETL_MANIFEST_DEPTH_MAX {
        return Err("structures in structures without end");
    }
    let mut fields = Vec::new();
    for element in &parent.children {
        let (kind, children) = match element.name.as_str() {
            "data" => {
                let kind = element.attribute("inType").and_then(Kind::named);
                (
                    kind.ok_or("the manifest has a type that is not known")?,
                    Vec::new(),
                )
            }
            "struct" => (Kind::Struct, self::fields(element, depth + 1)?),
            _ => continue,
        };
        if !has_room(fields.len()) {
            return Err("too many fields");
        }
        let length = match element.attribute("length").map(number_or_name) {
            Some(Ok(length)) => Size::Fixed(length),
            Some(Err(name)) => Size::Of(name),
            None if kind == Kind::Binary && !is_ipv6(element) => {
                return Err("the manifest does not say how long a run of bytes is");
            }
            None => Size::Own,
        };
        let count = match element.attribute("count").map(number_or_name) {
            Some(Ok(count)) => Count::Fixed(count),
            Some(Err(name)) => Count::Of(name),
            None => Count::One,
        };
        fields.push(Field {
            name: element.attribute("name").unwrap_or_default().to_owned(),
            kind,
            out: element.attribute("outType").map_or(Out::Plain, Out::named),
            count,
            length,
            children,
        });
    }
    Ok(fields)
}

fn is_ipv6(element: &Element) -> bool {
    element.attribute("outType").map(Out::named) == Some(Out::Ipv6)
}

fn number_or_name(text: &str) -> Result<usize, String> {
    let number = number(text).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| text.to_owned())
}

fn attribute_number(element: &Element, name: &str) -> Option<u64> {
    element.attribute(name).and_then(number)
}

/// A number as manifests write it: decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
