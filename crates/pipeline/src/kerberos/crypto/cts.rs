//! AES in CBC mode with ciphertext stealing (RFC 3962 5): nothing is longer for being encrypted.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

/// Bytes of a block.
pub(super) const BLOCK: usize = 16;

/// Why nothing came of it: the key or the data has a length that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLength;

/// A key of AES for both directions.
#[derive(Debug)]
pub(super) struct Cipher {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl Cipher {
    pub(super) fn new(key: &[u8]) -> Result<Cipher, BadLength> {
        let algorithm = match key.len() {
            16 => &AES_128,
            32 => &AES_256,
            _ => return Err(BadLength),
        };
        let key = || UnboundCipherKey::new(algorithm, key).map_err(|_| BadLength);
        Ok(Cipher {
            encrypting: EncryptingKey::cbc(key()?).map_err(|_| BadLength)?,
            decrypting: DecryptingKey::cbc(key()?).map_err(|_| BadLength)?,
        })
    }

    fn cbc_encrypt(&self, iv: [u8; BLOCK], data: &mut [u8]) -> Result<(), BadLength> {
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        let encrypted = self.encrypting.less_safe_encrypt(data, context);
        encrypted.map(drop).map_err(|_| BadLength)
    }

    fn cbc_decrypt(&self, iv: [u8; BLOCK], data: &mut [u8]) -> Result<(), BadLength> {
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let decrypted = self.decrypting.decrypt(data, context);
        decrypted.map(drop).map_err(|_| BadLength)
    }

    /// Encrypts one block by itself.
    pub(super) fn block(&self, mut block: [u8; BLOCK]) -> Result<[u8; BLOCK], BadLength> {
        self.cbc_encrypt([0; BLOCK], &mut block)?;
        Ok(block)
    }

    /// Encrypts in place, a block at least.
    pub(super) fn encrypt(&self, data: &mut [u8]) -> Result<(), BadLength> {
        let (whole, rest) = split(data)?;
        self.cbc_encrypt([0; BLOCK], whole)?;
        let Some(last) = last_block(whole) else {
            return Err(BadLength);
        };
        if rest.is_empty() {
            swap_last_two(whole);
            return Ok(());
        }
        let mut tail = [0; BLOCK];
        tail[..rest.len()].copy_from_slice(rest);
        self.cbc_encrypt(last, &mut tail)?;
        rest.copy_from_slice(&last[..rest.len()]);
        let at = whole.len() - BLOCK;
        whole[at..].copy_from_slice(&tail);
        Ok(())
    }

    /// Decrypts in place, a block at least.
    pub(super) fn decrypt(&self, data: &mut [u8]) -> Result<(), BadLength> {
        let (whole, rest) = split(data)?;
        if rest.is_empty() {
            swap_last_two(whole);
            return self.cbc_decrypt([0; BLOCK], whole);
        }
        let at = whole.len() - BLOCK;
        let (whole, tail) = whole.split_at_mut(at);
        let mut last = last_block(tail).ok_or(BadLength)?;
        self.cbc_decrypt([0; BLOCK], &mut last)?;
        // The part of the block before that was stolen is still in this one.
        let mut before = last;
        before[..rest.len()].copy_from_slice(rest);
        for (byte, stolen) in last.iter_mut().zip(rest.iter()) {
            *byte ^= stolen;
        }
        let iv = last_block(whole).unwrap_or([0; BLOCK]);
        self.cbc_decrypt(iv, &mut before)?;
        rest.copy_from_slice(&last[..rest.len()]);
        tail.copy_from_slice(&before);
        match whole.is_empty() {
            true => Ok(()),
            false => self.cbc_decrypt([0; BLOCK], whole),
        }
    }
}

/// Whole blocks, at least one, and what is behind them.
fn split(data: &mut [u8]) -> Result<(&mut [u8], &mut [u8]), BadLength> {
    let whole = data.len() / BLOCK * BLOCK;
    match whole {
        0 => Err(BadLength),
        _ => Ok(data.split_at_mut(whole)),
    }
}

fn last_block(blocks: &[u8]) -> Option<[u8; BLOCK]> {
    blocks.last_chunk().copied()
}

fn swap_last_two(blocks: &mut [u8]) {
    if let Some(at) = blocks.len().checked_sub(2 * BLOCK) {
        blocks[at..].rotate_left(BLOCK);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 3962 appendix B.
    #[test]
    fn the_examples_of_the_rfc() {
        let cipher = Cipher::new(b"chicken teriyaki").unwrap();
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        for (length, expected) in [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f97"),
            (
                31,
                "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
            ),
            (
                32,
                "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
            ),
            (
                47,
                "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5",
            ),
        ] {
            let mut data = text[..length].to_vec();
            cipher.encrypt(&mut data).unwrap();
            assert_eq!(hex(&data), expected, "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_comes_back(
            key in prop::sample::select(vec![16_usize, 32]),
            text in prop::collection::vec(any::<u8>(), 16..200),
        ) {
            let cipher = Cipher::new(&vec![3; key]).unwrap();
            let mut data = text.clone();
            cipher.encrypt(&mut data).unwrap();
            prop_assert_ne!(&data, &text);
            cipher.decrypt(&mut data).unwrap();
            prop_assert_eq!(data, text);
        }
    }

    #[test]
    fn too_little_is_refused() {
        let cipher = Cipher::new(&[0; 32]).unwrap();
        assert_eq!(cipher.encrypt(&mut [0; 15]), Err(BadLength));
        assert_eq!(cipher.decrypt(&mut []), Err(BadLength));
        assert!(Cipher::new(&[0; 24]).is_err());
    }
}
