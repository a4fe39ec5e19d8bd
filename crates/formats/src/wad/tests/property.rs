//! What is made up is printed, read again, merged.

use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::super::fields::{Fields, Node, Said};
use super::super::finding::Report;
use super::super::value::{Seen, Value};
use super::*;
use crate::places::PlacedText;

/// Texts of which every type takes some.
const TEXTS: [&str; 36] = [
    "",
    "true",
    "false",
    "0",
    "1",
    "7",
    "99",
    "-4",
    "4294967295",
    "0x8000000000000000",
    "PT0S",
    "PT1M",
    "PT61.5S",
    "P2DT3H",
    "Undefined",
    "Critical",
    "Warning",
    "Large",
    "Small",
    "Mini",
    "Full",
    "Table",
    "TableAndBlob",
    "wad-iis-logfiles",
    "abc",
    "\\Memory\\% \"x\" <&> 'y'",
    "\\Processor(*)\\a",
    "https://a.example/?b=1&c=2",
    "http://127.0.0.1:10000/a",
    "Security!*[System[(EventID >= 1 and EventID <= 3)]]",
    "System!*",
    "C:\\a b\\%c%",
    "..\\a\\b",
    "{ABCDEF01-1234-1234-1234-123456789abc",
    "ä\u{1F600} ]]> \t\r\n <!-- & &amp; \u{85}",
    "A1",
];

/// Fills in everything by chance.
struct Chance<'a> {
    bytes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Chance<'_> {
    fn next(&mut self) -> usize {
        self.bytes.next().copied().unwrap_or_default().into()
    }

    fn some(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    fn value<V: Value>(&mut self) -> V {
        let start = self.next();
        let mut texts = TEXTS.iter().cycle().skip(start).take(TEXTS.len());
        let found = texts.find_map(|text| {
            let value = V::read(text)?;
            let mut report = Report::default();
            let text = PlacedText::default();
            let seen = Seen {
                name: "",
                text: &text,
                at: 0,
            };
            value.doubts(&seen, &mut report);
            (!report.has_errors()).then_some(value)
        });
        found.expect("a text for each type")
    }

    fn node<N: Node>(&mut self) -> N {
        let mut node = N::default();
        node.fields(self);
        node
    }
}

impl Fields for Chance<'_> {
    fn attribute<V: Value>(&mut self, _: Said, value: &mut Option<V>) {
        *value = self.some().then(|| self.value());
    }

    fn required<V: Value + Default>(&mut self, _: Said, value: &mut V) {
        *value = self.value();
    }

    fn text<V: Value>(&mut self, _: Said, value: &mut Option<V>) {
        // White space around a text alone means nothing.
        let value_of: Option<V> = self.some().then(|| self.value());
        *value = value_of.and_then(|value| V::read(value.write().trim()));
    }

    fn child<N: Node>(&mut self, _: Said, node: &mut Option<N>) {
        *node = self.some().then(|| self.node());
    }

    fn one<N: Node>(&mut self, _: Said, node: &mut N) {
        *node = self.node();
    }

    fn children<N: Node>(&mut self, _: Said, times: RangeInclusive<usize>, nodes: &mut Vec<N>) {
        let count = (self.next() % 4).clamp(*times.start(), *times.end());
        *nodes = (0..count).map(|_| self.node()).collect();
    }

    fn one_of(&mut self, _: &'static [&'static str]) {}

    fn in_order(&mut self, _: &'static [&'static str]) {}
}

/// Any configuration without errors.
fn configurations() -> impl Strategy<Value = Configuration> {
    proptest::collection::vec(any::<u8>(), 1..400).prop_map(|bytes| {
        let mut chance = Chance {
            bytes: bytes.iter().cycle(),
        };
        let mut made: Configuration = chance.node();
        let wad_cfg = made
            .public
            .as_mut()
            .and_then(|public| public.wad_cfg.as_mut());
        if let Some(wad_cfg) = wad_cfg {
            choose(wad_cfg);
        }
        made
    })
}

/// Leaves one of what cannot be there together.
fn choose(wad_cfg: &mut WadCfg) {
    let sources = wad_cfg.monitor.directories.as_mut();
    let sources = sources.and_then(|directories| directories.data_sources.as_mut());
    for folder in sources
        .into_iter()
        .flat_map(|sources| &mut sources.directory_configuration)
    {
        match folder.absolute {
            Some(_) => folder.local_resource = None,
            None => {
                folder.local_resource.get_or_insert(LocalResource {
                    name: Value::read("a").unwrap(),
                    relative_path: Value::read("b").unwrap(),
                });
            }
        }
    }
    for sink in wad_cfg
        .sinks_config
        .iter_mut()
        .flat_map(|sinks| &mut sinks.sink)
    {
        sink.application_insights_profiler = None;
        sink.storage_account = None;
        sink.azure_monitor = None;
        match sink.event_hub {
            Some(_) => sink.application_insights = None,
            None => sink.application_insights = Some("key".to_owned()),
        }
    }
}

/// The order of lists aside, in which two configurations can differ and say the same.
fn is_complete(part: &Configuration, whole: &Configuration) -> bool {
    merge(part, whole, Prefer::New).changes.is_empty()
}

fn shown(configuration: &Configuration) -> String {
    print(configuration, Form::XmlFull, Secrets::Reveal)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_printed_is_read_as_the_same(made in configurations()) {
        let public = Configuration { public: made.public.clone(), ..Configuration::default() };
        if made.public.is_some() {
            prop_assert_eq!(&sound(print(&made, Form::Xml, Secrets::Reveal).as_bytes()), &public);
        }
        let xml = print(&made, Form::XmlFull, Secrets::Reveal);
        prop_assert_eq!(&sound(xml.as_bytes()), &made, "{}", xml);
        if made != Configuration::default() {
            for form in [Form::Json, Form::Base64] {
                let json = print(&made, form, Secrets::Reveal);
                prop_assert_eq!(&sound(json.as_bytes()), &made, "{}", json);
            }
        }
    }

    #[test]
    fn merging_twice_changes_nothing(new in configurations(), current in configurations()) {
        // Two in one can be too many, which both of them alone are not.
        for prefer in [Prefer::New, Prefer::Current] {
            let once = merge(&new, &current, prefer);
            if !once.faults.is_empty() {
                continue;
            }
            let again = merge(&new, &once.configuration, prefer);
            prop_assert_eq!(shown(&again.configuration), shown(&once.configuration));
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
            if once.conflicts.is_empty() {
                prop_assert!(is_complete(&current, &once.configuration));
            }
        }
        let same = merge(&new, &new, Prefer::New);
        prop_assert_eq!(shown(&same.configuration), shown(&new));
        prop_assert!(same.conflicts.is_empty(), "{:?}", same.conflicts);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[<>{}\\[\\]\"':,=a-zA-Z0-9&;#! /\\\\-]{0,200}") {
        let _ = read(text.as_bytes());
        let _ = read(around(&text).as_bytes());
    }
}
