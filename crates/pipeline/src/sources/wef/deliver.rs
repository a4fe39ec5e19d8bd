//! Deliveries: from bytes to a batch in the journal, and only then the acknowledgement.

use std::borrow::Cow;
use std::sync::PoisonError;

use hyper::StatusCode;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};
use windrow_formats::batch::{self, Flags, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::identity::identity;
use windrow_formats::sldc;
use windrow_formats::wef::channel_status;
use windrow_formats::wef::query::channels;
use windrow_formats::wsman::reply::{FaultCode, ack};
use windrow_formats::wsman::{
    self, Action, Body, Charset, EventText, Header, Message, Text, check_bookmark,
};

use super::Shared;
use super::options::{Subscription, message_id};
use super::process::{Arrived, Encoding, action_name, later, not_supported, too_large};
use super::progress::{Losses, Observed, Progress, Seen};
use super::query_status::Words;
use super::recent::{Begins, Mark, Recent, Stored, state_key};
use super::refusal::Refusal;
use super::reply::Reply;
use super::status::{Counts, OtherComputers};
use crate::journal::{AppendError, Entry, Full, StateChange};
use crate::limits::{
    PEER_NAME_BYTES_MAX, SCRATCH_BUFFERS_MAX, SCRATCH_BYTES_MAX, STORED_EVENTS_MAX,
};

/// Buffers of one request, reused by the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    decoder: sldc::Decoder,
    text: Text,
    index: Index,
}

/// A body that is not what it should be: why, and what the source is told.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) reason: String,
    pub(super) reply: Box<Reply>,
}

impl Shared {
    /// Reads a request with buffers that the next one uses again.
    pub(super) fn with_scratch<T>(&self, read: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut buffers = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = buffers.pop().unwrap_or_default();
        drop(buffers);
        let result = read(&mut scratch);
        self.give_scratch(scratch);
        result
    }

    fn give_scratch(&self, mut scratch: Scratch) {
        scratch.decoder.shrink(SCRATCH_BYTES_MAX);
        scratch.text.shrink(SCRATCH_BYTES_MAX);
        let mut buffers = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < SCRATCH_BUFFERS_MAX {
            buffers.push(scratch);
        }
    }
}

/// What a body of so many bytes in the clear may take while it is read: itself, its text, which
/// of UTF-16 is at most half longer, and twice as much again: the events as they are put together
/// where they came in pieces, and the batch.
pub(super) fn memory_bytes(clear_bytes: usize) -> usize {
    clear_bytes.saturating_mul(6)
}

/// Bytes of the body when it is no longer compressed, as far as can be told before.
pub(super) fn clear_bytes(arrived: &Arrived) -> usize {
    match arrived.encoding {
        Encoding::Identity => arrived.body.len(),
        Encoding::Sldc => sldc::declared_bytes(&arrived.body).unwrap_or(0),
    }
}

impl Scratch {
    /// Reads the envelope of a request.
    pub(super) fn read(&mut self, arrived: &Arrived) -> Result<(Message<'_>, Charset), Unreadable> {
        let guessed = arrived.charset.unwrap_or(Charset::Utf16Le);
        let limit = arrived.options.clear_bytes();
        let clear = match arrived.encoding {
            Encoding::Identity => arrived.body.as_slice(),
            Encoding::Sldc => self.decoder.decode(&arrived.body, limit).map_err(|error| {
                let reason = error.to_string();
                unreadable(&Header::default(), guessed, &reason)
            })?,
        };
        let charset = self.text.decode(clear, arrived.charset);
        let message = wsman::parse(&self.text).map_err(|error| {
            let reason = with_source(&error);
            unreadable(&Header::default(), charset, &reason)
        })?;
        Ok((message, charset))
    }
}

