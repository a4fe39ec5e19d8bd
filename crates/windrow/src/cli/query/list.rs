//! `--list`: what there is to ask, and by what.

use windrow_lake::{Files, functions, views};

use crate::output::{Cell, Column, Table};

/// The lake's tables; `event_counts` is among the views.
const TABLES: [(&str, &str); 6] = [
    ("events", "every event, a row each"),
    ("iis", "requests that web servers logged"),
    ("failed_requests", "requests of which IIS kept a trace"),
    ("counters", "values of performance counters"),
    ("sign_ins", "sign-ins to Entra"),
    (
        "operations",
        "entries of Azure's activity log, and of a directory's audit log",
    ),
];

/// Tables, views and functions with a sentence each.
pub(super) fn table(files: Option<&Files>) -> Table {
    let mut table = Table::new([
        Column::Left("kind"),
        Column::Left("name"),
        Column::Left("what"),
    ]);
    let mut push = |kind: &str, name: &str, what: &str| {
        table.push([Cell::from(kind), Cell::from(name), Cell::from(what)]);
    };
    let mut has_events = files.is_none();
    match files {
        None => {
            for (name, what) in TABLES {
                push("table", name, what);
            }
        }
        Some(files) => {
            for (name, kind, count) in files.tables() {
                has_events |= name == "events";
                let what = match count {
                    0 => kind.to_string(),
                    1 => format!("{kind}, 1 file"),
                    count => format!("{kind}, {count} files"),
                };
                push("table", name, &what);
            }
        }
    }
    for view in views().iter().filter(|_| has_events) {
        push("view", view.name, view.sentence);
    }
    for function in functions() {
        push("function", function.call, function.sentence);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_is_told() {
        let told: BTreeSet<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        let all: BTreeSet<&str> = windrow_lake::table_names().collect();
        let left_out: Vec<&&str> = all.difference(&told).collect();
        assert_eq!(left_out, [&"event_counts"]);
        assert!(told.is_subset(&all));
    }
}
