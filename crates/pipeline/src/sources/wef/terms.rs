//! What a collector tells and asks its machines, for whoever judges how they keep to it.

use std::collections::BTreeMap;
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
    /// Since when it is as it is; none when it was so at the start.
    pub changed: Option<Timestamp>,
}

impl Terms {
    pub(super) fn of(options: &WefOptions, changed: &BTreeMap<String, Timestamp>) -> Terms {
        let asked = |subscription: &Subscription| Asked {
            name: subscription.name.clone(),
            id: subscription.id,
            audience: Arc::clone(&subscription.audience),
            heartbeat: subscription.heartbeat,
            max_time: subscription.max_time,
            channels: channels(subscription.query.as_str()).unwrap_or_default(),
            whole_channels: Arc::clone(&subscription.whole_channels),
            changed: changed.get(&subscription.name).copied(),
        };
        Terms {
            authority: options.authority.clone(),
            issuer_thumbprints: match &options.authentication {
                Authentication::Certificate(server) => {
                    let thumbprints = server.authorities.thumbprints();
                    thumbprints.map(str::to_owned).collect()
                }
                Authentication::Kerberos(_) => Vec::new(),
            },
            asked: options.subscriptions.iter().map(asked).collect(),
        }
    }
}
