//! A token: 256 bits of chance. That many cannot be guessed or looked up, so one plain SHA-256 keeps it: nothing slow or
//! salted, which is for passwords, would add anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What a token begins with, so that whoever finds one knows what it is, and scanners for secrets do too.
const PREFIX: &str = "windrow_";
/// Bytes of chance.
const BYTES: usize = 32;
/// Characters of a token: the prefix, and the bytes in Base64 without padding.
const CHARACTERS: usize = PREFIX.len() + (BYTES * 8).div_ceil(6);

/// A token as its owner has it.
#[derive(Debug)]
pub(crate) struct Secret(SecretString);

/// What is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash([u8; 32]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system has no chance to give.
    pub(crate) fn new() -> Result<Secret, String> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        let filled = SysRng.try_fill_bytes(&mut *bytes);
        filled.map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let text = Zeroizing::new(BASE64.encode(*bytes));
        Ok(Secret(format!("{PREFIX}{}", text.as_str()).into()))
    }

    /// The token, to be shown once.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn hash(&self) -> Hash {
        Hash(Sha256::digest(self.expose()).into())
    }
}

impl Hash {
    /// That of what somebody shows; none for what is no token at all, which is not even hashed.
    pub(crate) fn of_shown(shown: &str) -> Option<Hash> {
        let looks_so = shown.len() == CHARACTERS && shown.starts_with(PREFIX);
        looks_so.then(|| Hash(Sha256::digest(shown).into()))
    }

    /// Takes as long whatever the two are.
    pub(crate) fn is(&self, other: &Hash) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(crate) fn to_hex(self) -> String {
        windrow_formats::text::hex(&self.0).to_string()
    }

    pub(crate) fn of_hex(text: &str) -> Option<Hash> {
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Hash(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one.expose(), other.expose());
        let shown = Hash::of_shown(one.expose()).unwrap();
        assert!(shown.is(&one.hash()) && !shown.is(&other.hash()));
        assert_eq!(Hash::of_hex(&shown.to_hex()), Some(shown));
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn what_is_no_token_has_no_hash() {
        let token = Secret::new().unwrap();
        let longer = format!("{}x", token.expose());
        for shown in ["", "windrow_", "password", &longer, &longer[1..]] {
            assert!(Hash::of_shown(shown).is_none(), "{shown}");
        }
        for hex in ["", "ab", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(Hash::of_hex(hex).is_none(), "{hex}");
        }
    }
}
