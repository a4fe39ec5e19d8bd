//! From the bytes of a file to what it says, whatever form it is in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::finding::{Fault, Finding, Report, excerpt};
use super::model::Configuration;
use super::tree::{Element, Namespace, Notation};
use super::{json, one_zero, reader, xml};
use crate::limits::{WAD_BYTES_MAX, WAD_DEPTH_MAX};
use crate::places::Place;
use crate::wsman;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says; nothing where it has errors.
    pub configuration: Option<Configuration>,
    /// The form it is in, as far as that could be told.
    pub source: Option<Source>,
    /// All that is to be known of it, in the order of the file.
    pub findings: Vec<Finding>,
}

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// XML: one of the parts, or both.
    Xml,
    /// XML of version 1.0.
    OneZero,
    /// JSON: one of the parts, or both.
    Json,
    /// JSON around XML as base64.
    Base64,
}

impl Source {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Xml => "xml",
            Source::OneZero => "xml-1.0",
            Source::Json => "json",
            Source::Base64 => "base64",
        }
    }
}

type At<E> = (E, usize);

/// Reads a file: UTF-8 or UTF-16, with or without a byte order mark, whatever its declaration says.
#[must_use]
pub fn read(file: &[u8]) -> Reading {
    let mut opened = Opened::default();
    let root = match file.len() {
        ..=WAD_BYTES_MAX => opened.open(file),
        _ => Err((Fault::TooLarge, 0)),
    };
    let configuration = match root {
        Ok(root) => Some(reader::read::<Configuration>(&root, &mut opened.report)),
        Err((fault, at)) => {
            opened.report.add(fault, at);
            None
        }
    };
    let is_sound = !opened.report.has_errors();
    Reading {
        configuration: configuration.filter(|_| is_sound),
        source: opened.source,
        findings: opened.into_findings(),
    }
}

/// The text of a file, and its elements where it is XML.
pub(super) fn tree_of(file: &[u8]) -> (String, Result<Option<Element>, At<Fault>>) {
    if file.len() > WAD_BYTES_MAX {
        return (String::new(), Err((Fault::TooLarge, 0)));
    }
    let mut text = wsman::Text::new();
    text.decode(file, None);
    let text = text.as_str().to_owned();
    let tree = match text.trim_start().starts_with(['{', '[']) {
        true => Ok(None),
        false => xml::read(&text, WAD_DEPTH_MAX).map(Some),
    };
    (text, tree)
}

/// A file on its way to one tree.
#[derive(Default)]
struct Opened {
    outer: String,
    /// The XML inside that was base64, and the byte where that begins. Its places follow those of the file.
    inner: Option<(String, usize)>,
    source: Option<Source>,
    report: Report,
}

impl Opened {
    /// The file as one `DiagnosticsConfiguration`.
    fn open(&mut self, file: &[u8]) -> Result<Element, At<Fault>> {
        let mut text = wsman::Text::new();
        text.decode(file, None);
        self.outer = text.as_str().to_owned();
        let mut replaced = self.outer.match_indices('\u{FFFD}');
        if let Some((at, _)) = replaced.find(|(at, found)| text.is_lossy(*at..at + found.len())) {
            return Err((Fault::Encoding, at));
        }
        match self.outer.trim_start().starts_with(['{', '[']) {
            true => self.open_json(),
            false => self.open_xml(),
        }
    }

    fn open_xml(&mut self) -> Result<Element, At<Fault>> {
        let mut root = xml::read(&self.outer, WAD_DEPTH_MAX)?;
        self.source = Some(Source::Xml);
        check_namespaces(&root, &Namespace::Ours, &mut self.report);
        let at = root.at;
        match root.name.as_str() {
            "DiagnosticsConfiguration" => Ok(root),
            "PublicConfig" | "PrivateConfig" => Ok(around(ROOT, root)),
            "DiagnosticMonitorConfiguration" => {
                self.source = Some(Source::OneZero);
                one_zero::upgrade(&mut root, &mut self.report);
                let public = around("PublicConfig", around("WadCfg", root));
                Ok(around(ROOT, public))
            }
            name => Err((Fault::Root(excerpt(name)), at)),
        }
    }

    fn open_json(&mut self) -> Result<Element, At<Fault>> {
        let mut root = json::read(&self.outer)?;
        self.source = Some(Source::Json);
        let has_child = |names: &[&str]| names.iter().any(|name| root.child(name).is_some());
        let has_value = |names: &[&str]| names.iter().any(|name| root.attribute(name).is_some());
        const PUBLIC: [&str; 3] = ["WadCfg", "WadCfgBlob", "LocalResourceDirectory"];
        const PRIVATE: [&str; 5] = [
            "StorageAccount",
            "EventHub",
            "AzureMonitorAccount",
            "SecondaryStorageAccounts",
            "SecondaryEventHubs",
        ];
        let name = match () {
            () if has_child(&["PublicConfig", "PrivateConfig"]) || has_value(&["IsEnabled"]) => {
                ROOT
            }
            // The account is a name in the public part, and an object in the other.
            () if has_child(&PUBLIC) || has_value(&["xmlCfg", "StorageAccount", "StorageType"]) => {
                "PublicConfig"
            }
            () if has_child(&PRIVATE) => "PrivateConfig",
            () => return Err((Fault::JsonRoot, root.at)),
        };
        root.name = name.to_owned();
        let mut root = if name == ROOT {
            root
        } else {
            around(ROOT, root)
        };
        let mut children = root.children.iter_mut();
        let public = children.find(|child| child.name.eq_ignore_ascii_case("PublicConfig"));
        if let Some(public) = public {
            self.open_base64(public)?;
        }
        Ok(root)
    }

