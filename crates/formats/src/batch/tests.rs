use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::event::{Event, parse};

fn header() -> impl Strategy<Value = Header> {
    let kind = prop_oneof![Just(Kind::Wef), Just(Kind::Evtx), Just(Kind::Own)];
    let time = (-60_000_000_000i64..250_000_000_000, 0i32..1_000_000_000)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap());
    let name = "\\PC{0,20}";
    (
        kind,
        name,
        any::<Option<IpAddr>>(),
        prop::option::of(name),
        time,
    )
        .prop_map(
            |(kind, source, address, subscription, received_at)| Header {
                kind,
                source,
                address,
                subscription,
                received_at,
            },
        )
}

fn texts() -> impl Strategy<Value = Vec<(String, u8)>> {
    let text = prop_oneof![
        "\\PC{0,30}",
        "[a-z]{0,9}".prop_map(|name| format!("<Event><EventData><Data Name='{name}'>1</Data>"))
    ];
    vec((text, any::<u8>()), 0..6)
}

fn encode(header: &Header, texts: &[(String, u8)]) -> Vec<u8> {
    let mut encoder = Encoder::new(header);
    let mut index = Index::new();
    for (text, flags) in texts {
        let _ = parse(text, &mut index);
        encoder.push(text, Flags(*flags), &index);
    }
    assert_eq!(encoder.events() as usize, texts.len());
    let bytes = encoder.bytes();
    let batch = encoder.finish();
    assert_eq!(batch.len(), bytes);
    batch
}

proptest! {
    #[test]
    fn batches_come_back(header in header(), texts in texts()) {
        let bytes = encode(&header, &texts);
        let batch = Batch::decode(&bytes).unwrap();
        prop_assert_eq!(&batch.header, &header);
        prop_assert_eq!(batch.events() as usize, texts.len());
        let records: Vec<_> = batch.records().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(records.len(), texts.len());
        let (mut index, mut parsed) = (Index::new(), Index::new());
        for (record, (text, flags)) in records.iter().zip(&texts) {
            prop_assert_eq!((record.text, record.flags), (text.as_str(), Flags(*flags)));
            record.read_index(&mut index).unwrap();
            let _ = parse(text, &mut parsed);
            prop_assert_eq!(&index, &parsed);
        }
    }

    #[test]
    fn damaged_batches_are_refused_or_read(
        header in header(),
        texts in texts(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: prop::sample::Index,
    ) {
        let mut bytes = encode(&header, &texts);
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        read_all(&bytes);
        read_all(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in vec(any::<u8>(), 0..80)) {
        read_all(&bytes);
        bytes.splice(0..0, [VERSION, 3, 0, 0, 0, 0, 0, 0, 0, 1, b'h', 0]);
        prop_assert!(Batch::decode(&bytes).is_ok());
        read_all(&bytes);
    }
}

/// Reads as far as it goes; an error must be the last item.
fn read_all(bytes: &[u8]) {
    let Ok(batch) = Batch::decode(bytes) else {
        return;
    };
    let mut index = Index::new();
    let mut records = batch.records();
    while let Some(record) = records.next() {
        match record {
            Ok(record) => {
                let _ = record.read_index(&mut index);
                assert!(Event::new(record.text, &index).data().count() <= record.index.len());
            }
            Err(_) => assert_eq!(records.next(), None),
        }
    }
    assert_eq!(records.next(), None);
}

fn small() -> Vec<u8> {
    let header = Header {
        kind: Kind::Evtx,
        source: "evtx".into(),
        address: Some(IpAddr::from([10, 0, 0, 1])),
        subscription: None,
        received_at: Timestamp::new(1, 2).unwrap(),
    };
    encode(&header, &[("<Event/>".into(), Flags::LOSSY_UTF16.0)])
}

/// Batches are stored: version 1 must always be readable as it is written here.
#[test]
fn the_stored_form_is_stable() {
    let bytes = small();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex, @"0101000000010204040a0000010465767478000108060100000000003c4576656e742f3e");
}

#[test]
fn what_is_wrong_is_named() {
    let mut bytes = small();
    bytes.push(0);
    let batch = Batch::decode(&bytes).unwrap();
    assert_eq!(
        batch.records().last(),
        Some(Err(DecodeError::TrailingBytes))
    );
    bytes[1] = 3;
    let batch = Batch::decode(&bytes).unwrap();
    assert_eq!(
        batch.records().last().unwrap().unwrap_err().to_string(),
        "event 2 of 3 in the batch is damaged"
    );
    bytes[5] = 9;
    assert_eq!(Batch::decode(&bytes).unwrap_err(), DecodeError::Header);
    bytes[0] = 4;
    assert_eq!(
        Batch::decode(&bytes).unwrap_err().to_string(),
        "batch has version 4, this program reads versions up to 3"
    );
    // Events have the first version, files the second.
    (bytes[0], bytes[5]) = (2, Kind::Wef as u8);
    assert_eq!(Batch::decode(&bytes).unwrap_err(), DecodeError::Header);
    (bytes[0], bytes[5]) = (1, Kind::File as u8);
    assert_eq!(Batch::decode(&bytes).unwrap_err(), DecodeError::Header);
    assert_eq!(Batch::decode(&[]).unwrap_err(), DecodeError::Header);
}

#[test]
fn long_names_are_cut_on_a_character() {
    let header = Header {
        kind: Kind::Own,
        source: "\u{20ac}".repeat(BATCH_NAME_BYTES_MAX),
        address: None,
        subscription: None,
        received_at: Timestamp::UNIX_EPOCH,
    };
    let bytes = Encoder::new(&header).finish();
    let batch = Batch::decode(&bytes).unwrap();
    assert!(header.source.starts_with(&batch.header.source));
    assert_eq!(batch.header.source.len(), BATCH_NAME_BYTES_MAX / 3 * 3);
}

#[test]
fn flags_follow_from_the_status() {
    let mut index = Index::new();
    for (text, flags) in [
        ("<Event/>", Flags::NONE),
        ("<Event>", Flags::MALFORMED),
        ("<Event><RenderingInfo ", Flags::TRUNCATED_RENDERING),
    ] {
        let _ = parse(text, &mut index);
        assert_eq!(Flags::of(&index), flags);
    }
    let flags = Flags::MALFORMED | Flags::LOSSY_UTF16;
    assert!(flags.contains(Flags::LOSSY_UTF16) && !flags.contains(Flags::LOSSY_UTF8));
}
