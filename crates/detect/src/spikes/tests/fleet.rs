use std::collections::HashMap;

use super::super::{Alarm, Budget, Flag, Fleet, Step, Width};
use super::Noise;

const DAY: i64 = 288;

/// Twenty series of 6 events a bucket for two weeks, then `then` of series 3.
fn after_two_weeks(then: &[u64]) -> (Vec<Alarm<u8>>, Vec<Alarm<u8>>) {
    let mut fleet = Fleet::new(Width::FiveMinutes, Budget::per_day(0.1));
    let mut noise = Noise::new(11);
    let begin = 4 * DAY;
    let end = begin + 14 * DAY;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for bucket in begin..end + then.len() as i64 {
        let mut counts: HashMap<u8, u64> = (0..20).map(|key| (key, noise.count(6.0))).collect();
        if bucket >= end {
            counts.insert(3, then[(bucket - end) as usize]);
        }
        let alarms = fleet.pass(bucket, &counts).alarms;
        if bucket >= end {
            &mut after
        } else {
            &mut before
        }
        .extend(alarms);
    }
    (before, after)
}

fn story(alarms: &[Alarm<u8>]) -> Vec<(u8, Step)> {
    alarms.iter().map(|alarm| (alarm.key, alarm.step)).collect()
}

#[test]
fn an_episode_is_told_once_and_again_when_it_doubles_and_closes() {
    let (before, after) = after_two_weeks(&[90, 100, 100, 900, 100, 6, 6, 6, 6, 6, 6, 6]);
    assert!(
        before
            .iter()
            .filter(|alarm| alarm.step == Step::Opened)
            .count()
            <= 3
    );
    let told: Vec<_> = story(&after)
        .into_iter()
        .filter(|(key, step)| *key == 3 && *step != Step::GoesOn)
        .collect();
    assert_eq!(
        told,
        [(3, Step::Opened), (3, Step::Worsened), (3, Step::Closed)]
    );
    let began = after.first().map(|alarm| alarm.began);
    assert!(
        after
            .iter()
            .filter(|alarm| alarm.key == 3)
            .all(|alarm| Some(alarm.began) == began)
    );
}

#[test]
fn a_series_that_stops_is_told_as_silent() {
    let (_, after) = after_two_weeks(&[0; 40]);
    let silent = after.iter().find(|alarm| alarm.flag == Flag::Silence);
    assert_eq!(silent.map(|alarm| alarm.key), Some(3));
}

#[test]
fn more_series_than_can_be_followed_are_counted_and_left_out() {
    let mut fleet = Fleet::new(Width::Hour, Budget::per_day(1.0));
    let counts: HashMap<u32, u64> = (0..200_010).map(|key| (key, 2)).collect();
    fleet.pass(1, &counts);
    assert_eq!((fleet.live(), fleet.full().events), (200_000, 20));
}

#[test]
fn what_never_comes_again_is_forgotten() {
    let mut fleet = Fleet::new(Width::Hour, Budget::per_day(1.0));
    fleet.pass(0, &HashMap::from([("once", 1), ("always", 1)]));
    for bucket in 1..=28 * 24 {
        fleet.pass(bucket, &HashMap::from([("always", 1)]));
    }
    assert_eq!(fleet.live(), 1);
}
