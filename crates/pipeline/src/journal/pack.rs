//! The segment being written, and frames on their way into it.

use std::io;
use std::sync::Arc;

use super::Seq;
use super::frame::{self, Encoding, HEADER_BYTES, Hash, Header, Kind};
use super::merkle::Tree;
use super::segment::{SEAL_BYTES, Seal};
use super::storage::DiskFile;

/// The segment being written.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) number: u64,
    pub(super) id: u64,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) first_seq: Seq,
    /// The byte after its snapshot.
    pub(super) start: u64,
    /// As far as it is synced.
    pub(super) durable: Progress,
    /// As far as it is written.
    pub(super) written: Progress,
}

/// How far a segment is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// The byte after the last frame.
    pub(super) end: u64,
    /// SHA-256 of the last frame.
    pub(super) tip: Hash,
    pub(super) tree: Tree,
    pub(super) first_at_us: i64,
    pub(super) last_at_us: i64,
}

/// Buffers that live from frame to frame.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    /// Room for a header and the stored body behind it, contiguous for one write.
    out: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

/// A frame whose body is packed; its place in the chain is still open.
#[derive(Debug)]
pub(super) struct Draft {
    kind: Kind,
    encoding: Encoding,
    raw_bytes: u32,
    first_seq: Seq,
    counts: Counts,
    at_us: i64,
    body_crc: u32,
}

/// What a frame holds, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) events: u32,
    pub(super) entries: u32,
}

impl Packer {
    pub(super) fn new() -> io::Result<Packer> {
        // Level 1: ten to one on event XML; higher levels cost twice the CPU for no less.
        Ok(Packer {
            compressor: zstd::bulk::Compressor::new(1)?,
            out: Vec::new(),
        })
    }

    /// Packs a body behind room for its header.
    pub(super) fn pack(
        &mut self,
        kind: Kind,
        raw: &[u8],
        first_seq: Seq,
        counts: Counts,
        at_us: i64,
    ) -> io::Result<Draft> {
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        self.out.resize(HEADER_BYTES + bound, 0);
        let stored = self
            .compressor
            .compress_to_buffer(raw, &mut self.out[HEADER_BYTES..])?;
        let encoding = if stored < raw.len() {
            Encoding::Zstd
        } else {
            Encoding::Plain
        };
        match encoding {
            Encoding::Zstd => self.out.truncate(HEADER_BYTES + stored),
            Encoding::Plain => {
                self.out.truncate(HEADER_BYTES);
                self.out.extend_from_slice(raw);
            }
        }
        Ok(self.draft(kind, encoding, raw.len(), first_seq, counts, at_us))
    }

    /// Packs a seal, which stays as it is so that it lies at a known distance from the end.
    pub(super) fn pack_seal(&mut self, seal: &Seal, at_us: i64) -> Draft {
        self.out.clear();
        self.out.resize(HEADER_BYTES, 0);
        self.out.extend_from_slice(&seal.encode());
        self.draft(
            Kind::Seal,
            Encoding::Plain,
            SEAL_BYTES,
            seal.end_seq,
            Counts::default(),
            at_us,
        )
    }

    fn draft(
        &self,
        kind: Kind,
        encoding: Encoding,
        raw_bytes: usize,
        first_seq: Seq,
        counts: Counts,
        at_us: i64,
    ) -> Draft {
        let body_crc = crc32c::crc32c(&self.out[HEADER_BYTES..]);
        Draft {
            kind,
            encoding,
            raw_bytes: raw_bytes as u32,
            first_seq,
            counts,
            at_us,
            body_crc,
        }
    }

    /// Bytes of the packed frame.
    pub(super) fn packed_bytes(&self) -> u64 {
        self.out.len() as u64
    }
}

impl Active {
    /// Whether the next frame belongs into another segment: when this one has its size, and
    /// holds more than the snapshot at its start, which the next one begins with too.
    pub(super) fn is_done(&self, segment_bytes: u64) -> bool {
        self.durable.end >= segment_bytes.max(2 * self.start)
    }

    /// Writes the packed frame behind the last one; not yet durable.
    pub(super) fn write(&mut self, draft: &Draft, packer: &mut Packer) -> io::Result<()> {
        let out = &mut packer.out;
        let header = Header {
            kind: draft.kind,
            encoding: draft.encoding,
            stored_bytes: (out.len() - HEADER_BYTES) as u32,
            raw_bytes: draft.raw_bytes,
            first_seq: draft.first_seq,
            events: draft.counts.events,
            entries: draft.counts.entries,
            committed_at_us: draft.at_us,
            segment_id: self.id,
            index: self.written.tree.leaves() as u32,
            body_crc: draft.body_crc,
            previous_hash: self.written.tip,
        }
        .encode();
        out[..HEADER_BYTES].copy_from_slice(&header);
        self.file.write_all_at(out, self.written.end)?;
        let hash = frame::hash(&header, &out[HEADER_BYTES..]);
        if self.written.tree.leaves() == 0 {
            self.written.first_at_us = draft.at_us;
        }
        if draft.kind != Kind::Seal {
            self.written.tree.push(&hash);
            self.written.last_at_us = draft.at_us;
        }
        self.written.tip = hash;
        self.written.end += out.len() as u64;
        Ok(())
    }
}
