use proptest::prelude::*;

use super::encode::{self, File, Header, event};
use super::*;
use crate::etl::xca;

/// Everything that can be asked of a file.
fn ask(bytes: &[u8]) -> usize {
    let Ok(mut reader) = Reader::open(bytes) else {
        return 0;
    };
    let (mut schemas, mut buffers) = (Schemas::default(), 0);
    loop {
        match reader.next_buffer() {
            Ok(Some(buffer)) => {
                for event in buffer.events().flatten() {
                    let _ = schemas.learn(&event);
                    let _ = schemas.decode(&event);
                }
            }
            Ok(None) => return buffers,
            Err(_) => {}
        }
        buffers += 1;
        assert!(buffers < 10_000, "no end");
    }
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 1..200_usize), 0..12),
    ) {
        let plain: Vec<u8> = parts.iter().flat_map(|(part, times)| part.repeat(*times)).take(9_000).collect();
        let mut out = Vec::new();
        for (scheme, packed) in [(Compression::Xpress, encode::xpress(&plain)), (Compression::Lznt1, encode::lznt1(&plain))] {
            prop_assert_eq!(xca::unpack(scheme, &packed, plain.len(), &mut out), Ok(()));
            prop_assert!(out == plain, "{}", scheme);
            let short = xca::unpack(scheme, &packed, plain.len() + 100_000, &mut out);
            prop_assert!(short.is_err() || out.len() > plain.len());
        }
    }

    #[test]
    fn no_more_is_unpacked_than_wanted(packed: Vec<u8>, wanted in 0..5_000_usize) {
        let mut out = Vec::new();
        for scheme in [Compression::Xpress, Compression::Lznt1] {
            let whole = xca::unpack(scheme, &packed, wanted, &mut out).is_ok();
            prop_assert!(out.len() <= wanted && (!whole || out.len() == wanted));
        }
    }

    #[test]
    fn payloads_come_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12), ids: [u16; 12]) {
        let events: Vec<_> = payloads.iter().zip(ids).map(|(payload, id)| {
            event(Header { id: id & 0x7fff, ..Header::default() }, payload)
        }).collect();
        let bytes = File::new(encode::QPC).compressed(3).buffer(0, &events).bytes();
        let mut reader = Reader::open(bytes.as_slice()).unwrap();
        reader.next_buffer().unwrap();
        let buffer = reader.next_buffer().unwrap().unwrap();
        let read: Vec<_> = buffer.events().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), payloads.len());
        for (event, (payload, id)) in read.iter().zip(payloads.iter().zip(ids)) {
            prop_assert_eq!((event.payload, event.id), (payload.as_slice(), id & 0x7fff));
        }
    }

    #[test]
    fn damage_ends(at in 0..8_000_usize, with: [u8; 4], cut in 0..8_192_usize, scheme in prop::option::of(2..5_u16)) {
        let (schema, payload) = encode::tracelogging();
        let header = || Header { extended: vec![(11, schema.clone())], ..Header::default() };
        let events = [event(header(), &payload), encode::part(0, 1, encode::MANIFEST.as_bytes())];
        let mut file = File::new(encode::QPC).buffer(0, &events[..1]).buffer(1, &events[1..]);
        if let Some(scheme) = scheme {
            file = file.compressed(scheme);
        }
        let mut bytes = file.bytes();
        let at = at % (bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&with);
        ask(&bytes);
        bytes.truncate(cut);
        ask(&bytes);
    }
}
