//! The sinks that run, by name: started, watched, changed and stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windrow_formats::{cef, syslog as format};
use windrow_pipeline::journal::{Journal, Seq, Start};
use windrow_pipeline::quarantine::{Quarantine, QuarantineLimits};
use windrow_pipeline::sinks::syslog::{
    self, Destination, SharedMessages, State, Status, SyslogMetrics, Transport,
};
use windrow_pipeline::tls;

use super::own::Recorder;
use super::{Tasks, forget, lock, supervise};
use crate::config::checked::{self, SyslogSink};
use crate::status;

/// What the cursors of these sinks begin with.
pub(crate) const CURSOR_PREFIX: &str = "syslog.";
/// How often a drain looks whether the sinks have all.
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// Time a sink has to end in good order when its configuration changes: a change is in force within a second. What the
/// receiver does not confirm in it is sent again by the next sender.
const CHANGE_TIMEOUT: Duration = Duration::from_millis(700);

/// Pause of a sink that has panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(5);

/// All sinks but the lake.
pub(crate) struct Sinks {
    /// Where events are kept that a sink can never deliver.
    quarantine: PathBuf,
    metrics: SyslogMetrics,
    shared: SharedMessages,
    running: Mutex<BTreeMap<String, Running>>,
}

/// One sink that runs.
struct Running {
    config: SyslogSink,
    /// What its certificates and key were when it started.
    material: Option<tls::Material>,
    status: watch::Receiver<Status>,
    tasks: Tasks,
    task: AbortHandle,
}

impl Running {
    /// Ends it, in good order if it can: two senders must never share a cursor.
    async fn end(self) {
        if !self.tasks.stop(CHANGE_TIMEOUT).await {
            self.task.abort();
            self.tasks.tracker.wait().await;
        }
    }
}

/// Destinations that are to be started.
#[derive(Default)]
pub(crate) struct Prepared {
    /// By the name of their sink. Each has a cursor by now.
    destinations: BTreeMap<String, Destination>,
    /// Cursors that were made for them.
    new_cursors: Vec<String>,
}

impl Prepared {
    /// Gives up what was made for it: it is not taken up.
    pub(crate) fn abandon(self, journal: &Journal) {
        for cursor in self.new_cursors {
            if let Err(error) = journal.remove_cursor(&cursor) {
                tracing::warn!(cursor, %error, "a place in the journal stays until the next start");
            }
        }
    }
}

/// Which of the sinks that run are looked at anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Those whose settings differ: somebody changes one, and the others' files are none of his business.
    Settings,
    /// Those too whose files hold something else than when they started: a renewed certificate.
    SettingsAndFiles,
}

/// A sink that is no longer configured, and its place in the journal given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Its name.
    pub(crate) name: String,
    /// Events after its place, none of which it was sure to have: it may have got some, and others were not for it.
    pub(crate) unsent: u64,
}

impl Sinks {
    /// None yet.
    pub(crate) fn new(metrics: SyslogMetrics, quarantine: PathBuf) -> Sinks {
        Sinks {
            quarantine,
            metrics,
            shared: SharedMessages::default(),
            running: Mutex::default(),
        }
    }

    /// Starts what `config` names, and forgets the cursors of sinks that it no longer names.
    pub(crate) async fn start(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        let prepared = self.prepare(config, journal, Look::Settings)?;
        self.take_up(prepared, config, journal).await;
        self.forget_removed(config, journal, recorder).await;
        Ok(())
    }

    /// Gives up the places of sinks that `config` does not name any more.
    pub(crate) async fn forget_removed(
        &self,
        config: &checked::Config,
        journal: &Journal,
        recorder: &Recorder,
    ) -> Vec<Forgotten> {
        forget_removed(config, journal, recorder, &self.metrics).await
    }

