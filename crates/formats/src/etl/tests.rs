mod corpus;
mod encode;
mod payloads;
mod property;
mod xml;

use super::*;
use encode::{File, Header, PROVIDER, event, tracelogging};

/// What a reader says of a file, a line a buffer and an event.
fn read(bytes: &[u8]) -> String {
    let mut reader = match Reader::open(bytes) {
        Ok(reader) => reader,
        Err(error) => return format!("! {error}"),
    };
    let mut schemas = Schemas::default();
    let mut out = String::new();
    loop {
        match reader.next_buffer() {
            Ok(Some(buffer)) => {
                out += &format!(
                    "buffer {} of processor {}\n",
                    buffer.number, buffer.header.processor
                );
                for event in buffer.events() {
                    out += &match event {
                        Ok(event) => line(&event, &mut schemas),
                        Err(error) => format!("  ! {error}\n"),
                    };
                }
            }
            Ok(None) => break,
            Err(error) => out += &format!("! {error}\n"),
        }
    }
    out + &format!("{:?}", reader.counts())
}

fn line(event: &Event<'_>, schemas: &mut Schemas) -> String {
    if let Err(error) = schemas.learn(event) {
        return format!("  ! {error}\n");
    }
    let time = event.time.map(|time| time.to_string()).unwrap_or_default();
    let who = match event.source {
        Source::Provider(guid) => format!("provider {}", &guid.to_string()[..8]),
        Source::Class(guid) => format!("class {}", &guid.to_string()[..8]),
        Source::Kernel(_) => event.source.kernel_group().unwrap_or("?").to_owned(),
        Source::Message(guid) => format!("message {guid:?}"),
    };
    let decoded = schemas.decode(event);
    let name = decoded.name.as_deref().unwrap_or("-");
    format!(
        "  {time} {who} {}.{} {name}: {}\n",
        event.id,
        event.opcode,
        said(&decoded.body)
    )
}

fn said(body: &Body<'_>) -> String {
    match body {
        Body::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Body::Fields(read) => {
            let fields = read
                .fields
                .iter()
                .map(|field| format!("{}={}", field.name, field.value));
            let mut text = fields.collect::<Vec<_>>().join(" ");
            if let Some(error) = &read.error {
                text += &format!(" ! {error}");
            }
            if read.rest > 0 {
                text += &format!(" +{}", read.rest);
            }
            text
        }
    }
}

