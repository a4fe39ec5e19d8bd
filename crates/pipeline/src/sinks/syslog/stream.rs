//! Sending over TCP or TLS: one connection after the other, each with its window of events
//! that were written and are not confirmed.
//!
//! Invariant: the cursor moves only over events that are confirmed at the level in force;
//! what a broken connection leaves unconfirmed is read from the journal and written again.

use std::pin::pin;

use futures::future::poll_immediate;
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Finish};
use super::destination::Confirmation;
use super::error::LinkError;
use super::limits::{
    CONFIRM_INTERVAL, FIN_WAIT, Limits, UNPROVEN_MAX, UNPROVEN_RETRY, WINDOW_FACTOR,
};
use super::outbox::{Outbox, Packer};
use super::sender::{Ended, Sender, confirmation};
use super::status::Reporter;
use super::walk::{Item, Walk};
use super::window::Window;
use crate::journal::Frame;

/// An open connection and what is under way on it.
#[derive(Debug)]
struct Link {
    connection: Connection,
    window: Window,
    outbox: Outbox,
    confirmation: Confirmation,
}

/// What is known about the receiver from earlier connections.
#[derive(Debug)]
pub(super) struct Trust {
    /// Bytes after which a connection is turned over. Starts small and grows as the receiver
    /// proves what it reads, so that little is written twice to one that does not.
    window_bytes: u64,
    /// Connections in a row whose bytes were all acknowledged and never proven to be read.
    unproven: u32,
    /// Until when the receiver's TCP is believed instead.
    believe_tcp_until: Option<Instant>,
}

