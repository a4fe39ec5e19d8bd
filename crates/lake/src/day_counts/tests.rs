use super::*;
use crate::testing::{logon, rows};
use crate::{Lake, Tail};

const EVERY: [Whose; 3] = [Whose::Computer, Whose::Account, Whose::Address];

async fn asked(lake: &Lake, question: DayCounts<'_>) -> String {
    let sql = question.sql();
    let answer = lake.query(&sql, Tail::default(), question.limits());
    let mut lines = Vec::new();
    let all = question
        .read(answer.await.unwrap(), &mut |count| {
            let DayCount {
                bucket,
                channel,
                event_id,
                whose,
                events,
            } = count;
            lines.push(format!(
                "{bucket} {channel:?} {event_id:?} {whose:?} {events}"
            ));
        })
        .await;
    assert!(all.unwrap());
    lines.sort();
    lines.join("\n")
}

/// Logons at 0, 299, 300 s of a day and one of the next.
#[tokio::test]
async fn a_day_is_told_by_bucket() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events = [
        logon(1, 1, 0),
        logon(2, 2, 299),
        logon(1, 3, 300).replace("<Channel>Security</Channel>", ""),
        logon(1, 4, 86_400),
    ];
    lake.append(rows(&events, Some(1)), None).await.unwrap();
    let wanted = Wanted::default();
    let question = |whose| DayCounts {
        day: "2025-11-05",
        width_s: 300,
        whose,
        wanted: &wanted,
    };
    insta::assert_snapshot!(asked(&lake, question(&[])).await, @r#"
    5874336 Some("Security") Some(4624) [] 2
    5874337 None Some(4624) [] 1
    "#);
    insta::assert_snapshot!(asked(&lake, question(&EVERY[..2])).await, @r#"
    5874336 Some("Security") Some(4624) [Some("WKS001"), Some("user0001")] 1
    5874336 Some("Security") Some(4624) [Some("WKS002"), Some("user0002")] 1
    5874337 None Some(4624) [Some("WKS001"), Some("user0003")] 1
    "#);
    let hours = DayCounts {
        width_s: 3_600,
        ..question(&EVERY[2..])
    };
    insta::assert_snapshot!(asked(&lake, hours).await, @r#"
    489528 None Some(4624) [Some("10.0.0.1")] 1
    489528 Some("Security") Some(4624) [Some("10.0.0.1")] 1
    489528 Some("Security") Some(4624) [Some("10.0.0.2")] 1
    "#);
    let wanted = Wanted {
        channels: vec!["SECURITY".to_owned(), "it's".to_owned()],
        ids: vec![4624, 7],
    };
    let some = DayCounts {
        wanted: &wanted,
        ..question(&EVERY)
    };
    assert_eq!(asked(&lake, some).await.lines().count(), 2);
    let days = Days {
        period: Period::default(),
        wanted: &wanted,
    };
    let sql = days.sql();
    let answer = lake.query(&sql, Tail::default(), QueryLimits::default());
    let found = days.read(answer.await.unwrap()).await.unwrap();
    assert_eq!(found, ["2025-11-05", "2025-11-06"]);
}
