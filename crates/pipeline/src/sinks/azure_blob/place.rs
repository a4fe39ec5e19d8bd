//! Where a file goes on in its container.

use bytes::Bytes;
use windrow_formats::azure::BlobKind;
use windrow_formats::wad::blobs::Variant;

use super::limits::{BLOCKS_MAX, PARTS_MAX};
use crate::azure::{AzureError, BlobProperties, Client};

/// Of what a log is made.
const CONTENT_TYPE: &str = "application/octet-stream";

/// Where the next bytes of a file go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The blob.
    pub(super) blob: String,
    pub(super) variant: Variant,
    /// Of the file, up to the beginning of this part.
    pub(super) base: u64,
    /// Of the file, up to where the blob ends.
    pub(super) end: u64,
    pub(super) blocks: u32,
}

/// A container, and what a file's blobs in it are called.
pub(super) struct Site<'a, N> {
    pub(super) client: &'a Client,
    pub(super) container: &'a str,
    pub(super) name: N,
    /// What the blobs of this file are marked with.
    pub(super) mark: String,
}

/// What was found of a file.
enum Found {
    /// Its bytes so far, or the first of them.
    Its(Place),
    /// Another file's.
    Taken,
    Nothing,
}

impl<N: Fn(Variant) -> String> Site<'_, N> {
    /// Where a file goes on that has these bytes at this offset; none where its beginning is in no blob. The name of its own comes
    /// first: it has one only where the usual name was taken.
    pub(super) async fn find(
        &self,
        own: Variant,
        offset: u64,
        bytes: &Bytes,
    ) -> Result<Option<Place>, AzureError> {
        if let Found::Its(place) = self.look(own, offset, bytes).await? {
            return Ok(Some(place));
        }
        let variant = match self.look(Variant::default(), offset, bytes).await? {
            Found::Its(place) => return Ok(Some(place)),
            Found::Nothing => Variant::default(),
            Found::Taken => own,
        };
        match offset {
            0 => self.create(variant, 0).await.map(Some),
            _ => Ok(None),
        }
    }

    /// A new part.
    pub(super) async fn create(&self, variant: Variant, base: u64) -> Result<Place, AzureError> {
        let blob = (self.name)(variant);
        let made = self
            .client
            .create_append_blob(self.container, &blob, CONTENT_TYPE, &self.mark);
        made.await?;
        Ok(Place {
            blob,
            variant,
            base,
            end: base,
            blocks: 0,
        })
    }

    async fn look(
        &self,
        variant: Variant,
        offset: u64,
        bytes: &Bytes,
    ) -> Result<Found, AzureError> {
        let Some(last) = self.last_part(variant).await? else {
            return Ok(Found::Nothing);
        };
        let (place, properties) = last;
        if properties.kind != BlobKind::Append {
            return Ok(Found::Taken);
        }
        match &properties.mark {
            Some(mark) if *mark == self.mark => return Ok(Found::Its(place)),
            // Of another file, or of this one when it was taken anew: what has no other bytes than these loses none.
            Some(_) if offset > 0 || place.end > bytes.len() as u64 => return Ok(Found::Taken),
            // It tells nothing of whose it is, and has nothing to compare.
            None if offset > 0 && offset >= place.end => return Ok(Found::Taken),
            _ => {}
        }
        // What of the bytes this part has: the end of a part before it was looked at when that was the last one.
        let from = offset.max(place.base);
        let to = (offset + bytes.len() as u64).min(place.end);
        if from < to {
            let part = usize::try_from(to - from).unwrap_or(usize::MAX);
            let begin = usize::try_from(from - offset).unwrap_or(usize::MAX);
            let expected = bytes.get(begin..begin.saturating_add(part));
            let at = from - place.base;
            let stored = self
                .client
                .get_blob_range(self.container, &place.blob, at, part, None);
            if expected != Some(&*stored.await?.bytes) {
                return Ok(Found::Taken);
            }
        }
        Ok(Found::Its(place))
    }

    async fn last_part(
        &self,
        mut variant: Variant,
    ) -> Result<Option<(Place, BlobProperties)>, AzureError> {
        let mut last: Option<(Place, BlobProperties)> = None;
        while variant.part < PARTS_MAX {
            let blob = (self.name)(variant);
            let properties = self.client.blob_properties(self.container, &blob).await?;
            let Some(properties) = properties else {
                break;
            };
            let base = last.as_ref().map_or(0, |(place, _)| place.end);
            let blocks = properties.blocks.unwrap_or(0);
            let place = Place {
                blob,
                variant,
                base,
                end: base + properties.length,
                blocks,
            };
            last = Some((place, properties));
            if blocks < BLOCKS_MAX {
                break;
            }
            variant.part += 1;
        }
        Ok(last)
    }

    /// Puts a file there that has no further bytes, under the name of its own where the usual one is taken; which that is.
    pub(super) async fn put(&self, own: Variant, bytes: Bytes) -> Result<String, AzureError> {
        let blob = (self.name)(Variant::default());
        let there = self.client.blob_properties(self.container, &blob).await?;
        let blob = match there {
            None => blob,
            Some(there) if there.length > bytes.len() as u64 => (self.name)(own),
            Some(there) => match self.begins_as(&blob, &there, &bytes).await? {
                true if there.length == bytes.len() as u64 => return Ok(blob),
                // A file that has grown since it was put there.
                true if there.kind == BlobKind::Block => blob,
                _ => (self.name)(own),
            },
        };
        self.client
            .put_block_blob(self.container, &blob, bytes, CONTENT_TYPE)
            .await?;
        Ok(blob)
    }

    /// Whether all that is there is the beginning of these bytes.
    async fn begins_as(
        &self,
        blob: &str,
        there: &BlobProperties,
        bytes: &Bytes,
    ) -> Result<bool, AzureError> {
        let length = usize::try_from(there.length).unwrap_or(usize::MAX);
        let Some(expected) = bytes.get(..length) else {
            return Ok(false);
        };
        if expected.is_empty() {
            return Ok(true);
        }
        let stored = self
            .client
            .get_blob_range(self.container, blob, 0, length, None);
        Ok(stored.await?.bytes == expected)
    }
}
