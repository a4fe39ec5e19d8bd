use std::io::Cursor;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Minidump, DumpError> {
    Minidump::read(Cursor::new(bytes))
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A dump of the streams, which lie behind the directory in their order; `extra` lies at its offset.
fn dump(streams: &[(u32, Vec<u8>)], extra: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[
        SIGNATURE,
        0x1234_a793,
        streams.len() as u32,
        32,
        0,
        1_795_400_000,
        0,
        0,
    ]);
    let mut at = 32 + 12 * streams.len();
    for (kind, stream) in streams {
        bytes.extend(words(&[*kind, stream.len() as u32, at as u32]));
        at += stream.len();
    }
    bytes.extend(streams.iter().flat_map(|(_, stream)| stream));
    bytes.resize(EXTRA as usize, 0);
    bytes.extend(extra);
    bytes
}

/// Where names and records lie.
const EXTRA: u32 = 1024;

fn module(base: u32, name: u32, record: (u32, u32)) -> Vec<u8> {
    let mut bytes = words(&[base, 0, 0x1000, 0, 0x6000_0001, name]);
    bytes.extend(words(&[FIXED_FILE_INFO, 0, 0x000a_0001, 0x0002_0003]));
    bytes.extend([0; 36]);
    bytes.extend(words(&[record.0, record.1]));
    bytes.extend([0; 24]);
    bytes
}

fn sample() -> Vec<u8> {
    let mut extra = words(&[10]);
    extra.extend("a.exe".encode_utf16().flat_map(u16::to_le_bytes));
    extra.resize(32, 0);
    extra.extend(b"RSDS");
    extra.extend([7; 16]);
    extra.extend(words(&[2]));
    extra.extend(b"a.pdb\0");
    let record = (30, EXTRA + 32);
    let modules = [
        words(&[2]),
        module(0x1000, EXTRA, record),
        module(0x5000, 0x00ff_ffff, (0, 0)),
    ]
    .concat();
    let mut exception = words(&[
        41,
        0,
        ACCESS_VIOLATION,
        0,
        0,
        0,
        0x1010,
        0,
        2,
        0,
        1,
        0,
        0xdead,
        0,
    ]);
    exception.resize(168, 0);
    let system = [vec![9, 0, 6, 0, 0, 0, 8, 1], words(&[10, 0, 26_100, 2])].concat();
    let streams = [
        (THREADS, words(&[3])),
        (MODULES, modules),
        (EXCEPTION, exception),
        (SYSTEM, system),
        (MISC, words(&[24, 3, 4711, 1_795_300_000, 0, 0])),
        (99, vec![1]),
    ];
    dump(&streams, &extra)
}

