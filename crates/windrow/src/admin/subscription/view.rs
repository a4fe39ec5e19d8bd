//! What is shown of subscriptions: how each is set, what machines see of it, who has it, what is doubtful about it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use windrow_formats::wef::baseline::{BASELINES, is_off_by_default};
use windrow_formats::wef::query;
use windrow_formats::xpath::Filter;

use super::super::refusal::{Refusal, RefusalKind};
use super::SubscriptionGet;
use crate::config::checked::{
    self, ChannelErrors, ContentFormat, Delivery, Home, NewChannels, Subscription as Settings,
};
use crate::config::objects::Object;
use crate::config::query::place_in;
use crate::config::units::{ByteSize, Span};
use crate::service::{Service, Subscribers, subscription_revision};
use windrow_formats::suggest::nearest;

/// Batches below this are warned of: many requests.
const SMALL_BATCH: u32 = 10;
/// Signs of life more often than this are warned of.
const FREQUENT: Duration = Duration::from_secs(60);

/// All subscriptions that were asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscriptions {
    /// Whether the service runs: where it does not, nothing is known of who has them.
    pub running: bool,
    /// The generation of the settings made by command.
    pub generation: u64,
    /// The subscriptions, by name.
    pub subscriptions: Vec<Subscription>,
    /// Every group of machines, by name.
    pub groups: Vec<Group>,
}

/// A group of machines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Names of machines, with `*` and `?`.
    pub members: Vec<String>,
    /// Subscriptions that name it.
    pub subscriptions: Vec<String>,
    /// Whether it is set by command.
    pub by_command: bool,
    /// The file it stands in.
    pub file: PathBuf,
}

/// A channel that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What a machine needs for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// A subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Whether it is offered.
    pub enabled: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is set by command.
    pub by_command: bool,
    /// The file it stands in.
    pub file: PathBuf,
    /// What a machine sees of it, in eight characters: others if and only if machines subscribe anew.
    pub revision: Option<String>,
    /// Whom it is for, in words.
    pub whom: String,
    /// Which machines it is for; all when this and `machine_groups` are empty.
    pub machines: Vec<String>,
    /// Groups that it is for.
    pub machine_groups: Vec<String>,
    /// Which machines it is not for.
    pub except_machines: Vec<String>,
    /// Groups that it is not for.
    pub except_groups: Vec<String>,
    /// The ready baseline whose query it has.
    pub baseline: Option<String>,
    /// The channels that it asks for.
    pub channels: Vec<Channel>,
    /// How many queries.
    pub queries: u64,
    /// The QueryList as machines are offered it; absent where nobody asked for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Whether machines render messages.
    pub content_format: ContentFormat,
    /// Whether what is in the logs already is sent too.
    pub read_existing: bool,
    /// From when on a channel is sent that the query gained later.
    pub new_channels: NewChannels,
    /// What a machine does about channels that it lacks.
    pub channel_errors: ChannelErrors,
    /// Windows' name for how soon machines send.
    pub delivery: Option<Delivery>,
    /// Interval of signs of life.
    pub heartbeat: Span,
    /// Longest wait for a batch to fill.
    pub max_latency: Span,
    /// Most events of a batch.
    pub max_batch_events: Option<u32>,
    /// Largest message.
    pub max_envelope: ByteSize,
    /// The pause between two tries.
    pub retry_interval: Span,
    /// How often a machine tries.
    pub retry_count: u32,
    /// Language of rendered text.
    pub locale: Option<String>,
    /// Language of its numbers and dates.
    pub data_locale: Option<String>,
    /// Sources that offer it.
    pub offered_at: Vec<String>,
    /// Why nobody is offered it, where no source does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nobody: Option<String>,
    /// Who has it; absent when the service does not run.
    pub now: Option<Subscribers>,
    /// What is doubtful about it.
    pub warnings: Vec<String>,
}

