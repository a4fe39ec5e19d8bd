//! Puts the pieces of some frames into their blobs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::{Bytes, BytesMut};
use windrow_formats::azure::Operation;
use windrow_formats::batch::file::{Content, FileId, FileReference, Piece};
use windrow_formats::batch::{Batch, Header, Kind};
use windrow_formats::text::hex;
use windrow_formats::wad::EventVolume;
use windrow_formats::wad::blobs::{Variant, blob_name};
use windrow_formats::wad::rows::{self, Counter, DirectoryFile, Origin, Partition};
use windrow_formats::wef::audience::MachineName;

use super::super::chunk::Chunk;
use super::super::piece::{self, SendError};
use super::limits::{BLOCKS_MAX, PLACES_MAX};
use super::place::{Place, Site};
use super::status::Reporter;
use super::{AzureBlob, Destination, DirectoryRows};
use crate::azure::{Appended, AzureError, Client};
use crate::journal::{FrameEntry, Seq};
use crate::limits::{APPENDED_BYTES_MAX, FILLED_BYTES_MAX};

/// How far a chunk is put away. It is kept from one attempt to the next.
pub(super) struct Progress {
    /// Everything up to it was done before.
    after: Seq,
    done: HashSet<Seq>,
}

impl Progress {
    /// Nothing after this sequence is done.
    pub(super) fn after(after: Seq) -> Progress {
        Progress {
            after,
            done: HashSet::new(),
        }
    }
}

/// A piece that is to be put somewhere.
struct Item<'a> {
    seq: Seq,
    header: Header,
    file: FileReference,
    piece: Piece,
    destination: &'a Destination,
}

/// Pieces by file, the files in the order in which they came: of two that had one name, the first gets it.
#[derive(Default)]
struct Files<'a> {
    places: BTreeMap<FileId, usize>,
    items: Vec<Vec<Item<'a>>>,
}

impl<'a> Files<'a> {
    fn push(&mut self, item: Item<'a>) {
        let place = *(self.places.entry(item.file.file)).or_insert(self.items.len());
        match self.items.get_mut(place) {
            Some(items) => items.push(item),
            None => self.items.push(vec![item]),
        }
    }
}

pub(super) struct Transfer {
    sink: AzureBlob,
    client: Client,
    pub(super) reporter: Reporter,
    /// Containers that are known to be there.
    made: BTreeSet<String>,
    has_table: bool,
    /// Where the blobs of files end.
    places: BTreeMap<FileId, Place>,
    /// Files whose beginning is in no blob, or that have a hole: told once.
    left_out: BTreeSet<FileId>,
}

