//! Writes the rows of some frames, and finds out which of them the service refuses.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use windrow_formats::batch::{Batch, Header, Record};
use windrow_formats::event::{self, Event, Index};

use super::super::chunk::Chunk;
use super::super::piece::SendError;
use super::counters::Piece;
use super::limits::REFUSED_IN_A_ROW_MAX;
use super::load::{Filled, Load};
use super::status::Reporter;
use super::wanted::Wanted;
use super::{AzureTable, Tables, row};
use crate::azure::AzureError;
use crate::journal::{FrameEntry, Seq};
use crate::limits::QUARANTINE_ENTRY_BYTES_MAX;
use crate::quarantine::Finding;

/// How far a chunk is written. It is kept from one attempt to the next, so that nothing is written twice for a failure of
/// something else.
pub(super) struct Progress {
    /// Everything up to it was done before.
    after: Seq,
    /// Written since, passed over or not wanted.
    done: HashSet<Seq>,
    /// In a batch that was refused: each goes in one of its own.
    alone: BTreeSet<Seq>,
    /// Refused in a batch of its own, and why.
    refused: BTreeMap<Seq, String>,
}

impl Progress {
    /// Nothing after this sequence is done.
    pub(super) fn after(after: Seq) -> Progress {
        Progress {
            after,
            done: HashSet::new(),
            alone: BTreeSet::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn is_done(&self, seq: Seq) -> bool {
        seq <= self.after || self.done.contains(&seq)
    }

    pub(super) fn has_done(&mut self, seq: Seq) {
        self.done.insert(seq);
    }
}

/// What became of a batch.
enum Sent {
    /// Its rows are in the table.
    Written,
    /// Rows in it are under suspicion, or known to be refused: the rest of the chunk is looked at again.
    Refused(AzureError),
}

/// An event of a chunk.
#[derive(Clone, Copy)]
struct Item<'a> {
    seq: Seq,
    header: &'a Header,
    record: Record<'a>,
}

pub(super) struct Transfer<T> {
    pub(super) sink: AzureTable,
    pub(super) tables: T,
    pub(super) reporter: Reporter,
    /// Tables that are known to be there.
    made: BTreeSet<Arc<str>>,
    /// Rows refused since the last one was written.
    pub(super) refused_in_a_row: usize,
    pub(super) wanted: Wanted,
}

impl<T: Tables> Transfer<T> {
    pub(super) fn new(sink: AzureTable, tables: T, reporter: Reporter) -> Transfer<T> {
        Transfer {
            sink,
            tables,
            reporter,
            made: BTreeSet::new(),
            refused_in_a_row: 0,
            wanted: Wanted::default(),
        }
    }

    /// Writes what is not done yet of a chunk. What the service refuses for good is counted, named and kept aside.
    ///
    /// # Errors
    /// Something that may pass: the same chunk is to be written again, with what was made of it so far.
    pub(super) async fn write(
        &mut self,
        chunk: &Chunk,
        progress: &mut Progress,
    ) -> Result<(), SendError> {
        progress.refused.clear();
        let mut last_refusal = None;
        loop {
            match self.pass(chunk, progress).await? {
                Sent::Written => break,
                Sent::Refused(refusal) => last_refusal = Some(refusal),
            }
            if progress.refused.len() > REFUSED_IN_A_ROW_MAX
                && self.refused_in_a_row > REFUSED_IN_A_ROW_MAX
            {
                break;
            }
        }
        match last_refusal {
            Some(refusal) if self.refused_in_a_row > REFUSED_IN_A_ROW_MAX => Err(refusal.into()),
            _ if progress.refused.is_empty() => Ok(()),
            _ => {
                self.settle(chunk, progress).await;
                Ok(())
            }
        }
    }

