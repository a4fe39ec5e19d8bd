//! What is unusual for several buckets is one thing to tell.

use super::{Flag, Reading};

/// Usual buckets after which an episode is over.
const QUIET: u32 = 3;
/// How many times worse than when it was last told an episode must get to be told again.
const WORSE: f64 = 2.0;

/// Whether something unusual is going on, and how bad it was when it was last told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Episode {
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Open {
    began: i64,
    flag: Flag,
    told: f64,
    quiet: u32,
}

/// What a bucket does to the episode of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is going on.
    Quiet,
    /// Something begins: tell it.
    Opened,
    /// It got much worse: tell it again.
    Worsened,
    /// It goes on.
    GoesOn,
    /// It is over.
    Closed,
}

impl Episode {
    /// Takes up a bucket that was called `flag`.
    pub fn step(&mut self, reading: &Reading, flag: Flag) -> Step {
        let bad = badness(reading, flag);
        let Some(open) = &mut self.open else {
            return self.begin(reading, flag, bad);
        };
        if flag == Flag::Usual {
            open.quiet += 1;
            if open.quiet < QUIET {
                return Step::GoesOn;
            }
            self.open = None;
            return Step::Closed;
        }
        open.quiet = 0;
        // From many to none is another story than from many to more.
        if side(flag) != side(open.flag) || bad >= open.told * WORSE {
            open.flag = flag;
            open.told = bad;
            return Step::Worsened;
        }
        Step::GoesOn
    }

    /// The bucket that the episode began with, while it lasts.
    #[must_use]
    pub fn began(&self) -> Option<i64> {
        self.open.map(|open| open.began)
    }

    fn begin(&mut self, reading: &Reading, flag: Flag, told: f64) -> Step {
        if flag == Flag::Usual {
            return Step::Quiet;
        }
        self.open = Some(Open {
            began: reading.bucket,
            flag,
            told,
            quiet: 0,
        });
        Step::Opened
    }
}

/// Which way: more, or less.
fn side(flag: Flag) -> bool {
    flag == Flag::Spike
}

/// How bad it is: how many times what was expected for a spike, how improbable for the rest.
fn badness(reading: &Reading, flag: Flag) -> f64 {
    match flag {
        Flag::Usual => 0.0,
        Flag::Spike => reading.times(),
        // Fewer than nothing does not come: a drop is told once.
        Flag::Drop | Flag::Silence => f64::MAX,
    }
}
