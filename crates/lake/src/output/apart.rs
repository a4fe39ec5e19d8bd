//! An answer that is computed by a task of its own, so that whoever takes it can look at other things too.

use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::QueryOutput;
use crate::error::{LakeError, QueryError};
use crate::limits::FILE_BATCHES_AHEAD;

impl QueryOutput {
    /// The same answer when its first rows are there, or its end, or an error, or its time is over.
    pub async fn begun(mut self) -> QueryOutput {
        let first = self.piece().await;
        let rest = std::mem::replace(&mut self.pieces, Box::pin(stream::empty()));
        // What has ended is not asked again.
        if let Some(first) = first {
            self.pieces = Box::pin(stream::iter([first]).chain(rest).fuse());
        }
        self
    }

    /// The same answer, computed apart from whoever takes it. Dropped, the query ends.
    #[must_use]
    pub fn on_its_own(self) -> QueryOutput {
        let (sender, receiver) = mpsc::channel(FILE_BATCHES_AHEAD);
        let mut pieces = self.pieces;
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        // The task lives as long as the stream that has it.
        let taken = stream::unfold((receiver, task), |(mut receiver, mut task)| async move {
            let piece = match receiver.recv().await {
                Some(piece) => piece,
                // An end that nobody meant is none.
                None => match task.join_next().await? {
                    Ok(()) => return None,
                    Err(error) => Err(QueryError::Lake(LakeError::Task(error))),
                },
            };
            Some((piece, (receiver, task)))
        });
        QueryOutput {
            pieces: Box::pin(taken.fuse()),
            ..self
        }
    }
}
