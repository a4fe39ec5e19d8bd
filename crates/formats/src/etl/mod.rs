//! Event traces: the `.etl` files of Event Tracing for Windows, read on any system.
//!
//! A file is a run of buffers. Each has a header and, behind it, events of one processor, so that the events of a file
//! are in order only within a buffer. [`Reader`] holds one buffer at a time, whatever the size of the file, and unpacks
//! those that are compressed. What a header says, an [`Event`] has; what a payload says, [`Schemas`] find out where the
//! event describes itself (TraceLogging), where its EventSource sent a manifest, or where somebody gave one. Else it stays
//! bytes.
//!
//! What is wrong is named with its place, and what comes behind it is read: a buffer that is wrong costs itself, an event
//! that lies about its size costs the rest of its buffer, any other only itself.
//!
//! Sources: the structures of evntrace.h, evntcons.h, wmistr.h, tdh.h and TraceLoggingProvider.h, MS-XCA for what is
//! compressed, and the layout of WMI_BUFFER_HEADER in the public symbols of Windows.

mod buffer;
mod extended;
mod manifest;
mod record;
mod schemas;
mod template;
mod trace;
mod tracelogging;
mod value;
mod xca;
mod xml;

#[cfg(test)]
mod tests;

pub use crate::input::Short;
pub use crate::tree::TreeError;
pub use buffer::{Buffer, BufferError, BufferHeader, Counts, OpenError, ReadError, Reader};
pub use extended::Extended;
pub use manifest::ManifestError;
pub use record::{Event, RecordError, RecordFault, Source};
pub use schemas::{Body, Decoded, LearnError, Schemas};
pub use template::{Fields, PayloadError};
pub use trace::{Clock, ClockKind, Compression, Trace, TraceError};
pub use value::{Named, Value, sid_text};
pub use xca::UnpackError;
pub use xml::to_xml;
