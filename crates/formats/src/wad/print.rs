//! A configuration in each of its forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NAMESPACE;
use super::json::FLAT;
use super::json_out::Json;
use super::model::{Configuration, PublicConfig, WadCfg};
use super::value::Scalar;
use super::writer::{Item, Leaf, LeafForm, Outline, Secrets, Times, outline};

/// A form that a configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// XML, the public part alone: what Microsoft's schema describes.
    Xml,
    /// XML, all of it: the file of a project in Visual Studio (`.wadcfgx`).
    XmlFull,
    /// JSON: the public part alone where there is no other, as in the settings of a virtual machine.
    Json,
    /// JSON that holds the XML as base64 (`xmlCfg`).
    Base64,
}

/// Writes a configuration in a form. It ends with a line end.
#[must_use]
pub fn print(configuration: &Configuration, form: Form, secrets: Secrets) -> String {
    match form {
        Form::Xml => {
            let none = PublicConfig::default();
            let public = configuration.public.as_ref().unwrap_or(&none);
            document(&outline("PublicConfig", public, Times::Once, secrets))
        }
        Form::XmlFull => document(&outline(ROOT, configuration, Times::Once, secrets)),
        Form::Json | Form::Base64 => {
            let mut whole = outline(ROOT, configuration, Times::Once, secrets);
            if form == Form::Base64 {
                encode(configuration, &mut whole);
            }
            let json = match whole.items.as_slice() {
                [Item::Node(part)] if part.name == "PublicConfig" && !part.items.is_empty() => {
                    object(part)
                }
                _ => object(&whole),
            };
            json.document()
        }
    }
}

/// The element around both parts.
const ROOT: &str = "DiagnosticsConfiguration";

fn document(root: &Outline) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned();
    element(root, 0, &mut out);
    out
}

fn indent(depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
}

fn element(outline: &Outline, depth: usize, out: &mut String) {
    indent(depth, out);
    out.push('<');
    out.push_str(outline.name);
    if depth == 0 {
        out.push_str(&format!(" xmlns=\"{NAMESPACE}\""));
    }
    let mut is_empty = true;
    for item in &outline.items {
        match item {
            Item::Leaf(leaf) if leaf.form == LeafForm::Attribute => {
                out.push_str(&format!(" {}=\"", leaf.name));
                escape(&leaf.value, out);
                out.push('"');
            }
            _ => is_empty = false,
        }
    }
    if is_empty {
        out.push_str(" />\n");
        return;
    }
    out.push_str(">\n");
    for item in &outline.items {
        match item {
            Item::Leaf(leaf) if leaf.form == LeafForm::Element => {
                text_element(leaf, depth + 1, out)
            }
            Item::Leaf(_) => {}
            Item::Node(inner) => element(inner, depth + 1, out),
        }
    }
    indent(depth, out);
    out.push_str(&format!("</{}>\n", outline.name));
}

fn text_element(leaf: &Leaf, depth: usize, out: &mut String) {
    indent(depth, out);
    if leaf.value.is_empty() {
        out.push_str(&format!("<{} />\n", leaf.name));
        return;
    }
    out.push_str(&format!("<{}>", leaf.name));
    escape(&leaf.value, out);
    out.push_str(&format!("</{}>\n", leaf.name));
}

/// Characters that mean something in XML, and white space that a reader would make blanks.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(character))),
            _ => out.push(character),
        }
    }
}

/// Puts the XML of `WadCfg` in its place as base64.
fn encode(configuration: &Configuration, whole: &mut Outline) {
    let public = configuration.public.as_ref();
    let Some(wad_cfg) = public.and_then(|public| public.wad_cfg.as_ref()) else {
        return;
    };
    let xml = document(&outline::<WadCfg>(
        "WadCfg",
        wad_cfg,
        Times::Once,
        Secrets::Omit,
    ));
    for item in &mut whole.items {
        let Item::Node(part) = item else {
            continue;
        };
        for item in &mut part.items {
            if item.name() == "WadCfg" {
                *item = Item::Leaf(Leaf {
                    name: "xmlCfg",
                    value: STANDARD.encode(&xml),
                    scalar: Scalar::Text,
                    privacy: super::value::Privacy::Public,
                    form: LeafForm::Attribute,
                });
            }
        }
    }
}

/// An element as an object; others of its name are in one list.
fn object(outline: &Outline) -> Json {
    let mut properties: Vec<(String, Json)> = Vec::new();
    for item in &outline.items {
        match item {
            Item::Leaf(leaf) => properties.push((leaf.name.to_owned(), value(leaf))),
            Item::Node(inner) if is_flat(outline, inner) => properties.extend(flat(inner)),
            Item::Node(inner) if inner.times == Times::Once => {
                properties.push((inner.name.to_owned(), object(inner)));
            }
            Item::Node(inner) => match properties.last_mut() {
                Some((name, Json::List(list))) if *name == inner.name => list.push(object(inner)),
                _ => properties.push((inner.name.to_owned(), Json::List(vec![object(inner)]))),
            },
        }
    }
    Json::Object(properties)
}

fn value(leaf: &Leaf) -> Json {
    match leaf.scalar {
        Scalar::Text => Json::Text(leaf.value.clone()),
        Scalar::Number | Scalar::Boolean => Json::Bare(leaf.value.clone()),
    }
}

/// Whether an element's values stand in the object around it, under names of their own.
fn is_flat(outline: &Outline, inner: &Outline) -> bool {
    outline.name == "PrivateConfig" && inner.name == "StorageAccount" && !inner.items.is_empty()
}

fn flat(account: &Outline) -> impl Iterator<Item = (String, Json)> {
    account.items.iter().filter_map(|item| match item {
        Item::Leaf(leaf) => {
            let (name, _) = FLAT.iter().find(|(_, name)| *name == leaf.name)?;
            Some(((*name).to_owned(), value(leaf)))
        }
        Item::Node(_) => None,
    })
}
