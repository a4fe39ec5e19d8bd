//! The journal as its callers see it, on the operating system's files.

mod damage;

use super::*;

fn options(dir: &tempfile::TempDir) -> JournalOptions {
    JournalOptions {
        segment_bytes: 64 << 10,
        quota_bytes: 64 << 20,
        reserved_bytes: 1 << 20,
        ..JournalOptions::new(dir.path().join("journal"))
    }
}

fn entry(text: &str, events: u32) -> Entry {
    Entry {
        body: text.as_bytes().to_vec(),
        events,
        state: None,
    }
}

fn bookmark(text: &str, key: &str, value: &str) -> Entry {
    let state = StateChange {
        key: key.to_owned(),
        value: Some(value.as_bytes().to_vec()),
    };
    Entry {
        state: Some(state),
        ..entry(text, 1)
    }
}

#[tokio::test]
async fn what_was_appended_is_read_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovery) = Journal::open(options(&dir)).unwrap();
    assert_eq!(recovery.next_seq, 1);
    assert_eq!(journal.append(entry("a", 2)).await.unwrap(), 1..3);
    assert_eq!(
        journal
            .append(bookmark("b", "wef/host", "mark 1"))
            .await
            .unwrap(),
        3..4
    );
    let mut cursor = journal.cursor("siem", Start::Oldest).unwrap();
    let frame = cursor.next().await.unwrap().unwrap();
    assert_eq!(
        (frame.first_seq, frame.end_seq, &frame.entries[0].body[..]),
        (1, 3, &b"a"[..])
    );
    cursor.advance(2);
    let id = journal.id();
    journal.close().await;
    assert_eq!(cursor.next().await.unwrap().unwrap().first_seq, 3);
    assert!(cursor.next().await.unwrap().is_none());

    let (journal, recovery) = Journal::open(options(&dir)).unwrap();
    assert_eq!(
        (recovery.oldest_seq, recovery.next_seq, recovery.torn_bytes),
        (1, 4, 0)
    );
    assert_eq!(journal.id(), id);
    assert_eq!(journal.state("wef/host").unwrap(), b"mark 1");
    let mut cursor = journal.cursor("siem", Start::Newest).unwrap();
    assert_eq!(cursor.position(), 2);
    assert_eq!(journal.append(entry("c", 1)).await.unwrap(), 4..5);
    assert_eq!(cursor.next().await.unwrap().unwrap().first_seq, 3);
    assert_eq!(
        &cursor.next().await.unwrap().unwrap().entries[0].body[..],
        b"c"
    );
    let bodies: Vec<_> = offline::read(dir.path().join("journal"), 0)
        .unwrap()
        .map(|f| f.unwrap().entries[0].body.clone())
        .collect();
    assert_eq!(bodies, ["a", "b", "c"]);
    journal.close().await;
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    assert!(matches!(
        Journal::open(options(&dir)),
        Err(OpenError::Locked { .. })
    ));
    journal.close().await;
    Journal::open(options(&dir)).unwrap();
}

#[tokio::test]
async fn segments_roll_and_go_when_every_sink_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let mut cursor = journal.cursor("lake", Start::Oldest).unwrap();
    for i in 0..200_u32 {
        let noise: Vec<u8> = (0..4096).map(|_| rand::random()).collect();
        assert_eq!(
            journal
                .append(Entry {
                    body: noise,
                    events: 1,
                    state: None
                })
                .await
                .unwrap()
                .start,
            u64::from(i) + 1
        );
    }
    for seq in 1..=200 {
        let frame = cursor.next().await.unwrap().unwrap();
        assert_eq!((frame.first_seq, frame.gap), (seq, None));
        cursor.advance(seq);
    }
    journal.close().await;
    let (journal, recovery) = Journal::open(options(&dir)).unwrap();
    assert!(recovery.segments > 2);
    assert!(journal.roots().borrow().as_ref().unwrap().is_signed());
    journal.append(entry("x", 1)).await.unwrap();
    cursor = journal.cursor("lake", Start::Oldest).unwrap();
    assert_eq!(cursor.next().await.unwrap().unwrap().first_seq, 201);
    journal.close().await;
}