/// The answer to a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubscriptionChanged {
    /// `add`, `set`, `remove`, `enable` or `disable`.
    pub verb: String,
    /// The subscription or group.
    pub name: String,
    /// Whether anything is other than before.
    pub changed: bool,
    /// The generation of the settings now.
    pub generation: u64,
    /// Whether the running service has taken it up; else the next start will.
    pub running: bool,
    /// What machines saw of the subscription before; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_before: Option<String>,
    /// What deserves a look about the change itself.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The subscription now; absent after a removal.
    pub subscription: Option<Subscription>,
    /// The group now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

impl SubscriptionChanged {
    /// Adds what machines saw before.
    pub(super) fn set_before(&mut self, before: &checked::Config, object: &Object) {
        if let Object::Subscription(name) = object {
            self.revision_before = subscription_revision(before, name).ok().flatten();
        }
    }
}

/// The subscriptions asked for.
///
/// # Errors
/// There is none of the name.
pub(in crate::admin) fn subscriptions(
    config: &checked::Config,
    get: &SubscriptionGet,
    service: Option<&Service>,
) -> Result<Subscriptions, Refusal> {
    let names: Vec<&str> = match &get.name {
        Some(name) => {
            find(config, name)?;
            vec![name]
        }
        None => config.subscription.keys().map(String::as_str).collect(),
    };
    let mut now = service.map(|service| service.subscribers(&names));
    let shown = names.iter().filter_map(|name| {
        let now = now.as_mut().and_then(|now| now.remove(*name));
        subscription(config, name, now)
    });
    let mut subscriptions: Vec<Subscription> = shown.collect();
    if get.name.is_none() {
        for subscription in &mut subscriptions {
            subscription.query = None;
        }
    }
    let groups = config.machine_group.keys();
    Ok(Subscriptions {
        running: service.is_some(),
        generation: config.settings_generation,
        subscriptions,
        groups: groups.filter_map(|name| group(config, name)).collect(),
    })
}

/// A subscription by its name.
///
/// # Errors
/// There is none; names those there are.
pub(super) fn find<'a>(config: &'a checked::Config, name: &str) -> Result<&'a Settings, Refusal> {
    if let Some(found) = config.subscription.get(name) {
        return Ok(found);
    }
    let shown = super::super::shortened(name.to_owned());
    let message = format!("there is no subscription {shown}");
    let refusal = Refusal::new(RefusalKind::NotFound, message);
    let hint = near(name, config.subscription.keys().map(String::as_str));
    Err(refusal.hint(hint.unwrap_or_else(|| {
        "there is none; `windrow subscription add NAME --baseline essential` makes one".to_owned()
    })))
}

/// Names that are listed where none is near.
const NAMES_SHOWN: usize = 8;

/// The name that was meant, or those there are.
pub(super) fn near<'a>(
    wrong: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(wrong, names.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let shown: Vec<&str> = names.clone().take(NAMES_SHOWN).collect();
    let more = match names.count().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty()).then(|| format!("there are {}{more}", shown.join(", ")))
}

pub(super) fn group(config: &checked::Config, name: &str) -> Option<Group> {
    let group = config.machine_group.get(name)?;
    let (by_command, file) = home(config.homes.machine_group.get(name)?);
    let of = |groups: &[String]| groups.iter().any(|group| group == name);
    let named = config
        .subscription
        .iter()
        .filter(|(_, settings)| of(&settings.machine_groups) || of(&settings.except_groups));
    Some(Group {
        name: name.to_owned(),
        members: group.members.clone(),
        subscriptions: named.map(|(name, _)| name.clone()).collect(),
        by_command,
        file,
    })
}

fn home(home: &Home) -> (bool, PathBuf) {
    match home {
        Home::File { path, .. } => (false, path.clone()),
        Home::Object { path } | Home::Diagnostics { path, .. } => (true, path.clone()),
    }
}

