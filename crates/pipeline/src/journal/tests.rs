//! The journal as its callers see it, on the operating system's files.

mod damage;
mod faults;
mod hostile;
mod recovery;
mod room;

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

fn noise(bytes: usize) -> Entry {
    Entry {
        body: (0..bytes).map(|_| rand::random()).collect(),
        events: 1,
        state: None,
    }
}

/// Waits until something that other threads bring about is so.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it does not come about");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_appenders_share_frames_and_each_gets_its_own_sequences() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32_u64 {
        let journal = journal.clone();
        tasks.spawn(async move {
            let mut got = Vec::new();
            for i in 0..40_u64 {
                let range = journal
                    .append(bookmark(
                        &format!("{task}/{i}"),
                        &format!("task/{task}"),
                        &i.to_string(),
                    ))
                    .await
                    .unwrap();
                got.push((range.start, format!("{task}/{i}")));
            }
            got
        });
    }
    let mut got: Vec<(Seq, String)> = tasks.join_all().await.into_iter().flatten().collect();
    got.sort();
    let metrics = journal.metrics();
    assert!(metrics.frames.get() < 1280, "no frame was shared");
    assert!(metrics.fsyncs.get() < 1280 + 20);
    journal.close().await;
    let read: Vec<(Seq, String)> = offline::read(dir.path().join("journal"), 0)
        .unwrap()
        .flat_map(|f| f.unwrap().entries)
        .map(|e| (e.first_seq, String::from_utf8(e.body.to_vec()).unwrap()))
        .collect();
    assert_eq!(read, got);
    assert_eq!(
        read.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        (1..=1280).collect::<Vec<_>>()
    );
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    assert_eq!(journal.states("task/").len(), 32);
    assert!(
        journal
            .states("task/")
            .iter()
            .all(|(_, value)| value == b"39")
    );
    assert!(
        journal
            .states("")
            .iter()
            .all(|(key, _)| key.starts_with("task/"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_commits_what_was_appended_refuses_the_rest_and_waits_for_no_sink() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let idle = journal.cursor("idle", Start::Oldest).unwrap();
    let mut waiting = journal.cursor("waiting", Start::Oldest).unwrap();
    let sink = tokio::spawn(async move {
        let mut read = 0;
        while let Some(frame) = waiting.next().await.unwrap() {
            read += frame.end_seq - frame.first_seq;
            waiting.advance(frame.end_seq - 1);
        }
        read
    });
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..50 {
        let journal = journal.clone();
        tasks.spawn(async move { journal.append(entry(&format!("{i}"), 1)).await });
    }
    tokio::task::yield_now().await;
    let clone = journal.clone();
    journal.close().await;
    assert!(matches!(
        clone.append(entry("late", 1)).await,
        Err(AppendError::Closed)
    ));
    let acked = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|r| r.is_ok())
        .count() as u64;
    assert_eq!(sink.await.unwrap(), acked);
    assert_eq!(idle.position(), 0);
    drop(clone);
    let (journal, recovery) = Journal::open(options(&dir)).unwrap();
    assert_eq!(recovery.next_seq, acked + 1);
    assert_eq!(
        journal.cursor("waiting", Start::Oldest).unwrap().position(),
        acked
    );
    assert!(
        journal
            .roots()
            .borrow()
            .as_ref()
            .is_none_or(|seal| seal.by == SealedBy::Writer)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_sink_holds_nobody_back_and_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let mut fast = journal.cursor("fast", Start::Oldest).unwrap();
    let mut slow = journal.cursor("slow", Start::Oldest).unwrap();
    // More than is kept decoded in memory.
    for seq in 1..=900 {
        journal.append(noise(20_000)).await.unwrap();
        assert_eq!(fast.next().await.unwrap().unwrap().first_seq, seq);
        fast.advance(seq);
    }
    for seq in 1..=900 {
        let frame = slow.next().await.unwrap().unwrap();
        assert_eq!((frame.first_seq, frame.gap), (seq, None));
    }
    slow.advance(700);
    slow.rewind();
    assert_eq!(slow.next().await.unwrap().unwrap().first_seq, 701);
    slow.advance(300);
    assert_eq!(slow.position(), 700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_journal_refuses_sources_but_not_our_own_and_resumes_when_sinks_move() {
    let dir = tempfile::tempdir().unwrap();
    let small = JournalOptions {
        quota_bytes: 1 << 20,
        reserved_bytes: 128 << 10,
        ..options(&dir)
    };
    let (journal, _) = Journal::open(small).unwrap();
    let mut cursor = journal.cursor("sink", Start::Oldest).unwrap();
    let mut seen = Vec::new();
    let mut acked = 0;
    loop {
        seen.push(*journal.pressure().borrow());
        match journal.append(noise(8_000)).await {
            Ok(range) => acked = range.start,
            Err(AppendError::Full {
                used_bytes,
                quota_bytes,
            }) => {
                assert!(used_bytes > 800 << 10 && quota_bytes == 1 << 20);
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    seen.dedup();
    assert_eq!(
        seen[..3],
        [Pressure::Normal, Pressure::Warn, Pressure::Slow]
    );
    assert_eq!(*journal.pressure().borrow(), Pressure::Full);
    journal.append_own(noise(8_000)).await.unwrap();
    assert!(matches!(
        journal.append(noise(8_000)).await,
        Err(AppendError::Full { .. })
    ));
    for _ in 0..=acked {
        let frame = cursor.next().await.unwrap().unwrap();
        cursor.advance(frame.end_seq - 1);
    }
    let pressure = journal.pressure();
    until(|| *pressure.borrow() == Pressure::Normal).await;
    journal.append(noise(8_000)).await.unwrap();
    assert!(journal.losses().is_empty());
    assert!(journal.metrics().refused_appends.get() >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drop_oldest_takes_everything_and_tells_what_it_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let small = JournalOptions {
        quota_bytes: 1 << 20,
        reserved_bytes: 128 << 10,
        when_full: WhenFull::DropOldest,
        ..options(&dir)
    };
    let (journal, _) = Journal::open(small.clone()).unwrap();
    journal.cursor("dead", Start::Oldest).unwrap();
    for seq in 1..=300 {
        assert_eq!(journal.append(noise(8_000)).await.unwrap().start, seq);
    }
    let losses = journal.losses();
    assert_eq!(losses.len(), 1, "neighbours become one record");
    let gap = losses[0].gap;
    assert_eq!((gap.first_seq, gap.reason), (1, GapReason::Dropped));
    assert!(losses[0].is_signed());
    assert_eq!(journal.metrics().dropped_events.get(), gap.last_seq);
    journal.close().await;
    let (journal, _) = Journal::open(small).unwrap();
    assert_eq!(journal.losses(), losses);
    let mut cursor = journal.cursor("dead", Start::Newest).unwrap();
    let frame = cursor.next().await.unwrap().unwrap();
    assert_eq!((frame.first_seq, frame.gap), (gap.last_seq + 1, Some(gap)));
    let mut cursor = journal.cursor("dead", Start::Newest).unwrap();
    let frame = cursor.next().await.unwrap().unwrap();
    assert_eq!((frame.first_seq, frame.gap), (gap.last_seq + 1, Some(gap)));
    let report = offline::verify(dir.path().join("journal")).unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!(report.losses, losses);
}

#[tokio::test]
async fn what_breaks_a_limit_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let too_large = |entry: Entry| {
        let journal = journal.clone();
        async move {
            matches!(
                journal.append(entry).await,
                Err(AppendError::TooLarge { .. })
            )
        }
    };
    assert!(
        too_large(Entry {
            body: vec![0; MAX_ENTRY_BYTES],
            events: 1,
            state: None
        })
        .await
    );
    assert!(too_large(entry("x", MAX_FRAME_EVENTS + 1)).await);
    assert!(matches!(
        journal.append(bookmark("x", "\0loss/1", "forged")).await,
        Err(AppendError::ReservedKey)
    ));
    assert!(too_large(bookmark("x", &"k".repeat(MAX_STATE_KEY_BYTES + 1), "v")).await);
    assert!(
        journal
            .append(Entry {
                body: vec![0; MAX_ENTRY_BYTES - 100],
                events: 1,
                state: None
            })
            .await
            .is_ok()
    );
    assert!(matches!(
        journal.cursor("", Start::Oldest),
        Err(CursorError::Name)
    ));
}

/// The limit of all states is for those that are new: what is known goes on.
#[tokio::test]
async fn full_states_refuse_what_grows_and_take_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    let put = |key: usize, bytes: usize| {
        let (journal, value) = (journal.clone(), "v".repeat(bytes));
        async move {
            journal
                .append(bookmark("", &format!("wef/{key}"), &value))
                .await
        }
    };
    let mut keys = 0;
    while put(keys, 1 << 20).await.is_ok() {
        keys += 1;
    }
    let (bytes, limit) = journal.state_bytes();
    assert_eq!(keys, 7);
    assert!(bytes <= limit && limit - bytes < (1 << 20) + 1024);
    put(3, 1 << 20).await.unwrap();
    let new = put(keys, 1 << 20).await.unwrap_err();
    assert!(matches!(new, AppendError::StatesFull { .. }), "{new}");
    for small in keys..keys + 3 {
        put(small, 1000).await.unwrap();
    }
    // What is known may grow, and not for ever.
    put(keys, 1 << 20).await.unwrap();
    put(keys + 1, 1 << 20).await.unwrap();
    let grown = put(keys + 2, 1 << 20).await.unwrap_err();
    assert!(matches!(grown, AppendError::StatesFull { .. }), "{grown}");
    put(keys + 3, 1000).await.unwrap_err();
    // What the program says of itself is always kept.
    let own = journal.append_own(bookmark("", "own/told", "a loss"));
    own.await.unwrap();
    for known in 0..3 {
        journal.forget(&format!("wef/{known}")).await.unwrap();
    }
    assert_eq!(journal.state("wef/0"), None);
    put(keys + 3, 1000).await.unwrap();
    journal.close().await;
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    assert_eq!(journal.states("wef/").len(), 8);
    assert_eq!(journal.states("own/").len(), 1);
}

#[tokio::test]
async fn cursors_are_named_as_sinks_are_and_go_when_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    journal.append(entry("a", 3)).await.unwrap();
    let odd = "../../Syslog\0 NÜL:\\";
    let cursor = journal.cursor(odd, Start::Newest).unwrap();
    assert_eq!(cursor.position(), 3);
    journal.cursor(&"x".repeat(255), Start::Oldest).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(dir.path().join("journal/cursors"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    insta::assert_snapshot!(names.join("\n"), @r"
    %2e%2e%2f%2e%2e%2f%53yslog%00%20%4e%c3%9c%4c%3a%5c.cursor
    sha256-d22609da3ae3956ca4877056a8e580eed744a6f7d7cfa5b19dd88d52fcc0d435.cursor
    ");
    journal.append(entry("b", 2)).await.unwrap();
    let label = CursorLabel {
        sink: odd.to_owned(),
    };
    let lag = |journal: &Journal| {
        let lag = &journal.metrics().cursor_lag;
        lag.get(&label).map(|lag| lag.get())
    };
    journal.inner.shared.publish_lag();
    assert_eq!(lag(&journal), Some(2));
    assert!(journal.remove_cursor(odd).unwrap());
    assert!(!journal.remove_cursor(odd).unwrap());
    assert_eq!(journal.cursors().len(), 1);
    journal.inner.shared.publish_lag();
    assert_eq!(lag(&journal), None, "what is gone lags no more");
}

#[tokio::test]
async fn a_sink_that_lost_what_it_took_gets_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    for name in ["a", "b", "c"] {
        journal.append(entry(name, 1)).await.unwrap();
    }
    let mut cursor = journal.cursor("sink", Start::Oldest).unwrap();
    cursor.advance(3);
    cursor.take_back(1).unwrap();
    assert_eq!(cursor.position(), 1);
    assert_eq!(cursor.next().await.unwrap().unwrap().first_seq, 2);
    drop(cursor);
    journal.close().await;
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    assert_eq!(journal.cursors(), [("sink".to_owned(), 1)]);
}

#[tokio::test]
async fn a_sink_that_gives_up_waiting_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    journal.append(entry("a", 1)).await.unwrap();
    let mut cursor = journal.cursor("sink", Start::Oldest).unwrap();
    for _ in 0..20 {
        // Dropped at its first pause, which is in the middle of a read from disk.
        tokio::select! {
            biased;
            frame = cursor.next() => { assert_eq!(frame.unwrap().unwrap().first_seq, 1); cursor.rewind(); }
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(cursor.next().await.unwrap().unwrap().first_seq, 1);
}

#[tokio::test]
async fn a_root_can_leave_before_its_segment_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(options(&dir)).unwrap();
    assert_eq!(journal.seal().await, None);
    journal.append(entry("a", 5)).await.unwrap();
    let first = journal.seal().await.unwrap();
    assert_eq!((first.first_seq, first.end_seq, first.segment), (1, 6, 1));
    assert_eq!(
        journal.seal().await.as_ref(),
        Some(&first),
        "nothing new to seal"
    );
    journal.append(entry("b", 1)).await.unwrap();
    let second = journal.seal().await.unwrap();
    assert_eq!((second.previous_root, second.segment), (first.root, 2));
    assert!(second.is_signed() && second.public_key == journal.public_key());
}

/// The folder of keys of a journal that has signed a root.
async fn keys_of_a_sealed_journal(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let (journal, _) = Journal::open(options(dir)).unwrap();
    journal.append(entry("a", 1)).await.unwrap();
    journal.close().await;
    dir.path().join("journal/keys")
}

#[tokio::test]
async fn a_public_key_that_was_damaged_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = keys_of_a_sealed_journal(&dir).await.join("journal.pub");
    let whole = std::fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        // Of most digits that makes another digit.
        damaged[at] ^= 0x01;
        std::fs::write(&file, damaged).unwrap();
        Journal::open(options(&dir)).unwrap().0.close().await;
        assert_eq!(std::fs::read(&file).unwrap(), whole, "byte {at}");
    }
}

#[tokio::test]
async fn halves_of_two_keys_are_refused_where_nothing_was_signed() {
    let dir = tempfile::tempdir().unwrap();
    Journal::open(options(&dir)).unwrap().0.close().await;
    let journal = dir.path().join("journal");
    std::fs::remove_file(journal.join("keys/journal.pub")).unwrap();
    for file in std::fs::read_dir(&journal).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wj") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(journal.join("keys/journal.pub"), "00".repeat(32)).unwrap();
    let error = Journal::open(options(&dir)).unwrap_err();
    assert!(matches!(error, OpenError::Key(KeyError::Mismatch)));
}

#[tokio::test]
async fn a_private_key_that_was_damaged_is_not_signed_with() {
    let dir = tempfile::tempdir().unwrap();
    keys_of_a_sealed_journal(&dir).await;
    let keys = dir.path().join("journal/keys");
    let whole = std::fs::read(keys.join("journal.key")).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        std::fs::write(keys.join("journal.key"), damaged).unwrap();
        let error = Journal::open(options(&dir)).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Key(KeyError::Mismatch | KeyError::Malformed)
            ),
            "byte {at}: {error}"
        );
    }
    std::fs::write(keys.join("journal.key"), &whole).unwrap();
    Journal::open(options(&dir)).unwrap().0.close().await;
    std::fs::remove_file(keys.join("journal.pub")).unwrap();
    Journal::open(options(&dir)).unwrap().0.close().await;
    let text = std::fs::read(keys.join("journal.pub")).unwrap();
    std::fs::remove_file(keys.join("journal.key")).unwrap();
    Journal::open(options(&dir)).unwrap().0.close().await;
    assert_ne!(std::fs::read(keys.join("journal.pub")).unwrap(), text);
}
