//! Any bytes as a PFX file: it is opened or refused, within its limits. The build lets every MAC
//! pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_fuzz::pfx::{PFX_BAGS_MAX, PfxError, open};

fuzz_target!(|data: &[u8]| {
    for password in ["", "p\u{e4}ss"] {
        match open(data, password) {
            Ok(archive) => {
                assert!(archive.keys.len() + archive.certificates.len() <= PFX_BAGS_MAX);
                let read: usize = archive.certificates.iter().map(Vec::len).sum();
                assert!(read <= data.len(), "no more comes out than went in");
            }
            Err(PfxError::Truncated { missing }) => assert!(missing > 0),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
