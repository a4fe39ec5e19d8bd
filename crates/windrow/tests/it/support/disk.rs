//! Disks made for a test: one whose power can be cut, one in memory. Needs root.
//!
//! A disk that can lose its power: an image with ext4 in it, kept on XFS, which can copy it in
//! an instant (reflink). The copy holds what had reached the block layer at that moment, and
//! not what was still in the page cache: what a machine finds after the power came back.
//! Not covered: sectors torn in half, and a device that reorders its own cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scratch;

/// A disk whose image can be copied in an instant.
pub(crate) struct Disk {
    outer: Mount,
    image: PathBuf,
    /// Where it can be written to.
    pub(crate) mounted: PathBuf,
    inner: Mount,
}

impl Disk {
    pub(crate) fn new(scratch: &Scratch) -> Disk {
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

    /// What is on it at this instant.
    pub(crate) fn snapshot(&self, number: usize) -> PathBuf {
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
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    is_mounted: bool,
}

impl Mount {
    /// A disk image.
    pub(crate) fn image(scratch: &Scratch, name: &str, image: &Path) -> Mount {
        let path = scratch.join(name);
        std::fs::create_dir_all(&path).unwrap();
        tool("mount", &["-o", "loop", &text(image), &text(&path)]);
        Mount {
            path,
            is_mounted: true,
        }
    }

    /// A file system in memory.
    pub(crate) fn memory(scratch: &Scratch, name: &str, options: &str) -> Mount {
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
