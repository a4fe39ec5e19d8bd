use super::*;

const ARRIVED: &str = "2025-11-05T12:00:00Z";

fn date(dates: &mut Dates, origin: Kind, time: &str) -> String {
    let (time, arrived) = (time.parse().unwrap(), ARRIVED.parse().unwrap());
    dates.of(origin, Some(time), arrived).to_owned()
}

#[test]
fn an_event_keeps_its_day_near_that_of_its_arrival() {
    let mut dates = Dates::default();
    let cases = [
        ("2024-11-03T23:59:59Z", "2025-11-05"),
        ("2024-11-04T00:00:00Z", "2024-11-04"),
        ("2025-11-04T23:59:59Z", "2025-11-04"),
        ("2025-11-05T00:00:00Z", "2025-11-05"),
        ("2025-11-06T23:59:59Z", "2025-11-06"),
        ("2025-11-07T00:00:00Z", "2025-11-05"),
        ("1601-01-01T00:00:00Z", "2025-11-05"),
    ];
    for (time, expected) in cases {
        assert_eq!(date(&mut dates, Kind::Wef, time), expected, "{time}");
        assert_eq!(date(&mut dates, Kind::Own, time), expected, "{time}");
    }
    assert_eq!(
        date(&mut dates, Kind::Evtx, "1999-12-31T00:00:00Z"),
        "1999-12-31",
        "what is imported keeps any day"
    );
    assert_eq!(
        dates.of(Kind::Wef, None, ARRIVED.parse().unwrap()),
        "2025-11-05"
    );
}

#[test]
fn further_days_of_a_commit_go_under_that_of_arrival() {
    let mut dates = Dates::default();
    let arrived: Timestamp = ARRIVED.parse().unwrap();
    let before = |days: usize| {
        let time = arrived - jiff::SignedDuration::from_hours(24 * days as i64);
        (time.to_string(), time.strftime("%Y-%m-%d").to_string())
    };
    for day in 1..=OTHER_DAYS {
        let (time, own) = before(day);
        assert_eq!(date(&mut dates, Kind::Wef, &time), own);
    }
    let (next, own) = before(OTHER_DAYS + 1);
    assert_eq!(date(&mut dates, Kind::Wef, &next), "2025-11-05");
    let (known, known_own) = before(1);
    assert_eq!(date(&mut dates, Kind::Wef, &known), known_own);
    dates.begin();
    assert_eq!(date(&mut dates, Kind::Wef, &next), own);
}
