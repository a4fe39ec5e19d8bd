//! Applies a request: what it would change is planned and checked first, then taken up, then put on record.

use std::sync::Arc;

use super::apply_client;
use super::client::Client;
use super::refusal::{Refusal, RefusalKind};
use super::server::ServerSet;
use super::subscription;
use super::test;
use super::view::{self, ServerChanged};
use super::{Actor, Answer, Request, Verb, diagnostics, fallback, forget, shortened};
use crate::config::checked::{self, Home, SyslogSink};
use crate::config::is_name;
use crate::config::limits::MAX_OBJECT_BYTES;
use crate::config::objects::{self, Object, Store};
use crate::service::{Edit, EditError, Edited, Offline, Recorder, Service, sink_destination};

/// Where a request is applied.
pub(crate) enum Place {
    /// In the running service.
    Service(Service),
    /// In a data folder on which none runs.
    Offline(Box<Offline>),
}

impl Place {
    pub(super) fn config(&self) -> Arc<checked::Config> {
        match self {
            Place::Service(service) => service.config(),
            Place::Offline(offline) => Arc::new(offline.config().clone()),
        }
    }

    /// The service, where one runs.
    pub(super) fn service(&self) -> Option<&Service> {
        match self {
            Place::Service(service) => Some(service),
            Place::Offline(_) => None,
        }
    }

    pub(super) fn recorder(&self) -> &Recorder {
        match self {
            Place::Service(service) => service.recorder(),
            Place::Offline(offline) => offline.recorder(),
        }
    }

    pub(super) async fn edit(&mut self, edit: Edit) -> Result<Edited, EditError> {
        match self {
            Place::Service(service) => service.edit(edit).await,
            Place::Offline(offline) => offline.edit(edit).await,
        }
    }
}

/// Does what is asked for.
///
/// # Errors
/// Why not; what was in force is in force.
pub(crate) async fn apply(
    place: &mut Place,
    request: Request,
    actor: &Actor,
) -> Result<Answer, Refusal> {
    match request {
        Request::ServerGet(get) => match place {
            Place::Service(service) => {
                let status = service.status_with_lag().await;
                view::servers(&service.config(), &get, Some(&status))
            }
            Place::Offline(offline) => view::servers(offline.config(), &get, None),
        }
        .map(Answer::Servers),
        Request::Test(name) => {
            let config = place.config();
            let tested = test::test(&config, &name).await;
            test::record(&config, &name, &tested, actor, place.recorder()).await;
            Ok(Answer::Tested(Box::new(tested?)))
        }
        Request::DiagnosticsTest(named) => {
            let config = place.config();
            let tested = diagnostics::test(&config, &named.name, place.service()).await;
            diagnostics::record_test(&named.name, &tested, actor, place.recorder()).await;
            Ok(Answer::DiagnosticsTested(Box::new(tested?)))
        }
        Request::ClientGet => Ok(Answer::Client(Box::new(Client::of(&place.config())))),
        Request::SubscriptionGet(get) => match place {
            Place::Service(service) => {
                subscription::subscriptions(&service.config(), &get, Some(service))
            }
            Place::Offline(offline) => subscription::subscriptions(offline.config(), &get, None),
        }
        .map(Answer::Subscriptions),
        Request::DiagnosticsGet(get) => {
            diagnostics::configurations(&place.config(), &get).map(Answer::Configurations)
        }
        change => {
            let service = place.service().cloned();
            let _turn = match &service {
                Some(service) => Some(service.turn().await),
                None => None,
            };
            if matches!(change, Request::ClientSet(_) | Request::ClientRemove) {
                let changed = apply_client::change(place, &change, actor).await?;
                return Ok(Answer::ClientChanged(Box::new(changed)));
            }
            if let Request::SourceForget(named) = &change {
                let forgotten = forget::forget(place, &named.name, actor).await?;
                return Ok(Answer::SourceForgotten(forgotten));
            }
            if change.verb().is_of_diagnostics() {
                let changed = diagnostics::change(place, &change, actor).await?;
                return Ok(Answer::DiagnosticsChanged(Box::new(changed)));
            }
            if change.verb().is_of_syslog() {
                let changed = change_server(place, &change, actor).await?;
                return Ok(Answer::ServerChanged(Box::new(changed)));
            }
            let changed = subscription::change(place, &change, actor).await?;
            Ok(Answer::SubscriptionChanged(Box::new(changed)))
        }
    }
}

