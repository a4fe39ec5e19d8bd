use super::*;

const XML: &str = "<provider name='p' guid='{07070707-0707-0707-0707-070707070707}'>
    <events><event value='0' template='T'/></events><templates><template tid='T'>FIELDS</template></templates></provider>";

/// What a payload is by the fields of a manifest.
fn by(fields: &str, payload: &[u8]) -> String {
    let mut schemas = Schemas::default();
    if let Err(error) = schemas.add(&XML.replace("FIELDS", fields)) {
        return format!("! {error}");
    }
    let bytes = File::new(encode::QPC)
        .buffer(0, &[event(Header::default(), payload)])
        .bytes();
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    reader.next_buffer().unwrap();
    let buffer = reader.next_buffer().unwrap().unwrap();
    let event = buffer.events().next().unwrap().unwrap();
    said(&schemas.decode(&event).body)
}

fn one(kind: &str, payload: &[u8]) -> String {
    by(&format!("<data name='v' inType={kind}/>"), payload)
}

#[test]
fn every_type_of_a_manifest_is_read() {
    let time = 134_084_160_000_000_000_u64.to_le_bytes();
    let sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
    let read = [
        one("'win:Int16'", &[0xfe, 0xff]),
        one("'win:UInt64'", &[1, 0, 0, 0, 0, 0, 0, 1]),
        one("'win:UInt32' outType='win:HexInt32'", &[0xff, 0, 0, 0]),
        one("'win:UInt16' outType='win:Port'", &[1, 0xbb]),
        one("'win:Float'", &1.5_f32.to_le_bytes()),
        one("'win:Double'", &(-2.25_f64).to_le_bytes()),
        one("'win:Boolean'", &[1, 0, 0, 0]),
        one("'win:GUID'", &[1; 16]),
        one("'win:Pointer'", &[1, 2, 0, 0, 0, 0, 0, 0]),
        one("'win:FILETIME'", &time),
        one(
            "'win:SYSTEMTIME'",
            &[0xea, 7, 11, 0, 1, 0, 23, 0, 6, 0, 7, 0, 8, 0, 9, 0],
        ),
        one("'win:SID'", &sid),
        one("'win:AnsiString'", b"a\0"),
        one("'win:UnicodeString' length='2'", &[b'a', 0, b'b', 0]),
        one("'win:UnicodeString'", &[b'a', 0, 0x00, 0xd8]),
        one("'win:Binary' length='2'", &[1, 2, 3]),
        one(
            "'win:Binary' outType='win:IPv6'",
            &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ),
        one(
            "'win:Binary' length='16' outType='win:SocketAddress'",
            &[2, 0, 1, 0xbb, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        one("'win:CountedUnicodeString'", &[2, 0, b'z', 0]),
        one("'win:UInt8' count='3'", &[1, 2, 3]),
    ];
    insta::assert_snapshot!(read.join("\n"), @r"
    v=-2
    v=72057594037927937
    v=0xff
    v=443
    v=1.5
    v=-2.25
    v=true
    v=01010101-0101-0101-0101-010101010101
    v=0x201
    v=2025-11-24T00:00:00Z
    v=2026-11-23T06:07:08.009
    v=S-1-5-32-544
    v=a
    v=ab
    v=a�
    v=0102 +1
    v=fe80::1
    v=10.0.0.1:443
    v=z
    v=[1, 2, 3]
    ");
}

#[test]
fn a_payload_that_ends_early_keeps_what_came_before() {
    let fields =
        "<data name='a' inType='win:UInt16'/><data name='b' inType='win:Binary' length='a'/>";
    let read = [
        by(fields, &[9, 0, 1]),
        by(fields, &[9]),
        by("<data name='b' inType='win:Binary' length='a'/>", &[9]),
        by("<data name='b' inType='win:Binary'/>", &[9]),
        by("<data name='b' inType='win:Brand'/>", &[9]),
        by(
            "<data name='a' inType='win:UInt32'/><struct name='s' count='a'/>",
            &[0xff; 4],
        ),
    ];
    insta::assert_snapshot!(read.join("\n"), @r#"
    a=9 ! b: 1 bytes at 2 where 9 are needed +1
     ! a: 1 bytes at 0 where 2 are needed +1
     ! b: no number "a" comes before it +1
     ! its schema is wrong: the manifest does not say how long a run of bytes is +1
     ! its schema is wrong: the manifest has a type that is not known +1
    a=4294967295 ! more than 65536 values, or 262144 bytes of their names
    "#);
}

#[test]
fn a_manifest_that_cannot_be_used_says_why() {
    let mut schemas = Schemas::default();
    let said: Vec<_> = [
        "",
        "<a/>",
        "<provider name='p' guid='7'/>",
        "<a>",
        "<a><b></a>",
        "<!DOCTYPE a><a/>",
        &"<a>".repeat(40),
    ]
    .into_iter()
    .map(|xml| schemas.add(xml).unwrap_err().to_string())
    .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "it ends too early",
        "it describes no provider",
        "the provider \"p\" has no GUID",
        "it ends too early",
        "no XML at byte 10: ill-formed document: expected `</b>`, but `</a>` was found",
        "it has a DOCTYPE",
        "more than 16 elements in one another",
    ]
    "#);
}

#[test]
fn schemas_that_cannot_be_are_named() {
    let said: Vec<_> = [
        vec![],
        vec![9, 0, 0],
        b"\x07\0\0n\0f\0".to_vec(),
        b"\x08\0\0n\0f\0\x1f".to_vec(),
        [b"\xff\x0f\0n\0".to_vec(), b"\0\x98\x01".repeat(1364)].concat(),
    ]
    .into_iter()
    .map(|schema| {
        let header = Header {
            extended: vec![(11, schema)],
            ..Header::default()
        };
        let (schemas, bytes) = (Schemas::default(), encode::event(header, &[1]));
        let trace = Reader::open(File::new(encode::QPC).bytes().as_slice())
            .unwrap()
            .trace()
            .clone();
        let mut buffer = vec![0; 72];
        buffer.extend(bytes);
        let (event, _) = Event::next(&buffer, 72, 0, &trace).unwrap();
        said(&schemas.decode(&event.unwrap()).body)
    })
    .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        " ! its schema is wrong: it is cut off +1",
        " ! its schema is wrong: it is cut off +1",
        " ! its schema is wrong: it is cut off +1",
        " ! its schema is wrong: a type of no known number +1",
        " ! its schema is wrong: structures in structures without end +1",
    ]
    "#);
}
