//! Power cuts and full disks, on disks made for it. Needs root: `./test rigs`.
//!
//! A disk that can lose its power: an image with ext4 in it, kept on XFS, which can copy it in
//! an instant (reflink). The copy holds what had reached the block layer at that moment, and
//! not what was still in the page cache: what a machine finds after the power came back.
//! Not covered: sectors torn in half, and a device that reorders its own cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::ledger::{Ledger, repeated};
use crate::support::program::run;
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

const CUTS: usize = 10;

/// The longest time between two cuts.
const BETWEEN_CUTS_MS_MAX: u64 = 1500;

/// Where Debian puts the library that makes fsync and its like do nothing.
const NO_SYNC: &str = "/usr/lib/x86_64-linux-gnu/libeatmydata.so";

#[test]
#[ignore = "needs root: ./test rigs"]
fn what_was_acknowledged_survives_power_cuts() {
    let scratch = Scratch::new();
    let disk = Disk::new(&scratch);
    let mut service = Service::new(&scratch);
    service.keep_data_at(disk.mounted.join("windrow"));
    let cuts = cut_the_power(&mut service, &disk);
    service.terminate().expect(0);
    for (number, (ledger, image)) in cuts.iter().enumerate() {
        let after = Mount::image(&scratch, &format!("after-{number}"), image);
        service.keep_data_at(after.path.join("windrow"));
        let lake = service.lake();
        assert_eq!(
            ledger.missing(&lake),
            [""; 0],
            "cut {number}, read without the service"
        );

        service.start();
        wait_until("what was acknowledged before the cut", || {
            ledger.missing(&service.lake()).is_empty()
        });
        assert_eq!(repeated(&service.lake()), [""; 0], "cut {number}");
        service.terminate().expect(0);
        run(&scratch, &service.arguments("verify")).expect(0);
    }
}

/// The rig can tell: without fdatasync, acknowledged records are gone.
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
    service.keep_data_at(disk.mounted.join("windrow"));
    service.preload(NO_SYNC);
    let cuts = cut_the_power(&mut service, &disk);
    service.kill();
    let lost = cuts.iter().enumerate().any(|(number, (ledger, image))| {
        let after = Mount::image(&scratch, &format!("after-{number}"), image);
        service.keep_data_at(after.path.join("windrow"));
        // A folder that cannot even be opened is a loss too.
        service
            .try_lake()
            .is_none_or(|lake| !ledger.missing(&lake).is_empty())
    });
    assert!(
        lost,
        "{CUTS} cuts without fdatasync and nothing lost: the rig proves nothing"
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

    std::fs::remove_file(&ballast).unwrap();
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

/// Takes an image of the disk at random moments under load: what the fleet knew to be
/// acknowledged just before each, and the image.
fn cut_the_power(service: &mut Service<'_>, disk: &Disk) -> Vec<(Ledger, PathBuf)> {
    let seed = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    service.start();
    let mut fleet = service.fleet(
        "fleet",
        &["--machines", "10", "--rate", "100", "--for", "10m"],
    );
    let mut cuts: Vec<(Ledger, PathBuf)> = Vec::new();
    for number in 0..CUTS {
        let before = cuts.last().map_or(0, |(ledger, _)| ledger.count());
        wait_until("events to be acknowledged", || {
            fleet.ledger().count() > before
        });
        std::thread::sleep(Duration::from_millis(
            random.random_range(0..BETWEEN_CUTS_MS_MAX),
        ));
        let ledger = fleet.ledger();
        cuts.push((ledger, disk.snapshot(number)));
    }
    assert!(fleet.is_running(), "the fleet ended early");
    drop(fleet);
    cuts
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

/// A disk whose image can be copied in an instant.
struct Disk {
    outer: Mount,
    image: PathBuf,
    mounted: PathBuf,
    inner: Mount,
}

impl Disk {
    fn new(scratch: &Scratch) -> Disk {
        let file = scratch.join("outer.img");
        sparse(&file, 4 << 30);
        tool("mkfs.xfs", &["-q", "-m", "reflink=1", &text(&file)]);
        let outer = Mount::image(scratch, "outer", &file);
        let image = outer.path.join("disk.img");
        sparse(&image, 1 << 30);
        tool("mkfs.ext4", &["-q", "-F", &text(&image)]);
        let inner = Mount::image(scratch, "inner", &image);
        Disk {
            outer,
            image,
            mounted: inner.path.clone(),
            inner,
        }
    }

    fn snapshot(&self, number: usize) -> PathBuf {
        let path = self.outer.path.join(format!("cut-{number}.img"));
        tool(
            "cp",
            &["--reflink=always", &text(&self.image), &text(&path)],
        );
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The inner file system lies on the outer one: it goes first.
        self.inner.unmount();
    }
}

/// A mounted file system, unmounted when dropped.
struct Mount {
    path: PathBuf,
    is_mounted: bool,
}

impl Mount {
    fn image(scratch: &Scratch, name: &str, image: &Path) -> Mount {
        let path = scratch.join(name);
        std::fs::create_dir_all(&path).unwrap();
        tool("mount", &["-o", "loop", &text(image), &text(&path)]);
        Mount {
            path,
            is_mounted: true,
        }
    }

    fn memory(scratch: &Scratch, name: &str, options: &str) -> Mount {
        let path = scratch.join(name);
        std::fs::create_dir_all(&path).unwrap();
        tool(
            "mount",
            &["-t", "tmpfs", "-o", options, "tmpfs", &text(&path)],
        );
        Mount {
            path,
            is_mounted: true,
        }
    }

    fn unmount(&mut self) {
        if self.is_mounted {
            // Lazily: a process that a failed test leaves behind must not keep it.
            let _ = Command::new("umount").arg("-l").arg(&self.path).status();
            self.is_mounted = false;
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn sparse(path: &Path, bytes: u64) {
    std::fs::File::create(path).unwrap().set_len(bytes).unwrap();
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[track_caller]
fn tool(name: &str, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {said}");
}
