//! From a folder to a running journal.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use thiserror::Error;
use tokio::sync::watch;

use super::catalog::lock;
use super::cursor;
use super::frame::{self, Encoding, HEADER_BYTES, Header, Kind};
use super::frame::{Hash, StateChange};
use super::keys::{KeyError, PublicKey, SIGNATURE_BYTES, Signature, Signer};
use super::limits::{MIN_QUOTA_BYTES, MIN_SEGMENT_BYTES};
use super::log::{Log, Mark, Packer};
use super::loss;
use super::loss::Gap;
use super::metrics::JournalMetrics;
use super::reader::BadRange;
use super::recover::{self, Damage, Recovery, Survey};
use super::scan::Bad;
use super::segment::{
    FORMAT_VERSION, Previous, SEAL_BYTES, SEGMENT_HEADER_BYTES, Seal, SealedBy, file_name,
};
use super::shared::{CURSORS_DIR, DAMAGED_DIR, Hot, KEYS_DIR, Shared};
use super::slots::Slots;
use super::storage::{self, Disk, DiskFile, LockGuard, Open};
use super::{JournalOptions, Pressure};

/// File that names the format and the journal.
pub(super) const VERSION_FILE: &str = "VERSION";
/// File whose lock makes a process the only writer.
pub(super) const LOCK_FILE: &str = "lock";
/// File of the durable mark.
pub(super) const MARK_FILE: &str = "mark";
const MAX_VERSION_FILE_BYTES: usize = 4096;

/// Why a journal cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process writes this journal.
    #[error("journal in {dir} is in use by another process")]
    Locked {
        /// The folder.
        dir: String,
    },
    /// A later version of the program wrote it.
    #[error(
        "journal in {dir} has format {found}, this program knows up to {FORMAT_VERSION}; use the program that wrote it or a later one"
    )]
    Newer {
        /// The folder.
        dir: String,
        /// The format in the folder.
        found: u16,
    },
    /// The folder holds something else.
    #[error("{dir}/{VERSION_FILE} is not that of a journal")]
    NotAJournal {
        /// The folder.
        dir: String,
    },
    /// The signing key.
    #[error("journal cannot sign")]
    Key(#[from] KeyError),
    /// The disk.
    #[error("journal in {dir} cannot be opened")]
    Io {
        /// The folder.
        dir: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// What opening gives.
#[derive(Debug)]
pub(super) struct Opened {
    pub log: Log,
    pub recovery: Recovery,
    pub lock: Box<dyn LockGuard>,
}

/// Opens a folder, repairs what a crash left, and is then ready to commit.
pub(super) fn open(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    at_us: i64,
) -> Result<Opened, OpenError> {
    let options = options.checked();
    let dir = options.dir.clone();
    let dir_name = dir.display().to_string();
    let to_error = |source| OpenError::Io {
        dir: dir_name.clone(),
        source,
    };
    prepare_folders(&*disk, &dir).map_err(to_error)?;
    let lock = disk
        .try_lock(&dir.join(LOCK_FILE))
        .map_err(to_error)?
        .ok_or_else(|| OpenError::Locked {
            dir: dir_name.clone(),
        })?;
    let journal_id = open_version(&*disk, &dir)?;
    let signer = Signer::open(&*disk, &dir.join(KEYS_DIR))?;
    let (mark_slots, mark) = Slots::open(&*disk, &dir.join(MARK_FILE)).map_err(to_error)?;
    disk.sync_dir(&dir).map_err(to_error)?;
    let mark = mark.as_deref().and_then(Mark::decode);
    let examined = recover::examine(&*disk, &dir, mark).map_err(to_error)?;
    let loaded = cursor::load(&*disk, &dir.join(CURSORS_DIR)).map_err(to_error)?;
    let packer = Packer::new().map_err(to_error)?;
    let shared = Arc::new(Shared {
        disk,
        journal_id,
        signer,
        catalog: Arc::new(Mutex::new(examined.catalog)),
        state: Mutex::new(examined.state),
        cursors: Mutex::new(loaded.cursors),
        lost_cursors: Mutex::new(loaded.lost),
        durable: watch::Sender::new(examined.next_seq - 1),
        pressure: watch::Sender::new(Pressure::Normal),
        sealed: watch::Sender::new(examined.sealed),
        hot: Mutex::new(Hot::default()),
        closed: AtomicBool::new(false),
        reported: Mutex::new(BTreeMap::new()),
        metrics: JournalMetrics::default(),
        options,
    });
    let log = Log {
        shared: Arc::clone(&shared),
        active: None,
        spare: None,
        next_number: examined.next_number,
        next_seq: examined.next_seq,
        previous: examined.previous,
        mark: mark_slots,
        packer,
    };
    let findings = Findings {
        last: examined.last,
        torn: examined.torn,
        damage: examined.damage,
        unused: examined.unused,
    };
    let (log, recovery) = repair(log, findings, at_us).map_err(to_error)?;
    Ok(Opened {
        log,
        recovery,
        lock,
    })
}

fn prepare_folders(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    disk.create_dir(dir)?;
    for name in [CURSORS_DIR, DAMAGED_DIR, KEYS_DIR] {
        disk.create_dir(&dir.join(name))?;
    }
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        disk.sync_dir(parent)?;
    }
    disk.sync_dir(dir)
}

/// Reads the format and the journal's identity, or gives a new journal one.
fn open_version(disk: &dyn Disk, dir: &Path) -> Result<[u8; 16], OpenError> {
    let dir_name = || dir.display().to_string();
    match read_version(disk, dir) {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            let id = uuid::Uuid::new_v4();
            let text = format!("windrow-journal {FORMAT_VERSION}\nid {id}\n");
            storage::create_whole(disk, dir, VERSION_FILE, text.as_bytes()).map_err(|source| {
                OpenError::Io {
                    dir: dir_name(),
                    source,
                }
            })?;
            Ok(id.into_bytes())
        }
        Err(error) => Err(error),
    }
}

