//! An answer on the local socket: Arrow IPC in frames, so that its end and its error travel too.
//!
//! A frame is a tag, the length of its content as a little-endian u32, and the content. `A` carries
//! the next bytes of an Arrow IPC stream; `.` ends the answer and carries one byte, 1 where rows
//! were cut, and after it, where files were damaged, a JSON array of each with the reason; `E` ends it with an error in
//! UTF-8.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use windrow_formats::text::Chain;

use super::{Piece, QueryOutput};
use crate::error::QueryError;
use crate::files::{Tally, Unread};
use crate::limits::{FRAME_BYTES, TOLD_FILES, TOLD_REASON_CHARS};

const ARROW: u8 = b'A';
const END: u8 = b'.';
const ERROR: u8 = b'E';
const HEAD_BYTES: usize = 5;

impl QueryOutput {
    /// The answer as frames, for [`QueryOutput::from_ipc`] at the other end. Rows are computed as the frames are read.
    pub fn into_ipc(self) -> impl Stream<Item = Bytes> + Send {
        let writer = StreamWriter::try_new(Vec::new(), &self.schema);
        let state = match writer {
            Ok(writer) => Sending::Rows(Box::new((self, writer))),
            Err(error) => Sending::Failed(error.to_string()),
        };
        stream::unfold(state, |state| async move {
            match state {
                Sending::Rows(state) => Some(next_frame(state).await),
                Sending::Failed(message) => Some((frame(ERROR, message.as_bytes()), Sending::Done)),
                Sending::Done => None,
            }
        })
    }

    /// An answer from the frames of [`QueryOutput::into_ipc`], cut in any way.
    pub async fn from_ipc<S>(frames: S) -> Result<QueryOutput, QueryError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    {
        let mut receiving = Receiving {
            frames,
            buffer: BytesMut::new(),
            decoder: StreamDecoder::new(),
            arrow: Buffer::from(&[0_u8; 0]),
        };
        let mut first = None;
        let schema = loop {
            if let Some(schema) = receiving.decoder.schema() {
                break schema;
            }
            match receiving.next().await? {
                Received::Batch(batch) => first = Some(batch),
                Received::Schema => {}
                Received::End { .. } => {
                    return Err(QueryError::Answer("has no columns".to_owned()));
                }
            }
        };
        Ok(receiving.into_output(schema, first))
    }
}

/// What the end of an answer says.
fn end(output: &QueryOutput) -> Vec<u8> {
    let mut content = vec![u8::from(output.truncated)];
    let unread = output.tally.all();
    if !unread.is_empty() {
        let told = unread.iter().take(TOLD_FILES).map(|unread| {
            let reason: String = unread.reason.chars().take(TOLD_REASON_CHARS).collect();
            (
                unread.file.to_string_lossy(),
                unread.count,
                &unread.place,
                reason,
            )
        });
        let told: Vec<_> = told
            .map(|(file, count, place, reason)| json!([file, count, place, reason]))
            .collect();
        content.extend(Value::from(told).to_string().into_bytes());
    }
    content
}

/// The same at the other end.
fn unread(content: &[u8]) -> Vec<Unread> {
    let told: Vec<(PathBuf, u64, String, String)> =
        serde_json::from_slice(content).unwrap_or_default();
    let told = told.into_iter().map(|(file, count, place, reason)| Unread {
        file,
        count,
        place,
        reason,
    });
    told.collect()
}

enum Sending {
    Rows(Box<(QueryOutput, StreamWriter<Vec<u8>>)>),
    Failed(String),
    Done,
}

async fn next_frame(mut state: Box<(QueryOutput, StreamWriter<Vec<u8>>)>) -> (Bytes, Sending) {
    let (output, writer) = &mut *state;
    let written = match output.next().await {
        Err(error) => {
            return (
                frame(ERROR, Chain(&error).to_string().as_bytes()),
                Sending::Done,
            );
        }
        Ok(Some(batch)) => writer.write(&batch),
        Ok(None) => {
            let mut last = arrow_frame(writer.finish().map(|()| std::mem::take(writer.get_mut())));
            last.extend_from_slice(&frame(END, &end(output)));
            return (last.freeze(), Sending::Done);
        }
    };
    match written {
        Ok(()) => (
            arrow_frame(Ok(std::mem::take(writer.get_mut()))).freeze(),
            Sending::Rows(state),
        ),
        Err(error) => (frame(ERROR, error.to_string().as_bytes()), Sending::Done),
    }
}

