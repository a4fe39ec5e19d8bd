//! Parsers of the Vector Remap Language as plain functions: nobody of this project wrote them.

pub mod corpus;
pub mod fields;

use std::collections::BTreeMap;

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, Program, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};
use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::syslog::{Encoder, Outcome, Settings};

/// A compiled call of one of the language's parsers on the whole input.
pub struct Parser(Program);

impl Parser {
    /// `parse_cef`, in its strict mode.
    #[must_use]
    pub fn cef() -> Parser {
        Parser::compile("parse_cef!(string!(.))")
    }

    /// `parse_syslog`, which takes RFC 3164 and RFC 5424.
    #[must_use]
    pub fn syslog() -> Parser {
        Parser::compile("parse_syslog!(string!(.))")
    }

    fn compile(source: &str) -> Parser {
        let compiled = vrl::compiler::compile(source, &vrl::stdlib::all());
        Parser(
            compiled
                .expect("the language knows its own parsers")
                .program,
        )
    }

    /// The fields of `message` by name.
    ///
    /// # Errors
    /// What the parser says against it.
    pub fn parse(&self, message: &str) -> Result<BTreeMap<String, String>, String> {
        let mut target = TargetValue {
            value: Value::from(message),
            metadata: Value::Object(BTreeMap::new()),
            secrets: Secrets::default(),
        };
        let mut state = RuntimeState::default();
        let zone = TimeZone::default();
        let mut context = Context::new(&mut target, &mut state, &zone);
        match self.0.resolve(&mut context) {
            Ok(Value::Object(fields)) => Ok(fields
                .into_iter()
                .map(|(key, value)| (key.to_string(), value.to_string_lossy().into_owned()))
                .collect()),
            Ok(other) => Err(format!("not an object: {other}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A header as a delivery over WEF has it.
///
/// # Panics
/// Never: the time is a constant.
#[must_use]
pub fn header() -> Header {
    Header {
        kind: Kind::Wef,
        source: "source.example.com".to_owned(),
        address: None,
        subscription: None,
        received_at: "2018-05-17T23:59:28Z".parse().expect("a time"),
    }
}

/// The event as one frame.
///
/// # Panics
/// When it cannot be sent, or is not UTF-8: a fault of the encoder.
#[must_use]
pub fn encode(settings: &Settings, xml: &str) -> (String, Outcome) {
    let mut index = Index::default();
    let _ = event::parse(xml, &mut index);
    let mut out = Vec::new();
    let outcome = Encoder::new(settings.clone())
        .encode(Event::new(xml, &index), &header(), &mut out)
        .expect("every event fits");
    (String::from_utf8(out).expect("UTF-8"), outcome)
}

/// What a reader of a message sees of `text`: the names of characters that deceive instead of
/// the characters.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\t' | '\n' | '\r' => out.push(character),
            '\u{61C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("<U+{:04X}>", u32::from(character)));
            }
            control if control.is_control() => {
                out.push_str(&format!("<U+{:04X}>", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
    out
}

/// What the parser makes of `value`: it reads CR as LF, takes spaces and pipes at the end of
/// a value for part of the gap before the next key, and drops quotes around it.
#[must_use]
pub fn as_read(value: &str) -> String {
    let value = shown(value).replace('\t', " ").replace('\r', "\n");
    let value = value.trim_end_matches([' ', '|']).to_owned();
    match value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(bare) if value.len() > 1 => bare.to_owned(),
        _ => value,
    }
}
