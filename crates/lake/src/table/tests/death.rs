//! Work on the lake is cut off at each change that it makes on the disk, one after the other: by death, and by a full disk.
//! Whatever was done by then, every event is there once when the work is done again, counts tell the same, and what was
//! left behind goes.
//!
//! Whoever dies is a process of its own with a library ahead of libc that counts its changes (`faults.c`): nothing of it
//! can tidy up after its end, and no way to the disk goes past it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::*;
use crate::file_rows::FileTable;
use crate::lake::Lake;
use crate::retention::Retention;
use crate::testing::write;
use crate::{Format, QueryLimits, Tail};

/// Signal that ends a process at once.
const KILL: i32 = 9;

/// How often it tries.
const TRIES: u32 = 5;

/// More changes than any work makes.
const CHANGES: u32 = 100_000;

/// What is done to a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Rows of two days as the journal's next.
    Append,
    /// The commit with which a checkpoint is due, and old log entries go.
    Checkpoint,
    /// Rows of which some are there.
    AppendNew,
    /// Requests, as the first of their table.
    Requests,
    RollUp,
    /// Merges the files of a day.
    KeepUp,
    /// Takes out rows, texts and a date.
    Expire,
    /// Removes files that were merged and files that no commit names.
    Vacuum,
}

const ALL: [Work; 8] = [
    Work::Append,
    Work::Checkpoint,
    Work::AppendNew,
    Work::Requests,
    Work::RollUp,
    Work::KeepUp,
    Work::Expire,
    Work::Vacuum,
];

/// Two days from now: whatever was replaced or left behind may go.
fn much_later() -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_hours(49)
}

fn retention() -> Retention {
    Retention {
        tables: [("events".to_owned(), 25)].into(),
        channels: [
            ("security".to_owned(), Some(24)),
            ("system".to_owned(), Some(90)),
        ]
        .into(),
        text: Some(24),
        ..Retention::default()
    }
}

fn requests() -> Rows {
    let log = "#Fields: date time cs-uri-stem sc-status\n2025-11-05 00:00:00 /a 200\n2025-11-06 00:00:00 /b 500\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("u_ex251105.log");
    fs::write(&path, log).unwrap();
    let mut builder = crate::RequestBuilder::new(at("2025-11-07T00:00:00Z"));
    let mut file = crate::RequestFile::open(&path).unwrap();
    while file
        .read(&mut builder, |_| {}, |line, why| panic!("{line}: {why}"))
        .unwrap()
        .is_some()
    {}
    builder.finish()
}

impl Work {
    fn named(name: &str) -> Work {
        let mut all = ALL.into_iter();
        all.find(|work| format!("{work:?}") == name).unwrap()
    }

    /// Makes a lake on which there is something to do.
    async fn prepare(self, dir: &Path) {
        let lake = Lake::open(dir).await.unwrap();
        match self {
            Work::Append | Work::Requests => {
                append_one(&lake, 1).await.unwrap();
                lake.roll_up().await.unwrap();
            }
            Work::Checkpoint => {
                for seq in 1..CHECKPOINT_COMMITS - 1 {
                    append_one(&lake, seq).await.unwrap();
                }
                lake.roll_up().await.unwrap();
                age(dir, 3 * 86_400);
            }
            Work::AppendNew => {
                lake.append_new(rows(&logons(3), None), None).await.unwrap();
                lake.roll_up().await.unwrap();
            }
            Work::RollUp => {
                append_one(&lake, 1).await.unwrap();
                lake.roll_up().await.unwrap();
                append_one(&lake, 2).await.unwrap();
                append_one(&lake, 3).await.unwrap();
            }
            Work::KeepUp | Work::Vacuum => {
                for seq in 1..=COMPACT_FILES as u64 {
                    append_one(&lake, seq).await.unwrap();
                }
                if self == Work::Vacuum {
                    lake.keep_up(at("2025-11-07T00:00:00Z"))
                        .await
                        .whole()
                        .unwrap();
                    let never = rows(&[logon(9, 9, 0)], None);
                    lake.events().write_files(never).await.unwrap();
                }
            }
            Work::Expire => {
                let mut events = logons(6);
                events[2] = events[2].replace(">Security<", ">System<");
                events[3] = events[3].replace(">Security<", ">Other<");
                events[4] = logon(1, 5, -86_400);
                events[5] = logon(1, 6, 86_400);
                let txn = Some(("journal", 6));
                lake.append(rows(&events, Some(1)), txn).await.unwrap();
                lake.roll_up().await.unwrap();
            }
        }
    }

    /// Does it, as after each start until it has happened.
    async fn work(self, dir: &Path) -> Result<(), LakeError> {
        let lake = Lake::open(dir).await?;
        self.on(&lake).await
    }

