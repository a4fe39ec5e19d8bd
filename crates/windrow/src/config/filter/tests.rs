use std::path::Path;

use super::*;
use crate::config::{ConfigError, check_text};

fn filter(lines: &str) -> Result<SinkFilter, ConfigError> {
    let text =
        format!("[sink.syslog.siem]\nserver_name = \"siem\"\n[sink.syslog.siem.filter]\n{lines}\n");
    let mut config = check_text(Path::new("/etc/windrow/windrow.toml"), &text)?;
    Ok(config.sink.syslog.remove("siem").unwrap().filter)
}

fn refused(lines: &str) -> String {
    let error = filter(lines).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

#[test]
fn a_filter_is_read_and_shown_the_same() {
    let text = "[sink.syslog.siem]\nserver_name = \"siem\"\noutput_severity = \"default\"\n\
        [sink.syslog.siem.filter]\nchannels = [\"Security\", \" System \"]\nexclude_channels = [\"*/Debug\"]\n\
        event_ids = [4624, \"4720-4767\", \"7\"]\nexclude_event_ids = [4634]\nproviders = [\"p\"]\n\
        exclude_providers = [\"q\"]\ncomputers = [\"*.example.com\"]\nexclude_computers = [\"lab-*\"]\n\
        query = '''\n<QueryList><Query><Select Path=\"System\">*</Select></Query></QueryList>'''\n";
    let config = check_text(Path::new("windrow.toml"), text).unwrap();
    let sink = &config.sink.syslog["siem"];
    assert_eq!(sink.output_severity, OutputSeverity::Default);
    assert_eq!(sink.filter.channels, ["Security", "System"]);
    let ids: Vec<String> = sink
        .filter
        .event_ids
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(ids, ["4624", "4720-4767", "7"]);
    let shown = toml::to_string(&config).unwrap();
    assert!(
        shown.contains("event_ids = [4624, \"4720-4767\", 7]"),
        "{shown}"
    );
    let again = check_text(Path::new("windrow.toml"), &shown).unwrap();
    assert_eq!(again.sink.syslog, config.sink.syslog, "{shown}");
    insta::assert_snapshot!(sink.filter.explain(sink.output_severity).join("\n"), @r"
    warnings, errors and critical events, audit failures, and what is critical whatever its level (output severity default)
    channels Security, System
    not channels */Debug
    event ids 4624, 4720-4767, 7
    not event ids 4634
    providers p
    not providers q
    computers *.example.com
    not computers lab-*
    query: System!*
    ");
}

#[test]
fn nothing_asked_for_is_everything() {
    let none = filter("").unwrap();
    assert!(none.is_empty());
    assert_eq!(none.explain(OutputSeverity::Verbose), ["every event"]);
    assert!(none.doubts().is_empty());
}

#[test]
fn a_wrong_list_is_shown_where_it_is_wrong() {
    insta::assert_snapshot!(refused("event_ids = [4624, \"46x\"]"), @r#"
    `46x` is no event id
     --> /etc/windrow/windrow.toml:4:20
      |
    4 | event_ids = [4624, "46x"]
      |                    ^^^^^
      = expected an event id such as 4624, or a range such as "4720-4767"
    "#);
    insta::assert_snapshot!(refused("event_ids = [70000]"), @r#"
    `70000` is above 65535, the largest event id
     --> /etc/windrow/windrow.toml:4:14
      |
    4 | event_ids = [70000]
      |              ^^^^^
      = expected an event id such as 4624, or a range such as "4720-4767"
    "#);
    insta::assert_snapshot!(refused("event_ids = 4624"), @r#"
    wrong type: integer `4624`
     --> /etc/windrow/windrow.toml:4:13
      |
    4 | event_ids = 4624
      |             ^^^^
      = expected a list such as ["a", "b"]
    "#);
    insta::assert_snapshot!(refused("channels = []"), @r#"
    the list is empty
     --> /etc/windrow/windrow.toml:4:12
      |
    4 | channels = []
      |            ^^
    hint: leave it out: then it leaves nothing out
    "#);
    insta::assert_snapshot!(refused("channels = [\"Security\", \"\"]"), @r#"
    a name is missing
     --> /etc/windrow/windrow.toml:4:25
      |
    4 | channels = ["Security", ""]
      |                         ^^
      = expected a name such as "Security" or "*.example.com"; * stands for anything
    "#);
    insta::assert_snapshot!(refused("exclude_channels = [\"*\"]"), @r#"
    this leaves out every event
     --> /etc/windrow/windrow.toml:4:21
      |
    4 | exclude_channels = ["*"]
      |                     ^^^
    hint: to send nothing for a while, set `enabled = false`
    "#);
    insta::assert_snapshot!(refused("chanels = [\"Security\"]"), @r#"
    unknown key `chanels`
     --> /etc/windrow/windrow.toml:4:1
      |
    4 | chanels = ["Security"]
      | ^^^^^^^
      = expected one of channels, exclude_channels, event_ids, exclude_event_ids, providers, exclude_providers, computers, exclude_computers, query, query_file
    hint: did you mean `channels`?
    "#);
    let many = format!("event_ids = {:?}", vec![1; 257]);
    let many = refused(&many);
    assert!(many.starts_with("more than 256 in one list"), "{many}");
}

#[test]
fn a_wrong_query_is_shown_where_it_is_wrong() {
    insta::assert_snapshot!(refused("query = \"*[System[EventID=]]\""), @r#"
    found ] where a path, a string or a number has to be
     --> /etc/windrow/windrow.toml:4:27
      |
    4 | query = "*[System[EventID=]]"
      |                           ^
      = expected an event query such as "*[System[EventID=4624]]", "Security!*" or a <QueryList>
    "#);
    insta::assert_snapshot!(refused("query = '''\n<QueryList>\n <Query>\n  <Select Path='System'>*[Sys=]</Select></Query></QueryList>'''"), @r#"
    found ] where a path, a string or a number has to be
     --> /etc/windrow/windrow.toml:7:31
      |
    7 |   <Select Path='System'>*[Sys=]</Select></Query></QueryList>'''
      |                               ^
      = expected an event query such as "*[System[EventID=4624]]", "Security!*" or a <QueryList>
    "#);
    insta::assert_snapshot!(refused("query = \"*[System[Provider[@Name=\\\"x]]]\""), @r#"
    the quote that opens here is never closed (column 25 of the query)
     --> /etc/windrow/windrow.toml:4:9
      |
    4 | query = "*[System[Provider[@Name=\"x]]]"
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = expected an event query such as "*[System[EventID=4624]]", "Security!*" or a <QueryList>
    "#);
    insta::assert_snapshot!(refused("query = \"*\"\nquery_file = \"q.xml\""), @r#"
    there is a `query` beside it
     --> /etc/windrow/windrow.toml:5:14
      |
    5 | query_file = "q.xml"
      |              ^^^^^^^
      = expected only one of `query`, `query_file`
    "#);
    insta::assert_snapshot!(refused("query_file = \"none.xml\""), @r#"
    failed to open file `/etc/windrow/none.xml`: No such file or directory (os error 2)
     --> /etc/windrow/windrow.toml:4:14
      |
    4 | query_file = "none.xml"
      |              ^^^^^^^^^^
    "#);
}

#[test]
fn what_is_most_likely_not_meant_is_said() {
    let doubts = |lines: &str| filter(lines).unwrap().doubts().join("\n");
    assert_eq!(doubts("exclude_channels = [\"*/Debug\"]"), "");
    insta::assert_snapshot!(doubts("exclude_channels = [\"*/operational\"]"), @"windrow's own records (losses, changed settings, alerts) are left out: what is lost on the way goes unseen there");
    insta::assert_snapshot!(doubts("query = '''\n*[System[\n EventId=1]]'''"), @"the query, line 2, column 2: this never holds: events have no EventId here, but EventID: case matters");
}
