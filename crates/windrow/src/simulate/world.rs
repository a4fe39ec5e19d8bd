//! What all machines of a fleet share, and what one machine has of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use windrow_formats::sldc;
use windrow_formats::wsman::{Charset, encode};

use super::connection::Encoding;
use super::events::{
    Catalogue, Channel, Fleet, Hostility, LONE_SURROGATE, LONE_SURROGATE_UNIT, Machine,
    TICKS_PER_SECOND,
};
use super::ledger::{Account, Ledger, LogName};
use super::log::{Logs, Position, Record};
use super::offer::{Offer, Start};
use super::options::{self, Options, Rate};
use super::random::derive;
use super::ranges::RangeSet;
use super::stats::Stats;

/// Most compressors that are kept: they are large, and only as many work as there are threads.
const COMPRESSORS_MAX: usize = 16;

/// The number of a machine's draw for where in its second it begins.
const DRAW_PHASE: u64 = 60;

/// What all machines share.
pub(super) struct World {
    pub(super) options: Options,
    pub(super) fleet: Fleet,
    pub(super) catalogue: Catalogue,
    pub(super) stats: Stats,
    pub(super) clock: Clock,
    /// No more is written; what waits is sent, and then each machine ends.
    pub(super) closing: CancellationToken,
    /// When that began, by the clock of the machines; 0 before.
    closed_ticks: AtomicU64,
    compressors: Mutex<Vec<sldc::Encoder>>,
}

/// Ticks that never go back.
pub(super) struct Clock {
    started: Instant,
    started_ticks: u64,
}

impl Clock {
    fn new(ahead: SignedDuration) -> Clock {
        let now = Timestamp::now();
        let now = now.checked_add(ahead).unwrap_or(now);
        let ticks = u64::try_from(now.as_nanosecond() / 100).unwrap_or(0);
        Clock {
            started: Instant::now(),
            started_ticks: ticks,
        }
    }

    /// 100-nanosecond ticks since 1970.
    pub(super) fn ticks(&self) -> u64 {
        let since = u64::try_from(self.started.elapsed().as_nanos() / 100).unwrap_or(0);
        self.started_ticks + since
    }

    pub(super) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }
}

impl World {
    pub(super) fn new(options: Options) -> World {
        World {
            fleet: options.machines.fleet(options.seed),
            catalogue: Catalogue::new(&options.mix, options.hostility),
            stats: Stats::default(),
            clock: Clock::new(options.clock_ahead),
            closing: CancellationToken::new(),
            closed_ticks: AtomicU64::new(0),
            compressors: Mutex::default(),
            options,
        }
    }

    /// From now on no more is written.
    pub(super) fn close(&self) {
        let now = self.clock.ticks();
        // Only the first counts.
        let _ = (self.closed_ticks).compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
        self.closing.cancel();
    }

    /// Up to when machines write.
    fn writes_until(&self) -> u64 {
        match self.closing.is_cancelled() {
            true => self.closed_ticks.load(Ordering::Acquire),
            false => self.clock.ticks(),
        }
    }

    /// The bytes of `envelope` on the wire.
    pub(super) fn body(&self, envelope: &str, encoding: Encoding) -> Bytes {
        let mut clear = encode(envelope, Charset::Utf16Le);
        if self.options.hostility == Hostility::Hostile {
            put_lone_surrogates(&mut clear);
        }
        if encoding == Encoding::Identity {
            return clear.into();
        }
        let pooled = lock(&self.compressors).pop();
        let mut compressor = pooled.unwrap_or_default();
        let mut body = Vec::with_capacity(clear.len() / 3);
        compressor.encode(&clear, &mut body);
        let mut compressors = lock(&self.compressors);
        if compressors.len() < COMPRESSORS_MAX {
            compressors.push(compressor);
        }
        body.into()
    }
}

/// A lock whose holder panicked holds counts that are still right.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put_lone_surrogates(utf16: &mut [u8]) {
    let marker = u16::try_from(u32::from(LONE_SURROGATE))
        .unwrap_or(0)
        .to_le_bytes();
    for unit in utf16.chunks_exact_mut(2) {
        if *unit == marker {
            unit.copy_from_slice(&LONE_SURROGATE_UNIT.to_le_bytes());
        }
    }
}

