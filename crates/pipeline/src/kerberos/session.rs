//! Messages of an established session, sealed one by one (RFC 4121 4.2.6.2).
//!
//! ```text
//! header      16  05 04, flags, FF, EC, RRC, number of the message
//! rotated         the last RRC bytes of what follows, then the rest of it:
//!                 encrypted( random 16 | text | filler EC | header with RRC 0 ) | code
//! ```
//!
//! With RRC as long as the encrypted header and the code, everything but the text comes first and has
//! the same size for every message: that is the signature of a sealed body (60 bytes for AES with
//! SHA-1), and what is encrypted of the text lies behind it in the same length.

use std::ops::Range;

use super::crypto::{CryptoError, Key, Keys, usage};

/// Bytes of the header.
const HEADER_BYTES: usize = 16;

/// What the header of a sealed message begins with.
const TOKEN: [u8; 2] = [5, 4];

/// Flags of the header.
const SENT_BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
const ACCEPTOR_SUBKEY: u8 = 4;

/// Whose end of the session this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Service,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Not a sealed message of this session's other end.
    #[error("message is not a sealed one")]
    NotSealed,
    /// Not sealed with this session's key, or altered.
    #[error("message was sealed in another session, or altered since")]
    Altered,
    /// It came before, or one that was made later did.
    #[error("message came a second time or out of order")]
    Replayed,
    /// No random numbers.
    #[error("the system gave no random numbers")]
    Random,
}

/// The keys and counters of one end of a session.
#[derive(Debug)]
pub struct Session {
    role: Role,
    seals: Keys,
    unseals: Keys,
    /// Whether the key is the service's.
    subkey: bool,
    /// Number of the next message that is sent.
    next: u64,
    /// Number of the last one that was received.
    last: Option<u64>,
}

impl Session {
    pub(super) fn new(
        role: Role,
        key: &Key,
        subkey: bool,
        next: u32,
    ) -> Result<Session, CryptoError> {
        let acceptor = key.keys(usage::ACCEPTOR_SEAL)?;
        let initiator = key.keys(usage::INITIATOR_SEAL)?;
        let (seals, unseals) = match role {
            Role::Client => (initiator, acceptor),
            Role::Service => (acceptor, initiator),
        };
        Ok(Session {
            role,
            seals,
            unseals,
            subkey,
            next: u64::from(next),
            last: None,
        })
    }

    fn flags(&self, sender: Role) -> u8 {
        let sent_by = match sender {
            Role::Service => SENT_BY_ACCEPTOR,
            Role::Client => 0,
        };
        let subkey = if self.subkey { ACCEPTOR_SUBKEY } else { 0 };
        sent_by | SEALED | subkey
    }

    /// Bytes of what [`Session::seal`] writes before the part that is as long as the text.
    #[must_use]
    pub fn signature_bytes(&self) -> u32 {
        let bytes = 2 * HEADER_BYTES + Keys::CONFOUNDER_BYTES + self.seals.mac_bytes();
        bytes as u32
    }

