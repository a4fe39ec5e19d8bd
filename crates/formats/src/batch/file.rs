//! A batch that refers to a piece of a file whose bytes lie in the spool.
//!
//! ```text
//! header     as of any batch, with version 2, 1 event, the kind of files
//! class      u8
//! site       u8 0 or 1, then varint length, UTF-8
//! path       varint length, UTF-8
//! file       16 bytes
//! offset     varint
//! content    u8 0 (dropped) or 1 (kept), varint length; of what is kept 16 bytes of its id, 32 of its SHA-256
//! lines      u8 0 or 1, then varint number of the first, varint length, directives
//! whole      u8 0 or 1, then varint length, 32 bytes of SHA-256
//! modified   u8 0 or 1, then signed seconds, nanoseconds
//! ```
//!
//! It has no [`Record`](super::Record)s: whoever knows only events passes over it.

use jiff::Timestamp;

use super::{Batch, DecodeError, FILE_VERSION, Header, Kind, header_bytes, name, put_name};
use crate::limits::{FILE_DIRECTIVES_BYTES_MAX, FILE_PATH_BYTES_MAX};
use crate::varint::{self, Reader};

/// SHA-256 of bytes.
pub type Sha256 = [u8; 32];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileClass {
    /// A log of IIS, its FTP service or HTTP.sys.
    IisLog,
    /// The trace of a failed request.
    FailedRequest,
    /// A dump of a process that crashed.
    CrashDump,
    /// Lines of a program's own.
    Text,
    /// Event traces.
    Etl,
    /// Performance counters.
    Counters,
    /// Anything else.
    Other,
}

impl FileClass {
    /// All of them, by the number that is stored.
    pub const ALL: [Self; 7] = [
        Self::IisLog,
        Self::FailedRequest,
        Self::CrashDump,
        Self::Text,
        Self::Etl,
        Self::Counters,
        Self::Other,
    ];

    /// As settings, logs and metrics say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileClass::IisLog => "iis_log",
            FileClass::FailedRequest => "failed_request",
            FileClass::CrashDump => "crash_dump",
            FileClass::Text => "text",
            FileClass::Etl => "etl",
            FileClass::Counters => "counters",
            FileClass::Other => "other",
        }
    }
}

/// Which piece of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PieceId(pub [u8; 16]);

/// One taking of a file from its first byte on. A file that is cut short or replaced is another one from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub [u8; 16]);

/// Bytes in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub id: PieceId,
    /// How many.
    pub bytes: u32,
    /// What they have to be.
    pub sha256: Sha256,
}

/// What became of the bytes that a reference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// They are in the spool.
    Kept(Piece),
    /// The spool had no room for them, and the administrator wants them dropped then.
    Dropped {
        /// How many.
        bytes: u32,
    },
}

impl Content {
    /// How many bytes of the file they are.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Content::Kept(piece) => piece.bytes,
            Content::Dropped { bytes } => *bytes,
        }
    }
}

/// Where the lines of a piece are in their file, and what lines before it say of them: with it a piece can be read
/// without those before it, and its lines are told from like ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLines {
    /// Number of its first line; that of the file is 1.
    pub first: u64,
    /// Lines from before it that hold for it (`#Fields` of a W3C log), as they stand there.
    pub directives: Vec<u8>,
}

/// What is known of a file once its last byte is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeFile {
    /// Its length.
    pub bytes: u64,
    /// Of all of it.
    pub sha256: Sha256,
}

/// Whether a folder is called as IIS calls those of its sites.
#[must_use]
pub fn is_site(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    ["W3SVC", "FTPSVC"].iter().any(|prefix| {
        upper.strip_prefix(prefix).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
        })
    })
}

/// A piece of a file. The machine is the header's source, the name of the directory's source its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReference {
    /// What the file is.
    pub class: FileClass,
    /// The site of a web server that it belongs to.
    pub site: Option<String>,
    /// Where it was seen, from the root of the watched tree, with `/`.
    pub path: String,
    /// Which file; its pieces follow one another without a hole.
    pub file: FileId,
    /// Of the piece's first byte.
    pub offset: u64,
    /// The bytes.
    pub content: Content,
    /// Set where the file is one of lines that grows; such a piece has whole lines.
    pub lines: Option<FileLines>,
    /// Set with the last piece of a file that is taken whole; one that grows has no last one.
    pub whole: Option<WholeFile>,
    /// When it was changed last, as its file system says.
    pub modified_at: Option<Timestamp>,
}

