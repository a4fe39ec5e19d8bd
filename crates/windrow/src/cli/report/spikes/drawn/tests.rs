use std::collections::HashMap;

use windrow_detect::spikes::Budget;

use super::super::names::{Key, Names};
use super::super::watch::{Keep, Watch};
use super::*;

fn terminal(unicode: bool) -> Terminal {
    Terminal {
        stdout_is_terminal: true,
        stdout_can_redraw: true,
        stderr_is_terminal: true,
        color: false,
        stderr_color: false,
        unicode,
        width: 80,
    }
}

/// Two weeks of eight an hour, and at the end of it forty, and then nothing for three hours.
fn looked() -> Vec<Judged> {
    let mut names = Names::default();
    let key = Key::of_all(names.place("Security").unwrap(), Some(4625));
    let mut watch = Watch::new(Width::Hour, Budget::per_day(1.0), 0, Keep::Episodes);
    watch.look_at(key);
    let end = 24 * 15;
    for hour in 0..=end {
        let count = if hour == end { 40 } else { 8 };
        watch.take(hour, &HashMap::from([(key, count)]));
    }
    watch.rest_until(end + 4);
    watch.end();
    watch.looked().unwrap().1
}

#[test]
fn what_came_is_drawn_with_what_was_expected() {
    let all = looked();
    let around = window(&all, Window::Around);
    assert_eq!((all.len(), around.len()), (364, 28));
    assert_eq!(window(&all, Window::Asked).len(), 364);
    let mut drawn = String::new();
    for unicode in [true, false] {
        let mut out = Vec::new();
        let (terminal, utc) = (terminal(unicode), TimeZone::UTC);
        let name = "Security 4625 account=a\u{1b}[2J";
        draw(name, &around[22..], Width::Hour, &utc, &terminal, &mut out).unwrap();
        drawn.push_str(&String::from_utf8(out).unwrap());
    }
    insta::assert_snapshot!(drawn, @r"
    Security 4625 account=a\u{1b}[2J, a line = 1h

    time                  observed  expected
    1970-01-15T22:00:00Z         8       8.0  █████┃
    1970-01-15T23:00:00Z         8       8.0  █████┃
    1970-01-16T00:00:00Z        40       8.0  █████┃█████████████████████  burst
    1970-01-16T01:00:00Z         0       8.0       ┃                       burst, with the two before
    1970-01-16T02:00:00Z         0       8.5        ┃
    1970-01-16T03:00:00Z         0       8.1       ┃                       silence

    █ observed  ┃ expected
    Security 4625 account=a\u{1b}[2J, a line = 1h

    time                  observed  expected
    1970-01-15T22:00:00Z         8       8.0  #####|
    1970-01-15T23:00:00Z         8       8.0  #####|
    1970-01-16T00:00:00Z        40       8.0  #####|#####################  burst
    1970-01-16T01:00:00Z         0       8.0       |                       burst, with the two before
    1970-01-16T02:00:00Z         0       8.5        |
    1970-01-16T03:00:00Z         0       8.1       |                       silence

    # observed  | expected
        
    ");
}

#[test]
fn no_chart_is_longer_than_somebody_reads() {
    let mut many = looked();
    while many.len() < 1_000 {
        many.extend_from_within(..);
    }
    assert!(window(&many, Window::Asked).len() <= LINES_MAX + 1);
    assert!(window(&[], Window::Around).is_empty());
}
