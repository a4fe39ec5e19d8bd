//! Whether this machine's clock is believed, by which it is decided what of the lake is over.
//!
//! A clock that is wrong by a year would take a year of records. So what it said is kept in the data folder beside how long
//! the machine had been up then, and the clock has to agree with the time that has passed since: over the days of a run and over
//! a restart. Where it is more than a day ahead it is not believed until it agrees again, or until somebody says that it is
//! right, by `windrow lake expire`. Of the time that a machine was off nobody here knows how long it was: it counts as
//! none. A clock that is behind takes nothing too early, and when it is right again it agrees with what was kept.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::datadir::{Kept, WholeFiles};

/// The file, in the lake's folder of the data folder.
const FILE: &str = "clock.toml";

/// Its version.
const VERSION: u32 = 1;

/// How far the clock may be ahead of the time that has passed.
const DOUBT: SignedDuration = SignedDuration::from_hours(24);

/// What counts the time that the machine was asleep too, where the system has such a clock.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

/// What the clock said, and how long the machine had been up then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    version: u32,
    time: Timestamp,
    up_s: u64,
}

/// Why the clock is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is so far ahead of the time that has passed.
    Ahead(SignedDuration),
    /// What it is compared with cannot be read, for this reason.
    Unknown(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Ahead(ahead) => {
                let days = ahead.as_hours() / 24;
                write!(
                    f,
                    "it is {days} days ahead of the time that has passed since it was last believed"
                )
            }
            Doubt::Unknown(reason) => f.write_str(reason),
        }
    }
}

/// The clock, and what is kept of it.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    folder: PathBuf,
}

impl Clock {
    /// The clock by which the lake of this data folder is kept.
    pub(crate) fn of(lake: &Path) -> Clock {
        Clock {
            folder: lake.to_owned(),
        }
    }

    /// Looks at the clock, and keeps what is to be compared with the next time.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(crate) fn look(&self) -> Result<(), Doubt> {
        let known = self.known().map_err(Doubt::Unknown)?;
        let (ahead, kept) = compared(known, now());
        if let Err(error) = self.keep(kept) {
            tracing::warn!(%error, "cannot keep what the clock said: a restart will not know it");
        }
        ahead.map_or(Ok(()), |ahead| Err(Doubt::Ahead(ahead)))
    }

    /// Somebody says that the clock is right.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) fn trust(&self) -> io::Result<()> {
        self.keep(now())
    }

    fn known(&self) -> Result<Option<Look>, String> {
        let path = self.folder.join(FILE);
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let known = toml::from_str(&text).ok();
        let known: Option<Look> = known.filter(|look: &Look| look.version == VERSION);
        let unread = || {
            format!(
                "{} does not say in a way that this windrow knows when it was last believed",
                path.display()
            )
        };
        known.map(Some).ok_or_else(unread)
    }

    fn keep(&self, look: Look) -> io::Result<()> {
        let text = toml::to_string(&look).map_err(io::Error::other)?;
        let files = WholeFiles::in_folder(self.folder.clone());
        let (Kept::Surely | Kept::Unsure(_)) = files.replace(FILE, text.as_bytes())?;
        Ok(())
    }
}

fn now() -> Look {
    let up_s = u64::try_from(clock_gettime(STEADY).tv_sec).unwrap_or(0);
    Look {
        version: VERSION,
        time: Timestamp::now(),
        up_s,
    }
}

