//! Two lakes on one folder, as of two processes, do everything at once.

use std::time::Duration;

use super::*;
use crate::file_rows::FileTable;
use crate::lake::Lake;
use crate::retention::Retention;
use crate::{RequestBuilder, RequestFile, Run};

/// How often each of the two does everything.
const TURNS: u64 = 12;

/// A day after that of the events, and one on which their texts are over.
const LATER: &str = "2025-11-07T00:00:00Z";
const OVER: &str = "2025-12-24";

/// Tries again for as long as other writers are ahead, which is the one error that may be.
async fn tried<T>(mut work: impl AsyncFnMut() -> Result<T, LakeError>) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(LakeError::Contended { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// A request of its own, and one that both have.
fn requests(dir: &Path, writer: u32, turn: u64) -> Rows {
    // Its name is part of what a request is.
    let path = dir.join("u_ex251105.log");
    let log = format!(
        "#Fields: date time c-ip cs-uri-stem\n2025-11-05 00:00:00 192.0.2.{writer} /{turn}\n\
         2025-11-05 00:00:01 192.0.2.9 /{turn}\n"
    );
    fs::write(&path, log).unwrap();
    let mut rows = RequestBuilder::new(at(LATER));
    let mut file = RequestFile::open(&path).unwrap();
    while file
        .read(&mut rows, |_| {}, |line, why| panic!("{line}: {why}"))
        .unwrap()
        .is_some()
    {}
    rows.finish()
}

async fn does_everything(dir: PathBuf, logs: PathBuf, writer: u32) {
    let lake = Lake::open(&dir).await.unwrap();
    let app_id = format!("journal-{writer}");
    let texts = Retention {
        text: Some(25),
        ..Retention::default()
    };
    for turn in 1..=TURNS {
        let own = rows(&[logon(writer, turn, turn as i64)], Some(turn));
        let txn = Some((app_id.as_str(), turn as i64));
        tried(async || lake.append(own.clone(), txn).await).await;
        // The other one imports the same.
        let shared = rows(&[logon(9, turn, turn as i64)], None);
        tried(async || lake.append_new(shared.clone(), None).await).await;
        let asked = requests(&logs, writer, turn);
        tried(async || {
            lake.append_of_files(FileTable::Requests, asked.clone(), None)
                .await
        })
        .await;
        match (turn + u64::from(writer)) % 3 {
            0 => {
                tried(async || lake.keep_up(at(LATER)).await.whole()).await;
            }
            1 => {
                let over: Date = OVER.parse().unwrap();
                tried(async || lake.expire(&texts, over, Run::Real).await).await;
            }
            _ => {
                tried(async || lake.roll_up().await).await;
            }
        }
    }
}

#[tokio::test]
async fn two_that_do_everything_lose_nothing_and_have_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let both = [1, 2].map(|writer| {
        let logs = logs.path().join(writer.to_string());
        fs::create_dir(&logs).unwrap();
        let dir = dir.path().to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(does_everything(dir, logs, writer));
        })
    });
    for one in both {
        one.join().unwrap();
    }
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.roll_up().await.unwrap();
    let by_computer = "select computer, count(*) as n, count(distinct record_id) as d from events \
        group by 1 order by 1";
    insta::assert_snapshot!(ask(&lake, by_computer).await, @r#"
    {"computer":"WKS001","n":12,"d":12}
    {"computer":"WKS002","n":12,"d":12}
    {"computer":"WKS009","n":12,"d":12}
    "#);
    let counted = "select computer, sum(events) as n from event_counts group by 1 order by 1";
    insta::assert_snapshot!(ask(&lake, counted).await, @r#"
    {"computer":"WKS001","n":12}
    {"computer":"WKS002","n":12}
    {"computer":"WKS009","n":12}
    "#);
    let asked = "select c_ip, count(*) as n, count(distinct cs_uri_stem) as d from iis group by 1 order by 1";
    insta::assert_snapshot!(ask(&lake, asked).await, @r#"
    {"c_ip":"192.0.2.1","n":12,"d":12}
    {"c_ip":"192.0.2.2","n":12,"d":12}
    {"c_ip":"192.0.2.9","n":12,"d":12}
    "#);
    let unnamed = lake.check(crate::Cure::None).await.whole().unwrap();
    assert!(unnamed.iter().all(|checked| checked.damaged.is_empty()));
}
