//! Sending over TCP or TLS: one connection after the other, each with its window of events
//! that were written and are not confirmed.
//!
//! Invariant: the cursor moves only over events that are confirmed at the level configured;
//! what a broken connection leaves unconfirmed is read from the journal and written again.
//! A receiver that does not prove what it reads is not believed for it: see [`Proof`].

use std::pin::pin;
use std::slice;
use std::time::Duration;

use futures::future::poll_immediate;
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Finish, Heard};
use super::destination::{Confirmation, Warning};
use super::error::LinkError;
use super::limits::{
    ASK_WAIT_MAX, CONFIRM_INTERVAL, FIN_WAIT, Limits, UNPROVEN_MAX, WINDOW_FACTOR,
    WINDOW_TIME_GROWTH, WINDOW_TIME_MIN,
};
use super::outbox::Outbox;
use super::sender::{Ended, Poison, Sender, confirmation, wrote};
use super::shared::Messages;
use super::walk::{Item, Walk};
use super::window::Window;
use crate::journal::{Frame, FrameEntry};

/// An open connection and what is under way on it.
#[derive(Debug)]
struct Link {
    connection: Connection,
    window: Window,
    outbox: Outbox,
    confirmation: Confirmation,
    proof: Proof,
}

impl Link {
    /// Bytes that the next write is to have.
    fn batch_bytes(&self, limits: &Limits) -> usize {
        let taken = usize::try_from(self.connection.written()).unwrap_or(usize::MAX);
        let most = limits.batch_bytes_max.max(limits.batch_bytes);
        (taken / 4).clamp(limits.batch_bytes, most)
    }
}

/// How it is found out what the receiver's program has read.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// After so many bytes, or some time, our side of the connection is closed, and the
    /// receiver closes its own when it has read everything.
    Close {
        window_bytes: u64,
        window_time: Duration,
    },
    /// The receiver does not do that. The connection stays open until then, and what TCP has
    /// delivered beyond the largest receive buffer has been read: it was room for the rest.
    Flow { ask_at: Instant },
}

/// What is known about the receiver from earlier connections.
#[derive(Debug)]
pub(super) struct Trust {
    /// Bytes after which a connection is turned over. Starts small and grows as the receiver
    /// proves what it reads, so that little is written twice to one that does not.
    window_bytes: u64,
    /// The same for the time: less than the limit after a receiver that ends idle connections
    /// itself, which proves nothing and would have everything sent again each time.
    window_time: Duration,
    /// Connections in a row whose bytes were all acknowledged and never proven to be read.
    unproven: u32,
    /// Set while connections are left open: when the receiver is asked for proof again.
    ask_at: Option<Instant>,
    /// Whether it has ever ended TLS and not only TCP.
    ends_tls: bool,
    /// How often connections were left open since it has proven anything. Each time for twice
    /// as long, since what is not proven at the end is written again.
    left_open: u32,
}

impl Trust {
    pub(super) fn new() -> Trust {
        Trust {
            window_bytes: 0,
            window_time: Duration::MAX,
            unproven: 0,
            ask_at: None,
            ends_tls: false,
            left_open: 0,
        }
    }

    /// What the next connection is to go by.
    fn proof(&mut self, limits: &Limits) -> Proof {
        let least = limits.batch_bytes as u64;
        self.window_bytes = self
            .window_bytes
            .clamp(least, limits.window_bytes.max(least));
        self.window_time = self.window_time.min(limits.window_time);
        match self.ask_at {
            Some(ask_at) => Proof::Flow { ask_at },
            None => Proof::Close {
                window_bytes: self.window_bytes,
                window_time: self.window_time,
            },
        }
    }

    /// The receiver has proven what it has read.
    fn proven(&mut self) {
        *self = Trust {
            window_bytes: self.window_bytes.saturating_mul(WINDOW_FACTOR),
            window_time: self
                .window_time
                .saturating_add(self.window_time / WINDOW_TIME_GROWTH),
            ends_tls: self.ends_tls,
            ..Trust::new()
        };
    }

    /// The receiver has ended the connection before we did, when the oldest event of its window was
    /// so old. Next time we are first.
    fn ended_first(&mut self, age: Duration) {
        self.window_time = self.window_time.min((age / 2).max(WINDOW_TIME_MIN));
    }

