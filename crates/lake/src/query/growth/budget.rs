//! Memory of what functions make, counted in the query's pool as long as anything holds it.
//!
//! A function's result goes into a batch, and the batch anywhere: nobody says when it is gone. So the
//! buffers themselves carry what was reserved for them, and give it back when the last holder drops them.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayData, ArrayRef, make_array};
use arrow::buffer::Buffer;
use bytes::Bytes;
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::ColumnarValue;

use crate::limits::{CONSTANTS_BYTES, UNCOUNTED_BYTES};

/// What the functions of one query may have at a time.
#[derive(Clone, Debug)]
pub(in crate::query) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Empty; knows the pool.
    pool: MemoryReservation,
    /// What constants may still take.
    constants_left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(pool: &Arc<dyn MemoryPool>) -> Budget {
        Budget(Arc::new(Shared {
            pool: MemoryConsumer::new("functions").register(pool),
            constants_left: AtomicUsize::new(CONSTANTS_BYTES),
        }))
    }

    /// Reserves room for what is about to be made; it is given back when dropped.
    pub(super) fn room(&self, bytes: u64) -> Result<MemoryReservation> {
        let room = self.0.pool.new_empty();
        room.try_grow(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(room)
    }

    /// Takes account of a constant that is computed while the query is planned: the plan keeps it.
    pub(super) fn constant(&self, bytes: u64) -> Result<()> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let took =
            self.0
                .constants_left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(bytes)
                });
        match took {
            Ok(_) => Ok(()),
            Err(_) => exec_err!(
                "the query's constants would be more than {CONSTANTS_BYTES} bytes together"
            ),
        }
    }

    /// The query is planned: what is computed of constants from now on lives for a batch.
    pub(in crate::query) fn planned(&self) {
        self.0.constants_left.store(usize::MAX, Ordering::Relaxed);
    }

    /// The array with its new buffers counted: those that are none of the arguments'.
    pub(super) fn keep(&self, made: &ArrayRef, args: &[ColumnarValue]) -> Result<ArrayRef> {
        if made.get_array_memory_size() <= UNCOUNTED_BYTES {
            return Ok(Arc::clone(made));
        }
        let mut known = HashSet::new();
        for arg in args {
            if let ColumnarValue::Array(array) = arg {
                collect(&array.to_data(), &mut known);
            }
        }
        Ok(make_array(self.counted(made.to_data(), &known)?))
    }

    fn counted(&self, data: ArrayData, known: &HashSet<usize>) -> Result<ArrayData> {
        let count = |buffer: &Buffer| -> Result<Buffer> {
            if buffer.len() <= UNCOUNTED_BYTES || known.contains(&address(buffer)) {
                return Ok(buffer.clone());
            }
            let held = Held {
                _room: self.room(buffer.capacity() as u64)?,
                buffer: buffer.clone(),
            };
            Ok(Buffer::from(Bytes::from_owner(held)))
        };
        let children = data.child_data().iter().cloned();
        let children = children
            .map(|child| self.counted(child, known))
            .collect::<Result<_>>()?;
        let buffers = data.buffers().iter().map(count).collect::<Result<_>>()?;
        let builder = data.into_builder().buffers(buffers).child_data(children);
        Ok(builder.build()?)
    }
}

/// A query has one budget, so functions do not differ in it.
impl PartialEq for Budget {
    fn eq(&self, other: &Budget) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Budget {}

impl Hash for Budget {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

/// A buffer and the room it takes.
struct Held {
    buffer: Buffer,
    _room: MemoryReservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

fn collect(data: &ArrayData, known: &mut HashSet<usize>) {
    known.extend(data.buffers().iter().map(address));
    for child in data.child_data() {
        collect(child, known);
    }
}

/// Where the allocation begins, whatever part of it is shown.
fn address(buffer: &Buffer) -> usize {
    buffer.data_ptr().as_ptr() as usize
}
