//! A request from its head to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use windrow_formats::wef::audience::MachineName;
use windrow_formats::wsman::reply::FaultCode;
use windrow_formats::wsman::{Action, Charset, Header};

use super::body::{self, BodyError, BodyLimits};
use super::conversation::{Conversation, SEALING_BYTES};
use super::deliver::{self, Scratch, Unreadable};
use super::metrics::RequestLabel;
use super::offers::{self, Answer};
use super::options::{SUBSCRIPTION_PATH, WefOptions};
use super::refusal::{Refusal, Who};
use super::reply::Reply;
use super::status::RefusedRequest;
use super::{Held, Shared};
use crate::journal::Pressure;
use crate::limits::OTHER_COMPUTER_BYTES_MAX;
use crate::quarantine::Finding;

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    /// The authenticated name.
    pub(super) name: String,
    /// The same as all its spellings: what its events are known by.
    pub(super) canonical: String,
    /// The same, for whom subscriptions are for.
    pub(super) machine: MachineName,
    pub(super) address: IpAddr,
    pub(super) proof: Proof,
}

/// How a peer has proved who it is.
#[derive(Debug)]
pub(super) enum Proof {
    Certificate {
        /// Thumbprint of the authority; `None` when that one is not among the configured ones but
        /// below one of them.
        issuer_thumbprint: Option<String>,
    },
    Kerberos,
}

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Requests for subscriptions.
    Enumerate,
    /// The subscription at this place of the options.
    Subscription(usize),
    /// A subscription that is not there.
    Unknown,
    /// Nothing that is ever anywhere.
    Elsewhere,
}

/// A request whose body is here.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) options: Arc<WefOptions>,
    pub(super) peer: Arc<Peer>,
    route: Route,
    /// What the collector was called, of a request for subscriptions.
    pub(super) called: Option<String>,
    pub(super) charset: Option<Charset>,
    pub(super) encoding: Encoding,
    pub(super) body: Vec<u8>,
    pub(super) received_at: Timestamp,
    pub(super) deadline: Instant,
    /// The body's share of what may be in memory.
    room: Option<Held>,
}

impl Arrived {
    /// The body was read and is not needed any more.
    pub(super) fn forget_body(&mut self) {
        self.body = Vec::new();
        self.room = None;
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Sldc,
}

/// Answers a request of a peer that is known since its handshake.
pub(super) async fn handle(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
    stopping: CancellationToken,
) -> Response<Full<Bytes>> {
    let reply = respond(&shared, &peer, request, None, &stopping).await;
    reply.into_response()
}

/// What a request comes to. A body that is sealed is unsealed by its conversation.
pub(super) async fn respond(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    request: Request<Incoming>,
    sealed: Option<&Conversation>,
    stopping: &CancellationToken,
) -> Reply {
    let options = shared.options();
    let deadline = Instant::now() + options.limits.request_timeout;
    let arriving = Arriving {
        options: &options,
        peer,
        sealed,
        deadline,
    };
    let (action, reply) = match arrive(shared, arriving, request, stopping).await {
        Err(reply) => ("other", reply),
        Ok(arrived) => {
            // In a task of its own: when the connection breaks now, the delivery is still carried
            // through, and recognised when it comes again.
            let task = process(Arc::clone(shared), arrived);
            match shared.requests.spawn(task).await {
                Ok(answer) => answer,
                Err(_) => ("other", Reply::bare(StatusCode::INTERNAL_SERVER_ERROR)),
            }
        }
    };
    note(shared, peer, action, &reply);
    reply
}

/// Counts an answer, and says why it is a refusal if it is one.
pub(super) fn note(shared: &Shared, peer: &Peer, action: &'static str, reply: &Reply) {
    let status = reply.status.as_u16();
    let label = RequestLabel { action, status };
    shared.metrics.requests.get_or_create(&label).inc();
    if let Some((refusal, reason)) = &reply.refusal {
        note_refusal(shared, peer, *refusal, reason);
    }
}

/// Counts what somebody was refused whose name is known, and says why.
pub(super) fn note_refusal(shared: &Shared, peer: &Peer, refusal: Refusal, reason: &str) {
    let who = Who {
        address: peer.address,
        source: Some(&peer.name),
        reason,
    };
    shared.refusals.note(refusal, who, &shared.metrics);
    let at = Timestamp::now();
    shared.registry.heard(&peer.name, |known| {
        known.refusals += 1;
        let before = known.last_refusal.as_ref();
        known.last_refusal = Some(RefusedRequest {
            at,
            refusal,
            reason: reason.to_owned(),
            in_a_row: before.map_or(0, |before| before.in_a_row) + 1,
        });
    });
}

/// A request whose body is not here yet.
#[derive(Clone, Copy)]
struct Arriving<'a> {
    options: &'a Arc<WefOptions>,
    peer: &'a Arc<Peer>,
    sealed: Option<&'a Conversation>,
    deadline: Instant,
}

