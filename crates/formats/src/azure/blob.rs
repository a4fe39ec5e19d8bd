//! Blobs: names, blocks by their place, and lists of what is in a container.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::key::push_encoded;
use super::value::utf16_units;
use crate::limits::{AZURE_BLOB_NAME_UNITS_MAX, AZURE_LIST_DEPTH_MAX, AZURE_LISTED_BLOBS_MAX};

/// What a blob is made of, which is fixed when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlobKind {
    /// Blocks, committed together.
    #[default]
    Block,
    /// Blocks, added one by one at the end.
    Append,
    /// Pages, as disks have them.
    Page,
}

impl BlobKind {
    /// By the service's word for it.
    pub fn of(word: &str) -> Option<BlobKind> {
        match word {
            "BlockBlob" => Some(BlobKind::Block),
            "AppendBlob" => Some(BlobKind::Append),
            "PageBlob" => Some(BlobKind::Page),
            _ => None,
        }
    }
}

/// A blob in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its name in the container.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// What it is made of.
    pub kind: BlobKind,
    /// When it was written last.
    pub modified: Option<Timestamp>,
    /// Changes with each write.
    pub etag: Option<String>,
}

/// Part of what is in a container, in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobList {
    /// The blobs.
    pub blobs: Vec<ListedBlob>,
    /// Where the next part begins; none where this was the last one. It is the service's own and opaque.
    pub next: Option<String>,
}

/// A body that is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobListError {
    /// It is not XML.
    #[error("the answer is not XML: {0}")]
    Xml(String),
    /// It is something else.
    #[error("the answer is no list of blobs")]
    Form,
}

/// Whether the service takes this for the name of a container: small letters, digits and single hyphens between them, 3 to 63.
pub fn container_name_is_allowed(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (3..=63).contains(&name.len()) && name.split('-').all(is_part)
}

/// Whether this is the name of a blob that the service keeps as it is: no control character and no backslash, and no part
/// between slashes that is empty or ends with a dot, since those stand for another path.
pub fn blob_name_is_allowed(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.ends_with('.');
    (1..=AZURE_BLOB_NAME_UNITS_MAX).contains(&utf16_units(name))
        && !name.contains(|character: char| character.is_control() || character == '\\')
        && name.split('/').all(is_part)
}

/// The path of a blob. What is not plain in a URL is percent-encoded, slashes are not.
pub fn blob_in_path(container: &str, blob: &str) -> String {
    let mut path = String::with_capacity(container.len() + blob.len() + 16);
    path.extend(["/", container]);
    for part in blob.split('/') {
        path.push('/');
        push_encoded(&mut path, part.as_bytes());
    }
    path
}

/// The name of the block at this place, from 0 on. The names of one blob's blocks have to be of one length.
pub fn block_id(place: u32) -> String {
    // Nine characters are twelve of Base64 without padding.
    BASE64.encode(format!("{place:09}"))
}

/// The body that makes a blob of so many blocks. Of each the latest counts, so that it may be sent again: after the first time
/// the blocks are no longer uncommitted ones.
pub fn block_list(blocks: u32) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for place in 0..blocks {
        // Writing to a String does not fail.
        let _ = write!(text, "<Latest>{}</Latest>", block_id(place));
    }
    text.push_str("</BlockList>");
    text
}

/// What is in a container, as the service lists it. What has no name is not in it.
///
/// # Errors
/// It is no list.
pub fn read_blobs(body: &[u8]) -> Result<BlobList, BlobListError> {
    let xml = |error: String| BlobListError::Xml(error);
    let body = std::str::from_utf8(body).map_err(|error| xml(error.to_string()))?;
    let mut reader = Reader::from_str(body.trim_start_matches('\u{feff}'));
    let mut reading = Reading::default();
    loop {
        let event = reader.read_event();
        match event.map_err(|error| xml(error.to_string()))? {
            Event::Start(tag) => {
                reading.open(&tag)?;
            }
            Event::Empty(tag) => {
                reading.open(&tag)?;
                reading.close()?;
            }
            Event::End(_) => reading.close()?,
            Event::Text(text) => reading.push(&text),
            Event::CData(text) => reading.push(&text),
            Event::GeneralRef(reference) => {
                let text = format!("&{};", &*reference);
                let text = unescape(&text).map_err(|error| xml(error.to_string()))?;
                reading.push(&text);
            }
            // An entity of its own could be made to grow.
            Event::DocType(_) => return Err(BlobListError::Form),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return reading.finish(),
        }
    }
}

/// A list that is being read.
#[derive(Default)]
struct Reading {
    /// The elements that are open, outermost first.
    path: Vec<String>,
    /// The text of the innermost one so far.
    text: String,
    /// Whether that is percent-encoded: a name that XML has no form for.
    is_encoded: bool,
    blob: ListedBlob,
    list: BlobList,
    has_blobs: bool,
}

impl Reading {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), BlobListError> {
        if self.path.len() >= AZURE_LIST_DEPTH_MAX {
            return Err(BlobListError::Form);
        }
        self.path
            .push(AsRef::<str>::as_ref(&tag.local_name()).to_owned());
        self.text.clear();
        let encoded = tag.try_get_attribute("Encoded");
        let encoded = encoded.map_err(|error| BlobListError::Xml(error.to_string()))?;
        self.is_encoded = encoded.is_some_and(|encoded| &*encoded.value == "true");
        match self.at()[..] {
            ["EnumerationResults", "Blobs", "Blob"] => self.blob = ListedBlob::default(),
            ["EnumerationResults", "Blobs"] => self.has_blobs = true,
            _ => {}
        }
        Ok(())
    }

    fn at(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn close(&mut self) -> Result<(), BlobListError> {
        let text = std::mem::take(&mut self.text);
        match &self.at()[..] {
            ["EnumerationResults", "NextMarker"] if !text.is_empty() => self.list.next = Some(text),
            ["EnumerationResults", "Blobs", "Blob", "Name"] => {
                self.blob.name = match self.is_encoded {
                    true => decoded(&text).ok_or(BlobListError::Form)?.into_owned(),
                    false => text,
                };
            }
            [
                "EnumerationResults",
                "Blobs",
                "Blob",
                "Properties",
                property,
            ] => {
                let property = (*property).to_owned();
                self.property(&property, text)?;
            }
            ["EnumerationResults", "Blobs", "Blob"] if !self.blob.name.is_empty() => {
                if self.list.blobs.len() >= AZURE_LISTED_BLOBS_MAX {
                    return Err(BlobListError::Form);
                }
                self.list.blobs.push(std::mem::take(&mut self.blob));
            }
            _ => {}
        }
        self.path.pop();
        Ok(())
    }

    fn property(&mut self, name: &str, text: String) -> Result<(), BlobListError> {
        match name {
            "Content-Length" => {
                self.blob.length = text.parse().map_err(|_| BlobListError::Form)?;
            }
            "BlobType" => self.blob.kind = BlobKind::of(&text).ok_or(BlobListError::Form)?,
            "Last-Modified" => {
                self.blob.modified = DateTimeParser::new().parse_timestamp(text).ok()
            }
            "Etag" => self.blob.etag = Some(text),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<BlobList, BlobListError> {
        match self.path.is_empty() && self.has_blobs {
            true => Ok(self.list),
            false => Err(BlobListError::Form),
        }
    }
}

/// Text without percent-encoding.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after.split_at_checked(2)) {
            (b'%', Some((digits, after))) => (16 * digit(digits[0])? + digit(digits[1])?, after),
            (b'%', None) => return None,
            (byte, _) => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
