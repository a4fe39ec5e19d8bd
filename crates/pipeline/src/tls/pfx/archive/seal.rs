//! Writes a PFX file (PKCS #12, RFC 7292) as every Windows since 2008 reads it: triple DES and SHA-1, which is what those
//! before 2019 know at most. How well it is sealed hangs on the password, so take a long one of chance.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::hmac;
use des::TdesEde3;
use des::cipher::{Array, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use super::der::{CONTEXT_0, EXPLICIT_0, INTEGER, OCTET_STRING, OID, SEQUENCE};
use super::derive::{Budget, Password, Purpose, pkcs12};
use super::error::PfxError;
use super::{BAG, DATA, ENCRYPTED_DATA, PKCS7, SHA1, X509_CERTIFICATE};

const SET: u8 = 0x31;
const NULL: &[u8] = b"\x05\x00";
/// Key derivation of PKCS #12 with SHA-1, then triple DES with three keys (RFC 7292 appendix C).
const SHA1_TRIPLE_DES: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03";
/// What pairs a certificate with its key (RFC 2985 5.5.2).
const LOCAL_KEY_ID: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x15";
const SHROUDED_KEY_BAG: u8 = 2;
const CERTIFICATE_BAG: u8 = 3;
/// Rounds of each derivation.
const ROUNDS: u64 = 10_000;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// Chance for the salts: of the certificates, of the key, of the MAC.
pub type Salts = [[u8; SALT_BYTES]; 3];

/// A file with a certificate, those between it and its root, and the private key of the first (PKCS #8).
///
/// # Errors
///
/// [`PfxError`], where a password is of a kind that no key can be made of.
pub fn seal(
    certificates: &[&[u8]],
    key: &[u8],
    password: &str,
    salts: &Salts,
) -> Result<Zeroizing<Vec<u8>>, PfxError> {
    let password = Password::new(password);
    let mut bags = Vec::new();
    for (at, certificate) in certificates.iter().enumerate() {
        bags.extend(certificate_bag(certificate, at == 0));
    }
    let bags = tlv(SEQUENCE, &[&bags]);
    let sealed = encrypt(&bags, &password, &salts[0])?;
    let encrypted = tlv(
        SEQUENCE,
        &[
            &tlv(OID, &[PKCS7, &[DATA]]),
            &sealed.algorithm,
            &tlv(CONTEXT_0, &[&sealed.content]),
        ],
    );
    let encrypted = tlv(SEQUENCE, &[&number(0), &encrypted]);
    let encrypted = content_info(ENCRYPTED_DATA, &encrypted);
    let sealed = encrypt(key, &password, &salts[1])?;
    let content = tlv(OCTET_STRING, &[&sealed.content]);
    let shrouded = tlv(SEQUENCE, &[&sealed.algorithm, &content]);
    let shrouded = bag(SHROUDED_KEY_BAG, &shrouded, true);
    let plain = tlv(OCTET_STRING, &[&tlv(SEQUENCE, &[&shrouded])]);
    let plain = content_info(DATA, &plain);
    let safe = tlv(SEQUENCE, &[&encrypted, &plain]);
    let mac = mac(&safe, &password, &salts[2])?;
    let safe = content_info(DATA, &tlv(OCTET_STRING, &[&safe]));
    Ok(Zeroizing::new(tlv(SEQUENCE, &[&number(3), &safe, &mac])))
}

fn mac(safe: &[u8], password: &Password<'_>, salt: &[u8]) -> Result<Vec<u8>, PfxError> {
    let hash = &SHA1_FOR_LEGACY_USE_ONLY;
    let budget = &mut Budget::new();
    let key = pkcs12(
        hash,
        Purpose::Mac,
        password,
        (salt, ROUNDS),
        hash.output_len(),
        budget,
    )?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, safe);
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[SHA1]), NULL]);
    let digest = tlv(SEQUENCE, &[&algorithm, &tlv(OCTET_STRING, &[tag.as_ref()])]);
    Ok(tlv(
        SEQUENCE,
        &[&digest, &tlv(OCTET_STRING, &[salt]), &number(ROUNDS)],
    ))
}

