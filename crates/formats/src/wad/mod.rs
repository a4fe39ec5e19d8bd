//! Configurations of Azure Diagnostics (WAD), in every form they are met in:
//!
//! ```text
//! <PublicConfig>                      what Microsoft's schema describes
//! <DiagnosticsConfiguration>          the file of a project: both parts, and IsEnabled
//! <DiagnosticMonitorConfiguration>    version 1.0
//! {"WadCfg": {…}}                     the settings of a virtual machine
//! {"xmlCfg": "PFdhZENmZz4…"}          the same with the XML as base64
//! ```
//!
//! XML and JSON come to one tree of elements and attributes with their places (`tree`). What an element is made of is
//! said once (`model`, in the words of `fields`): reading, writing, merging and the schemas all follow it. Reading finds
//! all faults at once, each with its place; a configuration without errors is a [`Configuration`], which prints in each
//! form and is read again as the same.

pub mod blobs;
mod describe;
mod difference;
mod doubt;
mod fields;
mod finding;
mod given_schema;
mod json;
mod json_out;
mod merge;
mod model;
mod one_zero;
mod print;
mod query_list;
mod read;
mod reader;
pub mod rows;
mod schema;
mod tree;
mod value;
mod writer;
mod xml;

pub use difference::{Difference, Differs, differences};
pub use doubt::WadDoubt;
pub use finding::{Fault, Finding, Severity};
pub use given_schema::{GivenSchema, Repair, SchemaError, SchemaFault, SchemaNote};
pub use merge::{Change, Conflict, Merged, Prefer, merge};
pub use model::*;
pub use print::{Form, print};
pub use read::{Reading, Source, read};
pub use schema::{json_schema, xsd};
pub use value::{
    AbsolutePath, ContainerName, CounterPath, DumpType, EventDestination, EventLogQuery,
    EventVolume, Guid, KeywordFilter, LogLevel, NamedElementName, Percentage, RelativePath,
    SampleRate, Secret, SinkName, StorageType, TransferPeriod, Uri,
};
pub use writer::Secrets;

/// The namespace of a configuration.
pub const NAMESPACE: &str =
    "http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration";

#[cfg(test)]
mod tests;