#[test]
fn headers_of_every_kind_are_read() {
    let file = File::new(encode::QPC)
        .buffer(
            3,
            &[event(Header::default(), &[1, 2, 3]), encode::full(7, &[9])],
        )
        .buffer(
            0,
            &[
                encode::system(3, 1, &[1, 2]),
                encode::compact(5, 36),
                encode::perfinfo(15, 46),
                encode::message(77),
            ],
        );
    insta::assert_snapshot!(read(&file.bytes()), @r"
    buffer 0 of processor 0
      2026-11-23T00:00:00Z EventTrace 0.0 -: 306 bytes
    buffer 1 of processor 3
      2026-11-23T00:00:02Z provider 07070707 0.0 -: 3 bytes
      2026-11-23T00:00:00.5Z class 08080808 0.7 -: 1 bytes
    buffer 2 of processor 0
      2026-11-23T00:00:00Z Process 0.1 -: 2 bytes
      2026-11-23T00:00:00Z Thread 0.36 -: 0 bytes
      2026-11-23T00:00:00Z PerfInfo 0.46 -: 0 bytes
      2026-11-23T00:00:02Z message Some(07070707-0707-0707-0707-070707070707) 77.0 -: 4 bytes
    Counts { buffers: 3, unpacked: 0, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn a_clock_of_any_kind_gives_the_time() {
    let times = [encode::QPC, encode::SYSTEM, encode::CYCLES].map(|clock| {
        let bytes = File::new(clock)
            .buffer(0, &[event(Header::default(), &[])])
            .bytes();
        let mut reader = Reader::open(bytes.as_slice()).unwrap();
        reader.next_buffer().unwrap();
        let buffer = reader.next_buffer().unwrap().unwrap();
        let event = buffer.events().next().unwrap().unwrap();
        event.time.map(|time| time.to_string()).unwrap_or_default()
    });
    insta::assert_debug_snapshot!(times, @r#"
    [
        "2026-11-23T00:00:02Z",
        "1601-01-01T00:00:00.0003Z",
        "2026-11-23T00:00:00.001Z",
    ]
    "#);
}

#[test]
fn what_a_trace_says_of_itself() {
    for pointer_bytes in [4, 8] {
        let bytes = File::new(encode::QPC).pointers(pointer_bytes).bytes();
        let trace = Reader::open(bytes.as_slice()).unwrap().trace().clone();
        assert_eq!(trace.pointer_bytes, pointer_bytes);
        assert_eq!(
            (trace.session.as_str(), trace.file.as_str()),
            ("s1", r"C:\s1.etl")
        );
        assert_eq!(
            (trace.events_lost, trace.buffers_lost, trace.bias_minutes),
            (11, 12, -60)
        );
        assert_eq!(trace.started.unwrap().to_string(), "2026-11-23T00:00:00Z");
        assert_eq!(trace.ended, None);
    }
}

#[test]
fn a_wrong_event_costs_no_more_than_it_must() {
    let mut lying = event(Header::default(), &[1]);
    lying[..2].copy_from_slice(&5000_u16.to_le_bytes());
    let mut strange = event(
        Header {
            id: 2,
            ..Header::default()
        },
        &[1],
    );
    strange[2] = 99;
    let mut beside = event(
        Header {
            extended: vec![(1, vec![0; 16])],
            ..Header::default()
        },
        &[],
    );
    beside[80] = 255;
    let good = event(
        Header {
            id: 3,
            ..Header::default()
        },
        &[],
    );
    let mut no_event = good.clone();
    no_event[3] = 0;
    let bytes = File::new(encode::QPC)
        .buffer(0, &[strange, beside, good.clone(), lying, good.clone()])
        .buffer(1, &[good.clone(), no_event, good.clone()])
        .buffer(2, &[good])
        .bytes();
    insta::assert_snapshot!(read(&bytes), @r"
    buffer 0 of processor 0
      2026-11-23T00:00:00Z EventTrace 0.0 -: 306 bytes
    buffer 1 of processor 0
      ! event at byte 72 of the buffer: headers of kind 99 are not read
      ! event at byte 160 of the buffer: what stands beside its header is wrong: 16 bytes at 88 where 247 are needed
      2026-11-23T00:00:02Z provider 07070707 3.0 -: 0 bytes
      ! event at byte 344 of the buffer: it says that it has 5000 bytes of 168
    buffer 2 of processor 1
      2026-11-23T00:00:02Z provider 07070707 3.0 -: 0 bytes
      ! event at byte 152 of the buffer: no event begins with 0x00130050
    buffer 3 of processor 2
      2026-11-23T00:00:02Z provider 07070707 3.0 -: 0 bytes
    Counts { buffers: 4, unpacked: 0, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn a_wrong_buffer_costs_only_itself() {
    let one = || [event(Header::default(), &[])];
    let file = File::new(encode::QPC)
        .buffer(0, &one())
        .buffer(1, &one())
        .buffer(2, &one())
        .buffer(3, &one());
    let mut bytes = file.bytes();
    let at = |number: usize| number * encode::BUFFER_BYTES;
    bytes[at(2)..at(2) + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[at(3) + 48..at(3) + 52].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes.truncate(at(4) + 80);
    insta::assert_snapshot!(read(&bytes), @r"
    buffer 0 of processor 0
      2026-11-23T00:00:00Z EventTrace 0.0 -: 306 bytes
    buffer 1 of processor 0
      2026-11-23T00:00:02Z provider 07070707 0.0 -: 0 bytes
    ! buffer 2 at byte 4096: it says that it has 4294967295 bytes
    ! buffer 3 at byte 6144: it says that 4294967295 of 2048 bytes are filled
    buffer 4 of processor 3
      ! event at byte 72 of the buffer: it says that it has 80 bytes of 8
    ! buffer 4 at byte 8192: the file ends after 80 of 2048 bytes of it
    Counts { buffers: 3, unpacked: 0, skipped: 2, after_lost_events: 0, after_lost_buffers: 0 }
    ");
    bytes.truncate(at(4) + 8);
    assert!(
        read(&bytes).contains("the file ends after 8 of 72 bytes of it"),
        "{}",
        read(&bytes)
    );
}

#[test]
fn a_wrong_size_does_not_shift_the_buffers_behind_it() {
    let one = || [event(Header::default(), &[])];
    let mut bytes = File::new(encode::QPC)
        .buffer(0, &one())
        .buffer(1, &one())
        .buffer(2, &one())
        .bytes();
    bytes[encode::BUFFER_BYTES..encode::BUFFER_BYTES + 4].copy_from_slice(&1000_u32.to_le_bytes());
    let said = read(&bytes);
    let said: Vec<_> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    buffer 0 of processor 0
    buffer 1 of processor 0
    ! buffer 2 at byte 3048: it says that it has 4294967295 bytes
    buffer 3 of processor 1
    buffer 4 of processor 2
    Counts { buffers: 4, unpacked: 0, skipped: 1, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn what_was_lost_is_counted() {
    let mut bytes = File::new(encode::QPC).buffer(0, &[]).buffer(1, &[]).bytes();
    bytes[encode::BUFFER_BYTES + 52] |= 0x02;
    bytes[2 * encode::BUFFER_BYTES + 52] |= 0x06;
    let counts = read(&bytes);
    insta::assert_snapshot!(counts.lines().last().unwrap(), @"Counts { buffers: 3, unpacked: 0, skipped: 0, after_lost_events: 2, after_lost_buffers: 1 }");
}

#[test]
fn what_is_no_trace_is_refused() {
    let mut no_first = File::new(encode::QPC).bytes();
    no_first[78] = 1;
    let mut pointer = File::new(encode::QPC).bytes();
    pointer[72 + 32 + 44] = 3;
    let cut = &File::new(encode::QPC).bytes()[..200];
    let refused: Vec<_> = [
        b"".as_slice(),
        b"<Event>",
        &[0xff; 200],
        &[0; 8000],
        &no_first,
        &pointer,
        cut,
    ]
    .into_iter()
    .map(read)
    .collect();
    insta::assert_debug_snapshot!(refused, @r#"
    [
        "! buffers of 0 bytes: it is no trace, which has 512 to 16777216",
        "! buffers of 0 bytes: it is no trace, which has 512 to 16777216",
        "! buffers of 4294967295 bytes: it is no trace, which has 512 to 16777216",
        "! buffers of 0 bytes: it is no trace, which has 512 to 16777216",
        "! the first event does not describe a trace",
        "! pointers of 3 bytes",
        "! it describes no trace to its end: 20 bytes at 108 where 172 are needed",
    ]
    "#);
}

#[test]
fn compressed_buffers_are_unpacked() {
    let events: Vec<_> = (0..12)
        .map(|id| {
            event(
                Header {
                    id,
                    ..Header::default()
                },
                b"the same, the same, the same",
            )
        })
        .collect();
    let plain = read(&File::new(encode::QPC).buffer(1, &events).bytes());
    for scheme in [2, 3] {
        let bytes = File::new(encode::QPC)
            .compressed(scheme)
            .buffer(1, &events)
            .bytes();
        let unpacked = read(&bytes).replace("unpacked: 1", "unpacked: 0");
        assert_eq!(unpacked, plain, "{scheme}");
    }
    let huffman = read(
        &File::new(encode::QPC)
            .compressed(4)
            .buffer(1, &events)
            .buffer(1, &events)
            .bytes(),
    );
    insta::assert_snapshot!(huffman.lines().skip(2).collect::<Vec<_>>().join("\n"), @r"
    ! buffer 1 at byte 2048: it is compressed, and XPRESS Huffman is not unpacked here
    ! buffer 2 at byte 2496: it is compressed, and XPRESS Huffman is not unpacked here
    Counts { buffers: 1, unpacked: 0, skipped: 2, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn events_that_describe_themselves_are_decoded() {
    let (schema, payload) = tracelogging();
    let header = Header {
        extended: vec![(12, b"\x0b\0MySource\0".to_vec()), (11, schema)],
        ..Header::default()
    };
    let bytes = File::new(encode::QPC)
        .buffer(0, &[event(header, &payload)])
        .bytes();
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    reader.next_buffer().unwrap();
    let buffer = reader.next_buffer().unwrap().unwrap();
    let event = buffer.events().next().unwrap().unwrap();
    let schemas = Schemas::default();
    let decoded = schemas.decode(&event);
    assert_eq!(decoded.provider, Some("MySource"));
    assert_eq!(decoded.name.as_deref(), Some("Signed in"));
    insta::assert_snapshot!(said(&decoded.body).replace(' ', "\n"), @r"
    user=ann
    status=0xc000006d
    two=[1,
    2]
    many=[5,
    6]
    from={address:
    10.0.0.1,
    port:
    443}
    own=abcd
    json=[{}]
    ");
}

#[test]
fn a_manifest_in_parts_and_in_any_order_describes_its_provider() {
    let xml = encode::MANIFEST.as_bytes();
    let (front, back) = xml.split_at(xml.len() / 2);
    let data = event(
        Header {
            id: 7,
            version: 1,
            task: 5,
            opcode: 10,
            keywords: 3,
            ..Header::default()
        },
        &encode::payload_of_7(),
    );
    let bytes = File::new(encode::QPC)
        .buffer(0, &[encode::part(1, 2, back), data.clone()])
        .buffer(
            1,
            &[
                encode::part(0, 2, front),
                data.clone(),
                event(
                    Header {
                        id: 7,
                        version: 2,
                        ..Header::default()
                    },
                    &[1],
                ),
            ],
        )
        .bytes();
    insta::assert_snapshot!(read(&bytes), @r"
    buffer 0 of processor 0
      2026-11-23T00:00:00Z EventTrace 0.0 -: 306 bytes
    buffer 1 of processor 0
      2026-11-23T00:00:02Z provider 07070707 65534.254 -: 502 bytes
      2026-11-23T00:00:02Z provider 07070707 7.10 -: 21 bytes
    buffer 2 of processor 1
      2026-11-23T00:00:02Z provider 07070707 65534.254 -: 502 bytes
      2026-11-23T00:00:02Z provider 07070707 7.10 Began: file=C:\é size=3 head=aabbcc from=10.0.0.1 parts=[{n: -1}, {n: 2}]
      2026-11-23T00:00:02Z provider 07070707 7.0 -: 1 bytes
    Counts { buffers: 3, unpacked: 0, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");

    let mut schemas = Schemas::default();
    let whole = File::new(encode::QPC)
        .buffer(1, &[encode::part(0, 1, xml), data])
        .bytes();
    let mut reader = Reader::open(whole.as_slice()).unwrap();
    reader.next_buffer().unwrap();
    let buffer = reader.next_buffer().unwrap().unwrap();
    let mut events = buffer.events().map(Result::unwrap);
    assert_eq!(schemas.learn(&events.next().unwrap()), Ok(Some(PROVIDER)));
    let event = events.next().unwrap();
    let decoded = schemas.decode(&event);
    assert_eq!(
        (decoded.provider, decoded.task, decoded.opcode),
        (Some("Own-Source"), Some("Transfer of files"), Some("Begin"))
    );
    assert_eq!(decoded.keywords, ["Network", "Disk"]);
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let one = |payload: &[u8]| {
        let header = Header {
            id: 0xfffe,
            opcode: 0xfe,
            ..Header::default()
        };
        read(
            &File::new(encode::QPC)
                .buffer(0, &[event(header, payload)])
                .bytes(),
        )
    };
    let said: Vec<_> = [
        b"".as_slice(),
        &[1, 0, 0, 0x5b, 1, 0, 1, 0],
        &[2, 0, 0, 0x5b, 1, 0, 0, 0],
        &[1, 0, 0, 0x5b, 1, 0, 0, 0, b'<'],
        &[1, 0, 0, 0x5b, 0xff, 0xff, 0, 0],
    ]
    .into_iter()
    .map(|payload| one(payload).lines().nth(3).unwrap().to_owned())
    .collect();
    insta::assert_debug_snapshot!(said, @r#"
    [
        "  ! part 0 of 0 of a manifest, version 0",
        "  ! part 1 of 1 of a manifest, version 1",
        "  ! part 0 of 1 of a manifest, version 2",
        "  ! no XML at byte 0: syntax error: tag not closed: `>` not found before end of input",
        "  ! part 0 of 65535 of a manifest, version 1",
    ]
    "#);
}

#[test]
fn a_payload_without_bytes_does_not_become_much_text() {
    // A structure 32,000 times, with a field of no bytes that has a long name, or with lists of nothing.
    let long = [&vec![b'&'; 60_000][..], b"\0\0"].concat();
    let empty = [b"a\0\x25\0\0".as_slice(); 60].concat();
    for (fields, children) in [(1, long), (60, empty)] {
        let mut schema = vec![0, 0, 0];
        schema.extend(b"E\0s\0\xb8");
        schema.extend([fields, 0x00, 0x7d]);
        schema.extend(children);
        let size = schema.len() as u16;
        schema[..2].copy_from_slice(&size.to_le_bytes());
        let (_, template) = super::tracelogging::schema(&schema).unwrap();
        let read = template.read(&[], 8);
        assert_eq!(read.error, Some(PayloadError::TooMany));
        let text: usize = (read.fields.iter())
            .map(|named| named.name.len() + named.value.to_string().len())
            .sum();
        assert!(text < 2 * crate::limits::ETL_NAMES_BYTES_MAX, "{text}");
    }
}