/// Does what changes nothing, where no service runs; none for a change.
pub(crate) async fn show(
    config: &checked::Config,
    request: &Request,
) -> Option<Result<Answer, Refusal>> {
    match request {
        Request::Test(name) => {
            let tested = test::test(config, name).await;
            Some(tested.map(|tested| Answer::Tested(Box::new(tested))))
        }
        Request::DiagnosticsTest(named) => {
            let tested = diagnostics::test(config, &named.name, None).await;
            Some(tested.map(|tested| Answer::DiagnosticsTested(Box::new(tested))))
        }
        Request::ServerGet(get) => Some(view::servers(config, get, None).map(Answer::Servers)),
        Request::ClientGet => Some(Ok(Answer::Client(Box::new(Client::of(config))))),
        Request::SubscriptionGet(get) => {
            let shown = subscription::subscriptions(config, get, None);
            Some(shown.map(Answer::Subscriptions))
        }
        Request::DiagnosticsGet(get) => {
            let shown = diagnostics::configurations(config, get);
            Some(shown.map(Answer::Configurations))
        }
        _ => None,
    }
}

/// A change that passed its checks.
struct Plan {
    name: String,
    /// The file's text; none takes it away.
    text: Option<String>,
    sink: Option<SyslogSink>,
    effect: Effect,
    /// What deserves a look about the change.
    warnings: Vec<String>,
}

/// Whether anything would be other than before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Some,
    None,
}

async fn change_server(
    place: &mut Place,
    request: &Request,
    actor: &Actor,
) -> Result<ServerChanged, Refusal> {
    let config = place.config();
    let store = Store::new(&config.data_dir);
    let verb = request.verb();
    let (name, note) = named(request, &config);
    if !is_name(&name) {
        let refusal = Refusal::invalid(format!("`{}` cannot be a name", shortened(name.clone())));
        let record = Record {
            verb,
            object: "sink.syslog",
            actor,
            old: "",
            new: "",
        };
        record.refused(place.recorder(), &refusal.message).await;
        return Err(refusal);
    }
    let object = Object::SyslogSink(name.clone());
    let old = compact(&store, &object);
    let done = match plan(&config, &store, request, &name) {
        Ok(mut plan) => {
            plan.warnings.extend(note);
            if plan.effect == Effect::None {
                return Ok(idle(place, &config, verb, plan));
            }
            take_up(place, &config, plan).await
        }
        Err(refusal) => Err(refusal),
    };
    let record = Record {
        verb,
        object: &format!("sink.syslog.{name}"),
        actor,
        old: &old,
        new: &compact(&store, &object),
    };
    match done {
        Ok((plan, edited)) => {
            record.changed(place.recorder(), edited.generation).await;
            Ok(changed(place, verb, plan, &edited))
        }
        Err(refusal) => {
            record.refused(place.recorder(), &refusal.message).await;
            Err(refusal)
        }
    }
}

async fn take_up(
    place: &mut Place,
    config: &checked::Config,
    plan: Plan,
) -> Result<(Plan, Edited), Refusal> {
    let object = Object::SyslogSink(plan.name.clone());
    let mut config = config.clone();
    let sinks = &mut config.sink;
    match &plan.sink {
        Some(sink) => {
            let path = Store::new(&config.data_dir).path(&object);
            sinks.syslog.insert(plan.name.clone(), sink.clone());
            sinks.homes.insert(plan.name.clone(), Home::Object { path });
        }
        None => {
            sinks.syslog.remove(&plan.name);
            sinks.homes.remove(&plan.name);
        }
    }
    let edit = Edit {
        object,
        text: plan.text.clone(),
        config,
    };
    let edited = place.edit(edit).await.map_err(Refusal::of_edit)?;
    Ok((plan, edited))
}