impl FileReference {
    /// The batch of this piece; the header's kind is taken to be that of files. A machine, a site and a path that
    /// are too long are cut; directives that are too long are left out.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let header = Header {
            kind: Kind::File,
            ..header.clone()
        };
        let mut bytes = header_bytes(FILE_VERSION, 1, &header);
        bytes.push(self.class as u8);
        bytes.push(u8::from(self.site.is_some()));
        if let Some(site) = &self.site {
            put_name(&mut bytes, site);
        }
        let path = &self.path[..self.path.floor_char_boundary(FILE_PATH_BYTES_MAX)];
        varint::put(&mut bytes, path.len() as u64);
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&self.file.0);
        varint::put(&mut bytes, self.offset);
        bytes.push(u8::from(matches!(self.content, Content::Kept(_))));
        varint::put(&mut bytes, u64::from(self.content.bytes()));
        if let Content::Kept(piece) = &self.content {
            bytes.extend_from_slice(&piece.id.0);
            bytes.extend_from_slice(&piece.sha256);
        }
        bytes.push(u8::from(self.lines.is_some()));
        if let Some(lines) = &self.lines {
            let fits = lines.directives.len() <= FILE_DIRECTIVES_BYTES_MAX;
            let directives: &[u8] = if fits { &lines.directives } else { &[] };
            varint::put(&mut bytes, lines.first);
            varint::put(&mut bytes, directives.len() as u64);
            bytes.extend_from_slice(directives);
        }
        bytes.push(u8::from(self.whole.is_some()));
        if let Some(whole) = &self.whole {
            varint::put(&mut bytes, whole.bytes);
            bytes.extend_from_slice(&whole.sha256);
        }
        bytes.push(u8::from(self.modified_at.is_some()));
        if let Some(at) = self.modified_at {
            varint::put_signed(&mut bytes, at.as_second());
            varint::put_signed(&mut bytes, i64::from(at.subsec_nanosecond()));
        }
        bytes
    }

    fn decode(mut reader: Reader<'_>) -> Option<Self> {
        let reader = &mut reader;
        let class = *FileClass::ALL.get(usize::from(reader.byte()?))?;
        let site = optional(reader, name)?;
        let path_bytes = usize::try_from(reader.varint()?)
            .ok()
            .filter(|&bytes| bytes <= FILE_PATH_BYTES_MAX)?;
        let path = std::str::from_utf8(reader.bytes(path_bytes)?).ok()?;
        let file = FileId(reader.array()?);
        let offset = reader.varint()?;
        let is_kept = reader.byte()?;
        let bytes = u32::try_from(reader.varint()?).ok()?;
        let content = match is_kept {
            0 => Content::Dropped { bytes },
            1 => Content::Kept(Piece {
                id: PieceId(reader.array()?),
                bytes,
                sha256: reader.array()?,
            }),
            _ => return None,
        };
        // A reader may add the two.
        offset.checked_add(u64::from(bytes))?;
        let lines = optional(reader, |reader| {
            let first = reader.varint()?;
            let bytes = usize::try_from(reader.varint()?).ok()?;
            let fits = bytes <= FILE_DIRECTIVES_BYTES_MAX;
            let directives = reader.bytes(bytes).filter(|_| fits)?.to_vec();
            Some(FileLines { first, directives })
        })?;
        let whole = optional(reader, |reader| {
            Some(WholeFile {
                bytes: reader.varint()?,
                sha256: reader.array()?,
            })
        })?;
        let modified_at = optional(reader, |reader| {
            let second = reader.signed()?;
            let nanosecond = i32::try_from(reader.signed()?).ok()?;
            Timestamp::new(second, nanosecond).ok()
        })?;
        reader.is_empty().then(|| FileReference {
            class,
            site,
            path: path.to_owned(),
            file,
            offset,
            content,
            lines,
            whole,
            modified_at,
        })
    }
}

/// A value behind a byte that says whether there is one.
fn optional<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match reader.byte()? {
        0 => Some(None),
        1 => Some(Some(read(reader)?)),
        _ => None,
    }
}

impl Batch<'_> {
    /// The piece of a file that it refers to; none where it has events.
    ///
    /// # Errors
    /// It is damaged.
    pub fn file(&self) -> Result<Option<FileReference>, DecodeError> {
        if self.header.kind != Kind::File {
            return Ok(None);
        }
        let reference = FileReference::decode(Reader::new(self.body));
        reference.map(Some).ok_or(DecodeError::File)
    }
}

#[cfg(test)]
mod tests;
