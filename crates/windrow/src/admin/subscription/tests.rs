//! Verbs on a data folder: what they write, what machines see of it, what they refuse.

use std::path::PathBuf;

use super::super::{Actor, Answer, Place, Request, apply};
use super::*;
use crate::config::{Environment, Loader, Need, Overrides};
use crate::service::Offline;

/// A data folder on which no service runs, beside a windrow.toml.
struct Site {
    folder: tempfile::TempDir,
    place: Place,
}

impl Site {
    fn new(text: &str) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windrow.toml");
        fs_err::write(&file, format!("[lake]\nenabled = false\n{text}")).unwrap();
        let config = Site::loader(file, folder.path().join("data"));
        let config = config.load(Need::File).unwrap();
        let place = Place::Offline(Box::new(Offline::open(config).unwrap()));
        Site { folder, place }
    }

    fn loader(file: PathBuf, data: PathBuf) -> Loader {
        let overrides = Overrides {
            config: Some(file),
            data_dir: Some(data),
            log: None,
        };
        Loader::new(Environment::default(), overrides)
    }

    async fn ask(&mut self, request: Request) -> Result<Answer, Refusal> {
        let actor = Actor::local(0, "here", "windrow subscription");
        apply(&mut self.place, request, &actor).await
    }

    async fn change(&mut self, request: Request) -> SubscriptionChanged {
        match self.ask(request).await.unwrap() {
            Answer::SubscriptionChanged(changed) => *changed,
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&mut self, request: Request) -> String {
        let refusal = self.ask(request).await.unwrap_err();
        let hint = refusal.hint.as_deref().unwrap_or_default();
        let said = format!("{refusal} -> {hint}");
        said.replace(self.folder.path().to_str().unwrap(), "DIR")
    }

    async fn add(&mut self, name: &str, keys: SubscriptionKeys) -> SubscriptionChanged {
        self.change(adding(name, keys)).await
    }

    async fn set(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut SubscriptionKeys),
    ) -> SubscriptionChanged {
        self.change(setting(name, change)).await
    }

    fn text(&self, file: &str) -> String {
        fs_err::read_to_string(self.folder.path().join("data/conf.d").join(file)).unwrap()
    }

    /// What the next start would read.
    fn load(&self) -> Result<crate::config::checked::Config, crate::config::ConfigError> {
        let file = self.folder.path().join("windrow.toml");
        Site::loader(file, self.folder.path().join("data")).load(Need::File)
    }
}

fn adding(name: &str, keys: SubscriptionKeys) -> Request {
    Request::SubscriptionAdd(Box::new(SubscriptionAdd {
        name: name.to_owned(),
        keys,
        existing: Existing::Refuse,
    }))
}

fn setting(name: &str, change: impl FnOnce(&mut SubscriptionKeys)) -> Request {
    let mut keys = SubscriptionKeys::default();
    change(&mut keys);
    Request::SubscriptionSet(Box::new(SubscriptionSet {
        name: name.to_owned(),
        keys,
        reset: Vec::new(),
    }))
}

fn named(name: &str) -> Named {
    Named {
        name: name.to_owned(),
    }
}

