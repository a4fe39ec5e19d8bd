//! EVTX files for queries that are asked about them directly.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;
use windrow_formats::batch::{Flags, Header, Kind};
use windrow_formats::event::{Event, Index, parse};
use windrow_formats::identity::identity;
use windrow_lake::{EventFiles, Given, RowBuilder};
use windrow_pipeline::sources::evtx::{Damage, EvtxFile, OpenError, SOURCE};

use crate::exit::chain;

/// Events that are handed on together, near enough.
const ROWS: usize = 2_048;
/// Memory of the events that are handed on together, near enough.
const BYTES: usize = 16 << 20;

/// Reads EVTX files as an import does.
#[derive(Debug)]
pub(in crate::cli) struct Evtx;

impl EventFiles for Evtx {
    fn read(&self, path: &Path, given: &mut Given<'_, '_>) -> io::Result<()> {
        let mut file = EvtxFile::open(path).map_err(|error| match error {
            OpenError::Io(error) => error,
            other => io::Error::other(chain(&other)),
        })?;
        let header = Header {
            kind: Kind::Evtx,
            source: SOURCE.to_owned(),
            address: None,
            subscription: None,
            received_at: Timestamp::now(),
        };
        let (mut rows, mut index) = (RowBuilder::new(), Index::default());
        let mut read = 0;
        while let Some(chunk) = file.next_chunk()? {
            for record in chunk.records() {
                // What is wrong with an event is in its flags.
                let _ = parse(record.text, &mut index);
                let event = Event::new(record.text, &index);
                let key = identity(SOURCE, event);
                rows.push(None, &header, Flags::of(&index), event, key);
            }
            let (done, all) = file.progress();
            let so_far = file.bytes() * done as u64 / (all as u64).max(1);
            given.read(usize::try_from(so_far.saturating_sub(read)).unwrap_or(0));
            read = so_far;
            if (rows.len() >= ROWS || rows.bytes() >= BYTES)
                && given.rows(&rows.finish())? == ControlFlow::Break(())
            {
                return Ok(());
            }
        }
        let _ = given.rows(&rows.finish())?;
        for damage in file.damage().iter().filter(|damage| damage.is_loss()) {
            given.unread(place(damage), damage.reason.to_string());
        }
        for _ in 0..file.damage_omitted() {
            given.unread(String::new(), String::new());
        }
        Ok(())
    }
}

fn place(damage: &Damage) -> String {
    match (&damage.records, damage.chunk) {
        (Some(ids), _) if ids.start() == ids.end() => format!("record {}", ids.start()),
        (Some(ids), _) => format!("records {} to {}", ids.start(), ids.end()),
        (None, Some(chunk)) => format!("chunk {chunk}"),
        (None, None) => "the file".to_owned(),
    }
}
