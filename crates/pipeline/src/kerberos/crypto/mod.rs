//! The encryptions of Kerberos that are not broken: AES with SHA-1 (RFC 3962) and with SHA-2
//! (RFC 8009). DES, Triple DES and RC4 are known by name only, to say what a client came with.
//!
//! A key is never used itself: each use of it has keys derived from it, one to encrypt and one to
//! authenticate. [`Keys`] are those of one use.

mod cts;
mod nfold;

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, hmac, pbkdf2, rand};
use zeroize::Zeroizing;

use self::cts::{BLOCK, Cipher};
use self::nfold::nfold;

/// What a key is used for (RFC 4120 7.5.1, RFC 4121 2).
pub mod usage {
    /// The time that a client encrypts for the KDC.
    pub const TIMESTAMP: u32 = 1;
    /// A ticket.
    pub const TICKET: u32 = 2;
    /// The KDC's first answer.
    pub const AS_REP: u32 = 3;
    /// The checksum of what a client asks the ticket-granting service for.
    pub const TGS_REQ_CHECKSUM: u32 = 6;
    /// The authenticator of that.
    pub const TGS_REQ_AUTHENTICATOR: u32 = 7;
    /// The ticket-granting service's answer, in the session key.
    pub const TGS_REP: u32 = 8;
    /// The authenticator for a service.
    pub const AUTHENTICATOR: u32 = 11;
    /// A service's answer to that.
    pub const AP_REP: u32 = 12;
    /// What a service seals.
    pub const ACCEPTOR_SEAL: u32 = 22;
    /// What a client seals.
    pub const INITIATOR_SEAL: u32 = 24;
}

/// An encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Etype {
    /// aes128-cts-hmac-sha1-96.
    Aes128Sha1,
    /// aes256-cts-hmac-sha1-96.
    Aes256Sha1,
    /// aes128-cts-hmac-sha256-128.
    Aes128Sha256,
    /// aes256-cts-hmac-sha384-192.
    Aes256Sha384,
}

/// Why something encrypted was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// Not what this key has encrypted, or altered since.
    #[error("it was not encrypted with this key, or altered since")]
    Integrity,
    /// A key of a length that its encryption does not have.
    #[error("a key has another length than its encryption has")]
    KeyLength,
    /// A number of rounds that nobody asks for.
    #[error("number of rounds of key derivation")]
    Rounds,
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random,
}

impl Etype {
    /// Those that are offered, the best first. Active Directory knows those with SHA-2 since 2025.
    pub const ALL: [Etype; 4] = [
        Etype::Aes256Sha384,
        Etype::Aes128Sha256,
        Etype::Aes256Sha1,
        Etype::Aes128Sha1,
    ];

    /// The encryption of this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Etype> {
        Etype::ALL
            .into_iter()
            .find(|etype| etype.number() == number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Etype::Aes128Sha1 => 17,
            Etype::Aes256Sha1 => 18,
            Etype::Aes128Sha256 => 19,
            Etype::Aes256Sha384 => 20,
        }
    }

    /// The number of its keyed checksum.
    #[must_use]
    pub fn checksum_number(self) -> i64 {
        match self {
            Etype::Aes128Sha1 => 15,
            Etype::Aes256Sha1 => 16,
            Etype::Aes128Sha256 => 19,
            Etype::Aes256Sha384 => 20,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Etype::Aes128Sha1 => "aes128-cts-hmac-sha1-96",
            Etype::Aes256Sha1 => "aes256-cts-hmac-sha1-96",
            Etype::Aes128Sha256 => "aes128-cts-hmac-sha256-128",
            Etype::Aes256Sha384 => "aes256-cts-hmac-sha384-192",
        }
    }

    /// Bytes of a key.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Etype::Aes128Sha1 | Etype::Aes128Sha256 => 16,
            Etype::Aes256Sha1 | Etype::Aes256Sha384 => 32,
        }
    }

    /// Bytes of the code that authenticates.
    #[must_use]
    pub fn mac_bytes(self) -> usize {
        match self {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => 12,
            Etype::Aes128Sha256 => 16,
            Etype::Aes256Sha384 => 24,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Etype::Aes128Sha256 => hmac::HMAC_SHA256,
            Etype::Aes256Sha384 => hmac::HMAC_SHA384,
        }
    }

    /// Whether the code is over what is encrypted, and not over the text.
    fn authenticates_encrypted(self) -> bool {
        matches!(self, Etype::Aes128Sha256 | Etype::Aes256Sha384)
    }

    /// The key of a password (RFC 3962 4, RFC 8009 4).
    ///
    /// # Errors
    ///
    /// [`CryptoError::Rounds`].
    pub fn key_of_password(
        self,
        password: &[u8],
        salt: &[u8],
        rounds: Option<u32>,
    ) -> Result<Key, CryptoError> {
        let sha2 = self.authenticates_encrypted();
        let rounds = rounds.unwrap_or(if sha2 { 32_768 } else { 4_096 });
        let rounds = NonZeroU32::new(rounds).ok_or(CryptoError::Rounds)?;
        let algorithm = match self {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Etype::Aes128Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Etype::Aes256Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        };
        let prefixed = [self.name().as_bytes(), b"\0", salt].concat();
        let salt = if sha2 { &prefixed } else { salt };
        let mut key = Zeroizing::new(vec![0; self.key_bytes()]);
        pbkdf2::derive(algorithm, rounds, salt, password, &mut key);
        let first = Key { etype: self, key };
        let key = first.derive(b"kerberos", self.key_bytes())?;
        Ok(Key { etype: self, key })
    }
}