fn certificate_bag(certificate: &[u8], is_leaf: bool) -> Vec<u8> {
    let value = tlv(EXPLICIT_0, &[&tlv(OCTET_STRING, &[certificate])]);
    let certificate = tlv(SEQUENCE, &[&tlv(OID, &[X509_CERTIFICATE]), &value]);
    bag(CERTIFICATE_BAG, &certificate, is_leaf)
}

/// A bag; the one certificate that has a key, and the key, carry the same identifier.
fn bag(kind: u8, value: &[u8], is_of_the_key: bool) -> Vec<u8> {
    let identifier = tlv(SET, &[&tlv(OCTET_STRING, &[&[1]])]);
    let attribute = tlv(SEQUENCE, &[&tlv(OID, &[LOCAL_KEY_ID]), &identifier]);
    let attributes = match is_of_the_key {
        true => tlv(SET, &[&attribute]),
        false => Vec::new(),
    };
    let identifier = tlv(OID, &[BAG, &[kind]]);
    tlv(
        SEQUENCE,
        &[&identifier, &tlv(EXPLICIT_0, &[value]), &attributes],
    )
}

fn content_info(kind: u8, content: &[u8]) -> Vec<u8> {
    let identifier = tlv(OID, &[PKCS7, &[kind]]);
    tlv(SEQUENCE, &[&identifier, &tlv(EXPLICIT_0, &[content])])
}

struct Sealed {
    algorithm: Vec<u8>,
    content: Vec<u8>,
}

fn encrypt(data: &[u8], password: &Password<'_>, salt: &[u8]) -> Result<Sealed, PfxError> {
    let budget = &mut Budget::new();
    let mut derive = |purpose, bytes| {
        let hash = &SHA1_FOR_LEGACY_USE_ONLY;
        pkcs12(hash, purpose, password, (salt, ROUNDS), bytes, budget)
    };
    let (key, iv) = (derive(Purpose::Encryption, 24)?, derive(Purpose::Iv, 8)?);
    let damaged = |_| PfxError::Damaged {
        place: "its own key",
    };
    let cipher = TdesEde3::new_from_slice(&key).map_err(damaged)?;
    let mut previous = [0; 8];
    previous.copy_from_slice(&iv);
    // Padded to whole blocks, by one at least (RFC 5652 6.3).
    let padding = 8 - data.len() % 8;
    let mut content = Vec::with_capacity(data.len() + padding);
    content.extend_from_slice(data);
    content.resize(data.len() + padding, padding.to_le_bytes()[0]);
    for block in content.chunks_exact_mut(8) {
        for (byte, mask) in block.iter_mut().zip(previous) {
            *byte ^= mask;
        }
        previous.copy_from_slice(block);
        let mut sealed = Array::from(previous);
        cipher.encrypt_block(&mut sealed);
        block.copy_from_slice(&sealed);
        previous.copy_from_slice(&sealed);
    }
    let parameters = tlv(SEQUENCE, &[&tlv(OCTET_STRING, &[salt]), &number(ROUNDS)]);
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[SHA1_TRIPLE_DES]), &parameters]);
    Ok(Sealed { algorithm, content })
}

/// An INTEGER that is not negative.
fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    // The highest bit is the sign.
    let sign: &[u8] = if bytes[first] < 0x80 { b"" } else { b"\x00" };
    tlv(INTEGER, &[sign, &bytes[first..]])
}

/// A value with its tag and length (X.690 8.1, 10.1).
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length.to_le_bytes()[0]);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
        out.push(0x80 | (bytes.len() - first).to_le_bytes()[0]);
        out.extend_from_slice(&bytes[first..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
