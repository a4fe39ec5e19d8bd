//! The steps from a collector that listens to events that come, each ticked off by what the running service knows.
//!
//! A function of the configuration, of what the service says and of what was tried from here: no clock, no socket.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::config::checked::{Config, WefAuthentication, WefSource};
use crate::fleet::{Machine, Report, Stranger, Verdict};
use crate::status::Status;

/// Machines that get a line each; the others are counted.
const MACHINES_SHOWN_MAX: usize = 50;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli::check) enum State {
    /// It has happened.
    Done,
    /// It has not, and may by itself.
    NotYet,
    /// It does not happen before somebody mends something.
    Failed,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::check) struct Step {
    pub(in crate::cli::check) what: String,
    pub(in crate::cli::check) state: State,
    pub(in crate::cli::check) result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::check) cure: Option<String>,
}

impl Step {
    fn new(what: impl Into<String>, state: State, result: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            state,
            result: result.into(),
            cure: None,
        }
    }

    fn cure(mut self, cure: impl Into<String>) -> Step {
        self.cure = Some(cure.into());
        self
    }

    #[cfg(test)]
    pub(super) fn line(&self) -> String {
        let cure = self.cure.iter().map(|cure| format!(" -> {cure}"));
        let cure: String = cure.collect();
        format!("{:?} {}: {}{cure}", self.state, self.what, self.result)
    }
}

/// Where the name that machines are told leads, as seen from here. Nobody is called: a connection of our own would count
/// among those that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tried {
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Of these, the ones that are this machine's.
    pub(super) here: Vec<IpAddr>,
}

/// All steps, in the order in which they happen.
pub(super) fn steps(
    config: &Config,
    status: &Status,
    sources: &Report,
    tried: &BTreeMap<String, Tried>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, source) in &config.source.wef {
        let full = format!("wef.{name}");
        let Some(running) = status.sources.get(&full) else {
            let result = "the running service does not have it";
            let step = Step::new(format!("{full} listens"), State::Failed, result);
            steps.push(step.cure(
                "reload it (SIGHUP, systemctl reload windrow); its log says why if it refuses",
            ));
            continue;
        };
        let listens = format!("at {}", running.listen);
        steps.push(Step::new(format!("{full} listens"), State::Done, listens));
        steps.extend(address(&full, source, tried.get(name), sources));
        steps.extend(progress(&full, source, sources));
    }
    if config.source.wef.is_empty() {
        let step = Step::new("sources", State::Failed, "the configuration has none");
        steps.push(step.cure("`windrow setup wef` writes one that has"));
    }
    steps.extend(machines(sources));
    steps
}

/// Whether the address that machines are told leads here.
fn address(full: &str, source: &WefSource, tried: Option<&Tried>, sources: &Report) -> Vec<Step> {
    let (host, listen) = (&source.hostname, source.listen.ip());
    let Some(tried) = tried else {
        return Vec::new();
    };
    let what = format!("{full} name");
    // Seen from here it may lead elsewhere, and be right all the same: who has come is the proof.
    let mut machines = sources.machines.iter();
    let is_proven = machines.any(|machine| {
        machine.listener.as_deref() == Some(full) && machine.last_enumerate.is_some()
    });
    let elsewhere = match is_proven {
        true => State::Done,
        false => State::NotYet,
    };
    let reached = |address: &IpAddr| listen.is_unspecified() || *address == listen;
    let step = if tried.addresses.is_empty() {
        let result = format!("{host} has no address that is known here");
        Step::new(what, elsewhere, result).cure("right if the DNS of the machines knows it")
    } else if tried.here.is_empty() {
        // Somebody between, such as a balancer, may have the name.
        let result = format!(
            "{host} is {}, which is not this machine",
            list(&tried.addresses)
        );
        Step::new(what, elsewhere, result)
            .cure("right if that one passes connections on to here; else correct it in the DNS")
    } else if tried.here.iter().any(reached) {
        let result = format!("{host} is {}, where it listens", list(&tried.here));
        Step::new(what, State::Done, result)
    } else {
        let result = format!(
            "{host} is {}, and it listens at {listen}",
            list(&tried.here)
        );
        Step::new(what, State::Failed, result)
            .cure("set `listen` to 0.0.0.0, or to the address that the name has")
    };
    let only_here = listen.is_loopback() && host != "localhost";
    let only_here = only_here.then(|| {
        let result = format!("{listen} is reached by no machine but this one");
        Step::new(format!("{full} address"), State::Failed, result)
            .cure("set `listen` to 0.0.0.0 or an address that machines reach")
    });
    [Some(step), only_here].into_iter().flatten().collect()
}

