//! Reads the data folder without the service: the lake, and the journal after it.

use std::collections::BTreeMap;
use std::path::Path;

use windrow_formats::event::Index;
use windrow_lake::{FileTable, JournalEntry, Lake, Place, RowBuilder, Tail};
use windrow_pipeline::journal::{Frame, OpenError, Seq, offline};

use crate::datadir::{DataDir, DataDirError, Purpose};
use crate::exit::Hint as _;
use crate::output::thousands;
use crate::service::{self, lake_app_id};

/// Bytes of rows that an answer takes from the journal at most. More waits there only when no service ran to carry it
/// into the lake.
const TAIL_BYTES_MAX: usize = 512 << 20;

/// Opens a data folder for reading; says how to fill it when there is none.
pub(crate) fn open(root: &Path) -> anyhow::Result<DataDir> {
    match DataDir::open(root, Purpose::Read) {
        Err(DataDirError::Absent(path)) => Err(DataDirError::Absent(path))
            .hint("`windrow import` and `windrow run` collect; --data-dir names another folder"),
        other => Ok(other?),
    }
}

/// The lake of a data folder and what the journal has beyond it.
pub(crate) struct Folder {
    /// The lake.
    pub(crate) lake: Lake,
    /// Events after the lake's.
    pub(crate) tail: Tail,
    /// What of the journal is in neither.
    pub(crate) missing: Missing,
}

/// Events that an answer from the folder is not about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The journal has more than could be read at once, after this one.
    cut_after: Option<Seq>,
    /// Events that are gone from the journal.
    lost: u64,
    /// Events that are there and cannot be read.
    unreadable: u64,
    /// Pieces of web servers' logs whose requests are not in the lake yet.
    pieces: u64,
}

impl Missing {
    /// What to say of it; none when nothing is missing.
    pub(crate) fn said(&self) -> Option<String> {
        let cut = self.cut_after.map(|seq| {
            format!("it ends at event {seq}: the journal has more than can be read at once; `windrow run` carries it into the lake")
        });
        let damaged = (self.lost + self.unreadable > 0).then(|| {
            let (lost, unreadable) = (thousands(self.lost), thousands(self.unreadable));
            format!("{lost} events are gone from the journal and {unreadable} cannot be read; `windrow verify` says where")
        });
        let pieces = (self.pieces > 0).then(|| {
            let pieces = thousands(self.pieces);
            format!("{pieces} pieces of watched files wait for the lake; `windrow run` carries them there")
        });
        let parts: Vec<String> = cut.into_iter().chain(damaged).chain(pieces).collect();
        (!parts.is_empty()).then(|| format!("the answer is incomplete: {}", parts.join("; ")))
    }
}

impl Folder {
    /// Opens both. The lake's position is read before the journal, so that nothing falls between them.
    pub(crate) async fn open(data_dir: &DataDir, place: Place) -> anyhow::Result<Folder> {
        let lake = Lake::open_to_read(place).await?;
        let journal = match offline::id(&data_dir.journal()) {
            Ok(journal) => journal,
            Err(OpenError::NotAJournal { .. }) => {
                return Ok(Folder {
                    lake,
                    tail: Tail::default(),
                    missing: Missing::default(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let app_id = lake_app_id(journal);
        let position = lake
            .position(&app_id)
            .await?
            .and_then(|seq| Seq::try_from(seq).ok())
            .unwrap_or(0);
        let files = positions_of_files(&lake, &app_id, data_dir).await?;
        let from = files.iter().map(|(_, position)| *position).min();
        let from = from.map_or(position, |of_files| of_files.min(position));
        let frames = offline::read(data_dir.journal(), from)?;
        let mut rows = RowBuilder::of_journal(journal);
        let mut index = Index::default();
        let mut missing = Missing::default();
        for frame in frames {
            let frame = frame?;
            for (table, position) in &files {
                missing.pieces += service::file_pieces(*table, &frame, *position);
            }
            if frame.end_seq <= position {
                continue;
            }
            push(&frame, position, &mut rows, &mut index, &mut missing);
            if rows.bytes() > TAIL_BYTES_MAX {
                missing.cut_after = Some(frame.end_seq.saturating_sub(1));
                break;
            }
        }
        let tail = Tail {
            app_id,
            rows: vec![rows.finish()],
            of_files: BTreeMap::new(),
        };
        Ok(Folder {
            lake,
            tail,
            missing,
        })
    }
}

/// Up to where the lake has the rows of files, by table: those that somebody carries.
async fn positions_of_files(
    lake: &Lake,
    app_id: &str,
    data_dir: &DataDir,
) -> anyhow::Result<Vec<(FileTable, Seq)>> {
    let places: BTreeMap<String, Seq> = offline::positions(&data_dir.journal())?
        .into_iter()
        .collect();
    let mut positions = Vec::new();
    for table in FileTable::ALL {
        let Some(passed) = places.get(&service::file_cursor(table)) else {
            continue;
        };
        let position = lake.position_of_files(table, app_id).await?;
        let position = position.and_then(|seq| Seq::try_from(seq).ok());
        positions.push((table, position.unwrap_or(0).max(*passed)));
    }
    Ok(positions)
}

/// Events of a frame after `position` as rows.
fn push(
    frame: &Frame,
    position: Seq,
    rows: &mut RowBuilder,
    index: &mut Index,
    missing: &mut Missing,
) {
    if let Some(gap) = &frame.gap {
        let first = gap.first_seq.max(position + 1);
        missing.lost += (gap.last_seq + 1).saturating_sub(first);
    }
    for entry in &frame.entries {
        let entry = JournalEntry {
            first_seq: entry.first_seq,
            events: entry.events,
            body: &entry.body,
        };
        if let Err(unreadable) = rows.push_entry(&entry, position, index) {
            missing.unreadable += unreadable.events();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(Missing::default().said(), None);
        let missing = Missing {
            cut_after: Some(7),
            lost: 1,
            unreadable: 2,
            pieces: 3,
        };
        insta::assert_snapshot!(missing.said().unwrap(), @"the answer is incomplete: it ends at event 7: the journal has more than can be read at once; `windrow run` carries it into the lake; 1 events are gone from the journal and 2 cannot be read; `windrow verify` says where; 3 pieces of watched files wait for the lake; `windrow run` carries them there");
    }
}
