//! Events as machines and documentation have them, where a folder of such is at hand.

use std::path::PathBuf;

use super::index_of;
use crate::event::*;

/// The Events of one folder of the corpus, with their file names.
fn corpus(folder: &str) -> Vec<(String, String)> {
    let folder = corpus_root().join("event-xml").join(folder);
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln_skip(&folder);
        return Vec::new();
    };
    let mut events: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                name,
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned(),
            )
        })
        .collect();
    events.sort();
    events
}

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn corpus_root() -> PathBuf {
    match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn eprintln_skip(folder: &std::path::Path) {
    eprintln!("skipped: no corpus at {}", folder.display());
}

#[test]
fn documented_events_are_whole() {
    for (name, text) in corpus("docs") {
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        assert_eq!(event.status(), ParseStatus::Whole, "{name}");
        let event_id: u32 = name.strip_prefix("event-").unwrap().parse().unwrap();
        // The page of 4867 shows a 4865.
        let published = if event_id == 4867 { 4865 } else { event_id };
        assert_eq!(event.event_id(), Some(published), "{name}");
        assert!(
            event.record_id().is_some() && event.time_created().is_some(),
            "{name}"
        );
        assert!(
            event.provider_guid().is_some() && event.keywords().is_some(),
            "{name}"
        );
        assert!(
            event.process_id().is_some() && event.thread_id().is_some(),
            "{name}"
        );
        assert!(event.computer().is_some(), "{name}");
        assert_eq!(event.channel().as_deref(), Some("Security"), "{name}");
        let items = text.matches("<Data ").count();
        assert_eq!(event.data().count(), items, "{name}");
        assert!(event.data().all(|item| item.name.is_some()), "{name}");
        if event.payload() == Payload::UserData {
            assert!(event.user_data().next().is_some(), "{name}");
        }
    }
}

#[test]
fn events_published_malformed_are_read_all_the_same() {
    for (name, text) in corpus("docs-malformed") {
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        assert_eq!(event.status(), ParseStatus::Whole, "{name}");
        assert_eq!(
            event.data().count(),
            text.matches("<Data ").count(),
            "{name}"
        );
        match event.event_id() {
            // A task's own XML, prolog and all, as the value.
            Some(4701) => {
                let task = event.data_value("TaskContent").unwrap();
                assert!(
                    task.starts_with("<?xml") && task.ends_with("</Task>"),
                    "{task}"
                );
            }
            // Bare ampersands.
            Some(6423) => {
                let device = event.data_value("DeviceId").unwrap();
                assert!(
                    device.contains("&PID") && device.ends_with("&0&2"),
                    "{device}"
                );
            }
            other => panic!("{name} has {other:?}"),
        }
    }
}

#[test]
fn texts_that_are_no_events_are_named() {
    for (name, text) in corpus("ocsf") {
        let status = index_of(&text).status();
        assert_eq!(status, ParseStatus::Malformed(Reason::NotAnEvent), "{name}");
    }
}

#[test]
fn forwarded_events_are_read_up_to_where_they_were_cut() {
    for (name, text) in corpus("wef-rendered") {
        let index = index_of(&text);
        let event = Event::new(&text, &index);
        let expected = match name.as_str() {
            "event-failed_to_recover_raw_content" => ParseStatus::Malformed(Reason::BadMarkup),
            "event-raw_content_recovered" => ParseStatus::TruncatedRendering,
            "event-unrecoverable_1" => ParseStatus::Malformed(Reason::CutOff),
            _ => ParseStatus::Whole,
        };
        assert_eq!(event.status(), expected, "{name}");
        if expected != ParseStatus::Whole {
            assert_eq!(event.event_id(), Some(4798), "{name}");
            assert_eq!(
                event.data_value("SubjectLogonId").as_deref(),
                Some("0x3e7"),
                "{name}"
            );
        }
        let rendering = event.rendering();
        match expected {
            ParseStatus::Malformed(_) => assert!(rendering.is_none(), "{name}"),
            status => {
                let rendering = rendering.unwrap();
                let is_truncated = status == ParseStatus::TruncatedRendering;
                assert_eq!(rendering.is_truncated(), is_truncated, "{name}");
                assert!(
                    rendering
                        .message()
                        .is_some_and(|message| message.len() > 20),
                    "{name}"
                );
                assert!(
                    rendering
                        .culture()
                        .is_some_and(|culture| culture.starts_with("en-"))
                );
            }
        }
    }
}
