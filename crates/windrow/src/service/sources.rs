//! The sources that run, by name: started, watched, changed and stopped.

mod subscribers;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use uuid::Uuid;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_formats::wef::audience::{Audience, NameError, Pattern};
use windrow_pipeline::journal::Journal;
use windrow_pipeline::kerberos::{self, Accounts, Principal, Replays};
use windrow_pipeline::quarantine::{Quarantine, QuarantineLimits};
use windrow_pipeline::sources::wef::{
    self, Authentication, ChannelErrors, Collector, ContentFormat, Listeners, NewChannels, Proofs,
    QueryList, SourceStatus, Subscription, WefLimits, WefMetrics, WefOptions,
};
use windrow_pipeline::tls;

pub use self::subscribers::Subscribers;
pub(crate) use self::subscribers::revision;
use super::limits::MACHINES_SHOWN_MAX;
use super::own::Recorder;
use super::{Tasks, lock};
use crate::config::checked::{self, WefAuthentication, WefSource};
use crate::datadir::DataDir;
use crate::fleet::Listener;
use crate::status;

/// How often the sources are asked whether a machine began anew against its bookmark.
const BOOKMARKS_EVERY: Duration = Duration::from_secs(2);
/// Time a source that is no longer configured has to finish what it was sent.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// All sources.
pub(crate) struct Sources {
    quarantine: PathBuf,
    metrics: WefMetrics,
    /// Of the copy that the journal was put back from.
    epoch: Option<Uuid>,
    /// The tickets that were shown, at whichever listener.
    replays: Replays,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One source that runs.
struct Running {
    config: WefSource,
    address: SocketAddr,
    collector: Collector,
    listener: AbortHandle,
    tasks: Tasks,
}

/// A configuration's sources, made and not yet in force: nothing that is left to do can fail.
#[derive(Default)]
pub(crate) struct Prepared {
    /// What runs and takes up new options.
    changed: BTreeMap<String, (WefSource, WefOptions)>,
    fresh: BTreeMap<String, Fresh>,
}

/// One source that has its address and does not accept yet.
struct Fresh {
    config: WefSource,
    listener: TcpListener,
    address: SocketAddr,
    options: WefOptions,
    collector: Collector,
}

impl Fresh {
    fn run(self, name: &str, recorder: &Recorder) -> Running {
        let Fresh {
            config,
            listener,
            address,
            options: _,
            collector,
        } = self;
        let tasks = Tasks::default();
        let (listening, token) = (collector.clone(), tasks.token.clone());
        let listener = tasks
            .tracker
            .spawn(async move { listening.run(listener, token).await })
            .abort_handle();
        tasks.tracker.spawn(watch_bookmarks(
            collector.clone(),
            recorder.clone(),
            tasks.token.clone(),
        ));
        tracing::info!(source = name, %address, "collecting over Windows Event Forwarding");
        Running {
            config,
            address,
            collector,
            listener,
            tasks,
        }
    }
}

impl Sources {
    /// None yet; `epoch` as [`super::place`] has it.
    pub(crate) fn new(data_dir: &DataDir, epoch: Option<Uuid>, registry: &mut Registry) -> Sources {
        let metrics = WefMetrics::default();
        metrics.register(registry);
        Sources {
            quarantine: data_dir.quarantine(),
            metrics,
            epoch,
            replays: Replays::default(),
            running: Mutex::default(),
        }
    }

    /// Starts what `config` names.
    ///
    /// # Errors
    /// What could not be made; nothing of it runs then.
    pub(crate) async fn start(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        let prepared = self.prepare(config, journal).await?;
        // Before any of them accepts: each knows its own subscriptions only.
        let configured = config.subscription.keys();
        let ids: Vec<_> = configured.map(|name| Subscription::id_of(name)).collect();
        if let Err(error) = wef::forget_unused(journal, &ids, Timestamp::now()).await {
            tracing::warn!(%error, "bookmarks that nobody asked for could not be forgotten");
        }
        forget_channels(config, journal).await;
        self.take_up(prepared, journal, recorder).await;
        Ok(())
    }

    /// Makes everything that could fail, and leaves what runs as it is.
    ///
    /// # Errors
    /// Names the source and what it lacks: a certificate, its address, its quarantine.
    pub(crate) async fn prepare(
        &self,
        config: &checked::Config,
        journal: &Journal,
    ) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::default();
        for (name, source) in &config.source.wef {
            let runs_at = lock(&self.running)
                .get(name)
                .filter(|running| running.config.listen == source.listen)
                .map(|running| running.address);
            if let Some(address) = runs_at {
                let options = options(name, source, config, (address, self.epoch), &self.replays)?;
                prepared
                    .changed
                    .insert(name.clone(), (source.clone(), options));
            } else {
                let fresh = self.prepare_one(name, source, config, journal).await;
                let fresh = fresh.with_context(|| format!("source.wef.{name}"))?;
                prepared.fresh.insert(name.clone(), fresh);
            }
        }
        Ok(prepared)
    }

