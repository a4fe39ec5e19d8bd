//! Takes up settings made by command, in the running service or in a data folder on which none runs.
//!
//! All that can fail for what the setting says comes before it is written: a change that cannot be taken up leaves the
//! old one in force, here and on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::MutexGuard;
use windrow_pipeline::journal::{AppendError, Journal, Seq, Start};
use windrow_pipeline::sinks::syslog::SyslogMetrics;
use windrow_pipeline::sources::wef::{KEPT_PREFIX, forget_machine, kept_contacts};

use super::limits::LAG_GOOD_FOR;
use super::own::Recorder;
use super::sinks::{self, Forgotten, Look};
use super::sources::{Subscribers, revision as subscription_revision};
use super::{Service, blob_sinks, lock, start, table_sinks, wad_sources};
use crate::access::{self, Tokens, manage};
use crate::admin::{Actor, Refusal};
use crate::config::objects::{Object, Store, Written};
use crate::config::{ConfigError, checked};
use crate::datadir::{DataDir, DataDirError, Kept, Purpose};
use crate::fleet::{Ask, Expected, Report, known_at_rest};
use crate::status;

/// One object anew, and the configuration with it.
pub(crate) struct Edit {
    /// Which.
    pub(crate) object: Object,
    /// Its text; none takes it away.
    pub(crate) text: Option<String>,
    /// The whole configuration with it.
    pub(crate) config: checked::Config,
}

/// What an edit has done.
#[derive(Debug)]
pub(crate) struct Edited {
    /// The generation of the settings now.
    pub(crate) generation: u64,
    /// How well they are kept.
    pub(crate) kept: Kept,
    /// Sinks that are gone.
    pub(crate) forgotten: Vec<Forgotten>,
}

/// Why a setting was not taken up; the old one is in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// What it names cannot be used: a certificate, most often.
    #[error("{0:#}")]
    Unusable(anyhow::Error),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] ConfigError),
    /// The journal does not take it.
    #[error("{0:#}")]
    Journal(anyhow::Error),
}

