//! Any bytes as a sealed body: what is found lies within it; what we write comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::wsman::Charset;
use windrow_formats::wsman::multipart::{Protocol, Sealing, close, open, read};
use windrow_fuzz::halves;

fuzz_target!(|data: &[u8]| {
    let (head, body) = halves(data);
    if let Ok(head) = std::str::from_utf8(head)
        && let Ok(sealing) = Sealing::from_content_type(head)
        && let Ok(sealed) = read(body, sealing)
    {
        assert!(sealed.signature.start <= sealed.signature.end);
        assert_eq!(sealed.signature.end, sealed.data.start);
        assert!(sealed.data.end <= body.len());
    }
    for protocol in [Protocol::Kerberos, Protocol::Spnego] {
        let mut out = Vec::new();
        let content_type = Charset::Utf8.content_type();
        open(&mut out, protocol, content_type, data.len(), 0);
        out.extend_from_slice(data);
        close(&mut out);
        let sealing = Sealing::from_content_type(protocol.content_type()).expect("our own");
        let sealed = read(&out, sealing).expect("what was written is read");
        assert_eq!(&out[sealed.data], data);
    }
});
