//! Azure's blobs as a table's object store.
//!
//! A blob that can be seen is durable, and a name that must be new is given once (If-None-Match). What is added here:
//! - An answer can be lost after the storage did what was asked; the client asks again, and is told that the name is
//!   taken: by itself. So the content there is compared, and the same one counts as written. Each entry of a log names files
//!   or a moment that nobody else has.
//! - What is large goes in parts.
//! - Errors say what is wrong and what to do, and nothing that was sent, for that has the credential in it. A missing
//!   container is no missing blob: a table in it would pass for one that was not made yet.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};

use crate::limits::BLOB_PART_BYTES;

/// See the module's text.
pub(crate) struct Blobs {
    inner: Arc<dyn ObjectStore>,
    listing: Listing,
    /// When the credential ends, where it says so.
    expires: Option<Timestamp>,
}

/// How names after a given one are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// The storage begins there.
    FromOffset,
    /// The storage lists all, as Azurite does.
    Whole,
}

impl Blobs {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        listing: Listing,
        expires: Option<Timestamp>,
    ) -> Blobs {
        Blobs {
            inner,
            listing,
            expires,
        }
    }

    async fn put_parts(&self, location: &Path, payload: PutPayload) -> Result<PutResult> {
        let mut upload = self.inner.put_multipart(location).await?;
        let bytes = Bytes::from(payload);
        for at in (0..bytes.len()).step_by(BLOB_PART_BYTES) {
            let part = bytes.slice(at..bytes.len().min(at + BLOB_PART_BYTES));
            upload.put_part(part.into()).await?;
        }
        upload.complete().await
    }

    /// After the word that the name is taken: whether it was taken by what was to be written.
    async fn is_there(&self, location: &Path, payload: &PutPayload) -> Result<bool> {
        let found = self.inner.get(location).await?;
        if found.meta.size != payload.content_length() as u64 {
            return Ok(false);
        }
        Ok(found.bytes().await? == Bytes::from(payload.clone()))
    }
}

/// What the storage answered, in words that say what to do.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Refused {}

const STORE: &str = "Azure storage";

/// The error in words, without what was sent.
fn told(error: Error, expires: Option<Timestamp>) -> Error {
    let refused = |source: &(dyn StdError + 'static)| -> Box<dyn StdError + Send + Sync> {
        Box::new(Refused(words(source, expires)))
    };
    match error {
        Error::NotFound { path, source } if code(&source.to_string()) != Some(NO_CONTAINER) => {
            Error::NotFound {
                path,
                source: refused(&*source),
            }
        }
        Error::AlreadyExists { path, source } => Error::AlreadyExists {
            path,
            source: refused(&*source),
        },
        Error::PermissionDenied { path, source } => Error::PermissionDenied {
            path,
            source: refused(&*source),
        },
        Error::Unauthenticated { path, source } => Error::Unauthenticated {
            path,
            source: refused(&*source),
        },
        Error::NotFound { source, .. } | Error::Generic { source, .. } => Error::Generic {
            store: STORE,
            source: refused(&*source),
        },
        other => other,
    }
}

const NO_CONTAINER: &str = "ContainerNotFound";

/// Numbers of HTTP.
const FORBIDDEN: &str = "403";
const NOT_FOUND: &str = "404";
const CONFLICT: &str = "409";
const UNAVAILABLE: &str = "503";

