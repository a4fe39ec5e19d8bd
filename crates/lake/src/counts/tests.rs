use super::tallied::{Taken, Tallied};
use super::*;
use crate::lake::Lake;
use crate::retention::Retention;
use crate::testing::{ask, ask_with, logon, rows, write};
use crate::{Appended, Format, Period, QueryLimits, Run, Tail, schema};

const ALL: &str = "select bucket, channel, event_id, computer, account, sum(events) as n from event_counts \
    group by all order by bucket, computer, account";

fn journal(seq: u64) -> Option<(&'static str, i64)> {
    Some(("journal", i64::try_from(seq).unwrap()))
}

/// Logons of two machines, some of one five minutes and some of the next.
fn logons() -> Vec<String> {
    vec![
        logon(1, 7, 10),
        logon(1, 7, 299),
        logon(1, 7, 300),
        logon(2, 8, 300),
    ]
}

const COUNTED_LOGONS: &str = r#"{"bucket":"2025-11-05T00:00:00Z","channel":"Security","event_id":4624,"computer":"WKS001","account":"user0007","n":2}
{"bucket":"2025-11-05T00:05:00Z","channel":"Security","event_id":4624,"computer":"WKS001","account":"user0007","n":1}
{"bucket":"2025-11-05T00:05:00Z","channel":"Security","event_id":4624,"computer":"WKS002","account":"user0008","n":1}
"#;

#[tokio::test]
async fn events_are_counted_once_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.roll_up().await.unwrap();
    let all = rows(&logons(), Some(1));
    let tail = || Tail {
        app_id: "journal".to_owned(),
        rows: vec![all.clone()],
        ..Tail::default()
    };
    // In the tail, in the table and not yet counted, counted, and in the tail that is not yet taken away.
    assert_eq!(ask_with(&lake, ALL, tail()).await, COUNTED_LOGONS);
    lake.append(all.clone(), journal(4)).await.unwrap();
    assert_eq!(ask_with(&lake, ALL, tail()).await, COUNTED_LOGONS);
    assert_eq!(lake.roll_up().await.unwrap(), 1);
    assert_eq!(ask_with(&lake, ALL, tail()).await, COUNTED_LOGONS);
    assert_eq!(lake.roll_up().await.unwrap(), 0);
    assert_eq!(ask(&lake, ALL).await, COUNTED_LOGONS);
    let read = Lake::open_to_read(dir.path()).await.unwrap();
    assert_eq!(ask(&read, ALL).await, COUNTED_LOGONS);
}

/// Five minutes belong to a period by when they begin, whether they are counted already or while somebody waits.
#[tokio::test]
async fn a_period_means_the_same_before_and_after_the_roll_up() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let period = Period {
        from: Some("2025-11-05T00:00:11Z".parse().unwrap()),
        to: Some("2025-11-05T00:05:01Z".parse().unwrap()),
    };
    lake.append(rows(&logons(), Some(1)), None).await.unwrap();
    let later = COUNTED_LOGONS.split_once('\n').unwrap().1;
    let limits = QueryLimits {
        period,
        ..QueryLimits::default()
    };
    for _ in 0..2 {
        let answer = lake.query(ALL, Tail::default(), limits).await.unwrap();
        assert_eq!(write(answer, Format::Ndjson).await, later);
        lake.roll_up().await.unwrap();
    }
}

#[tokio::test]
async fn merging_and_importing_twice_count_nothing_again() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for record in 1..=10 {
        let one = rows(&[logon(1, record, 0)], None);
        lake.append_new(one.clone(), None).await.unwrap();
        assert_eq!(lake.append_new(one, None).await.unwrap(), Appended::Nothing);
    }
    let done = lake
        .keep_up("2025-11-07T00:00:00Z".parse().unwrap())
        .await
        .whole()
        .unwrap();
    assert_eq!(
        (done.days, done.merged),
        (1, 10),
        "the roll-up was made in one commit"
    );
    lake.roll_up().await.unwrap();
    let sql = "select sum(events) as n, count(distinct account) as accounts from event_counts";
    assert_eq!(ask(&lake, sql).await, "{\"n\":10,\"accounts\":10}\n");
}