    /// An end of TCP alone proves something only of a receiver that has never done better: some
    /// never end TLS, and from any other somebody on the way did it.
    fn judge(&mut self, finish: Finish) -> Finish {
        match finish {
            Finish::Read => self.ends_tls = true,
            Finish::ReadUnsigned if self.ends_tls => {
                return Finish::Unproven {
                    acknowledged: true,
                    error: LinkError::NoCloseNotify,
                };
            }
            Finish::ReadUnsigned | Finish::Unproven { .. } => {}
        }
        finish
    }

    /// A connection has ended without proof. The next one asks for it with a small window,
    /// since another program may be listening by then.
    fn broken(&mut self) {
        self.window_bytes /= WINDOW_FACTOR;
        if self.ask_at.take().is_some() {
            self.unproven = UNPROVEN_MAX - 1;
        }
    }

    /// The same, after the receiver's TCP had taken everything.
    fn unproven(&mut self, now: Instant, limits: &Limits) {
        self.broken();
        self.unproven += 1;
        if self.unproven >= UNPROVEN_MAX {
            let factor = 2_u32.saturating_pow(self.left_open);
            let wait = limits.window_time.saturating_mul(factor);
            self.ask_at = Some(now + wait.min(ASK_WAIT_MAX));
            self.left_open = self.left_open.saturating_add(1);
        }
    }
}

/// Connects, sends until something ends the connection, and ends it in order if it can be.
pub(super) async fn run(
    sender: &mut Sender,
    trust: &mut Trust,
    shutdown: &CancellationToken,
) -> Ended {
    sender.reporter.connecting();
    let connection = select! {
        biased;
        () = shutdown.cancelled() => return Ended::Stopped,
        connection = Connection::open(&sender.destination) => match connection {
            Ok(connection) => connection,
            Err(error) => return Ended::Failed(error),
        },
    };
    sender
        .reporter
        .connected(connection.peer(), connection.protocol());
    let mut link = Link {
        connection,
        window: Window::default(),
        outbox: Outbox::default(),
        confirmation: confirmation(&sender.destination),
        proof: trust.proof(&sender.destination.limits),
    };
    sender.cursor.rewind();
    let ended = pump(sender, &mut link, shutdown).await;
    finish(sender, trust, link, ended).await
}

async fn pump(sender: &mut Sender, link: &mut Link, shutdown: &CancellationToken) -> Ended {
    loop {
        let outcome = match next_frame(sender, link, shutdown).await {
            Ok(frame) => forward(sender, link, &frame, shutdown).await,
            Err(ended) => Err(ended),
        };
        if let Err(ended) = outcome {
            return ended;
        }
    }
}

