//! Azure's table storage as bytes: entities and their types, limits, batches, what is signed, and how the service says no.
//!
//! Sources: the service's REST reference (Payload format for Table service operations, Performing entity group
//! transactions, Authorize with Shared Key, Understanding the Table service data model, Table service error codes).
//! The service's own limits are checked here, since the emulator accepts more than the service does.

mod answer;
mod batch;
mod entity;
mod key;
mod multipart;
mod page;
mod sign;
#[cfg(test)]
mod tests;
mod value;

pub use answer::{Refusal, refusal};
pub use batch::{Batch, BatchAnswerError, BatchError, Operation, answered};
pub use entity::{Entity, EntityError};
pub use key::{key_in_path, key_is_allowed, table_name_is_allowed};
pub use page::{Page, PageError, read_page};
pub use sign::{lite_of_blob, lite_of_table};
pub use value::{EPOCH_TICKS, Value, ticks};
