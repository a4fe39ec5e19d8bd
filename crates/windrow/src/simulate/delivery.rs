//! One subscription of one machine: sends what its logs hold, one delivery outstanding, and goes
//! on only when that is acknowledged.
//!
//! Invariant: a delivery that was not acknowledged is sent again to the letter. When all tries
//! fail, the subscription ends, and the next one begins where the collector's bookmark says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use windrow_formats::wsman::client::{self, Request};
use windrow_formats::wsman::{Action, Text};

use super::bookmark::{self, Direction};
use super::connection::{Connection, Encoding, Fault, Proof};
use super::events::{Channel, Renderer, TICKS_PER_SECOND};
use super::log::{Position, Record};
use super::offer::Offer;
use super::options::Rate;
use super::random::Random;
use super::world::{Host, Waiting};

/// What an event costs in an envelope beside its text, in bytes of UTF-16.
const EVENT_BYTES: usize = 2 * 110;

/// What is kept of an envelope for the header, in bytes of UTF-16.
const HEADER_BYTES: usize = 16 * 1024;

/// A usual event in an envelope, in bytes of UTF-16: to guess when an envelope is full.
const USUAL_BYTES: usize = 3_400;

/// The shortest sleep: machines look at their clocks no more often.
const NAP: Duration = Duration::from_millis(5);

/// How a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All was sent.
    Finished,
    /// Every try failed.
    Lost,
    /// The collector does not offer it any more.
    Dropped,
}

/// A subscription at work.
pub(super) struct Delivery {
    host: Arc<Host>,
    offer: Offer,
    proof: Proof,
    dropped: CancellationToken,
    position: Position,
    /// Whether it goes on from the collector's bookmark.
    has_place: bool,
    random: Random,
    session_id: String,
    connection: Option<Connection>,
    answer: Text,
    /// When something was last acknowledged.
    heard: Instant,
}

/// A message that waits for its acknowledgement.
struct Message {
    id: String,
    body: Bytes,
    encoding: Encoding,
    clear_bytes: usize,
}

impl Delivery {
    pub(super) fn new(
        host: Arc<Host>,
        offer: Offer,
        proof: Proof,
        dropped: CancellationToken,
        mut random: Random,
    ) -> Delivery {
        let beginning = host.begin(&offer);
        Delivery {
            position: beginning.position,
            has_place: beginning.has_place,
            session_id: random.message_id(),
            connection: None,
            answer: Text::new(),
            heard: Instant::now(),
            host,
            offer,
            proof,
            dropped,
            random,
        }
    }

    pub(super) async fn run(mut self) -> End {
        let end = self.send_all().await.err().unwrap_or(End::Finished);
        if end == End::Dropped {
            self.say_goodbye().await;
        }
        end
    }

    /// Sends until the end that is answered as an error, or until all is sent.
    async fn send_all(&mut self) -> Result<(), End> {
        if !self.has_place {
            self.send_first_event().await?;
        }
        let full = self.full_at();
        loop {
            if self.dropped.is_cancelled() {
                return Err(End::Dropped);
            }
            let waiting = self.host.waiting(&self.position, full);
            if waiting.count == 0 && waiting.is_dry && self.ends_when_dry() {
                return Ok(());
            }
            if self.is_ready(&waiting, full) {
                self.send_events().await?;
            } else if self.heard.elapsed() >= self.offer.heartbeat {
                self.send_heartbeat().await?;
            } else {
                let nap = self.next_look(&waiting, full).max(NAP);
                let closing = self.host.world.closing.clone();
                let nap = closing.run_until_cancelled(tokio::time::sleep(nap));
                self.dropped.run_until_cancelled(nap).await;
            }
        }
    }

    /// A machine whose events are used up stays for as long as the fleet is to run.
    fn ends_when_dry(&self) -> bool {
        let world = &self.host.world;
        world.closing.is_cancelled() || world.options.duration.is_none()
    }

    /// At how many events a delivery is surely full.
    fn full_at(&self) -> usize {
        let fitting = self.offer.envelope_bytes.saturating_sub(HEADER_BYTES) / USUAL_BYTES;
        self.offer.batch_events.min(fitting.max(1))
    }

