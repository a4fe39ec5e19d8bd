//! The compression of buffers: two of the three schemes of MS-XCA, which are small.

use super::trace::Compression;

/// Why packed bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The scheme is not one that is known.
    #[error("{0} is not unpacked here")]
    Scheme(Compression),
    /// They end too early.
    #[error("it ends after {found} of {wanted} bytes")]
    Short {
        /// Bytes that came out.
        found: usize,
        /// Bytes that there should be.
        wanted: usize,
    },
    /// A repetition of what is not there.
    #[error("at {at} it repeats what lies before its beginning")]
    Before {
        /// Unpacked bytes before.
        at: usize,
    },
}

/// Unpacks `wanted` bytes into `out`, which is emptied. No more than that is ever allocated, and the caller has checked
/// it.
pub(super) fn unpack(
    scheme: Compression,
    packed: &[u8],
    wanted: usize,
    out: &mut Vec<u8>,
) -> Result<(), UnpackError> {
    out.clear();
    let ended = match scheme {
        Compression::Lznt1 => lznt1(packed, wanted, out)?,
        Compression::Xpress => xpress(packed, wanted, out)?,
        other => return Err(UnpackError::Scheme(other)),
    };
    match ended {
        Some(()) => Ok(()),
        None => Err(UnpackError::Short {
            found: out.len(),
            wanted,
        }),
    }
}

/// Plain LZ77 (MS-XCA 2.4.4). None where the input ends too early.
fn xpress(packed: &[u8], wanted: usize, out: &mut Vec<u8>) -> Result<Option<()>, UnpackError> {
    let mut input = packed.iter().copied();
    let (mut flags, mut left) = (0_u32, 0);
    // The upper half of a byte of lengths belongs to the match after the next.
    let mut half = None;
    while out.len() < wanted {
        if left == 0 {
            let Some(next) = word(&mut input) else {
                return Ok(None);
            };
            (flags, left) = (next, 32);
        }
        left -= 1;
        if flags >> left & 1 == 0 {
            let Some(byte) = input.next() else {
                return Ok(None);
            };
            out.push(byte);
            continue;
        }
        let Some((length, distance)) = repetition(&mut input, &mut half) else {
            return Ok(None);
        };
        repeat(out, distance, length, wanted)?;
    }
    Ok(Some(()))
}

/// Length and distance of a repetition.
fn repetition(
    input: &mut impl Iterator<Item = u8>,
    half: &mut Option<u8>,
) -> Option<(usize, usize)> {
    let token = short(input)?;
    let distance = usize::from(token >> 3) + 1;
    let mut length = usize::from(token & 7);
    if length == 7 {
        let more = match half.take() {
            Some(upper) => upper,
            None => {
                let byte = input.next()?;
                *half = Some(byte >> 4);
                byte & 15
            }
        };
        length += usize::from(more);
        if more == 15 {
            length = long_length(input)?;
        }
    }
    Some((length + 3, distance))
}

/// A length, less three, that did not fit into seven bits.
fn long_length(input: &mut impl Iterator<Item = u8>) -> Option<usize> {
    match input.next()? {
        255 => match short(input)? {
            0 => word(input).map(|length| length as usize),
            length => Some(usize::from(length)),
        },
        length => Some(usize::from(length) + 15 + 7),
    }
}

fn short(input: &mut impl Iterator<Item = u8>) -> Option<u16> {
    Some(u16::from_le_bytes([input.next()?, input.next()?]))
}

fn word(input: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let low = short(input)?;
    Some(u32::from(low) | u32::from(short(input)?) << 16)
}

/// LZNT1 (MS-XCA 2.5.3): chunks of at most 4 KiB unpacked, each by itself.
fn lznt1(packed: &[u8], wanted: usize, out: &mut Vec<u8>) -> Result<Option<()>, UnpackError> {
    let mut rest = packed;
    while out.len() < wanted {
        let Some((header, after)) = rest.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let header = u16::from_le_bytes(*header);
        let length = usize::from(header & 0x0fff) + 1;
        if header == 0 {
            return Ok(None);
        }
        let chunk = &after[..length.min(after.len())];
        rest = &after[chunk.len()..];
        if header & 0x8000 == 0 {
            out.extend(chunk.iter().take(wanted - out.len()));
        } else {
            lznt1_chunk(chunk, wanted, out)?;
        }
    }
    Ok(Some(()))
}

fn lznt1_chunk(chunk: &[u8], wanted: usize, out: &mut Vec<u8>) -> Result<(), UnpackError> {
    let begin = out.len();
    let mut input = chunk.iter().copied();
    'groups: while let Some(flags) = input.next() {
        for bit in 0..8 {
            if out.len() >= wanted {
                return Ok(());
            }
            if flags >> bit & 1 == 0 {
                let Some(byte) = input.next() else {
                    break 'groups;
                };
                out.push(byte);
                continue;
            }
            let Some(token) = short(&mut input) else {
                break 'groups;
            };
            let here = out.len() - begin;
            // The further into the chunk, the more bits a distance needs; lengths have the rest.
            let bits = (usize::BITS - here.saturating_sub(1).leading_zeros()).clamp(4, 12);
            let distance = usize::from(token >> (16 - bits)) + 1;
            if distance > here {
                return Err(UnpackError::Before { at: out.len() });
            }
            let length = usize::from(token & (0xffff >> bits)) + 3;
            repeat(out, distance, length, wanted)?;
        }
    }
    Ok(())
}

fn repeat(
    out: &mut Vec<u8>,
    distance: usize,
    length: usize,
    wanted: usize,
) -> Result<(), UnpackError> {
    let Some(mut from) = out.len().checked_sub(distance) else {
        return Err(UnpackError::Before { at: out.len() });
    };
    for _ in 0..length.min(wanted - out.len()) {
        out.push(out[from]);
        from += 1;
    }
    Ok(())
}
