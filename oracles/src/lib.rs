//! `parse_cef` of the Vector Remap Language as a plain function: a CEF parser that nobody of
//! this project wrote.

use std::collections::BTreeMap;

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, Program, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

/// The compiled call `parse_cef(.)`, in its strict mode.
pub struct ParseCef(Program);

impl ParseCef {
    /// Compiles it.
    ///
    /// # Panics
    /// When the language has changed.
    #[must_use]
    pub fn new() -> ParseCef {
        let compiled = vrl::compiler::compile("parse_cef!(string!(.))", &vrl::stdlib::all());
        ParseCef(compiled.expect("parse_cef is known").program)
    }

    /// Header fields and extensions of `message` by key.
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

impl Default for ParseCef {
    fn default() -> ParseCef {
        ParseCef::new()
    }
}
