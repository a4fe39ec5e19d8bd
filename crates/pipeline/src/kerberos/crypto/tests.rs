use proptest::prelude::*;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// RFC 3962 appendix B.
#[test]
fn keys_of_passwords_with_sha1() {
    let of = |etype: Etype, password: &[u8], salt: &[u8], rounds| {
        hex(etype
            .key_of_password(password, salt, rounds)
            .unwrap()
            .bytes())
    };
    let (password, salt) = (b"password", b"ATHENA.MIT.EDUraeburn");
    assert_eq!(
        of(Etype::Aes128Sha1, password, salt, Some(1)),
        "42263c6e89f4fc28b8df68ee09799f15"
    );
    assert_eq!(
        of(Etype::Aes256Sha1, password, salt, Some(1_200)),
        "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a"
    );
}

/// RFC 8009 appendix A.
#[test]
fn keys_of_passwords_with_sha2() {
    let salt = [
        unhex("10df9dd783e5bc8acea1730e74355f61"),
        b"ATHENA.MIT.EDUraeburn".to_vec(),
    ]
    .concat();
    let of = |etype: Etype| {
        hex(etype
            .key_of_password(b"password", &salt, None)
            .unwrap()
            .bytes())
    };
    assert_eq!(of(Etype::Aes128Sha256), "089bca48b105ea6ea77ca5d2f39dc5e7");
    assert_eq!(
        of(Etype::Aes256Sha384),
        "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467"
    );
}

/// RFC 8009 appendix A: "Sample results for key derivation" and "Sample encryptions".
#[test]
fn encryption_with_sha2() {
    let key = unhex("3705d96080c17728a0e800eab6e0d23c");
    let key = Key::new(Etype::Aes128Sha256, &key).unwrap();
    assert_eq!(
        hex(&key.derive_for(2, ENCRYPTS).unwrap()),
        "9b197dd1e8c5609d6e67c3e37c62c72e"
    );
    assert_eq!(
        hex(&key.derive_for(2, AUTHENTICATES).unwrap()),
        "9fda0e56ab2d85e1569a688696c26a6c"
    );
    let data = unhex("ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718");
    assert_eq!(*key.decrypt(2, &data).unwrap(), b"");
    let data =
        unhex("84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c");
    assert_eq!(*key.decrypt(2, &data).unwrap(), unhex("000102030405"));
    let key = unhex("6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52");
    let key = Key::new(Etype::Aes256Sha384, &key).unwrap();
    let data =
        unhex("41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c");
    assert_eq!(*key.decrypt(2, &data).unwrap(), b"");
}

proptest! {
    #[test]
    fn what_is_encrypted_comes_back_and_only_unaltered(
        etype in prop::sample::select(Etype::ALL.to_vec()),
        text in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let key = Key::random(etype).unwrap();
        let data = key.encrypt(usage::TICKET, &text).unwrap();
        prop_assert_eq!(data.len(), text.len() + BLOCK + etype.mac_bytes());
        prop_assert_eq!(&*key.decrypt(usage::TICKET, &data).unwrap(), &text);
        prop_assert_eq!(key.decrypt(usage::AS_REP, &data), Err(CryptoError::Integrity));
        let mut altered = data.clone();
        altered[at.index(data.len())] ^= 1 << bit;
        prop_assert_eq!(key.decrypt(usage::TICKET, &altered), Err(CryptoError::Integrity));
        let cut = &data[..at.index(data.len())];
        prop_assert_eq!(key.decrypt(usage::TICKET, cut), Err(CryptoError::Integrity));
    }
}

#[test]
fn encryptions_have_names() {
    assert_eq!(etype_name(18), "aes256-cts-hmac-sha1-96");
    assert_eq!(etype_name(23), "rc4-hmac");
    assert_eq!(etype_name(99), "encryption 99");
    assert!(Key::new(Etype::Aes256Sha1, &[0; 16]).is_err());
}
