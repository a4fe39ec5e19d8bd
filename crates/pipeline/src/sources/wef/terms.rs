//! What a collector tells and asks its machines, for whoever judges how they keep to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use windrow_formats::wef::audience::Audience;
use windrow_formats::wef::query::channels;

use super::options::{Authentication, Subscription, WefOptions};

/// What holds for all machines of a collector.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Host and port that machines are told to send to.
    pub authority: String,
    /// SHA-1 of the authorities whose certificates are taken: what `IssuerCA` has to be. Empty with
    /// Kerberos.
    pub issuer_thumbprints: Vec<String>,
    /// The subscriptions.
    pub asked: Vec<Asked>,
    /// The folder whose disk has to have room for what they send.
    pub journal: PathBuf,
}

/// A subscription, as far as machines are judged by it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// What bookmarks hang on.
    pub id: Uuid,
    /// Whom it is for.
    pub audience: Arc<Audience>,
    /// Longest time between two signs of life.
    pub heartbeat: Duration,
    /// Longest wait for a batch to fill.
    pub max_time: Duration,
    /// The channels it asks for.
    pub channels: Vec<String>,
    /// Those of which it takes everything.
    pub whole_channels: Arc<[String]>,
    /// Its revision.
    pub revision: String,
    /// Since when it is as it is; none when it was so at the start.
    pub changed: Option<Timestamp>,
    /// Since when its times are what they are: how often machines are heard of hangs on these alone.
    pub timed: Option<Timestamp>,
    /// Since when it is there.
    pub added: Option<Timestamp>,
}

/// What became of a subscription while the collector runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changes {
    changed: Option<Timestamp>,
    timed: Option<Timestamp>,
    added: Option<Timestamp>,
}

impl Changes {
    /// Notes what is other about a subscription from this moment on than it was before. Since when a channel is
    /// asked for is found out later, and no change.
    pub(super) fn note(
        &mut self,
        before: Option<&Subscription>,
        after: &Subscription,
        at: Timestamp,
    ) {
        let at = Some(at);
        let Some(before) = before else {
            (self.added, self.timed, self.changed) = (at, at, at);
            return;
        };
        if before.revision() != after.revision() || before.audience != after.audience {
            self.changed = at;
        }
        if (before.heartbeat, before.max_time) != (after.heartbeat, after.max_time) {
            self.timed = at;
        }
    }
}

impl Terms {
    pub(super) fn of(
        options: &WefOptions,
        changes: &BTreeMap<String, Changes>,
        journal: &Path,
    ) -> Terms {
        let asked = |subscription: &Subscription| {
            let changes = changes.get(&subscription.name).copied();
            let changes = changes.unwrap_or_default();
            Asked {
                name: subscription.name.clone(),
                id: subscription.id,
                audience: Arc::clone(&subscription.audience),
                heartbeat: subscription.heartbeat,
                max_time: subscription.max_time,
                channels: channels(subscription.query.as_str()).unwrap_or_default(),
                whole_channels: Arc::clone(&subscription.whole_channels),
                revision: subscription.revision(),
                changed: changes.changed,
                timed: changes.timed,
                added: changes.added,
            }
        };
        Terms {
            authority: options.authority.clone(),
            issuer_thumbprints: match &options.authentication {
                Authentication::Certificate(server) => {
                    let thumbprints = server.authorities.issuing().into_iter();
                    thumbprints.map(str::to_owned).collect()
                }
                Authentication::Kerberos(_) => Vec::new(),
            },
            asked: options.subscriptions.iter().map(asked).collect(),
            journal: journal.to_owned(),
        }
    }
}
