//! The privileged endpoint: the verbs of `windrow syslog` over HTTPS, from other machines, for accounts with a role.
//!
//! Always TLS. Who asks shows a token or a certificate; nothing is answered before that is known. What a browser could be
//! made to send is refused: a token travels in a header that no page can set for another site, a change is JSON, the name
//! that was called has to be one of this endpoint's, and nothing says that another site may read an answer.
//!
//! Each session is on record from its opening to its end (events 1000, 1005, 1017), each refusal as event 31, so many a
//! minute at most, with how often for which reason.

mod door;
mod limits;
mod patient;
mod respond;
mod sessions;
mod terms;
mod throttle;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use windrow_formats::own::{EndpointAction, EndpointEvent};

use super::{Recorder, Service, WeakService, http, lock};
use crate::access::Tokens;
use crate::config::checked;

pub(super) use door::Remote;
use sessions::{Ended, Sessions};
use terms::Terms;
use throttle::{Entry, Throttle};

/// What requests through this door came through, as records say it.
const BY: &str = "the privileged endpoint";

/// The endpoint, while it is open.
pub(super) struct Endpoint {
    address: SocketAddr,
    terms: Mutex<Arc<Terms>>,
    tokens: Mutex<Tokens>,
    sessions: Arc<Sessions>,
    throttle: Throttle,
    places: Arc<door::Places>,
}

/// Terms that can be taken up.
pub(super) struct Prepared(Terms);

impl Endpoint {
    /// Takes the address, if the endpoint is to be open at all.
    ///
    /// # Errors
    /// The address, a certificate, or the tokens.
    pub(super) async fn bind(
        config: &checked::Config,
    ) -> anyhow::Result<Option<(Arc<Endpoint>, TcpListener)>> {
        let admin = &config.admin;
        if !admin.enabled {
            return Ok(None);
        }
        let Prepared(terms) = prepare(admin)?;
        let tokens = Tokens::load(&config.data_dir).context("[admin]")?;
        let listener = TcpListener::bind(admin.listen)
            .await
            .with_context(|| format!("[admin] cannot listen at {}", admin.listen))?;
        let endpoint = Endpoint {
            address: listener.local_addr()?,
            terms: Mutex::new(Arc::new(terms)),
            tokens: Mutex::new(tokens),
            sessions: Arc::default(),
            throttle: Throttle::default(),
            places: Arc::default(),
        };
        Ok(Some((Arc::new(endpoint), listener)))
    }

    /// Lets people in until `shutdown`.
    pub(super) fn open(
        self: &Arc<Endpoint>,
        listener: TcpListener,
        service: WeakService,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let door = door::Door {
            listener,
            endpoint: self.clone(),
            service: service.clone(),
        };
        let endpoint = self.clone();
        let handler = move |request| respond::respond(request, endpoint.clone(), service.clone());
        let idle = http::Idle::AskedWithin {
            first: limits::FIRST_REQUEST,
            between: limits::IDLE,
        };
        http::serve(door, handler, idle, shutdown)
    }

    /// Puts the ends of sessions on record, and refusals that were counted alone, until `shutdown`.
    pub(super) async fn watch(
        self: Arc<Endpoint>,
        service: WeakService,
        shutdown: CancellationToken,
    ) {
        let mut looks = tokio::time::interval(limits::SESSION_LOOK);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = looks.tick() => {}
            }
            let now = Instant::now();
            let (ended, refused) = (self.sessions.ended(now), self.throttle.due(now));
            if let Some(service) = service.upgrade() {
                record_ends(ended, service.recorder()).await;
                for entry in refused {
                    record_refused(&entry, service.recorder()).await;
                }
            }
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn tokens(&self) -> &Mutex<Tokens> {
        &self.tokens
    }

    /// Other certificates and names count from now on; who is connected is asked anew at the next request.
    pub(super) fn take_up(&self, Prepared(terms): Prepared) {
        *lock(&self.terms) = Arc::new(terms);
    }