    /// Seals a text and appends it.
    ///
    /// # Errors
    ///
    /// [`SealError::Random`].
    pub fn seal(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let rotation = HEADER_BYTES + self.seals.mac_bytes();
        let [flag, number] = [u64::from(self.flags(self.role)), self.next];
        let mut header = [0; HEADER_BYTES];
        header[..2].copy_from_slice(&TOKEN);
        header[2..4].copy_from_slice(&[flag as u8, 0xff]);
        header[8..].copy_from_slice(&number.to_be_bytes());
        let start = out.len() + HEADER_BYTES;
        out.reserve(text.len() + self.signature_bytes() as usize);
        out.extend_from_slice(&header);
        out[start - HEADER_BYTES + 6..start - HEADER_BYTES + 8]
            .copy_from_slice(&(rotation as u16).to_be_bytes());
        let sealed = self.seals.encrypt_onto(out, &[text, &header]);
        sealed.map_err(|_| SealError::Random)?;
        out[start..].rotate_right(rotation);
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Unseals a message in place, and says where in it the text lies.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn unseal(&mut self, message: &mut [u8]) -> Result<Range<usize>, SealError> {
        let (header, body) = message
            .split_first_chunk_mut::<HEADER_BYTES>()
            .ok_or(SealError::NotSealed)?;
        let sender = match self.role {
            Role::Client => Role::Service,
            Role::Service => Role::Client,
        };
        let [a, b, flags, filler, ec0, ec1, rrc0, rrc1, number @ ..] = *header;
        if [a, b, flags, filler] != [TOKEN[0], TOKEN[1], self.flags(sender), 0xff]
            || body.is_empty()
        {
            return Err(SealError::NotSealed);
        }
        let rotation = usize::from(u16::from_be_bytes([rrc0, rrc1])) % body.len();
        body.rotate_left(rotation);
        let text = self.unseals.decrypt_in_place(body);
        let text = text.map_err(|_| SealError::Altered)?;
        // Nothing of the header is believed but what was encrypted with the text too.
        header[6..8].fill(0);
        let filler = usize::from(u16::from_be_bytes([ec0, ec1]));
        let text = text.strip_suffix(header).ok_or(SealError::Altered)?;
        let length = text.len().checked_sub(filler).ok_or(SealError::Altered)?;
        let number = u64::from_be_bytes(number);
        // One that is missing cannot be told from one that we refused before it was unsealed.
        if self.last.is_some_and(|last| number <= last) {
            return Err(SealError::Replayed);
        }
        self.last = Some(number);
        let start = HEADER_BYTES + Keys::CONFOUNDER_BYTES;
        Ok(start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::crypto::Etype;
    use super::*;

    fn ends(etype: Etype) -> (Session, Session) {
        let key = Key::random(etype).unwrap();
        let of = |role| Session::new(role, &key, true, u32::MAX - 1).unwrap();
        (of(Role::Client), of(Role::Service))
    }

    fn sealed(session: &mut Session, text: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        session.seal(text, &mut out).unwrap();
        assert_eq!(&out[..6], b"before");
        out.split_off(6)
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_unsealed_at_the_other_end(
            etype in prop::sample::select(Etype::ALL.to_vec()),
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
        ) {
            let (mut client, mut service) = ends(etype);
            for text in texts {
                let mut message = sealed(&mut client, &text);
                prop_assert_eq!(message.len(), text.len() + client.signature_bytes() as usize);
                // Nobody unseals what it has sealed itself.
                prop_assert_eq!(client.unseal(&mut message.clone()), Err(SealError::NotSealed));
                let range = service.unseal(&mut message).unwrap();
                prop_assert_eq!(&message[range], &text[..]);
                let mut answer = sealed(&mut service, &text);
                let range = client.unseal(&mut answer).unwrap();
                prop_assert_eq!(&answer[range], &text[..]);
            }
        }

        #[test]
        fn nothing_altered_is_taken(
            etype in prop::sample::select(Etype::ALL.to_vec()),
            text in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let (mut client, mut service) = ends(etype);
            let message = sealed(&mut client, &text);
            let mut altered = message.clone();
            altered[at.index(message.len())] ^= 1 << bit;
            prop_assert!(service.unseal(&mut altered).is_err());
            let mut cut = message[..at.index(message.len())].to_vec();
            prop_assert!(service.unseal(&mut cut).is_err());
            prop_assert!(service.unseal(&mut message.clone()).is_ok());
        }
    }

    #[test]
    fn the_signature_has_the_size_that_windows_expects() {
        let (client, _) = ends(Etype::Aes256Sha1);
        assert_eq!(client.signature_bytes(), 60);
    }

    #[test]
    fn a_message_is_taken_once_and_in_order() {
        let (mut client, mut service) = ends(Etype::Aes256Sha1);
        let messages: Vec<Vec<u8>> = (0..4).map(|_| sealed(&mut client, b"x")).collect();
        let mut take = |number: usize| service.unseal(&mut messages[number].clone()).map(drop);
        assert_eq!(take(0), Ok(()));
        assert_eq!(take(0), Err(SealError::Replayed));
        assert_eq!(take(2), Ok(()));
        assert_eq!(take(1), Err(SealError::Replayed));
        assert_eq!(take(3), Ok(()));
    }

    #[test]
    fn what_is_only_signed_is_not_taken() {
        // Flags without SEALED: the text would have been in the clear.
        let (_, mut service) = ends(Etype::Aes256Sha1);
        let mut message = [&[5, 4, ACCEPTOR_SUBKEY, 0xff, 0, 12, 0, 0][..], &[0; 60]].concat();
        assert_eq!(service.unseal(&mut message), Err(SealError::NotSealed));
        assert_eq!(service.unseal(&mut []), Err(SealError::NotSealed));
    }
}
