//! Reads a file in blocks of whole lines or records, in bounded memory.

use std::io::{self, Read};

use windrow_formats::lines::{self, Unit};

use crate::limits::{FILE_BLOCK_BYTES, FILE_UNIT_BYTES};

/// A file in blocks.
pub(crate) struct Blocks<R> {
    reader: R,
    unit: Unit,
    buffer: Vec<u8>,
    /// Where what is not yet given begins and ends in the buffer.
    rest: std::ops::Range<usize>,
    /// Lines before the block that was given last.
    lines: u64,
    /// Where that is in the buffer.
    given: std::ops::Range<usize>,
    /// Lines in it, where they were counted already.
    passed: Option<u64>,
    at_end: bool,
    is_begin: bool,
}

/// What comes next in a file.
pub(crate) enum Next<'a> {
    /// Whole units, the first of them in this line of the file.
    Block(&'a [u8], u64),
    /// A unit, which begins in this line, was longer than any may be, and was passed over.
    TooLong(u64),
    /// Nothing more.
    End,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(reader: R, unit: Unit) -> Blocks<R> {
        Blocks {
            reader,
            unit,
            buffer: vec![0; FILE_BLOCK_BYTES],
            rest: 0..0,
            lines: 0,
            given: 0..0,
            passed: None,
            at_end: false,
            is_begin: true,
        }
    }

    /// Goes on with this line of a file, whose lines before it were read already.
    pub(crate) fn beginning_with(self, first: u64) -> Blocks<R> {
        Blocks {
            lines: first.saturating_sub(1),
            is_begin: first <= 1,
            ..self
        }
    }

    /// Line with which the next block begins, once the lines of the last one were told with [`Blocks::passed`].
    pub(crate) fn line(&self) -> u64 {
        self.lines + self.passed.unwrap_or_default() + 1
    }

    /// The next whole units.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        let given = &self.buffer[std::mem::take(&mut self.given)];
        let passed = self.passed.take();
        self.lines += passed.unwrap_or_else(|| lines::count(given));
        loop {
            let rest = &self.buffer[self.rest.clone()];
            // What was read last may have a whole unit; what was there before has none.
            let whole = match self.at_end {
                true => rest.len(),
                false => self.unit.whole(rest),
            };
            if whole > 0 {
                let start = self.rest.start;
                self.rest.start += whole;
                self.given = start..start + whole;
                let block = &self.buffer[self.given.clone()];
                return Ok(Next::Block(block, self.lines + 1));
            }
            if self.at_end {
                return Ok(Next::End);
            }
            if rest.len() >= FILE_UNIT_BYTES {
                let line = self.lines + 1;
                self.pass_over()?;
                return Ok(Next::TooLong(line));
            }
            self.fill()?;
        }
    }

    /// Takes over how many lines the block had that was given last: whoever went through them has counted.
    pub(crate) fn passed(&mut self, lines: u64) {
        self.passed = Some(lines);
    }

    /// Reads more behind what is there.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        if self.rest.end * 2 > self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let count = loop {
            match self.reader.read(&mut self.buffer[self.rest.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => break count?,
            }
        };
        self.at_end = count == 0;
        self.rest.end += count;
        // A mark of the byte order is no part of the first line.
        if self.is_begin && (self.rest.len() >= 3 || self.at_end) {
            self.is_begin = false;
            if self.buffer[self.rest.clone()].starts_with(b"\xef\xbb\xbf") {
                self.rest.start += 3;
            }
        }
        Ok(())
    }

    /// Goes on behind the next line end.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.buffer[self.rest.clone()];
            let first = Unit::Line.first(rest);
            let is_whole = rest.get(first.wrapping_sub(1)) == Some(&b'\n');
            self.lines += u64::from(is_whole);
            self.rest.start += first;
            if is_whole || self.at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn read(file: &[u8], at_a_time: usize, unit: Unit) -> Vec<(String, u64)> {
        let mut blocks = Blocks::new(Slow(file, at_a_time), unit);
        let mut all = Vec::new();
        loop {
            match blocks.next().unwrap() {
                Next::Block(block, line) => {
                    let mut line = line;
                    for unit in unit.split(block) {
                        all.push((String::from_utf8_lossy(unit).into_owned(), line));
                        line += lines::count(unit);
                    }
                }
                Next::TooLong(line) => all.push(("too long".to_owned(), line)),
                Next::End => return all,
            }
        }
    }

    #[test]
    fn however_a_file_comes_its_lines_are_the_same() {
        let file = b"\xef\xbb\xbfa\nbb\n\n\"c\nd\"\ne";
        for at_a_time in [1, 2, 3, 7, 100] {
            let lines = read(file, at_a_time, Unit::Line);
            let texts: Vec<_> = lines
                .iter()
                .map(|(text, line)| (text.as_str(), *line))
                .collect();
            assert_eq!(
                texts,
                [
                    ("a\n", 1),
                    ("bb\n", 2),
                    ("\n", 3),
                    ("\"c\n", 4),
                    ("d\"\n", 5),
                    ("e", 6)
                ]
            );
            let records = read(file, at_a_time, Unit::Record);
            let texts: Vec<_> = records
                .iter()
                .map(|(text, line)| (text.as_str(), *line))
                .collect();
            assert_eq!(
                texts,
                [
                    ("a\n", 1),
                    ("bb\n", 2),
                    ("\n", 3),
                    ("\"c\nd\"\n", 4),
                    ("e", 6)
                ]
            );
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let mut file = b"a\n".to_vec();
        file.extend(vec![b'x'; FILE_UNIT_BYTES * 2 + 5]);
        file.extend(b"\nb\n");
        let lines = read(&file, 1 << 20, Unit::Line);
        assert_eq!(
            lines,
            [
                ("a\n".to_owned(), 1),
                ("too long".to_owned(), 2),
                ("b\n".to_owned(), 3)
            ]
        );
    }
}
