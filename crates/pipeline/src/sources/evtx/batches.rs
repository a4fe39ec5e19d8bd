//! A chunk's records as the batches that the journal stores.

use windrow_formats::batch::{Header, Kind};
use windrow_formats::event::Index;

use super::super::pack::Packer;
use super::{Chunk, SOURCE};

pub use super::super::pack::EncodedBatch;

/// What all imported events come under.
pub(in crate::sources) fn header(received_at: jiff::Timestamp) -> Header {
    Header {
        kind: Kind::Evtx,
        source: SOURCE.to_owned(),
        address: None,
        subscription: None,
        received_at,
    }
}

/// Parses every record of a chunk and packs it; usually into one batch, into more where a
/// limit says so. `index` is used again from call to call.
pub fn batches(
    chunk: &Chunk<'_>,
    received_at: jiff::Timestamp,
    index: &mut Index,
) -> Vec<EncodedBatch> {
    let header = header(received_at);
    let mut packer = Packer::new(&header);
    for record in chunk.records() {
        packer.push(record.text, index);
    }
    packer.finish()
}
