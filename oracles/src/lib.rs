//! Parsers of the Vector Remap Language as plain functions: nobody of this project wrote them.

use std::collections::BTreeMap;

use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, Program, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

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
