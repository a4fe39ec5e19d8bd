//! Power cuts, full disks and the memory of a long run. Needs root: `./test rigs`.

mod memory;
mod receiver;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;

use crate::support::disk::{Disk, Mount};
use crate::support::ledger::{Ledger, repeated};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, chance, wait_until};

const CUTS: usize = 10;

/// The longest time between two cuts.
const BETWEEN_CUTS_MS_MAX: u64 = 1500;

/// Where Debian puts the library that makes fsync and its like do nothing.
const NO_SYNC: &str = "/usr/lib/x86_64-linux-gnu/libeatmydata.so";

/// Segments as small as can be: the journal soon no longer has what the lake has taken over.
const SMALL_SEGMENTS: &str = "[journal]\nsegment_size = \"1 MiB\"\n";

/// The file of the journal's first segment.
const FIRST_SEGMENT: &str = "0000000000000001.wj";

/// What was known just before the power was cut, and the disk at that moment.
struct Cut {
    /// What the fleet knew to be acknowledged.
    ledger: Ledger,
    /// The lake had said that everything up to this sequence is in it.
    committed: u64,
    image: PathBuf,
}

/// The rows of a lake by sequence: which record each is, once for every time it is there.
type Rows = BTreeMap<u64, Vec<String>>;

#[test]
#[ignore = "needs root: ./test rigs"]
fn what_was_acknowledged_survives_power_cuts() {
    let scratch = Scratch::new();
    let disk = Disk::new(&scratch);
    let mut service = Service::new(&scratch);
    service.configure(SMALL_SEGMENTS);
    service.keep_data_at(disk.mounted.join("windrow"));
    let (cuts, written) = cut_the_power(&mut service, &disk, || ());
    service.terminate().expect(0);
    assert!(
        !disk
            .mounted
            .join("windrow/journal")
            .join(FIRST_SEGMENT)
            .exists(),
        "the journal still has everything: losses of the lake would not show"
    );
    for (number, cut) in cuts.iter().enumerate() {
        let after = Mount::image(&scratch, &format!("after-{number}"), &cut.image);
        let data = after.path.join("windrow");
        service.keep_data_at(data.clone());
        let alone = lake_alone(&service, &data).expect("a lake that can be read");
        assert_eq!(
            up_to(&alone, cut.committed),
            up_to(&written, cut.committed),
            "cut {number}: the lake had committed {}",
            cut.committed
        );
        let lake = service.lake();
        assert_eq!(
            cut.ledger.missing(&lake),
            [""; 0],
            "cut {number}, read without the service"
        );

        service.start();
        wait_until("what was acknowledged before the cut", || {
            cut.ledger.missing(&service.lake()).is_empty()
        });
        assert_eq!(repeated(&service.lake()), [""; 0], "cut {number}");
        service.terminate().expect(0);
        run(&scratch, &service.arguments("verify")).expect(0);
        // Once more, and now all of it is in the table: no transaction was taken up twice.
        let alone = lake_alone(&service, &data).expect("a lake that can be read");
        assert_eq!(cut.ledger.missing(&service.lake()), [""; 0], "cut {number}");
        let twice: Vec<_> = alone.iter().filter(|(_, rows)| rows.len() > 1).collect();
        assert!(twice.is_empty(), "cut {number}: {twice:?}");
    }
}

/// The rig can tell: without fdatasync acknowledged records are gone, and rows of the lake too.
#[test]
#[ignore = "needs root: ./test rigs"]
fn without_fdatasync_the_rig_sees_the_loss() {
    assert!(
        Path::new(NO_SYNC).is_file(),
        "libeatmydata1 is not installed"
    );
    let scratch = Scratch::new();
    let disk = Disk::new(&scratch);
    let mut service = Service::new(&scratch);
    service.configure(SMALL_SEGMENTS);
    service.keep_data_at(disk.mounted.join("windrow"));
    service.environment("LD_PRELOAD", NO_SYNC);
    let (cuts, written) = cut_the_power(&mut service, &disk, || ());
    service.kill();
    let (mut acknowledged, mut committed) = (0, 0);
    for (number, cut) in cuts.iter().enumerate() {
        let after = Mount::image(&scratch, &format!("after-{number}"), &cut.image);
        let data = after.path.join("windrow");
        service.keep_data_at(data.clone());
        // A folder that cannot even be opened is a loss too.
        let lake = service.try_lake();
        acknowledged += usize::from(lake.is_none_or(|lake| !cut.ledger.missing(&lake).is_empty()));
        let alone = lake_alone(&service, &data).unwrap_or_default();
        let expected = up_to(&written, cut.committed);
        committed += usize::from(up_to(&alone, cut.committed) != expected);
    }
    eprintln!(
        "lost without fdatasync: of {CUTS} cuts {acknowledged} acknowledged records, {committed} rows of the lake"
    );
    assert!(
        acknowledged > 0,
        "{CUTS} cuts without fdatasync and nothing acknowledged lost: the rig proves nothing"
    );
    assert!(
        committed > 0,
        "{CUTS} cuts without fdatasync and the lake lost no row: the rig proves nothing"
    );
}