/// How far the clock is ahead, where that is too much, and what it is compared with the next time.
fn compared(known: Option<Look>, now: Look) -> (Option<SignedDuration>, Look) {
    let Some(known) = known else {
        return (None, now);
    };
    let since = now.up_s.checked_sub(known.up_s);
    // The machine was off in between, for nobody knows how long, and has been up for this long since.
    let passed = Duration::from_secs(since.unwrap_or(now.up_s));
    let Ok(expected) = known.time.checked_add(passed) else {
        return (None, now);
    };
    let ahead = now.time.duration_since(expected);
    let time = match since {
        None if ahead <= DOUBT => now.time.max(expected),
        // Not what the clock says now: small steps would add up to a large one.
        _ => expected,
    };
    ((ahead > DOUBT).then_some(ahead), Look { time, ..now })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    /// A look when the machine is up for so many hours, at a clock that is so many hours ahead of 23 November, 0 h.
    fn look(up: u64, clock: i64) -> Look {
        let begin: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        Look {
            version: VERSION,
            time: begin + SignedDuration::from_hours(clock),
            up_s: up * HOUR,
        }
    }

    /// How many hours ahead the clock is found at each of these looks.
    fn ahead(looks: &[(u64, i64)]) -> Vec<i64> {
        let mut known = None;
        let each = looks.iter().map(|&(up, clock)| {
            let (ahead, kept) = compared(known, look(up, clock));
            known = Some(kept);
            ahead.map_or(0, |ahead| ahead.as_hours())
        });
        each.collect()
    }

    const YEAR: i64 = 365 * 24;

    #[test]
    fn a_clock_that_jumps_is_not_believed_until_it_agrees_again() {
        let jumped = [
            (0, 0),
            (6, 6),
            (12, 12 + YEAR),
            (18, 18 + YEAR),
            (100, 100 + YEAR),
        ];
        assert_eq!(ahead(&jumped), [0, 0, YEAR, YEAR, YEAR]);
        assert_eq!(ahead(&[(0, 0), (12, 12 + YEAR), (18, 18)]), [0, YEAR, 0]);
        // Behind by a year, and right again: nothing goes too early.
        assert_eq!(ahead(&[(0, 0), (6, 6 - YEAR), (12, 12)]), [0, 0, 0]);
        // Slept, which the clock of the system counts: nothing has jumped.
        assert_eq!(ahead(&[(0, 0), (500, 500)]), [0, 0]);
        let steps: Vec<_> = (0..4)
            .map(|look| (look, 23 * i64::try_from(look).unwrap()))
            .collect();
        assert_eq!(ahead(&steps), [0, 0, 44, 66], "small steps add up");
    }

    #[test]
    fn a_start_with_a_wrong_clock_is_found_out() {
        // Up for ten minutes after 100 hours and a restart.
        assert_eq!(ahead(&[(100, 0), (0, 1)]), [0, 0]);
        assert_eq!(
            ahead(&[(100, 0), (0, YEAR), (6, 6 + YEAR)]),
            [0, YEAR, YEAR]
        );
        // It was off for less than a day, again and again.
        assert_eq!(
            ahead(&[(100, 0), (0, 20), (50, 70), (0, 90), (1, 91)]),
            [0; 5]
        );
        // Without a battery it begins far behind, until somebody tells it the time.
        assert_eq!(ahead(&[(100, 0), (0, -40 * YEAR), (1, 2)]), [0, 0, 0]);
    }

    #[test]
    fn what_is_kept_outlives_a_restart_and_what_is_unreadable_is_doubted() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::of(folder.path());
        assert_eq!(clock.look(), Ok(()));
        let known = clock.known().unwrap().unwrap();
        let year = SignedDuration::from_hours(YEAR);
        let past = Look {
            time: known.time - year,
            ..known
        };
        clock.keep(past).unwrap();
        let doubt = Clock::of(folder.path()).look().unwrap_err();
        assert!(
            doubt.to_string().starts_with("it is 365 days ahead"),
            "{doubt}"
        );
        assert!(clock.look().is_err(), "and again");
        clock.trust().unwrap();
        assert_eq!(clock.look(), Ok(()));
        let newer = format!("version = 2\ntime = \"{}\"\nup_s = 1\n", known.time);
        for text in ["", "version = 1\n", &newer] {
            fs_err::write(folder.path().join(FILE), text).unwrap();
            assert!(matches!(clock.look(), Err(Doubt::Unknown(_))), "{text}");
        }
        clock.trust().unwrap();
        assert_eq!(clock.look(), Ok(()));
    }
}
