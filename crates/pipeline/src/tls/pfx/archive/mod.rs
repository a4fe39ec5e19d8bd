//! What lies in a PFX file (PKCS #12, RFC 7292), decrypted: private keys and certificates.
//!
//! Everything in it is hostile until its MAC is verified, and what it asks for is bounded after
//! that too: rounds of key derivation over all its parts, bags, depth. Nothing is taken that has
//! no MAC. What was decrypted is wiped from memory when it goes. The fuzz target compiles this
//! room by itself: it uses nothing of the rooms around it. `seal` writes such a file.
#![allow(unreachable_pub, reason = "public where fuzzing compiles it by itself")]

mod decrypt;
mod der;
mod derive;
mod error;
mod limits;
mod seal;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use der::{CONTEXT_0, EXPLICIT_0, OCTET_STRING, OID, Reader, SEQUENCE};
use derive::{Budget, Password, Pbkdf2, Purpose, hmac_hash, unsupported};

pub use error::PfxError;
pub use limits::{PFX_BAGS_MAX, PFX_BYTES_MAX, PFX_DEPTH_MAX, PFX_ROUNDS_MAX};
pub use seal::{Salts, seal};

/// What the contents of PKCS #7 begin with (RFC 2315 14).
const PKCS7: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07";
const DATA: u8 = 1;
const ENCRYPTED_DATA: u8 = 6;
/// What the types of bags begin with (RFC 7292 appendix D).
const BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01";
const X509_CERTIFICATE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01";
const PBMAC1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e";
const SHA1: &[u8] = b"\x2b\x0e\x03\x02\x1a";
const SHA2: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02";

/// What lies in a PFX file.
#[derive(Default)]
pub struct Archive {
    /// Private keys as PKCS #8.
    pub keys: Vec<Zeroizing<Vec<u8>>>,
    /// X.509 certificates as DER.
    pub certificates: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (keys, certificates) = (self.keys.len(), self.certificates.len());
        write!(f, "Archive({keys} keys, {certificates} certificates)")
    }
}

/// Opens a PFX file.
///
/// # Errors
///
/// [`PfxError`].
pub fn open(bytes: &[u8], password: &str) -> Result<Archive, PfxError> {
    let mut file = whole(bytes)?;
    let version = file.number().map_err(not_pfx)?;
    let mut safe = file.inner(SEQUENCE).map_err(not_pfx)?;
    if version != 3 {
        return Err(PfxError::NotPfx);
    }
    match safe.value(OID)?.strip_prefix(PKCS7) {
        Some([DATA]) => {}
        Some([2]) => return Err(unsupported("a signature in the place of a MAC")),
        _ => return Err(PfxError::NotPfx),
    }
    let content = safe.inner(EXPLICIT_0)?.value(OCTET_STRING)?;
    if file.is_empty() {
        return Err(PfxError::NoMac);
    }
    let mac = Mac::read(&mut file.inner(SEQUENCE)?)?;
    let mut password = Password::new(password);
    let mut budget = Budget::new();
    if !mac.fits(content, &password, &mut budget)? {
        let other = password.without_end().ok_or(PfxError::WrongPassword)?;
        if !mac.fits(content, &other, &mut budget)? {
            return Err(PfxError::WrongPassword);
        }
        password = other;
    }
    let mut unpacking = Unpacking {
        password,
        budget,
        bags: 0,
        archive: Archive::default(),
    };
    let mut safes = Reader::new(content, "the list of its parts").inner(SEQUENCE)?;
    while !safes.is_empty() {
        unpacking.safe(&mut safes.inner(SEQUENCE)?)?;
    }
    Ok(unpacking.archive)
}

/// The outermost value, if all of it is there.
fn whole(bytes: &[u8]) -> Result<Reader<'_>, PfxError> {
    if bytes.len() as u64 > PFX_BYTES_MAX {
        return Err(PfxError::TooLarge);
    }
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(PfxError::Pem);
    }
    let mut file = Reader::new(bytes, "its outermost part");
    let (tag, length, head) = file.head().map_err(not_pfx)?;
    if tag != SEQUENCE {
        return Err(PfxError::NotPfx);
    }
    let missing = (head.saturating_add(length)).saturating_sub(bytes.len());
    if missing > 0 {
        return Err(PfxError::Truncated { missing });
    }
    file.inner(SEQUENCE)
}