    /// Sets aside what was refused: only now is it known that the rest was taken.
    async fn settle(&mut self, chunk: &Chunk, progress: &mut Progress) {
        for entry in chunk.frames.iter().flat_map(|frame| &frame.entries) {
            let Ok(batch) = Batch::decode(&entry.body) else {
                continue;
            };
            for (seq, record) in (entry.first_seq..).zip(batch.records()) {
                let (Some(reason), Ok(record)) = (progress.refused.remove(&seq), record) else {
                    continue;
                };
                let header = &batch.header;
                let item = Item {
                    seq,
                    header,
                    record,
                };
                self.set_aside(item, reason).await;
            }
        }
    }

    /// Once over the chunk; up to the first batch that is refused.
    async fn pass(&mut self, chunk: &Chunk, progress: &mut Progress) -> Result<Sent, SendError> {
        let mut load = Load::default();
        for frame in &chunk.frames {
            if let Some(gap) = &frame.gap {
                self.reporter.gone(gap);
            }
            for entry in &frame.entries {
                if let refused @ Sent::Refused(_) = self.entry(entry, &mut load, progress).await? {
                    return Ok(refused);
                }
            }
        }
        for filled in load.rest() {
            if let refused @ Sent::Refused(_) = self.send(filled, progress).await? {
                return Ok(refused);
            }
        }
        Ok(Sent::Written)
    }

