//! The standard taken at its word: a bit at a time, and a ring for the history (ECMA-321 8).

use crate::sldc::{EXPANSION_MAX, HISTORY_BYTES, control};

struct Bits<'a> {
    input: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.input.get(self.at / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Whether these bits come next.
    fn is_next(&self, count: usize, value: usize) -> bool {
        let mut ahead = Bits { ..*self };
        ahead.take(count) == Some(value)
    }
}

struct Clear {
    bytes: Vec<u8>,
    ring: [Option<u8>; HISTORY_BYTES],
    at: usize,
    declared: usize,
}

impl Clear {
    fn push(&mut self, byte: u8) -> Option<()> {
        self.ring[self.at] = Some(byte);
        self.at = (self.at + 1) % HISTORY_BYTES;
        self.bytes.push(byte);
        (self.bytes.len() <= self.declared).then_some(())
    }
}

/// The clear data, if the stream is conforming and holds as many bytes as were declared.
pub(super) fn decode(stream: &[u8], declared: usize) -> Option<Vec<u8>> {
    if declared > stream.len() * EXPANSION_MAX {
        return None;
    }
    let mut bits = Bits {
        input: stream,
        at: 0,
    };
    let mut clear = Clear {
        bytes: Vec::new(),
        ring: [None; HISTORY_BYTES],
        at: 0,
        declared,
    };
    let mut scheme = None;
    loop {
        if bits.is_next(9, 0x1FF) {
            bits.take(9)?;
            scheme = match (bits.take(4)? as u8, scheme) {
                (control::FLUSH, Some(scheme)) => {
                    bits.at = bits.at.next_multiple_of(32);
                    (bits.at <= stream.len() * 8).then_some(Some(scheme))?
                }
                (control::SCHEME_1, _) => Some(1),
                (control::SCHEME_2, _) => Some(2),
                (reset @ (control::RESET_1 | control::RESET_2), _) => {
                    clear.ring.fill(None);
                    clear.at = 0;
                    Some(if reset == control::RESET_1 { 1 } else { 2 })
                }
                (control::END_OF_RECORD, _) => {
                    return (clear.bytes.len() == declared).then_some(clear.bytes);
                }
                _ => return None,
            };
            continue;
        }
        match scheme? {
            1 => scheme_1(&mut bits, &mut clear)?,
            _ => {
                let byte = bits.take(8)?;
                if byte == 0xFF {
                    bits.take(1)?;
                }
                clear.push(byte as u8)?;
            }
        }
    }
}

fn scheme_1(bits: &mut Bits<'_>, clear: &mut Clear) -> Option<()> {
    if bits.take(1)? == 0 {
        return clear.push(bits.take(8)? as u8);
    }
    let mut ones = 0;
    while ones < 4 && bits.take(1)? == 1 {
        ones += 1;
    }
    let length = match ones {
        0 => 2 + bits.take(1)?,
        1 => 4 + bits.take(2)?,
        2 => 8 + bits.take(3)?,
        3 => 16 + bits.take(4)?,
        _ => 32 + bits.take(8)?,
    };
    let address = bits.take(10)?;
    for offset in 0..length {
        let byte = clear.ring[(address + offset) % HISTORY_BYTES]?;
        clear.push(byte)?;
    }
    Some(())
}
