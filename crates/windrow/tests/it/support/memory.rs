//! What the kernel says of a process's memory, and the environment in which ours is small.

use std::path::Path;

/// Memory of a process, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

pub(crate) fn sample(process: u32) -> Sample {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let value = line.unwrap().trim().strip_suffix(" kB").unwrap();
        value.parse().unwrap()
    };
    Sample {
        resident: kib("VmRSS:"),
        peak: kib("VmHWM:"),
    }
}

/// What the service finds in its environment where the unit starts it.
pub(crate) fn environment_of_unit() -> Vec<(String, String)> {
    let unit =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/windrow.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let settings = lines.map(|line| line.split_once('=').unwrap());
    settings
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
