//! Pieces of files as sinks read them.

use std::io;
use std::time::Duration;

use thiserror::Error;
use windrow_formats::batch::file::Piece;
use windrow_formats::text::Chain;

use crate::azure::AzureError;
use crate::spool::{PieceError, Spool};

/// Why something has to be tried again.
#[derive(Debug, Error)]
pub(super) enum SendError {
    /// The service.
    #[error(transparent)]
    Azure(#[from] AzureError),
    /// The spool's disk.
    #[error("a piece cannot be read from the spool")]
    Spool(#[source] io::Error),
    /// Reading has panicked.
    #[error("a piece was not read")]
    Died,
}

impl SendError {
    /// How long the service asks to wait.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            SendError::Azure(error) => error.after(),
            SendError::Spool(_) | SendError::Died => None,
        }
    }
}

/// The bytes of a piece; in words why they are lost, where they are.
pub(super) async fn read(
    spool: &Spool,
    piece: Piece,
) -> Result<Result<Vec<u8>, String>, SendError> {
    let spool = spool.clone();
    let read = tokio::task::spawn_blocking(move || spool.read(&piece)).await;
    match read.map_err(|_| SendError::Died)? {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(PieceError::Io { source, .. }) => Err(SendError::Spool(source)),
        Err(error) => Ok(Err(Chain(&error).to_string())),
    }
}
