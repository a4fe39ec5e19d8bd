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
        ..Tail::default()
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
          there is no table "/etc/passwd" (line 1, column 16); there are events, account_changes, alerts, audit, authentications, event_counts, explicit_logons, failed_logons, firewall_changes, group_changes, log_cleared, logoffs, logons, malware, network_connections, policy_changes, powershell_scripts, privileged_logons, process_creation, scheduled_tasks, services, share_access, starts_and_stops
        select * from 'file:///etc/passwd'
          there is no table "file:///etc/passwd" (line 1, column 16); there are events, account_changes, alerts, audit, authentications, event_counts, explicit_logons, failed_logons, firewall_changes, group_changes, log_cleared, logoffs, logons, malware, network_connections, policy_changes, powershell_scripts, privileged_logons, process_creation, scheduled_tasks, services, share_access, starts_and_stops
        select * from read_csv('/etc/passwd')
          table function 'read_csv' not found
        select 1; drop table events
          the query is 2 statements; ask them one at a time
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
        "select SessionName from events",
        "select * from event",
        "selct 1",
        "select cout(*) from events",
        "select * from events where time > 'yesterday'",
        "select x from (select 1 as a)",
        "select Name from (select 1 as \"Name\")",
        "select * from events where target_user = \"ann\"",
        "select computer, count(*) from events",
        "",
        " ; ",
        "-- select 1",
        "/* select 1 */",
        "select 1; select 2",
        "select 1 from",
    ] {
        answers.push_str(&format!("{sql}\n  {}\n", refusal(&lake, sql).await));
    }
    insta::assert_snapshot!(answers, @r#"
        select evnt_id from events
          there is no column "evnt_id" (line 1, column 8); did you mean "event_id"?
        select EventID from events
          there is no column "EventID" (line 1, column 8); did you mean "event_id"?
        select TargetUserName from events
          there is no column "TargetUserName" (line 1, column 8); events have it in "target_user"
        select SessionName from events
          there is no column "SessionName" (line 1, column 8); if it is a value of EventData write event_data['SessionName']; DESCRIBE events lists the columns
        select * from event
          there is no table "event" (line 1, column 15); did you mean "events"?
        selct 1
          this is not SQL that can be read: Expected: an SQL statement, found: selct (line 1, column 1, at "selct 1")
        select cout(*) from events
          there is no function "cout" (line 1, column 8); did you mean "cot"?
        select * from events where time > 'yesterday'
          Error parsing timestamp from 'yesterday': timestamp must contain at least 10 characters
        select x from (select 1 as a)
          there is no column "x" (line 1, column 8); there are a
        select Name from (select 1 as "Name")
          there is no column "Name" (line 1, column 8); a name with capitals is written in double quotes: "Name"
        select * from events where target_user = "ann"
          there is no column "ann" (line 1, column 43); if it is a text, write it in single quotes: 'ann'
        select computer, count(*) from events
          Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column "events.computer" must appear in the GROUP BY clause or must be part of an aggregate function, currently only "count(Int64(1))" appears in the SELECT clause satisfies this requirement

          the query is empty; write one SELECT, EXPLAIN, SHOW or DESCRIBE
         ; 
          the query is empty; write one SELECT, EXPLAIN, SHOW or DESCRIBE
        -- select 1
          the query is empty; write one SELECT, EXPLAIN, SHOW or DESCRIBE
        /* select 1 */
          the query is empty; write one SELECT, EXPLAIN, SHOW or DESCRIBE
        select 1; select 2
          the query is 2 statements; ask them one at a time
        select 1 from
          this is not SQL that can be read: Expected: identifier, found: EOF
        "#);
    let long = format!("select {}1", "1+".repeat(SQL_BYTES));
    insta::assert_snapshot!(refusal(&lake, &long).await, @"the query is longer than 65536 bytes; shorten it");
}