    async fn entry(
        &mut self,
        entry: &FrameEntry,
        load: &mut Load,
        progress: &mut Progress,
    ) -> Result<Sent, SendError> {
        let end = entry.first_seq + u64::from(entry.events);
        let batch = match Batch::decode(&entry.body) {
            Ok(batch) => batch,
            Err(error) => {
                self.unreadable(
                    entry.first_seq..end,
                    &error.to_string(),
                    &entry.body,
                    progress,
                )
                .await;
                return Ok(Sent::Written);
            }
        };
        match batch.file() {
            Ok(None) => {}
            Ok(Some(reference)) => {
                let item = Piece {
                    seq: entry.first_seq,
                    header: &batch.header,
                    reference: &reference,
                };
                self.counters(item, progress).await?;
                return Ok(Sent::Written);
            }
            // Who carries files into the lake tells it.
            Err(_) => return Ok(Sent::Written),
        }
        let mut index = Index::default();
        for (seq, record) in (entry.first_seq..end).zip(batch.records()) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.unreadable(seq..end, &error.to_string(), &entry.body, progress)
                        .await;
                    break;
                }
            };
            let header = &batch.header;
            let item = Item {
                seq,
                header,
                record,
            };
            if let refused @ Sent::Refused(_) = self.item(item, &mut index, load, progress).await? {
                return Ok(refused);
            }
        }
        Ok(Sent::Written)
    }

    async fn item(
        &mut self,
        item: Item<'_>,
        index: &mut Index,
        load: &mut Load,
        progress: &mut Progress,
    ) -> Result<Sent, SendError> {
        if progress.is_done(item.seq) || progress.refused.contains_key(&item.seq) {
            return Ok(Sent::Written);
        }
        let filled = match self.batched(item, index, load, progress) {
            Ok(filled) => filled,
            Err(reason) => {
                self.set_aside(item, reason).await;
                progress.done.insert(item.seq);
                None
            }
        };
        match filled {
            None => Ok(Sent::Written),
            Some(filled) => self.send(filled, progress).await,
        }
    }

    /// Puts an event's row into a batch; returns one that is to be written now. An error says why there is no such row.
    fn batched(
        &mut self,
        item: Item<'_>,
        index: &mut Index,
        load: &mut Load,
        progress: &mut Progress,
    ) -> Result<Option<Filled>, String> {
        let Item {
            seq,
            header,
            record,
        } = item;
        if record.read_index(index).is_err() {
            // What of it can be read is in the index.
            let _ = event::parse(record.text, index);
        }
        let event = Event::new(record.text, index);
        if !self.wanted.keeps(&self.sink, event, header) {
            self.reporter.filtered();
            progress.done.insert(seq);
            return Ok(None);
        }
        let instance = row::role_instance(header, event);
        let (table, partition, row) = row::of_event(&self.sink, header, &instance, event, seq);
        if !progress.alone.contains(&seq) {
            let pushed = load.push(&self.tables, (table, partition), seq, &row);
            return pushed.map_err(|error| error.to_string());
        }
        let mut filled = Filled::new(&self.tables, table);
        let pushed = filled.push(seq, &row);
        pushed.map_err(|error| error.to_string())?;
        Ok(Some(filled))
    }

    async fn send(&mut self, filled: Filled, progress: &mut Progress) -> Result<Sent, SendError> {
        let Filled { table, batch, seqs } = filled;
        self.make(&table).await?;
        let error = match self.tables.write(&table, &batch).await {
            Ok(()) => {
                self.refused_in_a_row = 0;
                self.reporter.rows(seqs.len() as u64);
                progress.done.extend(seqs);
                return Ok(Sent::Written);
            }
            Err(error) => error,
        };
        if !self.is_of_rows(&table, &error) {
            return Err(error.into());
        }
        let place = error.refusal().and_then(|refusal| refusal.place);
        match (&seqs[..], place.and_then(|place| seqs.get(place))) {
            (&[seq], _) => {
                self.refused_in_a_row += 1;
                progress.refused.insert(seq, error.to_string());
            }
            (_, Some(seq)) => {
                progress.alone.insert(*seq);
            }
            (all, None) => progress.alone.extend(all),
        }
        Ok(Sent::Refused(error))
    }

    /// Whether what rows hold is refused, as nothing else is. A table that is gone is made by the next attempt.
    pub(super) fn is_of_rows(&mut self, table: &str, error: &AzureError) -> bool {
        let status = error.refusal().map(|refusal| refusal.status);
        if status == Some(404) {
            self.made.remove(table);
        }
        matches!(status, Some(400 | 413))
    }

    /// Makes a table that is not known to be there.
    pub(super) async fn make(&mut self, table: &str) -> Result<(), AzureError> {
        if !self.made.contains(table) {
            self.tables.create(table).await?;
            self.made.insert(table.into());
        }
        Ok(())
    }

    /// Events of the journal that nobody can read.
    async fn unreadable(
        &mut self,
        seqs: std::ops::Range<Seq>,
        reason: &str,
        body: &[u8],
        progress: &mut Progress,
    ) {
        let first = seqs.start.max(progress.after + 1);
        if first >= seqs.end || progress.is_done(first) {
            return;
        }
        let events = seqs.end - first;
        progress.done.extend(first..seqs.end);
        self.reporter.skipped(first, events, reason);
        self.keep(None, (first, events), reason, body).await;
    }

    async fn set_aside(&mut self, item: Item<'_>, reason: String) {
        self.reporter.skipped(item.seq, 1, &reason);
        let text = item.record.text.as_bytes();
        self.keep(Some(item.header), (item.seq, 1), &reason, text)
            .await;
    }

    /// Into the quarantine, if there is one.
    pub(super) async fn keep(
        &self,
        header: Option<&Header>,
        events: (Seq, u64),
        reason: &str,
        content: &[u8],
    ) {
        let Some(quarantine) = self.sink.quarantine.clone() else {
            return;
        };
        let content = content[..content.len().min(QUARANTINE_ENTRY_BYTES_MAX)].to_vec();
        let (header, reason) = (header.cloned(), reason.to_owned());
        let kept = tokio::task::spawn_blocking(move || {
            let header = header.as_ref();
            let finding = Finding {
                room: "azure_table",
                reason: &reason,
                source: header.map(|header| header.source.as_str()),
                address: header.and_then(|header| header.address),
                received_at: header.map_or_else(jiff::Timestamp::now, |header| header.received_at),
                events: Some(events),
            };
            quarantine.keep(&finding, &content)
        });
        match kept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot write to the quarantine"),
            Err(error) => tracing::warn!(%error, "cannot write to the quarantine"),
        }
    }
}
