//! Files of events.

use windrow_formats::event::{Event, Index};

use super::*;
use crate::journal::Entry;
use crate::sources::evtx::tests::writer;

fn evtx() -> Taking {
    Taking::Events {
        form: EventForm::Evtx,
        settled: SignedDuration::from_secs(1),
    }
}

/// A log of three chunks, with the events 1 to 100.
fn log() -> Vec<u8> {
    let chunks = [1..=40, 41..=80, 81..=100].map(writer::chunk);
    writer::file(&chunks)
}

impl Bench {
    /// Record ids of the events in the journal after a sequence, in its order.
    fn events_after(&mut self, seq: Seq) -> Vec<u64> {
        let journal = self.directory().keeper.journal().clone();
        let mut ids = Vec::new();
        let mut index = Index::default();
        for frame in journal.read_after(seq) {
            for entry in frame.unwrap().entries {
                let batch = Batch::decode(&entry.body).unwrap();
                for record in batch.records() {
                    let record = record.unwrap();
                    record.read_index(&mut index).unwrap();
                    ids.extend(Event::new(record.text, &index).record_id());
                }
            }
        }
        ids
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_log_that_rests_are_taken_once() {
    let mut bench = Bench::new(evtx());
    bench.write("web01/Security.evtx", log());
    assert_eq!(bench.look().await.waiting_bytes, log().len() as u64);
    let round = bench.look().await;
    assert_eq!(
        (round.events, round.damaged, round.waiting_bytes),
        (100, 0, 0)
    );
    for _ in 0..2 {
        assert_eq!(bench.look().await.events, 0);
        bench.restart().await;
    }
    // By another name it is the same.
    let renamed = bench.path("web01/Archive.evtx");
    fs::rename(bench.path("web01/Security.evtx"), renamed).unwrap();
    bench.look().await;
    assert_eq!(bench.look().await.events, 0);
    assert_eq!(bench.events_after(0), (1..=100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_log_that_changes_what_is_new_is_taken() {
    let mut bench = Bench::new(evtx());
    let logs = [
        // It grows; then it is full, and its oldest records go; then it is cleared and grows again.
        (vec![1..=40, 41..=80], 80, 0),
        (vec![1..=40, 41..=80, 81..=100], 20, 0),
        (vec![1..=40, 41..=80, 81..=110, 111..=112], 12, 0),
        (vec![81..=110, 111..=140], 28, 0),
        (vec![1..=5], 5, 1),
    ];
    let mut taken = 0;
    for (number, (chunks, events, replaced)) in logs.into_iter().enumerate() {
        let chunks: Vec<Vec<u8>> = chunks.into_iter().map(writer::chunk).collect();
        bench.write("Security.evtx", writer::file(&chunks));
        bench.look().await;
        if number % 2 == 1 {
            bench.restart().await;
            bench.look().await;
        }
        let (mut sum, mut anew) = (0, 0);
        for _ in 0..2 {
            let round = bench.look().await;
            (sum, anew) = (sum + round.events, anew + round.replaced);
        }
        assert_eq!((sum, anew), (events, replaced), "{number}");
        taken += events;
    }
    let all = bench.events_after(0);
    assert_eq!(all.len() as u64, taken);
    assert_eq!(all[..140], (1..=140).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_behind_the_last_event_that_was_taken() {
    for taken in [1, 40, 52, 99] {
        let mut bench = Bench::new(evtx());
        bench.write("Security.evtx", log());
        // As a crash between two batches leaves it.
        let path = bench.path("Security.evtx");
        let (root, journal) = (Root::open(&bench.watch.root).unwrap(), {
            let directory = bench.directory();
            directory.keeper.journal().clone()
        });
        let scan = root.scan(&bench.watch).unwrap();
        let found = &scan.files[0];
        let mut known = Known::new("Security.evtx");
        known.taken.begin(found.stamp);
        let file = fs::File::open(&path).unwrap();
        known.taken.end_at(file.file(), found.stamp).unwrap();
        known.taken.line += taken;
        let state = known.taken.change(known::key("iis", found.place));
        let entry = Entry {
            body: b"before".to_vec(),
            events: 1,
            state: Some(state),
        };
        journal.append(entry).await.unwrap();
        drop(journal);
        bench.restart().await;
        bench.look().await;
        assert_eq!(bench.look().await.events, 100 - taken);
        let rest: Vec<u64> = (taken + 1..=100).collect();
        assert_eq!(bench.events_after(1), rest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_events_is_told_and_holds_up_nothing() {
    let mut bench = Bench::new(evtx());
    bench.write("a.evtx", "no log at all");
    bench.write("b.evtx", "");
    let mut damaged = log();
    // Nothing is left of the second chunk.
    damaged[4096 + 65536..][..65536].fill(0xff);
    bench.write("c.evtx", damaged);
    bench.look().await;
    let round = bench.look().await;
    assert_eq!(round.failed, 2, "{round:?}");
    assert!(round.events == 60 && round.damaged > 0, "{round:?}");
    assert_eq!(round.waiting_bytes, 0);
    let again = bench.look().await;
    assert_eq!((again.failed, again.events, again.damaged), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_gives_its_events_of_the_machine_whose_it_is() {
    let Some(trace) = corpus("etl/AMSITrace.etl") else {
        return;
    };
    let mut bench = Bench::new(Taking::Events {
        form: EventForm::Etl,
        settled: SignedDuration::from_secs(1),
    });
    bench.watch.machine = Machine::Folder("collector".to_owned());
    bench.write("web01/a.etl", trace);
    bench.look().await;
    let round = bench.look().await;
    assert!(round.events > 0, "{round:?}");
    let journal = bench.directory().keeper.journal().clone();
    let mut events = 0;
    for frame in journal.read_after(0) {
        for entry in frame.unwrap().entries {
            let batch = Batch::decode(&entry.body).unwrap();
            assert_eq!(
                (batch.header.kind, &*batch.header.source),
                (Kind::Etl, "web01")
            );
            events += u64::from(batch.events());
        }
    }
    assert_eq!(events, round.events);
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
fn corpus(name: &str) -> Option<Vec<u8>> {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let bytes = fs::read(corpus.join(name)).ok();
    if bytes.is_none() {
        eprintln!("skipped: no corpus with {name}");
    }
    bytes
}