/// The journal's identity; `None` if the folder has no version file.
pub(super) fn read_version(disk: &dyn Disk, dir: &Path) -> Result<Option<[u8; 16]>, OpenError> {
    let dir_name = dir.display().to_string();
    let text = match storage::read_small(disk, &dir.join(VERSION_FILE), MAX_VERSION_FILE_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(OpenError::Io {
                dir: dir_name,
                source,
            });
        }
    };
    let parsed = std::str::from_utf8(&text).ok().and_then(parse_version);
    match parsed {
        None => Err(OpenError::NotAJournal { dir: dir_name }),
        Some((found, _)) if found > FORMAT_VERSION => Err(OpenError::Newer {
            dir: dir_name,
            found,
        }),
        Some((_, None)) => Err(OpenError::NotAJournal { dir: dir_name }),
        Some((_, Some(id))) => Ok(Some(id)),
    }
}

fn parse_version(text: &str) -> Option<(u16, Option<[u8; 16]>)> {
    let mut lines = text.lines();
    let version = lines
        .next()?
        .strip_prefix("windrow-journal ")?
        .parse()
        .ok()?;
    let id = lines
        .next()
        .and_then(|l| l.strip_prefix("id "))
        .and_then(|id| uuid::Uuid::parse_str(id).ok());
    Some((version, id.map(uuid::Uuid::into_bytes)))
}

/// What is to be repaired.
struct Findings {
    last: Option<Survey>,
    torn: Option<Bad>,
    damage: Vec<(BadRange, Option<Gap>)>,
    unused: Vec<u64>,
}

fn repair(mut log: Log, findings: Findings, at_us: i64) -> io::Result<(Log, Recovery)> {
    let shared = Arc::clone(&log.shared);
    for number in findings.unused {
        shared.disk.remove(&shared.dir().join(file_name(number)))?;
    }
    let torn_bytes = findings.torn.as_ref().map_or(0, |bad| bad.to - bad.from);
    let damage = findings
        .damage
        .iter()
        .map(|(range, gap)| put_on_record(&shared, range, *gap, at_us))
        .collect();
    if let Some(last) = findings.last {
        finish_last(&mut log, last, findings.torn, at_us)?;
    }
    let catalog = lock(&shared.catalog);
    let recovery = Recovery {
        segments: catalog.segments.len(),
        oldest_seq: catalog.oldest_seq(log.next_seq),
        next_seq: log.next_seq,
        torn_bytes,
        damage,
    };
    drop(catalog);
    Ok((log, recovery))
}

/// Copies a damaged range aside and signs for what it cost; the next segment's snapshot makes
/// the record durable, and until then every start finds the damage again.
fn put_on_record(shared: &Shared, range: &BadRange, gap: Option<Gap>, at_us: i64) -> Damage {
    let copy = if range.bad.to > range.bad.from {
        shared.report(range)
    } else {
        None
    };
    if let Some(gap) = gap {
        shared
            .metrics
            .damaged_events
            .inc_by(gap.last_seq - gap.first_seq + 1);
        let mut state = lock(&shared.state);
        for (key, value) in loss::record(&state, gap, at_us, shared.journal_id, &shared.signer) {
            state.apply(&StateChange { key, value });
        }
    }
    Damage {
        segment: range.segment,
        from: range.bad.from,
        to: range.bad.to,
        gap,
        copy,
    }
}