    /// Puts the XML of `xmlCfg` where the JSON would say the same.
    fn open_base64(&mut self, public: &mut Element) -> Result<(), At<Fault>> {
        let mut attributes = public.attributes.iter();
        let is_xml = |name: &str| name.eq_ignore_ascii_case("xmlCfg");
        let Some(place) = attributes.position(|attribute| is_xml(&attribute.name)) else {
            return Ok(());
        };
        self.source = Some(Source::Base64);
        let encoded = public.attributes.remove(place);
        let at = encoded.value_at.start;
        let mut base64 = encoded.value.as_str().to_owned();
        base64.retain(|character| !character.is_ascii_whitespace());
        let bytes = STANDARD.decode(base64).map_err(|_| (Fault::Base64, at))?;
        let mut text = wsman::Text::new();
        text.decode(&bytes, None);
        let offset = self.outer.len() + 1;
        let inner = text.as_str().to_owned();
        let root = xml::read(&inner, WAD_DEPTH_MAX);
        self.inner = Some((inner, at));
        let mut root = root.map_err(|(fault, within)| (fault, offset + within))?;
        root.moved(offset);
        // Templates join it from pieces, of which only the second names the namespace.
        let taken = match (root.name.as_str(), &root.namespace) {
            ("WadCfg", Namespace::None) => &Namespace::None,
            _ => &Namespace::Ours,
        };
        check_namespaces(&root, taken, &mut self.report);
        self.adopt(public, root)
    }

    fn adopt(&mut self, public: &mut Element, root: Element) -> Result<(), At<Fault>> {
        let at = root.at;
        let adopted = match root.name.as_str() {
            "WadCfg" => vec![root],
            "PublicConfig" => root.children,
            "DiagnosticsConfiguration" => {
                let mut parts = root.children.into_iter();
                let part = parts.find(|part| part.name == "PublicConfig");
                part.map_or(Vec::new(), |part| part.children)
            }
            name => return Err((Fault::Root(excerpt(name)), at)),
        };
        if public.child("WadCfg").is_some() {
            return Err((Fault::TwoForms, public.at));
        }
        // Values of the JSON count, as those of a command line beside a file.
        for child in adopted {
            let is_said =
                public.attribute(&child.name).is_some() || public.child(&child.name).is_some();
            let has_text_alone = child.notation == Notation::Xml && child.children.is_empty();
            match (is_said, has_text_alone && child.attributes.is_empty()) {
                (true, _) => {}
                (false, true) if child.name != "WadCfg" => {
                    public.attributes.push(super::tree::Attribute {
                        name: child.name,
                        at: child.at,
                        value_at: child.at..child.at,
                        value: child.text,
                    })
                }
                (false, _) => public.children.push(child),
            }
        }
        Ok(())
    }

    fn into_findings(self) -> Vec<Finding> {
        let (outer, inner) = (&self.outer, &self.inner);
        let offset = outer.len() + 1;
        let place = |at: usize| match inner {
            Some((xml, of)) if at >= offset => {
                (Place::of(outer, *of), Some(Place::of(xml, at - offset)))
            }
            _ => (Place::of(outer, at), None),
        };
        let found = self.report.into_found().into_iter();
        let finding = |(fault, at)| {
            let (at, inside) = place(at);
            Finding { fault, at, inside }
        };
        found.map(finding).collect()
    }
}

/// The element around both parts.
const ROOT: &str = "DiagnosticsConfiguration";

/// An element around another, at its place.
fn around(name: &str, inner: Element) -> Element {
    let mut outer = Element::new(name, inner.notation, inner.at);
    outer.children.push(inner);
    outer
}

/// Reports elements whose namespace is not that of the schema: the outermost of each alone.
fn check_namespaces(element: &Element, around: &Namespace, report: &mut Report) {
    if element.namespace != *around {
        let name = excerpt(&element.name);
        match &element.namespace {
            Namespace::Ours => {}
            Namespace::None => report.add(Fault::NoNamespace { name }, element.at),
            Namespace::Other(found) => {
                let found = excerpt(found);
                report.add(Fault::Namespace { name, found }, element.at);
            }
        }
    }
    for child in &element.children {
        check_namespaces(child, &element.namespace, report);
    }
}
