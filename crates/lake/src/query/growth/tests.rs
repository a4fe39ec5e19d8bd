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

/// Arguments are computed before the function that they are for is asked.
#[tokio::test]
async fn arguments_together_are_held_to_the_memory() {
    let (_dir, lake) = lake().await;
    let long = "repeat(target_user, 1000000)";
    let args = |count: usize| {
        let arg = |n: usize| format!("repeat(target_user, 1000000 + {n})");
        (0..count).map(arg).collect::<Vec<_>>().join(", ")
    };
    let few = format!("select concat({}) as c from events", args(2));
    let many = format!("select length(concat({})) from events", args(40));
    let apart: Vec<String> = (0..40)
        .map(|n| format!("repeat(target_user, 1000000 + {n}) as c{n}"))
        .collect();
    let apart = format!("select {} from events", apart.join(", "));
    let copies: Vec<String> = (1..40)
        .map(|n| format!("upper(substr(r, {n})) as c{n}"))
        .collect();
    let copies = format!(
        "select {} from (select {long} as r from events)",
        copies.join(", ")
    );
    // A part of a text that is only looked at is no copy.
    let parts = copies.replace("upper", "");
    let constants: Vec<String> = (0..400).map(|n| format!("repeat('{n}', 20000)")).collect();
    let folded = format!("select length(concat({}))", constants.join(", "));
    let mut answers = String::new();
    for (what, sql) in [
        ("few", &few),
        ("many", &many),
        ("apart", &apart),
        ("copies", &copies),
        ("parts", &parts),
        ("folded", &folded),
    ] {
        let said = failure(&lake, sql).await;
        let said = said.split(": ").next().unwrap();
        answers.push_str(&format!("{what}: {said}\n"));
    }
    insta::assert_snapshot!(answers, @r"
    few: answered
    many: the query needs more than its 256 MiB of memory; narrow it with a range of date, fewer columns or a limit
    apart: the query needs more than its 256 MiB of memory; narrow it with a range of date, fewer columns or a limit
    copies: the query needs more than its 256 MiB of memory; narrow it with a range of date, fewer columns or a limit
    parts: answered
    folded: concat would make 21800000 bytes, more than 65536
    ");
}

/// What nobody holds any more is given back: the same room serves any number of batches.
#[tokio::test]
async fn room_is_given_back() {
    let (_dir, lake) = lake().await;
    let sql =
        "select sum(length(repeat('x', 10000 + value % 7))) as n from generate_series(1, 40000)";
    insta::assert_snapshot!(ask(&lake, sql).await, @r#"{"n":400119997}"#);
}

#[tokio::test]
async fn a_constant_is_taken_for_what_it_is() {
    let (_dir, lake) = lake().await;
    insta::assert_snapshot!(
        ask(&lake, "select length(repeat('x', 20000)) as a, length(repeat('x', 65536)) as b, \
            length(concat(repeat('x', 60000), 'y')) as c, length(repeat('x', 60000) || 'y') as d").await,
        @r#"{"a":20000,"b":65536,"c":60001,"d":60001}"#
    );
    let said = failure(&lake, "select repeat('x', 65537)").await;
    insta::assert_snapshot!(said, @"repeat would make 65537 bytes, more than 65536");
}

/// A constant stands in every row of a batch; with a large one a batch has fewer rows.
#[tokio::test]
async fn rows_with_a_large_constant_come_a_few_at_a_time() {
    let (_dir, lake) = lake().await;
    for (sql, most) in [
        (
            "select repeat('x', 60000) as a, value from generate_series(1, 9000)",
            560,
        ),
        (
            "select repeat('x', 60000) as a, repeat('y', 60000) as b, value from generate_series(1, 2000)",
            280,
        ),
        (
            "select case when value > 7 then repeat('x', 60000) else repeat('y', 60000) end as a from generate_series(1, 2000)",
            280,
        ),
        ("select 'x' as a, value from generate_series(1, 9000)", 8192),
    ] {
        let limits = QueryLimits::default();
        let mut output = lake.query(sql, Tail::default(), limits).await.unwrap();
        let mut largest = 0;
        while let Some(batch) = output.next().await.unwrap() {
            largest = largest.max(batch.num_rows());
        }
        assert!((most / 2..=most).contains(&largest), "{sql}: {largest}");
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
        @r#"{"target_user || '@' || computer":"user0001@WKS001","r":"user0001","l":[1,1],"x":"ser0001-ser0001"}"#
    );
}

#[test]
fn many_large_rows_are_computed_in_parts() {
    let half = FUNCTION_PART_BYTES as u64 / 2;
    assert_eq!(parts("f", &[half, half, 1, half]).unwrap(), [0..2, 2..4]);
    assert_eq!(parts("f", &[half * 5, 1, 1]).unwrap(), [0..1, 1..3]);
    assert_eq!(parts("f", &[]).unwrap(), vec![0..0; 1]);
    assert!(parts("f", &[1, FUNCTION_BYTES as u64 + 1]).is_err());
}