/// What cannot be read so early was never a PFX file, unless it says why.
fn not_pfx(error: PfxError) -> PfxError {
    match error {
        PfxError::Damaged { .. } => PfxError::NotPfx,
        other => other,
    }
}

/// What proves that a file is as it was written.
enum Mac<'a> {
    /// With a key of PKCS #12's own derivation (RFC 7292 4).
    Pkcs12 {
        hash: &'static digest::Algorithm,
        algorithm: hmac::Algorithm,
        salt: &'a [u8],
        rounds: u64,
        tag: &'a [u8],
    },
    /// With a key of PBKDF2 (RFC 9579).
    Pbmac1 {
        derivation: Pbkdf2<'a>,
        algorithm: hmac::Algorithm,
        key_bytes: usize,
        tag: &'a [u8],
    },
}

impl<'a> Mac<'a> {
    fn read(data: &mut Reader<'a>) -> Result<Mac<'a>, PfxError> {
        let mut digest = data.inner(SEQUENCE)?;
        let mut identifier = digest.inner(SEQUENCE)?;
        let oid = identifier.value(OID)?;
        let tag = digest.value(OCTET_STRING)?;
        if oid == PBMAC1 {
            return Mac::read_pbmac1(&mut identifier, tag);
        }
        let salt = data.value(OCTET_STRING)?;
        let rounds = if data.is_empty() { 1 } else { data.number()? };
        if rounds == 0 {
            return Err(data.damaged());
        }
        let (hash, algorithm) = match oid.strip_prefix(SHA2) {
            Some([1]) => (&SHA256, hmac::HMAC_SHA256),
            Some([2]) => (&SHA384, hmac::HMAC_SHA384),
            Some([3]) => (&SHA512, hmac::HMAC_SHA512),
            Some([4]) => (&SHA224, hmac::HMAC_SHA224),
            _ if oid == SHA1 => (
                &SHA1_FOR_LEGACY_USE_ONLY,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            ),
            _ => return Err(unsupported(format!("a MAC of {}", der::dotted(oid)))),
        };
        Ok(Mac::Pkcs12 {
            hash,
            algorithm,
            salt,
            rounds,
            tag,
        })
    }

    fn read_pbmac1(identifier: &mut Reader<'a>, tag: &'a [u8]) -> Result<Mac<'a>, PfxError> {
        let mut parameters = identifier.inner(SEQUENCE)?;
        let mut derivation = parameters.inner(SEQUENCE)?;
        if derivation.value(OID)? != decrypt::PBKDF2 {
            return Err(unsupported("PBMAC1 without PBKDF2"));
        }
        let derivation = Pbkdf2::read(&mut derivation)?;
        let algorithm = match hmac_hash(parameters.inner(SEQUENCE)?.value(OID)?)? {
            256 => hmac::HMAC_SHA256,
            384 => hmac::HMAC_SHA384,
            512 => hmac::HMAC_SHA512,
            _ => return Err(unsupported("PBMAC1 with SHA-1")),
        };
        // RFC 9579 4: the length has to be there, and below 20 bytes is too little.
        let key_bytes = derivation.key_bytes.unwrap_or_default();
        let key_bytes = usize::try_from(key_bytes).unwrap_or_default();
        if !(20..=64).contains(&key_bytes) {
            return Err(identifier.damaged());
        }
        Ok(Mac::Pbmac1 {
            derivation,
            algorithm,
            key_bytes,
            tag,
        })
    }

