use std::collections::BTreeMap;
use std::fs;

use windrow_formats::batch::file::{Content, FileClass, FileId, FileLines};

use super::*;
use crate::file_rows::{FileTable, PieceRows};
use crate::lake::Lake;
use crate::query::Tail;
use crate::table::Appended;
use crate::testing::{ask, ask_with};

const LOG: &str = "#Software: Microsoft Internet Information Services 10.0\r\n\
    #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken x-trace date-of-birth\r\n\
    2026-11-20 23:59:59 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0+(X11) 500 12 t1 -\r\n\
    2026-11-20 23:59:59 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0+(X11) 500 12 t1 -\r\n\
    2026-11-21 00:00:00 10.0.0.1 GET /b#c x=1 443 CORP\\ann 192.0.2.2 - 200 99999999999999999999 - 1\r\n\
    2026-11-21 00:00:01 half\r\n\
    #Fields: time cs-uri-stem sc-status s-sitename\r\n\
    00:00:02 /late 404 W3SVC9\r\n";

fn read(path: &Path) -> (Rows, Vec<[u8; 16]>, Vec<String>) {
    let mut rows = RequestBuilder::new("2026-11-22T08:00:00Z".parse().unwrap());
    let mut file = RequestFile::open(path).unwrap();
    let (mut keys, mut bad) = (Vec::new(), Vec::new());
    while let Some(bytes) = file
        .read(
            &mut rows,
            |key| keys.push(key),
            |line, why| bad.push(format!("{line}: {why}")),
        )
        .unwrap()
    {
        assert!(bytes > 0);
    }
    assert_eq!(rows.len(), keys.len());
    (rows.finish(), keys, bad)
}

/// Identities of the requests of some lines, which begin with this line of the file.
fn keys_of(lines: &[&str], first: usize, directives: &str) -> Vec<[u8; 16]> {
    let reference = FileReference {
        class: FileClass::IisLog,
        site: Some("W3SVC2".to_owned()),
        path: "web1/W3SVC2/u_ex261120.log".to_owned(),
        file: FileId([1; 16]),
        offset: 0,
        content: Content::Dropped { bytes: 0 },
        lines: Some(FileLines {
            first: first as u64,
            directives: directives.as_bytes().to_vec(),
        }),
        whole: None,
        modified_at: None,
    };
    let mut rows = RequestBuilder::new("2026-11-22T08:00:00Z".parse().unwrap());
    let mut piece = RequestFile::of_piece(&reference, lines.concat().into_bytes());
    let mut keys = Vec::new();
    let mut read = || piece.read(&mut rows, |key| keys.push(key), |_, _| {});
    while read().unwrap().is_some() {}
    keys
}

#[test]
fn pieces_of_a_file_have_the_requests_of_the_file() {
    let dir = folder("W3SVC2", LOG);
    let (_, keys, _) = read(&dir.path().join("W3SVC2/u_ex261120.log"));
    let lines: Vec<&str> = LOG.split_inclusive('\n').collect();
    for cut in 0..=lines.len() {
        let (before, after) = lines.split_at(cut);
        let fields = before.iter().rfind(|line| line.starts_with("#Fields"));
        let mut found = keys_of(before, 1, "");
        found.extend(keys_of(after, cut + 1, fields.unwrap_or(&"")));
        assert_eq!(found, keys, "cut behind line {cut}");
    }
}

fn folder(site: &str, log: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(site)).unwrap();
    fs::write(dir.path().join(site).join("u_ex261120.log"), log).unwrap();
    dir
}

