//! Windows Event Forwarding: the collector's end of WS-Management (MS-WSMV), over HTTPS with
//! certificates or over HTTP with Kerberos.
//!
//! A source proves who it is, asks for its subscriptions, then posts its events in
//! batches, one under way for each subscription, and goes on when a batch is acknowledged. An
//! acknowledgement means here that the batch is in the journal and the disk has it; the bookmark
//! that the source goes on from after a restart is changed in the same frame.
//!
//! ```text
//! accept ─▶ caps ─▶ handshake ─▶ connection ─▶ body ─▶ process ─▶ deliver ─▶ journal
//!                    who is it?    HTTP/1.1   limits    SOAP       dedupe      durable
//! ```
//!
//! Invariants
//! 1. Nobody without a certificate of the configured authorities gets as far as HTTP; nobody without
//!    a ticket gets farther in HTTP than being asked for it, and no body in the clear is read.
//! 2. An acknowledgement leaves after [`Journal::append`] returned, never before.
//! 3. One bad event does not cost its batch, one bad request not its connection, one bad source
//!    not the others: of what all of them need, a source and an address have a share, and a body that
//!    hardly comes gives way to others when there is no room for them.
//! 4. Whatever is waited for, held or counted has a limit in [`WefLimits`] or
//!    [`crate::limits`].
//!
//! With Kerberos an empty POST carries the ticket, the TCP connection is the session, and bodies are
//! sealed (`conversation`). Everything behind it needs of either way of authenticating only a name for
//! the peer and the clear bytes of a body.

mod accept;
mod body;
mod caps;
mod channel_dates;
mod contact;
mod conversation;
mod deliver;
mod expiry;
mod forget;
mod homes;
mod log_limit;
mod metrics;
mod offers;
mod options;
mod process;
mod progress;
mod query_status;
mod rate;
mod recent;
mod refusal;
mod registry;
mod reply;
mod rhythm;
mod shares;
mod status;
mod stream;
mod terms;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::caps::Caps;
pub use self::channel_dates::{forget_channels, learn_channels};
pub use self::contact::Contact;
use self::deliver::Scratch;
pub use self::forget::{forget_machine, forget_unused};
pub use self::homes::{Listeners, Proofs};
use self::log_limit::LogLimit;
pub use self::metrics::{ConnectionLabel, RefusalLabel, RequestLabel, WefMetrics};
pub use self::options::{
    Authentication, ChannelErrors, ContentFormat, ENUMERATE_PATH, NewChannels, QueryError,
    QueryList, SUBSCRIPTION_PATH, Subscription, WefLimits, WefOptions,
};
pub use self::progress::{ChannelProgress, Origin};
pub use self::rate::Rate;
pub use self::recent::{Mark, Places, Stored, parse_state_key, state_key};
pub use self::refusal::{Claim, Refusal};
use self::refusal::{Refusals, Who};
pub use self::registry::{KEPT_PREFIX, kept_contacts};
use self::registry::{Keep, Registry};
pub use self::rhythm::{Beats, Rhythm, USUAL_REFRESH};
use self::shares::{Share, Shares};
pub use self::status::{Counts, Offered, OtherComputers, RefusedRequest, SourceStatus};
use self::terms::Changes;
pub use self::terms::{Asked, Terms};
use crate::journal::Journal;
use crate::quarantine::Quarantine;

/// Runs a collector on a listener until `shutdown`, and returns when what was under way is
/// answered or its time is over. For a collector that can be looked at and reloaded while it runs,
/// see [`Collector`].
pub async fn run(
    listener: TcpListener,
    options: WefOptions,
    journal: Journal,
    metrics: WefMetrics,
    shutdown: CancellationToken,
) {
    let collector = Collector::new(options, journal, metrics, None);
    collector.run(listener, shutdown).await;
}

/// A collector. Clones share it.
#[derive(Debug, Clone)]
pub struct Collector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: RwLock<Arc<WefOptions>>,
    journal: Journal,
    metrics: WefMetrics,
    quarantine: Option<Quarantine>,
    registry: Registry,
    /// What became of subscriptions while the collector runs.
    changes: Mutex<BTreeMap<String, Changes>>,
    refusals: Refusals,
    log_lines: LogLimit,
    caps: Caps,
    /// For bodies, until they are answered.
    bodies: Room,
    /// For deliveries no longer compressed, until they are on disk.
    deliveries: Room,
    handshakes: Arc<Semaphore>,
    handshakes_by_network: Arc<Shares<IpAddr>>,
    scratch: Mutex<Vec<Scratch>>,
    /// Has the connections of clients look whether they would still be let in.
    outdated: Mutex<CancellationToken>,
    /// Requests under way. They are carried through even when their connection breaks.
    requests: TaskTracker,
}

