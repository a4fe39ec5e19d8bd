//! Any bytes as a compressed body: decoding keeps to its limit; what we compress comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::sldc::{Decoder, Encoder};

const LIMIT_BYTES: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::new();
    if let Ok(clear) = decoder.decode(data, LIMIT_BYTES) {
        assert!(clear.len() <= LIMIT_BYTES);
    }
    let mut body = Vec::new();
    Encoder::new().encode(data, &mut body);
    assert_eq!(decoder.decode(&body, data.len()), Ok(data), "comes back");
    if !data.is_empty() {
        assert!(
            decoder.decode(&body, data.len() - 1).is_err(),
            "the limit holds"
        );
    }
});
