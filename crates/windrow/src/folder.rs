//! Reads the data folder without the service: the lake, and the journal after it.

use std::path::Path;

use windrow_formats::batch::{Batch, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::identity::identity;
use windrow_lake::{Lake, RowBuilder, Tail};
use windrow_pipeline::journal::{Frame, OpenError, Seq, offline};

use crate::datadir::{DataDir, DataDirError, Purpose};
use crate::exit::Hint as _;
use crate::service::lake_app_id;

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
    /// The last sequence that is in either, when the journal has more.
    pub(crate) cut_after: Option<Seq>,
}

impl Folder {
    /// Opens both. The lake's position is read before the journal, so that nothing falls between them.
    pub(crate) async fn open(data_dir: &DataDir) -> anyhow::Result<Folder> {
        let lake = Lake::open(&data_dir.lake()).await?;
        let journal = match offline::id(&data_dir.journal()) {
            Ok(journal) => journal,
            Err(OpenError::NotAJournal { .. }) => {
                return Ok(Folder {
                    lake,
                    tail: Tail::default(),
                    cut_after: None,
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
        let frames = offline::read(data_dir.journal(), position)?;
        let mut rows = RowBuilder::new();
        let mut index = Index::default();
        let mut cut_after = None;
        for frame in frames {
            let frame = frame?;
            push(&frame, position, &mut rows, &mut index);
            if rows.bytes() > TAIL_BYTES_MAX {
                cut_after = Some(frame.end_seq.saturating_sub(1));
                break;
            }
        }
        let tail = Tail {
            app_id,
            rows: vec![rows.finish()],
        };
        Ok(Folder {
            lake,
            tail,
            cut_after,
        })
    }

    /// Says on stderr when an answer is not about everything.
    pub(crate) fn warn_if_cut(&self) {
        if let Some(seq) = self.cut_after {
            tracing::warn!(
                "the answer ends at event {seq}: the journal has more than can be read at once; `windrow run` carries it into the lake"
            );
        }
    }
}

/// Events of a frame after `position` as rows. An entry that is not a batch is skipped: the service names it.
fn push(frame: &Frame, position: Seq, rows: &mut RowBuilder, index: &mut Index) {
    for entry in &frame.entries {
        let Ok(batch) = Batch::decode(&entry.body) else {
            continue;
        };
        // Who imports a file puts it into the lake itself: these are for the other sinks.
        if batch.header.kind == Kind::Evtx {
            continue;
        }
        for (record, seq) in batch.records().zip(entry.first_seq..) {
            let Ok(record) = record else { break };
            if seq <= position {
                continue;
            }
            if record.read_index(index).is_err() {
                // The text is what counts: an index that does not fit it is made anew, as far as it goes.
                let _ = event::parse(record.text, index);
            }
            let event = Event::new(record.text, index);
            let identity = identity(&batch.header.source, event);
            rows.push(Some(seq), &batch.header, record.flags, event, identity);
        }
    }
}
