//! What the name of a log file says.

/// A log file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFile {
    /// How its lines are written.
    pub form: LogForm,
    /// What of the time it holds, by the clock by which its site begins new files.
    pub period: Period,
    /// In what it is written: UTF-8 where the name begins with `u_`.
    pub encoding: NameEncoding,
    /// Which fields it has: more where the name ends with `_x`.
    pub fields: NameFields,
}

/// In what a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameEncoding {
    /// UTF-8.
    Utf8,
    /// The code page of the server.
    CodePage,
}

/// Which fields a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFields {
    /// Those that IIS knows.
    Standard,
    /// More.
    Custom,
}

/// How the lines of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// W3C extended.
    W3c,
    /// IIS's own.
    Native,
    /// NCSA common.
    Ncsa,
    /// W3C of HTTP.sys: what never reached a site.
    HttpErr,
}

/// What of the time a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour {
        /// The day: year, month, day.
        day: (u16, u8, u8),
        /// The hour.
        hour: u8,
    },
    /// A day.
    Day {
        /// Year, month, day.
        day: (u16, u8, u8),
    },
    /// A day, or a week of the month: names of both have six digits, and up to five the last two can be either.
    DayOrWeek {
        /// Year and month.
        month: (u16, u8),
        /// The day or the week.
        number: u8,
    },
    /// A month.
    Month {
        /// Year and month.
        month: (u16, u8),
    },
    /// As much as fits; then comes the next number.
    Size {
        /// Its number.
        number: u32,
    },
}

impl LogFile {
    /// Reads a name, without the folder before it: `u_ex261123.log`, `nc2611.log`, `inetsv1.log`, `httperr2.log`.
    #[must_use]
    pub fn read(name: &str) -> Option<LogFile> {
        let name = name.to_ascii_lowercase();
        let stem = name.strip_suffix(".log")?;
        let (encoding, stem) = match stem.strip_prefix("u_") {
            Some(stem) => (NameEncoding::Utf8, stem),
            None => (NameEncoding::CodePage, stem),
        };
        let (fields, stem) = match stem.strip_suffix("_x") {
            Some(stem) => (NameFields::Custom, stem),
            None => (NameFields::Standard, stem),
        };
        // What is begun anew by size has longer names, which begin as the others do.
        let by_size = [
            ("httperr", LogForm::HttpErr),
            ("extend", LogForm::W3c),
            ("inetsv", LogForm::Native),
            ("ncsa", LogForm::Ncsa),
        ];
        let by_time = [
            ("ex", LogForm::W3c),
            ("in", LogForm::Native),
            ("nc", LogForm::Ncsa),
        ];
        let size = by_size.into_iter().find_map(|(prefix, form)| {
            let number = digits(stem.strip_prefix(prefix)?)?;
            Some((form, Period::Size { number }))
        });
        let time = || {
            by_time
                .into_iter()
                .find_map(|(prefix, form)| Some((form, period(stem.strip_prefix(prefix)?)?)))
        };
        let (form, period) = size.or_else(time)?;
        Some(LogFile {
            form,
            period,
            encoding,
            fields,
        })
    }
}

fn digits(text: &str) -> Option<u32> {
    let are_digits =
        !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// `YYMM`, `YYMMDD` or `YYMMWW`, `YYMMDDHH`.
fn period(text: &str) -> Option<Period> {
    let number = digits(text)?;
    let pair = |place: u32| (number / 100_u32.pow(place) % 100) as u8;
    let last = (text.len() as u32 / 2).checked_sub(1)?;
    // Names have two digits of the year, and IIS is younger than 1995.
    let year = match pair(last) {
        short @ 95.. => 1_900 + u16::from(short),
        short => 2_000 + u16::from(short),
    };
    let month = pair(last.checked_sub(1)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    match text.len() {
        4 => Some(Period::Month {
            month: (year, month),
        }),
        6 => match pair(0) {
            number @ 1..=5 => Some(Period::DayOrWeek {
                month: (year, month),
                number,
            }),
            day @ 6..=31 => Some(Period::Day {
                day: (year, month, day),
            }),
            _ => None,
        },
        8 => {
            let (day, hour) = (pair(1), pair(0));
            let is_possible = (1..=31).contains(&day) && hour < 24;
            is_possible.then_some(Period::Hour {
                day: (year, month, day),
                hour,
            })
        }
        _ => None,
    }
}
