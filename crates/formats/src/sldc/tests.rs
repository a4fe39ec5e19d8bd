use proptest::prelude::*;

use super::encode::BitWriter;
use super::*;

mod reference;

/// A stream built symbol by symbol, so that every form of the format is met, not only those that
/// [`Encoder`] writes.
#[derive(Debug, Clone)]
enum Symbol {
    Bytes(Vec<u8>),
    /// Length, and a number that picks the distance among the possible ones.
    Copy(usize, usize),
    Scheme1,
    Scheme2,
    Reset1,
    Reset2,
    Flush,
}

fn symbol() -> impl Strategy<Value = Symbol> {
    prop_oneof![
        4 => prop::collection::vec(prop_oneof![any::<u8>(), Just(0xFF)], 0..20).prop_map(Symbol::Bytes),
        4 => (2..=COPY_BYTES_MAX, any::<usize>()).prop_map(|(length, pick)| Symbol::Copy(length, pick)),
        1 => Just(Symbol::Scheme1),
        1 => Just(Symbol::Scheme2),
        1 => Just(Symbol::Reset1),
        1 => Just(Symbol::Reset2),
        1 => Just(Symbol::Flush),
    ]
}

/// Writes the symbols with a history ring, as the standard describes it, and returns the body and
/// the clear data.
fn build(symbols: &[Symbol]) -> (Vec<u8>, Vec<u8>) {
    let mut body = Vec::new();
    let mut clear: Vec<u8> = Vec::new();
    let mut ring = vec![None; HISTORY_BYTES];
    let mut at = 0;
    let mut scheme = 1;
    let mut bits = BitWriter::new(&mut body);
    bits.control(control::RESET_1);
    for symbol in symbols {
        match symbol {
            Symbol::Bytes(bytes) => {
                for &byte in bytes {
                    match (scheme, byte) {
                        (1, _) => bits.put(u64::from(byte), 9),
                        (_, 0xFF) => bits.put(0x1FE, 9),
                        _ => bits.put(u64::from(byte), 8),
                    }
                    clear.push(byte);
                    ring[at] = Some(byte);
                    at = (at + 1) % HISTORY_BYTES;
                }
            }
            Symbol::Copy(length, pick) => {
                let known: Vec<usize> = (0..HISTORY_BYTES).filter(|&a| ring[a].is_some()).collect();
                if scheme == 2 || known.is_empty() {
                    continue;
                }
                let address = known[pick % known.len()];
                bits.copy(*length, address);
                for k in 0..*length {
                    let byte = ring[(address + k) % HISTORY_BYTES].unwrap();
                    clear.push(byte);
                    ring[at] = Some(byte);
                    at = (at + 1) % HISTORY_BYTES;
                }
            }
            Symbol::Scheme1 => {
                bits.control(control::SCHEME_1);
                scheme = 1;
            }
            Symbol::Scheme2 => {
                bits.control(control::SCHEME_2);
                scheme = 2;
            }
            Symbol::Reset1 | Symbol::Reset2 => {
                let first = matches!(symbol, Symbol::Reset1);
                bits.control(if first {
                    control::RESET_1
                } else {
                    control::RESET_2
                });
                scheme = if first { 1 } else { 2 };
                ring.fill(None);
                at = 0;
            }
            Symbol::Flush => {
                bits.control(control::FLUSH);
                bits.pad(4);
            }
        }
    }
    bits.control(control::END_OF_RECORD);
    bits.pad(2);
    body.extend_from_slice(&(clear.len() as u32).to_le_bytes());
    (body, clear)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_conforming_stream_decodes(symbols in prop::collection::vec(symbol(), 0..60)) {
        let (body, clear) = build(&symbols);
        let mut decoder = Decoder::new();
        prop_assert_eq!(decoder.decode(&body, clear.len()).unwrap(), &clear[..]);
    }

    #[test]
    fn encoded_bytes_come_back(clear in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert_eq!(round_trip(&clear), clear);
    }

    #[test]
    fn encoded_text_comes_back(parts in prop::collection::vec("(<Data Name='[A-Z]{1,3}'>|[a-zÿ☃]{0,9}|</Data>)", 0..400)) {
        let clear = utf16(&parts.concat());
        prop_assert_eq!(round_trip(&clear), clear);
    }

    #[test]
    fn damaged_streams_never_panic(
        symbols in prop::collection::vec(symbol(), 0..40),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let (mut body, clear) = build(&symbols);
        for (at, mask) in flips {
            let at = at % body.len();
            body[at] ^= mask;
        }
        let limit = clear.len() + 100;
        if let Ok(bytes) = Decoder::new().decode(&body, limit) {
            prop_assert!(bytes.len() <= limit);
        }
    }

    /// Long ones, so that the loop for ample data meets every kind of damage.
    #[test]
    fn damage_is_seen_as_one_symbol_at_a_time_sees_it(
        symbols in prop::collection::vec(symbol(), 0..200),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        off in prop_oneof![9 => Just(0), 1 => -300_i32..300],
    ) {
        let (mut body, clear) = build(&symbols);
        let stream = body.len() - TRAILER_BYTES;
        for (at, mask) in flips {
            body[at % stream] ^= mask;
        }
        let declared = clear.len().saturating_add_signed(off as isize);
        body[stream..].copy_from_slice(&(declared as u32).to_le_bytes());
        let limit = declared.max(clear.len());
        let decoded = Decoder::new().decode(&body, limit).map(<[u8]>::to_vec).ok();
        prop_assert_eq!(decoded, reference::decode(&body[..stream], declared));
    }

    #[test]
    fn cut_streams_are_errors(symbols in prop::collection::vec(symbol(), 1..40), cut in any::<usize>()) {
        let (mut body, clear) = build(&symbols);
        // With the trailer kept, what is missing is the end of the record.
        let stream = body.len() - TRAILER_BYTES;
        body.drain(cut % stream..stream);
        if body.len() + 2 < stream + TRAILER_BYTES {
            prop_assert!(Decoder::new().decode(&body, clear.len()).is_err());
        }
    }

    #[test]
    fn a_decoder_carries_nothing_over(
        first in prop::collection::vec(any::<u8>(), 0..3000),
        second in prop::collection::vec(symbol(), 0..40),
    ) {
        let mut decoder = Decoder::new();
        let mut body = Vec::new();
        Encoder::new().encode(&first, &mut body);
        decoder.decode(&body, first.len()).unwrap();
        let (body, clear) = build(&second);
        prop_assert_eq!(decoder.decode(&body, clear.len()).unwrap(), &clear[..]);
    }
}