#[tokio::test]
async fn without_its_log_the_roll_up_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.append(rows(&logons(), Some(1)), journal(4))
        .await
        .unwrap();
    lake.roll_up().await.unwrap();
    lake.append(rows(&[logon(3, 9, 0)], Some(5)), journal(5))
        .await
        .unwrap();
    lake.append(rows(&[logon(3, 9, 1)], Some(6)), journal(6))
        .await
        .unwrap();
    // A checkpoint covers it, and it is old.
    let table = lake.events().snapshot().await.unwrap();
    deltalake::checkpoints::create_checkpoint(&table, None)
        .await
        .unwrap();
    let entry = lake
        .folder()
        .join("_delta_log")
        .join(format!("{:020}.json", 2));
    std::fs::remove_file(entry).unwrap();
    // Who asks meanwhile is told that counts of what has expired are missing.
    let answer = lake.query(ALL, Tail::default(), QueryLimits::default());
    let unread = answer.await.unwrap().unread();
    assert!(unread.notes()[0].contains("`windrow lake compact`"));
    assert_eq!(lake.roll_up().await.unwrap(), 2);
    let answer = lake.query(ALL, Tail::default(), QueryLimits::default());
    assert_eq!(answer.await.unwrap().unread().notes(), [""; 0]);
    let sql =
        "select computer, sum(events) as n from event_counts group by computer order by computer";
    assert_eq!(
        ask(&lake, sql).await,
        "{\"computer\":\"WKS001\",\"n\":3}\n{\"computer\":\"WKS002\",\"n\":1}\n{\"computer\":\"WKS003\",\"n\":2}\n"
    );
}

/// Takes the entry of this version out of the log of `events`, as one that is old and covered by a checkpoint.
async fn forget(lake: &Lake, version: u64) {
    let table = lake.events().snapshot().await.unwrap();
    deltalake::checkpoints::create_checkpoint(&table, None)
        .await
        .unwrap();
    let entry = format!("_delta_log/{version:020}.json");
    std::fs::remove_file(lake.folder().join(entry)).unwrap();
}

const COUNTS: &str = "select sum(events) as n from event_counts";

#[tokio::test]
async fn without_its_log_what_has_expired_stays_counted() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let mut events = logons();
    events.push(logon(1, 9, 5).replace("<Channel>Security<", "<Channel>System<"));
    lake.append(rows(&events, Some(1)), journal(5))
        .await
        .unwrap();
    let retention = Retention {
        channels: [("system".to_owned(), Some(20))].into(),
        ..Retention::default()
    };
    let today = "2025-12-01".parse().unwrap();
    lake.expire(&retention, today, Run::Real).await.unwrap();
    assert_eq!(
        ask(&lake, "select count(*) as n from events").await,
        "{\"n\":4}\n"
    );
    // Of the same day, which has fewer events than counts even so.
    let later = logon(3, 9, 20);
    lake.append(rows(&[later], Some(6)), journal(6))
        .await
        .unwrap();
    let version = lake.extent().await.unwrap().version;
    forget(&lake, version).await;
    lake.roll_up().await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":6}\n");
    let systems = "select sum(events) as n from event_counts where channel = 'System'";
    assert_eq!(ask(&lake, systems).await, "{\"n\":1}\n", "it expired");
}

#[tokio::test]
async fn what_has_expired_and_is_imported_again_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let import = || lake.append_new(rows(&logons(), None), None);
    import().await.unwrap();
    lake.roll_up().await.unwrap();
    let retention = Retention {
        tables: [("events".to_owned(), 20)].into(),
        ..Retention::default()
    };
    let today = "2025-12-01".parse().unwrap();
    lake.expire(&retention, today, Run::Real).await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":4}\n");
    for _ in 0..2 {
        import().await.unwrap();
        lake.roll_up().await.unwrap();
        assert_eq!(ask(&lake, COUNTS).await, "{\"n\":4}\n");
    }
    // What comes then is counted beside them.
    let one = rows(&[logon(5, 1, 0)], None);
    lake.append_new(one, None).await.unwrap();
    lake.roll_up().await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":5}\n");
}

#[tokio::test]
async fn events_that_are_put_back_are_counted_anew() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.append(rows(&logons(), Some(1)), journal(4))
        .await
        .unwrap();
    lake.roll_up().await.unwrap();
    lake.append(rows(&[logon(3, 9, 0)], Some(5)), journal(5))
        .await
        .unwrap();
    lake.roll_up().await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":5}\n");
    // As it was before the second commit.
    let log = lake.folder().join("_delta_log");
    std::fs::remove_file(log.join(format!("{:020}.json", 2))).unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":4}\n");
    lake.roll_up().await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":4}\n");
    lake.append(rows(&[logon(3, 9, 0)], Some(5)), journal(5))
        .await
        .unwrap();
    assert_eq!(lake.roll_up().await.unwrap(), 1);
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":5}\n");
}