fn changed(place: &Place, verb: Verb, mut plan: Plan, edited: &Edited) -> ServerChanged {
    plan.warnings.extend(edited.kept.warning());
    let forgotten = edited.forgotten.iter();
    let unsent = forgotten
        .filter(|forgotten| forgotten.name == plan.name)
        .map(|forgotten| forgotten.unsent);
    ServerChanged {
        verb: verb.word().to_owned(),
        changed: true,
        generation: edited.generation,
        running: matches!(place, Place::Service(_)),
        unsent_events: (verb == Verb::ServerRemove).then(|| unsent.sum()),
        server: view::server(&place.config(), &plan.name, None),
        warnings: plan.warnings,
        name: plan.name,
    }
}

/// The answer to a change that changes nothing.
fn idle(place: &Place, config: &checked::Config, verb: Verb, plan: Plan) -> ServerChanged {
    ServerChanged {
        verb: verb.word().to_owned(),
        changed: false,
        generation: config.settings_generation,
        running: matches!(place, Place::Service(_)),
        unsent_events: None,
        server: view::server(config, &plan.name, None),
        warnings: plan.warnings,
        name: plan.name,
    }
}

/// The destination a change is about, and what is said where nobody has named it.
fn named(request: &Request, config: &checked::Config) -> (String, Option<String>) {
    match request {
        Request::ServerSet(set) => (set.name().to_owned(), None),
        Request::ServerRemove(name)
        | Request::ServerEnable(name)
        | Request::ServerDisable(name)
        | Request::Test(name) => {
            let meant = name.among(&config.sink.syslog);
            (meant.name.to_owned(), meant.note)
        }
        Request::ServerGet(get) => (get.name.clone().unwrap_or_default(), None),
        _ => Default::default(),
    }
}

fn plan(
    config: &checked::Config,
    store: &Store,
    request: &Request,
    name: &str,
) -> Result<Plan, Refusal> {
    match request {
        Request::ServerSet(set) => plan_set(config, store, set),
        Request::ServerRemove(_) => {
            known(config, name)?;
            Ok(Plan {
                name: name.to_owned(),
                text: None,
                sink: None,
                effect: Effect::Some,
                warnings: Vec::new(),
            })
        }
        Request::ServerEnable(_) => plan_switch(config, store, name, Switch::On),
        Request::ServerDisable(_) => plan_switch(config, store, name, Switch::Off),
        _ => Err(Refusal::invalid("this changes no destination")),
    }
}

fn plan_set(config: &checked::Config, store: &Store, set: &ServerSet) -> Result<Plan, Refusal> {
    let name = set.name();
    may_be_changed(config, name)?;
    let mut keys = set.keys()?;
    let old = store.text(&Object::SyslogSink(name.to_owned()));
    let old = old
        .ok()
        .flatten()
        .and_then(|text| objects::keys(&text).ok());
    // What is switched off stays so until it is switched on.
    let was_off = config
        .sink
        .syslog
        .get(name)
        .is_some_and(|sink| !sink.enabled);
    if was_off {
        keys.insert("enabled".to_owned(), false.into());
    }
    let (text, sink) = checked_text(store, name, &keys)?;
    // One that is switched off is not taken up now, and its files have to be usable all the same.
    sink_destination(name, &sink).map_err(|error| Refusal::invalid(format!("{error:#}")))?;
    let fallen = old.and_then(|old| fallback::warning(&old, set, &keys, &sink));
    Ok(Plan {
        name: name.to_owned(),
        text: Some(text),
        sink: Some(sink),
        effect: Effect::Some,
        warnings: fallen.into_iter().collect(),
    })
}

/// Which way a destination is switched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

fn plan_switch(
    config: &checked::Config,
    store: &Store,
    name: &str,
    switch: Switch,
) -> Result<Plan, Refusal> {
    let sink = known(config, name)?;
    let object = Object::SyslogSink(name.to_owned());
    let failed = |error: String| Refusal::new(RefusalKind::Failed, error);
    let text = store
        .text(&object)
        .map_err(|error| failed(error.in_words()))?;
    let text = text.ok_or_else(|| failed(format!("{} is gone", store.path(&object).display())))?;
    let mut keys = objects::keys(&text).map_err(|error| failed(error.to_string()))?;
    match switch {
        Switch::On => keys.remove("enabled"),
        Switch::Off => keys.insert("enabled".to_owned(), false.into()),
    };
    let (text, new) = checked_text(store, name, &keys)?;
    Ok(Plan {
        name: name.to_owned(),
        text: Some(text),
        effect: match sink.enabled == (switch == Switch::On) {
            true => Effect::None,
            false => Effect::Some,
        },
        warnings: Vec::new(),
        sink: Some(new),
    })
}