/// Takes in the head and the body, or says why not.
async fn arrive(
    shared: &Shared,
    arriving: Arriving<'_>,
    request: Request<Incoming>,
    stopping: &CancellationToken,
) -> Result<Arrived, Reply> {
    let Arriving {
        options,
        peer,
        sealed,
        deadline,
    } = arriving;
    let limits = &options.limits;
    if request.method() != Method::POST {
        let reason = "only POST is understood";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Reply::refused(status, Refusal::Method, reason).closing());
    }
    let route = route(options, request.uri().path());
    let content_type = header(request.headers(), &CONTENT_TYPE).map(ToOwned::to_owned);
    let charset = content_type.as_deref().and_then(Charset::from_content_type);
    let encoding = encoding(request.headers());
    let called = match route {
        Route::Enumerate => called(request.headers()),
        Route::Subscription(_) | Route::Unknown | Route::Elsewhere => None,
    };
    let declared = body::declared_bytes(request.headers());
    let around = if sealed.is_some() { SEALING_BYTES } else { 0 };
    let body_bytes = options.body_bytes() + around;
    let expected = declared.and_then(|bytes| usize::try_from(bytes).ok());
    let held = expected.map_or(body_bytes, |bytes| bytes.min(body_bytes));
    let Some(room) = shared.bodies.take(&peer.name, held, deadline).await else {
        let reason = "too much is being received at once";
        return Err(later(options, Refusal::NoRoom, reason).closing());
    };
    let is_short = || shared.bodies.is_short();
    let body_limits = BodyLimits::new(body_bytes, limits, deadline);
    let body = body::read(request, body_limits, is_short, stopping)
        .await
        .map_err(|error| body_reply(error, options, charset))?;
    shared.metrics.received_bytes.inc_by(body.len() as u64);
    let (charset, body) = match sealed {
        None => (charset, body),
        Some(conversation) => conversation.unseal(content_type.as_deref(), body)?,
    };
    let Some(encoding) = encoding else {
        let reason = "the body's Content-Encoding is not SLDC";
        return Err(Reply::fault(
            &Header::default(),
            charset.unwrap_or(Charset::Utf16Le),
            (FaultCode::UnsupportedEncoding, Refusal::Encoding),
            reason,
        ));
    };
    Ok(Arrived {
        options: Arc::clone(options),
        peer: Arc::clone(peer),
        route,
        called,
        charset,
        encoding,
        body,
        received_at: Timestamp::now(),
        deadline,
        room: Some(room),
    })
}

pub(super) fn later(options: &WefOptions, refusal: Refusal, reason: &str) -> Reply {
    Reply::refused(StatusCode::SERVICE_UNAVAILABLE, refusal, reason)
        .retry_after(options.limits.retry_after)
}

fn body_reply(error: BodyError, options: &WefOptions, charset: Option<Charset>) -> Reply {
    let reply = match error {
        BodyError::TooLarge => too_large(
            &Header::default(),
            charset.unwrap_or(Charset::Utf16Le),
            options.body_bytes(),
        ),
        BodyError::TooSlow => {
            let reason = "the body came too slowly";
            Reply::refused(StatusCode::REQUEST_TIMEOUT, Refusal::TooSlow, reason)
        }
        BodyError::Broken => {
            let reason = "the body broke off";
            Reply::refused(StatusCode::BAD_REQUEST, Refusal::BrokeOff, reason)
        }
        BodyError::Stopping => later(options, Refusal::Stopping, "the collector is going down"),
    };
    reply.closing()
}

