use windrow_formats::batch::file::{Content, FileClass, FileId, WholeFile};

use super::*;
use crate::file_rows::{FileTable, PieceRows};
use crate::lake::Lake;
use crate::testing::ask;

const TRACE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<failedRequest url="http://web1:80/a?b=1&amp;c=2" siteId="2" appPoolId="Own" processId="6608" verb="GET"
  remoteUserName="" userName="" tokenUserName="DOM\ann" authenticationType="anonymous"
  activityId="{80000006-0007-FF00-B63F-84710C7967BB}" failureReason="STATUS_CODE" statusCode="404.13"
  triggerStatusCode="404.13" timeTaken="47" xmlns:freb="http://schemas.microsoft.com/win/2006/06/iis/freb">
<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="WWW Server"/><EventID>0</EventID>
<TimeCreated SystemTime="2026-11-20T23:59:59.453Z"/><Computer>WEB1</Computer></System><EventData><Data Name="SiteId">2</Data></EventData></Event>
<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="WWW Server"/><EventID>0</EventID>
<TimeCreated SystemTime="2026-11-21T00:00:01Z"/><Computer>WEB1</Computer></System>
<EventData><Data Name="ModuleName">RequestFilteringModule</Data><Data Name="Notification">1</Data><Data Name="HttpStatus">404</Data>
<Data Name="ErrorCode">0</Data></EventData>
<RenderingInfo Culture="en-US"><Opcode>MODULE_SET_RESPONSE_ERROR_STATUS</Opcode>
<freb:Description Data="Notification">BEGIN_REQUEST</freb:Description></RenderingInfo></Event>
</failedRequest>
"#;

fn piece(text: &str, whole: u64) -> PieceRows {
    let reference = FileReference {
        class: FileClass::FailedRequest,
        site: Some("W3SVC2".to_owned()),
        path: "web1/W3SVC2/fr000001.xml".to_owned(),
        file: FileId([1; 16]),
        offset: 0,
        content: Content::Dropped { bytes: 0 },
        lines: None,
        whole: Some(WholeFile {
            bytes: whole,
            sha256: [0; 32],
        }),
        modified_at: None,
    };
    let at = "2026-11-22T08:00:00Z".parse().unwrap();
    PieceRows::read(
        FileTable::FailedRequests,
        "web1",
        &reference,
        text.as_bytes().to_vec(),
        at,
    )
}

#[tokio::test]
async fn a_trace_is_a_row_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    for _ in 0..2 {
        let piece = piece(TRACE, TRACE.len() as u64);
        assert_eq!((piece.bad, &piece.first_bad), (0, &None));
        lake.append_of_files(FileTable::FailedRequests, piece.rows, None)
            .await
            .unwrap();
    }
    let sql = "select * exclude (request_key, trace) from failed_requests";
    insta::assert_snapshot!(ask(&lake, sql).await, @r#"{"date":"2026-11-20","time":"2026-11-20T23:59:59.453Z","received_at":"2026-11-22T08:00:00Z","source":"freb","file":"fr000001.xml","computer":"WEB1","activity_id":"80000006-0007-ff00-b63f-84710c7967bb","url":"http://web1:80/a?b=1&c=2","site_id":"2","app_pool":"Own","process_id":6608,"verb":"GET","authentication_type":"anonymous","remote_user":null,"user_name":null,"token_user":"DOM\\ann","failure_reason":"STATUS_CODE","status_code":404,"sub_status":13,"trigger_status":"404.13","error_code":"0","module":"RequestFilteringModule","notification":"BEGIN_REQUEST","time_taken":47}"#);
    let sql = "select count(*) as n, sum(octet_length(trace)) as bytes from failed_requests";
    let bytes = TRACE.len();
    assert_eq!(
        ask(&lake, sql).await.trim(),
        format!(r#"{{"n":1,"bytes":{bytes}}}"#)
    );
}

#[test]
fn what_is_no_trace_is_named() {
    for (text, whole, word) in [
        ("<other/>", 8, "no failedRequest"),
        (TRACE, 1 << 30, "too large"),
    ] {
        let read = piece(text, whole);
        assert_eq!((read.bad, read.rows.len()), (1, 0));
        assert!(read.first_bad.is_some_and(|(_, what)| what.contains(word)));
    }
    let cut = piece(&TRACE[..900], 900);
    assert_eq!((cut.bad, cut.rows.len()), (0, 1), "its beginning is enough");
}