fn arrow_frame(content: Result<Vec<u8>, ArrowError>) -> BytesMut {
    match content {
        Ok(content) if content.len() <= FRAME_BYTES => frame_mut(ARROW, &content),
        Ok(_) => frame_mut(
            ERROR,
            b"a batch of rows is too large for the socket; ask for fewer columns",
        ),
        Err(error) => frame_mut(ERROR, error.to_string().as_bytes()),
    }
}

fn frame(tag: u8, content: &[u8]) -> Bytes {
    frame_mut(tag, content).freeze()
}

fn frame_mut(tag: u8, content: &[u8]) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + content.len());
    frame.extend_from_slice(&[tag]);
    frame.extend_from_slice(
        &u32::try_from(content.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    frame.extend_from_slice(content);
    frame
}

struct Receiving<S> {
    frames: S,
    buffer: BytesMut,
    decoder: StreamDecoder,
    arrow: Buffer,
}

enum Received {
    Schema,
    Batch(RecordBatch),
    End {
        truncated: bool,
        unread: Vec<Unread>,
    },
}

impl<S> Receiving<S>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
{
    async fn next(&mut self) -> Result<Received, QueryError> {
        loop {
            if !self.arrow.is_empty() {
                let had_schema = self.decoder.schema().is_some();
                let batch = self
                    .decoder
                    .decode(&mut self.arrow)
                    .map_err(|error| QueryError::Answer(error.to_string()))?;
                match batch {
                    Some(batch) => return Ok(Received::Batch(batch)),
                    None if !had_schema && self.decoder.schema().is_some() => {
                        return Ok(Received::Schema);
                    }
                    None => continue,
                }
            }
            let (tag, content) = self.frame().await?;
            match tag {
                ARROW => self.arrow = Buffer::from(content),
                END => {
                    return Ok(Received::End {
                        truncated: content.first() == Some(&1),
                        unread: unread(content.get(1..).unwrap_or_default()),
                    });
                }
                ERROR => {
                    return Err(QueryError::Remote(
                        String::from_utf8_lossy(&content).into_owned(),
                    ));
                }
                _ => return Err(QueryError::Answer("is not one of windrow".to_owned())),
            }
        }
    }

    async fn frame(&mut self) -> Result<(u8, Bytes), QueryError> {
        loop {
            if let Some((tag, bytes)) = self.head()?
                && self.buffer.len() >= HEAD_BYTES + bytes
            {
                self.buffer.advance(HEAD_BYTES);
                return Ok((tag, self.buffer.split_to(bytes).freeze()));
            }
            match self.frames.next().await {
                Some(more) => self.buffer.extend_from_slice(
                    &more.map_err(|error| QueryError::Answer(error.to_string()))?,
                ),
                None => {
                    return Err(QueryError::Answer(
                        "broke off; the service may have been stopped".to_owned(),
                    ));
                }
            }
        }
    }

    fn head(&self) -> Result<Option<(u8, usize)>, QueryError> {
        let Some(head) = self.buffer.first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let [tag, length @ ..] = *head;
        let bytes = u32::from_le_bytes(length) as usize;
        if bytes > FRAME_BYTES {
            return Err(QueryError::Answer(format!(
                "has a frame of {bytes} bytes, more than {FRAME_BYTES}"
            )));
        }
        Ok(Some((tag, bytes)))
    }

    fn into_output(self, schema: SchemaRef, first: Option<RecordBatch>) -> QueryOutput {
        let first = stream::iter(first.map(|batch| Ok(Piece::Rows(batch))));
        let tally = Arc::new(Tally::default());
        let state = (self, Arc::clone(&tally));
        let rest = stream::unfold(Some(state), |state| async move {
            let (mut receiving, tally) = state?;
            loop {
                return match receiving.next().await {
                    Ok(Received::Schema) => continue,
                    Ok(Received::Batch(batch)) => {
                        Some((Ok(Piece::Rows(batch)), Some((receiving, tally))))
                    }
                    Ok(Received::End { truncated, unread }) => {
                        unread.into_iter().for_each(|unread| tally.add(unread));
                        truncated.then_some((Ok(Piece::Cut), None))
                    }
                    Err(error) => Some((Err(error), None)),
                };
            }
        });
        QueryOutput {
            schema,
            // A writer may ask once more after the end.
            pieces: Box::pin(first.chain(rest).fuse()),
            rows_left: None,
            deadline: None,
            truncated: false,
            tally,
        }
    }
}
