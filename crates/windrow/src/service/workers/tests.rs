use std::time::Duration;

use futures::TryStreamExt as _;
use windrow_lake::{Format, Layout, QueryOutput};

use super::*;

/// Takes hours.
const HEAVY: &str =
    "select sum(a.value * b.value) from range(1000000) a cross join range(1000000) b";

struct Bench {
    workers: Workers,
    lake: Lake,
    running: Gauge,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let running = Gauge::default();
        Bench {
            workers: Workers::start(running.clone(), Gauge::default()).unwrap(),
            lake: Lake::open(folder.path()).await.unwrap(),
            running,
            _folder: folder,
        }
    }

    async fn ask(&self, sql: &str, limits: QueryLimits) -> Result<String, QueryError> {
        let pieces = self
            .workers
            .ask(self.lake.clone(), sql.to_owned(), Tail::default(), limits)
            .await?;
        let output = QueryOutput::from_ipc(pieces.map(Ok).into_stream()).await?;
        let mut text = Vec::new();
        output
            .write(Format::Csv, &Layout::default(), &mut text)
            .await?;
        Ok(String::from_utf8(text).unwrap())
    }

    async fn until_running(&self, count: i64) {
        let wait = async {
            while self.running.get() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{} run, not {count}", self.running.get());
    }
}

/// The collector's runtime has one thread here: were it used, nothing else would run.
#[tokio::test]
async fn a_heavy_query_holds_nobody_up_and_ends_when_nobody_wants_it() {
    let bench = Bench::new().await;
    {
        let heavy = bench.ask(HEAVY, QueryLimits::default());
        let other = async {
            bench.until_running(1).await;
            bench.ask("select 1 as one", QueryLimits::default()).await
        };
        tokio::select! {
            ended = heavy => panic!("{ended:?}"),
            answer = other => assert_eq!(answer.unwrap(), "one\r\n1\r\n"),
        }
    }
    bench.until_running(0).await;
}

#[tokio::test]
async fn a_query_ends_at_its_time() {
    let bench = Bench::new().await;
    let limits = QueryLimits {
        time: Some(Duration::from_millis(300)),
        ..QueryLimits::default()
    };
    let ended = bench.ask(HEAVY, limits).await;
    let said = ended.unwrap_err().to_string();
    assert!(said.contains("longer than"), "{said}");
    bench.until_running(0).await;
}

#[tokio::test]
async fn a_query_has_the_memory_of_the_service_and_no_more() {
    let bench = Bench::new().await;
    let limits = QueryLimits {
        memory_bytes: usize::MAX,
        ..QueryLimits::default()
    };
    let sql = "select repeat('x', 5000) || value as text from range(400000) order by 1";
    let said = bench.ask(sql, limits).await.unwrap_err().to_string();
    assert!(said.contains("128 MiB"), "{said}");
}

#[tokio::test]
async fn no_more_than_so_many_run_at_once() {
    let bench = Bench::new().await;
    let most = QUERIES_AT_ONCE + 2;
    let asking = (0..most).map(|_| bench.ask(HEAVY, QueryLimits::default()));
    {
        let mut asking = std::pin::pin!(futures::future::join_all(asking));
        let until = async {
            bench.until_running(QUERIES_AT_ONCE as i64).await;
            assert_eq!(bench.workers.turns.available_permits(), 0);
        };
        tokio::select! {
            _ = &mut asking => panic!("they take hours"),
            () = until => {}
        }
    }
    bench.until_running(0).await;
}
