//! A segment's name, first block and footer.
//!
//! A segment is written by one run of the program only, begins with a snapshot of all keyed
//! states and ends, when all went well, with a signed seal. Its header says where the segment
//! before it ended, because a segment whose disk failed may hold bytes past that point which
//! were never acknowledged.

use super::Seq;
use super::frame::{Get, Hash, Put, is_whole};
use super::keys::{PublicKey, SIGNATURE_BYTES, Signature, Signer};
use super::limits::MAX_NUMBER;

/// Bytes of a segment's first block.
pub(super) const SEGMENT_HEADER_BYTES: usize = 256;
const SEGMENT_MAGIC: [u8; 8] = *b"WINDROWJ";
/// Version of the format; also in the folder's `VERSION` file.
pub(super) const FORMAT_VERSION: u16 = 1;
/// Bytes of a seal's body.
pub(super) const SEAL_BYTES: usize = 256;
/// What a seal's signature covers begins with this, so that it fits nothing else.
const SEAL_DOMAIN: &[u8] = b"windrow-journal-seal-v1\0";
const SEAL_RECOVERED: u32 = 1;
/// Zeros between the numbers and the hashes, for later versions.
const SEAL_SPARE_BYTES: usize = 20;

/// File name of a segment.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:016x}.wj")
}

/// The number in a segment's file name.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let hex = name.strip_suffix(".wj")?;
    let is_ours = hex.len() == 16
        && hex
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let number = u64::from_str_radix(hex, 16).ok().filter(|_| is_ours);
    number.filter(|number| (1..=MAX_NUMBER).contains(number))
}

/// A segment's first block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Position among all segments ever made, from 1.
    pub number: u64,
    /// Random; in every frame of the segment.
    pub id: u64,
    /// The journal this segment belongs to.
    pub journal_id: [u8; 16],
    /// Sequence of the first event to come.
    pub first_seq: Seq,
    /// When it was begun, microseconds since 1970.
    pub created_at_us: i64,
    /// What came before.
    pub previous: Previous,
}

/// Where the segment before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Previous {
    /// Its number; 0 if there was none.
    pub number: u64,
    /// Its random number.
    pub id: u64,
    /// The byte after its last committed frame, its seal included.
    pub end: u64,
    /// SHA-256 of its last committed frame, its seal included.
    pub hash: Hash,
    /// The last sealed root.
    pub root: Hash,
}

impl SegmentHeader {
    /// The block as stored.
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = [0; SEGMENT_HEADER_BYTES];
        let mut put = Put {
            out: &mut out,
            at: 0,
        };
        put.bytes(&SEGMENT_MAGIC);
        put.bytes(&FORMAT_VERSION.to_le_bytes());
        put.bytes(&[0; 2]);
        put.bytes(&(SEGMENT_HEADER_BYTES as u32).to_le_bytes());
        put.bytes(&self.number.to_le_bytes());
        put.bytes(&self.id.to_le_bytes());
        put.bytes(&self.journal_id);
        put.bytes(&self.first_seq.to_le_bytes());
        put.bytes(&self.created_at_us.to_le_bytes());
        put.bytes(&self.previous.number.to_le_bytes());
        put.bytes(&self.previous.id.to_le_bytes());
        put.bytes(&self.previous.end.to_le_bytes());
        put.bytes(&self.previous.hash);
        put.bytes(&self.previous.root);
        let crc = crc32c::crc32c(&out[..SEGMENT_HEADER_BYTES - 4]);
        out[SEGMENT_HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a block; `None` if it is damaged.
    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Option<SegmentHeader> {
        if !is_whole(bytes) {
            return None;
        }
        let mut get = Get::new(bytes);
        if get.array::<8>()? != SEGMENT_MAGIC || get.u16()? != FORMAT_VERSION {
            return None;
        }
        get.take(6)?;
        let header = SegmentHeader {
            number: get.u64()?,
            id: get.u64()?,
            journal_id: get.array()?,
            first_seq: get.u64()?,
            created_at_us: get.u64()? as i64,
            previous: Previous {
                number: get.u64()?,
                id: get.u64()?,
                end: get.u64()?,
                hash: get.array()?,
                root: get.array()?,
            },
        };
        let is_sane = (1..=MAX_NUMBER).contains(&header.number)
            && header.previous.number < header.number
            && (1..=MAX_NUMBER).contains(&header.first_seq);
        is_sane.then_some(header)
    }
}

/// How a segment came to be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedBy {
    /// The run that wrote it.
    Writer,
    /// A later start, after the run that wrote it had died; frames may be missing in it.
    Recovery,
}

