//! Published event queries on the events of Windows' own log files: our answers beside those
//! of libxml2's XPath. Needs Python with lxml, and the corpus.

#[path = "../../crates/formats/tests/libxml2/oracle.rs"]
mod oracle;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use windrow_formats::event::{Event, Index, Payload, parse};

/// Events of one kind (provider, id, version) that are compared: more of them say the same.
const OF_A_KIND: usize = 3;

fn corpus() -> PathBuf {
    std::env::var_os("WINDROW_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    )
}

/// Some events of every kind, and all whose text was no valid UTF-16.
fn events(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut kinds, mut index, mut chosen) = (HashMap::new(), Index::default(), Vec::new());
    for file in files {
        let Ok(mut log) = evtx::EvtxParser::from_path(&file) else {
            continue;
        };
        for record in log.records().flatten() {
            let xml = record
                .data
                .strip_prefix(r#"<?xml version="1.0" encoding="utf-8"?>"#);
            let xml = xml.unwrap_or(&record.data).trim_start();
            let _ = parse(xml, &mut index);
            let event = Event::new(xml, &index);
            let provider = event.provider_name().unwrap_or_default().into_owned();
            let kind = (provider, event.event_id(), event.version(), event.payload());
            let seen = kinds.entry(kind).or_insert(0_usize);
            *seen += 1;
            if *seen <= OF_A_KIND || xml.contains(char::REPLACEMENT_CHARACTER) {
                chosen.push(xml.to_owned());
            }
        }
    }
    chosen
}

#[test]
fn published_queries_select_the_same_events_of_the_logs() {
    let lists = oracle::files(&corpus().join("wef-subscriptions"));
    let events = events(&corpus().join("evtx"));
    if lists.is_empty() || events.is_empty() {
        println!("skipped: no corpus; set WINDROW_CORPUS");
        return;
    }
    if !oracle::is_here() {
        return;
    }
    let mut index = Index::default();
    let mut count = |wanted: &dyn Fn(&str, Payload) -> bool| {
        let is_wanted = |xml: &&String| {
            let _ = parse(xml, &mut index);
            wanted(xml, Event::new(xml, &index).payload())
        };
        events.iter().filter(is_wanted).count()
    };
    let trees = count(&|_, payload| payload == Payload::UserData);
    let lossy = count(&|xml, _| xml.contains(char::REPLACEMENT_CHARACTER));
    let queries = oracle::published(&lists);
    let (compared, selected) = oracle::compare(&queries, &events);
    println!(
        "{} queries, {} events, {trees} with UserData, {lossy} of no valid UTF-16: \
         {compared} answers, {selected} yes",
        queries.len(),
        events.len()
    );
    assert!(compared > queries.len() * events.len() / 2 && selected > 0 && trees > 0);
}
