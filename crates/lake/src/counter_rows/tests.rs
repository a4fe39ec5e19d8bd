use windrow_formats::batch::file::{Content, FileClass, FileId, FileLines};

use super::*;
use crate::file_rows::{FileTable, PieceRows};
use crate::lake::Lake;
use crate::testing::ask;

const FIRST: &str = "\"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)\",\"\\\\WEB1\\Processor(_Total)\\% Processor Time\",\"\\Memory\\Available MBytes\"\r\n";
const SECOND: &str = "\"11/21/2026 00:30:00.123\",\"1.5\",\"4096\"\r\n";
const THIRD: &str = "\"11/21/2026 00:31:00.123\",\" \",\"4095,5\"\r\n";

fn piece(text: &str, first: u64, directives: &str) -> PieceRows {
    let reference = FileReference {
        class: FileClass::Counters,
        site: None,
        path: "web1/perf/log_000001.csv".to_owned(),
        file: FileId([1; 16]),
        offset: 0,
        content: Content::Dropped { bytes: 0 },
        lines: Some(FileLines {
            first,
            directives: directives.as_bytes().to_vec(),
        }),
        whole: None,
        modified_at: None,
    };
    let at = "2026-11-22T08:00:00Z".parse().unwrap();
    PieceRows::read(
        FileTable::Counters,
        "web1",
        &reference,
        text.as_bytes().to_vec(),
        at,
    )
}

#[tokio::test]
async fn values_of_each_piece_stand_under_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let pieces = [
        piece(&format!("{FIRST}{SECOND}"), 1, ""),
        piece(THIRD, 3, FIRST),
    ];
    for (number, piece) in (1..).zip(pieces) {
        assert_eq!((piece.bad, &piece.first_bad), (0, &None));
        let txn = Some(("journal", number));
        for _ in 0..2 {
            // What is not known to be there is added again, and is there once.
            lake.append_of_files(FileTable::Counters, piece.rows.clone(), txn)
                .await
                .unwrap();
        }
    }
    let sql = "select date, time, received_at, source, file, computer, object, instance, counter, value \
               from counters order by time, object desc";
    insta::assert_snapshot!(ask(&lake, sql).await, @r#"
    {"date":"2026-11-20","time":"2026-11-20T23:30:00.123Z","received_at":"2026-11-22T08:00:00Z","source":"pdh","file":"log_000001.csv","computer":"WEB1","object":"Processor","instance":"_Total","counter":"% Processor Time","value":1.5}
    {"date":"2026-11-20","time":"2026-11-20T23:30:00.123Z","received_at":"2026-11-22T08:00:00Z","source":"pdh","file":"log_000001.csv","computer":"web1","object":"Memory","instance":null,"counter":"Available MBytes","value":4096.0}
    {"date":"2026-11-20","time":"2026-11-20T23:31:00.123Z","received_at":"2026-11-22T08:00:00Z","source":"pdh","file":"log_000001.csv","computer":"web1","object":"Memory","instance":null,"counter":"Available MBytes","value":4095.5}
    "#);
    let position = lake.position_of_files(FileTable::Counters, "journal").await;
    assert_eq!(position.unwrap(), Some(2));
}

#[test]
fn a_line_that_is_no_sample_is_named_and_the_rest_is_read() {
    let read = piece(&format!("{SECOND}\"half\n{THIRD}"), 7, FIRST);
    assert_eq!((read.bad, read.rows.len()), (1, 3));
    let (line, what) = read.first_bad.unwrap();
    assert_eq!(line, 8);
    assert!(what.contains("cut off"), "{what}");
    let other = piece(SECOND, 1, "");
    assert_eq!((other.bad, other.rows.len()), (1, 0));
    let without = piece(SECOND, 9, "no counters\n");
    assert_eq!((without.bad, without.rows.len()), (1, 0));
}

#[test]
fn a_piece_does_not_become_more_rows_than_it_may() {
    let mut text = String::from("\"(PDH-CSV 4.0) (UTC)(0)\"");
    for number in 0..60 {
        text += &format!(",\"\\{}\\{number}\"", "o".repeat(4_000));
    }
    text += "\r\n";
    for _ in 0..1_000 {
        text += "\"11/21/2026 00:30:00\"";
        text += &",1".repeat(60);
        text += "\r\n";
    }
    let piece = piece(&text, 1, "");
    let (line, what) = piece.first_bad.unwrap();
    assert_eq!(piece.bad, 1);
    assert!((500..600).contains(&line), "{line}");
    assert!(what.contains("more than 128 MiB"), "{what}");
    // Each row counts its path, and has it as object and counter.
    assert!(piece.rows.bytes() < 2 * crate::limits::PIECE_ROWS_BYTES_MAX);
}