    async fn on(self, lake: &Lake) -> Result<(), LakeError> {
        match self {
            Work::Append => {
                let events = [logon(1, 2, 0), logon(1, 3, 86_400)];
                let txn = Some(("journal", 3));
                lake.append(rows(&events, Some(2)), txn).await?;
            }
            Work::Checkpoint => {
                append_one(lake, CHECKPOINT_COMMITS - 1).await?;
            }
            Work::AppendNew => {
                let mut events = logons(4);
                events.push(logon(2, 1, 86_400));
                lake.append_new(rows(&events, None), None).await?;
            }
            Work::Requests => {
                lake.append_of_files(FileTable::Requests, requests(), Some(("import", 1)))
                    .await?;
            }
            Work::RollUp => {
                lake.roll_up().await?;
            }
            Work::KeepUp => {
                lake.keep_up(at("2025-11-07T00:00:00Z")).await.whole()?;
            }
            Work::Expire => {
                let today = "2025-11-30".parse().unwrap();
                lake.expire(&retention(), today, crate::Run::Real).await?;
            }
            Work::Vacuum => {
                lake.vacuum(much_later()).await.whole()?;
            }
        }
        Ok(())
    }
}

/// Not a test by itself: the others start it in a folder that says what it is to do.
#[tokio::test]
#[ignore = "does nothing where it is not told to"]
async fn works() {
    let Ok(name) = fs::read_to_string("work") else {
        return;
    };
    let work = Work::named(name.trim());
    let dir = std::env::current_dir().unwrap().join("lake");
    // As a service does that goes on living.
    let mut said = String::new();
    for _ in 0..TRIES {
        match work.work(&dir).await {
            Ok(()) => break,
            Err(error) => said += &windrow_formats::text::Chain(&error).to_string(),
        }
    }
    fs::write("said", said).unwrap();
}

/// The library, and a folder for everything.
struct Rig {
    folder: tempfile::TempDir,
    work: Work,
    before: String,
    after: String,
    /// How many changes it makes where nothing happens.
    changes: u32,
}

/// What a disk does from some change on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// It is the last thing that its process sees.
    Ends,
    /// It is full for so many changes.
    Full(u32),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// It went well at once.
    Nothing,
    /// It died, or said that there is no room.
    Something,
}

impl Rig {
    async fn new(work: Work) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("faults.c");
        fs::write(&source, include_str!("../../testing/faults.c")).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("faults.so"))
            .arg(source)
            .status()
            .unwrap();
        assert!(built.success(), "the build needs a C compiler as well");
        let made = folder.path().join("made");
        Box::pin(work.prepare(&made)).await;
        let before = told(&made).await;
        let done = folder.path().join("done");
        copy(&made, &done);
        Box::pin(work.work(&done)).await.unwrap();
        let after = told(&done).await;
        let mut rig = Rig {
            folder,
            work,
            before,
            after,
            changes: 0,
        };
        assert_eq!(Box::pin(rig.meets(Disk::Ends, CHANGES)).await, Met::Nothing);
        let counted = fs::read_to_string(rig.folder.path().join("changes")).unwrap();
        rig.changes = counted.parse().unwrap();
        assert!(rig.changes >= 5, "{work:?} made {counted} changes");
        rig
    }

    /// Has its change of this number meet a disk that does this.
    async fn meets(&self, disk: Disk, change: u32) -> Met {
        let place = tempfile::tempdir_in(&self.folder).unwrap();
        let dir = place.path().join("lake");
        copy(&self.folder.path().join("made"), &dir);
        let reader = Lake::open_to_read(&dir).await.unwrap();
        let begun = reader.query(EVENTS, Tail::default(), QueryLimits::default());
        let begun = begun.await.unwrap();

        fs::write(place.path().join("work"), format!("{:?}", self.work)).unwrap();
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker
            .args([
                "table::tests::death::works",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .current_dir(&place)
            .env("LD_PRELOAD", self.folder.path().join("faults.so"))
            .env("FAULT_UNDER", &dir)
            .env("FAULT_AT", change.to_string())
            .env("FAULT_COUNT", self.folder.path().join("changes"))
            .stdin(Stdio::null());
        if let Disk::Full(changes) = disk {
            worker.env("FAULT_FULL", changes.to_string());
        }
        let ended = worker.output().unwrap();
        let said = fs::read_to_string(place.path().join("said")).unwrap_or_default();
        let met = match (disk, ended.status.signal(), ended.status.code()) {
            (Disk::Ends, Some(KILL), _) => Met::Something,
            (_, None, Some(0)) if said.is_empty() => Met::Nothing,
            (Disk::Full(_), None, Some(0)) if said.contains("No space left") => Met::Something,
            how => panic!("{how:?} at change {change}: {said} {ended:?}"),
        };

        let what = format!("{:?}, {disk:?} at change {change}", self.work);
        let seen = told(&dir).await;
        let is_one = seen == self.before || seen == self.after;
        assert!(is_one || self.work == Work::Expire, "{what}: {seen}");
        self.work.work(&dir).await.unwrap();
        assert_eq!(told(&dir).await, self.after, "{what}, done again");
        let rows = write(begun, Format::Ndjson).await;
        assert!(
            self.before.starts_with(&rows),
            "{what}, begun before: {rows}"
        );
        // What is left behind differs little from one change to the next.
        if change.is_multiple_of(3) || disk != Disk::Ends {
            assert_nothing_is_left(&dir, &what).await;
            assert_eq!(told(&dir).await, self.after, "{what}, tidied up");
        }
        met
    }

    /// The same of the changes from the first on, each so many after the one before, and of very many later ones a few;
    /// how often it said so or died.
    async fn meets_all(&self, disk: Disk, first: u32, step: u32) -> u32 {
        let (mut change, mut met) = (first, 0);
        while change <= self.changes {
            met += u32::from(Box::pin(self.meets(disk, change)).await == Met::Something);
            change += if change < 60 { step } else { 11 };
        }
        met
    }
}

const EVENTS: &str = "select record_id, date, time, channel, computer, target_user, event_xml from events \
    order by computer, record_id, channel";

/// Everything that the lake has to say.
async fn told(dir: &Path) -> String {
    let lake = Lake::open_to_read(dir).await.unwrap();
    let events = ask(&lake, EVENTS).await;
    let counted = ask(
        &lake,
        "select bucket, channel, computer, account, sum(events) as n from event_counts group by all \
         order by bucket, computer, account, channel",
    );
    let counted = match fs::exists(dir.join("event_counts")).unwrap() {
        true => counted.await,
        false => String::new(),
    };
    let requests = match lake.other(&crate::schema::IIS).await.unwrap() {
        Some(_) => ask(&lake, "select date, cs_uri_stem from iis order by 1, 2").await,
        None => String::new(),
    };
    format!("{events}{counted}{requests}")
}

/// Two days later there is nothing on the disk that no version names.
async fn assert_nothing_is_left(dir: &Path, what: &str) {
    // What was being written is told by its age.
    age(dir, 2 * 86_400);
    Lake::open(dir)
        .await
        .unwrap()
        .keep_up(much_later())
        .await
        .whole()
        .unwrap();
    let lake = Lake::open(dir).await.unwrap();
    lake.vacuum(much_later()).await.whole().unwrap();
    for table in lake.tables().await.0 {
        let live = table.live_files().await.unwrap();
        for (path, ..) in listing(table.folder()) {
            let path = path.strip_prefix(table.folder()).unwrap().to_str().unwrap();
            assert!(!path.ends_with(".tmp"), "{what}: {path} was left behind");
            let is_named = live.iter().any(|live| live == path);
            let is_data = path.ends_with(".parquet") && !path.starts_with('_');
            assert!(!is_data || is_named, "{what}: {path} was left behind");
        }
    }
}

/// Makes all files older by so many seconds.
fn age(dir: &Path, seconds: u64) {
    let before = SystemTime::now() - std::time::Duration::from_secs(seconds);
    for (path, ..) in listing(dir) {
        if path.is_file() {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(before).unwrap();
        }
    }
}

/// A copy whose files are as old.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        if here.is_dir() {
            copy(&here, &there);
            continue;
        }
        fs::copy(&here, &there).unwrap();
        let file = fs::File::options().write(true).open(there).unwrap();
        file.set_modified(entry.metadata().unwrap().modified().unwrap())
            .unwrap();
    }
}