#[tokio::test]
async fn each_line_of_a_file_is_a_request_once() {
    let dir = folder("W3SVC2", LOG);
    let path = dir.path().join("W3SVC2/u_ex261120.log");
    let (rows, keys, bad) = read(&path);
    assert_eq!(bad, ["6: 3 values where #Fields names 14"]);
    assert_eq!(
        (keys.len(), keys[0] == keys[1]),
        (4, false),
        "two like requests in a second"
    );
    let lake = Lake::open(&dir.path().join("lake")).await.unwrap();
    let added = lake
        .append_of_files(FileTable::Requests, rows, Some(("first", 1)))
        .await
        .unwrap();
    assert!(
        matches!(added, Appended::Committed { rows: 4, .. }),
        "{added:?}"
    );
    insta::assert_snapshot!(ask(&lake, "select date, time, s_sitename, cs_uri_stem, cs_uri_query, cs_username, c_ip, \
        cs_user_agent, s_port, sc_status, time_taken, fields, file, source from iis order by time, cs_uri_stem").await, @r#"
    {"date":"2026-11-20","time":"2026-11-20T23:59:59Z","s_sitename":"W3SVC2","cs_uri_stem":"/a","cs_uri_query":null,"cs_username":null,"c_ip":"192.0.2.1","cs_user_agent":"Mozilla/5.0+(X11)","s_port":443,"sc_status":500,"time_taken":12,"fields":{"x-trace":"t1"},"file":"u_ex261120.log","source":"w3c"}
    {"date":"2026-11-20","time":"2026-11-20T23:59:59Z","s_sitename":"W3SVC2","cs_uri_stem":"/a","cs_uri_query":null,"cs_username":null,"c_ip":"192.0.2.1","cs_user_agent":"Mozilla/5.0+(X11)","s_port":443,"sc_status":500,"time_taken":12,"fields":{"x-trace":"t1"},"file":"u_ex261120.log","source":"w3c"}
    {"date":"2026-11-21","time":"2026-11-21T00:00:00Z","s_sitename":"W3SVC2","cs_uri_stem":"/b#c","cs_uri_query":"x=1","cs_username":"CORP\\ann","c_ip":"192.0.2.2","cs_user_agent":null,"s_port":443,"sc_status":200,"time_taken":null,"fields":{"date-of-birth":"1"},"file":"u_ex261120.log","source":"w3c"}
    {"date":"2026-11-22","time":null,"s_sitename":"W3SVC9","cs_uri_stem":"/late","cs_uri_query":null,"cs_username":null,"c_ip":null,"cs_user_agent":null,"s_port":null,"sc_status":404,"time_taken":null,"fields":null,"file":"u_ex261120.log","source":"w3c"}
    "#);
    // A value that is cut looks like a value.
    fs::write(&path, LOG.to_owned() + "00:00:03 /last 200 W3").unwrap();
    let (_, keys, bad) = read(&path);
    assert_eq!(
        (keys.len(), &*bad[1]),
        (4, "9: it has no end: it is still being written, or was cut")
    );
    // The server wrote on, and the half line was only begun.
    let whole = "2026-11-21 00:00:01 10.0.0.1 GET /half - 443 - 192.0.2.1 - 200 1 - -\r\n";
    let more = LOG.replace("2026-11-21 00:00:01 half\r\n", whole) + "00:00:03 /last 200 W3SVC9\r\n";
    fs::write(&path, more).unwrap();
    let (rows, _, bad) = read(&path);
    assert_eq!((rows.len(), bad.len()), (6, 0));
    let added = lake
        .append_of_files(FileTable::Requests, rows, Some(("second", 1)))
        .await
        .unwrap();
    assert!(
        matches!(added, Appended::Committed { rows: 2, .. }),
        "{added:?}"
    );
    let sql = "select count(*) as n, count(distinct request_key) as d, count(distinct s_sitename) as sites from iis";
    assert_eq!(ask(&lake, sql).await, "{\"n\":6,\"d\":6,\"sites\":2}\n");
}

#[tokio::test]
async fn like_lines_of_two_machines_are_two_requests() {
    let dir = folder("W3SVC2", LOG);
    let path = dir.path().join("W3SVC2/u_ex261120.log");
    let lake = Lake::open(&dir.path().join("lake")).await.unwrap();
    for machine in ["web1", "WEB1", "web2"] {
        let mut rows = RequestBuilder::new("2026-11-22T08:00:00Z".parse().unwrap());
        let mut file = RequestFile::open(&path).unwrap().of_machine(machine);
        while file.read(&mut rows, |_| {}, |_, _| {}).unwrap().is_some() {}
        lake.append_of_files(FileTable::Requests, rows.finish(), None)
            .await
            .unwrap();
    }
    let sql = "select s_computername, count(*) as n from iis group by 1 order by 1";
    insta::assert_snapshot!(ask(&lake, sql).await, @r#"
    {"s_computername":"web1","n":4}
    {"s_computername":"web2","n":4}
    "#);
}

#[tokio::test]
async fn what_waits_is_seen_until_it_is_in_the_table() {
    let dir = folder("W3SVC2", LOG);
    let (rows, ..) = read(&dir.path().join("W3SVC2/u_ex261120.log"));
    let lake = Lake::open(&dir.path().join("lake")).await.unwrap();
    let tail = || Tail {
        app_id: "journal".to_owned(),
        of_files: BTreeMap::from([(
            FileTable::Requests,
            vec![(3, rows.clone()), (5, rows.clone())],
        )]),
        ..Tail::default()
    };
    let count = "select count(*) as n from iis";
    assert_eq!(ask_with(&lake, count, tail()).await, "{\"n\":8}\n");
    lake.append_of_files(FileTable::Requests, rows.clone(), Some(("journal", 3)))
        .await
        .unwrap();
    assert_eq!(ask_with(&lake, count, tail()).await, "{\"n\":8}\n");
    lake.append_of_files(FileTable::Requests, rows.clone(), Some(("journal", 5)))
        .await
        .unwrap();
    assert_eq!(ask_with(&lake, count, tail()).await, "{\"n\":4}\n");
}

#[tokio::test]
async fn names_of_fields_that_are_ours_are_not_theirs() {
    let log = "#Fields: date time file source request-key received-at fields cs(Cookie) cs-cookie\n\
        2026-11-20 10:00:00 f s k r x c1 c2\n";
    let dir = folder("logs", log);
    let (rows, ..) = read(&dir.path().join("logs/u_ex261120.log"));
    let lake = Lake::open(&dir.path().join("lake")).await.unwrap();
    lake.append_of_files(FileTable::Requests, rows, None)
        .await
        .unwrap();
    insta::assert_snapshot!(ask(&lake, "select file, source, s_sitename, cs_cookie, fields from iis").await, @r#"{"file":"u_ex261120.log","source":"w3c","s_sitename":null,"cs_cookie":"c1","fields":{"file":"f","source":"s","request-key":"k","received-at":"r","fields":"x","cs-cookie":"c2"}}"#);
}

#[test]
fn a_piece_does_not_become_more_rows_than_it_may() {
    let names: Vec<String> = (0..60)
        .map(|n| format!("x{n}{}", "y".repeat(200)))
        .collect();
    let line = format!("{}1\r\n", "1 ".repeat(59));
    let text = format!("#Fields: {}\r\n{}", names.join(" "), line.repeat(40_000));
    let reference = FileReference {
        class: FileClass::IisLog,
        site: None,
        path: "u_ex261120.log".to_owned(),
        file: FileId([1; 16]),
        offset: 0,
        content: Content::Dropped { bytes: 0 },
        lines: None,
        whole: None,
        modified_at: None,
    };
    let at = "2026-11-22T08:00:00Z".parse().unwrap();
    let piece = PieceRows::read(FileTable::Requests, "web1", &reference, text.into(), at);
    let (line, what) = piece.first_bad.unwrap();
    assert_eq!(piece.bad, 1);
    assert!((9_000..13_000).contains(&line), "{line}");
    assert!(what.contains("more than 128 MiB"), "{what}");
}

#[test]
fn of_the_name_of_a_field_without_a_column_the_beginning_is_kept() {
    let name = format!("ü{}", "x".repeat(5_000));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("u_ex.log");
    fs::write(
        &path,
        format!("#Fields: date time {name}\r\n2026-11-20 00:00:00 5\r\n"),
    )
    .unwrap();
    let mut file = RequestFile::open(&path).unwrap();
    let mut rows = RequestBuilder::new("2026-11-22T08:00:00Z".parse().unwrap());
    file.read(&mut rows, |_| {}, |_, _| {}).unwrap();
    let (kept, _) = &file.about.places.others[0];
    assert_eq!(kept.len(), crate::limits::REQUEST_FIELD_BYTES_MAX);
}
