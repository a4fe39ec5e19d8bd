use std::borrow::Cow;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::limits::{AZURE_BATCH_OPERATIONS_MAX, AZURE_BLOCKS_MAX, AZURE_TEXT_UNITS_MAX};

fn entity(row_key: &str) -> Entity<'static> {
    let at: Timestamp = "2025-11-05T10:00:00.1234567Z".parse().unwrap();
    Entity {
        partition_key: "0638979408000000000".into(),
        row_key: row_key.to_owned().into(),
        properties: vec![
            ("Channel".into(), Value::Text("Security \"x\"".into())),
            ("EventId".into(), Value::Int(4625)),
            ("EventTickCount".into(), Value::Long(ticks(at))),
            ("Share".into(), Value::Double(0.1)),
            ("TIMESTAMP".into(), Value::Time(at)),
        ],
    }
}

#[test]
fn ticks_are_those_of_the_published_rows() {
    // A row of Azure's own documentation: its partition is the minute of its event.
    let at: Timestamp = "2010-02-16T07:59:00Z".parse().unwrap();
    assert_eq!(ticks(at) % 600_000_000, 0);
    assert_eq!(ticks(Timestamp::UNIX_EPOCH), EPOCH_TICKS);
    let first: Timestamp = "0001-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(ticks(first), 0);
}

#[test]
fn an_entity_tells_the_types_that_json_does_not() {
    let mut out = Vec::new();
    entity("a").write_json(&mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"{"PartitionKey":"0638979408000000000","RowKey":"a","Channel":"Security \"x\"","EventId":4625,"EventTickCount@odata.type":"Edm.Int64","EventTickCount":"638979336001234567","Share@odata.type":"Edm.Double","Share":0.1,"TIMESTAMP@odata.type":"Edm.DateTime","TIMESTAMP":"2025-11-05T10:00:00.1234567Z"}"#);
}

