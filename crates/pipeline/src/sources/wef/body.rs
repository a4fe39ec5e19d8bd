//! Reading a request's body within limits of size and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, EXPECT};
use hyper::{HeaderMap, Request};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::WefLimits;

/// Of a body that is refused, this much is read before the answer, so that a client that only
/// listens when it has sent everything gets the answer and not a reset. Twice what a subscription
/// usually allows; what declares far more is no machine.
const DRAIN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Over the limit, as declared or as it came.
    TooLarge,
    /// It paused too long, or took too long altogether.
    TooSlow,
    /// The connection broke, or the framing did.
    Broken,
    /// The collector is going down.
    Stopping,
}

/// How often a body that does not come is looked at while others wait for its room.
const LOOK: Duration = Duration::from_millis(250);

/// How a body may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) pause: Duration,
    pub(super) deadline: Instant,
    /// What it has to keep up with while others wait for room.
    pub(super) pace: Pace,
}

impl BodyLimits {
    /// Those of a body that begins now.
    pub(super) fn new(bytes: usize, limits: &WefLimits, deadline: Instant) -> BodyLimits {
        BodyLimits {
            bytes,
            pause: limits.body_pause_timeout,
            deadline,
            pace: Pace {
                began: Instant::now(),
                grace: limits.body_grace,
                bytes_per_second: limits.body_bytes_per_second,
            },
        }
    }
}

/// How fast a body comes that may keep its room when others wait for some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) began: Instant,
    /// How long nothing need come.
    pub(super) grace: Duration,
    pub(super) bytes_per_second: usize,
}

impl Pace {
    /// Whether a body of which so much has come by now is behind.
    fn is_behind(&self, bytes: usize, now: Instant) -> bool {
        let over = now.duration_since(self.began).saturating_sub(self.grace);
        (bytes as f64) < over.as_secs_f64() * self.bytes_per_second as f64
    }
}

/// The size that the head declares; `None` when it declares none.
pub(super) fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body. One that declares too much is refused before anything is read, and one that
/// hardly comes gives way when others wait for its room (`is_short`).
pub(super) async fn read(
    request: Request<Incoming>,
    limits: BodyLimits,
    is_short: impl Fn() -> bool,
    stopping: &CancellationToken,
) -> Result<Vec<u8>, BodyError> {
    let declared = declared_bytes(request.headers());
    let waits_for_leave = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    if declared.is_some_and(|declared| declared > limits.bytes as u64) {
        if !waits_for_leave {
            drain(&mut body, stopping).await;
        }
        return Err(BodyError::TooLarge);
    }
    let expected = declared.and_then(|declared| usize::try_from(declared).ok());
    let mut bytes = Vec::with_capacity(expected.unwrap_or(0).min(limits.bytes));
    loop {
        let gives_way = || is_short() && limits.pace.is_behind(bytes.len(), Instant::now());
        let Some(chunk) = next(&mut body, &limits, gives_way, stopping).await? else {
            return Ok(bytes);
        };
        if chunk.len() > limits.bytes - bytes.len() {
            drain(&mut body, stopping).await;
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// The next chunk of data, `None` at the end.
async fn next(
    body: &mut Incoming,
    limits: &BodyLimits,
    gives_way: impl Fn() -> bool,
    stopping: &CancellationToken,
) -> Result<Option<Bytes>, BodyError> {
    let mut deadline = limits.deadline.min(Instant::now() + limits.pause);
    loop {
        if gives_way() {
            return Err(BodyError::TooSlow);
        }
        let look = deadline.min(Instant::now() + LOOK);
        let frame = tokio::select! {
            biased;
            frame = timeout_at(look, body.frame()) => frame,
            () = stopping.cancelled() => return Err(BodyError::Stopping),
        };
        match frame {
            Err(_) if Instant::now() < deadline => continue,
            Err(_) => return Err(BodyError::TooSlow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
                deadline = limits.deadline.min(Instant::now() + limits.pause);
            }
        }
    }
}

async fn drain(body: &mut Incoming, stopping: &CancellationToken) {
    let limits = BodyLimits {
        bytes: DRAIN_BYTES_MAX,
        pause: DRAIN_TIMEOUT,
        deadline: Instant::now() + DRAIN_TIMEOUT,
        pace: Pace {
            began: Instant::now(),
            grace: DRAIN_TIMEOUT,
            bytes_per_second: 0,
        },
    };
    let mut drained = 0;
    while drained < limits.bytes && !body.is_end_stream() {
        match next(body, &limits, || false, stopping).await {
            Ok(Some(chunk)) => drained += chunk.len(),
            _ => return,
        }
    }
}
