mod hostile;

use std::fs;
use std::io;
use std::ops::ControlFlow;

use super::*;
use crate::limits::HEAD_FILES;
use crate::output::Format;
use crate::testing::{logon, rows, write};

/// Reads files whose lines are seconds, each of which is a logon; `x` cannot be read.
#[derive(Debug)]
struct Logons;

impl EventFiles for Logons {
    fn read(&self, file: &Path, given: &mut Given<'_, '_>) -> io::Result<()> {
        for line in fs::read_to_string(file)?.lines().skip(1) {
            match line.parse::<u32>() {
                Ok(second) => {
                    let events = [logon(second, second.into(), second.into())];
                    if given.rows(&rows(&events, None))? == ControlFlow::Break(()) {
                        break;
                    }
                }
                Err(error) => given.unread(format!("record {line}"), error.to_string()),
            }
        }
        Ok(())
    }
}

struct Room(tempfile::TempDir);

impl Room {
    fn new(files: &[(&str, &str)]) -> Room {
        let room = Room(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = room.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        room
    }

    fn find(&self, name: &str, path: &str) -> Result<Files, SourceError> {
        let source = Source {
            name: name.to_owned(),
            path: self.0.path().join(path),
        };
        Files::find(&[source], Arc::new(Logons))
    }

    fn root(&self) -> String {
        self.0.path().canonicalize().unwrap().display().to_string()
    }

    /// The answer, and what could not be read.
    async fn ask(&self, name: &str, path: &str, sql: &str) -> String {
        let files = self.find(name, path).unwrap();
        let output = match files.query(sql, QueryLimits::default()).await {
            Ok(output) => output,
            Err(error) => return error.to_string().replace(&self.root(), "."),
        };
        let mut said = write(output, Format::Ndjson).await;
        for unread in files.unread() {
            let file = unread
                .file
                .strip_prefix(self.0.path().canonicalize().unwrap());
            said.push_str(&format!(
                "{}: {} unread, {}: {}\n",
                file.unwrap().display(),
                unread.count,
                unread.place,
                unread.reason
            ));
        }
        said
    }
}

const IIS: &str = "\
#Software: Microsoft Internet Information Services 10.0
#Fields: date time s-ip cs-method cs-uri-stem s-port c-ip cs(User-Agent) sc-status sc-win32-status time-taken X-Forwarded-For
2026-11-21 10:00:01 ::1 GET /a 443 10.0.0.1 Mozilla/5.0+(X) 200 0 15 -
2026-11-21 10:00:02 ::1 GET /b 443 10.0.0.2 - 500 2148074254 7 192.0.2.1
2026-11-21 10:00:03 ::1 GET
#Fields: date time c-ip sc-status other
2026-11-21 10:01:00 10.0.0.3 500 x
2026-11-21 10:01:01 10.0.0.3 404 x
";

#[tokio::test]
async fn w3c_logs_are_tables_of_their_fields() {
    let room = Room::new(&[
        ("logs/a.log", IIS),
        ("logs/W3SVC2/b.log", &IIS.replace("-21", "-22")),
    ]);
    insta::assert_snapshot!(room.ask("iis", "logs/a.log", "select * from iis").await, @r#"
        {"time":"2026-11-21T10:00:01Z","s_ip":"::1","cs_method":"GET","cs_uri_stem":"/a","s_port":443,"c_ip":"10.0.0.1","cs_user_agent":"Mozilla/5.0+(X)","sc_status":200,"sc_win32_status":0,"time_taken":15,"x_forwarded_for":null,"other":null}
        {"time":"2026-11-21T10:00:02Z","s_ip":"::1","cs_method":"GET","cs_uri_stem":"/b","s_port":443,"c_ip":"10.0.0.2","cs_user_agent":null,"sc_status":500,"sc_win32_status":2148074254,"time_taken":7,"x_forwarded_for":"192.0.2.1","other":null}
        {"time":"2026-11-21T10:01:00Z","s_ip":null,"cs_method":null,"cs_uri_stem":null,"s_port":null,"c_ip":"10.0.0.3","cs_user_agent":null,"sc_status":500,"sc_win32_status":null,"time_taken":null,"x_forwarded_for":null,"other":"x"}
        {"time":"2026-11-21T10:01:01Z","s_ip":null,"cs_method":null,"cs_uri_stem":null,"s_port":null,"c_ip":"10.0.0.3","cs_user_agent":null,"sc_status":404,"sc_win32_status":null,"time_taken":null,"x_forwarded_for":null,"other":"x"}
        logs/a.log: 1 unread, line 5: 4 values where #Fields names 12
        "#);
    insta::assert_snapshot!(room.ask("iis", "logs", "select date_trunc('minute', time) m, count(*) n from iis \
        where sc_status = 500 group by 1 order by 1").await, @r#"
        {"m":"2026-11-21T10:00:00Z","n":1}
        {"m":"2026-11-21T10:01:00Z","n":1}
        {"m":"2026-11-22T10:00:00Z","n":1}
        {"m":"2026-11-22T10:01:00Z","n":1}
        logs/W3SVC2/b.log: 1 unread, line 5: 4 values where #Fields names 12
        logs/a.log: 1 unread, line 5: 4 values where #Fields names 12
        "#);
    insta::assert_snapshot!(room.ask("iis", "logs", "select count(*) n, min(time) first from iis \
        where c_ip = '10.0.0.3' and sc_status >= 404 and sc_status < 500 or cs_method = 'GET'").await, @r#"
        {"n":6,"first":"2026-11-21T10:00:01Z"}
        logs/W3SVC2/b.log: 1 unread, line 5: 4 values where #Fields names 12
        logs/a.log: 1 unread, line 5: 4 values where #Fields names 12
        "#);
    insta::assert_snapshot!(room.ask("iis", "logs", "select count(*) n from iis").await, @r#"
        {"n":8}
        logs/W3SVC2/b.log: 1 unread, line 5: 4 values where #Fields names 12
        logs/a.log: 1 unread, line 5: 4 values where #Fields names 12
        "#);
    insta::assert_snapshot!(room.ask("iis", "logs/a.log", "select c_ip, time_taken from iis where sc_win32_status > 0").await, @r#"
        {"c_ip":"10.0.0.2","time_taken":7}
        logs/a.log: 1 unread, line 5: 4 values where #Fields names 12
        "#);
    insta::assert_snapshot!(room.ask("iis", "logs/a.log", "select sc_statu from iss").await, @r#"there is no table "iss" (line 1, column 22); did you mean "iis"?"#);
    insta::assert_snapshot!(room.ask("iis", "logs/a.log", "select * from logons").await, @r#"there is no table "logons" (line 1, column 15); there are iis"#);
}

/// A server has more log files than those that are looked at whole, and each site fields of its own.
#[tokio::test]
async fn fields_of_any_file_of_a_folder_are_columns() {
    let log = |field: &str| format!("#Fields: date time {field}\n2026-11-21 10:00:01 x\n");
    let plain = log("c-ip");
    // Too far behind the begin of a further file to be looked for; said twice, as at each start of the server.
    let late = log("late");
    let late = format!(
        "{}{}{late}{late}",
        log("s-sitename"),
        "2026-11-21 10:00:02 y\n".repeat(1_000)
    );
    let names: Vec<String> = (0..HEAD_FILES + 3)
        .map(|number| format!("logs/{number:03}.log"))
        .collect();
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), plain.as_str()))
        .collect();
    files.last_mut().unwrap().1 = &late;
    let room = Room::new(&files);
    let last = names.last().unwrap();
    let asked = room
        .ask(
            "iis",
            "logs",
            "select count(*) n, count(s_sitename) s from iis",
        )
        .await;
    let lines = HEAD_FILES + 2 + 1 + 1_000 + 2;
    assert_eq!(
        asked,
        format!(
            "{{\"n\":{lines},\"s\":1001}}\n{last}: 1 unread, line 1003: #Fields names late, which no file begins with: it is no column\n"
        )
    );
}

#[tokio::test]
async fn lines_of_json_are_tables() {
    let room = Room::new(&[
        (
            "a/1.ndjson",
            "{\"a\":1,\"b\":{\"c\":\"x\"},\"t\":null}\nnot json\n\n{\"a\":\"2\",\"d\":[1,2]}\n{\"a\":3",
        ),
        ("a/2.ndjson", "{\"a\":2.5,\"e\":true}\r\n"),
        ("array.json", "[{\"a\":1}]"),
        ("none.json", "{oops}\n"),
    ]);
    insta::assert_snapshot!(room.ask("j", "a", "select * from j order by a").await, @r#"
        {"a":"1","b":{"c":"x"},"t":null,"d":null,"e":null}
        {"a":"2","b":null,"t":null,"d":[1,2],"e":null}
        {"a":"2.5","b":null,"t":null,"d":null,"e":true}
        a/1.ndjson: 2 unread, line 2: Encountered unexpected 'o' whilst parsing literal
        "#);
    insta::assert_snapshot!(room.ask("j", "a", "select count(*) n from j").await, @r#"
        {"n":3}
        a/1.ndjson: 2 unread, line 2: Encountered unexpected 'o' whilst parsing literal
        "#);
    insta::assert_snapshot!(room.ask("j", "a/2.ndjson", "select b from j").await, @r#"there is no column "b" (line 1, column 8); there are a, e"#);
    insta::assert_snapshot!(room.ask("j", "array.json", "select * from j").await, @"cannot tell the columns of ./array.json: Json error: no line of it is an object (an array is not lines)");
    insta::assert_snapshot!(room.ask("j", "none.json", "select * from j").await, @"cannot tell the columns of ./none.json: Json error: no line of it is an object (an array is not lines)");
}

#[tokio::test]
async fn csv_is_a_table_by_its_header() {
    let room = Room::new(&[
        (
            "c/1.csv",
            "name,n,at\nann,1,2026-11-21T10:00:00Z\n\"bo\nb\",2,\nbad,x,\nfew\neve,,\n",
        ),
        ("c/2.csv", "n,other,name\n7,y,zoe"),
        ("semi.csv", "a;b\n1;2,5\n"),
        ("same.csv", "id,id,,name,id_2\n1,2,3,x,4\n"),
    ]);
    insta::assert_snapshot!(room.ask("c", "c", "select * from c order by name").await, @r#"
        {"name":"ann","n":"1","at":"2026-11-21T10:00:00Z","other":null}
        {"name":"bad","n":"x","at":null,"other":null}
        {"name":"bo\nb","n":"2","at":null,"other":null}
        {"name":"eve","n":null,"at":null,"other":null}
        {"name":"zoe","n":"7","at":null,"other":"y"}
        c/1.csv: 1 unread, line 6: incorrect number of fields
        "#);
    insta::assert_snapshot!(room.ask("c", "c", "select count(*) n, sum(cast(at is null as int)) s from c").await, @r#"
        {"n":5,"s":4}
        c/1.csv: 1 unread, line 6: incorrect number of fields
        "#);
    insta::assert_snapshot!(room.ask("c", "semi.csv", "select * from c").await, @r#"{"a":1,"b":"2,5"}"#);
    insta::assert_snapshot!(room.ask("c", "same.csv", "select * from c").await, @r#"{"id":1,"id_3":2,"column_3":3,"name":"x","id_2":4}"#);
}

/// Also those of CSV, which the engine takes for whole seconds.
#[tokio::test]
async fn times_stay_times_in_a_parquet_file() {
    let room = Room::new(&[(
        "a.csv",
        "at,n\n2026-11-21T10:00:00Z,1\n2026-11-21T10:00:01Z,2\n",
    )]);
    let answer = room.find("a", "a.csv").unwrap();
    let answer = answer
        .query("select at from a", QueryLimits::default())
        .await
        .unwrap();
    let mut file = fs::File::create(room.0.path().join("a.parquet")).unwrap();
    answer.write_parquet(&mut file).await.unwrap();
    let sql = "select at, arrow_typeof(at) as type from p order by at limit 1";
    insta::assert_snapshot!(room.ask("p", "a.parquet", sql).await, @r#"{"at":"2026-11-21T10:00:00Z","type":"Timestamp(ms)"}"#);
}

#[tokio::test]
async fn files_of_events_have_the_views() {
    let events = "ElfFile\0\n1\n2\nx\n3\n";
    let room = Room::new(&[("a.evtx", events)]);
    insta::assert_snapshot!(room.ask("events", "a.evtx", "select account, address, computer from logons order by 1 desc").await, @r#"
        {"account":"user0003","address":"10.0.0.3","computer":"WKS003"}
        {"account":"user0002","address":"10.0.0.2","computer":"WKS002"}
        {"account":"user0001","address":"10.0.0.1","computer":"WKS001"}
        a.evtx: 1 unread, record x: invalid digit found in string
        "#);
    insta::assert_snapshot!(room.ask("e", "a.evtx", "select count(*) n, max(event_data['IpPort']) p from e").await, @r#"
        {"n":3,"p":"50123"}
        a.evtx: 1 unread, record x: invalid digit found in string
        "#);
    let files = room.find("events", "a.evtx").unwrap();
    let limits = QueryLimits {
        period: crate::Period {
            from: Some("2025-11-05T00:00:02Z".parse().unwrap()),
            to: None,
        },
        ..QueryLimits::default()
    };
    let output = files
        .query("select count(*) n from logons", limits)
        .await
        .unwrap();
    assert_eq!(write(output, Format::Ndjson).await, "{\"n\":2}\n");
}

#[tokio::test]
async fn parquet_and_delta_are_read_by_the_engine() {
    let room = Room::new(&[]);
    let lake = crate::Lake::open(room.0.path()).await.unwrap();
    for second in 1..=3 {
        let rows = rows(&[logon(1, second, second as i64 * 86_400)], None);
        lake.append(rows, None).await.unwrap();
    }
    insta::assert_snapshot!(room.ask("events", "events", "select count(*) n, min(date) d from logons").await, @r#"{"n":3,"d":"2025-11-06"}"#);
    fs::rename(
        room.0.path().join("events/_delta_log"),
        room.0.path().join("log"),
    )
    .unwrap();
    insta::assert_snapshot!(room.ask("p", "events", "select count(*) n, max(record_id) r from p where date > '2025-11-06'").await, @r#"{"n":2,"r":3}"#);
    // What a writer has not finished, and its folders, do not count; folders below do.
    let day = room.0.path().join("events/date=2025-11-07");
    let file = fs::read_dir(&day).unwrap().next().unwrap().unwrap();
    for copy in [
        "date=2025-11-07/.part.parquet",
        "_temporary/0/part.parquet",
        "more/part.parquet",
    ] {
        let copy = room.0.path().join("events").join(copy);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file.path(), copy).unwrap();
    }
    let count = "select count(*) n from p";
    assert_eq!(
        room.ask("p", "events/date=2025-11-07", count).await,
        "{\"n\":1}\n"
    );
    assert_eq!(
        room.ask("p", "events/_temporary", count).await,
        "{\"n\":1}\n"
    );
    fs::remove_dir_all(room.0.path().join("events/more")).unwrap();
    let file = fs::read_dir(room.0.path().join("events/date=2025-11-06"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::rename(file, room.0.path().join("one")).unwrap();
    insta::assert_snapshot!(room.ask("p", "one", "select record_id r from p").await, @r#"{"r":1}"#);
    fs::write(
        room.0.path().join("events/date=2025-11-06/cut.parquet"),
        "PAR1",
    )
    .unwrap();
    insta::assert_snapshot!(room.ask("p", "events", "select record_id r from p").await, @"cannot tell the columns of ./events/date=2025-11-06/cut.parquet: Parquet error: it has 4 bytes, which is no Parquet file; the others can be asked without it");
}

#[test]
fn what_is_no_table_says_why() {
    let room = Room::new(&[
        ("mixed/a.csv", "a\n1\n"),
        ("mixed/b.log", IIS),
        ("mixed/_hidden", "?"),
        ("unknown.bin", "\u{1}"),
    ]);
    fs::create_dir(room.0.path().join("empty")).unwrap();
    let mut said = String::new();
    for path in ["mixed", "unknown.bin", "empty", "absent"] {
        let error = room.find("t", path).unwrap_err().to_string();
        said.push_str(
            &error
                .replace(&room.root(), ".")
                .replace(&room.0.path().display().to_string(), "."),
        );
        said.push('\n');
    }
    insta::assert_snapshot!(said, @"
        ./mixed/a.csv is CSV and ./mixed/b.log is a W3C log: a table is files of one kind
        cannot tell what ./unknown.bin is: there are Parquet, EVTX, W3C logs, JSON lines and CSV
        there is no file in ./empty
        cannot read ./absent
        ");
}
