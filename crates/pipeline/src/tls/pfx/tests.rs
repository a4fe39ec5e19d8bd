//! PFX files as OpenSSL writes them, in every encoding that is met, and what is wrong with others.
#![allow(clippy::print_stderr)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};
use rustls_pki_types::pem::PemObject as _;
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "Sw0rdfish";
/// Letters beyond Latin-1, and one beyond the first plane of Unicode.
const UNICODE: &str = "pässwörd-密码-🔑";

struct Files {
    folder: TempDir,
    leaf: String,
    intermediate: String,
    root: String,
}

fn params(name: &str, authority: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    params
}

impl Files {
    /// Root, intermediate and leaf, and the leaf's key; `None` where there is no openssl.
    fn new(key: &KeyPair) -> Option<Files> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: openssl is not installed (apt-get install openssl)");
            return None;
        }
        let (root_key, middle_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root_params = params("Root", true);
        let middle_params = params("Intermediate", true);
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::from_params(&root_params, &root_key);
        let middle = middle_params.signed_by(&middle_key, &root_issuer).unwrap();
        let middle_issuer = Issuer::from_params(&middle_params, &middle_key);
        let leaf = params("forwarder.example", false)
            .signed_by(key, &middle_issuer)
            .unwrap();
        let files = Files {
            folder: tempfile::tempdir().unwrap(),
            leaf: leaf.pem(),
            intermediate: middle.pem(),
            root: root.pem(),
        };
        files.write("leaf.pem", &files.leaf);
        files.write("key.pem", &key.serialize_pem());
        files.write(
            "chain.pem",
            &format!("{}{}", files.intermediate, files.root),
        );
        Some(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `openssl pkcs12 -export` of leaf, key and chain with `options`.
    fn export(&self, password: &str, options: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command
            .current_dir(self.folder.path())
            .args(["pkcs12", "-export", "-out", "out.pfx", "-in", "leaf.pem"])
            .args(["-passout", &format!("pass:{password}")])
            .args(options.split_whitespace());
        if !options.contains("-nokeys") && !options.contains("-inkey") {
            command.args(["-inkey", "key.pem"]);
        }
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{options}: {said}");
        fs::read(self.path("out.pfx")).unwrap()
    }
}

fn open(bytes: &[u8], password: &str) -> Result<ClientIdentity, PfxError> {
    read(bytes, &SecretString::from(password))
}

fn subjects(identity: &ClientIdentity) -> Vec<String> {
    let summaries = identity.chain().iter().filter_map(CertificateSummary::of);
    summaries.map(|summary| summary.subject).collect()
}

/// What is read is what was written: leaf and key, as PEM too.
fn assert_same(identity: &ClientIdentity, files: &Files, key: &KeyPair, what: &str) {
    assert_eq!(subjects(identity)[0], "CN=forwarder.example", "{what}");
    let leaf = identity.chain_pem().replace('\r', "");
    assert!(leaf.starts_with(&files.leaf.replace('\r', "")), "{what}");
    let read = KeyPair::from_pem(&identity.key_pem()).unwrap();
    assert_eq!(read.public_key_raw(), key.public_key_raw(), "{what}");
}

#[test]
fn every_encoding_that_openssl_writes_is_read() {
    let ec = KeyPair::generate().unwrap();
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    for key in [ec, rsa] {
        let Some(files) = Files::new(&key) else {
            return;
        };
        for (password, options) in [
            (PASSWORD, ""),
            (PASSWORD, "-keypbe AES-128-CBC -certpbe AES-128-CBC"),
            (
                PASSWORD,
                "-keypbe AES-192-CBC -certpbe AES-256-CBC -macalg sha384",
            ),
            (
                PASSWORD,
                "-keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha512",
            ),
            (
                PASSWORD,
                "-keypbe DES-EDE3-CBC -certpbe DES-EDE3-CBC -macalg sha224",
            ),
            (PASSWORD, "-keypbe PBE-SHA1-3DES -certpbe AES-256-CBC"),
            (
                PASSWORD,
                "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
            ),
            (
                PASSWORD,
                "-keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-2DES -macalg sha1",
            ),
            (PASSWORD, "-legacy"),
            (PASSWORD, "-legacy -certfile chain.pem"),
            (
                PASSWORD,
                "-legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128",
            ),
            (PASSWORD, "-legacy -keyex -CSP Microsoft-Enhanced"),
            (PASSWORD, "-keysig -name windrow"),
            (PASSWORD, "-keypbe NONE -certpbe NONE"),
            (PASSWORD, "-certfile chain.pem"),
            (PASSWORD, "-noiter -nomaciter"),
            (UNICODE, ""),
            (UNICODE, "-legacy"),
            ("", ""),
            ("", "-legacy"),
            ("", "-keypbe NONE -certpbe NONE"),
        ] {
            let bytes = files.export(password, options);
            let identity = open(&bytes, password)
                .unwrap_or_else(|error| panic!("{options:?} {password:?}: {error}"));
            assert_same(&identity, &files, &key, options);
            let expected = if options.contains("chain.pem") { 2 } else { 1 };
            assert_eq!(identity.chain().len(), expected, "{options}");
            assert_eq!(
                open(&bytes, "wrong").unwrap_err(),
                PfxError::WrongPassword,
                "{options}"
            );
        }
    }
}

#[test]
fn what_is_written_is_read_here_and_by_openssl() {
    for key in [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
    ] {
        let Some(files) = Files::new(&key) else {
            return;
        };
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let chain = [der(&files.leaf), der(&files.intermediate)];
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
        let written = write(&chain, &secret, &SecretString::from(UNICODE)).unwrap();
        let identity = open(&written, UNICODE).unwrap();
        assert_eq!(identity.chain(), chain);
        assert_eq!(identity.key().secret_pkcs8_der(), secret.secret_pkcs8_der());
        assert!(open(&written, "another").is_err());
        let again = write(&chain, &secret, &SecretString::from(UNICODE)).unwrap();
        assert_ne!(written, again, "salts are of chance");
        fs::write(files.path("written.pfx"), &written).unwrap();
        let shown = Command::new("openssl")
            .current_dir(files.folder.path())
            .args(["pkcs12", "-in", "written.pfx", "-nodes", "-passin"])
            .arg(format!("pass:{UNICODE}"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&shown.stdout);
        let errors = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success(), "{errors}");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
        assert_eq!(text.matches("BEGIN PRIVATE KEY").count(), 1, "{text}");
        // The key and its certificate are marked as a pair.
        assert_eq!(text.matches("localKeyID: 01").count(), 2, "{text}");
    }
}

#[test]
fn many_rounds_are_taken_and_too_many_are_refused() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    let identity = open(&files.export(PASSWORD, "-iter 600000"), PASSWORD).unwrap();
    assert_same(&identity, &files, &key, "600,000 rounds");
    let bytes = files.export(PASSWORD, "-iter 3000000 -maciter");
    let refused = open(&bytes, PASSWORD).unwrap_err();
    assert_eq!(refused, PfxError::TooManyRounds);
    // The number in the file is refused before any of it is done.
    let bytes = files.export(PASSWORD, "-iter 1000");
    let rounds = b"\x02\x02\x03\xe8";
    let at = bytes
        .windows(4)
        .rposition(|window| window == rounds)
        .unwrap();
    let mut many = bytes[..at].to_vec();
    many.extend(b"\x02\x04\x7f\xff\xff\xff");
    let many = lengthened(&many, bytes.len(), 2);
    assert_eq!(open(&many, PASSWORD).unwrap_err(), PfxError::TooManyRounds);
}

