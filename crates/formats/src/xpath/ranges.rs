//! Sets of whole numbers and of texts: what a value can still be.

use super::ast::Operator;
use super::number::Number;

/// Most texts that a set keeps apart; one of more is taken for all of them.
const TEXTS_MAX: usize = 512;
/// Fractions up to here lie between two whole numbers (2^53).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Whole numbers, as ranges in order that do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(i128, i128)>);

impl Ranges {
    pub(super) fn all() -> Ranges {
        Ranges::span(i128::MIN, i128::MAX)
    }

    /// From the first to the last.
    pub(super) fn span(first: i128, last: i128) -> Ranges {
        Ranges::of([(first, last)])
    }

    /// What lies in any of these, in whatever order; one that ends before it begins is empty.
    pub(super) fn of(ranges: impl IntoIterator<Item = (i128, i128)>) -> Ranges {
        let mut all: Vec<_> = ranges.into_iter().filter(|(a, b)| a <= b).collect();
        all.sort_unstable();
        let mut kept: Vec<(i128, i128)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match kept.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => kept.push((first, last)),
            }
        }
        Ranges(kept)
    }

    /// The whole numbers for which the comparison holds.
    pub(super) fn fulfilling(operator: Operator, number: Number) -> Ranges {
        let (below, above) = match number {
            Number::Integer(number) => (number.checked_sub(1), number.checked_add(1)),
            Number::Fraction(number) if number.abs() < EXACT_MAX => {
                let below = number.floor() as i128;
                (Some(below), Some(below + 1))
            }
            Number::Fraction(_) => return Ranges::all(),
        };
        let same = match number {
            Number::Integer(number) => Some((number, number)),
            Number::Fraction(_) => None,
        };
        let below = below.map(|last| (i128::MIN, last));
        let above = above.map(|first| (first, i128::MAX));
        let parts = match operator {
            Operator::Equal => [same, None],
            Operator::NotEqual => [below, above],
            Operator::Less => [below, None],
            Operator::LessOrEqual => [below, same],
            Operator::Greater => [above, None],
            Operator::GreaterOrEqual => [above, same],
        };
        Ranges::of(parts.into_iter().flatten())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn last(&self) -> Option<i128> {
        self.0.last().map(|(_, last)| *last)
    }

    /// How many numbers there are, or the largest count that can be told.
    pub(super) fn count(&self) -> i128 {
        let mut counts = self.0.iter().map(|(first, last)| {
            let between = last.checked_sub(*first);
            between.and_then(|between| between.checked_add(1))
        });
        let sum = counts.try_fold(0_i128, |sum, count| sum.checked_add(count?));
        sum.unwrap_or(i128::MAX)
    }

    pub(super) fn ranges(&self) -> &[(i128, i128)] {
        &self.0
    }

    fn meet(&self, other: &Ranges) -> Ranges {
        let pairs = self.0.iter().flat_map(|(a, b)| {
            let others = other.0.iter();
            others.map(move |(c, d)| (*a.max(c), *b.min(d)))
        });
        Ranges::of(pairs)
    }

    fn join(&self, other: &Ranges) -> Ranges {
        Ranges::of(self.0.iter().chain(&other.0).copied())
    }
}

/// A text, or all that differ from it in case only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Exact(Box<str>),
    AnyCase(Box<str>),
}

impl Word {
    fn is(&self) -> &str {
        match self {
            Word::Exact(text) | Word::AnyCase(text) => text,
        }
    }

    /// What both stand for.
    fn meet(&self, other: &Word) -> Option<Word> {
        let same = match (self, other) {
            (Word::Exact(one), Word::Exact(other)) => one == other,
            _ => self.is().eq_ignore_ascii_case(other.is()),
        };
        let narrower = match self {
            Word::Exact(_) => self,
            Word::AnyCase(_) => other,
        };
        same.then(|| narrower.clone())
    }

    /// Whether all that the other stands for is in this.
    fn covers(&self, other: &Word) -> bool {
        match (self, other) {
            (Word::Exact(one), Word::Exact(other)) => one == other,
            (Word::Exact(_), Word::AnyCase(_)) => false,
            (Word::AnyCase(one), other) => one.eq_ignore_ascii_case(other.is()),
        }
    }
}

/// Texts; never fewer than those that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    Any,
    OneOf(Vec<Word>),
    Except(Vec<Word>),
}

impl Texts {
    pub(super) fn is_empty(&self) -> bool {
        *self == Texts::OneOf(Vec::new())
    }

    fn meet(&self, other: &Texts) -> Texts {
        match (self, other) {
            (Texts::Any, kept) | (kept, Texts::Any) => kept.clone(),
            (Texts::OneOf(one), Texts::OneOf(other)) => {
                let pairs = one.iter();
                let pairs = pairs.flat_map(|one| other.iter().filter_map(|other| one.meet(other)));
                Texts::one_of(pairs)
            }
            (Texts::OneOf(words), Texts::Except(except))
            | (Texts::Except(except), Texts::OneOf(words)) => {
                let is_left = |word: &&Word| !except.iter().any(|except| except.covers(word));
                Texts::one_of(words.iter().filter(is_left).cloned())
            }
            (Texts::Except(one), Texts::Except(other)) => {
                let both = one.iter().chain(other).take(TEXTS_MAX);
                Texts::Except(both.cloned().collect())
            }
        }
    }

    fn join(&self, other: &Texts) -> Texts {
        match (self, other) {
            (Texts::OneOf(one), Texts::OneOf(other)) => {
                Texts::one_of(one.iter().chain(other).cloned())
            }
            _ => Texts::Any,
        }
    }

    fn one_of(words: impl IntoIterator<Item = Word>) -> Texts {
        let mut kept: Vec<Word> = Vec::new();
        for word in words {
            if !kept.contains(&word) {
                kept.push(word);
            }
            if kept.len() > TEXTS_MAX {
                return Texts::Any;
            }
        }
        Texts::OneOf(kept)
    }
}

/// What a value can still be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Numbers(Ranges),
    Texts(Texts),
}

impl Domain {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Domain::Numbers(ranges) => ranges.is_empty(),
            Domain::Texts(texts) => texts.is_empty(),
        }
    }

    /// What is in both. The two are of one kind.
    pub(super) fn meet(&self, other: &Domain) -> Domain {
        match (self, other) {
            (Domain::Numbers(one), Domain::Numbers(other)) => Domain::Numbers(one.meet(other)),
            (Domain::Texts(one), Domain::Texts(other)) => Domain::Texts(one.meet(other)),
            (kept, _) => kept.clone(),
        }
    }

    /// What is in one of them at least, or more.
    pub(super) fn join(&self, other: &Domain) -> Domain {
        match (self, other) {
            (Domain::Numbers(one), Domain::Numbers(other)) => Domain::Numbers(one.join(other)),
            (Domain::Texts(one), Domain::Texts(other)) => Domain::Texts(one.join(other)),
            _ => Domain::Texts(Texts::Any),
        }
    }
}
