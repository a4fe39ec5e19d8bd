//! The schema as JSON Schema 2020-12.

use super::super::describe::{Description, Part, What, describe};
use super::super::fields::MANY;
use super::super::json::{FLAT, LISTS};
use super::super::json_out::Json;
use super::super::model::{PrivateConfig, PublicConfig};
use super::super::value::{Facet, Kind, Scalar};

/// A JSON Schema of all forms in JSON: the public part, the private part, and both in one object.
#[must_use]
pub fn json_schema() -> String {
    let reference = |name: &str| property("$ref", Json::Text(format!("#/$defs/{name}")));
    let boolean = Json::Object(vec![scalar_type(Scalar::Boolean)]);
    let both = Json::Object(vec![
        property("type", Json::text("object")),
        property(
            "properties",
            Json::Object(vec![
                (
                    "PublicConfig".to_owned(),
                    Json::Object(vec![reference("PublicConfig")]),
                ),
                (
                    "PrivateConfig".to_owned(),
                    Json::Object(vec![reference("PrivateConfig")]),
                ),
                ("IsEnabled".to_owned(), boolean),
            ]),
        ),
        property("minProperties", Json::Bare("1".to_owned())),
        property("additionalProperties", Json::Bare("false".to_owned())),
    ]);
    let mut public = describe_object(&describe::<PublicConfig>());
    add_property(
        &mut public,
        "xmlCfg",
        "The XML of WadCfg as base64, instead of WadCfg.",
    );
    let definitions = Json::Object(vec![
        property("PublicConfig", public),
        property("PrivateConfig", private()),
        property("DiagnosticsConfiguration", both),
    ]);
    let any = ["PublicConfig", "PrivateConfig", "DiagnosticsConfiguration"];
    let any = any.map(|name| Json::Object(vec![reference(name)]));
    Json::Object(vec![
        property(
            "$schema",
            Json::text("https://json-schema.org/draft/2020-12/schema"),
        ),
        property("title", Json::text("A configuration of Azure Diagnostics")),
        property("anyOf", Json::List(any.into())),
        property("$defs", definitions),
    ])
    .document()
}

fn property(name: &str, value: Json) -> (String, Json) {
    (name.to_owned(), value)
}

/// The private part, where values of its StorageAccount stand under names of their own.
fn private() -> Json {
    let mut object = describe_object(&describe::<PrivateConfig>());
    for (flat, name) in FLAT {
        add_property(
            &mut object,
            flat,
            &format!("What {name} of <StorageAccount> is in XML."),
        );
    }
    object
}

fn add_property(object: &mut Json, name: &str, about: &str) {
    let Json::Object(parts) = object else {
        return;
    };
    for (part, value) in parts {
        if let (true, Json::Object(properties)) = (part == "properties", value) {
            let text = Json::Object(vec![
                property("description", Json::text(about)),
                scalar_type(Scalar::Text),
            ]);
            properties.push(property(name, text));
        }
    }
}

fn describe_object(of: &Description) -> Json {
    let mut properties = Vec::new();
    let mut required = Vec::new();
    for part in &of.parts {
        properties.push(property(part.said.name, describe_part(part)));
        if *part.times.start() > 0 {
            required.push(part.said.name);
        }
    }
    let mut object = vec![
        property("type", Json::text("object")),
        property("properties", Json::Object(properties)),
    ];
    if !required.is_empty() {
        object.push(property("required", Json::texts(&required)));
    }
    if !of.one_of.is_empty() {
        let one = of.one_of.iter();
        let one = one.map(|name| Json::Object(vec![property("required", Json::texts(&[name]))]));
        object.push(property("oneOf", Json::List(one.collect())));
    }
    object.push(property(
        "additionalProperties",
        Json::Bare("false".to_owned()),
    ));
    Json::Object(object)
}

fn describe_part(part: &Part) -> Json {
    let since = part
        .said
        .since
        .map(|version| format!(" Since version {version}."));
    let about = format!("{}{}", part.said.about, since.unwrap_or_default());
    let mut described = vec![property("description", Json::Text(about))];
    match &part.what {
        What::Attribute(kind) | What::Text(kind) => {
            describe_value(kind, &mut described);
            if let Some(default) = part.said.default {
                let value = match kind.scalar {
                    Scalar::Text => Json::text(default),
                    Scalar::Number | Scalar::Boolean => Json::Bare(default.to_owned()),
                };
                described.push(property("default", value));
            }
        }
        What::Element(of) if *part.times.end() > 1 => {
            described.extend(list(part, describe_object(of)));
        }
        What::Element(of) => match LISTS.iter().find(|(name, _)| *name == part.said.name) {
            // The element around a list may be left out.
            Some((_, item)) => {
                let items = of.parts.iter().find(|part| part.said.name == *item);
                let bare = items.and_then(|items| match &items.what {
                    What::Element(of) => Some(Json::Object(list(items, describe_object(of)))),
                    _ => None,
                });
                let forms = std::iter::once(describe_object(of)).chain(bare);
                described.push(property("anyOf", Json::List(forms.collect())));
            }
            None => {
                if let Json::Object(object) = describe_object(of) {
                    described.extend(object);
                }
            }
        },
    }
    Json::Object(described)
}

fn list(part: &Part, items: Json) -> Vec<(String, Json)> {
    let mut list = vec![
        property("type", Json::text("array")),
        property("items", items),
    ];
    if *part.times.start() > 0 {
        list.push(property(
            "minItems",
            Json::Bare(part.times.start().to_string()),
        ));
    }
    if *part.times.end() != MANY {
        list.push(property(
            "maxItems",
            Json::Bare(part.times.end().to_string()),
        ));
    }
    list
}

/// Numbers and truths are taken as texts too, as in XML.
fn scalar_type(scalar: Scalar) -> (String, Json) {
    let types = match scalar {
        Scalar::Text => Json::text("string"),
        Scalar::Number => Json::texts(&["integer", "string"]),
        Scalar::Boolean => Json::texts(&["boolean", "string"]),
    };
    property("type", types)
}

fn describe_value(kind: &Kind, described: &mut Vec<(String, Json)>) {
    described.push(scalar_type(kind.scalar));
    let anchored = |pattern: &str| Json::Text(format!("^(?:{pattern})$"));
    match kind.facet {
        Facet::None => {}
        Facet::Words(words) => described.push(property("enum", Json::texts(words))),
        Facet::Pattern(pattern) => described.push(property("pattern", anchored(pattern))),
        Facet::Name(pattern, least, most) => {
            described.push(property("minLength", Json::Bare(least.to_string())));
            described.push(property("maxLength", Json::Bare(most.to_string())));
            described.push(property("pattern", anchored(pattern)));
        }
        Facet::Range(least, most) => {
            described.push(property("minimum", Json::Bare(least.to_string())));
            described.push(property("maximum", Json::Bare(most.to_string())));
        }
        Facet::Duration => {
            let pattern = "^P(?!$)([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?!$)([0-9]+H)?([0-9]+M)?([0-9]+(\\.[0-9]+)?S)?)?$";
            described.push(property("pattern", Json::text(pattern)));
        }
    }
}