#[test]
#[ignore = "needs root: ./test rigs"]
fn a_full_disk_is_waited_out() {
    let scratch = Scratch::new();
    let disk = Mount::memory(&scratch, "disk", "size=48m");
    let mut service = Service::new(&scratch);
    service.keep_data_at(disk.path.join("windrow"));
    service.configure("[journal]\nquota = \"1 GB\"\nsegment_size = \"8 MiB\"\n");
    service.start();
    let ballast = disk.path.join("ballast");
    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "10", "--rate", "200", "--for", "10m"],
    );
    wait_until("some events", || fleet.ledger().count() > 1000);
    fill(&ballast);
    let full = wait_for_standstill(&fleet);
    // Well it is not, and says so; but it is there.
    assert!(service.is_running(), "{}", service.program().stderr());
    assert!(fleet.is_running(), "the fleet waits");

    // It says that it is well as soon as it is, and not when somebody tries.
    fleet.pause();
    let said = service.get("/healthz").unwrap();
    assert!(said.contains("the disk is full"), "{said}");
    let folder = disk.path.join("windrow/journal");
    assert_eq!(
        service.status()["journal"]["full_disk"],
        folder.to_str().unwrap()
    );
    std::fs::remove_file(&ballast).unwrap();
    wait_until("the service to be well", || service.is_well());
    fleet.resume();
    wait_until("events again, by itself", || {
        fleet.ledger().count() > full + 1000
    });
    let ledger = fleet.stop();
    wait_until("every record in the lake", || {
        ledger.missing(&service.lake()).is_empty()
    });
    assert_eq!(repeated(&service.lake()), [""; 0], "in the lake");
    service.terminate().expect(0);
}

/// Takes an image of the disk at random moments under load, `before_each` right before it. Answers with the cuts, and with all
/// the rows that the lake got from the whole run.
fn cut_the_power(
    service: &mut Service<'_>,
    disk: &Disk,
    mut before_each: impl FnMut(),
) -> (Vec<Cut>, Rows) {
    let mut random = chance();
    service.start();
    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "10", "--rate", "200", "--for", "10m"],
    );
    let mut cuts: Vec<Cut> = Vec::new();
    for number in 0..CUTS {
        let before = cuts.last().map_or(0, |cut| cut.ledger.count());
        wait_until("events to be acknowledged", || {
            fleet.ledger().count() > before
        });
        std::thread::sleep(Duration::from_millis(
            random.random_range(0..BETWEEN_CUTS_MS_MAX),
        ));
        let committed = service.status()["lake"]["position"].as_u64().unwrap();
        let ledger = fleet.ledger();
        before_each();
        cuts.push(Cut {
            ledger,
            committed,
            image: disk.snapshot(number),
        });
    }
    assert!(fleet.is_running(), "the fleet ended early");
    drop(fleet);
    let last = cuts.last().map_or(0, |cut| cut.committed);
    assert!(last > 0, "nothing was ever committed");
    (cuts, rows(&service.query(EVERY_ROW)))
}

/// Every row of the events that went through the journal.
const EVERY_ROW: &str = "select seq, computer, channel, record_id, length(event_xml) bytes \
                         from events where seq is not null";

/// What is in the table without what the journal could add to it; nothing when it cannot be read.
fn lake_alone(service: &Service<'_>, data: &Path) -> Option<Rows> {
    let (journal, aside) = (data.join("journal"), data.join("journal-aside"));
    let had_one = std::fs::rename(&journal, &aside).is_ok();
    let found = service.try_query(EVERY_ROW);
    if had_one {
        std::fs::rename(&aside, &journal).unwrap();
    }
    found.map(|found| rows(&found))
}

fn rows(found: &[serde_json::Value]) -> Rows {
    let mut rows = Rows::new();
    for row in found {
        let which = format!(
            "{} {} {}, {} bytes",
            row["computer"], row["channel"], row["record_id"], row["bytes"]
        );
        rows.entry(row["seq"].as_u64().unwrap())
            .or_default()
            .push(which);
    }
    rows
}

fn up_to(rows: &Rows, seq: u64) -> Vec<(&u64, &Vec<String>)> {
    rows.range(..=seq).collect()
}

/// Waits until nothing more is acknowledged, and answers with how much was.
fn wait_for_standstill(fleet: &crate::support::service::Fleet) -> u64 {
    let mut last = (0, 0);
    wait_until("the full disk to be felt", || {
        let count = fleet.ledger().count();
        last = if count == last.0 {
            (count, last.1 + 1)
        } else {
            (count, 0)
        };
        // The fleet writes its ledger every second at least; looks are 20 ms apart.
        last.1 > 200
    });
    last.0
}

/// Writes a file until the disk is full.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    let block = vec![0; 64 << 10];
    while file.write_all(&block).is_ok() {}
}