fn words(source: &(dyn StdError + 'static), expires: Option<Timestamp>) -> String {
    if let Some(kind) = http_kind(source) {
        return match kind {
            HttpErrorKind::Connect => {
                "it cannot be reached: check the account's name, the network and the firewall"
            }
            HttpErrorKind::Timeout => "it does not answer in time",
            _ => "the connection to it broke off",
        }
        .to_owned();
    }
    let text = source.to_string();
    if let Some(end) = expires.filter(|end| *end < Timestamp::now()) {
        return format!("the shared access signature ended at {end}: write a new one to its file");
    }
    let (code, status) = (code(&text), status(&text));
    // Of one question whether something is there, and of one deletion among many, the number is all that is said.
    let cure = match code.or(status) {
        Some(NO_CONTAINER) => "there is no such container: make it, or name another one in [lake]",
        Some("AuthenticationFailed" | "InvalidAuthenticationInfo") => {
            "it does not accept the credential: the key or the signature is wrong, or this machine's clock is"
        }
        Some("KeyBasedAuthenticationNotPermitted") => {
            "the account takes no keys: use a signature or the managed identity"
        }
        Some(
            "AuthorizationFailure"
            | "AuthorizationPermissionMismatch"
            | "AuthorizationServiceMismatch"
            | "AuthorizationResourceTypeMismatch"
            | "InsufficientAccountPermissions"
            | FORBIDDEN,
        ) => {
            "the credential is wrong, may not do this, or not from this address: it has to read, create, write, delete and list blobs"
        }
        Some("AccountIsDisabled") => "the account is disabled",
        Some("ServerBusy" | UNAVAILABLE) => "it is busy",
        Some("BlobNotFound" | NOT_FOUND) => "it is not there",
        Some("BlobAlreadyExists" | CONFLICT) => "it is there already",
        _ => "it failed",
    };
    match (code, status) {
        (Some(code), _) => format!("{cure} ({code})"),
        (None, Some(status)) => format!("{cure} (HTTP {status})"),
        (None, None) => cure.to_owned(),
    }
}

fn http_kind(error: &(dyn StdError + 'static)) -> Option<HttpErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return Some(http.kind());
        }
        next = error.source();
    }
    None
}

/// The storage's own name of the error.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    code.chars()
        .all(|c| c.is_ascii_alphanumeric())
        .then_some(code)
}

fn status(text: &str) -> Option<&str> {
    let after = |words: &str| text.split_once(words)?.1.get(..3);
    after("status code: ")
        .or_else(|| after("(code: "))
        .filter(|status| status.bytes().all(|digit| digit.is_ascii_digit()))
}

/// What goes there in parts; its errors are told as all others.
struct Upload {
    inner: Box<dyn MultipartUpload>,
    expires: Option<Timestamp>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (put, expires) = (self.inner.put_part(data), self.expires);
        put.map(move |put| put.map_err(|error| told(error, expires)))
            .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.inner.complete().await;
        put.map_err(|error| told(error, self.expires))
    }

    async fn abort(&mut self) -> Result<()> {
        let aborted = self.inner.abort().await;
        aborted.map_err(|error| told(error, self.expires))
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

/// The client shows signatures in its own, and the table format writes stores to the log.
impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

impl fmt::Display for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

#[async_trait]
impl ObjectStore for Blobs {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let is_new = matches!(opts.mode, PutMode::Create);
        let put = match opts.mode {
            PutMode::Overwrite if payload.content_length() > BLOB_PART_BYTES => {
                self.put_parts(location, payload).await
            }
            _ => match self.inner.put_opts(location, payload.clone(), opts).await {
                Err(taken @ Error::AlreadyExists { .. }) if is_new => {
                    match self.is_there(location, &payload).await {
                        Ok(true) => Ok(PutResult {
                            e_tag: None,
                            version: None,
                        }),
                        Ok(false) => Err(taken),
                        Err(error) => Err(error),
                    }
                }
                put => put,
            },
        };
        put.map_err(|error| told(error, self.expires))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.inner.put_multipart_opts(location, opts).await {
            Ok(inner) => Ok(Box::new(Upload {
                inner,
                expires: self.expires,
            })),
            Err(error) => Err(told(error, self.expires)),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (found, expires) = (self.inner.get_opts(location, options).await, self.expires);
        let mut found = found.map_err(|error| told(error, expires))?;
        found.payload = match found.payload {
            GetResultPayload::Stream(body) => {
                let body = body.map_err(move |error| told(error, expires));
                GetResultPayload::Stream(body.boxed())
            }
            file => file,
        };
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let found = self.inner.get_ranges(location, ranges).await;
        found.map_err(|error| told(error, self.expires))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let expires = self.expires;
        let deleted = self.inner.delete_stream(locations);
        deleted.map_err(move |error| told(error, expires)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let expires = self.expires;
        let listed = self.inner.list(prefix);
        listed.map_err(move |error| told(error, expires)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let expires = self.expires;
        let listed = match self.listing {
            Listing::Whole => self.inner.list(prefix),
            Listing::FromOffset => self.inner.list_with_offset(prefix, offset),
        };
        // A storage may begin anywhere before it, or at it.
        let offset = offset.clone();
        listed
            .try_filter(move |one| std::future::ready(one.location > offset))
            .map_err(move |error| told(error, expires))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await;
        listed.map_err(|error| told(error, self.expires))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.inner.copy_opts(from, to, options).await;
        copied.map_err(|error| told(error, self.expires))
    }
}

#[cfg(test)]
mod tests;