/// Connections that did not get as far as a request, from one address and for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedConnection {
    /// Where they came from.
    pub address: IpAddr,
    /// Why.
    pub refusal: Refusal,
    /// How many there were.
    pub count: u64,
    /// When the first came.
    pub first: Timestamp,
    /// When the last came.
    pub last: Timestamp,
    /// Why the last one was refused, in words for the administrator.
    pub reason: String,
    /// What the last one said of itself; nothing of it is proven.
    pub claim: Option<Claim>,
}

impl Collector {
    /// A collector that writes to `journal`. The limits on bytes in flight and on handshakes are
    /// those of these options for as long as it lives; everything else can be reloaded.
    #[must_use]
    pub fn new(
        options: WefOptions,
        journal: Journal,
        metrics: WefMetrics,
        quarantine: Option<Quarantine>,
    ) -> Collector {
        let limits = &options.limits;
        let shared = Shared {
            registry: Registry::open(journal.clone(), &options),
            changes: Mutex::default(),
            caps: Caps::new(metrics.open_connections.clone()),
            bodies: Room::new(
                limits.bodies_in_flight_bytes,
                limits.bodies_per_source_bytes,
            ),
            deliveries: Room::new(
                limits.deliveries_in_flight_bytes,
                limits.deliveries_per_source_bytes,
            ),
            handshakes: Arc::new(Semaphore::new(limits.handshakes.max(1))),
            handshakes_by_network: Shares::new(limits.handshakes_per_network),
            options: RwLock::new(Arc::new(options)),
            journal,
            metrics,
            quarantine,
            refusals: Refusals::new(),
            log_lines: LogLimit::default(),
            scratch: Mutex::default(),
            outdated: Mutex::default(),
            requests: TaskTracker::new(),
        };
        Collector {
            shared: Arc::new(shared),
        }
    }

    /// Accepts connections until `shutdown`; then answers what is under way and closes.
    pub async fn run(&self, listener: TcpListener, shutdown: CancellationToken) {
        let keeping = self.shared.registry.keep_until(shutdown.clone());
        let accepting = accept::run(&self.shared, listener, shutdown);
        tokio::join!(accepting, keeping);
        self.shared.registry.keep(Keep::Newer).await;
    }

    /// Takes up other settings: subscriptions with the next request, certificates, keytabs and
    /// timeouts with the next connection. Where it changed whose clients are let in, the connections of
    /// those who would not be let in any more are ended in order; the others stand.
    pub fn reload(&self, options: WefOptions) {
        let mut current = self.shared.options.write();
        let current = current
            .as_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut());
        self.note_changes(&current.subscriptions, &options.subscriptions);
        self.shared.replace(current, options);
    }

    /// Takes up other certificates, lists of revoked ones or keys of how sources prove who they are, and
    /// leaves the other settings as they are.
    pub fn authenticate_by(&self, authentication: Authentication) {
        let mut current = self.shared.options.write();
        let current = current
            .as_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut());
        let options = WefOptions {
            authentication,
            ..WefOptions::clone(current)
        };
        self.shared.replace(current, options);
    }

    fn note_changes(&self, before: &[Subscription], after: &[Subscription]) {
        let now = Timestamp::now();
        let changes = self.shared.changes.lock();
        let mut changes = changes.unwrap_or_else(PoisonError::into_inner);
        changes.retain(|name, _| after.iter().any(|one| one.name == *name));
        for one in after {
            let known = before.iter().find(|other| other.name == one.name);
            let of_it = changes.entry(one.name.clone()).or_default();
            of_it.note(known, one, now);
        }
    }

    /// What it tells and asks its machines.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let changes = self.shared.changes.lock();
        let changes = changes.unwrap_or_else(PoisonError::into_inner).clone();
        let journal = self.shared.journal.folder();
        Terms::of(&self.shared.options(), &changes, journal)
    }

    /// The bookmark that a source is to go on from in a subscription.
    #[must_use]
    pub fn bookmark(&self, source: &str, subscription: Uuid) -> Option<String> {
        self.shared.registry.bookmark(source, subscription)
    }

    /// Takes up other subscriptions with the next request; everything else stays.
    pub fn resubscribe(&self, subscriptions: Vec<Subscription>) {
        self.note_changes(&self.shared.options().subscriptions, &subscriptions);
        let options = self.shared.options.write();
        let mut options = options.unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut options).subscriptions = subscriptions;
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.caps.open()
    }

    /// Every source that was heard of, or that has a bookmark, by name.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<SourceStatus>> {
        self.shared.registry.list()
    }

    /// Forgets what is known of a source, as long as it does not come again. What the journal has of it is
    /// not touched: see [`forget_machine`].
    pub fn forget(&self, source: &str) {
        self.shared.registry.forget(source);
    }

    /// Sources that began anew although a bookmark was stored for them: the source, the subscription, and
    /// how often.
    #[must_use]
    pub fn began_anew(&self) -> Vec<(String, String, u64)> {
        self.shared.registry.began_anew()
    }

    /// The connections that were refused, by address and reason, last ones last.
    #[must_use]
    pub fn refused_connections(&self) -> Vec<RefusedConnection> {
        self.shared.refusals.connections()
    }

    /// Connections and requests refused since the start, by reason.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<Refusal, u64> {
        self.shared.refusals.counts()
    }
}