/// The answer to a body over a limit, with what can be done about it.
pub(super) fn too_large(request: &Header<'_>, charset: Charset, limit: usize) -> Reply {
    let reason = format!(
        "the body is over {limit} bytes; lower the subscription's MaxEnvelopeSize or MaxElements"
    );
    let code = (FaultCode::EncodingLimit, Refusal::TooLarge);
    Reply::fault(request, charset, code, &reason)
}

pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Host and port as the client calls them.
fn called(headers: &HeaderMap) -> Option<String> {
    let host = header(headers, &HOST)?;
    (host.len() <= OTHER_COMPUTER_BYTES_MAX).then(|| host.to_owned())
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Some(Encoding::Identity);
    }
    let name = header(headers, &CONTENT_ENCODING)?.trim();
    if name.eq_ignore_ascii_case("SLDC") {
        return Some(Encoding::Sldc);
    }
    (name.is_empty() || name.eq_ignore_ascii_case("identity")).then_some(Encoding::Identity)
}

fn route(options: &WefOptions, path: &str) -> Route {
    if path.eq_ignore_ascii_case(&options.enumerate_path) {
        return Route::Enumerate;
    }
    let id = match path.split_at_checked(SUBSCRIPTION_PATH.len()) {
        Some((prefix, id)) if prefix.eq_ignore_ascii_case(SUBSCRIPTION_PATH) => id,
        _ => return Route::Elsewhere,
    };
    let Ok(id) = id.parse::<Uuid>() else {
        return Route::Unknown;
    };
    options
        .subscriptions
        .iter()
        .position(|subscription| subscription.delivery_id == id)
        .map_or(Route::Unknown, Route::Subscription)
}

/// Reads the envelope and does what it asks for; also names the action for the metrics.
async fn process(shared: Arc<Shared>, mut arrived: Arrived) -> (&'static str, Reply) {
    if arrived.body.is_empty() {
        // WinRM may begin a connection with an empty POST, to authenticate.
        return ("other", Reply::bare(StatusCode::OK));
    }
    let clear_bytes = deliver::clear_bytes(&arrived);
    let limit = arrived.options.clear_bytes();
    if clear_bytes > limit {
        let charset = arrived.charset.unwrap_or(Charset::Utf16Le);
        return ("other", too_large(&Header::default(), charset, limit));
    }
    let (source, deadline) = (&arrived.peer.name, arrived.deadline);
    let needed = deliver::memory_bytes(clear_bytes);
    let Some(room) = shared.deliveries.take(source, needed, deadline).await else {
        return (
            "other",
            later(
                &arrived.options,
                Refusal::NoRoom,
                "too much waits for the disk",
            ),
        );
    };
    let answer = match arrived.route {
        Route::Subscription(place) => {
            let options = Arc::clone(&arrived.options);
            let subscription = &options.subscriptions[place];
            deliver::answer(&shared, &mut arrived, subscription).await
        }
        Route::Enumerate => {
            match shared.with_scratch(|scratch| answer_enumerate(&shared, &arrived, scratch)) {
                Ok((action, Answer { reply, begins })) => {
                    offers::keep_beginnings(&shared, &arrived, &begins).await;
                    Ok((action, reply))
                }
                Err(unreadable) => Err(unreadable),
            }
        }
        Route::Unknown | Route::Elsewhere => {
            shared.with_scratch(|scratch| answer_unknown(&arrived, scratch))
        }
    };
    drop(room);
    match answer {
        Ok(answer) => {
            if let ("events", reply) = &answer
                && reply.refusal.is_none()
            {
                slow_down(&shared, &arrived).await;
            }
            // What was read has the size that it declared.
            shared.metrics.clear_bytes.inc_by(clear_bytes as u64);
            answer
        }
        Err(unreadable) => ("other", put_aside(&shared, arrived, unreadable).await),
    }
}

