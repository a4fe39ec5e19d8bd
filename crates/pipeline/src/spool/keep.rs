//! A piece of a file into the spool and its reference into the journal, as one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use windrow_formats::batch::Batch;
use windrow_formats::batch::file::{Content, FileReference, PieceId};
use windrow_formats::batch::{Header, Kind};

use super::{Spool, SpoolError};
use crate::journal::storage::Disk;
use crate::journal::{AppendError, Entry, Journal, Seq, StateChange};

/// The journal with its spool. Clones share them.
#[derive(Debug, Clone)]
pub struct Keeper {
    journal: Journal,
    spool: Spool,
}

/// Why a piece is not kept.
#[derive(Debug, Error)]
pub enum KeepError {
    /// The spool does not take it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The journal does not take what refers to it.
    #[error(transparent)]
    Journal(#[from] AppendError),
}

impl KeepError {
    /// Whether it passes when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            KeepError::Spool(error) => error.is_full(),
            KeepError::Journal(error) => error.full().is_some(),
        }
    }
}

impl Keeper {
    /// Opens the spool of a journal. Reads the journal where a crash left a piece of which it has to tell.
    ///
    /// # Errors
    /// The folder of the spool, or the journal, cannot be read.
    pub fn open(
        journal: Journal,
        disk: Arc<dyn Disk>,
        dir: impl Into<PathBuf>,
        quota_bytes: u64,
    ) -> Result<Keeper, SpoolError> {
        let done = journal.done_seq();
        let referred = || referred_after(&journal, done);
        let spool = Spool::open(disk, dir, quota_bytes, done, referred)?;
        Ok(Keeper { journal, spool })
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Makes room: removes what every sink has done with.
    pub fn sweep(&self) {
        self.spool.sweep(self.journal.done_seq());
    }

    /// Keeps the next bytes of a file: they, what refers to them and the change of state are durable when this returns.
    /// The reference gets their place in the spool. The disk is written to on the caller's thread.
    ///
    /// # Errors
    /// See [`KeepError`]. Where the journal's disk failed ([`AppendError::Failed`]) it may be kept all the same, which
    /// the next start shows: who tries again may keep the same bytes of the same file twice.
    pub async fn keep(
        &self,
        header: &Header,
        reference: &mut FileReference,
        bytes: &[u8],
        state: StateChange,
    ) -> Result<Seq, KeepError> {
        let piece = self.spool.put(bytes)?;
        reference.content = Content::Kept(piece);
        let entry = Entry {
            body: reference.encode(header),
            events: 1,
            state: Some(state),
        };
        match self.journal.append(entry).await {
            Ok(seqs) => {
                self.spool.refer(piece.id, seqs.start);
                Ok(seqs.start)
            }
            Err(error) => {
                // What may be in the journal must be in the spool; the next start knows.
                let is_unknown = matches!(error, AppendError::Failed { .. } | AppendError::Closed);
                if !is_unknown {
                    self.spool.discard(piece.id);
                }
                Err(error.into())
            }
        }
    }
}

/// Which pieces batches after a sequence refer to.
fn referred_after(journal: &Journal, seq: Seq) -> io::Result<BTreeMap<PieceId, Seq>> {
    let mut referred = BTreeMap::new();
    for frame in journal.read_after(seq) {
        for entry in frame.map_err(io::Error::other)?.entries {
            // What is damaged there no sink can read either.
            let Ok(batch) = Batch::decode(&entry.body) else {
                continue;
            };
            if batch.header.kind == Kind::File
                && let Ok(Some(reference)) = batch.file()
                && let Content::Kept(piece) = reference.content
            {
                referred.insert(piece.id, entry.first_seq);
            }
        }
    }
    Ok(referred)
}