impl Trust {
    pub(super) fn new() -> Trust {
        Trust {
            window_bytes: 0,
            unproven: 0,
            believe_tcp_until: None,
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
        confirmation: in_force(sender, trust),
    };
    let limits = &sender.destination.limits;
    let least = limits.batch_bytes as u64;
    trust.window_bytes = trust
        .window_bytes
        .clamp(least, limits.window_bytes.max(least));
    sender.cursor.rewind();
    let ended = pump(sender, trust, &mut link, shutdown).await;
    finish(sender, trust, link, ended).await
}

/// The confirmation to work with on the next connection.
fn in_force(sender: &Sender, trust: &mut Trust) -> Confirmation {
    match trust.believe_tcp_until {
        Some(until) if Instant::now() < until => Confirmation::TcpAcked,
        Some(_) => {
            trust.believe_tcp_until = None;
            let wanted = confirmation(&sender.destination);
            sender.reporter.confirmation(wanted);
            wanted
        }
        None => confirmation(&sender.destination),
    }
}

async fn pump(
    sender: &mut Sender,
    trust: &Trust,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Ended {
    loop {
        let outcome = match next_frame(sender, trust, link, shutdown).await {
            Ok(frame) => forward(sender, trust, link, &frame, shutdown).await,
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
    trust: &Trust,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<Frame, Ended> {
    loop {
        let limits = &sender.destination.limits;
        let frame = {
            // Kept while the outbox is written: the journal may be reading from disk for it.
            let mut next = pin!(sender.cursor.next());
            let ready = poll_immediate(next.as_mut()).await;
            if ready.is_none() && link.outbox.seq.is_some() {
                write(link, limits, shutdown).await?;
                account(&mut sender.packer, &sender.reporter, link);
                check(trust, link, shutdown)?;
            }
            let wake = wake_at(limits, link);
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
            Some(Ok(Some(frame))) => return Ok(frame),
            Some(Ok(None)) => {
                flush(sender, trust, link, shutdown).await?;
                return Err(Ended::Stopped);
            }
            Some(Err(error)) => return Err(Ended::Failed(LinkError::Journal(error))),
            None => settle(sender, link)?,
        }
    }
}

/// Packs the events of `frame` that are not done yet, writing whenever enough has come
/// together.
async fn forward(
    sender: &mut Sender,
    trust: &Trust,
    link: &mut Link,
    frame: &Frame,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    let mut walk = Walk::new(frame, sender.cursor.position());
    while let Some(item) = walk.next() {
        let outbox = &mut link.outbox;
        match item {
            Item::Event {
                seq,
                header,
                record,
            } => sender
                .packer
                .pack(seq, header, &record, outbox, &sender.reporter),
            Item::Unreadable {
                seq,
                events,
                reason,
            } => sender.skip(seq, events, reason, outbox),
        }
        if link.outbox.bytes.len() >= sender.destination.limits.batch_bytes {
            flush(sender, trust, link, shutdown).await?;
        }
    }
    Ok(())
}

/// Writes the outbox and takes the confirmations that have come in.
async fn flush(
    sender: &mut Sender,
    trust: &Trust,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    if link.outbox.seq.is_none() {
        return Ok(());
    }
    write(link, &sender.destination.limits, shutdown).await?;
    account(&mut sender.packer, &sender.reporter, link);
    confirm(sender, link);
    check(trust, link, shutdown)
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

/// Moves what was written from the outbox to the window.
fn account(packer: &mut Packer, reporter: &Reporter, link: &mut Link) {
    let Some(seq) = link.outbox.seq else { return };
    let end = link.connection.written();
    link.window
        .push(end, seq, link.outbox.events, Instant::now());
    packer.written(seq);
    reporter.sent(&link.outbox, seq, link.window.events());
    link.outbox.clear();
}

/// Takes the confirmations that have come in without asking the receiver for more.
fn confirm(sender: &mut Sender, link: &mut Link) {
    if Instant::now() < link.connection.accepted_at() {
        return;
    }
    match link.confirmation {
        Confirmation::Sent => sender.confirm_to(link.connection.written(), &mut link.window),
        Confirmation::TcpAcked => {
            sender.confirm_to(link.connection.acknowledged(), &mut link.window);
        }
        Confirmation::ReadConfirmed => {}
    }
}

/// Whether to go on after a write.
fn check(trust: &Trust, link: &Link, shutdown: &CancellationToken) -> Result<(), Ended> {
    if shutdown.is_cancelled() {
        return Err(Ended::Stopped);
    }
    if link.confirmation == Confirmation::ReadConfirmed
        && link.connection.written() >= trust.window_bytes
    {
        return Err(Ended::TurnedOver);
    }
    Ok(())
}

/// When to look at the window again, if nothing else happens.
fn wake_at(limits: &Limits, link: &Link) -> Option<Instant> {
    let since = link.window.since()?;
    Some(match link.confirmation {
        Confirmation::ReadConfirmed => since + limits.window_time,
        Confirmation::Sent | Confirmation::TcpAcked => {
            (Instant::now() + CONFIRM_INTERVAL).max(link.connection.accepted_at())
        }
    })
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The window has waited for long enough.
fn settle(sender: &mut Sender, link: &mut Link) -> Result<(), Ended> {
    if link.confirmation == Confirmation::ReadConfirmed {
        return Err(Ended::TurnedOver);
    }
    confirm(sender, link);
    Ok(())
}

/// Ends the connection in order, if it still has one, and takes what that proves.
async fn finish(sender: &mut Sender, trust: &mut Trust, mut link: Link, ended: Ended) -> Ended {
    let limits = &sender.destination.limits;
    let patience = match &ended {
        Ended::Stopped => limits.close_timeout,
        Ended::TurnedOver => limits.proof_timeout,
        Ended::Failed(LinkError::ClosedByPeer) => FIN_WAIT,
        Ended::Failed(_) => {
            trust.window_bytes /= WINDOW_FACTOR;
            return ended;
        }
    };
    confirm(sender, &mut link);
    let was_accepted = Instant::now() >= link.connection.accepted_at();
    match link.connection.finish(Instant::now() + patience).await {
        Finish::Read => {
            sender.confirm_to(u64::MAX, &mut link.window);
            trust.unproven = 0;
            trust.window_bytes = trust.window_bytes.saturating_mul(WINDOW_FACTOR);
            ended
        }
        Finish::Unproven {
            acknowledged,
            error,
        } => {
            if acknowledged && was_accepted && link.confirmation < Confirmation::ReadConfirmed {
                sender.confirm_to(u64::MAX, &mut link.window);
                return ended;
            }
            distrust(
                sender,
                trust,
                &mut link.window,
                acknowledged && was_accepted,
            );
            match ended {
                Ended::TurnedOver => Ended::Failed(error),
                ended => ended,
            }
        }
    }
}

/// A connection has not proven what the receiver has read. If its TCP had taken everything
/// time and again, it is a receiver that never proves anything, and its TCP is believed.
fn distrust(sender: &mut Sender, trust: &mut Trust, window: &mut Window, acknowledged: bool) {
    trust.window_bytes /= WINDOW_FACTOR;
    if !acknowledged {
        return;
    }
    trust.unproven += 1;
    if trust.unproven >= UNPROVEN_MAX {
        trust.unproven = 0;
        trust.believe_tcp_until = Some(Instant::now() + UNPROVEN_RETRY);
        sender.confirm_to(u64::MAX, window);
        sender.reporter.confirmation(Confirmation::TcpAcked);
    }
}
