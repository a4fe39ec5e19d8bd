//! A forward-only XML scanner over one Event.
//!
//! It knows tags, attributes, text, CDATA, comments and processing instructions, and
//! nothing of Windows. It tolerates what XML 1.0 forbids but events have (control
//! characters, bare ampersands, a second prolog inside a value) and refuses what would
//! make the meaning doubtful (tags that do not match, tags cut off). It follows no
//! reference, reads no DTD and never looks back, so its cost is linear in the text.

use memchr::{memchr2, memmem};

use super::Reason;
use super::span::Span;
use crate::limits::EVENT_DEPTH_MAX;

/// A name in the text, as byte offsets: with its namespace prefix from `start`, without
/// from `local`.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Name {
    start: usize,
    local: usize,
    end: usize,
}

impl Name {
    /// Where the tag of the name begins that is a start tag.
    #[inline]
    pub(crate) fn tag_start(self) -> usize {
        self.start.saturating_sub(1)
    }

    /// The span of the name without its prefix.
    #[inline]
    pub(crate) fn local_span(self) -> Span {
        Span::new(self.local, self.end, false)
    }
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

    /// The name as written.
    #[inline]
    pub(crate) fn name(&self, name: Name) -> &'a [u8] {
        &self.bytes[name.start..name.end]
    }

    /// The name without its namespace prefix.
    #[inline]
    pub(crate) fn local(&self, name: Name) -> &'a [u8] {
        &self.bytes[name.local..name.end]
    }

    /// Reads text up to the next tag, passing over sections; `Err` at the end of the text.
    #[inline]
    pub(crate) fn run(&mut self) -> Result<Run, Reason> {
        let start = self.pos;
        let mut needs_decoding = false;
        loop {
            // Once there was a reference, the others make no difference.
            self.find_either(b'<', if needs_decoding { b'<' } else { b'&' })?;
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
                self.find_either(b'<', b'<')?;
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
            self.find_either(quote, if needs_decoding { quote } else { b'&' })?;
            self.pos += 1;
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
        if self.skip_close(name) {
            return Ok(run.span);
        }
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

    /// Passes over the end tag of `name`, if it is next and written the usual way.
    #[inline]
    fn skip_close(&mut self, name: Name) -> bool {
        let wanted = self.name(name);
        let rest = &self.bytes[self.pos..];
        let end = wanted.len() + 2;
        let is_next = rest.get(end) == Some(&b'>') && rest[1] == b'/' && rest[2..end] == *wanted;
        if is_next {
            self.pos += end + 1;
        }
        is_next
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

    /// Reads `<Data Name='…'>…</Data>` if it is next and written the way Windows does,
    /// with nothing to decode; otherwise the scanner does not move. Returns the spans of
    /// name and value. Most elements of most Events are of this shape.
    #[inline]
    pub(crate) fn plain_data(&mut self) -> Option<(Span, Span)> {
        let start = self.pos;
        let found = self.try_plain_data();
        if found.is_none() {
            self.pos = start;
        }
        found
    }

    #[inline]
    fn try_plain_data(&mut self) -> Option<(Span, Span)> {
        let (&opening, rest) = self.bytes[self.pos..].split_first_chunk::<11>()?;
        let quote = *rest
            .first()
            .filter(|&&byte| byte == b'"' || byte == b'\'')?;
        if opening != *b"<Data Name=" {
            return None;
        }
        self.pos += 12;
        let name_start = self.pos;
        self.find_either(quote, b'&').ok()?;
        let name = Span::new(name_start, self.pos, false);
        if *self.bytes[self.pos..].first_chunk()? != [quote, b'>'] {
            return None;
        }
        self.pos += 2;
        let value_start = self.pos;
        self.find_either(b'<', b'&').ok()?;
        let value = Span::new(value_start, self.pos, false);
        if self.bytes[self.pos..].first_chunk() != Some(b"</Data>") {
            return None;
        }
        self.pos += 7;
        Some((name, value))
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
        let mut local = start;
        loop {
            let Some(&byte) = self.bytes.get(self.pos) else {
                return Err(Reason::CutOff);
            };
            match NAME_BYTES[usize::from(byte)] {
                NameByte::Part => self.pos += 1,
                NameByte::Colon => {
                    self.pos += 1;
                    local = self.pos;
                }
                NameByte::End if self.pos == start => return Err(Reason::BadMarkup),
                NameByte::End => {
                    return Ok(Name {
                        start,
                        local,
                        end: self.pos,
                    });
                }
            }
        }
    }

    /// Moves to the next of two bytes. Values are short, so the first words are looked at
    /// here and only what is longer is worth a call.
    #[inline]
    fn find_either(&mut self, one: u8, other: u8) -> Result<(), Reason> {
        let rest = &self.bytes[self.pos..];
        let (words, _) = rest.as_chunks::<8>();
        let near = &words[..words.len().min(4)];
        for word in near {
            let hits = byte_hits(*word, one) | byte_hits(*word, other);
            if hits != 0 {
                self.pos += hits.trailing_zeros() as usize / 8;
                return Ok(());
            }
            self.pos += 8;
        }
        match memchr2(one, other, &rest[near.len() * 8..]) {
            Some(at) => {
                self.pos += at;
                Ok(())
            }
            None => {
                self.pos = self.bytes.len();
                Err(Reason::CutOff)
            }
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

/// The high bit of every byte that equals `wanted`; the lowest one set is exact, those
/// above it may be false.
#[inline]
pub(crate) fn byte_hits(word: [u8; 8], wanted: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let differences = u64::from_le_bytes(word) ^ (ONES * u64::from(wanted));
    differences.wrapping_sub(ONES) & !differences & (ONES << 7)
}

/// What a byte means inside a name.
#[derive(Clone, Copy)]
enum NameByte {
    Part,
    Colon,
    End,
}

/// Everything that cannot end a name belongs to it: what a name may be made of is not
/// ours to police.
const NAME_BYTES: [NameByte; 256] = {
    let mut table = [NameByte::Part; 256];
    let ends = b" \t\r\n/>=<\"'&";
    let mut place = 0;
    while place < ends.len() {
        table[ends[place] as usize] = NameByte::End;
        place += 1;
    }
    table[b':' as usize] = NameByte::Colon;
    table
};