impl Shared {
    /// Puts other options in the place of those, and has the connections that stand look whether they
    /// may go on where others are let in now.
    fn replace(&self, current: &mut Arc<WefOptions>, mut options: WefOptions) {
        let before = &current.authentication;
        let changed = options.authentication.others_than(before);
        options.authentication = options.authentication.after(before);
        *current = Arc::new(options);
        if changed {
            let mut outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
            outdated.cancel();
            *outdated = CancellationToken::new();
        }
    }

    /// Whether a client that came in by these certificates may go on: until when, or why not.
    fn still_takes(
        &self,
        chain: &[CertificateDer<'_>],
    ) -> Result<CancellationToken, (Refusal, String)> {
        // Before the options: a reload in between has it asked once more.
        let outdated = self.outdated();
        match &self.options().authentication {
            Authentication::Certificate(server) => match server.still_takes(chain) {
                Ok(()) => Ok(outdated),
                Err(error) => {
                    let reason = format!("the certificate is not taken any more: {error}");
                    let error = std::io::Error::other(error);
                    Err((Refusal::of_handshake(&error), reason))
                }
            },
            Authentication::Kerberos(_) => {
                let reason = "certificates are not taken any more".to_owned();
                Err((Refusal::BadCertificate, reason))
            }
        }
    }

    fn outdated(&self) -> CancellationToken {
        let outdated = self.outdated.lock();
        outdated.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn options(&self) -> Arc<WefOptions> {
        let options = self.options.read();
        Arc::clone(&options.unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts and notes a connection that is refused.
    fn refuse(&self, address: IpAddr, refusal: Refusal, reason: String) {
        self.refuse_claim(address, refusal, reason, None);
    }

    /// The same for a connection that said something of itself.
    fn refuse_claim(
        &self,
        address: IpAddr,
        refusal: Refusal,
        reason: String,
        claim: Option<Claim>,
    ) {
        self.metrics.connection("refused");
        let who = Who {
            address,
            source: None,
            reason: &reason,
        };
        self.refusals.note(refusal, who, &self.metrics);
        self.refusals
            .keep_connection(address, refusal, reason, claim);
    }
}

/// Memory that requests share, in kibibytes. No source has more than its part, so that one which
/// begins many requests and does not end them leaves room for the others.
#[derive(Debug)]
struct Room {
    free: Arc<Semaphore>,
    kibibytes: u32,
    by_source: Arc<Shares<String>>,
    /// How many wait although their own share has room.
    waiting: AtomicUsize,
}

/// Room that a request holds.
#[derive(Debug)]
struct Held {
    _share: Share<String>,
    _room: OwnedSemaphorePermit,
}

impl Room {
    fn new(bytes: usize, bytes_per_source: usize) -> Room {
        let kibibytes = kibibytes(bytes).min(Semaphore::MAX_PERMITS.try_into().unwrap_or(u32::MAX));
        Room {
            free: Arc::new(Semaphore::new(kibibytes as usize)),
            kibibytes,
            by_source: Shares::new(self::kibibytes(bytes_per_source).min(kibibytes)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether somebody waits because others hold all of it.
    fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for room for so many bytes. What is larger than all of it waits for all of it, so that
    /// it comes through, alone.
    async fn take(&self, source: &String, bytes: usize, deadline: Instant) -> Option<Held> {
        let kibibytes = kibibytes(bytes);
        let held = async {
            let share = self.by_source.take(source, kibibytes).await?;
            let kibibytes = kibibytes.min(self.kibibytes);
            let room = match Arc::clone(&self.free).try_acquire_many_owned(kibibytes) {
                Ok(room) => room,
                Err(_) => {
                    let _waits = Waits::among(&self.waiting);
                    let room = Arc::clone(&self.free).acquire_many_owned(kibibytes);
                    room.await.ok()?
                }
            };
            Some(Held {
                _share: share,
                _room: room,
            })
        };
        timeout_at(deadline, held).await.ok()?
    }
}

/// Somebody who waits, counted for as long as that lasts.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn among(waiting: &AtomicUsize) -> Waits<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}
