//! Events one after the other as the batches that the journal stores.

use std::mem;

use windrow_formats::batch::{Encoder, Flags, Header};
use windrow_formats::event::{Index, parse};

use crate::limits::{FILE_BATCH_BYTES_MAX, FILE_BATCH_EVENTS_MAX};

/// One encoded batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBatch {
    /// As [`windrow_formats::batch::Batch::decode`] reads it.
    pub bytes: Vec<u8>,
    /// Its events.
    pub events: u32,
}

/// Packs events of one header; usually into one batch, into more where a limit says so.
pub(super) struct Packer<'h> {
    header: &'h Header,
    encoder: Encoder,
    done: Vec<EncodedBatch>,
}

impl<'h> Packer<'h> {
    pub(super) fn new(header: &'h Header) -> Packer<'h> {
        Packer {
            header,
            encoder: Encoder::new(header),
            done: Vec::new(),
        }
    }

    /// Adds an event. `index` is used again from call to call.
    pub(super) fn push(&mut self, text: &str, index: &mut Index) {
        let is_full = self.encoder.events() == FILE_BATCH_EVENTS_MAX
            || self.encoder.bytes() + text.len() > FILE_BATCH_BYTES_MAX;
        if is_full && self.encoder.events() > 0 {
            let full = mem::replace(&mut self.encoder, Encoder::new(self.header));
            self.done.push(finish(full));
        }
        // What is wrong with an Event is in its flags.
        let _ = parse(text, index);
        self.encoder.push(text, Flags::of(index), index);
    }

    pub(super) fn finish(mut self) -> Vec<EncodedBatch> {
        if self.encoder.events() > 0 {
            self.done.push(finish(self.encoder));
        }
        self.done
    }
}

fn finish(encoder: Encoder) -> EncodedBatch {
    EncodedBatch {
        events: encoder.events(),
        bytes: encoder.finish(),
    }
}
