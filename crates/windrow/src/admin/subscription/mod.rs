//! What can be asked about subscriptions and groups of machines: keys as windrow.toml has them, each change naming only
//! what it is about.

mod apply;
mod plan;
mod view;

#[cfg(test)]
mod tests;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::refusal::Refusal;
use crate::config::ConfigError;
use crate::config::checked::{self, ChannelErrors, ContentFormat, Delivery, NewChannels};
use crate::config::objects::{self, Object, Store};
use crate::config::units::{ByteSize, Span};

pub(super) use apply::change;
pub(super) use view::subscriptions;
pub use view::{Channel, Group, Subscription, SubscriptionChanged, Subscriptions};

/// Keys that a subscription can be without: what is taken back has its default again.
pub const RESETTABLE: [&str; 18] = [
    "description",
    "machines",
    "machine_groups",
    "except_machines",
    "except_groups",
    "content_format",
    "read_existing",
    "new_channels",
    "channel_errors",
    "delivery",
    "heartbeat",
    "max_latency",
    "max_batch_events",
    "max_envelope",
    "retry_interval",
    "retry_count",
    "locale",
    "data_locale",
];

/// The ways to say what a subscription asks for, of which it has one.
const ASKS: [&str; 4] = ["baseline", "channels", "query", "query_file"];

/// Keys of a subscription, as windrow.toml has them; what is absent is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriptionKeys {
    /// Whether it is offered at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What it is for, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A ready baseline by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Every event of these channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// A QueryList.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Which machines it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<Vec<String>>,
    /// Groups of machines that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_groups: Option<Vec<String>>,
    /// Which machines it is not for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_machines: Option<Vec<String>>,
    /// Groups of machines that it is not for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_groups: Option<Vec<String>>,
    /// Whether machines render messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_format: Option<ContentFormat>,
    /// Whether what is in the logs already is sent too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_existing: Option<bool>,
    /// From when on a channel is sent that the query gained later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_channels: Option<NewChannels>,
    /// What a machine does about channels that it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_errors: Option<ChannelErrors>,
    /// How soon machines send. Takes back what was said in numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Interval of signs of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
    /// Longest wait for a batch to fill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Span>,
    /// Most events of a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_events: Option<u32>,
    /// Largest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_envelope: Option<ByteSize>,
    /// The pause between two tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Span>,
    /// How often a machine tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<u32>,
    /// Language of rendered text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Language of its numbers and dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_locale: Option<String>,
}

/// What is done where there is one of the name already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// It stays, and the request is refused.
    #[default]
    Refuse,
    /// It is set anew, all of it. Places of machines stay.
    Replace,
}

/// Adds a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriptionAdd {
    /// Its name, which places of machines hang on.
    pub name: String,
    /// Its keys.
    #[serde(deserialize_with = "by_name")]
    pub keys: SubscriptionKeys,
    /// Where there is one of the name.
    pub existing: Existing,
}

/// Changes what is said of a subscription, and leaves the rest as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriptionSet {
    /// Its name.
    pub name: String,
    /// Keys that are other now.
    #[serde(deserialize_with = "by_name")]
    pub keys: SubscriptionKeys,
    /// Keys that have their default again: of [`RESETTABLE`].
    pub reset: Vec<String>,
}

/// Which subscription, which group of machines, or which machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// Which subscriptions to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriptionGet {
    /// This one, with each machine that has it; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Sets a group of machines, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSet {
    /// Its name.
    pub name: String,
    /// Names of machines, with `*` and `?`.
    pub members: Vec<String>,
}

/// Values by their names: a list of them without would be taken for the same.
fn by_name<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let map = serde_json::Map::deserialize(deserializer)?;
    serde_json::from_value(map.into()).map_err(D::Error::custom)
}

impl SubscriptionKeys {
    fn table(&self) -> Result<toml::Table, Refusal> {
        toml::Table::try_from(self).map_err(|error| Refusal::invalid(error.to_string()))
    }
}

/// Whether these keys make a subscription where these groups exist, looked at without anything being changed.
///
/// # Errors
/// Why not.
pub(crate) fn check(
    name: &str,
    keys: &SubscriptionKeys,
    groups: &[&str],
) -> Result<checked::Subscription, Refusal> {
    let store = Store::new(std::path::Path::new(""));
    let checked = plan::checked_text(&store, name, &keys.table()?, groups);
    checked.map(|(_, subscription)| subscription)
}

/// What a replacement of a subscription by these keys, which make `new`, would be warned of.
pub(crate) fn warnings_of_replacing(
    old: &Subscription,
    keys: &SubscriptionKeys,
    new: &checked::Subscription,
) -> Vec<String> {
    let stays_off = !old.enabled && keys.enabled.is_none();
    let said = keys.table().unwrap_or_default();
    let is_said = |key: &str| match key {
        "heartbeat" | "max_latency" => said.contains_key("delivery") || said.contains_key(key),
        key => said.contains_key(key),
    };
    // Their keys are the configuration's in both.
    let was = serde_json::to_value(old).unwrap_or_default();
    let is = serde_json::to_value(new).unwrap_or_default();
    let of = |all: &serde_json::Value, key: &str| {
        let value = all.get(key).filter(|value| !value.is_null());
        value.filter(|value| **value != json!([])).cloned()
    };
    let is_other = |key: &str| of(&was, key) != of(&is, key);
    let gone = RESETTABLE.into_iter();
    let gone: Vec<&str> = gone.filter(|key| !is_said(key) && is_other(key)).collect();
    let stays_off = stays_off.then(|| plan::stays_off_warning(&old.name));
    let taken_back = plan::taken_back_warning(&gone);
    stays_off.into_iter().chain(taken_back).collect()
}

/// The keys as a file's text.
fn text_of(object: &Object, keys: &toml::Table) -> Result<String, Refusal> {
    objects::text(object, keys).map_err(|error| Refusal::invalid(error.to_string()))
}

fn of_setting(error: &ConfigError) -> Refusal {
    Refusal::of_setting(error)
}
