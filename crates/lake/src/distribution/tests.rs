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
    (dir, lake, Tail { app_id, rows })
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
}

#[tokio::test]
async fn the_span_is_of_all_events() {
    let (_dir, lake, tail) = lake().await;
    let question = TimeSpan {
        period: Period::default(),
    };
    let ask = async |lake: &Lake, tail: Tail| {
        let sql = question.sql();
        let asked = lake.query(&sql, tail, question.limits()).await;
        question.read(asked.unwrap()).await.unwrap()
    };
    assert_eq!(ask(&lake, tail).await, Some((at(0), at(90_000))));
    assert_eq!(ask(&lake, Tail::default()).await, Some((at(0), at(3_599))));
    let dir = tempfile::tempdir().unwrap();
    let empty = Lake::open(dir.path()).await.unwrap();
    assert_eq!(ask(&empty, Tail::default()).await, None);
}
