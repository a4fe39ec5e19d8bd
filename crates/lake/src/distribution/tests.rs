use super::*;
use crate::testing::{logon, rows};
use crate::{Lake, Tail};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_762_300_800 + second).unwrap()
}

/// Four events at 0, 3599, 3600 and 90000 s, of which the lake has two and the tail two.
async fn lake() -> (tempfile::TempDir, Lake, Tail) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events: Vec<_> = [(1, 0), (2, 3_599), (1, 3_600), (1, 90_000)]
        .into_iter()
        .zip(1..)
        .map(|((computer, second), record)| logon(computer, record, second))
        .collect();
    let stored = rows(&events[..2], Some(1));
    lake.append(stored, Some(("journal", 2))).await.unwrap();
    let rows = vec![rows(&events, Some(1))];
    let app_id = "journal".to_owned();
    (
        dir,
        lake,
        Tail {
            app_id,
            rows,
            ..Tail::default()
        },
    )
}

#[tokio::test]
async fn buckets_begin_where_the_question_does() {
    let (_dir, lake, tail) = lake().await;
    let question = |from, to, by| Distribution {
        bucket: Duration::from_secs(3_600),
        from,
        to,
        by,
    };
    let ask = async |question: Distribution| {
        let sql = question.sql();
        assert_eq!(sql.contains(EVENT_COUNTS), question.is_of_counts());
        let asked = lake.query(&sql, tail.clone(), question.limits()).await;
        let buckets = question.read(asked.unwrap()).await;
        let mut told = String::new();
        for bucket in buckets.unwrap().buckets {
            told.push_str(&format!(
                "{} {} {}\n",
                bucket.start, bucket.key, bucket.count
            ));
        }
        told
    };
    insta::assert_snapshot!(ask(question(at(0), at(100_000), By::Computer)).await, @r#"
        2025-11-05T00:00:00Z WKS001 1
        2025-11-05T00:00:00Z WKS002 1
        2025-11-05T01:00:00Z WKS001 1
        2025-11-06T01:00:00Z WKS001 1
        "#);
    insta::assert_snapshot!(ask(question(at(1_800), at(90_000), By::EventId)).await, @"2025-11-05T00:30:00Z 4624 2");
    insta::assert_snapshot!(ask(question(at(-99), at(0), By::Channel)).await, @"");
    // Not at a multiple of five minutes: the events themselves.
    insta::assert_snapshot!(ask(question(at(1), at(3_600), By::Account)).await, @"2025-11-05T00:00:01Z user0002 1");
    insta::assert_snapshot!(ask(question(at(0), at(3_600), By::Account)).await, @r"
    2025-11-05T00:00:00Z user0001 1
    2025-11-05T00:00:00Z user0002 1
    ");
}

/// An event with a time, one whose clock was at the begin of its time, one that says nothing, and one that is older than what
/// counts as its day; all came in at 12:00:00.25 of the first one's day.
#[tokio::test]
async fn events_without_a_time_to_believe_are_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let timed = |record, time: &str| logon(1, record, 0).replace("2025-11-05T00:00:00Z", time);
    let events = [
        timed(1, "2025-11-05T00:00:00Z"),
        timed(2, "1601-01-01T00:00:00Z"),
        timed(3, ""),
        timed(4, "2020-02-02T02:02:00Z"),
    ];
    lake.append(rows(&events, Some(1)), None).await.unwrap();
    let asked = async |sql: &str| {
        let asked = lake.query(sql, Tail::default(), QueryLimits::default());
        asked.await.unwrap()
    };
    let question = Distribution {
        bucket: Duration::from_secs(3_600),
        from: at(0),
        to: at(86_400),
        by: By::Channel,
    };
    let buckets = question.read(asked(&question.sql()).await).await.unwrap();
    let counts: Vec<_> = buckets.buckets.iter().map(|bucket| bucket.count).collect();
    assert_eq!(counts, [1, 3]);
    let strays = async |from: Option<i64>, to: Option<i64>| {
        let question = Unplaced {
            period: Period {
                from: from.map(at),
                to: to.map(at),
            },
        };
        let strays = question.read(asked(&question.sql()).await).await.unwrap();
        (strays.by_arrival, strays.elsewhere)
    };
    assert_eq!(strays(None, None).await, (2, 0));
    assert_eq!(strays(Some(0), Some(86_400)).await, (3, 0));
    assert_eq!(strays(Some(0), Some(3_600)).await, (0, 0), "none came in");
    let year = 366 * 86_400;
    assert_eq!(strays(Some(-6 * year), Some(-5 * year)).await, (0, 1));
}

#[tokio::test]
async fn the_span_is_of_all_events() {
    let (_dir, lake, tail) = lake().await;
    let ask = async |lake: &Lake, tail: Tail, precision, from| {
        let period = Period {
            from,
            to: Some(at(3_600)).filter(|_| from.is_some()),
        };
        let question = TimeSpan { period, precision };
        let sql = question.sql();
        let asked = lake.query(&sql, tail, QueryLimits::default());
        question.read(asked.await.unwrap()).await.unwrap()
    };
    let (exact, coarse) = (Precision::Event, Precision::FiveMinutes);
    let all = ask(&lake, tail.clone(), exact, None).await;
    assert_eq!(all, Some((at(0), at(90_000))));
    let stored = ask(&lake, Tail::default(), exact, None).await;
    assert_eq!(stored, Some((at(0), at(3_599))));
    let stored = ask(&lake, Tail::default(), coarse, None).await;
    assert_eq!(stored, Some((at(0), at(3_300))));
    // The five minutes that the last second of this time lies in.
    let late = ask(&lake, tail, coarse, Some(at(3_598))).await;
    assert_eq!(late, Some((at(3_300), at(3_300))));
    let dir = tempfile::tempdir().unwrap();
    let empty = Lake::open(dir.path()).await.unwrap();
    assert_eq!(ask(&empty, Tail::default(), coarse, None).await, None);
}