    async fn prepare_one(
        &self,
        name: &str,
        source: &WefSource,
        config: &checked::Config,
        journal: &Journal,
    ) -> anyhow::Result<Fresh> {
        let listener = TcpListener::bind(source.listen)
            .await
            .with_context(|| format!("cannot listen at {}", source.listen))?;
        let address = listener.local_addr()?;
        let options = options(name, source, config, (address, self.epoch), &self.replays)?;
        let folder = self.quarantine.join(format!("wef-{name}"));
        let quarantine = Quarantine::open(&folder, QuarantineLimits::default())
            .with_context(|| format!("cannot use {}", folder.display()))?;
        let collector = Collector::new(
            options.clone(),
            journal.clone(),
            self.metrics.clone(),
            Some(quarantine),
        );
        Ok(Fresh {
            config: source.clone(),
            listener,
            address,
            options,
            collector,
        })
    }

    /// Takes up what was prepared: ends the sources that are not part of it, begins new ones. A source whose
    /// address stays takes up the rest while it runs.
    pub(crate) async fn take_up(
        &self,
        mut prepared: Prepared,
        journal: &Journal,
        recorder: &Recorder,
    ) {
        for (_, options) in prepared.changed.values_mut() {
            learn_channels(journal, &mut options.subscriptions).await;
        }
        for fresh in prepared.fresh.values_mut() {
            learn_channels(journal, &mut fresh.options.subscriptions).await;
            fresh.collector.reload(fresh.options.clone());
        }
        let gone: Vec<Running> = {
            let mut running = lock(&self.running);
            running
                .extract_if(.., |name, _| !prepared.changed.contains_key(name))
                .map(|(_, running)| running)
                .collect()
        };
        for (name, (config, options)) in prepared.changed {
            if let Some(running) = lock(&self.running).get_mut(&name) {
                running.collector.reload(options);
                running.config = config;
            }
        }
        for (name, fresh) in prepared.fresh {
            let running = fresh.run(&name, recorder);
            lock(&self.running).insert(name, running);
        }
        let stops = gone
            .into_iter()
            .map(|running| async move { running.tasks.stop(STOP_TIMEOUT).await });
        futures::future::join_all(stops).await;
    }

    /// Reads the files anew by which a source and its machines know each other, and puts them in force; whoever
    /// is connected stays, but for machines that would not be let in any more.
    ///
    /// # Errors
    /// What cannot be used; the old ones stay.
    pub(crate) fn renew(&self, name: &str) -> anyhow::Result<()> {
        let running = lock(&self.running).get(name).map(|running| {
            let configured = running.config.authentication.clone();
            (configured, running.collector.clone())
        });
        let Some((configured, collector)) = running else {
            return Ok(());
        };
        collector.authenticate_by(authentication(&configured, &self.replays)?);
        Ok(())
    }

    /// Ends all of them; `false` when not all was answered in time.
    pub(crate) async fn stop(&self, timeout: Duration) -> bool {
        let all = std::mem::take(&mut *lock(&self.running));
        let stops = all
            .into_values()
            .map(|running| async move { running.tasks.stop(timeout).await });
        futures::future::join_all(stops)
            .await
            .into_iter()
            .all(|stopped| stopped)
    }

    /// What they do now.
    pub(crate) fn status(&self) -> BTreeMap<String, status::Source> {
        let running = lock(&self.running);
        running
            .iter()
            .map(|(name, source)| (format!("wef.{name}"), describe(source, running.len())))
            .collect()
    }

    /// What each of them knows of its machines.
    pub(crate) fn listeners(&self) -> Vec<Listener> {
        // Nobody waits for the copies.
        let running: Vec<(String, Collector)> = lock(&self.running)
            .iter()
            .map(|(name, source)| (format!("wef.{name}"), source.collector.clone()))
            .collect();
        let listeners = running.into_iter().map(|(name, collector)| Listener {
            name,
            terms: collector.terms(),
            sources: collector.sources(),
            refused: collector.refused_connections(),
        });
        listeners.collect()
    }

    /// Has every collector forget a machine.
    pub(crate) fn forget(&self, machine: &str) {
        for running in lock(&self.running).values() {
            running.collector.forget(machine);
        }
    }

    /// Where a machine goes on in a subscription.
    pub(crate) fn bookmark(
        &self,
        listener: &str,
        machine: &str,
        subscription: Uuid,
    ) -> Option<String> {
        let running = lock(&self.running);
        let source = running.get(listener.strip_prefix("wef.")?)?;
        source.collector.bookmark(machine, subscription)
    }

