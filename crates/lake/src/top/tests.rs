use super::*;
use crate::testing::{logon, rows};
use crate::{Lake, QueryLimits, Tail};

async fn lake() -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events = [
        logon(1, 1, 0),
        logon(1, 1, 60),
        logon(2, 1, 120).replace("WKS002<", "WKS002.corp.example<"),
        logon(2, 1, 180).replace("<Data Name='TargetUserName'>user0001</Data>", ""),
        logon(3, 3, 90_000),
    ];
    lake.append(rows(&events, Some(1)), None).await.unwrap();
    (dir, lake)
}

async fn asked(lake: &Lake, top: Top<'_>) -> String {
    let sql = top.sql();
    let answer = lake.query(&sql, Tail::default(), QueryLimits::default());
    let topped = Top::read(answer.await.unwrap()).await.unwrap();
    let mut told = format!("{} of {}", topped.events, topped.keys);
    for row in topped.rows {
        let TopRow {
            key,
            name,
            events,
            first,
            last,
        } = row;
        let (first, last) = (first.unwrap(), last.unwrap());
        told.push_str(&format!("\n{key:?} {name:?} {events} {first} {last}"));
    }
    told
}

#[tokio::test]
async fn the_most_frequent_come_first_and_all_are_counted() {
    let (_dir, lake) = lake().await;
    let wanted = Wanted::default();
    let top = |by, rows| Top {
        by,
        wanted: &wanted,
        computers: &[],
        accounts: &[],
        addresses: &[],
        period: Period::default(),
        rows,
    };
    insta::assert_snapshot!(asked(&lake, top(TopBy::Account, 2)).await, @r#"
    5 of 3
    Some("user0001") None 3 2025-11-05T00:00:00Z 2025-11-05T00:02:00Z
    Some("user0003") None 1 2025-11-06T01:00:00Z 2025-11-06T01:00:00Z
    "#);
    insta::assert_snapshot!(asked(&lake, top(TopBy::LogonType, 9)).await, @r#"
    5 of 1
    Some("3") Some("Network") 5 2025-11-05T00:00:00Z 2025-11-06T01:00:00Z
    "#);
    for by in [
        TopBy::Channel,
        TopBy::EventId,
        TopBy::Provider,
        TopBy::Computer,
        TopBy::Source,
        TopBy::Address,
        TopBy::Workstation,
        TopBy::Process,
        TopBy::Service,
        TopBy::Status,
    ] {
        let told = asked(&lake, top(by, 9)).await;
        assert!(told.starts_with("5 of "), "{by:?}: {told}");
    }
}

#[tokio::test]
async fn an_id_of_two_providers_is_two_values() {
    let (_dir, lake) = lake().await;
    let of_another = |provider: &str, record| {
        logon(4, record, 0).replace("Microsoft-Windows-Security-Auditing", provider)
    };
    let events = [of_another("Backup", 1), of_another("Backup", 2)];
    lake.append(rows(&events, Some(9)), None).await.unwrap();
    let wanted = Wanted::default();
    let top = Top {
        by: TopBy::EventId,
        wanted: &wanted,
        computers: &[],
        accounts: &[],
        addresses: &[],
        period: Period::default(),
        rows: 9,
    };
    insta::assert_snapshot!(asked(&lake, top).await, @r#"
    7 of 2
    Some("4624") Some("logon") 5 2025-11-05T00:00:00Z 2025-11-06T01:00:00Z
    Some("4624") Some("Backup") 2 2025-11-05T00:00:00Z 2025-11-05T00:00:00Z
    "#);
}

#[tokio::test]
async fn what_is_meant_can_be_narrowed() {
    let (_dir, lake) = lake().await;
    let (wanted, none) = (
        Wanted::default(),
        Wanted {
            channels: vec!["it's".into()],
            ids: vec![],
        },
    );
    let (computers, addresses) = (["wks002".to_owned()], ["10.0.0.1".to_owned()]);
    let day = Period {
        from: Some("2025-11-05T00:01:00Z".parse().unwrap()),
        to: Some("2025-11-05T00:03:00Z".parse().unwrap()),
    };
    let top = Top {
        by: TopBy::EventId,
        wanted: &wanted,
        computers: &[],
        accounts: &[],
        addresses: &[],
        period: Period::default(),
        rows: 9,
    };
    let mut counts = Vec::new();
    for top in [
        Top {
            computers: &computers,
            ..top.clone()
        },
        Top {
            addresses: &addresses,
            ..top.clone()
        },
        Top {
            accounts: &computers,
            ..top.clone()
        },
        Top {
            period: day,
            ..top.clone()
        },
        Top {
            wanted: &none,
            ..top.clone()
        },
    ] {
        let told = asked(&lake, top).await;
        counts.push(told.split(' ').next().unwrap().to_owned());
    }
    assert_eq!(counts, ["2", "2", "0", "2", "0"]);
}
