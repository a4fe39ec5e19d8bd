use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn time() -> impl Strategy<Value = Timestamp> {
    (-60_000_000_000i64..250_000_000_000, 0i32..1_000_000_000)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn header() -> impl Strategy<Value = Header> {
    let name = "\\PC{0,20}";
    let subscription = prop::option::of(name);
    (name, any::<Option<IpAddr>>(), subscription, time()).prop_map(
        |(source, address, subscription, received_at)| Header {
            kind: Kind::File,
            source,
            address,
            subscription,
            received_at,
        },
    )
}

fn reference() -> impl Strategy<Value = FileReference> {
    let class = prop::sample::select(&FileClass::ALL[..]);
    let content = prop_oneof![
        any::<u32>().prop_map(|bytes| Content::Dropped { bytes }),
        (any::<[u8; 16]>(), any::<u32>(), any::<[u8; 32]>()).prop_map(|(id, bytes, sha256)| {
            let id = PieceId(id);
            Content::Kept(Piece { id, bytes, sha256 })
        }),
    ];
    let whole =
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(bytes, sha256)| WholeFile { bytes, sha256 });
    (
        class,
        prop::option::of("\\PC{0,20}"),
        "\\PC{0,60}",
        any::<[u8; 16]>(),
        0..u64::from(u32::MAX) << 8,
        content,
        prop::option::of((any::<u64>(), vec(any::<u8>(), 0..40))),
        prop::option::of(whole),
        prop::option::of(time()),
    )
        .prop_map(
            |(class, site, path, file, offset, content, lines, whole, modified_at)| FileReference {
                class,
                site,
                path,
                file: FileId(file),
                offset,
                content,
                lines: lines.map(|(first, directives)| FileLines { first, directives }),
                whole,
                modified_at,
            },
        )
}

proptest! {
    #[test]
    fn references_come_back(header in header(), reference in reference()) {
        let bytes = reference.encode(&header);
        let batch = Batch::decode(&bytes).unwrap();
        prop_assert_eq!(&batch.header, &header);
        prop_assert_eq!(batch.events(), 1);
        prop_assert!(batch.records().next().is_none());
        prop_assert_eq!(batch.file().unwrap(), Some(reference));
    }

    #[test]
    fn damaged_references_are_refused_or_read(
        header in header(),
        reference in reference(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: prop::sample::Index,
    ) {
        let mut bytes = reference.encode(&header);
        let cut = cut.index(bytes.len());
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut]] {
            if let Ok(batch) = Batch::decode(bytes)
                && let Ok(Some(reference)) = batch.file()
            {
                let again = reference.encode(&batch.header);
                let batch = Batch::decode(&again).unwrap();
                prop_assert_eq!(batch.file(), Ok(Some(reference)));
            }
        }
    }

    #[test]
    fn any_bytes_are_no_reference_or_one(bytes in vec(any::<u8>(), 0..200)) {
        let _ = FileReference::decode(Reader::new(&bytes));
    }
}

fn small() -> (Header, FileReference) {
    let header = Header {
        kind: Kind::File,
        source: "web1".into(),
        address: None,
        subscription: Some("iis".into()),
        received_at: Timestamp::new(1, 2).unwrap(),
    };
    let reference = FileReference {
        class: FileClass::IisLog,
        site: Some("W3SVC1".into()),
        path: "a".into(),
        file: FileId([1; 16]),
        offset: 300,
        content: Content::Kept(Piece {
            id: PieceId([2; 16]),
            bytes: 5,
            sha256: [3; 32],
        }),
        lines: Some(FileLines {
            first: 4,
            directives: b"#Fields: a".to_vec(),
        }),
        whole: None,
        modified_at: Some(Timestamp::new(-1, 0).unwrap()),
    };
    (header, reference)
}

/// Batches are stored: version 2 must always be readable as it is written here.
#[test]
fn the_stored_form_is_stable() {
    let (header, reference) = small();
    let hex = crate::text::hex(&reference.encode(&header));
    insta::assert_snapshot!(hex, @"02010000000302040004776562310103696973000106573353564331016101010101010101010101010101010101ac02010502020202020202020202020202020202030303030303030303030303030303030303030303030303030303030303030301040a234669656c64733a206100010100");
}

#[test]
fn what_is_cut_or_has_more_is_damaged() {
    let (header, reference) = small();
    let mut bytes = reference.encode(&header);
    bytes.push(0);
    let batch = Batch::decode(&bytes).unwrap();
    assert_eq!(batch.file(), Err(DecodeError::File));
    assert!(batch.records().next().is_none());
    let batch = Batch::decode(&bytes[..bytes.len() - 2]).unwrap();
    assert_eq!(batch.file(), Err(DecodeError::File));
}

#[test]
fn a_piece_ends_where_a_number_can_say() {
    let (header, mut reference) = small();
    reference.offset = u64::MAX - 4;
    let bytes = reference.encode(&header);
    assert_eq!(
        Batch::decode(&bytes).unwrap().file(),
        Err(DecodeError::File)
    );
}

#[test]
fn batches_of_events_refer_to_no_file() {
    let (header, _) = small();
    let kind = Kind::Evtx;
    let bytes = super::super::Encoder::new(&Header { kind, ..header }).finish();
    assert_eq!(Batch::decode(&bytes).unwrap().file(), Ok(None));
}
