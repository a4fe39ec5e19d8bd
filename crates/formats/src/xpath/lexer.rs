//! The expression as tokens (XPath 1.0, 3.7), one at a time. What XPath has and event
//! queries do not is a token too, so that the parser can say what to write instead.

use std::ops::Range;

use super::error::{Fault, XPathError};
use super::number::Number;
use crate::limits::XPATH_NUMBER_BYTES_MAX;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name without a prefix: the colon is a sign.
    Name(&'a str),
    /// What stands between quotes.
    String(&'a str),
    Number(Number),
    /// Anything else: brackets, operators.
    Sign(&'static str),
    End,
}

/// A token and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) at: Range<usize>,
}

/// Longer ones first.
const SIGNS: [&str; 24] = [
    "!=", "<=", ">=", "//", "::", "..", "(", ")", "[", "]", ",", "/", "@", "*", ".", ":", "|", "+",
    "-", "=", "<", ">", "$", "!",
];

pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// Reads the next token.
    pub(super) fn next(&mut self) -> Result<Lexeme<'a>, XPathError> {
        let rest = &self.text[self.position..];
        let start = self.position + rest.len() - rest.trim_ascii_start().len();
        let rest = &self.text[start..];
        let (token, len) = match rest.bytes().next() {
            None => (Token::End, 0),
            Some(quote @ (b'\'' | b'"')) => string(rest, quote, start)?,
            Some(b'0'..=b'9') => number(rest, start)?,
            Some(b'.') if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                number(rest, start)?
            }
            Some(_) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => name(rest, start)?,
            },
        };
        self.position = start + len;
        Ok(Lexeme {
            token,
            at: start..start + len,
        })
    }
}

fn string(rest: &str, quote: u8, start: usize) -> Result<(Token<'_>, usize), XPathError> {
    match rest[1..].find(char::from(quote)) {
        Some(len) => Ok((Token::String(&rest[1..=len]), len + 2)),
        None => Err(Fault::OpenString.at(start..start + 1)),
    }
}

/// Digits with a fraction, or the hexadecimal form that Windows writes masks in.
fn number(rest: &str, start: usize) -> Result<(Token<'_>, usize), XPathError> {
    let count = |from: usize, is_digit: fn(&u8) -> bool| {
        rest.as_bytes()[from..]
            .iter()
            .take_while(|byte| is_digit(byte))
            .count()
    };
    let len = if rest.starts_with("0x") || rest.starts_with("0X") {
        2 + count(2, u8::is_ascii_hexdigit)
    } else {
        let whole = count(0, u8::is_ascii_digit);
        match rest.as_bytes().get(whole) {
            Some(b'.') => whole + 1 + count(whole + 1, u8::is_ascii_digit),
            _ => whole,
        }
    };
    // Displayed it has the zero in front that it may be written without.
    let shown_len = len + usize::from(rest.starts_with('.'));
    let number = Number::read(&rest[..len]).filter(|_| shown_len < XPATH_NUMBER_BYTES_MAX);
    match number {
        Some(number) => Ok((Token::Number(number), len)),
        None => Err(Fault::BadNumber.at(start..start + len)),
    }
}

/// A name: what may be in one is not policed, what ends one is.
fn name(rest: &str, start: usize) -> Result<(Token<'_>, usize), XPathError> {
    let is_part = |character: char| {
        character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '\u{b7}')
    };
    let len = rest
        .find(|character| !is_part(character))
        .unwrap_or(rest.len());
    if len == 0 {
        let character = rest.chars().next().map_or(0, char::len_utf8);
        return Err(Fault::Unexpected {
            found: super::error::excerpt(&rest[..character]),
            expected: "a path, a string or a number",
        }
        .at(start..start + character));
    }
    Ok((Token::Name(&rest[..len]), len))
}