#[test]
fn what_the_service_refuses_is_refused_here() {
    let check = |change: fn(&mut Entity<'static>)| {
        let mut entity = entity("a");
        change(&mut entity);
        entity.check()
    };
    let long = |units: usize| Value::Text("x".repeat(units).into());
    assert_eq!(check(|_| {}), Ok(()));
    assert!(matches!(
        check(|it| it.row_key = "a/b".into()),
        Err(EntityError::Key { .. })
    ));
    assert!(matches!(
        check(|it| it.partition_key = "é".repeat(513).into()),
        Err(EntityError::Key { .. })
    ));
    assert!(matches!(
        check(|it| it.properties[0].0 = "a b".into()),
        Err(EntityError::Name { .. })
    ));
    assert!(matches!(
        check(|it| it.properties[0].0 = "EventId".into()),
        Err(EntityError::Twice { .. })
    ));
    assert!(matches!(
        check(|it| it.properties[0].0 = "Timestamp".into()),
        Err(EntityError::Twice { .. })
    ));
    let mut at_the_limit = entity("a");
    at_the_limit.properties[0].1 = long(AZURE_TEXT_UNITS_MAX);
    assert_eq!(at_the_limit.check(), Ok(()));
    at_the_limit.properties[0].1 = long(AZURE_TEXT_UNITS_MAX + 1);
    assert!(matches!(
        at_the_limit.check(),
        Err(EntityError::TooLong { .. })
    ));
    // A character outside the plane of sixteen bits is two.
    at_the_limit.properties[0].1 = Value::Text("\u{1f600}".repeat(16_385).into());
    assert!(at_the_limit.check().is_err());
    let mut early = entity("a");
    early.properties[0].1 = Value::Time("1600-12-31T23:59:59.9999999Z".parse().unwrap());
    assert!(matches!(early.check(), Err(EntityError::Time { .. })));
    early.properties[0].1 = Value::Time("1601-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(early.check(), Ok(()));
    let mut many = entity("a");
    many.properties = (0..253)
        .map(|place| (Cow::Owned(format!("p{place}")), Value::Int(0)))
        .collect();
    assert_eq!(many.check(), Err(EntityError::Properties { count: 253 }));
    let mut large = entity("a");
    large.properties = (0..20)
        .map(|place| (Cow::Owned(format!("p{place}")), long(30_000)))
        .collect();
    assert!(matches!(large.check(), Err(EntityError::Size { .. })));
}

#[test]
fn a_batch_is_of_one_partition_and_has_each_row_once() {
    let mut batch = Batch::new("https://acme.table.core.windows.net/WADLogsTable", "m");
    batch
        .push(Operation::InsertOrReplace, &entity("it's 1"))
        .unwrap();
    batch.push(Operation::Delete, &entity("b")).unwrap();
    assert_eq!(
        batch.push(Operation::Delete, &entity("b")),
        Err(BatchError::Again)
    );
    let mut other = entity("c");
    other.partition_key = "1".into();
    assert_eq!(
        batch.push(Operation::Delete, &other),
        Err(BatchError::OtherPartition)
    );
    assert_eq!(batch.len(), 2);
    let body = String::from_utf8(batch.body()).unwrap();
    insta::assert_snapshot!(body.replace('\r', ""), @r#"
    --batch_m
    Content-Type: multipart/mixed; boundary=changeset_m

    --changeset_m
    Content-Type: application/http
    Content-Transfer-Encoding: binary

    PUT https://acme.table.core.windows.net/WADLogsTable(PartitionKey='0638979408000000000',RowKey='it%27%27s%201') HTTP/1.1
    Accept: application/json;odata=minimalmetadata
    Content-Type: application/json
    DataServiceVersion: 3.0;

    {"PartitionKey":"0638979408000000000","RowKey":"it's 1","Channel":"Security \"x\"","EventId":4625,"EventTickCount@odata.type":"Edm.Int64","EventTickCount":"638979336001234567","Share@odata.type":"Edm.Double","Share":0.1,"TIMESTAMP@odata.type":"Edm.DateTime","TIMESTAMP":"2025-11-05T10:00:00.1234567Z"}
    --changeset_m
    Content-Type: application/http
    Content-Transfer-Encoding: binary

    DELETE https://acme.table.core.windows.net/WADLogsTable(PartitionKey='0638979408000000000',RowKey='b') HTTP/1.1
    Accept: application/json;odata=minimalmetadata
    If-Match: *
    DataServiceVersion: 3.0;


    --changeset_m--
    --batch_m--
    "#);
}

#[test]
fn a_batch_has_a_hundred_operations_and_four_mebibytes() {
    let mut batch = Batch::new("http://127.0.0.1:10002/a/T", "m");
    for place in 0..AZURE_BATCH_OPERATIONS_MAX {
        batch
            .push(Operation::InsertOrReplace, &entity(&place.to_string()))
            .unwrap();
    }
    assert_eq!(
        batch.push(Operation::InsertOrReplace, &entity("more")),
        Err(BatchError::Full)
    );
    let mut batch = Batch::new("http://127.0.0.1:10002/a/T", "m");
    let large = |row: usize| {
        let mut entity = entity(&row.to_string());
        // Six bytes of JSON each.
        let text = "\u{1}".repeat(32_768);
        entity.properties = (0..4)
            .map(|place| {
                (
                    Cow::Owned(format!("p{place}")),
                    Value::Text(text.clone().into()),
                )
            })
            .collect();
        entity
    };
    let mut rows = 0;
    while batch.push(Operation::InsertOrReplace, &large(rows)).is_ok() {
        rows += 1;
    }
    assert_eq!((rows, batch.len()), (5, 5));
    assert!(batch.body().len() <= 4 << 20);
}

const ANSWER: &str = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n\
    --changesetresponse_2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
    HTTP/1.1 204 No Content\r\nDataServiceVersion: 3.0;\r\n\r\n\r\n\
    --changesetresponse_2--\r\n--batchresponse_1--\r\n";

const MULTIPART: &str = "multipart/mixed; boundary=batchresponse_1";

#[test]
fn the_answer_to_a_batch_is_read_to_its_end() {
    assert_eq!(answered(MULTIPART, ANSWER.as_bytes(), 1), Ok(Ok(())));
    // One part where two were sent: a success in words alone.
    assert_eq!(
        answered(MULTIPART, ANSWER.as_bytes(), 2),
        Err(BatchAnswerError::Count { told: 1, sent: 2 })
    );
    let refused = "{\"odata.error\":{\"code\":\"EntityAlreadyExists\",\"message\":{\"lang\":\"en-US\",\"value\":\
        \"3:The specified entity already exists.\\nRequestId:1\"}}}";
    let answer = ANSWER
        .replace("204 No Content", "409 Conflict")
        .replace("\r\n\r\n\r\n", &format!("\r\n\r\n{refused}\r\n"));
    let refusal = answered(MULTIPART, answer.as_bytes(), 100)
        .unwrap()
        .unwrap_err();
    insta::assert_debug_snapshot!(refusal, @r#"
    Refusal {
        status: 409,
        code: "EntityAlreadyExists",
        message: "The specified entity already exists.",
        place: Some(
            3,
        ),
    }
    "#);
    for (content_type, body) in [
        ("text/plain", ANSWER),
        (MULTIPART, ""),
        (MULTIPART, "--batchresponse_1\r\n"),
        ("multipart/mixed; boundary=", ANSWER),
    ] {
        let answer = answered(content_type, body.as_bytes(), 1);
        assert_eq!(answer, Err(BatchAnswerError::Form), "{content_type}");
    }
    assert_eq!(
        answered(MULTIPART, ANSWER.replace('\r', "").as_bytes(), 1),
        Ok(Ok(())),
        "line feeds alone"
    );
}

#[test]
fn the_service_says_no_in_json_and_in_xml() {
    let xml = "\u{feff}<?xml version=\"1.0\"?><error xmlns=\"m\"><code>AuthenticationFailed</code>\
        <message xml:lang=\"en-US\">Server failed to authenticate the request.\u{1b}[31m</message></error>";
    let refusal = refusal(403, xml.as_bytes());
    assert_eq!(
        (refusal.status, &*refusal.code),
        (403, "AuthenticationFailed")
    );
    assert!(refusal.message.starts_with("Server failed"));
    assert!(!refusal.message.contains('\u{1b}'));
    let nothing = super::refusal(503, &[0xff, 0xfe]);
    assert_eq!((nothing.status, &*nothing.code), (503, ""));
}

#[test]
fn what_is_signed_is_what_the_reference_says() {
    let date = "Wed, 05 Nov 2025 10:00:00 GMT";
    insta::assert_snapshot!(lite_of_table(date, "acme", "/Tables", None), @r#"
    Wed, 05 Nov 2025 10:00:00 GMT
    /acme/Tables
    "#);
    insta::assert_snapshot!(lite_of_table(date, "acme", "/", Some("list")), @r#"
    Wed, 05 Nov 2025 10:00:00 GMT
    /acme/?comp=list
    "#);
    let headers = [
        ("x-ms-version", "2021-12-02"),
        ("X-MS-Date", date),
        ("Accept", "*/*"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "11"),
    ];
    let query = [("comp", "block"), ("BlockId", "MDAw/+=")];
    insta::assert_snapshot!(key_of_blob("PUT", &headers, "acme", "/logs/a%20b", &query), @r#"
    PUT


    11

    text/plain






    x-ms-date:Wed, 05 Nov 2025 10:00:00 GMT
    x-ms-version:2021-12-02
    /acme/logs/a%20b
    blockid:MDAw/+=
    comp:block
    "#);
    // Nothing of no length, and a condition in its place.
    let headers = [
        ("content-length", "0"),
        ("If-None-Match", "*"),
        ("x-ms-date", date),
    ];
    insta::assert_snapshot!(key_of_blob("PUT", &headers, "acme", "/logs/a", &[]), @r#"
    PUT








    *


    x-ms-date:Wed, 05 Nov 2025 10:00:00 GMT
    /acme/logs/a
    "#);
}

#[test]
fn names_and_keys_are_those_of_the_service() {
    for (name, is_allowed) in [
        ("WADLogsTable", true),
        ("ab", false),
        ("1ab", false),
        ("a_b", false),
        ("Tables", false),
    ] {
        assert_eq!(table_name_is_allowed(name), is_allowed, "{name}");
    }
    for (name, is_allowed) in [
        ("wad-iis-logfiles", true),
        ("logs", true),
        ("ab", false),
        ("Logs", false),
        ("a--b", false),
        ("-logs", false),
        ("logs-", false),
        ("a_b", false),
    ] {
        assert_eq!(container_name_is_allowed(name), is_allowed, "{name}");
    }
    for (name, is_allowed) in [
        ("W3SVC1/u_ex25110510.log", true),
        ("a b/é+%", true),
        ("", false),
        ("/a", false),
        ("a/", false),
        ("a/../b", false),
        ("a/b.", false),
        ("a\\b", false),
        ("a\nb", false),
    ] {
        assert_eq!(blob_name_is_allowed(name), is_allowed, "{name}");
    }
    assert_eq!(blob_in_path("logs", "a b/é+%"), "/logs/a%20b/%C3%A9%2B%25");
    assert_eq!(in_query(b"a b'\xff"), "a%20b%27%FF");
    assert_eq!(
        key_in_path("O'Brien", "a b%"),
        "(PartitionKey='O%27%27Brien',RowKey='a%20b%25')"
    );
}

#[test]
fn a_page_has_what_was_put_there() {
    let body = br#"{"odata.metadata":"https://x","value":[
        {"odata.etag":"W/1","PartitionKey":"0","RowKey":"1","Timestamp":"2025-11-05T10:00:00.1234567Z",
         "N@odata.type":"Edm.Int64","N":"9007199254740993","D":1.5,"I":7,"B@odata.type":"Edm.Binary","B":"AQI=",
         "F@odata.type":"Edm.Double","F":"NaN","T":true,"X":null},
        {"PartitionKey":"0"}, 7,
        {"PartitionKey":"0","RowKey":"2","N@odata.type":"Edm.Int64","N":"many"}]}"#;
    let page = read_page(body).unwrap();
    insta::assert_debug_snapshot!(page, @r#"
    Page {
        entities: [
            Entity {
                partition_key: "0",
                row_key: "1",
                properties: [
                    (
                        "B",
                        Bytes(
                            [
                                1,
                                2,
                            ],
                        ),
                    ),
                    (
                        "D",
                        Double(
                            1.5,
                        ),
                    ),
                    (
                        "F",
                        Double(
                            NaN,
                        ),
                    ),
                    (
                        "I",
                        Int(
                            7,
                        ),
                    ),
                    (
                        "N",
                        Long(
                            9007199254740993,
                        ),
                    ),
                    (
                        "T",
                        Truth(
                            true,
                        ),
                    ),
                    (
                        "Timestamp",
                        Time(
                            2025-11-05T10:00:00.1234567Z,
                        ),
                    ),
                ],
            },
        ],
        unread: [
            (
                1,
                "it has no RowKey",
            ),
            (
                2,
                "it is no object",
            ),
            (
                3,
                "its N is no Edm.Int64",
            ),
        ],
    }
    "#);
    assert_eq!(read_page(b"{}"), Err(PageError::Form));
    assert!(matches!(read_page(b"<html>"), Err(PageError::Json(_))));
}

#[test]
fn one_entity_and_the_names_of_tables_are_read() {
    let body = br#"{"odata.metadata":"https://x/$metadata#T/@Element","PartitionKey":"0","RowKey":"1","I":7}"#;
    let entity = read_entity(body).unwrap();
    assert_eq!(entity.properties, vec![("I".into(), Value::Int(7))]);
    assert!(matches!(read_entity(b"{}"), Err(PageError::Entity(_))));
    assert_eq!(read_entity(b"[]"), Err(PageError::Form));
    let names =
        read_table_names(br#"{"value":[{"TableName":"WADLogsTable"},{"TableName":"abc"}]}"#);
    assert_eq!(names.unwrap(), ["WADLogsTable", "abc"]);
    // A name that would be another path.
    let names = read_table_names(br#"{"value":[{"TableName":"a/../b"}]}"#);
    assert_eq!(names, Err(PageError::Form));
}

#[test]
fn blocks_are_named_by_their_place() {
    assert_eq!(block_id(0).len(), block_id(AZURE_BLOCKS_MAX - 1).len());
    insta::assert_snapshot!(block_list(2), @r#"<?xml version="1.0" encoding="utf-8"?><BlockList><Latest>MDAwMDAwMDAw</Latest><Latest>MDAwMDAwMDAx</Latest></BlockList>"#);
}

#[test]
fn a_list_of_blobs_is_read() {
    let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\
        <EnumerationResults ServiceEndpoint=\"https://acme.blob.core.windows.net/\" ContainerName=\"logs\">\
        <Prefix>a</Prefix><Marker/><MaxResults>2</MaxResults><Blobs>\
        <Blob><Name>a &amp; b/&#x441;.log</Name><Properties><Creation-Time>Wed, 05 Nov 2025 09:00:00 GMT</Creation-Time>\
        <Last-Modified>Wed, 05 Nov 2025 10:00:00 GMT</Last-Modified><Etag>0x8D1</Etag><Content-Length>12</Content-Length>\
        <BlobType>AppendBlob</BlobType></Properties><Metadata><Name>no</Name></Metadata></Blob>\
        <Blob><Name Encoded=\"true\">a%20%EF%BF%BE</Name><Properties><Content-Length>0</Content-Length>\
        <BlobType>BlockBlob</BlobType></Properties></Blob>\
        <Blob><Properties><Content-Length>1</Content-Length></Properties></Blob>\
        <BlobPrefix><Name>c</Name></BlobPrefix></Blobs><NextMarker>2!8!x &lt;</NextMarker></EnumerationResults>";
    let list = read_blobs(body.as_bytes()).unwrap();
    insta::assert_debug_snapshot!(list, @r#"
    BlobList {
        blobs: [
            ListedBlob {
                name: "a & b/с.log",
                length: 12,
                kind: Append,
                modified: Some(
                    2025-11-05T10:00:00Z,
                ),
                etag: Some(
                    "0x8D1",
                ),
            },
            ListedBlob {
                name: "a \u{fffe}",
                length: 0,
                kind: Block,
                modified: None,
                etag: None,
            },
        ],
        next: Some(
            "2!8!x <",
        ),
    }
    "#);
    let end = body.replace("<NextMarker>2!8!x &lt;</NextMarker>", "<NextMarker />");
    assert_eq!(read_blobs(end.as_bytes()).unwrap().next, None);
    for (body, why) in [
        ("", "empty"),
        ("<html></html>", "another document"),
        (&body[..body.len() - 9], "cut off"),
        (
            "<!DOCTYPE a><EnumerationResults><Blobs></Blobs></EnumerationResults>",
            "a type",
        ),
        ("<EnumerationResults></EnumerationResults>", "no list"),
    ] {
        assert!(read_blobs(body.as_bytes()).is_err(), "{why}");
    }
    let deep = format!("<EnumerationResults>{}", "<a>".repeat(100_000));
    assert!(read_blobs(deep.as_bytes()).is_err());
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        any::<String>().prop_map(|text| Value::Text(text.into())),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        // The reader of JSON may miss the last bit of others.
        any::<i16>().prop_map(|number| Value::Double(f64::from(number) / 8.0)),
        any::<bool>().prop_map(Value::Truth),
        (-116_444_736_000_000_000_i64..2_534_023_007_999_999_999).prop_map(|ticks| {
            let nanoseconds = i128::from(ticks) * 100;
            Value::Time(Timestamp::from_nanosecond(nanoseconds).unwrap())
        }),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        values in proptest::collection::vec(value(), 0..8),
        key in "[a-zA-Z0-9_' é]{0,20}",
    ) {
        let properties = values
            .into_iter()
            .enumerate()
            .map(|(place, value)| (Cow::Owned(format!("p{place}")), value))
            .collect();
        let entity = Entity { partition_key: key.clone().into(), row_key: key.into(), properties };
        prop_assert_eq!(entity.check(), Ok(()));
        let mut body = b"{\"value\":[".to_vec();
        entity.write_json(&mut body);
        body.extend_from_slice(b"]}");
        let page = read_page(&body).unwrap();
        prop_assert_eq!(page.entities, vec![entity]);
        prop_assert_eq!(page.unread, vec![]);
    }

    #[test]
    fn no_answer_makes_it_panic(body in any::<Vec<u8>>(), kind in any::<String>(), text in "[-b1\r\n: HTP/.]{0,80}") {
        let _ = answered(&kind, &body, 3);
        let _ = answered("multipart/mixed; boundary=b", text.as_bytes(), 1);
        let _ = refusal(500, &body);
        let _ = read_page(&body);
        let _ = read_entity(&body);
        let _ = read_table_names(&body);
        let _ = read_blobs(&body);
        let _ = read_blobs(format!("<EnumerationResults><Blobs>{text}").as_bytes());
    }
}
