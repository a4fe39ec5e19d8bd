//! The events of journal entries, one after the other, and what in it cannot be read.

use std::ops::Range;
use std::slice;

use windrow_formats::batch::{Batch, Header, Kind, Record, Records};

use super::metrics::DropReason;
use super::sender::Poison;
use crate::journal::{FrameEntry, Seq};

/// What comes next in them.
#[derive(Debug)]
pub(super) enum Item<'w> {
    /// An event.
    Event {
        seq: Seq,
        header: &'w Header,
        record: Record<'w>,
    },
    /// So many events from there on cannot be read.
    Unreadable(Poison<'w>),
    /// Everything up to there has no event: it refers to a file, which other sinks take.
    File { last: Seq },
}

/// A walk over what entries have after an event that was the last one done.
pub(super) struct Walk<'f> {
    entries: slice::Iter<'f, FrameEntry>,
    done: Seq,
    batch: Option<Open<'f>>,
}

/// The batch it is in.
struct Open<'f> {
    header: Header,
    body: &'f [u8],
    records: Records<'f>,
    /// Of the next record.
    seq: Seq,
    /// After the last.
    end: Seq,
}

impl<'f> Walk<'f> {
    pub(super) fn new(entries: &'f [FrameEntry], done: Seq) -> Walk<'f> {
        Walk {
            entries: entries.iter(),
            done,
            batch: None,
        }
    }

    pub(super) fn next(&mut self) -> Option<Item<'_>> {
        let (seq, record) = loop {
            let Some(batch) = &mut self.batch else {
                let entry = self.entries.next()?;
                let (seq, end) = (entry.first_seq, entry.first_seq + u64::from(entry.events));
                match Batch::decode(&entry.body) {
                    Ok(batch) if batch.header.kind == Kind::File => {
                        if let Some(last) = end.checked_sub(1).filter(|last| *last > self.done) {
                            return Some(Item::File { last });
                        }
                    }
                    Ok(batch) => {
                        self.batch = Some(Open {
                            body: &entry.body,
                            records: batch.records(),
                            header: batch.header,
                            seq,
                            end,
                        });
                    }
                    Err(error) => {
                        let rest = seq.max(self.done + 1)..end;
                        if let Some(item) = unreadable(rest, &error, None, &entry.body) {
                            return Some(item);
                        }
                    }
                }
                continue;
            };
            let (seq, end) = (batch.seq, batch.end);
            batch.seq += 1;
            match batch.records.next() {
                Some(Ok(record)) if seq > self.done => break (seq, record),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let rest = seq.max(self.done + 1)..end;
                    let open = self.batch.take()?;
                    if let Some(item) = unreadable(rest, &error, Some(open.header), open.body) {
                        return Some(item);
                    }
                }
                None => self.batch = None,
            }
        };
        let header = &self.batch.as_ref()?.header;
        Some(Item::Event {
            seq,
            header,
            record,
        })
    }
}

/// The rest of a batch, unless nothing is left of it.
fn unreadable<'f>(
    rest: Range<Seq>,
    error: &impl std::error::Error,
    header: Option<Header>,
    body: &'f [u8],
) -> Option<Item<'f>> {
    (!rest.is_empty()).then(|| {
        Item::Unreadable(Poison {
            seq: rest.start,
            events: rest.end - rest.start,
            kind: DropReason::Unreadable,
            reason: error.to_string(),
            header,
            content: body,
        })
    })
}
