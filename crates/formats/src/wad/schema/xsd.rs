//! The schema as XML Schema 1.0.

use super::super::NAMESPACE;
use super::super::describe::{Description, Part, What, describe};
use super::super::fields::{MANY, Said, say};
use super::super::model::{PrivateConfig, PublicConfig};
use super::super::value::{Facet, Kind};

/// An XSD of all forms in XML: `PublicConfig`, `PrivateConfig`, and `DiagnosticsConfiguration` around both.
///
/// It takes what newer versions of the agent took, and so more than Microsoft's of 2016.
#[must_use]
pub fn xsd() -> String {
    let mut out = Writer::default();
    out.line("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    let mut head = vec![
        ("xmlns:xs", "http://www.w3.org/2001/XMLSchema"),
        ("xmlns", NAMESPACE),
        ("targetNamespace", NAMESPACE),
    ];
    head.push(("elementFormDefault", "qualified"));
    out.open("xs:schema", &head);
    let said = say("PublicConfig", "What is collected, and where to.");
    element(
        &said,
        (1, 1),
        &describe::<PublicConfig>(),
        Place::Top,
        &mut out,
    );
    let said = say("PrivateConfig", "The keys for it.");
    element(
        &said,
        (1, 1),
        &describe::<PrivateConfig>(),
        Place::Top,
        &mut out,
    );
    whole(&mut out);
    out.close("xs:schema");
    out.text
}

/// Both parts: those elements stand alone too, so they are named and not repeated.
fn whole(out: &mut Writer) {
    out.open("xs:element", &[("name", "DiagnosticsConfiguration")]);
    out.open("xs:complexType", &[]);
    out.open("xs:all", &[]);
    out.empty("xs:element", &[("ref", "PublicConfig"), ("minOccurs", "0")]);
    out.empty(
        "xs:element",
        &[("ref", "PrivateConfig"), ("minOccurs", "0")],
    );
    let enabled = [
        ("name", "IsEnabled"),
        ("type", "xs:boolean"),
        ("minOccurs", "0"),
    ];
    out.empty("xs:element", &enabled);
    out.close("xs:all");
    out.close("xs:complexType");
    out.close("xs:element");
}

/// Whether an element is a root: those have no number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Inside,
}

fn element(said: &Said, times: (usize, usize), of: &Description, place: Place, out: &mut Writer) {
    let (least, most) = occurs(times);
    let mut attributes = vec![("name", said.name)];
    if place == Place::Inside {
        attributes.extend([("minOccurs", least.as_str()), ("maxOccurs", most.as_str())]);
    }
    out.open("xs:element", &attributes);
    out.about(said);
    out.open("xs:complexType", &[]);
    content(of, out);
    for part in &of.parts {
        if let What::Attribute(kind) = &part.what {
            attribute(part, kind, out);
        }
    }
    out.close("xs:complexType");
    out.close("xs:element");
}

fn occurs((least, most): (usize, usize)) -> (String, String) {
    let most = match most {
        MANY => "unbounded".to_owned(),
        most => most.to_string(),
    };
    (least.to_string(), most)
}

fn content(of: &Description, out: &mut Writer) {
    let is_element = |part: &&Part| !matches!(part.what, What::Attribute(_));
    let parts: Vec<&Part> = of.parts.iter().filter(is_element).collect();
    let is_rival = |part: &&&Part| of.one_of.contains(&part.said.name);
    if parts.is_empty() {
        return;
    }
    let is_repeated = parts.iter().any(|part| *part.times.end() > 1);
    if !of.one_of.is_empty() {
        out.open("xs:sequence", &[]);
        out.open("xs:choice", &[]);
        for part in parts.iter().filter(is_rival) {
            child(part, (1, 1), out);
        }
        out.close("xs:choice");
        for part in parts.iter().filter(|part| !is_rival(part)) {
            child(part, (*part.times.start(), *part.times.end()), out);
        }
        out.close("xs:sequence");
    } else if parts.len() == 1 || !of.in_order.is_empty() {
        out.open("xs:sequence", &[]);
        for part in parts {
            child(part, (*part.times.start(), *part.times.end()), out);
        }
        out.close("xs:sequence");
    } else if is_repeated {
        out.open(
            "xs:choice",
            &[("minOccurs", "0"), ("maxOccurs", "unbounded")],
        );
        for part in parts {
            child(part, (1, 1), out);
        }
        out.close("xs:choice");
    } else {
        out.open("xs:all", &[]);
        for part in parts {
            child(part, (*part.times.start(), *part.times.end()), out);
        }
        out.close("xs:all");
    }
}

fn child(part: &Part, times: (usize, usize), out: &mut Writer) {
    match &part.what {
        What::Element(of) => element(&part.said, times, of, Place::Inside, out),
        What::Text(kind) => {
            let (least, most) = occurs(times);
            let name = part.said.name;
            out.open(
                "xs:element",
                &[("name", name), ("minOccurs", &least), ("maxOccurs", &most)],
            );
            out.about(&part.said);
            simple_type(kind, out);
            out.close("xs:element");
        }
        What::Attribute(_) => {}
    }
}

fn attribute(part: &Part, kind: &Kind, out: &mut Writer) {
    let usage = if *part.times.start() == 1 {
        "required"
    } else {
        "optional"
    };
    let mut attributes = vec![("name", part.said.name), ("use", usage)];
    if let Some(default) = part.said.default {
        attributes.push(("default", default));
    }
    out.open("xs:attribute", &attributes);
    out.about(&part.said);
    simple_type(kind, out);
    out.close("xs:attribute");
}

fn simple_type(kind: &Kind, out: &mut Writer) {
    out.open("xs:simpleType", &[]);
    out.open("xs:restriction", &[("base", kind.base)]);
    match kind.facet {
        Facet::None => {}
        Facet::Words(words) => {
            for word in words {
                out.empty("xs:enumeration", &[("value", word)]);
            }
        }
        Facet::Pattern(pattern) => out.empty("xs:pattern", &[("value", pattern)]),
        Facet::Name(pattern, least, most) => {
            out.empty("xs:minLength", &[("value", &least.to_string())]);
            out.empty("xs:maxLength", &[("value", &most.to_string())]);
            out.empty("xs:pattern", &[("value", pattern)]);
        }
        Facet::Range(least, most) => {
            out.empty("xs:minInclusive", &[("value", &least.to_string())]);
            out.empty("xs:maxInclusive", &[("value", &most.to_string())]);
        }
        Facet::Duration => out.empty("xs:minInclusive", &[("value", "PT0S")]),
    }
    out.close("xs:restriction");
    out.close("xs:simpleType");
}

#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn tag(name: &str, attributes: &[(&str, &str)]) -> String {
        let mut tag = format!("<{name}");
        for (name, value) in attributes {
            tag.push_str(&format!(
                " {name}=\"{}\"",
                quick_xml::escape::escape(*value)
            ));
        }
        tag
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.line(&format!("{}>", Self::tag(name, attributes)));
        self.depth += 1;
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.line(&format!("{}/>", Self::tag(name, attributes)));
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn about(&mut self, said: &Said) {
        let since = said
            .since
            .map(|version| format!(" Since version {version}."));
        let about = format!("{}{}", said.about, since.unwrap_or_default());
        let about = quick_xml::escape::escape(about);
        let line =
            format!("<xs:annotation><xs:documentation>{about}</xs:documentation></xs:annotation>");
        self.line(&line);
    }
}