#[test]
fn a_dump_says_who_failed_and_where() {
    let dump = read(&sample()).unwrap();
    insta::assert_debug_snapshot!(dump, @r#"
    Minidump {
        written: Some(
            2026-11-23T02:13:20Z,
        ),
        exception: Some(
            Exception {
                thread_id: 41,
                code: 3221225477,
                address: 4112,
                access: Some(
                    (
                        1,
                        57005,
                    ),
                ),
            },
        ),
        process_id: Some(
            4711,
        ),
        process_started: Some(
            2026-11-21T22:26:40Z,
        ),
        threads: Some(
            3,
        ),
        system: Some(
            System {
                architecture: 9,
                processors: 8,
                version: [
                    10,
                    0,
                    26100,
                ],
                platform: 2,
            },
        ),
        modules: [
            Module {
                name: "a.exe",
                base: 4096,
                bytes: 4096,
                time_stamp: 1610612737,
                version: Some(
                    [
                        10,
                        1,
                        2,
                        3,
                    ],
                ),
                build: Some(
                    Pdb {
                        guid: 07070707-0707-0707-0707-070707070707,
                        age: 2,
                        file: "a.pdb",
                    },
                ),
            },
            Module {
                name: "",
                base: 20480,
                bytes: 4096,
                time_stamp: 1610612737,
                version: Some(
                    [
                        10,
                        1,
                        2,
                        3,
                    ],
                ),
                build: None,
            },
        ],
        faults: [
            Fault {
                part: "a module",
                offset: 16777215,
                what: Short(
                    Short {
                        at: 0,
                        left: 0,
                        wanted: 4,
                    },
                ),
            },
        ],
    }
    "#);
    assert_eq!(dump.failing_module(), dump.process());
    assert_eq!(dump.process().unwrap().code_id(), "600000011000");
    assert_eq!(dump.system.unwrap().to_string(), "Windows 10.0.26100 x64");
}

#[test]
fn a_list_of_a_million_modules_costs_no_more_than_is_there() {
    let modules = [words(&[1_000_000]), module(0x1000, 0, (0, 0)).repeat(3)].concat();
    let read = read(&dump(&[(MODULES, modules)], &[])).unwrap();
    let faults: Vec<_> = read
        .faults
        .iter()
        .take(2)
        .map(ToString::to_string)
        .collect();
    insta::assert_debug_snapshot!(faults, @r#"
    [
        "the list of modules at 0x2c: 1000000 of them, more than 4096",
        "a module at 0x0: 1020 bytes at 0 where 4096 are needed",
    ]
    "#);
    assert!(read.modules.len() <= MINIDUMP_MODULES_MAX);
}

#[test]
fn of_many_lists_of_modules_one_is_read() {
    let modules = [words(&[1]), module(0x1000, EXTRA, (0, 0))].concat();
    let streams = [(MODULES, modules.clone()), (MODULES, modules)];
    assert_eq!(read(&dump(&streams, &[0; 8])).unwrap().modules.len(), 1);
}

#[test]
fn names_and_records_that_lie_are_cut() {
    let mut extra = words(&[u32::MAX]);
    extra.extend([b'x'; 9]);
    let modules = [words(&[1]), module(0, EXTRA, (u32::MAX, EXTRA))].concat();
    let read = read(&dump(&[(MODULES, modules)], &extra)).unwrap();
    assert_eq!(read.faults.len(), 1, "{:?}", read.faults);
    assert!(read.modules[0].name.len() < 20 && read.modules[0].build.is_some());
}

#[test]
fn streams_that_are_cut_are_named() {
    let whole = sample();
    let said: Vec<_> = [whole.len() - 10, 500, 200, 100, 50]
        .into_iter()
        .map(|bytes| {
            read(&whole[..bytes])
                .unwrap()
                .faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
        .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        [
            "a module at 0x420: 0 bytes at 20 where 4 are needed",
            "a module at 0xffffff: 0 bytes at 0 where 4 are needed",
        ],
        [
            "a module at 0x400: 0 bytes at 0 where 4 are needed",
            "a module at 0x420: 0 bytes at 0 where 4 are needed",
            "a module at 0xffffff: 0 bytes at 0 where 4 are needed",
            "the description of the system at 0x1f0: 2 bytes at 2 where 4 are needed",
            "the description of the process at 0x208: 0 bytes at 0 where 4 are needed",
        ],
        [
            "a module at 0x400: 0 bytes at 0 where 4 are needed",
            "a module at 0x420: 0 bytes at 0 where 4 are needed",
            "the list of modules at 0xdc: 0 bytes at 0 where 8 are needed",
            "the exception at 0x148: 0 bytes at 0 where 4 are needed",
            "the description of the system at 0x1f0: 0 bytes at 0 where 2 are needed",
            "the description of the process at 0x208: 0 bytes at 0 where 4 are needed",
        ],
        [
            "the list of threads at 0x68: 0 bytes at 0 where 4 are needed",
            "the list of modules at 0x6c: 0 bytes at 0 where 4 are needed",
            "the exception at 0x148: 0 bytes at 0 where 4 are needed",
            "the description of the system at 0x1f0: 0 bytes at 0 where 2 are needed",
            "the description of the process at 0x208: 0 bytes at 0 where 4 are needed",
            "the directory at 0x20: 0 bytes at 68 where 4 are needed",
        ],
        [
            "the list of threads at 0x68: 0 bytes at 0 where 4 are needed",
            "the directory at 0x20: 2 bytes at 16 where 4 are needed",
        ],
    ]
    "#);
}

#[test]
fn what_is_no_dump_is_refused() {
    for bytes in [
        b"".as_slice(),
        b"MDMP",
        &[0; 64],
        b"PAGEDU64 and what follows it is a dump of the kernel",
    ] {
        assert!(matches!(read(bytes), Err(DumpError::Signature)));
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
fn file(name: &str) -> Option<Vec<u8>> {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let bytes = std::fs::read(corpus.join(name)).ok();
    if bytes.is_none() {
        eprintln!("skipped: no corpus with {name}");
    }
    bytes
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[test]
fn real_dumps_are_read() {
    let mut said = Vec::new();
    for name in ["test", "simple-crashpad", "invalid-range"] {
        let Some(bytes) = file(&format!("minidump/{name}.dmp")) else {
            return;
        };
        let line = match read(&bytes) {
            Ok(dump) => format!(
                "{name}: {:x?} pid {:?} {} modules, first {:?} on {} ({} faults)",
                dump.exception
                    .map(|exception| (exception.code, exception.address)),
                dump.process_id,
                dump.modules.len(),
                dump.process().map(|module| (
                    file_name(&module.name),
                    &module.build,
                    module.code_id()
                )),
                dump.system
                    .map(|system| system.to_string())
                    .unwrap_or_default(),
                dump.faults.len(),
            ),
            Err(error) => format!("{name}: {error}"),
        };
        said.push(line);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    test: Some((c0000005, 40429e)) pid Some(3932) 13 modules, first Some(("test_app.exe", Some(Pdb { guid: 5a9832e5-2872-41c1-838e-d98914e9b7ff, age: 1, file: "c:\\test_app.pdb" }), "45D35F6C2d000")) on Windows 5.1.2600 x86 (0 faults)
    simple-crashpad: Some((0, 7fff6f41333a)) pid Some(56685) 40 modules, first Some(("crashy", Some(Pdb { guid: ef1091e3-81da-369b-9039-ea1591d07e0b, age: 0, file: "crashy" }), "000000004000")) on 10.15.7 x64 (0 faults)
    invalid-range: None pid None 0 modules, first None on  (0 faults)
    "#);
}

proptest! {
    #[test]
    fn damage_ends(at in 0..1_000_usize, with: [u8; 4], cut in 0..1_200_usize) {
        let mut bytes = sample();
        bytes[at..at + 4].copy_from_slice(&with);
        if let Ok(dump) = read(&bytes) {
            prop_assert!(dump.modules.len() <= MINIDUMP_MODULES_MAX);
            let _ = dump.failing_module();
        }
        bytes.truncate(cut);
        let _ = read(&bytes);
    }
}