/// The name of an encryption by its number, as administrators know it.
#[must_use]
pub fn etype_name(number: i64) -> String {
    let known = match number {
        1 => "des-cbc-crc",
        3 => "des-cbc-md5",
        16 => "des3-cbc-sha1",
        23 => "rc4-hmac",
        24 => "rc4-hmac-exp",
        _ => match Etype::from_number(number) {
            Some(etype) => etype.name(),
            None => return format!("encryption {number}"),
        },
    };
    known.to_owned()
}

/// A key.
#[derive(Clone)]
pub struct Key {
    etype: Etype,
    key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.etype.name())
    }
}

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    ///
    /// [`CryptoError::KeyLength`].
    pub fn new(etype: Etype, key: &[u8]) -> Result<Key, CryptoError> {
        if key.len() != etype.key_bytes() {
            return Err(CryptoError::KeyLength);
        }
        let key = Zeroizing::new(key.to_vec());
        Ok(Key { etype, key })
    }

    /// A new key.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Random`].
    pub fn random(etype: Etype) -> Result<Key, CryptoError> {
        let mut key = Zeroizing::new(vec![0; etype.key_bytes()]);
        rand::fill(&mut key).map_err(|_| CryptoError::Random)?;
        Ok(Key { etype, key })
    }

    /// Whether it is the same key.
    #[must_use]
    pub(super) fn is(&self, other: &Key) -> bool {
        self.etype == other.etype && *self.key == *other.key
    }

    /// Its encryption.
    #[must_use]
    pub fn etype(&self) -> Etype {
        self.etype
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.key
    }

    /// A key of `length` bytes for one purpose.
    fn derive(&self, constant: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut out = Zeroizing::new(Vec::with_capacity(64));
        if self.etype.authenticates_encrypted() {
            // KDF-HMAC-SHA2 (RFC 8009 3): one round is enough for every length here.
            let key = hmac::Key::new(self.etype.hmac(), &self.key);
            let bits = (length * 8) as u32;
            let label = [&[0, 0, 0, 1], constant, &[0], &bits.to_be_bytes()].concat();
            out.extend_from_slice(hmac::sign(&key, &label).as_ref());
        } else {
            // DK (RFC 3961 5.1): the constant, encrypted again and again.
            let cipher = Cipher::new(&self.key).map_err(|_| CryptoError::KeyLength)?;
            let mut block = nfold::<BLOCK>(constant);
            while out.len() < length {
                block = cipher.block(block).map_err(|_| CryptoError::KeyLength)?;
                out.extend_from_slice(&block);
            }
        }
        out.truncate(length);
        Ok(out)
    }

    fn derive_for(&self, usage: u32, what: u8) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let [a, b, c, d] = usage.to_be_bytes();
        let length = match (what, self.etype) {
            (ENCRYPTS, etype) => etype.key_bytes(),
            (_, Etype::Aes128Sha1 | Etype::Aes256Sha1) => self.etype.key_bytes(),
            (_, etype) => etype.mac_bytes(),
        };
        self.derive(&[a, b, c, d, what], length)
    }

    /// The keys for a use of this one.
    ///
    /// # Errors
    ///
    /// None that a caller could bring about.
    pub fn keys(&self, usage: u32) -> Result<Keys, CryptoError> {
        let encrypts = self.derive_for(usage, ENCRYPTS)?;
        let authenticates = self.derive_for(usage, AUTHENTICATES)?;
        Ok(Keys {
            etype: self.etype,
            cipher: Cipher::new(&encrypts).map_err(|_| CryptoError::KeyLength)?,
            authenticates: hmac::Key::new(self.etype.hmac(), &authenticates),
        })
    }

    /// Encrypts something small.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Random`].
    pub fn encrypt(&self, usage: u32, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut out = Vec::with_capacity(BLOCK + text.len() + self.etype.mac_bytes());
        self.keys(usage)?.encrypt_onto(&mut out, &[text])?;
        Ok(out)
    }

    /// Decrypts something small.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Integrity`].
    pub fn decrypt(&self, usage: u32, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut data = Zeroizing::new(data.to_vec());
        let length = self.keys(usage)?.decrypt_in_place(&mut data)?.len();
        data.copy_within(BLOCK..BLOCK + length, 0);
        data.truncate(length);
        Ok(data)
    }

    /// A checksum that only who has this key can make.
    ///
    /// # Errors
    ///
    /// None that a caller could bring about.
    pub fn checksum(&self, usage: u32, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let key = self.derive_for(usage, CHECKS)?;
        let key = hmac::Key::new(self.etype.hmac(), &key);
        Ok(hmac::sign(&key, data).as_ref()[..self.etype.mac_bytes()].to_vec())
    }
}