    /// A source whose listener has ended although nobody told it to.
    pub(crate) fn dead(&self) -> Option<String> {
        let running = lock(&self.running);
        let dead = running
            .iter()
            .find(|(_, running)| running.listener.is_finished());
        dead.map(|(name, _)| name.clone())
    }

    /// Where the source `name` listens.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        lock(&self.running).get(name).map(|running| running.address)
    }
}

fn describe(running: &Running, sources_running: usize) -> status::Source {
    let sources = running.collector.sources();
    let mut by_machine: Vec<status::Machine> = sources.iter().map(|one| machine(one)).collect();
    let refused: BTreeMap<String, u64> = (running.collector.refusals().into_iter())
        .map(|(refusal, count)| (refusal.name().to_owned(), count))
        .collect();
    let (machines, events) = (by_machine.len(), by_machine.iter().map(|m| m.events).sum());
    // Those that were silent longest are left out first.
    by_machine.sort_by_key(|machine| Reverse(machine.last_heard()));
    by_machine.truncate(MACHINES_SHOWN_MAX / sources_running);
    by_machine.sort_by(|one, other| one.name.cmp(&other.name));
    status::Source {
        listen: running.address.to_string(),
        machines: machines as u64,
        connections: running.collector.connections() as u64,
        events,
        batches: sources
            .iter()
            .flat_map(|source| source.subscriptions.values())
            .map(|counts| counts.batches)
            .sum(),
        refused: refused.values().sum(),
        refused_by_reason: refused,
        by_machine,
    }
}

fn machine(source: &SourceStatus) -> status::Machine {
    status::Machine {
        name: source.source.clone(),
        address: source.address.map(|address| address.to_string()),
        last_enumerate: source.last_enumerate,
        last_heartbeat: source.last_heartbeat,
        last_event: source.last_events,
        events: source
            .subscriptions
            .values()
            .map(|counts| counts.events)
            .sum(),
    }
}

/// Subscriptions with what was found out of their channels; not kept is not lost, the next start finds it out anew.
async fn learn_channels(journal: &Journal, subscriptions: &mut [Subscription]) {
    if let Err(error) = wef::learn_channels(journal, subscriptions, Timestamp::now()).await {
        tracing::warn!(%error, "since when the channels are asked for could not be kept");
    }
}

/// Forgets since when channels are asked for by subscriptions that are gone for good.
pub(super) async fn forget_channels(config: &checked::Config, journal: &Journal) {
    let configured = config.subscription.keys();
    let ids: Vec<_> = configured.map(|name| Subscription::id_of(name)).collect();
    if let Err(error) = wef::forget_channels(journal, &ids).await {
        tracing::warn!(%error, "what is kept of subscriptions that are gone could not be forgotten");
    }
}

/// A machine that begins anew although a bookmark was stored for it may have skipped events: that
/// is put on record, once for each time it happens.
async fn watch_bookmarks(
    collector: Collector,
    recorder: Recorder,
    shutdown: tokio_util::sync::CancellationToken,
) {
    let mut known: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut look = tokio::time::interval(BOOKMARKS_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = look.tick() => {}
        }
        for (source, subscription, times) in collector.began_anew() {
            let key = (source, subscription);
            if known.get(&key).is_none_or(|seen| times > *seen) {
                record_unexpected(&recorder, &key.0, &key.1).await;
                known.insert(key, times);
            }
        }
    }
}

async fn record_unexpected(recorder: &Recorder, source: &str, subscription: &str) {
    let message = format!(
        "{source} began anew with subscription {subscription} although a bookmark was stored for it: compare its event log with what came, events may be missing"
    );
    let data = [("Source", source), ("Subscription", subscription)];
    recorder
        .record(
            OwnEventId::BookmarkIgnored,
            OwnLevel::Warning,
            &message,
            &data,
        )
        .await;
}

/// A collector's settings as the configuration describes them.
///
/// # Errors
/// A certificate, key or query that cannot be used; names the table.
fn options(
    name: &str,
    source: &WefSource,
    config: &checked::Config,
    (address, epoch): (SocketAddr, Option<Uuid>),
    replays: &Replays,
) -> anyhow::Result<WefOptions> {
    let authentication = authentication(&source.authentication, replays);
    let authentication = authentication.with_context(|| format!("source.wef.{name}"))?;
    let subscriptions = subscriptions(source, config, epoch)?;
    Ok(WefOptions {
        authority: format!("{}:{}", source.hostname, address.port()),
        enumerate_path: source.path.clone(),
        authentication,
        subscriptions,
        limits: WefLimits::for_connections(source.max_connections as usize),
        listeners: listeners(name, config),
    })
}