/// One machine at work.
pub(super) struct Host {
    pub(super) world: Arc<World>,
    pub(super) index: usize,
    state: Mutex<State>,
}

struct State {
    logs: Logs,
    phase: f64,
    started_ticks: Option<u64>,
    filled_ticks: u64,
    accounts: [ChannelAccount; 3],
}

/// What the ledger knows of a channel.
#[derive(Default)]
struct ChannelAccount {
    /// The first record that had to be sent; none before somebody reads the channel.
    first: Option<u64>,
    /// The first record that has not been sent yet.
    unsent: u64,
    acknowledged: RangeSet,
}

/// Where a reader begins.
pub(super) struct Beginning {
    /// The first records that it reads.
    pub(super) position: Position,
    /// Whether that is where the collector's bookmark has it.
    pub(super) has_place: bool,
}

/// What waits to be sent.
pub(super) struct Waiting {
    /// How many records.
    pub(super) count: u64,
    /// When the oldest was written.
    pub(super) oldest_ticks: Option<u64>,
    /// Whether no more will come.
    pub(super) is_dry: bool,
}

impl Host {
    pub(super) fn new(world: &Arc<World>, index: usize) -> Host {
        let machine = &world.fleet.machines()[index];
        let now = world.clock.ticks();
        let phase = (derive(machine.seed(), DRAW_PHASE) >> 40) as f64 / (1_u64 << 24) as f64;
        let state = State {
            logs: Logs::new(machine, world.options.existing, now),
            phase,
            started_ticks: None,
            filled_ticks: now,
            accounts: Default::default(),
        };
        Host {
            world: Arc::clone(world),
            index,
            state: Mutex::new(state),
        }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.world.fleet.machines()[self.index]
    }

    /// Where a reader of `offer` begins. The machine begins to write with its first reader.
    pub(super) fn begin(&self, offer: &Offer) -> Beginning {
        let mut state = lock(&self.state);
        let now = self.world.clock.ticks();
        if state.started_ticks.is_none() {
            state.started_ticks = Some(now);
            state.filled_ticks = now;
        }
        let start = state.find(offer, self.world.options.logs);
        let mut position = Position::default();
        for &channel in &offer.query.channels {
            let next = match start {
                Start::Now => state.logs.next(channel),
                Start::Earliest => state.logs.oldest(channel),
                Start::Behind(places) => {
                    let known = places.iter().find(|(named, _)| *named == channel);
                    let behind = known.map_or(0, |(_, id)| id.saturating_add(1));
                    behind.max(state.logs.oldest(channel))
                }
            };
            let since = offer.query.held_back(channel);
            let next = since.map_or(next, |since| {
                next.max(state.logs.first_since(channel, since))
            });
            let account = &mut state.accounts[channel.index()];
            account.unsent = account.unsent.max(next);
            account.first = Some(account.first.map_or(next, |first| first.min(next)));
            position = position.with(channel, next);
        }
        Beginning {
            position,
            has_place: offer.has_bookmark && *start == offer.start,
        }
    }

    /// Writes what is due, or, without a rate, as much as is `wanted`; then says what waits.
    pub(super) fn waiting(&self, position: &Position, wanted: usize) -> Waiting {
        let mut state = lock(&self.state);
        let is_dry = state.fill(&self.world, position, wanted);
        Waiting {
            count: state.logs.waiting(position),
            oldest_ticks: state
                .logs
                .read(position, 1)
                .first()
                .map(|record| record.ticks),
            is_dry,
        }
    }

    /// The records behind `position`.
    pub(super) fn read(&self, position: &Position, limit: usize) -> Vec<Record> {
        lock(&self.state).logs.read(position, limit)
    }

    /// Counts `records` as sent.
    pub(super) fn sent(&self, records: &[Record]) {
        let mut state = lock(&self.state);
        let (mut first, mut again) = (0, 0);
        for record in records {
            let account = &mut state.accounts[record.channel.index()];
            if record.id >= account.unsent {
                account.unsent = record.id + 1;
                first += 1;
            } else {
                again += 1;
            }
        }
        self.world.stats.sent.fetch_add(first, Ordering::Relaxed);
        self.world.stats.resent.fetch_add(again, Ordering::Relaxed);
    }