    /// The destinations that `config` switches on and that do not run as it says, each with its cursor. What runs stays
    /// as it is.
    ///
    /// # Errors
    /// A certificate or key that cannot be used, or a disk that does not take a cursor; names the table and the file.
    pub(crate) fn prepare(
        &self,
        config: &checked::Config,
        journal: &Journal,
        look: Look,
    ) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::default();
        for (name, sink) in config.syslog_sinks() {
            if let Err(error) = self.prepare_one(&name, &sink, journal, look, &mut prepared) {
                prepared.abandon(journal);
                return Err(error);
            }
        }
        Ok(prepared)
    }

    fn prepare_one(
        &self,
        name: &str,
        sink: &SyslogSink,
        journal: &Journal,
        look: Look,
        prepared: &mut Prepared,
    ) -> anyhow::Result<()> {
        let context = || format!("sink.syslog.{name}");
        if !sink.enabled || !self.differs(name, sink, look).with_context(context)? {
            return Ok(());
        }
        let destination = self.destination(name, sink)?;
        let cursor = cursor_name(name);
        // A damaged one is a place too, and begins again with the oldest events.
        let is_known = journal.cursors().iter().any(|(known, _)| *known == cursor)
            || (journal.lost_cursors().iter()).any(|lost| lost.is_of(&cursor));
        journal
            .cursor(&cursor, Start::Newest)
            .with_context(context)?;
        if !is_known {
            prepared.new_cursors.push(cursor);
        }
        prepared.destinations.insert(name.to_owned(), destination);
        Ok(())
    }

    fn differs(&self, name: &str, sink: &SyslogSink, look: Look) -> Result<bool, tls::TlsError> {
        let runs = lock(&self.running).get(name).map(|running| {
            // One that has ended although nobody told it to is begun anew.
            let is_as_said = running.config == *sink && !running.task.is_finished();
            (is_as_said, running.material)
        });
        match (runs, look) {
            (None | Some((false, _)), _) => Ok(true),
            (Some((true, None)), _) | (Some((true, Some(_))), Look::Settings) => Ok(false),
            (Some((true, Some(material))), Look::SettingsAndFiles) => {
                Ok(tls_client(sink)?.material() != material)
            }
        }
    }

    fn destination(&self, name: &str, sink: &SyslogSink) -> anyhow::Result<Destination> {
        let folder = self.quarantine.join(format!("syslog-{name}"));
        let quarantine = Quarantine::open(&folder, QuarantineLimits::default())
            .with_context(|| format!("cannot use {}", folder.display()))
            .with_context(|| format!("sink.syslog.{name}"))?;
        Ok(Destination {
            quarantine: Some(quarantine),
            shared: self.shared.clone(),
            ..destination(name, sink)?
        })
    }

    /// Starts, stops and restarts what differs from what runs.
    pub(crate) async fn take_up(
        &self,
        prepared: Prepared,
        config: &checked::Config,
        journal: &Journal,
    ) {
        let destinations = prepared.destinations;
        let stale: Vec<Running> = {
            let mut running = lock(&self.running);
            let enabled = |name: &String| {
                let sink = config.sink.syslog.get(name);
                sink.is_some_and(|sink| sink.enabled)
            };
            let is_stale = |name: &String| destinations.contains_key(name) || !enabled(name);
            running
                .extract_if(.., |name, _| is_stale(name))
                .map(|(_, running)| running)
                .collect()
        };
        futures::future::join_all(stale.into_iter().map(Running::end)).await;
        for (name, destination) in destinations {
            if let Some(sink) = config.syslog_sink(&name) {
                let running = self.start_one(sink, destination, journal);
                lock(&self.running).insert(name, running);
            }
        }
    }

    fn start_one(&self, sink: SyslogSink, destination: Destination, journal: &Journal) -> Running {
        let material = match &destination.transport {
            Transport::Tls(tls) => Some(tls.client.material()),
            Transport::Tcp | Transport::Udp => None,
        };
        let (sender, status) = watch::channel(Status::new(&destination));
        let tasks = Tasks::default();
        let (metrics, token) = (self.metrics.clone(), tasks.token.clone());
        let (journal, name) = (journal.clone(), destination.name.clone());
        let task = tasks.tracker.spawn(async move {
            let send = || send(&destination, &journal, &metrics, &sender, &token);
            supervise::again_after_panics(&name, PANIC_PAUSE, &token, send).await;
        });
        Running {
            config: sink,
            material,
            status,
            tasks,
            task: task.abort_handle(),
        }
    }

    /// Waits until every sink that is connected has what is durable up to `to`, at most `timeout`:
    /// the stop of a service never hangs on a receiver, and the journal keeps the rest.
    pub(crate) async fn drain(&self, to: Seq, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let busy = lock(&self.running).values().any(|running| {
                let status = running.status.borrow();
                matches!(status.state, State::Connected { .. }) && status.sent_seq < to
            });
            if !busy {
                return;
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self, timeout: Duration) {
        let all = std::mem::take(&mut *lock(&self.running));
        let stops = all
            .into_values()
            .map(|running| async move { running.tasks.stop(timeout).await });
        futures::future::join_all(stops).await;
    }

    /// What they do now, those that are switched off included.
    pub(crate) fn status(
        &self,
        config: &checked::Config,
        journal: &Journal,
    ) -> BTreeMap<String, status::Sink> {
        let held = Held::of(journal);
        let running = lock(&self.running);
        let runs = running
            .iter()
            .map(|(name, running)| (cursor_name(name), running.describe(held)));
        let positions = journal.cursors();
        let sinks = config.sink.syslog.iter();
        let rests = sinks.filter(|(name, _)| !running.contains_key(*name));
        let rests = rests.map(|(name, sink)| {
            let cursor = cursor_name(name);
            let place = positions.iter().find(|(known, _)| *known == cursor);
            let place = place.map_or(held.durable, |(_, seq)| *seq);
            (cursor, at_rest(sink, place, held))
        });
        runs.chain(rests).collect()
    }

    /// Sets the metrics of how far behind each is.
    pub(crate) fn measure_lag(&self, sinks: &BTreeMap<String, status::Sink>) {
        let lags = sinks.iter().filter_map(|(cursor, sink)| {
            let name = cursor.strip_prefix(CURSOR_PREFIX)?;
            Some((name, sink.lag_events, sink.lag_seconds.unwrap_or(0)))
        });
        self.metrics.set_lags(lags);
    }
}