/// The signed footer of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Number of the segment.
    pub segment: u64,
    /// Its random number.
    pub segment_id: u64,
    /// The journal it belongs to.
    pub journal_id: [u8; 16],
    /// Sequence of the first event, or the next to come if it holds none.
    pub first_seq: Seq,
    /// The sequence after the last event.
    pub end_seq: Seq,
    /// Frames under the root: all but the seal.
    pub frames: u64,
    /// When the first frame was committed, microseconds since 1970.
    pub first_at_us: i64,
    /// When the last frame was committed, microseconds since 1970.
    pub last_at_us: i64,
    /// Who sealed it.
    pub by: SealedBy,
    /// RFC 6962 root over the frames' SHA-256.
    pub root: Hash,
    /// The root sealed before this one; zeros for the first.
    pub previous_root: Hash,
    /// Whose signature it is.
    pub public_key: PublicKey,
    /// Ed25519 over all of the above.
    pub signature: Signature,
}

impl Default for Seal {
    /// Nothing yet, unsigned.
    fn default() -> Self {
        Seal {
            segment: 0,
            segment_id: 0,
            journal_id: [0; 16],
            first_seq: 0,
            end_seq: 0,
            frames: 0,
            first_at_us: 0,
            last_at_us: 0,
            by: SealedBy::Writer,
            root: [0; 32],
            previous_root: [0; 32],
            public_key: PublicKey([0; 32]),
            signature: Signature([0; SIGNATURE_BYTES]),
        }
    }
}

impl Seal {
    /// Signs everything but the signature itself.
    pub fn sign(mut self, signer: &Signer) -> Seal {
        self.public_key = signer.public_key();
        let body = self.encode();
        self.signature = signer.sign(&signed_part(&body));
        self
    }

    /// Whether the signature is that of the key named in the seal.
    pub fn is_signed(&self) -> bool {
        self.public_key
            .verify(&signed_part(&self.encode()), &self.signature)
    }

    /// The body of the seal's frame.
    pub fn encode(&self) -> [u8; SEAL_BYTES] {
        let flags = match self.by {
            SealedBy::Writer => 0,
            SealedBy::Recovery => SEAL_RECOVERED,
        };
        let mut out = [0; SEAL_BYTES];
        let mut put = Put {
            out: &mut out,
            at: 0,
        };
        put.bytes(&self.segment.to_le_bytes());
        put.bytes(&self.segment_id.to_le_bytes());
        put.bytes(&self.journal_id);
        put.bytes(&self.first_seq.to_le_bytes());
        put.bytes(&self.end_seq.to_le_bytes());
        put.bytes(&self.frames.to_le_bytes());
        put.bytes(&self.first_at_us.to_le_bytes());
        put.bytes(&self.last_at_us.to_le_bytes());
        put.bytes(&flags.to_le_bytes());
        put.bytes(&[0; SEAL_SPARE_BYTES]);
        put.bytes(&self.root);
        put.bytes(&self.previous_root);
        put.bytes(&self.public_key.0);
        put.bytes(&self.signature.0);
        out
    }

    /// Reads a seal's body.
    pub fn decode(body: &[u8]) -> Option<Seal> {
        if body.len() != SEAL_BYTES {
            return None;
        }
        let mut get = Get::new(body);
        let segment = get.u64()?;
        let segment_id = get.u64()?;
        let journal_id = get.array()?;
        let first_seq = get.u64()?;
        let end_seq = get.u64()?;
        let frames = get.u64()?;
        let first_at_us = get.u64()? as i64;
        let last_at_us = get.u64()? as i64;
        let by = match get.u32()? {
            0 => SealedBy::Writer,
            SEAL_RECOVERED => SealedBy::Recovery,
            _ => return None,
        };
        get.take(SEAL_SPARE_BYTES)?;
        Some(Seal {
            segment,
            segment_id,
            journal_id,
            first_seq,
            end_seq,
            frames,
            first_at_us,
            last_at_us,
            by,
            root: get.array()?,
            previous_root: get.array()?,
            public_key: PublicKey(get.array()?),
            signature: Signature(get.array()?),
        })
    }
}

fn signed_part(body: &[u8; SEAL_BYTES]) -> Vec<u8> {
    let mut message = SEAL_DOMAIN.to_vec();
    message.extend_from_slice(&body[..SEAL_BYTES - SIGNATURE_BYTES]);
    message
}
