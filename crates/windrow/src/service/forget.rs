//! Places in the journal that nobody needs any more: each would hold it back for ever.
//!
//! Giving one up loses what its sink did not get, so that is on record before it is done.

use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_lake::FileTable;
use windrow_pipeline::journal::{CursorError, Journal};

use super::file_sink::cursor_name as file_cursor;
use super::lake_room::LAKE_CURSOR;
use super::own::Recorder;
use super::sinks::cursor_name;
use super::{blob_sinks, table_sinks};
use crate::config::checked;

/// Gives up the place of a sink by `remove`, and puts `message` on record before it.
///
/// # Errors
/// The disk does not remove it.
pub(super) async fn give_up(
    recorder: &Recorder,
    message: &str,
    data: &[(&str, &str)],
    remove: impl FnOnce() -> Result<bool, CursorError>,
) -> Result<(), CursorError> {
    tracing::warn!("{message}");
    let (id, level) = (OwnEventId::SinkRemoved, OwnLevel::Warning);
    let kept = recorder.record_with(id, level, message, data, None).await;
    remove()?;
    if !kept {
        // A journal that was full has room for it now, and is never to stay full for want of a record.
        recorder.record(id, level, message, data).await;
    }
    Ok(())
}

/// A lake that is switched off gives up its place.
pub(super) async fn lake(journal: &Journal, recorder: &Recorder) -> anyhow::Result<()> {
    let cursors = journal.cursors();
    // Whatever they lack of files is among what the other lacks of events.
    for table in FileTable::ALL {
        journal.remove_cursor(&file_cursor(table))?;
    }
    let Some((_, position)) = cursors.iter().find(|(name, _)| name == LAKE_CURSOR) else {
        return Ok(());
    };
    let unsent = (*journal.durable().borrow()).saturating_sub(*position);
    let message =
        format!("the lake is switched off: {unsent} events of the journal will not be in it");
    let data = [
        ("Sink", LAKE_CURSOR),
        ("UnsentEvents", &*unsent.to_string()),
    ];
    give_up(recorder, &message, &data, || {
        journal.remove_cursor(LAKE_CURSOR)
    })
    .await?;
    Ok(())
}

/// Damaged places of sinks that are not configured. The configured ones have opened theirs by now,
/// or keep them for when they are switched on.
pub(super) async fn lost(
    configured: &checked::Sinks,
    journal: &Journal,
    recorder: &Recorder,
) -> anyhow::Result<()> {
    for lost in journal.lost_cursors() {
        let syslog = configured.syslog.keys().map(|name| cursor_name(name));
        let tables = configured.azure_table.keys();
        let tables = tables.map(|name| table_sinks::cursor_name(name));
        let blobs = configured.azure_blob.keys();
        let blobs = blobs.map(|name| blob_sinks::cursor_name(name));
        if syslog
            .chain(tables)
            .chain(blobs)
            // Opened later, and from the oldest on where they are damaged.
            .chain(FileTable::ALL.map(file_cursor))
            .any(|cursor| lost.is_of(&cursor))
        {
            continue;
        }
        let message = format!(
            "the place of {lost} in the journal is damaged and nothing of that name is configured: how many events it \
             did not get is not known"
        );
        let data = [("Sink", &*lost.to_string()), ("UnsentEvents", "unknown")];
        give_up(recorder, &message, &data, || {
            journal.remove_lost_cursor(&lost)
        })
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use windrow_pipeline::journal::{JournalOptions, Start};

    use super::*;

    #[tokio::test]
    async fn a_damaged_place_of_a_sink_that_is_gone_holds_nothing_back() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let options = JournalOptions::new(dir.path().join("journal"));
            Journal::open(options).unwrap().0
        };
        let journal = open();
        journal.cursor("syslog.old", Start::Oldest).unwrap();
        journal.close().await;
        let file = dir.path().join("journal/cursors/syslog%2eold.cursor");
        std::fs::write(&file, [0; 8192]).unwrap();
        let journal = open();
        assert_eq!(journal.lost_cursors().len(), 1);
        let recorder = Recorder::new(journal.clone(), "host.example".to_owned());
        lost(&checked::Sinks::default(), &journal, &recorder)
            .await
            .unwrap();
        assert!(journal.lost_cursors().is_empty() && !file.exists());
        assert_eq!(*journal.durable().borrow(), 1, "it is on record");
    }

    #[tokio::test]
    async fn a_place_is_given_up_after_that_is_on_record() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new(dir.path().join("journal"));
        let journal = Journal::open(options).unwrap().0;
        journal.cursor("syslog.old", Start::Oldest).unwrap();
        let recorder = Recorder::new(journal.clone(), "host.example".to_owned());
        let remove = || {
            assert_eq!(*journal.durable().borrow(), 1);
            journal.remove_cursor("syslog.old")
        };
        give_up(&recorder, "gone", &[], remove).await.unwrap();
        assert!(journal.cursors().is_empty());
        assert_eq!(*journal.durable().borrow(), 1);
    }
}