fn list(addresses: &[IpAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}

/// What machines have done there.
fn progress(full: &str, source: &WefSource, sources: &Report) -> Vec<Step> {
    let here = sources
        .machines
        .iter()
        .filter(|machine| machine.listener.as_deref() == Some(full));
    let here: Vec<&Machine> = here.collect();
    let scheme = match source.authentication {
        WefAuthentication::Tls(_) => "certificate",
        WefAuthentication::Kerberos(_) => "ticket",
    };
    let ticked = |what: &str, done: Option<&Machine>, not_yet: Step| match done {
        Some(machine) => Step::new(format!("{full} {what}"), State::Done, machine.name.clone()),
        None => Step {
            what: format!("{full} {what}"),
            ..not_yet
        },
    };
    let waits = |result: &str, cure: &str| Step::new("", State::NotYet, result).cure(cure);
    let first = |has: fn(&Machine) -> bool| here.iter().copied().find(|machine| has(machine));
    let events = first(|machine| machine.last_event.is_some());
    let beats = first(|machine| machine.last_heartbeat.is_some());
    let alive = match (beats, events) {
        // A machine with events to send says no more than that.
        (None, Some(machine)) => Step::new(
            format!("{full} first heartbeat"),
            State::Done,
            format!("{} sends events instead", machine.name),
        ),
        (beats, _) => ticked(
            "first heartbeat",
            beats,
            waits(
                "none yet",
                "it comes when a machine has had nothing to send for a while (`heartbeat` of the subscription)",
            ),
        ),
    };
    vec![
        ticked(
            &format!("first {scheme}"),
            here.first().copied(),
            nobody(full, sources),
        ),
        ticked(
            "first request",
            first(|machine| machine.last_enumerate.is_some()),
            waits(
                "no machine has asked for its subscriptions",
                "gpupdate /force on one; Test-Forwarding.ps1 there says which step fails",
            ),
        ),
        ticked(
            "first subscription",
            first(|machine| !machine.subscriptions.is_empty() || machine.last_event.is_some()),
            waits(
                "none was given out",
                "see `machines` and `except_machines` of the subscriptions, if machines have asked",
            ),
        ),
        alive,
        ticked(
            "first event",
            events,
            waits(
                "none yet",
                "it comes when one is written that a subscription asks for, after `max_latency` at the latest; on the machine: eventcreate /t information /id 100 /l application /d test",
            ),
        ),
    ]
}

/// Why nobody has come in.
fn nobody(full: &str, sources: &Report) -> Step {
    let refused = sources
        .strangers
        .iter()
        .filter(|stranger| stranger.listener == full);
    // A port that is probed is no machine.
    let refused = refused.filter(|stranger| stranger.lasting);
    match refused.max_by_key(|stranger| stranger.last) {
        None => Step::new("", State::NotYet, "no machine has connected").cure(
            "on one: Test-Forwarding.ps1; nothing gets here before its policy names this collector",
        ),
        Some(Stranger {
            address,
            claims,
            reason,
            ..
        }) => {
            let who = claims.as_ref().map_or_else(String::new, |claims| {
                format!(", which claims to be {claims}")
            });
            Step::new(
                "",
                State::Failed,
                format!("{address}{who}: {}", reason.words),
            )
            .cure(reason.cure.clone())
        }
    }
}

/// A line a machine: those that are well are counted.
fn machines(sources: &Report) -> Vec<Step> {
    let is_well = |machine: &&Machine| {
        let speaks = machine.last_event.or(machine.last_heartbeat).is_some();
        machine.verdict == Some(Verdict::Alive) && speaks
    };
    let others: Vec<_> = (sources.machines.iter())
        .filter(|machine| !is_well(machine))
        .collect();
    // There are more of them than an answer has; those beyond it are the best of all.
    let totals = &sources.totals;
    let mute = others.iter();
    let mute = mute.filter(|machine| machine.verdict == Some(Verdict::Alive));
    let unwell = totals.machines() - totals.alive + mute.count() as u64;
    let well = totals.machines() - unwell;
    let shown = others.iter().take(MACHINES_SHOWN_MAX);
    let mut steps: Vec<Step> = shown.map(|machine| self::unwell(machine)).collect();
    let left_out = unwell.saturating_sub(steps.len() as u64);
    if left_out > 0 {
        let result = format!("{left_out} more are not well");
        let step = Step::new("machines", State::NotYet, result);
        steps.push(step.cure("`windrow sources` has them all"));
    }
    if well > 0 {
        let count = format!("{well} of {} are well", totals.machines());
        steps.push(Step::new("machines", State::Done, count));
    }
    steps
}

fn unwell(machine: &Machine) -> Step {
    let state = match machine.verdict {
        Some(Verdict::Failing | Verdict::Silent) => State::Failed,
        Some(Verdict::Never | Verdict::Late | Verdict::Alive) | None => State::NotYet,
    };
    let verdict = machine.verdict.map_or("not known", Verdict::as_str);
    let what = format!("machine {}", machine.name);
    match &machine.reason {
        Some(reason) => {
            Step::new(what, state, format!("{verdict}: {}", reason.words)).cure(reason.cure.clone())
        }
        None => Step::new(what, state, verdict),
    }
}