impl Service {
    /// The turn to change the configuration: one change at a time.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.shared.turn.lock().await
    }

    /// Places of those who ask for something to be changed or tested.
    pub(crate) fn asked(&self) -> &Arc<tokio::sync::Semaphore> {
        &self.shared.asked
    }

    /// Writes a setting and takes it up. For whoever has the turn.
    ///
    /// # Errors
    /// See [`EditError`]; the old setting is in force then.
    pub(crate) async fn edit(&self, edit: Edit) -> Result<Edited, EditError> {
        let shared = &self.shared;
        let Edit {
            object,
            text,
            mut config,
        } = edit;
        let journal = &shared.journal;
        let store = Store::new(&config.data_dir);
        if let Object::Subscription(_) | Object::MachineGroup(_) | Object::Diagnostics(_) = object {
            let made = shared.sources.prepare_subscriptions(&config);
            let made = made.map_err(EditError::Unusable)?;
            wad_sources::no_circle(&config).map_err(EditError::Unusable)?;
            // Groups of machines decide whose events they get.
            let tables = shared.table_sinks.prepare(&config, journal);
            let tables = tables.map_err(EditError::Unusable)?;
            let blobs = shared.blob_sinks.prepare(&config, journal);
            let blobs = blobs.map_err(EditError::Unusable)?;
            let folders = shared.directories.prepare(&config);
            let folders = folders.map_err(EditError::Unusable)?;
            let Written { generation, kept } = write(&store, &object, text).await?;
            config.settings_generation = generation;
            shared.sources.resubscribe(made, &config, journal).await;
            shared.table_sinks.take_up(tables, &config, journal).await;
            table_sinks::forget_removed(&config, journal, &shared.recorder).await;
            shared.blob_sinks.take_up(blobs, &config, journal).await;
            blob_sinks::forget_removed(&config, journal, &shared.recorder).await;
            // After the sinks, which then have a place for what is taken.
            self.watch(folders, &config)
                .await
                .map_err(EditError::Journal)?;
            *lock(&shared.config) = Arc::new(config);
            return Ok(Edited {
                generation,
                kept,
                forgotten: Vec::new(),
            });
        }
        let prepared = (shared.sinks)
            .prepare(&config, journal, Look::Settings)
            .map_err(EditError::Unusable)?;
        let Written { generation, kept } = match write(&store, &object, text).await {
            Ok(written) => written,
            Err(error) => {
                prepared.abandon(journal);
                return Err(error.into());
            }
        };
        config.settings_generation = generation;
        shared.sinks.take_up(prepared, &config, journal).await;
        let forgotten = shared
            .sinks
            .forget_removed(&config, journal, &shared.recorder)
            .await;
        *lock(&shared.config) = Arc::new(config);
        Ok(Edited {
            generation,
            kept,
            forgotten,
        })
    }

    /// The status, with how long each sink's oldest event waits, for which the journal is read.
    pub(crate) async fn status_with_lag(&self) -> status::Status {
        let mut status = self.status_with(self.fleet_totals().await);
        let (now, journal) = (status.now, self.shared.journal.clone());
        let behind = status.sinks.iter().map(|(name, sink)| (name.clone(), sink));
        let behind: Vec<(String, Seq)> = behind
            .filter(|(_, sink)| sink.lag_events + sink.unconfirmed_events > 0)
            .map(|(name, sink)| (name, sink.confirmed_seq))
            .collect();
        let looked = tokio::task::spawn_blocking(move || {
            let since = |(name, seq)| Some((name, journal.committed_after(seq)?));
            behind.into_iter().filter_map(since).collect::<Vec<_>>()
        });
        for (name, since) in looked.await.unwrap_or_default() {
            if let Some(sink) = status.sinks.get_mut(&name) {
                sink.lag_seconds = Some((now.as_second() - since.as_second()).max(0));
            }
        }
        status
    }

    /// Brings the metrics up to date that say how far behind each destination is, unless they are already: the journal is
    /// read for it, and whoever asks for metrics is not known.
    pub(crate) async fn measure_lag(&self) {
        let mut measured = self.shared.lag_measured.lock().await;
        if measured.is_some_and(|at| at.elapsed() < LAG_GOOD_FOR) {
            return;
        }
        *measured = Some(Instant::now());
        let status = self.status_with_lag().await;
        self.shared.sinks.measure_lag(&status.sinks);
        self.shared.table_sinks.measure_lag(&status.sinks);
        self.shared.blob_sinks.measure_lag(&status.sinks);
    }

    /// Who has each of these subscriptions now.
    pub(crate) fn subscribers(&self, names: &[&str]) -> BTreeMap<String, Subscribers> {
        self.shared.sources.subscribers(names)
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Makes, shows or takes away tokens of the privileged endpoint.
    ///
    /// # Errors
    /// Why not; they are as they were.
    pub(crate) async fn tokens(
        &self,
        request: access::Request,
        actor: &Actor,
    ) -> Result<access::Answer, Refusal> {
        let _turn = self.turn().await;
        let config = self.config();
        let address = access::endpoint_address(config.admin.listen).to_string();
        let recorder = self.recorder();
        match &self.shared.endpoint {
            Some(endpoint) => {
                manage::apply(endpoint.tokens(), request, actor, recorder, &address).await
            }
            None => {
                let tokens = Tokens::load(&config.data_dir).map_err(manage::refusal)?;
                manage::apply(&Mutex::new(tokens), request, actor, recorder, &address).await
            }
        }
    }
}

/// A data folder on which no service runs, locked for a change.
pub(crate) struct Offline {
    config: checked::Config,
    journal: Journal,
    recorder: Recorder,
    _data_dir: DataDir,
}

/// Why a data folder cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfflineError {
    /// The folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Its journal.
    #[error("{0:#}")]
    Journal(anyhow::Error),
}