    fn is_ready(&self, waiting: &Waiting, full: usize) -> bool {
        waiting.count > 0
            && (waiting.is_dry
                || waiting.count >= full as u64
                || self.age(waiting) >= self.offer.max_time)
    }

    /// How long the oldest event has waited.
    fn age(&self, waiting: &Waiting) -> Duration {
        let now = self.host.world.clock.ticks();
        let ticks = now.saturating_sub(waiting.oldest_ticks.unwrap_or(now));
        Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND as f64)
    }

    /// How long nothing can happen.
    fn next_look(&self, waiting: &Waiting, full: usize) -> Duration {
        let heartbeat = self.offer.heartbeat.saturating_sub(self.heard.elapsed());
        let Rate::PerMachine(rate) = self.host.world.options.rate else {
            return heartbeat;
        };
        if waiting.is_dry {
            return heartbeat;
        }
        let missing = (full as u64).saturating_sub(waiting.count) as f64;
        let filled = Duration::try_from_secs_f64(missing / rate).unwrap_or(Duration::MAX);
        let aged = match waiting.count {
            // The next event begins to wait.
            0 => Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX),
            _ => self.offer.max_time.saturating_sub(self.age(waiting)),
        };
        heartbeat.min(filled).min(aged)
    }

    /// The event that opens a subscription without a bookmark, or with one whose place is not in the
    /// logs (provider Microsoft-Windows-EventForwarder, id 111): no record of any log.
    async fn send_first_event(&mut self) -> Result<(), End> {
        let ticks = self.host.world.clock.ticks();
        let millis = i64::try_from(ticks / 10_000).unwrap_or(0);
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
        let event = format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
             <Provider Name='Microsoft-Windows-EventForwarder'/><EventID>111</EventID>\
             <TimeCreated SystemTime='{time:.3}'/><Computer>{computer}</Computer></System>\
             <SubscriptionBookmarkEvent><SubscriptionId></SubscriptionId>\
             </SubscriptionBookmarkEvent></Event>",
            computer = self.host.machine().name,
        );
        let current = self
            .offer
            .query
            .channels
            .first()
            .copied()
            .unwrap_or(Channel::Security);
        let bookmark = bookmark::write(&self.position, current, Direction::Backward);
        let message = self.message(|request, echo| {
            client::events(request, echo, Some(&bookmark), [event.as_str()])
        });
        self.insist(&message, &[]).await?;
        self.host
            .world
            .stats
            .bookkeeping
            .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn send_heartbeat(&mut self) -> Result<(), End> {
        let message = self.message(client::heartbeat);
        self.insist(&message, &[]).await?;
        self.host
            .world
            .stats
            .heartbeats
            .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Sends as many of the events that wait as fit.
    async fn send_events(&mut self) -> Result<(), End> {
        let mut records = self.host.read(&self.position, self.offer.batch_events);
        let (texts, ends) = self.render(&records);
        records.truncate(ends.len());
        let mut position = self.position.clone();
        records.iter().for_each(|record| position.pass(record));
        let Some(last) = records.last() else {
            return Ok(());
        };
        let bookmark = bookmark::write(&position, last.channel, Direction::Forward);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let events = starts.zip(&ends).map(|(start, &end)| &texts[start..end]);
        let message =
            self.message(|request, echo| client::events(request, echo, Some(&bookmark), events));
        drop(texts);
        self.insist(&message, &records).await?;
        self.host.acknowledged(&records);
        self.position = position;
        let stats = &self.host.world.stats;
        stats.deliveries.fetch_add(1, Ordering::Relaxed);
        stats
            .clear_bytes
            .fetch_add(message.clear_bytes as u64, Ordering::Relaxed);
        stats
            .wire_bytes
            .fetch_add(message.body.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The texts of the first of `records`, as many as an envelope holds but at least one, and
    /// where each ends.
    fn render(&self, records: &[Record]) -> (String, Vec<usize>) {
        let world = &self.host.world;
        let mut renderer = Renderer::new(&world.fleet, &world.catalogue);
        let (mut texts, mut ends) = (String::new(), Vec::with_capacity(records.len()));
        let mut bytes = HEADER_BYTES;
        for record in records {
            let start = texts.len();
            renderer.render(
                &record.key(self.host.machine()),
                self.offer.content,
                &mut texts,
            );
            // UTF-16 takes no more than two bytes for a byte of UTF-8.
            bytes += EVENT_BYTES + 2 * (texts.len() - start);
            if bytes > self.offer.envelope_bytes && !ends.is_empty() {
                break;
            }
            ends.push(texts.len());
        }
        (texts, ends)
    }

    fn message(&mut self, write: impl FnOnce(&Request<'_>, &str) -> String) -> Message {
        let id = self.random.message_id();
        let operation_id = self.random.message_id();
        let request = Request {
            to: &self.offer.to,
            machine_id: &self.host.machine().name,
            message_id: &id,
            session_id: &self.session_id,
            operation_id: &operation_id,
        };
        let envelope = write(&request, &self.offer.echo);
        let encoding = self.offer.encoding;
        let body = self.host.world.body(&envelope, encoding);
        Message {
            id,
            body,
            encoding,
            clear_bytes: 2 * envelope.len(),
        }
    }

    /// Sends `message`, which holds `records`, until it is acknowledged. A subscription that is dropped meanwhile
    /// ends between two tries: what is on its way is waited for, and the connection is there for the goodbye.
    async fn insist(&mut self, message: &Message, records: &[Record]) -> Result<(), End> {
        for attempt in 0..=self.offer.retry_count {
            if attempt > 0 {
                let pause = tokio::time::sleep(self.offer.retry_interval);
                if self.dropped.run_until_cancelled(pause).await.is_none() {
                    return Err(End::Dropped);
                }
            }
            let is_reused = self.connection.is_some();
            let mut result = self.exchange(message, records).await;
            // A connection that was idle may have been closed long ago; that is no failure yet.
            if is_reused && matches!(result, Err(Fault::Closed)) {
                self.host.world.stats.fault(&Fault::Closed.to_string());
                result = self.exchange(message, records).await;
            }
            match result {
                Ok(()) => {
                    self.heard = Instant::now();
                    return Ok(());
                }
                Err(fault) => self.host.world.stats.fault(&fault.to_string()),
            }
        }
        Err(End::Lost)
    }

    /// Sends `message` once and reads the acknowledgement.
    async fn exchange(&mut self, message: &Message, records: &[Record]) -> Result<(), Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&self.offer.target, &self.proof).await?;
                self.host
                    .world
                    .stats
                    .connections
                    .fetch_add(1, Ordering::Relaxed);
                connection
            }
        };
        self.host.sent(records);
        let begun = Instant::now();
        let body = message.body.clone();
        let (status, answer) = connection
            .post(&self.offer.target, body, message.encoding)
            .await?;
        self.connection = Some(connection);
        self.answer.decode(&answer, None);
        let reply = client::parse_reply(&self.answer);
        if status != http::StatusCode::OK {
            let fault = reply
                .ok()
                .and_then(|reply| reply.fault)
                .map(|(code, _)| code.into_owned());
            return Err(Fault::Status {
                status: status.as_u16(),
                fault,
            });
        }
        let reply = reply.map_err(|_| Fault::Answer("not an envelope"))?;
        if reply.header.action() != Action::Ack {
            return Err(Fault::Answer("no acknowledgement"));
        }
        if reply.header.relates_to.as_deref() != Some(message.id.as_str()) {
            return Err(Fault::Answer("acknowledges another message"));
        }
        self.host.world.stats.acknowledged_after(begun.elapsed());
        Ok(())
    }

    /// Tells the collector that the subscription has ended; whether it hears does not matter.
    async fn say_goodbye(&mut self) {
        let message =
            self.message(|request, echo| client::subscription_end(request, echo, "policy changed"));
        if let Some(mut connection) = self.connection.take() {
            let _ = connection
                .post(&self.offer.target, message.body, message.encoding)
                .await;
        }
    }
}
