//! Options that say keys of a subscription.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;
use windrow_formats::wef::baseline::BASELINES;

use super::files::{self, Fault};
use super::windows::Whom as Told;
use crate::admin::SubscriptionKeys;
use crate::config::checked::{ChannelErrors, ContentFormat, Delivery, NewChannels};
use crate::config::units::{ByteSize, Span};
use crate::exit::{UsageError, hinted};
use crate::output::escape;

/// What is asked for, in one of these ways.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is asked for")]
pub(super) struct Asked {
    /// A ready baseline: essential, domain-controller, server, workstation, exercises
    #[arg(long, value_name = "NAME", group = "asked", value_parser = baseline)]
    baseline: Option<String>,

    /// Every event of a channel (may be given more than once, or with commas)
    #[arg(long, value_name = "NAMES", group = "asked", value_delimiter = ',')]
    channel: Vec<String>,

    /// A QueryList in a file, as the Event Viewer shows it; read once, now
    #[arg(long, value_name = "FILE", group = "asked")]
    query_file: Option<PathBuf>,
}

/// Which machines. By the names they proved: that of a certificate, or an account as WS01$@EXAMPLE.COM; * and ? stand for
/// anything. A DNS name is also met by its first label, an account also without $ and realm.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "For which machines [default: every machine]")]
pub(super) struct Whom {
    /// These, separated by commas: 'ws*,srv1.example.com'
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    machines: Option<Vec<String>>,

    /// The machines of these groups (`windrow subscription group`, or [machine_group.NAME])
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    group: Option<Vec<String>>,

    /// Not these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    except: Option<Vec<String>>,

    /// Not the machines of these groups
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    except_group: Option<Vec<String>>,
}

/// How and how soon events come.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How events come")]
pub(super) struct How {
    /// What it is for, in one line
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Send what is in the logs already too
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    read_existing: Option<bool>,

    /// rendered-text: with the message (default); raw: without, a fifth of the size
    #[arg(long, value_name = "FORM", value_parser = word::<ContentFormat>)]
    content_format: Option<ContentFormat>,

    /// Language of messages, such as en-US [default: the machine's]
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,

    /// Language of the numbers and dates in messages
    #[arg(long, value_name = "TAG")]
    data_locale: Option<String>,

    /// What a machine does that lacks a channel or may not read it. ignore: sends the others (default); refuse: sends
    /// nothing
    #[arg(long, value_name = "WHAT", value_parser = word::<ChannelErrors>)]
    channel_errors: Option<ChannelErrors>,

    /// Of a channel that the query gains later. from-now: what happens from then on (default); replay: all of it
    #[arg(long, value_name = "WHAT", value_parser = word::<NewChannels>)]
    new_channels: Option<NewChannels>,

    /// normal: every 15 minutes; minimize-bandwidth: every 6 hours; minimize-latency: within 30 seconds, a sign of life
    /// every hour [default: within 30 seconds, a sign of life every 15 minutes]
    #[arg(long, value_name = "HOW", value_parser = word::<Delivery>)]
    delivery: Option<Delivery>,

    /// Longest wait for a batch to fill, such as 30s
    #[arg(long, value_name = "SPAN")]
    max_latency: Option<Span>,

    /// How often a machine without events says that it lives, such as 15m
    #[arg(long, value_name = "SPAN")]
    heartbeat: Option<Span>,

    /// Most events of a batch [default: the machine decides]
    #[arg(long, value_name = "N")]
    max_batch_events: Option<u32>,

    /// How large a message may be [default: 512 kB]
    #[arg(long, value_name = "SIZE")]
    max_envelope: Option<ByteSize>,

    /// How long a machine waits before it tries again [default: 1m]
    #[arg(long, value_name = "SPAN")]
    retry_interval: Option<Span>,

    /// How often it tries before it waits for its next refresh [default: 5]
    #[arg(long, value_name = "N")]
    retry_count: Option<u32>,
}

/// A key that can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Key {
    /// No description
    Description,
    /// For every machine, where no group is named either
    Machines,
    /// No group
    MachineGroups,
    /// No exceptions
    ExceptMachines,
    /// No groups excepted
    ExceptGroups,
    /// rendered-text
    ContentFormat,
    /// false
    ReadExisting,
    /// from-now
    NewChannels,
    /// ignore
    ChannelErrors,
    /// Within 30 seconds, a sign of life every 15 minutes
    Delivery,
    /// As `delivery` says
    Heartbeat,
    /// As `delivery` says
    MaxLatency,
    /// The machine decides
    MaxBatchEvents,
    /// 512 kB
    MaxEnvelope,
    /// 1m
    RetryInterval,
    /// 5
    RetryCount,
    /// The machine's
    Locale,
    /// The machine's
    DataLocale,
}

impl Key {
    /// As windrow.toml has it.
    pub(super) fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Asked {
    /// The keys it says.
    ///
    /// # Errors
    /// The file holds no query that can be used.
    pub(super) fn keys(&self) -> anyhow::Result<SubscriptionKeys> {
        let query = self.query_file.as_deref().map(query).transpose()?;
        Ok(SubscriptionKeys {
            baseline: self.baseline.clone(),
            channels: (!self.channel.is_empty()).then(|| self.channel.clone()),
            query,
            ..SubscriptionKeys::default()
        })
    }
}

impl Whom {
    /// Whether it says who gets a subscription.
    pub(super) fn says_who(&self) -> bool {
        self.machines.is_some() || self.group.is_some()
    }