/// `bytes`, which end in a MacData that has grown by `more`, with the lengths around it corrected.
fn lengthened(bytes: &[u8], before: usize, more: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let whole = before - 4 + more;
    bytes[2..4].copy_from_slice(&u16::try_from(whole).unwrap().to_be_bytes());
    let mac = bytes
        .windows(4)
        .rposition(|window| window[0] == 0x30 && window[2] == 0x30 && window[3] == 0x31)
        .unwrap();
    bytes[mac + 1] += u8::try_from(more).unwrap();
    bytes
}

#[test]
fn a_chain_is_put_in_order_and_strangers_are_left_out() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    let stranger = KeyPair::generate().unwrap();
    let stranger = params("Stranger", true).self_signed(&stranger).unwrap();
    let orders = [
        [&files.leaf, &files.intermediate, &files.root],
        [&files.root, &files.intermediate, &files.leaf],
        [&files.intermediate, &files.root, &files.leaf],
    ];
    for order in orders {
        let [a, b, c] = order;
        files.write("in.pem", &format!("{a}{}{b}{c}", stranger.pem()));
        let bytes = files.export(PASSWORD, "-in in.pem");
        let identity = open(&bytes, PASSWORD).unwrap();
        assert_eq!(
            subjects(&identity),
            ["CN=forwarder.example", "CN=Intermediate"]
        );
        assert_same(&identity, &files, &key, "order");
    }
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    let refused = |options| open(&files.export(PASSWORD, options), PASSWORD).unwrap_err();
    assert_eq!(refused("-nomac"), PfxError::NoMac);
    assert_eq!(refused("-nokeys -certfile chain.pem"), PfxError::NoKey);
    assert_eq!(refused("-nocerts"), PfxError::NoCertificate);

    let good = files.export(PASSWORD, "");
    for cut in [good.len() - 1, good.len() / 2, 10] {
        let missing = good.len() - cut;
        assert_eq!(
            open(&good[..cut], PASSWORD).unwrap_err(),
            PfxError::Truncated { missing }
        );
    }
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(open(&changed, PASSWORD).is_err());
    for (bytes, expected) in [
        (b"".as_slice(), PfxError::NotPfx),
        (b"MZ\x90\x00", PfxError::NotPfx),
        (b"\x30\x03\x02\x01\x03", PfxError::NotPfx),
        (b"\x30\x80\x02\x01\x03\x00\x00", PfxError::IndefiniteLengths),
        (files.leaf.as_bytes(), PfxError::Pem),
        (&vec![0x30; PFX_BYTES_MAX as usize + 1], PfxError::TooLarge),
    ] {
        assert_eq!(open(bytes, PASSWORD).unwrap_err(), expected);
    }
}