/// Sends from where the cursor stands, until it is told to stop.
async fn send(
    destination: &Destination,
    journal: &Journal,
    metrics: &SyslogMetrics,
    status: &watch::Sender<Status>,
    token: &CancellationToken,
) {
    // It was made before this was started, so it is only found here.
    match journal.cursor(&cursor_name(&destination.name), Start::Newest) {
        Ok(cursor) => {
            let (status, token) = (status.clone(), token.clone());
            syslog::run(destination.clone(), cursor, metrics, status, token).await;
        }
        Err(error) => {
            tracing::error!(%error, "sink.syslog.{} has no place in the journal", destination.name)
        }
    }
}

/// A sink that is switched off and keeps its place.
fn at_rest(sink: &SyslogSink, place: Seq, held: Held) -> status::Sink {
    let (lag_events, dropped) = held.after(place);
    status::Sink {
        state: "disabled".to_owned(),
        confirmation: sink.confirmation.word().to_owned(),
        destination: address(sink),
        confirmed_seq: place,
        lag_events,
        dropped,
        ..status::Sink::default()
    }
}

/// Where a sink sends to.
pub(crate) fn address(sink: &SyslogSink) -> String {
    let transport = match sink.transport {
        checked::Transport::Udp => "udp",
        checked::Transport::Tcp => "tcp",
        checked::Transport::Tls => "tls",
    };
    format!("{transport}://{}:{}", sink.server_name, sink.port)
}

impl Running {
    fn describe(&self, held: Held) -> status::Sink {
        let mut status = describe(&self.status.borrow(), held);
        status.confirmation = self.config.confirmation.word().to_owned();
        if self.task.is_finished() {
            "stopped".clone_into(&mut status.state);
        }
        status
    }
}

/// What the journal holds.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    oldest: Seq,
    durable: Seq,
}