pub(super) fn subscription(
    config: &checked::Config,
    name: &str,
    now: Option<Subscribers>,
) -> Option<Subscription> {
    let settings = config.subscription.get(name)?.clone();
    let (by_command, file) = home(config.homes.subscription.get(name)?);
    let sources = config.source.wef.iter();
    let offered_at = sources.filter(|(_, source)| source.offers(name));
    let offered_at: Vec<String> = offered_at.map(|(name, _)| format!("wef.{name}")).collect();
    let channels = query::channels(&settings.query).unwrap_or_default();
    let baseline = BASELINES
        .iter()
        .find(|baseline| baseline.query_list() == settings.query);
    Some(Subscription {
        name: name.to_owned(),
        enabled: settings.enabled,
        by_command,
        file,
        revision: subscription_revision(config, name).ok().flatten(),
        whom: whom(&settings),
        warnings: warnings(&settings),
        nobody: nobody(config, &offered_at),
        baseline: baseline.map(|baseline| baseline.name.to_owned()),
        channels: channels.into_iter().map(channel).collect(),
        queries: query::outline(&settings.query).map_or(0, |queries| queries.len() as u64),
        offered_at,
        now,
        description: settings.description,
        machines: settings.machines,
        machine_groups: settings.machine_groups,
        except_machines: settings.except_machines,
        except_groups: settings.except_groups,
        query: Some(settings.query),
        content_format: settings.content_format,
        read_existing: settings.read_existing,
        new_channels: settings.new_channels,
        channel_errors: settings.channel_errors,
        delivery: settings.delivery,
        heartbeat: settings.heartbeat,
        max_latency: settings.max_latency,
        max_batch_events: settings.max_batch_events,
        max_envelope: settings.max_envelope,
        retry_interval: settings.retry_interval,
        retry_count: settings.retry_count,
        locale: settings.locale,
        data_locale: settings.data_locale,
    })
}

/// What a machine needs for a channel.
fn channel(name: String) -> Channel {
    let needs = if name.eq_ignore_ascii_case("Security") {
        Some("NETWORK SERVICE among the Event Log Readers".to_owned())
    } else if query::is_direct(&name) {
        Some("cannot be forwarded: Windows does not forward analytic and debug channels".to_owned())
    } else if is_off_by_default(&name) {
        Some(format!("enabled: wevtutil sl \"{name}\" /e:true"))
    } else {
        None
    };
    Channel { name, needs }
}

/// Whom a subscription is for, in words.
fn whom(settings: &Settings) -> String {
    let words = |names: &[String], groups: &[String]| {
        let groups = groups.iter().map(|group| format!("group {group}"));
        let all: Vec<String> = names.iter().cloned().chain(groups).collect();
        all.join(", ")
    };
    let include = words(&settings.machines, &settings.machine_groups);
    let except = words(&settings.except_machines, &settings.except_groups);
    let include = match include.as_str() {
        "" => "every machine",
        include => include,
    };
    match except.as_str() {
        "" => include.to_owned(),
        except => format!("{include}; not {except}"),
    }
}

fn warnings(settings: &Settings) -> Vec<String> {
    let query = &settings.query;
    let mut warnings = Vec::new();
    match Filter::query_list(query) {
        Ok(filter) => warnings.extend(filter.warnings().iter().map(|warning| {
            let place = place_in(query, &warning.at);
            format!("in the query, {place}: {}", warning.doubt)
        })),
        Err(error) => {
            let place = place_in(query, &error.at);
            let fault = &error.fault;
            warnings.push(format!(
                "in the query, {place}: {fault}; what windrow does not understand, machines may not either"
            ));
        }
    }
    if let Some(few) = settings.max_batch_events.filter(|few| *few < SMALL_BATCH) {
        warnings.push(format!(
            "at most {few} event{} a batch makes many requests: `set --reset max_batch_events`, and machines fill their messages",
            if few == 1 { "" } else { "s" }
        ));
    }
    if settings.heartbeat.0 < FREQUENT {
        let often = settings.heartbeat;
        warnings.push(format!("a sign of life from each machine every {often}"));
    }
    warnings
}

/// Why nobody is offered a subscription.
fn nobody(config: &checked::Config, offered_at: &[String]) -> Option<String> {
    let why = if config.source.wef.is_empty() {
        "no source is configured: `windrow config example` shows [source.wef.main]"
    } else if offered_at.is_empty() {
        "no source offers it: add it to `subscriptions` of one, or take that list out"
    } else {
        return None;
    };
    Some(why.to_owned())
}
