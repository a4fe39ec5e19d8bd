//! Sending over UDP (RFC 5426): one datagram an event.
//!
//! Nothing comes back but, from the same network, an ICMP refusal when nobody listens. So an
//! event counts as sent only a moment after it left, and the pace is limited: there is no
//! other way to wait for a receiver.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures::future::poll_immediate;
use tokio::net::UdpSocket;
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use windrow_formats::batch::{Header, Record};
use windrow_formats::limits::SYSLOG_MESSAGE_MIN;
use windrow_formats::syslog::{Encoder, Settings};

use super::connection::resolve;
use super::error::LinkError;
use super::limits::{CONFIRM_INTERVAL, DATAGRAM_SETTLE};
use super::outbox::Outbox;
use super::sender::{Ended, Poison, Sender, format};
use super::walk::{Item, Walk};
use super::window::Window;
use crate::journal::{Frame, Seq};

/// Datagrams that may leave back to back.
const BURST: u32 = 32;

#[derive(Debug)]
struct Link {
    socket: UdpSocket,
    opened: Instant,
    /// Offsets are milliseconds since `opened`.
    window: Window,
    outbox: Outbox,
    /// When the next datagram is due.
    due: Instant,
    interval: Duration,
}

/// Sends until something ends it.
/// After `failures` in a row it is the turn of another of the host's addresses.
pub(super) async fn run(sender: &mut Sender, failures: u32, shutdown: &CancellationToken) -> Ended {
    sender.reporter.connecting();
    let mut link = select! {
        biased;
        () = shutdown.cancelled() => return Ended::Stopped,
        link = Link::open(sender, failures) => match link {
            Ok(link) => link,
            Err(error) => return Ended::Failed(error),
        },
    };
    // Another way, perhaps, and what was too large for the last one may fit.
    let whole = format(&sender.destination);
    if sender.packer.message_bytes_max() < whole.message_bytes_max {
        sender.packer.replace_encoder(Encoder::new(whole));
    }
    sender.cursor.rewind();
    let ended = loop {
        let outcome = match next_frame(sender, &mut link, shutdown).await {
            Ok(frame) => forward(sender, &mut link, &frame, shutdown).await,
            Err(ended) => Err(ended),
        };
        if let Err(ended) = outcome {
            break ended;
        }
    };
    if matches!(ended, Ended::Stopped) {
        settle(sender, &mut link).await
    } else {
        ended
    }
}

impl Link {
    async fn open(sender: &mut Sender, failures: u32) -> Result<Link, LinkError> {
        let destination = &sender.destination;
        let peers = resolve(destination).await?;
        let peer = peers
            .iter()
            .cycle()
            .nth(failures as usize % peers.len().max(1));
        let peer = *peer.ok_or_else(|| LinkError::NoAddress {
            host: destination.host.clone(),
        })?;
        let socket = connect(peer)
            .await
            .map_err(|source| LinkError::Connect { peer, source })?;
        sender.reporter.connected(peer, "UDP".to_owned());
        let now = Instant::now();
        let rate = sender.destination.limits.datagrams_per_second.max(1);
        Ok(Link {
            socket,
            opened: now,
            window: Window::default(),
            outbox: Outbox::default(),
            due: now,
            interval: Duration::from_secs(1) / rate,
        })
    }