fn checked_text(
    store: &Store,
    name: &str,
    keys: &toml::Table,
) -> Result<(String, SyslogSink), Refusal> {
    let text = objects::text(&Object::SyslogSink(name.to_owned()), keys);
    let text = text.map_err(|error| Refusal::invalid(error.to_string()))?;
    if text.len() as u64 > MAX_OBJECT_BYTES {
        let message = format!("the settings of {name} have more than {MAX_OBJECT_BYTES} bytes");
        return Err(Refusal::invalid(message));
    }
    let sink = store.check_syslog_sink(name, &text);
    let sink = sink.map_err(|error| Refusal::of_setting(&error))?;
    Ok((text, sink))
}

/// A destination that exists and is set by command.
fn known<'a>(config: &'a checked::Config, name: &str) -> Result<&'a SyslogSink, Refusal> {
    let sink = view::find(config, name)?;
    may_be_changed(config, name)?;
    Ok(sink)
}

fn may_be_changed(config: &checked::Config, name: &str) -> Result<(), Refusal> {
    let Some(Home::File { path, line }) = config.sink.homes.get(name) else {
        return Ok(());
    };
    let message = format!(
        "sink.syslog.{name} stands in {}, line {line}: change it there",
        path.display()
    );
    Err(Refusal::new(RefusalKind::Elsewhere, message)
        .hint("a reload (SIGHUP) takes it up; or take it out there first, and set it by command"))
}

/// An object's settings in one line, as a record carries them: `port=6514 server_name=siem`.
pub(super) fn compact(store: &Store, object: &Object) -> String {
    let text = store.text(object);
    let keys = text
        .ok()
        .flatten()
        .and_then(|text| objects::keys(&text).ok());
    let keys = keys.unwrap_or_default().into_iter();
    let flat = keys.flat_map(|(key, value)| match value {
        toml::Value::Table(table) => {
            let inner = table.into_iter();
            inner
                .map(|(of, value)| (format!("{key}.{of}"), value))
                .collect()
        }
        value => vec![(key, value)],
    });
    let pairs = flat.map(|(key, value)| match value {
        toml::Value::String(text)
            if !text.contains(|c: char| " \"=".contains(c) || c.is_control()) =>
        {
            format!("{key}={}", shortened(text))
        }
        other => format!("{key}={}", shortened(other.to_string())),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// What is put on record of a change.
pub(super) struct Record<'a> {
    pub(super) verb: Verb,
    pub(super) object: &'a str,
    pub(super) actor: &'a Actor,
    pub(super) old: &'a str,
    pub(super) new: &'a str,
}

impl Record<'_> {
    pub(super) async fn changed(&self, recorder: &Recorder, generation: u64) {
        let object = self.object;
        let (who, from, verb) = (&*self.actor.who, &*self.actor.from, self.verb.word());
        let message = format!("{object}: {verb} by {who} from {from}");
        tracing::info!(object, verb, who, from, generation, "a setting was changed");
        let data = [
            ("Object", object),
            ("Verb", verb),
            ("Who", who),
            ("From", from),
            ("By", self.actor.by),
            ("Old", self.old),
            ("New", self.new),
        ];
        recorder.setting_changed(generation, &message, &data).await;
    }

    pub(super) async fn refused(&self, recorder: &Recorder, reason: &str) {
        let object = self.object;
        let reason = &*shortened(reason.to_owned());
        let (who, from, verb) = (&*self.actor.who, &*self.actor.from, self.verb.word());
        let message = format!("{object}: {verb} by {who} from {from} was refused: {reason}");
        tracing::warn!(
            object,
            verb,
            who,
            from,
            reason,
            "a change of a setting was refused"
        );
        let data = [
            ("Object", object),
            ("Verb", verb),
            ("Who", who),
            ("From", from),
            ("By", self.actor.by),
            ("Reason", reason),
        ];
        recorder.setting_refused(&message, &data).await;
    }
}
