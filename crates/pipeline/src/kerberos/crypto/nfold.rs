//! n-fold (RFC 3961 5.1): stretches or shrinks a constant to the size of a block.

/// Folds `input`, which is not empty, to `N` bytes.
pub(super) fn nfold<const N: usize>(input: &[u8]) -> [u8; N] {
    let length = input.len();
    let bits = length * 8;
    let total = lcm(length, N);
    let mut sum = [0_u8; N];
    // Copies of the input, each turned 13 bits further to the right, are laid end to end, and that
    // is cut into pieces which are added, the carry coming round at the low end.
    let mut carry = 0_u16;
    for at in (0..total).rev() {
        let (copy, place) = (at / length, at % length);
        // The bit that the first one of this byte was before it was turned.
        let from = (bits + place * 8 - (13 * copy) % bits) % bits;
        let (byte, shift) = (from / 8, from % 8);
        let pair = u16::from_be_bytes([input[byte], input[(byte + 1) % length]]);
        let turned = (pair >> (8 - shift)) & 0xff;
        carry += turned + u16::from(sum[at % N]);
        sum[at % N] = carry as u8;
        carry >>= 8;
    }
    while carry > 0 {
        for byte in sum.iter_mut().rev() {
            carry += u16::from(*byte);
            *byte = carry as u8;
            carry >>= 8;
        }
    }
    sum
}

fn lcm(one: usize, other: usize) -> usize {
    let (mut a, mut b) = (one, other);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    one / a * other
}

#[cfg(test)]
mod tests {
    use super::nfold;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 3961 A.1.
    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(hex(&nfold::<8>(b"012345")), "be072631276b1955");
        assert_eq!(hex(&nfold::<7>(b"password")), "78a07b6caf85fa");
        assert_eq!(
            hex(&nfold::<8>(b"Rough Consensus, and Running Code")),
            "bb6ed30870b7f0e0"
        );
        assert_eq!(
            hex(&nfold::<21>(b"password")),
            "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"
        );
        assert_eq!(
            hex(&nfold::<24>(b"MASSACHVSETTS INSTITVTE OF TECHNOLOGY")),
            "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b"
        );
        assert_eq!(
            hex(&nfold::<16>(b"kerberos")),
            "6b65726265726f737b9b5b2b93132b93"
        );
    }
}