#[tokio::test]
async fn a_deep_expression_does_not_end_the_program() {
    let (_dir, lake) = lake_with(1).await;
    let mut answers = String::new();
    for (part, operators) in [
        ("seq = 0 or ", 2),
        ("seq + 1 > 0 and ", 3),
        ("not true or ", 2),
    ] {
        for count in [(SQL_OPERATORS - 3) / operators, SQL_OPERATORS] {
            let sql = format!(
                "select count(*) as n from events where {}true",
                part.repeat(count)
            );
            answers.push_str(&format!(
                "{part}\n  {}\n",
                refusal(&lake, &sql).await.trim()
            ));
        }
    }
    let brackets = format!(
        "select {}1{}",
        "(".repeat(SQL_OPERATORS),
        ")".repeat(SQL_OPERATORS)
    );
    let sums = format!("select 1{} as n", " + 1".repeat(SQL_OPERATORS - 1));
    let signs = format!("select {}1 as n", "- ".repeat(SQL_OPERATORS - 1));
    let unions = format!(
        "select count(*) as n from (select 1{})",
        " union all select 1".repeat(SQL_OPERATORS / 2 - 5)
    );
    let many = format!(
        "select count(*) as n from events where seq in (0{})",
        ", 1".repeat(10_000)
    );
    for sql in [brackets, sums, signs, unions, many] {
        answers.push_str(&format!(
            "{}\n  {}\n",
            &sql[..50],
            refusal(&lake, &sql).await.trim()
        ));
    }
    insta::assert_snapshot!(answers, @r#"
        seq = 0 or 
          answered: {"n":1}
        seq = 0 or 
          the query has 2003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        seq + 1 > 0 and 
          answered: {"n":1}
        seq + 1 > 0 and 
          the query has 3003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        not true or 
          answered: {"n":1}
        not true or 
          the query has 2003 operators and brackets, more than 1000; write long chains of OR as IN (…)
        select (((((((((((((((((((((((((((((((((((((((((((
          the query has 1001 operators and brackets, more than 1000; write long chains of OR as IN (…)
        select 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 +
          answered: {"n":1000}
        select - - - - - - - - - - - - - - - - - - - - - -
          this is not SQL that can be read: recursion limit exceeded
        select count(*) as n from (select 1 union all sele
          answered: {"n":496}
        select count(*) as n from events where seq in (0, 
          answered: {"n":1}
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
    // The time is over while it is planned, or while it runs.
    let answer = async {
        let output = lake.query(endless, Tail::default(), limits).await?;
        let mut out = Vec::new();
        output
            .write(Format::Csv, &crate::Layout::default(), &mut out)
            .await
    };
    let error = answer.await.unwrap_err();
    assert!(matches!(error, QueryError::Time { .. }), "{error}");
}

/// Without it the first look at the clock comes after all rows of one side met some thousands of the other: minutes.
#[tokio::test]
async fn a_join_of_each_with_each_is_ended_by_its_time() {
    let (_dir, lake) = lake_with(1).await;
    let (few, many) = ("generate_series(1, 3)", "generate_series(1, 100000)");
    let join = |a: &str, b: &str| {
        format!(
            "select count(*) as n from {a} a join {b} b \
             on cast(a.value as varchar) || cast(b.value as varchar) like '%12%'"
        )
    };
    let limits = QueryLimits {
        time: Some(Duration::from_millis(500)),
        ..QueryLimits::default()
    };
    let answer = async |sql: String| {
        let output = lake.query(&sql, Tail::default(), limits).await?;
        let mut out = Vec::new();
        let layout = crate::Layout::default();
        output.write(Format::Csv, &layout, &mut out).await?;
        Ok::<_, QueryError>(String::from_utf8(out).unwrap())
    };
    let error = answer(join(many, many)).await.unwrap_err();
    assert!(matches!(error, QueryError::Time { .. }), "{error}");
    // It has the rows of any other.
    let sql = join(few, "generate_series(1, 100)");
    assert_eq!(ask(&lake, &sql).await, "{\"n\":14}\n");
}

/// The name of a column can be told from the query alone.
#[tokio::test]
async fn a_column_is_named_as_the_query_writes_it() {
    let (_dir, lake) = lake_with(1).await;
    let mut answers = String::new();
    for sql in [
        "select event_data['TargetUserName'], count(*), 1, 'it''s' from events group by 1",
        "select e.seq, SEQ + 1, (date), upper( target_user ) as u, upper(target_user) || '@' from events e",
        "select seq*2, e.date, e.seq % 7 from (select date, seq from events) e",
        "select 1+1, * from (select seq, 2+2, date from events)",
        "select *, 1+1 from (select seq, date from events)",
        "select 1+1, a.*, 2+2, b.*, 3+3 from (select seq from events) a, (select date from events) b",
        "select 1+1, unnest([7, 8]), 2+2",
        "select 1+1 union all select 2+2 order by 1",
        "(select 1+1 as n) union all select 2+2 limit 1",
        "with t as (select 1+1) select * from t",
        "select 1+1, unnest({'a': 1, 'b': 2}), 2+2",
        "select count(*), count( * ) filter (where seq > 0) from events having count(*) > 0",
        "values (1, 2)",
    ] {
        answers.push_str(&format!(
            "{sql}\n  {}\n",
            ask(&lake, sql).await.trim().replace('\n', "\n  ")
        ));
    }
    insta::assert_snapshot!(answers, @r#"
        select event_data['TargetUserName'], count(*), 1, 'it''s' from events group by 1
          {"event_data['TargetUserName']":"user0001","count(*)":1,"1":1,"'it''s'":"it's"}
        select e.seq, SEQ + 1, (date), upper( target_user ) as u, upper(target_user) || '@' from events e
          {"seq":1,"SEQ + 1":2,"date":"2025-11-05","u":"USER0001","upper(target_user) || '@'":"USER0001@"}
        select seq*2, e.date, e.seq % 7 from (select date, seq from events) e
          {"seq * 2":2,"date":"2025-11-05","e.seq % 7":1}
        select 1+1, * from (select seq, 2+2, date from events)
          {"1 + 1":2,"seq":1,"Int64(2) + Int64(2)":4,"date":"2025-11-05"}
        select *, 1+1 from (select seq, date from events)
          {"seq":1,"date":"2025-11-05","1 + 1":2}
        select 1+1, a.*, 2+2, b.*, 3+3 from (select seq from events) a, (select date from events) b
          {"1 + 1":2,"seq":1,"Int64(2) + Int64(2)":4,"date":"2025-11-05","3 + 3":6}
        select 1+1, unnest([7, 8]), 2+2
          {"1 + 1":2,"unnest([7, 8])":7,"2 + 2":4}
          {"1 + 1":2,"unnest([7, 8])":8,"2 + 2":4}
        select 1+1 union all select 2+2 order by 1
          {"1 + 1":2}
          {"1 + 1":4}
        (select 1+1 as n) union all select 2+2 limit 1
          {"n":2}
        with t as (select 1+1) select * from t
          {"Int64(1) + Int64(1)":2}
        select 1+1, unnest({'a': 1, 'b': 2}), 2+2
          {"1 + 1":2,"named_struct(Utf8(\"a\"),Int64(1),Utf8(\"b\"),Int64(2)).a":1,"named_struct(Utf8(\"a\"),Int64(1),Utf8(\"b\"),Int64(2)).b":2,"2 + 2":4}
        select count(*), count( * ) filter (where seq > 0) from events having count(*) > 0
          {"count(*)":1,"count(*) FILTER (WHERE seq > 0)":1}
        values (1, 2)
          {"column1":1,"column2":2}
        "#);
    insta::assert_snapshot!(
        write(lake.query("select count(*), event_data['LogonType'] from events group by 2", Tail::default(), QueryLimits::default()).await.unwrap(), Format::Csv).await,
        @r#"
        count(*),event_data['LogonType']
        1,3
        "#
    );
}

/// A semicolon ends a statement; in a text or a comment it is one more character.
#[tokio::test]
async fn one_statement_may_end_as_one_does() {
    let (_dir, lake) = lake_with(1).await;
    for sql in [
        "select 1 as n;",
        ";select 1 as n -- ; and no more",
        "select 1 as n /* ; select 2 */ ; ;",
    ] {
        assert_eq!(ask(&lake, sql).await, "{\"n\":1}\n", "{sql}");
    }
    assert_eq!(ask(&lake, "select ';' as n").await, "{\"n\":\";\"}\n");
}

/// A recursion without an end is ended by the limits: of time where it keeps nothing, of memory where it does, and its
/// iterations give their thread back.
#[tokio::test]
async fn an_endless_recursion_ends() {
    let (_dir, lake) = lake_with(3).await;
    let end = async |sql: &str, limits: QueryLimits| {
        let answer = async {
            let output = lake.query(sql, Tail::default(), limits).await?;
            let (format, layout) = (Format::Csv, crate::Layout::default());
            output.write(format, &layout, &mut std::io::sink()).await
        };
        answer.await.unwrap_err().to_string()
    };
    let brief = QueryLimits {
        time: Some(Duration::from_millis(300)),
        ..QueryLimits::default()
    };
    let small = QueryLimits {
        memory_bytes: 4 << 20,
        ..QueryLimits::default()
    };
    let mut answers = String::new();
    for (sql, limits) in [
        (
            "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
            brief,
        ),
        (
            "with recursive t(n) as (select 1 union all select n + 1 from t) select n from t",
            brief,
        ),
        (
            "with recursive t(n) as (select 1 union all select n + 1 from t) select n from t where n < 0",
            brief,
        ),
        (
            "with recursive t(n) as (select seq from events union all select t.n from t join events on t.n = seq) select max(n) from t",
            brief,
        ),
        (
            "with recursive t(n) as (select 1 union all select n % 7 from t where n < 9) select n from t where n > 8",
            brief,
        ),
        (
            "with recursive t(n) as (select seq from events union all select t.n from t cross join events) select max(n) from t",
            small,
        ),
        (
            "with recursive t(n) as (select 1 union select n + 1 from t) select max(n) from t",
            QueryLimits {
                memory_bytes: 64 << 10,
                ..small
            },
        ),
        (
            "with recursive t(n) as (select 'x' union all select n || n from t) select length(n) from t",
            small,
        ),
    ] {
        answers.push_str(&format!("{sql}\n  {}\n", end(sql, limits).await));
    }
    insta::assert_snapshot!(answers, @"
        with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t
          the query ran longer than its 300ms; narrow it with a range of date
        with recursive t(n) as (select 1 union all select n + 1 from t) select n from t
          the query ran longer than its 300ms; narrow it with a range of date
        with recursive t(n) as (select 1 union all select n + 1 from t) select n from t where n < 0
          the query ran longer than its 300ms; narrow it with a range of date
        with recursive t(n) as (select seq from events union all select t.n from t join events on t.n = seq) select max(n) from t
          the query ran longer than its 300ms; narrow it with a range of date
        with recursive t(n) as (select 1 union all select n % 7 from t where n < 9) select n from t where n > 8
          the query ran longer than its 300ms; narrow it with a range of date
        with recursive t(n) as (select seq from events union all select t.n from t cross join events) select max(n) from t
          the query needs more than its 4 MiB of memory; narrow it with a range of date, fewer columns or a limit
        with recursive t(n) as (select 1 union select n + 1 from t) select max(n) from t
          the query needs more than its 0 MiB of memory; narrow it with a range of date, fewer columns or a limit
        with recursive t(n) as (select 'x' union all select n || n from t) select length(n) from t
          the query needs more than its 4 MiB of memory; narrow it with a range of date, fewer columns or a limit
        ");
}

/// What is skipped is not even opened: its file may be damaged.
#[tokio::test]
async fn files_that_cannot_match_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let day = 86_400;
    for (seq, record, second) in [(1, 10, -day), (2, 20, 0), (3, 30, day), (4, 40, day + 7)] {
        let text = logon(1, record, second).replace("4624", if seq == 4 { "4625" } else { "4624" });
        lake.append(rows(&[text], Some(seq)), Some(("journal", seq as i64)))
            .await
            .unwrap();
    }
    let damage = |date: &str| {
        for entry in std::fs::read_dir(lake.folder().join(format!("date={date}"))).unwrap() {
            std::fs::write(entry.unwrap().path(), "damaged").unwrap();
        }
    };
    damage("2025-11-04");
    insta::assert_snapshot!(
        ask(&lake, "select count(*) as n, max(record_id) as m from events where date > '2025-11-04'").await,
        @r#"{"n":3,"m":40}"#
    );
    insta::assert_snapshot!(
        ask(&lake, "select record_id from events where time >= '2025-11-05T00:00:00Z' order by 1").await,
        @r#"
            {"record_id":20}
            {"record_id":30}
            {"record_id":40}
            "#
    );
    insta::assert_snapshot!(ask(&lake, "select record_id from events where event_id = 4625").await, @r#"{"record_id":40}"#);
    insta::assert_snapshot!(ask(&lake, "select seq from events where record_id > 30").await, @r#"{"seq":4}"#);
    let output = lake
        .query(
            "select record_id from events",
            Tail::default(),
            QueryLimits::default(),
        )
        .await
        .unwrap();
    let unread = output.unread();
    let mut out = Vec::new();
    let layout = crate::Layout::default();
    output.write(Format::Csv, &layout, &mut out).await.unwrap();
    assert_eq!(unread.all().len(), 1, "what is read is found damaged");
}
