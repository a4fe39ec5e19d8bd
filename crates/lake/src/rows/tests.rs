use super::*;
use crate::testing;

/// Sequences of the rows of each date, when `days` are the days of the rows, one after the other.
fn by_date(days: impl Iterator<Item = i64>) -> Vec<(String, Vec<i64>)> {
    let events: Vec<String> = days.map(|day| testing::logon(1, 1, day * 86_400)).collect();
    let rows = testing::rows(&events, Some(1));
    let days = rows.days(&crate::schema::EVENTS, usize::MAX);
    let numbers = |rows: Rows| -> Vec<i64> {
        let batches = rows.batches().iter();
        batches
            .flat_map(|batch| sequences(batch).unwrap().to_vec())
            .collect()
    };
    days.dates()
        .map(|date| (date.to_owned(), numbers(days.rows(date).unwrap())))
        .collect()
}

#[test]
fn rows_come_apart_by_date_in_their_order() {
    let long = RUN_ROWS as i64 * 2;
    // Long stretches are taken as they lie, short ones are copied together.
    let stretches = by_date((0..3 * long).map(|row| row / long % 2));
    let mixed = by_date((0..3 * long).map(|row| row % 2));
    let expected = |days: &dyn Fn(i64) -> i64| -> Vec<(String, Vec<i64>)> {
        let of_day = |day| {
            (0..3 * long)
                .filter(move |row| days(*row) == day)
                .map(|row| row + 1)
        };
        vec![
            ("2025-11-05".to_owned(), of_day(0).collect()),
            ("2025-11-06".to_owned(), of_day(1).collect()),
        ]
    };
    assert_eq!(stretches, expected(&|row| row / long % 2));
    assert_eq!(mixed, expected(&|row| row % 2));
}