fn list(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn channels(names: &[&str]) -> SubscriptionKeys {
    SubscriptionKeys {
        channels: list(names),
        ..SubscriptionKeys::default()
    }
}

const QUERY: &str = "<QueryList>\n  <Query Id=\"0\">\n    <Select Path=\"Security\">*[System[(EventID=4624)]]</Select>\n  </Query>\n</QueryList>";

#[tokio::test]
async fn what_is_added_lies_in_a_file_that_people_can_read() {
    let mut site = Site::new("");
    let keys = SubscriptionKeys {
        query: Some(QUERY.to_owned()),
        machines: list(&["ws*"]),
        heartbeat: "1h".parse().ok(),
        ..SubscriptionKeys::default()
    };
    let added = site.add("logons", keys).await;
    assert!(added.changed && !added.running && added.generation == 1);
    assert_eq!(added.revision_before, None);
    insta::assert_snapshot!(site.text("subscription.logons.toml"), @r#"
    # Written by windrow: change it with `windrow subscription`, not by hand.
    heartbeat = "1h"
    machines = ["ws*"]
    query = """
    <QueryList>
      <Query Id="0">
        <Select Path="Security">*[System[(EventID=4624)]]</Select>
      </Query>
    </QueryList>"""
    "#);
    let shown = added.subscription.unwrap();
    assert_eq!(shown.whom, "ws*");
    assert_eq!(shown.channels[0].name, "Security");
    assert!(shown.channels[0].needs.is_some());
    assert_eq!(shown.warnings, [""; 0]);
    assert!(shown.nobody.unwrap().starts_with("no source is configured"));
    let doubtful = QUERY.replace("EventID", "EventId");
    let doubted = site.set("logons", |keys| keys.query = Some(doubtful)).await;
    let doubts = doubted.subscription.unwrap().warnings.join("\n");
    assert!(
        doubts.contains("in the query, line 3, column ")
            && doubts.contains("events have no EventId here, but EventID: case matters"),
        "{doubts}"
    );
    site.set("logons", |keys| keys.query = Some(QUERY.to_owned()))
        .await;
    let loaded = site.load().unwrap();
    assert_eq!(loaded.subscription["logons"].query, QUERY);
    assert_eq!(loaded.settings_generation, 3);
}

#[tokio::test]
async fn a_revision_is_another_exactly_when_machines_see_a_change() {
    let mut site = Site::new("[machine_group.servers]\nmembers = [\"srv*\"]\n");
    let other = site.add("other", channels(&["System"])).await;
    let other = other.subscription.unwrap().revision;
    let mut revision = site.add("base", channels(&["Security"])).await;
    type Change = fn(&mut SubscriptionKeys);
    let unseen: [Change; 7] = [
        |keys| keys.description = Some("logons".to_owned()),
        |keys| keys.machines = list(&["ws*"]),
        |keys| keys.machine_groups = list(&["servers"]),
        |keys| keys.except_machines = list(&["ws9"]),
        |keys| keys.except_groups = list(&["servers"]),
        |keys| keys.new_channels = Some(NewChannels::Replay),
        // The same events as one query asks for that another way.
        |keys| {
            keys.query = Some("<QueryList><Query Id=\"0\"><Select Path=\"Security\">*</Select></Query></QueryList>".to_owned())
        },
    ];
    for change in unseen {
        let changed = site.set("base", change).await;
        assert!(changed.changed);
        assert_eq!(
            changed.revision_before,
            changed.subscription.as_ref().unwrap().revision
        );
        assert_eq!(
            changed.revision_before,
            revision.subscription.unwrap().revision
        );
        revision = changed;
    }
    for request in [
        Request::SubscriptionDisable(named("base")),
        Request::SubscriptionEnable(named("base")),
    ] {
        let changed = site.change(request).await;
        let now = changed.subscription.unwrap().revision;
        assert_eq!(changed.revision_before, now);
    }
    let seen: [Change; 13] = [
        |keys| keys.channels = list(&["Security", "System"]),
        |keys| keys.baseline = Some("essential".to_owned()),
        |keys| keys.content_format = Some(ContentFormat::Raw),
        |keys| keys.read_existing = Some(true),
        |keys| keys.channel_errors = Some(ChannelErrors::Refuse),
        |keys| keys.delivery = Some(Delivery::Normal),
        |keys| keys.heartbeat = "1h".parse().ok(),
        |keys| keys.max_batch_events = Some(50),
        |keys| keys.max_envelope = "1 MB".parse().ok(),
        |keys| keys.retry_count = Some(9),
        |keys| keys.retry_interval = "9s".parse().ok(),
        |keys| keys.locale = Some("en-US".to_owned()),
        |keys| keys.data_locale = Some("de-DE".to_owned()),
    ];
    for change in seen {
        let changed = site.set("base", change).await;
        let now = changed.subscription.unwrap().revision;
        assert!(now.is_some() && changed.revision_before != now, "{now:?}");
    }
    let get = Request::SubscriptionGet(SubscriptionGet {
        name: Some("other".to_owned()),
    });
    let Answer::Subscriptions(found) = site.ask(get).await.unwrap() else {
        panic!("something else");
    };
    assert_eq!(found.subscriptions[0].revision, other);
}

#[tokio::test]
async fn only_what_is_said_changes() {
    let mut site = Site::new("");
    let keys = SubscriptionKeys {
        description: Some("old".to_owned()),
        heartbeat: "1h".parse().ok(),
        max_latency: "2h".parse().ok(),
        ..channels(&["Security"])
    };
    site.add("base", keys).await;
    let set = site
        .set("base", |keys| keys.baseline = Some("server".to_owned()))
        .await;
    let shown = set.subscription.unwrap();
    assert_eq!(shown.baseline.as_deref(), Some("server"));
    assert_eq!(shown.description.as_deref(), Some("old"));
    // A name for how soon takes back what was said in numbers, but for what is said with it.
    let set = site
        .set("base", |keys| {
            keys.delivery = Some(Delivery::MinimizeBandwidth);
            keys.heartbeat = "5m".parse().ok();
        })
        .await;
    let shown = set.subscription.unwrap();
    let times = (shown.max_latency.to_string(), shown.heartbeat.to_string());
    assert_eq!(times, ("6h".to_owned(), "5m".to_owned()));
    let reset = Request::SubscriptionSet(Box::new(SubscriptionSet {
        name: "base".to_owned(),
        reset: vec!["delivery".to_owned(), "description".to_owned()],
        ..SubscriptionSet::default()
    }));
    let shown = site.change(reset.clone()).await.subscription.unwrap();
    assert_eq!((shown.delivery, shown.description), (None, None));
    assert!(!site.change(reset).await.changed, "it is so already");
    assert!(
        !site
            .change(Request::SubscriptionEnable(named("base")))
            .await
            .changed
    );
    // Set anew: all of it, and what it had is named.
    let again = Request::SubscriptionAdd(Box::new(SubscriptionAdd {
        name: "base".to_owned(),
        keys: channels(&["Setup"]),
        existing: Existing::Replace,
    }));
    let again = site.change(again).await;
    insta::assert_snapshot!(again.warnings.join("\n"), @"what the one before said and this does not is back at its default: heartbeat");
    replaced_while_switched_off(&mut site).await;
    let removed = site
        .change(Request::SubscriptionRemove(named("base")))
        .await;
    assert!(removed.changed && removed.subscription.is_none());
    assert!(site.load().unwrap().subscription.is_empty());
}

/// What somebody switched off is not offered again by setting it anew, unless that is said.
async fn replaced_while_switched_off(site: &mut Site) {
    site.change(Request::SubscriptionDisable(named("base")))
        .await;
    let replace = |channel: &str, enabled| {
        Request::SubscriptionAdd(Box::new(SubscriptionAdd {
            name: "base".to_owned(),
            keys: SubscriptionKeys {
                enabled,
                ..channels(&[channel])
            },
            existing: Existing::Replace,
        }))
    };
    let off = site.change(replace("System", None)).await;
    insta::assert_snapshot!(off.warnings.join("\n"), @"it is switched off and stays so: `windrow subscription enable base` offers it");
    assert!(!off.subscription.unwrap().enabled);
    let on = site.change(replace("Setup", Some(true))).await;
    assert!(on.warnings.is_empty() && on.subscription.unwrap().enabled);
}

#[test]
fn a_replacement_is_warned_of_what_it_takes_back_before_it_is_made() {
    let view = serde_json::json!({
        "name": "base", "enabled": false, "description": null, "by_command": true, "file": "f", "revision": null,
        "whom": "srv*", "machines": ["srv*"], "machine_groups": [], "except_machines": ["srv9"], "except_groups": [],
        "baseline": null, "channels": [], "queries": 1, "content_format": "raw", "read_existing": true,
        "new_channels": "from-now", "channel_errors": "ignore", "delivery": null, "heartbeat": "15m",
        "max_latency": "30s", "max_batch_events": null, "max_envelope": "500 KiB", "retry_interval": "1m",
        "retry_count": 5, "locale": null, "data_locale": null, "offered_at": [], "now": null, "warnings": [],
    });
    let mut old: Subscription = serde_json::from_value(view).unwrap();
    let keys = channels(&["Security"]);
    let new = check("base", &keys, &[]).unwrap();
    // As they are when nothing is said.
    (old.heartbeat, old.max_latency) = (new.heartbeat, new.max_latency);
    (old.max_envelope, old.retry_interval) = (new.max_envelope, new.retry_interval);
    (old.retry_count, old.new_channels) = (new.retry_count, new.new_channels);
    (old.content_format, old.channel_errors) = (new.content_format, new.channel_errors);
    let said = warnings_of_replacing(&old, &keys, &new).join("\n");
    insta::assert_snapshot!(said, @r"
    it is switched off and stays so: `windrow subscription enable base` offers it
    what the one before said and this does not is back at its default: machines, except_machines, read_existing
    ");
    let same = SubscriptionKeys {
        enabled: Some(true),
        machines: list(&["srv*"]),
        except_machines: list(&[]),
        read_existing: Some(false),
        ..keys
    };
    assert_eq!(warnings_of_replacing(&old, &same, &new), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_cure() {
    let mut site = Site::new(
        "[subscription.fixed]\nchannels = [\"System\"]\nmachine_groups = [\"made\"]\n\
         [machine_group.made]\nmembers = [\"a\"]\n[source.wef.main]\nhostname = \"wec\"\nsubscriptions = [\"fixed\"]\n\
         [source.wef.main.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n",
    );
    let added = site.add("base", channels(&["Security"])).await;
    insta::assert_snapshot!(added.subscription.unwrap().nobody.unwrap(), @"no source offers it: add it to `subscriptions` of one, or take that list out");
    let file = site.text("subscription.base.toml");
    insta::assert_snapshot!(site.refused(adding("base", channels(&["System"]))).await, @"there is a subscription base already -> `windrow subscription set base` changes it, --replace sets all of it anew");
    insta::assert_snapshot!(site.refused(setting("fixed", |keys| keys.read_existing = Some(true))).await, @"subscription.fixed stands in DIR/windrow.toml, line 3: change it there -> a reload (SIGHUP) takes it up; or take it out there first, and set it by command");
    insta::assert_snapshot!(site.refused(setting("bsae", |_| {})).await, @"there is no subscription bsae -> did you mean `base`?");
    insta::assert_snapshot!(site.refused(setting("base", |_| {})).await, @"nothing is said that is to be other than before -> `windrow subscription set --help` shows what can be said");
    insta::assert_snapshot!(site.refused(adding("Base", channels(&["System"]))).await, @"`Base` cannot be a name -> 1 to 48 of the characters a-z, 0-9, - and _");
    insta::assert_snapshot!(site.refused(adding("none", SubscriptionKeys::default())).await, @"the subscription asks for nothing, expected one of `baseline`, `channels`, `query`, `query_file` -> ");
    type Change = fn(&mut SubscriptionKeys);
    let wrong: [(Change, &str); 4] = [
        (
            |keys| keys.machine_groups = list(&["maed"]),
            "there is no [machine_group.maed] -> did you mean `made`?",
        ),
        (
            |keys| keys.query = Some(QUERY.replace("*[", "[")),
            "in the query, line 3, column 29: brackets stand behind *",
        ),
        (
            |keys| keys.heartbeat = "1s".parse().ok(),
            "1s is out of range, expected from 10s to 1d",
        ),
        (
            |keys| keys.machines = list(&[""]),
            "the name is empty, expected a name such as",
        ),
    ];
    for (change, expected) in wrong {
        let said = site.refused(setting("base", change)).await;
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let reset = |key: &str| {
        Request::SubscriptionSet(Box::new(SubscriptionSet {
            name: "base".to_owned(),
            reset: vec![key.to_owned()],
            ..SubscriptionSet::default()
        }))
    };
    insta::assert_snapshot!(site.refused(reset("channels")).await, @"`channels` cannot be taken back -> say instead what is asked for: a baseline, channels or a query");
    assert!(
        site.refused(reset("colour"))
            .await
            .contains("-> one of description")
    );
    assert_eq!(site.text("subscription.base.toml"), file);
    assert_eq!(site.load().unwrap().settings_generation, 1);
}

#[tokio::test]
async fn groups_are_named_by_subscriptions_and_kept_while_they_are() {
    let mut site = Site::new("");
    let group = |members: &[&str]| {
        Request::GroupSet(GroupSet {
            name: "servers".to_owned(),
            members: list(members).unwrap(),
        })
    };
    assert!(
        site.change(group(&["srv*", "FILE01$@A.EXAMPLE"]))
            .await
            .changed
    );
    assert!(
        !site
            .change(group(&["srv*", "FILE01$@A.EXAMPLE"]))
            .await
            .changed
    );
    let keys = SubscriptionKeys {
        machine_groups: list(&["servers"]),
        ..channels(&["Security"])
    };
    let added = site.add("base", keys).await.subscription.unwrap();
    assert_eq!(added.whom, "group servers");
    let wider = site.change(group(&["srv*"])).await;
    assert_eq!(wider.group.unwrap().subscriptions, ["base"]);
    insta::assert_snapshot!(site.refused(Request::GroupRemove(named("servers"))).await, @"the subscription base names the group servers -> take it out there first");
    let nobody = site.refused(group(&[])).await;
    assert!(nobody.contains("the group has nobody in it"), "{nobody}");
    assert_eq!(
        site.load().unwrap().machine_group["servers"].members,
        ["srv*"]
    );
    site.change(Request::SubscriptionRemove(named("base")))
        .await;
    assert!(
        site.change(Request::GroupRemove(named("servers")))
            .await
            .changed
    );
    assert!(site.load().unwrap().machine_group.is_empty());
}

#[tokio::test]
async fn one_that_a_source_names_is_switched_off_and_not_removed() {
    let mut site = Site::new("");
    site.add("base", channels(&["Security"])).await;
    drop(site.place);
    let toml = "[lake]\nenabled = false\n[source.wef.main]\nhostname = \"wec\"\nsubscriptions = [\"base\"]\n\
                [source.wef.main.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n";
    fs_err::write(site.folder.path().join("windrow.toml"), toml).unwrap();
    let file = site.folder.path().join("windrow.toml");
    let config = Site::loader(file, site.folder.path().join("data"));
    let config = config.load(Need::File).unwrap();
    site.place = Place::Offline(Box::new(Offline::open(config).unwrap()));
    insta::assert_snapshot!(site.refused(Request::SubscriptionRemove(named("base"))).await, @"[source.wef.main] names base among its `subscriptions` -> take it out there first, or `disable` it");
}
