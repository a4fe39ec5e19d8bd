use super::*;
use crate::testing::{ask, logon, rows};
use crate::{Lake, QueryLimits, Tail};

async fn lake() -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events: Vec<String> = (1..=3).map(|record| logon(1, record, 0)).collect();
    lake.append(rows(&events, Some(1)), Some(("journal", 3)))
        .await
        .unwrap();
    (dir, lake)
}

async fn failure(lake: &Lake, sql: &str) -> String {
    let answer = async {
        let output = lake
            .query(sql, Tail::default(), QueryLimits::default())
            .await?;
        let format = crate::Format::Ndjson;
        output
            .write(format, &crate::Layout::default(), &mut Vec::new())
            .await
    };
    match answer.await {
        Err(error) => error.to_string(),
        Ok(_) => format!("answered: {sql}"),
    }
}

#[tokio::test]
async fn a_result_that_would_fill_the_memory_is_refused() {
    let (_dir, lake) = lake().await;
    let refused = [
        "select repeat('x', 2000000000)",
        "select repeat(target_user, 2000000000) from events",
        "select lpad('x', 2000000000)",
        "select rpad(target_user, 2000000000, 'ab') from events",
        "select replace(repeat('a', 60000), 'a', repeat('b', 60000))",
        "select regexp_replace(repeat('a', 60000), 'a', repeat('b', 60000), 'g')",
        "select array_repeat('x', 2000000000)",
        "select array_resize([1], 2000000000)",
        "select range(0, 2000000000)",
        "select generate_series(0, 9223372036854775807)",
        "select range(date '0001-01-01', date '9999-01-01', interval '1 day')",
        "select generate_series(timestamp '2000-01-01', timestamp '2020-01-01', interval '1 second')",
        "select array_to_string(range(0, 5000), repeat('x', 60000))",
    ];
    for sql in refused {
        let said = failure(&lake, sql).await;
        assert!(
            said.contains("would make"),
            "{}: {said}",
            &sql[..sql.len().min(80)]
        );
    }
}

#[tokio::test]
async fn what_is_small_is_as_it_was() {
    let (_dir, lake) = lake().await;
    insta::assert_snapshot!(
        ask(&lake, "select repeat('ab', 3) as a, lpad('7', 3, '0') as b, replace('aXa', 'X', '--') as c, \
            'a' || 'b' as d, concat('a', null, 'b') as e, null || 'b' as f, [1, 2] || [3] as g, \
            overlay('abc' placing 'X' from 2) as h, range(1, 4) as i, array_to_string([1, 2], ',') as j, \
            array_length(generate_series(date '2025-01-01', date '2025-12-31', interval '1 month')) as k").await,
        @r#"{"a":"ababab","b":"007","c":"a--a","d":"ab","e":"ab","f":null,"g":[1,2,3],"h":"aXc","i":[1,2,3],"j":"1,2","k":12}"#
    );
    insta::assert_snapshot!(
        ask(&lake, "select target_user || '@' || computer, repeat(target_user, seq) as r, [seq, record_id] as l, \
            regexp_replace(target_user, 'u(.*)', '\\1-\\1') as x from events order by seq limit 1").await,
        @r#"{"events.target_user || Utf8(\"@\") || events.computer":"user0001@WKS001","r":"user0001","l":[1,1],"x":"ser0001-ser0001"}"#
    );
}

#[test]
fn many_large_rows_are_computed_in_parts() {
    let half = FUNCTION_BYTES as u64 / 2;
    assert_eq!(parts("f", &[half, half, 1, half]).unwrap(), [0..2, 2..4]);
    assert_eq!(parts("f", &[]).unwrap(), vec![0..0; 1]);
    assert!(parts("f", &[1, half * 2 + 1]).is_err());
}
