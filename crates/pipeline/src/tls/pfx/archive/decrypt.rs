//! Decryption under a password: PBES2 (RFC 8018 6.2) and the schemes of PKCS #12 (RFC 7292
//! appendix C).

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey,
};
use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::iv::FixedLength;
use des::TdesEde3;
use des::cipher::consts::U8;
use des::cipher::{Array, BlockCipherDecrypt, BlockSizeUser, KeyInit};
use rc2::Rc2;
use zeroize::Zeroizing;

use super::der::{OCTET_STRING, OID, Reader, SEQUENCE, dotted};
use super::derive::{Budget, Password, Pbkdf2, Purpose, pkcs12, unsupported};
use super::error::PfxError;

const PBES2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
pub(super) const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
const SCRYPT: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b";
const AES_CBC: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x01";
const TRIPLE_DES_CBC: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x03\x07";
/// What the schemes of PKCS #12 begin with.
const PKCS12_PBE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01";

const DAMAGED: PfxError = PfxError::Damaged {
    place: "what is encrypted",
};

/// Decrypts `data` as the next value of `algorithm`, an AlgorithmIdentifier, says.
pub(super) fn decrypt(
    algorithm: &mut Reader<'_>,
    data: &[u8],
    password: &Password<'_>,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, PfxError> {
    let mut algorithm = algorithm.inner(SEQUENCE)?;
    let oid = algorithm.value(OID)?;
    let mut data = Zeroizing::new(data.to_vec());
    if oid == PBES2 {
        pbes2(&mut algorithm, &mut data, password, budget)?;
    } else if let Some([number]) = oid.strip_prefix(PKCS12_PBE) {
        let mut parameters = algorithm.inner(SEQUENCE)?;
        let salt = parameters.value(OCTET_STRING)?;
        let rounds = parameters.number()?;
        legacy(*number, (salt, rounds), &mut data, password, budget)?;
    } else {
        return Err(unsupported(dotted(oid)));
    }
    Ok(data)
}

fn pbes2(
    algorithm: &mut Reader<'_>,
    data: &mut Zeroizing<Vec<u8>>,
    password: &Password<'_>,
    budget: &mut Budget,
) -> Result<(), PfxError> {
    let mut parameters = algorithm.inner(SEQUENCE)?;
    let mut derivation = parameters.inner(SEQUENCE)?;
    match derivation.value(OID)? {
        PBKDF2 => {}
        SCRYPT => return Err(unsupported("scrypt")),
        oid => return Err(unsupported(dotted(oid))),
    }
    let derivation = Pbkdf2::read(&mut derivation)?;
    let mut scheme = parameters.inner(SEQUENCE)?;
    let oid = scheme.value(OID)?;
    let aes = match oid.strip_prefix(AES_CBC) {
        Some([2]) => Some(&AES_128),
        Some([22]) => Some(&AES_192),
        Some([42]) => Some(&AES_256),
        _ if oid == TRIPLE_DES_CBC => None,
        _ => return Err(unsupported(format!("PBES2 and {}", dotted(oid)))),
    };
    let iv = scheme.value(OCTET_STRING)?;
    let Some(aes) = aes else {
        let key = derivation.key(password, 24, budget)?;
        let cipher = TdesEde3::new_from_slice(&key).map_err(|_| DAMAGED)?;
        return cbc(&cipher, iv, data);
    };
    let bytes = match oid {
        [.., 2] => 16,
        [.., 22] => 24,
        _ => 32,
    };
    let key = derivation.key(password, bytes, budget)?;
    let iv = <[u8; 16]>::try_from(iv).map_err(|_| DAMAGED)?;
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Err(DAMAGED);
    }
    let key = UnboundCipherKey::new(aes, &key).and_then(DecryptingKey::cbc);
    let context = DecryptionContext::Iv128(FixedLength::from(&iv));
    key.and_then(|key| key.decrypt(data, context).map(|_| ()))
        .map_err(|_| DAMAGED)?;
    unpad(data, 16)
}

fn legacy(
    number: u8,
    (salt, rounds): (&[u8], u64),
    data: &mut Zeroizing<Vec<u8>>,
    password: &Password<'_>,
    budget: &mut Budget,
) -> Result<(), PfxError> {
    let key_bytes = match number {
        3 => 24,
        4 | 5 => 16,
        6 => 5,
        1 => return Err(unsupported("RC4 of 128 bits")),
        2 => return Err(unsupported("RC4 of 40 bits")),
        other => return Err(unsupported(format!("1.2.840.113549.1.12.1.{other}"))),
    };
    if rounds == 0 {
        return Err(DAMAGED);
    }
    let mut derive = |purpose, bytes| {
        let hash = &SHA1_FOR_LEGACY_USE_ONLY;
        pkcs12(hash, purpose, password, (salt, rounds), bytes, budget)
    };
    let mut key = derive(Purpose::Encryption, key_bytes)?;
    let iv = derive(Purpose::Iv, 8)?;
    if number == 4 {
        // Two keys: the third is the first again. Reserved, so that no copy stays behind.
        let mut three = Zeroizing::new(Vec::with_capacity(24));
        three.extend_from_slice(&key);
        three.extend_from_slice(&key[..8]);
        key = three;
    }
    match number {
        3 | 4 => {
            let cipher = TdesEde3::new_from_slice(&key).map_err(|_| DAMAGED)?;
            cbc(&cipher, &iv, data)
        }
        _ => cbc(&Rc2::new_with_eff_key_len(&key, 8 * key_bytes), &iv, data),
    }
}

/// Cipher block chaining of a cipher with blocks of eight bytes.
fn cbc<C: BlockCipherDecrypt + BlockSizeUser<BlockSize = U8>>(
    cipher: &C,
    iv: &[u8],
    data: &mut Zeroizing<Vec<u8>>,
) -> Result<(), PfxError> {
    let mut previous = <[u8; 8]>::try_from(iv).map_err(|_| DAMAGED)?;
    if data.is_empty() || !data.len().is_multiple_of(8) {
        return Err(DAMAGED);
    }
    for block in data.chunks_exact_mut(8) {
        let mut encrypted = [0; 8];
        encrypted.copy_from_slice(block);
        let mut decrypted = Array::from(encrypted);
        cipher.decrypt_block(&mut decrypted);
        for ((to, from), mask) in block.iter_mut().zip(decrypted).zip(previous) {
            *to = from ^ mask;
        }
        previous = encrypted;
    }
    unpad(data, 8)
}

/// Takes the padding off (RFC 5652 6.3).
fn unpad(data: &mut Vec<u8>, block: u8) -> Result<(), PfxError> {
    let count = *data.last().ok_or(DAMAGED)?;
    let whole = data.len().checked_sub(usize::from(count));
    let whole = whole
        .filter(|_| (1..=block).contains(&count))
        .ok_or(DAMAGED)?;
    if data[whole..].iter().any(|byte| *byte != count) {
        return Err(DAMAGED);
    }
    data.truncate(whole);
    Ok(())
}
