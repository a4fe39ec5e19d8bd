//! Any bytes as a file of each kind: a table or a refusal, rows or what could not be read, and never an end of the
//! program. The parser of W3C lines is fuzzed by itself (`fuzz/`); DataFusion is too much for a build that is
//! instrumented, so that the readers around the parsers are met here.

use proptest::prelude::*;

use super::*;
use crate::testing::file_that_asks_for_all_memory;

/// Bytes that files of these kinds are made of, and any others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"#Fields: date time cs-uri-stem sc-status\n",
        b"#Fields: ",
        b"#Date: 2026-11-20 10:00:00\r\n",
        b"2026-11-20 10:00:00 /a 200\n",
        b"{\"a\":1,\"b\":[{\"c\":null}]}\n",
        b"{\"a\":\"text\",\"b\":{\"c\":1e999}}\n",
        b"[1,2]\n",
        b"a,b,\"c\nd\"\r\n",
        b"1,,\"\"\"\"\n",
        b"\"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b"\n",
        b"PAR1",
        b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07",
        b"\x09\x00\x00\x00PAR1",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec);
    let any = prop::collection::vec(any::<u8>(), 0..40);
    let parts = prop::collection::vec(prop_oneof![4 => word, 1 => any], 0..12);
    parts.prop_map(|parts| parts.concat())
}

/// What a query says of these bytes: rows, or why there are none.
fn asked(name: &str, bytes: &[u8]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    let source = Source {
        name: "t".to_owned(),
        path: dir.path().join(name),
    };
    let files = Files::find(&[source], Arc::new(Logons)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sql = "select * from t";
        let output = files.query(sql, QueryLimits::default()).await;
        let output = output.map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        let layout = crate::Layout::default();
        let written = output.write(Format::Ndjson, &layout, &mut out).await;
        written.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_rows_or_a_word_why_not(
        bytes in bytes(),
        name in prop::sample::select(vec!["a.log", "a.ndjson", "a.csv", "a.parquet", "a.tsv", "a"]),
    ) {
        match asked(name, &bytes) {
            Ok(rows) => for row in rows.lines() {
                serde_json::from_str::<serde_json::Value>(row).unwrap();
            },
            Err(why) => prop_assert!(!why.is_empty()),
        }
    }
}

#[test]
fn a_footer_that_asks_for_all_the_memory_there_is_is_refused() {
    let why = asked("a.parquet", &file_that_asks_for_all_memory()).unwrap_err();
    assert!(why.contains("its footer is damaged"), "{why}");
}

#[tokio::test]
async fn a_checkpoint_that_asks_for_all_the_memory_there_is_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(crate::Lake::open(dir.path()).await.unwrap());
    let path = dir.path().join("events");
    let checkpoint = path.join("_delta_log/00000000000000000000.checkpoint.parquet");
    fs::write(&checkpoint, file_that_asks_for_all_memory()).unwrap();
    let name = "t".to_owned();
    let files = Files::find(&[Source { name, path }], Arc::new(Logons)).unwrap();
    let answer = files.query("select * from t", QueryLimits::default());
    let why = answer.await.map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("its footer is damaged"), "{why}");
    let opened = crate::Lake::open(dir.path()).await.map(|_| ());
    let why = opened.unwrap_err().to_string();
    let told = format!(
        "the checkpoint {} of the lake is damaged",
        checkpoint.display()
    );
    assert!(why.starts_with(&told), "{why}");
}
