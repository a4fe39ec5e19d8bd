//! Numbers as CEF wants them, without the formatting machinery: an event has about ten.

/// Digits of the largest `u64`.
pub(super) const DECIMAL_MAX: usize = 20;

/// Appends `value` in decimal.
pub(crate) fn decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; DECIMAL_MAX];
    let mut at = DECIMAL_MAX;
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value` as `0x` and 16 hexadecimal digits, the form Windows gives keywords.
pub(super) fn hex64(value: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"0x0000000000000000";
    for (place, digit) in text[2..].iter_mut().enumerate() {
        *digit = DIGITS[(value >> (60 - 4 * place) & 0xF) as usize];
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_is_as_the_standard_library_writes_it() {
        for value in [0, 7, 10, 99, 100, 26_637, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            decimal(value, &mut out);
            assert_eq!(out, value.to_string().into_bytes());
            out.clear();
            hex64(value, &mut out);
            assert_eq!(out, format!("{value:#018x}").into_bytes());
        }
    }
}