/// Its events are put back to an earlier version, and others come, before anybody counts again.
#[tokio::test]
async fn another_version_of_the_same_number_is_counted_anew() {
    for further in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open(dir.path()).await.unwrap();
        lake.append(rows(&logons(), Some(1)), journal(4))
            .await
            .unwrap();
        lake.append(rows(&[logon(3, 9, 0)], Some(5)), journal(5))
            .await
            .unwrap();
        lake.roll_up().await.unwrap();
        let log = lake.folder().join("_delta_log");
        std::fs::remove_file(log.join(format!("{:020}.json", 2))).unwrap();
        let lake = Lake::open(dir.path()).await.unwrap();
        for seq in 0..=further {
            let two = [logon(4, 2 * seq, 0), logon(4, 2 * seq + 1, 0)];
            let seq = 5 + 2 * seq;
            lake.append(rows(&two, Some(seq)), journal(seq + 1))
                .await
                .unwrap();
        }
        let expected = format!("{{\"n\":{}}}\n", 4 + 2 * (further + 1));
        assert_eq!(ask(&lake, COUNTS).await, expected, "not yet counted");
        lake.roll_up().await.unwrap();
        assert_eq!(ask(&lake, COUNTS).await, expected);
        assert_eq!(lake.roll_up().await.unwrap(), 0);
    }
}

/// Its file was merged, and taken away, between the look at the log and the counting.
#[tokio::test]
async fn a_file_that_goes_while_it_is_counted_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for record in 1..=10 {
        let one = rows(&[logon(1, record, 0)], None);
        lake.append(one, None).await.unwrap();
    }
    let counts = lake.other_to_write(&schema::COUNTS).await.unwrap();
    let at = counts.snapshot().await.unwrap();
    let before = lake.events().snapshot().await.unwrap();
    let due = follow::due(lake.events(), &before, None).await.unwrap();
    let now = "2025-11-07T00:00:00Z".parse().unwrap();
    assert_eq!(lake.events().keep_up(now).await.unwrap().merged, 10);
    lake.vacuum("2028-01-01T00:00:00Z".parse().unwrap())
        .await
        .whole()
        .unwrap();
    let mut tallied = Tallied::new(lake.events(), &counts);
    assert!(matches!(tallied.take(&at, due).await.unwrap(), Taken::Gone));
    lake.roll_up().await.unwrap();
    assert_eq!(ask(&lake, COUNTS).await, "{\"n\":10}\n");
}

/// More names than are held at once, in one file.
#[tokio::test]
async fn a_file_of_many_long_names_is_counted_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let name = |record: u64| format!("{record}{}", "x".repeat(60_000));
    let named = |record: u64| logon(1, record, 0).replace("WKS001", &name(record));
    let events: Vec<_> = (0..2_600).map(named).collect();
    lake.append(rows(&events, None), None).await.unwrap();
    assert_eq!(lake.extent().await.unwrap().files, 1);
    lake.roll_up().await.unwrap();
    let (_, files) = lake.live_files("event_counts").await.unwrap().unwrap();
    assert!(files.len() > 1, "{files:?}");
    let sql = "select sum(events) as n, count(distinct computer) as c from event_counts";
    assert_eq!(ask(&lake, sql).await, "{\"n\":2600,\"c\":2600}\n");
}

#[test]
fn long_names_fill_it_as_many_do() {
    let mut counter = Counter::default();
    let mut record = 0;
    while !counter.is_full() {
        record += 1;
        assert!(record < 2_000, "it never fills");
        let name = format!("{record}{}", "x".repeat(60_000));
        let text = logon(1, record, 0).replace("WKS001", &name);
        counter.count_rows(&rows(&[text], None));
    }
    assert_eq!(counter.finish().unwrap().len() as u64, record);
    assert!(counter.is_empty() && !counter.is_full());
}

#[test]
fn dates_are_days() {
    assert_eq!(
        (days("1970-01-01"), days("2025-11-05"), days("no date")),
        (0, 20_397, 0)
    );
    assert_eq!(
        (date(0), date(20_397)),
        ("1970-01-01".to_owned(), "2025-11-05".to_owned())
    );
}

#[test]
fn a_table_is_named_by_whole_words() {
    let names = |sql| crate::lake::names(sql, &crate::schema::COUNTS);
    assert!(names("select * from Event_Counts"));
    assert!(names("select * from information_schema.tables"));
    assert!(!names("select my_event_counts, event_counts2 from events"));
}
