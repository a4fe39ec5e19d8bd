//! A chunk's records as the batches that the journal stores.

use windrow_formats::batch::{Encoder, Flags, Header, Kind};
use windrow_formats::event::{Index, parse};

use super::{Chunk, SOURCE};
use crate::limits::{EVTX_BATCH_BYTES_MAX, EVTX_BATCH_EVENTS_MAX};

/// One encoded batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBatch {
    /// As [`windrow_formats::batch::Batch::decode`] reads it.
    pub bytes: Vec<u8>,
    /// Its events.
    pub events: u32,
}

/// Parses every record of a chunk and packs it; usually into one batch, into more where a
/// limit says so. `index` is used again from call to call.
pub fn batches(
    chunk: &Chunk<'_>,
    received_at: jiff::Timestamp,
    index: &mut Index,
) -> Vec<EncodedBatch> {
    let header = Header {
        kind: Kind::Evtx,
        source: SOURCE.to_owned(),
        address: None,
        subscription: None,
        received_at,
    };
    let mut done = Vec::new();
    let mut encoder = Encoder::new(&header);
    for record in chunk.records() {
        let is_full = encoder.events() == EVTX_BATCH_EVENTS_MAX
            || encoder.bytes() + record.text.len() > EVTX_BATCH_BYTES_MAX;
        if is_full && encoder.events() > 0 {
            let full = std::mem::replace(&mut encoder, Encoder::new(&header));
            done.push(finish(full));
        }
        // What is wrong with an Event is in its flags.
        let _ = parse(record.text, index);
        encoder.push(record.text, Flags::of(index), index);
    }
    if encoder.events() > 0 {
        done.push(finish(encoder));
    }
    done
}

fn finish(encoder: Encoder) -> EncodedBatch {
    EncodedBatch {
        events: encoder.events(),
        bytes: encoder.finish(),
    }
}