    /// Counts `records` as acknowledged.
    pub(super) fn acknowledged(&self, records: &[Record]) {
        let mut state = lock(&self.state);
        let insert = |record: &&Record| {
            let account = &mut state.accounts[record.channel.index()];
            account.acknowledged.insert(record.id) == super::ranges::Inserted::New
        };
        let count = records.iter().filter(insert).count();
        self.world
            .stats
            .acknowledged
            .fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many events had to be sent.
    pub(super) fn generated(&self) -> u64 {
        let state = lock(&self.state);
        Channel::ALL
            .into_iter()
            .map(|channel| state.generated(channel).count())
            .sum()
    }

    /// Whether something that had to be sent was not acknowledged.
    pub(super) fn has_unsent(&self) -> bool {
        let state = lock(&self.state);
        Channel::ALL.into_iter().any(|channel| {
            let acknowledged = &state.accounts[channel.index()].acknowledged;
            state.generated(channel).minus(acknowledged).count() > 0
        })
    }

    /// Puts this machine's accounts into `ledger`.
    pub(super) fn account(&self, ledger: &mut Ledger) {
        let state = lock(&self.state);
        for channel in Channel::ALL {
            let account = Account {
                generated: state.generated(channel),
                acknowledged: state.accounts[channel.index()].acknowledged.clone(),
            };
            if account != Account::default() {
                ledger
                    .accounts
                    .insert(LogName::new(&self.machine().name, channel.name()), account);
            }
        }
    }
}

impl State {
    /// Where to begin, so far as the logs know the place.
    fn find<'o>(&mut self, offer: &'o Offer, logs: options::Logs) -> &'o Start {
        let Start::Behind(places) = &offer.start else {
            return &offer.start;
        };
        let mut read = places.iter().copied();
        let is_lost = |(channel, id): (Channel, u64)| {
            let is_read = offer.query.channels.contains(&channel);
            is_read && !self.logs.has_place(channel, id.saturating_add(1))
        };
        if logs == options::Logs::Anew && read.any(is_lost) {
            return &Start::Earliest;
        }
        for &(channel, id) in places {
            if offer.query.channels.contains(&channel) {
                self.logs.skip_past(channel, id);
            }
        }
        &offer.start
    }

    /// Writes what is due; whether no more will come.
    fn fill(&mut self, world: &World, position: &Position, wanted: usize) -> bool {
        let left = world
            .options
            .events
            .map_or(u64::MAX, |all| all.saturating_sub(self.logs.written()));
        if left == 0 {
            return true;
        }
        // What was written before the end is written, though nobody has looked since: a machine may wait half an hour to
        // look, and would else have written next to nothing.
        let is_closing = world.closing.is_cancelled();
        let now = world.writes_until();
        let due = match world.options.rate {
            Rate::Unlimited if is_closing => 0,
            Rate::Unlimited => (wanted as u64).saturating_sub(self.logs.waiting(position)),
            Rate::PerMachine(rate) => {
                let since = now.saturating_sub(self.started_ticks.unwrap_or(now));
                let seconds = since as f64 / TICKS_PER_SECOND as f64;
                // A negative or absurd product saturates.
                let due = (seconds * rate + self.phase) as u64;
                due.saturating_sub(self.logs.written())
            }
        };
        let due = due.min(left);
        if due > 0 {
            self.logs
                .write(&world.catalogue, due, self.filled_ticks, now);
            self.filled_ticks = now;
        }
        is_closing || due == left
    }

    fn generated(&self, channel: Channel) -> RangeSet {
        match self.accounts[channel.index()].first {
            Some(first) => RangeSet::of(first, self.logs.next(channel).saturating_sub(1)),
            None => RangeSet::default(),
        }
    }
}

/// The ledger of all machines.
pub(super) fn ledger(hosts: &[Arc<Host>]) -> Ledger {
    let mut ledger = Ledger {
        accounts: BTreeMap::new(),
    };
    for host in hosts {
        host.account(&mut ledger);
    }
    ledger
}
