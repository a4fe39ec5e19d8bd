//! Many filters asked about one event.
//!
//! Most queries are for one channel and a few EventIDs, so these two are looked up, and only
//! the selectors that are left are evaluated: what an event costs hardly grows with the
//! number of filters.

use jiff::Timestamp;

use super::filter::{Filter, Query, Selector};
use crate::event::Event;
use crate::limits::{FILTERS_MAX, SELECTOR_IDS_MAX};

/// Filters by number, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct FilterSet {
    filters: Box<[Filter]>,
    /// For the selectors of each channel.
    channels: Channels,
    /// For selectors without a channel.
    everywhere: Bucket,
}

/// Which filters of a set match one event. To be reused: only the first use allocates.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    words: Vec<u64>,
}

/// More filters than [`FILTERS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {FILTERS_MAX} filters in one set")]
pub struct TooManyFilters;

/// A Select of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    filter: u32,
    query: u32,
    select: u32,
}

/// The selectors of one channel.
#[derive(Clone, Debug, Default)]
struct Bucket {
    /// Those of few EventIDs, by EventID.
    by_id: Vec<(u32, Candidate)>,
    /// All others.
    wide: Vec<Candidate>,
}

impl FilterSet {
    /// Puts filters together; the first has number 0.
    ///
    /// # Errors
    /// When there are more than [`FILTERS_MAX`].
    pub fn new(filters: Vec<Filter>) -> Result<Self, TooManyFilters> {
        if filters.len() > FILTERS_MAX {
            return Err(TooManyFilters);
        }
        let mut set = Self {
            filters: filters.into(),
            channels: Channels::default(),
            everywhere: Bucket::default(),
        };
        for (filter, candidates) in set.filters.iter().enumerate() {
            for (query, selects) in candidates.queries().iter().enumerate() {
                for (select, selector) in selects.selects.iter().enumerate() {
                    let candidate = Candidate {
                        filter: filter as u32,
                        query: query as u32,
                        select: select as u32,
                    };
                    let bucket = match &selector.channel {
                        Some(channel) => set.channels.bucket(channel),
                        None => &mut set.everywhere,
                    };
                    bucket.add(candidate, selector);
                }
            }
        }
        set.channels.finish();
        set.everywhere.by_id.sort_unstable();
        Ok(set)
    }

    /// The filters, by number.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Finds the filters that select the event. `now` is what timediff() counts to.
    pub fn find(&self, event: Event<'_>, now: Timestamp, matches: &mut Matches) {
        matches.clear(self.filters.len());
        self.visit(event, |candidate| {
            let filter = candidate.filter as usize;
            if !matches.contains(filter) && self.selects(candidate, event, now) {
                matches.insert(filter);
            }
            false
        });
    }

    /// Whether one of the filters selects the event.
    pub fn any(&self, event: Event<'_>, now: Timestamp) -> bool {
        self.visit(event, |candidate| self.selects(candidate, event, now))
    }

    /// Goes through the candidates for an event until one is enough.
    #[inline]
    fn visit(&self, event: Event<'_>, mut is_enough: impl FnMut(Candidate) -> bool) -> bool {
        let id = event.event_id();
        let of_channel = self.channels.find(event);
        let mut candidates = of_channel
            .into_iter()
            .chain([&self.everywhere])
            .flat_map(|bucket| bucket.candidates(id));
        candidates.any(&mut is_enough)
    }

    /// Whether the candidate selects an event of its channel, and its query holds it not back.
    #[inline]
    fn selects(&self, candidate: Candidate, event: Event<'_>, now: Timestamp) -> bool {
        let query = self.query(candidate);
        let select = query.and_then(|query| query.selects.get(candidate.select as usize));
        let selects = select.is_some_and(|select| select.expression.matches(event, now));
        selects && !query.is_some_and(|query| query.suppresses(event, now))
    }

    fn query(&self, candidate: Candidate) -> Option<&Query> {
        let filter = self.filters.get(candidate.filter as usize)?;
        filter.queries().get(candidate.query as usize)
    }
}

impl Matches {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the filter of this number matched.
    #[inline]
    pub fn contains(&self, filter: usize) -> bool {
        let word = self.words.get(filter / 64);
        word.is_some_and(|word| word >> (filter % 64) & 1 == 1)
    }