#[test]
fn a_key_has_to_belong_to_one_certificate() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    // OpenSSL refuses to write a key with a certificate that is not its own, so the two come from
    // two files without encryption: the longer one's certificate bag, the other's key.
    let other = KeyPair::generate().unwrap();
    let options = "-keypbe NONE -certpbe NONE -nomac";
    let mut bytes = files.export(PASSWORD, options);
    let (ours, theirs) = (key.serialize_der(), other.serialize_der());
    let at = bytes
        .windows(32)
        .position(|window| {
            ours.windows(32)
                .skip(36)
                .take(1)
                .any(|of_key| of_key == window)
        })
        .unwrap();
    let tail = ours.len() - 36;
    bytes[at..at + tail].copy_from_slice(&theirs[36..]);
    let bytes = with_mac(&bytes);
    assert_eq!(open(&bytes, "").unwrap_err(), PfxError::KeyMismatch);
}

/// A file without a MAC, with one of one round and no password.
fn with_mac(bytes: &[u8]) -> Vec<u8> {
    use aws_lc_rs::{digest, hmac};
    // RFC 7292 B.2 with one round: the purpose, then salt and password, each filled up.
    let mut input = vec![3; 64];
    input.extend([7; 64]);
    input.extend([0; 64]);
    let key = digest::digest(&digest::SHA256, &input);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
    let tag = hmac::sign(&key, content(bytes));
    let digest = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let salt = b"\x04\x08\x07\x07\x07\x07\x07\x07\x07\x07";
    appended(bytes, &[digest, tag.as_ref(), salt].concat())
}

/// A file without a MAC, with one as RFC 9579 has it.
fn with_pbmac1(bytes: &[u8], password: &str) -> Vec<u8> {
    use aws_lc_rs::{hmac, pbkdf2};
    let (rounds, mut key) = (2048.try_into().unwrap(), [0; 32]);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
    pbkdf2::derive(
        algorithm,
        rounds,
        b"saltsalt",
        password.as_bytes(),
        &mut key,
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content(bytes));
    let pbmac1 = b"\x30\x6d\x30\x49\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e\x30\x3c";
    let pbkdf2 = b"\x30\x2c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c\x30\x1f\x04\x08saltsalt\x02\x02\x08\x00\x02\x01\x20";
    let prf = b"\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x0b\x05\x00";
    let hmac = b"\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x05\x00";
    let unused = b"\x04\x08NOT USED\x02\x01\x01";
    let mac = [
        pbmac1.as_slice(),
        pbkdf2,
        prf,
        hmac,
        b"\x04\x20",
        tag.as_ref(),
        unused,
    ];
    appended(bytes, &mac.concat())
}

/// `bytes` with a MacData of `content` behind what is in it.
fn appended(bytes: &[u8], content: &[u8]) -> Vec<u8> {
    let body = &bytes[4..];
    let length = u16::try_from(body.len() + content.len() + 2).unwrap();
    let mut whole = vec![0x30, 0x82];
    whole.extend(length.to_be_bytes());
    whole.extend(body);
    whole.extend([0x30, u8::try_from(content.len()).unwrap()]);
    whole.extend(content);
    whole
}

/// What a MAC is made over: behind version, ContentInfo, its type, the wrapping and the string's
/// own head.
fn content(bytes: &[u8]) -> &[u8] {
    let octets = bytes
        .windows(2)
        .skip(24)
        .position(|pair| pair == [0x04, 0x82]);
    &bytes[octets.unwrap() + 24 + 4..]
}

#[test]
fn a_mac_of_rfc_9579_is_read() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    let bytes = with_pbmac1(&files.export(UNICODE, "-nomac"), UNICODE);
    assert_same(&open(&bytes, UNICODE).unwrap(), &files, &key, "PBMAC1");
    assert_eq!(open(&bytes, PASSWORD).unwrap_err(), PfxError::WrongPassword);
}

#[test]
fn nothing_secret_is_shown() {
    let key = KeyPair::generate().unwrap();
    let Some(files) = Files::new(&key) else {
        return;
    };
    let identity = open(&files.export(PASSWORD, ""), PASSWORD).unwrap();
    let text = format!("{identity:?}");
    assert!(text.contains("forwarder.example"));
    assert!(!text.contains("key: [") && text.len() < 1_000, "{text}");
}

#[test]
fn base64_is_that_of_the_rfc() {
    // RFC 4648 10.
    for (plain, expected) in [
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        let mut text = String::new();
        for group in plain.as_bytes().chunks(3) {
            push_base64(&mut text, group);
        }
        assert_eq!(text, expected);
    }
}
