use proptest::prelude::*;

use super::*;

const PROTOCOLS: [Protocol; 2] = [Protocol::Kerberos, Protocol::Spnego];

fn body(protocol: Protocol, signature: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let length = u32::try_from(signature.len()).unwrap();
    let content_type = Charset::Utf16Le.content_type();
    open(&mut out, protocol, content_type, data.len(), length);
    out.extend_from_slice(signature);
    out.extend_from_slice(data);
    close(&mut out);
    out
}

fn sealing(protocol: Protocol) -> Sealing<'static> {
    Sealing::from_content_type(protocol.content_type()).unwrap()
}

/// What Windows sends, letter by letter.
#[test]
fn the_form_is_that_of_the_specification() {
    let body = body(Protocol::Kerberos, b"SIGN", b"data\r\n\xFF");
    insta::assert_snapshot!(body.escape_ascii(), @r"--Encrypted Boundary\r\nContent-Type: application/HTTP-Kerberos-session-encrypted\r\nOriginalContent: type=application/soap+xml;charset=UTF-16;Length=7\r\n--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n\x04\x00\x00\x00SIGNdata\r\n\xff--Encrypted Boundary--\r\n");
    let read = read(&body, sealing(Protocol::Kerberos)).unwrap();
    assert_eq!(read.charset, Some(Charset::Utf16Le));
    assert_eq!(read.original_bytes, 7);
    assert_eq!(&body[read.signature], b"SIGN");
    assert_eq!(&body[read.data], b"data\r\n\xFF");
}

#[test]
fn other_senders_are_read_too() {
    // A tab before each header, UTF-8, other order and case of the parameters, no last line end.
    let body = b"--x y\r\n\tContent-Type: application/http-spnego-session-encrypted\r\n\
        \tOriginalContent: type=application/soap+xml;charset=UTF-8; length=1\r\n\
        --x y\r\n\tContent-Type: application/octet-stream\r\n\x00\x00\x00\x00z--x y--";
    let content_type =
        "Multipart/Encrypted; boundary=x y; Protocol=application/HTTP-SPNEGO-session-encrypted";
    let read = read(body, Sealing::from_content_type(content_type).unwrap()).unwrap();
    assert_eq!(read.charset, Some(Charset::Utf8));
    assert_eq!((read.signature.len(), &body[read.data]), (0, &b"z"[..]));
}

#[test]
fn what_is_not_sealed_is_not_taken_for_it() {
    let of = |value| Sealing::from_content_type(value).unwrap_err();
    for clear in ["", "application/soap+xml;charset=UTF-16", "multipart/mixed"] {
        assert_eq!(of(clear), MultipartError::NotSealed, "{clear}");
    }
    for protocol in ["", ";protocol=application/HTTP-CredSSP-session-encrypted"] {
        let value = format!("multipart/encrypted{protocol};boundary=b");
        let error = Sealing::from_content_type(&value).unwrap_err();
        assert_eq!(error, MultipartError::Protocol, "{value}");
    }
    let kerberos = Protocol::Kerberos.media_type();
    for boundary in [
        "",
        ";boundary=",
        ";boundary=\u{e9}",
        &format!(";boundary={:b>71}", ""),
    ] {
        let value = format!("multipart/encrypted;protocol={kerberos}{boundary}");
        let error = Sealing::from_content_type(&value).unwrap_err();
        assert_eq!(error, MultipartError::Boundary, "{value}");
    }
}

#[test]
fn each_fault_has_its_name() {
    let good = body(Protocol::Kerberos, b"SIGN", b"data");
    let good = String::from_utf8(good).unwrap();
    let read = |body: &str| read(body.as_bytes(), sealing(Protocol::Kerberos));
    let without = |part: &str| read(&good.replacen(part, "", 1)).unwrap_err();
    let header = |part, header| MultipartError::Header { part, header };
    assert_eq!(
        without("--Encrypted Boundary\r\n"),
        MultipartError::NoPart { part: 1 }
    );
    assert_eq!(without("Kerberos-"), header(1, "Content-Type"));
    assert_eq!(without(";Length=4"), header(1, "OriginalContent"));
    assert_eq!(without("octet-stream"), header(2, "Content-Type"));
    assert_eq!(without("--Encrypted Boundary--"), MultipartError::NotClosed);
    assert_eq!(without("\x04\0\0\0SIGNdata"), MultipartError::Signature);
    assert_eq!(read("").unwrap_err(), MultipartError::NotClosed);
    let long = good.replacen("\x04\0\0\0", "\x09\0\0\0", 1);
    assert_eq!(read(&long).unwrap_err(), MultipartError::Signature);
    let endless = good.replacen(
        "\r\nOriginal",
        &format!("\r\nX: {:x>2000}\r\nOriginal", ""),
        1,
    );
    assert_eq!(read(&endless).unwrap_err(), MultipartError::HeadTooLarge);
    let spaces = format!("{good}{: >100}", "");
    assert_eq!(read(&spaces).unwrap_err(), MultipartError::NotClosed);
    // Of the other protocol than its head says.
    let other = super::read(good.as_bytes(), sealing(Protocol::Spnego)).unwrap_err();
    assert_eq!(other, header(1, "Content-Type"));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        protocol in prop::sample::select(PROTOCOLS.to_vec()),
        signature in prop::collection::vec(any::<u8>(), 0..100),
        mut data in prop::collection::vec(any::<u8>(), 0..3000),
        inside in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        // Data may hold anything, what looks like its end included.
        for at in inside {
            let at = at.index(data.len() + 1);
            data.splice(at..at, *b"--Encrypted Boundary--\r\n");
        }
        let body = body(protocol, &signature, &data);
        let read = read(&body, sealing(protocol)).unwrap();
        prop_assert_eq!(read.original_bytes, data.len());
        prop_assert_eq!(&body[read.signature], &signature[..]);
        prop_assert_eq!(&body[read.data], &data[..]);
    }

    #[test]
    fn nothing_breaks_it(
        mut body in prop::collection::vec(any::<u8>(), 0..600),
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let _ = read(&body, sealing(Protocol::Kerberos));
        body = self::body(Protocol::Kerberos, b"SIGN", &body);
        let at = cut.index(body.len());
        let short = &body[..at];
        if let Ok(sealed) = read(short, sealing(Protocol::Kerberos)) {
            prop_assert!(sealed.data.end <= short.len());
        }
        body[at] = byte;
        if let Ok(sealed) = read(&body, sealing(Protocol::Kerberos)) {
            prop_assert!(sealed.signature.end == sealed.data.start && sealed.data.end <= body.len());
        }
    }
}