impl Held {
    /// At this moment.
    pub(crate) fn of(journal: &Journal) -> Held {
        Held {
            oldest: journal.oldest_seq(),
            durable: *journal.durable().borrow(),
        }
    }

    /// The last sequence that is on disk.
    pub(crate) fn durable(self) -> Seq {
        self.durable
    }

    /// Events after a place: those that are there, and those that were dropped.
    pub(crate) fn after(self, place: Seq) -> (u64, u64) {
        let from = place.max(self.oldest.saturating_sub(1));
        (self.durable.saturating_sub(from), from - place)
    }
}

fn describe(status: &Status, held: Held) -> status::Sink {
    let (lag_events, dropped) = held.after(status.sent_seq.max(status.confirmed_seq));
    let (state, since) = match &status.state {
        State::Connecting => ("connecting", None),
        State::Connected { since, .. } => ("connected", Some(*since)),
        State::Waiting { .. } => ("waiting", None),
        State::Stopped => ("stopped", None),
    };
    status::Sink {
        state: state.to_owned(),
        destination: format!("{}://{}", status.transport, status.address),
        connected_since: since,
        confirmed_seq: status.confirmed_seq,
        confirmation: String::new(),
        lag_events,
        dropped,
        lag_seconds: None,
        unconfirmed_events: status.unconfirmed,
        sent: status.sent,
        confirmed: status.confirmed,
        resent: status.resent,
        truncated: status.truncated,
        filtered: status.filtered,
        skipped: status.skipped,
        last_error: status
            .last_error
            .as_ref()
            .map(|failure| format!("{:.0}: {}", failure.at, failure.text)),
        warnings: status.warnings.iter().map(ToString::to_string).collect(),
    }
}

/// The cursor of a sink.
pub(crate) fn cursor_name(name: &str) -> String {
    format!("{CURSOR_PREFIX}{name}")
}

/// A sink that the configuration no longer names gets nothing more, and must not hold the journal
/// back for ever; what it did not get is put on record.
///
/// A place that the disk does not give up stays, and is given up when this is called again.
pub(crate) async fn forget_removed(
    config: &checked::Config,
    journal: &Journal,
    recorder: &Recorder,
    metrics: &SyslogMetrics,
) -> Vec<Forgotten> {
    let mut forgotten = Vec::new();
    let durable = *journal.durable().borrow();
    for (cursor, position) in journal.cursors() {
        let Some(name) = cursor.strip_prefix(CURSOR_PREFIX) else {
            continue;
        };
        if config.sink.syslog.contains_key(name) {
            continue;
        }
        let unsent = durable.saturating_sub(position);
        let message = format!(
            "sink.syslog.{name} is no longer configured: up to {unsent} events, those after its place in the journal, were \
             not delivered to it and will not be"
        );
        let data = [
            ("Sink", name),
            ("UnsentEvents", &*unsent.to_string()),
            // What it was not to get as it was set is among them, and what had arrived and was not confirmed.
            ("Extent", "at-most"),
        ];
        let remove = || journal.remove_cursor(&cursor);
        match forget::give_up(recorder, &message, &data, remove).await {
            Ok(()) => metrics.removed(name, unsent),
            Err(error) => tracing::error!(
                %error,
                "sink.syslog.{name} is gone and its place still holds the journal: the next reload or start tries again"
            ),
        }
        forgotten.push(Forgotten {
            name: name.to_owned(),
            unsent,
        });
    }
    forgotten
}

/// What is weak about a sink, or keeps it from being used.
pub(crate) fn warnings(name: &str, sink: &SyslogSink) -> Vec<String> {
    match destination(name, sink) {
        Ok(destination) => {
            let warnings = destination.warnings();
            let warnings = warnings.iter().map(ToString::to_string);
            warnings.chain(sink.filter.doubts()).collect()
        }
        Err(error) => vec![format!("{error:#}")],
    }
}

