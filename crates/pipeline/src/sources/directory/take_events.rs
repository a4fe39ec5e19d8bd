//! Takes the events of a file that does not change any more.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;

use windrow_formats::batch::file::FileId;

use super::super::pack::EncodedBatch;
use super::EventForm;
use super::event_file::{Before, EventFile, Mark, Marked, NextError, OpenError};
use super::known::{self, Known, Taken};
use super::scan::{Found, Place, Stamp};
use super::take::{TakeError, Taker};
use crate::journal::Entry;
use crate::spool::KeepError;

/// A file of events between two looks.
pub(super) struct Reading {
    pub(super) place: Place,
    /// Which taking of it.
    id: FileId,
    file: EventFile,
    /// Read, and not in the journal yet.
    next: VecDeque<Marked>,
}

impl Reading {
    pub(super) fn is_of(&self, known: &Known) -> bool {
        self.id == known.taken.file()
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Taker<'_> {
    /// Takes events as far as this look goes. How many were taken is the state: batches of them go into the journal one by one.
    pub(super) async fn events(
        &mut self,
        form: EventForm,
        file: File,
        stamp: Stamp,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), TakeError> {
        if known.taken.is_finished {
            known.rests = true;
            return Ok(());
        }
        let Some(mut reading) = self.opened(form, &file, found, known)? else {
            known.rests = true;
            return Ok(());
        };
        let mut taken = known.taken.clone();
        taken.begin(stamp);
        taken.end_at(&file, stamp)?;
        loop {
            let step = match reading.file.next(self.now) {
                Ok(step) => step,
                Err(NextError::Io(error)) => return Err(error.into()),
                Err(NextError::Another) => {
                    // The next look takes it.
                    self.begin_anew(found, known, stamp);
                    return Ok(());
                }
            };
            let is_end = step.is_none();
            let step = step.unwrap_or_default();
            self.round.read += step.bytes;
            reading.next.extend(step.batches);
            // The last one is held back, so that it can say that it is.
            let held = usize::from(!is_end);
            while reading.next.len() > held
                && let Some(next) = reading.next.pop_front()
            {
                taken.line += u64::from(next.batch.events);
                taken.mark = next.mark.to_vec();
                taken.is_finished = is_end && reading.next.is_empty();
                if let Err(error) = self.journal(&next.batch, taken.clone(), found, known).await {
                    reading.next.push_front(next);
                    *self.reading = Some(reading);
                    return Err(error.into());
                }
            }
            if is_end {
                // Of one without events nothing is stored: the next start reads it again.
                taken.is_finished = true;
                known.taken = taken;
                known.rests = true;
                self.tell(&reading, found);
                return Ok(());
            }
            if self.round.is_enough() {
                *self.reading = Some(reading);
                return Ok(());
            }
        }
    }

    /// Tells what of a file could not be read, once it is read.
    fn tell(&mut self, reading: &Reading, found: &Found) {
        let damage = reading.file.damage();
        let Some(first) = damage.first else {
            return;
        };
        self.round.damaged += damage.count;
        tracing::warn!(
            source = self.watch.name,
            path = found.path,
            places = damage.count,
            first,
            "a watched file is damaged; what can be read of it was taken"
        );
    }

    /// The file as it was left by the look before, or opened anew; none where it has no events, which is told.
    fn opened(
        &mut self,
        form: EventForm,
        file: &File,
        found: &Found,
        known: &Known,
    ) -> Result<Option<Reading>, io::Error> {
        if let Some(reading) = self.reading.take_if(|it| it.is_of(known)) {
            return Ok(Some(reading));
        }
        let machine = self.machine(found);
        let before = Before {
            events: known.taken.line - 1,
            mark: Mark::try_from(&*known.taken.mark).ok(),
        };
        match EventFile::open(form, file.try_clone()?, self.watch, machine, before) {
            Ok(file) => Ok(Some(Reading {
                place: found.place,
                id: known.taken.file(),
                file,
                next: VecDeque::new(),
            })),
            Err(OpenError::Io(error)) => Err(error),
            Err(OpenError::Other(reason)) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, reason);
                self.round.failed(self.watch, &found.path, &error);
                Ok(None)
            }
        }
    }

    /// Puts a batch into the journal, with how many events were taken then.
    async fn journal(
        &mut self,
        batch: &EncodedBatch,
        next: Taken,
        found: &Found,
        known: &mut Known,
    ) -> Result<(), KeepError> {
        let (events, bytes) = (batch.events, batch.bytes.len() as u64);
        let entry = Entry {
            body: batch.bytes.clone(),
            events,
            state: Some(next.change(known::key(&self.watch.name, found.place))),
        };
        self.keeper.journal().append(entry).await?;
        known.taken = next;
        known.is_stored = true;
        self.round.events += u64::from(events);
        self.round.bytes += bytes;
        Ok(())
    }
}
