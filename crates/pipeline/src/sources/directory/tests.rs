use std::os::unix::fs::symlink;
use std::sync::Arc;

use fs_err as fs;
use proptest::prelude::*;
use tempfile::TempDir;
use windrow_formats::batch::file::{Content, FileId, FileReference};
use windrow_formats::batch::{Batch, Kind};

use super::*;
use crate::journal::storage::Os;
use crate::journal::{Cursor, Journal, JournalOptions, Seq, Start};
use crate::limits::DIRECTORY_LINE_BYTES_MAX;

mod events;

const QUOTA: u64 = 64 << 20;

/// A watched folder, the journal and the spool.
struct Bench {
    folder: TempDir,
    watch: Watch,
    quota: u64,
    directory: Option<Directory>,
    /// Seconds since the first look.
    now: i64,
}

/// A piece as a sink gets it.
#[derive(Debug, Clone, PartialEq)]
struct Got {
    machine: String,
    reference: FileReference,
    bytes: Vec<u8>,
}

impl Bench {
    fn new(taking: Taking) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("watched");
        fs::create_dir(&root).unwrap();
        let watch = Watch {
            name: "iis".to_owned(),
            root,
            below: Below::Everything,
            names: Vec::new(),
            taking,
            class: FileClass::IisLog,
            machine: Machine::Named("web1".to_owned()),
            manifests: Arc::default(),
        };
        Bench {
            folder,
            watch,
            quota: QUOTA,
            directory: None,
            now: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.watch.root.join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        use std::io::Write as _;
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn directory(&mut self) -> &mut Directory {
        let (folder, watch, quota) = (self.folder.path(), &self.watch, self.quota);
        self.directory.get_or_insert_with(|| {
            let options = JournalOptions::new(folder.join("journal"));
            let (journal, _) = Journal::open(options).unwrap();
            let spool = folder.join("spool");
            let keeper = Keeper::open(journal, Arc::new(Os), spool, quota).unwrap();
            Directory::open(watch.clone(), keeper).unwrap()
        })
    }

    /// One look, a second after the last.
    async fn look(&mut self) -> Round {
        self.now += 1;
        let now = Timestamp::from_second(1_000_000 + self.now).unwrap();
        self.directory().look(now).await
    }

    async fn restart(&mut self) {
        if let Some(directory) = self.directory.take() {
            directory.keeper.journal().clone().close().await;
        }
    }

    fn cursor(&mut self) -> Cursor {
        let journal = self.directory().keeper.journal().clone();
        journal.cursor("sink", Start::Oldest).unwrap()
    }

    fn got(&mut self) -> Vec<Got> {
        self.got_after(0)
    }

    fn got_after(&mut self, seq: Seq) -> Vec<Got> {
        let keeper = self.directory().keeper.clone();
        let mut got = Vec::new();
        for frame in keeper.journal().read_after(seq) {
            for entry in frame.unwrap().entries {
                let batch = Batch::decode(&entry.body).unwrap();
                let reference = batch.file().unwrap().unwrap();
                let Content::Kept(piece) = reference.content else {
                    panic!("{reference:?}")
                };
                got.push(Got {
                    machine: batch.header.source,
                    bytes: keeper.spool().read(&piece).unwrap(),
                    reference,
                });
            }
        }
        got
    }

    /// What was taken of each file, by its path at first, put together.
    fn files(&mut self) -> Vec<(String, String)> {
        let mut files: Vec<(FileId, String, Vec<u8>)> = Vec::new();
        for got in self.got() {
            let id = got.reference.file;
            let place = files.iter().position(|(known, ..)| *known == id);
            let place = place.unwrap_or_else(|| {
                files.push((id, got.reference.path.clone(), Vec::new()));
                files.len() - 1
            });
            assert_eq!(
                got.reference.offset,
                files[place].2.len() as u64,
                "no hole, no double"
            );
            files[place].2.extend_from_slice(&got.bytes);
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        files
            .into_iter()
            .map(|(_, path, bytes)| (path, text(bytes)))
            .collect()
    }
}

fn whole(seconds: i64) -> Taking {
    Taking::Whole {
        settled: SignedDuration::from_secs(seconds),
    }
}

fn both(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_lines_are_taken_as_they_come_with_what_holds_for_them() {
    let mut bench = Bench::new(Taking::Lines);
    bench.append(
        "W3SVC7/u_ex1.log",
        "#Software: IIS\r\n#Fields: a b\r\n1 2\r\n3",
    );
    let round = bench.look().await;
    assert_eq!((round.files, round.pieces, round.waiting_bytes), (1, 1, 1));
    assert_eq!(bench.look().await.pieces, 0, "half a line waits");
    bench.append("W3SVC7/u_ex1.log", " 4\r\n#Fields: a c\r\n5 6\r\n");
    bench.look().await;
    bench.append("W3SVC7/u_ex1.log", "7 8\r\n");
    assert_eq!(bench.look().await.waiting_bytes, 0);
    let got = bench.got();
    let texts: Vec<_> = got
        .iter()
        .map(|got| str::from_utf8(&got.bytes).unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "#Software: IIS\r\n#Fields: a b\r\n1 2\r\n",
            "3 4\r\n#Fields: a c\r\n5 6\r\n",
            "7 8\r\n"
        ]
    );
    let lines = |got: &Got| got.reference.lines.clone().unwrap();
    assert_eq!(
        got.iter().map(|got| lines(got).first).collect::<Vec<_>>(),
        [1, 4, 7]
    );
    assert_eq!(lines(&got[0]).directives, b"");
    assert_eq!(
        lines(&got[1]).directives,
        b"#Software: IIS\r\n#Fields: a b\r\n"
    );
    assert_eq!(
        lines(&got[2]).directives,
        b"#Software: IIS\r\n#Fields: a c\r\n"
    );
    let Got {
        machine, reference, ..
    } = &got[0];
    assert_eq!(
        (machine.as_str(), reference.site.as_deref()),
        ("web1", Some("W3SVC7"))
    );
    assert_eq!(
        (reference.path.as_str(), reference.whole),
        ("W3SVC7/u_ex1.log", None)
    );
    assert!(reference.modified_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let mut bench = Bench::new(Taking::Lines);
    bench.append("a.log", "#Fields: a\n1\n2");
    bench.look().await;
    bench.restart().await;
    bench.append("a.log", "\n3\n");
    bench.look().await;
    bench.restart().await;
    assert_eq!(bench.look().await.pieces, 0);
    assert_eq!(bench.files(), [both("a.log", "#Fields: a\n1\n2\n3\n")]);
    let lines = bench.got()[1].reference.lines.clone().unwrap();
    assert_eq!(
        (lines.first, lines.directives),
        (3, b"#Fields: a\n".to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_is_the_same_and_one_in_its_place_is_another() {
    let mut bench = Bench::new(Taking::Lines);
    bench.append("a.log", "one\n");
    bench.look().await;
    bench.append("a.log", "two\n");
    fs::rename(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    bench.append("a.log", "three\n");
    let round = bench.look().await;
    assert_eq!((round.pieces, round.replaced), (2, 0));
    let mut files = bench.files();
    files.sort();
    assert_eq!(
        files,
        [both("a.log", "one\ntwo\n"), both("a.log", "three\n")]
    );
    assert_eq!(bench.got()[1].reference.path, "a.log.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_short_or_written_anew_begins_anew() {
    let mut bench = Bench::new(Taking::Lines);
    for name in ["cut.log", "anew.log", "longer.log"] {
        bench.write(name, "first line\nsecond line\n");
    }
    bench.look().await;
    bench.write("cut.log", "x\n");
    // As long as before, and longer: written into the same inode.
    bench.write("anew.log", "other line\nsecond line\n");
    bench.write("longer.log", "first line\nchanged line\nthird line\n");
    let round = bench.look().await;
    assert_eq!((round.pieces, round.replaced), (3, 3));
    let mut files = bench.files();
    files.sort();
    let before = "first line\nsecond line\n";
    assert_eq!(
        files,
        [
            both("anew.log", before),
            both("anew.log", "other line\nsecond line\n"),
            both("cut.log", before),
            both("cut.log", "x\n"),
            both("longer.log", "first line\nchanged line\nthird line\n"),
            both("longer.log", before),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_pipes_and_other_names_are_not_taken() {
    let mut bench = Bench::new(Taking::Lines);
    bench.watch.names = vec![NamePattern::new("U_EX*.log").unwrap()];
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("u_ex1.log"), "secret\n").unwrap();
    symlink(&outside, bench.path("folder")).unwrap();
    symlink(outside.join("u_ex1.log"), bench.path("u_ex2.log")).unwrap();
    let (pipe, mode) = (bench.path("u_ex3.log"), rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    bench.write("other.log", "other\n");
    bench.write("deep/down/u_ex4.log", "deep\n");
    bench.write("u_ex5.LOG", "here\n");
    let round = bench.look().await;
    assert_eq!((round.files, round.skipped), (2, 3));
    assert_eq!(
        bench.files(),
        [
            both("deep/down/u_ex4.log", "deep\n"),
            both("u_ex5.LOG", "here\n")
        ]
    );
    bench.watch.below = Below::Here;
    bench.restart().await;
    assert_eq!(bench.look().await.files, 1);
}

/// Between the look at a folder and the opening of a file, somebody puts a link in its way.
#[test]
fn a_link_that_comes_later_is_not_followed_either() {
    let bench = Bench::new(Taking::Lines);
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.log"), "secret\n").unwrap();
    bench.write("site/a.log", "1\n");
    let root = Root::open(&bench.watch.root).unwrap();
    let found = root.scan(&bench.watch).unwrap().files.remove(0);
    assert!(root.open_file(&found).unwrap().is_some());
    fs::rename(bench.path("site"), bench.path("moved")).unwrap();
    symlink(&outside, bench.path("site")).unwrap();
    root.open_file(&found).unwrap_err();
    fs::remove_file(bench.path("site")).unwrap();
    fs::create_dir(bench.path("site")).unwrap();
    symlink(outside.join("a.log"), bench.path("site/a.log")).unwrap();
    root.open_file(&found).unwrap_err();
    fs::remove_file(bench.path("site/a.log")).unwrap();
    bench.write("site/a.log", "2\n");
    assert!(root.open_file(&found).unwrap().is_none(), "another file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_file_is_taken_when_it_has_settled() {
    let mut bench = Bench::new(whole(2));
    bench.watch.class = FileClass::FailedRequest;
    bench.write("fr1.xml", "<a>");
    assert_eq!(bench.look().await.waiting_bytes, 3);
    bench.append("fr1.xml", "</a>");
    for _ in 0..2 {
        assert_eq!(bench.look().await.pieces, 0, "it has just changed");
    }
    assert_eq!(bench.look().await.pieces, 1);
    assert_eq!(
        bench.look().await,
        Round {
            files: 1,
            ..Round::default()
        }
    );
    bench.restart().await;
    for _ in 0..4 {
        assert_eq!(bench.look().await.pieces, 0, "it is known after a restart");
    }
    let got = bench.got().remove(0);
    let end = got.reference.whole.unwrap();
    assert_eq!((got.bytes.as_slice(), end.bytes), (&b"<a></a>"[..], 7));
    assert_eq!(end.sha256, hash(b"<a></a>"));
    assert_eq!(got.reference.lines, None);
    // What comes after that is another file.
    bench.append("fr1.xml", "<b/>");
    for _ in 0..4 {
        bench.look().await;
    }
    assert_eq!(
        bench.files(),
        [both("fr1.xml", "<a></a>"), both("fr1.xml", "<a></a><b/>")]
    );
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    sum
}

/// A file of some hundred KiB that comes through a spool of 64 KiB, while a sink takes what is there; with restarts.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_holds_the_source_back_and_loses_nothing() {
    for taking in [Taking::Lines, whole(0)] {
        let mut bench = Bench::new(taking);
        bench.quota = 64 << 10;
        let text: String = (0..40_000).map(|n| format!("{n}\n")).collect();
        bench.write("a.dmp", &text);
        let (mut taken, mut fulls, mut last) = (Vec::new(), 0, None);
        while taken.len() < text.len() {
            let cursor = bench.cursor();
            let round = bench.look().await;
            let filling = bench.directory().keeper.spool().filling();
            assert!(filling.held_bytes <= bench.quota && filling.held_bytes > 0);
            assert!(round.full.is_some() || taken.len() + round.bytes as usize == text.len());
            fulls += u64::from(round.full.is_some());
            for got in bench.got_after(cursor.position()) {
                assert_eq!(got.reference.offset, taken.len() as u64);
                taken.extend_from_slice(&got.bytes);
                last = got.reference.whole;
            }
            let journal = bench.directory().keeper.journal().clone();
            cursor.advance(*journal.durable().borrow());
            if fulls % 2 == 0 {
                bench.restart().await;
                continue;
            }
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while journal.done_seq() < cursor.position() {
                assert!(
                    std::time::Instant::now() < deadline,
                    "the cursor is never synced"
                );
                tokio::task::yield_now().await;
            }
        }
        assert!(fulls > 2, "{fulls}");
        assert!(taken == text.as_bytes());
        let is_whole = taking != Taking::Lines;
        assert_eq!(last.map(|end| end.sha256), is_whole.then(|| hash(&taken)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_forgotten_by_the_second_look() {
    let mut bench = Bench::new(Taking::Lines);
    bench.write("a.log", "1\n");
    bench.write("b.log", "1\n");
    bench.look().await;
    let states = |bench: &mut Bench| bench.directory().keeper.journal().states("dir/iis/").len();
    fs::rename(bench.path("a.log"), bench.folder.path().join("a.log")).unwrap();
    bench.look().await;
    fs::rename(bench.folder.path().join("a.log"), bench.path("a.log")).unwrap();
    assert_eq!(bench.look().await.pieces, 0, "it was away for one look");
    assert_eq!(states(&mut bench), 2);
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.look().await;
    assert_eq!(states(&mut bench), 2);
    bench.look().await;
    assert_eq!(states(&mut bench), 1);
    bench.restart().await;
    assert_eq!(states(&mut bench), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_when_the_folder_is_away() {
    let mut bench = Bench::new(Taking::Lines);
    bench.write("a.log", "1\n");
    bench.look().await;
    let away = bench.folder.path().join("away");
    fs::rename(&bench.watch.root, &away).unwrap();
    for _ in 0..4 {
        let round = bench.look().await;
        assert!(round.failed == 1 && round.last_error.is_some());
    }
    fs::rename(&away, &bench.watch.root).unwrap();
    assert_eq!(bench.look().await.pieces, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_taken_in_parts() {
    let mut bench = Bench::new(Taking::Lines);
    let line = "x".repeat(DIRECTORY_LINE_BYTES_MAX + 10);
    bench.write("a.log", &line);
    let round = bench.look().await;
    assert_eq!(
        (round.long_lines, round.pieces, round.waiting_bytes),
        (1, 1, 10)
    );
    bench.append("a.log", "\ny\n");
    bench.look().await;
    assert_eq!(bench.files(), [both("a.log", &format!("{line}\ny\n"))]);
    let firsts: Vec<u64> = bench
        .got()
        .into_iter()
        .map(|got| got.reference.lines.unwrap().first)
        .collect();
    assert_eq!(firsts, [1, 1], "the second goes on in the same line");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_takes_no_more_than_it_may_and_each_file_has_its_turn() {
    let mut bench = Bench::new(Taking::Lines);
    let line = format!("{}\n", "x".repeat(1023));
    let more = DIRECTORY_ROUND_BYTES_MAX as usize / line.len() + 100;
    bench.quota = 1 << 30;
    bench.write("a.log", line.repeat(more));
    bench.write("b.log", "b\n");
    let round = bench.look().await;
    assert_eq!(
        (round.bytes, round.rest),
        (DIRECTORY_ROUND_BYTES_MAX, Rest::More)
    );
    assert_eq!(round.waiting_bytes, 100 * line.len() as u64);
    let round = bench.look().await;
    assert_eq!(
        (round.bytes, round.rest),
        (100 * line.len() as u64 + 2, Rest::None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_named_by_its_folder() {
    let mut bench = Bench::new(Taking::Lines);
    bench.watch.machine = Machine::Folder("collector".to_owned());
    bench.write("web2/W3SVC1/a.log", "1\n");
    bench.write("b.log", "1\n");
    bench.look().await;
    let machines: Vec<String> = bench.got().into_iter().map(|got| got.machine).collect();
    assert_eq!(machines, ["collector", "web2"]);
}

#[test]
fn states_are_stored_as_they_were_and_newer_ones_refused() {
    let taken = Known::new("W3SVC1/a.log").taken;
    let change = taken.change("k".to_owned());
    let value = change.value.unwrap();
    assert_eq!(Taken::decode(&value), Ok(taken));
    let newer = String::from_utf8(value)
        .unwrap()
        .replace("\"version\":1", "\"version\":2");
    let error = Taken::decode(newer.as_bytes()).unwrap_err();
    assert_eq!(error, "it has version 2, this program reads 1");
    // What an older version wrote is read.
    let stored = r#"{"version":1,"file":"AQEBAQEBAQEBAQEBAQEBAQ","path":"a","offset":2,"head":{"bytes":2,"sum":"AQ"},"tail":{"bytes":2,"sum":"AQ"},"line":2,"directives":"I0Y","begun":{"bytes":2,"modified":[1,2]},"is_finished":true}"#;
    let taken = Taken::decode(stored.as_bytes()).unwrap();
    assert_eq!(
        (taken.file(), taken.offset, taken.line),
        (FileId([1; 16]), 2, 2)
    );
    assert_eq!(taken.directives, b"#F");
    assert_eq!(
        String::from_utf8(taken.change(String::new()).value.unwrap()).unwrap(),
        stored
    );
}

/// What happens to a log.
#[derive(Debug, Clone)]
enum Step {
    Append(String),
    Rotate,
    Look,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => "[ab\n]{0,12}".prop_map(Step::Append),
        1 => Just(Step::Rotate),
        3 => Just(Step::Look),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Every whole line of every file is taken once, in order, with its number.
    #[test]
    fn every_line_is_taken_once(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new(Taking::Lines);
            let (mut files, mut rotated) = (vec![String::new()], 0);
            for step in steps {
                match step {
                    Step::Append(text) => {
                        bench.append("a.log", &text);
                        files.last_mut().unwrap().push_str(&text);
                    }
                    Step::Rotate if bench.path("a.log").exists() => {
                        rotated += 1;
                        fs::rename(bench.path("a.log"), bench.path(&format!("a.{rotated}"))).unwrap();
                        files.push(String::new());
                    }
                    Step::Rotate => {}
                    Step::Look => drop(bench.look().await),
                    Step::Restart => bench.restart().await,
                }
            }
            bench.look().await;
            let mut wanted: Vec<String> = files
                .iter()
                .map(|file| file[..file.rfind('\n').map_or(0, |end| end + 1)].to_owned())
                .filter(|file| !file.is_empty())
                .collect();
            let mut taken: Vec<String> = bench.files().into_iter().map(|(_, text)| text).collect();
            wanted.sort();
            taken.sort();
            assert_eq!(taken, wanted);
            for got in bench.got() {
                assert_eq!(got.bytes.last(), Some(&b'\n'));
            }
        });
    }

    #[test]
    fn any_state_is_read_or_refused(value in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Taken::decode(&value);
    }
}