    /// Writes what is said over what is there.
    pub(super) fn add_to(&self, keys: &mut SubscriptionKeys) {
        // Who gets it is one question, in two lists.
        if self.says_who() {
            keys.machines.clone_from(&self.machines);
            keys.machine_groups.clone_from(&self.group);
        }
        over(&mut keys.except_machines, &self.except);
        over(&mut keys.except_groups, &self.except_group);
    }
}

impl How {
    /// Writes what is said over what is there.
    pub(super) fn add_to(&self, keys: &mut SubscriptionKeys) {
        if self.delivery.is_some() {
            (keys.heartbeat, keys.max_latency) = (None, None);
        }
        over(&mut keys.description, &self.description);
        over(&mut keys.read_existing, &self.read_existing);
        over(&mut keys.content_format, &self.content_format);
        over(&mut keys.locale, &self.locale);
        over(&mut keys.data_locale, &self.data_locale);
        over(&mut keys.channel_errors, &self.channel_errors);
        over(&mut keys.new_channels, &self.new_channels);
        over(&mut keys.delivery, &self.delivery);
        over(&mut keys.max_latency, &self.max_latency);
        over(&mut keys.heartbeat, &self.heartbeat);
        over(&mut keys.max_batch_events, &self.max_batch_events);
        over(&mut keys.max_envelope, &self.max_envelope);
        over(&mut keys.retry_interval, &self.retry_interval);
        over(&mut keys.retry_count, &self.retry_count);
    }
}

fn over<T: Clone>(value: &mut Option<T>, said: &Option<T>) {
    if said.is_some() {
        value.clone_from(said);
    }
}

/// The QueryList of a file, warned of on stderr where it is doubtful.
///
/// # Errors
/// There is none that can be used, with file and line.
pub(super) fn query(file: &Path) -> anyhow::Result<String> {
    let read = files::read(file).map_err(|fault| refused(file, &fault))?;
    if read.name.is_some() {
        let message = format!("{} is a whole subscription", file.display());
        let hint = "`windrow subscription import FILE` takes it, and `add NAME --from-xml FILE` under a name of your own";
        return Err(hinted(UsageError(message), hint));
    }
    tell(file, &read.notes)?;
    Ok(read.keys.query.unwrap_or_default())
}

/// The query of a file, also where it is a whole subscription.
///
/// # Errors
/// There is none that can be used, with file and line.
pub(super) fn any_query(file: &Path) -> anyhow::Result<String> {
    let read = files::read(file).map_err(|fault| refused(file, &fault))?;
    tell(file, &read.notes)?;
    Ok(read.keys.query.unwrap_or_default())
}

/// The keys of a file as Windows writes it.
///
/// # Errors
/// It cannot be used, or does not say for which machines and nobody else does.
pub(super) fn of_windows(file: &Path, whom: &Whom) -> anyhow::Result<SubscriptionKeys> {
    let read = files::read(file).map_err(|fault| refused(file, &fault))?;
    tell(file, &read.notes)?;
    if read.whom == Told::OnlyTheDirectoryKnows && !whom.says_who() {
        let message = format!("{} {}", file.display(), files::WHOM_FAULT);
        return Err(hinted(UsageError(message), files::WHOM_HINT));
    }
    Ok(read.keys)
}

fn refused(file: &Path, fault: &Fault) -> anyhow::Error {
    UsageError(fault.said(file)).into()
}

fn tell(file: &Path, notes: &[files::Note]) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    for note in notes {
        writeln!(stderr, "note: {}", escape(&note.said(file)))?;
    }
    Ok(())
}

pub(super) fn baseline(text: &str) -> Result<String, String> {
    let mut names = BASELINES.iter().map(|baseline| baseline.name);
    match names.clone().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "there are {}",
            names.by_ref().collect::<Vec<_>>().join(", ")
        )),
    }
}

/// A word that windrow.toml knows.
fn word<'de, T: Deserialize<'de>>(text: &str) -> Result<T, String> {
    let text = text.to_owned();
    let found: Result<T, Unknown> = T::deserialize(text.into_deserializer());
    found.map_err(|error| error.to_string().replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::RESETTABLE;

    #[test]
    fn each_key_that_can_be_taken_back_has_its_word() {
        let words: Vec<String> = Key::value_variants().iter().map(|key| key.word()).collect();
        assert_eq!(words, RESETTABLE);
    }

    #[test]
    fn what_is_said_counts_and_the_rest_stays() {
        let mut keys = SubscriptionKeys {
            machines: Some(vec!["a".to_owned()]),
            except_machines: Some(vec!["b".to_owned()]),
            heartbeat: "1h".parse().ok(),
            max_latency: "1h".parse().ok(),
            locale: Some("de-DE".to_owned()),
            ..SubscriptionKeys::default()
        };
        let whom = Whom {
            group: Some(vec!["servers".to_owned()]),
            ..Whom::default()
        };
        whom.add_to(&mut keys);
        assert_eq!(keys.machines, None, "who gets it was said anew");
        assert_eq!(keys.except_machines, Some(vec!["b".to_owned()]));
        let how = How {
            delivery: Some(Delivery::Normal),
            heartbeat: "5m".parse().ok(),
            ..How::default()
        };
        how.add_to(&mut keys);
        assert_eq!(
            (keys.heartbeat, keys.max_latency),
            ("5m".parse().ok(), None)
        );
        assert_eq!(keys.locale.as_deref(), Some("de-DE"));
    }
}