    /// The moment `at` as an offset.
    fn offset(&self, at: Instant) -> u64 {
        u64::try_from((at - self.opened).as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits for the receiver to refuse; what it may send otherwise is discarded.
    async fn refused(&self) -> LinkError {
        let mut scrap = [0; 64];
        loop {
            if let Err(error) = self.socket.recv(&mut scrap).await {
                return LinkError::Broken(error);
            }
        }
    }

    /// The refusal that the system has for us, if any.
    fn heard(&self) -> Result<(), LinkError> {
        match self.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(LinkError::Broken(error)),
        }
    }

    /// Waits until another datagram may leave.
    async fn pace(&mut self) {
        let now = Instant::now();
        let earliest = now.checked_sub(self.interval * BURST).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval;
        if self.due > now {
            sleep_until(self.due).await;
        }
    }
}

pub(super) async fn connect(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(peer).await?;
    Ok(socket)
}

async fn next_frame(
    sender: &mut Sender,
    link: &mut Link,
    shutdown: &CancellationToken,
) -> Result<Frame, Ended> {
    loop {
        let waiting = link.window.since().is_some();
        let frame = {
            let mut next = pin!(sender.cursor.next());
            match poll_immediate(next.as_mut()).await {
                Some(frame) => Some(frame),
                None => select! {
                    biased;
                    () = shutdown.cancelled() => return Err(Ended::Stopped),
                    error = link.refused() => return Err(Ended::Failed(error)),
                    frame = next => Some(frame),
                    () = sleep(CONFIRM_INTERVAL), if waiting => None,
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
            Some(Ok(None)) => return Err(Ended::Stopped),
            Some(Err(error)) => return Err(Ended::Failed(LinkError::Journal(error))),
            None => confirm(sender, link)?,
        }
    }
}

async fn forward(
    sender: &mut Sender,
    link: &mut Link,
    frame: &Frame,
    shutdown: &CancellationToken,
) -> Result<(), Ended> {
    let mut walk = Walk::new(&frame.entries, sender.cursor.position());
    while let Some(item) = walk.next() {
        match item {
            Item::Event {
                seq,
                header,
                record,
            } => {
                if sender
                    .packer
                    .chooses(seq, header, &record, &mut link.outbox)
                {
                    send(sender, link, seq, header, &record).await?;
                }
            }
            Item::Unreadable(poison) => {
                sender.skip(poison, &mut link.outbox).await;
                account(sender, link);
            }
            Item::File { last } => link.outbox.pass(last),
        }
        if shutdown.is_cancelled() {
            return Err(Ended::Stopped);
        }
    }
    // What was left out since the last datagram.
    account(sender, link);
    confirm(sender, link)
}

/// Sends one event, smaller if the system says that it is too large for the way.
async fn send(
    sender: &mut Sender,
    link: &mut Link,
    seq: Seq,
    header: &Header,
    record: &Record<'_>,
) -> Result<(), Ended> {
    link.pace().await;
    loop {
        let packed = sender.packer.pack(seq, header, record, &mut link.outbox);
        if let Err(error) = packed {
            let poison = Poison::event(seq, &error, header, record);
            sender.skip(poison, &mut link.outbox).await;
            break;
        }
        match link.socket.send(&link.outbox.bytes).await {
            Ok(_) => break,
            Err(error) if is_too_large(&error) && shrink(sender, link.outbox.bytes.len()) => {
                link.outbox.unpack();
            }
            Err(error) if is_too_large(&error) => {
                let poison = Poison::event(seq, &error, header, record);
                link.outbox.unpack();
                sender.skip(poison, &mut link.outbox).await;
                break;
            }
            Err(error) => return Err(Ended::Failed(LinkError::Broken(error))),
        }
    }
    account(sender, link);
    Ok(())
}

fn is_too_large(error: &io::Error) -> bool {
    const EMSGSIZE: i32 = rustix::io::Errno::MSGSIZE.raw_os_error();
    error.raw_os_error() == Some(EMSGSIZE)
}

/// Takes a quarter off the size allowed, below `len`, which was too large. `false` if it
/// cannot go lower.
fn shrink(sender: &mut Sender, len: usize) -> bool {
    if sender.packer.message_bytes_max() <= SYSLOG_MESSAGE_MIN {
        return false;
    }
    let message_bytes_max = (len - len / 4).max(SYSLOG_MESSAGE_MIN);
    sender.reporter.shrunk(message_bytes_max);
    sender.packer.replace_encoder(Encoder::new(Settings {
        message_bytes_max,
        ..format(&sender.destination)
    }));
    true
}

/// Moves what was sent from the outbox to the window.
fn account(sender: &mut Sender, link: &mut Link) {
    let offset = link.offset(Instant::now());
    sender.account(offset, &mut link.outbox, &mut link.window);
}

/// What left long enough ago has not been refused, unless the refusal has come and nobody has
/// heard it: while events go by that are not sent, nobody listens.
fn confirm(sender: &mut Sender, link: &mut Link) -> Result<(), Ended> {
    link.heard()?;
    if let Some(settled) = Instant::now().checked_sub(DATAGRAM_SETTLE)
        && settled > link.opened
    {
        let offset = link.offset(settled);
        sender.confirm_to(offset, &mut link.window);
    }
    Ok(())
}

/// Before stopping: a refusal of the last datagrams may still be on its way.
async fn settle(sender: &mut Sender, link: &mut Link) -> Ended {
    select! {
        biased;
        error = link.refused() => Ended::Failed(error),
        () = sleep(DATAGRAM_SETTLE) => {
            if let Err(error) = link.heard() {
                return Ended::Failed(error);
            }
            sender.confirm_to(u64::MAX, &mut link.window);
            Ended::Stopped
        }
    }
}

#[cfg(test)]
mod tests;
