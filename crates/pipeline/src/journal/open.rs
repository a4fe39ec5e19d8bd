//! From a folder to a running journal.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use super::catalog::lock;
use super::cursor::{self, Loaded};
use super::keys::{KeyError, Signer};
use super::limits::{MIN_QUOTA_BYTES, MIN_SEGMENT_BYTES};
use super::log::Log;
use super::loss::{self, Gap, Loss};
use super::mark::{MARK_FILE, Mark};
use super::metrics::JournalMetrics;
use super::pack::{Active, Packer, Progress};
use super::quota::Ballast;
use super::reader::BadRange;
use super::recover::{self, Damage, Examined, Recovery, Survey};
use super::scan::Bad;
use super::segment::{FORMAT_VERSION, SEGMENT_HEADER_BYTES, file_name};
use super::shared::{CURSORS_DIR, DAMAGED_DIR, Hot, KEYS_DIR, Shared};
use super::slots::Slots;
use super::storage::{self, Disk, LockGuard, Open};
use super::{JournalOptions, Pressure};

/// File that names the format and the journal.
pub(super) const VERSION_FILE: &str = "VERSION";
/// File whose lock makes a process the only writer.
pub(super) const LOCK_FILE: &str = "lock";
const MAX_VERSION_FILE_BYTES: usize = 4096;
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

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
    let lock = take_lock(&*disk, &dir)?;
    let journal_id = open_version(&*disk, &dir)?;
    let (mark_slots, mark) = Slots::open(&disk, &dir.join(MARK_FILE)).map_err(to_error)?;
    disk.sync_dir(&dir).map_err(to_error)?;
    let mark = mark.as_deref().and_then(Mark::decode);
    let mut examined = recover::examine(&*disk, &dir, mark).map_err(to_error)?;
    let signer = Signer::open(&*disk, &dir.join(KEYS_DIR), examined.sealed.as_ref())?;
    let cursors = cursor::load(&disk, &dir.join(CURSORS_DIR)).map_err(to_error)?;
    // What a sink has was durable once: its sequences are never given again.
    examined.skip_to(cursors.furthest() + 1);
    let findings = Findings {
        last: examined.last.take(),
        torn: examined.torn.take(),
        damage: std::mem::take(&mut examined.damage),
        unused: std::mem::take(&mut examined.unused),
    };
    let packer = Packer::new().map_err(to_error)?;
    let (next_number, next_seq, previous) =
        (examined.next_number, examined.next_seq, examined.previous);
    let shared = Arc::new(share(disk, options, journal_id, signer, examined, cursors));
    let (aside_file, aside) = open_aside(&shared);
    let ballast = Ballast::hold(&shared);
    let mut log = Log {
        shared,
        active: None,
        spare: None,
        next_number,
        next_seq,
        previous,
        mark: Arc::new(Mutex::new(mark_slots)),
        packer,
        ballast,
        snapshot: (0, 0),
        aside,
        aside_file,
        warned_of_states: false,
        refused: false,
    };
    let recovery = repair(&mut log, findings, at_us).map_err(to_error)?;
    Ok(Opened {
        log,
        recovery,
        lock,
    })
}

fn share(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    journal_id: [u8; 16],
    signer: Signer,
    examined: Examined,
    cursors: Loaded,
) -> Shared {
    Shared {
        disk,
        options,
        journal_id,
        signer,
        catalog: Arc::new(Mutex::new(examined.catalog)),
        state: Mutex::new(examined.state),
        cursors: Mutex::new(cursors.cursors),
        lost_cursors: Mutex::new(cursors.lost),
        durable: watch::Sender::new(examined.next_seq - 1),
        pressure: watch::Sender::new(Pressure::Normal),
        sealed: watch::Sender::new(examined.sealed),
        hot: Mutex::new(Hot::default()),
        closed: AtomicBool::new(false),
        noticed: Mutex::new(Vec::new()),
        reported: Mutex::new(BTreeMap::new()),
        metrics: JournalMetrics::default(),
    }
}