/// The next frame of the journal. If there is none at once, what is in the outbox is written
/// first, and while waiting the peer is listened to and confirmations are taken.
async fn next_frame(
    sender: &mut Sender,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<Frame, Ended> {
    loop {
        let limits = &sender.destination.limits;
        let frame = {
            // Kept while the outbox is written: the journal may be reading from disk for it.
            let mut next = pin!(sender.cursor.next());
            let ready = poll_immediate(next.as_mut()).await;
            // What was only passed is accounted for at the end of its frame.
            if ready.is_none() && !link.outbox.bytes.is_empty() {
                write(link, limits, shutdown).await?;
                let end = link.connection.written();
                let (outbox, window) = (&mut link.outbox, &mut link.window);
                wrote(end, outbox, window, &mut sender.packer, &sender.reporter);
                check(link, shutdown)?;
            }
            let wake = wake_at(link, limits);
            match ready {
                Some(frame) => Some(frame),
                None => select! {
                    biased;
                    () = shutdown.cancelled() => return Err(Ended::Stopped),
                    error = link.connection.closed() => return Err(Ended::Failed(error)),
                    frame = next => Some(frame),
                    () = sleep_until_some(wake) => None,
                },
            }
        };
        match frame {
            Some(Ok(Some(frame))) => {
                if let Some(gap) = frame.gap {
                    sender.reporter.gone(gap);
                }
                return Ok(frame);
            }
            Some(Ok(None)) => {
                flush(sender, link, shutdown).await?;
                return Err(Ended::Stopped);
            }
            Some(Err(error)) => return Err(Ended::Failed(LinkError::Journal(error))),
            None => {
                confirm(sender, link).await?;
                check(link, shutdown)?;
            }
        }
    }
}

/// Packs the events of `frame` that are not done yet, writing whenever enough has come
/// together.
async fn forward(
    sender: &mut Sender,
    link: &mut Link,
    frame: &Frame,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    for entry in &frame.entries {
        match sender.shared(entry).await {
            Some(messages) => copy(sender, link, entry, &messages, shutdown).await?,
            None => pack(sender, link, entry, shutdown).await?,
        }
    }
    if link.outbox.bytes.is_empty() {
        // The cursor follows through frames of which nothing is sent, and so does everybody else:
        // where nothing is written nothing is waited for.
        flush(sender, link, shutdown).await?;
        tokio::task::consume_budget().await;
    }
    Ok(())
}

/// Packs messages that were made before.
async fn copy(
    sender: &mut Sender,
    link: &mut Link,
    entry: &FrameEntry,
    messages: &Messages,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    let next = entry.first_seq.max(sender.cursor.position() + 1);
    let skip = usize::try_from(next - entry.first_seq).unwrap_or(usize::MAX);
    for (seq, (made, message)) in (next..).zip(messages.after(skip)) {
        sender.packer.copy(seq, made, message, &mut link.outbox);
        flush_due(sender, link, shutdown).await?;
    }
    Ok(())
}

/// Makes messages and packs them.
async fn pack(
    sender: &mut Sender,
    link: &mut Link,
    entry: &FrameEntry,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    let mut walk = Walk::new(slice::from_ref(entry), sender.cursor.position());
    while let Some(item) = walk.next() {
        let outbox = &mut link.outbox;
        match item {
            Item::Event {
                seq,
                header,
                record,
            } => {
                if sender.packer.chooses(seq, header, &record, outbox)
                    && let Err(error) = sender.packer.pack(seq, header, &record, outbox)
                {
                    let poison = Poison::event(seq, &error, header, &record);
                    sender.skip(poison, outbox).await;
                }
            }
            Item::Unreadable(poison) => sender.skip(poison, outbox).await,
            Item::File { last } => outbox.pass(last),
        }
        flush_due(sender, link, shutdown).await?;
    }
    Ok(())
}

/// Writes the outbox if enough is in it.
async fn flush_due(
    sender: &mut Sender,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    let limits = &sender.destination.limits;
    if link.outbox.is_due(link.batch_bytes(limits)) {
        flush(sender, link, shutdown).await?;
    }
    Ok(())
}

/// Writes the outbox, if anything is to be written, and takes the confirmations that have come in.
async fn flush(
    sender: &mut Sender,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    if link.outbox.seq.is_none() {
        return Ok(());
    }
    write(link, &sender.destination.limits, shutdown).await?;
    let end = link.connection.written();
    sender.account(end, &mut link.outbox, &mut link.window);
    confirm(sender, link).await?;
    check(link, shutdown)
}

/// Writes the outbox. A sink that is told to stop still ends the message it is in, so that
/// the receiver gets no half one, but waits no longer than an orderly close may take.
async fn write(
    link: &mut Link,
    limits: &Limits,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    if link.outbox.bytes.is_empty() {
        return Ok(());
    }
    let patience = limits.close_timeout;
    let too_late = async {
        shutdown.cancelled().await;
        sleep(patience).await;
    };
    select! {
        biased;
        outcome = link.connection.send(&link.outbox.bytes) => Ok(outcome?),
        () = too_late => Err(Ended::Failed(LinkError::Stalled { timeout: patience })),
    }
}

/// Takes the confirmations that have come in without asking the receiver for more. A refusal may
/// have come in too, and unseen: while events go by that are not sent, nobody listens.
async fn confirm(sender: &mut Sender, link: &mut Link) -> Result<(), LinkError> {
    let by_end_alone =
        link.confirmation == Confirmation::PeerRead && matches!(link.proof, Proof::Close { .. });
    if by_end_alone || link.window.since().is_none() {
        return Ok(());
    }
    let heard = link.connection.hear_out().await?;
    if Instant::now() >= link.connection.accepted_at() {
        confirm_heard(sender, link);
    }
    match heard {
        Heard::NoEnd => Ok(()),
        Heard::End => Err(LinkError::ClosedByPeer),
    }
}

fn confirm_heard(sender: &mut Sender, link: &mut Link) {
    match link.confirmation {
        Confirmation::Sent => sender.confirm_to(link.connection.written(), &mut link.window),
        Confirmation::TcpAcked => {
            sender.confirm_to(link.connection.acknowledged(), &mut link.window);
        }
        Confirmation::PeerRead => {
            if let Proof::Flow { .. } = link.proof {
                let read = read_by_flow(link, &sender.destination.limits);
                sender.confirm_to(read, &mut link.window);
            }
        }
    }
}

/// Whether to go on.
fn check(link: &Link, shutdown: &CancellationToken) -> Result<(), Ended> {
    if shutdown.is_cancelled() {
        return Err(Ended::Stopped);
    }
    if link.confirmation < Confirmation::PeerRead {
        return Ok(());
    }
    let now = Instant::now();
    let ask = match link.proof {
        Proof::Close {
            window_bytes,
            window_time,
        } => {
            let since = link.window.since();
            link.connection.written() >= window_bytes
                || since.is_some_and(|since| now >= since + window_time)
        }
        Proof::Flow { ask_at } => now >= ask_at,
    };
    if ask { Err(Ended::TurnedOver) } else { Ok(()) }
}

/// When to look at the window again, if nothing else happens.
fn wake_at(link: &Link, limits: &Limits) -> Option<Instant> {
    let since = link.window.since()?;
    let soon = (Instant::now() + CONFIRM_INTERVAL).max(link.connection.accepted_at());
    Some(match (link.confirmation, link.proof) {
        (Confirmation::Sent | Confirmation::TcpAcked, _) => soon,
        (_, Proof::Close { window_time, .. }) => since + window_time,
        // While the receiver is idle nothing changes, once what it has read is taken.
        (_, Proof::Flow { ask_at }) if link.connection.all_arrived() => {
            let read = read_by_flow(link, limits);
            if link.window.confirms(read) {
                soon.min(ask_at)
            } else {
                ask_at
            }
        }
        (_, Proof::Flow { ask_at }) => soon.min(ask_at),
    })
}

/// Bytes that the receiver's program has read, since its system holds no more. Where the system
/// does not tell what is acknowledged, it goes by what that has taken for sending; its own buffer
/// is small beside the bound.
fn read_by_flow(link: &Link, limits: &Limits) -> u64 {
    let acknowledged = link.connection.acknowledged();
    acknowledged.saturating_sub(limits.receive_buffer_bytes)
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Ends the connection in order, if it still has one, and takes what that proves.
async fn finish(sender: &mut Sender, trust: &mut Trust, mut link: Link, ended: Ended) -> Ended {
    let limits = &sender.destination.limits;
    let patience = match &ended {
        Ended::Stopped => limits.close_timeout,
        Ended::TurnedOver => limits.proof_timeout,
        Ended::Failed(LinkError::ClosedByPeer) => FIN_WAIT,
        Ended::Failed(_) => {
            trust.broken();
            return ended;
        }
    };
    if let Err(error) = confirm(sender, &mut link).await {
        trust.broken();
        return match ended {
            Ended::Stopped => ended,
            Ended::TurnedOver | Ended::Failed(_) => Ended::Failed(error),
        };
    }
    let was_accepted = Instant::now() >= link.connection.accepted_at();
    let asked_since = link.window.since();
    match trust.judge(link.connection.finish(Instant::now() + patience).await) {
        finish @ (Finish::Read | Finish::ReadUnsigned) => {
            if matches!(finish, Finish::ReadUnsigned) {
                sender.reporter.warn(Warning::NoCloseNotify);
            }
            if asked_since.is_some() {
                sender.confirm_to(u64::MAX, &mut link.window);
                trust.proven();
                sender.reporter.proven();
            }
            ended
        }
        Finish::Unproven {
            acknowledged,
            error,
        } => {
            let acknowledged = acknowledged && was_accepted && !error.is_refusal();
            if acknowledged && link.confirmation < Confirmation::PeerRead {
                sender.confirm_to(u64::MAX, &mut link.window);
                return ended;
            }
            if let Some(since) = asked_since {
                if acknowledged {
                    trust.unproven(Instant::now(), &sender.destination.limits);
                } else {
                    trust.broken();
                }
                if matches!(error, LinkError::EndedFirst) {
                    trust.ended_first(since.elapsed());
                }
            } else if matches!(error, LinkError::EndedFirst) {
                return ended;
            }
            unproven(sender, trust, ended, error)
        }
    }
}

/// What is said of a connection that has ended without proof, and why.
fn unproven(sender: &Sender, trust: &Trust, ended: Ended, error: LinkError) -> Ended {
    let never_proves = trust.ask_at.is_some();
    match (ended, error) {
        (Ended::Stopped, _) => Ended::Stopped,
        (_, error @ (LinkError::EndedFirst | LinkError::NoCloseNotify)) => {
            if never_proves {
                sender.reporter.never_proves();
            }
            Ended::Failed(error)
        }
        (Ended::TurnedOver, _) if never_proves => {
            sender.reporter.never_proves();
            Ended::Failed(LinkError::Unproven)
        }
        (Ended::TurnedOver, error) => Ended::Failed(error),
        (ended, _) => ended,
    }
}

#[cfg(test)]
mod tests;
