//! A program that ends at a change that it makes on the disk: a library ahead of libc counts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scratch;

/// The library.
pub(crate) struct Faults {
    library: PathBuf,
    count: PathBuf,
}

impl Faults {
    pub(crate) fn new(scratch: &Scratch) -> Faults {
        let source = include_str!("../../../../lake/src/testing/faults.c");
        let source = scratch.write("faults.c", source);
        let library = scratch.join("faults.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status()
            .unwrap();
        assert!(built.success(), "the build needs a C compiler as well");
        Faults {
            library,
            count: scratch.join("changes"),
        }
    }

    /// The environment of a program that dies instead of making its change of this number below a folder.
    pub(crate) fn death_at(&self, change: u64, folder: &Path) -> Vec<(String, String)> {
        let folder = folder.canonicalize().unwrap();
        let variables = [
            ("LD_PRELOAD", self.library.to_str().unwrap().to_owned()),
            ("FAULT_UNDER", folder.to_str().unwrap().to_owned()),
            ("FAULT_AT", change.to_string()),
            ("FAULT_COUNT", self.count.to_str().unwrap().to_owned()),
        ];
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// How many changes the last one made that ended by itself.
    pub(crate) fn changes(&self) -> u64 {
        std::fs::read_to_string(&self.count)
            .unwrap()
            .parse()
            .unwrap()
    }
}