    fn fits(
        &self,
        content: &[u8],
        password: &Password<'_>,
        budget: &mut Budget,
    ) -> Result<bool, PfxError> {
        let (key, algorithm, tag) = match self {
            Mac::Pkcs12 {
                hash,
                algorithm,
                salt,
                rounds,
                tag,
            } => {
                let bytes = hash.output_len();
                let key =
                    derive::pkcs12(hash, Purpose::Mac, password, (salt, *rounds), bytes, budget)?;
                (key, algorithm, tag)
            }
            Mac::Pbmac1 {
                derivation,
                algorithm,
                key_bytes,
                tag,
            } => (
                derivation.key(password, *key_bytes, budget)?,
                algorithm,
                tag,
            ),
        };
        let key = hmac::Key::new(*algorithm, &key);
        let fits = hmac::verify(&key, content, tag).is_ok();
        // Fuzzing has no use for a file that it cannot change.
        Ok(fits || cfg!(fuzzing))
    }
}

/// A file on its way out of its wrapping.
struct Unpacking<'a> {
    password: Password<'a>,
    budget: Budget,
    bags: usize,
    archive: Archive,
}

impl Unpacking<'_> {
    /// A ContentInfo with bags in it, in the clear or encrypted (RFC 7292 4.1).
    fn safe(&mut self, info: &mut Reader<'_>) -> Result<(), PfxError> {
        let oid = info.value(OID)?;
        let mut content = info.inner(EXPLICIT_0)?;
        match oid.strip_prefix(PKCS7) {
            Some([DATA]) => {
                let bags = content.value(OCTET_STRING)?;
                self.bags(Reader::new(bags, "a list of keys and certificates"), 0)
            }
            Some([ENCRYPTED_DATA]) => {
                let mut data = content.inner(SEQUENCE)?;
                data.number()?;
                let mut encrypted = data.inner(SEQUENCE)?;
                encrypted.value(OID)?;
                let mut algorithm = encrypted.clone();
                encrypted.any()?;
                if encrypted.is_empty() {
                    return Ok(());
                }
                let data = encrypted.value(CONTEXT_0)?;
                let bags = self.decrypt(&mut algorithm, data)?;
                self.bags(Reader::new(&bags, "a decrypted list of certificates"), 0)
            }
            Some([3]) => Err(unsupported("a public key")),
            _ => Err(unsupported(der::dotted(oid))),
        }
    }

    fn decrypt(
        &mut self,
        algorithm: &mut Reader<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, PfxError> {
        decrypt::decrypt(algorithm, data, &self.password, &mut self.budget)
    }

    fn bags(&mut self, mut list: Reader<'_>, depth: usize) -> Result<(), PfxError> {
        if depth >= PFX_DEPTH_MAX {
            return Err(list.damaged());
        }
        let mut bags = list.inner(SEQUENCE)?;
        while !bags.is_empty() {
            self.bags += 1;
            if self.bags > PFX_BAGS_MAX {
                return Err(PfxError::TooManyBags);
            }
            self.bag(bags.inner(SEQUENCE)?, depth)?;
        }
        Ok(())
    }

    /// What is neither key nor certificate is passed over (RFC 7292 4.2).
    fn bag(&mut self, mut bag: Reader<'_>, depth: usize) -> Result<(), PfxError> {
        let oid = bag.value(OID)?;
        let mut value = bag.inner(EXPLICIT_0)?;
        match oid.strip_prefix(BAG) {
            Some([1]) => {
                let key = Zeroizing::new(value.whole()?.to_vec());
                self.archive.keys.push(key);
            }
            Some([2]) => {
                let mut shrouded = value.inner(SEQUENCE)?;
                let mut algorithm = shrouded.clone();
                shrouded.any()?;
                let data = shrouded.value(OCTET_STRING)?;
                let key = self.decrypt(&mut algorithm, data)?;
                self.archive.keys.push(key);
            }
            Some([3]) => {
                let mut certificate = value.inner(SEQUENCE)?;
                if certificate.value(OID)? == X509_CERTIFICATE {
                    let der = certificate.inner(EXPLICIT_0)?.value(OCTET_STRING)?;
                    self.archive.certificates.push(der.to_vec());
                }
            }
            Some([6]) => self.bags(value, depth + 1)?,
            _ => {}
        }
        Ok(())
    }
}
