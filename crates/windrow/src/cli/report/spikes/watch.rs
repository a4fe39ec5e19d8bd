//! The detector run over history: buckets in, episodes out.

use std::collections::{BTreeMap, HashMap, HashSet};

use windrow_detect::limits::SERIES_MAX;
use windrow_detect::spikes::{
    Alarm, Budget, FORGOTTEN_DAYS, Flag, Fleet, Reading, Series, Step, Width, Window,
};

use super::names::Key;

/// Episodes that are kept. What would be one more is counted and left out.
const EPISODES_MAX: usize = 100_000;
/// Buckets of an episode, or of the series that is looked at, that are kept: four weeks of five minutes.
const READINGS_MAX: usize = 8_064;
/// Buckets of all episodes that are kept.
const ALL_READINGS_MAX: usize = 500_000;

/// Which way an episode went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Burst,
    Drop,
    Silence,
}

impl What {
    fn of(flag: Flag) -> Option<What> {
        match flag {
            Flag::Usual => None,
            Flag::Spike => Some(What::Burst),
            Flag::Drop => Some(What::Drop),
            Flag::Silence => Some(What::Silence),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            What::Burst => "burst",
            What::Drop => "drop",
            What::Silence => "silence",
        }
    }
}

/// A bucket with its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub(super) reading: Reading,
    pub(super) what: Option<What>,
    /// The score from which on it is called something; none where nothing was near that.
    pub(super) threshold: Option<f64>,
}

impl Judged {
    /// How unusual: of silence how improbable it has become.
    pub(super) fn score(&self) -> f64 {
        match self.what {
            Some(What::Silence) => self.reading.silence,
            _ => self.reading.score,
        }
    }
}

/// Something unusual, from its first unusual bucket to its last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode {
    pub(super) key: Key,
    pub(super) what: What,
    /// Its first bucket; of silence, the first empty one.
    pub(super) first: i64,
    /// Its last unusual bucket.
    pub(super) last: i64,
    /// What was counted from the first to the last.
    pub(super) observed: u64,
    /// What was expected of those.
    pub(super) expected: f64,
    /// The most unusual bucket.
    pub(super) worst: Judged,
    /// It was going on when the history ended.
    pub(super) open: bool,
    /// Its buckets, where they are asked for.
    pub(super) readings: Vec<Judged>,
    /// What came since the last unusual bucket.
    since: (u64, f64),
}

impl Episode {
    fn begin(key: Key, what: What, judged: Judged) -> Episode {
        let reading = judged.reading;
        let empty = match what {
            What::Silence => reading.empty_buckets.max(1),
            What::Burst | What::Drop => 1,
        };
        // Most of it came in the two buckets before, which were not unusual by themselves.
        let is_of_three = what == What::Burst
            && reading.window == Window::Three
            && reading.count.saturating_mul(2) < reading.window_count;
        if is_of_three {
            return Episode {
                first: reading.bucket - 2,
                observed: reading.window_count,
                expected: reading.window_expected,
                ..Episode::of_bucket(key, what, judged)
            };
        }
        Episode {
            first: reading.bucket - i64::from(empty - 1),
            // Before it was noticed, about as much was expected of a bucket.
            expected: reading.expected * f64::from(empty),
            ..Episode::of_bucket(key, what, judged)
        }
    }

    fn of_bucket(key: Key, what: What, judged: Judged) -> Episode {
        let reading = judged.reading;
        Episode {
            key,
            what,
            first: reading.bucket,
            last: reading.bucket,
            observed: reading.count,
            expected: reading.expected,
            worst: judged,
            open: true,
            readings: Vec::new(),
            since: (0, 0.0),
        }
    }

    /// Whether this is another story: from many to none is, from few to none is not.
    fn turns(&self, what: What) -> bool {
        (self.what == What::Burst) != (what == What::Burst)
    }

    fn go_on(&mut self, judged: Judged) {
        let reading = judged.reading;
        if judged.what == Some(What::Silence) && self.what == What::Drop {
            let before = self.first - (reading.bucket - i64::from(reading.empty_buckets) + 1);
            self.expected += reading.expected * before.max(0) as f64;
            self.first -= before.max(0);
            self.what = What::Silence;
        }
        self.since.0 = self.since.0.saturating_add(reading.count);
        self.since.1 += reading.expected;
        if judged.what.is_none() {
            return;
        }
        if judged.score() > self.worst.score() {
            self.worst = judged;
        }
        // Of three buckets together the last one may be as usual.
        let above = reading.count as f64 > reading.expected;
        if self.what != What::Silence && above != (self.what == What::Burst) {
            return;
        }
        let (counted, expected) = std::mem::take(&mut self.since);
        self.observed = self.observed.saturating_add(counted);
        self.expected += expected;
        self.last = reading.bucket;
    }
}

