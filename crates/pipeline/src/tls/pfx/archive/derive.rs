//! Keys from passwords: the derivation of PKCS #12 itself (RFC 7292 appendix B) and PBKDF2
//! (RFC 8018 5.2).

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use super::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, dotted};
use super::error::PfxError;
use super::limits::PFX_ROUNDS_MAX;

/// Rounds that may still be taken.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(PFX_ROUNDS_MAX)
    }

    /// Takes `rounds` for each of `blocks`.
    fn spend(&mut self, rounds: u64, blocks: usize) -> Result<(), PfxError> {
        let cost = rounds.saturating_mul(blocks as u64);
        self.0 = self.0.checked_sub(cost).ok_or(PfxError::TooManyRounds)?;
        Ok(())
    }
}

/// A password in the forms that keys are made of.
#[derive(Debug)]
pub(super) struct Password<'a> {
    /// For PBKDF2.
    pub(super) utf8: &'a str,
    /// For the derivation of PKCS #12: UTF-16 with its highest byte first, and a zero at the end.
    wide: Zeroizing<Vec<u8>>,
}

impl<'a> Password<'a> {
    pub(super) fn new(utf8: &'a str) -> Password<'a> {
        let mut wide = Zeroizing::new(Vec::with_capacity(2 * utf8.len() + 2));
        for unit in utf8.encode_utf16().chain([0]) {
            wide.extend(unit.to_be_bytes());
        }
        Password { utf8, wide }
    }

    /// An empty one without its zero at the end, as some programs write it.
    pub(super) fn without_end(&self) -> Option<Password<'a>> {
        self.utf8.is_empty().then(|| Password {
            utf8: self.utf8,
            wide: Zeroizing::default(),
        })
    }
}

/// What a key is for (RFC 7292 appendix B.3).
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

/// A key of `bytes` bytes (RFC 7292 appendix B.2).
pub(super) fn pkcs12(
    hash: &'static digest::Algorithm,
    purpose: Purpose,
    password: &Password<'_>,
    (salt, rounds): (&[u8], u64),
    bytes: usize,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, PfxError> {
    budget.spend(rounds, bytes.div_ceil(hash.output_len()))?;
    let block = hash.block_len();
    let fill = |text: &[u8]| text.len().div_ceil(block) * block;
    let mut input = Zeroizing::new(Vec::with_capacity(fill(salt) + fill(&password.wide)));
    input.extend(salt.iter().cycle().take(fill(salt)));
    input.extend(password.wide.iter().cycle().take(fill(&password.wide)));
    let mut key = Zeroizing::new(Vec::with_capacity(bytes + hash.output_len()));
    loop {
        let mut context = digest::Context::new(hash);
        context.update(&vec![purpose as u8; block]);
        context.update(&input);
        let mut hashed = context.finish();
        for _ in 1..rounds {
            hashed = digest::digest(hash, hashed.as_ref());
        }
        key.extend_from_slice(hashed.as_ref());
        if key.len() >= bytes {
            key.truncate(bytes);
            return Ok(key);
        }
        for part in input.chunks_exact_mut(block) {
            let mut carry = 1;
            for at in (0..block).rev() {
                let added = hashed.as_ref()[at % hash.output_len()];
                let sum = u16::from(part[at]) + u16::from(added) + carry;
                part[at] = sum.to_le_bytes()[0];
                carry = sum >> 8;
            }
        }
    }
}

/// The parameters of PBKDF2.
pub(super) struct Pbkdf2<'a> {
    algorithm: pbkdf2::Algorithm,
    hash_bytes: usize,
    salt: &'a [u8],
    rounds: u64,
    /// Bytes of the key, if the parameters say.
    pub(super) key_bytes: Option<u64>,
}

impl<'a> Pbkdf2<'a> {
    /// Reads the parameters (RFC 8018 appendix A.2).
    pub(super) fn read(parameters: &mut Reader<'a>) -> Result<Pbkdf2<'a>, PfxError> {
        let mut inner = parameters.inner(SEQUENCE)?;
        let salt = inner.value(OCTET_STRING)?;
        let rounds = inner.number()?;
        let key_bytes = match inner.peek() {
            Some(INTEGER) => Some(inner.number()?),
            _ => None,
        };
        let hash = if inner.is_empty() {
            1
        } else {
            hmac_hash(inner.inner(SEQUENCE)?.value(OID)?)?
        };
        let (algorithm, hash_bytes) = match hash {
            1 => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
            256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            384 => (pbkdf2::PBKDF2_HMAC_SHA384, 48),
            _ => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        };
        Ok(Pbkdf2 {
            algorithm,
            hash_bytes,
            salt,
            rounds,
            key_bytes,
        })
    }

    pub(super) fn key(
        &self,
        password: &Password<'_>,
        bytes: usize,
        budget: &mut Budget,
    ) -> Result<Zeroizing<Vec<u8>>, PfxError> {
        budget.spend(self.rounds, bytes.div_ceil(self.hash_bytes))?;
        let damaged = PfxError::Damaged {
            place: "the number of rounds",
        };
        let rounds = u32::try_from(self.rounds).ok().and_then(NonZeroU32::new);
        let mut key = Zeroizing::new(vec![0; bytes]);
        pbkdf2::derive(
            self.algorithm,
            rounds.ok_or(damaged)?,
            self.salt,
            password.utf8.as_bytes(),
            &mut key,
        );
        Ok(key)
    }
}

/// Which SHA an HMAC of RFC 8018 appendix B.1.2 is made with; SHA-1 is 1.
pub(super) fn hmac_hash(oid: &[u8]) -> Result<u32, PfxError> {
    let Some([last]) = oid.strip_prefix(b"\x2a\x86\x48\x86\xf7\x0d\x02") else {
        return Err(unsupported(dotted(oid)));
    };
    match last {
        7 => Ok(1),
        9 => Ok(256),
        10 => Ok(384),
        11 => Ok(512),
        8 => Err(unsupported("HMAC with SHA-224".to_owned())),
        _ => Err(unsupported(dotted(oid))),
    }
}

pub(super) fn unsupported(scheme: impl Into<String>) -> PfxError {
    PfxError::Unsupported {
        scheme: scheme.into(),
    }
}