/// Near the quota a source hears late that its delivery is on disk: it sends the next one after
/// that, and the sinks have time to catch up before it has to be refused. Nothing of the delivery is in
/// memory any more while it waits.
async fn slow_down(shared: &Shared, arrived: &Arrived) {
    let mut pressure = shared.journal.pressure();
    let late = Instant::now() + arrived.options.limits.late_answer;
    let eased = pressure.wait_for(|pressure| *pressure < Pressure::Slow);
    // Late or eased: either way it is answered.
    let _ = timeout_at(late.min(arrived.deadline), eased).await;
}

fn answer_unknown(
    arrived: &Arrived,
    scratch: &mut Scratch,
) -> Result<(&'static str, Reply), Unreadable> {
    let (message, charset) = scratch.read(arrived)?;
    let (refusal, reason) = match arrived.route {
        Route::Elsewhere => {
            let path = &arrived.options.enumerate_path;
            let reason = format!("there is nothing at this path; subscriptions are at {path}");
            (Refusal::WrongPath, reason)
        }
        _ => {
            let reason = "there is no such subscription; ask for the subscriptions again";
            (Refusal::UnknownSubscription, reason.to_owned())
        }
    };
    let code = (FaultCode::DestinationUnreachable, refusal);
    let reply = Reply::fault(&message.header, charset, code, &reason);
    Ok((action_name(&message.header), reply))
}

fn answer_enumerate(
    shared: &Shared,
    arrived: &Arrived,
    scratch: &mut Scratch,
) -> Result<(&'static str, Answer), Unreadable> {
    let (message, charset) = scratch.read(arrived)?;
    let header = &message.header;
    let answer = match header.action() {
        Action::Enumerate => offers::answer(shared, arrived, &message.header, charset),
        Action::End => Reply::bare(StatusCode::NO_CONTENT).into(),
        _ => not_supported(header, charset).into(),
    };
    Ok((action_name(header), answer))
}

pub(super) fn not_supported(header: &Header<'_>, charset: Charset) -> Reply {
    let (code, reason) = match header.action() {
        Action::Missing => (
            FaultCode::MessageInformationHeaderRequired,
            "the envelope has no Action",
        ),
        _ => (
            FaultCode::ActionNotSupported,
            "this address does not serve that action",
        ),
    };
    Reply::fault(header, charset, (code, Refusal::Action), reason)
}

/// Answers a body that cannot be read, and keeps it for whoever wants to know why.
async fn put_aside(shared: &Arc<Shared>, arrived: Arrived, unreadable: Unreadable) -> Reply {
    let Unreadable { reason, reply } = unreadable;
    let Some(quarantine) = shared.quarantine.clone() else {
        return *reply;
    };
    let kept = tokio::task::spawn_blocking(move || {
        let finding = Finding {
            room: "wef",
            reason: &reason,
            source: Some(&arrived.peer.name),
            address: Some(arrived.peer.address),
            received_at: arrived.received_at,
            events: None,
        };
        quarantine.keep(&finding, &arrived.body)
    });
    let kept = kept.await;
    let failed: &dyn std::fmt::Display = match &kept {
        Ok(Ok(Some(file))) => {
            shared.metrics.quarantined.inc();
            if let Some(left_out) = shared.log_lines.quarantined.due(Instant::now()) {
                let what = "put a body that cannot be read into the quarantine";
                tracing::warn!(%file, left_out, "{what}");
            }
            return *reply;
        }
        Ok(Ok(None)) => return *reply,
        Ok(Err(error)) => error,
        Err(error) => error,
    };
    if let Some(left_out) = shared.log_lines.quarantine_failed.due(Instant::now()) {
        tracing::warn!(error = %failed, left_out, "cannot write to the quarantine");
    }
    *reply
}

/// The action's name in the metrics.
pub(super) fn action_name(header: &Header<'_>) -> &'static str {
    match header.action() {
        Action::Enumerate => "enumerate",
        Action::Events => "events",
        Action::Heartbeat => "heartbeat",
        Action::End => "end",
        Action::SubscriptionEnd => "subscription_end",
        _ => "other",
    }
}