fn unreadable(request: &Header<'_>, charset: Charset, reason: &str) -> Unreadable {
    let code = (FaultCode::SchemaValidationError, Refusal::Unreadable);
    Unreadable {
        reason: reason.to_owned(),
        reply: Box::new(Reply::fault(request, charset, code, reason)),
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What a request at a subscription's address comes to when it is read.
enum Read {
    /// Nothing is stored for it.
    Answer(Reply),
    /// It is to be stored.
    Delivery(Box<(Delivery, Header<'static>)>, Charset),
}

/// Answers a request at a subscription's address. Requests of one source for one subscription take
/// turns here, so that of a delivery that comes twice at once only the first is stored.
///
/// When it waits for the disk nothing is left of the request but the batch made of it: what was
/// needed to read it serves the next one.
pub(super) async fn answer(
    shared: &Shared,
    arrived: &mut Arrived,
    subscription: &Subscription,
) -> Result<(&'static str, Reply), Unreadable> {
    let track = shared.registry.track(&arrived.peer.name, subscription.id);
    let Ok(mut recent) = timeout_at(arrived.deadline, track.lock_owned()).await else {
        let reason = "an earlier delivery of this source still waits for the disk";
        let reply = later(&arrived.options, Refusal::NoRoom, reason);
        return Ok(("other", reply));
    };
    if arrived.options.listeners.are_several() {
        (shared.registry).catch_up(&mut recent, &arrived.peer.name, subscription.id);
    }
    let (action, read) =
        shared.with_scratch(|scratch| read(shared, arrived, subscription, &recent, scratch))?;
    let reply = match read {
        Read::Answer(reply) => reply,
        Read::Delivery(read, charset) => {
            let (delivery, header) = *read;
            arrived.forget_body();
            let request = (&header, charset);
            store(shared, arrived, subscription, delivery, recent, request).await
        }
    };
    Ok((action, reply))
}

fn read(
    shared: &Shared,
    arrived: &Arrived,
    subscription: &Subscription,
    recent: &Recent,
    scratch: &mut Scratch,
) -> Result<(&'static str, Read), Unreadable> {
    let mut index = std::mem::take(&mut scratch.index);
    let (message, charset) = scratch.read(arrived)?;
    let header = Header {
        message_id: owned(message.header.message_id.as_ref()),
        operation_id: owned(message.header.operation_id.as_ref()),
        ..Header::default()
    };
    let action = action_name(&message.header);
    let brings = match &message.body {
        Body::Events { events, .. } => Some(events.len()),
        _ => None,
    };
    let read = match message.header.action() {
        Action::Events | Action::Heartbeat if header.message_id.is_none() => {
            let code = (
                FaultCode::MessageInformationHeaderRequired,
                Refusal::Unreadable,
            );
            let reason = "the envelope has no MessageID";
            Read::Answer(Reply::fault(&header, charset, code, reason))
        }
        // Who sends the events of others' subscription would decide what is in it.
        Action::Events | Action::Heartbeat
            if !subscription.audience.matches(&arrived.peer.machine) =>
        {
            let code = (FaultCode::DestinationUnreachable, Refusal::NotForMachine);
            let reason =
                "the subscription is not for this machine; ask for the subscriptions again";
            Read::Answer(Reply::fault(&header, charset, code, reason))
        }
        // To acknowledge it would be to store its bookmark and to lose what it should have brought.
        Action::Events if brings.is_none() => {
            let reason = "the delivery has no w:Events";
            return Err(unreadable(&header, charset, reason));
        }
        // A sign of life brings none.
        Action::Heartbeat if brings.is_some_and(|events| events > 0) => {
            let reason = "the heartbeat has events";
            return Err(unreadable(&header, charset, reason));
        }
        Action::Events => {
            let request = (&message, charset);
            let delivery = Delivery::new(arrived, subscription, request, recent, &mut index)
                .map_err(|error| bad_bookmark(&header, charset, &error))?;
            Read::Delivery(Box::new((delivery, header)), charset)
        }
        Action::Heartbeat => {
            note_heartbeat(shared, arrived, subscription, &message);
            Read::Answer(Reply::soap(ack(&header, &message_id()), charset))
        }
        Action::SubscriptionEnd => {
            note_end(shared, arrived, subscription, &message.body);
            Read::Answer(Reply::bare(StatusCode::OK))
        }
        Action::End => Read::Answer(Reply::bare(StatusCode::NO_CONTENT)),
        _ => Read::Answer(not_supported(&message.header, charset)),
    };
    scratch.index = index;
    if let Read::Answer(Reply { refusal: None, .. }) = &read {
        note_status(shared, arrived, scratch.text.as_str());
    }
    Ok((action, read))
}

fn owned(value: Option<&Cow<'_, str>>) -> Option<Cow<'static, str>> {
    value.map(|value| Cow::Owned(value.clone().into_owned()))
}

fn bad_bookmark(request: &Header<'_>, charset: Charset, error: &wsman::ParseError) -> Unreadable {
    let reason = error.to_string();
    let code = (FaultCode::InvalidBookmark, Refusal::Bookmark);
    let reply = Reply::fault(request, charset, code, &reason);
    Unreadable {
        reason,
        reply: Box::new(reply),
    }
}

/// What a delivery becomes.
struct Delivery {
    body: Vec<u8>,
    events: u32,
    /// Of all its events, also those left out.
    marks: Vec<Mark>,
    bookmark: Option<String>,
    counts: Counts,
    seen: Seen,
}

impl Delivery {
    /// Makes the batch: every event as it came, without those that came before and without
    /// bookkeeping.
    fn new(
        arrived: &Arrived,
        subscription: &Subscription,
        (message, charset): (&Message<'_>, Charset),
        recent: &Recent,
        index: &mut Index,
    ) -> Result<Delivery, wsman::ParseError> {
        let lossy = match charset {
            Charset::Utf8 => Flags::LOSSY_UTF8,
            Charset::Utf16Le | Charset::Utf16Be => Flags::LOSSY_UTF16,
        };
        let bookmark = message.header.bookmark.map(str::trim);
        bookmark.map_or(Ok(()), check_bookmark)?;
        let (events, dropped): (&[EventText<'_>], u64) = match &message.body {
            Body::Events { events, dropped } => (events, *dropped),
            _ => (&[], 0),
        };
        let mut encoder = batch::Encoder::new(&batch::Header {
            kind: Kind::Wef,
            source: arrived.peer.name.clone(),
            address: Some(arrived.peer.address),
            subscription: Some(subscription.name.clone()),
            received_at: arrived.received_at,
        });
        let mut marks = Vec::with_capacity(events.len());
        let mut counts = Counts {
            batches: 1,
            dropped_by_source: dropped,
            ..Counts::default()
        };
        let before = (recent.progress(), recent.delivered());
        let mut observed = Observed::new(before.0, before.1, arrived.received_at);
        for event in events {
            let malformed = event::parse(&event.text, index).is_err();
            let view = Event::new(&event.text, index);
            if is_bookkeeping(view) {
                counts.bookmark_events += 1;
                counts.unexpected_bookmark_events += u64::from(recent.bookmark().is_some());
                observed.begun(view);
                continue;
            }
            let mark = Mark::from(identity(&arrived.peer.canonical, view));
            marks.push(mark);
            if recent.contains(mark) {
                counts.duplicates += 1;
                continue;
            }
            observed.event(view, &arrived.peer.machine, subscription);
            let mut flags = Flags::of(index);
            if event.lossy {
                flags |= lossy;
            }
            counts.malformed += u64::from(malformed);
            counts.lossy += u64::from(event.lossy);
            encoder.push(&event.text, flags, index);
        }
        counts.events = u64::from(encoder.events());
        Ok(Delivery {
            events: encoder.events(),
            body: encoder.finish(),
            marks,
            bookmark: bookmark.map(ToOwned::to_owned),
            counts,
            seen: observed.seen,
        })
    }

    /// Whether the journal already holds all of it.
    fn is_stored(&self, recent: &Recent) -> bool {
        let bookmark = self.bookmark.as_deref();
        let forgets = self.counts.bookmark_events > 0 && recent.has_left();
        self.events == 0 && (bookmark.is_none() || bookmark == recent.bookmark()) && !forgets
    }
}

/// The event that begins a subscription without a bookmark: id 111 of the forwarder itself, which
/// no log holds and which so has no record id.
fn is_bookkeeping(event: Event<'_>) -> bool {
    event.event_id() == Some(111)
        && event.record_id().is_none()
        && event.provider_name().as_deref() == Some("Microsoft-Windows-EventForwarder")
}

/// Appends a delivery and waits for the disk; then, and only then, acknowledges.
async fn store(
    shared: &Shared,
    arrived: &Arrived,
    subscription: &Subscription,
    delivery: Delivery,
    mut recent: OwnedMutexGuard<Recent>,
    (header, charset): (&Header<'_>, Charset),
) -> Reply {
    let appended = if delivery.is_stored(&recent) {
        Ok(())
    } else {
        let source = &arrived.peer.name;
        let begins = match delivery.counts.bookmark_events {
            0 => Begins::No,
            _ => Begins::Anew,
        };
        let left = recent.left_by(delivery.bookmark.as_deref(), begins);
        let bookmark = delivery.bookmark.as_deref().or(recent.bookmark());
        let stored = Stored {
            received_at: arrived.received_at,
            began_at: recent.began(),
            bookmark: bookmark.unwrap_or_default().to_owned(),
            left: left.clone(),
            marks: delivery.marks[delivery.marks.len().saturating_sub(STORED_EVENTS_MAX)..]
                .to_vec(),
        };
        let entry = Entry {
            body: delivery.body,
            events: delivery.events,
            state: Some(StateChange {
                key: state_key(subscription.id, source),
                value: Some(stored.encode()),
            }),
        };
        let appended = shared.journal.append(entry).await;
        appended.map(|_| {
            recent.kept(arrived.received_at);
            recent.leave(left);
        })
    };
    if let Err(error) = appended {
        return refuse(arrived, header, charset, &error);
    }
    recent.remember(delivery.marks, delivery.bookmark);
    let losses = recent.go_on(&delivery.seen, arrived.received_at);
    let progress = Progress::clone(recent.progress());
    drop(recent);
    count_delivery(shared, arrived, subscription, delivery.counts);
    note_delivery(
        shared,
        arrived,
        &subscription.name,
        (&delivery.counts, losses),
    );
    note_seen(shared, arrived, subscription, delivery.seen, progress);
    Reply::soap(ack(header, &message_id()), charset)
}

/// What a source is told when its delivery is not in the journal: it keeps it and tries again.
fn refuse(arrived: &Arrived, header: &Header<'_>, charset: Charset, error: &AppendError) -> Reply {
    let limits = &arrived.options.limits;
    match error {
        AppendError::TooLarge { .. } => too_large(header, charset, arrived.options.clear_bytes()),
        AppendError::Full { .. } | AppendError::StatesFull { .. } => {
            let refusal = match error.full() {
                Some(Full::Disk) => Refusal::DiskFull,
                _ => Refusal::JournalFull,
            };
            let code = (FaultCode::QuotaLimit, refusal);
            Reply::fault(header, charset, code, &error.to_string()).retry_after(limits.retry_after)
        }
        AppendError::Closed => {
            let reason = "the collector is going down";
            let code = (FaultCode::QuotaLimit, Refusal::Stopping);
            Reply::fault(header, charset, code, reason).retry_after(limits.retry_after)
        }
        _ => {
            let code = (FaultCode::InternalError, Refusal::NotStored);
            Reply::fault(header, charset, code, &error.to_string())
        }
    }
}

fn count_delivery(shared: &Shared, arrived: &Arrived, subscription: &Subscription, new: Counts) {
    let metrics = &shared.metrics;
    metrics.batches.inc();
    metrics.events.inc_by(new.events);
    metrics.duplicate_events.inc_by(new.duplicates);
    metrics.malformed_events.inc_by(new.malformed);
    metrics.lossy_events.inc_by(new.lossy);
    metrics.source_dropped_events.inc_by(new.dropped_by_source);
    metrics.bookmark_events.inc_by(new.bookmark_events);
    let unexpected = new.unexpected_bookmark_events;
    metrics.unexpected_bookmark_events.inc_by(unexpected);
    let source = &arrived.peer.name;
    if unexpected > 0
        && let Some(left_out) = shared.log_lines.begun_anew.due(Instant::now())
    {
        tracing::warn!(
            ?source,
            left_out,
            subscription = ?subscription.name,
            "source begins anew although it was given a bookmark; events in between may be missing"
        );
    }
}

/// Notes what came.
fn note_delivery(
    shared: &Shared,
    arrived: &Arrived,
    subscription: &str,
    (new, losses): (&Counts, Losses),
) {
    let (source, at) = (&arrived.peer.name, arrived.received_at);
    shared.registry.heard(source, |known| {
        known.delivered(at);
        known.address = Some(arrived.peer.address);
        known.rate.add(new.events, at);
        if let Some(refusal) = &mut known.last_refusal {
            refusal.in_a_row = 0;
        }
    });
    shared.registry.count(source, subscription, |counts| {
        counts.add(*new);
        counts.lose(losses, at);
        counts.last_sign = Some(at);
        if new.unexpected_bookmark_events > 0 {
            counts.last_unexpected_bookmark_event = Some(at);
        }
    });
}

/// What a machine calls itself, as far as it is kept: a claim, and as long as its sender likes.
pub(super) fn claimed_name(machine_id: &str) -> String {
    machine_id[..machine_id.floor_char_boundary(PEER_NAME_BYTES_MAX)].to_owned()
}

/// Notes what the events have told beside.
fn note_seen(
    shared: &Shared,
    arrived: &Arrived,
    subscription: &Subscription,
    seen: Seen,
    progress: Progress,
) {
    let at = arrived.received_at;
    let begun = seen.begun.map(|begun| {
        let channels = channels(subscription.query.as_str()).unwrap_or_default();
        (channels, begun)
    });
    let name = &subscription.name;
    shared.registry.heard(&arrived.peer.name, |known| {
        if let Some((channels, begun)) = begun {
            known.begin_anew(&channels, begun);
        }
        known.say_of_channels(&seen.words);
        match known.channels.get_mut(name) {
            Some(kept) => *kept = progress,
            None => drop(known.channels.insert(name.clone(), progress)),
        }
        if let Some(example) = seen.other_computer {
            let before = known.other_computers.as_ref();
            known.other_computers = Some(OtherComputers {
                events: (before.map_or(0, |before| before.events))
                    .saturating_add(seen.other_computers),
                example: example.into(),
                last: at,
            });
        }
    });
}

fn note_heartbeat(
    shared: &Shared,
    arrived: &Arrived,
    subscription: &Subscription,
    message: &Message<'_>,
) {
    let (source, at) = (&arrived.peer.name, arrived.received_at);
    shared.registry.count(source, &subscription.name, |counts| {
        counts.last_sign = Some(at);
    });
    shared.registry.heard(source, |known| {
        known.lived(arrived.received_at);
        known.address = Some(arrived.peer.address);
        if let Some(machine_id) = message.header.machine_id.as_deref() {
            known.machine_id = Some(claimed_name(machine_id));
        }
    });
}

/// Notes what a request without events says of channels. Who is refused has no say.
fn note_status(shared: &Shared, arrived: &Arrived, envelope: &str) {
    if !channel_status::is_in(envelope) {
        return;
    }
    let mut words = Words::default();
    words.read(envelope, None, arrived.received_at);
    (shared.registry).heard(&arrived.peer.name, |known| known.say_of_channels(&words));
}

fn note_end(shared: &Shared, arrived: &Arrived, subscription: &Subscription, body: &Body<'_>) {
    let source = &arrived.peer.name;
    let reason = match body {
        Body::SubscriptionEnd { reason, .. } => reason,
        _ => "",
    };
    if let Some(left_out) = shared.log_lines.subscription_ended.due(Instant::now()) {
        let subscription = &subscription.name;
        tracing::info!(
            ?source,
            ?subscription,
            ?reason,
            left_out,
            "source ended a subscription"
        );
    }
    shared.registry.count(source, &subscription.name, |counts| {
        counts.ended = Some(arrived.received_at);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_no_more_than_is_reckoned_for_it() {
        let pieces = "]]]]><![CDATA[>";
        for content in ["plain", "\u{e9}", "\u{20ac}", "\u{1f600}", pieces] {
            let event = format!("<![CDATA[{}]]>", content.repeat(20_000));
            let xml = format!(
                "<s:Envelope xmlns:s='{}' xmlns:w='{}'><s:Body><w:Events><w:Event>{event}\
                 </w:Event></w:Events></s:Body></s:Envelope>",
                wsman::uri::SOAP,
                wsman::uri::WSMAN
            );
            for charset in [Charset::Utf8, Charset::Utf16Le] {
                let clear = wsman::encode(&xml, charset);
                let mut text = Text::new();
                text.decode(&clear, None);
                let message = wsman::parse(&text).unwrap();
                let Body::Events { events, .. } = message.body else {
                    panic!("no delivery");
                };
                let event = &events[0].text;
                let put_together = match event {
                    Cow::Owned(event) => event.len(),
                    Cow::Borrowed(_) => 0,
                };
                let taken = clear.len() + text.as_str().len() + put_together + event.len();
                assert!(taken <= memory_bytes(clear.len()), "{content} {charset:?}");
            }
        }
    }
}
