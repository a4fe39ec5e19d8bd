//! The queries of filters: of published query lists, or made in their manner.

use std::path::Path;

use windrow_formats::event::{Event, Index, parse};
use windrow_formats::xpath::Filter;

use super::common::logon;

/// How many a filter has.
const QUERIES: usize = 50;

/// Selects, as they stand in a QueryList, that want none of the benchmark's events; those of its channel first, since
/// another channel is refused at once.
pub(crate) fn selects(lists: Option<&Path>) -> Vec<String> {
    let mut found = match lists {
        Some(folder) => read_folder(folder),
        None => made(),
    };
    found.retain(wants_nothing);
    found.sort_by_key(|select| (!select.contains("Path=\"Security\""), select.clone()));
    found.dedup();
    found.truncate(QUERIES);
    let of_channel = found
        .iter()
        .filter(|select| select.contains("Path=\"Security\""));
    println!(
        "  filters: {} queries, {} of the events' channel",
        found.len(),
        of_channel.count()
    );
    found
}

/// A filter of all of them, which keeps nothing.
pub(crate) fn list(selects: &[String]) -> Filter {
    Filter::query_list(&xml(selects)).unwrap()
}

/// The same, with one at the end that keeps everything.
pub(crate) fn keep_all(selects: &[String]) -> Filter {
    let mut selects = selects.to_vec();
    selects.pop();
    selects.push(r#"<Select Path="Security">*[System[(EventID=4624)]]</Select>"#.to_owned());
    Filter::query_list(&xml(&selects)).unwrap()
}

fn xml(selects: &[String]) -> String {
    let queries = selects
        .iter()
        .map(|select| format!("<Query>{select}</Query>"));
    format!("<QueryList>{}</QueryList>", queries.collect::<String>())
}

fn wants_nothing(select: &String) -> bool {
    let (text, mut index) = (logon(1), Index::default());
    parse(&text, &mut index).unwrap();
    let event = Event::new(&text, &index);
    Filter::query_list(&xml(std::slice::from_ref(select)))
        .is_ok_and(|filter| !filter.matches(event, jiff::Timestamp::UNIX_EPOCH))
}

fn read_folder(folder: &Path) -> Vec<String> {
    let (mut selects, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(xml) = std::fs::read_to_string(&path) {
                // Those of a subscription may be escaped once more.
                let xml = match xml.contains("<Select ") {
                    true => xml,
                    false => xml
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .replace("&amp;", "&"),
                };
                selects.extend(xml.split("<Select ").skip(1).filter_map(|rest| {
                    Some(format!(
                        "<Select {}</Select>",
                        &rest[..rest.find("</Select>")?]
                    ))
                }));
            }
        }
    }
    selects
}

fn made() -> Vec<String> {
    let select = |id: usize| {
        let condition = match id % 3 {
            0 => format!("*[System[(EventID={id} or EventID={})]]", id + 1_000),
            1 => format!(
                "*[System[Provider[@Name='Microsoft-Windows-Security-Auditing'] and (EventID={id})]]"
            ),
            _ => format!(
                "*[System[(EventID=4624)] and EventData[Data[@Name='TargetUserName']='nobody{id}']]"
            ),
        };
        format!(r#"<Select Path="Security">{condition}</Select>"#)
    };
    (0..QUERIES).map(select).collect()
}
