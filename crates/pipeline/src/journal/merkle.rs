//! The Merkle tree of RFC 6962 section 2.1 over the hashes of a segment's frames.
//!
//! Leaves are added one at a time; only the roots of the complete subtrees are kept, so a
//! segment of any length costs a few hundred bytes.

use aws_lc_rs::digest;

use super::frame::Hash;

/// A tree that grows by leaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// Roots of complete subtrees, largest first: (leaves, root).
    subtrees: Vec<(u64, Hash)>,
}

impl Tree {
    /// Adds a frame's hash.
    pub(super) fn push(&mut self, frame: &Hash) {
        let mut size = 1;
        let mut hash = node(0x00, &[frame]);
        while let Some(&(left_size, left)) = self.subtrees.last() {
            if left_size != size {
                break;
            }
            self.subtrees.pop();
            hash = node(0x01, &[&left, &hash]);
            size *= 2;
        }
        self.subtrees.push((size, hash));
    }

    /// Number of leaves.
    pub(super) fn leaves(&self) -> u64 {
        self.subtrees.iter().map(|(size, _)| size).sum()
    }

    /// The root over all leaves; of an empty tree, the hash of nothing.
    pub(super) fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev().map(|(_, hash)| *hash);
        match subtrees.next() {
            None => to_hash(digest::digest(&digest::SHA256, b"")),
            Some(last) => subtrees.fold(last, |right, left| node(0x01, &[&left, &right])),
        }
    }
}

fn node(prefix: u8, parts: &[&Hash]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[prefix]);
    for part in parts {
        context.update(*part);
    }
    to_hash(context.finish())
}

fn to_hash(digest: digest::Digest) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
