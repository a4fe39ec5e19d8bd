//! Whether a file is still the one that was read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What tells one state of a file from another. Whose it is and who may read it are part of that: a
/// file that was refused for it is another one when that is mended, and its content is not altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    bytes: u64,
    /// Device and inode.
    place: (u64, u64),
    /// Seconds and nanoseconds: when anything of it was changed.
    changed: (i64, i64),
    mode: u32,
    /// User and group.
    owner: (u32, u32),
}

impl Stamp {
    /// That of the file that this is of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
            place: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
        }
    }
}
