use super::*;
use crate::limits::{SQL_BYTES, SQL_OPERATORS};
use crate::output::Format;
use crate::testing::{ask, ask_with, logon, rows, write};

async fn lake_with(events: u64) -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events: Vec<_> = (1..=events)
        .map(|record| logon(1, record, record as i64))
        .collect();
    let last = i64::try_from(events.len()).unwrap();
    lake.append(rows(&events, Some(1)), Some(("journal", last)))
        .await
        .unwrap();
    (dir, lake)
}

async fn refusal(lake: &Lake, sql: &str) -> String {
    match lake
        .query(sql, Tail::default(), QueryLimits::default())
        .await
    {
        Err(error) => error.to_string(),
        Ok(output) => format!("answered: {}", write(output, Format::Ndjson).await),
    }
}

#[tokio::test]
async fn an_event_in_tail_and_lake_is_seen_once() {
    let (_dir, lake) = lake_with(5).await;
    let tail = |first: u64, last: u64| {
        let events: Vec<_> = (first..=last)
            .map(|record| logon(1, record, record as i64))
            .collect();
        rows(&events, Some(first))
    };
    let tail = Tail {
        app_id: "journal".to_owned(),
        rows: vec![tail(2, 4), tail(5, 7), tail(8, 8)],
    };
    insta::assert_snapshot!(
        ask_with(&lake, "select count(*) as n, count(distinct seq) as d, max(seq) as last, \
            max(event_data['IpPort']) as port from events where date = '2025-11-05'", tail.clone()).await,
        @r#"{"n":8,"d":8,"last":8,"port":"50123"}"#
    );
    insta::assert_snapshot!(
        ask_with(&lake, "select seq, date, time, encode(event_key, 'hex') is not null as k, event_data from events \
            where seq in (5, 6) order by seq", tail).await,
        @r#"
            {"seq":5,"date":"2025-11-05","time":"2025-11-05T00:00:05Z","k":true,"event_data":{"SubjectUserName":"-","TargetUserName":"user0005","LogonType":"3","IpAddress":"::ffff:10.0.0.1","IpPort":"50123"}}
            {"seq":6,"date":"2025-11-05","time":"2025-11-05T00:00:06Z","k":true,"event_data":{"SubjectUserName":"-","TargetUserName":"user0006","LogonType":"3","IpAddress":"::ffff:10.0.0.1","IpPort":"50123"}}
            "#
    );
}