/// A destination as the configuration describes it.
///
/// # Errors
/// A certificate or key that cannot be read; names the table and the file.
pub(crate) fn destination(name: &str, sink: &SyslogSink) -> anyhow::Result<Destination> {
    let context = || format!("sink.syslog.{name}");
    let transport = match sink.transport {
        checked::Transport::Udp => Transport::Udp,
        checked::Transport::Tcp => Transport::Tcp,
        checked::Transport::Tls => Transport::Tls(syslog::Tls {
            client: tls_client(sink).with_context(context)?,
            server_name: None,
        }),
    };
    let mut destination = Destination::new(
        name.to_owned(),
        sink.server_name.clone(),
        sink.port,
        transport,
    );
    let format = &mut destination.format;
    match sink.framing {
        Some(checked::Framing::Lf) => format.framing = format::Framing::LineFeed,
        Some(checked::Framing::OctetCounting) => format.framing = format::Framing::OctetCounting,
        None => {}
    }
    format.prefix = match sink.prefix {
        checked::Prefix::Rfc3164 => format::Prefix::Rfc3164,
        checked::Prefix::Rfc3164Iso => format::Prefix::Rfc3164Iso,
        checked::Prefix::Rfc5424 => format::Prefix::Rfc5424,
        checked::Prefix::None => format::Prefix::None,
        checked::Prefix::LegacyAzureStack => format::Prefix::LegacyAzureStack,
    };
    format.cef.profile = match sink.profile {
        checked::Profile::AzureStack => cef::Profile::AzureStack,
        checked::Profile::Standard => cef::Profile::Standard,
    };
    format.cef.product = match sink.product {
        None | Some(checked::Product::Stack) => cef::Product::Stack,
        Some(checked::Product::StackHub) => cef::Product::StackHub,
        Some(checked::Product::Local) => cef::Product::Local,
    };
    format.cef.version = match sink.cef_version {
        checked::CefVersion::V0 => cef::Version::Zero,
        checked::CefVersion::V0Dot0 => cef::Version::ZeroPointZero,
        checked::CefVersion::V1 => cef::Version::One,
    };
    format.message_bytes_max = usize::try_from(sink.max_message_bytes).unwrap_or(usize::MAX);
    destination.confirmation = match sink.confirmation {
        checked::Confirmation::Sent => syslog::Confirmation::Sent,
        checked::Confirmation::TcpAcked => syslog::Confirmation::TcpAcked,
        checked::Confirmation::PeerRead => syslog::Confirmation::PeerRead,
    };
    let selection = sink.filter.selection(sink.output_severity);
    destination.selection = selection.with_context(context)?;
    Ok(destination)
}

/// What is checked of the receiver.
fn check(sink: &SyslogSink) -> Result<tls::ServerCheck, tls::TlsError> {
    let pinned = sink.fingerprint.as_ref().and_then(|text| text.parse().ok());
    Ok(match pinned {
        Some(fingerprint) => tls::ServerCheck::Pinned(fingerprint),
        None if sink.skip_certificate_check => tls::ServerCheck::None,
        None if sink.skip_name_check => tls::ServerCheck::SkipName,
        None => tls::ServerCheck::Full,
    })
}

pub(crate) fn tls_client(sink: &SyslogSink) -> Result<tls::Client, tls::TlsError> {
    let roots = match &sink.ca_file {
        Some(file) => tls::Roots::File(file.clone()),
        None => tls::Roots::System,
    };
    let identity = sink.client.as_ref().map(|client| tls::IdentityFiles {
        certificate: client.certificate.clone(),
        key: client.key.clone(),
    });
    tls::client_config(&roots, identity.as_ref(), check(sink)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_does_not_wait() {
        let held = Held {
            oldest: 41,
            durable: 100,
        };
        assert_eq!(held.after(50), (50, 0));
        assert_eq!(held.after(40), (60, 0));
        assert_eq!(held.after(0), (60, 40));
        let empty = Held {
            oldest: 101,
            ..held
        };
        assert_eq!(empty.after(100), (0, 0));
        assert_eq!(empty.after(30), (0, 70));
    }
}