/// What is kept beside episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Episodes,
    /// Their buckets too.
    Readings,
}

/// The detector and what it has told.
pub(super) struct Watch {
    fleet: Fleet<Key>,
    width: Width,
    keep: Keep,
    /// From this bucket on is told; before it is learnt.
    from: i64,
    first: Option<i64>,
    last: Option<i64>,
    /// The first bucket of each series.
    born: HashMap<Key, Life>,
    going: HashMap<Key, Episode>,
    /// Silences that are over, or only not told for hours of which too little is known.
    resting: HashMap<Key, Episode>,
    pub(super) episodes: Vec<Episode>,
    /// Episodes, and buckets of them, that were left out.
    pub(super) left_out: u64,
    pub(super) readings_left_out: u64,
    readings: usize,
    looked_at: Option<Look>,
}

/// One series, every bucket of it.
struct Look {
    key: Key,
    series: Series,
    judged: BTreeMap<i64, Judged>,
}

impl Watch {
    /// Tells of what happens from the bucket `from` on.
    pub(super) fn new(width: Width, budget: Budget, from: i64, keep: Keep) -> Watch {
        Watch {
            fleet: Fleet::new(width, budget),
            width,
            keep,
            from,
            first: None,
            last: None,
            born: HashMap::new(),
            going: HashMap::new(),
            resting: HashMap::new(),
            episodes: Vec::new(),
            left_out: 0,
            readings_left_out: 0,
            readings: 0,
            looked_at: None,
        }
    }

    /// Looks at every bucket of this series from now on: before it counted anything.
    pub(super) fn look_at(&mut self, key: Key) {
        self.looked_at = Some(Look {
            key,
            series: Series::default(),
            judged: BTreeMap::new(),
        });
    }

    /// Whether a series has counted anything yet.
    pub(super) fn knows(&self, key: Key) -> bool {
        self.born.contains_key(&key)
    }

    /// Takes up a bucket. What lies between it and the last one counted nothing.
    pub(super) fn take(&mut self, bucket: i64, counts: &HashMap<Key, u64>) {
        self.rest_until(bucket);
        for key in counts.keys() {
            if let Some(life) = self.born.get_mut(key) {
                life.counted(bucket, FORGOTTEN_DAYS * self.width.per_day());
            } else if self.born.len() < SERIES_MAX {
                self.born.insert(*key, Life::of(bucket));
            }
        }
        self.pass(bucket, counts);
    }

    /// Nothing came up to this bucket, which is not counted itself.
    pub(super) fn rest_until(&mut self, bucket: i64) {
        let none = HashMap::new();
        while let Some(next) = self.last.map(|last| last + 1)
            && next < bucket
            && self.fleet.live() > 0
        {
            self.pass(next, &none);
        }
    }

    fn pass(&mut self, bucket: i64, counts: &HashMap<Key, u64>) {
        self.first.get_or_insert(bucket);
        self.last = Some(bucket);
        let passed = self.fleet.pass(bucket, counts);
        self.look(bucket, counts);
        if passed.alarms.len() < self.going.len() {
            self.forget(&passed.alarms);
        }
        for alarm in passed.alarms {
            self.alarmed(&alarm);
        }
    }

    /// Tells what goes on in series that the fleet has forgotten: nobody will hear how it ends.
    fn forget(&mut self, alarms: &[Alarm<Key>]) {
        let alarmed: HashSet<Key> = alarms.iter().map(|alarm| alarm.key).collect();
        let going = std::mem::take(&mut self.going);
        let (going, forgotten): (HashMap<_, _>, HashMap<_, _>) = going
            .into_iter()
            .partition(|(key, _)| alarmed.contains(key));
        self.going = going;
        for episode in forgotten.into_values() {
            self.tell(episode);
        }
    }

    fn look(&mut self, bucket: i64, counts: &HashMap<Key, u64>) {
        let Some(look) = &mut self.looked_at else {
            return;
        };
        let count = counts.get(&look.key).copied().unwrap_or(0);
        if look.series.last().is_none() && count == 0 {
            return;
        }
        if let Some(reading) = look.series.observe(bucket, self.width, count)
            && bucket >= self.from
        {
            if look.judged.len() >= READINGS_MAX {
                look.judged.pop_first();
            }
            let judged = Judged {
                reading,
                what: None,
                threshold: None,
            };
            look.judged.insert(bucket, judged);
        }
        if look.series.empty_buckets() >= FORGOTTEN_DAYS * self.width.per_day() {
            look.series = Series::default();
        }
    }

