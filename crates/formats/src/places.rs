//! Text taken out of XML that knows where it stood.

use std::ops::Range;

/// Character data of an element, references resolved and sections joined.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlacedText {
    text: String,
    /// Where each stretch of `text` begins, in it and in the XML.
    pieces: Vec<(usize, Range<usize>)>,
}

impl PlacedText {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends what these bytes of the XML say.
    pub(crate) fn push(&mut self, text: &str, at: Range<usize>) {
        self.pieces.push((self.text.len(), at));
        self.text.push_str(text);
    }

    /// The same with every place so many bytes later.
    pub(crate) fn moved(&mut self, by: usize) {
        for (_, piece) in &mut self.pieces {
            *piece = piece.start + by..piece.end + by;
        }
    }

    /// The bytes of the XML that bytes of the text come from; nothing when there is no text.
    pub(crate) fn place_of(&self, at: &Range<usize>) -> Option<Range<usize>> {
        let place = |offset: usize| {
            let after = self.pieces.partition_point(|(start, _)| *start <= offset);
            let (start, piece) = self.pieces.get(after.checked_sub(1)?)?;
            Some((piece.start + offset - start).min(piece.end))
        };
        let start = place(at.start)?;
        Some(start..place(at.end)?.max(start))
    }
}

/// A place in a text as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// Where a byte of a text stands.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
