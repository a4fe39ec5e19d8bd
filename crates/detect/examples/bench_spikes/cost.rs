//! What following 50,000 series of five-minute counts costs, in CPU seconds a bucket and in memory.

use std::collections::HashMap;

use windrow_detect::spikes::{Budget, Fleet, Width};

const SERIES: u32 = 50_000;
/// Buckets before the measurement: a day, since until then nothing is tested, and an hour.
const WARM: i64 = 300;
const MEASURED: i64 = 300;
/// What a bucket of them all may cost, and what they may take.
const SECONDS: f64 = 1.0;
const MEMORY_MIB: u64 = 286;

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Counts of one bucket, the same in every run: a fortieth of the series is idle half of the time, another hardly ever.
fn counts(next: &mut impl FnMut() -> u64) -> HashMap<(u32, u32), u64> {
    let of =
        (0..SERIES).map(|series| ((series, series / 7), next() % (2 + u64::from(series % 40))));
    of.filter(|(_, count)| *count > 0).collect()
}

pub(crate) fn measure() {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut fleet = Fleet::new(Width::FiveMinutes, Budget::per_day(1.0));
    let (mut total, mut most) = (0.0, 0.0_f64);
    for bucket in 0..WARM + MEASURED {
        let counts = counts(&mut next);
        let before = cpu_seconds();
        fleet.pass(1_152 + bucket, &counts);
        if bucket >= WARM {
            let took = cpu_seconds() - before;
            total += took;
            most = most.max(took);
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let (live, mean) = (fleet.live(), total / MEASURED as f64);
    let mib = memory
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024;
    let held = |is_held: bool| if is_held { "" } else { " (missed)" };
    println!("| what {live} series take | | meant at most |\n|---|---:|---:|");
    let missed = held(mean <= SECONDS);
    println!("| CPU s a five-minute bucket, mean | {mean:.3} | {SECONDS}{missed} |");
    println!("| the most that one took | {most:.3} | |");
    let missed = held(mib <= MEMORY_MIB);
    println!("| MiB | {mib} | {MEMORY_MIB}{missed} |");
}
