//! A forward-only XML scanner over one Event.
//!
//! It knows tags, attributes, text, CDATA, comments and processing instructions, and
//! nothing of Windows. It tolerates what XML 1.0 forbids but events have (control
//! characters, bare ampersands, a second prolog inside a value) and refuses what would
//! make the meaning doubtful (tags that do not match, tags cut off). It follows no
//! reference, reads no DTD and never looks back, so its cost is linear in the text.

use memchr::{memchr, memchr2, memmem};

use super::Reason;
use super::span::Span;
use crate::limits::EVENT_DEPTH_MAX;

/// A name in the text, as byte offsets.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Name {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What comes next between elements.
pub(crate) enum Tag {
    /// A start tag; the scanner stands behind its name, the attributes follow.
    Open(Name),
    /// An end tag; the scanner stands behind it.
    Close(Name),
}

/// What comes next inside a start tag.
pub(crate) enum Attribute {
    Pair(Name, Span),
    /// `>`: content follows.
    End,
    /// `/>`: the element is over.
    EndEmpty,
}

/// Text up to the next tag.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) span: Span,
    pub(crate) is_blank: bool,
}

pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.pos == self.bytes.len()
    }

    #[inline]
    pub(crate) fn name(&self, name: Name) -> &'a [u8] {
        &self.bytes[name.start..name.end]
    }

    /// The name without its namespace prefix.
    #[inline]
    pub(crate) fn local(&self, name: Name) -> Name {
        match memchr(b':', self.name(name)) {
            Some(colon) => Name {
                start: name.start + colon + 1,
                end: name.end,
            },
            None => name,
        }
    }

    /// Reads text up to the next tag, passing over sections; `Err` at the end of the text.
    #[inline]
    pub(crate) fn run(&mut self) -> Result<Run, Reason> {
        let start = self.pos;
        let mut needs_decoding = false;
        loop {
            match memchr2(b'<', b'&', &self.bytes[self.pos..]) {
                None => {
                    self.pos = self.bytes.len();
                    return Err(Reason::CutOff);
                }
                Some(at) => self.pos += at,
            }
            if self.bytes[self.pos] == b'&' {
                needs_decoding = true;
                self.pos += 1;
            } else if self.is_at_section() {
                needs_decoding = true;
                self.section()?;
            } else {
                let is_blank = !needs_decoding && is_blank(&self.bytes[start..self.pos]);
                return Ok(Run {
                    span: Span::new(start, self.pos, needs_decoding),
                    is_blank,
                });
            }
        }
    }

    /// Passes over text and sections to the next tag and reads it.
    #[inline]
    pub(crate) fn next_tag(&mut self) -> Result<Tag, Reason> {
        loop {
            if self.bytes.get(self.pos) != Some(&b'<') {
                match memchr(b'<', &self.bytes[self.pos..]) {
                    None => {
                        self.pos = self.bytes.len();
                        return Err(Reason::CutOff);
                    }
                    Some(at) => self.pos += at,
                }
            }
            if !self.is_at_section() {
                return self.tag();
            }
            self.section()?;
        }
    }

    /// Reads the tag at the scanner's place, where [`Self::run`] stopped.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<Tag, Reason> {
        debug_assert_eq!(self.bytes.get(self.pos), Some(&b'<'));
        self.pos += 1;
        if self.bytes.get(self.pos) == Some(&b'/') {
            self.pos += 1;
            let name = self.take_name()?;
            self.skip_space();
            return match self.bytes.get(self.pos) {
                Some(b'>') => {
                    self.pos += 1;
                    Ok(Tag::Close(name))
                }
                Some(_) => Err(Reason::BadMarkup),
                None => Err(Reason::CutOff),
            };
        }
        Ok(Tag::Open(self.take_name()?))
    }

    /// Reads the next attribute of the start tag whose name was just read.
    #[inline]
    pub(crate) fn attribute(&mut self) -> Result<Attribute, Reason> {
        self.skip_space();
        match self.bytes.get(self.pos) {
            None => Err(Reason::CutOff),
            Some(b'>') => {
                self.pos += 1;
                Ok(Attribute::End)
            }
            Some(b'/') => {
                self.pos += 1;
                self.expect(b'>')?;
                Ok(Attribute::EndEmpty)
            }
            Some(_) => self.pair(),
        }
    }

    fn pair(&mut self) -> Result<Attribute, Reason> {
        let name = self.take_name()?;
        self.skip_space();
        self.expect(b'=')?;
        self.skip_space();
        let quote = match self.bytes.get(self.pos) {
            Some(&quote @ (b'"' | b'\'')) => quote,
            Some(_) => return Err(Reason::BadMarkup),
            None => return Err(Reason::CutOff),
        };
        self.pos += 1;
        let start = self.pos;
        let mut needs_decoding = false;
        loop {
            let Some(at) = memchr2(quote, b'&', &self.bytes[self.pos..]) else {
                self.pos = self.bytes.len();
                return Err(Reason::CutOff);
            };
            self.pos += at + 1;
            if self.bytes[self.pos - 1] == quote {
                return Ok(Attribute::Pair(
                    name,
                    Span::new(start, self.pos - 1, needs_decoding),
                ));
            }
            needs_decoding = true;
        }
    }

    /// Passes over the rest of a start tag. Returns whether content follows.
    #[inline]
    pub(crate) fn skip_attributes(&mut self) -> Result<bool, Reason> {
        loop {
            match self.attribute()? {
                Attribute::Pair(..) => {}
                Attribute::End => return Ok(true),
                Attribute::EndEmpty => return Ok(false),
            }
        }
    }

    /// Reads the content of the element `name` up to and with its end tag. Elements inside
    /// are part of the value, as markup.
    #[inline]
    pub(crate) fn content(&mut self, name: Name) -> Result<Span, Reason> {
        let start = self.pos;
        let run = self.run()?;
        match self.tag()? {
            Tag::Close(close) => {
                self.expect_same(name, close)?;
                Ok(run.span)
            }
            Tag::Open(inner) => {
                let end = self.markup(name, inner)?;
                Ok(Span::new(start, end, false))
            }
        }
    }

    /// Passes over the content of the element `name` and its end tag.
    pub(crate) fn skip_content(&mut self, name: Name) -> Result<(), Reason> {
        self.content(name).map(|_| ())
    }

    /// Passes over nested elements, the first of them just opened, to the end tag of
    /// `outer`; returns where that begins.
    fn markup(&mut self, outer: Name, first: Name) -> Result<usize, Reason> {
        let mut open = [Name::default(); EVENT_DEPTH_MAX];
        open[0] = outer;
        let mut depth = 1;
        let mut opened = Some(first);
        loop {
            if let Some(name) = opened.take()
                && self.skip_attributes()?
            {
                *open.get_mut(depth).ok_or(Reason::TooDeep)? = name;
                depth += 1;
            }
            self.run()?;
            let before = self.pos;
            match self.tag()? {
                Tag::Open(name) => opened = Some(name),
                Tag::Close(name) => {
                    depth -= 1;
                    self.expect_same(open[depth], name)?;
                    if depth == 0 {
                        return Ok(before);
                    }
                }
            }
        }
    }

    #[inline]
    pub(crate) fn expect_same(&self, open: Name, close: Name) -> Result<(), Reason> {
        if self.name(open) == self.name(close) {
            Ok(())
        } else {
            Err(Reason::MismatchedTag)
        }
    }

    /// Whether only what may follow the root element follows: space, sections, and the
    /// NULs with which some senders fill their buffers.
    pub(crate) fn is_rest_ignorable(&mut self) -> bool {
        loop {
            let rest = &self.bytes[self.pos..];
            let blank = rest
                .iter()
                .take_while(|&&byte| byte == 0 || is_space(byte))
                .count();
            self.pos += blank;
            if self.is_at_end() {
                return true;
            }
            if !self.is_at_section() || self.section().is_err() {
                return false;
            }
        }
    }

    /// At `<!` or `<?`: a comment, CDATA, a processing instruction or a document type.
    #[inline]
    fn is_at_section(&self) -> bool {
        self.bytes.get(self.pos) == Some(&b'<')
            && matches!(self.bytes.get(self.pos + 1), Some(b'!' | b'?'))
    }

    fn section(&mut self) -> Result<(), Reason> {
        let rest = &self.bytes[self.pos..];
        let (skip, end): (usize, &[u8]) = if rest.starts_with(b"<!--") {
            (4, b"-->")
        } else if rest.starts_with(b"<![CDATA[") {
            (9, b"]]>")
        } else if rest.starts_with(b"<?") {
            (2, b"?>")
        } else {
            (2, b">")
        };
        match memmem::find(&rest[skip..], end) {
            Some(at) => {
                self.pos += skip + at + end.len();
                Ok(())
            }
            None => {
                self.pos = self.bytes.len();
                Err(Reason::CutOff)
            }
        }
    }

    #[inline]
    fn take_name(&mut self) -> Result<Name, Reason> {
        let start = self.pos;
        let len = self.bytes[start..]
            .iter()
            .take_while(|&&byte| is_name(byte))
            .count();
        self.pos += len;
        match (len, self.is_at_end()) {
            (_, true) => Err(Reason::CutOff),
            (0, false) => Err(Reason::BadMarkup),
            _ => Ok(Name {
                start,
                end: self.pos,
            }),
        }
    }

    #[inline]
    fn skip_space(&mut self) {
        while self.bytes.get(self.pos).is_some_and(|&byte| is_space(byte)) {
            self.pos += 1;
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Result<(), Reason> {
        match self.bytes.get(self.pos) {
            Some(&byte) if byte == wanted => {
                self.pos += 1;
                Ok(())
            }
            Some(_) => Err(Reason::BadMarkup),
            None => Err(Reason::CutOff),
        }
    }

    /// The same span without white space at its ends.
    pub(crate) fn trim(&self, span: Span) -> Span {
        let raw = span.raw(self.text);
        let front = raw.len() - raw.trim_ascii_start().len();
        let len = raw.trim_ascii().len();
        let start = span.start() + front;
        Span::new(start, start + len, span.len_and_kind() & 1 == 1)
    }
}

#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| is_space(byte))
}

/// Everything that cannot end a name belongs to it: what a name may be made of is not
/// ours to police.
#[inline]
fn is_name(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>' | b'=' | b'<' | b'"' | b'\'' | b'&'
    )
}
