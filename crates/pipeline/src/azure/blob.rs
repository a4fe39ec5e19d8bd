//! Blobs: whole, in blocks, appended to, read in parts, listed.

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use windrow_formats::azure::{
    BlobKind, BlobList, blob_in_path, blob_name_is_allowed, block_id, block_list,
    container_name_is_allowed, read_blobs,
};
use windrow_formats::limits::{AZURE_BLOB_NAME_UNITS_MAX, AZURE_BLOCKS_MAX};

use super::error::{AzureError, Unfit, What};
use super::http::Told;
use super::limits::{APPEND_BYTES_MAX, BLOCK_BYTES_MAX, ETAG_BYTES_MAX, RANGE_BYTES_MAX};
use super::request::{Ask, Repeat, Service};
use super::table::removed;
use super::{Client, Made, Removed};

/// What became of bytes that were to be appended at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They are there now, and the blob ends at this byte.
    Now {
        /// Bytes of the blob.
        end: u64,
        /// How many blocks it has; it takes 50,000.
        blocks: Option<u32>,
    },
    /// They were there already: an earlier request did it whose answer was lost.
    Already {
        /// Bytes of the blob.
        end: u64,
    },
    /// Nothing was appended: the blob ends elsewhere, and has other bytes there.
    Elsewhere {
        /// Bytes of the blob.
        end: u64,
    },
}

/// Part of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobPart {
    /// Its bytes, fewer than were asked for where the blob ends.
    pub bytes: Bytes,
    /// Bytes of the whole blob.
    pub length: u64,
    /// Changes with each write.
    pub etag: Option<String>,
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobProperties {
    /// Bytes.
    pub length: u64,
    /// What it is made of.
    pub kind: BlobKind,
    /// When it was written last.
    pub modified: Option<Timestamp>,
    /// Changes with each write.
    pub etag: Option<String>,
    /// How many blocks were appended, of one that is appended to.
    pub blocks: Option<u32>,
    /// What [`Client::create_append_blob`] marked it with.
    pub mark: Option<String>,
}

/// The name of what a blob is marked with, among its metadata.
const MARK: &str = "x-ms-meta-windrowfile";

impl Client {
    /// Makes a container that nobody reads without permission, unless it is there.
    ///
    /// # Errors
    /// [`AzureError`]; one of this name that is still being deleted makes the service busy.
    pub async fn create_container(&self, container: &str) -> Result<Made, AzureError> {
        let ask = self.ask_container(Method::PUT, container)?;
        made(self.ask(ask).await, &["ContainerAlreadyExists"])
    }

    /// Writes a whole blob, in the place of the one that was there.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn put_block_blob(
        &self,
        container: &str,
        blob: &str,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<(), AzureError> {
        let ask = self.ask_blob(Method::PUT, container, blob)?;
        self.fits(&ask, bytes.len(), BLOCK_BYTES_MAX)?;
        let ask = ask
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-blob-content-type", content_type)
            .body(bytes)
            .repeat(Repeat::Safe);
        self.created(ask).await.map(drop)
    }