fn round_trip(clear: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    Encoder::new().encode(clear, &mut body);
    Decoder::new().decode(&body, clear.len()).unwrap().to_vec()
}

#[test]
fn the_bits_are_those_of_the_standard() {
    // RESET 2, "test string" in scheme 2, END OF RECORD, padding, length; worked out by hand.
    let mut body = vec![
        0xFF, 0xB3, 0xA3, 0x2B, 0x9B, 0xA1, 0x03, 0x9B, 0xA3, 0x93, 0x4B, 0x73, 0x3F, 0xFD, 0, 0,
    ];
    body.extend_from_slice(&11u32.to_le_bytes());
    assert_eq!(Decoder::new().decode(&body, 64).unwrap(), b"test string");

    // RESET 1 (1 1111 1111 0101), literal 'a', copy of 2 from address 0 and so on.
    let (body, clear) = build(&[Symbol::Bytes(b"ab".to_vec()), Symbol::Copy(2, 0)]);
    assert_eq!(clear, b"abab");
    let bits: String = body.iter().map(|byte| format!("{byte:08b}")).collect();
    insta::assert_snapshot!(bits, @"111111111010100110000100110001010000000000001111111110100000000000000100000000000000000000000000");
}

#[test]
fn the_encoder_finds_matches() {
    let clear = utf16(&"<Data Name='SubjectUserName'>SYSTEM</Data>".repeat(20));
    let mut body = Vec::new();
    Encoder::new().encode(&clear, &mut body);
    assert!(
        body.len() * 10 < clear.len(),
        "{} of {}",
        body.len(),
        clear.len()
    );
    assert!(body.len().is_multiple_of(2));
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let (mut body, _) = build(&[Symbol::Bytes(vec![0]), Symbol::Copy(271, 0)]);
    let trailer = body.len() - TRAILER_BYTES;
    body[trailer..].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut decoder = Decoder::new();
    assert_eq!(
        decoder.decode(&body, 1 << 20),
        Err(DecodeError::TooLarge {
            declared: u32::MAX as usize,
            limit: 1 << 20
        })
    );
    // A length that no stream of this size can hold is not believed either.
    body[trailer..].copy_from_slice(&100_000u32.to_le_bytes());
    assert_eq!(
        decoder.decode(&body, 1 << 20),
        Err(DecodeError::LengthMismatch { declared: 100_000 })
    );
    assert_eq!(decoder.capacity(), 0);
    // A stream that goes on behind its stated length stops there.
    let (mut body, clear) = build(&vec![Symbol::Copy(271, 0); 100].into_iter().fold(
        vec![Symbol::Bytes(vec![7])],
        |mut all, one| {
            all.push(one);
            all
        },
    ));
    let trailer = body.len() - TRAILER_BYTES;
    body[trailer..].copy_from_slice(&(clear.len() as u32 - 1).to_le_bytes());
    assert!(matches!(
        decoder.decode(&body, 1 << 20),
        Err(DecodeError::LengthMismatch { .. })
    ));
}

#[test]
fn what_is_not_a_stream_is_named() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode(b"", 10), Err(DecodeError::Truncated));
    assert_eq!(
        decoder.decode(&[0xFF, 0xA8], 10),
        Err(DecodeError::Truncated)
    );
    let plain = b"<s:Envelope\x05\0\0\0";
    assert_eq!(
        decoder.decode(plain, 10),
        Err(DecodeError::BadControl {
            symbol: 0xFF,
            at: 0
        })
    );

    let mut body = Vec::new();
    let mut bits = BitWriter::new(&mut body);
    bits.control(control::RESET_1);
    bits.put(u64::from(b'a'), 9);
    bits.copy(2, 1);
    bits.control(control::END_OF_RECORD);
    bits.pad(2);
    body.extend_from_slice(&3u32.to_le_bytes());
    assert_eq!(
        decoder.decode(&body, 10),
        Err(DecodeError::BadPointer { at: 1 })
    );

    let (mut body, _) = build(&[]);
    body[1] = (body[1] & 0x87) | (0b0011 << 3);
    assert_eq!(
        decoder.decode(&body, 10),
        Err(DecodeError::BadControl {
            symbol: 0b0011,
            at: 0
        })
    );
}