    fn alarmed(&mut self, alarm: &Alarm<Key>) {
        let judged = Judged {
            reading: alarm.reading,
            what: What::of(alarm.flag),
            threshold: Some(alarm.threshold),
        };
        if let Some(look) = &mut self.looked_at
            && look.key == alarm.key
            && let Some(seen) = look.judged.get_mut(&alarm.reading.bucket)
        {
            *seen = judged;
        }
        let turned = |episode: &Episode| judged.what.is_some_and(|what| episode.turns(what));
        if self.going.get(&alarm.key).is_some_and(turned) {
            self.close(alarm.key);
        }
        match (self.going.get_mut(&alarm.key), judged.what) {
            (Some(episode), _) => episode.go_on(judged),
            (None, Some(what)) => self.begin(alarm.key, what, judged),
            (None, None) => return,
        }
        self.keep_reading(alarm.key, judged);
        if alarm.step == Step::Closed {
            self.close(alarm.key);
        }
    }

    fn keep_reading(&mut self, key: Key, judged: Judged) {
        let Some(episode) = self.going.get_mut(&key) else {
            return;
        };
        if self.keep == Keep::Episodes || judged.reading.bucket < self.from {
            return;
        }
        if episode.readings.len() >= READINGS_MAX || self.readings >= ALL_READINGS_MAX {
            self.readings_left_out += 1;
            return;
        }
        self.readings += 1;
        episode.readings.push(judged);
    }

    /// Begins an episode, or goes on with a silence in which nothing has come since.
    fn begin(&mut self, key: Key, what: What, judged: Judged) {
        let begun = Episode::begin(key, what, judged);
        let episode = match self.resting.remove(&key) {
            Some(mut rested) if what == What::Silence && rested.first == begun.first => {
                rested.open = true;
                rested.go_on(judged);
                rested.expected = rested.expected.max(begun.expected);
                rested
            }
            rested => {
                rested.into_iter().for_each(|rested| self.tell(rested));
                begun
            }
        };
        self.going.insert(key, episode);
    }

    fn close(&mut self, key: Key) {
        let Some(mut episode) = self.going.remove(&key) else {
            return;
        };
        episode.open = false;
        if episode.what != What::Silence {
            self.tell(episode);
        } else if let Some(rested) = self.resting.insert(key, episode) {
            self.tell(rested);
        }
    }

    fn tell(&mut self, episode: Episode) {
        if episode.last < self.from {
            return;
        }
        if self.episodes.len() >= EPISODES_MAX {
            self.left_out += 1;
            return;
        }
        self.episodes.push(episode);
    }

    /// Ends the history: what goes on is told as it is.
    pub(super) fn end(&mut self) {
        let resting = std::mem::take(&mut self.resting);
        let going = std::mem::take(&mut self.going);
        for episode in resting.into_values().chain(going.into_values()) {
            self.tell(episode);
        }
    }

    /// Every series that counted anything.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.born.keys().copied()
    }

    /// What was followed.
    pub(super) fn seen(&self) -> Seen {
        let day = i64::from(self.width.per_day());
        let end = self.last.map_or(0, |last| last + 1);
        let young = |life: &&Life| end - life.born <= day;
        Seen {
            first: self.first,
            end,
            series: self.born.len(),
            young: self.born.values().filter(young).count(),
            again: self.born.values().filter(|life| life.again).count(),
            unfollowed: self.fleet.full().events,
        }
    }

    /// Every bucket of the series that was looked at.
    pub(super) fn looked(&self) -> Option<(Key, Vec<Judged>)> {
        let look = self.looked_at.as_ref()?;
        Some((look.key, look.judged.values().copied().collect()))
    }
}

/// When a series was there.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// The bucket that it began with, the last time that it did.
    born: i64,
    /// The last bucket that had anything of it.
    last: i64,
    /// Whether it had been forgotten before.
    again: bool,
}

impl Life {
    fn of(bucket: i64) -> Life {
        Life {
            born: bucket,
            last: bucket,
            again: false,
        }
    }

    fn counted(&mut self, bucket: i64, forgotten: u32) {
        // The bucket in which it was forgotten is the last of so many empty ones.
        if bucket - self.last > i64::from(forgotten) {
            (self.born, self.again) = (bucket, true);
        }
        self.last = bucket;
    }
}

/// How much history there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first bucket with anything in it.
    pub(super) first: Option<i64>,
    /// The bucket after the last one.
    pub(super) end: i64,
    /// Series that counted anything.
    pub(super) series: usize,
    /// Those of them that began less than a day before the end.
    pub(super) young: usize,
    /// Those that came again after the fleet had forgotten them.
    pub(super) again: usize,
    /// Events of series that there was no room for.
    pub(super) unfollowed: u64,
}

#[cfg(test)]
mod tests;