impl Offline {
    /// Locks the data folder and opens its journal.
    ///
    /// # Errors
    /// A service runs on it after all, or the folder cannot be used.
    pub(crate) fn open(config: checked::Config) -> Result<Offline, OfflineError> {
        let data_dir = DataDir::open(&config.data_dir, Purpose::Serve)?;
        let journal = start::open_journal(&config, &data_dir).map_err(OfflineError::Journal)?;
        let recorder = Recorder::new(journal.clone(), start::computer_name());
        Ok(Offline {
            config,
            journal,
            recorder,
            _data_dir: data_dir,
        })
    }

    pub(crate) fn config(&self) -> &checked::Config {
        &self.config
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Writes a setting, for the next start to take up.
    ///
    /// # Errors
    /// See [`EditError`].
    pub(crate) async fn edit(&mut self, edit: Edit) -> Result<Edited, EditError> {
        let Edit {
            object,
            text,
            mut config,
        } = edit;
        for name in config.subscription.keys() {
            subscription_revision(&config, name).map_err(EditError::Unusable)?;
        }
        for (name, sink) in config.syslog_sinks() {
            if !sink.enabled || self.config.syslog_sink(&name).as_ref() == Some(&sink) {
                continue;
            }
            sinks::destination(&name, &sink).map_err(EditError::Unusable)?;
            // It begins here and not at the next start: it gets the record of this change, and what is imported
            // meanwhile.
            self.journal
                .cursor(&sinks::cursor_name(&name), Start::Newest)
                .with_context(|| format!("sink.syslog.{name}"))
                .map_err(EditError::Journal)?;
        }
        for (name, sink) in &config.sink.azure_table {
            if sink.enabled && !self.config.sink.azure_table.contains_key(name) {
                self.journal
                    .cursor(&table_sinks::cursor_name(name), Start::Newest)
                    .with_context(|| format!("sink.azure_table.{name}"))
                    .map_err(EditError::Journal)?;
            }
        }
        for (name, sink) in &config.sink.azure_blob {
            if sink.enabled && !self.config.sink.azure_blob.contains_key(name) {
                self.journal
                    .cursor(&blob_sinks::cursor_name(name), Start::Newest)
                    .with_context(|| format!("sink.azure_blob.{name}"))
                    .map_err(EditError::Journal)?;
            }
        }
        let store = Store::new(&config.data_dir);
        let Written { generation, kept } = write(&store, &object, text).await?;
        config.settings_generation = generation;
        table_sinks::forget_removed(&config, &self.journal, &self.recorder).await;
        blob_sinks::forget_removed(&config, &self.journal, &self.recorder).await;
        // Nobody asks for metrics while no service runs.
        let unseen = SyslogMetrics::default();
        let forgotten =
            sinks::forget_removed(&config, &self.journal, &self.recorder, &unseen).await;
        self.config = config;
        Ok(Edited {
            generation,
            kept,
            forgotten,
        })
    }

    /// What is known of the machines.
    pub(crate) fn fleet(&self, ask: &Ask) -> Report {
        let contacts = kept_contacts(&self.journal.states(KEPT_PREFIX));
        let expected = Expected::new(self.config.fleet.names());
        known_at_rest(contacts, &expected, ask, Timestamp::now())
    }

    /// Forgets a machine by its whole name; how many places it had.
    ///
    /// # Errors
    /// The journal does not take it.
    pub(crate) async fn forget_machine(&self, name: &str) -> Result<usize, AppendError> {
        forget_machine(&self.journal, name).await
    }

    /// Makes everything durable.
    pub(crate) async fn close(self) {
        self.journal.close().await;
    }
}

async fn write(
    store: &Store,
    object: &Object,
    text: Option<String>,
) -> Result<Written, ConfigError> {
    let (store, object) = (store.clone(), object.clone());
    let written = tokio::task::spawn_blocking(move || store.write(&object, text.as_deref()));
    written
        .await
        .unwrap_or_else(|error| Err(ConfigError::new(format!("cannot write: {error}"))))
}