/// Cuts the last segment's torn tail, makes the rest durable and seals it for the run that died.
fn finish_last(log: &mut Log, last: Survey, torn: Option<Bad>, at_us: i64) -> io::Result<()> {
    let shared = Arc::clone(&log.shared);
    let header_previous = last.header.as_ref().map(|h| h.previous).unwrap_or_default();
    let mut end = match (&torn, &last.tail) {
        (Some(torn), _) => torn.from,
        (None, Some(tail)) => tail.to,
        (None, None) => last.end.max(SEGMENT_HEADER_BYTES as u64),
    };
    let mut tip = last.tip.unwrap_or(header_previous.hash);
    if last.seal.is_none() {
        let file = shared
            .disk
            .open(&shared.dir().join(file_name(last.number)), Open::Write)?;
        if torn.is_some() {
            file.set_len(end)?;
        }
        let readable = last.tail.as_ref().is_none_or(|t| !t.unreadable);
        if let Some(id) = last.id.filter(|_| readable) {
            let seal = recovery_seal(log, &last, id);
            match write_seal(&*file, &seal, end, tip, &last, at_us) {
                Ok((seal_end, hash)) => {
                    (end, tip) = (seal_end, hash);
                    log.previous.root = seal.root;
                    shared.sealed.send_replace(Some(seal));
                }
                Err(error) => {
                    tracing::warn!(%error, segment = last.number, "journal segment of the last run could not be sealed");
                    file.set_len(end)?;
                }
            }
        }
        // What the last run wrote may be only in the page cache: nothing is shown before this.
        file.sync_data()?;
    }
    log.previous = Previous {
        number: last.number,
        id: last.id.unwrap_or(0),
        end,
        hash: tip,
        root: log.previous.root,
    };
    if let Some(segment) = lock(&shared.catalog).segments.get_mut(&last.number) {
        segment.end = end;
        segment.end_seq = segment.end_seq.max(last.end_seq.unwrap_or(0));
        segment.allocated = shared
            .disk
            .allocated(&shared.dir().join(file_name(last.number)))
            .unwrap_or(end);
    }
    Ok(())
}

fn recovery_seal(log: &Log, last: &Survey, id: u64) -> Seal {
    Seal {
        segment: last.number,
        segment_id: id,
        journal_id: log.shared.journal_id,
        first_seq: last.first_seq.unwrap_or(log.next_seq),
        end_seq: last.end_seq.unwrap_or(log.next_seq),
        frames: last.tree.leaves(),
        first_at_us: last.first_at_us,
        last_at_us: last.last_at_us,
        by: SealedBy::Recovery,
        root: last.tree.root(),
        previous_root: log.previous.root,
        public_key: PublicKey([0; 32]),
        signature: Signature([0; SIGNATURE_BYTES]),
    }
    .sign(&log.shared.signer)
}

fn write_seal(
    file: &dyn DiskFile,
    seal: &Seal,
    at: u64,
    tip: Hash,
    last: &Survey,
    at_us: i64,
) -> io::Result<(u64, Hash)> {
    let body = seal.encode();
    let header = Header {
        kind: Kind::Seal,
        encoding: Encoding::Plain,
        stored_bytes: SEAL_BYTES as u32,
        raw_bytes: SEAL_BYTES as u32,
        first_seq: seal.end_seq,
        events: 0,
        entries: 0,
        committed_at_us: at_us,
        segment_id: seal.segment_id,
        index: last.tree.leaves() as u32,
        body_crc: crc32c::crc32c(&body),
        previous_hash: tip,
    }
    .encode();
    let mut out = header.to_vec();
    out.extend_from_slice(&body);
    file.write_all_at(&out, at)?;
    Ok((
        at + (HEADER_BYTES + SEAL_BYTES) as u64,
        frame::hash(&header, &body),
    ))
}

impl JournalOptions {
    /// Brings sizes that contradict each other into a working order.
    fn checked(mut self) -> JournalOptions {
        self.quota_bytes = self.quota_bytes.max(MIN_QUOTA_BYTES);
        // Policies work by whole segments: a quota holds at least eight.
        self.segment_bytes = self
            .segment_bytes
            .min(self.quota_bytes / 8)
            .max(MIN_SEGMENT_BYTES);
        self.reserved_bytes = self.reserved_bytes.min(self.quota_bytes / 4);
        self
    }
}