/// Opens the file of records that found no room, and takes those of this journal into the states.
fn open_aside(shared: &Shared) -> (Option<Slots>, Vec<Loss>) {
    let path = shared.dir().join(loss::ASIDE_FILE);
    let (file, value) = match Slots::open(&shared.disk, &path) {
        Ok((file, value)) => (Some(file), value.unwrap_or_default()),
        Err(error) => {
            tracing::warn!(%error, "no room for a record of losses on a full disk");
            (None, Vec::new())
        }
    };
    let mut state = lock(&shared.state);
    let known: Vec<Gap> = loss::all(&state).iter().map(|loss| loss.gap).collect();
    let mut aside = loss::decode_aside(&value);
    aside.retain(|loss| {
        loss.is_signed()
            && loss.public_key == shared.signer.public_key()
            && loss.journal_id == shared.journal_id
            && !known.iter().any(|gap| gap.holds(&loss.gap))
    });
    for Loss {
        gap, last_at_us, ..
    } in &aside
    {
        let (id, signer) = (shared.journal_id, &shared.signer);
        let changes = loss::record(&state, *gap, *last_at_us, id, signer);
        changes.iter().for_each(|change| state.apply(change));
    }
    (file, aside)
}

/// Takes the lock. One who only reads holds it for an instant to see whether a writer runs,
/// so a refusal counts only when it lasts.
fn take_lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn LockGuard>, OpenError> {
    let dir_name = || dir.display().to_string();
    for attempt in 0..LOCK_ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        let lock = disk
            .try_lock(&dir.join(LOCK_FILE))
            .map_err(|source| OpenError::Io {
                dir: dir_name(),
                source,
            })?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
    }
    Err(OpenError::Locked { dir: dir_name() })
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
            // A lost version file does not make another journal of what is there.
            let known = recover::journal_id(disk, dir).unwrap_or(None);
            let id = known.map_or_else(uuid::Uuid::new_v4, uuid::Uuid::from_bytes);
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

fn repair(log: &mut Log, findings: Findings, at_us: i64) -> io::Result<Recovery> {
    let shared = Arc::clone(&log.shared);
    for number in findings.unused {
        match shared.disk.remove(&shared.dir().join(file_name(number))) {
            // Forged headers can name one segment twice.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let torn_bytes = findings.torn.as_ref().map_or(0, |bad| bad.to - bad.from);
    let damage = findings
        .damage
        .iter()
        .map(|(range, gap)| put_on_record(&shared, range, *gap, at_us))
        .collect();
    shared.list_gaps();
    if let Some(last) = findings.last {
        finish_last(log, last, findings.torn, at_us)?;
        log.mark_recovered();
    }
    log.publish_pressure();
    let catalog = lock(&shared.catalog);
    Ok(Recovery {
        segments: catalog.segments.len(),
        oldest_seq: catalog.oldest_seq(log.next_seq),
        next_seq: log.next_seq,
        torn_bytes,
        damage,
    })
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
        for change in loss::record(&state, gap, at_us, shared.journal_id, &shared.signer) {
            state.apply(&change);
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
    let start = last.header.as_ref().map(|h| h.previous).unwrap_or_default();
    let end = match (&torn, &last.tail) {
        (Some(torn), _) => torn.from,
        (None, Some(tail)) => tail.to,
        (None, None) => last.end.max(SEGMENT_HEADER_BYTES as u64),
    };
    let done = Progress {
        end,
        tip: last.tip.unwrap_or(start.hash),
        tree: last.tree,
        first_at_us: last.first_at_us,
        last_at_us: last.last_at_us,
    };
    log.previous.number = last.number;
    log.previous.id = last.id.unwrap_or(0);
    log.previous.end = done.end;
    log.previous.hash = done.tip;
    if let Some(segment) = lock(&shared.catalog).segments.get_mut(&last.number) {
        segment.end = end;
    }
    let is_sealed = last.seal.is_some();
    if is_sealed && torn.is_none() {
        return Ok(());
    }
    let file = shared
        .disk
        .open(&shared.dir().join(file_name(last.number)), Open::Write)?;
    if torn.is_some() {
        file.set_len(end)?;
    }
    // What the last run wrote may be only in the page cache: nothing is shown before this.
    file.sync_data()?;
    let readable = last.tail.as_ref().is_none_or(|tail| !tail.unreadable);
    if let Some(id) = last.id.filter(|_| readable && !is_sealed) {
        let first_seq = last.first_seq.unwrap_or(log.next_seq);
        let active = Active {
            number: last.number,
            id,
            file,
            first_seq,
            start: 0,
            durable: done.clone(),
            written: done,
        };
        log.seal_recovered(active, at_us);
    }
    Ok(())
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