async fn dies(work: Work) {
    let rig = Rig::new(work).await;
    // Of a hundred log entries that go one is as another.
    let step = if work == Work::Checkpoint { 4 } else { 1 };
    let deaths = rig.meets_all(Disk::Ends, 1, step).await;
    assert!(deaths >= 5, "{work:?} died {deaths} times");
}

async fn is_full(work: Work) {
    let rig = Rig::new(work).await;
    // Once, for a while, and for good.
    let mut said = 0;
    for (first, changes) in [(1, 1), (2, 4), (3, CHANGES)] {
        said += rig.meets_all(Disk::Full(changes), first, 4).await;
    }
    // What is not needed, as the list of live files, fails without a word to the caller.
    assert!(
        said >= 5,
        "{work:?} said {said} times that the disk is full"
    );
}

#[tokio::test]
async fn death_while_appending() {
    dies(Work::Append).await;
}

#[tokio::test]
async fn death_while_a_checkpoint_is_written() {
    dies(Work::Checkpoint).await;
}

#[tokio::test]
async fn death_while_importing() {
    dies(Work::AppendNew).await;
    dies(Work::Requests).await;
}

#[tokio::test]
async fn death_while_counting() {
    dies(Work::RollUp).await;
}

#[tokio::test]
async fn death_while_merging() {
    dies(Work::KeepUp).await;
}

#[tokio::test]
async fn death_while_expiring() {
    dies(Work::Expire).await;
}

#[tokio::test]
async fn death_while_removing() {
    dies(Work::Vacuum).await;
}

#[tokio::test]
async fn a_full_disk_while_appending() {
    is_full(Work::Append).await;
}

#[tokio::test]
async fn a_full_disk_while_counting() {
    is_full(Work::RollUp).await;
}

#[tokio::test]
async fn a_full_disk_while_merging() {
    is_full(Work::KeepUp).await;
}

#[tokio::test]
async fn a_full_disk_while_expiring() {
    is_full(Work::Expire).await;
}