const ENCRYPTS: u8 = 0xaa;
const AUTHENTICATES: u8 = 0x55;
const CHECKS: u8 = 0x99;

/// The keys of one use.
#[derive(Debug)]
pub struct Keys {
    etype: Etype,
    cipher: Cipher,
    authenticates: hmac::Key,
}

impl Keys {
    /// Bytes of random that every message begins with.
    pub const CONFOUNDER_BYTES: usize = BLOCK;

    /// Bytes of the code that authenticates.
    #[must_use]
    pub fn mac_bytes(&self) -> usize {
        self.etype.mac_bytes()
    }

    /// Encrypts these parts, one behind the other, and appends what comes of it.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Random`].
    pub fn encrypt_onto(&self, out: &mut Vec<u8>, parts: &[&[u8]]) -> Result<(), CryptoError> {
        let start = out.len();
        let mut confounder = [0; BLOCK];
        rand::fill(&mut confounder).map_err(|_| CryptoError::Random)?;
        out.extend_from_slice(&confounder);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        let mac = self.mac(&out[start..]);
        let encrypted = self.cipher.encrypt(&mut out[start..]);
        encrypted.map_err(|_| CryptoError::KeyLength)?;
        let mac = mac.unwrap_or_else(|| self.mac_of_encrypted(&out[start..]));
        out.extend_from_slice(&mac.as_ref()[..self.mac_bytes()]);
        Ok(())
    }

    /// Decrypts in place; the text lies behind [`Keys::CONFOUNDER_BYTES`].
    ///
    /// # Errors
    ///
    /// [`CryptoError::Integrity`].
    pub fn decrypt_in_place<'d>(&self, data: &'d mut [u8]) -> Result<&'d mut [u8], CryptoError> {
        let length = data.len().checked_sub(self.mac_bytes());
        let length = length.filter(|length| *length >= BLOCK);
        let (data, expected) = data.split_at_mut(length.ok_or(CryptoError::Integrity)?);
        if self.etype.authenticates_encrypted() {
            self.check(&self.mac_of_encrypted(data), expected)?;
        }
        let decrypted = self.cipher.decrypt(data);
        decrypted.map_err(|_| CryptoError::Integrity)?;
        if let Some(mac) = self.mac(data) {
            self.check(&mac, expected)?;
        }
        Ok(&mut data[BLOCK..])
    }

    fn check(&self, mac: &hmac::Tag, expected: &[u8]) -> Result<(), CryptoError> {
        let mac = &mac.as_ref()[..self.mac_bytes()];
        constant_time::verify_slices_are_equal(mac, expected).map_err(|_| CryptoError::Integrity)
    }

    /// The code over the text, where it is over that.
    fn mac(&self, text: &[u8]) -> Option<hmac::Tag> {
        let over_text = !self.etype.authenticates_encrypted();
        over_text.then(|| hmac::sign(&self.authenticates, text))
    }

    /// The code over the state that encryption began with, which is zeroes, and what is encrypted.
    fn mac_of_encrypted(&self, encrypted: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.authenticates);
        context.update(&[0; BLOCK]);
        context.update(encrypted);
        context.sign()
    }
}

#[cfg(test)]
mod tests;
