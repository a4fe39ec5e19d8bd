//! Azure's storage as bytes: entities of its tables and their types, limits, batches, lists of blobs, what is signed, and how the
//! service says no.
//!
//! Sources: the service's REST reference (Payload format for Table service operations, Performing entity group
//! transactions, Authorize with Shared Key, Understanding the Table service data model, Table service error codes, Naming
//! and referencing containers, blobs, and metadata, List Blobs, Put Block List).
//! The service's own limits are checked here, since the emulator accepts more than the service does.

mod answer;
mod batch;
mod blob;
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
pub use blob::{
    BlobKind, BlobList, BlobListError, ListedBlob, blob_in_path, blob_name_is_allowed, block_id,
    block_list, container_name_is_allowed, read_blobs,
};
pub use entity::{Entity, EntityError};
pub use key::{in_query, key_in_path, key_is_allowed, table_name_is_allowed};
pub use page::{Page, PageError, read_entity, read_page, read_table_names};
pub use sign::{key_of_blob, lite_of_table};
pub(crate) use value::utf16_units;
pub use value::{EPOCH_TICKS, Value, ticks};
