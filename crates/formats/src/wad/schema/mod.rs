//! Schemas of a configuration, written from what the reader follows: editors complete and check with them.

mod json;
mod xsd;

pub use json::json_schema;
pub use xsd::xsd;
