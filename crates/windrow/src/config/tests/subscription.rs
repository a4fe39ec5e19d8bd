//! Whom a subscription is for, and what it asks for.

use super::*;

#[test]
fn a_subscription_says_whom_it_is_for_and_how_often() {
    let text = SOURCE.replace(
        "channels",
        "machines = [\"dc*\"]\nmachine_groups = [\"servers\"]\nexcept_machines = [\"dc9\"]\n\
         delivery = \"minimize-bandwidth\"\nheartbeat = \"1h\"\nchannels",
    ) + "[machine_group.servers]\nmembers = [\"FILE01$@EXAMPLE.COM\"]\n";
    let config = check(&text).unwrap();
    let subscription = &config.subscription["base"];
    assert_eq!(subscription.machines, ["dc*"]);
    assert_eq!(
        subscription.heartbeat.0.as_secs(),
        3_600,
        "what is said counts"
    );
    assert_eq!(subscription.max_latency.0.as_secs(), 21_600);
    let shown = toml::to_string(&config).unwrap();
    assert_eq!(check(&shown).unwrap().subscription, config.subscription);

    let wrong = text.replace("\"servers\"", "\"severs\"");
    insta::assert_snapshot!(refused(&wrong), @r#"
    there is no [machine_group.severs]
     --> /etc/windrow/windrow.toml:7:19
      |
    7 | machine_groups = ["severs"]
      |                   ^^^^^^^^
    hint: did you mean `servers`?
    "#);
}

#[test]
fn a_baseline_is_asked_for_by_name() {
    let text = SOURCE.replace(
        "channels = [\"Security\"]",
        "baseline = \"domain-controller\"",
    );
    assert_ne!(text, SOURCE);
    let query = &check(&text).unwrap().subscription["base"].query;
    assert!(query.contains("Directory Service"), "{query}");
    let wrong = text.replace("domain-controller", "everything");
    let error = refused(&wrong);
    assert!(
        error.contains("there is no baseline `everything`"),
        "{error}"
    );
    assert!(error.contains("essential"), "{error}");
}

#[test]
fn a_subscription_for_nobody_is_a_mistake() {
    let text = SOURCE.replace(
        "channels = [\"Security\"]",
        "channels = [\"Security\"]\nexcept_machines = [\"dc01\", \"*\"]",
    );
    let error = refused(&text);
    assert!(error.contains("every machine is left out"), "{error}");
    assert!(error.contains("enabled = false"), "{error}");
    let text = SOURCE.replace(
        "channels = [\"Security\"]",
        "channels = [\"Security\"]\nmachines = []",
    );
    let error = refused(&text);
    assert!(error.contains("the list names nobody"), "{error}");
    let error = refused(&text.replace("machines = []", "machine_groups = []"));
    assert!(error.contains("the list names nobody"), "{error}");
}

#[test]
fn what_no_channel_can_be_called_is_refused() {
    let text = SOURCE.replace("channels = [\"Security\"]", "channels = [\"Sec<urity\"]");
    let error = refused(&text);
    assert!(error.contains("no channel can be called"), "{error}");
    let text = SOURCE.replace(
        "\"Security\"",
        "\"Microsoft-Windows-AppLocker/EXE and DLL\"",
    );
    assert!(check(&text).is_ok());
}
