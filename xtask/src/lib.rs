//! The project's own tools: what a script would do, in the language of the rest.
//!
//! Knows the repository, not the program: nothing here links a crate of the product.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bans;
pub mod bench;
pub mod docs;
pub mod features;
pub mod licences;
pub mod project;
pub mod source;
pub mod texts;
pub mod tidy;
