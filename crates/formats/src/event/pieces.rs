//! A value that needs decoding, read piece by piece: to compare it nobody has to make it.

use super::span::{next_markup, reference, section};

/// Whether the decoded value of `raw` is `wanted`, as `same` sees it.
pub(super) fn is_made_of(raw: &str, wanted: &str, same: fn(&[u8], &[u8]) -> bool) -> bool {
    let mut rest = wanted.as_bytes();
    for piece in Pieces(raw) {
        let mut utf8 = [0; 4];
        let piece = piece.as_str(&mut utf8).as_bytes();
        match rest.split_at_checked(piece.len()) {
            Some((front, behind)) if same(front, piece) => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty()
}

/// A stretch of a decoded value.
pub(super) enum Piece<'a> {
    /// As it stands in the text.
    Text(&'a str),
    /// What a reference stands for.
    Character(char),
}

impl<'a> Piece<'a> {
    pub(super) fn as_str<'p>(&'p self, utf8: &'p mut [u8; 4]) -> &'p str
    where
        'a: 'p,
    {
        match self {
            Piece::Text(text) => text,
            Piece::Character(character) => character.encode_utf8(utf8),
        }
    }
}

/// What is left of a value.
pub(super) struct Pieces<'a>(pub(super) &'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.0;
        let (piece, used) = match rest.as_bytes().first()? {
            b'&' => {
                let (character, used) = reference(rest);
                (Piece::Character(character), used)
            }
            b'<' => {
                let (text, used) = section(rest);
                (Piece::Text(text), used)
            }
            _ => {
                let plain = next_markup(rest.as_bytes()).unwrap_or(rest.len());
                (Piece::Text(&rest[..plain]), plain)
            }
        };
        self.0 = &rest[used..];
        Some(piece)
    }
}