    /// Ends all sessions, on record, with whatever is not on record yet. For when the door is closed.
    pub(super) async fn end(&self, recorder: &Recorder) {
        record_ends(self.sessions.end_all(), recorder).await;
        for entry in self.throttle.rest(Instant::now()) {
            record_refused(&entry, recorder).await;
        }
    }

    fn terms(&self) -> Arc<Terms> {
        lock(&self.terms).clone()
    }

    /// Somebody was not let in, or not to that: counted, and on record as far as there is room for it.
    async fn refused(&self, refused: Refused<'_>, service: &Service) {
        if let Some(entry) = self.throttle.refused(refused, Instant::now()) {
            record_refused(&entry, service.recorder()).await;
        }
    }
}

async fn record_refused(entry: &Entry, recorder: &Recorder) {
    let from = entry.from.map(|from| from.to_string());
    let from = from.as_deref().unwrap_or("several addresses");
    let who = entry.who.as_deref().unwrap_or("several");
    let verb = entry.verb.as_deref().unwrap_or("several");
    let (reason, times) = (&*entry.reason, entry.times);
    let detail = entry.detail.as_deref().unwrap_or_default();
    let colon = if detail.is_empty() { "" } else { ": " };
    let message =
        format!("endpoint: {verb} by {who} from {from} was refused: {reason}{colon}{detail}");
    tracing::warn!(
        who,
        from,
        verb,
        reason,
        detail,
        times,
        "refused at the privileged endpoint"
    );
    let data = [
        ("Object", "endpoint"),
        ("Verb", verb),
        ("Who", who),
        ("From", from),
        ("By", BY),
        ("Reason", reason),
        ("Detail", detail),
        ("Times", &times.to_string()),
    ];
    recorder.setting_refused(&message, &data).await;
}

/// A refusal.
#[derive(Clone, Copy)]
struct Refused<'a> {
    who: Who<'a>,
    from: IpAddr,
    /// What was asked for.
    verb: &'a str,
    /// Why, in words that are ours.
    reason: &'a str,
    /// What was wrong with it, which may repeat what was sent.
    detail: Option<&'a str>,
    fault: Fault,
}

/// Whether whoever was refused may have been guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A token that is none: who brings many of them waits.
    Guess,
    /// Anything else.
    Other,
}

/// Who was refused.
#[derive(Clone, Copy)]
enum Who<'a> {
    /// Nobody knows.
    Unknown,
    /// Whose name has no account.
    Claimed(&'a str),
    /// Whose account may not do that.
    Account(&'a str),
}

/// What `[admin]` says, ready to be taken up.
///
/// # Errors
/// A certificate or key that cannot be used; names the file.
pub(super) fn prepare(admin: &checked::Admin) -> anyhow::Result<Prepared> {
    Terms::new(admin).map(Prepared).context("[admin]")
}

async fn record_ends(ended: Vec<Ended>, recorder: &Recorder) {
    for ended in ended {
        let action = match ended.timed_out {
            true => EndpointAction::PrivilegedEndpointSessionTimedOut,
            false => EndpointAction::PrivilegedEndpointClosed,
        };
        record_session(action, &ended.session, recorder).await;
    }
}

async fn record_session(action: EndpointAction, session: &sessions::Session, recorder: &Recorder) {
    let (who, from, id) = (&*session.who, session.from.to_string(), &*session.id);
    tracing::info!(who, from, session = id, "{}", action.task_name());
    let event = EndpointEvent {
        action,
        time: Timestamp::now(),
        who: who.into(),
        which_ip: session.endpoint.to_string().into(),
        from: Some(from.into()),
        session: Some(id.into()),
        account: None,
    };
    recorder.endpoint(&event).await;
}

/// Those who share a fate: one IPv4 address, or the /64 of an IPv6 address, of which anybody has as many as he likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// What was asked for is from outside and may be long.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(limits::VERB_BYTES_SHOWN)]
}