/// The listener `own` among all that are configured, as the status names them.
fn listeners(own: &str, config: &checked::Config) -> Listeners {
    let full = |name: &str| format!("wef.{name}");
    let all = config.source.wef.iter().map(|(name, source)| {
        let proofs = match &source.authentication {
            WefAuthentication::Tls(_) => Proofs::Certificates,
            WefAuthentication::Kerberos(_) => Proofs::Tickets,
        };
        (full(name), proofs)
    });
    Listeners::new(&full(own), all)
}

/// What a source offers.
///
/// # Errors
/// A query that cannot be used; names the table.
fn subscriptions(
    source: &WefSource,
    config: &checked::Config,
    epoch: Option<Uuid>,
) -> anyhow::Result<Vec<Subscription>> {
    let offered = config.offered_at(source);
    let offered = offered.filter(|(_, settings)| settings.enabled);
    offered
        .map(|(name, settings)| {
            subscription(name, settings, config, epoch)
                .with_context(|| format!("subscription.{name}"))
        })
        .collect()
}

/// How machines prove who they are.
///
/// # Errors
/// A certificate, key or keytab that cannot be used.
fn authentication(
    configured: &WefAuthentication,
    replays: &Replays,
) -> anyhow::Result<Authentication> {
    match configured {
        WefAuthentication::Tls(files) => {
            let revocation = tls::Revocation {
                lists: &files.crl,
                expired: match files.expired_crl {
                    checked::ExpiredCrl::Use => tls::ExpiredLists::Use,
                    checked::ExpiredCrl::Refuse => tls::ExpiredLists::Refuse,
                },
            };
            let server =
                tls::server_config(&files.certificate, &files.key, &files.client_ca, revocation);
            Ok(Authentication::Certificate(server.context("tls")?))
        }
        WefAuthentication::Kerberos(configured) => {
            let principals = configured.principals.iter();
            let principals = principals
                .map(|principal| Principal::parse(principal))
                .collect::<Result<_, _>>()?;
            let accounts = match configured.accounts {
                checked::KerberosAccounts::Machines => Accounts::Machines,
                checked::KerberosAccounts::All => Accounts::All,
            };
            let server = kerberos::Server::new(&configured.keytab, principals, accounts);
            let server = server.context("kerberos")?.sharing(replays);
            Ok(Authentication::Kerberos(server))
        }
    }
}

fn subscription(
    name: &str,
    settings: &checked::Subscription,
    config: &checked::Config,
    epoch: Option<Uuid>,
) -> anyhow::Result<Subscription> {
    Ok(Subscription {
        delivery_id: epoch.map_or_else(
            || Subscription::id_of(name),
            |epoch| Subscription::delivery_id_of(name, epoch),
        ),
        content_format: match settings.content_format {
            checked::ContentFormat::Raw => ContentFormat::Raw,
            checked::ContentFormat::RenderedText => ContentFormat::RenderedText,
        },
        audience: audience(settings, config)?.into(),
        read_existing: settings.read_existing,
        new_channels: match settings.new_channels {
            checked::NewChannels::FromNow => NewChannels::FromNow,
            checked::NewChannels::Replay => NewChannels::Replay,
        },
        channel_errors: match settings.channel_errors {
            checked::ChannelErrors::Ignore => ChannelErrors::Ignore,
            checked::ChannelErrors::Refuse => ChannelErrors::Refuse,
        },
        heartbeat: settings.heartbeat.0,
        max_time: settings.max_latency.0,
        max_elements: settings.max_batch_events,
        max_envelope_bytes: u32::try_from(settings.max_envelope.0).unwrap_or(u32::MAX),
        retry_count: settings.retry_count,
        retry_interval: settings.retry_interval.0,
        locale: settings.locale.clone(),
        data_locale: settings.data_locale.clone(),
        ..Subscription::new(name, QueryList::new(&settings.query)?)
    })
}

/// Whom a subscription is for, its groups spelled out.
fn audience(
    settings: &checked::Subscription,
    config: &checked::Config,
) -> anyhow::Result<Audience> {
    let mut include = machines(&settings.machines, &settings.machine_groups, config)?;
    if settings.machines.is_empty() && settings.machine_groups.is_empty() {
        include.push(Pattern::compile("*")?);
    }
    let except = machines(&settings.except_machines, &settings.except_groups, config)?;
    Ok(Audience::new(include, except)?)
}

/// Machines and those of groups.
pub(super) fn machines(
    names: &[String],
    groups: &[String],
    config: &checked::Config,
) -> Result<Vec<Pattern>, NameError> {
    let of_groups = groups
        .iter()
        .filter_map(|group| config.machine_group.get(group))
        .flat_map(|group| &group.members);
    let all = names.iter().chain(of_groups);
    all.map(|name| Pattern::compile(name)).collect()
}
