//! The Numenta benchmark (NAB, Lavin and Ahmad 2015): how it scores the detector. Most of its series are no counts and
//! few are longer than two weeks, so the figures say how the detector does where it was not made for.
//!
//! Each series is scaled so that the part that NAB does not score has a mean of a hundred, and rounded. Its score is that
//! of NAB's standard profile: 0 is a detector that never tells, 100 a perfect one; the threshold is the best one for all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windrow_detect::spikes::{Series, Width};

/// The weight of a false alarm.
const FALSE_WEIGHT: f64 = 0.11;
/// The share of a series that is not scored, and the most of it in rows.
const PROBATION: (f64, f64) = (0.15, 750.0);
/// The mean that a series is scaled to.
const MEAN: f64 = 100.0;
/// The share of a series for which what was told once is not told again, unless it is so much more unusual.
const HOLD: f64 = 0.02;
const WORSE: f64 = 1.3;
/// False alarms that a week of a series may have.
const A_WEEK: [f64; 4] = [0.25, 0.5, 1.0, 2.0];

/// A row that is scored: what the detector says, what NAB gives for telling, and the labelled window it lies in.
struct Point {
    score: f64,
    worth: f64,
    window: Option<usize>,
}

pub(crate) fn measure() {
    let Some(root) = corpus() else {
        eprintln!("the Numenta benchmark is not at hand");
        return;
    };
    let labels = std::fs::read_to_string(root.join("labels/combined_windows.json")).unwrap();
    let (mut points, mut windows, mut files, mut weeks) = (Vec::new(), 0, 0, 0.0);
    for (file, spans) in labelled(&labels) {
        let rows = rows(&root.join("data").join(&file));
        weeks += (rows.last().unwrap().0 - rows[0].0) as f64 / 604_800.0;
        points.extend(scored(&rows, &spans, windows));
        windows += spans.len();
        files += 1;
    }
    points.sort_by(|a, b| b.score.total_cmp(&a.score));
    println!(
        "\n| the Numenta benchmark, {files} series, {windows} labelled windows (no aim) | |\n|---|---:|"
    );
    println!(
        "| score of the standard profile | {:.1} |",
        standard(&points, windows)
    );
    for a_week in A_WEEK {
        let found = found(&points, (a_week * weeks) as usize);
        println!("| windows found at {a_week} false alarms a series and week | {found} |");
    }
}

#[expect(clippy::disallowed_methods, reason = "where the corpus is")]
fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let root = root.join("nab");
    root.is_dir().then_some(root)
}

/// By file: begin and end of each window. (The labels are nothing but names and times in quotes.)
fn labelled(json: &str) -> BTreeMap<String, Vec<(i64, i64)>> {
    let mut files = BTreeMap::<String, Vec<(i64, i64)>>::new();
    let (mut file, mut begin) = (String::new(), None);
    for text in json.split('"').skip(1).step_by(2) {
        if text.ends_with(".csv") {
            file = text.to_owned();
            files.insert(file.clone(), Vec::new());
            continue;
        }
        match begin.take() {
            None => begin = Some(seconds(text)),
            Some(begin) => files.get_mut(&file).unwrap().push((begin, seconds(text))),
        }
    }
    files
}

/// Times and values.
fn rows(path: &Path) -> Vec<(i64, f64)> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let (time, value) = line.split_once(',').unwrap();
        (seconds(time), value.trim().parse().unwrap())
    });
    rows.collect()
}

