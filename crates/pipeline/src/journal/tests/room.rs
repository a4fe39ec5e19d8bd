//! What happens when there is no room left, by quota or on the disk.

use super::*;

fn small(dir: &tempfile::TempDir) -> JournalOptions {
    JournalOptions {
        quota_bytes: 1 << 20,
        reserved_bytes: 128 << 10,
        ..options(dir)
    }
}

/// Appends until the journal refuses.
async fn fill(journal: &Journal) {
    while journal.append(noise(8_000)).await.is_ok() {}
    assert_eq!(*journal.pressure().borrow(), Pressure::Full);
}

/// Whoever watches the pressure writes a record of each change: more than one a state feeds itself.
#[tokio::test]
async fn a_full_journal_says_so_once_however_often_it_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(small(&dir)).unwrap();
    fill(&journal).await;
    let mut pressure = journal.pressure();
    for _ in 0..10 {
        assert!(journal.append(noise(8_000)).await.is_err());
        journal.append_own(noise(500)).await.unwrap();
        assert!(!pressure.has_changed().unwrap());
        assert_eq!(*pressure.borrow_and_update(), Pressure::Full);
    }
    // The reserve is used up too: that is nothing new either.
    while journal.append_own(noise(8_000)).await.is_ok() {}
    assert!(!pressure.has_changed().unwrap());
}

#[test]
fn a_warning_lasts_until_the_line_is_well_undershot() {
    let steps = [79, 80, 79, 76, 74, 81, 96, 94, 89, 100, 99, 74];
    let mut seen = Vec::new();
    let mut pressure = Pressure::Normal;
    for used in steps {
        pressure = pressure.then(used, 100);
        seen.push(pressure);
    }
    use Pressure::{Full, Normal, Slow, Warn};
    let wanted = [
        Normal, Warn, Warn, Warn, Normal, Warn, Slow, Slow, Warn, Full, Slow, Normal,
    ];
    assert_eq!(seen, wanted);
}
