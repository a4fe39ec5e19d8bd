//! What is written together: some frames of the journal.

use std::time::Duration;

use tokio::time::timeout;

use crate::journal::{Cursor, Frame, ReadError, Seq};

/// Events that are written before the cursor moves: fifty whole batches of rows.
const CHUNK_EVENTS_MAX: u64 = 5_000;

/// Bytes of frames that are read for that. A single frame may have more.
const CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long further events are waited for when there are some, so that a batch has more than one: a request costs as much as
/// the rows in it.
const LINGER: Duration = Duration::from_millis(200);

/// Frames one after the other.
pub(super) struct Chunk {
    /// At least one.
    pub(super) frames: Vec<Frame>,
}

impl Chunk {
    /// The next frames, up to that which has `to`; none when the journal is closed and everything in it was read. It waits for
    /// the first one, and a little for further ones.
    pub(super) async fn read(cursor: &mut Cursor, to: Seq) -> Result<Option<Chunk>, ReadError> {
        let Some(first) = cursor.next().await? else {
            return Ok(None);
        };
        let mut chunk = Chunk {
            frames: vec![first],
        };
        while chunk.last() < to && !chunk.is_full() {
            match timeout(LINGER, cursor.next()).await {
                Ok(Ok(Some(frame))) => chunk.frames.push(frame),
                // What is in hand is written first; whoever reads next hears of it again.
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        Ok(Some(chunk))
    }

    /// The last sequence in it.
    pub(super) fn last(&self) -> Seq {
        self.frames
            .last()
            .map_or(0, |frame| frame.end_seq.saturating_sub(1))
    }

    fn is_full(&self) -> bool {
        let events: u64 = (self.frames.iter())
            .map(|frame| frame.end_seq - frame.first_seq)
            .sum();
        let entries = self.frames.iter().flat_map(|frame| &frame.entries);
        let bytes: usize = entries.map(|entry| entry.body.len()).sum();
        events >= CHUNK_EVENTS_MAX || bytes >= CHUNK_BYTES_MAX
    }
}