/// Seconds since 1970 of `2014-02-19 10:50:00`.
fn seconds(time: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| time[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Years that begin in March have their leap day at the end.
    let (year, month) = match month {
        ..3 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    days * 86_400 + number(11..13) * 3_600 + number(14..16) * 60 + number(17..19)
}

/// What a point is worth by its place: 0 is the end of a window, -1 its begin, beyond 0 is too late.
fn worth(place: f64) -> f64 {
    match place > 3.0 {
        true => -1.0,
        false => 2.0 / (1.0 + (5.0 * place).exp()) - 1.0,
    }
}

/// The rows of a series that are scored; its windows have the numbers from `first`.
fn scored(rows: &[(i64, f64)], spans: &[(i64, i64)], first: usize) -> Vec<Point> {
    let probation = (PROBATION.0 * rows.len() as f64).floor().min(PROBATION.1) as usize;
    let told = once(&detected(rows, probation));
    let place_of = |time: i64| rows.partition_point(|row| row.0 < time);
    let spans: Vec<(usize, usize)> = spans
        .iter()
        .map(|(begin, end)| (place_of(*begin), place_of(*end)))
        .collect();
    let mut before: Option<(usize, usize)> = None;
    let mut points = Vec::new();
    for (row, score) in told.into_iter().enumerate() {
        let window = spans
            .iter()
            .position(|span| (span.0..=span.1).contains(&row));
        let worth = match (window, before) {
            (Some(window), _) => {
                let (begin, end) = spans[window];
                let length = (end - begin + 1) as f64;
                worth(-((end - row + 1) as f64) / length) / worth(-1.0)
            }
            (None, None) => -FALSE_WEIGHT,
            (None, Some((begin, end))) => {
                worth((row - end) as f64 / (end - begin) as f64) * FALSE_WEIGHT
            }
        };
        if let Some(window) = window.filter(|window| spans[*window].1 == row) {
            before = Some(spans[window]);
        }
        if row >= probation {
            points.push(Point {
                score,
                worth,
                window: window.map(|window| first + window),
            });
        }
    }
    points
}

/// What the detector says of each row, in whichever direction.
fn detected(rows: &[(i64, f64)], probation: usize) -> Vec<f64> {
    let seen = &rows[..probation.max(1)];
    let mean = seen.iter().map(|row| row.1.abs()).sum::<f64>() / seen.len() as f64;
    let scale = MEAN / mean.max(1e-9);
    // Where there is a row every hour or half an hour, the buckets are hours: what comes twice is left out.
    let span = rows.last().unwrap().0 - rows[0].0;
    let width = match span / rows.len() as i64 {
        ..1_200 => Width::FiveMinutes,
        _ => Width::Hour,
    };
    let mut series = Series::default();
    let scores = rows.iter().map(|(time, value)| {
        let count = (value * scale).round().max(0.0) as u64;
        let reading = series.observe(width.bucket_of(*time), width, count);
        reading.map_or(0.0, |reading| match reading.may_tell() {
            true => reading.score.max(reading.silence),
            false => 0.0,
        })
    });
    scores.collect()
}

/// What is told once is not told again for a while: what is left is by how much it became worse.
fn once(scores: &[f64]) -> Vec<f64> {
    let hold = ((HOLD * scores.len() as f64) as usize).max(1);
    let told = (0..scores.len()).map(|row| {
        let recent = &scores[row.saturating_sub(hold)..row];
        let most = recent.iter().copied().fold(0.0, f64::max);
        match scores[row] > WORSE * most {
            true => scores[row],
            false => (scores[row] - most).max(0.0),
        }
    });
    told.collect()
}

/// NAB's score with the best threshold, as a share of what is between never telling and perfection. The points come with
/// the highest first.
fn standard(points: &[Point], windows: usize) -> f64 {
    let mut best_of = BTreeMap::<usize, f64>::new();
    let never = -(windows as f64);
    let (mut total, mut best) = (never, never);
    for tied in points.chunk_by(|a, b| a.score == b.score) {
        for point in tied {
            match point.window {
                None => total += point.worth,
                Some(window) => {
                    let known = best_of.entry(window).or_insert(-1.0);
                    total += (point.worth - *known).max(0.0);
                    *known = known.max(point.worth);
                }
            }
        }
        best = best.max(total);
    }
    100.0 * (best - never) / (windows as f64 - never)
}

/// Windows found before there are more false alarms than this.
fn found(points: &[Point], most: usize) -> usize {
    let (mut wrong, mut windows) = (0, std::collections::BTreeSet::new());
    for tied in points.chunk_by(|a, b| a.score == b.score) {
        wrong += tied.iter().filter(|point| point.window.is_none()).count();
        if wrong > most {
            break;
        }
        windows.extend(tied.iter().filter_map(|point| point.window));
    }
    windows.len()
}
