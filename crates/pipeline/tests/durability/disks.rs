//! Disks to mount: one whose power is cut, one that is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use windrow_pipeline::journal::{
    AppendError, Entry, Journal, JournalOptions, Pressure, Start, offline,
};

use super::child::{Ack, Child, Syncs};

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A mounted file system, unmounted when dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    fn new(args: &[&str], at: PathBuf) -> Mount {
        std::fs::create_dir_all(&at).unwrap();
        run("mount", &[args, &[at.to_str().unwrap()]].concat());
        Mount(at)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("journal")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        for _ in 0..50 {
            if Command::new("umount")
                .arg(&self.0)
                .output()
                .is_ok_and(|o| o.status.success())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a power cut left, mounted.
pub(crate) struct Left {
    journal: PathBuf,
    _mount: Mount,
}

impl Left {
    pub(crate) fn path(&self) -> &Path {
        &self.journal
    }
}

/// An ext4 image on XFS: a reflinked copy of the image is what had reached the disk at that
/// instant, and mounting the copy does what a machine does after its power came back.
pub(crate) struct PowerCut {
    outer: Mount,
    dir: TempDir,
}

impl PowerCut {
    pub(crate) fn new() -> PowerCut {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("outer.img");
        run("truncate", &["-s", "1G", image.to_str().unwrap()]);
        run(
            "mkfs.xfs",
            &["-q", "-m", "reflink=1", image.to_str().unwrap()],
        );
        let outer = Mount::new(
            &["-o", "loop", image.to_str().unwrap()],
            dir.path().join("outer"),
        );
        PowerCut { outer, dir }
    }

    /// Lets the child write on the inner disk, cuts its power, and mounts what is left.
    pub(crate) fn cut(&self, round: u64, syncs: Syncs) -> (Left, Vec<Ack>) {
        let disk = self.outer.0.join("disk.img");
        let copy = self.outer.0.join("copy.img");
        let (disk, copy) = (disk.to_str().unwrap(), copy.to_str().unwrap());
        let _ = std::fs::remove_file(disk);
        run("truncate", &["-s", "256M", disk]);
        run("mkfs.ext4", &["-qF", disk]);
        let inner = Mount::new(&["-o", "loop", disk], self.dir.path().join("inner"));
        let child = Child::start(&inner.path(), syncs);
        child.wait_for_acks(150 + (round as usize * 61) % 400);
        // First what was acknowledged, then the cut: all of it must be on the image.
        let acks = child.acks();
        run("cp", &["--reflink=always", disk, copy]);
        child.kill();
        drop(inner);
        let mount = Mount::new(&["-o", "loop", copy], self.dir.path().join("left"));
        (
            Left {
                journal: mount.path(),
                _mount: mount,
            },
            acks,
        )
    }
}

/// Fills a small disk, and frees it again.
pub(crate) fn full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Mount::new(
        &["-t", "tmpfs", "-o", "size=4m", "tmpfs"],
        dir.path().join("small"),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = JournalOptions {
            segment_bytes: 256 << 10,
            quota_bytes: 1 << 30,
            ..JournalOptions::new(mount.path())
        };
        let (journal, _) = Journal::open(options.clone()).unwrap();
        let mut cursor = journal.cursor("sink", Start::Oldest).unwrap();
        let noise = |number: u64| Entry {
            body: super::body(9, 96 + 97 * number).repeat(8),
            events: 1,
            state: None,
        };
        let mut acked = 0;
        let error = loop {
            match journal.append(noise(acked)).await {
                Ok(range) => acked = range.start,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Full { .. }), "{error}");
        assert_eq!(*journal.pressure().borrow(), Pressure::Full);
        // Our own records still have room: the ballast is for them.
        journal
            .append_own(Entry {
                body: b"the disk is full".to_vec(),
                events: 1,
                state: None,
            })
            .await
            .unwrap();
        // Sinks go on, and with them the room comes back by itself.
        for _ in 0..acked {
            let frame = cursor.next().await.unwrap().unwrap();
            cursor.advance(frame.end_seq - 1);
        }
        let mut resumed = false;
        for _ in 0..100 {
            if journal.append(noise(1)).await.is_ok() {
                resumed = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(resumed);
        journal.close().await;
        let (journal, recovery) = Journal::open(options).unwrap();
        assert_eq!(recovery.next_seq, acked + 3);
        assert!(recovery.damage.is_empty());
        journal.close().await;
        assert!(offline::verify(mount.path()).unwrap().is_intact());
        println!("full disk: {acked} entries acknowledged, refused, drained, resumed");
    });
}