impl Transfer {
    pub(super) fn new(sink: AzureBlob, client: Client, reporter: Reporter) -> Transfer {
        Transfer {
            sink,
            client,
            reporter,
            made: BTreeSet::new(),
            has_table: false,
            places: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Puts away what is not done yet of a chunk, file by file.
    ///
    /// # Errors
    /// Something that may pass: the same chunk is to be put away again, with what was made of it so far.
    pub(super) async fn put(
        &mut self,
        chunk: &Chunk,
        progress: &mut Progress,
    ) -> Result<(), SendError> {
        // The folders are read beside what else changes.
        let sink = self.sink.clone();
        let mut files = Files::default();
        for frame in &chunk.frames {
            if let Some(gap) = &frame.gap {
                self.reporter.gone(gap);
            }
            for entry in &frame.entries {
                let is_done =
                    entry.first_seq <= progress.after || progress.done.contains(&entry.first_seq);
                if let Some(item) = item(&sink, entry).filter(|_| !is_done) {
                    files.push(item);
                }
            }
        }
        if self.places.len() + self.left_out.len() > PLACES_MAX {
            self.places.clear();
            self.left_out.clear();
        }
        for items in files.items {
            let mut rest = items.as_slice();
            while let Some(first) = rest.first() {
                let (bytes, taken) = self.together(rest).await?;
                let (now, later) = rest.split_at(taken);
                if let Some(bytes) = bytes {
                    self.put_some(first, now, bytes).await?;
                }
                progress.done.extend(now.iter().map(|item| item.seq));
                rest = later;
            }
        }
        Ok(())
    }

    /// The bytes of as many pieces as go in one request, which follow one another in their file, and how many those are; no
    /// bytes of one that is lost.
    async fn together(&self, items: &[Item<'_>]) -> Result<(Option<Bytes>, usize), SendError> {
        let mut all = BytesMut::new();
        let mut taken = 0;
        for item in items {
            let follows = (items.first())
                .is_some_and(|first| first.file.offset + all.len() as u64 == item.file.offset);
            let fits = all.len() + item.piece.bytes as usize <= APPENDED_BYTES_MAX;
            if taken > 0 && !(follows && fits) {
                break;
            }
            let Some(bytes) = self.read(item).await? else {
                // What came before it goes first.
                return Ok(match taken {
                    0 => (None, 1),
                    _ => (Some(all.freeze()), taken),
                });
            };
            all.extend_from_slice(&bytes);
            taken += 1;
        }
        Ok((Some(all.freeze()), taken))
    }

    /// The bytes of a piece; none of one that is lost, which is told.
    async fn read(&self, item: &Item<'_>) -> Result<Option<Vec<u8>>, SendError> {
        let read = piece::read(&self.sink.spool, item.piece).await?;
        Ok(read.map_err(|reason| self.skipped(item, &reason)).ok())
    }

    fn skipped(&self, item: &Item<'_>, reason: &str) {
        let (machine, file) = (&item.header.source, &item.file);
        self.reporter
            .skipped(machine, &file.path, file.offset, reason);
    }

    /// Puts bytes of some pieces of a file where they belong.
    async fn put_some(
        &mut self,
        first: &Item<'_>,
        items: &[Item<'_>],
        bytes: Bytes,
    ) -> Result<(), SendError> {
        let whole = items.iter().find_map(|item| item.file.whole);
        let is_all = whole.is_some_and(|whole| whole.bytes == bytes.len() as u64);
        let put = async {
            self.make_container(&first.destination.container).await?;
            match is_all {
                true => self.put_whole(first, bytes).await.map(Some),
                false => self.append(first, &bytes).await,
            }
        };
        let blob = match put.await {
            Ok(Some(blob)) => blob,
            Ok(None) => return Ok(()),
            Err(error) if is_of_the_name(&error) => {
                self.skipped(first, &error.to_string());
                return Ok(());
            }
            Err(error) => {
                self.places.remove(&first.file.file);
                self.made.remove(&first.destination.container);
                return Err(error.into());
            }
        };
        let is_complete = match first.file.lines {
            // It is there, and grows.
            Some(_) => first.file.offset == 0,
            None => whole.is_some(),
        };
        if is_complete {
            self.reporter.file();
            self.row(first, &blob).await?;
        }
        Ok(())
    }

    async fn make_container(&mut self, container: &str) -> Result<(), AzureError> {
        if !self.made.contains(container) {
            self.client.create_container(container).await?;
            self.made.insert(container.to_owned());
        }
        Ok(())
    }

    async fn put_whole(&mut self, item: &Item<'_>, bytes: Bytes) -> Result<String, AzureError> {
        let sent = bytes.len() as u64;
        let name = |variant| self.name(item, variant);
        let site = Site {
            client: &self.client,
            container: &item.destination.container,
            name,
            mark: hex(&item.file.file.0),
        };
        let blob = site.put(own(item), bytes).await?;
        self.reporter.sent(sent);
        Ok(blob)
    }

    fn name(&self, item: &Item<'_>, variant: Variant) -> String {
        let machine = &item.header.source;
        let instance = format!("_{machine}");
        blob_name(&self.origin(&instance), machine, &item.file, variant)
    }

    fn origin<'a>(&'a self, role_instance: &'a str) -> Origin<'a> {
        Origin {
            deployment_id: &self.sink.deployment_id,
            role: &self.sink.role,
            role_instance,
        }
    }

    /// Appends bytes of a file, as far as they are not there; the blob, or none where the file is left out.
    async fn append(
        &mut self,
        item: &Item<'_>,
        bytes: &Bytes,
    ) -> Result<Option<String>, AzureError> {
        let file = item.file.file;
        if self.left_out.contains(&file) {
            self.reporter.left_out();
            return Ok(None);
        }
        let name = |variant| self.name(item, variant);
        let site = Site {
            client: &self.client,
            container: &item.destination.container,
            name,
            mark: hex(&item.file.file.0),
        };
        let offset = item.file.offset;
        let known = self.places.get(&file).cloned();
        let mut place = match known {
            // Whether what follows was sent before is seen when it is sent.
            Some(place) if place.end <= offset => place,
            _ => match site.find(own(item), offset, bytes).await? {
                Some(place) => place,
                None => {
                    self.left_out.insert(file);
                    self.skipped(
                        item,
                        "its beginning is in no blob: it came before this sink",
                    );
                    return Ok(None);
                }
            },
        };
        let hole = offset.saturating_sub(place.end);
        if hole > 0 && (item.file.lines.is_none() || hole > FILLED_BYTES_MAX) {
            self.left_out.insert(file);
            self.skipped(item, "bytes before it are lost");
            return Ok(None);
        }
        let filling = filling(hole);
        let begin = usize::try_from(place.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let fresh = bytes.slice(begin.min(bytes.len())..);
        for part in [filling, fresh] {
            let mut rest = part;
            while !rest.is_empty() {
                let some = rest.split_to(rest.len().min(APPENDED_BYTES_MAX));
                place = send(&site, place, some, &self.reporter).await?;
            }
        }
        let blob = place.blob.clone();
        self.places.insert(file, place);
        Ok(Some(blob))
    }

    /// Says in the table that a file is there.
    async fn row(&mut self, item: &Item<'_>, blob: &str) -> Result<(), AzureError> {
        if self.sink.rows == DirectoryRows::Omitted {
            return Ok(());
        }
        if !self.has_table {
            self.client.create_table(rows::DIRECTORIES).await?;
            self.has_table = true;
        }
        let instance = format!("_{}", item.header.source);
        let origin = self.origin(&instance);
        let at = item.header.received_at;
        let partition = Partition::new(at, EventVolume::Small, &origin);
        let counter = Counter::new(self.sink.journal.into_bytes(), item.seq);
        let file = DirectoryFile {
            root: &item.destination.root,
            path: &item.file.path,
            container: &item.destination.container,
            blob,
        };
        let row = rows::directory(&file, &origin, at, &partition, counter);
        let mut batch = self.client.new_batch(rows::DIRECTORIES);
        if let Err(error) = batch.push(Operation::InsertOrReplace, &row) {
            tracing::error!(sink = self.sink.name, %error, blob, "a file has no row");
            return Ok(());
        }
        let written = self.client.batch(rows::DIRECTORIES, &batch).await;
        if written.is_err() {
            // Somebody may have taken the table away.
            self.has_table = false;
        }
        written
    }
}

/// Sends bytes to the end of a file's last blob.
async fn send<N: Fn(Variant) -> String>(
    site: &Site<'_, N>,
    mut place: Place,
    bytes: Bytes,
    reporter: &Reporter,
) -> Result<Place, AzureError> {
    if place.blocks >= BLOCKS_MAX {
        let variant = Variant {
            part: place.variant.part + 1,
            ..place.variant
        };
        place = site.create(variant, place.end).await?;
    }
    let at = place.end - place.base;
    let length = bytes.len() as u64;
    let appended = site
        .client
        .append_block(site.container, &place.blob, at, bytes);
    match appended.await? {
        Appended::Now { blocks, .. } => place.blocks = blocks.unwrap_or(place.blocks + 1),
        Appended::Already { .. } => {}
        Appended::Elsewhere { end } => {
            return Err(site.client.elsewhere(site.container, &place.blob, end));
        }
    }
    place.end += length;
    reporter.sent(length);
    Ok(place)
}

/// What stands in a file of lines for bytes that are lost, so that what follows is at its place.
fn filling(hole: u64) -> Bytes {
    let length = usize::try_from(hole).unwrap_or(0);
    let said = format!("# {hole} bytes are missing here ");
    let mut line = vec![b'.'; length];
    if length > said.len() {
        line[..said.len()].copy_from_slice(said.as_bytes());
    } else {
        line.fill(b'#');
    }
    if let Some(last) = line.last_mut() {
        *last = b'\n';
    }
    line.into()
}

/// The name that a file gets where the usual one is taken.
fn own(item: &Item<'_>) -> Variant {
    Variant {
        anew: Some(item.file.file),
        part: 0,
    }
}

/// Whether the service will never take a blob of this name, or lets nobody write to the one that is there.
fn is_of_the_name(error: &AzureError) -> bool {
    let codes = [
        "InvalidResourceName",
        "InvalidUri",
        "OutOfRangeInput",
        "InvalidInput",
        "BlobImmutableDueToPolicy",
        "BlobArchived",
        "BlobBeingRehydrated",
        "LeaseIdMissing",
        "InvalidBlobType",
    ];
    match error {
        AzureError::Unfit { .. } => true,
        error => (error.refusal()).is_some_and(|refusal| codes.contains(&&*refusal.code)),
    }
}

/// The piece that an entry is about, if this sink puts it anywhere.
fn item<'a>(sink: &'a AzureBlob, entry: &FrameEntry) -> Option<Item<'a>> {
    // What is no batch at all is told by who deals in events.
    let batch = Batch::decode(&entry.body).ok()?;
    if batch.header.kind != Kind::File {
        return None;
    }
    let file = batch.file().ok()??;
    let Content::Kept(piece) = file.content else {
        return None;
    };
    let destination = sink.folders.get(batch.header.subscription.as_ref()?)?;
    if let Some(machines) = &sink.machines {
        let name = MachineName::of_listed(&batch.header.source).ok()?;
        if !machines.matches(&name) {
            return None;
        }
    }
    Some(Item {
        seq: entry.first_seq,
        header: batch.header,
        file,
        piece,
        destination,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_hole_is_a_comment_of_its_length() {
        for hole in [1, 2, 20, 31, 40, 5_000] {
            let filling = filling(hole);
            assert_eq!(filling.len() as u64, hole);
            assert!(filling.ends_with(b"\n"));
            assert!(hole == 1 || filling.starts_with(b"#"), "{hole}");
        }
        assert_eq!(filling(0), "");
        assert_eq!(filling(40), "# 40 bytes are missing here ...........\n");
    }
}
