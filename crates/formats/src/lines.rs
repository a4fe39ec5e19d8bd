//! Where lines end in a block of bytes, and records of CSV, which may have line ends in quotes.

use memchr::{memchr, memchr2_iter, memrchr};

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Lines.
    Line,
    /// Records of CSV (RFC 4180): a line end between quotes is part of a value.
    Record,
}

impl Unit {
    /// Bytes of the block up to the end of its last whole unit; the block begins with a unit.
    #[must_use]
    pub fn whole(self, block: &[u8]) -> usize {
        match self {
            Unit::Line => memrchr(b'\n', block).map_or(0, |at| at + 1),
            Unit::Record => record_ends(block).last().unwrap_or(0),
        }
    }

    /// Bytes of the first unit, its end included; all where it does not end.
    #[must_use]
    pub fn first(self, block: &[u8]) -> usize {
        let end = match self {
            Unit::Line => memchr(b'\n', block).map(|at| at + 1),
            Unit::Record => record_ends(block).next(),
        };
        end.unwrap_or(block.len())
    }

    /// The units of a block, with their ends.
    pub fn split(self, mut block: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let (unit, rest) = block.split_at(self.first(block));
            block = rest;
            (!unit.is_empty()).then_some(unit)
        })
    }
}

/// Where records end: behind line ends that are not between quotes.
fn record_ends(block: &[u8]) -> impl Iterator<Item = usize> {
    let mut is_quoted = false;
    memchr2_iter(b'"', b'\n', block).filter_map(move |at| {
        if block[at] == b'"' {
            is_quoted = !is_quoted;
            return None;
        }
        (!is_quoted).then_some(at + 1)
    })
}

/// Lines that a block has.
#[must_use]
pub fn count(block: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', block).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_end_where_no_quote_is_open() {
        let block = b"a,\"b\nc\"\nd,\"\"\"\n\"\ne,\"f\n";
        let ends: Vec<_> = record_ends(block).collect();
        assert_eq!(ends, [8, 16]);
        assert_eq!(Unit::Record.whole(block), 16);
        assert_eq!(Unit::Line.whole(block), block.len());
        assert_eq!((Unit::Line.whole(b"ab"), Unit::Line.first(b"ab")), (0, 2));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_parts(block in "[ab\"\n]{0,40}") {
            for unit in [Unit::Line, Unit::Record] {
                let parts: Vec<_> = unit.split(block.as_bytes()).collect();
                prop_assert_eq!(parts.concat(), block.as_bytes());
                let whole = unit.whole(block.as_bytes());
                let ends: Vec<_> = parts.iter().scan(0, |at, part| { *at += part.len(); Some(*at) }).collect();
                prop_assert!(whole == 0 || ends.contains(&whole));
                prop_assert!(parts.iter().all(|part| !part.is_empty()));
            }
        }
    }
}