    /// Sends the block at this place, from 0 on, of a blob that [`Client::commit_blocks`] will make. Nobody sees it before, and
    /// after a week without that the service forgets it.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn stage_block(
        &self,
        container: &str,
        blob: &str,
        place: u32,
        bytes: Bytes,
    ) -> Result<(), AzureError> {
        let ask = self.ask_blob(Method::PUT, container, blob)?;
        self.fits_blocks(&ask, place.saturating_add(1))?;
        if bytes.is_empty() {
            return Err(self.unfit(ask.what, Unfit::Empty));
        }
        self.fits(&ask, bytes.len(), BLOCK_BYTES_MAX)?;
        let ask = ask
            .query("comp", "block")
            .query("blockid", block_id(place))
            .body(bytes)
            .repeat(Repeat::Safe);
        self.created(ask).await.map(drop)
    }

    /// Makes a blob of the first so many blocks, in the place of the one that was there.
    ///
    /// # Errors
    /// [`AzureError`]; a block that was not sent is refused as `InvalidBlockList`.
    pub async fn commit_blocks(
        &self,
        container: &str,
        blob: &str,
        blocks: u32,
        content_type: &str,
    ) -> Result<(), AzureError> {
        let ask = self.ask_blob(Method::PUT, container, blob)?;
        self.fits_blocks(&ask, blocks)?;
        let ask = ask
            .query("comp", "blocklist")
            .header("x-ms-blob-content-type", content_type)
            .header("content-type", "application/xml")
            .body(block_list(blocks))
            .repeat(Repeat::Safe);
        self.created(ask).await.map(drop)
    }

    /// Makes an empty blob to append to, unless there is one of this name, of whatever kind. It is marked with digits by which its
    /// writer knows it again.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn create_append_blob(
        &self,
        container: &str,
        blob: &str,
        content_type: &str,
        mark: &str,
    ) -> Result<Made, AzureError> {
        let ask = self.ask_blob(Method::PUT, container, blob)?;
        let ask = ask
            .header("x-ms-blob-type", "AppendBlob")
            .header(MARK, mark)
            .header("x-ms-blob-content-type", content_type)
            .header("if-none-match", "*");
        made(
            self.ask(ask).await,
            &["BlobAlreadyExists", "ConditionNotMet"],
        )
    }

    /// Appends bytes at this place, which is the blob's end as the caller knows it. Where the blob ends elsewhere it is looked
    /// whether these bytes are there already: an answer that was lost makes no double.
    ///
    /// # Errors
    /// [`AzureError`]; a blob of 50,000 blocks is refused as `BlockCountExceedsLimit`.
    pub async fn append_block(
        &self,
        container: &str,
        blob: &str,
        at: u64,
        bytes: Bytes,
    ) -> Result<Appended, AzureError> {
        let ask = self.ask_blob(Method::PUT, container, blob)?;
        if bytes.is_empty() {
            return Err(self.unfit(ask.what, Unfit::Empty));
        }
        self.fits(&ask, bytes.len(), APPEND_BYTES_MAX)?;
        let what = ask.what.clone();
        let ask = ask
            .query("comp", "appendblock")
            .header("x-ms-blob-condition-appendpos", at.to_string())
            .body(bytes.clone());
        let end = at + bytes.len() as u64;
        match self.created(ask).await {
            Ok(told) => {
                if number(&told, "x-ms-blob-append-offset").is_some_and(|offset| offset != at) {
                    let reason = "it appended at another place".to_owned();
                    return Err(self.unreadable(what, reason));
                }
                let blocks = number(&told, "x-ms-blob-committed-block-count");
                Ok(Appended::Now {
                    end,
                    blocks: blocks.and_then(|blocks| u32::try_from(blocks).ok()),
                })
            }
            Err(error) if error.has_code(&["AppendPositionConditionNotMet"]) => {
                self.appended_before(container, blob, at, &bytes).await
            }
            Err(error) => Err(error),
        }
    }

    /// That a blob ends elsewhere than its only writer left it.
    pub(crate) fn elsewhere(&self, container: &str, blob: &str, end: u64) -> AzureError {
        let what = What::Blob(container.to_owned(), blob.to_owned());
        let reason =
            format!("it ends at byte {end}, where somebody else wrote: it is looked at again");
        self.unreadable(what, reason)
    }

    /// Whether these bytes are at this place.
    async fn appended_before(
        &self,
        container: &str,
        blob: &str,
        at: u64,
        bytes: &Bytes,
    ) -> Result<Appended, AzureError> {
        let part = self.get_blob_range(container, blob, at, bytes.len(), None);
        match part.await {
            Ok(part) if part.bytes == bytes => Ok(Appended::Already { end: part.length }),
            Ok(part) => Ok(Appended::Elsewhere { end: part.length }),
            // It ends before that place.
            Err(error) if error.has_code(&["InvalidRange"]) => {
                let properties = self.blob_properties(container, blob).await?;
                let end = properties.map_or(0, |properties| properties.length);
                Ok(Appended::Elsewhere { end })
            }
            Err(error) => Err(error),
        }
    }

    /// At most `len` bytes of a blob from `from` on, of the version that the entity tag names, or of whichever is there.
    ///
    /// # Errors
    /// [`AzureError`]; behind the blob's end is refused as `InvalidRange`, another version as `ConditionNotMet`.
    pub async fn get_blob_range(
        &self,
        container: &str,
        blob: &str,
        from: u64,
        len: usize,
        etag: Option<&str>,
    ) -> Result<BlobPart, AzureError> {
        let ask = self.ask_blob(Method::GET, container, blob)?;
        let what = ask.what.clone();
        if len == 0 {
            return Err(self.unfit(what, Unfit::Empty));
        }
        self.fits(&ask, len, RANGE_BYTES_MAX)?;
        let last = from.saturating_add(len as u64 - 1);
        let ask = ask.header("x-ms-range", format!("bytes={from}-{last}"));
        let ask = match etag {
            None => ask,
            Some(etag) => ask.header("if-match", etag),
        };
        let told = self.ask(ask.expecting(len)).await?;
        self.expect(
            &self.place(what.clone()),
            &told,
            StatusCode::PARTIAL_CONTENT,
        )?;
        let range = told.header("content-range").and_then(content_range);
        let got = told.body.len();
        match range {
            // The emulator gives a part of nothing at the blob's end.
            Some((first, last, length))
                if first == from
                    && got <= len
                    && last.checked_add(1) == first.checked_add(got as u64) =>
            {
                Ok(BlobPart {
                    etag: etag_of(&told),
                    bytes: told.body,
                    length,
                })
            }
            _ => Err(self.unreadable(what, "it is another part of the blob".to_owned())),
        }
    }

    /// What is known of a blob, if it is there.
    ///
    /// # Errors
    /// [`AzureError`]; a container that is not there refuses.
    pub async fn blob_properties(
        &self,
        container: &str,
        blob: &str,
    ) -> Result<Option<BlobProperties>, AzureError> {
        let ask = self.ask_blob(Method::HEAD, container, blob)?;
        let what = ask.what.clone();
        let told = match self.ask(ask).await {
            Ok(told) => told,
            Err(error) if error.has_code(&["BlobNotFound"]) => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = told.header("x-ms-blob-type").and_then(BlobKind::of);
        let (Some(length), Some(kind)) = (number(&told, "content-length"), kind) else {
            return Err(self.unreadable(what, "it does not say what the blob is".to_owned()));
        };
        let modified = told.header("last-modified");
        let blocks = number(&told, "x-ms-blob-committed-block-count");
        Ok(Some(BlobProperties {
            length,
            kind,
            modified: modified.and_then(|at| DateTimeParser::new().parse_timestamp(at).ok()),
            etag: etag_of(&told),
            blocks: blocks.and_then(|blocks| u32::try_from(blocks).ok()),
            mark: told.header(MARK).map(str::to_owned),
        }))
    }

    /// Blobs of which the names begin like this, from the beginning or after what was told before.
    ///
    /// # Errors
    /// [`AzureError`]
    pub async fn list_blobs(
        &self,
        container: &str,
        prefix: &str,
        marker: Option<&str>,
    ) -> Result<BlobList, AzureError> {
        let ask = self.ask_container(Method::GET, container)?;
        self.fits(&ask, prefix.len(), 4 * AZURE_BLOB_NAME_UNITS_MAX)?;
        let what = ask.what.clone();
        let mut ask = ask.query("comp", "list");
        if !prefix.is_empty() {
            ask = ask.query("prefix", prefix);
        }
        if let Some(marker) = marker {
            ask = ask.query("marker", marker);
        }
        let told = self.ask(ask).await?;
        read_blobs(&told.body).map_err(|why| self.unreadable(what, why.to_string()))
    }

    /// Takes a blob away: the version that the entity tag names, or whichever is there.
    ///
    /// # Errors
    /// [`AzureError`]; a container that is not there refuses, and so does another version, as `ConditionNotMet`.
    pub async fn delete_blob(
        &self,
        container: &str,
        blob: &str,
        etag: Option<&str>,
    ) -> Result<Removed, AzureError> {
        let ask = self.ask_blob(Method::DELETE, container, blob)?;
        let ask = match etag {
            None => ask,
            Some(etag) => ask.header("if-match", etag),
        };
        removed(self.ask(ask).await, &["BlobNotFound"])
    }

    fn ask_container(&self, method: Method, container: &str) -> Result<Ask, AzureError> {
        let what = What::Container(container.to_owned());
        if !container_name_is_allowed(container) {
            return Err(self.unfit(what, Unfit::ContainerName));
        }
        let ask = Ask::new(Service::Blobs, method, format!("/{container}"), what);
        Ok(ask.query("restype", "container"))
    }

    fn ask_blob(&self, method: Method, container: &str, blob: &str) -> Result<Ask, AzureError> {
        let what = What::Blob(container.to_owned(), blob.to_owned());
        if !container_name_is_allowed(container) {
            return Err(self.unfit(what, Unfit::ContainerName));
        }
        if !blob_name_is_allowed(blob) {
            return Err(self.unfit(what, Unfit::BlobName));
        }
        let path = blob_in_path(container, blob);
        Ok(Ask::new(Service::Blobs, method, path, what))
    }

    async fn created(&self, ask: Ask) -> Result<Told, AzureError> {
        let what = ask.what.clone();
        let told = self.ask(ask).await?;
        self.expect(&self.place(what), &told, StatusCode::CREATED)?;
        Ok(told)
    }

    fn unfit(&self, what: What, why: Unfit) -> AzureError {
        let place = self.place(what);
        AzureError::Unfit { place, why }
    }

    fn fits(&self, ask: &Ask, bytes: usize, max: usize) -> Result<(), AzureError> {
        match bytes <= max {
            true => Ok(()),
            false => Err(self.unfit(ask.what.clone(), Unfit::TooLarge { bytes, max })),
        }
    }

    fn fits_blocks(&self, ask: &Ask, blocks: u32) -> Result<(), AzureError> {
        let max = AZURE_BLOCKS_MAX;
        match blocks <= max {
            true => Ok(()),
            false => Err(self.unfit(ask.what.clone(), Unfit::TooManyBlocks { max })),
        }
    }
}

fn made(told: Result<Told, AzureError>, there: &[&str]) -> Result<Made, AzureError> {
    match told {
        Ok(_) => Ok(Made::New),
        Err(error) if error.has_code(there) => Ok(Made::There),
        Err(error) => Err(error),
    }
}

fn number(told: &Told, name: &str) -> Option<u64> {
    told.header(name)?.parse().ok()
}

fn etag_of(told: &Told) -> Option<String> {
    let etag = told
        .header("etag")
        .filter(|etag| etag.len() <= ETAG_BYTES_MAX);
    etag.map(str::to_owned)
}

/// First and last byte of a part, and the length of the whole (RFC 9110 14.4).
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((
        first.parse().ok()?,
        last.parse().ok()?,
        length.parse().ok()?,
    ))
}
