//! The journal's signing key: Ed25519, made on first use, kept in `keys/` with mode 0600.
//!
//! The public key lies beside it as hexadecimal text. It belongs on another machine: a key
//! on the same disk proves only that whoever changed a sealed segment could also read `keys/`.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use thiserror::Error;

use super::segment::Seal;
use super::storage::{self, Disk};

/// Bytes of an Ed25519 signature.
pub(super) const SIGNATURE_BYTES: usize = 64;
const KEY_FILE: &str = "journal.key";
const PUBLIC_KEY_FILE: &str = "journal.pub";
const MAX_KEY_FILE_BYTES: usize = 4096;

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl PublicKey {
    /// Whether this key signed the message.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// Why there is no key to sign with.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("signing key cannot be read or written")]
    Io(#[from] io::Error),
    /// The file is not a key.
    #[error("keys/{KEY_FILE} is not an Ed25519 key in PKCS#8; move it away to have a new one made")]
    Malformed,
    /// The two files are not of one pair, and the private one did not sign the last root.
    #[error(
        "keys/{KEY_FILE} does not belong to keys/{PUBLIC_KEY_FILE} and did not sign the journal's last root: it is \
         damaged; put both back from a backup, or move both away to have new ones made, whose public half the \
         machine that verifies has to be told"
    )]
    Mismatch,
    /// The random generator failed.
    #[error("no signing key could be generated")]
    Generate,
}

/// The private key.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads the key in a folder, or makes one if there is none. `last` is the last root that was signed.
    ///
    /// Any 32 bytes are a private key, so a damaged one would go on signing what the public half
    /// that others have does not verify: it is held against the public half beside it. Where the
    /// two differ, the private one is whole if it has signed the last root, and the public one is
    /// made anew of it.
    pub fn open(disk: &dyn Disk, dir: &Path, last: Option<&Seal>) -> Result<Signer, KeyError> {
        let pkcs8 = match storage::read_small(disk, &dir.join(KEY_FILE), MAX_KEY_FILE_BYTES) {
            Ok(pkcs8) => pkcs8,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Signer::generate(disk, dir),
            Err(e) => return Err(KeyError::Io(e)),
        };
        let signer = Signer::read(&pkcs8)?;
        match storage::read_small(disk, &dir.join(PUBLIC_KEY_FILE), MAX_KEY_FILE_BYTES) {
            Ok(text) if text == signer.public_text().as_bytes() => Ok(signer),
            Ok(_) if last.is_some_and(|seal| signer.has_signed(seal)) => {
                tracing::warn!("keys/{PUBLIC_KEY_FILE} was damaged, and is made anew");
                signer.write_public(disk, dir)?;
                Ok(signer)
            }
            Ok(_) => Err(KeyError::Mismatch),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                signer.write_public(disk, dir)?;
                Ok(signer)
            }
            Err(e) => Err(KeyError::Io(e)),
        }
    }

    fn generate(disk: &dyn Disk, dir: &Path) -> Result<Signer, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
        // Version 1 of PKCS#8, which OpenSSL reads too.
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        let signer = Signer::read(pkcs8.as_ref())?;
        // First the public half: a crash in between must not leave the private one beside an older
        // public one.
        signer.write_public(disk, dir)?;
        storage::create_whole(disk, dir, KEY_FILE, pkcs8.as_ref())?;
        Ok(signer)
    }

    fn read(pkcs8: &[u8]) -> Result<Signer, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Malformed)?;
        let public = pair.public_key().as_ref().try_into();
        let public = PublicKey(public.map_err(|_| KeyError::Malformed)?);
        Ok(Signer { pair, public })
    }

    fn public_text(&self) -> String {
        format!("{}\n", self.public)
    }

    fn write_public(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let text = self.public_text();
        storage::create_whole(disk, dir, PUBLIC_KEY_FILE, text.as_bytes())
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    fn has_signed(&self, seal: &Seal) -> bool {
        seal.public_key == self.public && seal.is_signed()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        Signature(bytes)
    }
}

/// Reads the public key file of a folder, if there is one.
pub(super) fn read_public_key(disk: &dyn Disk, dir: &Path) -> Option<PublicKey> {
    let text = storage::read_small(disk, &dir.join(PUBLIC_KEY_FILE), MAX_KEY_FILE_BYTES).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// The text is not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a public key is 64 hexadecimal digits")]
pub struct ParsePublicKeyError;

impl FromStr for PublicKey {
    type Err = ParsePublicKeyError;

    fn from_str(text: &str) -> Result<Self, ParsePublicKeyError> {
        let mut key = [0; 32];
        if text.len() != 2 * key.len() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParsePublicKeyError);
        }
        for (i, byte) in key.iter_mut().enumerate() {
            let digits = text.get(2 * i..2 * i + 2).ok_or(ParsePublicKeyError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParsePublicKeyError)?;
        }
        Ok(PublicKey(key))
    }
}
