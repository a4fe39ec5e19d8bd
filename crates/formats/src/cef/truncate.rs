//! Cutting a message that is too long for its receiver.
//!
//! A receiver that gets a message over its limit cuts it where it likes, drops the tail, or
//! takes the rest for a message of its own. So it is cut here: the longest value first, on a
//! character, never inside an escape; every key stays, and so do numbers, since a shortened
//! number is another number. A cut value ends in `...` and the message says in a last key how
//! many bytes it has lost.

use super::number;

/// A value is not cut below this while a longer one can give instead.
const FLOORS: [usize; 3] = [64, 16, 0];
const ELLIPSIS: &[u8] = b"...";
const MARK: &[u8] = b"WindrowTruncated=";
/// With the space before it.
const MARK_MAX: usize = 1 + MARK.len() + number::DECIMAL_MAX;

/// Where a value that may be cut lies in the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Bytes to keep, the ellipsis included. Planned by `fit`.
    pub(super) keep: usize,
}

impl Slot {
    pub(super) fn new(start: usize, end: usize) -> Slot {
        Slot {
            start,
            end,
            keep: end - start,
        }
    }
}

/// What a message has lost before it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// Bytes of values that their keys do not hold.
    pub(super) bytes: usize,
    /// What parts the mark from what is before it: nothing where no key is.
    pub(super) before_mark: &'static str,
}

/// The message cannot be made short enough by cutting its values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    /// The least it could be cut to.
    pub(super) needed: usize,
}

/// Cuts the message `out[start..]` to `max` bytes. `slots` are its values in order, `loss` is
/// what they have lost already; returns how many bytes of them are gone in all.
pub(super) fn fit(
    out: &mut Vec<u8>,
    start: usize,
    slots: &mut [Slot],
    loss: Loss,
    max: usize,
) -> Result<usize, TooLong> {
    let len = out.len() - start;
    if len <= max && loss.bytes == 0 {
        return Ok(0);
    }
    plan(slots, (len + MARK_MAX).saturating_sub(max)).map_err(|missing| TooLong {
        needed: max + missing,
    })?;
    compact(out, slots);
    let removed = loss.bytes + len - (out.len() - start);
    out.extend_from_slice(loss.before_mark.as_bytes());
    out.extend_from_slice(MARK);
    number::decimal(removed as u64, out);
    Ok(removed)
}

/// Spreads `excess` over the slots: the longest gives first, down to a floor, and the floor
/// sinks only when all lie on it. The error is what nobody could give.
fn plan(slots: &mut [Slot], mut excess: usize) -> Result<(), usize> {
    for floor in FLOORS {
        while excess > 0 {
            let longest = slots
                .iter_mut()
                .filter(|slot| slot.keep > floor)
                .max_by_key(|slot| slot.keep);
            let Some(longest) = longest else { break };
            let given = excess.min(longest.keep - floor);
            longest.keep -= given;
            excess -= given;
        }
    }
    if excess == 0 { Ok(()) } else { Err(excess) }
}

/// Moves what is kept together, left to right.
fn compact(out: &mut Vec<u8>, slots: &[Slot]) {
    let mut read = 0;
    let mut write = 0;
    for slot in slots {
        let whole = slot.end - slot.start;
        if slot.keep >= whole {
            continue;
        }
        let room = slot.keep.saturating_sub(ELLIPSIS.len());
        let kept = boundary(out, slot.start, slot.start + room);
        write = shift(out, read, kept, write);
        if slot.keep >= ELLIPSIS.len() {
            // The cut left at least this much room, so nothing unread is overwritten.
            out[write..write + ELLIPSIS.len()].copy_from_slice(ELLIPSIS);
            write += ELLIPSIS.len();
        }
        read = slot.end;
    }
    let end = out.len();
    let len = shift(out, read, end, write);
    out.truncate(len);
}

/// Copies `out[from..to]` to `write` and returns where it ends. The first call copies nothing,
/// since nothing has been cut yet.
fn shift(out: &mut [u8], from: usize, to: usize, write: usize) -> usize {
    if from != write {
        out.copy_within(from..to, write);
    }
    write + (to - from)
}

/// The last place at or before `at` that splits neither a UTF-8 character nor an escape.
fn boundary(out: &[u8], start: usize, mut at: usize) -> usize {
    while at > start && out[at] & 0b1100_0000 == 0b1000_0000 {
        at -= 1;
    }
    // Escapes are pairs that start with a backslash: an odd run of them before `at` means
    // that the last one's partner would be cut off.
    let run = out[start..at]
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    at - run % 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, values: &[(usize, usize)], max: usize) -> Result<String, TooLong> {
        let mut out = text.as_bytes().to_vec();
        let mut slots: Vec<Slot> = values.iter().map(|(s, e)| Slot::new(*s, *e)).collect();
        let loss = Loss {
            bytes: 0,
            before_mark: " ",
        };
        fit(&mut out, 0, &mut slots, loss, max)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_message_that_fits_is_left_alone() {
        assert_eq!(cut("k=value", &[(2, 7)], 7).unwrap(), "k=value");
    }

    #[test]
    fn the_longest_value_gives_first() {
        let long = "x".repeat(200);
        let text = format!("a={long} b={}", "y".repeat(70));
        let short = cut(&text, &[(2, 202), (205, 275)], 200).unwrap();
        assert!(short.len() <= 200);
        assert!(short.contains(&format!(" b={}", "y".repeat(70))));
        assert!(short.ends_with(" WindrowTruncated=113"), "{short}");
    }

    #[test]
    fn neither_a_character_nor_an_escape_is_split() {
        for max in 60..150 {
            let value = r"\\é\=\n".repeat(20);
            let text = format!("a={value}");
            let short = cut(&text, &[(2, text.len())], max).unwrap();
            assert!(short.len() <= max, "{max}: {}", short.len());
            let kept = short[2..].split(" WindrowTruncated=").next().unwrap();
            let kept = kept.strip_suffix("...").unwrap_or(kept);
            assert!(value.starts_with(kept));
            let pairs = kept
                .replace(r"\\", "")
                .replace(r"\=", "")
                .replace(r"\n", "");
            assert!(!pairs.contains('\\'), "{max}: {short}");
        }
    }

    #[test]
    fn what_cannot_be_cut_says_what_it_needs() {
        assert_eq!(
            cut("0123456789", &[(8, 10)], 5),
            Err(TooLong {
                needed: 8 + MARK_MAX
            })
        );
    }
}