    /// The numbers of the filters that matched, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(place, &word)| {
            let rest = |word: &u64| Some(word & (word - 1)).filter(|&rest| rest != 0);
            let first = Some(word).filter(|&word| word != 0);
            std::iter::successors(first, rest)
                .map(move |word| place * 64 + word.trailing_zeros() as usize)
        })
    }

    fn clear(&mut self, filters: usize) {
        self.words.clear();
        self.words.resize(filters.div_ceil(64), 0);
    }

    #[inline]
    fn insert(&mut self, filter: usize) {
        if let Some(word) = self.words.get_mut(filter / 64) {
            *word |= 1 << (filter % 64);
        }
    }
}

impl Bucket {
    fn add(&mut self, candidate: Candidate, selector: &Selector) {
        match selector.expression.event_ids().members(SELECTOR_IDS_MAX) {
            Some(ids) => self.by_id.extend(ids.into_iter().map(|id| (id, candidate))),
            None => self.wide.push(candidate),
        }
    }

    #[inline]
    fn candidates(&self, id: Option<u32>) -> impl Iterator<Item = Candidate> + '_ {
        let of_id = match id {
            Some(id) => {
                let start = self.by_id.partition_point(|(of, _)| *of < id);
                self.by_id.get(start..).unwrap_or(&[])
            }
            None => &[],
        };
        let of_id = of_id.iter().take_while(move |(of, _)| Some(*of) == id);
        of_id
            .map(|(_, candidate)| *candidate)
            .chain(self.wide.iter().copied())
    }
}

/// Buckets by the name of their channel, without regard to case: a hash table with open
/// addressing, which needs no allocation to look a name up.
#[derive(Clone, Debug, Default)]
struct Channels {
    buckets: Vec<(Box<str>, Bucket)>,
    /// Places in `buckets`; a power of two of them, more than half of them free.
    table: Vec<Option<u32>>,
}

impl Channels {
    /// The bucket of a channel, made when there is none. Only while the set is made.
    fn bucket(&mut self, channel: &str) -> &mut Bucket {
        let known = self
            .buckets
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case(channel));
        let place = known.unwrap_or_else(|| {
            self.buckets.push((channel.into(), Bucket::default()));
            self.buckets.len() - 1
        });
        &mut self.buckets[place].1
    }

    fn finish(&mut self) {
        self.table = vec![None; (self.buckets.len() * 2 + 1).next_power_of_two()];
        for (place, (name, bucket)) in self.buckets.iter_mut().enumerate() {
            bucket.by_id.sort_unstable();
            let mut slot = hash(name) & (self.table.len() - 1);
            while self.table[slot].is_some() {
                slot = (slot + 1) & (self.table.len() - 1);
            }
            self.table[slot] = Some(place as u32);
        }
    }

    #[inline]
    fn find(&self, event: Event<'_>) -> Option<&Bucket> {
        let span = event.index().strings.channel;
        if !span.is_some() || self.table.is_empty() {
            return None;
        }
        let mut buffer = [0; CHANNEL_BYTES_MAX];
        let channel = span.short_value(event.text(), &mut buffer)?;
        let mut slot = hash(channel) & (self.table.len() - 1);
        while let Some(place) = self.table[slot] {
            let (name, bucket) = self.buckets.get(place as usize)?;
            if name.eq_ignore_ascii_case(channel) {
                return Some(bucket);
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
        None
    }
}

/// Longest channel name that is found when it has references in it; Windows allows 255
/// characters.
const CHANNEL_BYTES_MAX: usize = 1024;

/// The same for names that differ in the case of ASCII letters only: sixteen bytes and the
/// length tell channels apart well enough.
#[inline]
fn hash(name: &str) -> usize {
    const SAME_CASE: u64 = 0x2020_2020_2020_2020;
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = name.as_bytes();
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        let len = bytes.len().min(8);
        word[..len].copy_from_slice(&bytes[..len]);
        u64::from_le_bytes(word) | SAME_CASE
    };
    let middle = word(&bytes[bytes.len() / 2..]);
    let end = word(&bytes[bytes.len().saturating_sub(8)..]);
    let mixed = (middle ^ bytes.len() as u64).wrapping_mul(SPREAD) ^ end;
    (mixed.wrapping_mul(SPREAD) >> 32) as usize
}
