use super::super::names::{Described, Names};
use super::*;

const DAY: i64 = 288;
/// A Monday, 00:00.
const BEGIN: i64 = 4 * DAY;

fn keys(names: &mut Names) -> [Key; 2] {
    let channel = names.place("Security").unwrap();
    [4624, 4625].map(|id| Key::of_all(channel, Some(id)))
}

/// Three weeks of two series that count six, five or seven, and then `then` of the second.
fn after_three_weeks(keep: Keep, from: i64, then: &[u64]) -> (Watch, [Key; 2]) {
    let [steady, other] = keys(&mut Names::default());
    let mut watch = Watch::new(Width::FiveMinutes, Budget::per_day(1.0), from, keep);
    watch.look_at(other);
    let end = BEGIN + 21 * DAY;
    for bucket in BEGIN..end + then.len() as i64 {
        let usual = 5 + (bucket.unsigned_abs() * 7 + bucket.unsigned_abs() / 13) % 3;
        let count = usize::try_from(bucket - end).map_or(usual, |place| then[place]);
        let mut counts = HashMap::from([(steady, usual)]);
        if count > 0 {
            counts.insert(other, count);
        }
        watch.take(bucket, &counts);
    }
    (watch, [steady, other])
}

fn told(watch: &mut Watch) -> String {
    watch.end();
    let mut lines = Vec::new();
    for episode in &watch.episodes {
        let Episode {
            what,
            first,
            last,
            observed,
            expected,
            open,
            readings,
            ..
        } = episode;
        let (first, last) = (first - BEGIN - 21 * DAY, last - BEGIN - 21 * DAY);
        let word = what.word();
        let kept = readings.len();
        lines.push(format!(
            "{word} {first}..={last}: {observed} of {expected:.0}, open {open}, {kept} kept"
        ));
    }
    lines.join("\n")
}

#[test]
fn a_burst_is_an_episode_with_what_came_in_it() {
    let then = [6, 90, 100, 6, 80, 6, 6, 6, 6, 6, 6, 6];
    let (mut watch, [_, other]) = after_three_weeks(Keep::Readings, i64::MIN, &then);
    let (key, looked) = watch.looked().unwrap();
    insta::assert_snapshot!(told(&mut watch), @r"
    burst 1..=4: 276 of 25, open false, 9 kept
        
    ");
    assert_eq!(watch.episodes[0].key, other);
    // What is looked at has the same verdicts as the episode.
    assert_eq!(key, other);
    let unusual = looked.iter().filter(|judged| judged.what.is_some());
    let in_episode = watch.episodes[0].readings.iter();
    assert_eq!(
        unusual.count(),
        in_episode.filter(|judged| judged.what.is_some()).count()
    );
    let burst = looked.iter().find(|judged| judged.reading.count == 100);
    assert!(burst.unwrap().threshold.is_some());
}

/// Buckets that are not unusual by themselves: the second of them is with the one before and a usual one.
#[test]
fn a_burst_that_only_three_buckets_show_begins_with_the_first_of_them() {
    let then = [16, 15, 14, 6, 6, 6, 6, 6];
    let (mut watch, _) = after_three_weeks(Keep::Episodes, i64::MIN, &then);
    assert_eq!(
        told(&mut watch),
        "burst -1..=2: 50 of 25, open false, 0 kept"
    );
}

#[test]
fn silence_begins_with_the_first_empty_bucket_and_may_go_on() {
    let (mut watch, _) = after_three_weeks(Keep::Episodes, i64::MIN, &[0; 40]);
    insta::assert_snapshot!(told(&mut watch), @r"
    silence 0..=39: 0 of 208, open true, 0 kept
        
    ");
}

#[test]
fn only_what_happens_in_the_time_is_told() {
    let then = [90, 100, 6, 6, 6, 6, 6, 6, 6];
    let later = BEGIN + 21 * DAY + 5;
    let (mut watch, _) = after_three_weeks(Keep::Episodes, later, &then);
    assert_eq!(told(&mut watch), "");
    let looked = watch.looked().unwrap().1;
    assert_eq!(looked.len(), 4);
}

#[test]
fn nothing_between_is_nothing_counted_until_all_is_forgotten() {
    let [steady, _] = keys(&mut Names::default());
    let mut watch = Watch::new(Width::Hour, Budget::per_day(1.0), 0, Keep::Episodes);
    watch.take(10, &HashMap::from([(steady, 1)]));
    watch.take(13, &HashMap::from([(steady, 1)]));
    assert_eq!(watch.last, Some(13));
    // Ten years later: the buckets in between are not all gone through.
    watch.take(90_000, &HashMap::from([(steady, 1)]));
    let seen = watch.seen();
    assert_eq!((seen.first, seen.end, seen.series), (Some(10), 90_001, 1));
    watch.rest_until(90_010);
    assert_eq!(watch.seen().end, 90_010);
}

#[test]
fn a_series_that_comes_again_after_four_weeks_is_young_again() {
    let [steady, other] = keys(&mut Names::default());
    let (hours, four_weeks) = (24, 28 * 24);
    let mut watch = Watch::new(Width::Hour, Budget::per_day(1.0), 0, Keep::Episodes);
    let both = HashMap::from([(steady, 1), (other, 1)]);
    watch.take(0, &both);
    watch.take(four_weeks, &HashMap::from([(steady, 1)]));
    let seen = watch.seen();
    assert_eq!(
        (seen.again, seen.young),
        (0, 0),
        "a bucket before it is forgotten"
    );
    watch.take(four_weeks + 1, &both);
    let seen = watch.seen();
    assert_eq!((seen.again, seen.young), (1, 1));
    watch.take(four_weeks + 2 * hours, &both);
    let seen = watch.seen();
    assert_eq!((seen.again, seen.young), (1, 0));
}

#[test]
fn young_series_are_counted() {
    let mut names = Names::default();
    let [steady, other] = keys(&mut names);
    let mut watch = Watch::new(Width::Hour, Budget::per_day(1.0), 0, Keep::Episodes);
    watch.take(0, &HashMap::from([(steady, 1)]));
    watch.take(30, &HashMap::from([(other, 1)]));
    assert_eq!(watch.seen().young, 1);
    assert!(watch.knows(other));
    let described: Vec<Described<'_>> = watch.keys().map(|key| names.described(key)).collect();
    assert_eq!(described.len(), 2);
}