#[tokio::test]
async fn a_query_reads_and_does_nothing_else() {
    let (_dir, lake) = lake_with(1).await;
    let refused = [
        "insert into events select * from events",
        "delete from events",
        "update events set seq = 1",
        "drop table events",
        "create table t as select 1",
        "create view v as select 1",
        "create external table t stored as csv location '/etc/passwd'",
        "copy events to '/tmp/out.parquet'",
        "copy (select 1) to '/tmp/out.csv'",
        "set datafusion.execution.batch_size = 1",
        "select * from '/etc/passwd'",
        "select * from 'file:///etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select 1; drop table events",
        "begin",
        "explain analyze insert into events select * from events",
    ];
    let mut answers = String::new();
    for sql in refused {
        answers.push_str(&format!("{sql}\n  {}\n", refusal(&lake, sql).await));
    }
    insta::assert_snapshot!(answers, @r#"
        insert into events select * from events
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        delete from events
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        update events set seq = 1
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        drop table events
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        create table t as select 1
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        create view v as select 1
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        create external table t stored as csv location '/etc/passwd'
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        copy events to '/tmp/out.parquet'
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        copy (select 1) to '/tmp/out.csv'
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        set datafusion.execution.batch_size = 1
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        select * from '/etc/passwd'
          there is no table "/etc/passwd"; the only one is events
        select * from 'file:///etc/passwd'
          there is no table "file:///etc/passwd"; the only one is events
        select * from read_csv('/etc/passwd')
          table function 'read_csv' not found
        select 1; drop table events
          this is not supported: The context currently only supports a single SQL statement
        begin
          this is not supported: Unsupported SQL statement: BEGIN
        explain analyze insert into events select * from events
          a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE
        "#);
    for sql in [
        "select 1",
        "explain select * from events",
        "show tables",
        "describe events",
        "show columns from events",
    ] {
        assert!(!ask(&lake, sql).await.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn an_error_names_the_cure() {
    let (_dir, lake) = lake_with(1).await;
    let mut answers = String::new();
    for sql in [
        "select evnt_id from events",
        "select EventID from events",
        "select TargetUserName from events",
        "select * from event",
        "selct 1",
        "select cout(*) from events",
        "select * from events where time > 'yesterday'",
        "select x from (select 1 as a)",
        "select computer, count(*) from events",
        "",
    ] {
        answers.push_str(&format!("{sql}\n  {}\n", refusal(&lake, sql).await));
    }
    insta::assert_snapshot!(answers, @r#"
        select evnt_id from events
          there is no column "evnt_id"; did you mean "event_id"?
        select EventID from events
          there is no column "eventid"; did you mean "event_id"?
        select TargetUserName from events
          there is no column "targetusername"; a value of EventData is event_data['targetusername'], and DESCRIBE events lists the columns
        select * from event
          there is no table "event"; the only one is events
        selct 1
          this is not SQL that can be read: Expected: an SQL statement, found: selct at Line: 1, Column: 1
        select cout(*) from events
          Invalid function 'cout'. Did you mean 'cot'?
        select * from events where time > 'yesterday'
          'simplify_expressions' failed caused by Arrow error: Parser error: Error parsing timestamp from 'yesterday': timestamp must contain at least 10 characters
        select x from (select 1 as a)
          there is no column "x"; there are a
        select computer, count(*) from events
          Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column "events.computer" must appear in the GROUP BY clause or must be part of an aggregate function, currently only "count(Int64(1))" appears in the SELECT clause satisfies this requirement

          No SQL statements were provided in the query string
        "#);
    let long = format!("select {}1", "1+".repeat(SQL_BYTES));
    insta::assert_snapshot!(refusal(&lake, &long).await, @"the query is longer than 65536 bytes; shorten it");
}

#[tokio::test]
async fn a_deep_expression_does_not_end_the_program() {
    let (_dir, lake) = lake_with(1).await;
    let chain = |part: &str, count: usize| {
        format!(
            "select count(*) as n from events where {}true",
            part.repeat(count)
        )
    };
    let mut answers = String::new();
    for part in ["seq = 0 or ", "1 + ", "not ", "(", "seq + 1 > 0 and ", "-"] {
        for count in [
            SQL_OPERATORS * 2,
            SQL_OPERATORS
                / part
                    .matches(['=', '+', 'o', '(', '-', '>', 'd'])
                    .count()
                    .max(1)
                - 5,
        ] {
            let sql = chain(part, count);
            let sql = if part == "(" {
                format!("{sql}{}", ")".repeat(count))
            } else {
                sql
            };
            let answer = refusal(&lake, &sql).await;
            answers.push_str(&format!(
                "{part} {count}: {}\n",
                answer.chars().take(150).collect::<String>()
            ));
        }
    }
    insta::assert_snapshot!(answers, @r#"
        seq = 0 or  2000: the query has 4003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        seq = 0 or  495: answered: {"n":1}

        1 +  2000: the query has 2003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        1 +  995: Cannot coerce arithmetic expression Int64 + Boolean to valid types
        not  2000: the query has 2003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        not  995: this is not SQL that can be read: Expected: end of statement, found: not at Line: 1, Column: 232
        ( 2000: the query has 2003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        ( 995: this is not SQL that can be read: recursion limit exceeded
        seq + 1 > 0 and  2000: the query has 6003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        seq + 1 > 0 and  328: answered: {"n":1}

        - 2000: this is not SQL that can be read: Expected: an expression, found: EOF
        - 995: this is not SQL that can be read: Expected: an expression, found: EOF
        "#);
}

#[tokio::test]
async fn limits_hold() {
    let (_dir, lake) = lake_with(100).await;
    let limits = QueryLimits {
        rows: Some(7),
        ..QueryLimits::default()
    };
    let output = lake
        .query(
            "select seq from events order by seq",
            Tail::default(),
            limits,
        )
        .await
        .unwrap();
    let mut out = Vec::new();
    let written = output
        .write(Format::Ndjson, &crate::Layout::default(), &mut out)
        .await
        .unwrap();
    assert_eq!((written.rows, written.truncated), (7, true));

    let greedy = "select a.value, b.value from generate_series(1, 3000) a cross join generate_series(1, 3000) b \
        order by a.value + b.value, a.value";
    let limits = QueryLimits {
        memory_bytes: 8 << 20,
        ..QueryLimits::default()
    };
    let output = lake.query(greedy, Tail::default(), limits).await.unwrap();
    let error = output
        .write(Format::Csv, &crate::Layout::default(), &mut Vec::new())
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"the query needs more than its 8 MiB of memory; narrow it with a range of date, fewer columns or a limit");

    let limits = QueryLimits {
        time: Some(Duration::from_millis(20)),
        ..QueryLimits::default()
    };
    let endless = "select count(*) from generate_series(1, 1000000000) a";
    let output = lake.query(endless, Tail::default(), limits).await.unwrap();
    let error = output
        .write(Format::Csv, &crate::Layout::default(), &mut Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::Time { .. }), "{error}");
}
